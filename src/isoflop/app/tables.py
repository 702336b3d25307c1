"""What the page shows of a session's table: its runs and columns, what to doubt, and which columns may be groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isoflop.app.session import Session, read, used
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.findings import Finding
    from isoflop.runs import Runs


_MISSES = ("nothing-to-fit", "no-loss", "no-inputs")


@dataclass(frozen=True)
class Table:
    """What the page shows of a table: the runs, or why they cannot be read; the file's own headers."""

    headers: tuple[str, ...]
    runs: Any
    says: str
    at: Mapping[str, Any]


def read_table(session: Session) -> Table:
    """The table as it is to be read now, with every row."""
    from isoflop.app.cards import cards
    from isoflop.app.rows import rows_data
    from isoflop.runs.checks import check
    from isoflop.runs.columns import MEANINGS
    from isoflop.runs.files import load

    headers: tuple[str, ...] = ()
    if session.kind == "file":
        headers = tuple(load(session.folder / session.source)[0].columns)
    known = [{"name": each.symbol, "counts": each.counts} for each in MEANINGS]
    try:
        runs = read(session)
        found = check(runs)
        columns = [
            {"name": each.name, "header": each.header, "says": each.describe()} for each in runs.columns.values()
        ]
        shown = {
            "columns": columns,
            "known": known,
            "findings": cards(_open(found, runs)),
            "runs": rows_data(runs),
            "rows": len(runs),
            "count": int(runs.run_codes().max()) + 1,
            "source": runs.source,
        }
    except IsoflopError as error:
        return Table(headers, None, str(error), {"columns": [], "known": known, "runs": None})
    return Table(headers, runs, "", shown)


def _open(findings: Sequence[Finding], runs: Runs) -> list[Finding]:
    """The findings without those that miss a loss, where a law with a name predicts another column from this table."""
    from isoflop.laws import catalogue

    if "loss" in runs:
        return list(findings)
    others = (each for each in catalogue().values() if each.response in runs and each.response not in runs.columns)
    fitted = any(all(name in runs for name in each.input_names) for each in others)
    return [each for each in findings if not (fitted and each.code in _MISSES)]


def groupings(session: Session, runs: Runs) -> list[dict[str, Any]]:
    """The columns whose values may be groups, of the rows that are not left out."""
    from isoflop.runs.grouping import grouping_columns

    return [
        {"name": each.name, "values": [{"name": name, "runs": count} for name, count in each.values]}
        for each in grouping_columns(used(session, runs))
    ]
