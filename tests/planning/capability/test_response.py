"""Item response: known parameters are found again, and the optimum is a general solver's."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from isoflop.planning.capability.response import Response, fit_response, locate


def table(seed, models=30, tasks=6, noise=0.0, gaps=0.3):
    draws = np.random.default_rng(seed)
    c, d, s = draws.normal(0, 1, models), draws.normal(0, 1, tasks), np.exp(draws.normal(0, 0.4, tasks))
    c, d, s = (c - c.mean()) * s.mean(), (d - c.mean()) * s.mean(), s / s.mean()
    truth = Response(c, d, s, np.full(tasks, 0.2))
    scores = truth.scores() + draws.normal(0, noise, (models, tasks))
    scores[draws.uniform(size=scores.shape) < gaps] = np.nan
    scores[:, 0] = truth.scores()[:, 0]
    return truth, scores


def test_exact_scores_with_gaps_give_the_parameters_back():
    truth, scores = table(0)
    found = fit_response(scores, truth.chance)
    assert np.corrcoef(found.capability, truth.capability)[0, 1] > 0.999
    assert found.capability == pytest.approx(truth.capability, abs=0.15)  # the penalty draws the ends in
    assert found.discrimination == pytest.approx(truth.discrimination, rel=0.1)


def test_the_optimum_is_that_of_a_general_solver():
    truth, scores = table(1, models=8, tasks=3, noise=0.05)
    found = fit_response(scores, truth.chance)
    there = np.isfinite(scores)

    def split(theta):
        return theta[:8], theta[8:11], theta[11:]

    def cost(theta):
        c, d, k = split(theta)
        made = truth.chance + (1 - truth.chance) * expit(np.exp(k) * (c[:, None] - d))
        return ((scores - made)[there] ** 2).sum() + 1e-3 * (theta**2).sum()

    best = min((minimize(cost, x, options={"gtol": 1e-9}) for x in np.eye(3, 14) * 0.1), key=lambda each: each.fun)
    c, d, k = split(best.x)
    unit = np.exp(k).mean()
    assert found.capability == pytest.approx((c - c.mean()) * unit, abs=0.02)
    assert found.difficulty == pytest.approx((d - c.mean()) * unit, abs=0.02)
    assert found.discrimination == pytest.approx(np.exp(k) / unit, rel=0.02)


def test_a_batch_is_its_tables_one_by_one():
    several = np.stack([table(seed, noise=0.03)[1] for seed in (2, 3, 4)])
    chance = np.full(6, 0.2)
    together = fit_response(several, chance)
    for place, each in enumerate(several):
        assert together.capability[place] == pytest.approx(fit_response(each, chance).capability, abs=1e-9)


def test_a_model_is_located_by_known_benchmarks():
    truth, _ = table(5)
    for m in (0, 7, 20):
        row = truth.scores()[m].copy()
        row[1] = np.nan
        assert locate(row, truth) == pytest.approx(truth.capability[m], abs=0.05)


def test_scores_of_nothing_and_of_all_stay_finite():
    scores = np.array([[0.0, 0.0, 0.1], [0.3, 0.5, 0.2], [1.0, 1.0, 1.0], [0.5, 0.7, 0.4]])
    found = fit_response(scores, np.zeros(3))
    assert np.isfinite(found.capability).all() and found.capability.argmin() == 0 and found.capability.argmax() == 2
