"""Designs from published constants and from runs: what is chosen, what is expected, and what is refused."""

import numpy as np
import pytest

from isoflop import law, read_runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.design import Candidates, believe, candidate_grid, candidates_of, design, moments, target_of
from isoflop.planning.design.belief import Belief
from isoflop.planning.simulate import simulate
from isoflop.runs import Runs

CHINCHILLA = law("chinchilla")
GRID = candidate_grid(["N=1M:1B:5", "D=20M:20B:5"], ["N", "D"])


def small(known_runs, **options):
    """Runs of a known law below 1e19 FLOPs."""
    runs = known_runs(0.004, **options)
    return runs.take(6 * runs["N"] * runs["D"] < 3e18)


@pytest.fixture(scope="module")
def from_scratch():
    return design([CHINCHILLA], GRID, 1e19, "N* at 1e21")


def test_the_batch_keeps_to_the_budget_and_narrows_the_answer(from_scratch):
    found = from_scratch
    assert 0 < found.spent <= 1e19 and len(set(found.rows)) == len(found.rows)
    assert found.spent == pytest.approx(sum(each["cost"] for each in found.chosen))
    assert found.now.low < found.after.low < found.after.value < found.after.high < found.now.high
    assert list(found.errors) == sorted(found.errors, reverse=True)
    assert [each.code for each in found.findings][:1] == ["design-from-publications"]


def test_the_batch_is_no_worse_than_other_ways_to_spend_as_much(from_scratch):
    ways = {each.name: each for each in from_scratch.alternatives}
    for name in ("one large run", "several small runs"):
        assert ways[name].spent <= 1e19 and from_scratch.errors[-1] <= ways[name].error
    assert ways["all candidates once"].error <= from_scratch.errors[-1]


def test_the_same_seed_gives_the_same_batch(from_scratch):
    assert design([CHINCHILLA], GRID, 1e19, "N* at 1e21").rows == from_scratch.rows


@pytest.mark.parametrize("question", ["loss at N=7B D=140B", "exponent of N* at 1e21", "alpha"])
def test_every_question_is_narrowed(question):
    found = design([CHINCHILLA], GRID, 1e19, question, draws=48)
    assert found.rows and found.errors[-1] < 0.9 * found.errors[0]


def test_candidates_far_from_the_optimum_of_their_compute_are_not_trained_for_n(from_scratch):
    for each in from_scratch.chosen:
        n_best = (0.3478 * 482 / (0.3658 * 2085)) ** (1 / 0.7136) * (each["cost"] / 6) ** (0.3658 / 0.7136)
        assert abs(np.log(each["N"] / n_best)) < 2.4 + 0.5  # the published laws differ a little


def test_laws_that_differ_leave_more_open_than_each_does():
    """The variance of a mixture: that within its laws, on average, and what lies between them."""
    laws = [CHINCHILLA, law("kaplan")]
    far = "loss at N=1e14 D=1e16"  # Kaplan's law has no floor
    alone = [design([each], GRID, 1e19, far, draws=48).errors[0] for each in laws]
    both = design(laws, GRID, 1e19, far, draws=48)
    assert both.errors[0] ** 2 > 1.3 * np.mean(np.square(alone))
    assert both.belief.weights == pytest.approx({"chinchilla": 0.5, "kaplan": 0.5})


def test_after_runs_the_belief_is_near_them_and_the_truth_inside(known_runs):
    runs = small(known_runs)
    belief = believe([CHINCHILLA], {"N": runs["N"], "D": runs["D"]}, runs, draws=64)
    target = target_of("loss at N=1e9 D=2e10", belief)
    known = moments(belief, {"N": runs["N"], "D": runs["D"]}, target.points, target.weights)
    assert np.abs(known.mean - np.log(runs["loss"])).max() < 0.03
    assert np.linalg.eigvalsh(known.cov).min() > -1e-8
    truth = 1.8172 + 482.01 / 1e9**0.3478 + 2085.43 / 2e10**0.3658
    assert abs(known.target_mean[0] - np.log(truth)) < 2.5 * known.target_cov[0, 0] ** 0.5
    whole = believe([CHINCHILLA], {"N": runs["N"], "D": runs["D"]}, known_runs(0.004), draws=32)
    assert whole.noise == pytest.approx(0.004, rel=0.6)


def test_a_design_after_few_runs_trains_larger_ones(known_runs):
    runs = small(known_runs)
    found = design([CHINCHILLA], GRID, 1e20, "loss at N=7B D=140B", runs=runs, draws=48)
    largest = max(6 * runs["N"] * runs["D"])
    assert max(each["cost"] for each in found.chosen) > largest
    assert found.belief.rows == len(runs)


def test_fewer_runs_than_parameters_are_enough_with_a_prior(known_runs):
    runs = small(known_runs)
    few = runs.take(np.arange(len(runs)) < 3)
    found = design([CHINCHILLA], GRID, 1e19, "loss at N=7B D=140B", runs=few, draws=48)
    assert found.belief.rows == 3 and found.errors[-1] < found.errors[0]


def test_laws_are_weighed_by_the_runs(known_runs):
    belief = believe([CHINCHILLA, law("kaplan")], {"N": np.array([1e9]), "D": np.array([2e10])}, known_runs(0.002))
    assert isinstance(belief, Belief) and belief.weights["chinchilla"] > 0.9


def test_a_law_of_other_inputs_is_designed_from_its_runs(tables):
    runs = read_runs(tables / "moe-sparsity" / "moe_train.parquet", derive={"N": "dense_parameter_count",
                     "experts": "num_experts", "loss": "loss_validation"})  # fmt: skip
    cheap = runs.take(np.argsort(np.argsort(runs["N"] * runs["experts"])) < 20)
    pool = candidates_of(runs, cost="N*experts**0.5")
    budget = float(np.sort(pool.cost)[-1])
    found = design([law("routed")], pool, budget, "loss at N=1.3B experts=64", runs=cheap, draws=48)
    assert found.rows and found.errors[-1] < found.errors[0]


@pytest.mark.parametrize(
    ("budget", "message"),
    [(1.0, "the cheapest candidate costs 1.2e.14, more than"), (float("nan"), "positive number, not nan"),
     (1e300, "positive number, not 1e.300"), (-1.0, "positive number, not -1")],
)  # fmt: skip
def test_a_budget_that_buys_nothing_is_refused(budget, message):
    with pytest.raises(IsoflopError, match=message):
        design([CHINCHILLA], GRID, budget, "N* at 1e21")


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("what next?", "is none of"),
        ("N* at soon", "a number of FLOPs"),
        ("loss at N=7B", "D is missing"),
        ("loss at N=7B D=-1", "D in the question must be a positive number"),
        ("loss at N=1e300 D=1B", "N in the question must be a positive number"),
        ("accuracy at N=1B D=1B", "the laws predict loss"),
    ],
)
def test_a_question_that_cannot_be_read_is_answered_in_a_sentence(question, message):
    with pytest.raises(IsoflopError, match=message):
        design([CHINCHILLA], GRID, 1e19, question)


def test_candidates_without_a_usable_cost_are_refused():
    runs = Runs.from_columns({"N": np.array([1e6, 1e7]), "D": np.array([1e8, 1e8]), "price": np.array([0.0, 1.0])})
    with pytest.raises(IsoflopError, match="the cost of candidate 1 .* is 0, and must be a positive number"):
        candidates_of(runs, cost="price")
    with pytest.raises(IsoflopError, match="what a candidate costs is not told"):
        candidates_of(Runs.from_columns({"width": np.array([1.0])}))
    with pytest.raises(IsoflopError, match="at most 2,000"):
        candidate_grid(["N=1M:1B:100", "D=1M:1B:100"], ["N", "D"])
    with pytest.raises(IsoflopError, match="--candidates N: .* is not a number"):
        candidate_grid(["N=1M,nan"], ["N"])
    with pytest.raises(IsoflopError, match="LOW:HIGH:COUNT"):
        candidate_grid(["N=1B:1M:4"], ["N"])


def test_a_candidate_without_an_input_of_the_law_is_refused():
    with pytest.raises(DataError, match="have no column D"):
        design([CHINCHILLA], candidate_grid(["N=1M,2M"], ["N"], cost="N"), 1e9, "alpha")


def test_a_law_without_published_constants_needs_runs():
    with pytest.raises(IsoflopError, match="no published constants to design from"):
        design([law("E + A/N^alpha")], candidate_grid(["N=1M,2M"], ["N"], cost="N"), 1e9, "alpha")


def test_expected_errors_are_kept_by_simulated_truths():
    """Truths of the prior, runs of the batch: the realized error is no larger than expected, and intervals hold."""
    found = design([CHINCHILLA], GRID, 3e18, "alpha", draws=48)
    params, points = found.belief.components[0].params, GRID.inputs(["N", "D"])
    chosen = np.isin(np.arange(len(GRID)), found.rows)
    batch = Candidates(GRID.frame.filter(chosen.tolist()), GRID.cost[chosen], GRID.priced, "batch")
    errors, held = [], []
    for number in range(1, 17):
        truth = {name: float(values[number]) for name, values in params.items()}
        runs = read_runs(simulate(CHINCHILLA, truth, batch, noise=0.005, seed=number).frame)
        belief = believe([CHINCHILLA], points, runs, draws=32, model_error=False, noise=0.005)
        target = target_of("alpha", belief)
        known = moments(belief, points, target.points, target.weights, target.of_laws)
        errors.append(known.target_mean[0] - truth["alpha"])
        held.append(abs(errors[-1]) < 1.645 * known.target_cov[0, 0] ** 0.5)
    realized = np.sqrt(np.mean(np.square(errors)))
    assert 0.2 * found.errors[-1] < realized < 1.2 * found.errors[-1] < 0.5 * found.errors[0]
    assert sum(held) >= 12
