"""The generated pages, each as Markdown: commands, laws, findings, schemas, the Python names, the phenomena."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import click

from docs_build import names, phenomena, runner

ROOT = Path(__file__).parents[1]
TOPICS = {
    "answer": "The answer",
    "fit": "The fit",
    "interval": "Intervals",
    "runs": "The runs",
    "counts": "Counts and conventions",
    "table": "Reading a table",
    "logs": "Reading logs",
    "score": "Scores of evaluations",
    "data-set": "Public tables",
    "representations": "Representations",
}


def every_page() -> dict[str, str]:
    """Path below ``docs/`` → Markdown, for every page that is generated."""
    pages = command_pages()
    pages |= {
        "reference/laws.md": laws_page(),
        "reference/findings.md": findings_page(),
        "reference/schemas.md": schemas_page(),
        "reference/api.md": api_page(),
        "phenomena.md": phenomena_page(),
    }
    return pages


# ---- commands


def command_pages() -> dict[str, str]:
    """A page for each command: what it does, an example with its output, its options."""
    from isoflop.cli import isoflop
    from isoflop.questions import questions

    context = click.Context(isoflop, info_name="isoflop")
    pages = {}
    rows = []
    for name in isoflop.list_commands(context):
        command = isoflop.get_command(context, name)
        assert command is not None
        question = questions().get(name)
        parts = [f"# isoflop {name}", _prose(command.help or "")]
        if question is not None and question.examples:
            parts += ["## Example", _example(question.examples)]
        parts += [*_options(command, f"isoflop {name}")]
        if question is not None:
            where = ["the command line", "Python"]
            where += ["a [study](../../how-to/study.md)"] if question.in_study else []
            where += ["the [page](../../how-to/page.md)"] if question.on_page else []
            where += ["a [report](../../how-to/report.md)"] if question.in_report else []
            parts.append(f"Asked from: {', '.join(where)}. JSON schema: `isoflop schema {name}`.")
        pages[f"reference/commands/{name}.md"] = "\n\n".join(parts) + "\n"
        group = question.group if question is not None else "Lab" if name == "sweep" else "Share"
        rows.append(f"| {group} | [`{name}`]({name}.md) | {_cell(command.get_short_help_str(200))} |")
    index = "# Commands\n\nEach page is made from the command's declaration, and its example was run for it.\n\n"
    index += "| group | command | |\n|---|---|---|\n" + "\n".join(rows) + "\n"
    return {"reference/commands/index.md": index, **pages}


def _example(lines: tuple[str, ...]) -> str:
    """The commands of an example, and what the last of them prints."""
    with runner.folder():
        for line in lines:
            code, output = runner.run(line)
            if code:
                raise RuntimeError(f"the example {line!r} ended with {code}: {output}")
    shown = "\n".join(each.rstrip() for each in output.splitlines())
    return "```console\n" + "\n".join(f"$ {line}" for line in lines) + f"\n{shown}\n```"


def _options(command: click.Command, path: str) -> list[str]:
    """A table for each section of a command's options; a group's commands one after the other."""
    parts = []
    context = click.Context(command, info_name=path)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            parts += [f"## {path} {name}", _prose(below.help or ""), *_options(below, f"{path} {name}")]
        return parts
    usage = " ".join(command.collect_usage_pieces(context))
    parts += ["## Options" if path.count(" ") == 1 else "### Options", f"```text\n{path} {usage}\n```"]
    sections: dict[str, list[str]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None and isinstance(param, click.Option):
            words, told = record
            sections.setdefault(getattr(param, "section", "Options"), []).append(_option_row(words, told))
    for title, rows in sections.items():
        parts += [f"### {title}", "| option | |\n|---|---|\n" + "\n".join(rows)]
    return parts


def _option_row(words: str, told: str) -> str:
    return f"| <code>{html.escape(words).replace('|', '&#124;')}</code> | {_cell(told)} |"


def _prose(help: str) -> str:
    """A help text as Markdown: paragraphs of commands as code."""
    paragraphs = re.split(r"\n\s*\n", help.strip())
    told = []
    for each in paragraphs:
        lines = each.replace("\b", "").strip().splitlines()
        if lines and all(line.startswith("isoflop ") for line in lines):
            told.append("```console\n" + "\n".join(f"$ {line}" for line in lines) + "\n```")
        else:
            told.append(_escaped(" ".join(line.strip() for line in lines)))
    return "\n\n".join(told)


def _escaped(text: str) -> str:
    return re.sub(r"([*_\[\]<>])", r"\\\1", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


# ---- laws


def laws_page() -> str:
    """Every law of the catalogue, typeset, with its symbols, published constants and source."""
    from isoflop.laws import catalogue, law
    from isoflop.laws.mathml import mathml

    names = list(catalogue())
    parts = [
        "# Laws",
        f"{len(names)} laws have a name, which `--law` and `law()` take; any other formula is as good as they are "
        "([how a formula is written](../concepts/laws.md)). `LAW:KEY`, such as `chinchilla:epoch`, stands for "
        "published constants wherever a fit does.",
    ]
    for name in names:
        each = law(name)
        parts.append(f"## {name}")
        parts.append(f'<div class="law">{mathml(each)}</div>')
        parts.append(f"`{each.response} = {each.stated or each.formula}`")
        if each.notes:
            parts.append(_escaped(each.notes))
        rows = [f"| `{one.name}` | input | {_cell(_escaped(one.meaning))} |" for one in each.inputs]
        rows += [
            f"| `{one.name}` | parameter, {_domain(one.domain)} | {_cell(_escaped(one.meaning))} |"
            for one in each.params
        ]
        rows += [f"| `{one.name}` | found by a search | {_cell(_escaped(one.meaning))} |" for one in each.searched]
        parts.append("| symbol | role | meaning |\n|---|---|---|\n" + "\n".join(rows))
        if each.published:
            symbols = list(dict.fromkeys(one for entry in each.published for one in entry.values))
            head = "| key | " + " | ".join(f"`{one}`" for one in symbols) + " | data | N counts | unit | source |"
            lines = [
                f"| `{entry.key}` | "
                + " | ".join(f"{entry.values[one]:.6g}" if one in entry.values else "" for one in symbols)
                + f" | {_cell(_escaped(entry.data))} | {entry.convention or ''} | {entry.unit} "
                + f"| {_cell(_escaped(entry.source))} |"
                for entry in each.published
            ]
            parts.append(head + "\n" + "|---" * (len(symbols) + 5) + "|\n" + "\n".join(lines))
        if each.reference:
            parts.append(f"Source: {_linked(_escaped(each.reference))}")
    return "\n\n".join(parts) + "\n"


def _domain(domain: str | tuple[float, float]) -> str:
    return domain if isinstance(domain, str) else f"{domain[0]:g} to {domain[1]:g}"


def _linked(text: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


# ---- findings


def findings_page() -> str:
    """Every finding of the catalogue: level, meaning, remedy."""
    from isoflop.findings import catalogue

    parts = [
        "# Findings",
        "What a result says against itself. An *error* says that the answer should not be used, a *warning* that it "
        "may change the answer, a *note* is worth knowing. They are shown by level, and within one level as they stand "
        "here. The remedies name the options of the command line; the page names its fields and Python its arguments. "
        "[How findings are used](../concepts/findings.md).",
    ]
    for topic, title in TOPICS.items():
        entries = [each for each in catalogue().values() if each.topic == topic]
        parts.append(f"## {title}")
        rows = [
            f'| <a id="{each.code}"></a>`{each.code}` | {" or ".join(each.levels)} '
            f"| {_cell(each.meaning)} | {_actions(each.remedy)} |"
            for each in entries
        ]
        parts.append("| code | level | meaning | remedy |\n|---|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(parts) + "\n"


def _actions(remedy: str) -> str:
    """A remedy with its options as code and its questions as links to their commands."""
    told = re.sub(r"(?<![\w-])(--[a-z][a-z-]*[a-z])", r"`\1`", _cell(remedy))
    return re.sub(r"isoflop ([a-z]+)", r"[isoflop \1](commands/\1.md)", told)


# ---- schemas


def schemas_page() -> str:
    """The JSON schema of answers, and of what each question can be asked."""
    from isoflop.answers.schema import answer_schema
    from isoflop.questions import questions

    parts = [
        "# JSON schemas",
        "`--json` of every command prints one answer, at full precision; `isoflop schema` prints its schema, and "
        "`isoflop schema NAME` that of the options of a question, which are also the keys of its table in a study.",
        "## Answer",
        _json(answer_schema()),
    ]
    for name, each in questions().items():
        parts += [f"## {name}", _json(each.schema())]
    return "\n\n".join(parts) + "\n"


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=1, ensure_ascii=False)}\n```"


# ---- Python


def api_page() -> str:
    """The public names, each with its docstring, in the order of the layers from the bottom."""
    parts = [
        "# Python",
        "What `import isoflop` offers, and the functions that are imported from their module: "
        f"{_from_modules()}. Every result is a frozen value with its findings; `print()` and a notebook show it as the "
        "command line does, and `to_frame()` gives a table of numbers.",
    ]
    homes = names.homes()
    titles = {
        "errors": "Errors and findings",
        "runs": "Runs",
        "logs": "Logs",
        "laws": "Laws",
        "fitting": "Fitting",
        "uncertainty": "Uncertainty",
        "planning": "Planning",
        "validation": "Validation",
    }
    homes.setdefault("errors", []).extend(homes.pop("findings", []))
    order = [*titles, *(each for each in homes if each not in titles)]
    for home in order:
        if home not in homes:
            continue
        parts.append(f"## {titles.get(home, home.capitalize())}")
        places = sorted(homes[home], key=lambda place: place.rpartition(".")[2].lower())
        parts += [f"::: {place}\n    options:\n      heading_level: 3" for place in places]
    return "\n\n".join(parts) + "\n"


def _from_modules() -> str:
    return ", ".join(f"`{home}.{name}`" for home, several in names.FURTHER.items() for name in several)


# ---- phenomena

RESULTS = (
    "Made from what the examples wrote beside their pictures; the figure is the number on which the verdict rests, of "
    "the first seed."
)


def phenomena_page() -> str:
    """The README of the examples, each row of its table as a section with its picture, and all results in a table."""
    text = (ROOT / "examples" / "phenomena" / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    sections = []
    for row in rows[2:]:
        named, source, command, time, verdict = (
            each.strip().replace(r"\|", "|") for each in re.split(r"(?<!\\)\|", row.strip("|"))
        )
        linked = re.fullmatch(r"\[(.+)\]\(\.\./\.\./docs/(.+)\)", named)
        assert linked is not None, named
        title, picture = linked.groups()
        script = command.strip("`")
        sections.append(
            f"## {title}\n\n{verdict}.\n\n![{title}]({picture})\n\n{source}. `python examples/{script}`, {time}."
        )
    found = phenomena.results()
    without = ", ".join(phenomena.missing(found, text))
    words = f"{RESULTS} Not in it, since they have not been run to the end: {without}." if without else RESULTS
    sections.append(f"## Results side by side\n\n{words}\n\n{phenomena.table(found)}")
    return (
        text.replace("\n".join(rows), "\n\n".join(sections)).replace("Click a phenomenon for its picture.", "").strip()
        + "\n"
    )
