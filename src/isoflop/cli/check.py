"""``isoflop check``: what to doubt in a table of runs, before anything is fitted to it."""

from __future__ import annotations

import click

from isoflop.cli.options import draw_picture, json_option, open_runs, picture_option, print_json, progress, runs_options


@click.command()
@runs_options
@click.option("--law", "law_text", metavar="LAW", help="The surface to look for outliers from.  [default: chinchilla]")
@picture_option
@json_option
def check(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_text: str | None,
    picture: str | None,
    as_json: bool,
) -> None:
    """Read FILE (CSV, TSV, JSON Lines or Parquet), say how its headers were understood, and what to doubt."""
    runs = open_runs(file, columns, where, units, conventions)
    from isoflop.laws import law
    from isoflop.validation.check import check as doubts
    from isoflop.validation.check import groups

    chosen = law(law_text, columns=runs.headers) if law_text else None
    with progress(groups(runs, law=chosen), "surfaces", quiet=as_json) as advance:
        findings = doubts(runs, law=chosen, progress=advance)
    from isoflop.report.cards.check import check_card
    from isoflop.report.cards.curves import curves_card

    draw_picture(picture, lambda: check_card(runs, findings), lambda: curves_card(runs))
    if as_json:
        print_json(
            {
                "source": runs.source,
                "n_rows": len(runs),
                "n_runs": int(runs.run_codes().max()) + 1,
                "columns": {
                    name: {
                        "header": column.header,
                        "unit": column.unit,
                        "convention": column.convention,
                        "derived": column.derived,
                    }
                    for name, column in runs.columns.items()
                },
                "findings": [finding.as_dict() for finding in findings],
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(check_card(runs, findings), Console())
