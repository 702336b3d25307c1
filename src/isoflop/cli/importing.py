"""``isoflop import``: run logs into a store of runs and curves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from isoflop.cli.options import json_option, number, pairs, print_json

if TYPE_CHECKING:
    from isoflop.logs.importing import Imported
    from isoflop.logs.rules import Rules

_FORMATS = "wandb, tensorboard, mlflow, trackio, trainer, lm-eval, lightning, text, table"


@click.command("import")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option(
    "-o", "--output", "--out", "out", required=True, metavar="RUNS/", type=click.Path(), help="The store: a folder."
)
@click.option("--format", "format_name", metavar="WORD", help=f"Read SOURCE as this and nothing else: {_FORMATS}.")
@click.option("--pattern", metavar="REGEX", help="For text logs: (?P<step>…) and a named group for each metric.")
@click.option("--loss", "loss", metavar="NAME", help="The metric that counts as the loss.")
@click.option("--rule", metavar="RULE", help="Which value of it: last (default), last:10 (a mean), min, step:20000.")
@click.option("--warmup", type=click.IntRange(0), help="Steps cut from curves in fits; without it, as the log has it.")
@click.option("--unfinished", type=click.Choice(["keep", "drop"]), help="Runs that did not finish (default: keep).")
@click.option("--tokens-per-step", metavar="TOKENS", help="Tokens of a step, for every run.")
@click.option("--column", "columns", multiple=True, metavar="N=NAME", help="Which setting or metric is N, D, batch, …")
@click.option("--unit", "units", multiple=True, metavar="loss=UNIT", help="nats/token, bits/byte, perplexity, …")
@click.option("--convention", "conventions", multiple=True, metavar="N=WORD", help="total or non-embedding.")
@click.option("--keep", "kept", multiple=True, metavar="SETTING", help="A setting that becomes a column.")
@json_option
def import_(
    sources: tuple[str, ...],
    out: str,
    format_name: str | None,
    pattern: str | None,
    loss: str | None,
    rule: str | None,
    warmup: int | None,
    unfinished: str | None,
    tokens_per_step: str | None,
    columns: tuple[str, ...],
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    kept: tuple[str, ...],
    as_json: bool,
) -> None:
    """Read run logs at SOURCE (files, folders, globs, addresses) into the store RUNS/; again adds what is new.

    Without SOURCE, the losses of an existing store are chosen anew by the options.
    """
    from isoflop.logs.importing import choose_again, import_logs
    from isoflop.logs.rules import Rules, pick

    told: dict[str, Any] = {
        "pick": None if rule is None else pick(rule),
        "loss": loss,
        "warmup": warmup,
        "unfinished": unfinished,
        "named": pairs(columns, "--column"),
        "given": {} if tokens_per_step is None else {"batch": number(tokens_per_step, "--tokens-per-step")},
        "unit": _only(units, "--unit", "loss"),
        "convention": _only(conventions, "--convention", "N"),
        "kept": kept,
    }
    told = {name: value for name, value in told.items() if value not in (None, {}, ())}
    if not sources:
        done = choose_again(out, Rules(**told))
    else:
        rules: Rules | None = Rules(**told) if told else None
        with _counter(quiet=as_json) as count:
            done = import_logs(
                sources, out, rules=rules, format=format_name, pattern=pattern, progress=lambda _name: count()
            )
    if as_json:
        print_json(_as_json(done))
        return
    from rich.console import Console

    from isoflop.report.cards.importing import import_card
    from isoflop.report.terminal import show

    show(import_card(done), Console())


def _only(texts: tuple[str, ...], option: str, name: str) -> str | None:
    """The value of the one NAME that the option knows."""
    from isoflop.errors import IsoflopError

    said = pairs(texts, option)
    if set(said) - {name}:
        raise IsoflopError(f"{option} takes {name}=…, not {texts[0]!r}")
    return said.get(name)


@contextmanager
def _counter(*, quiet: bool) -> Iterator[Callable[[], None]]:
    """A function to call for every run that was read; a count appears on standard error."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    if quiet:
        yield lambda: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} runs read"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)


def _as_json(done: Imported) -> dict[str, object]:
    return {
        "store": str(done.store.folder),
        "runs": done.store.runs.height,
        "rows": int(done.store.runs["rows"].sum()),
        "added": list(done.added),
        "grown": list(done.grown),
        "scored": list(done.scored),
        "unchanged": done.unchanged,
        "left_out": list(done.left_out),
        "unread": [{"source": each.source, "says": each.says} for each in done.unread],
        "rules": dict(done.store.record["rules"]),
        "says": done.store.record["says"],
        "findings": [finding.as_dict() for finding in done.findings],
    }
