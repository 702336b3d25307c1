"""The general planner: ten laws and more beside brute force, draws, closed forms, published identities, refusals."""

import math

import numpy as np
import pytest
from tests.planning.program.plan_cases import CASES, EPOCH, STACK, ensemble_of

from isoflop.errors import IsoflopError
from isoflop.laws import law
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import name
from isoflop.planning import PlanWords, allocate, inference_aware, optimized_plan, plan_problem
from isoflop.planning.program.critical_batch import critical_batch
from isoflop.planning.published import published

BY_NAME = {each.name: each for each in CASES}


def planned(made, params, *, draws=0, within=0.002, **words):
    drawn = ensemble_of(made, params, draws=draws)
    return optimized_plan(drawn, plan_problem(made, PlanWords(**words)), within=within)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_grid_finds_a_better_plan(case):
    plan = planned(case.law, case.params, **case.words)
    assert plan.objective.value == pytest.approx(case.least(case.params), rel=1e-6)
    for held in plan.held:
        slack = held.right - held.left
        assert slack >= -1e-6 * abs(held.right) or ">=" in held.text


@pytest.mark.parametrize("name", ["skaling", "muennighoff", "parscale", "sparse", "vocabulary", "mixture"])
def test_every_draw_is_planned_as_if_it_were_the_fit(name):
    case = BY_NAME[name]
    drawn = ensemble_of(case.law, case.params, draws=3)
    problem = plan_problem(case.law, PlanWords(**case.words))
    plan = optimized_plan(drawn, problem)
    for row, params in enumerate(drawn.params):
        alone = dict(zip(case.law.param_names, params, strict=True))
        one = optimized_plan(ensemble_of(case.law, alone), problem)
        for chosen in plan.chosen:
            assert chosen.draws[row] == pytest.approx(one.of(chosen.name).interval.value, rel=2e-4)
        assert one.objective.value == pytest.approx(case.least(alone), rel=1e-6)
    low, high = np.quantile(plan.chosen[0].draws, [0.05, 0.95])
    assert (plan.chosen[0].interval.low, plan.chosen[0].interval.high) == (low, high)


def test_the_search_finds_the_closed_form():
    constants = ensemble_of(law("chinchilla"), EPOCH, draws=40)
    closed = optimized_plan(constants, plan_problem(law("chinchilla"), PlanWords(budget=1e24)))
    bound = PlanWords(budget=1e24, subject_to=("D >= 1e-3*N",))  # never binding, so that the search has to do it
    numeric = optimized_plan(constants, plan_problem(law("chinchilla"), bound))
    assert (closed.method, numeric.method) == ("closed form", "numeric")
    g = (EPOCH["alpha"] * EPOCH["A"] / (EPOCH["beta"] * EPOCH["B"])) ** (1 / (EPOCH["alpha"] + EPOCH["beta"]))
    by_hand = g * (1e24 / 6) ** (EPOCH["beta"] / (EPOCH["alpha"] + EPOCH["beta"]))
    assert closed.of("N").interval.value == pytest.approx(by_hand, rel=1e-12)
    assert numeric.of("N").interval.value == pytest.approx(by_hand, rel=1e-4)
    assert numeric.of("N").draws == pytest.approx(closed.of("N").draws, rel=1e-4)
    assert numeric.objective.value == pytest.approx(closed.objective.value, rel=1e-9)


def test_the_near_optimal_range_is_that_of_the_plan_in_n_and_d():
    constants = published("chinchilla:epoch")
    plan = optimized_plan(constants, plan_problem(constants.estimate.law, PlanWords(budget=1e24)))
    band = allocate(constants, budget=1e24).band
    assert plan.of("N").near == pytest.approx(band.n, rel=1e-3)
    losses = constants.estimate.predict({"N": plan.near["N"], "D": plan.near["D"]})
    assert losses.max() <= plan.objective.value * 1.002 * (1 + 1e-5)
    assert len(losses) > 50


@pytest.mark.parametrize("samples", [1.0, 16.0])
def test_served_tokens_tilt_the_optimum_as_sardana_has_it(samples):
    """(N ∂L/∂N)/(D ∂L/∂D) = 1 + k·T/(3D) where 6ND + 2N·k·T is paid for."""
    served = 2e12
    plan = planned(law("chinchilla"), EPOCH, budget=1e24, served=served, samples=samples)
    at = {**EPOCH, **{each.name: each.interval.value for each in plan.chosen}}
    by_n, by_d = gradient(law("chinchilla").expression, (name("N"), name("D")))
    ratio = at["N"] * array_value(by_n, at) / (at["D"] * array_value(by_d, at))
    assert ratio == pytest.approx(1 + samples * served / (3 * at["D"]), rel=1e-5)


def test_the_cheapest_model_at_the_loss_of_a_budget_is_the_inference_aware_one():
    constants = published("chinchilla:epoch")
    plan = allocate(constants, budget=1e24)
    served = inference_aware(constants, plan, tokens=2e12)
    words = PlanWords(loss=plan.least_loss.value, served=2e12)
    general = optimized_plan(constants, plan_problem(constants.estimate.law, words))
    assert (
        general.of("N").interval.value == pytest.approx(served.n.value, rel=1e-4) == pytest.approx(7.00414e10, rel=1e-4)
    )
    assert general.of("D").interval.value == pytest.approx(2.475821e12, rel=1e-4)
    assert general.cost.value == pytest.approx(served.compute.value, rel=1e-6)


def test_a_sum_of_sizes_is_split_by_the_exponents():
    p_e, p_d = 0.13, 0.19
    plan = planned(law("ghorbani"), {"E": 1.2, "A": 40.0, "p_e": p_e, "p_d": p_d}, budget=1e9)
    assert plan.of("N_encoder").interval.value == pytest.approx(1e9 * p_e / (p_e + p_d), rel=1e-4)
    assert plan.of("N_decoder").interval.value == pytest.approx(1e9 * p_d / (p_e + p_d), rel=1e-4)


def test_streams_of_equal_loss_need_the_size_of_the_law():
    sizes = {}
    for streams in (1, 8):
        plan = planned(law("parscale"), STACK, minimize="N", loss=1.05, at={"P": float(streams)})
        sizes[streams] = plan.of("N").interval.value
    assert sizes[1] == pytest.approx(STACK["A"] / (1.05 - STACK["E"]) ** (1 / STACK["alpha"]), rel=1e-6)
    assert sizes[1] / sizes[8] == pytest.approx(1 + STACK["k"] * math.log(8), rel=1e-6)  # 1.82, as the authors have it


def test_the_effective_size_of_a_score_is_the_inverse_of_the_law():
    """N̂ = ((L − b D^−β)/a)^(−1/α), Densing's effective size."""
    a, b, alpha, beta = 40.0, 30.0, 0.3, 0.28
    loss, tokens = 0.9, 1e12
    plan = planned(
        law("densing-loss"), {"a": a, "b": b, "alpha": alpha, "beta": beta}, minimize="N", loss=loss, at={"D": tokens}
    )
    expected = ((loss - b * tokens**-beta) / a) ** (-1 / alpha)
    assert plan.of("N").interval.value == pytest.approx(expected, rel=1e-6)


def test_least_compute_and_least_loss_are_inverse_questions():
    loss = planned(law("chinchilla"), EPOCH, budget=1e24).objective.value
    back = planned(law("chinchilla"), EPOCH, loss=loss)
    assert back.cost.value == pytest.approx(1e24, rel=1e-5)


def test_steps_and_tokens_trade_along_the_critical_batch():
    kaplan = published("kaplan-steps:kaplan")
    words = PlanWords(loss=2.5, at={"N": 1e9})
    plan = optimized_plan(kaplan, plan_problem(kaplan.estimate.law, words))
    found = critical_batch(plan, "kaplan")
    size = (6.5e13 / 1e9) ** 0.077
    assert found.steps.value == pytest.approx(2100 / (2.5 - size) ** (1 / 0.76), rel=1e-6)
    assert found.batch == pytest.approx(2e8 / 2.5 ** (1 / 0.21), rel=1e-6)
    steps = found.steps_at(found.batch)
    assert steps == pytest.approx(2 * found.steps.value)
    for batch in (1e5, 1e7):
        s = found.steps_at(batch)
        assert (s / found.steps.value - 1) * (s * batch / found.tokens.value - 1) == pytest.approx(1)


def test_seven_shares_under_caps_fill_the_best_domains_first():
    """The loss falls with Σ t_i r_i, so that the optimum fills the domains with the lowest t up to their caps."""
    effects = {"t_1": -1.9, "t_2": -0.4, "t_3": 0.3, "t_4": -1.1, "t_5": 0.8, "t_6": -0.2}
    caps = tuple(f"r_{place} <= 0.3" for place in range(1, 8))
    plan = planned(
        law("data-mixture-7"), {"c": 1.5, "k": 2.0, **effects}, draws=50, over="shares", subject_to=caps, within=0.01
    )
    expected = {"r_1": 0.3, "r_4": 0.3, "r_2": 0.3, "r_6": 0.1, "r_7": 0.0, "r_3": 0.0, "r_5": 0.0}
    for label, share in expected.items():
        assert plan.of(label).interval.value == pytest.approx(share, abs=1e-6)
    total = sum(plan.near.values())
    assert total == pytest.approx(np.ones(len(total)), abs=1e-6)
    assert plan.of("r_6").near[1] > 0.2 and plan.of("r_1").near[0] > 0.2
    index = sum(effects.get(f"t_{i}", 0) * plan.near[f"r_{i}"] for i in range(1, 8))
    assert (1.5 + 2 * np.exp(index)).max() <= plan.objective.value * 1.01 * (1 + 1e-6)


def test_repeated_pools_cap_the_shares():
    """r_i·D tokens of a pool of U tokens at most four times: r_1 ≤ 4·20e9/400e9 = 0.2."""
    plan = planned(
        law("data-mixture-3"), {"c": 1.5, "k": 2.0, "t_1": -2.0, "t_2": -1.0}, over="shares", at={"D": 4e11},
        subject_to=("r_1*D <= 4*20e9", "r_2*D <= 4*50e9"),
    )  # fmt: skip
    assert [plan.of(f"r_{i}").interval.value for i in (1, 2, 3)] == pytest.approx([0.2, 0.5, 0.3], abs=1e-6)


def test_whole_numbers_are_at_least_as_good_as_their_neighbors():
    case = BY_NAME["shape"]
    plan = planned(case.law, case.params, **case.words)
    depth = plan.of("depth").interval.value
    assert depth == round(depth)
    for other in (depth - 1, depth + 1):
        words = {key: value for key, value in case.words.items() if key != "integers"}
        beside = planned(case.law, case.params, **{**words, "at": {"depth": other}})
        assert beside.objective.value >= plan.objective.value * (1 - 1e-10)


def test_menus_are_ranked_with_everything_else_at_its_best():
    case = BY_NAME["precision"]
    plan = planned(case.law, case.params, **case.words)
    assert [each.objective for each in plan.options] == sorted(each.objective for each in plan.options)
    assert len(plan.options) == 6 and plan.options[0].objective == pytest.approx(plan.objective.value, rel=1e-9)
    for option in plan.options:
        one = planned(
            case.law, case.params,
            **{**case.words, "menus": {}, "at": {**case.words["at"], "bits_w": option.values["bits_w"]}},
        )  # fmt: skip
        assert option.objective == pytest.approx(one.objective.value, rel=1e-8)


def test_a_binding_bound_is_met_exactly():
    plan = planned(law("chinchilla"), EPOCH, budget=1e24, subject_to=("N <= 8B",))
    assert plan.of("N").interval.value == 8e9
    assert plan.of("D").interval.value == pytest.approx(1e24 / 6 / 8e9, rel=1e-6)


def test_memory_and_hours_may_be_conditions():
    memory = planned(law("chinchilla"), EPOCH, budget=1e24, subject_to=("memory <= 640e9",))
    assert memory.of("N").interval.value == pytest.approx(640e9 / 16, rel=1e-6)
    rates = {"hours": 1e-20}
    hours = planned(law("chinchilla"), EPOCH, cost="6ND", subject_to=("hours <= 100",), rates=rates)
    assert hours.cost.value == pytest.approx(1e22, rel=1e-6)


def test_elasticity_is_what_a_larger_budget_brings():
    plan, more = (planned(law("chinchilla"), EPOCH, budget=b, subject_to=("D >= 1e-3*N",)) for b in (1e24, 1.01e24))
    worth = next(each.worth for each in plan.held if each.text.startswith("6*N*D"))
    assert worth == pytest.approx(-math.log(more.objective.value / plan.objective.value) / math.log(1.01), rel=1e-2)


def test_the_beginning_of_a_name_stands_for_the_input_and_a_stem_for_all_that_begin_so():
    ghorbani = {"E": 1.2, "A": 40.0, "p_e": 0.13, "p_d": 0.19}
    short = planned(law("ghorbani"), ghorbani, over="N_enc,N_dec", cost="N_enc + 2*N_dec", budget=1e9)
    whole = planned(law("ghorbani"), ghorbani, cost="N_encoder + 2*N_decoder", budget=1e9)
    assert short.of("N_enc").interval.value == pytest.approx(whole.of("N_encoder").interval.value, rel=1e-6)
    params = BY_NAME["precision"].params
    shared = planned(law("precision"), params, minimize="bits", loss=2.1, at={"N": 1e9, "D": 2e11})
    bits = shared.of("bits").interval.value
    at = {"N": 1e9, "D": 2e11, "bits_w": bits, "bits_a": bits, "bits_kv": bits}
    assert law("precision").value(params, at) == pytest.approx(2.1, rel=1e-6)
    assert shared.cost is None and shared.at == pytest.approx(at)


def test_two_shares_need_no_budget_and_add_up_to_one():
    params = {"f_1": 1.0, "f_2": 0.5, "g_1": 0.3, "g_2": 0.2}
    plan = planned(law("f_1/r_1^g_1 + f_2/r_2^g_2", inputs=("r_1", "r_2")), params)
    r = np.linspace(1e-4, 1 - 1e-4, 200_001)
    best = r[(1 / r**0.3 + 0.5 / (1 - r) ** 0.2).argmin()]
    assert plan.of("r_1").interval.value == pytest.approx(best, abs=1e-5)
    assert plan.of("r_1").interval.value + plan.of("r_2").interval.value == pytest.approx(1)


def test_a_given_input_stands_in_the_closed_form():
    progress = law("E + A/(N^alpha*exp(p*year)) + B/D^beta", inputs=("year",))
    plan = planned(progress, {**EPOCH, "p": 0.1}, budget=1e24, at={"year": 13.0})
    same = planned(law("chinchilla"), {**EPOCH, "A": EPOCH["A"] * math.exp(-1.3)}, budget=1e24)
    assert plan.method == same.method == "closed form"
    assert plan.of("N").interval.value == pytest.approx(same.of("N").interval.value, rel=1e-9)


def test_a_score_is_a_condition_by_its_name():
    score = law("acc = 1 - A/N^alpha")
    plan = planned(score, {"A": 30.0, "alpha": 0.2}, minimize="N", subject_to=("acc >= 0.6",))
    assert plan.of("N").interval.value == pytest.approx((30 / 0.4) ** 5, rel=1e-6)
    best = planned(score, {"A": 30.0, "alpha": 0.2}, minimize="-acc", subject_to=("N <= 1e9",))
    assert best.of("N").interval.value == 1e9
    assert best.objective.value == pytest.approx(30 / 1e9**0.2 - 1)


@pytest.mark.parametrize(
    ("made", "words", "message"),
    [
        ("chinchilla", {"loss": 1.5}, "no N, D reach a loss of 1.5: the law's least loss here is 1.8172"),
        ("chinchilla", {"loss": 1e9}, "any N, D reach a loss of 1e.09, so nothing keeps N from falling"),
        ("chinchilla", {"budget": 1e24, "cost": "6*N"}, "D has no price: the cost 6.N does not have it"),
        ("chinchilla", {"budget": 1e24, "cost": "7"}, "has no quantity in it, so it does not grow"),
        ("chinchilla", {"budget": 1e24, "cost": "1e30/(N*D)"}, "does not grow as N grows|gets no worse all the way"),
        ("chinchilla", {"budget": 1e24, "cost": "N*D/0"}, "it divides by zero"),
        ("chinchilla", {"minimize": "N", "loss": 2.0}, "N gets no worse all the way as D grows; bound it"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N*D >= 1e30",)}, "cost at least 6e.30; raise --budget"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("D >= 10*N", "D <= 5*N")}, "its left side is at best"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N <= 1e9", "N >= 1e10")}, "nothing meets N >= 1e.10 and N"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N <= 0",)}, "N is above 0"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N <= 1e300",)}, "the number is too large"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N < ",)}, "has nothing on one side"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("3 < 5",)}, "names no quantity"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N <= n",)}, "has the name 'n', which stands for nothing here"),
        ("chinchilla", {"budget": 1e24, "subject_to": ("N <= 1e9",) * 2}, "is given twice"),
        ("chinchilla", {"budget": 1e24, "loss": 2.0}, "both bound the plan; say what is made least"),
        ("chinchilla", {"budget": 1e24, "minimize": "cost"}, "--budget sets the cost"),
        ("chinchilla", {"loss": 2.0, "minimize": "loss"}, "--loss sets the loss"),
        ("chinchilla", {"budget": 1e24, "minimize": "alpha*N"}, "alpha is a fitted parameter"),
        ("chinchilla", {"budget": 1e24, "menus": {"N": "1B,1B"}}, "has 1B twice"),
        ("chinchilla", {"budget": 1e24, "menus": {"N": "1B,nan"}}, "numbers with commas between.*not 'nan'"),
        ("chinchilla", {"budget": 1e24, "menus": {"N": "1e300"}}, "too large"),
        ("chinchilla", {"budget": 1e24, "menus": {"N": ","}}, "takes numbers|has no values"),
        ("chinchilla", {"budget": 1e24, "menus": {"bits": "2,3"}}, "--menu bits: neither the law"),
        ("chinchilla", {"budget": 1e24, "over": "N,N"}, "names N twice"),
        ("chinchilla", {"budget": 1e24, "over": "N"}, "D has no value; give it one"),
        ("chinchilla", {"budget": 1e24, "at": {"N": 1e9, "D": 1e9}}, "nothing is left to choose"),
        ("chinchilla", {"budget": 1e24, "at": {"N": 1e9}, "over": "N,D"}, "N is given by --at and cannot be chosen"),
        ("chinchilla", {"budget": 1e24, "at": {"E": 1.0}}, "E is a fitted parameter"),
        ("chinchilla", {"budget": 1e24, "at": {"Q": 1.0}}, "--at Q: neither the law"),
        ("chinchilla", {"over": "N,D"}, "nothing bounds the cost 6.N.D.*give --budget, as 1e24"),
        ("chinchilla", {"budget": 1e24, "cost": "6ND", "served": 1e12}, "the cost has no inference tokens"),
        ("chinchilla", {"budget": 1e24, "samples": 4.0}, "--samples needs --inference-tokens"),
        ("chinchilla", {"budget": 1e24, "cost": "inference"}, "give --inference-tokens|served has no value"),
        ("chinchilla", {"budget": 1e24, "cost": "hours"}, "--cost hours needs --hardware"),
        ("chinchilla", {"budget": 1e24, "define": {"N": "D*M", "D": "N/M"}}, "in a circle through"),
        ("muennighoff", {"budget": 1e23}, "U has no price"),
        ("parscale", {"budget": 1e10}, "--budget needs a cost, and parscale has none without N and D"),
        ("step-law-lr", {"loss": 2.0}, "predicts lr and no loss"),
    ],
)
def test_what_has_no_plan_is_refused_in_one_sentence(made, words, message):
    constants = {
        "chinchilla": EPOCH, "parscale": STACK, "muennighoff": BY_NAME["muennighoff"].params,
        "step-law-lr": {each.name: 0.5 for each in law("step-law-lr").params},
    }  # fmt: skip
    with pytest.raises(IsoflopError, match=message) as refused:
        planned(law(made), constants[made], **words)
    assert "\n" not in str(refused.value)


def test_draws_that_reach_no_target_are_counted_and_left_out():
    plan = planned(law("chinchilla"), EPOCH, draws=200, loss=1.85)
    lost = int(np.isnan(plan.of("N").draws).sum())
    assert 0 < lost < 200
    assert any(each.code == "no-optimum" and each.message.startswith(f"{lost} of 200") for each in plan.findings)
