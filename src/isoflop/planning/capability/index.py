"""``capability``: an index of models by item response, its trend, and density against reference models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, choices
from isoflop.findings import Finding
from isoflop.planning.capability.families import FamilyErrors, families_left_out
from isoflop.planning.capability.member import MemberForecast, forecast_member
from isoflop.planning.capability.others import BenchmarkErrors, benchmarks_from_others
from isoflop.planning.capability.response import Response, fit_response, leverages
from isoflop.planning.capability.scores import ModelScores
from isoflop.planning.capability.trend import Envelope, doubling_interval, envelope, frontier
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Interval, check_level

Floats = NDArray[np.float64]

_CHUNK = 20  # draws that are fitted at once
_LEAST_LEFT = 0.1  # of a score: the least residual freedom that a benchmark is given
_FEW_RECORDS = 5
_FAR = 3.0  # times the largest or smallest scale
_FEWEST_REFERENCE = 3


@dataclass(frozen=True)
class Trend(Shown):
    """How the best rise over dates.

    slope: per year, of the frontier, the line of the 90 % quantile; base: its value at year 0. doubling: that of a
    logarithm as a doubling time in days. envelope, records, records_doubling: the running best, and its line's slope
    and doubling time.
    """

    envelope: Envelope
    slope: Interval
    base: float
    doubling: Interval | None
    records: Interval
    records_doubling: Interval | None


@dataclass(frozen=True)
class Density(Shown):
    """How much scale the reference models need for the same index, over what a model has: X̂/X.

    gain: b of index = a + b·ln X over the reference models. effective, ratio: X̂ and X̂/X of each model. outside:
    models whose index no reference model brackets. trend: of the running best of ln(X̂/X).
    """

    by: str
    gain: Interval
    effective: tuple[Interval, ...] = field(repr=False)
    ratio: tuple[Interval, ...] = field(repr=False)
    outside: NDArray[np.bool_] = field(repr=False)
    trend: Trend | None


@dataclass(frozen=True)
class Capability(Shown):
    """The index of each model, what each benchmark asks, the trend over dates, and density.

    error: root mean square of score minus fit. families: errors of each family left out, from its smallest model and
    scale. others: errors of each benchmark of families left out, from the other benchmarks. member: forecast of a
    further model of a family.
    """

    scores: ModelScores = field(repr=False)
    response: Response = field(repr=False)
    index: tuple[Interval, ...] = field(repr=False)
    difficulty: tuple[Interval, ...] = field(repr=False)
    discrimination: tuple[Interval, ...] = field(repr=False)
    error: float
    trend: Trend | None
    density: Density | None
    families: FamilyErrors | None = field(repr=False)
    others: BenchmarkErrors | None = field(repr=False)
    member: MemberForecast | None
    level: float
    draws: int
    seed: int
    findings: tuple[Finding, ...] = ()


def capability(
    scores: ModelScores,
    *,
    chance: Mapping[str, float] | None = None,
    member: str | None = None,
    at: Mapping[str, float] | None = None,
    skills: int = 2,
    level: float = 0.9,
    draws: int = 200,
    seed: int = 0,
) -> Capability:
    """score = g + (1 − g)·logistic(s·(c − d)); index c, running best c = A·t + B, density exp((c − a)/b)/X.

    Intervals: residuals of a benchmark, with the degrees of freedom made good, are drawn anew for every score and all
    parameters are fitted again; for the trends and the gain the models are resampled too, and the running best is
    found anew in every draw.

    Parameters
    ----------
    scores :
        Models by benchmarks.
    chance :
        Benchmark → score by guessing; 0 by default.
    member, at :
        Family and scale (tokens too, where the scores have them) of a further model whose scores are forecast.
    skills :
        Dimension of what families share in a panel.
    level :
        Of the intervals.
    draws :
        Fits of the bootstrap.
    seed :
        Of the draws.

    Returns
    -------
    Capability
        Index, trend and density.

    Raises
    ------
    IsoflopError
        A benchmark that is not there, or a level or chance out of range.
    DataError
        Fewer than three reference models with a scale where they were selected.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.capability.scores import model_scores
    >>> table = {"model": ["a", "b", "c", "d"], "quiz": [0.2, 0.4, 0.5, 0.7], "exam": [0.1, 0.2, 0.3, 0.5]}
    >>> found = capability(model_scores(isoflop.Runs.from_columns(table), tasks=["quiz", "exam"]), draws=10)
    >>> found.index[0].value < found.index[3].value
    True
    """
    check_level(level)
    guess = np.zeros(len(scores.tasks))
    for name, value in (chance or {}).items():
        if name not in scores.tasks:
            raise IsoflopError(f"{name!r} is no benchmark; there are {choices(scores.tasks, bare=True)}")
        if not 0 <= value < 1:
            raise IsoflopError(f"the score by guessing is from 0 to below 1, not {value:g} ({name}, --chance)")
        guess[scores.tasks.index(name)] = value
    fitted = fit_response(scores.scores, guess)
    rng = np.random.default_rng(seed)
    miss = scores.scores - fitted.scores()
    drawn = _refits(scores, fitted, miss, draws, rng)
    picks = rng.integers(0, len(scores.models), (draws, len(scores.models)))
    c = fitted.capability
    dated = np.isfinite(scores.year).sum() >= 3
    trend = _trend(scores.year, c, drawn.capability, picks, level, logs=False) if dated else None
    density = _density(scores, c, drawn.capability, picks, level, dated)
    families = families_left_out(scores, fitted, skills=skills, level=level)
    ahead = None
    if member is not None:
        ahead = forecast_member(scores, member, at or {}, guess, families, skills=skills, level=level)
    return Capability(
        scores=scores,
        response=fitted,
        index=_intervals(c, drawn.capability, level),
        difficulty=_intervals(fitted.difficulty, drawn.difficulty, level),
        discrimination=_intervals(fitted.discrimination, drawn.discrimination, level),
        error=float(np.sqrt(np.nanmean(miss**2))),
        trend=trend,
        density=density,
        families=families,
        others=benchmarks_from_others(scores, guess, level=level),
        member=ahead,
        level=level,
        draws=draws,
        seed=seed,
        findings=(*_findings(scores, trend, density, bool(dated)), *_ahead(ahead)),
    )


def _refits(scores: ModelScores, fitted: Response, miss: Floats, draws: int, rng: np.random.Generator) -> Response:
    there = np.isfinite(miss)
    models, tasks = miss.shape
    # Benchmarks that discriminate most draw the fit nearest, so that each has its own degrees of freedom.
    left = (np.where(there, 1 - leverages(fitted, there), 0.0)).sum(axis=0) / there.sum(axis=0)
    wider = 1 / np.sqrt(np.maximum(left, _LEAST_LEFT))
    expected = fitted.scores()
    made = np.full((draws, models, tasks), math.nan)
    for t in range(tasks):
        own = np.flatnonzero(there[:, t])
        made[:, own, t] = expected[own, t] + wider[t] * rng.choice(miss[own, t], (draws, len(own)))
    parts = [fit_response(made[at : at + _CHUNK], fitted.chance, fitted) for at in range(0, draws, _CHUNK)]
    return Response(
        np.concatenate([each.capability for each in parts]),
        np.concatenate([each.difficulty for each in parts]),
        np.concatenate([each.discrimination for each in parts]),
        fitted.chance,
    )


def _interval(value: float, draws: Floats, level: float) -> Interval:
    """The central ``level`` of finite draws by Weibull's rule, which holds a new one as often with few as many."""
    finite = draws[np.isfinite(draws)]
    if not len(finite):
        return Interval(value, math.nan, math.nan, level)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2], method="weibull")
    return Interval(value, float(low), float(high), level)


def _intervals(values: Floats, draws: Floats, level: float) -> tuple[Interval, ...]:
    return tuple(_interval(float(v), draws[:, n], level) for n, v in enumerate(values))


def _trend(
    year: Floats, value: Floats, drawn: Floats, picks: NDArray[np.int64], level: float, *, logs: bool
) -> Trend | None:
    found = envelope(year, value)
    if len(found.rows) < 3:
        return None
    lines = np.array([envelope(year[own], each[own]).slope for each, own in zip(drawn, picks, strict=True)])
    records = _interval(found.slope, lines, level)
    times = np.apply_along_axis(np.bincount, 1, picks, minlength=len(year)).astype(np.float64)
    own = np.isfinite(year) & np.isfinite(value)
    sound = np.isfinite(drawn[:, own]).all(axis=1)
    slope, base = frontier(year[own], value[None, own])
    slopes = frontier(year[own], drawn[sound][:, own], times[sound][:, own])[0]
    rise = _interval(float(slope[0]), slopes, level)
    return Trend(
        found,
        rise,
        float(base[0]),
        doubling_interval(rise) if logs else None,
        records,
        doubling_interval(records) if logs else None,
    )


def _line(c: Floats, x: Floats, year: Floats) -> tuple[float, float]:
    """a and b of c = a + b·x, or of c = a + b·x + g·(t − mean t) where years are given."""
    columns = [np.ones(len(c)), x]
    if len(year):
        columns.append(year - year.mean())
    found = np.linalg.lstsq(np.column_stack(columns), c, rcond=None)[0]
    return float(found[0]), float(found[1])


def _density(
    scores: ModelScores, c: Floats, drawn: Floats, picks: NDArray[np.int64], level: float, dated: bool
) -> Density | None:
    known = np.isfinite(scores.scale) & scores.reference
    chosen = not scores.reference.all()
    x = np.log(np.where(np.isfinite(scores.scale), scores.scale, np.nan))
    if known.sum() < _FEWEST_REFERENCE or np.ptp(x[known]) == 0:
        if chosen:
            raise DataError(
                f"{int(known.sum())} of the models that --reference selects have scores and {scores.by or 'N or C'}; "
                f"an effective size needs {_FEWEST_REFERENCE} at two or more sizes"
            )
        return None
    # Over all models later ones are also larger: without the date, progress would count as the gain of scale.
    with_year = not chosen and dated
    usable = known & np.isfinite(scores.year) if with_year else known
    if usable.sum() < _FEWEST_REFERENCE + 2 * with_year:
        return None

    def line(values: Floats, rows: NDArray[np.int64]) -> tuple[float, float]:
        own = rows[usable[rows]]
        if len(np.unique(own)) < _FEWEST_REFERENCE + with_year:
            return math.nan, math.nan
        return _line(values[own], x[own], scores.year[own] if with_year else np.zeros(0))

    every = np.arange(len(c))
    a, b = line(c, every)
    if not b > 0:
        return None
    effective = (c - a) / b
    lines = np.array([line(each, own) for each, own in zip(drawn, picks, strict=True)])
    gain = _interval(b, lines[:, 1], level)
    good = lines[:, 1] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        sampled = np.where(good[:, None], (drawn - lines[:, :1]) / lines[:, 1:], math.nan)
    ratio, ratios = effective - x, sampled - x
    low, high = c[usable].min(), c[usable].max()
    trend = _trend(scores.year, ratio, ratios, picks, level, logs=True) if dated else None
    with np.errstate(over="ignore"):
        return Density(
            by=scores.by,
            gain=gain,
            effective=_intervals(np.exp(effective), np.exp(sampled), level),
            ratio=_intervals(np.exp(ratio), np.exp(ratios), level),
            outside=(c < low) | (c > high),
            trend=trend,
        )


def _ahead(member: MemberForecast | None) -> tuple[Finding, ...]:
    """That a forecast's scale is far beyond every model's: the families left out were not tested so far out."""
    if member is None or member.beyond <= _FAR:
        return ()
    return (
        Finding(
            "member-extrapolated",
            "warning",
            f"the further model of {member.family} lies outside all models by a factor of {member.beyond:.3g}, and the "
            "errors of families left out tell nothing so far out.",
            "Check the unit of --at; give models of other families that reach it.",
        ),
    )


def _findings(scores: ModelScores, trend: Trend | None, density: Density | None, dated: bool) -> tuple[Finding, ...]:
    found: list[Finding] = []
    if scores.left_out:
        found.append(
            Finding(
                "scores-left-out",
                "note",
                f"{len(scores.left_out)} models and benchmarks have too few scores, share none with the others or "
                f"are constant: "
                f"{', '.join(scores.left_out[:6])}{' …' if len(scores.left_out) > 6 else ''}.",
                "Give further scores, or lower --least.",
            )
        )
    for each, what in ((trend, "the index"), (density.trend if density else None, "density")):
        if each is not None and len(each.envelope.rows) < _FEW_RECORDS:
            found.append(
                Finding(
                    "few-records",
                    "warning",
                    f"the trend of {what} rests on {len(each.envelope.rows)} record holders.",
                    "Give models of further dates.",
                )
            )
    if dated and trend is None:
        found.append(
            Finding(
                "few-records",
                "warning",
                "no more than two models are better than all earlier ones, so the index has no trend.",
                "Give models of further dates.",
            )
        )
    if density is None and scores.by:
        found.append(
            Finding(
                "no-effective-size",
                "warning",
                f"there is no effective {scores.by}: the index does not rise with it over the reference models, or too "
                "few of them have it.",
                "Give another column (--scale) or other reference models (--reference).",
            )
        )
    if density is not None and density.outside.any():
        found.append(
            Finding(
                "outside-reference",
                "warning",
                f"the index of {int(density.outside.sum())} of {len(scores.models)} models lies outside that of the "
                "reference models, so their effective sizes are extrapolated.",
                "Select reference models that bracket them (--reference).",
            )
        )
    return tuple(found)
