"""Results that show themselves: an HTML fragment that needs nothing from outside, a text, a figure."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from io import StringIO
from typing import TYPE_CHECKING

from isoflop.answers import Answer, Picture
from isoflop.errors import IsoflopError
from isoflop.plots.canvas import new_axes, render
from isoflop.questions import question_of
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import word
from isoflop.questions.base.specs import LevelSpec
from isoflop.render.layout import Grid
from isoflop.render.text import parts_of, text_of
from isoflop.render.titled import titled, titled_size

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_ROWS = 30
WIDTH = 80  # columns of a printed result


def answer_of(result: object) -> Answer | None:
    """The answer that words a result of an engine; None for what no question words."""
    if isinstance(result, Answer):
        return result
    cls = question_of(result)
    if cls is None:
        return None
    return word(cls.of_result(result), result, _context(result))


def _context(result: object) -> Context:
    """A context of what the result itself carries: its ensemble or its runs, and its level."""
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble

    ensemble = result if isinstance(result, Ensemble) else getattr(result, "ensemble", None)
    runs = result if isinstance(result, Runs) else getattr(result, "runs", None)
    level = getattr(result, "level", None)
    return Context(
        given=ensemble if isinstance(ensemble, Ensemble) else None,
        given_runs=runs if isinstance(runs, Runs) else None,
        level_spec=LevelSpec(level) if isinstance(level, float) else LevelSpec(),
        from_result=True,
    )


def html(result: object) -> str | None:
    """A result as HTML; None where no question words it. Every text of it is escaped."""
    answer = answer_of(result)
    return None if answer is None else answer_html(answer)


def text(result: object) -> str | None:
    """A result as the terminal shows it; None where no question words it."""
    from isoflop.render.screen import Screen
    from isoflop.render.terminal import show

    answer = answer_of(result)
    if answer is None:
        return None
    printed = StringIO()
    show(answer, Screen(printed, width=WIDTH), verbose=True, front_end="python")
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


def figure(result: object, picture: str | None) -> Figure:
    """A picture of a result on a figure of its own: the first, or the one of that name.

    Raises IsoflopError where there is none, with the names that there are.
    """
    answer = answer_of(result)
    pictures = {} if answer is None else {each.name: each for each in answer.pictures}
    if not pictures:
        raise IsoflopError(
            f"a {type(result).__name__} without runs or draws has no picture; fit runs, then bootstrap()"
        )
    name = next(iter(pictures)) if picture is None else picture
    if name not in pictures:
        raise IsoflopError(f"there is no picture {name!r} of it; there are {', '.join(pictures)}")
    axes = new_axes(size=titled_size(pictures[name]))
    titled(pictures[name])(axes)
    drawn = axes.get_figure(root=True)
    assert drawn is not None
    return drawn


def answer_html(answer: Answer) -> str:
    """Title, equation, headline, tables, picture, findings, method; one ``div`` in the notebook's own colors."""
    parts = []
    for place, each in enumerate((answer, *parts_of(answer))):
        told = text_of(each, place=place, most=MOST_ROWS, front_end="python")
        parts.append(f"<h4>{escape(told.title)}</h4>")
        if told.equation:
            parts.append(f"<p><code>{escape(told.equation)}</code></p>")
        parts.append(f"<p><b>{escape(told.headline)}</b></p>")
        grids = (*(() if told.evidence is None else (told.evidence,)), told.quantities, *told.tables)
        parts += [_table(grid) for grid in grids if grid.rows]
        parts += [_image(picture) for _, picture in told.pictures[:1]]
        if told.findings:
            listed = "".join(
                f"<li><b>{one.level}</b> {escape(f'{one.message} {one.remedy}')}</li>" for one in told.findings
            )
            parts.append(f'<ul style="list-style:none;padding-left:0">{listed}</ul>')
        if told.method:
            parts.append(f"<p><small>{escape(told.method)}</small></p>")
    return f'<div class="isoflop-answer">{"".join(parts)}</div>'


def _table(grid: Grid) -> str:
    sides = [f'style="text-align:{"right" if each else "left"}"' for each in grid.right]
    head = "".join(f"<th {side}>{escape(cell)}</th>" for cell, side in zip(grid.header, sides, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td {side}>{escape(cell)}</td>" for cell, side in zip(row, sides, strict=True)) + "</tr>"
        for row in grid.rows
    )
    title = f"<p><small>{escape(grid.title)}</small></p>" if grid.title else ""
    more = f"<p><small>… {grid.more:,} more rows</small></p>" if grid.more else ""
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _image(picture: Picture) -> str:
    """The picture inside the document, on its own light paper, so that it reads in a dark notebook too."""
    data = b64encode(render(titled(picture), format="svg", size=titled_size(picture))).decode()
    return (
        f'<img alt="{escape(picture.alt)}" src="data:image/svg+xml;base64,{data}" '
        f'style="width:100%;max-width:{picture.size[0] * 100:.0f}px">'
    )
