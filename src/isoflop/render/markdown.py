"""Answers as Markdown, with their pictures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from isoflop.answers import Answer, Picture
from isoflop.errors import IsoflopError
from isoflop.files import write_whole
from isoflop.findings import Finding
from isoflop.plots.canvas import render
from isoflop.render.layout import Grid
from isoflop.render.text import Told, parts_of, text_of
from isoflop.render.titled import titled, titled_size

# what Markdown or HTML would take for markup; * and _ also stand in formulas, which must stay as they are written
_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")


def markdown(answers: Sequence[Answer], *, title: str = "", pictures: Mapping[str, str] | None = None) -> str:
    """The answers under each other: title, equation, headline, evidence, tables, pictures, findings, method.

    pictures: key of a picture (:func:`picture_keys`) → its address; without it a picture's text stands in its place.
    Every text is escaped, so that a name from a file stays text.
    """
    parts = [f"# {escape(title)}"] if title else []
    shown: set[Finding] = set()
    for place, each in enumerate(flat(answers)):
        parts += _answer(text_of(each, place=place), pictures or {}, shown)
    return "\n\n".join(parts) + "\n"


def flat(answers: Sequence[Answer]) -> list[Answer]:
    """The answers, each followed by its parts."""
    return [each for answer in answers for each in (answer, *parts_of(answer))]


def write_markdown(
    answers: Sequence[Answer],
    path: Path | str,
    *,
    title: str = "",
    format: str = "svg",
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Write the answers to ``path`` and their pictures beside it, as ``NAME-1-plan.svg`` and so on; each file is whole.

    The pictures come first, so that the text never points at one that is not there. progress: called with 1 for every
    answer. Returns all files, the text first.
    Raises IsoflopError for a folder that does not exist.
    """
    path = Path(path)
    if not path.name or path.is_dir():
        raise IsoflopError(f"Markdown is written to a file, not {str(path)!r}; give for example report.md")
    if not path.parent.is_dir():
        raise IsoflopError(f"there is no folder {str(path.parent)!r} for {path.name}; make it, or write elsewhere")
    files: list[Path] = []
    addresses: dict[str, str] = {}
    for place, each in enumerate(flat(answers)):
        if progress is not None:
            progress(1)
        for picture in each.pictures:
            file = path.with_name(f"{path.stem}-{place}-{picture.name}.{format}")
            write_whole(file, draw(picture, format=format))
            files.append(file)
            addresses[f"{place}-{picture.name}"] = quote(file.name)
    write_whole(path, markdown(answers, title=title, pictures=addresses).encode())
    return [path, *files]


def draw(picture: Picture, *, format: str = "svg", dark: bool = False) -> bytes:
    """A picture as PNG, SVG or PDF."""
    return render(titled(picture), format=format, size=titled_size(picture), dark=dark)


def escape(text: str) -> str:
    """The text as Markdown shows it unchanged, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _answer(told: Told, addresses: Mapping[str, str], shown: set[Finding]) -> list[str]:
    """One answer; a finding that stands above already is not repeated."""
    parts = [f"## {escape(told.title)}"]
    if told.equation:
        parts.append(f"`{told.equation}`")
    parts.append(f"**{escape(told.headline)}**")
    grids = (*(() if told.evidence is None else (told.evidence,)), told.quantities, *told.tables)
    parts += [text for each in grids if each.rows for text in _table(each)]
    for key, picture in told.pictures:
        said = escape(picture.alt)
        parts.append(f"![{said}]({addresses[key]})" if key in addresses else f"*{said}*")
    fresh = [each for each in told.findings if each not in shown]
    shown.update(fresh)
    if fresh:
        parts.append("\n".join(f"- **{each.level}** {escape(f'{each.message} {each.remedy}')}" for each in fresh))
    if told.method:
        parts.append(f"*{escape(told.method)}*")
    return parts


def _table(grid: Grid) -> list[str]:
    """A table whose columns of numbers are aligned to the right, with its title and note."""
    lines = [grid.header, *grid.rows]
    written = ["| " + " | ".join(escape(cell) for cell in line) + " |" for line in lines]
    rule = "|" + "|".join(" ---: " if each else " :--- " for each in grid.right) + "|"
    parts = [f"**{escape(grid.title)}**"] if grid.title else []
    parts.append("\n".join([written[0], rule, *written[1:]]))
    notes = [f"… {grid.more:,} more rows"] if grid.more else []
    parts += [f"*{escape(each)}*" for each in (*notes, *((grid.note,) if grid.note else ()))]
    return parts
