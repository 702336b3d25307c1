"""Laws of data mixtures: the loss of every task as a function of the shares, for any number of domains.

- ``exponential``: L = c + exp(Σ_j t_j r_j), the data mixing law; since shares add up to 1, exp(t_j) is the reducible
  loss of a model trained on domain j alone;
- ``log-linear``: the same with c = 0, which few mixtures determine;
- ``bimix``: L = Σ_j f_j/(r_j + s)^α_j;
- ``exponential-power``: L = exp(Σ_j t_j r_j)·Π_j (r_j + s)^(-α_j), a line in shares and their logarithms.

s is half the smallest share of the table, so that a share may be zero. What few mixtures leave open is drawn by a ridge
to no effect of any domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.planning.mixtures.table import MixtureTable
from isoflop.values import Value

Floats = NDArray[np.float64]
Form = Literal["exponential", "log-linear", "bimix", "exponential-power"]
FORMS: Final[tuple[Form, ...]] = get_args(Form)

_RIDGE = 1e-6  # of the effects around their mean, in units of their information: what few mixtures leave open
_FLOORS = np.concatenate([[0.0], 1 - np.logspace(-0.05, -1.7, 11)])  # of a task's lowest loss
_ROBUST = 4.0  # degrees of freedom of the weights by which an odd run bends nothing
_STEPS = 12
_RIDGE_POWER = 1e-3  # of shares and logarithms, which go together
_RIDGE_BIMIX = 1e-6  # of log f and log α around equal domains
_EXPONENT = 0.1  # α from which bimix begins
_MOST_STEPS = 60


@dataclass(frozen=True)
class MixtureLaw(Value):
    """A form with numbers: (tasks, domains) of effects, and of each task a floor.

    effects: t, or log f of bimix. exponents: α, or zeros. floor: c, (tasks,). smallest: s.
    """

    form: Form
    domains: tuple[str, ...]
    tasks: tuple[str, ...]
    effects: Floats
    exponents: Floats
    floor: Floats
    smallest: float

    def loss(self, shares: Floats) -> Floats:
        """The loss of every task, (…, tasks), at shares (…, domains)."""
        if self.form == "bimix":
            place = np.log(np.maximum(shares, 0.0) + self.smallest)[..., None, :]
            return np.asarray(np.exp(self.effects - self.exponents * place).sum(axis=-1))
        log = shares @ self.effects.T
        if self.form == "exponential-power":
            log = log - np.log(np.maximum(shares, 0.0) + self.smallest) @ self.exponents.T
        return np.asarray(self.floor + np.exp(log))

    def slope(self, shares: Floats) -> Floats:
        """∂loss/∂share, (tasks, domains), at one mixture."""
        if self.form == "bimix":
            base = shares + self.smallest
            return np.asarray(-self.exponents * np.exp(self.effects - self.exponents * np.log(base)) / base)
        effects = self.effects - self.exponents / (shares + self.smallest)
        return np.asarray((self.loss(shares) - self.floor)[:, None] * effects)


def fit_mixtures(table: MixtureTable, form: Form = "exponential", *, weights: Floats | None = None) -> MixtureLaw:
    """argmin Σ w_k ρ(L̂_i(r_k)/L_ik − 1) for every task i: least squares weighed by Student's t.

    Parameters
    ----------
    table :
        Mixtures with their losses.
    form :
        ``exponential`` with a floor, or another of :data:`FORMS`.
    weights :
        How much each run counts, (runs,); equally by default.

    Returns
    -------
    MixtureLaw
        It forecasts the losses of any shares.

    Raises
    ------
    DataError
        Fewer runs than the form has parameters a task.

    Examples
    --------
    >>> import numpy, isoflop
    >>> from isoflop.planning.mixtures import fit_mixtures, mixture_table
    >>> web = numpy.linspace(0.1, 0.9, 9)
    >>> loss = 2 + 0.5 * numpy.exp(-2 * web) + 0.3 * numpy.exp(-3 * (1 - web))
    >>> runs = isoflop.Runs.from_columns({"web": web, "code": 1 - web, "loss": loss})
    >>> table = mixture_table(runs, ["web", "code"])
    >>> fit_mixtures(table, "exponential-power").loss(table.shares).shape
    (9, 1)
    """
    free = {"exponential": 1 + len(table.domains)}.get(form, len(table.domains))
    if len(table) < free:
        raise DataError(
            f"{form} needs {free} mixtures or more for {len(table.domains)} domains, and there are {len(table)}; train "
            "more of them, or join domains"
        )
    counted = np.ones(len(table)) if weights is None else np.asarray(weights, dtype=np.float64)
    smallest = float(table.shares[table.shares > 0].min()) / 2
    none = np.zeros((len(table.tasks), len(table.domains)))
    floor = np.zeros(len(table.tasks))
    if form == "bimix":
        effects, exponents = _bimix(np.log(table.shares + smallest), table.losses.T, counted)
    elif form == "exponential-power":
        effects, exponents = _powers(table.shares, np.log(table.shares + smallest), table.losses, counted)
    else:
        fits = [_fitted(form, table.shares, loss, counted) for loss in table.losses.T]
        effects, exponents, floor = np.stack([each[0] for each in fits]), none, np.array([each[1] for each in fits])
    return MixtureLaw(form, table.domains, table.tasks, effects, exponents, floor, smallest)


def _fitted(form: Form, shares: Floats, loss: Floats, counted: Floats) -> tuple[Floats, float]:
    """Effects and floor of an exponential form."""
    weights = counted.copy()
    effects, floor = np.zeros(shares.shape[1]), 0.0
    for _ in range(2):
        floors = _FLOORS if form == "exponential" else _FLOORS[:1]
        found = [(*_log_linear(shares, loss, each * loss.min(), weights), each * loss.min()) for each in floors]
        _, effects, floor = min(found, key=lambda each: each[0])
        if form == "exponential":
            effects, floor = _polished(shares, loss, effects, float(floor), weights)
        weights = counted * _student((floor + np.exp(shares @ effects)) / loss - 1)
    return effects, float(floor)


def _student(residual: Floats) -> Floats:
    scale = 1.4826 * float(np.median(np.abs(residual))) + 1e-9
    return np.asarray((_ROBUST + 1) / (_ROBUST + (residual / scale) ** 2))


def _log_linear(shares: Floats, loss: Floats, floor: float, weights: Floats) -> tuple[float, Floats]:
    """Effects of log(L − c) on shares, weighed as relative residuals of L: (misfit, effects)."""
    part = loss - floor
    effects = _ridge(shares, np.log(part), weights * (part / loss) ** 2)
    miss = float((weights * ((floor + np.exp(shares @ effects)) / loss - 1) ** 2).sum())
    return miss, effects


def _ridge(columns: Floats, target: Floats, weights: Floats) -> Floats:
    """Weighted least squares, drawn by very little to equal effects."""
    count = columns.shape[1]
    square = columns.T @ (columns * weights[:, None])
    apart = np.eye(count) - 1 / count
    square = square + _RIDGE * float(np.trace(square)) * apart + 1e-12 * float(np.trace(square)) * np.eye(count)
    return np.asarray(np.linalg.solve(square, columns.T @ (weights * target)))


def _polished(shares: Floats, loss: Floats, effects: Floats, floor: float, weights: Floats) -> tuple[Floats, float]:
    """Gauss–Newton on effects and floor together, halved where a step does not help."""

    def miss(effects: Floats, floor: float) -> float:
        return float((weights * ((floor + np.exp(shares @ effects)) / loss - 1) ** 2).sum())

    now = miss(effects, floor)
    for _ in range(_STEPS):
        value = np.exp(shares @ effects)
        jacobian = np.column_stack([shares * value[:, None], np.ones(len(loss))]) / loss[:, None]
        residual = (floor + value) / loss - 1
        square = jacobian.T @ (jacobian * weights[:, None])
        penalty = np.zeros_like(square)
        count = len(effects)
        penalty[:count, :count] = np.eye(count) - 1 / count
        square = square + (_RIDGE * penalty + 1e-12 * np.eye(count + 1)) * float(np.trace(square))
        step = -np.linalg.solve(square, jacobian.T @ (weights * residual))
        for _ in range(8):
            following, lower = effects + step[:-1], min(max(floor + float(step[-1]), 0.0), 0.999 * float(loss.min()))
            then = miss(following, lower)
            if then <= now:
                break
            step = step / 2
        else:
            break
        effects, floor, gained, now = following, lower, now - then, then
        if gained <= 1e-10 * now:
            break
    return effects, floor


def _powers(shares: Floats, place: Floats, losses: Floats, counted: Floats) -> tuple[Floats, Floats]:
    """log L on shares and their logarithms, (tasks, domains) each, by ridge regression."""
    columns = np.hstack([shares, -place])
    share = counted / counted.sum()
    middle, level = share @ columns, share @ np.log(losses)
    centered = columns - middle
    square = centered.T @ (centered * share[:, None])
    square = square + _RIDGE_POWER * np.trace(square) / len(square) * np.eye(len(square))
    found = np.linalg.solve(square, centered.T @ ((np.log(losses) - level) * share[:, None])).T
    count = shares.shape[1]
    # shares add up to 1, so that the level is an effect that all domains share
    effects = found[:, :count] + (level - found @ middle)[:, None]
    return effects, found[:, count:]


def _bimix(place: Floats, losses: Floats, counted: Floats) -> tuple[Floats, Floats]:
    """log f and α of every task, (tasks, domains), by Levenberg and Marquardt's steps on log f and log α at once."""
    count, tasks = place.shape[1], len(losses)
    level = np.log(losses.mean(axis=1) / count)
    first = np.hstack([np.repeat(level[:, None], count, axis=1), np.full((tasks, count), np.log(_EXPONENT))])
    theta, damping = first.copy(), np.full(tasks, 1e-3)
    ridge = _RIDGE_BIMIX * counted.sum()

    def parts(theta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        with np.errstate(over="ignore", invalid="ignore"):
            exponents = np.exp(theta[:, count:])
            value = np.exp(theta[:, None, :count] - exponents[:, None, :] * place)
            residual = value.sum(axis=2) / losses - 1
            cost = (counted * residual**2).sum(axis=1) + ridge * ((theta - first) ** 2).sum(axis=1)
        return value, exponents, residual, np.where(np.isfinite(cost), cost, np.inf)

    value, exponents, residual, cost = parts(theta)
    for _ in range(_MOST_STEPS):
        slopes = np.concatenate([value, -value * place * exponents[:, None, :]], axis=2) / losses[:, :, None]
        square = np.einsum("tni,n,tnj->tij", slopes, counted, slopes, optimize=True) + ridge * np.eye(2 * count)
        gradient = np.einsum("tni,n,tn->ti", slopes, counted, residual, optimize=True) + ridge * (theta - first)
        damped = square + damping[:, None, None] * np.einsum("tii->ti", square)[:, :, None] * np.eye(2 * count)
        following = theta - np.linalg.solve(damped, gradient[:, :, None])[:, :, 0]
        then = parts(following)
        better = then[3] < cost
        gained = np.where(better, cost - then[3], 0.0)
        theta = np.where(better[:, None], following, theta)
        damping = np.where(better, damping / 4, damping * 5)
        value, exponents, residual, cost = parts(theta)
        if np.all((gained <= 1e-9 * cost) & (better | (damping > 1e6))):
            break
    return theta[:, :count], exponents
