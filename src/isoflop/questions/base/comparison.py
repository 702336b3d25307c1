"""Columns of questions that compare groups of runs without a law: the input, the responses, the groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from isoflop.errors import IsoflopError, choices

if TYPE_CHECKING:
    from isoflop.answers import Kind
    from isoflop.runs import Runs

_INPUTS: Final = ("N", "C", "D", "step")


def listed(words: Sequence[str]) -> tuple[str, ...]:
    """The names of an option that is given several times, or once with commas between; each once."""
    return tuple(dict.fromkeys(part.strip() for each in words for part in each.split(",") if part.strip()))


def input_column(runs: Runs, x: str | None) -> str:
    """The named input under its symbol, or the first of N, C, D and step that the table has.

    Raises IsoflopError where it has none, and DataError for a name that is no column.
    """
    if x is None:
        found = next((name for name in _INPUTS if name in runs.frame.columns), None)
        if found is None:
            raise IsoflopError(f"{runs.source} has none of {', '.join(_INPUTS)}; name the input, as --x params")
        return found
    values = runs[x]  # a message with the nearest names, where there is none
    return next((name for name in _INPUTS if name in runs and runs[name] is values), x)


def response_columns(runs: Runs, responses: Sequence[str], *, besides: Sequence[str | None]) -> tuple[str, ...]:
    """The named responses, or the loss.

    Raises IsoflopError where none is named and the table has no loss.
    """
    named = listed(responses)
    if named:
        return named
    if "loss" in runs.frame.columns:
        return ("loss",)
    numeric = [
        name
        for name in runs.headers
        if runs.frame[name].dtype.is_numeric() and name not in (*_INPUTS, *besides) and name not in runs.columns
    ]
    there = f"; numeric columns: {choices(numeric, bare=True)}" if numeric else ""
    raise IsoflopError(f"{runs.source} has no loss; name what was measured, as --response acc{there}")


def by_columns(runs: Runs, by: Sequence[str]) -> tuple[str, ...]:
    """The named columns, or the family where the table has several."""
    named = listed(by)
    if named:
        return named
    return ("family",) if "family" in runs.frame.columns and len(set(runs.text("family"))) > 1 else ()


def x_kind(name: str) -> Kind:
    """How values of an input are read: counts, FLOPs, else plain numbers."""
    return {"C": "flops", "N": "count", "D": "count", "U": "count", "step": "count", "S": "count"}.get(  # type: ignore[return-value]
        name, "number"
    )
