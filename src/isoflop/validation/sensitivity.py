"""``sensitivity``: what small choices (rounding, noise, region, objective, counting, solver) do to the answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Fit, Objective, absolute, fit, huber, squares
from isoflop.fitting.fit import SAME, fit_alone, problem
from isoflop.fitting.objective import Space
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.runs.checks.counts import nonembedding_from_total, total_from_nonembedding
from isoflop.runs.checks.units import decimals_of
from isoflop.runs.table import rows_phrase
from isoflop.shown import Shown
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.validation.answers import Answer, Question, question
from isoflop.validation.averaged import by_lbfgs
from isoflop.validation.outliers import outliers
from isoflop.values import Value

Floats = NDArray[np.float64]
Progress = Callable[[int], None]

MOST_CHOICES = 26  # for a progress bar
GROUPS = ("rounding", "noise", "region", "objective", "solver", "counting", "outliers", "starts")
_DECIMALS = (3, 2, 1)
_MILLI_LOSS = (1.0, 10.0, 100.0)
_WIDTHS = (1e-4, 1e-2, 1e-1)
_STARTS = (1, 4, 16)
_FEWEST_SIZES = 3


@dataclass(frozen=True)
class Choice(Value):
    """One choice made otherwise. answers: by name, each with its interval; empty where ``why_not`` says why."""

    group: str
    setting: str
    n_runs: int
    answers: Mapping[str, Interval]
    note: str = ""
    why_not: str = ""


@dataclass(frozen=True)
class Sensitivity(Shown):
    """How the answers move.

    fit: the base, with its answers and their intervals. choices: each with the answers it leads to.
    """

    fit: Fit
    asked: Question
    base: Mapping[str, Interval]
    choices: tuple[Choice, ...]
    findings: tuple[Finding, ...]

    def outside(self, choice: Choice, name: str) -> bool:
        """Whether a choice takes an answer out of the base's interval."""
        if name not in choice.answers:
            return False
        held = self.base[name]
        return not held.low <= choice.answers[name].value <= held.high


def sensitivity(
    law: Law,
    runs: Runs,
    *,
    objective: Objective | None = None,
    budget: float | None = None,
    at: Mapping[str, float] | None = None,
    level: float = 0.9,
    draws: int = 200,
    starts: int = 64,
    seed: int = 0,
    resample_by: str | None = None,
    progress: Progress | None = None,
) -> Sensitivity:
    """The answers of ``fit(law, runs)`` again with one choice changed at a time.

    rounding: losses to 3, 2, 1 decimals. noise: Gaussian, 1, 10 and 100 thousandths of the loss's unit; the interval is
    over ``draws`` copies. region: the smaller, middle and larger half of the sizes. objective: Huber widths 1e-4 to
    0.1, absolute deviations, squares, and raw instead of log loss. solver: L-BFGS-B with SciPy's tolerances on the sum
    and on the mean of the same objective, as papers ran it. counting: parameters with or without embeddings. outliers:
    without the runs off the surface. starts: a search from 1, 4, 16 starts.

    Parameters
    ----------
    law :
        The law to fit.
    runs :
        The table as it is.
    objective :
        Of the base; Huber with δ = 1e-3 on log loss by default.
    budget, at :
        Where the answers are evaluated; see :func:`isoflop.validation.answers.question`.
    level, draws :
        Of the base's bootstrap intervals, and the number of copies with noise.
    starts, seed :
        Of the searches.
    resample_by :
        What the bootstrap draws together; see :func:`isoflop.bootstrap`.
    progress :
        Called with 1 for every choice; there are at most ``MOST_CHOICES``.

    Returns
    -------
    Sensitivity
        The base's answers with their intervals, and those of each choice; a choice that cannot be fitted has the
        reason.

    Raises
    ------
    DataError, FitError
        As :func:`isoflop.fit` on the runs as they are.

    Examples
    --------
    >>> import isoflop, numpy
    >>> n = numpy.geomspace(1e7, 1e9, 12)
    >>> runs = isoflop.Runs.from_columns({"N": n, "loss": 1.7 + 400 / n**0.34})
    >>> found = isoflop.sensitivity(isoflop.law("E + A/N^a"), runs, at={"N": 1e10}, draws=20, starts=4)
    >>> found.choices[0].setting, round(found.base["a"].value, 3)
    ('3 decimals', 0.34)
    """
    base = fit(law, runs, objective=objective, starts=starts, seed=seed)
    asked = question(base, budget=budget, at=at)
    trial = _Trial(base, runs, asked, level, draws, starts, seed, resample_by)
    held = trial.answers(base)
    found = []
    for choice in trial.choices(held):
        found.append(choice)
        if progress is not None:
            progress(1)
    whole = Sensitivity(base, asked, held, tuple(found), ())
    return replace(whole, findings=(*_findings(whole), *base.findings))


@dataclass(frozen=True)
class _Trial:
    """The base of all choices."""

    base: Fit
    runs: Runs
    asked: Question
    level: float
    draws: int
    starts: int
    seed: int
    resample_by: str | None

    @property
    def whole(self) -> Runs:
        """The runs with the columns that the law prepares, before any row is left out of a curve."""
        return prepared_runs(self.base.law, self.runs)

    def choices(self, held: Mapping[str, Interval]) -> Iterator[Choice]:
        yield from self.rounding()
        yield from self.noise()
        yield from self.region()
        yield from self.objective()
        yield from self.solver()
        yield from self.counting()
        yield from self.outliers()
        yield from self.start_counts(held)

    def answers(self, fitted: Fit) -> dict[str, Interval]:
        """Every answer at a fit, with the interval of its bootstrap draws."""
        draws = bootstrap(fitted, draws=self.draws, seed=self.seed, restarted=0, resample_by=self.resample_by).draws
        return {
            each.name: interval_of(each.value(fitted), each.of(draws), level=self.level) for each in self.asked.answers
        }

    def refit(
        self,
        group: str,
        setting: str,
        runs: Runs,
        *,
        objective: Objective | None = None,
        note: str = "",
        convert: Callable[[Floats], Floats] | None = None,
        asked: Question | None = None,
    ) -> Choice:
        """The answers of one changed fit, or why there are none."""
        try:
            fitted = fit_alone(
                self.base.law, runs, objective=objective or self.base.objective, starts=self.starts, seed=self.seed
            )
            trial = replace(self, asked=asked or self.asked)
            answers = trial.answers(fitted)
        except IsoflopError as error:
            return Choice(group, setting, len(runs), {}, note, why_not=str(error))
        if convert is not None and "N*" in answers:
            star = answers["N*"]
            value, low, high = convert(np.array([star.value, star.low, star.high]))
            answers["N*"] = Interval(float(value), float(low), float(high), star.level)
        return Choice(group, setting, fitted.data.n_runs, answers, note)

    def rounding(self) -> Iterator[Choice]:
        response = self.base.law.response
        has = decimals_of(self.runs[response])
        for places in _DECIMALS:
            setting = f"{places} {'decimal' if places == 1 else 'decimals'}"
            if has is not None and has <= places:
                yield Choice("rounding", setting, len(self.runs), {}, why_not=f"the table has {has} decimals")
                continue
            rounded = self.runs.with_column(response, np.round(self.runs[response], places))
            yield self.refit("rounding", setting, rounded)

    def noise(self) -> Iterator[Choice]:
        """Gaussian noise on the losses, all copies refitted in one batch of targets."""
        ready = problem(self.base.law, self.runs, objective=self.base.objective)
        for size in _MILLI_LOSS:
            setting = f"±{size:g} milli-loss"
            rng = np.random.default_rng([self.seed, int(size)])
            noisy = ready.table.loss + size / 1000 * rng.standard_normal((self.draws, len(ready.table.loss)))
            if self.base.objective.of_logarithms:
                if (noisy <= 0).any():
                    yield Choice("noise", setting, len(self.runs), {}, why_not="some losses would not stay positive")
                    continue
                noisy = np.log(noisy)
            found = ready.solve(np.repeat(self.base.theta[None], self.draws, axis=0), target=noisy)
            params = ready.params(found.theta[np.isfinite(found.value)])
            draws = {name: params[:, column] for column, name in enumerate(self.base.law.param_names)}
            answers = {each.name: self.spread(each, draws) for each in self.asked.answers}
            yield Choice("noise", setting, ready.table.n_runs, answers, f"median and range of {self.draws} copies")

    def spread(self, answer: Answer, draws: Mapping[str, Floats]) -> Interval:
        """The median of an answer's draws, with their interval."""
        values = answer.of(draws)
        values = values[np.isfinite(values)]
        return interval_of(float(np.median(values)) if len(values) else math.nan, values, level=self.level)

    def region(self) -> Iterator[Choice]:
        """Halves of the distinct values of the law's first input."""
        first = next(iter(self.base.law.row_inputs), None)
        if first is None:
            return
        values = np.unique(self.whole[first])
        half = max(1, math.ceil(len(values) / 2))
        middle = (len(values) - half) // 2
        regions = {"smaller": values[:half], "middle": values[middle : middle + half], "larger": values[-half:]}
        for name, kept in regions.items():
            setting = f"{name} half of {first}"
            if len(kept) < _FEWEST_SIZES:
                yield Choice("region", setting, 0, {}, why_not=f"only {len(kept)} distinct values of {first} are left")
                continue
            chosen = self.whole.take((self.whole[first] >= kept[0]) & (self.whole[first] <= kept[-1]))
            yield self.refit("region", setting, chosen, note=f"{first} from {kept[0]:.3g} to {kept[-1]:.3g}")

    def objective(self) -> Iterator[Choice]:
        mine = self.base.objective
        other: Space = "log" if mine.space == "raw" else "raw"
        trials = [
            *(huber(width, space=mine.space) for width in _WIDTHS),
            huber(space=mine.space),
            absolute(space=mine.space),
            squares(space=mine.space),
            replace(mine, space=other),
            squares(space=other),
        ]
        for trial in trials:
            if trial != mine:
                note = f"on {other} loss" if trial.space == other else ""
                yield self.refit("objective", trial.name, self.runs, objective=trial, note=note)

    def solver(self) -> Iterator[Choice]:
        """The same objective, by the usual routine with its usual tolerances, as a sum and as a mean."""
        if self.base.objective.fits_scale:
            return
        for mean in (False, True):
            ended = by_lbfgs(self.base, self.runs, mean=mean, seed=self.seed)
            answers = {
                each.name: Interval(value := each.value(ended.fit), value, value, self.level)
                for each in self.asked.answers
            }
            worse = ended.value / self.base.value - 1 if self.base.value > 0 else 0.0
            note = f"objective {worse:.1e} above the optimum; {ended.calls} evaluations from {ended.starts} starts"
            yield Choice("solver", f"L-BFGS-B, {'mean' if mean else 'sum'}", self.base.data.n_runs, answers, note)

    def counting(self) -> Iterator[Choice]:
        """Parameters counted otherwise; N* and the forecast are of the same model, in the base's count."""
        if "N" not in self.runs.columns or "N" not in self.base.law.input_names:
            return
        n = self.runs["N"]
        there: Callable[[Floats], Floats]
        back: Callable[[Floats], Floats]
        if self.runs.columns["N"].convention == "non-embedding":
            there, back, word = total_from_nonembedding, nonembedding_from_total, "with embeddings, estimated"
            other = there(n)
        elif "N_nonembed" in self.runs.frame.columns and np.isfinite(self.runs["N_nonembed"]).all():
            other = self.runs["N_nonembed"]
            there, back = _by_table(n, other), _by_table(other, n)
            word = "without embeddings"
        else:
            there, back, word = nonembedding_from_total, total_from_nonembedding, "without embeddings, estimated"
            other = there(n)
        at = {**self.asked.at, "N": float(there(np.array([self.asked.at["N"]]))[0])}
        asked = question(self.base, budget=self.asked.budget, at=at)
        note = "N = n + ω·n^(1/3), Pearce & Song 2024" if "estimated" in word else ""
        yield self.refit("counting", word, self.runs.with_column("N", other), note=note, convert=back, asked=asked)

    def outliers(self) -> Iterator[Choice]:
        try:
            seen = outliers(self.base.law, self.runs, seed=self.seed)
        except IsoflopError as error:
            yield Choice("outliers", "without them", len(self.runs), {}, why_not=str(error))
            return
        if not seen.found:
            yield Choice("outliers", "without them", len(self.runs), {}, why_not="no run lies off the surface")
            return
        kept = ~np.isin(self.runs.rows, seen.rows)
        yield self.refit(
            "outliers", f"without {len(seen.found)}", self.whole.take(kept), note=rows_phrase(list(seen.rows))
        )

    def start_counts(self, held: Mapping[str, Interval]) -> Iterator[Choice]:
        """The same fit from fewer starts; the same optimum has the same answers."""
        for count in _STARTS:
            fitted = fit_alone(self.base.law, self.runs, objective=self.base.objective, starts=count, seed=self.seed)
            gap = (fitted.value - self.base.value) / max(abs(self.base.value), 1e-300)
            same = gap <= SAME
            yield Choice(
                group="starts",
                setting=f"{count} {'start' if count == 1 else 'starts'}",
                n_runs=fitted.data.n_runs,
                answers=held if same else self.answers(fitted),
                note="the same optimum" if same else f"an optimum {gap:.1e} (relative) worse",
            )


def _by_table(given: Floats, wanted: Floats) -> Callable[[Floats], Floats]:
    """Another count of the same models: interpolated in logarithms, with the slope of the last two sizes beyond."""
    order = np.unique(given, return_index=True)[1]
    x, y = np.log(given[order]), np.log(wanted[order])

    def convert(values: Floats) -> Floats:
        logs = np.log(values)
        inside = np.interp(logs, x, y)
        if len(x) < 2:
            return np.exp(logs + y[0] - x[0])
        above = y[-1] + (logs - x[-1]) * (y[-1] - y[-2]) / (x[-1] - x[-2])
        below = y[0] + (logs - x[0]) * (y[1] - y[0]) / (x[1] - x[0])
        return np.asarray(np.exp(np.where(logs > x[-1], above, np.where(logs < x[0], below, inside))))

    return convert


def _findings(whole: Sensitivity) -> list[Finding]:
    """Which choices take the main answer out of its interval."""
    name = whole.asked.main.name
    fitted = [each for each in whole.choices if name in each.answers]
    out = [each for each in fitted if whole.outside(each, name)]
    if not out:
        return [
            Finding(
                "choices-agree",
                "note",
                f"none of {len(fitted)} choices takes {name} out of its {whole.base[name].level:.0%} interval.",
                "Nothing to do.",
            )
        ]
    named = "; ".join(f"{each.group}: {each.setting}" for each in out[:6])
    more = f"; and {len(out) - 6} more" if len(out) > 6 else ""
    return [
        Finding(
            "choices-matter",
            "warning",
            f"{len(out)} of {len(fitted)} choices take {name} out of its {whole.base[name].level:.0%} interval "
            f"({named}{more}): the interval covers which runs were drawn, not how they were treated.",
            "Say which choices were made, and give the range over those that could be defended.",
        )
    ]
