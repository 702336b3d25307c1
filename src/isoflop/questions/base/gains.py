"""What pretraining gains on tasks, as a table and findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from isoflop.answers import Column, Table, literal, of_interval
from isoflop.findings import Finding

if TYPE_CHECKING:
    from isoflop.planning.downstream import Downstream
    from isoflop.planning.pretraining import Gain


def gain_tables(gains: Mapping[str, Gain]) -> tuple[Table, ...]:
    """A row a task that has a score without pretraining."""
    if not gains:
        return ()
    rows = tuple(
        (name, each.baseline, of_interval("gain", each.forecast, promise="PI"), each.better, each.runs)
        for name, each in gains.items()
    )
    columns = (
        Column("task"),
        Column("baseline", "without pretraining"),
        Column("gain", "gain of the forecast"),
        Column("better", "runs better", "integer"),
        Column("runs", kind="integer"),
    )
    return (Table("baseline", columns, rows, title="Against training on the task alone"),)


def gains_told(gains: Mapping[str, Gain], tasks: Mapping[str, Downstream]) -> tuple[Finding, ...]:
    """Of each task whose forecast does not clear its baseline."""
    from isoflop.planning.pretraining import gain_findings

    found = [(name, each) for name, gain in gains.items() for each in gain_findings(gain, tasks[name].response)]
    several = len(tasks) > 1
    return tuple(replace(each, message=f"{literal(name)}: {each.message}") if several else each for name, each in found)
