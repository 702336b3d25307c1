"""``MixtureTable``: shares of training domains and the losses that were measured at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.runs import Runs
from isoflop.runs.table import rows_phrase
from isoflop.values import Value

Floats = NDArray[np.float64]

SUM_OFF = 0.02  # how far the shares of a row may be from a sum of 1: tables round them
_SMALLEST = 1e-100  # of a loss: its square, and that of its inverse, must be numbers


@dataclass(frozen=True)
class MixtureTable(Value):
    """Mixtures that were trained on.

    domains: names of the shares. shares: (runs, domains), each row of sum 1, zeros allowed. tasks: names of the losses.
    losses: (runs, tasks), positive.
    """

    domains: tuple[str, ...]
    shares: Floats
    tasks: tuple[str, ...]
    losses: Floats
    source: str = "made in memory"

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> MixtureTable:
        """Some of the mixtures."""
        return MixtureTable(self.domains, self.shares[rows], self.tasks, self.losses[rows], self.source)

    def __len__(self) -> int:
        return len(self.shares)


def mixture_table(runs: Runs, domains: Sequence[str], tasks: Sequence[str] = ("loss",)) -> MixtureTable:
    """Shares r_j with Σ r_j = 1, and losses L_i, of a table of runs.

    Parameters
    ----------
    runs :
        A row for each training mixture.
    domains :
        The columns of shares, two or more.
    tasks :
        The columns of losses.

    Returns
    -------
    MixtureTable
        Shares (runs, domains), divided by their sums, and losses (runs, tasks).

    Raises
    ------
    DataError
        Fewer than two domains, a column twice, shares that are negative or missing or do not add up to 1 within 2 %, a
        domain with one share throughout, or losses that are not positive.

    Examples
    --------
    >>> import numpy, isoflop
    >>> from isoflop.planning.mixtures import mixture_table
    >>> web = numpy.linspace(0.1, 0.9, 9)
    >>> loss = 2 + 0.5 * numpy.exp(-2 * web) + 0.3 * numpy.exp(-3 * (1 - web))
    >>> runs = isoflop.Runs.from_columns({"web": web, "code": 1 - web, "loss": loss})
    >>> table = mixture_table(runs, ["web", "code"])
    >>> table.shares.shape
    (9, 2)
    """
    twice = [name for name in (*domains, *tasks) if (*domains, *tasks).count(name) > 1]
    if twice:
        raise DataError(f"{twice[0]} is named twice; name each column of shares and of losses once")
    if not tasks:
        raise DataError("name a column of losses, as loss")
    return checked_mixtures(
        {name: np.asarray(runs[name], dtype=np.float64) for name in domains},
        {name: np.asarray(runs[name], dtype=np.float64) for name in tasks},
        source=runs.source,
        rows=runs.rows,
    )


def checked_mixtures(
    shares: Mapping[str, Floats], losses: Mapping[str, Floats], *, source: str, rows: NDArray[np.int64]
) -> MixtureTable:
    """The table of shares and losses, (mixtures,) each. rows: their places in the source, for messages.

    Raises DataError as :func:`mixture_table`.
    """
    domains = list(shares)
    if len(domains) < 2:
        raise DataError(
            f"a mixture has two domains or more, and {', '.join(domains) or 'none'} was named; name every column of "
            "shares"
        )
    share = np.stack(list(shares.values()), axis=1)
    loss = np.stack(list(losses.values()), axis=1)
    _refuse(rows, np.isfinite(share) & (share >= 0), "a share that is negative or missing")
    total = share.sum(axis=1)
    off = np.abs(total - 1) > SUM_OFF
    if off.any():
        which = int(np.flatnonzero(off)[0])
        percent = np.abs(total / 100 - 1) <= SUM_OFF
        hint = (
            "; divide them by 100 (--derive)" if percent.all() else ": name every domain, or give shares of the whole"
        )
        some = ", ".join(domains[:4]) + (" …" if len(domains) > 4 else "")
        raise DataError(
            f"the shares {some} of {int(off.sum())} of {len(rows)} runs do not add up to 1 "
            f"(row {int(rows[which])}: {total[which]:.4g}){hint}"
        )
    _refuse(rows, np.isfinite(loss) & (loss > 0), "a loss that is not positive")
    _refuse(rows, (loss > _SMALLEST) & (loss < 1 / _SMALLEST), f"a loss outside {_SMALLEST:g} to {1 / _SMALLEST:g}")
    constant = [name for name, column in zip(domains, share.T, strict=True) if np.ptp(column) < 1e-9]
    if constant:
        raise DataError(
            f"the share of {constant[0]} is {share[0, domains.index(constant[0])]:.4g} in every run, so its effect "
            "cannot be known; leave it out and divide the others by their sum (--derive)"
        )
    return MixtureTable(tuple(domains), share / total[:, None], tuple(losses), loss, source)


def _refuse(rows: NDArray[np.int64], good: NDArray[np.bool_], what: str) -> None:
    bad = np.asarray(~np.all(good, axis=1), dtype=bool)
    if bad.any():
        raise DataError(
            f"{int(bad.sum())} of {len(rows)} runs have {what} ({rows_phrase(rows[bad].tolist())}); drop them (--where)"
        )
