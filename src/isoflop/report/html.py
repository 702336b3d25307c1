"""A report as one HTML file: it opens from disk, asks for nothing from any network, and forbids itself to."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isoflop.files import write_whole
from isoflop.laws.mathml import mathml
from isoflop.plots.canvas import render
from isoflop.report.card import Card, Picture
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


def web() -> Traversable:
    """The folder of the page's modules, style sheet and templates."""
    return files("isoflop.report") / "web"


def write_html(report: Report, path: str | Path) -> None:
    """Write the report to one self-contained HTML file, whole or not at all."""
    write_whole(Path(path), html(report).encode())


def html(report: Report) -> str:
    """The report as one HTML document.

    Its content-security policy allows the scripts and style sheets inside it by their SHA-256, images inside it, and
    nothing else: no request, no frame, no form.
    """
    sheets = (_text(f"{UPLOT}.css"), _text("isoflop.css"))
    scripts = (_text(f"{UPLOT}.js"), _bundle(law_javascript(report.ensemble.fit.law)))
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            **answer_parts(report),
            policy=policy(scripts, sheets),
            sheets=[_safe(sheet) for sheet in sheets],
            scripts=[_safe(script) for script in scripts],
            data=_safe(script_json(page_data(report))),
            version=version("isoflop"),
            digest=report.ensemble.fit.data.digest[:12],
            seed=report.ensemble.seed,
        )
    )


def answer_html(report: Report) -> str:
    """The body of the report alone: answer, doubts and evidence, for a page that has the scripts already."""
    return environment().get_template("answer.html.j2").render(**answer_parts(report))


def card_html(card: Card, *, level: int = 3) -> str:
    """One card. level: of its heading."""
    module: Any = environment().get_template("card.html.j2").module
    return str(module.card(card, level))


def findings_html(findings: Sequence[object]) -> str:
    """A list of findings."""
    module: Any = environment().get_template("card.html.j2").module
    return str(module.findings(findings))


def answer_parts(report: Report) -> dict[str, Any]:
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
    made.filters["drawn"] = _drawn
    made.tests["numeric"] = lambda cell: cell[:1] in set("-0123456789")
    return made


def _drawn(picture: Picture) -> str:
    """The picture for light and for dark paper, as images inside the document."""
    light, dark = (
        base64.b64encode(render(picture.draw, format="png", size=picture.size, dark=dark, dpi=_DPI)).decode()
        for dark in (False, True)
    )
    width, height = (round(96 * side) for side in picture.size)
    template = environment().from_string(
        '<picture><source media="(prefers-color-scheme: dark) and (not print)" '
        'srcset="data:image/png;base64,{{ dark }}">'
        '<img class="drawn" width="{{ width }}" height="{{ height }}" alt="{{ alt }}" '
        'src="data:image/png;base64,{{ light }}"></picture>'
    )
    return _safe(template.render(light=light, dark=dark, width=width, height=height, alt=picture.alt))


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
