"""The plan of a budget as an answer: the engine's numbers to the bit, its headline, its tables."""

from dataclasses import replace

import pytest

from isoflop import fit, law
from isoflop.answers.wording import told, worded
from isoflop.errors import IsoflopError
from isoflop.planning import optimal_plan
from isoflop.planning.constrained import with_params
from isoflop.planning.overtrain import inference_aware
from isoflop.planning.waste import compute_penalty
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.plan import Plan

BUDGET = 1e24


def test_the_optimum_is_that_of_the_engine(drawn, same):
    answer, plan = ask(Plan(budget=BUDGET), drawn), optimal_plan(drawn.ensemble, budget=BUDGET)
    for name, interval in (("N", plan.n), ("D", plan.d), ("ratio", plan.ratio), ("loss", plan.loss)):
        assert same(answer[name], interval), name
    assert same(answer["exponent"], plan.exponent_a) and answer["budget"].value == BUDGET
    near = answer["near_optimal"]
    assert (near.value, near.low, near.high, near.interval) == (None, *plan.band.n, "range")
    assert (answer["near_optimal_D"].low, answer["near_optimal_D"].high) == plan.band.d
    assert answer.result.plan.n == plan.n and answer.method.endswith(", C = 6ND")


def test_without_a_budget_it_is_ten_times_the_largest_run(drawn):
    runs = drawn.runs
    assert ask(Plan(), drawn)["budget"].value == pytest.approx(60 * (runs["N"] * runs["D"]).max(), rel=0.06)


def test_a_given_size_stands_in_front_of_the_optimum(drawn, same):
    answer, plan = ask(Plan(budget=BUDGET, params=8e9), drawn), optimal_plan(drawn.ensemble, budget=BUDGET)
    fixed = with_params(drawn.ensemble, plan, params=8e9)
    assert (answer["N"].value, answer["D"].value, answer["over"].value) == (8e9, fixed.d, fixed.over)
    best = answer.result.recommended
    assert same(answer["loss"], best.loss) and same(answer["penalty"], fixed.waste.share)
    assert same(answer["law_loss"], best.law_prediction) and answer["model_error_share"].value == best.model_error_share
    assert same(answer["penalty_flops"], fixed.waste.flops) and same(answer["N_optimal"], plan.n)
    assert answer["excess"].value == fixed.waste.loss.value - plan.least_loss.value > 0
    assert answer.headline.endswith("{excess:bare} above that of the compute-optimal {N_optimal:bare} parameters.")


def test_the_inference_aware_optimum_stands_in_front(drawn, same):
    answer, plan = ask(Plan(budget=BUDGET, inference_tokens=1e13), drawn), optimal_plan(drawn.ensemble, budget=BUDGET)
    served = inference_aware(drawn.ensemble, plan, tokens=1e13)
    pairs = (
        ("N", served.n), ("D", served.d), ("ratio", served.ratio), ("training", served.flops),
        ("compute", served.compute), ("saved", served.saved), ("break_even", served.break_even), ("N_optimal", plan.n),
    )  # fmt: skip
    assert all(same(answer[name], interval) for name, interval in pairs)
    best = answer.result.recommended
    assert (answer["N"].value, answer["D"].value) == (best.n.value, best.d.value)
    assert same(answer["loss"], best.loss) and same(answer["prediction"], best.prediction)
    assert f"Recommended (inference-aware): {worded(answer['N'])} parameters" in answer.pictures[0].alt
    assert answer["inference_tokens"].value == 1e13 and answer["N"].value < answer["N_optimal"].value


def test_the_penalties_are_those_of_half_and_twice_the_size(drawn, same):
    answer = ask(Plan(budget=BUDGET), drawn)
    plan, shift = answer.result.plan, answer.result.plan.shift
    for row in answer.table("penalties").rows:
        size, params, loss, share, flops, hours, money = row
        waste = compute_penalty(drawn.ensemble, budget=BUDGET, params=size * answer["N"].value, shift=shift)
        assert params == waste.params and same(share, waste.share) and same(flops, waste.flops)
        # the law's losses, at the level of the plan's: no size is better than the one in the headline
        raised = plan.loss.value / plan.least_loss.value
        assert (loss.value, loss.low, loss.high) == pytest.approx(
            tuple(raised * each for each in (waste.loss.value, waste.loss.low, waste.loss.high))
        )
        assert loss.value > answer["loss"].value
        assert hours is None and money is None  # no hardware was named


def test_hardware_prices_the_model_that_is_trained(drawn):
    rented = Plan(budget=BUDGET, hardware="h100", devices=512, mfu=0.4, price=2.5)
    answer = ask(rented, drawn)
    assert answer["hours"].value == rented.bill(BUDGET).hours and answer["money"].value == rented.bill(BUDGET).money
    assert answer.sentence(told).endswith("57.1 days on 512 × h100, for 1.75M.")
    served = ask(replace(rented, inference_tokens=1e13), drawn)
    assert served["hours"].value == rented.bill(served["training"].value).hours > answer["hours"].value
    (priced,) = answer.to_frame("hardware").iter_rows(named=True)
    assert (priced["hardware"], priced["devices"], priced["price"]) == ("h100", 512, 2.5)


def test_a_deadline_is_all_that_the_hardware_does_by_then(drawn):
    asked = Plan(deadline=720.0, hardware="h100", devices=512)
    answer = ask(asked, drawn)
    assert answer["budget"].value == asked.flops_within(720.0) and answer["deadline"].value == 720.0
    assert answer["hours"].value == pytest.approx(720)


def test_shapes_are_as_they_were_described(drawn):
    asked = Plan(budget=BUDGET, vocabulary=50_000, context_length=4_096, gated=False, tied_embeddings=True)
    table = ask(asked, drawn).table("shapes")
    rows = ask(asked, drawn).to_frame("shapes")
    assert rows["vocabulary"].unique().to_list() == [50_000] and rows["context"].unique().to_list() == [4_096]
    assert not rows["gated"].any() and rows["tied"].all()
    assert table.note == "Vocabulary 50,000, context 4,096, plain feed-forward, tied embeddings."


def test_a_law_without_a_plan_says_what_it_needs(known_runs):
    given = fit(law("power-n-floor"), known_runs(0.003))
    from isoflop.uncertainty import bootstrap

    with pytest.raises(IsoflopError, match="N and D"):
        ask(Plan(budget=BUDGET), Context(given=bootstrap(given, draws=20)))


def test_the_picture_says_what_it_shows(drawn):
    (picture,) = ask(Plan(budget=BUDGET), drawn).pictures
    assert picture.name == "plan" and "Loss against model size at 1e24 FLOPs: least at" in picture.alt


def test_the_command_gives_the_same_as_the_library(drawn, asked, tmp_path, refused):
    from isoflop import save_fit

    path = tmp_path / "fit.json"
    save_fit(drawn.ensemble, path)
    told_ = asked("plan", path, "--budget", "1e24", "--params", "8B")
    answer = ask(Plan(budget=BUDGET, params=8e9), drawn).to_dict()
    assert told_["headline"] == answer["headline"]
    # the saved fit remembers its rows, not its table, so that losses are those of the residuals
    assert told_["quantities"].keys() == answer["quantities"].keys()
    for name, quantity in answer["quantities"].items():
        for end in ("value", "low", "high"):
            found, expected = told_["quantities"][name][end], quantity[end]
            assert found is expected is None or found == pytest.approx(expected, rel=1e-6), name
    assert "--params and --tokens are different questions; give one" in refused(
        "plan", path, "--budget", "1", "--params", "1", "--tokens", "1"
    )
