"""Families left out: planted panels are found again, intervals hold, and public tables give what was measured."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from isoflop import Runs, read_runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.capability.components import fit_components
from isoflop.planning.capability.families import error_bound, families_left_out
from isoflop.planning.capability.index import capability
from isoflop.planning.capability.member import forecast_member
from isoflop.planning.capability.others import benchmarks_from_others
from isoflop.planning.capability.panel import fit_panel
from isoflop.planning.capability.response import fit_response
from isoflop.planning.capability.scores import model_scores

TASKS = tuple(f"t{each}" for each in range(6))
OPEN_LEADERBOARD = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K")


def panel_table(seed=0, families=14, each=4, noise=0.015, effect=0.6):
    """Two skills rise with ln N and ln D, and begin elsewhere in every family; six benchmarks with a chance of .2."""
    draws = np.random.default_rng(seed)
    family = np.repeat(np.arange(families), each)
    n, d = draws.uniform(-2, 2, family.size), draws.uniform(-1, 1, family.size)
    slope, loading = (
        np.array([[0.5, 0.2], [0.1, 0.4]]),
        np.array([[1, 0], [0, 1], [1, 1], [0.5, 1], [1, 0.5], [0.7, 0.7]]),
    )
    theta = np.stack([n, d], axis=1) @ slope + draws.normal(0, effect, (families, 2))[family]
    scores = 0.2 + 0.8 * expit(theta @ loading.T + np.linspace(-1, 1, 6)) + draws.normal(0, noise, (family.size, 6))
    table = {"model": [str(at) for at in range(family.size)], "family": [f"f{each:02}" for each in family]}
    table |= {"N": 1e9 * np.exp(n), "D": 1e12 * np.exp(d)}
    return table | {name: np.clip(scores[:, t], 0, 1) for t, name in enumerate(TASKS)}


def left_out(table, **options):
    scores = model_scores(Runs.from_columns(table), tasks=TASKS, by="N")
    return families_left_out(scores, fit_response(scores.scores, np.full(6, 0.2)), **options)


def test_the_panel_is_at_the_optimum_of_a_general_solver():
    draws = np.random.default_rng(1)
    x, family = draws.normal(size=(12, 2)), np.arange(12) % 3
    scores = expit(draws.normal(size=(12, 3)))
    scores[draws.uniform(size=scores.shape) < 0.2] = np.nan
    found = fit_panel(scores, x, family, np.full(3, 0.1), skills=1)

    def cost(v):
        b, w, beta, alpha = v[:3], v[3:6], v[6:8], v[8:]
        made = 0.1 + 0.9 * expit(b + np.outer(x @ beta + alpha[family], w))
        return np.nansum((scores - made) ** 2) + 1e-3 * v @ v

    own = np.concatenate([found.intercept, found.loading[:, 0], found.slope[:, 0], found.effect[:, 0]])
    exact = minimize(cost, own, options={"gtol": 1e-10})
    assert cost(own) == pytest.approx(exact.fun, rel=1e-4)


def test_a_planted_panel_beats_what_knows_less():
    found = left_out(panel_table())
    assert found.inputs == ("ln N", "ln D", "their product") and len(found.each) == 14
    assert found.error("panel") < 0.02  # the noise alone is .012
    assert all(2 * found.error("panel") < found.error(each) for each in found.methods if each != "panel")


def test_intervals_of_scores_of_a_family_left_out_hold():
    covers = [left_out(panel_table(seed, families=24, each=3)).methods["panel"].coverage for seed in (0, 1)]
    assert 0.86 < np.mean(covers) < 0.98
    assert error_bound((np.array([0.1]), np.array([-0.3])), 0.9) == 0.3


def test_gaps_are_filled_by_the_components():
    draws = np.random.default_rng(0)
    known = 0.5 + draws.normal(0, 0.2, (40, 2)) @ draws.normal(0, 0.3, (2, 6))
    gaps = known.copy()
    gaps[draws.uniform(size=gaps.shape) < 0.15] = np.nan
    found = fit_components(gaps, 2)
    filled = found.mean + found.of(gaps) @ found.axes.T
    assert np.abs(filled - known)[np.isnan(gaps)].mean() < 0.02 and found.share > 0.99
    assert found.axes.T @ found.axes == pytest.approx(np.eye(2))


def test_a_further_model_of_a_family_is_forecast():
    inside, table = [], panel_table(3, families=10)
    whole, errors = model_scores(Runs.from_columns(table), tasks=TASKS, by="N"), left_out(table)
    for out in range(0, 40, 4):
        keep = np.arange(40) != out
        others = {name: np.array(values)[keep].tolist() for name, values in table.items()}
        part = model_scores(Runs.from_columns(others), tasks=TASKS, by="N")
        at = {"N": table["N"][out], "D": table["D"][out]}
        found = forecast_member(part, table["family"][out], at, np.full(6, 0.2), errors).scores
        inside += [found[t].low <= y <= found[t].high for t, y in zip(TASKS, whole.scores[out], strict=True)]
    assert np.mean(inside) > 0.85


def test_a_further_model_needs_a_family_and_its_inputs():
    scores = model_scores(Runs.from_columns(panel_table(families=4)), tasks=TASKS, by="N")
    with pytest.raises(IsoflopError, match="'zebra' is no family of .* there are f00, f01"):
        capability(scores, member="zebra", at={"N": 1e9, "D": 1e12}, draws=20)
    with pytest.raises(
        IsoflopError, match="--at names N; the panel is fitted in N and D: give --at N=VALUE --at D=VALUE"
    ):
        capability(scores, member="f00", at={"N": 1e9}, draws=20)
    with pytest.raises(IsoflopError, match="scales are above 0"):
        capability(scores, member="f00", at={"N": 0.0, "D": 1e12}, draws=20)
    found = capability(scores, member="f00", at={"N": 1e12, "D": 1e12}, draws=20)
    assert "member-extrapolated" in {each.code for each in found.findings}
    two = model_scores(Runs.from_columns(panel_table(families=2)), tasks=TASKS, by="N")
    with pytest.raises(DataError, match="three families"):
        capability(two, member="f00", at={"N": 1e9, "D": 1e12}, draws=20)


def test_tokens_are_an_input_where_they_are_known():
    table = panel_table(families=4)
    none = table | {"D": 0.0 * table["D"]}
    known, unknown = (model_scores(Runs.from_columns(each), tasks=TASKS, by="N") for each in (table, none))
    assert known.tokens_by == "D" and unknown.tokens is None
    assert model_scores(Runs.from_columns(table | {"C": table["N"]}), tasks=TASKS).tokens is None  # C holds them
    with pytest.raises(DataError, match="D of '0' is not positive"):
        model_scores(Runs.from_columns(none), tasks=TASKS, by="N", tokens="D")


@pytest.mark.slow
def test_observational_benchmarks_are_told_by_the_others_and_less_by_compute(tables):
    path = tables / "observational-scaling" / "base_llm_benchmark_eval.csv"
    runs = read_runs(path, columns={"N": "Model Size (B)", "D": "Pretraining Data Size (T)", "C": "FLOPs (1E21)"})
    tasks = ["MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval"]
    chance = np.array([0.25, 0.25, 0.25, 0.5, 0, 0, 0.5, 0])
    scores = model_scores(runs, tasks=tasks, model="Model", family="Model Family", by="C")
    found = benchmarks_from_others(scores, chance)
    assert found.share == pytest.approx(0.973, abs=0.002)  # published: three components, about 97 %
    assert found.methods["components"].error == pytest.approx(0.041, abs=0.003)
    assert found.methods["line"].error > 1.5 * found.methods["components"].error
    assert 0.86 < found.methods["components"].coverage < 0.95


@pytest.mark.slow
def test_families_of_the_open_leaderboard(tables):
    runs = read_runs(tables / "sloth" / "data_v2.csv", columns={"N": "#Params (B)", "D": "Pretraining Data Size (T)"})
    scores = model_scores(runs, tasks=OPEN_LEADERBOARD, model="Model", family="Family", by="N")
    lower = read_runs(tables / "sloth" / "lower_bounds.csv").frame
    fitted = fit_response(scores.scores, np.array([lower[task][0] for task in scores.tasks]))
    found = families_left_out(scores, fitted)
    assert len(found.each) == 30 and found.error("panel") == pytest.approx(0.0564, abs=0.001)
    assert found.error("panel") < min(found.error(each) for each in found.methods if each != "panel")
    assert all(0.86 < each.coverage < 0.97 for each in found.methods.values())
