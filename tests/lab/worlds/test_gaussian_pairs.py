import numpy as np
import pytest

from isoflop.errors import SpecError
from isoflop.lab.worlds import draw_gaussian_pairs, gaussian_pairs


def test_samples_have_the_information_they_claim():
    pairs = draw_gaussian_pairs(1.5, samples=200_000, dimensions=3, width=3)
    correlation = [np.corrcoef(pairs.x[:, i], pairs.y[:, i])[0, 1] for i in range(3)]
    assert -0.5 * np.log(1 - np.square(correlation)).sum() == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("representation", ["direct", "compressed"])
def test_known_information_is_recovered(representation):
    # one published draw: .551, 1.040, 2.043, 3.871 for .5, 1, 2, 4 nats
    runs, truth = gaussian_pairs(representations=(representation,), seeds=(0, 1, 2, 3))
    for nats, published in zip(truth.information, (0.551, 1.040, 2.043, 3.871), strict=True):
        found = runs["estimate"][runs["information"] == nats]
        assert found.mean() == pytest.approx(published, abs=0.05)
        assert runs["estimate_kraskov"][runs["information"] == nats].mean() == pytest.approx(nats, abs=0.15)


def test_wide_estimates_are_nonsense():
    # the published draw lies between −279 (.5 nats) and −114 (4 nats) with 5,000 samples
    runs, _ = gaussian_pairs(information=(0.5, 4.0), samples=1500, representations=("wide",))
    assert (runs["estimate"] < -50).all()


def test_truth_carries_the_correlation():
    _, truth = gaussian_pairs(samples=50, representations=("direct",))
    assert -np.log(1 - np.square(truth.correlation)) == pytest.approx(truth.information)


def test_impossible_pairs_are_refused():
    with pytest.raises(SpecError, match="-1 nats cannot be drawn"):
        draw_gaussian_pairs(-1)
    with pytest.raises(SpecError, match="'raw' is no representation; choose among direct, wide, compressed"):
        gaussian_pairs(representations=("raw",))
