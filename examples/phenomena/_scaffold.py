"""What every example of this folder shares: the command line, the printed table and verdict, the figure's style."""

from __future__ import annotations

import argparse
import io
import json
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import matplotlib

matplotlib.use("Agg")

import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from PIL import Image
from scipy.special import stdtrit

from isoflop.uncertainty import Interval
from isoflop.units import decimals_for, format_by_interval, format_quantity

Verdict = Literal["appears", "appears in part", "does not appear", "undecided"]

LEVEL = 0.9
APART = 1_000_000  # between the streams of two seeds; no example's own streams lie so far apart
# Okabe and Ito's palette, which people with any of the common color blindnesses can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


@dataclass(frozen=True)
class Outcome:
    """What an example found.

    verdict and says are computed from the measured numbers; numbers holds those that a test or a reader may want, the
    one on which the verdict rests first.
    """

    verdict: Verdict
    says: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    figure: Figure
    numbers: Mapping[str, float | Interval] = field(default_factory=dict)


def stream(first: int, seed: int) -> int:
    """The seed of one of an example's streams of random numbers: ``first`` itself at seed 0, another at every other."""
    return first + APART * seed


def show(title: str, name: str, study: Callable[[bool, int], Outcome]) -> None:
    """Perform ``study(quick, seed)``, print its table and verdict, and write ``name``.png and ``name``.json.

    The seeds after the first write their own JSON alone, ``name``-1.json and so on.
    """
    parser = argparse.ArgumentParser(description=title, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds instead of minutes; the verdict may change")
    parser.add_argument("--out", type=Path, default=Path("phenomena"), metavar="DIR", help="where the picture goes")
    parser.add_argument("--seed", type=int, default=0, help="of everything drawn; 0 by default")
    options = parser.parse_args()
    begun = time.perf_counter()
    seed = options.seed
    outcome = study(options.quick, seed)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / f"{name}.png"
    if seed == 0:
        save(outcome.figure, path)
    record(outcome, options.out / (f"{name}.json" if seed == 0 else f"{name}-{seed}.json"), title, seed, options.quick)
    print(title.strip().splitlines()[0])
    print()
    print_table(outcome.header, outcome.rows)
    print()
    print(textwrap.fill(f"Verdict: {outcome.verdict}. {outcome.says}", width=110, break_on_hyphens=False))
    print(f"{path} · {time.perf_counter() - begun:.0f} s, {time.process_time():.0f} s of one core")


def record(outcome: Outcome, path: Path, title: str, seed: int, quick: bool) -> None:
    """The verdict and its numbers as JSON, from which the table of the documentation is made."""
    numbers = {
        name: [each.value, each.low, each.high, each.level] if isinstance(each, Interval) else float(each)
        for name, each in outcome.numbers.items()
    }
    values = {
        "title": title.strip().splitlines()[0],
        "verdict": outcome.verdict,
        "says": outcome.says,
        "numbers": numbers,
        "seed": seed,
        "quick": quick,
        "seconds": round(time.process_time(), 1),
    }
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def save(figure: Figure, path: Path) -> None:
    """The figure as a PNG of at most 128 colors, a third of the size of matplotlib's own."""
    held = io.BytesIO()
    figure.savefig(held, dpi=100)
    Image.open(held).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their widest entry, the first flush left and the others flush right."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for number, line in enumerate(lines):
        cells = [
            line[0].ljust(widths[0]),
            *(text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True)),
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))


def told(interval: Interval) -> str:
    """``0.54 [0.51, 0.57]``, with the digits that the interval supports."""
    ends = (interval.low, interval.high)
    if not np.isfinite([interval.value, *ends]).all():
        return "not found"
    if max(map(abs, (interval.value, *ends))) >= 1e4:
        return f"{format_quantity(interval.value)} [{', '.join(format_quantity(end) for end in ends)}]"
    places = decimals_for(*ends)
    if places > 6:
        return f"{interval.value:.2g} [{ends[0]:.2g}, {ends[1]:.2g}]"
    if places == 0:
        value, *texts = (format_by_interval(each, *ends) for each in (interval.value, *ends))
    else:
        value, *texts = (f"{each:.{places}f}" for each in (interval.value, *ends))
    return f"{value} [{', '.join(texts)}]"


def side(interval: Interval, expected: float) -> str:
    """Whether an expected value lies ``inside`` or ``outside`` the interval."""
    return "inside" if interval.low <= expected <= interval.high else "outside"


def mean_interval(values: Sequence[float] | np.ndarray, *, level: float = LEVEL) -> Interval:
    """Mean ± t·s/√n over independent repetitions; at least two."""
    values = np.asarray(values, dtype=np.float64)
    half = float(stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(len(values)))
    return Interval(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half, level)


def draws_interval(value: float, draws: np.ndarray, *, level: float = LEVEL) -> Interval:
    """A value with the central share of its finite draws."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Interval(value, float("nan"), float("nan"), level)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level)


def panels(count: int = 1, *, width: float | None = None, height: float = 4.0) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` axes side by side, in one style."""
    figure = Figure(figsize=(width or (6.0 if count == 1 else 4.7 * count), height), layout="constrained")
    with matplotlib.rc_context({"axes.prop_cycle": cycler(color=COLOURS)}):
        axes = [figure.add_subplot(1, count, number + 1) for number in range(count)]
    for each in axes:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(visible=True, which="major", color="#e6e6e6", linewidth=0.8)
        each.set_axisbelow(True)
    return figure, axes


def plain_ticks(axes: Axes, values: Sequence[float], *, axis: Literal["x", "y"] = "x") -> None:
    """Mark these values, as people write them, on a logarithmic axis."""
    scale = axes.xaxis if axis == "x" else axes.yaxis
    scale.set_major_locator(FixedLocator(list(values)))
    scale.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.6g}" if value < 1e5 else format_quantity(value))
    )
    scale.set_minor_locator(NullLocator())
    scale.set_minor_formatter(NullFormatter())
