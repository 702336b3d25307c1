"""What stands behind a fit: residuals, correlated draws, the profile of a likelihood, curves, IsoFLOP minima."""

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, law, profile, squares
from isoflop.planning.parabolas import parabolas
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.check import Check
from isoflop.questions.diagnose import Diagnose, most_correlated
from isoflop.questions.report import Report
from isoflop.render.notebook import answer_of
from isoflop.render.text import keyed_pictures


def budgets():
    n, c = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 9), [1e18, 3e18, 1e19]))
    loss = 1.7 + 400 / n**0.34 + 1000 / (c / (6 * n)) ** 0.3
    return Runs.from_columns(
        {"N": n, "D": c / (6 * n), "C": c, "loss": loss * np.exp(np.random.default_rng(0).normal(0, 1e-3, len(n)))}
    )


def curves(**more):
    n, d = (each.ravel() for each in np.meshgrid([1e7, 1e8, 1e9], np.logspace(8, 10, 6)))
    loss = 1.7 + 400 / n**0.34 + 1000 / d**0.36
    return Runs.from_columns({"N": n, "D": d, "loss": loss, "run": [f"{size:g}" for size in n], **more})


def pictures_of(runs):
    return {each.name: each.alt for each in ask(Check(), Context(given_runs=runs)).pictures}


def test_a_report_of_iso_flop_runs_shows_each_minimum_and_a_likelihood_its_profile():
    made = ask(Report(), Context(given=bootstrap(fit(law("chinchilla"), budgets(), objective=squares()), draws=40)))
    pictures = [each.name for each in keyed_pictures(made).values()]
    assert pictures.index("isoflop-curves") == pictures.index("methods") + 1
    assert any(name.startswith("likelihood-") for name in pictures)


def test_minima_are_told_with_their_own_intervals():
    found = parabolas(budgets())
    own = found.profiles[0].minimum()
    budget, _, _, told, *_ = answer_of(found).table("budgets").rows[0]
    assert (budget, told.value) == (pytest.approx(1e18), own.value)
    assert (told.low, told.high) == (own.low, own.high)


def test_residuals_are_told_along_every_input(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)
    answer = ask(Diagnose(), Context(given=ensemble))
    assert [row[0] for row in answer.table("residuals").rows] == ["N", "D", "C", "order"]
    assert len(answer.table("worst").rows) == 5 and 0 < answer["median"].value < answer["p95"].value < 0.1
    measured = {row[0]: row for row in answer.table("worst").rows}
    _, n, d, loss, fitted, residual = next(iter(measured.values()))
    assert residual == pytest.approx(loss / fitted - 1) and fitted == pytest.approx(
        ensemble.estimate.predict({"N": n, "D": d})
    )
    x, y, correlation = most_correlated(ensemble)
    assert (x, y) in {("A", "alpha"), ("B", "beta")} and correlation > 0.95
    assert answer["correlation"].value == correlation


def test_only_a_likelihood_has_a_profile(known_runs):
    runs = known_runs(0.01)

    def tables(**how):
        answer = ask(Diagnose(), Context(given=bootstrap(fit(law("chinchilla"), runs, **how), draws=40)))
        return {each.name: each for each in answer.tables}

    assert "profile" not in tables()
    held = profile(fit(law("chinchilla"), runs, objective=squares())).intervals["alpha"]
    (row,) = [row for row in tables(objective=squares())["profile"].rows if row[0] == "alpha"]
    assert (row[1].value, row[1].low, row[1].high) == (held.value, held.low, held.high)


def test_curves_are_told_apart_by_schedule_or_run():
    assert pictures_of(curves())["training-curves"].endswith("told apart by run.")
    kinds = ["cosine" if k % 3 else "wsd" for k in range(18)]
    assert pictures_of(curves(schedule=kinds))["training-curves"].endswith("told apart by schedule.")


def test_a_table_of_finished_runs_has_no_curves(known_runs):
    assert "training-curves" not in pictures_of(known_runs())
