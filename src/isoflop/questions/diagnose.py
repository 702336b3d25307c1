"""The question of a fit against its runs: residuals, surface, draws, profile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import interval, worded
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.question import Group, InReport, Question, Subject

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isoflop.fitting import Fit
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble
    from isoflop.uncertainty.profile import Profile

_WORST: Final = 5  # runs farthest from the law that are named
_PROFILED: Final = 5_000  # rows up to which a profile takes about a second
_STRONG: Final = 0.9  # correlation of draws from which two parameters are quoted together


@dataclass(frozen=True)
class Residual:
    """Medians of the residuals along one input: the largest, where it is, and the usual size of a residual."""

    against: str
    largest: float
    at: float
    usual: float
    unit: str


@dataclass(frozen=True)
class Diagnosis:
    """A fit against its runs.

    off: relative residuals of the runs, measured/fitted − 1. worst: places of the rows farthest from the law.
    residuals: along each input. pair: the two parameters whose draws correlate most, with the correlation; None without
    draws. profile: the profile likelihood, where the objective is one.
    """

    ensemble: Ensemble
    runs: Runs
    measured: NDArray[np.float64]
    fitted: NDArray[np.float64]
    off: NDArray[np.float64]
    worst: tuple[int, ...]
    residuals: tuple[Residual, ...]
    pair: tuple[str, str, float] | None
    profile: Profile | None


@dataclass(frozen=True)
class Diagnose(Question):
    """Fit against its runs: residuals along every input, the surface, correlated parameters, profile likelihood.

    isoflop diagnose runs.csv --law chinchilla --picture diagnosis.svg
    """

    name: ClassVar[str] = "diagnose"
    examples: ClassVar[tuple[str, ...]] = ("isoflop diagnose runs.csv --law chinchilla",)
    group: ClassVar[Group] = "Fit"
    order: ClassVar[int] = 20
    subject: ClassVar[Subject] = "fit"
    unused: ClassVar[tuple[str, ...]] = ("prior",)
    in_report: ClassVar[InReport] = "always"
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.diagnose:Diagnosis", "isoflop.uncertainty.profile:Profile")

    def compute(self, context: Context) -> Diagnosis:
        """Residuals, correlations and, for a likelihood, the profile."""
        return diagnose(context.ensemble, level=context.level)

    def answer(self, result: Diagnosis | Profile, context: Context) -> Answer:
        """How close the law comes, and where it leaves the runs."""
        if not isinstance(result, Diagnosis):
            return _profile_answer(self.name, result)
        import numpy as np

        fit = result.ensemble.fit
        off = np.abs(result.off)
        found = () if result.profile is None else (_profile_table(result.profile),)
        quantities = [
            Quantity("median", float(np.median(off)), "share", label="median |residual|"),
            Quantity("p95", float(np.quantile(off, 0.95)), "share", label="95th percentile of |residual|"),
        ]
        if result.pair is not None:
            x, y, correlation = result.pair
            strong = "quote both together" if abs(correlation) > _STRONG else "the strongest of all pairs"
            quantities.append(Quantity("correlation", correlation, label=f"correlation of {x} and {y}", note=strong))
        return Answer(
            question=self.name,
            title=f"{fit.law.name} against {fit.data.source}",
            headline="Half of the rows lie within {median} of the law, and 95% within {p95}.",
            quantities=tuple(quantities),
            tables=(_worst(result), _residuals(result), *found),
            findings=() if result.profile is None else result.profile.findings,
            pictures=tuple(_pictures(result, context.level)),
        )


def diagnose(ensemble: Ensemble, *, level: float) -> Diagnosis:
    """Relative residuals measured/f(θ) − 1 of every run, their medians along each input, and the draws' correlations.

    Raises FitError for a fit without its runs.
    """
    import numpy as np

    from isoflop.fitting.table import law_inputs, prepared_runs
    from isoflop.plots.residuals import left_over, medians
    from isoflop.uncertainty.profile import profile

    fit = ensemble.fit
    runs = prepared_runs(fit.law, fit.require_runs())
    measured = runs[fit.law.response]
    fitted = fit.predict(law_inputs(fit.law, runs))
    off = measured / fitted - 1
    found = []
    for against in _across(fit):
        left = left_over(fit, against=against)
        at, middle = medians(left.x, left.rest)
        most = int(np.abs(middle).argmax())
        usual = float(np.median(np.abs(left.rest)))
        found.append(Residual(against, float(middle[most]), float(at[most]), usual, left.unit))
    profiled = fit.objective.likelihood and fit.law.params and len(fit.law.params) + 1 < len(runs) <= _PROFILED
    return Diagnosis(
        ensemble=ensemble,
        runs=runs,
        measured=measured,
        fitted=fitted,
        off=off,
        worst=tuple(int(place) for place in np.argsort(-np.abs(off))[:_WORST]),
        residuals=tuple(found),
        pair=most_correlated(ensemble) if len(ensemble) and len(fit.law.params) > 1 else None,
        profile=profile(fit, level=level) if profiled else None,
    )


def _across(fit: Fit) -> tuple[str, ...]:
    names = fit.law.row_inputs
    return (*names, *(("C",) if {"N", "D"} <= set(names) else ()), "order")


def most_correlated(ensemble: Ensemble) -> tuple[str, str, float]:
    """The pair of parameters with the largest correlation of draws, amplitudes by their logarithm; the amplitude first.

    Needs two parameters and draws.
    """
    import numpy as np

    law = ensemble.estimate.law
    columns = {
        name: np.log(draws) if name in law.linear and (draws > 0).all() else draws
        for name, draws in ensemble.draws.items()
    }
    with np.errstate(invalid="ignore"):
        table = np.nan_to_num(np.corrcoef(np.stack(list(columns.values()))))
    pairs = [(abs(table[i, j]), i, j) for j in range(len(columns)) for i in range(j)]
    _, i, j = max(pairs)
    names = tuple(columns)
    x, y = (names[i], names[j]) if names[i] in law.linear or names[j] not in law.linear else (names[j], names[i])
    return x, y, float(table[i, j])


def _worst(result: Diagnosis) -> Table:
    names = result.ensemble.estimate.law.row_inputs
    return Table(
        "worst",
        (
            Column("row", kind="integer"),
            *(Column(name, kind="count") for name in names),
            Column("measured"),
            Column("fitted"),
            Column("residual", kind="change"),
        ),
        tuple(
            (
                int(result.runs.rows[place]),
                *(float(result.runs[name][place]) for name in names),
                float(result.measured[place]),
                float(result.fitted[place]),
                float(result.off[place]),
            )
            for place in result.worst
        ),
        title="Rows farthest from the law",
    )


def _residuals(result: Diagnosis) -> Table:
    return Table(
        "residuals",
        (
            Column("against"),
            Column("largest", "largest median"),
            Column("at", "at", "count"),
            Column("usual", "median |residual|"),
            Column("unit", ""),
        ),
        tuple((each.against, each.largest, each.at, each.usual, each.unit) for each in result.residuals),
        title="Medians of the residuals over ninths of the rows",
    )


def _profile_table(found: Profile) -> Table:
    law = found.fit.law
    return Table(
        "profile",
        (Column("parameter"), Column("value"), Column("meaning", "")),
        tuple(
            (each.name, of_interval(each.name, found.intervals[each.name]), each.meaning)
            for each in law.params
            if each.name in found.intervals
        ),
        title="Profile likelihood",
        note="Rows count as independent.",
    )


def _profile_answer(name: str, found: Profile) -> Answer:
    chosen = _most_lopsided(found)
    each = found.intervals[chosen]
    open_ends = [label for label, one in found.intervals.items() if not math.isfinite(one.high) or one.low == 0]
    return Answer(
        question=name,
        title=f"profile likelihood of {found.fit.law.name} on {found.fit.data.source}",
        headline=f"The interval of {', '.join(open_ends)} has an open end."
        if open_ends
        else f"The runs bound every parameter on both sides; the interval of {chosen} is the least symmetric: "
        f"{{{chosen}}}.",
        quantities=(of_interval(chosen, each),),
        tables=(_profile_table(found),),
        findings=found.findings,
        method=f"objective {found.fit.objective.name}; rows count as independent",
        pictures=(_profile_picture(found),),
    )


def _pictures(result: Diagnosis, level: float) -> list[Picture]:

    ensemble, fit = result.ensemble, result.ensemble.fit
    made = []
    for each in result.residuals:
        along = "the order of the table" if each.against == "order" else each.against
        made.append(
            Picture(
                f"residuals-against-{each.against}",
                drawing("residuals", fit, against=each.against),
                f"Residuals of {fit.data.n_rows} measurements against {along}, with medians over ninths of the rows.",
                claim=f"Residuals against {along}: their medians reach {each.largest:+.2g}{_spaced(each.unit)}, and "
                f"half of all lie within {each.usual:.2g}{_spaced(each.unit)}",
                views="residuals against",
                view="row" if each.against == "order" else each.against,
            )
        )
    if set(fit.law.input_names) == {"N", "D"}:
        drawn = (
            f"Contours of the fitted loss over tokens and parameters, the {fit.data.n_rows} measurements, and the "
            f"compute-optimal path with its {100 * level:g}% band."
        )
        path = f"The runs on the fitted surface, and its compute-optimal path with a {100 * level:g}% band"
        draw = drawing("loss_contours", ensemble, level=level)
        made.append(Picture("contours", draw, drawn, (7.2, 5.0), claim=path))
    if result.pair is not None:
        x, y, correlation = result.pair
        ends = [f"{name} {interval(of_interval(name, ensemble.interval(name, level=level)))}" for name in (x, y)]
        drawn = (
            f"{len(ensemble)} draws of every parameter against every other; {100 * level:g}% intervals: "
            + "; ".join(
                f"{name} {interval(of_interval(name, ensemble.interval(name, level=level)))}" for name in ensemble.draws
            )
        )
        claim = (
            f"{x} and {y} trade: their draws correlate by {correlation:.2f}; {100 * level:g}% intervals: "
            f"{', '.join(ends)}"
        )
        made.append(Picture("draws", drawing("corner", ensemble, level=level), f"{drawn}.", (7.2, 5.4), claim=claim))
    if result.profile is not None:
        made.append(_profile_picture(result.profile))
    return made


def _spaced(unit: str) -> str:
    return unit if unit == "%" else f" {unit}"


def _profile_picture(found: Profile) -> Picture:

    chosen = _most_lopsided(found)
    each = of_interval(chosen, found.intervals[chosen])
    return Picture(
        f"likelihood-{chosen}",
        drawing("profile_likelihood", found, param=chosen),
        f"Increase of the objective with {chosen} held at other values and the other parameters refitted; its "
        f"interval: {worded(each)} [{interval(each)}].",
        claim=f"The profile likelihood bounds {chosen}: {worded(each)} ({interval(each)})",
    )


def _most_lopsided(found: Profile) -> str:
    """The parameter whose interval has the most unequal sides; an open end is more unequal than any other."""

    def lopsided(name: str) -> float:
        each = found.intervals[name]
        down, up = each.value - each.low, each.high - each.value
        if not math.isfinite(up) or each.low == 0:
            return 1e9
        return abs(math.log(up / down)) if up > 0 and down > 0 else 0.0

    return max(found.intervals, key=lopsided)
