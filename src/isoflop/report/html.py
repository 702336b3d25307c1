"""A report as one HTML file: it opens from disk, asks for nothing from any network, and forbids itself to."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoflop.answers import Picture
from isoflop.files import write_whole
from isoflop.laws.law import GREEK
from isoflop.laws.mathml import mathml
from isoflop.laws.unicode import symbol
from isoflop.plots.canvas import render
from isoflop.report.card import Card
from isoflop.report.html_data import law_javascript, page_data, script_json
from isoflop.report.report import Report
from isoflop.uncertainty import Interval
from isoflop.units import format_by_interval, format_quantity

if TYPE_CHECKING:
    from jinja2 import Environment

UPLOT = "uPlot-1.6.32.min"
MODULES = ("numbers", "surface", "chart", "explore", "runs", "report")
_START = "enliven(document, JSON.parse(document.getElementById('data').textContent), LAW);"
_DPI = 110
_NUMERIC = re.compile(r"[-+]?[\d.]\S*( %)?")

_PARAMETER = re.compile(rf"({'|'.join(GREEK)})(_?\d+|_\w+)?", re.IGNORECASE)

Pictures = Mapping[int, tuple[bytes, bytes]]
Draw = Callable[[Card, int], str]


def web() -> Traversable:
    """The folder of the page's modules, style sheet and templates."""
    return files("isoflop.report") / "web"


def write_html(report: Report, path: str | Path, *, pictures: Pictures | None = None) -> None:
    """Write the report to one self-contained HTML file, whole or not at all; pictures: as for :func:`html`."""
    write_whole(Path(path), html(report, pictures=pictures).encode())


def html(report: Report, *, pictures: Pictures | None = None) -> str:
    """The report as one HTML document.

    pictures: those of the report's cards where they are drawn already, see :func:`draw_pictures`.

    Its content-security policy allows the scripts and style sheets inside it by their SHA-256, images inside it, and
    nothing else: no request, no frame, no form.
    """
    sheets = (_text(f"{UPLOT}.css"), _text("isoflop.css"))
    scripts = (_text(f"{UPLOT}.js"), _bundle(law_javascript(report.ensemble.fit.law)))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **answer_parts(report, inline(draw_pictures(report.cards) if pictures is None else pictures)),
            policy=policy(scripts, sheets),
            sheets=[_safe(sheet) for sheet in sheets],
            scripts=[_safe(script) for script in scripts],
            data=_safe(script_json(page_data(report))),
            version=version("isoflop"),
            digest=report.ensemble.fit.data.digest[:12],
            seed=report.ensemble.seed,
        )
    )


def answer_html(report: Report, *, draw: Draw) -> str:
    """The body of the report alone: answer, doubts and evidence, for a page that has the scripts already.

    draw: the image element of the picture of the card at a place in ``report.cards``.
    """
    return environment().get_template("answer.html.j2").render(**answer_parts(report, draw))


def card_html(card: Card, *, draw: Draw, level: int = 3) -> str:
    """One card. level: of its heading."""
    module: Any = environment().get_template("card.html.j2").module
    return str(module.card(card, 0, draw, level))


def findings_html(findings: Sequence[object]) -> str:
    """A list of findings."""
    module: Any = environment().get_template("card.html.j2").module
    return str(module.findings(findings))


def answer_parts(report: Report, draw: Draw) -> dict[str, Any]:
    """What the template of the answer asks for."""
    fit, plan = report.ensemble.fit, report.plan
    figures = {"loss": _told(report.expected.loss), "curve": _told(report.expected.expected)}
    if plan is not None:
        figures |= {
            "n": _told(plan.n, quantity=True),
            "d": _told(plan.d, quantity=True),
            "ratio": _told(plan.ratio, quantity=True),
            "curve": _told(plan.loss),
        }
    sizes = fit.data.ranges.get("N")
    return {
        "report": report,
        "draw": draw,
        "figures": figures,
        "inputs": fit.law.input_names,
        "response": fit.law.response.replace("_", " "),
        "percent": f"{100 * report.level:g} %",
        "sizes": None if sizes is None else tuple(format_quantity(each) for each in sizes),
        "valley_alt": _valley_alt(report),
        "formula": _safe(mathml(fit.law)),
    }


def policy(scripts: Sequence[str], sheets: Sequence[str]) -> str:
    """The content-security policy of a document with these scripts and style sheets inside."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {' '.join(map(_hash, sheets))}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def environment() -> Environment:
    """The templates; every value that they show is escaped, wherever it came from."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(str(web() / "templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["letters"] = _letters
    made.tests["numeric"] = lambda cell: _NUMERIC.fullmatch(cell) is not None
    return made


def _letters(label: str) -> str:
    """The label of a row, a parameter's name in Greek as the formula above it: alpha as α."""
    return symbol(label) if _PARAMETER.fullmatch(label) else label


def draw_pictures(cards: Sequence[Card], *, only: int | None = None) -> dict[int, tuple[bytes, bytes]]:
    """The pictures of the cards as PNG, for light and for dark paper, by the place of their card.

    only: the place of the one card to draw.
    """
    return {
        place: (_png(card.picture, dark=False), _png(card.picture, dark=True))
        for place, card in enumerate(cards)
        if card.picture is not None and only in (None, place)
    }


def _png(picture: Picture, *, dark: bool) -> bytes:
    """In 256 colours: a third of the bytes of the full ones, and flat colours with their soft edges need no more."""
    from PIL import Image

    full = Image.open(BytesIO(render(picture.draw, format="png", size=picture.size, dark=dark, dpi=_DPI)))
    small = BytesIO()
    full.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def inline(pictures: Pictures) -> Draw:
    """Pictures as images inside the document."""

    def draw(card: Card, place: int) -> str:
        light, dark = (f"data:image/png;base64,{base64.b64encode(each).decode()}" for each in pictures[place])
        return image(card.picture, light, dark)

    return draw


def image(picture: Picture | None, light: str, dark: str) -> str:
    """The image element of a picture whose two addresses are given; nothing for a card without one."""
    if picture is None:
        return ""
    width, height = (round(96 * side) for side in picture.size)
    module: Any = environment().get_template("card.html.j2").module
    return _safe(str(module.image(picture.alt, width, height, light, dark)))


@cache
def _text(name: str) -> str:
    return (web() / name).read_text(encoding="utf-8")


def _bundle(law: str) -> str:
    """The modules as one script: imports are left out, since each module's names are known to those below it."""
    parts = [re.sub(r"^import .*?;\n", "", _text(f"js/{module}.js"), flags=re.MULTILINE) for module in MODULES]
    joined = "\n".join(re.sub(r"^export ", "", part, flags=re.MULTILINE) for part in parts)
    return f'"use strict";\n(() => {{\n{joined}\nconst LAW = {law};\nwindow.isoflop = {_START}\n}})();\n'


def _safe(text: str) -> Any:  # noqa: ANN401  (jinja2 is imported when a page is made)
    from markupsafe import Markup

    return Markup(text)  # text of the package, or escaped by its maker


def _told(interval: Interval, *, quantity: bool = False) -> tuple[str, str]:
    """A value and its ends, in digits that the interval supports."""
    low, high = interval.low, interval.high
    value, *ends = (
        format_quantity(each) if quantity else format_by_interval(each, low, high)
        for each in (interval.value, low, high)
    )
    return value, f"{ends[0]} – {ends[1]}" if low == low else ""


def _valley_alt(report: Report) -> str:
    if report.plan is None:
        return f"The law's {report.ensemble.fit.law.response} against one of its inputs, with its band."
    flat = tuple(format_quantity(each) for each in report.plan.band.n)
    return (
        f"Loss against model size along the budget: least at {format_quantity(report.plan.n.value)} parameters, flat "
        f"from {flat[0]} to {flat[1]}."
    )
