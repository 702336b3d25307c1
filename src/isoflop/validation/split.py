"""Which runs are held out: the largest by one column, in windows that each predict from what is smaller."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.runs import Runs
from isoflop.runs.columns import BY_SYMBOL, canonical_symbol
from isoflop.units import format_quantity, parse_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SAME = 6  # decimals of log value to which two sizes are one
_FEWEST_SIZES = 3  # a power law needs three sizes to be tested at all
_PREFERRED = ("N", "C", "D", "N_nonembed")


@dataclass(frozen=True)
class HoldOut(Value):
    """The largest runs by one column: its largest value, all within a factor of it, or a share of the runs.

    by: a column, or None for the first of N, C, D that the runs have. amount: the factor (> 1) or the share (0 to 1).
    """

    by: str | None = None
    kind: Literal["largest", "factor", "share"] = "share"
    amount: float = 0.2

    @property
    def says(self) -> str:
        """As the command line writes it: ``N``, ``N/4`` or ``N:20%``."""
        tail = {"largest": "", "factor": f"/{self.amount:g}", "share": f":{100 * self.amount:g}%"}[self.kind]
        return f"{self.by or 'N'}{tail}"


@dataclass(frozen=True)
class Window(Value):
    """One hold-out: rows that are fitted and rows that are predicted, both (rows,).

    says: what is held out, in words. family: the family that the window belongs to, or an empty string.
    by: the column; from_value: its smallest value among the held-out runs.
    """

    says: str
    by: str
    from_value: float
    train: Mask
    held: Mask
    family: str = ""


def hold_out(text: str) -> HoldOut:
    """``N`` (its largest value), ``N/4`` (within a factor 4 of the largest), ``flops:20%`` (the largest fifth of runs).

    Parameters
    ----------
    text :
        A column, and after ``/`` a factor above 1 or after ``:`` a share.

    Returns
    -------
    HoldOut
        For :func:`isoflop.backtest` and :func:`isoflop.rank`.

    Raises
    ------
    IsoflopError
        Anything else.

    Examples
    --------
    >>> from isoflop.validation.split import hold_out
    >>> hold_out("N/4")
    HoldOut(by='N', kind='factor', amount=4.0)
    """
    whole = re.fullmatch(r"\s*([^/:]+?)\s*(?:([/:])\s*(.+?)\s*)?", text)
    if whole is None:
        raise IsoflopError(f"--hold-out takes a column as in N, N/4 or N:20%, not {text!r}")
    name, sign, amount = whole.groups()
    by = canonical_symbol(name) or name
    if sign is None:
        return HoldOut(by, "largest", 1.0)
    try:
        value = parse_quantity(amount.removesuffix("%"))
    except ValueError:
        raise IsoflopError(f"--hold-out {text!r}: {amount!r} is no number; write for example N/4 or N:20%") from None
    if sign == "/":
        if not (math.isfinite(value) and value > 1):
            raise IsoflopError(f"--hold-out {text!r}: the factor must be above 1, not {value:g}; N/4 is usual")
        return HoldOut(by, "factor", value)
    value = value / 100 if amount.endswith("%") else value
    if not 0 < value < 1:
        raise IsoflopError(f"--hold-out {text!r}: the share must lie between 0 and 100%, not {100 * value:g}%")
    return HoldOut(by, "share", value)


def split(
    runs: Runs, how: HoldOut, *, windows: int = 1, per_family: bool = False, fewest: int = 1
) -> tuple[tuple[Window, ...], tuple[Finding, ...]]:
    """The windows, the last one first, and findings on those that had too few runs to predict from.

    A first window holds out the largest runs; the next holds out the largest of those that are left, and so on, so that
    every window is predicted from smaller runs alone. Whole runs are held out: a run whose largest value is in the
    window is never fitted to, not even its early checkpoints.

    per_family: each family has its own windows. fewest: runs that a window must leave to fit.
    Raises DataError where no window leaves as many, or fewer than three sizes, and for a single family.
    """
    if windows < 1:
        raise IsoflopError(f"{windows} windows score nothing; ask for 1 or more")
    by = how.by or next((name for name in _PREFERRED if name in runs), None)
    if by is None:
        raise DataError(f"{runs.source} has none of {', '.join(_PREFERRED)} to hold out by; name a column (--hold-out)")
    values, codes = runs[by], runs.run_codes()
    if not (np.isfinite(values) & (values > 0)).all():
        raise DataError(f'{by} has missing or non-positive values; drop them with --where "{by} > 0"')
    largest = np.zeros(int(codes.max()) + 1)
    np.maximum.at(largest, codes, values)
    found: list[Window] = []
    refused: list[str] = []
    for family, members in _families(runs, codes, per_family):
        left = members.copy()
        for _ in range(windows):
            held = left & (largest >= _lowest_held(largest[left], how))
            fitted = left & ~held
            sizes = _sizes(largest[fitted])
            if fitted.sum() < fewest or len(sizes) < _FEWEST_SIZES:
                refused.append(_refusal(family, how, by, int(held.sum()), int(fitted.sum()), len(sizes), fewest))
                break
            start = float(largest[held].min())
            found.append(
                Window(
                    says=f"{by} ≥ {format_quantity(start)}" + (f" of {family}" if family else ""),
                    by=by,
                    from_value=start,
                    train=fitted[codes],
                    held=held[codes] & (values > largest[fitted].max()),
                    family=family,
                )
            )
            left = fitted
    if not found:
        raise DataError(f"{runs.source}: {refused[0]}; hold out less, or add runs")
    return tuple(found), _refused_findings(refused)


def _families(runs: Runs, codes: NDArray[np.int64], per_family: bool) -> list[tuple[str, Mask]]:
    """Each family's name with its members, (runs,); without families, one of all runs."""
    n_runs = int(codes.max()) + 1
    if not per_family:
        return [("", np.ones(n_runs, dtype=bool))]
    if "family" not in runs:
        raise DataError(f"{runs.source} has no column for the family; name it with --column family=HEADER")
    labels = np.empty(n_runs, dtype=object)
    labels[codes] = runs.text("family")
    names = sorted(set(labels.tolist()))
    if len(names) == 1:
        raise DataError(f"{runs.source} has one family only ({names[0]!r}); leave out --per-family")
    return [(name, labels == name) for name in names]


def _sizes(values: Floats) -> Floats:
    """The distinct sizes, as rounded logarithms, ascending."""
    return np.unique(np.round(np.log(values), _SAME))


def _lowest_held(values: Floats, how: HoldOut) -> float:
    """The smallest value that is held out, given the values of the runs that are left, (runs,)."""
    sizes = np.round(np.log(values), _SAME)
    match how.kind:
        case "largest":
            held = sizes == sizes.max()
        case "factor":
            held = values > values.max() / how.amount
        case "share":
            wanted = math.ceil(how.amount * len(values) - 1e-9)
            held = sizes >= np.sort(sizes)[-wanted]
    return float(values[held].min())


def _refusal(family: str, how: HoldOut, by: str, held: int, fitted: int, sizes: int, fewest: int) -> str:
    """Why a window was not made, as a clause."""
    what = f"holding out {how.says} ({held} {'run' if held == 1 else 'runs'}" + (f" of {family})" if family else ")")
    if fitted < fewest and sizes >= _FEWEST_SIZES:
        return f"{what} leaves {fitted} to fit, where {fewest} are needed"
    counts = BY_SYMBOL[by].counts if by in BY_SYMBOL else by
    return f"{what} leaves {sizes} distinct values of {by} ({counts}), and a power law needs {_FEWEST_SIZES}"


def _refused_findings(refused: list[str]) -> tuple[Finding, ...]:
    if not refused:
        return ()
    more = f", and {len(refused) - 1} like it" if len(refused) > 1 else ""
    return (
        Finding(
            "window-too-small",
            "note",
            f"{refused[0]}{more}: nothing is predicted there.",
            "Ask for fewer windows, hold out less, or add runs.",
        ),
    )
