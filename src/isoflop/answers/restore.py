"""An answer from its JSON: what :meth:`Answer.to_dict` wrote, but for the engine's result and undrawn pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from isoflop.answers.answer import SCHEMA_VERSION, Answer, literal
from isoflop.answers.picture import Picture
from isoflop.answers.quantity import Quantity
from isoflop.answers.saved_schema import ANSWER
from isoflop.answers.table import Cell, Column, Table
from isoflop.errors import SavedError, shown
from isoflop.findings import Finding
from isoflop.schema import SchemaError

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def answer_from_dict(content: Mapping[str, Any], *, draw: Callable[[Axes], object]) -> Answer:
    """The answer, its headline as it was worded.

    draw: what draws its pictures, which JSON does not hold.
    Raises SavedError for what is no answer of this release.
    """
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA_VERSION:
        found = content.get("schema") if isinstance(content, Mapping) else content
        raise SavedError(f"this answer has schema {shown(found)}, this release reads {SCHEMA_VERSION}")
    try:
        return _answer(ANSWER.read(content, ""), draw)
    except SchemaError as error:
        raise SavedError(f"this is no answer of isoflop, or a damaged one ({error}); ask again") from None


def _answer(content: Mapping[str, Any], draw: Callable[[Axes], object]) -> Answer:
    return Answer(
        question=content["question"],
        title=content["title"],
        headline=literal(content["headline"]),
        equation=content["equation"] or "",
        quantities=tuple(_quantity(name, each) for name, each in content["quantities"].items()),
        evidence=None if content["evidence"] is None else _table("evidence", content["evidence"]),
        tables=tuple(_table(name, each) for name, each in content["tables"].items()),
        findings=tuple(
            Finding(each["code"], each["level"], each["message"], each["remedy"], tuple(each["rows"]))
            for each in content["findings"]
        ),
        method=content["method"],
        provenance=content["provenance"],
        pictures=tuple(
            Picture(
                each["name"],
                draw,
                each["alt"],
                (each["size"][0], each["size"][1]),
                **{word: each.get(word, "") for word in ("claim", "source", "views", "view")},
            )
            for each in content["pictures"]
        ),
        parts=tuple(_answer(each, draw) for each in content["parts"]),
    )


def _quantity(name: str, told: Mapping[str, Any]) -> Quantity:
    return Quantity(
        name,
        told["value"],
        told["kind"],
        low=told["low"],
        high=told["high"],
        level=told["level"],
        unit=told["unit"],
        label=told["label"],
        note=told["note"],
        limit=told["limit"] or "",
        interval=told["interval"] or "CI",
    )


def _table(name: str, told: Mapping[str, Any]) -> Table:
    columns = tuple(
        Column(each["name"], each["title"], each["kind"], each["unit"], each["detail"]) for each in told["columns"]
    )
    rows = tuple(tuple(_cell(each.name, row[each.name]) for each in columns) for row in told["rows"])
    title = "" if told["title"] == name else told["title"]
    return Table(name, columns, rows, title=title, note=told["note"], detail=told["detail"])


def _cell(name: str, cell: object) -> Cell:
    return _quantity(name, cell) if isinstance(cell, Mapping) else cell  # type: ignore[return-value]
