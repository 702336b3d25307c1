"""Pictures become files that are whole, the same each time, and in colors that suit their paper."""

import io
import sys
from subprocess import run

import numpy as np
import pytest
from matplotlib.figure import Figure

from isoflop.errors import IsoflopError
from isoflop.plots import new_axes, render, save
from isoflop.plots.canvas import SIZE
from isoflop.plots.style import (
    dots,
    legend,
    legend_below,
    log_axis,
    plain,
    shades,
    size_bar,
    size_colors,
)


def line(axes):
    axes.plot([1, 2], [3, 4], color=shades(axes).ink, label="a")
    legend(axes)


@pytest.mark.parametrize(("format", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_a_picture_is_the_same_bytes_each_time(format, begins):
    first = render(line, format=format)
    assert first.startswith(begins) and render(line, format=format) == first


def below(axes):
    axes.loglog([1, 2e9], [3, 4e9], label="a")
    axes.set_xlabel("what is counted")
    legend_below(axes)


def barred(axes):
    sizes = np.geomspace(1e6, 1e9, 30)
    norm, colors = size_colors(axes, sizes)
    dots(axes, sizes, 3 + sizes / 1e9, colors=colors(norm(sizes)))
    log_axis(axes.xaxis, "N")
    axes.set_title("a title", loc="left")
    axes.set_ylabel("loss")
    size_bar(axes, norm, colors, label="parameters N")


def two_sided(axes):
    axes.plot([1e6, 2e9], [3, 4e9])
    log_axis(axes.yaxis, "D")
    axes.secondary_xaxis("top").set_xlabel("above")


@pytest.mark.parametrize("draw", [line, below, barred, two_sided])
def test_a_picture_is_laid_out_as_matplotlib_does_and_drawn_once(draw, monkeypatch):
    drawings = []
    monkeypatch.setattr(Figure, "draw", lambda self, renderer, own=Figure.draw: drawings.append(own(self, renderer)))
    axes = new_axes()
    draw(axes)
    save_to(axes)
    assert len(drawings) == 1
    plain = Figure(figsize=SIZE, layout="constrained")
    other = plain.subplots()
    draw(other)
    plain.savefig(io.BytesIO(), format="svg")
    assert len(drawings) > 2
    figure = axes.get_figure()
    for one, reference in zip(figure.axes, plain.axes, strict=True):
        off = (one.get_position().extents - reference.get_position().extents) * np.tile(figure.get_size_inches(), 2)
        assert np.abs(96 * off).max() < 1, "less than a pixel of a screen"


def save_to(axes):
    """Draw the figure of these axes as `save` does, into nothing."""
    axes.get_figure().write(io.BytesIO(), format="svg", dpi=140, metadata={})


def test_dark_and_light_follow_the_paper():
    dark, light = shades(new_axes(dark=True)), shades(new_axes())
    assert dark.dark and not light.dark
    see_through = Figure(facecolor="black").subplots()
    see_through.set_facecolor("none")
    assert shades(see_through).dark
    assert not shades(Figure().subplots()).dark


def test_a_picture_is_written_as_its_ending_says(tmp_path):
    axes = new_axes()
    line(axes)
    assert save(axes, tmp_path / "a.SVG").read_bytes().startswith(b"<?xml")
    assert save(axes, str(tmp_path / "a.png"), dpi=50).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.jpg", "is written as .png, .svg or .pdf, not 'a.jpg'"),
        ("a", "is written as .png, .svg or .pdf, not 'a'"),
        ("nowhere/a.png", "of the picture a.png does not exist"),
        ("folder.png", "is a folder, and a picture is a file"),
    ],
)
def test_a_place_that_holds_no_picture_is_refused(tmp_path, name, says):
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsoflopError, match=says):
        save(new_axes(), tmp_path / name)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder.png"]


def test_nothing_of_matplotlib_loads_before_a_picture_is_drawn():
    code = "import sys, isoflop.plots, isoflop.render.html; print('matplotlib' in sys.modules)"
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"


def test_drawing_leaves_pyplot_alone():
    render(line)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.parametrize("name", ["$x$", "_hidden", "a\nb", "$" * 90, "<b>$\\frac$</b>"])
def test_names_from_files_are_no_mathematics(name):
    def draw(axes):
        axes.plot([1, 2], [3, 4], label=plain(name))
        axes.set_ylabel(plain(name))
        legend(axes)
        assert len(axes.get_legend().get_texts()) == 1

    assert render(draw, format="png", dpi=40)
    assert "\n" not in plain(name)
