"""One row of each setting, and the frontier: the rows of a sweep that a law of size and tokens is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.table import Runs

Floats = NDArray[np.float64]


def reduced(
    runs: Runs, *, best: str | None = None, per: Sequence[str] = (), within: float = 0.0, frontier: str | None = None
) -> Runs:
    """The best rows of each setting, then the frontier of what is left; the runs as they are where neither is asked."""
    if best is None and frontier is None:
        if per or within:
            raise DataError(
                "rows are grouped for the best of each group, and no column was named for it; give best='loss' "
                "(--best loss)"
            )
        return runs
    if best is not None:
        runs = best_rows(runs, best, per=per, within=within)
    return runs if frontier is None else frontier_of(runs, frontier, per=() if best else per)


def best_rows(runs: Runs, best: str, *, per: Sequence[str] = (), within: float = 0.0) -> Runs:
    """The rows with the lowest ``best`` among those that agree in ``per``, in their order.

    best: a column; ``-column`` for the highest. per: columns of numbers (alike to six digits) or of text; none for one
    row of the whole table. within: keep rows up to this share above the best, 0.0025 for 0.25 %; 0 keeps one row.
    Rows without a finite value are dropped. A finding says how many rows are left.
    """
    if not 0 <= within < 1:
        raise DataError(f"rows within {within:g} of the best cannot be kept; give a share such as 0.0025, from 0 to 1")
    sign, column = (-1.0, best[1:]) if best.startswith("-") else (1.0, best)
    values = sign * runs[column]
    groups = _groups(runs, per)
    known = np.isfinite(values)
    if not known.any():
        raise DataError(f"{column} of {runs.source} has no finite value, so no row is the best; name another column")
    least = np.full(int(groups.max()) + 1, np.inf)
    np.minimum.at(least, groups[known], values[known])
    keep = known & (values <= least[groups] + within * np.abs(least[groups]))
    if within == 0:
        rows = np.flatnonzero(keep)
        keep = np.zeros(len(runs), dtype=np.bool_)
        keep[rows[np.unique(groups[rows], return_index=True)[1]]] = True
    of = f" of each {', '.join(per)}" if per else ""
    more = f", or within {within:.3g} of it" if within else ""
    return _kept(
        runs,
        keep,
        "best-rows",
        f"{int(keep.sum()):,} of {len(runs):,} rows are left: the {'highest' if sign < 0 else 'lowest'} {column}{of}"
        f"{more}.",
        "The lowest of many losses is a little low by luck alone; --within 0.0025 keeps those that are as good.",
    )


def frontier_of(runs: Runs, by: str, *, of: str = "loss", per: Sequence[str] = ()) -> Runs:
    """The rows whose ``of`` is lower than that of every row with no more ``by``, within each group of ``per``.

    by: what is spent, ``C`` as a rule. Rows without a finite value of either are dropped.
    """
    cost, value = runs[by], runs[of]
    groups = _groups(runs, per)
    known = np.isfinite(cost) & np.isfinite(value)
    if not known.any():
        raise DataError(
            f"no row of {runs.source} has finite {by} and {of}, so there is no frontier; check both columns"
        )
    order = np.lexsort((value, cost, groups))
    order = order[known[order]]
    keep = np.zeros(len(runs), dtype=np.bool_)
    lowest, group = np.inf, -1
    for row in order:
        if groups[row] != group:
            lowest, group = np.inf, int(groups[row])
        if value[row] < lowest:
            keep[row], lowest = True, float(value[row])
    of_each = f" of each {', '.join(per)}" if per else ""
    return _kept(
        runs,
        keep,
        "frontier-rows",
        f"{int(keep.sum()):,} of {len(runs):,} rows are left: the frontier{of_each}, whose {of} is below that of every "
        f"row with no more {by}.",
        "Rows of the frontier are chosen by their loss, so the law lies a little low; see what other rows say.",
    )


def _groups(runs: Runs, per: Sequence[str]) -> NDArray[np.int64]:
    """The number of each row's group, (rows,)."""
    keys = []
    for name in per:
        if name in runs and _is_number(runs, name):
            values = runs[name]
            with np.errstate(all="ignore"):
                size = np.where(values == 0, 0.0, np.floor(np.log10(np.abs(values))))
                digits = np.round(values / 10.0 ** (size - 5)) * 10.0 ** (size - 5)
            keys.append(np.unique(np.where(np.isfinite(digits), digits, np.nan), return_inverse=True)[1])
        else:
            keys.append(np.unique(np.asarray(runs.text(name), dtype=object).astype(str), return_inverse=True)[1])
    if not keys:
        return np.zeros(len(runs), dtype=np.int64)
    return np.asarray(np.unique(np.stack(keys), axis=1, return_inverse=True)[1], dtype=np.int64).reshape(-1)


def _is_number(runs: Runs, name: str) -> bool:
    try:
        runs[name]
    except DataError:
        return False
    return True


def _kept(runs: Runs, keep: NDArray[np.bool_], code: str, message: str, remedy: str) -> Runs:
    taken = runs.take(keep)
    return replace(taken, findings=(*runs.findings, Finding(code, "note", message, remedy)))
