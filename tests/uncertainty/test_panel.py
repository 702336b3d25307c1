"""Draws of panels: one index for all groups, the spread of an independent bootstrap, and groups that were not seen."""

import numpy as np
import pytest
from tests.fitting.test_panel import LAW, panel_runs, rows_of

import isoflop
from isoflop.errors import FitError, IsoflopError
from isoflop.fitting.panel import fit_panel
from isoflop.uncertainty.panel import bootstrap_panel

FLOOR = isoflop.law("E + A/N^alpha")


def floors(groups=12, rows=6, *, spread=0.1, noise=0.004, seed=0, alpha=0.3):
    """Groups of one power law whose floors are log-normal over groups; (runs, true floors)."""
    rng = np.random.default_rng(seed)
    truth = 1.8 * np.exp(spread * rng.standard_normal(groups))
    n = np.tile(np.geomspace(1e7, 3e9, rows), groups)
    floor = np.repeat(truth, rows)
    loss = (floor + 300 / n**alpha) * np.exp(noise * rng.standard_normal(len(n)))
    family = np.repeat([f"f{each:02d}" for each in range(groups)], rows)
    return isoflop.Runs.from_columns({"N": n, "loss": loss, "family": family}), truth


@pytest.fixture(scope="module")
def drawn():
    panel = fit_panel(LAW, panel_runs(), share=("alpha", "beta"), objective=isoflop.squares())
    return bootstrap_panel(panel, draws=200)


def test_a_shared_parameter_has_one_value_in_a_draw_and_own_ones_differ(drawn):
    column = LAW.param_names.index("alpha")
    assert np.ptp(drawn.params[:, :, column], axis=1).max() < 1e-12
    assert np.ptp(drawn.params[:, :, 0], axis=1).min() > 0


def test_the_spread_is_that_of_refits_one_at_a_time(drawn):
    """Each of some draws is refitted by fit_panel itself, on a table in which rows stand as often as they count."""
    panel = drawn.panel
    rng = np.random.default_rng([0, 0])
    counts = np.zeros((100, 120))
    for group in range(3):
        counts[:, 40 * group : 40 * (group + 1)] = rng.multinomial(40, np.full(40, 1 / 40), size=100)
    for draw in (0, 7):
        rows = np.repeat(np.arange(120), counts[draw].astype(int))
        table = {name: panel.runs[name][rows] for name in ("N", "D", "loss")}
        again = isoflop.Runs.from_columns(table | {"family": np.array(panel.runs.text("family"))[rows]})
        refitted = fit_panel(LAW, again, share=panel.share, objective=panel.objective)
        assert drawn.params[draw] == pytest.approx(refitted.params, rel=2e-3)


def test_nothing_shared_draws_as_bootstrap_does_in_spread():
    panel = fit_panel(LAW, panel_runs(2, 40), objective=isoflop.squares())
    together = bootstrap_panel(panel, draws=400)
    alone = isoflop.bootstrap(panel.group("g0"), draws=400)
    for name in ("E", "alpha", "beta"):
        assert together.group("g0").standard_error(name) == pytest.approx(alone.standard_error(name), rel=0.15)


def test_a_groups_draws_answer_as_any_ensemble(drawn):
    ensemble = drawn.group("g1")
    assert ensemble.fit.runs is not None and len(ensemble.fit.runs) == 40
    assert ensemble.fit.residuals == pytest.approx(rows_residuals(drawn.panel, "g1"))
    told = isoflop.forecast(ensemble, {"N": 3e10, "D": 1e12})
    assert told.expected.low < told.expected.value < told.expected.high
    again = isoflop.bootstrap(ensemble.fit, draws=40)  # its coordinates are those of its own rows
    assert again.interval("E").value == ensemble.interval("E").value


def rows_residuals(panel, group):
    runs = rows_of(panel.runs, group)
    return np.log(LAW.value(panel.of(group), {"N": runs["N"], "D": runs["D"]}) / runs["loss"])


def test_draws_are_the_same_whatever_the_number_of_processes(drawn):
    again = bootstrap_panel(drawn.panel, draws=200, jobs=2)
    assert np.array_equal(again.params, drawn.params)


def test_too_few_draws_and_groups_say_so(drawn):
    with pytest.raises(IsoflopError, match="19 draws make no interval"):
        bootstrap_panel(drawn.panel, draws=19)
    two = fit_panel(LAW, panel_runs(2), share=("alpha", "beta"))
    with pytest.raises(FitError, match="2 groups do not show how groups differ"):
        bootstrap_panel(two, draws=20).unseen()


def test_pooling_finds_the_scale_between_groups():
    """Median of 8 tables of 20 groups: within a fifth of the scale that they were made with."""
    found = []
    for seed in range(8):
        runs, _ = floors(20, 8, spread=0.1, seed=seed)
        panel = fit_panel(FLOOR, runs, share=("A", "alpha"), pool=("E",), objective=isoflop.squares())
        found.append(panel.pooling.scale[0])
    assert np.median(found) == pytest.approx(0.1, rel=0.2)


def test_groups_that_do_not_differ_are_pooled_to_one_value():
    runs, _ = floors(12, 6, spread=0.0)
    pooled, own = (
        fit_panel(FLOOR, runs, share=("A", "alpha"), pool=pool, objective=isoflop.squares()) for pool in (("E",), ())
    )
    assert np.std(np.log(pooled.params[:, 0])) < 0.3 * np.std(np.log(own.params[:, 0]))


def test_pooled_floors_are_nearer_to_the_truth_than_own_ones():
    """Six noisy runs a group leave E open where amplitudes and exponents are the group's own as well."""
    ratio = []
    for seed in range(6):
        runs, truth = floors(15, 6, spread=0.05, noise=0.01, seed=seed)
        errors = []
        for pool in (("E",), ()):
            panel = fit_panel(FLOOR, runs, share=("alpha",), pool=pool, objective=isoflop.squares())
            errors.append(np.median(np.abs(np.log(np.maximum(panel.params[:, 0], 1e-3) / truth))))
        ratio.append(errors[0] / errors[1])
    assert np.median(ratio) < 0.9


@pytest.mark.slow
def test_intervals_of_pooled_and_unseen_floors_hold_the_truth():
    """Nominal 90 %: of 40 tables of 12 groups, pooled floors within 83 to 96 %, another group's floor in 80 to 97 %."""
    held = unseen = count = 0
    for seed in range(40):
        runs, truth = floors(13, 6, spread=0.1, noise=0.005, seed=seed)
        seen = runs.take(np.array(runs.text("family")) != "f12")
        panel = fit_panel(FLOOR, seen, share=("A", "alpha"), pool=("E",), objective=isoflop.squares())
        draws = bootstrap_panel(panel, draws=200, seed=seed)
        for group, value in zip(panel.groups, truth, strict=False):
            interval = draws.interval("E", group)
            held, count = held + (interval.low <= value <= interval.high), count + 1
        other = draws.unseen().interval("E")
        unseen += other.low <= truth[12] <= other.high
    assert 0.83 <= held / count <= 0.96
    assert 0.80 <= unseen / 40 <= 0.97
