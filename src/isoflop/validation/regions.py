"""Regions of a learning curve: random guessing, power law, floor, with the places where one gives way to the next."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError
from isoflop.runs import Runs

Floats = NDArray[np.float64]
Shape = Literal["power law", "plateau, power law", "power law, floor", "plateau, power law, floor"]
Verdict = Literal["found", "not found", "cannot be told"]

LEAST: Final = 10  # points of a curve
_KNOTS, _FINE, _DRAWS = 24, 30, 400
_FALSE = 0.025  # of each end, on power laws with noise; both ends and bends together stay below 10 %
_EDGE = 0.04  # of the range at either end holds no change
_HINT = 0.2  # of the range: a plateau of this length that would be missed is one that cannot be told
_FLAT = 0.3  # of the exponent: a first or last part that falls more than this is no plateau and no floor


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


def regions(runs: Runs, *, over: str | None = None, level: float = 0.9, seed: int = 0) -> LearningCurves:
    """The regions of every curve of a table: each run of ten points or more; the whole table where runs are points.

    over: the horizontal column; D, step or C where None. Raises DataError for a table without the column, a loss that
    is not above 0, and where no curve has ten points.
    """
    axis = over or next((each for each in ("D", "step", "C") if each in runs), "D")
    x, y = runs[axis], runs["loss"]
    if (x <= 0).any() or (y <= 0).any():
        raise DataError(f"{axis} and the loss must be above 0 for a power law; keep such rows with --where")
    codes = runs.run_codes()
    names = runs.text("run") if "run" in runs.headers else [runs.source] * len(runs)
    if len(np.unique(codes)) == len(runs):
        codes = np.zeros(len(runs), dtype=np.int64)
        names = [runs.source] * len(runs)
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
    curve = _Whitened(u, v, rho)
    critical, both = _critical(len(u), tuple(np.round(u, 3)), round(rho, 1), seed)
    ends = curve.polished(_chosen(curve, critical, both))
    ends, reason = curve.checked(ends)
    return _made(curve, ends, critical, reason, span=span, x0=float(np.log(np.asarray(x)[order][0])),
                 name=name, axis=axis, level=level)  # fmt: skip


def _chosen(curve: _Whitened, critical: float, both: float) -> tuple[float, float]:
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


class _Whitened:
    """A curve whose residuals are made independent, with least squares at given change points."""

    def __init__(self, u: Floats, v: Floats, rho: float) -> None:
        self.u, self.rho = u, rho
        self.target = self.whiten(v)
        self.freedom = len(u) - 4
        inside = np.linspace(_EDGE, 1 - _EDGE, _KNOTS)
        # at least three points on either side of a change
        self.knots = inside[[(u < each).sum() >= 3 and (u > each).sum() >= 3 for each in inside]]

    def whiten(self, column: Floats) -> Floats:
        first = np.sqrt(1 - self.rho**2) * column[:1]
        return np.concatenate((first, column[1:] - self.rho * column[:-1]))

    def columns(self, *parts: Floats) -> Floats:
        return np.stack([self.whiten(np.ones_like(self.u)), *map(self.whiten, parts)], axis=1)

    def solve(self, *parts: Floats) -> tuple[Floats, float]:
        design = self.columns(*parts)
        found, *_ = np.linalg.lstsq(design, self.target, rcond=None)
        return np.asarray(found, dtype=np.float64), float(((self.target - design @ found) ** 2).sum())

    def squares(self, *parts: Floats) -> float:
        return self.solve(*parts)[1]

    def at(self, start: float, end: float) -> float:
        return self.squares(np.clip(self.u, start, end)) if start < end else np.inf

    def best_start(self, end: float = 1.0) -> tuple[float, float]:
        return self._best([(each, self.at(each, end)) for each in self.knots if each < end - _EDGE])

    def best_end(self, start: float = 0.0) -> tuple[float, float]:
        return self._best([(each, self.at(start, each)) for each in self.knots if each > start + _EDGE])

    def _best(self, found: list[tuple[float, float]]) -> tuple[float, float]:
        return min(found, key=lambda each: each[1], default=(0.0, np.inf))

    def gain(self, before: float, after: float) -> float:
        return (before - after) / (after / self.freedom) if np.isfinite(after) else 0.0

    def best_pair(self) -> tuple[tuple[float, float], float]:
        coarse = self.knots[::3]
        pairs = [(one, other) for one in coarse for other in coarse if one < other - _EDGE]
        if not pairs:
            return (0.0, 1.0), np.inf
        ends = self.refined(*min(pairs, key=lambda each: self.at(*each)))
        return ends, self.at(*ends)

    def refined(self, start: float, end: float) -> tuple[float, float]:
        for _ in range(6):
            new = self.best_start(end)[0] if start > 0 else 0.0
            ends = (new, self.best_end(new)[0] if end < 1 else 1.0)
            if ends == (start, end):
                break
            start, end = ends
        return start, end

    def checked(self, ends: tuple[float, float]) -> tuple[tuple[float, float], str]:
        """The change points whose outer parts are flat, and what the curve does where one is not."""
        start, end = ends
        reasons = []
        for side in ("start", "end"):
            at = start if side == "start" else end
            if at in (0.0, 1.0):
                continue
            outer = np.minimum(self.u, at) if side == "start" else np.maximum(self.u, at)
            inner = np.clip(self.u, start, end)
            found, left = self.solve(inner, outer - at)
            slope, main = found[2], found[1]
            design = self.columns(inner, outer - at)
            error = np.sqrt(left / self.freedom * np.linalg.pinv(design.T @ design)[2, 2])
            if abs(slope) > _FLAT * abs(main) and abs(slope) > 2 * error:
                reasons.append(
                    f"the {'first' if side == 'start' else 'last'} part has {slope / main:.0%} of the exponent, so it "
                    "is another power law"
                )
                start, end = (0.0, end) if side == "start" else (start, 1.0)
        if self.solve(np.clip(self.u, start, end))[0][1] >= 0:
            return (0.0, 1.0), "the loss does not fall"
        return (start, end), "; ".join(reasons)

    def errors(self, ends: tuple[float, float]) -> tuple[float, float]:
        """Standard errors of the change points, of least squares linearized there."""
        start, end = ends
        found, left = self.solve(np.clip(self.u, start, end))
        slope = found[1]
        moved = [slope * np.asarray(side, dtype=np.float64) for side in (self.u < start, self.u > end)]
        design = self.columns(np.clip(self.u, start, end), *moved)
        variance = left / self.freedom * np.diag(np.linalg.pinv(design.T @ design))
        return float(np.sqrt(max(variance[2], 0.0))), float(np.sqrt(max(variance[3], 0.0)))

    def polished(self, ends: tuple[float, float]) -> tuple[float, float]:
        """The change points of least squares, each between the knots of the search in turn."""
        width = 1.2 * (1 - 2 * _EDGE) / (_KNOTS - 1)
        for _ in range(4):
            for which in (0, 1):
                if ends[which] not in (0.0, 1.0):
                    grid = np.clip(np.linspace(ends[which] - width, ends[which] + width, 17), 0.01, 0.99)
                    ends = min((_moved(ends, which, each) for each in grid), key=lambda each: self.at(*each))
            width /= 5
        return ends

    def interval(self, ends: tuple[float, float], which: int, level: float) -> tuple[float | None, float | None]:
        """The change points whose profile likelihood is within the level of the best; None at an open end."""
        from scipy.special import stdtrit

        errors = self.errors(ends)
        reach = min(8 * errors[which], 1.0)
        low, high = max(ends[which] - reach, 0.0), min(ends[which] + reach, 1.0)
        grid = np.unique(np.append(np.linspace(low, high, 2 * _FINE + 1), ends[which]))
        other, profile = ends[1 - which], []
        near = np.array([other])
        if other not in (0.0, 1.0):  # the other change moves with this one
            near = np.clip(other + errors[1 - which] * np.linspace(-3, 3, 9), 0.01, 0.99)
        for each in grid:
            profile.append(min(self.at(*_moved((one, one), which, each)) for one in near))
        squares = np.array(profile)
        # the correlation is estimated too, and low: without this 90 % intervals held 83 % (r = 0) and 68 % (r = 0.5)
        reach = (1.2 + 2.1 * self.rho) * stdtrit(self.freedom, (1 + level) / 2)
        limit = float(squares.min()) * (1 + reach**2 / self.freedom)
        inside = grid[squares <= limit]
        first, final = float(inside.min()), float(inside.max())
        return (None if first <= 0.0 else first), (None if final >= 1.0 else final)


def _moved(ends: tuple[float, float], which: int, value: float) -> tuple[float, float]:
    return (float(value), ends[1]) if which == 0 else (ends[0], float(value))


def _made(
    curve: _Whitened,
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
    plain = _Whitened(u, v, 0.0)
    ends, _ = plain.best_pair()
    # slopes of their own on either side: a misfit would look like correlation
    parts = (np.clip(u, *ends), np.minimum(u, ends[0]), np.maximum(u, ends[1]))
    found, _ = plain.solve(*parts)
    rest = v - plain.columns(*parts) @ found
    total = float((rest**2).sum())
    if total <= 1e-24:
        return 0.0
    rho = float((rest[1:] * rest[:-1]).sum() / total)
    rho += (1 + 4 * rho) / len(u)
    return round(min(max(rho, 0.0), 0.9), 1)


@cache
def _critical(points: int, places: tuple[float, ...], rho: float, seed: int) -> tuple[float, float]:
    """Quantiles over straight lines with noise: of the larger gain of one end, and of the gain of both."""
    u = np.array(places)
    rng = np.random.default_rng(seed)
    curve = _Whitened(u, np.zeros(points), rho)
    noise = rng.standard_normal((points, _DRAWS))

    def left(part: Floats) -> Floats:
        basis, _ = np.linalg.qr(curve.columns(part))
        return (noise**2).sum(axis=0) - ((basis.T @ noise) ** 2).sum(axis=0)

    line = left(u)

    def quantile(parts: list[Floats]) -> float:
        best = np.min([left(each) for each in parts], axis=0)
        return float(np.quantile((line - best) / (best / curve.freedom), 1 - _FALSE))

    coarse = curve.knots[::3]
    pairs = [np.clip(u, one, other) for one in coarse for other in coarse if one < other - _EDGE]
    ends = [np.clip(u, each, 1.0) for each in curve.knots] + [np.clip(u, 0.0, each) for each in curve.knots]
    return quantile(ends), quantile(pairs or ends)
