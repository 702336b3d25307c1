"""The chain from log p to accuracy: its measures, what each link loses, and the forecast from laws of options."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import pearsonr, spearmanr

from isoflop.errors import DataError
from isoflop.evals import evaluate, read_items
from isoflop.evals.chain import metric_chain
from isoflop.evals.items import scale_of
from isoflop.evals.measures import CHAIN, member_measures, option_measures
from isoflop.evals.option_forecast import option_forecast


def test_measures_of_a_choice_by_hand():
    log_p = np.log([[0.2, 0.1, 0.1], [0.1, 0.3, 0.1], [0.2, 0.2, 0.0001]])
    log_p[2, 2] = -np.inf  # an option that this item lacks
    found = option_measures(
        log_p, np.array([0, 0, 1]), np.array([[1.0, 2.0, 4.0], [1.0, 1.0, 8.0], [1.0, 2.0, np.nan]])
    )
    assert found["log_prob"] == pytest.approx(np.log([0.2, 0.1, 0.2])) and found["p"] == pytest.approx([0.2, 0.1, 0.2])
    assert found["p_options"] == pytest.approx([0.5, 0.2, 0.5])
    assert found["brier"] == pytest.approx([0.25 + 2 / 16, 0.64 + 0.36 + 0.04, 0.5])
    assert found["acc"].tolist() == [1.0, 0.0, 0.5]  # a tie counts as its share
    assert found["acc_norm"].tolist() == [0.0, 0.0, 1.0]
    assert found["bpb"] == pytest.approx(-np.log2([0.2, 0.1, 0.2]) / [1, 1, 2])


def test_probabilities_too_small_for_a_double_keep_their_ratio():
    found = option_measures(np.array([[-2000.0, -2001.0]]), np.array([0]))
    assert found["p_options"][0] == pytest.approx(1 / (1 + np.exp(-1)))


def choices(seed=0, models=8, items=150, noise=0.5, wrong=0.3):
    """log p of options rises with scale: the right one faster, wrong ones at their own pace."""
    rng = np.random.default_rng(seed)
    scale = np.logspace(6, 9.5, models)
    slope = rng.normal(wrong, 0.15, (items, 4)) + np.eye(4)[0] * 0.25
    base = rng.normal(-8, 1.0, (items, 4)) + slope
    step = np.log10(scale / scale[0])[:, None, None]
    log_p = np.minimum(base + slope * step + noise * rng.standard_normal((models, items, 4)), -0.01)
    frame = pl.DataFrame(
        {
            "model": np.repeat([f"m{k}" for k in range(models)], items),
            "N": np.repeat(scale, items),
            "task": "quiz",
            "item": np.tile(np.arange(items), models),
            "log_probs": log_p.reshape(-1, 4).tolist(),
            "answer": 0,
        }
    )
    return read_items(frame), log_p, scale


def test_correlations_are_those_of_scipy_and_fall_along_the_chain():
    items, log_p, scale = choices()
    name, x = scale_of(items, None)
    chain = metric_chain(items, "quiz", "acc", name, x)
    assert (name, chain.models, chain.items) == ("N", 8, 150) and [each.name for each in chain.links] == list(CHAIN)
    for item in (0, 7, 149):
        own = log_p[:, item, 0]
        first = chain.links[0]
        assert first.spearman[item] == pytest.approx(spearmanr(own, scale).statistic)
        assert first.pearson[item] == pytest.approx(pearsonr(own, np.log(scale)).statistic)
        assert chain.links[1].pearson[item] == pytest.approx(pearsonr(np.exp(own), np.log(scale)).statistic)
    # Spearman's cannot part log p from p
    assert chain.links[0].spearman == pytest.approx(chain.links[1].spearman)
    spearman = [each.median.value for each in chain.links]
    assert spearman[0] == spearman[1] > spearman[2] + 0.1 and spearman[3] > spearman[4]
    assert chain.recommended == "log_prob" and chain.links[4].constant > 0 == chain.links[0].constant
    assert chain.most_lost in ("p_options", "acc") and all(each.lost.value > 0 for each in chain.links[2:3])
    assert chain.wrong > 0.1  # mass of wrong options rises with that of the right one
    assert chain.aggregate["log_prob"] == 1.0


def test_the_chain_needs_four_scales_and_items_of_all():
    items, *_ = choices(models=3)
    name, x = scale_of(items, None)
    with pytest.raises(DataError, match="3 models of different N, and a correlation with scale needs 4"):
        metric_chain(items, "quiz", "acc", name, x)


def test_laws_of_options_forecast_accuracy_that_they_never_saw():
    errors = []
    for seed in range(3):
        items, *_ = choices(seed, models=9, noise=0.3)
        name, x = scale_of(items, None)
        found = option_forecast(items, "quiz", "acc", name, x, hold_out=2, at=1e11)
        errors += [each.options - each.measured.value for each in found.held_out]
        assert found.held_out[-1].steps == pytest.approx(2 * 3.5 / 8) and 0 < found.ahead[1] <= 1
    assert np.abs(errors).mean() < 0.05 and abs(np.mean(errors)) < 0.03


def test_scatter_of_options_is_not_taken_for_their_slope():
    """Four models with much scatter: least squares alone would be sure of whatever option rose by chance."""
    errors = []
    for seed in range(3):
        items, *_ = choices(seed, models=5, noise=1.2)
        name, x = scale_of(items, None)
        found = option_forecast(items, "quiz", "acc", name, x, hold_out=1)
        errors.append(found.held_out[0].options - found.held_out[0].measured.value)
    assert abs(np.mean(errors)) < 0.05


def test_forecasts_need_four_models_besides_those_held_out():
    items, *_ = choices(models=5)
    name, x = scale_of(items, None)
    with pytest.raises(DataError, match="5 models of known N, 2 of them held out, and forecasts need 4 others"):
        option_forecast(items, "quiz", "acc", name, x, hold_out=2)


def test_uncertainty_of_an_ensemble_is_told_apart():
    sure, torn = [[1.0, 0.0]] * 4, [[1.0, 0.0], [0.0, 1.0]]
    guess = [[0.5, 0.5]] * 3
    found = member_measures([sure, torn, guess], np.array([0.0, np.nan, 1.0]))
    two = np.log(2)
    assert found["total"] == pytest.approx([0, two, two]) and found["aleatoric"] == pytest.approx([0, 0, two])
    assert found["epistemic"] == pytest.approx([0, two, 0])
    assert found["acc"][0] == 1.0 and np.isnan(found["acc"][1]) and found["acc"][2] == 0.5


def test_epistemic_uncertainty_of_a_bayesian_line_falls_as_1_over_the_data():
    """Members drawn from a posterior of variance 1/n around one logit: EU ∝ 1/n (card A11's theory)."""
    rng, rows = np.random.default_rng(0), []
    for n in (1e3, 3e3, 1e4, 3e4, 1e5):
        for item in range(25):
            center = rng.normal(0, 0.5)
            p = 1 / (1 + np.exp(-(center + rng.standard_normal(40) * 30 / np.sqrt(n))))
            told = {"probabilities": np.stack([p, 1 - p], 1).tolist(), "label": 0}
            rows.append({"model": f"n{n:g}", "tokens": n, "item": item, **told})
    found = evaluate(read_items(pl.DataFrame(rows)), draws=20)
    slopes = {each.measure: each.gamma for each in found.slopes}
    assert found.scale == "D" and slopes["epistemic"].value == pytest.approx(-1, abs=0.12)
    assert abs(slopes["total"].value) < 0.05
    assert {"score/epistemic", "score/epistemic_stderr", "score/acc"} <= set(found.table().columns)
