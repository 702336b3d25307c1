"""Scores of hardness of every example from what a model recorded about it, and which examples a share keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, shown
from isoflop.measures.hardness import (
    error_norm,
    forgetting_events,
    kept_by_hardness,
    margin_hardness,
    prototype_distance,
)
from isoflop.measures.samples import as_labels, as_samples
from isoflop.values import Value

Floats = NDArray[np.float64]

# each score with the arrays it may be made of, in the order in which they are looked for
SCORES: Final[Mapping[str, tuple[str, ...]]] = {
    "margin": ("logits", "scores"),
    "el2n": ("probabilities", "probs"),
    "forgetting": ("correct",),
    "prototype": ("embedding", "embeddings", "features", "hidden"),
}
_LABELS: Final = ("labels", "label", "y", "targets", "target")


@dataclass(frozen=True)
class Hardness(Value):
    """Scores of examples, all larger for harder ones.

    scores: by name, (examples,) each. labels: codes of classes, or None. correlations: Spearman's, of each pair of
    scores. kept: rows that are kept, or None; by: the score that decides; share, which: how many, and hard or easy.
    """

    scores: dict[str, Floats]
    labels: NDArray[np.int64] | None
    correlations: dict[tuple[str, str], float]
    kept: NDArray[np.int64] | None
    by: str
    share: float
    which: str

    @property
    def classes(self) -> tuple[tuple[int, int, int], ...]:
        """Code of each class, its examples, and how many are kept."""
        if self.labels is None or self.kept is None:
            return ()
        whole, left = np.bincount(self.labels), np.bincount(self.labels[self.kept], minlength=self.labels.max() + 1)
        return tuple((code, int(whole[code]), int(left[code])) for code in range(len(whole)))


def score_hardness(
    arrays: Mapping[str, NDArray[Any]],
    *,
    names: Mapping[str, str] | None = None,
    labels: str | None = None,
    clusters: int = 10,
    keep: float = 1.0,
    which: str = "hard",
    by: str | None = None,
    seed: int = 0,
) -> Hardness:
    """Margin, EL2N, forgetting and distance to a prototype, whichever the arrays allow.

    arrays: ``logits`` (examples, classes), ``probabilities`` (examples, classes) or (runs, examples, classes),
    ``correct`` (checkpoints, examples), ``embedding`` (examples, dimensions), and labels. names: score → array, where
    they are called otherwise. by: the score that decides what is kept, the first found by default. Raises DataError for
    no array that gives a score, and for scores of different numbers of examples.
    """
    given = dict(names or {})
    unknown = [each for each in given if each not in SCORES]
    if unknown:
        raise IsoflopError(f"{shown(unknown[0])} is no score; there are {', '.join(SCORES)}")
    used = {score: given.get(score) or next((n for n in usual if n in arrays), None) for score, usual in SCORES.items()}
    listed = ", ".join(map(shown, list(arrays)[:8]))
    missing = [name for name in used.values() if name is not None and name not in arrays]
    if missing:
        raise DataError(f"there is no array {shown(missing[0])}; there are {listed}")
    place = labels or next((name for name in _LABELS if name in arrays), None)
    if place is not None and place not in arrays:
        raise DataError(f"there is no array {shown(place)} of labels; there are {listed}")
    classes = None if place is None else np.asarray(arrays[place]).ravel()
    scores: dict[str, Floats] = {}
    for score, name in used.items():
        if name is None:
            continue
        table = np.asarray(arrays[name])
        if score in ("margin", "el2n"):
            if classes is None:
                raise DataError(f"{score} of {shown(name)} needs labels; add an array labels, or name it (--labels)")
            scores[score] = margin_hardness(table, classes) if score == "margin" else error_norm(table, classes)
        elif score == "forgetting":
            scores[score] = forgetting_events(table).astype(np.float64)
        else:
            points = as_samples(table, name)
            if len(points) < clusters:
                raise DataError(
                    f"{shown(name)} has {len(points):,} examples, fewer than the {clusters:,} prototypes; lower "
                    "--clusters"
                )
            scores[score] = prototype_distance(points, clusters=clusters, seed=seed)
    if not scores:
        usual = "; ".join(f"{score} from {' or '.join(each[:2])}" for score, each in SCORES.items())
        raise DataError(f"no array gives a score of hardness ({usual}); there are {listed}")
    counts = {score: len(each) for score, each in scores.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{score} of {count:,}" for score, count in counts.items())
        raise DataError(f"the scores are of different examples: {told}; record all arrays for the same examples")
    decides = by or next(iter(scores))
    if decides not in scores:
        raise IsoflopError(f"{shown(decides)} is not among the scores found: {', '.join(scores)}")
    kept = kept_by_hardness(scores[decides], keep, keep=which) if keep < 1 else None
    codes = None if classes is None or len(classes) != len(scores[decides]) else as_labels(classes, len(classes))
    return Hardness(scores, codes, _correlations(scores), kept, decides, keep, which)


def _correlations(scores: Mapping[str, Floats]) -> dict[tuple[str, str], float]:
    from scipy.stats import rankdata

    ranks = {name: rankdata(each) for name, each in scores.items()}
    names = list(ranks)
    found = {}
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            flat = np.ptp(ranks[one]) == 0 or np.ptp(ranks[other]) == 0
            found[one, other] = float("nan") if flat else float(np.corrcoef(ranks[one], ranks[other])[0, 1])
    return found
