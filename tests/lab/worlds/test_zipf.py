import numpy as np
import pytest

from isoflop.errors import SpecError
from isoflop.lab.worlds import zipf, zipf_expected, zipf_loss


def slope(x, y):
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def test_closed_form_is_the_plain_sum():
    items, exponent = 300, 0.7
    masses = np.arange(1, items + 1) ** -(1 + exponent)
    masses /= masses.sum()
    for size, count in [(1, 1), (7, 40), (300, 10), (50, 100_000)]:
        plain = sum(p * (1 - p) ** count for p in masses[:size]) + sum(masses[size:])
        assert zipf_loss(size, count, exponent=exponent, items=items) == pytest.approx(plain, rel=1e-10)


def test_without_data_everything_is_lost():
    assert zipf_loss([1, 100, 1000], 0, items=None) == pytest.approx(np.ones(3), rel=1e-12)


def test_endless_items_are_the_limit_of_many():
    # the tail beyond K items weighs about 2/√K of 2.6
    many, endless = (zipf_loss([256], [4096], items=items)[0] for items in (10**10, None))
    assert many == pytest.approx(endless, rel=1e-3)
    assert zipf_loss([256], [4096], items=10**4)[0] < 0.95 * endless


@pytest.mark.parametrize("exponent", [0.3, 0.5, 1.0])
def test_single_axis_exponents_are_the_theory(exponent):
    sizes, tokens = 2 ** np.arange(12, 19), 2 ** np.arange(12, 19)
    by_size = zipf_loss(sizes, np.full(7, 2**60), exponent=exponent, items=None)
    by_tokens = zipf_loss(np.full(7, 2**22), tokens, exponent=exponent, items=None)
    assert slope(sizes, by_size) == pytest.approx(-exponent, abs=0.005)
    # items beyond a table this large are too rare to have occurred: it loses what an endless table would
    assert slope(tokens, by_tokens) == pytest.approx(-exponent / (1 + exponent), abs=0.01)


def test_published_slopes_come_out():
    # −.496 over sizes to 1,024 at the most tokens; −.332 over tokens at the largest size
    runs, truth = zipf()
    size, count, loss = runs["N"], runs["D"], runs["loss"]
    rows = (count == count.max()) & (size <= 1024)
    assert slope(size[rows], loss[rows]) == pytest.approx(-0.496, abs=0.005)
    rows = size == size.max()
    assert slope(count[rows], loss[rows]) == pytest.approx(-0.332, abs=0.006)
    assert (truth.alpha, truth.beta) == (0.5, pytest.approx(1 / 3))


def test_sampled_runs_scatter_about_the_expected_loss():
    runs, _ = zipf(sizes=(16, 256), tokens=(16, 128), seeds=range(200))
    for size in (16, 256):
        for count in (16, 128):
            losses = runs["loss"][(runs["N"] == size) & (runs["D"] == count)]
            error = losses.std(ddof=1) / np.sqrt(len(losses))
            assert abs(losses.mean() - zipf_loss(size, count)) < 4 * error


def test_expected_runs_are_the_grid():
    runs, _ = zipf_expected(sizes=(16, 32), tokens=(8, 64, 512))
    assert len(runs) == 6
    assert runs["loss"] == pytest.approx(zipf_loss(runs["N"], runs["D"]))
    assert runs.loss_unit == "error rate"


def test_a_table_larger_than_the_list_is_refused():
    with pytest.raises(SpecError, match="a table of 100 among 50 items"):
        zipf_loss(100, 10, items=50)
