"""Small choices: each is the fit it says it is, and the averaged objective stops as early as it did in print."""

import numpy as np
import pytest

from isoflop import fit, huber, law, sensitivity, squares
from isoflop.errors import FitError
from isoflop.validation.averaged import by_lbfgs
from isoflop.validation.sensitivity import GROUPS, MOST_CHOICES

CHINCHILLA = law("chinchilla")


@pytest.fixture(scope="module")
def epoch(epoch245):
    steps = []
    found = sensitivity(CHINCHILLA, epoch245, budget=5.76e23, draws=60, progress=steps.append)
    assert len(steps) == len(found.choices) <= MOST_CHOICES
    return found


def choice(found, group, start):
    (one,) = (each for each in found.choices if each.group == group and each.setting.startswith(start))
    return one


def test_every_group_is_there(epoch):
    assert list(dict.fromkeys(each.group for each in epoch.choices)) == list(GROUPS)


def test_the_base_is_the_fit(epoch, epoch245):
    fitted = fit(CHINCHILLA, epoch245)
    assert epoch.base["alpha"].value == fitted.params["alpha"]
    assert epoch.base["N*"].value == pytest.approx(118.7e9, rel=1e-3)


def test_choices_are_the_fits_they_name(epoch, epoch245):
    rounded = fit(CHINCHILLA, epoch245.with_column("loss", np.round(epoch245["loss"], 2)))
    assert choice(epoch, "rounding", "2 dec").answers["beta"].value == pytest.approx(rounded.params["beta"])
    plain = fit(CHINCHILLA, epoch245, objective=squares(space="raw"))
    assert choice(epoch, "objective", "raw-lsq").answers["beta"].value == pytest.approx(plain.params["beta"])
    assert choice(epoch, "objective", "raw-lsq").answers["N*"].value == pytest.approx(282.6e9, rel=1e-3)
    wide = fit(CHINCHILLA, epoch245, objective=huber(0.1))
    assert choice(epoch, "objective", "huber:0.1").answers["E"].value == pytest.approx(wide.params["E"])
    sizes = np.unique(epoch245["N"])
    small = fit(CHINCHILLA, epoch245.take(epoch245["N"] <= sizes[-(-len(sizes) // 2) - 1]))
    assert choice(epoch, "region", "smaller").answers["alpha"].value == pytest.approx(small.params["alpha"])
    without = fit(CHINCHILLA, epoch245.where("row not in [1, 2, 3, 4, 5, 6, 11, 12]"))
    assert choice(epoch, "outliers", "without 8").answers["alpha"].value == pytest.approx(without.params["alpha"])


def test_averaging_makes_the_usual_routine_stop_early(epoch, epoch245):
    total, mean = (choice(epoch, "solver", f"L-BFGS-B, {word}") for word in ("sum", "mean"))
    assert total.answers["N*"].value == pytest.approx(epoch.base["N*"].value, rel=1e-2)
    assert abs(np.log(mean.answers["N*"].value / epoch.base["N*"].value)) > 0.1
    base = fit(CHINCHILLA, epoch245)
    ended = by_lbfgs(base, epoch245, mean=True)
    assert ended.value > 1.01 * base.value and by_lbfgs(base, epoch245, mean=False).value < (1 + 1e-5) * base.value


def test_noise_spreads_answers_with_its_size(epoch):
    noisy = [each.answers["N*"] for each in epoch.choices if each.group == "noise"]
    widths = [np.log(each.high / each.low) for each in noisy]
    assert widths == sorted(widths) and widths[1] > 3 * widths[0]


def test_choices_that_leave_the_interval_are_said(epoch):
    out = [each for each in epoch.choices if epoch.outside(each, "N*")]
    assert choice(epoch, "objective", "raw-lsq") in out and choice(epoch, "starts", "16") not in out
    (finding,) = (each for each in epoch.findings if each.code == "choices-matter")
    assert f"{len(out)} of {sum('N*' in each.answers for each in epoch.choices)} choices" in finding.message


def test_counting_with_or_without_embeddings_asks_for_the_same_model(known_runs):
    """Where the other count is a constant share, N* in the first count does not move."""
    runs = known_runs(0.002)
    counted = runs.with_column("N_nonembed", 0.8 * runs["N"])
    found = sensitivity(CHINCHILLA, counted, budget=1e22, draws=20)
    other = choice(found, "counting", "without embeddings")
    same_budget = 0.8 ** (1 - found.base["exponent a"].value)  # C = 6nD counts a fifth fewer FLOPs for each token
    assert other.answers["N*"].value == pytest.approx(found.base["N*"].value / same_budget**1, rel=0.02)
    assert other.answers["forecast"].value == pytest.approx(found.base["forecast"].value, rel=1e-6)
    assert other.answers["alpha"].value == pytest.approx(found.base["alpha"].value, rel=1e-5)


def test_choices_that_cannot_be_made_say_why(known_runs):
    rounded = known_runs(0.002).with_column("loss", np.round(known_runs(0.002)["loss"], 2))
    found = sensitivity(CHINCHILLA, rounded, draws=20)
    assert choice(found, "rounding", "3 dec").why_not == "the table has 2 decimals"
    assert choice(found, "outliers", "without").why_not == "no run lies off the surface"
    four = known_runs(0.002, sizes=4, durations=6)
    few = sensitivity(law("power-n-floor"), four.where("D > 2e11"), draws=20)
    assert choice(few, "region", "smaller").why_not == "only 2 distinct values of N are left"


def test_a_law_in_tokens_alone_has_a_forecast(known_runs):
    found = sensitivity(law("power-d-floor"), known_runs(0.002).where("N > 5e9"), draws=20)
    assert found.asked.main.name == "forecast" and not [each for each in found.choices if each.group == "counting"]


def test_too_few_runs(known_runs):
    with pytest.raises(FitError, match="4 runs cannot determine the 5 parameters"):
        sensitivity(CHINCHILLA, known_runs(0.002).where("row < 5"))
