"""Mixtures as tables of runs have them: a column a domain, or one column with all shares; losses wide or long."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from isoflop.errors import DataError, excerpt
from isoflop.planning.mixtures.table import SUM_OFF, Floats, MixtureTable, checked_mixtures
from isoflop.runs import Runs
from isoflop.runs.score_tables import rows_of_tasks

_PARTS = re.compile(r"\s*(?:-(?=[\d.])|[,;/|: ])\s*")  # 0.25-0.75, 0.25,0.75, [0.25 0.75]
_ALIKE = 1e-6  # shares of one mixture in several rows
_FEWEST = 2


def read_mixtures(
    runs: Runs,
    *,
    domains: Sequence[str] = (),
    shares_in: str | None = None,
    tasks: Sequence[str] = ("loss",),
    task_column: str | None = None,
) -> MixtureTable:
    """Shares and losses of a table of runs.

    Parameters
    ----------
    runs :
        A row a mixture, or with ``task_column`` a row a mixture and task.
    domains :
        Columns of shares; by default those that lie between 0 and 1 and add up to 1. With ``shares_in`` the names of
        its parts, in their order.
    shares_in :
        A column that holds all shares, as ``0.25-0.75`` or ``0.25,0.75``.
    tasks :
        Columns of losses; with ``task_column`` some of its names, or none for all.
    task_column :
        Names the task of a row, whose loss is the column ``loss``.

    Returns
    -------
    MixtureTable
        Of a long table the mixtures that have every task; several losses of one are averaged.

    Raises
    ------
    DataError
        Columns that are not there or hold no shares, no mixture with every task; see :func:`mixture_table`.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.mixtures import read_mixtures
    >>> rows = {"mix": ["0.2-0.8", "0.5-0.5", "0.9-0.1"], "loss": [2.9, 2.7, 2.8]}
    >>> read_mixtures(isoflop.Runs.from_columns(rows), shares_in="mix", domains=["web", "code"]).shares[0].tolist()
    [0.2, 0.8]
    """
    columns = {name: np.asarray(values) for name, values in _shares(runs, domains, shares_in).items()}
    if task_column is None:
        losses = {name: np.asarray(runs[name], dtype=np.float64) for name in tasks}
        return checked_mixtures(columns, losses, source=runs.source, rows=runs.rows)
    names, rows = rows_of_tasks(runs, task_column, () if tuple(tasks) == ("loss",) else tasks)
    keys = np.round(np.stack(list(columns.values()), axis=1) / _ALIKE).astype(np.int64)
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    of = of.reshape(-1)
    loss = np.asarray(runs["loss"], dtype=np.float64)
    wide = np.full((len(first), len(names)), np.nan)
    for place, mine in enumerate(rows):
        good = mine[np.isfinite(loss[mine])]
        counts = np.bincount(of[good], minlength=len(first))
        with np.errstate(invalid="ignore"):
            wide[:, place] = np.bincount(of[good], weights=loss[good], minlength=len(first)) / counts
    whole = np.flatnonzero(np.isfinite(wide).all(axis=1))
    if not len(whole):
        raise DataError(
            f"no mixture of {runs.source} has a loss on all of {', '.join(names[:4])}{' …' if len(names) > 4 else ''}; "
            "name fewer tasks (--task)"
        )
    shares = {name: values[first[whole]] for name, values in columns.items()}
    losses = {name: wide[whole, place] for place, name in enumerate(names)}
    return checked_mixtures(shares, losses, source=runs.source, rows=runs.rows[first[whole]])


def _shares(runs: Runs, domains: Sequence[str], shares_in: str | None) -> dict[str, Floats]:
    if shares_in is not None:
        return _parted(runs, shares_in, domains)
    if domains:
        return {name: np.asarray(runs[name], dtype=np.float64) for name in domains}
    return _found(runs)


def _parted(runs: Runs, column: str, domains: Sequence[str]) -> dict[str, Floats]:
    """The shares that one column holds."""
    cells = [_PARTS.split(text.strip(" []()")) for text in runs.text(column)]
    counts = {len(each) for each in cells}
    try:
        values = np.array([[float(part) for part in each] for each in cells], dtype=np.float64)
    except ValueError:
        odd = next((text for text in runs.text(column) if not _all_numbers(text)), runs.text(column)[0])
        raise DataError(
            f"{excerpt(column)} of {runs.source} holds {excerpt(odd, 40)}, and not the same number of shares in every "
            "row, such as 0.25-0.75; choose rows (--where), or name a column a domain (--domain)"
        ) from None
    count = counts.pop()
    if domains and len(domains) != count:
        raise DataError(f"{excerpt(column)} holds {count} shares, and {len(domains)} domains are named; name each once")
    return dict(zip(domains or [f"domain {k + 1}" for k in range(count)], values.T, strict=True))


def _all_numbers(text: str) -> bool:
    try:
        [float(part) for part in _PARTS.split(text.strip(" []()"))]
    except ValueError:
        return False
    return True


def _found(runs: Runs) -> dict[str, Floats]:
    """The columns that hold shares: between 0 and 1 in every row, and 1 together."""
    held, gaps = {}, ""
    for name in runs.headers:
        if name in {each.header for each in runs.columns.values()} or not runs.frame[name].dtype.is_numeric():
            continue
        values = runs.frame[name].cast(float).to_numpy()
        if np.isfinite(values).all() and (values >= 0).all() and (values <= 1).all():
            held[name] = values
        elif ((values >= 0) & (values <= 1) | ~np.isfinite(values)).all() and np.isfinite(values).any():
            missing = np.flatnonzero(~np.isfinite(values))
            gaps = f"; {excerpt(name, 30)} has no number in row {missing[0] + 1}"
    total = sum(held.values()) if held else np.zeros(len(runs))
    if len(held) < _FEWEST or not np.all(np.abs(total - 1) <= SUM_OFF):
        some = ", ".join(excerpt(name, 30) for name in list(held)[:6])
        raise DataError(
            f"the columns of {runs.source} that lie between 0 and 1 ({some or 'none'}) do not add up to 1{gaps}; "
            "name those of shares (--domain), or the one that holds all of them (--shares)"
        )
    return held
