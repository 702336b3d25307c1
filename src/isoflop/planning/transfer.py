"""``transfer``: the loss on one data set from the loss on another, L_B = E_B + K·(L_A − E_A)^κ.

Runs of both data sets at equal inputs are joined; the floors E_A and E_B are those of each data set's own law, and
log(L_B − E_B) is a straight line in log(L_A − E_A). A shift that all large runs share, of which a law in N and D
knows nothing, leaves it untouched.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, excerpt
from isoflop.findings import Finding
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of

Floats = NDArray[np.float64]

_FEWEST = 5  # pairs through which a line has a scatter
_EQUAL = 1e-9  # relative difference of equal inputs
_LEAST = 0.02  # of the lowest loss: the nearest that a floor in a draw comes to it


@dataclass(frozen=True)
class Transfer(Shown):
    """The line between two data sets, and the loss on B of a model whose loss on A is given.

    kappa, factor: κ and K. floor_a, floor_b: E_A and E_B of each data set's own law. pairs: runs at equal inputs.
    measured: the loss on A. loss: prediction interval of the loss on B, mean: confidence interval of its mean; None
    where no loss on A was given. beyond: by how much ``measured`` lies below every loss on A that was paired.
    error: root mean squared error of log(L_B) of the pairs around the line.
    """

    kappa: Interval
    factor: Interval
    floor_a: Interval
    floor_b: Interval
    names: tuple[str, str]
    pairs: int
    error: float
    measured: float | None
    loss: Interval | None
    mean: Interval | None
    beyond: float
    level: float
    x: Floats = field(repr=False)
    y: Floats = field(repr=False)
    draws: Floats = field(repr=False)
    source: Ensemble = field(repr=False, compare=False)
    target: Ensemble = field(repr=False, compare=False)
    findings: tuple[Finding, ...] = ()

    def at(self, loss: Floats | float) -> Floats:
        """E_B + K·(L_A − E_A)^κ; NaN at and below the floor."""
        above = np.asarray(loss, dtype=np.float64) - self.floor_a.value
        with np.errstate(invalid="ignore"):
            return np.asarray(self.floor_b.value + self.factor.value * above**self.kappa.value)

    def means(self, loss: float) -> Floats:
        """The mean loss on B in every draw, (draws,)."""
        kappa, factor, floor_a, floor_b = self.draws
        return np.asarray(floor_b + factor * np.maximum(loss - floor_a, _LEAST * loss) ** kappa)


def floor_of(law: Law) -> str:
    """The parameter that a law adds to all else: its irreducible loss; IsoflopError where there is none, or several."""
    terms = law.expression.args if law.expression.op == "add" else ()
    found = [each.label for each in terms if each.op == "name" and each.label in law.param_names]
    if len(found) != 1:
        raise IsoflopError(f"{law.name} has no one free irreducible loss; choose a law such as chinchilla (--law)")
    return found[0]


def transfer(
    source: Ensemble,
    target: Ensemble,
    *,
    measured: float | None = None,
    names: tuple[str, str] = ("A", "B"),
    level: float = 0.9,
    seed: int = 0,
) -> Transfer:
    """L_B = E_B + K·(L_A − E_A)^κ through runs at equal inputs of both laws.

    κ and log K by least squares on logarithms. Each draw has floors from one draw of either ensemble and its own
    resampled pairs; a new loss adds a residual of the line, widened by √(n/(n − 2)).

    Parameters
    ----------
    source, target :
        Draws of the laws of the loss on A and on B, with their runs and the same inputs.
    measured :
        The loss on A of the model whose loss on B is asked.
    names :
        What A and B are called.
    level :
        Of the intervals.
    seed :
        Of the resampled pairs.

    Returns
    -------
    Transfer
        The line, and the loss on B.

    Raises
    ------
    IsoflopError
        Laws of other inputs or without a floor, or a measured loss at or below the floor.
    DataError
        Fewer than five runs at equal inputs.

    Examples
    --------
    >>> import isoflop, numpy
    >>> n, d = (each.ravel() for each in numpy.meshgrid([1e8, 3e8, 1e9, 3e9], [1e10, 3e10, 1e11, 3e11]))
    >>> above = 60 / n**0.25 + 90 / d**0.25
    >>> draw = lambda loss: isoflop.bootstrap(
    ...     isoflop.fit(isoflop.law("chinchilla"), isoflop.Runs.from_columns({"N": n, "D": d, "loss": loss})), draws=20
    ... )
    >>> found = transfer(draw(1.5 + above), draw(0.8 + 0.6 * above**1.1), measured=2.0)
    >>> round(found.kappa.value, 3), round(found.loss.value, 3)
    (1.1, 1.08)

    Source: Brandfonbrener et al. 2024, arXiv:2411.12925.
    """
    check_level(level)
    one, two = source.fit, target.fit
    if one.law.input_names != two.law.input_names:
        raise IsoflopError(f"{one.law.name} and {two.law.name} have other inputs; fit one law to both data sets")
    name_a, name_b = floor_of(one.law), floor_of(two.law)
    x, y = paired(one.require_runs(), two.require_runs(), one.law, names)
    floors_a = _below(np.append(one.params[name_a], source.draws[name_a]), x)
    floors_b = _below(np.append(two.params[name_b], target.draws[name_b]), y)
    count = min(len(floors_a), len(floors_b))
    rng = np.random.default_rng([seed, 5])
    weights = rng.multinomial(len(x), np.full(len(x), 1 / len(x)), size=count).astype(np.float64)
    weights[0] = 1.0  # the fit itself
    u = np.log(x - floors_a[:count, None])
    v = np.log(y - floors_b[:count, None])
    mean_u, mean_v = np.average(u, axis=1, weights=weights), np.average(v, axis=1, weights=weights)
    off = u - mean_u[:, None]
    kappas = (weights * off * (v - mean_v[:, None])).sum(axis=1) / np.maximum((weights * off**2).sum(axis=1), 1e-300)
    factors = np.exp(mean_v - kappas * mean_u)
    fitted = floors_b[0] + factors[0] * (x - floors_a[0]) ** kappas[0]
    residual = np.log(y / fitted)
    found = Transfer(
        kappa=interval_of(float(kappas[0]), kappas[1:], level=level),
        factor=interval_of(float(factors[0]), factors[1:], level=level),
        floor_a=interval_of(float(floors_a[0]), floors_a[1:count], level=level),
        floor_b=interval_of(float(floors_b[0]), floors_b[1:count], level=level),
        names=names,
        pairs=len(x),
        error=float(np.sqrt((residual**2).mean())),
        measured=measured,
        loss=None,
        mean=None,
        beyond=0.0 if measured is None else max(0.0, float(x.min()) - measured),
        level=level,
        x=x,
        y=y,
        draws=np.stack([kappas[1:], factors[1:], floors_a[1:count], floors_b[1:count]]),
        source=source,
        target=target,
        findings=(),
    )
    return _asked(found, measured, residual, rng)


def _asked(found: Transfer, measured: float | None, residual: Floats, rng: np.random.Generator) -> Transfer:
    findings = list(_floors(found))
    if measured is None:
        return replace(found, findings=tuple(findings))
    if not measured > found.floor_a.value:
        raise IsoflopError(
            f"the loss on {found.names[0]} must lie above its irreducible loss, {found.floor_a.value:.4g}, not at "
            f"{measured:g}; check its unit, or choose another law (--law)"
        )
    means = found.means(measured)
    widen = math.sqrt(found.pairs / (found.pairs - 2))
    new = means * np.exp(widen * rng.choice(residual, size=len(means)))
    value = float(found.at(measured))
    span = float(found.x.max() - found.x.min())
    if found.beyond > span:
        findings.append(
            Finding(
                "transfer-extrapolated",
                "warning",
                f"the loss on {found.names[0]}, {measured:.4g}, lies {found.beyond:.2g} below every paired run, which "
                f"span {span:.2g}.",
                "Train a larger run on both data sets before relying on it.",
            )
        )
    return replace(
        found,
        loss=interval_of(value, new, level=found.level),
        mean=interval_of(value, means, level=found.level),
        findings=tuple(findings),
    )


def paired(a: Runs, b: Runs, law: Law, names: tuple[str, str]) -> tuple[Floats, Floats]:
    """Losses of runs of both tables at equal inputs, (pairs,); repeats at one point are averaged.

    Raises DataError for fewer than five.
    """
    first, second = point_losses(a, law), point_losses(b, law)
    shared = sorted(set(first) & set(second))
    if len(shared) < _FEWEST:
        raise DataError(
            f"{excerpt(names[0])} and {excerpt(names[1])} share {len(shared)} points of {', '.join(law.input_names)}, "
            f"and a line between their losses needs {_FEWEST}; give runs of both at equal inputs"
        )
    return np.array([first[each] for each in shared]), np.array([second[each] for each in shared])


def point_losses(runs: Runs, law: Law) -> Mapping[tuple[float, ...], float]:
    """The mean loss of the runs at each point of the law's inputs, these to nine digits."""
    inputs = np.stack([runs[name] for name in law.input_names], axis=1)
    found: dict[tuple[float, ...], list[float]] = {}
    digits = round(-math.log10(_EQUAL))
    for point, loss in zip(inputs, runs[law.response], strict=True):
        key = tuple(float(f"{each:.{digits}g}") for each in point)
        found.setdefault(key, []).append(float(loss))
    return {key: float(np.mean(each)) for key, each in found.items()}


def _below(floors: Floats, losses: Floats) -> Floats:
    """Floors no nearer to the lowest loss than 2 % of it."""
    return np.asarray(np.minimum(floors, (1 - _LEAST) * losses.min()))


def _floors(found: Transfer) -> list[Finding]:
    codes = []
    for name, each in zip(found.names, (found.source, found.target), strict=True):
        if any(one.code == "at-bound" for one in each.estimate.findings):
            codes.append(name)
    if not codes:
        return []
    return [
        Finding(
            "transfer-floor-lost",
            "warning",
            f"the law of the loss on {' and on '.join(codes)} has lost its irreducible loss, which the line rests on.",
            "Write a known value into the law (--law), or add larger runs.",
        )
    ]
