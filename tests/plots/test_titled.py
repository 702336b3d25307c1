"""Titles and source lines stand around a picture; points beyond its limits are arrows with their number."""

import numpy as np
import pytest
from tests.plots.room import crowded

from isoflop.answers import Picture
from isoflop.plots import corner, new_axes, render
from isoflop.plots.canvas import STYLES
from isoflop.plots.design import design
from isoflop.plots.style import MOST_DRAWN, at_the_edge, dots, usual_limits
from isoflop.plots.titled import entitle
from isoflop.questions.base.captions import captioned, short, source_line
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.fit import Fit
from isoflop.render.titled import titled, titled_size

LONG = "A long claim with its numbers; " * 12


def line(axes):
    axes.plot([1, 2], [3, 4])


@pytest.mark.parametrize("claim", ["N* is 36B ($5 a run)", LONG])
def test_a_title_and_its_source_stay_on_the_page(claim):
    axes = new_axes(size=(4.0, 3.5))
    line(axes)
    entitle(axes, claim, "runs.csv · chinchilla · n = 245")
    figure = axes.get_figure(root=True)
    figure.draw_without_rendering()
    for text in (figure._suptitle, figure._supxlabel):
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    assert not figure._suptitle.get_window_extent().overlaps(axes.get_window_extent())
    assert crowded(axes) == []


def test_a_title_is_the_claim_else_the_headline_and_the_source_line_says_what_it_is_of(known):
    answer = ask(Fit(), Context(given=known))
    first, second = answer.pictures
    assert first.claim.startswith("The fitted law: loss = ")
    assert second.claim.startswith("chinchilla comes within 0.") and "of half of 30 rows" in second.claim
    source = source_line(answer, answer.provenance)
    assert "· chinchilla · huber:0.001 · n = 30 · isoflop " in source and first.source == second.source == source
    from dataclasses import replace

    bare = replace(answer, pictures=(Picture("a", line, "What is seen."), Picture("b", line, "And more.")))
    told = captioned(bare, {})
    assert told[0].claim.startswith("loss = E + A/N^alpha") and told[1].claim == "And more"


def test_a_long_claim_loses_clauses_rather_than_words():
    assert short("N* is 36B; " + "x" * 200) == "N* is 36B"
    assert short("One sentence.") == "One sentence"
    assert len(short("y" * 400)) == 150


@pytest.mark.parametrize("style", list(STYLES))
def test_a_style_gives_millimeters_and_letters_that_stay_letters(style):
    import re

    picture = Picture("a", line, "alt", (7.2, 4.2), "A claim", "a source")
    drawn = render(titled(picture), format="pdf", size=titled_size(picture), style=style)
    width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", drawn)[1]) / 72 * 25.4
    assert width == pytest.approx(STYLES[style].width_mm, rel=1e-3)
    assert b"/FontFile2" in drawn and b"/Type3" not in drawn
    plain = render(titled(picture), format="pdf", size=titled_size(picture))
    assert plain == render(titled(picture), format="pdf", size=titled_size(picture))  # a style leaves nothing behind


def test_a_few_values_far_off_do_not_set_the_limits(axes):
    y = np.r_[np.linspace(2, 3, 60), 9.0]
    x = np.linspace(1, 2, 61)
    axes.scatter(x, y)
    usual_limits(axes, y, np.r_[np.full(60, 0.001), 2.0])
    at_the_edge(axes, x, y, what="run")
    assert 3 < axes.get_ylim()[1] < 3.5
    assert axes.get_title(loc="left") == "1 run above (arrows)" and not axes.texts  # no word over the runs
    arrows = axes.collections[-1].get_offsets()
    assert len(arrows) == 1 and arrows[0][0] == pytest.approx(2.0)


def test_many_values_far_off_do(axes):
    y = np.r_[np.linspace(2, 3, 60), np.full(20, 9.0)]
    axes.scatter(np.arange(80), y)
    before = axes.get_ylim()
    usual_limits(axes, y, np.r_[np.full(60, 0.001), np.full(20, 2.0)])
    assert axes.get_ylim() == before


def test_a_corner_has_every_pair_once(known, axes):
    corner(known, axes)
    count = len(known.draws)
    assert len(axes.child_axes) == count * (count + 1) // 2
    told = [text.get_text() for each in axes.child_axes for text in each.texts]
    logs = [np.log(known.draws[name]) if name in "AB" else known.draws[name] for name in known.draws]
    expected = [np.corrcoef(logs[j], logs[i])[0, 1] for i in range(count) for j in range(i)]
    assert [float(each) for each in told] == pytest.approx(expected, abs=0.00501)  # two decimals


def test_odd_rows_are_ringed(known_runs, axes):
    runs = known_runs(0.01)
    design(runs, axes, ringed=(2, 5))
    rings = next(each for each in axes.collections if "odd" in str(each.get_label())).get_offsets()
    assert np.asarray(rings) == pytest.approx(np.column_stack([runs["D"], runs["N"]])[np.isin(runs.rows, [2, 5])])


def test_of_very_many_points_every_kth_is_drawn_and_the_picture_says_so(axes):
    count = 2 * MOST_DRAWN + 1
    x = np.linspace(1, 2, count)
    y = np.r_[np.full(count - 1, 3.0), 5.0]  # the last one is not drawn, and is within the limits
    drawn = dots(axes, x, y, colors=np.tile([0.0, 0.0, 1.0, 1.0], (count, 1)))
    assert len(drawn.get_offsets()) == -(-count // 3) and axes.get_ylim()[1] > 5
    assert [each.get_text() for each in axes.texts] == ["one point in 3 drawn"]
