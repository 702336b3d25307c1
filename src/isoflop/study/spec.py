"""``Study``: which runs, which laws, how they are fitted, and what is asked of them.

    law = "chinchilla"                                    # answers the questions
    further_laws = ["E + A/N^alpha"]                       # fitted beside it
    objective = "huber:1e-3"
    draws = 1000

    [runs]
    source = "runs.csv"                                   # beside the study, or a data set's name
    where = "loss < 3.44"

    [plan]
    budget = "1e24"

    [[forecast]]
    at = { N = "70B", D = "1.4T" }

A table is a question of the registry, and its keys are the question's options; ``[[forecast]]`` asks one several times.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from isoflop.documents import DocumentError, parse_toml, read_bounded
from isoflop.errors import IsoflopError, SpecError, shown
from isoflop.questions import questions
from isoflop.questions.base.context import DEFAULT_LAW
from isoflop.questions.base.kinds import Text, Texts
from isoflop.questions.base.option import Option, build, options_of
from isoflop.questions.base.question import Question
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, PriorSpec, RunsSpec
from isoflop.study.toml import table_lines, value_text

Group = TypeVar("Group", LawSpec, FitSpec, LevelSpec, PriorSpec)

MOST_BYTES = 1_000_000
MOST_QUESTIONS = 1_000


@dataclass(frozen=True)
class Study:
    """One analysis: a table, a law with its restrictions, how it is fitted, and questions in order.

    further_laws: fitted too, each an answer of its own.
    """

    runs: RunsSpec = field(default_factory=RunsSpec)
    law: LawSpec = field(default_factory=lambda: LawSpec(law=DEFAULT_LAW))
    fit: FitSpec = field(default_factory=FitSpec)
    level: LevelSpec = field(default_factory=LevelSpec)
    prior: PriorSpec = field(default_factory=PriorSpec)
    further_laws: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()

    def named(self) -> Iterator[tuple[str, Question]]:
        """Every question under its name, numbered where it is asked more than once."""
        names = [each.name for each in self.questions]
        counts: dict[str, int] = {}
        for each in self.questions:
            counts[each.name] = counts.get(each.name, 0) + 1
            yield (each.name if names.count(each.name) == 1 else f"{each.name}-{counts[each.name]}"), each


def read_study(path: str | Path) -> Study:
    """The study of a TOML file.

    Raises SpecError: no such file, not TOML, unknown keys (with the nearest), values of the wrong kind, runs that are
    not there.
    """
    path = Path(path)
    try:
        text = read_bounded(path, most=MOST_BYTES).decode("utf-8-sig")
    except DocumentError as error:
        named = f"the study {str(path)!r}" if str(error).startswith("cannot") else path.name
        raise SpecError(f"{named} {error}; give a study, a TOML file of a few lines") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path.name} is not text; a study is a TOML file") from None
    return parse_study(text, name=path.name, folder=path.parent)


def parse_study(text: str, *, name: str = "the study", folder: Path = Path()) -> Study:
    """The study of a text; ``folder`` is what a path in it is relative to. Raises SpecError as ``read_study``."""
    try:
        values = parse_toml(text)
    except DocumentError as error:
        raise SpecError(f"{name} {error}") from None
    asked = {key: value for key, value in values.items() if key in askable()}
    groups = (LawSpec, FitSpec, LevelSpec, PriorSpec)
    known = {each.name: group for group in groups for each in options_of(group) if not each.command_line_only}
    for key in values:
        if key not in asked and key not in known and key not in ("runs", "further_laws"):
            raise SpecError(_unknown(key, name, (*known, "further_laws", "runs", *askable())))
    try:
        law = _group(LawSpec, values, name)
        prior = _group(PriorSpec, values, name)
        if prior.prior is not None:
            prior = replace(prior, folder=folder)
            prior.read()  # refused before anything is fitted
        return Study(
            runs=_runs(values.get("runs", {}), folder),
            law=law if law.law is not None else replace(law, law=DEFAULT_LAW),
            fit=_group(FitSpec, values, name),
            level=_group(LevelSpec, values, name),
            prior=prior,
            further_laws=Texts("LAW").convert(values.get("further_laws", []), f"further_laws in {name}"),
            questions=tuple(_questions(asked)),
        )
    except SpecError:
        raise
    except IsoflopError as error:
        raise SpecError(str(error)) from None


def _group(cls: type[Group], values: Mapping[str, Any], name: str) -> Group:
    """A group of shared options, whose keys stand at the top of the study."""
    own = {each.name for each in options_of(cls)}
    given = {key: value for key, value in values.items() if key in own}
    return build(cls, given, where=lambda option: f"{option.name} in {name}")


def askable() -> dict[str, type[Question]]:
    """The questions that a study can ask."""
    return {name: each for name, each in questions().items() if each.in_study}


def _questions(asked: Mapping[str, Any]) -> Iterator[Question]:
    for name, tables in asked.items():
        cls = askable()[name]
        several = tables if isinstance(tables, list) else [tables]
        if len(several) > MOST_QUESTIONS:
            raise SpecError(f"[[{name}]] stands {len(several):,} times; at most {MOST_QUESTIONS:,} fit in a study")
        for table in several:
            if not isinstance(table, Mapping):
                raise SpecError(f"{name} = {shown(table)} must be a table, [{name}]")
            own = {each.name: each for each in cls.options() if not each.command_line_only}
            for key in table:
                if key not in own:
                    raise SpecError(_unknown(key, f"[{name}]", tuple(own)))
            question = build(cls, table, where=partial(_in_table, name))
            question.check()
            yield question


def _in_table(name: str, option: Option) -> str:
    return f"{option.name} in [{name}]"


def _runs(table: object, folder: Path) -> RunsSpec:
    if not isinstance(table, Mapping):
        raise SpecError(f"runs = {shown(table)} must be a table, [runs]")
    own = tuple(each.name for each in options_of(RunsSpec))
    for key in table:
        if key not in (*own, "source"):
            raise SpecError(_unknown(key, "[runs]", ("source", *own)))
    rest = {key: value for key, value in table.items() if key != "source"}
    spec = build(RunsSpec, rest, where=lambda option: f"{option.name} in [runs]")
    source = table.get("source")
    if source is not None:
        source = Text("TABLE").convert(source, "source in [runs]")
        _refuse_absent(source, folder)
    return replace(spec, source=source, folder=folder)


def _refuse_absent(source: str, folder: Path) -> None:
    from isoflop.runs.datasets import is_data_set

    if not (folder / source).exists() and not is_data_set(source):
        raise SpecError(
            f"source = {shown(source)} in [runs] is not there; a file is looked for beside the study, and it is no "
            "data set's name (isoflop datasets)"
        )


def _unknown(key: str, where: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, n=2, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(each) for each in near)}?" if near else f"it has {', '.join(known)}"
    return f"unknown key {shown(key)} in {where}; {hint}"


def study_toml(study: Study) -> str:
    """The study as a TOML text that :func:`parse_study` reads back."""
    lines: list[str] = []
    tables: list[str] = []
    for group in (study.law, study.fit, study.level, study.prior):
        for each, value in _changed(group):
            if isinstance(value, Mapping):
                tables += table_lines(each.name, value)
            else:
                lines.append(f"{each.name} = {value_text(value)}")
    if study.further_laws:
        lines.append(f"further_laws = {value_text(list(study.further_laws))}")
    runs: dict[str, object] = {} if study.runs.source is None else {"source": study.runs.source}
    runs |= {each.name: value for each, value in _changed(study.runs)}
    tables += table_lines("runs", runs)
    names = [each.name for each in study.questions]
    for question in study.questions:
        told = {each.name: value for each, value in _changed(question)}
        tables += table_lines(question.name, told, several=names.count(question.name) > 1)
    return "\n".join((*lines, *tables)) + "\n"


def _changed(group: Any) -> Iterator[tuple[Option, object]]:  # noqa: ANN401 - any dataclass of options
    """The options that are not at their defaults, as plain values."""
    for each in options_of(type(group)):
        value = getattr(group, each.name)
        if value != each.default and not each.command_line_only:
            yield each, each.kind.plain(value)
