"""``isoflop finish``: the last loss of a run under way."""

from __future__ import annotations

import click

from isoflop.cli.options import (
    draw_picture,
    json_option,
    number,
    open_runs,
    picture_option,
    print_json,
    progress,
    runs_options,
)
from isoflop.errors import IsoflopError


@click.command()
@runs_options
@click.option("--steps", "steps_text", metavar="STEPS", help="The last step; without it, rows without loss say it.")
@click.option(
    "--schedule",
    "schedule_text",
    metavar="SHAPE",
    help="How the rate goes on: cosine:FINAL, linear:FINAL, wsd:DECAY:FINAL, constant.  [default: as the rates so far]",
)
@click.option("--earlier", metavar="FILE", help="Earlier runs of the same kind, to borrow from.")
@click.option("--score", is_flag=True, help="Cut finished runs at 20, 40, 60 and 80 % and compare with their ends.")
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(20, 100_000), help="Draws.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@picture_option
@json_option
def finish(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    steps_text: str | None,
    schedule_text: str | None,
    earlier: str | None,
    score: bool,
    draws: int,
    seed: int,
    level: float,
    picture: str | None,
    as_json: bool,
) -> None:
    """Forecast the last loss of the run in FILE (columns step, lr, loss) from its curve and its learning rates."""
    from rich.console import Console

    from isoflop.report.cards.finish import finish_card, truncations_card
    from isoflop.report.terminal import show
    from isoflop.validation import finish as ends
    from isoflop.validation.schedule_ahead import shape

    if file is None:
        raise IsoflopError("name the table of the run that is under way (columns step, lr and loss)")
    runs = open_runs(file, columns, where, units, conventions)
    if score:
        if steps_text or schedule_text or earlier:
            raise IsoflopError("--score cuts finished runs, whose rates are known; leave --steps and the like out")
        if picture is not None:
            raise IsoflopError("--score has no picture; leave --picture out")
        shares = (0.2, 0.4, 0.6, 0.8)
        with progress(len(shares) * (int(runs.run_codes().max()) + 1), "cuts", quiet=as_json) as advance:
            found = ends.truncations(runs, shares=shares, draws=draws, seed=seed, level=level, progress=advance)
        if as_json:
            cuts = [
                {
                    "share": cut.share,
                    "runs": cut.runs,
                    "are": cut.are,
                    "bias": cut.bias,
                    "held": cut.held,
                    "are_of_the_loss_then": cut.naive,
                }
                for cut in found
            ]
            print_json({"source": runs.source, "cuts": cuts})
            return
        show(truncations_card(found, source=runs.source, level=level), Console())
        return
    said = ends.finish(
        runs,
        steps=number(steps_text, "--steps") if steps_text else None,
        schedule=shape(schedule_text) if schedule_text else None,
        earlier=open_runs(earlier, columns, None, units, conventions) if earlier else None,
        draws=draws,
        seed=seed,
        level=level,
    )
    draw_picture(picture, lambda: finish_card(said))
    if as_json:
        print_json(
            {
                "run": said.run,
                "seen": said.seen,
                "end": said.end,
                "last_loss": said.last_loss,
                "loss": said.loss.as_dict(),
                "expected": said.expected.as_dict(),
                "unit": said.unit,
                "schedule": said.schedule,
                "earlier": said.earlier,
                "findings": [finding.as_dict() for finding in (*runs.findings, *said.findings)],
            }
        )
        return
    show(finish_card(said), Console())
