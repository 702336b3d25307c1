"""What a cell leaves when it has ended: one row of the runs table, the rows of its curve, and how it ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.files import plain_json
from isoflop.schema import TEXT, Choice, Either, Flag, List, Map, Number, Optional, Record, SchemaError, Text, Whole

RESULT: Final = "result.json"
MOST_BYTES: Final = 100_000_000
_STATES = ("done", "diverged")
_CELL = Optional(Either((Flag(), Whole(-(2**62), 2**62), Number(), TEXT), "a number or a text"))
_ROW = Map(_CELL, most=1_000, keys=Text(most=1_000))
_RESULT = Record({"row": _ROW, "curve": List(_ROW), "status": Choice(*_STATES)})


def checked(content: object) -> dict[str, Any]:
    """The result, each value one that a table can hold. Raises SchemaError."""
    found: dict[str, Any] = _RESULT.read(plain_json(content), "")
    loss = found["row"].get("loss")
    if found["status"] == "done" and (isinstance(loss, bool | str) or loss is None):
        raise SchemaError("row.loss must be a number where the cell is done")
    return found


def read_result(folder: Path) -> dict[str, Any] | None:
    """The result in a cell's folder; None where there is none, or one that is damaged and has to be made again."""
    try:
        return checked(parse_json(read_bounded(folder / RESULT, most=MOST_BYTES), words=True))
    except (DocumentError, SchemaError):
        return None
