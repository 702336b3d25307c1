"""What an import says of the logs that it read and of the store that it leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from isoflop.findings import Finding
from isoflop.logs.scores import waiting
from isoflop.runs.store import Store

_CODES: Final = {"loss": "no-loss", "N": "no-n", "D": "no-d"}  # what a run of a store can be without
_OF_TABLES: Final = {"run-columns"}  # said of a whole table, by each of its runs


def told(findings: Sequence[Finding]) -> list[Finding]:
    """Findings of many runs: of each kind the first, and how many are like it."""
    of_tables = dict.fromkeys(finding for finding in findings if finding.code in _OF_TABLES)
    findings = [*of_tables, *(finding for finding in findings if finding.code not in _OF_TABLES)]
    counts = Counter(finding.code for finding in findings)
    first = {finding.code: finding for finding in reversed(findings)}
    return [
        replace(first[code], message=f"{first[code].message} So it is with {count - 1:,} more.")
        if count > 1
        else first[code]
        for code, count in counts.items()
    ]


def copies_findings(names: Sequence[str]) -> list[Finding]:
    """Logs that are the same to the byte."""
    if not names:
        return []
    return [
        Finding(
            "copies",
            "note",
            f"{len(names)} logs are copies of others and were taken once ({', '.join(names[:3])}"
            f"{' …' if len(names) > 3 else ''}).",
            "Nothing to do.",
        )
    ]


def unclaimed_findings(names: Sequence[str]) -> list[Finding]:
    """Files that look like logs and that no reader took."""
    if not names:
        return []
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
    return [
        Finding(
            "not-logs",
            "note",
            f"{len(names):,} {'file holds' if len(names) == 1 else 'files hold'} no log that is known ({shown}).",
            "If one is a console log, give it with --pattern; if it is a table, with --format table.",
        )
    ]


def gap_findings(store: Store) -> list[Finding]:
    """What no law can do without and some runs lack."""
    found = []
    options = {
        "loss": "Name the metric with --loss.",
        "N": "Name the setting with --column N=SETTING, or give sizes by run with --run-table.",
        "D": "State the tokens of a step with --tokens-per-step, or give them by run with --run-table.",
    }
    apart = [row["run"] for row in waiting(store.runs.iter_rows(named=True))]
    if apart:
        shown = ", ".join(apart[:3]) + (f" and {len(apart) - 3} more" if len(apart) > 3 else "")
        says = f"{len(apart)} {'row is' if len(apart) == 1 else 'rows are'} scores whose run is not here ({shown})."
        found.append(Finding("scores-apart", "note", says, "Import the run's own log; its scores then join it."))
    whole = store.runs.filter((pl.col("status") != "diverged") & ~pl.col("run").is_in(apart))
    for name, fix in options.items():
        lacking = whole.filter(pl.col(name).is_null())["run"].to_list()
        if lacking:
            shown = ", ".join(lacking[:3]) + (f" and {len(lacking) - 3} more" if len(lacking) > 3 else "")
            says = f"{len(lacking)} {'run has' if len(lacking) == 1 else 'runs have'} no {name} ({shown})."
            found.append(Finding(_CODES[name], "warning", says, fix))
    return found
