"""How the best settings of a run are worded: by the question of tuning and beneath a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from isoflop.answers import Cell, Column, Kind, Quantity, Table, of_interval
from isoflop.answers.wording import number
from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding

if TYPE_CHECKING:
    from isoflop.planning.tuning import Setting, Settings, Tuning
    from isoflop.questions.base.context import Context
    from isoflop.runs import Runs

WORDS: Final = {"lr": "learning rate", "batch": "batch"}
_KINDS: Final[Mapping[str, Kind]] = {"lr": "number", "batch": "count"}
_UNITS: Final = {"lr": "", "batch": "tokens a step"}


def setting_quantities(settings: Settings, within: float) -> Iterator[Quantity]:
    """Each setting with its interval and its near-optimal range."""
    for each in settings.settings:
        kind, unit = _KINDS[each.name], _UNITS[each.name]
        yield of_interval(each.name, each.best, kind, unit=unit, label=WORDS[each.name])
        if each.near is not None:
            yield Quantity(
                f"near_optimal_{each.name}",
                None,
                kind,
                *each.near,
                None,
                unit,
                f"near-optimal {WORDS[each.name]}",
                f"loss within {number(within, 'share')}",
                interval="range",
            )


def methods_table(settings: Settings) -> Table:
    """The settings by every method."""
    rows: list[tuple[Cell, ...]] = [
        (
            WORDS[each.name],
            method,
            of_interval("value", value, _KINDS[each.name]),
            *_ends(each),
            *each.tried,
        )
        for each in settings.settings
        for method, value in each.methods.items()
    ]
    return Table(
        "settings",
        (
            Column("setting"),
            Column("method"),
            Column("value"),
            Column("wide_low", "near-optimal from", detail=True),
            Column("wide_high", "to", detail=True),
            Column("tried_low", "tried from", detail=True),
            Column("tried_high", "to", detail=True),
        ),
        tuple(rows),
        title="Best settings by method",
        note="Surface: a quadratic in log settings near the lowest loss; best rows: power laws through the settings "
        "near it; three-term law: batch and steps in place of tokens.",
    )


def _ends(each: Setting) -> tuple[float | None, float | None]:
    return each.wide if each.wide is not None else (None, None)


def sweep_in(context: Context) -> Runs | None:
    """The table's settings, without the reduction to best rows; None where it has no learning rate and batch."""
    if context.given_runs is not None or not context.has_runs or context.saved is not None or context.given is not None:
        runs = context.runs if context.has_runs else None
    else:
        spec = context.runs_spec
        reduced = spec.best is not None or spec.frontier is not None
        runs = replace(spec, best=None, per=(), within=0.0, frontier=None).read() if reduced else context.runs
    if runs is None or not {"lr", "batch", "N", "D", "loss"} <= set(runs.headers):
        return None
    return runs


def planned_settings(
    context: Context, n: float, d: float
) -> tuple[tuple[Quantity, ...], tuple[Table, ...], tuple[Finding, ...]]:
    """What a plan adds where its table is a sweep of learning rates and batches: the best of them at N and D."""
    from isoflop.planning.tuning import tune

    runs = sweep_in(context)
    if runs is None:
        return (), (), ()
    spec = context.fit_spec
    try:
        tuning: Tuning = tune(runs, draws=spec.draws, level=context.level, seed=spec.seed)
        if not tuning.sweep.swept:
            return (), (), ()  # each size has its own setting, as most tables have: nobody tuned
        settings = tuning.at({"N": n, "D": d})
    except (DataError, IsoflopError):
        return (), (), ()
    quantities = tuple(setting_quantities(settings, tuning.within))
    return quantities, (methods_table(settings),), (*tuning.findings, *settings.findings)
