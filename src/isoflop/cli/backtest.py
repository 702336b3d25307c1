"""``isoflop backtest``: what laws would have predicted for the largest runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from isoflop.cli.options import draw_picture, json_option, open_runs, picture_option, print_json, progress, runs_options
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.validation.backtest import Backtest
    from isoflop.validation.score import Scores

Command = TypeVar("Command", bound=Callable[..., Any])


def hold_out_options(*, windows: int, draws: int) -> Callable[[Command], Command]:
    """What is held out, and how it is predicted: shared by the commands that test laws on runs they were not shown."""

    def add(command: Command) -> Command:
        for option in reversed(
            (
                click.option(
                    "--hold-out",
                    "hold_out_text",
                    metavar="N:20%",
                    help="N (its largest value), N/4 (within a factor 4 of it) or N:20% (a share of the runs).",
                ),
                click.option(
                    "--windows",
                    default=windows,
                    show_default=True,
                    type=click.IntRange(1, 1000),
                    help="Hold-outs, each predicted from smaller runs alone.",
                ),
                click.option("--per-family", is_flag=True, help="Fit and predict each family by itself."),
                click.option(
                    "--objective",
                    "objective_text",
                    default="huber:1e-3",
                    show_default=True,
                    help="huber:WIDTH, lad, lsq or student-t on log loss; raw- before it for raw loss.",
                ),
                click.option(
                    "--draws",
                    default=draws,
                    show_default=True,
                    type=click.IntRange(20, 100_000),
                    help="Bootstrap draws for each law and window.",
                ),
                click.option("--seed", default=0, show_default=True, type=click.IntRange(0)),
                click.option("--level", default=0.9, show_default=True, help="Level of the intervals."),
            )
        ):
            command = option(command)
        return command

    return add


@click.command()
@runs_options
@click.option(
    "--law",
    "law_texts",
    multiple=True,
    metavar="LAW",
    help="A name or a formula; repeat it for several.  [default: chinchilla]",
)
@hold_out_options(windows=1, draws=500)
@click.option(
    "--protocol",
    type=click.Choice(["hitchhiker"]),
    help="Many laws of every family: how many models, which, how much of their training.",
)
@click.option(
    "--cut", metavar="SHARE", help="With --protocol: dropped where a run begins, as 10% (the default) or 10B."
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="With --protocol: processes.")
@picture_option
@json_option
def backtest(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_texts: tuple[str, ...],
    hold_out_text: str | None,
    windows: int,
    per_family: bool,
    objective_text: str,
    draws: int,
    seed: int,
    level: float,
    protocol: str | None,
    cut: str | None,
    jobs: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Hold out the largest runs in FILE, fit each LAW to the rest, and score what it says of them and how surely."""
    from isoflop.fitting import objective
    from isoflop.laws import law
    from isoflop.validation.backtest import backtest as perform
    from isoflop.validation.backtest import backtest_findings
    from isoflop.validation.split import hold_out

    if protocol is None and (cut is not None or jobs != 1):
        raise IsoflopError("--cut and --jobs are options of --protocol hitchhiker; add it, or leave them out")
    if protocol is not None and (hold_out_text is not None or windows != 1 or per_family):
        raise IsoflopError("--protocol holds out by its own rules; leave out --hold-out, --windows and --per-family")
    runs = open_runs(file, columns, where, units, conventions)
    laws = [law(text, columns=runs.headers) for text in dict.fromkeys(law_texts or ("chinchilla",))]
    if protocol is not None:
        from isoflop.cli.protocol import run_hitchhiker

        if len(laws) > 1:
            raise IsoflopError("--protocol hitchhiker takes one --law")
        run_hitchhiker(
            laws[0],
            runs,
            objective=objective(objective_text),
            cut=cut or "10%",
            seed=seed,
            level=level,
            jobs=jobs,
            picture=picture,
            as_json=as_json,
        )
        return
    families = len(set(runs.text("family"))) if per_family and "family" in runs else 1
    with progress(len(laws) * families, "backtest", quiet=as_json) as advance:
        result = perform(
            laws,
            runs,
            hold_out=hold_out(hold_out_text) if hold_out_text else None,
            windows=windows,
            per_family=per_family,
            objective=objective(objective_text),
            draws=draws,
            level=level,
            seed=seed,
            progress=advance,
        )
    findings = (*runs.findings, *backtest_findings(result))
    from isoflop.report.cards.backtest import backtest_card, coverage_card

    draw_picture(picture, lambda: backtest_card(result, findings=findings), lambda: coverage_card(result))
    if as_json:
        print_json(
            {
                "source": result.source,
                "response": result.response,
                **windows_as_dict(result),
                "laws": [{"law": each.name, **scores_as_dict(result.scores(each))} for each in result.laws],
                "baselines": [{"name": each.name, **scores_as_dict(result.scores(each))} for each in result.baselines],
                "held_out": _rows(result, runs.rows.tolist()),
                "findings": [finding.as_dict() for finding in findings],
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(backtest_card(result, findings=findings), Console())


def windows_as_dict(result: Backtest) -> dict[str, object]:
    """The windows of a backtest for ``--json``."""
    return {
        "windows": [
            {
                "says": window.says,
                "by": window.by,
                "from": window.from_value,
                "family": window.family or None,
                "fitted_rows": int(window.train.sum()),
                "held_out_rows": int(window.held.sum()),
            }
            for window in result.windows
        ]
    }


def scores_as_dict(scores: Scores) -> dict[str, object]:
    """Scores for ``--json``; null where a forecaster gives no interval."""
    return {
        "are": scores.are.as_dict(),
        "bias": scores.bias.as_dict(),
        "worst": scores.worst,
        "runs": scores.runs,
        "rows": scores.rows,
        "covered": scores.covered,
        "coverage": scores.coverage.as_dict() if scores.coverage else None,
        "log_score": scores.log_score.as_dict() if scores.log_score else None,
    }


def _rows(result: Backtest, numbers: list[int]) -> list[dict[str, object]]:
    """Each held-out row: its number in the file, what was measured, and what each forecaster said."""
    said: list[dict[str, object]] = []
    for position, row in enumerate(result.held.row.tolist()):
        forecasts: dict[str, object] = {
            each.name: {"value": float(each.value[position])}
            | (
                {"low": float(each.low[position]), "high": float(each.high[position])}
                if each.low is not None and each.high is not None
                else {}
            )
            for each in (*result.laws, *result.baselines)
        }
        said.append(
            {
                "row": numbers[row],
                "window": int(result.held.window[position]),
                "measured": float(result.held.truth[position]),
                "forecasts": forecasts,
            }
        )
    return said
