"""``isoflop backtest --protocol hitchhiker``: many laws of many families, and what each choice does to their error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isoflop.cli.options import draw_picture, number, print_json, progress
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.fitting import Objective
    from isoflop.laws import Law
    from isoflop.runs import Runs


def run_hitchhiker(
    law: Law,
    runs: Runs,
    *,
    objective: Objective,
    cut: str,
    seed: int,
    level: float,
    jobs: int,
    picture: str | None,
    as_json: bool,
) -> None:
    """Perform the protocol and print it."""
    from isoflop.validation.hitchhiker import compare_choices, error_grid, hitchhiker, iso_error

    families = len(set(runs.text("family"))) if "family" in runs else 1
    with progress(families, "families", quiet=as_json) as advance:
        study = hitchhiker(law, runs, objective=objective, cut=_cut(cut), seed=seed, jobs=jobs, progress=advance)
    comparisons = compare_choices(study, level=level, seed=seed)
    grid = error_grid(study)
    from isoflop.report.cards.hitchhiker import hitchhiker_card

    draw_picture(picture, lambda: hitchhiker_card(study, comparisons, grid))
    if as_json:
        print_json(
            {
                "source": runs.source,
                "law": study.law,
                "objective": study.objective,
                "laws": study.trials.height,
                "comparisons": [
                    {
                        "choice": each.choice,
                        "against": each.against,
                        "pairs": each.pairs,
                        "helped": each.helped,
                        "families": each.families,
                        "collections": each.collections,
                        "ratio": each.ratio.as_dict(),
                        "verdict": each.verdict,
                    }
                    for each in comparisons
                ],
                "grid": grid.to_dicts(),
                "iso_error": iso_error(grid).to_dicts(),
                "baselines": study.baselines.to_dicts(),
                "floors": study.floors.to_dicts(),
                "trials": study.trials.to_dicts(),
                "skipped": [{"family": family, "says": why} for family, why in study.skipped],
                "findings": [finding.as_dict() for finding in study.findings],
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    show(hitchhiker_card(study, comparisons, grid), Console())


def _cut(text: str) -> float:
    """A share below 1 for ``10%``, tokens for ``10B``."""
    if text.endswith("%"):
        share = number(text.removesuffix("%"), "--cut") / 100
        if not 0 < share < 1:
            raise IsoflopError(f"--cut takes a share between 0% and 100%, or tokens such as 10B, not {text!r}")
        return share
    tokens = number(text, "--cut")
    if tokens < 1:
        raise IsoflopError(f"--cut takes tokens such as 10B, or a share such as 10%, not {text!r}")
    return tokens
