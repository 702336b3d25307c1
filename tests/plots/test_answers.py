"""Pictures of recounts, repeats, scores, runs under way and the Hitchhiker's grid show what their results hold."""

import numpy as np
import polars as pl
import pytest
from tests.plots.room import crowded

from isoflop import Runs, bootstrap, fit, law, squares
from isoflop.planning.downstream import downstream, stages
from isoflop.planning.published import published
from isoflop.planning.reconcile import convert_counts
from isoflop.planning.repeat import PUBLISHED, repeat
from isoflop.plots import (
    errors_by_share,
    exponents_recounted,
    new_axes,
    run_to_its_end,
    score_against_loss,
    worth_of_repeats,
)
from isoflop.room import MOST_TASKS
from isoflop.validation.finish import finish
from isoflop.validation.schedule_ahead import shape


@pytest.fixture(params=[(7.2, 4.2), (4.0, 3.0)], ids=["wide", "narrow"])
def axes(request):
    return new_axes(size=request.param, dark=request.param[0] < 5)


def named(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def line_through(axes, x, y):
    """Whether one line of the axes holds exactly these points."""
    return any(
        len(line.get_xdata()) == len(x)
        and np.allclose(np.asarray(line.get_xdata(), dtype=float), x)
        and np.allclose(np.asarray(line.get_ydata(), dtype=float), y)
        for line in axes.lines
    )


def test_exponents_run_between_their_limits_with_kaplans_sizes_shaded(known, axes):
    answers = {"epoch": convert_counts(published("chinchilla:epoch")), "fitted": convert_counts(known)}
    exponents_recounted(answers, axes)
    for each in answers.values():
        assert line_through(axes, each.curve[0], each.curve[1])
        assert line_through(axes, each.sizes, [each.slope.value] * 2)
        value = each.curve[1]
        assert value[0] == pytest.approx(each.small.value, rel=0.02)
        assert value[-1] == pytest.approx(each.large.value, rel=0.02)
    level = [line.get_ydata()[0] for line in axes.lines if list(line.get_xdata()) in ([0.0, 0.16], [0.84, 1.0])]
    assert level == pytest.approx([end.value for each in answers.values() for end in (each.small, each.large)])
    shaded = axes.patches[0]
    assert (shaded.get_x(), shaded.get_x() + shaded.get_width()) == pytest.approx((790, 1.58e9))
    # constants without draws have no band
    assert len(axes.collections) == 1
    assert named(axes)[:3] == ["Kaplan's sizes", "epoch", "fitted"] and crowded(axes) == []


def test_the_band_of_an_exponent_is_that_of_its_draws(known):
    said = convert_counts(known, sizes=(1e6, 1e9))
    _, value, low, high = said.curve
    assert ((low <= value) & (value <= high)).mean() > 0.95
    assert (low[-1], high[-1]) == pytest.approx((said.large.low, said.large.high), rel=0.02)
    axes = exponents_recounted({"fitted": said}, new_axes())
    drawn = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (drawn.min(), drawn.max()) == pytest.approx((low.min(), high.max()))
    assert named(axes)[0] == "1M to 1B"


def test_what_epochs_are_worth_and_where_to_stop(axes):
    answers = [repeat(published(each), unique=1e11, params=7e9) for each in PUBLISHED]
    worth_of_repeats(answers, axes)
    end = axes.get_xlim()[1]
    for each in answers:
        epochs, fresh = each.along[:2, each.along[0] <= end]
        assert line_through(axes, epochs, fresh)
        passes = {one.epochs: one.fresh.value for one in each.passes}
        assert [fresh[epochs == at][0] for at in passes] == pytest.approx(list(passes.values()))
        assert line_through(axes, [each.stop.value], [float(np.interp(each.stop.value, epochs, fresh))])
        assert (fresh <= epochs * (1 + 1e-6)).all()  # below the line of fresh tokens
    assert named(axes)[1:3] == ["muennighoff", "lovelace"]
    assert axes.get_xlabel() == "epochs over 100B unique tokens" and crowded(axes) == []


def test_a_law_without_draws_or_with_an_endless_stop_is_drawn(axes):
    answer = repeat(published("muennighoff:c4"), unique=1e6, params=1e9, least=0.001)
    worth_of_repeats([answer], axes)
    assert np.isnan(answer.along[2]).all()
    assert not axes.collections and crowded(axes) == []


def chain(draws=60):
    chinchilla, score = law("chinchilla"), law("task-accuracy-to-one")
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.3, 5), np.logspace(9.5, 11.5, 5)))
    noise = np.random.default_rng(0).normal(size=(2, 25))
    loss = chinchilla.value({"E": 0.5, "A": 60.0, "B": 90.0, "alpha": 0.25, "beta": 0.25}, {"N": n, "D": d})
    hits = score.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": loss}) + 0.01 * noise[0]
    runs = Runs.from_columns({"N": n, "D": d, "task_loss": loss * np.exp(0.01 * noise[1]), "hits": hits})
    tables = stages(runs, chinchilla, loss="task_loss", score="hits")
    first = bootstrap(fit(chinchilla, tables.finals), draws=draws)
    second = bootstrap(fit(score, tables.points, objective=squares(space="raw")), draws=draws)
    return downstream(first, second, {"N": 1e10, "D": 1e12})


def test_scores_stand_against_their_losses_with_the_forecast(axes):
    said = chain()
    score_against_loss({"quiz": said}, axes)
    runs = said.second.fit.runs
    points = np.asarray(next(each for each in axes.collections if len(each.get_offsets()) == len(runs)).get_offsets())
    assert points[:, 0] == pytest.approx(runs["loss"]) and points[:, 1] == pytest.approx(runs["accuracy"])
    assert line_through(axes, [said.loss.loss.value], [said.score.value])
    across, upwards = axes.containers[0].lines[2]
    assert np.asarray(across.get_segments()[0])[:, 0] == pytest.approx([said.loss.loss.low, said.loss.loss.high])
    assert np.asarray(upwards.get_segments()[0])[:, 1] == pytest.approx([said.score.low, said.score.high])
    assert set(named(axes)) == {"bars: forecast, 90% intervals", "quiz"}
    assert axes.get_ylabel() == "accuracy" and crowded(axes) == []
    # the curve reaches from the runs to the forecast
    drawn = max(axes.lines, key=lambda line: len(line.get_xdata())).get_xdata()
    assert drawn.min() <= said.loss.loss.low and drawn.max() == pytest.approx(runs["loss"].max())


def test_only_the_first_tasks_are_drawn():
    said = chain(draws=30)
    axes = score_against_loss({f"task {k}": said for k in range(MOST_TASKS + 2)}, new_axes())
    assert sum(name.startswith("task") for name in named(axes)) == MOST_TASKS


def test_a_run_under_way_and_its_end(axes):
    step = np.arange(100, 5001, 100.0)
    rate = 3e-4 * shape("cosine:0.1").factor(step, top=500, end=10_000)
    loss = 2.5 + 3 * step**-0.3 + 0.004 * np.random.default_rng(0).standard_normal(len(step))
    said = finish(Runs.from_columns({"step": step, "lr": rate, "loss": loss}), steps=10_000, draws=100)
    run_to_its_end(said, axes)
    points = np.asarray(next(each for each in axes.collections if len(each.get_offsets()) == len(step)).get_offsets())
    assert points[:, 1] == pytest.approx(loss)
    assert line_through(axes, said.curve[:, 0], said.curve[:, 1])
    bar = np.asarray(axes.containers[0].lines[2][0].get_segments()[0])
    assert bar[:, 1] == pytest.approx([said.loss.low, said.loss.high]) and bar[0, 0] == said.end
    low, high = axes.get_ylim()
    assert low < said.loss.low and said.loss.high < high and axes.get_xlim()[1] > said.end
    assert crowded(axes) == []
    assert "10K" in [tick.get_text() for tick in axes.get_xticklabels()]


def grid(errors):
    rows = [
        {"models": k + 2, "share": (column + 1) / len(line), "are": value}
        for k, line in enumerate(errors)
        for column, value in enumerate(line)
        if value is not None
    ]
    return pl.DataFrame(rows)


def borders(axes):
    """The edges of each border, by its dashes: the black lines on their white ones."""
    return [
        {tuple(map(tuple, np.round(segment, 6).tolist())) for segment in each.get_segments()}
        for each in axes.collections
        if each.get_linewidths()[0] == 1.6
    ]


def test_errors_are_numbers_on_shades_with_borders_where_they_stay_small(axes):
    errors_by_share(grid([[0.3, 0.12, 0.04], [2.0, 0.08, 0.03]]), axes)
    assert [text.get_text() for text in axes.texts] == ["30", "12", "4", ">99", "8", "3"]
    fifteen, ten, five = borders(axes)
    assert five == {((1.5, -0.5), (1.5, 0.5)), ((1.5, 0.5), (1.5, 1.5))}
    assert ten == {((1.5, -0.5), (1.5, 0.5)), ((0.5, 0.5), (0.5, 1.5)), ((0.5, 0.5), (1.5, 0.5))}
    assert fifteen == {((0.5, -0.5), (0.5, 0.5)), ((0.5, 0.5), (0.5, 1.5))}
    assert named(axes) == ["within 5%", "within 10%", "within 15%"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["2", "3"] and crowded(axes) == []


@pytest.mark.parametrize("errors", [[[0.2]], [[0.01, 0.01]], [[5.0, None], [7.0, 9.0]], [[0.0, 0.3]]])
def test_a_grid_of_one_cell_of_equal_errors_or_with_gaps_is_drawn(errors, axes):
    errors_by_share(grid(errors), axes)
    assert len(axes.texts) == sum(len(line) for line in errors)
    assert [text.get_text() for text in axes.texts].count("–") == sum(each is None for line in errors for each in line)
    assert crowded(axes) == []
