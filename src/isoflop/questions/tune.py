"""The question of a run's learning rate and batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table, of_interval
from isoflop.answers.wording import number, plural
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Number, Numbers
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import FitSpec, LevelSpec, RunsSpec
from isoflop.questions.base.tuning_answer import WORDS, methods_table, setting_quantities

if TYPE_CHECKING:
    from isoflop.planning.tuning import Settings, Tuning

_SHARE = Number("SHARE", low=0.0, high=1.0, open=True)
_PUBLISHED = {"lr": ("step-law-lr", {"N": "a", "D": "b"}, "c"), "batch": ("step-law-batch", {"D": "f"}, "e")}


@dataclass(frozen=True)
class Tuned:
    """Power laws of the settings, and the settings of the run that was asked."""

    tuning: Tuning
    settings: Settings


@dataclass(frozen=True)
class Tune(Question):
    """Best learning rate and batch by model size and tokens, from a sweep of settings.

    RUNS holds several settings for each pair of N and D. The loss near its lowest is a quadratic in the logarithms of
    learning rate and batch, whose center follows a power law in N and D. Without --at the answer is for the largest
    pair.

    isoflop tune sweep.csv --at N=7B --at D=140B
    isoflop tune steplaw --at N=1B --at D=100B
    """

    name: ClassVar[str] = "tune"
    examples: ClassVar[tuple[str, ...]] = ("isoflop tune sweep.csv --at N=7B --at D=140B",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 25
    subject: ClassVar[Subject] = "runs"
    has_pictures: ClassVar[bool] = False
    unused: ClassVar[tuple[str, ...]] = ("objective", "starts", "jobs", "resample_by")
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.tune:Tuned", "isoflop.planning.tuning.tune:Tuning")

    at: Mapping[str, float] = option(Numbers("N=7B"), {}, help="Size and tokens of the planned run; repeatable.")
    window: float | None = option(
        _SHARE, help="Loss above the lowest of a pair up to which settings are fitted; the narrowest usable by default."
    )
    near: float = option(_SHARE, 0.0025, flag="near-optimal", help="Relative loss that counts as near-optimal.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """How the table is read, draws, seed and level."""
        return (RunsSpec, FitSpec, LevelSpec)

    def compute(self, context: Context) -> Tuned:
        """Power laws of the settings, and those of the run."""
        from isoflop.planning.tuning import tune

        spec = context.fit_spec
        found = tune(
            context.runs,
            window=self.window,
            within=self.near,
            draws=spec.draws,
            level=context.level,
            seed=spec.seed,
        )
        return Tuned(found, found.at(self.at or found.largest))

    def answer(self, result: Tuned | Tuning, context: Context) -> Answer:
        """The settings in front, their power laws behind."""
        from isoflop.planning.tuning import Tuning

        found = Tuned(result, result.at(result.largest)) if isinstance(result, Tuning) else result
        tuning, settings = found.tuning, found.settings
        sweep = tuning.sweep
        where = ", ".join(f"{name} = {{at_{name}:bare}}" for name in settings.at)
        named = " and ".join(f"{WORDS[each.name]} {{{each.name}}}" for each in settings.settings)
        return Answer(
            question=self.name,
            title=f"settings of {tuning.source}",
            headline=f"Best {named}{f' at {where}' if where else ''}.",
            quantities=(
                *(Quantity(f"at_{name}", value, "count", label=name) for name, value in settings.at.items()),
                *setting_quantities(settings, tuning.within),
                Quantity("pairs", sweep.pairs, "integer", label="pairs of N and D"),
                Quantity("extrapolation", settings.extrapolation, label="extrapolation distance", unit="decades"),
            ),
            tables=(methods_table(settings), _exponents(tuning), _pairs(tuning)),
            findings=(*tuning.findings, *settings.findings),
            method=_method(tuning),
        )


def _method(tuning: Tuning) -> str:
    count = f"{tuning.sweep.pairs} {plural(tuning.sweep.pairs, 'pair')} of N and D"
    if tuning.surface is None:
        return f"power laws through the settings within {number(tuning.within, 'share')} of the lowest loss of {count}"
    surface = tuning.surface
    drawn = "pairs resampled" if surface.by == "pair" else "tables simulated"
    return (
        f"quadratic in log settings through {number(surface.rows, 'integer')} runs within "
        f"{number(surface.window, 'share')} of the lowest loss of {count}; {drawn}"
    )


def _exponents(tuning: Tuning) -> Table:
    """The power law of each setting by method, beside Step Law's."""
    from isoflop.laws import catalogue
    from isoflop.planning.tuning.three_term import BatchLine
    from isoflop.uncertainty.ensemble import interval_of

    scales = tuning.sweep.scales
    rows: list[tuple[Cell, ...]] = []
    for k, name in enumerate(tuning.sweep.settings):
        law, places, factor = _PUBLISHED[name]
        values = catalogue()[law].published[0].values
        for place, scale in enumerate(scales):
            for line in tuning.lines:
                exponent = line.exponent(k, place, tuning.level)
                rows.append((WORDS[name], scale, line.name, of_interval("exponent", exponent), line.factor(k)))
            if name == "batch" and scale == "D" and isinstance(tuning.batch_line, BatchLine):
                drawn = tuning.batch_line
                exponent = interval_of(float(drawn.exponent[0]), drawn.exponent[1:], level=tuning.level)
                told = of_interval("exponent", exponent)
                rows.append((WORDS[name], scale, "three-term law", told, float(drawn.factor[0])))
            if scale in places:
                published = Quantity("exponent", float(values[places[scale]]))
                rows.append((WORDS[name], scale, "Step Law, published", published, float(values[factor])))
    why = f" The three-term law {tuning.batch_line}." if isinstance(tuning.batch_line, str) else ""
    return Table(
        "exponents",
        (
            Column("setting"),
            Column("scale", "in"),
            Column("method"),
            Column("exponent"),
            Column("factor", "setting at scales of 1", detail=True),
        ),
        tuple(rows),
        title="Exponents of the settings",
        note="A setting is a factor times a power of each scale." + why,
    )


def _pairs(tuning: Tuning) -> Table:
    """What was tried at each pair, and its best."""
    import numpy as np

    sweep = tuning.sweep
    rows: list[tuple[Cell, ...]] = []
    for k in range(sweep.pairs):
        own = np.flatnonzero(sweep.cell == k)
        best = own[np.argmin(sweep.response[own])]
        rows.append(
            (
                *(float(np.exp(each)) for each in sweep.scale[k]),
                len(own),
                *(float(np.exp(each)) for each in sweep.setting[best]),
                math.exp(sweep.lowest[k]),
                ", ".join(WORDS[name] for name, at in zip(sweep.settings, sweep.edge[k], strict=True) if at),
            )
        )
    return Table(
        "pairs",
        (
            *(Column(name, kind="count") for name in sweep.scales),
            Column("runs", kind="integer"),
            *(Column(name, f"best {WORDS[name]}", "count" if name == "batch" else "number") for name in sweep.settings),
            Column("loss", "lowest loss"),
            Column("edge", "best at the edge of"),
        ),
        tuple(rows),
        title="Pairs of N and D",
        detail=True,
    )
