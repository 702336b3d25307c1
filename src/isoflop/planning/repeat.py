"""``repeat``: what tokens are worth that are seen again, where to stop, and how to spend a budget on few of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Estimate, Objective, fit
from isoflop.laws import Law, law
from isoflop.laws.optimum import check_positive
from isoflop.planning.published import published
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty import bootstrap
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of, no_draws, tail_findings
from isoflop.uncertainty.extrapolation import distances
from isoflop.units import TRAIN
from isoflop.values import Value

Floats = NDArray[np.float64]
Params = Mapping[str, Floats]

LAWS = ("muennighoff", "lovelace")
PUBLISHED = ("muennighoff:c4", "lovelace:datablations")  # what is asked where there are no runs
SHOWN = (1, 2, 4, 8, 16, 32, 64)
_WHOLE = 64  # epochs that are looked at one by one
_MOST = 10_000.0  # epochs after which nobody looks
_RISES = 1e-9  # a relative rise of the loss that is more than rounding
_HALVINGS = 30
_GRID = 481


@dataclass(frozen=True)
class Pass(Value):
    """A number of passes over the unique tokens.

    loss: the curve's. fresh: the unique tokens that would give the same loss, in multiples of those there are.
    worth: what the next pass adds to ``fresh``; 1 for a pass over new tokens. gain: the loss that it takes away.
    """

    epochs: float
    loss: Interval
    fresh: Interval
    worth: Interval
    gain: Interval


@dataclass(frozen=True)
class Spent(Value):
    """The best use of a budget with few unique tokens.

    n, d, epochs, loss: at the least loss with repeats. once: the loss where every token is seen once, n = C/(6U), or
    the compute-optimal one where the tokens suffice. plenty: the least loss if tokens were not limited.
    """

    budget: float
    n: Interval
    d: Interval
    epochs: Interval
    loss: Interval
    once: Interval
    plenty: Interval


@dataclass(frozen=True)
class Repeat(Shown):
    """What one law says of repeating.

    unique: tokens; params: the model size of ``passes``, ``stop`` and ``lowest``.
    stop: passes after which the next is worth less than ``least``. lowest: passes at which the loss is least; infinite
    where it never rises. along: epochs from 1 on, ``fresh`` after them and its interval, (4, points).
    """

    ensemble: Ensemble
    unique: float
    params: float
    least: float
    passes: tuple[Pass, ...]
    stop: Interval
    lowest: Interval
    best: Spent | None
    along: Floats = field(repr=False, compare=False)
    findings: tuple[Finding, ...]


def repeat(
    ensemble: Ensemble,
    *,
    unique: float,
    params: float | None = None,
    budget: float | None = None,
    least: float = 0.1,
    shown: Sequence[int] = SHOWN,
    level: float = 0.9,
) -> Repeat:
    """Losses L(N, eU, U) over passes e, and argmin over N of L(N, C/(6N), U), at the fit and for every draw.

    A repeated token has the marginal value of the unique tokens that would give the same loss: ``fresh`` U solves L(N,
    fU, fU) = L(N, eU, U). In Muennighoff's law this is D_eff/U = 1 + r_D (1 − exp(−(e − 1)/r_D)) as long as N is not
    above U_N.

    Parameters
    ----------
    ensemble :
        Of a law in N, D and U.
    unique :
        U, unique tokens.
    params :
        N; without it the best N at ``budget``.
    budget :
        C, training FLOPs.
    least :
        The marginal value of a pass at which to stop, 0 to 1.
    shown :
        The numbers of passes in the table.
    level :
        Of the intervals.

    Returns
    -------
    Repeat
        A row for each number of passes, where to stop, and the best N and D of the budget.

    Raises
    ------
    IsoflopError
        Quantities ≤ 0, another law, or neither ``params`` nor ``budget``.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.published import published
    >>> found = isoflop.repeat(published("muennighoff:c4"), unique=1e11, params=2.8e9, shown=[1, 4, 16])
    >>> [each.epochs for each in found.passes]
    [1.0, 4.0, 16.0]

    Source: Muennighoff et al. 2023, arXiv:2305.16264.
    """
    check_level(level)
    check_positive(unique, "the unique tokens", "tokens")
    _require_n_d_and_u(ensemble.estimate.law)
    if not 0 < least < 1:
        raise IsoflopError(f"the marginal value at which to stop lies between 0 and 1, not {least:g}; 0.1 is usual")
    if any(not 1 <= each <= _WHOLE for each in shown):
        raise IsoflopError(f"epochs to show are whole numbers from 1 to {_WHOLE}, not {list(shown)}")
    if params is None and budget is None:
        raise IsoflopError("repeating depends on the model: give its size (--params 7B) or a budget (--budget 1e22)")
    best = None if budget is None else _spend(ensemble, unique, budget, level)
    if params is None:
        params = best.n.value if best is not None else math.nan
    check_positive(params, "the model size", "parameters")
    epochs = _epochs()
    here = _along(ensemble.estimate.law, ensemble.estimate.one_draw, params, unique, epochs, least)
    there = _along(ensemble.estimate.law, ensemble.draws, params, unique, epochs, least) if len(ensemble) else None

    def interval(pick: Callable[[_Along], Floats]) -> Interval:
        draws = np.empty(0) if there is None else pick(there)
        return interval_of(float(pick(here)[0]), draws, level=level)

    def one(at: int) -> Pass:
        return Pass(
            epochs=float(epochs[at]),
            loss=interval(lambda each: each.loss[:, at]),
            fresh=interval(lambda each: each.fresh[:, at]),
            worth=interval(lambda each: each.worth[:, at]),
            gain=interval(lambda each: each.loss[:, at] - each.loss[:, at + 1]),
        )

    return Repeat(
        ensemble=ensemble,
        unique=float(unique),
        params=float(params),
        least=least,
        passes=tuple(one(each - 1) for each in sorted(set(shown))),
        stop=interval(lambda each: each.stop),
        lowest=_with_infinity(here.lowest, None if there is None else there.lowest, level),
        best=best,
        along=_with_ends(epochs, here.fresh, None if there is None else there.fresh, level),
        findings=(
            *no_draws(ensemble),
            *tail_findings(ensemble, level=level),
            *_reach(ensemble.estimate, params, unique, best),
            *ensemble.findings,
        ),
    )


def fit_repeats(
    runs: Runs,
    *,
    objective: Objective | None = None,
    draws: int = 1_000,
    seed: int = 0,
    resample_by: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Ensemble, ...]:
    """Muennighoff's and Lovelace's laws fitted to the same runs, each with a bootstrap.

    runs: with N, D, loss and U; where U is absent it is D over the number of epochs. resample_by: see
    :func:`isoflop.bootstrap`. progress: called with the number of draws finished, of two times ``draws``. Raises
    DataError without U and epochs, and where no token was seen twice.
    """
    runs = with_unique(runs)
    if not (runs["D"] > runs["U"] * (1 + 1e-9)).any():
        raise IsoflopError(f"no run of {runs.source} saw a token twice (D > U); without repeats their value is unknown")
    return tuple(
        bootstrap(
            fit(law(name), runs, objective=objective, seed=seed),
            draws=draws,
            seed=seed,
            resample_by=resample_by,
            progress=progress,
        )
        for name in LAWS
    )


def with_unique(runs: Runs) -> Runs:
    """The runs with U = D/epochs where they have no unique tokens but epochs; a finding says so."""
    if "U" in runs or "epochs" not in runs:
        return runs
    made = runs.with_column("U", runs["D"] / np.maximum(1.0, runs["epochs"]))
    said = Finding(
        "unique-from-epochs",
        "note",
        "the table has no unique tokens, so U = D/epochs was used, with the epochs of each row up to its own tokens.",
        "If epochs are those of the finished run, name the unique tokens (--column U=HEADER).",
    )
    return replace(made, findings=(*made.findings, said))


def explained(each: Law, params: Mapping[str, float], runs: Runs) -> float:
    """R² = 1 − Σ(L − L̂)²/Σ(L − mean L)² on raw loss."""
    loss = runs["loss"]
    predicted = each.value(params, {name: runs[name] for name in each.input_names})
    return float(1 - np.sum((loss - predicted) ** 2) / np.sum((loss - loss.mean()) ** 2))


def published_explains(each: Law, runs: Runs) -> float:
    """R² of the published constants of the law on the runs."""
    text = next(text for text in PUBLISHED if text.startswith(f"{each.name}:"))
    return explained(each, published(text).estimate.params, runs)


@dataclass(frozen=True)
class _Along:
    """Every draw along the epochs, (draws, epochs), and where it stops and is lowest, (draws,)."""

    loss: Floats
    fresh: Floats
    worth: Floats
    stop: Floats
    lowest: Floats


def _epochs() -> Floats:
    """One by one up to 65, and then in steps of a tenth."""
    beyond = np.round(np.exp(np.arange(math.log(_WHOLE + 1), math.log(_MOST), 0.1)))
    return np.concatenate([np.arange(1.0, _WHOLE + 1), beyond])


def _along(each: Law, params: Params, n: float, unique: float, epochs: Floats, least: float) -> _Along:
    wide = {label: values[:, None] for label, values in params.items()}
    draws = len(next(iter(params.values())))
    loss = np.broadcast_to(each.value(wide, {"N": n, "D": unique * epochs, "U": unique}), (draws, len(epochs)))
    # a draw whose loss is beyond all numbers somewhere along the epochs says nothing
    loss = np.where(np.isfinite(loss).all(axis=1, keepdims=True), loss, np.nan)
    fresh = _fresh(each, wide, n, unique, epochs, loss)
    worth = np.diff(fresh, axis=1) / np.diff(epochs)
    below = worth < least
    first = np.where(below.any(axis=1), below.argmax(axis=1), len(epochs) - 1)
    rises = loss[:, -1] > loss.min(axis=1) * (1 + _RISES)
    lowest = np.where(rises, epochs[loss.argmin(axis=1)], np.inf)
    known = np.isfinite(loss[:, 0])
    return _Along(loss, fresh, worth, np.where(known, epochs[first], np.nan), np.where(known, lowest, np.nan))


def _fresh(each: Law, wide: Params, n: float, unique: float, epochs: Floats, loss: Floats) -> Floats:
    """f with L(N, fU, fU) = loss, (draws, epochs), by bisection; not above the number of epochs; NaN where loss is."""
    low = np.full(loss.shape, -14.0)
    high = np.broadcast_to(np.log(epochs), loss.shape)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        tokens = unique * np.exp(middle)
        above = each.value(wide, {"N": n, "D": tokens, "U": tokens}) > loss
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    # at one pass the law itself says that all tokens are fresh; bisection from above only comes close
    found = np.where(epochs == 1, 1.0, np.exp((low + high) / 2))
    return np.where(np.isfinite(loss), found, np.nan)


def _with_ends(epochs: Floats, here: Floats, there: Floats | None, level: float) -> Floats:
    """Epochs, the value at the fit and its interval over draws that have one, (4, epochs)."""
    ends = np.full((2, len(epochs)), np.nan)
    if there is not None:
        told = there[np.isfinite(there).all(axis=1)]
        if len(told):
            ends = np.quantile(told, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return np.stack([epochs, here[0], *ends])


def _spend(ensemble: Ensemble, unique: float, budget: float, level: float) -> Spent:
    check_positive(budget, "the budget", "FLOPs")
    each = ensemble.estimate.law
    here = _best(each, ensemble.estimate.one_draw, unique, budget)
    there = _best(each, ensemble.draws, unique, budget) if len(ensemble) else None

    def interval(label: str) -> Interval:
        return interval_of(float(here[label][0]), np.empty(0) if there is None else there[label], level=level)

    labels = ("n", "d", "epochs", "loss", "once", "plenty")
    return Spent(float(budget), **{label: interval(label) for label in labels})


def _best(each: Law, params: Params, unique: float, budget: float) -> dict[str, Floats]:
    """Every number of ``Spent`` in each draw, (draws,)."""
    total = budget / TRAIN
    n, loss = _least(each, params, total, lambda d: np.full_like(d, unique))
    free, plenty = _least(each, params, total, lambda d: d)
    single = total / unique
    # with tokens to spare the best plan repeats nothing
    enough = total / free <= unique
    once = np.where(enough, plenty, each.value(params, {"N": single, "D": unique, "U": unique}))
    # the loss may have a kink at one epoch, over which golden section steps
    kink = ~enough & (once <= loss)
    n, loss = np.where(kink, single, n), np.where(kink, once, loss)
    d = total / n
    return {"n": n, "d": d, "epochs": np.maximum(1.0, d / unique), "loss": loss, "once": once, "plenty": plenty}


def _least(each: Law, params: Params, total: float, unique: Callable[[Floats], Floats]) -> tuple[Floats, Floats]:
    """N and loss at the least of L(N, T/N, U), (draws,): a grid, and golden section around its best."""
    draws = len(next(iter(params.values())))

    def loss(log_n: Floats, given: Params) -> Floats:
        d = total / np.exp(log_n)
        return each.value(given, {"N": np.exp(log_n), "D": d, "U": unique(d)})

    grid = np.linspace(0, math.log(total), _GRID)
    wide = {label: values[:, None] for label, values in params.items()}
    seen = np.broadcast_to(loss(grid[None, :], wide), (draws, _GRID))
    best = np.where(np.isfinite(seen), seen, np.inf).argmin(axis=1)
    low, high = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, _GRID - 1)]
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(45):
        left, right = high - golden * (high - low), low + golden * (high - low)
        smaller = loss(left, params) < loss(right, params)
        low, high = np.where(smaller, low, left), np.where(smaller, right, high)
    found = (low + high) / 2
    return np.exp(found), loss(found, params)


def _with_infinity(here: Floats, there: Floats | None, level: float) -> Interval:
    """An interval of a quantity that may be infinite: quantiles by order, without sums of infinities."""
    if there is None:
        return Interval(float(here[0]), math.nan, math.nan, level)
    told = there[~np.isnan(there)]
    if not len(told):
        return Interval(float(here[0]), math.nan, math.nan, level)
    low, high = np.quantile(told, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    return Interval(float(here[0]), float(low), float(high), level)


def _require_n_d_and_u(each: Law) -> None:
    if set(each.input_names) != {"N", "D", "U"}:
        raise IsoflopError(
            f"repeating needs a law in N, D and U (unique tokens); {each.name} has {', '.join(each.input_names)}: "
            f"fit {' or '.join(LAWS)}"
        )


def _reach(fitted: Estimate, n: float, unique: float, best: Spent | None) -> list[Finding]:
    """Sizes, unique tokens and passes beyond those of the runs."""
    ranges = fitted.data.ranges
    asked = {"N": n, "U": unique} | ({} if best is None else {"D": best.d.value})
    found = []
    for label, decades in distances(fitted, asked).items():
        (low, high), value = ranges[label], asked[label]
        if decades > 0.5:
            found.append(
                Finding(
                    "extrapolation",
                    "warning" if decades > 1 else "note",
                    f"{fitted.law.name}: {label} = {value:.3g} lies {decades:.1f} decades beyond the runs "
                    f"({low:.3g} to {high:.3g}).",
                    "The further out, the more the answer rests on the law's form; compare the two laws.",
                )
            )
    return found
