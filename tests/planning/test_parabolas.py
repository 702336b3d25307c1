"""Method 2: exact where the valley is a parabola, biased as computed elsewhere, and what it refuses."""

import math

import numpy as np
import pytest

from isoflop import Runs, law, read_runs
from isoflop.errors import IsoflopError
from isoflop.planning.parabolas import by_budget, parabola_bias, parabolas

CHINCHILLA = law("chinchilla")
BUDGETS = np.array([1e17, 1e18, 1e19, 1e20, 1e21])
SURFACES = {
    "printed": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
    "asymmetric": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.465, "beta": 0.155},
    "symmetric": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.31, "beta": 0.31},
}


@pytest.mark.parametrize(
    ("surface", "reach", "percent"),
    [
        ("printed", 8, -2.902904738),
        ("printed", 16, -5.100244552),
        ("asymmetric", 8, -13.910418584),
        ("asymmetric", 16, -23.116308049),
        ("symmetric", 8, 0.0),
        ("symmetric", 16, 0.0),
    ],
)
def test_the_bias_of_method_2_on_noiseless_losses(surface, reach, percent):
    bias = parabola_bias(CHINCHILLA, SURFACES[surface], budgets=BUDGETS, at=1e24, reach=reach)
    assert 100 * bias == pytest.approx(percent, abs=2e-6)


def isoflop_runs(noise=0.0, *, reach=3.0, sizes=9):
    rng = np.random.default_rng(0)
    rows = []
    for budget in (1e18, 3e18, 1e19, 3e19, 1e20):
        center = np.sqrt(budget / 6) / 5
        n = center * np.exp(np.linspace(-np.log(reach), np.log(reach), sizes))
        # a valley that is exactly a parabola around N* ∝ C^0.5
        loss = 3 - 0.1 * np.log10(budget / 1e18) + 0.05 * np.log(n / center) ** 2
        rows.append(np.column_stack([n, budget / (6 * n), np.full(sizes, budget), loss + rng.normal(0, noise, sizes)]))
    n, d, c, loss = np.concatenate(rows).T
    return Runs.from_columns({"N": n, "D": d, "C": c, "loss": loss})


def test_parabolas_are_found_exactly():
    found = parabolas(isoflop_runs(), draws=50)
    assert found.exponent_a.value == pytest.approx(0.5, abs=1e-9)
    assert found.n_at(1e22).value == pytest.approx(np.sqrt(1e22 / 6) / 5, rel=1e-8)
    assert [profile.bracketed for profile in found.profiles] == [True] * 5
    assert found.findings == ()


def test_each_minimum_has_its_own_interval_which_holds_the_truth_about_as_often_as_it_says():
    held = total = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        clean = isoflop_runs()
        columns = {name: clean[name] for name in ("N", "D", "C")}
        noisy = Runs.from_columns(columns | {"loss": clean["loss"] + rng.normal(0, 0.002, len(clean))})
        for profile in parabolas(noisy, draws=200, seed=seed).profiles:
            own = profile.minimum(level=0.9)
            held += own.low <= np.sqrt(profile.budget / 6) / 5 <= own.high
            total += 1
    assert total == 300 and 0.86 < held / total < 0.94


def test_a_minimum_that_most_draws_lose_has_no_interval():
    own = [each for each in parabolas(isoflop_runs(0.005, reach=1.2), draws=200).profiles if each.bracketed]
    lost = [np.isnan(each.n_draws).mean() for each in own]
    assert max(lost) > 0.1
    assert [np.isnan(each.minimum(level=0.9).low) for each in own] == [share > 0.1 for share in lost]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        clean = isoflop_runs()
        noisy = clean.with_column("loss", clean["loss"] + rng.normal(0, 0.005, len(clean)))
        interval = parabolas(noisy, draws=300, seed=seed).exponent_a
        held += interval.low <= 0.5 <= interval.high
    assert 82 <= held <= 98


def skewed_runs():
    """Valleys that are parabolas within a factor of 4 of the minimum, with a wall above that."""
    rows = []
    for budget in (1e18, 3e18, 1e19, 3e19, 1e20):
        center = np.sqrt(budget / 6) / 5
        away = np.linspace(-np.log(4), np.log(30), 15)
        rise = away**2 + 20 * np.maximum(np.exp(away) / 4 - 1, 0)
        n = center * np.exp(away)
        rows.append(np.column_stack([n, budget / (6 * n), np.full(15, budget), 3 + 0.05 * rise]))
    n, d, c, loss = np.concatenate(rows).T
    return Runs.from_columns({"N": n, "D": d, "C": c, "loss": loss})


def test_sizes_far_from_the_minimum_move_no_parabola():
    runs = skewed_runs()
    near, whole = parabolas(runs, draws=50), parabolas(runs, reach=math.inf, draws=50)
    truth = np.sqrt(1e20 / 6) / 5
    assert near.profiles[-1].n_best == pytest.approx(truth, rel=0.01)
    assert abs(whole.profiles[-1].n_best / truth - 1) > 0.1
    assert max(each.reach for each in near.profiles) <= 7 and whole.profiles[0].reach == math.inf
    assert len(near.profiles[0].fitted) < len(near.profiles[0].n) == len(whole.profiles[0].fitted)


def test_a_run_that_went_wrong_near_the_minimum_moves_nothing():
    clean = isoflop_runs(0.0005, sizes=11)
    wrong = clean["loss"].copy()
    wrong[4] += 0.5
    found = parabolas(clean.with_column("loss", wrong), draws=50)
    assert 4 not in found.profiles[0].fitted
    assert found.profiles[0].n_best == pytest.approx(parabolas(clean, draws=50).profiles[0].n_best, rel=0.1)


def test_a_minimum_below_every_run_is_doubted():
    """A flat bottom with steep walls: the parabola through both dips below the bottom."""
    clean = isoflop_runs(reach=3, sizes=12)
    first = clean["C"] == clean["C"].min()
    away = np.log(clean["N"][first] / np.sqrt(1e18 / 6) * 5)
    loss = clean["loss"].copy()
    loss[first] = 3 + 0.2 * np.where(np.abs(away) > 0.7, (np.abs(away) - 0.7), 0)
    runs = clean.with_column("loss", loss)
    found = parabolas(runs, draws=50)
    assert [each.code for each in found.findings] == ["parabola-misfits"]
    assert "at 1 budget the parabola's minimum lies below every run" in found.findings[0].message
    assert "1e+18 FLOPs by" in found.findings[0].message


def test_many_runs_of_each_size_leave_as_many_sizes_near_the_minimum():
    runs = isoflop_runs(reach=60.0, sizes=5)  # far apart, so that the nearest are taken
    n, d, c, loss = (np.repeat(runs[name], 12) for name in ("N", "D", "C", "loss"))
    found = parabolas(Runs.from_columns({"N": n, "D": d, "C": c, "loss": loss}), draws=20)
    assert found.exponent_a.value == pytest.approx(0.5, abs=1e-9)


def test_a_reach_of_one_is_refused():
    with pytest.raises(IsoflopError, match="above 1, not 1"):
        parabolas(isoflop_runs(), reach=1.0)


def test_a_minimum_outside_the_sizes_is_left_out_and_said():
    runs = isoflop_runs()
    lowest = runs["C"] == runs["C"].min()
    cut = runs.take(~lowest | (runs["N"] > np.median(runs["N"][lowest]) * 1.1))
    found = parabolas(cut, draws=50)
    assert [finding.code for finding in found.findings] == ["not-bracketed"]
    assert "at 1e+18 FLOPs the least loss lies beyond the smallest of the sizes" in found.findings[0].message
    assert "Train smaller models" in found.findings[0].remedy
    assert found.exponent_a.value == pytest.approx(0.5, abs=1e-9)


def test_few_sizes_at_a_budget_are_left_out_and_said():
    runs = isoflop_runs()
    few = runs.take((runs["C"] > runs["C"].min()) | (np.arange(len(runs)) < 3))
    assert [finding.code for finding in parabolas(few, draws=50).findings] == ["few-sizes-at-budget"]


def test_no_budget_with_a_minimum_is_refused(known_runs):
    with pytest.raises(IsoflopError, match="0 budgets whose minimum is bracketed"):
        runs = known_runs(0.01, sizes=3, durations=3)
        parabolas(runs.with_column("C", 6 * runs["N"] * runs["D"]))


def test_llama3_by_method_2(tables):
    runs = read_runs(tables / "isoflop-collection" / "isoflops_extract.csv", where="experiment == 'llama_3__raw_loss'")
    found = parabolas(runs, reach=math.inf, draws=200)  # through all sizes, as published
    budget = 3.8e25
    assert budget / 6 / found.n_at(budget).value == pytest.approx(16.1e12, rel=0.02)


def test_runs_without_budgets_form_none():
    # neighboring C differ by less than 2 % over three decades: linked one by one they would make one budget
    assert all(len(rows) == 1 for rows in by_budget(np.geomspace(1e18, 1e21, 400)))


def test_budgets_read_off_a_figure_are_parted_though_a_stray_run_links_them():
    rng = np.random.default_rng(0)
    budgets = np.repeat([1e19, 1.3e19, 6e19], 8) * np.exp(rng.uniform(-0.05, 0.05, 24))
    flops = np.concatenate([budgets, [1.07e19, 1.13e19, 1.21e19]])
    assert [len(rows) for rows in by_budget(flops) if len(rows) > 3] == [9, 9, 8]
