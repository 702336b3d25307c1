"""What the page shows of sessions, as plain values: where to begin, and the state of one."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from isoflop.app.session import Reading, Session, Task, changed, sessions
from isoflop.errors import IsoflopError

# Of a task, what the page shows.
_ASKED: Final = ("law", "fixed", "tied", "domains", "options", "of", "objective", "draws", "resample_by")
_MOST_SESSIONS: Final = 20


def state_view(session: Session) -> dict[str, Any]:
    """A session as the page follows it."""
    bare, now = asdict(Reading()), asdict(session.reading)

    def task(each: Task) -> dict[str, Any]:
        said = {key: value for key, value in asdict(each).items() if key != "settings"}
        asked = {key: each.settings.get(key) for key in _ASKED}
        reading, dropped = each.settings.get("reading") or {}, each.settings.get("dropped") or ()
        where = {"where": reading.get("where", ""), "dropped": len(dropped)}
        same = {**bare, **reading} == now and list(dropped) == list(session.dropped)  # the runs as they are used now
        return {**said, **asked, **where, "same": same}

    return {
        "id": session.id,
        "version": session.version,
        "kind": session.kind,
        "source": session.source,
        "name": session.name,
        "kept": list(session.kept),
        "reading": asdict(session.reading),
        "dropped": list(session.dropped),
        "tasks": [task(each) for each in session.tasks],
    }


def start_view(root: Path) -> dict[str, Any]:
    """Data sets on this machine, examples, earlier sessions, laws that have a name."""
    from isoflop.app.examples import shown_examples

    return {
        "datasets": _data_sets(),
        "examples": shown_examples(),
        "sessions": [
            {
                "id": each.id,
                "source": each.source,
                "name": each.name,
                "changed": changed(each),
                "results": len(each.tasks),
            }
            for each in sessions(root, most=_MOST_SESSIONS)
        ],
        "laws": _laws(),
    }


def _data_sets() -> list[str]:
    from isoflop.runs.datasets import boxes, datasets, locate

    here = [box.full_name(table) for box in boxes() for table in box.tables]
    for dataset in datasets():
        for table in dataset.tables:
            with contextlib.suppress(IsoflopError):
                locate(dataset, table)
                here.append(dataset.full_name(table))
    return here


@cache
def _laws() -> list[Mapping[str, Any]]:
    from isoflop.laws import catalogue

    return [
        {
            "name": each.name,
            "formula": each.stated or each.formula,
            "inputs": list(each.input_names),
            "response": each.response,
        }
        for each in catalogue().values()
    ]
