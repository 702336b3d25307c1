"""What is believed of a law's constants before its runs are seen: published constants with their spread, or a start.

θ ~ Σ_j N(m_j, diag(s²)) / J in the law's fitting coordinates, in which amplitudes are losses at the middle of the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting.coordinates import Coordinates
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Space
from isoflop.fitting.starts import find_starts
from isoflop.fitting.table import Table
from isoflop.laws import Law
from isoflop.laws.expression import Expr, names
from isoflop.values import Value

Floats = NDArray[np.float64]

# Standard deviations around published constants, without runs and with some: of an amplitude's logarithm, of the
# logarithm of the irreducible loss, of an exponent. Exponents of chinchilla's form published for text lie within 0.28
# to 0.39; with runs the constants only have to keep what these leave open from running away.
_ALONE = (0.5, 0.2, 0.06)
_WITH_RUNS = (1.0, 0.4, 0.12)
_LOG_EXPONENT = 0.3  # of the logarithm of an exponent that must be positive
_FREE = 1.0  # of a logarithm that no publication tells
_LEAST_REAL = 0.25  # of a real constant that no publication tells, or half of its size
_UNIT = "nats/token"


@dataclass(frozen=True)
class Constants(Value):
    """Centers (sources, coordinates) and standard deviations (coordinates,) of a law's fitting coordinates.

    sources: where the centers come from, in words.
    """

    centers: Floats
    sd: Floats
    sources: tuple[str, ...]

    def draw(self, draws: int, rng: np.random.Generator) -> Floats:
        """(draws, coordinates), each source alike often; the first draw is the first center itself."""
        which = np.arange(draws) % len(self.centers)
        found = self.centers[which] + rng.standard_normal((draws, len(self.sd))) * self.sd
        found[0] = self.centers[0]
        return found


def published_constants(law: Law, coords: Coordinates, centers: Mapping[str, float]) -> Constants | None:
    """Those of the catalogue that give every parameter, in nats a token where any are; None where there are none."""
    whole = [each for each in law.published if set(law.param_names) <= set(each.values)]
    whole = [each for each in whole if each.unit == _UNIT] or whole
    if not whole:
        return None
    values = np.array([[float(each.values[name]) for name in law.param_names] for each in whole])
    placed = coords.from_params(values, centers)
    placed = placed[np.isfinite(placed).all(axis=1)]
    if not len(placed):
        return None
    return Constants(placed, _spread(law, _ALONE), tuple(f"{law.name}:{each.key}" for each in whole))


def require_published(law: Law, coords: Coordinates, centers: Mapping[str, float]) -> Constants:
    """Published constants. Raises IsoflopError for a law that has none."""
    found = published_constants(law, coords, centers)
    if found is None:
        raise IsoflopError(
            f"{law.name} has no published constants to design from before any run; give a table of runs, a law that "
            "has some (--law chinchilla), or your guess of them behind it (--law LAW:NAME=VALUE,…)"
        )
    return found


def constants_with_runs(
    law: Law, coords: Coordinates, table: Table, centers: Mapping[str, float], *, space: Space, seed: int
) -> Constants:
    """Published constants, moved to the size of the measured losses; else the best starts of a search of the table."""
    known = published_constants(law, coords, centers) if space == "log" else None
    if known is not None:
        kernel = Kernel(coords, table.inputs, space=space, centers=centers)
        with np.errstate(all="ignore"):
            off = np.median(np.log(table.loss) - kernel.value(known.centers, 0, kernel.n_rows), axis=1)
        linear = np.array([name in law.linear for name in coords.names])
        moved = known.centers + np.where(linear, np.where(np.isfinite(off), off, 0.0)[:, None], 0.0)
        return Constants(moved, _spread(law, _WITH_RUNS), known.sources)
    starts = find_starts(coords, table, centers=centers, count=16, seed=seed)
    if not len(starts):
        raise IsoflopError(f"{law.name} has no finite value on these runs, so that nothing can be designed with it")
    return Constants(starts[:1], _unpublished(law, starts[0]), (f"a search of {len(table.loss)} runs",))


def around(law: Law, center: Floats) -> Constants:
    """A wide prior around the fit of the law, where nothing was published."""
    return Constants(center[None], _unpublished(law, center), ("the fit",))


def _spread(law: Law, sizes: tuple[float, float, float]) -> Floats:
    amplitude, floor, exponent = sizes
    powers = set(_in_exponents(law.expression))
    alone = {
        each.label for each in (law.expression.args if law.expression.op == "add" else ()) if each.op == "name"
    }  # fmt: skip
    found = []
    for each in law.params:
        if each.name in alone:
            found.append(floor)
        elif each.name in powers:
            found.append(exponent if each.domain == "real" else _LOG_EXPONENT)
        else:
            found.append(amplitude if each.domain != "real" else _FREE)
    return np.array(found)


def _unpublished(law: Law, center: Floats) -> Floats:
    real = np.array([each.domain == "real" for each in law.params])
    return np.where(real, np.maximum(_LEAST_REAL, np.abs(center) / 2), _FREE)


def _in_exponents(expression: Expr) -> list[str]:
    found: list[str] = []
    if expression.op in ("pow", "exp", "expm1"):
        found += names(expression.args[-1])
    for arg in expression.args:
        found += _in_exponents(arg)
    return found


def log_prior(theta: Floats, prior: Constants) -> Floats:
    """Log density of coordinates (draws, coordinates) under the nearest center, (draws,), without 2π."""
    off = (theta[:, None] - prior.centers[None]) / prior.sd
    best = -0.5 * (off**2).sum(axis=2).min(axis=1)
    return np.asarray(best - np.log(prior.sd).sum() - math.log(len(prior.centers)))
