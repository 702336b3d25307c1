"""Options that several commands share, and how their words become values."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from isoflop.errors import DataError, IsoflopError
from isoflop.files import plain_json
from isoflop.units import parse_quantity

if TYPE_CHECKING:
    from isoflop.report.card import Card
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble

Command = TypeVar("Command", bound=Callable[..., Any])


def runs_options(command: Command) -> Command:
    """FILE and how to read it."""
    for option in reversed(
        (
            click.argument("file", required=False),
            click.option(
                "--column", "columns", multiple=True, metavar="N=HEADER", help="Which header is N, D, loss, …"
            ),
            click.option("--where", metavar="EXPR", help="Rows to keep, such as \"tokens > 1e9 and family == 'a'\"."),
            click.option("--unit", "units", multiple=True, metavar="loss=UNIT", help="nats/token, perplexity, …"),
            click.option(
                "--convention", "conventions", multiple=True, metavar="N=WORD", help="total or non-embedding."
            ),
        )
    ):
        command = option(command)
    return command


def json_option(command: Command) -> Command:
    """``--json``: one object on standard output instead of text."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(command)


def picture_option(command: Command) -> Command:
    """``--picture FILE``: the result drawn, as the file's ending says; a place that cannot hold it is refused first."""

    def checked(ctx: click.Context, param: click.Parameter, path: str | None) -> str | None:
        if path is not None:
            from isoflop.plots.canvas import check_picture_path

            check_picture_path(path)
        return path

    return click.option(
        "--picture", metavar="FILE.png", callback=checked, help="Draw the result too, as .png, .svg or .pdf."
    )(command)


def draw_picture(path: str | None, card: Callable[[], Card], *further: Callable[[], Card | None]) -> None:
    """Draw a card's picture to the path of ``--picture``; nothing without one.

    further: cards of the same answer, whose pictures go beside it, as ``FILE-coverage.png``; stderr says where.
    """
    if path is None:
        return
    from pathlib import Path

    from isoflop.plots.canvas import new_axes, save

    made = [each for each in (card(), *(each() for each in further)) if each is not None]
    pictures = [each.picture for each in made if each.picture is not None]
    if not pictures:
        raise IsoflopError(f"--picture {path}: this answer has no picture; leave the option out")
    first, *beside = pictures
    places = [Path(path), *(Path(path).with_stem(f"{Path(path).stem}-{each.name}") for each in beside)]
    for picture, place in zip((first, *beside), places, strict=True):
        axes = new_axes(size=picture.size)
        picture.draw(axes)
        save(axes, place)
    if beside:
        click.echo(f"also drawn: {', '.join(place.name for place in places[1:])}", err=True)


def open_runs(
    file: str | None,
    columns: Iterable[str],
    where: str | None,
    units: Iterable[str],
    conventions: Iterable[str],
) -> Runs:
    """The runs of a file, or of a data set by its name; without one, the runs in the box."""
    named = {
        "columns": pairs(columns, "--column"),
        "units": pairs(units, "--unit"),
        "conventions": pairs(conventions, "--convention"),
    }
    if file is None:
        if any(named.values()):
            raise IsoflopError("--column, --unit and --convention describe a FILE, and none was given; name a table")
        from isoflop.runs.datasets import boxes, load

        inside = boxes()
        if not inside:
            raise DataError("no file was given, and this copy of the package has no runs of its own; name a table")
        runs = load(inside[0].name)
        return runs if where is None else runs.where(where)
    from isoflop.runs import read_runs

    if not any(named.values()) and not Path(file).exists() and _is_data_set(file):
        from isoflop.runs.datasets import load

        return load(file, where=where)
    return read_runs(file, **named, where=where)


def _is_data_set(name: str) -> bool:
    """Whether this is the name of runs in the box or of a registered data set."""
    from isoflop.runs.datasets import boxes, datasets
    from isoflop.runs.datasets.loading import FAMILIES

    first = name.partition("/")[0]
    return first in {FAMILIES, *(box.name for box in boxes()), *(each.name for each in datasets())}


def open_fit(text: str) -> Ensemble:
    """A saved fit by its path, or published constants as LAW:KEY, such as chinchilla:epoch."""
    from isoflop.laws import catalogue
    from isoflop.planning.published import published
    from isoflop.uncertainty.saved import load_fit

    path = Path(text)
    if path.is_file() and path.suffix.lower() in (".csv", ".tsv", ".jsonl", ".parquet"):
        raise IsoflopError(f"{text!r} is a table, not a fit; make one: isoflop fit {text} --law LAW --save fit.json")
    if not path.exists() and (":" in text or text in catalogue()):  # a law without a key is told which there are
        return published(text)
    return load_fit(text)


def pair(text: str, option: str) -> tuple[str, str]:
    """``NAME=VALUE`` split at its first equals sign."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise IsoflopError(f"{option} takes NAME=VALUE, not {text!r}")
    return name.strip(), value.strip()


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """``NAME=VALUE`` options as a dictionary; a name that is given twice is a slip, whichever was meant."""
    values: dict[str, str] = {}
    for text in texts:
        name, value = pair(text, option)
        if values.setdefault(name, value) != value:
            raise IsoflopError(f"{option} {name} is given twice, {values[name]!r} and {value!r}; choose one")
    return values


def number(text: str, option: str) -> float:
    """A number as written: 70e9, 70B or 1.4T."""
    try:
        return parse_quantity(text)
    except ValueError as error:
        raise IsoflopError(f"{option}: {error}") from None


def number_pairs(texts: Iterable[str], option: str) -> dict[str, float]:
    """``NAME=NUMBER`` options as a dictionary; numbers may be written 70e9, 70B or 1.4T."""
    return {name: number(value, f"{option} {name}") for name, value in pairs(texts, option).items()}


def print_json(content: object) -> None:
    """One JSON object; what is not finite becomes null, which JSON can hold; in ASCII, which every pipe can."""
    click.echo(json.dumps(plain_json(content), indent=1, allow_nan=False))


@contextmanager
def progress(total: int, doing: str, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of steps done; on a terminal a bar appears after a second."""
    if quiet or not sys.stderr.isatty():  # a log file would only get empty lines
        yield lambda done: None
        return
    began = time.monotonic()
    shown: list[Any] = []
    finished = 0

    def advance(done: int) -> None:
        nonlocal finished
        finished += done
        if not shown and time.monotonic() - began > 1 and finished < total:
            from rich.console import Console
            from rich.progress import Progress

            bar = Progress(console=Console(stderr=True), transient=True)
            bar.start()
            shown.extend((bar, bar.add_task(doing, total=total)))
        if shown:
            shown[0].update(shown[1], completed=finished)

    try:
        yield advance
    finally:
        if shown:
            shown[0].stop()
