"""A fit as an answer: parameters with intervals, what was fixed, from which columns, and where it is kept."""

import math
from dataclasses import replace

import numpy as np
import pytest

from isoflop import Runs, bootstrap, fit, fix, law, tie
from isoflop.answers.wording import told, worded
from isoflop.errors import IsoflopError
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, RunsSpec
from isoflop.questions.fit import Fit
from isoflop.uncertainty.saved import load_fit
from isoflop.uncertainty.wald import wald


def test_parameters_are_those_of_the_draws(drawn, same):
    answer = ask(Fit(), drawn)
    for each in drawn.ensemble.estimate.law.params:
        assert same(answer[each.name], drawn.ensemble.interval(each.name))
        assert answer[each.name].note == each.meaning
    assert (answer["runs"].value, answer["rows"].value) == (30, 30)
    assert answer["objective"].value == drawn.ensemble.fit.value
    assert answer.sentence(told) == "loss = E + A/N^alpha + B/D^beta, fitted to 30 runs."


def test_a_wider_level_gives_wider_intervals(drawn, same):
    answer = ask(Fit(), replace(drawn, level_spec=LevelSpec(0.99)))
    assert same(answer["alpha"], drawn.ensemble.interval("alpha", level=0.99))


def test_the_equation_has_no_digit_that_an_interval_does_not_support(drawn):
    equation = ask(Fit(), drawn).equation
    alpha = drawn.ensemble.interval("alpha")
    shown = equation.partition("N^")[2].partition(" ")[0]
    digits = len(shown.partition(".")[2])
    assert abs(float(shown) - alpha.value) <= 0.5 * 10**-digits and 10 ** (-digits) > (alpha.high - alpha.low) / 250


def test_what_is_fixed_or_tied_is_told_apart(known_runs):
    restricted = tie(fix(law("chinchilla"), {"E": 1.8}), {"beta": "alpha"})
    answer = ask(Fit(), Context(given=bootstrap(fit(restricted, known_runs(0.003)), draws=30)))
    assert answer.table("held").rows == (("E", 1.8, "fixed"), ("beta", "= alpha", "tied"))
    assert {"A", "B", "alpha"} == {each.name for each in answer.quantities} - {"runs", "rows", "objective"}


def test_a_parameter_that_overflowed_is_a_limit(drawn):
    ensemble = drawn.ensemble
    gone = replace(ensemble, estimate=replace(ensemble.estimate, params={**ensemble.estimate.params, "A": math.inf}))
    answer = ask(Fit(), Context(given=gone))
    assert (answer["A"].limit, answer["A"].has_interval) == ("lower", False)


def test_a_fit_without_draws_has_the_intervals_of_its_sandwich(known_runs):
    fitted = fit(law("chinchilla"), known_runs(0.003))
    answer = word(Fit(), fitted, Context(given=None, given_runs=fitted.runs))
    own = wald(fitted)["E"]
    assert (answer["E"].value, answer["E"].low, answer["E"].high) == (fitted.params["E"], own.low, own.high)
    assert answer.method.endswith("intervals: sandwich covariance over runs, no draws")


def test_a_fit_without_draws_and_runs_has_values_alone(known_runs):
    fitted = replace(fit(law("chinchilla"), known_runs(0.003)), runs=None)
    answer = word(Fit(), fitted, Context(given=None))
    assert answer["E"].value == fitted.params["E"] and not answer["E"].has_interval
    assert answer.method.endswith("intervals: none")


def test_a_floor_has_the_unit_of_the_response_and_an_exponent_has_none(drawn):
    answer = ask(Fit(), drawn)
    assert (answer["E"].unit, answer["A"].unit, answer["alpha"].unit) == ("nats/token", "", "")


def test_checkpoints_are_rows_of_fewer_runs(tmp_path):
    steps = range(1, 31)
    rows = [f"{run},{step},{2 + size / step**0.5:.6f}" for run, size in (("a", 3), ("b", 4)) for step in steps]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(["run,step,loss", *rows]))
    context = Context(RunsSpec(source=str(path)), LawSpec(law="E + A/step^alpha"), FitSpec(draws=20))
    answer = ask(Fit(), context)
    assert "fitted to 2 runs in 60 rows." in answer.sentence(told)
    (column,) = (row for row in answer.table("columns").rows if row[0] == "step")
    assert column[1:3] == (1.0, 30.0)


def test_a_fit_is_saved_as_it_is_told(drawn, tmp_path, same):
    path = tmp_path / "fit.json"
    answer = ask(Fit(save=str(path)), drawn)
    assert same(answer["E"], load_fit(path).interval("E"))
    assert answer.method.endswith(f"saved to {path}, for isoflop forecast {path} --at N=… --at D=…")


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (Fit(save="gone/fit.json"), "there is no folder 'gone'; make it, or write elsewhere"),
        (Fit(prior="other.csv", curves=True), "--prior is for one run of a table, not for --curves"),
        (Fit(prior="other.csv", thin=3), "--prior is for one run of a table"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_is_begun(question, says):
    with pytest.raises(IsoflopError, match=says):
        question.check()


def test_curves_need_a_store(drawn):
    with pytest.raises(IsoflopError, match="--curves needs a store; make one with isoflop import"):
        ask(Fit(curves=True), Context())


def test_pictures_are_of_the_runs_with_the_law(drawn, known_runs):
    assert [each.name for each in ask(Fit(), drawn).pictures] == ["loss-against-compute", "fit-against-measured"]
    other = Context(given=bootstrap(fit(law("power-n-floor"), known_runs(0.003)), draws=20))
    assert [each.name for each in ask(Fit(), other).pictures] == ["fit-against-measured"]


def test_a_floor_at_its_bound_has_an_upper_limit():
    """Five IsoFLOP budgets of a law whose floor is 1 % of the loss: where the fit loses it, 1e-13 says nothing."""
    compute = np.repeat(6e18 * 4.0 ** np.arange(5), 7)
    n = 0.6 * (compute / 6) ** 0.45 * np.tile(np.exp(np.linspace(-1.2, 1.2, 7)), 5)
    at = {"N": n, "D": compute / 6 / n}
    truth = {"E": 0.02, "A": 60.0, "B": 60.0, "alpha": 0.2, "beta": 0.19}
    limits = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0, 0.005, 35)
        runs = Runs.from_columns({**at, "loss": law("chinchilla").value(truth, at) * np.exp(noise)})
        drawn = bootstrap(fit(law("chinchilla"), runs, starts=24), draws=100, restarted=0)
        if drawn.estimate.params["E"] > 1e-3:
            continue
        answer = ask(Fit(), Context(given=drawn))
        floor = next(each for each in answer.quantities if each.name == "E")
        assert floor.limit == "upper" and worded(floor).endswith("(90%)") and floor.low is None
        assert floor.value == pytest.approx(float(np.quantile(drawn.draws["E"], 0.9)))
        assert answer.equation.startswith("loss = 0 + ")
        limits.append(floor.value)
    assert limits and all(0.001 < each < 1 for each in limits)
