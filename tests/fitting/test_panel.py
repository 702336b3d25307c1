"""Panels against fits one at a time, the plain fit, and an independent optimizer of the stacked problem."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import least_squares

import isoflop
from isoflop.errors import DataError, FitError
from isoflop.fitting.panel import fit_panel

LAW = isoflop.law("chinchilla")
OBJECTIVES = [isoflop.huber(), isoflop.squares(), isoflop.student_t(), isoflop.absolute()]


def panel_runs(groups=3, rows=40, *, noise=0.01, seed=0, steeper=0.0):
    """Groups of Chinchilla's form with equal exponents, but that the last group's alpha is larger by ``steeper``."""
    rng = np.random.default_rng(seed)
    parts = []
    for group in range(groups):
        n = np.exp(rng.uniform(np.log(1e7), np.log(1e10), rows))
        d = n * np.exp(rng.uniform(1, 5, rows))
        floor, a, b = 1.6 + 0.4 * rng.random(), *(400 * np.exp(0.5 * rng.standard_normal(2)))
        alpha = 0.34 + steeper * (group == groups - 1)
        loss = (floor + a / n**alpha + b / d**0.28) * np.exp(noise * rng.standard_normal(rows))
        parts.append((n, d, loss, np.full(rows, f"g{group}")))
    n, d, loss, family = (np.concatenate(each) for each in zip(*parts, strict=True))
    return isoflop.Runs.from_columns({"N": n, "D": d, "loss": loss, "family": family})


def rows_of(runs, group):
    return runs.take(np.array(runs.text("family")) == group)


@pytest.fixture(scope="module")
def runs():
    return panel_runs()


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: each.name)
def test_nothing_shared_is_one_fit_for_each_group(runs, objective):
    panel = fit_panel(LAW, runs, objective=objective)
    for group in panel.groups:
        alone = isoflop.fit(LAW, rows_of(runs, group), objective=objective)
        assert panel.of(group) == pytest.approx(dict(alone.params), rel=1e-6)
        assert panel.group(group).value == pytest.approx(alone.value, rel=1e-8)
        assert (panel.group(group).scale or 0.0) == pytest.approx(alone.scale or 0.0, rel=1e-6)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: each.name)
def test_everything_shared_is_the_plain_fit(runs, objective):
    panel = fit_panel(LAW, runs, share=LAW.param_names, objective=objective)
    plain = isoflop.fit(LAW, runs, objective=objective)
    assert panel.value == pytest.approx(plain.value, rel=1e-9)
    assert panel.of("g1") == pytest.approx(dict(plain.params), rel=1e-5, abs=1e-6)  # a floor may run to zero


def stacked_squares(runs, groups, start):
    """Σ r² of exponents for all groups and E, A, B for each, by SciPy in logarithms about N = 3e8 and D = 6e9."""
    parts = [rows_of(runs, group) for group in groups]

    def residuals(theta):
        found = []
        for part, (e, a, b) in zip(parts, theta[2:].reshape(-1, 3), strict=True):
            n, d = np.log(part["N"] / 3e8), np.log(part["D"] / 6e9)
            with np.errstate(over="ignore"):
                value = np.exp(e) + np.exp(a - theta[0] * n) + np.exp(b - theta[1] * d)
            found.append(np.log(np.minimum(value, 1e6) / part["loss"]))
        return np.concatenate(found)

    found = least_squares(residuals, start, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=100_000)
    return 2 * found.cost, found.x


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_shared_exponents_reach_the_optimum_of_an_independent_solver(seed):
    runs = panel_runs(4, 30, noise=0.02, seed=seed)
    panel = fit_panel(LAW, runs, share=("alpha", "beta"), objective=isoflop.squares())
    rng = np.random.default_rng(seed)
    own = np.array([1.7, 0.5, 0.7])
    ends = []
    for _ in range(4):
        start = np.concatenate([[0.34, 0.28], np.log(np.tile(own, 4))]) + 0.2 * rng.standard_normal(14)
        ends.append(stacked_squares(runs, panel.groups, start))
    value, theta = min(ends, key=lambda each: each[0])
    assert panel.value == pytest.approx(value, rel=1e-8)
    assert panel.shared["alpha"] == pytest.approx(theta[0], rel=1e-4)
    assert [panel.of(group)["E"] for group in panel.groups] == pytest.approx(np.exp(theta[2::3]), rel=1e-4)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: each.name)
def test_the_optimum_lies_between_the_plain_fit_and_the_groups_own(runs, objective):
    """Fewer shared parameters never fit worse; a Student-t keeps a σ for each group unless all is shared."""
    values = [
        fit_panel(LAW, runs, share=share, objective=objective).value
        for share in (LAW.param_names, ("A", "B", "alpha", "beta"), ("alpha", "beta"), ("beta",), ())
    ]
    assert all(more >= less - 1e-9 * abs(less) for more, less in pairwise(values))
    assert values[0] > values[-1]


@pytest.mark.parametrize("objective", [isoflop.huber(), isoflop.squares(), isoflop.student_t()], ids=lambda o: o.name)
def test_no_step_from_the_optimum_makes_it_better(runs, objective):
    """The gradient is checked by moving one parameter at a time, in the units of the runs."""
    panel = fit_panel(LAW, runs, share=("alpha", "beta"), objective=objective)

    def value(params):
        total = 0.0
        for at, group in enumerate(panel.groups):
            fitted = panel.group(group)
            own = dict(zip(LAW.param_names, params[at], strict=True))
            residual = np.log(LAW.value(own, {n: fitted.runs[n] for n in ("N", "D")}) / fitted.runs["loss"])
            scale = np.array([objective.scale_at(fitted.scale, 1.0)])
            total += float(objective.parts(residual[None], None, np.zeros(1, dtype=bool), scale).total[0])
        return total

    best = value(panel.params)
    assert best == pytest.approx(panel.value, rel=1e-10)
    for column, name in enumerate(LAW.param_names):
        for factor in (1 - 1e-4, 1 + 1e-4):
            moved = panel.params.copy()
            rows = slice(None) if name in panel.share else slice(0, 1)
            moved[rows, column] *= factor
            assert value(moved) >= best - 1e-12 * abs(best)


def test_to_share_an_amplitude_is_to_share_its_value_at_one_not_at_the_middle(runs):
    panel = fit_panel(LAW, runs, share=("A",), objective=isoflop.squares())
    assert len({round(panel.of(group)["A"], 6) for group in panel.groups}) == 1
    assert len({round(panel.of(group)["alpha"], 6) for group in panel.groups}) == 3


def test_both_engines_end_at_one_optimum(runs, monkeypatch):
    native = fit_panel(LAW, runs, share=("alpha", "beta"))
    monkeypatch.setenv("ISOFLOP_ENGINE", "numpy")
    plain = fit_panel(LAW, runs, share=("alpha", "beta"))
    assert plain.search.engine == "numpy"
    assert native.value == pytest.approx(plain.value, rel=1e-9)
    assert native.params == pytest.approx(plain.params, rel=1e-5)


def test_exact_groups_are_recovered_with_what_they_share():
    runs = panel_runs(5, 12, noise=0.0)
    panel = fit_panel(LAW, runs, share=("alpha", "beta"), objective=isoflop.squares())
    assert panel.shared == pytest.approx({"alpha": 0.34, "beta": 0.28}, rel=1e-6)
    assert panel.value < 1e-18


def test_order_of_rows_and_names_changes_nothing(runs):
    order = np.random.default_rng(3).permutation(len(runs))
    table = {name: runs[name][order] for name in ("N", "D", "loss")}
    mixed = isoflop.Runs.from_columns(table | {"family": np.array(runs.text("family"))[order]})
    one, other = (fit_panel(LAW, each, share=("alpha",)) for each in (runs, mixed))
    assert other.params == pytest.approx(one.params, rel=1e-6)
    assert other.group("g2").residuals.shape == (40,)


def test_groups_by_two_columns(runs):
    both = runs.with_column("half", np.where(np.arange(len(runs)) % 2, "odd", "even"))
    panel = fit_panel(LAW, both, by=("family", "half"), share=("alpha", "beta"))
    assert panel.groups[:3] == ("g0 / even", "g0 / odd", "g1 / even")
    assert sum(panel.n_rows) == len(runs)


def test_what_cannot_be_a_panel_says_so(runs):
    few = runs.take(np.r_[np.ones(40, dtype=bool), np.arange(40) < 2, np.ones(40, dtype=bool)])
    with pytest.raises(FitError, match=r"1 of 3 groups .* fewer rows than the 3 parameters .*'g1' \(2\).*--where"):
        fit_panel(LAW, few, share=("alpha", "beta"))
    with pytest.raises(DataError, match="recipe"):
        fit_panel(LAW, runs, by="recipe")
    with pytest.raises(FitError, match="gamma.*no free parameter"):
        fit_panel(LAW, runs, share=("gamma",))
    with pytest.raises(FitError, match="E is given as shared and as pooled"):
        fit_panel(LAW, runs, share=("E",), pool=("E",))
    with pytest.raises(FitError, match="N, which holds numbers, has 120 values"):
        fit_panel(LAW, runs, by="N", share=("alpha", "beta"))
    holes = runs.with_column("family", ["", *runs.text("family")[1:]])
    with pytest.raises(DataError, match=r"1 of 120 rows .* no 'family' \(row 1\)"):
        fit_panel(LAW, holes)
    with pytest.raises(FitError, match="no group of this panel; there are g0, g1, g2"):
        fit_panel(LAW, runs, share=LAW.param_names).group("g7")


def test_one_group_is_said(runs):
    panel = fit_panel(LAW, rows_of(runs, "g0"), share=("alpha",))
    assert [each.code for each in panel.findings] == ["one-group"]


def test_weights_of_rows_count(runs):
    """A row that counts twice is a row that stands twice."""
    doubled = isoflop.Runs.from_columns(
        {name: np.append(runs[name], runs[name][:1]) for name in ("N", "D", "loss")}
        | {"family": [*runs.text("family"), "g0"]}
    )
    from isoflop.fitting.table import WEIGHT

    weighted = runs.with_column(WEIGHT, np.r_[2.0, np.ones(len(runs) - 1)])
    one, other = (
        fit_panel(LAW, each, share=("alpha", "beta"), objective=isoflop.squares()) for each in (doubled, weighted)
    )
    assert other.value == pytest.approx(one.value, rel=1e-10)
    assert other.params == pytest.approx(one.params, rel=1e-6)


def test_what_a_group_cannot_tell_apart_is_an_error(runs):
    """One size a group: E and A/N^alpha are one constant there; with E shared, A and alpha are, over all groups."""
    number = np.array([int(each[1:]) for each in runs.text("family")])
    one_size = runs.with_column("N", 1e8 * 4.0**number)
    own = fit_panel(LAW, one_size, share=("alpha", "beta"), objective=isoflop.squares())
    (finding,) = [each for each in own.findings if each.code == "not-identified"]
    assert finding.level == "error" and "E and A cannot be told apart by the runs of" in finding.message
    shared = fit_panel(LAW, one_size, share=("E", "alpha", "beta"), objective=isoflop.squares())
    (finding,) = [each for each in shared.findings if each.code == "not-identified"]
    assert "by the runs of all groups together" in finding.message and "alpha" in finding.message
    assert not fit_panel(LAW, runs, share=("alpha", "beta"), objective=isoflop.squares()).findings


def test_pooling_alone_needs_a_fit_of_each_group():
    """With nothing shared every group is fitted by itself first; with a shared exponent two runs are enough."""
    runs = panel_runs(3, 20)
    few = np.ones(60, dtype=bool)
    few[2:20] = False
    one = isoflop.law("E + A/N^alpha")
    with pytest.raises(FitError, match=r"1 of 3 groups of .* fewer rows than the 3 parameters .*'g0' \(2\)"):
        fit_panel(one, runs.take(few), pool=("E",))
    assert fit_panel(one, runs.take(few), share=("alpha",), pool=("E",)).n_rows == (2, 20, 20)
