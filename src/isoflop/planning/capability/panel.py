"""``fit_panel``: scores of families that share how skills rise with scale, and differ in where they begin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.special import expit

from isoflop.values import Value

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_RIDGE = 1e-3  # of every parameter, as in an index by item response
_STEPS = 60
_SMALL = 1e-7  # relative change of the objective at which a fit has converged
_DENSE = 100_000  # cells of J up to which a dense one is quicker
_LOST = 1e8  # damping at which no step gains any more


@dataclass(frozen=True)
class Panel(Value):
    """score_j = g_j + (1 − g_j)·logistic(b_j + w_j·θ), θ = x·β + α_family.

    intercept: b, (benchmarks,). loading: w, (benchmarks, skills). slope: β, (inputs, skills). effect: α, (families,
    skills). chance: g.
    """

    intercept: Floats = field(repr=False)
    loading: Floats = field(repr=False)
    slope: Floats = field(repr=False)
    effect: Floats = field(repr=False)
    chance: Floats = field(repr=False)

    def scores(self, x: Floats, family: Places | int) -> Floats:
        """Expected scores, (models, benchmarks)."""
        theta = x @ self.slope + self.effect[family]
        return np.asarray(self.chance + (1 - self.chance) * expit(self.intercept + theta @ self.loading.T))


def fit_panel(
    scores: Floats, x: Floats, family: Places, chance: Floats, *, skills: int = 2, start: Panel | None = None
) -> Panel:
    """argmin Σ (y − g − (1 − g)·logistic(b + w·(x·β + α_f)))² + λ·(sum of all parameters squared), λ = 0.001.

    Levenberg–Marquardt on all parameters. One family for all models gives an intercept that is shared.

    Parameters
    ----------
    scores :
        (models, benchmarks), NaN where none was measured.
    x :
        (models, inputs), such as ln N, ln D and their product, from their means.
    family :
        Place of each model's family, (models,).
    chance :
        g of each benchmark.
    skills :
        Dimension of θ.
    start :
        A fit to begin from, of the same families.

    Returns
    -------
    Panel
        The parameters; loadings and skills only up to a rotation.

    Examples
    --------
    >>> import numpy
    >>> x = numpy.linspace(-2, 2, 12)[:, None]
    >>> family = numpy.arange(12) % 2
    >>> rise = lambda hard, above: 1 / (1 + numpy.exp(-(0.8 * x[:, 0] + above * family - hard)))
    >>> scores = numpy.stack([rise(0.5, 1.0), rise(-0.5, 1.0)], axis=1)
    >>> found = fit_panel(scores, x, family, numpy.zeros(2), skills=1)
    >>> bool(numpy.abs(found.scores(x, family) - scores).max() < 0.01)
    True

    Source: Maia Polo et al. 2024, arXiv:2412.06540 (Sloth), with squares for Huber's function and no learned link.
    """
    m, t = (each.astype(np.int64) for each in np.nonzero(np.isfinite(scores)))
    y, families = scores[m, t], int(family.max()) + 1
    now = start if start is not None else _begin(scores, x.shape[1], families, chance, skills)
    damp, best, system = 1e-2, np.inf, None
    for _ in range(_STEPS):
        if system is None:
            best, normal, gradient = system = _system(now, y, x, family, m, t)
        scaled = normal + damp * np.diag(np.diag(normal))
        tried = _moved(now, np.asarray(np.linalg.solve(scaled, gradient), dtype=np.float64))
        miss = y - _expected(tried, x, family, m, t)[0]
        reached = float(miss @ miss) + _RIDGE * float((_flat(tried) ** 2).sum())
        if reached < best:
            done = best - reached <= _SMALL * best
            now, system, damp = tried, None, damp / 5
            if done:
                break
        else:
            damp *= 4
            if damp > _LOST:
                break
    return now


def without(panel: Panel, family: int) -> Panel:
    """The panel without one family's effect: where a fit to the others begins."""
    return replace(panel, effect=np.delete(panel.effect, family, axis=0))


def _begin(scores: Floats, inputs: int, families: int, chance: Floats, skills: int) -> Panel:
    """Skills that differ, since equal ones would stay equal."""
    tasks = scores.shape[1]
    draws = np.random.default_rng(0)
    return Panel(
        np.zeros(tasks),
        1 + 0.3 * draws.normal(size=(tasks, skills)),
        0.3 + 0.1 * draws.normal(size=(inputs, skills)),
        0.1 * draws.normal(size=(families, skills)),
        chance,
    )


def _flat(panel: Panel) -> Floats:
    return np.concatenate([panel.intercept, panel.loading.ravel(), panel.slope.ravel(), panel.effect.ravel()])


def _moved(panel: Panel, step: Floats) -> Panel:
    ends = np.cumsum([panel.intercept.size, panel.loading.size, panel.slope.size])
    b, w, beta, alpha = np.split(step, ends)
    return Panel(
        panel.intercept + b,
        panel.loading + w.reshape(panel.loading.shape),
        panel.slope + beta.reshape(panel.slope.shape),
        panel.effect + alpha.reshape(panel.effect.shape),
        panel.chance,
    )


def _expected(panel: Panel, x: Floats, family: Places, m: Places, t: Places) -> tuple[Floats, Floats, Floats]:
    """Scores of each cell, their slope in the logit, and θ of each model."""
    theta = x @ panel.slope + panel.effect[family]
    share = expit(panel.intercept[t] + (panel.loading[t] * theta[m]).sum(axis=1))
    room = 1 - panel.chance[t]
    return panel.chance[t] + room * share, room * share * (1 - share), theta


def _system(panel: Panel, y: Floats, x: Floats, family: Places, m: Places, t: Places) -> tuple[float, Floats, Floats]:
    """The objective, and Gauss and Newton's normal equations; a cell touches few parameters, so that J is sparse."""
    mean, slope, theta = _expected(panel, x, family, m, t)
    tasks, skills = panel.loading.shape
    inputs, at = x.shape[1], np.arange(len(y))
    values, columns = [slope], [t]
    for k in range(skills):
        by_skill = slope * panel.loading[t, k]
        values += [slope * theta[m, k], *(by_skill * x[m, q] for q in range(inputs)), by_skill]
        first = tasks + tasks * skills
        columns += [tasks + t * skills + k, *(np.full(len(y), first + q * skills + k) for q in range(inputs))]
        columns.append(first + inputs * skills + family[m] * skills + k)
    theta_of, miss = _flat(panel), y - mean
    if len(y) * len(theta_of) <= _DENSE:
        dense = np.zeros((len(y), len(theta_of)))
        for column, value in zip(columns, values, strict=True):
            dense[at, column] = value
        normal, gradient = dense.T @ dense, dense.T @ miss
    else:
        cells = np.concatenate(values), (np.tile(at, len(values)), np.concatenate(columns))
        jacobian = csr_array(cells, shape=(len(y), len(theta_of)))
        normal, gradient = (jacobian.T @ jacobian).toarray(), np.asarray(jacobian.T @ miss)
    normal[np.diag_indices(len(theta_of))] += _RIDGE
    return (
        float(miss @ miss + _RIDGE * theta_of @ theta_of),
        normal,
        gradient - _RIDGE * theta_of,
    )
