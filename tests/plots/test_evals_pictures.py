"""Pictures of scores: what stands on their axes is what was computed."""

import numpy as np
import pytest
from docs_build.runner import write_attempts, write_choices

from isoflop import plots
from isoflop.evals import evaluate, read_items


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    place = tmp_path_factory.mktemp("evals")
    write_attempts(place / "attempts.csv")
    write_choices(place / "choices.csv")
    return {
        name: evaluate(read_items(place / f"{name}.csv", ceilings=high), draws=20)
        for name, high in (("attempts", {}), ("choices", {"quiz": 0.95}))
    }


def test_scores_stand_at_their_scale_between_chance_and_ceiling(found):
    axes = plots.score_against_scale(found["choices"], plots.new_axes())
    scores = [each.value for each in found["choices"].scores if each.measure == "acc"]
    line = next(
        each for each in axes.get_lines() if np.array_equal(each.get_ydata(), scores)
    )  # others are caps of bars
    assert np.asarray(line.get_xdata()) == pytest.approx(found["choices"].x)
    levels = [float(each.get_ydata()[0]) for each in axes.get_lines() if len(set(np.atleast_1d(each.get_ydata()))) == 1]
    assert sorted(levels) == [0.25, 0.95]
    assert "chance level, ceiling" in [each.get_text() for each in axes.get_legend().get_texts()]


def test_the_law_of_pass_rates_is_a_straight_line(found):
    law = found["attempts"].pass_laws["score"]
    axes = plots.pass_line(law, "N", plots.new_axes())
    line = next(each for each in axes.get_lines() if len(each.get_xdata()) == 100)
    slope = np.diff(np.log(line.get_ydata())) / np.diff(np.log(line.get_xdata()))
    assert slope == pytest.approx(np.full(99, -law.alpha.value), rel=1e-6)
    assert axes.get_xscale() == axes.get_yscale() == "log"


def test_a_curve_for_each_score_of_the_chain_falls(found):
    axes = plots.correlations_along_chain(found["choices"].chains["quiz"], plots.new_axes())
    curves = [each for each in axes.get_lines() if len(each.get_xdata()) > 1]
    assert len(curves) == 5
    assert all((np.diff(each.get_ydata()) <= 0).all() for each in curves)
