"""Ticks stand at round numbers, and never touch."""

import numpy as np
import pytest
from matplotlib.ticker import FixedLocator, NullFormatter
from tests.plots.room import crowded

from isoflop.plots import new_axes, render
from isoflop.plots.style import log_axis

SPANS = [(1.28, 2.2), (0.64, 0.97), (3, 9), (2, 40), (1e9, 3e9), (6.59e3, 8.2e5), (1e8, 1e12), (1e17, 1e26), (1, 1e80)]


@pytest.mark.parametrize("size", [(7.2, 4.2), (4.0, 3.0), (3.6, 4.0)])
@pytest.mark.parametrize("name", ["N", "6ND", "loss"])
@pytest.mark.parametrize("span", SPANS)
def test_labels_never_touch_and_there_are_at_least_two(span, name, size):
    axes = new_axes(size=size)
    axes.plot(span, span)
    log_axis(axes.xaxis, name)
    log_axis(axes.yaxis, name)
    assert crowded(axes) == []
    low, high = axes.get_xlim()
    shown = [each for each in axes.get_xticks() if low <= each <= high]
    assert len(shown) >= 2
    mantissa = np.array(shown) / 10.0 ** np.floor(np.log10(shown) + 1e-9)
    assert np.allclose(mantissa, np.round(mantissa, 3)), "round numbers"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("N", 7e10, "70B"), ("D", 1.4e12, "1.4T"), ("6ND", 1e23, "10²³"), ("6ND", 2e23, "2·10²³"),
     ("loss", 2.25, "2.25"), ("loss", 1e6, "10⁶"), ("loss", 3e-5, "3·10⁻⁵")],
)  # fmt: skip
def test_ticks_read_as_people_write_them(axes, name, value, text):
    axes.plot([value / 10, value * 10], [1, 2])
    log_axis(axes.xaxis, name)
    assert axes.xaxis.get_major_formatter()(value) == text


MARKS = [
    ((2.5, 40), [3, 4, 5, 6, 7, 8, 9, 20, 30, 40]),
    ((1e22, 4e22), []),  # within a decade the ticks are even
    ((1, 1e9), []),  # too many to be told apart
]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("span", "at"), MARKS)
def test_small_ticks_look_as_those_of_matplotlib(span, at, dark):
    def ours(axes, small=None):
        axes.plot(span, span)
        axes.tick_params(which="minor", top=True)
        for axis in (axes.xaxis, axes.yaxis):
            log_axis(axis, "loss")
        axes.set(xlim=span, ylim=span)
        if small is not None:
            for each in axes.artists:
                each.remove()
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(FixedLocator(small))
                axis.set_minor_formatter(NullFormatter())

    def seen(draw):
        return render(draw, format="png", dpi=50, dark=dark)

    drawn = seen(ours)
    assert drawn == seen(lambda axes: ours(axes, at))
    assert (drawn == seen(lambda axes: ours(axes, []))) == (not at), "the comparison sees them"
