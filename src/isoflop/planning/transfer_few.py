"""``transfer_from_few``: the loss on a new data set from a sweep on another and one to four runs on it.

So few runs tell neither a floor nor a slope of the new loss. What is known beforehand is how losses go together: on a
logarithmic scale the loss on one data set changes γ times as much as that on another, and over pairs of data sets ln γ
scatters around zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.findings import Finding
from isoflop.planning.forecast import forecast
from isoflop.planning.transfer import point_losses
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level

Floats = NDArray[np.float64]

PRIOR_SPREAD = 0.25  # standard deviation of γ: .26 over the pairs of four corpora of loss-to-loss
MOST_RUNS = 4
_FAR = 0.35  # of ln L_A: beyond the distances at which γ was measured


@dataclass(frozen=True)
class FewTransfer(Shown):
    """The loss on B of a further model, L_B = exp(a)·L_A^γ with γ near one.

    gamma: γ with its credible interval. loss: prediction interval of the loss on B. measured: the loss on A of the
    model, None where the law of A gave it. runs: how many on B. apart: |ln L_A| between the model and the nearest run
    on B. x, y: losses on A and on B of these runs.
    """

    gamma: Interval
    loss: Interval
    names: tuple[str, str]
    runs: int
    measured: float | None
    asked: float
    apart: float
    level: float
    x: Floats = field(repr=False)
    y: Floats = field(repr=False)
    center: tuple[float, float] = field(repr=False)
    precision: float = field(repr=False)
    noise: float = field(repr=False)
    source: Ensemble = field(repr=False, compare=False)
    findings: tuple[Finding, ...] = ()

    def band(self, loss: Floats | float, error: float = 0.0) -> tuple[Floats, Floats, Floats]:
        """Value and ends of the prediction interval of L_B where L_A is ``loss``; error: that of its logarithm."""
        off = np.log(loss) - self.center[0]
        variance = off**2 / self.precision + self.noise + (self.gamma.value * error) ** 2
        half = float(special.ndtri((1 + self.level) / 2)) * np.sqrt(variance)
        value = self.center[1] + self.gamma.value * off
        return np.exp(value), np.exp(value - half), np.exp(value + half)


def transfer_from_few(
    source: Ensemble,
    target: Runs,
    *,
    measured: float | None = None,
    at: Mapping[str, float] | None = None,
    names: tuple[str, str] = ("A", "B"),
    level: float = 0.9,
) -> FewTransfer:
    """ln L_B = a + γ·ln L_A + ε, a free, γ normal around 1 with a standard deviation of .25, ε of the scatter of A.

    L_A of the runs on B is that of a run on A at equal inputs, or else the forecast of A's law; their errors and that
    of the model's own L_A count. With one run γ keeps its prior, so that the interval grows with the distance to it.

    Parameters
    ----------
    source :
        Draws of the law of the loss on A.
    target :
        One to four runs on B under the names of that law.
    measured :
        The loss on A of the model.
    at :
        Its inputs, where its loss on A was not measured.
    names :
        What A and B are called.
    level :
        Of the intervals.

    Returns
    -------
    FewTransfer
        The loss on B.

    Raises
    ------
    IsoflopError
        Neither ``measured`` nor ``at``.
    DataError
        No run, or more than four.

    Examples
    --------
    >>> import isoflop, numpy
    >>> n, d = (each.ravel() for each in numpy.meshgrid([1e8, 3e8, 1e9, 3e9], [1e10, 3e10, 1e11, 3e11]))
    >>> loss = 1.5 + 60 / n**0.25 + 90 / d**0.25
    >>> sweep = isoflop.Runs.from_columns({"N": n, "D": d, "loss": loss})
    >>> drawn = isoflop.bootstrap(isoflop.fit(isoflop.law("chinchilla"), sweep), draws=20)
    >>> one = isoflop.Runs.from_columns({"N": [1e9], "D": [1e11], "loss": [2.0]})
    >>> found = transfer_from_few(drawn, one, measured=1.9 * loss[10] / 2)
    >>> round(found.loss.value, 2), found.loss.low < found.loss.value < found.loss.high
    (1.9, True)

    Source: the power between losses follows Brandfonbrener et al. 2024, arXiv:2411.12925, whose line needs floors of
    both; the prior is measured on their runs.
    """
    check_level(level)
    law, count = source.estimate.law, len(target)
    if not 1 <= count <= MOST_RUNS:
        raise DataError(f"{excerpt(names[1])} has {count} runs; a transfer from few runs takes 1 to {MOST_RUNS}")
    if measured is None and not at:
        raise IsoflopError(
            f"{excerpt(names[1])} has {count} {'run' if count == 1 else 'runs'}, which give no line by themselves; ask "
            "for a model, by its loss on A (--measured) or its inputs, as --at N=7B --at D=1T"
        )
    known = point_losses(source.fit.require_runs(), law)
    rows = [{name: float(target[name][row]) for name in law.input_names} for row in range(count)]
    u, errors = np.empty(count), np.zeros(count)
    for row, point in enumerate(rows):
        key = tuple(float(f"{point[name]:.9g}") for name in law.input_names)
        u[row], errors[row] = (math.log(known[key]), 0.0) if key in known else _by_law(source, point)
    v = np.log(target[law.response])
    asked, own_error = (math.log(measured), 0.0) if measured is not None else _by_law(source, dict(at or {}))
    scatter = _scatter(source)
    noise = 2 * scatter**2 + errors**2  # both losses of a run scatter
    weight = 1 / noise
    mean_u, mean_v = np.average(u, weights=weight), np.average(v, weights=weight)
    precision = float((weight * (u - mean_u) ** 2).sum()) + 1 / PRIOR_SPREAD**2
    gamma = 1 + float((weight * (u - mean_u) * (v - mean_v - (u - mean_u))).sum()) / precision
    spread = float(special.ndtri((1 + level) / 2)) / math.sqrt(precision)
    apart = float(np.abs(asked - u).min())
    found = FewTransfer(
        gamma=Interval(gamma, gamma - spread, gamma + spread, level),
        loss=Interval(math.nan, math.nan, math.nan, level),
        names=names,
        runs=count,
        measured=measured,
        asked=math.exp(asked),
        apart=apart,
        level=level,
        x=np.exp(u),
        y=np.exp(v),
        center=(float(mean_u), float(mean_v)),
        precision=precision,
        noise=float(1 / weight.sum() + 2 * scatter**2),
        source=source,
        findings=_findings(names, count, apart),
    )
    value, low, high = (float(each) for each in found.band(math.exp(asked), own_error))
    return replace(found, loss=Interval(value, low, high, level))


def _by_law(source: Ensemble, point: Mapping[str, float]) -> tuple[float, float]:
    """ln of the loss that A's law gives at a point, and its standard error with model error."""
    found = forecast(source, point, level=0.9).expected
    wide = math.log(found.high) - math.log(found.low) if found.low > 0 and math.isfinite(found.high) else math.nan
    return math.log(found.value), wide / (2 * float(special.ndtri(0.95))) if math.isfinite(wide) else 0.0


def _scatter(source: Ensemble) -> float:
    """Standard deviation of ln L around A's law, with the freedom of its parameters."""
    runs = source.fit.require_runs()
    law = source.estimate.law
    fitted = source.estimate.predict(runs)
    residual = np.log(runs[law.response]) - np.log(fitted)
    return float(np.sqrt((residual**2).sum() / max(1, len(residual) - len(law.params))))


def _findings(names: tuple[str, str], count: int, apart: float) -> tuple[Finding, ...]:
    if apart <= _FAR:
        return ()
    return (
        Finding(
            "transfer-extrapolated",
            "warning",
            f"the model's loss on {names[0]} lies {math.expm1(apart):.0%} from that of the nearest of {count} runs on "
            f"{names[1]}, farther than such transfers were tested.",
            "Train a larger run on the new data set before relying on it.",
        ),
    )
