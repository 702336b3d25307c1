"""Scores of lm-evaluation-harness and the runs that they belong to, whose curves were logged elsewhere.

Scores of a checkpoint become columns of the run's curve at the checkpoint's step, those of the run's end columns of its
row as well. Scores without a step are those of the end. What finds no run, or no such step, is a row of its own,
``model@step``, until the run comes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from isoflop.findings import Finding
from isoflop.logs.derive import SCHEMA, describe
from isoflop.logs.logged import STEP, LoggedRun
from isoflop.logs.rules import Rules
from isoflop.runs.store import CURVE
from isoflop.values import FrozenMapping

FORMAT: Final = "lm-eval"
_NEAR: Final = 0.01  # a checkpoint lies at a logged step if it is nearer than this share: step 999 is the 1,000th

Row = dict[str, Any]


@dataclass
class Joined:
    """rows: by run, the table with the scores in it. curves: by run, those that now hold scores they did not hold.

    scored: runs that took scores, in their rows or curves.
    """

    rows: dict[str, Row]
    curves: dict[str, pl.DataFrame] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    changed: bool = False
    scored: dict[str, None] = field(default_factory=dict)

    def add(self, run: str, results: Mapping[str, float]) -> None:
        """Put scores that it has not into a row; what was read first stays."""
        new = {name: value for name, value in results.items() if self.rows[run].get(name) is None}
        self.rows[run] = {**self.rows[run], **new}
        if new:
            self.changed = True
            self.scored[run] = None


def are_scores(logged: LoggedRun) -> bool:
    """Whether a log holds nothing but scores."""
    return logged.format == FORMAT and not logged.history.height


def waiting(rows: Iterable[Row]) -> list[Row]:
    """Rows that are scores which have found no run yet."""
    return [row for row in rows if row["format"] == FORMAT and not row.get(CURVE)]


def join_scores(
    rows: Mapping[str, Row],
    apart: Sequence[Row],
    results: Sequence[LoggedRun],
    *,
    curve_of: Callable[[Row], pl.DataFrame],
    rules: Rules,
) -> Joined:
    """The table of runs with scores in it.

    rows: the runs, by name. apart: rows of scores that waited for their run. results: scores that were read now.
    curve_of: reads the stored curve of a row that has one.
    """
    joined = Joined(dict(rows))
    for row in apart:
        if _join(joined, _again(row), curve_of):
            joined.changed = True
        else:
            joined.rows[row["run"]] = row
    for logged in results:
        if not _join(joined, logged, curve_of):
            _stand_apart(joined, logged, rules)
    return joined


def keep_scores(
    row: Row, curve: pl.DataFrame, before: Mapping[str, Any], stored: pl.DataFrame
) -> tuple[Row, pl.DataFrame]:
    """The row and the curve of a run that went on, with the scores of what was stored of it.

    Scores of its former end stay in the curve; in the row they would be those of another checkpoint.
    """
    lost = [name for name in stored.columns if name not in curve.columns and name != "run"]
    if lost:
        curve = curve.join(stored.select(STEP, *lost), on=STEP, how="left", maintain_order="left")
    kept = {
        name: value for name, value in before.items() if name not in SCHEMA and name not in row and name not in lost
    }
    return {**row, **kept}, curve


def _join(joined: Joined, logged: LoggedRun, curve_of: Callable[[Row], pl.DataFrame]) -> bool:
    """Put scores where they belong, if there is such a place."""
    run, step = _run_of(joined, logged.name), _step(logged)
    if run is None:
        return False
    row = joined.rows[run]
    if step is None or not row.get(CURVE):
        if step is not None and row.get("steps") not in (None, step):
            return False
        joined.add(run, logged.results)
        return True
    curve = joined.curves[run] if run in joined.curves else curve_of(row)
    steps = curve[STEP]
    at = steps[int((steps - step).abs().arg_min() or 0)]
    if abs(at - step) > max(1, _NEAR * step):
        return False
    scored = _at_step(curve, at, logged.results)
    if not scored.equals(curve):
        joined.curves[run] = scored
        joined.scored[run] = None
    if at == steps.max():
        joined.add(run, logged.results)
    return True


def _run_of(joined: Joined, name: str) -> str | None:
    """The run of that name, or the only one whose path ends in it."""
    if name in joined.rows:
        return name
    last = name.rsplit("/", 1)[-1]
    runs = [run for run, row in joined.rows.items() if row["format"] != FORMAT and run.rsplit("/", 1)[-1] == last]
    if len(runs) > 1:
        joined.findings.append(
            Finding(
                "scores-apart",
                "warning",
                f"the scores of {name!r} could be those of {', '.join(runs[:3])}; they are a row of their own.",
                "Name the model like its run when it is evaluated.",
            )
        )
    return runs[0] if len(runs) == 1 else None


def _step(logged: LoggedRun) -> int | None:
    step = logged.settings.get(STEP)
    return int(step) if isinstance(step, int | float) and math.isfinite(step) else None


def _at_step(curve: pl.DataFrame, step: int, results: Mapping[str, float]) -> pl.DataFrame:
    """The curve with scores at one of its steps; what was logged there stays."""
    here = pl.col(STEP) == step
    columns = []
    for name, value in results.items():
        there = pl.col(name) if name in curve.columns else pl.lit(None, dtype=pl.Float64)
        columns.append(pl.when(here & there.is_null()).then(pl.lit(float(value))).otherwise(there).alias(name))
    return curve.with_columns(columns)


def _stand_apart(joined: Joined, logged: LoggedRun, rules: Rules) -> None:
    """A row of scores alone, which those of other tasks at the same checkpoint join."""
    step = _step(logged)
    run = logged.name if step is None else f"{logged.name}@{step}"
    if run in joined.rows:
        joined.add(run, logged.results)
        return
    row = describe(logged, rules).row
    joined.changed = True
    joined.rows[run] = {**row, "run": run, "family": row.get("family") or logged.name, "steps": step}


def _again(row: Row) -> LoggedRun:
    """Scores that stand apart, as they were read."""
    settings = json.loads(row["settings"])
    step = settings.get(STEP)
    results = {
        name: float(value) for name, value in row.items() if name not in SCHEMA and isinstance(value, int | float)
    }
    return LoggedRun(
        name=row["run"].removesuffix(f"@{step}"),
        format=FORMAT,
        source=row["source"],
        status=row["status"],
        history=pl.DataFrame(schema={STEP: pl.Int64}),
        digest=row["digest"],
        settings=FrozenMapping(settings),
        results=FrozenMapping(results),
    )
