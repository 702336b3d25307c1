"""Regions of a learning curve: random guessing, power law, floor, with the places where one gives way to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError, excerpt
from isoflop.runs import Runs
from isoflop.runs.columns import symbol_of
from isoflop.runs.grouping import labels
from isoflop.units import format_quantity
from isoflop.validation.clipped_line import EDGE, ClippedLine

Floats = NDArray[np.float64]
Shape = Literal["power law", "plateau, power law", "power law, floor", "plateau, power law, floor"]
Verdict = Literal["found", "not found", "cannot be told"]

LEAST: Final = 10  # points of a curve
_DRAWS = 400
_FALSE = 0.025  # of each end, on power laws with noise; both ends and bends together stay below 10 %
_HINT = 0.2  # of the range: a plateau of this length that would be missed is one that cannot be told


@dataclass(frozen=True)
class Change:
    """A change point on the horizontal axis, with its interval; open ends are None."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Regions:
    """The regions of one curve.

    name: the curve. axis: the horizontal column. rises: the change from random guessing to a power law, None where none
    was found; settles: that from the power law to the floor. start, end: whether each end has a region of its own.
    plateau, floor: losses of these regions. exponent, low, high: of the power law between. span: decades of the axis.
    scatter: residual standard deviation of log loss; correlation: of residuals that follow each other. reason: why no
    region can be told, or what the curve does instead; empty otherwise.
    """

    name: str
    axis: str
    points: int
    span: float
    start: Verdict
    end: Verdict
    rises: Change | None
    settles: Change | None
    plateau: float | None
    floor: float | None
    exponent: float
    low: float
    high: float
    scatter: float
    correlation: float
    reason: str = ""

    @property
    def shape(self) -> str:
        """The regions in words."""
        parts = ["random guessing"] if self.rises is not None else []
        return ", ".join([*parts, "power law", *(["floor"] if self.settles is not None else [])])

    @property
    def law(self) -> str:
        """The law to fit to the points of the power law and what lies behind it: a name, or a formula."""
        floor = self.settles is not None
        if self.axis in ("N", "D", "C"):
            return f"power-{self.axis.lower()}{'-floor' if floor else ''}"
        return f"{'E + ' if floor else ''}A*{self.axis}^(-alpha)"

    @property
    def where(self) -> str:
        """The rows to which it is to be fitted; empty for all."""
        return "" if self.rises is None else f"{self.axis} > {self.rises.value:.4g}"


@dataclass(frozen=True)
class LearningCurves:
    """The regions of every curve of a table. left: curves with fewer than ten points."""

    curves: tuple[Regions, ...]
    source: str
    axis: str
    level: float
    left: int


def regions(
    runs: Runs, *, over: str | None = None, by: Sequence[str] = (), level: float = 0.9, seed: int = 0
) -> LearningCurves:
    """The regions of every curve of a table: each run of ten points or more; the whole table where runs are points.

    over: the horizontal column; D, step or C where None. by: the columns whose combinations tell curves apart, where no
    column names the run. Raises DataError for a table without the column, a loss that is not above 0, several curves
    that nothing tells apart, and where no curve has ten points.
    """
    axis = symbol_of(over, runs.columns) if over else next((each for each in ("D", "step", "C") if each in runs), "D")
    x, y = runs[axis], runs["loss"]
    if (x <= 0).any() or (y <= 0).any():
        raise DataError(f"{axis} and the loss must be above 0 for a power law; keep such rows with --where")
    codes = runs.run_codes()
    if by:
        names = labels(runs, by)
        codes = np.unique(names, return_inverse=True)[1]
    elif len(np.unique(codes)) == len(runs):  # each row a run of its own: one curve of runs
        _check_one_curve(runs, x, axis)
        codes, names = np.zeros(len(runs), dtype=np.int64), [runs.source] * len(runs)
    else:
        names = runs.text("run") if "run" in runs.headers else [runs.source] * len(runs)
    found, left = [], 0
    for code in dict.fromkeys(codes.tolist()):
        own = np.flatnonzero(codes == code)
        if len(np.unique(x[own])) >= LEAST:
            found.append(curve_regions(x[own], y[own], name=names[own[0]], axis=axis, level=level, seed=seed))
        else:
            left += 1
    if not found:
        raise DataError(f"no curve of {runs.source} has {LEAST} values of {axis} or more, so no region can be told")
    return LearningCurves(tuple(found), runs.source, axis, level, left)


def _check_one_curve(runs: Runs, x: Floats, axis: str) -> None:
    """Refuse rows of several curves: half of them share their place on the axis with another row."""
    values, counts = np.unique(x, return_counts=True)
    if 2 * counts[counts > 1].sum() <= len(x):
        return
    often = int(counts.argmax())
    words = [each for each in runs.headers if each in runs.frame.columns and not runs.frame[each].dtype.is_numeric()]
    told = " ".join(f"--by {excerpt(each)}" for each in words[:3]) or "--by COLUMN"
    raise DataError(
        f"{counts[often]} of {len(x)} rows of {runs.source} have {axis} = {format_quantity(values[often])}, so "
        f"they are several curves; name the columns that tell them apart ({told})"
    )


def curve_regions(
    x: ArrayLike, y: ArrayLike, *, name: str = "", axis: str = "D", level: float = 0.9, seed: int = 0
) -> Regions:
    """log L = a − b · clip(log x, t₁, t₂): flat, a power law, flat, each end only where the data demand it.

    Residuals that follow each other are whitened as a first-order autoregression. A flat end is taken where the least
    squares gain over a straight line is above the 97.5 % quantile of lines with noise (simulated at these x), and where
    what is left of it is flat. Where a plateau over a fifth of the range would give no such gain, the end cannot be
    told. Intervals of t are those of the profile likelihood.
    """
    order = np.argsort(np.asarray(x, dtype=np.float64), kind="stable")
    u, v = np.log(np.asarray(x, dtype=np.float64)[order]), np.log(np.asarray(y, dtype=np.float64)[order])
    span = float(np.ptp(u))
    if len(u) < LEAST or span == 0:
        raise DataError(f"{len(u)} points are too few for regions; {LEAST} at different {axis} are needed")
    u = (u - u[0]) / span
    rho = _autocorrelation(u, v)
    curve = ClippedLine(u, v, rho)
    critical, both = _critical(len(u), tuple(np.round(u, 3)), round(rho, 1), seed)
    ends = curve.polished(_chosen(curve, critical, both))
    ends, reason = curve.checked(ends)
    return _made(curve, ends, critical, reason, span=span, x0=float(np.log(np.asarray(x)[order][0])),
                 name=name, axis=axis, level=level)  # fmt: skip


def _chosen(curve: ClippedLine, critical: float, both: float) -> tuple[float, float]:
    """The change points that the data demand: both, one, or none (0 and 1)."""
    line = curve.squares(curve.u)
    first, last = curve.best_start(), curve.best_end()
    pair, left = curve.best_pair()
    found = max(curve.gain(line, first[1]), curve.gain(line, last[1])) > critical or curve.gain(line, left) > both
    if not found:
        return 0.0, 1.0
    if min(curve.gain(first[1], left), curve.gain(last[1], left)) > critical:
        return pair
    return (first[0], 1.0) if first[1] < last[1] else (0.0, last[0])


def _made(
    curve: ClippedLine,
    ends: tuple[float, float],
    critical: float,
    reason: str,
    *,
    span: float,
    x0: float,
    name: str,
    axis: str,
    level: float,
) -> Regions:
    from scipy.special import stdtrit

    start, end = ends
    found, left = curve.solve(np.clip(curve.u, start, end))
    design = curve.columns(np.clip(curve.u, start, end))
    error = float(np.sqrt(left / curve.freedom * np.linalg.pinv(design.T @ design)[1, 1]))
    reach = float(stdtrit(curve.freedom, (1 + level) / 2)) * error

    def change(which: int) -> Change | None:
        if ends[which] in (0.0, 1.0):
            return None
        low, high = curve.interval(ends, which, level)
        values = [None if each is None else float(np.exp(x0 + each * span)) for each in (ends[which], low, high)]
        assert values[0] is not None
        return Change(values[0], values[1], values[2])

    def verdict(which: int) -> Verdict:
        if ends[which] not in (0.0, 1.0):
            return "found"
        # what a flat part over a fifth of the range would add to the squares of a line, at this slope and noise
        bent = found[1] * np.clip(curve.u, *((_HINT, 1.0) if which == 0 else (0.0, 1 - _HINT)))
        target, curve.target = curve.target, curve.whiten(bent)
        missed = curve.squares(curve.u)
        curve.target = target
        return "not found" if missed / (left / curve.freedom) > critical else "cannot be told"

    level_at = [float(np.exp(found[0] + found[1] * each)) for each in ends]
    variance = left / curve.freedom / (1 - curve.rho**2)
    return Regions(
        name=name,
        axis=axis,
        points=len(curve.u),
        span=span / np.log(10),
        start=verdict(0),
        end=verdict(1),
        rises=change(0),
        settles=change(1),
        plateau=level_at[0] if start > 0 else None,
        floor=level_at[1] if end < 1 else None,
        exponent=float(-found[1] / span),
        low=float((-found[1] - reach) / span),
        high=float((-found[1] + reach) / span),
        scatter=float(np.sqrt(variance)),
        correlation=curve.rho,
        reason=reason,
    )


def _autocorrelation(u: Floats, v: Floats) -> float:
    """Of the residuals of the most flexible shape, corrected for the bias of a short series; at least 0."""
    plain = ClippedLine(u, v, 0.0)
    ends, _ = plain.best_pair()
    # slopes of their own on either side: a misfit would look like correlation
    parts = (np.clip(u, *ends), np.minimum(u, ends[0]), np.maximum(u, ends[1]))
    found, _ = plain.solve(*parts)
    rest = v - plain.columns(*parts) @ found
    total = float((rest**2).sum())
    if total <= 1e-24:
        return 0.0
    rho = float((rest[1:] * rest[:-1]).sum() / total)
    # in series of 15 to 50 points its mean is r (1 - 8/n) - 3/n: four slopes and two change points are taken out
    rho = (rho + 3 / len(u)) / max(1 - 8 / len(u), 0.4)
    return round(min(max(rho, 0.0), 0.9), 1)


@cache
def _critical(points: int, places: tuple[float, ...], rho: float, seed: int) -> tuple[float, float]:
    """Quantiles over straight lines with noise: of the larger gain of one end, and of the gain of both."""
    u = np.array(places)
    rng = np.random.default_rng(seed)
    curve = ClippedLine(u, np.zeros(points), rho)
    noise = rng.standard_normal((points, _DRAWS))

    def left(part: Floats) -> Floats:
        basis, _ = np.linalg.qr(curve.columns(part))
        return (noise**2).sum(axis=0) - ((basis.T @ noise) ** 2).sum(axis=0)

    line = left(u)

    def quantile(parts: list[Floats]) -> float:
        best = np.min([left(each) for each in parts], axis=0)
        return float(np.quantile((line - best) / (best / curve.freedom), 1 - _FALSE))

    coarse = curve.knots[::3]
    pairs = [np.clip(u, one, other) for one in coarse for other in coarse if one < other - EDGE]
    ends = [np.clip(u, each, 1.0) for each in curve.knots] + [np.clip(u, 0.0, each) for each in curve.knots]
    return quantile(ends), quantile(pairs or ends)
