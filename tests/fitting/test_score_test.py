"""The score test: against a regression written out, and what it must not see."""

import numpy as np
import pytest
from scipy import stats

from isoflop import Runs, fit, huber, law, squares
from isoflop.fitting.fit import problem
from isoflop.fitting.score_test import Slopes, group_test, score_test, slopes_of


def made(seed, n=40, columns=3):
    rng = np.random.default_rng(seed)
    return Slopes(rng.standard_t(3, n), rng.normal(size=(n, columns))), rng


def by_regressions(slopes, terms):
    """F of the full against the restricted regression, by least squares of ranks' normal scores."""
    n = len(slopes.residual)
    scores = stats.norm.ppf((stats.rankdata(slopes.residual) - 0.375) / (n + 0.25))
    few = np.column_stack([np.ones(n), slopes.jacobian])
    many = np.column_stack([few, terms])

    def left(design):
        return np.sum((scores - design @ np.linalg.lstsq(design, scores, rcond=None)[0]) ** 2)

    ranks = [np.linalg.matrix_rank(design) for design in (few, many)]
    k, freedom = ranks[1] - ranks[0], n - ranks[1]
    statistic = (left(few) - left(many)) / k / (left(many) / freedom)
    return statistic, k, freedom, stats.f.sf(statistic, k, freedom)


def test_it_is_the_f_test_of_the_added_terms():
    slopes, rng = made(0)
    terms = rng.normal(size=(40, 2))
    found = score_test(slopes, terms)
    assert (found.statistic, found.terms, found.freedom, found.chance) == pytest.approx(by_regressions(slopes, terms))


def test_groups_are_terms_of_their_own():
    slopes, rng = made(1)
    codes = rng.integers(0, 6, 40)
    found = group_test(slopes, codes)
    expected = by_regressions(slopes, np.eye(6)[codes])
    assert (found.statistic, found.terms, found.freedom, found.chance) == pytest.approx(expected)


def test_what_the_law_can_do_by_itself_adds_nothing():
    slopes, _ = made(2)
    assert score_test(slopes, slopes.jacobian @ np.array([[1.0], [2.0], [0.5]])) is None
    assert score_test(Slopes(np.zeros(40), slopes.jacobian), np.arange(40.0)[:, None]) is None
    # a column that is the same within each group explains the groups as far as it goes
    codes = np.repeat(np.arange(8), 5)
    level = Slopes(slopes.residual, np.repeat(np.linspace(0, 1, 8), 5)[:, None])
    assert group_test(level, codes).terms == 6  # eight means, less the constant and the slope


def test_checkpoints_of_a_run_are_one_residual(known_runs):
    runs = known_runs(0.01).with_column("run", np.repeat(["a", "b", "c", "d", "e", "f"], 5))
    fitted = fit(law("chinchilla"), runs, objective=squares())
    ready = problem(fitted.law, runs, objective=squares())
    slopes = slopes_of(ready.kernel, ready.table, ready.target, fitted.theta)
    residual = np.asarray(fitted.residuals).reshape(6, 5)
    assert np.abs(slopes.residual) == pytest.approx(np.abs(residual.mean(axis=1)))
    assert slopes.jacobian.shape == (6, 5)
    moved = fitted.theta.copy()
    moved[0] += 1e-6
    change = slopes_of(ready.kernel, ready.table, ready.target, moved).residual - slopes.residual
    assert slopes.jacobian[:, 0] == pytest.approx(change / 1e-6, rel=1e-4)


def test_slopes_of_many_runs_do_not_depend_on_the_order_of_rows():
    rng = np.random.default_rng(0)
    n, d = 10 ** rng.uniform(7, 10, 30_000), 10 ** rng.uniform(9, 11, 30_000)
    columns = {"N": n, "D": d, "loss": 2 + 400 / n**0.34, "run": np.repeat(np.arange(10_000), 3)}
    theta, mixed = np.array([0.6, -1.0, -1.0, 0.34, 0.3]), []
    for order in (np.arange(len(n)), rng.permutation(len(n))):
        runs = Runs.from_columns({name: values[order] for name, values in columns.items()})
        ready = problem(law("chinchilla"), runs, objective=squares())
        slopes = slopes_of(ready.kernel, ready.table, ready.target, theta)
        first = np.unique(ready.table.run_codes, return_index=True)[1]
        named = np.argsort(columns["run"][order][first])
        mixed.append((slopes.residual[named], slopes.jacobian[named]))
    np.testing.assert_allclose(mixed[0][0], mixed[1][0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(mixed[0][1], mixed[1][1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("objective", [huber(), squares()], ids=["huber", "squares"])
def test_its_size_is_that_of_its_level(objective):
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 10, 6), np.logspace(9.6, 11.6, 5)))
    truth = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    curve, chances = law("chinchilla").value(truth, {"N": n, "D": d}), []
    for seed in range(60):
        noise = 0.003 * np.random.default_rng(seed).standard_t(3, 30)
        runs = Runs.from_columns({"N": n, "D": d, "loss": curve * np.exp(noise)})
        fitted = fit(law("chinchilla"), runs, objective=objective, starts=12)
        ready = problem(fitted.law, runs, objective=objective)
        slopes = slopes_of(ready.kernel, ready.table, ready.target, fitted.theta)
        chances.append(group_test(slopes, np.tile(np.arange(6), 5)).chance)
    assert np.mean(np.array(chances) < 0.2) == pytest.approx(0.2, abs=3.2 * np.sqrt(0.16 / 60))
