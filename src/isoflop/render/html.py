"""An answer as one HTML file: it opens from disk, asks for nothing from any network, and forbids itself to."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoflop.answers import Answer, Kind, Picture, of_interval
from isoflop.answers.wording import interval as ends_of
from isoflop.answers.wording import number, worded
from isoflop.files import write_whole
from isoflop.findings import Finding, ordered
from isoflop.laws.law import GREEK
from isoflop.laws.mathml import mathml
from isoflop.laws.unicode import POWER, exponent, symbol
from isoflop.plots.papers import render_for_both
from isoflop.questions.report import Reported
from isoflop.render.explore_data import law_javascript, page_data, script_json
from isoflop.render.remedies import FrontEnd, reading, reworded
from isoflop.render.sections import sections
from isoflop.render.text import keyed_pictures, parts_of, text_of
from isoflop.uncertainty import Interval
from isoflop.version import VERSION

if TYPE_CHECKING:
    from jinja2 import Environment

# In the order of their imports, each with what it needs above it.
MODULES = (
    "numbers", "surface", "paths", "ranges", "pen", "frame", "picture", "cloud", "gestures", "scatter",
    "explore", "runs", "report",
)  # fmt: skip
_START = "enliven(document, JSON.parse(document.getElementById('data').textContent), LAW);"

_PARAMETER = re.compile(rf"({'|'.join(GREEK)})(_?\d+|_\w+)?", re.IGNORECASE)

_EXPORT = re.compile(r"^export (?:async )?(?:const|function|class) (\w+)", re.MULTILINE)
# What an address may hold inside an attribute as it is: a third less than base64.
_SAFE = frozenset(f" /=;:,.()-_*+!?$@[]{{}}|^~{string.ascii_letters}{string.digits}".encode())

Pictures = Mapping[str, bytes]
Draw = Callable[[str, Picture], str]


def web() -> Traversable:
    """The folder of the page's modules, style sheet and templates."""
    return files("isoflop.render") / "web"


def write_html(answer: Answer, path: str | Path, *, pictures: Pictures | None = None) -> None:
    """Write the answer to one self-contained HTML file, whole or not at all; pictures: as for :func:`html`."""
    write_whole(Path(path), html(answer, pictures=pictures).encode())


def html(answer: Answer, *, pictures: Pictures | None = None) -> str:
    """The answer as one HTML document; a report also has its budget to drag and its runs to read.

    pictures: those of the answer and its parts where they are drawn already, see :func:`draw_pictures`.

    Its content-security policy allows the scripts and style sheets inside it by their SHA-256, images inside it, and
    nothing else: no request, no frame, no form.
    """
    explored = answer.result if isinstance(answer.result, Reported) else None
    sheets = (_text("isoflop.css"),)
    scripts: tuple[str, ...] = ()
    data = ""
    if explored is not None:
        scripts = (_bundle(law_javascript(explored.ensemble.estimate.law)),)
        data = script_json(page_data(explored))
    drawn = inline(draw_pictures(answer) if pictures is None else pictures)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **answer_parts(answer, drawn),
            sections=() if explored is None else sections(answer),
            policy=policy(scripts, sheets),
            sheets=[_safe(sheet) for sheet in sheets],
            scripts=[_safe(script) for script in scripts],
            data=_safe(data),
            version=VERSION,
            digest=str(answer.provenance.get("digest") or "")[:12],
            seed=answer.provenance.get("seed"),
        )
    )


def body_html(answer: Answer, *, draw: Draw) -> str:
    """The body of the document alone: answer, warnings and evidence, for a page that has the scripts already."""
    return environment().get_template("answer.html.j2").render(**answer_parts(answer, draw, front_end="page"))


def findings_html(findings: Sequence[Finding]) -> str:
    """A list of findings for the page, ordered by what they do to the answer, with remedies in the page's words."""
    module: Any = environment().get_template("parts.html.j2").module
    told = ordered(findings)
    return str(module.findings(reworded(told, "page"), [reading(each) for each in told]))


def answer_parts(answer: Answer, draw: Draw, *, front_end: FrontEnd = "command") -> dict[str, Any]:
    """What the template of an answer asks for."""
    parts = list(parts_of(answer))
    return {
        "answer": text_of(answer, front_end=front_end),
        "readings": [reading(each) for each in answer.findings] if front_end == "page" else [],
        "parts": [text_of(part, place=place, front_end=front_end) for place, part in enumerate(parts, 1)],
        "draw": lambda key, picture: _safe(draw(key, picture)),
        "explored": _explored(answer.result) if isinstance(answer.result, Reported) else None,
    }


def _explored(report: Reported) -> dict[str, Any]:
    """What the part of a report that moves starts from."""
    fit, plan = report.ensemble.estimate, report.plan
    figures = {"loss": _told(report.expected.loss), "curve": _told(report.expected.expected)}
    if plan is not None:
        figures |= {
            "n": _told(plan.n, "count"),
            "d": _told(plan.d, "count"),
            "ratio": _told(plan.ratio, "count"),
            "curve": _told(plan.loss),
        }
    sizes = fit.data.ranges.get("N")
    return {
        "planned": plan is not None,
        "figures": figures,
        "inputs": fit.law.input_names,
        "response": fit.law.response.replace("_", " "),
        "percent": f"{100 * report.level:g}%",
        "sizes": None if sizes is None else tuple(number(each, "count") for each in sizes),
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
    made.filters["powers"] = _powers
    return made


def _powers(text: str) -> Any:  # noqa: ANN401  (jinja2 is imported when a page is made)
    """A sentence with the powers of its formulas raised, a parameter's name in Greek: ``N^alpha`` as N<sup>α</sup>."""
    from markupsafe import escape

    return _safe(POWER.sub(lambda found: f"<sup>{exponent(found)}</sup>", str(escape(text))))


def _letters(label: str) -> str:
    """The label of a row, a parameter's name in Greek as the formula above it: alpha as α."""
    return symbol(label) if _PARAMETER.fullmatch(label) else label


def draw_pictures(answer: Answer, *, only: str | None = None) -> dict[str, bytes]:
    """The pictures of the answer and its parts by their keys, each one SVG for light and for dark paper.

    only: the key of the one picture to draw.
    """
    return {
        key: render_for_both(picture.draw, size=picture.size)
        for key, picture in keyed_pictures(answer).items()
        if only in (None, key)
    }


def inline(pictures: Pictures) -> Draw:
    """Pictures as images inside the document."""

    def draw(key: str, picture: Picture) -> str:
        return image(picture, f"data:image/svg+xml,{_quoted(pictures[key])}")

    return draw


def _quoted(data: bytes) -> str:
    """``urllib.parse.quote``, which goes letter by letter: here each letter that an address may not hold at once."""
    for each in sorted(set(data) - _SAFE, key=lambda each: each != ord("%")):  # the sign that stands for others first
        data = data.replace(bytes([each]), b"%%%02X" % each)
    return data.decode()


def image(picture: Picture, address: str) -> str:
    """The figure of a picture: its claim, the image, and small what it was made from."""
    width, height = (round(96 * side) for side in picture.size)
    module: Any = environment().get_template("parts.html.j2").module
    return str(module.image(picture, width, height, address))


@cache
def _text(name: str) -> str:
    return (web() / name).read_text(encoding="utf-8")


def _bundle(law: str) -> str:
    """The modules as one script: each keeps its own names to itself and shows those that it exports to those below."""
    joined = "\n".join(map(_enclosed, MODULES))
    return f'"use strict";\n(() => {{\n{joined}\nconst LAW = {law};\nwindow.isoflop = {_START}\n}})();\n'


@cache
def _enclosed(module: str) -> str:
    """A module as a function that is called at once and gives what it exports."""
    text = re.sub(r"^import .*?;\n", "", _text(f"js/{module}.js"), flags=re.MULTILINE)
    names = ", ".join(_EXPORT.findall(text))
    bare = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    return f"const {{ {names} }} = (() => {{\n{bare}\nreturn {{ {names} }};\n}})();"


def _safe(text: str) -> Any:  # noqa: ANN401  (jinja2 is imported when a page is made)
    from markupsafe import Markup

    return Markup(text)  # text of the package, or escaped by its maker


def _told(interval: Interval, kind: Kind = "number") -> tuple[str, str]:
    """A value and its ends, in digits that the interval supports."""
    each = of_interval("value", interval, kind)
    return worded(each), ends_of(each)


def _valley_alt(report: Reported) -> str:
    if report.plan is None:
        return f"The law's {report.ensemble.estimate.law.response} against one of its inputs, with its band."
    low, high = (number(each, "count") for each in report.plan.band.n)
    return (
        f"Loss against model size along the budget: least at {number(report.plan.n.value, 'count')} parameters, "
        f"near-optimal from {low} to {high}."
    )
