"""What a command does with an answer: text, JSON, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from isoflop.answers import Answer, Picture
from isoflop.errors import IsoflopError
from isoflop.files import check_place, plain_json, write_whole
from isoflop.questions.base.kinds import Choice, Flag, Text
from isoflop.questions.base.option import option


@dataclass(frozen=True)
class Output:
    """Options that every command has."""

    picture: str | None = option(
        Text("FILE.svg"), help="Draw the answer too, as .png, .svg or .pdf; further pictures go beside it."
    )
    style: str | None = option(
        Choice("paper|slides", ("paper", "slides")),
        help="Size and letters of --picture: paper (140 mm wide) or slides (254 mm); for a screen without it.",
    )
    output: str | None = option(
        Text("FILE"), short=("-o",), help="Write the answer to a file: .html, .md (pictures beside it) or .json."
    )
    all_rows: bool = option(Flag(), False, flag="all", help="Show every row of every table; ten otherwise.")
    verbose: bool = option(Flag(), False, help="Show findings in full, with their remedies.")
    as_json: bool = option(Flag(), False, flag="json", help="Print the answer as one JSON object.")

    def check(self) -> None:
        """Refuse a place that cannot hold a picture before anything is computed."""
        if self.picture is not None:
            from isoflop.plots.canvas import check_picture_path

            check_picture_path(self.picture)
        elif self.style is not None:
            raise IsoflopError(f"--style {self.style} is the style of a picture; name its file (--picture FILE.pdf)")
        if self.output is not None:
            check_place(self.output, "--output")
            if Path(self.output).suffix.lower() not in _WRITTEN:
                raise IsoflopError(f"an answer is written as {', '.join(_WRITTEN)}, not {self.output[:80]!r}")


Command = TypeVar("Command", bound=Callable[..., Any])

_WRITTEN: Final = (".html", ".htm", ".md", ".json")


def deliver(answer: Answer, output: Output) -> None:
    """Draw, then print the answer."""
    if output.picture is not None:
        draw(answer, output.picture, style=output.style or "")
    if output.output is not None:
        for place in write(answer, Path(output.output)):
            click.echo(f"written: {place}", err=True)
    if output.as_json:
        print_json(answer.to_dict())
        return
    from isoflop.render.screen import standard_output
    from isoflop.render.terminal import show

    show(answer, standard_output(), all_rows=output.all_rows, verbose=output.verbose)


def write(answer: Answer, path: Path) -> list[Path]:
    """The answer as a file, as its ending says; returns what was written."""
    match path.suffix.lower():
        case ".md":
            from isoflop.render.markdown import write_markdown

            return write_markdown([answer], path, title=answer.title)
        case ".json":
            write_whole(path, (json.dumps(plain_json(answer.to_dict()), indent=1, allow_nan=False) + "\n").encode())
        case _:
            from isoflop.render.html import write_html

            write_html(answer, path)
    return [path]


def draw(answer: Answer, path: str, *, style: str = "") -> None:
    """The answer's first picture to the path, the others beside it as ``FILE-coverage.png``; stderr says where."""
    from isoflop.plots.canvas import render
    from isoflop.render.titled import titled, titled_size

    pictures = list(_pictures(answer))
    if not pictures:
        raise IsoflopError(f"--picture {path}: this answer has no picture; leave the option out")
    first = Path(path)
    places = [first, *(first.with_stem(f"{first.stem}-{each.name}") for each in pictures[1:])]
    for picture, place in zip(pictures, places, strict=True):
        format = place.suffix[1:].lower()
        write_whole(place, render(titled(picture), format=format, size=titled_size(picture), style=style))
    if len(places) > 1:
        click.echo(f"also drawn: {', '.join(place.name for place in places[1:])}", err=True)


def _pictures(answer: Answer) -> Iterator[Picture]:
    yield from answer.pictures
    for part in answer.parts:
        yield from _pictures(part)


def json_flag(command: Command) -> Command:
    """``--json`` of a command that is no question."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def print_json(content: object) -> None:
    """One JSON object; what is not finite becomes null, which JSON can hold; in ASCII, which every pipe can."""
    click.echo(json.dumps(plain_json(content), indent=1, allow_nan=False))
