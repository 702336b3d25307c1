"""A score that falls while the loss improves is told, and one that rises or does not move is not."""

import numpy as np
import pytest
from tests.planning.test_downstream import AT, LOSS, chain, ladder

from isoflop import Runs, fit, law, squares
from isoflop.planning.downstream import downstream
from isoflop.planning.reversal import reversal_findings, trend_findings


def points(score, runs=16, noise=0.01, seed=0):
    """Two checkpoints a run: only the last counts."""
    rng = np.random.default_rng(seed)
    loss = np.linspace(1.0, 3.0, runs)
    loss = np.column_stack([loss + 0.5, loss]).ravel()
    columns = {"loss": loss, "accuracy": score(loss) + noise * rng.normal(size=loss.size)}
    return Runs.from_columns({**columns, "run": np.repeat([f"r{each}" for each in range(runs)], 2)})


def told_of(runs, name="task-accuracy-to-one"):
    """The findings, with a law of the score as it was fitted."""
    fitted = fit(law(name), runs, objective=squares(space="raw"), starts=4)
    return reversal_findings(runs, fitted)


@pytest.mark.parametrize(
    ("score", "told"),
    [
        (lambda x: 0.9 - 0.2 * x, ""),  # as it should be
        (lambda x: 0.1 + 0.2 * x, "among the 16 runs ("),  # inverse scaling
        (lambda x: 0.5 - 0.3 * np.abs(x - 1.9), "among the 8 runs of lowest loss ("),  # inverted U
        (lambda x: 0.2 + 0.3 * np.abs(x - 2.4), ""),  # a U whose turn lies behind it
        (lambda x: 0.25 + 0 * x, ""),  # chance
    ],
)
def test_the_direction_of_the_best_runs_decides(score, told):
    found = told_of(points(score))
    assert [each.code for each in found] == (["score-reversal"] if told else [])
    assert all(told in each.message and each.level == "error" for each in found)


def test_chance_alone_raises_it_in_few_tables():
    flat = [told_of(points(lambda x: 0.25 + 0 * x, seed=seed)) for seed in range(25)]
    assert sum(map(bool, flat)) <= 3  # two tests at 1 %


def test_a_score_at_chance_has_no_trend_and_one_that_rises_has():
    def told(score, seed=0):
        runs = points(score, seed=seed)
        return trend_findings(runs, fit(law("task-accuracy-to-one"), runs, objective=squares(space="raw"), starts=4))

    flat = [told(lambda x: 0.25 + 0 * x, seed) for seed in range(20)]
    # as the law goes the way of the scatter, one in ten tables seems to follow the loss at 5 %
    assert sum(map(bool, flat)) >= 15 and {each.code for some in flat for each in some} == {"no-score-trend"}
    assert not any(told(lambda x: 0.9 - 0.2 * x, seed) for seed in range(5))


def test_the_forecast_of_a_share_stays_one():
    """Without a trend the sigmoid runs off on the few runs, and its draws leave 0 to 1."""
    rng = np.random.default_rng(0)
    runs = ladder(0.01)
    flat = runs.with_column("hits", np.clip(0.27 + 0.03 * rng.normal(size=len(runs)), 0, 1))
    first, second = chain(flat, draws=60)
    found = downstream(first, second, AT)
    for each in (found.score, found.expected, found.law_score):
        assert 0 <= each.low <= each.value <= each.high <= 1
    assert "no-score-trend" in {each.code for each in found.findings}


def test_an_error_that_rises_with_the_loss_is_none():
    falling = points(lambda x: 0.2 + 0.6 * (1 - np.exp(-x)))
    errors = Runs.from_columns({"loss": falling["loss"], "error": falling["accuracy"], "run": falling.text("run")})
    assert told_of(errors, "gadre-error") == []
    turned = points(lambda x: 0.4 - 0.3 * np.exp(-x) + 0.15 * np.maximum(1.9 - x, 0))
    errors = Runs.from_columns({"loss": turned["loss"], "error": turned["accuracy"], "run": turned.text("run")})
    (finding,) = told_of(errors, "gadre-error")
    assert finding.message.startswith("the error rises while the loss improves among the 8 runs of lowest loss")


def test_it_stands_first_under_the_forecast_of_such_a_score():
    runs = ladder(0.01)
    turned = runs.with_column("hits", 1 - runs["hits"])
    found = downstream(*chain(turned, draws=40), AT)
    assert found.findings[0].code == "score-reversal" and LOSS.response == "loss"
    assert "score-reversal" not in {each.code for each in downstream(*chain(runs, draws=40), AT).findings}
