"""``isoflop fit``: a law on a table of runs."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isoflop.cli.options import (
    draw_picture,
    json_option,
    number,
    number_pairs,
    open_runs,
    pairs,
    picture_option,
    print_json,
    progress,
    runs_options,
)
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble


@click.command()
@runs_options
@click.option("--law", "law_text", required=True, metavar="LAW", help='A name (isoflop laws) or "E + A/N^alpha".')
@click.option(
    "--objective",
    "objective_text",
    default="huber:1e-3",
    show_default=True,
    help="huber:WIDTH, lad, lsq or student-t on log loss; raw- before it for raw loss.",
)
@click.option("--draws", default=1000, show_default=True, type=click.IntRange(20, 1_000_000), help="Bootstrap draws.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--level", default=0.9, show_default=True, help="Level of the intervals.")
@click.option("--fix", "fixed", multiple=True, metavar="E=1.69", help="Set a parameter to a value.")
@click.option("--tie", "tied", multiple=True, metavar="beta=alpha", help="Set a parameter to a formula of others.")
@click.option(
    "--input", "inputs", multiple=True, metavar="NAME", help="A further column that is an input of the formula."
)
@click.option("--domain", "domains", multiple=True, metavar="E=real", help="real, positive, or LOW:HIGH.")
@click.option("--starts", default=64, show_default=True, type=click.IntRange(1, 100_000), help="Starts of the search.")
@click.option(
    "--jobs", default=1, show_default=True, type=click.IntRange(1), help="Processes of the bootstrap, or threads."
)
@click.option(
    "--borrow",
    metavar="FAMILIES",
    help="For one run of a new family: a table of other families (or a data set) that says what is usual.",
)
@click.option("--curves", is_flag=True, help="Fit to the whole curves of FILE, a store (isoflop import).")
@click.option("--thin", type=click.IntRange(2), metavar="ROWS", help="Of each curve only so many rows, in log steps.")
@click.option("--save", metavar="FIT.json", type=click.Path(dir_okay=False), help="Write the fit and its draws.")
@picture_option
@json_option
def fit(
    file: str | None,
    columns: tuple[str, ...],
    where: str | None,
    units: tuple[str, ...],
    conventions: tuple[str, ...],
    law_text: str,
    objective_text: str,
    draws: int,
    seed: int,
    level: float,
    fixed: tuple[str, ...],
    tied: tuple[str, ...],
    inputs: tuple[str, ...],
    domains: tuple[str, ...],
    starts: int,
    jobs: int,
    borrow: str | None,
    curves: bool,
    thin: int | None,
    save: str | None,
    picture: str | None,
    as_json: bool,
) -> None:
    """Fit LAW to the runs in FILE (without FILE: the runs in the box) from many starts, with bootstrap intervals."""
    began = time.perf_counter()
    from isoflop.fitting import fit as fit_law
    from isoflop.fitting import objective
    from isoflop.runs.checks import evidence_findings
    from isoflop.uncertainty import bootstrap
    from isoflop.uncertainty.bootstrap import too_few_runs, without_draws
    from isoflop.uncertainty.ensemble import check_level, tail_findings

    check_level(level)
    if save is not None:
        _check_place(save)
    runs = open_runs(file, columns, where, units, conventions)
    chosen = _law(law_text, inputs, domains, fixed, tied, runs)
    if curves or thin is not None:
        if borrow is not None:
            raise IsoflopError("--borrow is for one run of a table, not for --curves; leave one of them out")
        ensemble = _on_curves(
            file, chosen, objective_text, where=where, thin=thin, draws=draws, seed=seed, starts=starts, jobs=jobs,
            quiet=as_json,
        )  # fmt: skip
        chosen, fitted = ensemble.fit.law, ensemble.fit
    elif borrow is not None:
        ensemble = _borrowed(chosen, runs, borrow, draws=draws, seed=seed)
        fitted = ensemble.fit
    else:
        fitted = fit_law(chosen, runs, objective=objective(objective_text), starts=starts, seed=seed)
        if too_few_runs(fitted) is None:
            with progress(draws, "bootstrap", quiet=as_json) as advance:
                ensemble = bootstrap(fitted, draws=draws, seed=seed, jobs=jobs, progress=advance)
        else:
            ensemble = without_draws(fitted)
    doubts = () if curves or thin is not None else (*runs.findings, *evidence_findings(runs))
    # a fit carries what its runs raise, unless it was made of curves one by one
    tails = tail_findings(ensemble, level=level)
    findings = tuple(dict.fromkeys((*doubts, *fitted.findings, *ensemble.findings, *tails)))
    if save is not None:
        from isoflop.uncertainty.saved import save_fit

        save_fit(ensemble, save)
    from isoflop.report.cards.fit import fit_card

    if picture is not None:  # evidence loads the pictures' own modules, for which a fit without one need not wait
        from isoflop.report.cards.evidence import profile_card

        draw_picture(
            picture,
            lambda: fit_card(ensemble, level=level, findings=findings),
            lambda: profile_card(fitted, level=level),
        )
    seconds = time.perf_counter() - began
    if as_json:
        print_json(
            {
                "law": chosen.name,
                "formula": chosen.formula,
                "objective": fitted.objective.name,
                "value": fitted.value,
                "n_runs": fitted.data.n_runs,
                "params": {name: ensemble.interval(name, level=level).as_dict() for name in chosen.param_names}
                | {name: {"value": value, "low": value, "high": value} for name, value in fitted.law.fixed.items()},
                "findings": [finding.as_dict() for finding in findings],
                "seconds": seconds,
            }
        )
        return
    from rich.console import Console

    from isoflop.report.terminal import show

    console = Console()
    console.print(
        "read: " + "; ".join(column.describe() for column in runs.columns.values()), highlight=False, markup=False
    )
    show(fit_card(ensemble, level=level, findings=findings), console)
    if save is not None:
        console.print(
            f"saved to {save}; ask it: isoflop forecast {save} "
            + " ".join(f"--at {name}=…" for name in chosen.input_names),
            highlight=False,
            markup=False,
        )


def _on_curves(
    file: str | None,
    law: Law,
    objective_text: str,
    *,
    where: str | None,
    thin: int | None,
    draws: int,
    seed: int,
    starts: int,
    jobs: int,
    quiet: bool,
) -> Ensemble:
    """The law on all rows of a store's curves; what was cut, thinned and chosen is among the findings."""
    from dataclasses import replace

    from rich.console import Console
    from rich.progress import Progress

    from isoflop.fitting import objective
    from isoflop.fitting.stream import fit_curves
    from isoflop.runs.curves import open_curves
    from isoflop.uncertainty import bootstrap
    from isoflop.uncertainty.bootstrap import too_few_runs, without_draws
    from isoflop.uncertainty.one_step import one_step_bootstrap

    if file is None:
        raise IsoflopError("--curves needs a store; make one with isoflop import SOURCE -o RUNS/")
    opened = open_curves(file, where=where, thin=thin)
    with Progress(console=Console(stderr=True), transient=True, disable=quiet) as bar:
        task = bar.add_task("reading", total=1.0)
        found = fit_curves(
            law,
            opened,
            objective=objective(objective_text),
            starts=starts,
            seed=seed,
            jobs=jobs,
            progress=lambda doing, share: bar.update(task, description=doing, completed=share),
        )
    told = replace(found, fit=replace(found.fit, findings=(*opened.findings, *found.fit.findings)))
    if too_few_runs(told.fit) is not None:
        return without_draws(told.fit)
    if told.fit.runs is None:
        return one_step_bootstrap(told, draws=draws, seed=seed)
    with progress(draws, "bootstrap", quiet=quiet) as advance:
        return bootstrap(told.fit, draws=draws, seed=seed, progress=advance)


def _borrowed(law: Law, runs: Runs, families: str, *, draws: int, seed: int) -> Ensemble:
    """The law of one run's family, with what other families say is usual."""
    from isoflop.validation.borrow import borrow, family_prior

    return borrow(family_prior(law, open_runs(families, (), None, (), ())), runs, draws=draws, seed=seed)


def _law(
    text: str,
    inputs: tuple[str, ...],
    domains: tuple[str, ...],
    fixed: tuple[str, ...],
    tied: tuple[str, ...],
    runs: Runs,
) -> Law:
    from isoflop.laws import fix, law, tie

    chosen = law(
        text,
        inputs=inputs,
        domains={name: _domain(name, value) for name, value in pairs(domains, "--domain").items()},
        columns=runs.headers,
    )
    if tied:
        chosen = tie(chosen, pairs(tied, "--tie"))
    return fix(chosen, number_pairs(fixed, "--fix")) if fixed else chosen


def _domain(name: str, value: str) -> str | tuple[float, float]:
    low, colon, high = value.partition(":")
    return (number(low, f"--domain {name}"), number(high, f"--domain {name}")) if colon else value


def _check_place(path: str) -> None:
    """Refuse a place that cannot hold the fit before it is made."""
    place = Path(path)
    if not path.strip() or not place.name:
        raise IsoflopError(f"--save needs the name of a file, not {path!r}")
    if not place.parent.is_dir():
        raise IsoflopError(f"--save {path}: there is no folder {str(place.parent)!r}; make it, or save elsewhere")
    if not os.access(place.parent, os.W_OK):
        raise IsoflopError(f"--save {path}: the folder {str(place.parent)!r} may not be written to; save elsewhere")
    if place.exists() and not place.is_file():
        raise IsoflopError(f"--save {path}: something is there that is not a file; save elsewhere")
