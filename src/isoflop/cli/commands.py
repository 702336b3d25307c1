"""Commands from questions: arguments, options, help and output of each are derived from its declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import click

from isoflop.cli.output import Output, deliver
from isoflop.cli.progress import bar
from isoflop.errors import IsoflopError, shown
from isoflop.questions.base.context import Context, is_saved_fit
from isoflop.questions.base.option import Option, build, options_of
from isoflop.questions.base.question import Question, ask
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, PriorSpec, RunsSpec

_TITLES = {RunsSpec: "Table", LawSpec: "Law", FitSpec: "Fit", LevelSpec: "Fit", PriorSpec: "Fit"}
_SUBJECT = {"runs": "[RUNS]", "law": "[RUNS]", "fit": "[FIT|RUNS]"}


class _Command(click.Command):
    """A command whose help lists its options in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):  # arguments stand in the line of usage
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class _Option(click.Option):
    """An option that knows the section of the help in which it stands."""

    def __init__(self, *args: Any, section: str = "Options", **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self.section = section


def command_of(cls: type[Question]) -> click.Command:
    """The command of a question."""
    params: list[click.Parameter] = []
    positional = [each for each in cls.options() if each.positional]
    if cls.subject != "nothing":
        params.append(click.Argument(["source"], required=False, metavar=_SUBJECT[cls.subject]))
    for each in positional:
        params.append(
            click.Argument(
                [each.name], required=each.required, nargs=-1 if each.kind.repeated else 1, metavar=each.kind.metavar
            )
        )
    params += [_click_option(each, "Options") for each in cls.options() if not each.positional]
    params += [_click_option(each, _TITLES[group]) for group, each in cls.shared_options()]
    if cls.recommends:
        params.append(
            _Option(
                ["--force"], is_flag=True, section="Fit", help="Answer even from a fit with an error-level finding."
            )
        )
    params += [_click_option(each, "Output") for each in _output_options(cls)]

    def callback(**values: Any) -> None:  # noqa: ANN401 - as click hands them over
        _run(cls, values)

    return _Command(cls.name, params=params, callback=callback, help=_help(cls), short_help=cls.summary())


def _run(cls: type[Question], values: dict[str, Any]) -> None:
    own = {each.name for each in cls.options()}
    output = _built(Output, {name: value for name, value in values.items() if name not in own})
    if cls.writes and output.output is None:
        output = replace(output, output=cls.writes)
    question = _built(cls, values)
    output.check()
    question.check()
    context = _context(cls, values, quiet=output.as_json)
    deliver(ask(question, context), output)


def _output_options(cls: type[Question]) -> tuple[Option, ...]:
    """Those of every command, but for one that the question has itself, and those of pictures where there are none."""
    own = {each.name for each in cls.options()}
    if not cls.has_pictures:
        own |= {"picture", "style"}
    return tuple(
        replace(each, default=cls.writes) if each.name == "output" and cls.writes else each
        for each in options_of(Output)
        if each.name not in own
    )


def _context(cls: type[Question], values: Mapping[str, Any], *, quiet: bool) -> Context:
    progress, force = bar(quiet=quiet), bool(values.get("force"))
    own = tuple(each.name for each in cls.options())
    given = {group: _built(group, values, leave=own) for group in cls.groups()}
    if cls.subject == "nothing":
        fit, level = given.get(FitSpec, FitSpec()), given.get(LevelSpec, LevelSpec())
        return Context(progress=progress, fit_spec=fit, level_spec=level)
    source = values.get("source")
    runs = RunsSpec(source=source, **_fields(given[RunsSpec]))
    law, fit, level, prior = (given.get(group, group()) for group in (LawSpec, FitSpec, LevelSpec, PriorSpec))
    shared = {"fit_spec": fit, "level_spec": level, "prior_spec": prior, "force": force, "progress": progress}
    if cls.subject == "fit" and source is not None and is_saved_fit(source):
        _refuse_beside_fit(
            {name: each for name, each in values.items() if name not in own}, (RunsSpec, LawSpec, FitSpec)
        )
        return Context(saved=source, **shared)
    return Context(runs_spec=runs, law_spec=law, **shared)


def _refuse_beside_fit(values: Mapping[str, Any], groups: Iterable[type]) -> None:
    for group in groups:
        for each in options_of(group):
            if values.get(each.name) not in (None, ()):
                raise IsoflopError(
                    f"{each.word} is for a table, and a saved fit was given; leave it out, or give the table with --law"
                )


def _fields(spec: RunsSpec) -> dict[str, Any]:
    return {each.name: getattr(spec, each.name) for each in options_of(RunsSpec)}


def _built(cls: type, values: Mapping[str, Any], *, leave: tuple[str, ...] = ()) -> Any:  # noqa: ANN401
    own = {}
    for each in options_of(cls):
        value = values.get(each.name)
        if each.name in leave or value in (None, ()):
            continue
        own[each.name] = list(value) if each.kind.repeated else _once(value, each)
    return build(cls, own, where=lambda each: each.kind.metavar if each.positional else each.word)


def _once(value: Any, each: Option) -> Any:  # noqa: ANN401
    """The value of an option that is given once; two different ones are a slip, whichever was meant."""
    if not isinstance(value, tuple):
        return value
    if len(set(value)) > 1:
        raise IsoflopError(
            f"{each.word} is given {len(value)} times, {shown(value[0])} and {shown(value[-1])}; choose one"
        )
    return value[0]


def _click_option(each: Option, section: str) -> click.Option:
    if each.kind.flag:
        names = f"{each.word}/--{each.off}" if each.off else each.word
        return _Option([names, each.name], is_flag=True, default=None, section=section, help=_told(each))
    return _Option(
        [each.word, *each.short, each.name],
        multiple=True,  # so that an option which is given twice is seen
        metavar=each.kind.metavar,
        section=section,
        help=_told(each),
        required=False,
    )


def _told(each: Option) -> str:
    parts = [each.help]
    if each.unit:
        parts.append(f"[{each.unit}]")
    default = each.default
    # zero is a default as any other, but stands for "not given" where an option must be given
    if not each.required and default is not None and default is not False and default not in ("", ()) and default != {}:
        value = each.kind.plain(default)
        said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        plain = f"--{each.flag or each.name.replace('_', '-')}" if default is True else said
        parts.append(f"[default: {plain}]")
    return "  ".join(parts)


def _help(cls: type[Question]) -> str:
    """Summary and details; paragraphs of examples keep their lines."""
    paragraphs = [cls.summary(), *cls.details().split("\n\n")]
    return "\n\n".join(f"\b\n{each}" if each.startswith("isoflop ") else each for each in paragraphs if each)
