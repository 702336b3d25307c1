"""``optimal_plan``: the compute-optimal size that the runs near it show, with the law's own optimum beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws.optimum import check_positive, require_n_and_d
from isoflop.planning.allocate import Basis, Plan, allocate, band_at, loss_at, losses_of
from isoflop.planning.sizes import Sizes, sizes
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, no_draws, tail_findings
from isoflop.uncertainty.predictive import predictive
from isoflop.units import format_quantity

_TOGETHER = 1 - 1e-6  # correlation of log N and log D from which one is a power of the other
_WIDE = 4.0  # ratio of the ends of N*'s interval from which it is said to be open
_APART = 1.5  # ratio of the law's N* to the other from which it is said
_AROUND = np.exp2(np.linspace(-4.0, 4.0, 17))  # sizes around N* at which forecasts are compared
_SHOWN = {"IsoFLOP minima": "the IsoFLOP minima", "runs near the optimum": "the fit to the runs near it"}


def optimal_plan(
    ensemble: Ensemble, *, budget: float, level: float = 0.9, within: float = 0.002, seed: int = 0
) -> Plan:
    """N* and D* from the runs that show them; loss at that size from the law with its model error.

    Where three or more budgets bracket their minimum, N* = the weighted power law through local minima
    (:func:`isoflop.planning.isoflop_minima.isoflop_minima`). Elsewhere the law's optimum fitted to the runs near it
    (:func:`isoflop.planning.near_optimum.near_optimum`), or to all runs where these are too few; its interval then
    counts how far such optima lay from measured minima on other tables. The plan of the fit to all runs is ``law``.
    Raises IsoflopError as :func:`allocate`; a law without an optimum is no error where the runs show the minima.
    """
    check_level(level)
    check_positive(budget, "the budget", "FLOPs")
    require_n_and_d(ensemble.estimate.law)
    known = sizes(ensemble, seed=seed)
    try:
        law = allocate(ensemble, budget=budget, level=level, within=within)
    except IsoflopError:
        if known.minima is None:
            raise
        law = None
    if known.runs is None and law is not None:
        return law
    n, basis = known.at(budget, level=level)
    counted = ensemble.estimate.data.flops
    minima = () if known.minima is None else known.minima.findings
    own_findings = law.findings if law is not None else (*no_draws(ensemble), *tail_findings(ensemble, level=level))
    loss = loss_at(ensemble, n.value, budget, level=level)
    return Plan(
        budget=float(budget),
        n=n,
        d=_mapped(n, lambda size: counted.tokens(size, budget)),
        ratio=_mapped(n, lambda size: counted.tokens(size, budget) / size),
        **losses_of(loss),
        least_loss=None if law is None else law.least_loss,
        exponent_a=law.exponent_a if basis == "law" and law is not None else known.exponent(budget, basis, level=level),
        method="numeric" if law is None else law.method,
        band=band_at(n.value, known.near_optimal(np.array([budget]), within), budget, within, counted),
        findings=(
            *_undetermined(known),
            *_open(n, basis),
            *_apart(law, n, basis),
            *_lower_elsewhere(ensemble, n, budget, basis),
            *minima,
            *own_findings,
        ),
        ensemble=ensemble,
        basis=basis,
        law=law,
    )


def _mapped(n: Interval, of: Callable[[float], float]) -> Interval:
    """A falling function of N, with its interval."""
    return Interval(of(n.value), of(n.high), of(n.low), n.level)


def undetermined(runs: Runs | None, unknown: str, others: Sequence[str]) -> tuple[Finding, ...]:
    """That an unknown was never varied against another input, so that nothing shows what one is worth in the other.

    An other input that is the same in all runs says nothing of that.
    """
    if runs is None or unknown not in runs:
        return ()
    size = runs[unknown]
    for other in others:
        if other == unknown or other not in runs or not (np.ptp(runs[other]) > 0 and np.ptp(size) > 0):
            continue
        both = np.stack([size, runs[other]])
        if (both > 0).all() and abs(np.corrcoef(np.log(both))[0, 1]) >= _TOGETHER:
            return (_never_varied(unknown, other),)
    return ()


def _undetermined(known: Sizes) -> tuple[Finding, ...]:
    if known.minima is not None or known.runs is None:
        return ()
    if np.ptp(known.runs["N"]) == 0 or np.ptp(known.runs["D"]) == 0:
        return (_never_varied("N", "D"),)
    return undetermined(known.runs, "N", ["D"])


def _never_varied(unknown: str, other: str) -> Finding:
    traded = {unknown, other} == {"N", "D"}
    return Finding(
        "undetermined-optimum",
        "error",
        f"{'N and D' if traded else f'{unknown} and {other}'} were never varied against each other in these runs "
        f"(correlation of logarithms 1), so they do not show how loss trades "
        f"{'parameters against tokens, and N*' if traded else f'one against the other, and the best {unknown}'} is not "
        "determined.",
        "Add runs with a quarter and with four times the tokens per parameter."
        if traded
        else f"Add runs of other {unknown} at the same {other}.",
    )


def _open(n: Interval, basis: Basis) -> tuple[Finding, ...]:
    if basis == "IsoFLOP minima" or not n.high / n.low > _WIDE:
        return ()
    what = "the fit to all runs" if basis == "law" else "the runs near the optimum"
    return (
        Finding(
            "open-optimum",
            "warning",
            f"N* rests on {what}, and its interval spans a factor of {n.high / n.low:.2g}: optima of such fits lay as "
            "far from measured minima on other tables.",
            "Train five or more sizes at each of three budgets, with the best size inside.",
        ),
    )


def _apart(law: Plan | None, n: Interval, basis: Basis) -> tuple[Finding, ...]:
    if law is None:
        return (
            Finding(
                "law-without-optimum",
                "warning",
                "the law fitted to all runs has no compute-optimal size at this budget; N* is that of the IsoFLOP "
                "minima.",
                "Do not extrapolate the law's loss along this budget.",
            ),
        )
    ratio = max(law.n.value / n.value, n.value / law.n.value)
    if basis == "law" or ratio < _APART:
        return ()
    return (
        Finding(
            "law-optimum-apart",
            "note",
            f"the law fitted to all runs has its optimum a factor of {ratio:.2g} from that of {_SHOWN[basis]}: "
            "runs far from the optimum decide it.",
            "Trust the minima; they were measured.",
        ),
    )


def _lower_elsewhere(ensemble: Ensemble, n: Interval, budget: float, basis: Basis) -> tuple[Finding, ...]:
    """That forecasts along the budget, which follow residuals nearby, are lowest where N* is not."""
    if basis == "law":
        return ()
    around = n.value * _AROUND
    said = predictive(ensemble, {"N": around, "D": ensemble.estimate.data.flops.tokens(around, budget)})
    least = int(np.argmin(said.median))
    if n.low <= around[least] <= n.high:
        return ()
    here = float(said.median[len(around) // 2])
    return (
        Finding(
            "forecasts-lower-elsewhere",
            "note",
            f"forecasts along this budget are lowest at N = {format_quantity(float(around[least]), digits=2)} "
            f"({float(said.median[least]):.4g}, where N* has {here:.4g}), outside N*'s interval: they follow the "
            "residuals of all runs, and the difference is within their own intervals.",
            "Take N* from the minima; they were measured.",
        ),
    )
