"""Pictures of backtests, rankings, influence and sensitivity show what their results hold."""

import re

import numpy as np
import pytest
from tests.plots.room import crowded

from isoflop import fit, law
from isoflop.plots import (
    choices_made,
    coverage_by_law,
    laws_ranked,
    new_axes,
    predicted_against_actual,
    removal_paths,
    runs_left_out,
)
from isoflop.plots.sensitivity import by_effect
from isoflop.validation.backtest import backtest
from isoflop.validation.influence import influence
from isoflop.validation.rank import rank
from isoflop.validation.sensitivity import sensitivity


@pytest.fixture
def narrow():
    return new_axes(size=(4.0, 3.4), dark=True)


def rows_named(axes):
    return [each.get_text() for each in axes.get_yticklabels()]


def test_forecasts_stand_against_what_was_measured(known_runs, axes):
    result = backtest([law("chinchilla"), law("power-n-floor")], known_runs(0.01), draws=60)
    predicted_against_actual(result, axes, law="chinchilla")
    each = result.laws[0]
    drawn = [line.get_data() for line in axes.lines if line.get_marker() != "None" and len(line.get_xdata())]
    x, y = np.concatenate([each[0] for each in drawn]), np.concatenate([each[1] for each in drawn])
    order, wanted = np.argsort(x), np.argsort(result.held.truth)
    assert x[order] == pytest.approx(result.held.truth[wanted]) and y[order] == pytest.approx(each.value[wanted])
    bars = axes.collections[0].get_segments()
    assert [bar[0][1] for bar in bars] == pytest.approx(each.low)
    assert axes.get_xlabel() == "measured loss (nats/token)" and crowded(axes) == []
    missed = (result.held.truth < each.low) | (result.held.truth > each.high)
    hollow = [line for line in axes.lines if line.get_markerfacecolor() == "#ffffff" and len(line.get_xdata())]
    assert sum(len(line.get_xdata()) for line in hollow) == missed.sum()


def test_coverage_stands_beside_the_nominal_level(known_runs, narrow):
    result = backtest([law("chinchilla"), law("power-n-floor")], known_runs(0.01), draws=60)
    coverage_by_law(result, narrow)
    assert rows_named(narrow) == ["chinchilla", "power-n-floor"]
    assert narrow.lines[0].get_xdata() == [0.9, 0.9]
    shares = [line.get_xdata()[0] for line in narrow.lines[1:]]
    assert shares == pytest.approx([result.scores(each).coverage.value for each in result.laws])
    assert crowded(narrow) == []


def test_laws_stand_in_their_order(known_runs, narrow):
    ranking = rank(known_runs(0.01), laws=[law("chinchilla"), law("power-n-floor"), law("power-d-floor")], draws=60)
    laws_ranked(ranking, narrow)
    baselines = [each.name for each in ranking.backtest.baselines]
    assert rows_named(narrow) == [*(each.law.name for each in ranking.ranked), *baselines]
    values = [line.get_xdata()[0] for line in narrow.lines if len(line.get_xdata())][: len(ranking.ranked)]
    named = [text.get_text() for text in narrow.get_legend().get_texts()]
    ties = [each.tied for each in ranking.ranked[1:]]
    assert named[0] == "best, or ties with it" and ("told apart from it" in named) == (not all(ties))
    assert values == pytest.approx([100 * each.scores.are.value for each in ranking.ranked])
    assert crowded(narrow) == []


def test_runs_left_out_and_removed(known_runs, narrow, axes):
    found = influence(fit(law("chinchilla"), known_runs(0.01)), draws=60)
    effect = found.effect(found.decided)
    runs_left_out(found, narrow, count=6)
    chosen = found.strongest(found.decided, count=6)
    assert rows_named(narrow) == [f"without {found.labels[run]}" for run in chosen]
    drawn = [line.get_xdata()[0] for line in narrow.lines if line.get_marker() == "o" and line.get_zorder() == 3]
    assert drawn == pytest.approx(effect.without[chosen])
    assert re.fullmatch(r"N\* at [\d.·]+[⁰¹²³⁴⁵⁶⁷⁸⁹]+ FLOPs", narrow.get_xlabel()) and crowded(narrow) == []

    removal_paths(found, axes)
    paths = [path for path in found.removals if path.values]
    lines = [line for line in axes.lines if len(line.get_xdata()) > 2]
    for path, line in zip(paths, lines, strict=True):
        assert line.get_ydata() == pytest.approx([effect.value.value, *path.values])
    assert crowded(axes) == []


def test_choices_stand_over_the_interval_of_the_base(known_runs):
    found = sensitivity(law("chinchilla"), known_runs(0.01, sizes=4, durations=4), draws=20, starts=8)
    axes = new_axes(size=(7.2, 6.4))
    choices_made(found, axes, answer="forecast")
    assert len(rows_named(axes)) == len(found.choices)
    base = found.base["forecast"]
    band = axes.patches[0]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((base.low, base.high))
    marks = {line.get_ydata()[0]: line for line in axes.lines if len(line.get_xdata()) == 1}
    moved = by_effect(found, "forecast")
    sizes = [abs(each.answers["forecast"].value - base.value) for each in moved if "forecast" in each.answers]
    assert sizes == sorted(sizes, reverse=True) and len(moved) == len(found.choices)
    for row, choice in enumerate(moved):
        if "forecast" not in choice.answers:
            assert row not in marks and "(none)" in rows_named(axes)[row]
        elif marks[row].get_marker() in "os":
            assert marks[row].get_xdata()[0] == pytest.approx(choice.answers["forecast"].value)
            assert (marks[row].get_marker() == "s") == found.outside(choice, "forecast")
    assert crowded(axes) == []


def test_a_run_named_like_mathematics_is_drawn(known_runs, axes):
    runs = known_runs(0.01)
    named = runs.with_column("run", [rf"$\frac{{{number // 2}}}$ <b>" for number in range(len(runs))])
    runs_left_out(influence(fit(law("chinchilla"), named), draws=40), axes, count=4)
    assert crowded(axes) == [] and "<b>" in rows_named(axes)[0]
