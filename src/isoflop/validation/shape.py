"""The shape of a response along x without a law: rising, falling, a plateau, U, inverted U, with tests.

The evidence of a trend is the largest studentized slope over any stretch of neighboring x (a scan). Its null
distribution is simulated for the design, with the scatter estimated anew each time. Under a falling mean every slope
has an expectation of at most zero, so a flat mean is the least favorable one for finding a rise; stretches that fall so
clearly that they cannot rise are left out of it (Chetverikov 2019, Testing regression monotonicity).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.special import special
from isoflop.validation.level_scatter import Scatter
from isoflop.validation.levels import Levels
from isoflop.validation.unimodal import monotone_fit, unimodal_fit
from isoflop.values import Value

Floats = NDArray[np.float64]
Verdict = Literal[
    "rising",
    "falling",
    "rising to a plateau",
    "falling to a plateau",
    "flat",
    "U",
    "inverted U",
    "several turns",
    "cannot be told",
]
End = Literal["still changing", "plateau", "cannot be told", ""]

SIMULATIONS: Final = 9_999
_MOST: Final = 24  # x between which stretches begin and end; more are thinned out evenly
_SURE: Final = 0.99  # quantile of the scan beyond which a stretch in one direction cannot be one in the other
_END: Final = 1 / 3  # share of the range of log x that a plateau covers at least
_EXACT: Final = 1e-9  # scatter below this share of the response's size is rounding


@dataclass(frozen=True)
class PValues(Value):
    """p-values of the tests of one group; NaN where there is no test.

    trend: of no trend at all. reversal: of no stretch against the main direction. still: that the last part of the
    range gains nothing. level_end: that it changes by delta or more. flat: that some two means differ by delta or more.
    """

    trend: float
    reversal: float
    still: float
    level_end: float
    flat: float


@dataclass(frozen=True)
class ShapeTests(Value):
    """What was tested of one group's levels; p-values are not corrected for other groups.

    direction: +1 where the clearest stretch rises, −1 where it falls, 0 where none does. gain, gain_error: the
    response's change over the last third of the range, and its standard error. start: x at which that part begins.
    turns: directions of the clear stretches that follow on each other. reason: why nothing could be tested.
    """

    levels: Levels
    scatter: Scatter
    delta: float
    direction: int
    p: PValues
    gain: float
    gain_error: float
    start: float
    turns: tuple[int, ...] = ()
    reason: str = ""


def shape_tests(levels: Levels, scatter: Scatter, null: Null, *, delta: float, alpha: float) -> ShapeTests:
    """All tests of one group; ``null`` keeps simulated distributions between groups of one design.

    delta: the difference that does not matter. alpha: level at which turns are counted.
    """
    nan = float("nan")
    reason = _untestable(levels, scatter)
    if reason:
        return ShapeTests(levels, scatter, delta, 0, PValues(nan, nan, nan, nan, nan), nan, nan, nan, reason=reason)
    rounding = _EXACT * float(np.abs(levels.mean).max())
    if scatter.sd <= rounding:
        if float(np.ptp(levels.mean)) <= rounding:  # the same number everywhere
            same = PValues(1.0, 1.0, 1.0, 0.0, 0.0)
            return ShapeTests(levels, scatter, delta, 0, same, 0.0, 0.0, float(levels.x[0]))
        scatter = replace(scatter, sd=rounding, ratio=None)
    contrasts = stretches(scatter)
    observed = contrasts @ levels.mean / scatter.error(contrasts)
    simulated = null.scans(scatter, contrasts)
    largest = int(np.abs(observed).argmax())
    direction = 1 if observed[largest] > 0 else -1
    against = -direction * observed  # large where a stretch runs against the main direction
    sure, critical = np.quantile(simulated.max(1), [_SURE, 1 - alpha])
    possible = against > -sure  # the others run too clearly in the main direction to have the largest slope against it
    gain, error, start = _end(levels, scatter)
    signed = direction * gain
    return ShapeTests(
        levels,
        scatter,
        delta,
        direction,
        PValues(
            trend=_p(np.abs(simulated).max(1), abs(observed[largest])),
            reversal=_p(simulated[:, possible].max(1), float(against[possible].max())) if possible.any() else 1.0,
            still=float(special.stdtr(scatter.freedom, -signed / error)),
            level_end=float(special.stdtr(scatter.freedom, (abs(gain) - delta) / error)),
            flat=_flat(levels, scatter, delta),
        ),
        gain=gain,
        gain_error=error,
        start=start,
        turns=_turns(observed, contrasts, scatter.place, levels.mean, float(critical), delta),
    )


def verdict(tests: ShapeTests, p: PValues, *, alpha: float) -> Verdict:
    """The shape at a level α; p: the p-values of ``tests``, corrected for other groups.

    A turn counts where the reversal is significant and changes the response by more than delta.
    """
    if not p.trend <= alpha:
        return "flat" if p.flat <= alpha else "cannot be told"
    if p.reversal <= alpha:
        if len(tests.turns) > 2:
            return "several turns"
        up = turns_upward(tests)
        fitted, at = unimodal_fit(tests.levels.mean, tests.scatter.precision, up=up)
        if min(abs(fitted[0] - fitted[at]), abs(fitted[-1] - fitted[at])) > tests.delta:
            return "U" if up else "inverted U"
    if p.level_end <= alpha:
        return "rising to a plateau" if tests.direction > 0 else "falling to a plateau"
    return "rising" if tests.direction > 0 else "falling"


def end_of(shape: Verdict, p: PValues, *, alpha: float) -> End:
    """What the response does over the last third of the range, for shapes of one direction."""
    if shape in ("rising to a plateau", "falling to a plateau"):
        return "plateau"
    if shape not in ("rising", "falling"):
        return ""
    return "still changing" if p.still <= alpha else "cannot be told"


def turns_upward(tests: ShapeTests) -> bool:
    """Whether a fall and a rise (U) fit the means better than a rise and a fall."""
    weight = tests.scatter.precision
    errors = [
        float((weight * (tests.levels.mean - unimodal_fit(tests.levels.mean, weight, up=up)[0]) ** 2).sum())
        for up in (True, False)
    ]
    return errors[0] <= errors[1]


def fitted_means(tests: ShapeTests, shape: Verdict) -> Floats:
    """The means under the order that the shape implies, (sizes,); the means themselves where it implies none."""
    mean, weight = tests.levels.mean, tests.scatter.precision
    if shape.startswith(("rising", "falling")):
        return monotone_fit(mean, weight, rising=shape.startswith("rising"))
    if shape in ("U", "inverted U"):
        return unimodal_fit(mean, weight, up=shape == "U")[0]
    return mean


@dataclass
class Null:
    """Simulated scans without a trend, kept by design."""

    seed: int
    simulations: int = SIMULATIONS
    _kept: dict[bytes, Floats] = field(default_factory=dict, repr=False)

    def scans(self, scatter: Scatter, contrasts: Floats) -> Floats:
        """Studentized slopes of every stretch, (simulations, stretches)."""
        design = (scatter.place - scatter.place[0]) / (scatter.place[-1] - scatter.place[0])
        key = b"".join(
            (
                scatter.source.encode(),
                scatter.df.to_bytes(8, "big"),
                np.round(design, 6).tobytes(),
                np.round(scatter.weight / scatter.weight.max(), 4).tobytes(),
                b"" if scatter.ratio is None else np.round(scatter.ratio, 4).tobytes(),
            )
        )
        if key not in self._kept:
            if len(self._kept) >= 6:
                self._kept.clear()
            rng = np.random.default_rng([self.seed, 31])
            self._kept[key] = scatter.scans(contrasts, rng, self.simulations)
        return self._kept[key]


def stretches(scatter: Scatter) -> Floats:
    """Least-squares slopes over every stretch of at least two neighboring x, as contrasts, (stretches, sizes)."""
    place, weight = scatter.place, scatter.weight
    count = len(place)
    knots = np.arange(count) if count <= _MOST else np.unique(np.linspace(0, count - 1, _MOST).round().astype(int))
    rows = []
    for first in range(len(knots) - 1):
        for last in range(first + 1, len(knots)):
            inside = slice(knots[first], knots[last] + 1)
            row = np.zeros(count)
            row[inside] = weight[inside] * (place[inside] - np.average(place[inside], weights=weight[inside]))
            rows.append(row / np.abs(row).max())
    return np.array(rows)


def _untestable(levels: Levels, scatter: Scatter) -> str:
    if len(levels.x) < 2:
        return "one size only"
    if not scatter.known:
        return "two sizes without repeats or standard errors"
    return ""


def _p(simulated: Floats, observed: float) -> float:
    """(1 + simulations at least as large)/(1 + simulations)."""
    return (1 + int((simulated >= observed - 1e-12).sum())) / (1 + len(simulated))


def _end(levels: Levels, scatter: Scatter) -> tuple[float, float, float]:
    """Change of the response over the last third of log x by a straight line, its standard error, and its first x."""
    place, weight = scatter.place, scatter.weight
    span = place[-1] - place[0]
    first = int(np.flatnonzero(place[-1] - place >= _END * span - 1e-9)[-1])
    inside = slice(first, None)
    centered = place[inside] - np.average(place[inside], weights=weight[inside])
    row = np.zeros(len(place))
    row[inside] = weight[inside] * centered / (weight[inside] * centered**2).sum() * (place[-1] - place[first])
    return float(row @ levels.mean), float(scatter.error(row)), float(levels.x[first])


def _flat(levels: Levels, scatter: Scatter, delta: float) -> float:
    """The largest p-value, over all pairs of means, of a difference of at least delta."""
    apart = np.abs(levels.mean[:, None] - levels.mean[None, :])
    error = scatter.pair_errors()
    upper = np.triu_indices(len(levels.x), 1)
    with np.errstate(divide="ignore"):
        return float(special.stdtr(scatter.freedom, (apart[upper] - delta) / error[upper]).max())


def _turns(
    observed: Floats, contrasts: Floats, place: Floats, mean: Floats, critical: float, delta: float
) -> tuple[int, ...]:
    """Directions of the longest sequence of stretches that alternate, do not overlap, and change by more than delta."""
    ends = [np.flatnonzero(row)[[0, -1]] for row in contrasts]
    length = np.array([place[last] - place[first] for first, last in ends])
    change = np.abs(contrasts @ mean / (contrasts @ place)) * length
    clear = np.where(change > delta, observed, 0.0)
    spans = [(int(first), int(last)) for first, last in ends]
    best: tuple[int, ...] = ()
    for start in (1, -1):
        chain, sign, after = [], start, 0
        while True:
            lasts = [
                last for (first, last), z in zip(spans, clear, strict=True) if sign * z > critical and first >= after
            ]
            if not lasts:
                break
            chain.append(sign)
            after, sign = min(lasts), -sign
        best = max(best, tuple(chain), key=len)
    return best
