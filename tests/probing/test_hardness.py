"""Scores of hardness from recorded arrays: which are found, what is kept, and bad arrays in a sentence."""

import numpy as np
import pytest

from isoflop.errors import DataError, IsoflopError
from isoflop.probing.hardness import score_hardness

LABELS = np.array([0, 0, 1, 1, 1, 0])
LOGITS = np.array([[4.0, 0], [1, 0], [0, 3], [2, 0], [0, 1], [0, 5]])  # the fourth and the last are wrong


def _arrays():
    weights = np.exp(LOGITS)
    return {
        "logits": LOGITS,
        "probabilities": weights / weights.sum(axis=1, keepdims=True),
        "correct": np.array([[1, 1, 1, 0, 1, 0], [1, 0, 1, 1, 1, 0], [1, 1, 1, 0, 1, 0]]),
        "embedding": np.array([[0.0, 0], [0, 1], [9, 9], [9, 8], [9, 10], [5, 5]]),
        "labels": LABELS,
    }


def test_every_array_gives_its_score():
    found = score_hardness(_arrays(), clusters=2)
    assert list(found.scores) == ["margin", "el2n", "forgetting", "prototype"]
    np.testing.assert_allclose(found.scores["margin"], [-4, -1, -3, 2, -1, 5])
    assert found.scores["el2n"].argmax() == 5 and found.scores["el2n"].argmin() == 0
    assert found.scores["forgetting"].tolist() == [0, 1, 0, 1, 0, 2]
    assert found.scores["prototype"].argmax() == 5
    assert found.correlations["margin", "el2n"] == pytest.approx(1)  # of two classes, one is a function of the other
    assert found.kept is None and found.classes == ()


def test_the_hardest_or_easiest_are_kept_and_classes_counted():
    found = score_hardness(_arrays(), clusters=2, keep=0.5)
    assert found.kept.tolist() == [1, 3, 5] or found.kept.tolist() == [3, 4, 5]
    easy = score_hardness(_arrays(), clusters=2, keep=1 / 3, which="easy", by="el2n")
    assert easy.kept.tolist() == [0, 2] and easy.classes == ((0, 3, 1), (1, 3, 1))


def test_arrays_of_other_names():
    arrays = {"head": LOGITS, "truth": LABELS}
    assert list(score_hardness(arrays, names={"margin": "head"}, labels="truth").scores) == ["margin"]


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"other": LOGITS}, {}, "no array gives a score of hardness"),
        ({"logits": LOGITS}, {}, "margin of 'logits' needs labels"),
        ({"logits": LOGITS, "labels": LABELS + 1}, {}, "below the 2 classes"),
        ({"embedding": LOGITS}, {"clusters": 10_000}, "fewer than the 10,000 prototypes; lower --clusters"),
        ({"logits": LOGITS, "labels": LABELS, "correct": np.ones((3, 5))}, {}, "margin of 6, forgetting of 5"),
        ({"logits": LOGITS, "labels": LABELS}, {"by": "el2n"}, "not among the scores found: margin"),
        ({"logits": LOGITS, "labels": LABELS}, {"names": {"loss": "logits"}}, "is no score; there are margin"),
        ({"logits": LOGITS, "labels": LABELS}, {"names": {"el2n": "p"}}, "no array 'p'"),
        ({"probabilities": LOGITS, "labels": LABELS}, {}, "sum to 1"),
        ({"correct": np.zeros((2, 0))}, {}, "two checkpoints or more"),
        ({"correct": np.full((3, 4), np.nan)}, {}, "0 or 1 alone"),
    ],
)
def test_bad_arrays_are_refused(arrays, options, message):
    with pytest.raises((DataError, IsoflopError), match=message):
        score_hardness(arrays, **options)
