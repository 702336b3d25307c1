"""Scores of several tasks at once: shared exponents by their held-out error, and intervals on the OLMo ladder."""

import numpy as np
import pytest
from tests.planning.test_downstream import ALL, LOSS, SCORE, TARGETS, columns_of, measured, sixteen  # noqa: F401

from isoflop import Runs, law
from isoflop.errors import IsoflopError
from isoflop.planning.downstream import stages, weighted
from isoflop.planning.suite import exponents_of, suite

AT = {"N": 1e10, "D": 1e12}
FLOORS = {"quiz": 0.5, "exam": 0.7, "test": 0.4}
BETAS = {"quiz": 0.25, "exam": 0.18, "test": 0.33}


def several(noise=0.0, *, betas=None, sizes=5, seed=0):
    """Tasks with floors of their own, one α, and one β or their own."""
    rng = np.random.default_rng(seed)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.5, sizes), np.logspace(9.5, 11.5, 5)))
    columns = {"N": n, "D": d}
    for task, floor in FLOORS.items():
        beta = (betas or {}).get(task, 0.25)
        loss = floor + 60 / n**0.25 + 90 * (3e10) ** (beta - 0.25) / d**beta
        columns[task] = loss * np.exp(noise * rng.normal(size=n.size))
        columns[f"{task}_hits"] = SCORE.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": columns[task]})
    return Runs.from_columns(columns)


def tables_of(runs):
    return {task: stages(runs, LOSS, loss=task, score=f"{task}_hits") for task in FLOORS}


def asked_of(runs, **how):
    return suite(tables_of(runs), LOSS, {each: [SCORE] for each in FLOORS}, AT, **{"draws": 30, "starts": 16, **how})


def test_without_noise_every_task_is_exact_and_ways_that_are_wrong_have_no_weight():
    found = asked_of(several(betas=BETAS))
    for task, floor in FLOORS.items():
        beta = BETAS[task]
        loss = floor + 60 / 1e10**0.25 + 90 * (3e10) ** (beta - 0.25) / 1e12**beta
        assert found.tasks[task].loss.loss.value == pytest.approx(loss, rel=1e-5)
        score = float(SCORE.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": loss}))
        assert found.tasks[task].score.value == pytest.approx(score, rel=1e-4)
    weights = {each.share: each.weight for each in found.structures}
    assert set(weights) == {(), ("alpha",), ("beta",), ("alpha", "beta")}
    assert weights["beta",] + weights["alpha", "beta"] < 1e-3
    assert sum(weights.values()) == pytest.approx(1)
    assert (found.held_out, found.by, found.findings) == (15, "N", ())


def test_with_noise_most_true_losses_and_scores_lie_inside():
    found, inside = asked_of(several(0.02)), 0
    for task, each in found.tasks.items():
        loss = FLOORS[task] + 60 / 1e10**0.25 + 90 / 1e12**0.25
        score = float(SCORE.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": loss}))
        inside += each.loss.loss.low < loss < each.loss.loss.high
        inside += each.score.low < score < each.score.high
    assert inside >= 4  # of six at a level of 90 %


def test_sizes_that_are_too_few_to_hold_out_give_equal_weights_and_a_finding():
    found = asked_of(several(0.01, sizes=3).take(np.arange(15) % 5 < 2))
    assert {each.weight for each in found.structures} == {0.25}
    assert [each.code for each in found.findings] == ["sharing-not-held-out"]


def test_exponents_are_what_stands_above_an_input():
    assert exponents_of(LOSS) == ("alpha", "beta")
    assert exponents_of(law("kaplan-n")) == ("alpha_N",)
    assert exponents_of(SCORE) == ()


def test_what_cannot_be_shared_is_refused_in_a_sentence():
    tables = tables_of(several())
    with pytest.raises(IsoflopError, match="there is 1; name a second task"):
        suite({"quiz": tables["quiz"]}, LOSS, {"quiz": [SCORE]}, AT)
    with pytest.raises(IsoflopError, match="no free exponent that tasks could share"):
        suite(tables, law("E + A/N"), {each: [SCORE] for each in FLOORS}, AT)
    with pytest.raises(IsoflopError, match="chinchilla takes N, D, and chinchilla predicts loss"):
        suite(tables, LOSS, {each: [LOSS] for each in FLOORS}, AT)


@pytest.mark.slow
def test_the_ladders_sixteen_targets_are_covered_without_wide_intervals(sixteen, measured):  # noqa: F811
    both = [SCORE, law("task-accuracy")]
    tables = {}
    for task in ALL:
        loss, score = columns_of(task)
        tables[task] = stages(sixteen, LOSS, loss=loss, score=score, average=5, skip=0.1)
    losses, scores, wider, errors = {}, {}, {"loss": [], "score": []}, []
    for name, (_, at) in TARGETS.items():
        found = suite(tables, LOSS, dict.fromkeys(ALL, both), at, draws=60)
        for task, each in found.tasks.items():
            loss, score = (weighted(measured[name], column)[-5:].mean() for column in columns_of(task))
            losses[task, name] = each.loss.loss.low <= loss <= each.loss.loss.high
            scores[task, name] = each.score.low <= score <= each.score.high
            errors.append(abs(each.loss.loss.value / loss - 1))
            for kind, one, law_one in (
                ("loss", each.loss.loss, each.loss.law_loss),
                ("score", each.score, each.law_score),
            ):
                wider[kind].append((one.high - one.low) / (law_one.high - law_one.low))
    assert losses["csqa", "13B-5T"] and losses["csqa", "7B-4T"]
    assert sum(losses.values()) >= 15 and sum(scores.values()) >= 14
    assert np.median(wider["loss"]) < 1.2 and np.median(wider["score"]) < 1.5
    assert np.mean(errors) < 0.045  # with exponents of its own each law misses by 5.9 %
