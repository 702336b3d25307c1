"""``suite``: scores of several tasks at once, averaged over what the laws of their losses share.

Few runs leave a task's exponents and its floor to each other: with exponents of its own a law may lose its floor, with
shared ones it may be wrong about them. Every way of sharing forecasts the largest runs of all tasks from the others;
draws of the loss come from all ways, in proportion to 1/(mean squared error of the logarithm) there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Objective, fit, squares
from isoflop.fitting.panel import PanelFit, fit_panel
from isoflop.fitting.sampling_errors import weighed
from isoflop.laws import Law
from isoflop.laws.expression import Expr
from isoflop.planning.downstream import Downstream, Stages, beyond_findings, check_chain, floor_unseen
from isoflop.planning.forecast import Forecast, forecast
from isoflop.planning.reversal import score_findings
from isoflop.planning.score_shares import is_share, within
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Ensemble, Interval, check_level, interval_of
from isoflop.uncertainty.panel import bootstrap_panel
from isoflop.uncertainty.scatter import new_runs
from isoflop.values import Value

Floats = NDArray[np.float64]

_HELD_OUT = 0.2  # of the runs of each task, the largest
_FEWEST_SIZES = 3  # that must be left to forecast larger ones
_MOST_SUBSETS = 2  # exponents of which every subset is tried; beyond, none, each alone and all
_FEWEST_DRAWS = 20  # that a bootstrap makes
_FLOOR = 0.01  # of the loss: a floor below it is lost


@dataclass(frozen=True)
class Structure(Value):
    """One way of sharing: the exponents that all tasks share, its error on held-out runs, and its weight.

    error: root mean squared error of log loss on the largest runs of all tasks, NaN where none could be held out.
    """

    share: tuple[str, ...]
    error: float
    weight: float


@dataclass(frozen=True)
class Suite(Shown):
    """Forecasts of several tasks: name → loss and score, and the ways of sharing that they are averaged over.

    held_out: how many runs of all tasks the weights rest on; by: the input whose largest values were held out.
    """

    tasks: Mapping[str, Downstream]
    structures: tuple[Structure, ...]
    held_out: int
    by: str
    findings: tuple[Finding, ...] = field(default=())


def suite(
    tables: Mapping[str, Stages],
    first: Law,
    then: Mapping[str, Sequence[Law]],
    at: Mapping[str, float],
    *,
    objective: Objective | None = None,
    draws: int = 1_000,
    starts: int = 64,
    level: float = 0.9,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Suite:
    """score_t(L_t(at)), L_t from laws whose exponents are each task's own or shared, weighted by held-out error.

    The interval of a score is that of draws of the loss, each put through a draw of every second law of the task in
    equal parts, with the scatter of both stages. ``law_loss`` and ``law_score`` of the result are those of exponents of
    the task's own and of its first second law.

    Parameters
    ----------
    tables :
        Task → its two tables, as :func:`isoflop.planning.downstream.stages` makes them.
    first :
        The law of the loss.
    then :
        Task → laws from its loss to its score, such as one with its ceiling at one and one with a free ceiling.
    at :
        Every input of the first law.
    objective :
        Of the first stage; Huber's by default. The second is fitted by least squares.
    draws :
        Of the loss, over all ways of sharing together.
    starts :
        Of each search.
    level :
        Of the intervals.
    seed :
        Of the draws.
    jobs :
        Processes.
    progress :
        Told of draws as they are made.

    Returns
    -------
    Suite
        Loss and score of each task.

    Raises
    ------
    IsoflopError
        Fewer than two tasks, a law of the loss without exponents, or laws that do not join.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.planning.downstream import stages
    >>> from isoflop.planning.suite import suite
    >>> n, d = (each.ravel() for each in numpy.meshgrid([1e8, 3e8, 1e9, 3e9], [1e10, 3e10, 1e11, 3e11]))
    >>> first, second = isoflop.law("chinchilla"), isoflop.law("task-accuracy-to-one")
    >>> table = {"N": n, "D": d}
    >>> for task, floor in {"quiz": 0.5, "exam": 0.7}.items():
    ...     table[task] = floor + 60 / n**0.25 + 90 / d**0.25
    ...     table[f"{task}_hits"] = second.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": table[task]})
    >>> runs = isoflop.Runs.from_columns(table)
    >>> tables = {each: stages(runs, first, loss=each, score=f"{each}_hits") for each in ("quiz", "exam")}
    >>> found = suite(tables, first, {each: [second] for each in tables}, {"N": 1e10, "D": 1e12}, draws=40)
    >>> round(float(found.tasks["quiz"].score.value), 3)
    0.648
    """
    check_level(level)
    if len(tables) < 2:
        raise IsoflopError(f"exponents are shared between tasks, and there is {len(tables)}; name a second task")
    exponents = exponents_of(first)
    if not exponents:
        raise IsoflopError(f"{first.name} has no free exponent that tasks could share; choose a law that has one")
    for name, laws in then.items():
        for each in laws:
            check_chain(first, each)
        if name not in tables or not laws:
            raise IsoflopError(f"{name!r} needs its two tables and at least one law from the loss to the score")
    together = _stacked(tables, first)
    structures, held, by = _weighed(first, together, exponents, objective, starts, seed)
    counts = _shares([each.weight for each in structures], draws)
    losses: dict[str, list[tuple[Ensemble, int]]] = {name: [] for name in tables}
    for way, count in zip(structures, counts, strict=True):
        if count == 0 and way.share:
            continue
        panel = fit_panel(first, together, by="family", share=way.share, objective=objective, starts=starts, seed=seed)
        # exponents of the task's own are drawn in full, for the interval if that law holds
        drawn = bootstrap_panel(
            panel, draws=max(_FEWEST_DRAWS, count) if way.share else draws, seed=seed, jobs=jobs, progress=progress
        )
        for name in tables:
            losses[name].append((drawn.group(name), count))
    found = {
        name: _task(losses[name], tables[name], then[name], at, draws, starts, level, seed, jobs, progress)
        for name in tables
    }
    return Suite(found, structures, held, by, () if held else (_not_held_out(structures),))


def exponents_of(law: Law) -> tuple[str, ...]:
    """The free parameters in the exponent of a power of an input."""
    found: dict[str, None] = {}

    def names(expr: Expr) -> list[str]:
        return [expr.label] if expr.op == "name" else [each for arg in expr.args for each in names(arg)]

    def walk(expr: Expr) -> None:
        if expr.op == "pow" and set(names(expr.args[0])) & set(law.input_names):
            found.update(dict.fromkeys(names(expr.args[1])))
        for arg in expr.args:
            walk(arg)

    walk(law.expression)
    return tuple(name for name in law.param_names if name in found)


def _subsets(exponents: tuple[str, ...]) -> list[tuple[str, ...]]:
    if len(exponents) <= _MOST_SUBSETS:
        numbers = range(2 ** len(exponents))
        return [tuple(e for place, e in enumerate(exponents) if number >> place & 1) for number in numbers]
    return [(), *((each,) for each in exponents), exponents]


def _stacked(tables: Mapping[str, Stages], law: Law) -> Runs:
    """The last checkpoints of all tasks as one table, the task in the column ``family``."""
    parts = []
    for name, each in tables.items():
        finals = each.finals
        columns = {key: finals[key] for key in (*law.input_names, law.response)}
        parts.append(
            pl.DataFrame(
                {**columns, "family": [name] * len(finals), "run": [f"{name}/{r}" for r in finals.text("run")]}
            )
        )
    sources = {each.finals.source.rpartition(" of ")[2] for each in tables.values()}
    return Runs.from_columns(
        pl.concat(parts).to_dict(as_series=False), source=f"losses of {len(tables)} tasks of {', '.join(sources)}"
    )


def _weighed(
    law: Law, together: Runs, exponents: tuple[str, ...], objective: Objective | None, starts: int, seed: int
) -> tuple[tuple[Structure, ...], int, str]:
    """Every way of sharing with its weight; how many runs it rests on, and by which input they were held out."""
    ways = _subsets(exponents)
    held, by = _held_out(law, together)
    if not by:
        return tuple(Structure(each, math.nan, 1 / len(ways)) for each in ways), 0, ""
    errors = []
    for share in ways:
        panel = fit_panel(
            law, together.take(~held), by="family", share=share, objective=objective, starts=starts, seed=seed
        )
        errors.append(_mean_square(panel, together.take(held)))
    inverse = 1 / np.maximum(errors, 1e-18)
    weights = inverse / inverse.sum()
    made = zip(ways, errors, weights, strict=True)
    return tuple(Structure(s, math.sqrt(e), float(w)) for s, e, w in made), int(held.sum()), by


def _held_out(law: Law, together: Runs) -> tuple[NDArray[np.bool_], str]:
    """The largest fifth of each task's runs, and by which input; no input where too little would be left."""
    names = np.array(together.text("family"))
    for by in law.input_names:
        held = np.zeros(len(together), dtype=bool)
        enough = True
        for name in np.unique(names):
            rows = np.flatnonzero(names == name)
            x = together[by][rows]
            edge = np.sort(x)[len(rows) - math.ceil(_HELD_OUT * len(rows))]
            left = x < edge
            enough &= len(np.unique(x[left])) >= _FEWEST_SIZES and int(left.sum()) > len(law.params)
            held[rows[~left]] = True
        if enough:
            return held, by
    return np.zeros(len(together), dtype=bool), ""


def _mean_square(panel: PanelFit, held: Runs) -> float:
    names, squared = np.array(held.text("family")), []
    for name in np.unique(names):
        own = held.take(names == name)
        there = panel.law.value(panel.of(name), {each: own[each] for each in panel.law.input_names})
        squared.append(np.square(np.log(there / own[panel.law.response])))
    return float(np.concatenate(squared).mean())


def _shares(weights: Sequence[float], draws: int) -> list[int]:
    """Whole draws in proportion to weights, of sum ``draws``."""
    edges = np.round(np.cumsum(weights) * draws).astype(int)
    return np.diff(edges, prepend=0).tolist()


def _task(
    losses: Sequence[tuple[Ensemble, int]],
    table: Stages,
    laws: Sequence[Law],
    at: Mapping[str, float],
    draws: int,
    starts: int,
    level: float,
    seed: int,
    jobs: int,
    progress: Callable[[int], None] | None,
) -> Downstream:
    own = losses[0][0]
    told = forecast(own, at, level=level)
    drawn = [(each, each.estimate.law.value(each.draws, told.at), count) for each, count in losses]
    curve = np.concatenate([values[:count] for _, values, count in drawn])
    measured = np.concatenate([new_runs(each, values, at=told.at)[:count] for each, values, count in drawn])
    order = np.random.default_rng([seed, 3]).permutation(len(curve))  # no draw of a score meets one way alone
    curve, measured = curve[order], measured[order]
    link = laws[0].input_names[0]
    raw, seconds, scores, means = squares(space="raw"), [], [], []
    for each in laws:
        fitted = fit(each, table.points, objective=raw, starts=starts, seed=seed)
        if table.errors is not None:
            fitted = fit(each, weighed(fitted, table.errors), objective=raw, starts=starts, seed=seed)
        # a sigmoid of one input has one optimum; a search for every draw takes fifteen times as long
        second = bootstrap(fitted, draws=draws, seed=seed, jobs=jobs, restarted=0, progress=progress)
        count = min(len(second), len(measured))
        params = {name: values[:count] for name, values in second.draws.items()}
        means.append(each.value(params, {link: curve[:count]}))
        # the ensemble of that many draws, so that scatter has a row for each
        part = replace(second, params=second.params[:count])
        scores.append(new_runs(part, each.value(params, {link: measured[:count]}), stream=1))
        seconds.append(second)
    loss = _around_median(measured, level)
    first_two = min(len(own), len(seconds[0]))
    plain = {name: values[:first_two] for name, values in seconds[0].draws.items()}
    alone = replace(own, params=own.params[:first_two])
    through = laws[0].value(plain, {link: new_runs(alone, own.estimate.law.value(alone.draws, told.at), at=told.at)})
    by_laws = interval_of(
        float(seconds[0].estimate.predict({link: told.law_loss.value})),
        new_runs(replace(seconds[0], params=seconds[0].params[:first_two]), through, stream=1),
        level=level,
    )
    width, by_law = loss.high - loss.low, told.law_loss.high - told.law_loss.low
    averaged = replace(
        told,
        loss=loss,
        expected=_around_median(curve, level),
        model_error_share=float(np.clip(1 - by_law / width, 0, 1)) if width > 0 else math.nan,
    )
    lowest = seconds[0].estimate.data.ranges[link][0]
    share = is_share(seconds[0].estimate)
    return Downstream(
        loss=averaged,
        score=within(_around_median(np.concatenate(scores), level), share),
        expected=within(_around_median(np.concatenate(means), level), share),
        law_score=within(by_laws, share),
        response=laws[0].response,
        beyond=max(0.0, lowest - loss.value),
        findings=(
            *score_findings(table.points, seconds[0].estimate),
            *_floor_lost(drawn, averaged),
            *beyond_findings(seconds[0], loss.value, lowest),
            *told.findings,
            *(each for one in seconds for each in one.estimate.findings if each.code != "narrow-range"),
        ),
        first=own,
        second=seconds[0],
    )


def _around_median(draws: Floats, level: float) -> Interval:
    return interval_of(float(np.nanmedian(draws)), draws, level=level)


def _floor_lost(drawn: Sequence[tuple[Ensemble, Floats, int]], told: Forecast) -> list[Finding]:
    """That most draws of the loss have lost the constant of the law, on the way to a point beyond the runs."""
    law = drawn[0][0].estimate.law
    terms = law.expression.args if law.expression.op == "add" else ()
    floors = [each.label for each in terms if each.op == "name" and each.label in law.param_names]
    if not floors or not told.reach_decades > 0:
        return []
    lost = np.concatenate(
        [
            np.sum([each.draws[name][:count] for name in floors], axis=0) < _FLOOR * values[:count]
            for each, values, count in drawn
        ]
    )
    share = float(lost.mean())
    if share <= 0.5:
        return []
    return [floor_unseen(told, f", and {share:.0%} of the draws have lost the irreducible term: the draws")]


def _not_held_out(structures: Sequence[Structure]) -> Finding:
    return Finding(
        "sharing-not-held-out",
        "warning",
        f"{len(structures)} ways of sharing exponents have equal weight, since too few sizes are left to forecast the "
        "largest ones.",
        "Add runs of three or more smaller sizes for every task.",
    )
