"""One SVG for both papers: what is seen on each, what it holds, and when both drawings are in it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from isoflop.plots.canvas import render
from isoflop.plots.papers import render_for_both
from isoflop.plots.style import RAMPS, dots, legend, log_axis, ramp, shades, size_bar, size_colors

COLOR = re.compile(r"#[0-9a-f]{6}\b")


def colored(count=40):
    """A picture with ordered colors, a bar, ink, a series, and a name from a file."""
    x = np.geomspace(1e6, 1e9, count)

    def draw(axes):
        norm, colors = size_colors(axes, x)
        dots(axes, x, 3 - np.log10(x) / 5, colors=colors(norm(x)))
        axes.plot(x, 2.9 - np.log10(x) / 5, color=shades(axes).series[1], label="a <b> & -- name")
        axes.fill_between(x, 1, 2, color=shades(axes).faint)
        log_axis(axes.xaxis, "N")
        size_bar(axes, norm, colors, label="N")
        legend(axes)

    return draw


def channels(color):
    return [int(color[each : each + 2], 16) for each in (1, 3, 5)]


def seen(picture, scheme):
    """The picture with the colors that one scheme gives it, its classes written out, without sheets."""
    text = picture.decode()
    classes = dict(re.findall(r"\.(ls\d+)\{(.*?)\}", text))
    text = re.sub(r' class="(ls\d+)"', lambda found: f' style="{classes[found[1]]}"', text)
    day, night = re.search(r"<style>svg\{(.*?)\}@media.*?\{svg\{(.*?)\}\}</style>", text).groups()
    given = dict(each.split(":") for each in {"light": day, "dark": night}[scheme].rstrip(";").split(";"))
    bare = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    return re.sub(r"var\((--c\d+)\)", lambda found: given[found[1]], bare)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_paper_has_the_colors_of_a_picture_drawn_for_it_alone(scheme):
    alone = render(colored(), format="svg", dark=scheme == "dark").decode()
    both = seen(render_for_both(colored()), scheme)
    # two of 256 ordered colors can be one color on light paper and next to each other on dark
    off = np.array(list(map(channels, COLOR.findall(both)))) - list(map(channels, COLOR.findall(alone)))
    assert np.abs(off).max() <= 6


def test_it_is_one_drawing_well_formed_and_the_same_each_time():
    picture = render_for_both(colored())
    root = ElementTree.fromstring(picture)
    assert root.tag.endswith("svg") and b"<image" not in picture and b"<!--" not in picture
    assert not COLOR.findall(picture.decode().split("</style>", 1)[1])
    assert picture == render_for_both(colored())


def test_glyphs_keep_their_scale():
    whole, small = (re.findall(r"scale\([^)]*\)", text.decode()) for text in (
        render(colored(), format="svg"), render_for_both(colored())
    ))  # fmt: skip
    assert small == whole


@pytest.mark.parametrize("draw", [colored(4_000), lambda axes: axes.plot([1, 2], [1, 2], color="#123456")])
def test_a_picture_of_pixels_or_of_an_unknown_color_holds_both_drawings(draw):
    picture = render_for_both(draw).decode()
    root = ElementTree.fromstring(picture)
    drawn = [each.get("class") for each in root if each.get("class")]
    own = re.findall(r' (?:id="|class=")([ld]s?\d+)"', picture)
    assert {name[0] for name in own} == {"l", "d"}  # neither takes the other's styles, clips or glyphs
    assert drawn == ["light", "dark"] and "prefers-color-scheme: dark" in picture
    assert shades_of(picture) == {"#ffffff", "#16181d"}


def shades_of(picture):
    return set(COLOR.findall(picture)) & {"#ffffff", "#16181d"}


@pytest.mark.parametrize("name", RAMPS)
def test_ordered_colors_stand_out_from_their_paper(name):
    for dark in (False, True):
        paper = 0.0 if dark else 1.0
        lightness = np.array(ramp(name, dark=dark).colors)[:, :3] @ [0.2126, 0.7152, 0.0722]
        assert np.abs(lightness - paper).min() > 0.1 and (np.diff(lightness) > -1e-9).all()
