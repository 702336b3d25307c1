"""Where a global search begins: many random candidates, screened on a few rows, the best kept.

Because inputs are centered and amplitudes are losses at the middle of the data, one set of ranges serves every table.
For half of the candidates the parameters that enter linearly, in the law or in its logarithm, are replaced by their
least-squares values given the others (variable projection), which laws with more terms need, and those whose
parameters lie on very different scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from isoflop.fitting.coordinates import Coordinates, coordinate
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.table import Table
from isoflop.laws.derivative import gradient
from isoflop.laws.expression import Expr, leaves, names

Floats = NDArray[np.float64]

CANDIDATES = 1_536
_SCREEN_ROWS = 64
_MOST_SORTED = 65_536  # rows of a larger table among which they are chosen
_SMALLEST = 1e-3  # a projected amplitude that comes out negative starts at this share of the loss


def find_starts(
    coords: Coordinates,
    table: Table,
    *,
    centers: Mapping[str, float],
    count: int,
    seed: int,
) -> Floats:
    """``count`` starts (count, coordinates), best first, by mean absolute log residual on up to 64 rows."""
    rng = np.random.default_rng([seed, 0])
    few = table.take(_spread_rows(table.loss, rng))
    kernel = Kernel(coords, few.inputs, space="raw", centers=centers)
    target = few.loss
    candidates = _random_candidates(coords, centers, float(np.median(np.abs(table.loss))), rng)
    half = len(candidates) // 2
    candidates[:half] = _project(coords, kernel, candidates[:half], target)
    loglinear = _loglinear(coords)
    if loglinear and np.all(target > 0):
        in_logs = Kernel(coords, few.inputs, space="log", centers=centers)
        candidates[:half] = _project_logs(in_logs, candidates[:half], np.log(target), loglinear)
    with np.errstate(all="ignore"):
        predicted, _ = kernel.everywhere(candidates)
        if np.all(target > 0) or np.all(target < 0):
            misfit = np.abs(np.log(predicted / target)).mean(axis=1)
        else:  # raw losses on both sides of zero have no logarithm in common
            misfit = np.abs(predicted - target).mean(axis=1)
    order = np.argsort(misfit, kind="stable")
    order = order[np.isfinite(misfit[order])]
    # every fourth start is drawn from the rest, so that a misleading screen cannot exclude a whole region
    picked = order[:count].copy()
    rest = rng.permutation(order[count - count // 4 :])
    picked[3::4] = rest[: len(picked[3::4])] if len(rest) >= len(picked[3::4]) else picked[3::4]
    return candidates[picked]


def _spread_rows(loss: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows spread evenly over the order of losses, at most 64."""
    if len(loss) <= _SCREEN_ROWS:
        return np.arange(len(loss))
    rows = np.arange(len(loss))
    if len(loss) > _MOST_SORTED:
        rows = np.linspace(0, len(loss) - 1, _MOST_SORTED).round().astype(np.int64)
    order = rows[np.argsort(loss[rows], kind="stable")]
    edges = np.linspace(0, len(rows) - 1, _SCREEN_ROWS).round().astype(np.int64)
    return np.sort(order[edges])


def _random_candidates(
    coords: Coordinates, centers: Mapping[str, float], typical: float, rng: np.random.Generator
) -> Floats:
    law = coords.law
    exponent_names = _in_exponents(law.expression)
    linear = set(law.linear)
    columns = []
    for label, inverse in zip(coords.names, coords.inverse, strict=False):
        domain = next(param.domain for param in law.params if param.name == label)
        shifted = any(leaf.role == "center" for leaf in leaves(inverse))
        if isinstance(domain, tuple):
            column = rng.normal(0, 1.5, CANDIDATES)
        elif domain == "positive" and (label in linear or label in coords.powers):
            column = np.log(max(typical, 1e-12)) + rng.uniform(-4, 1, CANDIDATES)
            # a floor is seldom far below the lowest loss
            floor = np.log(max(typical, 1e-12)) - rng.exponential(0.3, CANDIDATES)
            column = column if shifted else np.where(rng.random(CANDIDATES) < 0.7, floor, column)
        elif domain == "positive" and label in exponent_names:
            column = rng.uniform(np.log(0.03), np.log(2), CANDIDATES)
        elif domain == "positive":
            column = _anywhere(rng)
            if not shifted:
                middle = rng.choice(np.array([0.0, *centers.values()]), CANDIDATES)
                column = np.where(rng.random(CANDIDATES) < 0.7, middle + rng.uniform(-5, 5, CANDIDATES), column)
        elif label in exponent_names:
            usual = np.exp(rng.uniform(np.log(0.04), np.log(1.2), CANDIDATES))
            column = np.where(rng.random(CANDIDATES) < 0.85, usual, rng.uniform(-1, 0.04, CANDIDATES))
        else:
            column = rng.normal(0, 1, CANDIDATES) * np.exp(rng.uniform(-1, 2, CANDIDATES)) * max(typical, 1e-12)
        columns.append(column)
    return np.column_stack(columns)


def _anywhere(rng: np.random.Generator) -> Floats:
    """Logarithms over many scales: half within ±3, half up to ±60."""
    near = rng.uniform(-3, 3, CANDIDATES)
    far = np.exp(rng.uniform(0, np.log(60), CANDIDATES)) * rng.choice([-1.0, 1.0], CANDIDATES, p=[0.25, 0.75])
    return np.where(rng.random(CANDIDATES) < 0.5, near, far)


def _in_exponents(node: Expr) -> set[str]:
    """Names that stand in an exponent."""
    found = set(names(node.args[-1])) if node.op in ("pow", "exp", "expm1") else set()
    return found.union(*(_in_exponents(arg) for arg in node.args)) if node.args else found


def _project(coords: Coordinates, kernel: Kernel, candidates: Floats, target: Floats) -> Floats:
    """Linear parameters by least squares of the relative error, given the others; negative ones made small."""
    law = coords.law
    linear = [position for position, label in enumerate(coords.names) if label in law.linear]
    if not linear:
        return candidates
    value, jacobian = kernel.everywhere(candidates)
    if not _all_positive(coords, linear):
        return candidates
    with np.errstate(all="ignore"):
        basis = jacobian[:, linear] / target
        rest = (value - jacobian[:, linear].sum(axis=1)) / target
        gram = np.matmul(basis, basis.transpose(0, 2, 1))
        ridge = 1e-9 * np.einsum("bkk->bk", gram).max(axis=1)[:, None, None] * np.eye(len(linear))
        pull = np.matmul(basis, (1 - rest)[:, :, None])
        good = np.isfinite(gram).all(axis=(1, 2)) & np.isfinite(pull).all(axis=(1, 2)) & (ridge.max(axis=(1, 2)) > 0)
        factors = np.ones((len(candidates), len(linear)))
        if good.any():
            factors[good] = np.linalg.solve(gram[good] + ridge[good], pull[good])[..., 0]
        share = np.abs(basis).mean(axis=2)
        factors = np.maximum(factors, _SMALLEST / np.maximum(share, 1e-12))
    moved = candidates.copy()
    moved[:, linear] += np.log(factors)
    return np.where(np.isfinite(moved), moved, candidates)


def _loglinear(coords: Coordinates) -> list[int]:
    """Coordinates in which the law's logarithm is linear, jointly: two or more, with others beside them; else none."""
    return [] if coords.log_value is None else list(_linear_in(coords.log_value, coords.names))


@lru_cache(maxsize=256)
def _linear_in(log_value: Expr, labels: tuple[str, ...]) -> tuple[int, ...]:
    """The same, kept by form."""
    slopes = gradient(log_value, tuple(coordinate(label) for label in labels))
    within = [{each.of for each in leaves(slope) if each.role == "coordinate"} for slope in slopes]
    chosen: list[int] = []
    for position, label in enumerate(labels):
        taken = {labels[each] for each in chosen}
        if not within[position] & {label, *taken} and not any(label in within[each] for each in chosen):
            chosen.append(position)
    return tuple(chosen) if 2 <= len(chosen) < len(labels) else ()


def _project_logs(kernel: Kernel, candidates: Floats, target: Floats, linear: list[int]) -> Floats:
    """Coordinates in which log L is linear, by least squares of the log residual, given the others."""
    with np.errstate(all="ignore"):
        value, jacobian = kernel.everywhere(candidates)
        basis = jacobian[:, linear]
        gram = np.matmul(basis, basis.transpose(0, 2, 1))
        size = np.einsum("bkk->bk", gram)
        ridge = 1e-10 * size.max(axis=1)[:, None, None] * np.eye(len(linear))
        pull = np.matmul(basis, (target - value)[:, :, None])
        good = np.isfinite(gram).all(axis=(1, 2)) & np.isfinite(pull).all(axis=(1, 2)) & (size > 0).all(axis=1)
        moved = candidates.copy()
        if good.any():
            moved[np.ix_(good, linear)] += np.linalg.solve(gram[good] + ridge[good], pull[good])[..., 0]
    return np.where(np.isfinite(moved), moved, candidates)


def _all_positive(coords: Coordinates, positions: list[int]) -> bool:
    domains = {param.name: param.domain for param in coords.law.params}
    return all(domains[coords.names[position]] == "positive" for position in positions)
