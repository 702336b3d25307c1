"""The best mixture: the lowest weighted loss on the simplex, within what each domain's tokens allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.planning.mixtures.forms import Form, MixtureLaw, fit_mixtures
from isoflop.planning.mixtures.table import MixtureTable
from isoflop.planning.mixtures.validate import task_weights
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.values import Value

Floats = NDArray[np.float64]

_STEPS = 500
_SETTLED = 1e-10
WITHIN = 0.002
_NOTHING = 1e-6


@dataclass(frozen=True)
class DomainShare(Value):
    """A domain's share of the best mixture, with its interval over draws.

    near: its smallest and largest share among mixtures within the near-optimal loss. epochs: passes over its unique
    tokens, None where they are not known. cap: the largest share that was allowed. seen: its largest share among runs.
    measured: its share of the run with the lowest weighted loss that was measured.
    """

    name: str
    share: Interval
    near: tuple[float, float]
    epochs: float | None
    cap: float
    seen: float
    measured: float


@dataclass(frozen=True)
class MixturePlan(Value):
    """The best mixture and what it is worth.

    domains: their shares. loss: the weighted loss there, over draws. best_seen: the forecast at the best mixture that
    was trained within the limits, or at the best of all where the limits allow none (``seen_allowed``). proportional:
    at shares by unique tokens, None where these are not known. gain: loss of the best mixture seen minus that of the
    plan, both forecast, over draws. within: relative loss that counts as near-optimal.
    draws: shares of each draw's best mixture, (draws, domains).
    """

    form: Form
    domains: tuple[DomainShare, ...]
    loss: Interval
    best_seen: float
    seen_allowed: bool
    proportional: float | None
    gain: Interval
    within: float
    draws: Floats


def plan_mixture(
    table: MixtureTable,
    *,
    form: Form = "exponential",
    weights: Sequence[float] | None = None,
    tokens: float | None = None,
    unique: Sequence[float] | None = None,
    epochs: float = 4.0,
    caps: Sequence[float] | None = None,
    within: float = WITHIN,
    draws: int = 100,
    level: float = 0.9,
    seed: int = 0,
) -> MixturePlan:
    """argmin_r Σ_i w_i L_i(r) for Σ r = 1, 0 ≤ r_j ≤ min(cap_j, epochs·U_j/D).

    Projected gradients find the optimum: all forms are convex in the shares but for ``exponential-power`` with negative
    exponents, for which three starts are tried. Draws: refits to the mixtures with Exp(1) weights, each optimized anew.

    Parameters
    ----------
    table :
        Mixtures with their losses.
    form :
        Of the law; :func:`isoflop.planning.mixtures.validate.validate_mixtures` says which forecasts best.
    weights :
        Of the losses; equal by default.
    tokens, unique, epochs :
        Training tokens of the planned run, unique tokens of each domain (infinite where they are not known), and how
        often they may be passed.
    caps :
        Largest share of each domain.
    within :
        Relative loss above the best that counts as near-optimal.
    draws, level, seed :
        Of the intervals.

    Returns
    -------
    MixturePlan
        The shares with intervals and near-optimal ranges.

    Raises
    ------
    DataError
        Too few mixtures, or limits that no mixture meets.
    IsoflopError
        Numbers that are not positive, or of another count than the domains.

    Examples
    --------
    >>> import numpy, isoflop
    >>> from isoflop.planning.mixtures import mixture_table, plan_mixture
    >>> web = numpy.linspace(0.1, 0.9, 9)
    >>> loss = 2 + 0.5 * numpy.exp(-2 * web) + 0.3 * numpy.exp(-3 * (1 - web))
    >>> runs = isoflop.Runs.from_columns({"web": web, "code": 1 - web, "loss": loss})
    >>> table = mixture_table(runs, ["web", "code"])
    >>> plan = plan_mixture(table, caps=[0.4, 1.0], draws=20)
    >>> bool(plan.domains[0].share.value < 0.4 + 1e-6)
    True
    """
    check_level(level)
    if not 0 < within < 1:
        raise IsoflopError(f"within is a share of the loss between 0 and 1, such as 0.002, not {within:g}")
    share = task_weights(table, weights)
    cap = _caps(table, tokens, unique, epochs, caps)
    law = fit_mixtures(table, form)
    allowed = np.all(table.shares <= cap + 1e-9, axis=1)
    pool = table.shares[allowed] if allowed.any() else table.shares
    seen = pool[int(np.argmin(law.loss(pool) @ share))]
    best = min(
        (optimum(law, share, cap, start=each) for each in (None, seen, table.shares.mean(axis=0))),
        key=lambda each: float(law.loss(each) @ share),
    )
    best = np.where(best < _NOTHING, 0.0, best)  # what the search leaves of a domain that it empties
    best = best / best.sum()
    rng = np.random.default_rng([seed, 22])
    shares, losses, gains = [], [], []
    for _ in range(draws):
        drawn = fit_mixtures(table, form, weights=rng.exponential(size=len(table)))
        there = optimum(drawn, share, cap, start=best)
        shares.append(np.where(there < _NOTHING, 0.0, there))
        losses.append(float(drawn.loss(best) @ share))
        gains.append(float((drawn.loss(seen) - drawn.loss(best)) @ share))
    spread = np.array(shares).reshape(len(shares), len(table.domains))
    loss = float(law.loss(best) @ share)
    near = _near(law, share, cap, best, loss * (1 + within))
    pools = np.full(len(cap), np.inf) if unique is None else np.asarray(unique, dtype=np.float64)
    lowest = table.shares[int(np.argmin(table.losses @ share))]
    ends = [(1 - level) / 2, (1 + level) / 2]
    spare = max(1, len(table) - len(table.domains) - 1)
    stretch = np.sqrt(len(table) / spare)  # what a fit of so many effects takes from the scatter of refits

    def interval(value: float, values: Floats) -> Interval:
        if not len(values):
            return Interval(value, float("nan"), float("nan"), level)
        low, high = value + stretch * (np.quantile(values, ends) - value)
        return Interval(value, float(low), float(high), level)

    domains = tuple(
        DomainShare(
            name=name,
            share=_within_limits(interval(float(best[k]), spread[:, k]), float(cap[k])),
            near=near[k],
            epochs=None if tokens is None or pools[k] == np.inf else float(best[k] * tokens / pools[k]),
            cap=float(cap[k]),
            seen=float(table.shares[:, k].max()),
            measured=float(lowest[k]),
        )
        for k, name in enumerate(table.domains)
    )
    by_size = None if not np.isfinite(pools).all() else float(law.loss(pools / pools.sum()) @ share)
    gain = float((law.loss(seen) - law.loss(best)) @ share)
    return MixturePlan(
        form=form,
        domains=domains,
        loss=interval(loss, np.array(losses)),
        best_seen=float(law.loss(seen) @ share),
        seen_allowed=bool(allowed.any()),
        proportional=by_size,
        gain=interval(gain, np.array(gains)),
        within=within,
        draws=spread,
    )


def _within_limits(share: Interval, cap: float) -> Interval:
    """An interval of a share, cut at zero and at the largest that is allowed."""
    return Interval(share.value, max(share.low, 0.0), min(share.high, cap), share.level)


def _caps(
    table: MixtureTable,
    tokens: float | None,
    unique: Sequence[float] | None,
    epochs: float,
    caps: Sequence[float] | None,
) -> Floats:
    """The largest share of each domain."""
    count = len(table.domains)
    cap = np.ones(count)
    if caps is not None:
        cap = _positive(caps, "caps", count, zero=True)
    if (tokens is None) != (unique is None):
        raise IsoflopError("training tokens and unique tokens of the domains belong together; give both or neither")
    if tokens is not None and unique is not None:
        if not (tokens > 0 and epochs > 0):
            raise IsoflopError(f"tokens and epochs are positive, not {tokens:g} and {epochs:g}")
        cap = np.minimum(cap, epochs * _positive(unique, "unique tokens", count, endless=True) / tokens)
    cap = np.minimum(cap, 1.0)
    if cap.sum() < 1 - 1e-9:
        raise DataError(
            f"the limits of the domains add up to {cap.sum():.3g} of the mixture, so no mixture meets them; allow more "
            "epochs, larger caps, or fewer tokens"
        )
    return cap


def _positive(values: Sequence[float], what: str, count: int, *, zero: bool = False, endless: bool = False) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (count,):
        raise IsoflopError(f"{what} are {count} numbers, one a domain, not {found.size}")
    known = np.isfinite(found) | (endless & (found == np.inf))
    if not known.all() or (found < 0).any() or (not zero and (found == 0).any()):
        raise IsoflopError(f"{what} are {'numbers from 0' if zero else 'positive numbers'}")
    return found


def projected(point: Floats, cap: Floats) -> Floats:
    """The nearest mixture: argmin |r − point| for Σ r = 1, 0 ≤ r ≤ cap, by bisection on the shift of all shares."""
    low, high = float((point - cap).min()) - 1.0, float(point.max()) + 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if np.clip(point - middle, 0.0, cap).sum() > 1:
            low = middle
        else:
            high = middle
    found = np.clip(point - (low + high) / 2, 0.0, cap)
    return np.asarray(found / found.sum())


def optimum(law: MixtureLaw, weights: Floats, cap: Floats, *, start: Floats | None = None) -> Floats:
    """The mixture of the lowest weighted loss, by accelerated projected gradients with restarts."""
    now = projected(np.full(len(cap), 1 / len(cap)) if start is None else start, cap)
    ahead, momentum, rate = now, 1.0, 1.0
    value = float(law.loss(now) @ weights)
    for _ in range(_STEPS):
        slope = weights @ law.slope(ahead)
        here = float(law.loss(ahead) @ weights)
        while True:
            following = projected(ahead - rate * slope, cap)
            step = following - ahead
            then = float(law.loss(following) @ weights)
            if then <= here + slope @ step + step @ step / (2 * rate) + 1e-15 or rate < 1e-12:
                break
            rate /= 2
        if then > value:  # overshot: begin again from the best without momentum
            if momentum == 1.0:
                break
            ahead, momentum = now, 1.0
            continue
        moved = float(np.abs(following - now).max())
        later = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = projected(following + (momentum - 1) / later * (following - now), cap)
        now, value, momentum = following, then, later
        rate *= 1.3
        if moved < _SETTLED:
            break
    return now


def _near(law: MixtureLaw, weights: Floats, cap: Floats, best: Floats, limit: float) -> tuple[tuple[float, float], ...]:
    """The smallest and largest share of each domain among mixtures whose loss is below the limit."""
    from scipy.optimize import minimize  # half a second to import

    constraints = [
        {"type": "eq", "fun": lambda r: r.sum() - 1, "jac": np.ones_like},
        {
            "type": "ineq",
            "fun": lambda r: limit - law.loss(r) @ weights,
            "jac": lambda r: -(weights @ law.slope(r)),
        },
    ]
    found = []
    for k in range(len(cap)):
        ends = []
        for sign in (1.0, -1.0):
            toward = np.zeros(len(cap))
            toward[k] = sign
            done = minimize(
                lambda r, toward=toward: toward @ r,
                best,
                jac=lambda r, toward=toward: toward,
                bounds=list(zip(np.zeros(len(cap)), cap, strict=True)),
                constraints=constraints,
                method="SLSQP",
                options={"maxiter": 100, "ftol": 1e-9},
            )
            fits = done.success and float(law.loss(done.x) @ weights) <= limit * (1 + 1e-6)
            ends.append(float(np.clip(done.x[k], 0.0, cap[k])) if fits else float(best[k]))
        found.append((min(ends[0], float(best[k])), max(ends[1], float(best[k]))))
    return tuple(found)
