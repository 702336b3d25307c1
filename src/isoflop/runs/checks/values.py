"""Values that no law can be fitted to: missing, infinite, not positive; runs that their own table calls unfinished."""

from __future__ import annotations

import numpy as np
import polars as pl

from isoflop.findings import Finding
from isoflop.runs.checks.absent import absent_findings
from isoflop.runs.checks.rows import header_like, mend_values, quoted, rows_where
from isoflop.runs.table import Runs, rows_phrase

_STATES = ("state", "status", "run_state", "run_status", "finished", "completed", "done")
_ENDED = ("finished", "completed", "complete", "done", "success", "succeeded", "ok", "true", "1", "1.0")


def value_findings(runs: Runs) -> list[Finding]:
    """Rows whose N, D, C or loss is missing, infinite or not positive, and rows marked as unfinished."""
    return [*_bad_values(runs), *absent_findings(runs), *_marked_unfinished(runs)]


def _bad_values(runs: Runs) -> list[Finding]:
    found = []
    for name in ("N", "D", "C", "loss"):
        known = runs.columns.get(name)  # None of a column whose numbers cannot be what its header says
        if name not in runs.frame.columns or (name in ("C", "D") and known is not None and known.derived):
            continue  # what is computed from other columns is mended there
        values = runs[name]
        for bad, what, keep in (
            (~np.isfinite(values), f"no finite {name}", f"finite({name})"),
            (values <= 0, f"{name} ≤ 0", f"{name} > 0"),
        ):
            if bad.any():
                rows = rows_where(runs, bad)
                mend = mend_values(runs, name, bad, keep)
                found.append(
                    Finding(
                        "bad-values",
                        "error",
                        f"{len(rows)} of {len(runs)} rows {'has' if len(rows) == 1 else 'have'} {what} "
                        f"({rows_phrase(list(rows))}).",
                        f"{mend[:1].upper()}{mend[1:]}, or mend the table.",
                        rows,
                    )
                )
    return found


def _marked_unfinished(runs: Runs) -> list[Finding]:
    """A column of states in which some runs are finished and others crashed, failed or still running."""
    header = header_like(runs, _STATES)
    if header is None:
        return []
    words = runs.text(header)
    ended = np.array([word.strip().lower() in _ENDED for word in words])
    if ended.all() or not ended.any():
        return []
    rows = rows_where(runs, ~ended)
    others = sorted({word for word, end in zip(words, ended, strict=True) if not end})
    good = sorted({word for word, end in zip(words, ended, strict=True) if end})
    if runs.frame[header].dtype == pl.String:
        keep = f"{quoted(header)} in [{', '.join(map(repr, good))}]"
    else:
        keep = quoted(header) if runs.frame[header].dtype == pl.Boolean else f"{quoted(header)} == 1"
    return [
        Finding(
            "unfinished",
            "warning",
            f"{header!r} marks {len(rows)} of {len(runs)} rows as {', '.join(repr(word) for word in others[:3])} "
            f"({rows_phrase(list(rows))}); a run that stopped early has a higher loss than its law.",
            f'Drop them with --where "{keep}".',
            rows,
        )
    ]
