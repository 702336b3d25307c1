"""What stands behind a fit: the profile of a likelihood, curves where runs have them, IsoFLOP minima."""

import numpy as np
import pytest
from isoflop.report.cards.curves import curves_card
from isoflop.report.cards.evidence import profile_card
from isoflop.report.cards.methods import isoflops_card
from isoflop.report.report import make_report

from isoflop import Runs, bootstrap, fit, law, profile, squares
from isoflop.planning.parabolas import parabolas
from isoflop.units import format_quantity


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


def test_a_report_of_iso_flop_runs_shows_each_minimum_and_a_likelihood_its_profile():
    runs = budgets()
    made = make_report(bootstrap(fit(law("chinchilla"), runs, objective=squares()), draws=40))
    pictures = [card.picture.name for card in made.cards if card.picture is not None]
    assert pictures.index("isoflop-curves") == pictures.index("methods") + 1
    assert any(name.startswith("likelihood-") for name in pictures)


def test_minima_are_told_with_their_own_intervals():
    found = parabolas(budgets())
    card = isoflops_card(found)
    own = found.profiles[0].minimum()
    assert card.rows[0][:4] == ("1e+18 FLOPs", *(format_quantity(each) for each in (own.value, own.low, own.high)))
    assert card.rows[-1][0] == "exponent a"


def test_only_a_likelihood_has_a_profile(known_runs):
    runs = known_runs(0.01)
    assert profile_card(fit(law("chinchilla"), runs), level=0.9) is None
    fitted = fit(law("chinchilla"), runs, objective=squares())
    card = profile_card(fitted, level=0.9)
    held = profile(fitted).intervals["alpha"]
    (row,) = [row for row in card.rows if row[0] == "alpha"]
    assert [float(cell) for cell in row[1:4]] == pytest.approx([held.value, held.low, held.high], rel=0.01)


def test_curves_are_told_apart_by_schedule_or_run():
    assert curves_card(curves()).picture.alt.endswith("told apart by run.")
    kinds = ["cosine" if k % 3 else "wsd" for k in range(18)]
    assert "told apart by schedule, 2 of them" in curves_card(curves(schedule=kinds)).how
    assert "3 runs have losses on the way, 6 each" in curves_card(curves()).answer


def test_a_table_of_finished_runs_has_no_curves(known_runs):
    assert curves_card(known_runs()) is None
