"""The final loss of a run under way, from its curve and its learning rates.

L(s) = L_0 + A·S₁(s)^−α − C·S₂(s): the annealing law, which is a power law of S₁ where the rate is constant. One curve
does not determine it (before the rate falls it says nothing of C), so the rest comes from earlier runs, or from what
is usual; draws of θ = (log L_0, log r, log α, log g, log(1 − λ)) carry both. r = A·S₁(end)^−α is the reducible loss at
the end, g = C·η/(1 − λ) what a complete fall of the peak rate η saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty import Interval
from isoflop.uncertainty.ensemble import check_level, interval_of
from isoflop.uncertainty.hierarchical import pooled
from isoflop.uncertainty.walkers import WALKERS, walk
from isoflop.validation.annealing_curve import (
    FEWEST,
    MEMORIES,
    Areas,
    Binned,
    Seen,
    areas_of,
    binned,
    curve_of,
    one_run,
)
from isoflop.validation.schedule_ahead import Shape, ahead
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NAMES = ("L_0", "A", "alpha", "C", "lambda")
# The law is not exact: on the 27 curves of three models under nine schedules (Luo et al. 2025) it misses the end by a
# share of the fall that was still to come, whatever the draws say; with this share nine intervals of ten hold it.
_MODEL_ERROR = 0.3
_USUAL_RUNS = 2.0  # how many earlier runs the usual spread counts as
_BETWEEN = 0.35  # of the usual spread: how far runs of one kind differ, before any has been seen


@dataclass(frozen=True)
class Finish(Shown):
    """What a run will end at.

    seen, end: the last step with a loss, and the last of all. loss: the loss that will be measured, with model error;
    expected: the curve without the scatter of single measurements. law_loss, law_expected: the same if the annealing
    law holds. model_error_share: the share of the width of ``loss`` that model error adds, 0 to 1. curve: step, value,
    low and high from the beginning to the end, (points, 4). measured: step and loss of at most 500 rows, (rows, 2).
    params: draws of L_0, A, alpha, C and lambda. schedule: how the rates to come were found. earlier: how many runs it
    borrows from.
    """

    run: str
    seen: float
    end: float
    last_loss: float
    loss: Interval
    expected: Interval
    law_loss: Interval
    law_expected: Interval
    model_error_share: float
    unit: str
    schedule: str
    earlier: int
    curve: Floats = field(repr=False)
    measured: Floats = field(repr=False)
    params: Floats = field(repr=False)
    findings: tuple[Finding, ...] = ()


def finish(
    runs: Runs,
    *,
    steps: float | None = None,
    schedule: Shape | None = None,
    earlier: Runs | None = None,
    level: float = 0.9,
    draws: int = 1_000,
    seed: int = 0,
) -> Finish:
    """L(s) = L_0 + A·S_1(s)^(−α) − C·S_2(s): forecast the last loss of the one run in ``runs`` from its curve so far.

    S_1 is the area under the learning rate, S_2 that of its annealing with decay λ.

    Parameters
    ----------
    runs :
        One run, with the columns step, lr and loss.
    steps :
        The last step; not needed where rows without a loss give the rates to come.
    schedule :
        How the rate goes on; by default read off the rates so far.
    earlier :
        Finished or longer runs (step, lr, loss, run) of the same kind.
    level :
        Of the intervals.
    draws, seed :
        Number of draws of the parameters, and their seed.

    Returns
    -------
    Finish
        The loss at the end, with intervals, and the curve from the beginning to the end.

    Raises
    ------
    DataError
        Several runs, no schedule, too few losses, or a run that is past its end.

    Examples
    --------
    >>> import isoflop, numpy
    >>> step = numpy.arange(10.0, 1001.0, 10.0)
    >>> loss = 2.5 + 3 * step**-0.3 * numpy.exp(numpy.random.default_rng(0).normal(0, 1e-3, len(step)))
    >>> runs = isoflop.Runs.from_columns({"step": step, "lr": 1e-3 * numpy.ones(len(step)), "loss": loss})
    >>> found = isoflop.finish(runs, steps=2000, draws=40)
    >>> found.loss.value < found.last_loss
    True

    Source: Tissue et al. 2024, arXiv:2408.11029 (the curve).
    """
    check_level(level)
    seen, given = one_run(runs)
    if given is None:
        if steps is None:
            raise DataError("say where the run ends (--steps), or add rows with step and lr but without a loss")
        given = ahead(seen.step, seen.rate, end=float(steps), wanted=schedule)
    whole = seen.then(given)
    reference = areas_of(whole.step, whole.rate)
    usual = _usual(seen, end=float(whole.step[-1]))
    mean, covariance, count = usual[0], usual[1], 0
    if earlier is not None:
        mean, covariance, count = _learnt(earlier, usual, reference)
    part = reference.rows(np.arange(len(whole.step)) < len(seen.step))
    data = binned(part, seen)
    posterior = _posterior(data, mean, covariance, draws=draws, seed=seed)
    theta = posterior.theta
    points = np.unique(np.linspace(0, len(whole.step) - 1, 200).round().astype(np.int64))
    by_law = curve_of(theta, reference.at(points))
    drawn = _with_model_error(by_law, whole.step[points] > seen.step[-1], seed)
    center = curve_of(posterior.mode[None], reference.at(points))[0]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    rng = np.random.default_rng([seed, 2])
    scatter = posterior.single * rng.standard_normal(len(drawn))
    middle, by_law_middle = (float(np.median(each[:, -1])) for each in (drawn, by_law))
    loss = interval_of(middle, drawn[:, -1] + scatter, level=level)
    law_loss = interval_of(by_law_middle, by_law[:, -1] + scatter, level=level)
    return Finish(
        run=seen.name,
        seen=float(seen.step[-1]),
        end=float(whole.step[-1]),
        last_loss=float(seen.loss[-1]),
        loss=loss,
        expected=interval_of(middle, drawn[:, -1], level=level),
        law_loss=law_loss,
        law_expected=interval_of(by_law_middle, by_law[:, -1], level=level),
        model_error_share=float(np.clip(1 - (law_loss.high - law_loss.low) / (loss.high - loss.low), 0.0, 1.0)),
        unit=runs.columns["loss"].unit or "nats/token" if "loss" in runs.columns else "nats/token",
        schedule=given.says,
        earlier=count,
        curve=np.column_stack([whole.step[points], center, low, high]),
        measured=seen.some(500),
        params=_constants(theta, reference),
        findings=(*given.findings, *_findings(posterior, seen, float(whole.step[-1]), count)),
    )


def _with_model_error(drawn: Floats, future: NDArray[np.bool_], seed: int) -> Floats:
    """Draws of the curve (draws, points) whose fall after the last loss is off by a share of itself."""
    share = _MODEL_ERROR * np.random.default_rng([seed, 5]).standard_normal(len(drawn))
    here = drawn[:, np.flatnonzero(~future)[-1], None]
    return np.where(future, drawn + share[:, None] * (drawn - here), drawn)


@dataclass(frozen=True)
class Truncation(Value):
    """Finished runs as they stood at a share of their training: forecast of the last loss against the loss.

    share: of the steps. runs: how many. are: mean |L − L̂|/L. bias: mean (L̂ − L)/L. held: how many intervals with model
    error held the last loss; law_held: how many of those if the law holds. naive: ARE of the loss at the cut, taken
    for the last.
    """

    share: float
    runs: int
    are: float
    bias: float
    held: int
    law_held: int
    naive: float


def truncations(
    runs: Runs,
    *,
    shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8),
    borrow: bool = True,
    level: float = 0.9,
    draws: int = 400,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> tuple[Truncation, ...]:
    """Cut every run of ``runs`` at each share of its steps, forecast its end, and compare with it.

    The rates to come are those that came. borrow: the other runs, whole, are the earlier ones.
    The end is the mean of the last 2 % of a run's losses, since single ones scatter.
    """
    codes = runs.run_codes() if "run" in runs else np.zeros(len(runs), dtype=np.int64)  # without names: one run
    every = range(int(codes.max()) + 1)
    found: dict[float, list[tuple[float, float, bool, bool]]] = {share: [] for share in shares}
    for run in every:
        rows = codes == run
        order = np.argsort(runs["step"][rows], kind="stable")
        step, loss = runs["step"][rows][order], runs["loss"][rows][order]
        tail = loss[step >= step[-1] - 0.02 * (step[-1] - step[0])]
        truth = float(np.nanmean(tail))
        others = runs.take(~rows) if borrow and len(every) > 1 else None
        for share in shares:
            cut = step[0] + share * (step[-1] - step[0])
            hidden = runs.take(rows)
            hidden = hidden.with_column("loss", np.where(hidden["step"] <= cut, hidden["loss"], np.nan))
            try:
                said = finish(hidden, earlier=others, level=level, draws=draws, seed=seed)
            except DataError:
                continue  # too few losses before this cut: the run counts at the others
            finally:
                if progress is not None:
                    progress(1)
            value = said.expected.value
            found[share].append(
                (
                    value / truth - 1,
                    said.last_loss / truth - 1,
                    said.loss.low <= truth <= said.loss.high,
                    said.law_loss.low <= truth <= said.law_loss.high,
                )
            )
    if not any(found.values()):
        raise DataError(
            f"no run of {runs.source} has {FEWEST} losses before a cut; give finished runs with their curves"
        )
    return tuple(
        Truncation(
            share=share,
            runs=len(rows),
            are=float(np.mean([abs(row[0]) for row in rows])),
            bias=float(np.mean([row[0] for row in rows])),
            held=sum(row[2] for row in rows),
            law_held=sum(row[3] for row in rows),
            naive=float(np.mean([abs(row[1]) for row in rows])),
        )
        for share, rows in found.items()
        if rows
    )


def _usual(seen: Seen, *, end: float) -> tuple[Floats, Floats]:
    """What is usual, for a loss of this size and a run of this length: mean and covariance of θ."""
    last = float(np.nanmedian(seen.loss[-max(3, len(seen.loss) // 20) :]))
    memory = np.clip(20 / end, np.exp(MEMORIES[-1]), np.exp(MEMORIES[0]))
    mean = np.array([np.log(0.85 * last), np.log(0.12 * last), np.log(0.45), np.log(0.03 * last), np.log(memory)])
    return mean, np.diag(np.square([0.25, 0.8, 0.5, 0.7, 0.8]))


@dataclass(frozen=True)
class _Posterior:
    """Draws of θ (draws, 5), the mode, the scatter of single losses, and the share of moves that were taken."""

    theta: Floats
    mode: Floats
    curvature: Floats
    single: float
    taken: float


def _posterior(data: Binned, mean: Floats, covariance: Floats, *, draws: int, seed: int) -> _Posterior:
    from scipy.optimize import least_squares

    whiten = np.linalg.cholesky(np.linalg.inv(covariance)).T
    scale, mode = 0.02 * float(np.median(data.loss)), mean
    for _ in range(4):

        def residuals(theta: Floats, scale: float = scale) -> Floats:
            return np.concatenate([(curve_of(theta[None], data.areas)[0] - data.loss) / scale, whiten @ (theta - mean)])

        found = least_squares(residuals, mode, loss="linear")
        mode = found.x
        scale = _scale(curve_of(mode[None], data.areas)[0] - data.loss, float(np.median(data.loss)))
    curvature = found.jac.T @ found.jac
    if draws == 0:
        return _Posterior(mode[None], mode, curvature, data.noise, 1.0)

    def height(theta: Floats) -> Floats:
        with np.errstate(all="ignore"):
            miss = (curve_of(theta, data.areas) - data.loss) / scale
        chi = np.square(miss).sum(axis=1) + np.square((theta - mean) @ whiten.T).sum(axis=1)
        return np.where(np.isfinite(chi), -0.5 * chi, -np.inf)

    root = np.linalg.inv(np.linalg.cholesky(curvature))
    begin = mode + np.random.default_rng([seed, 4]).standard_normal((WALKERS, len(mode))) @ root
    theta, taken = walk(height, begin, draws=draws, steps=600, seed=seed)
    return _Posterior(theta, mode, curvature, data.noise, taken)


def _scale(residual: Floats, size: float) -> float:
    """What independent means would scatter by to say as much as these, which go up and down together."""
    scale = max(float(np.sqrt(np.mean(np.square(residual)))), 1e-4 * size)
    lag = float(np.clip(np.mean(residual[1:] * residual[:-1]) / scale**2, 0.0, 0.95))
    return scale * float(np.sqrt((1 + lag) / (1 - lag)))


def _learnt(earlier: Runs, usual: tuple[Floats, Floats], reference: Areas) -> tuple[Floats, Floats, int]:
    """Mean and covariance of θ over earlier runs, drawn towards what is usual where they are few."""
    codes = earlier.run_codes()
    modes, covariances = [], []
    for run in range(int(codes.max()) + 1):
        rows = codes == run
        order = np.argsort(earlier["step"][rows], kind="stable")
        seen = Seen(earlier.source, *(earlier[name][rows][order] for name in ("step", "lr", "loss")))
        try:
            areas = areas_of(seen.step, seen.rate, area=reference.area)
            data = binned(areas, seen)
        except DataError:
            continue
        found = _posterior(data, *usual, draws=0, seed=0)
        modes.append(found.mode)
        covariances.append(np.linalg.inv(found.curvature))
    if not modes:
        raise DataError(f"{earlier.source} has no run with {FEWEST} losses and learning rates for a prior")
    mean, spread = pooled(np.array(modes), np.array(covariances), usual=usual[1] * _BETWEEN**2, worth=_USUAL_RUNS)
    return mean, spread, len(modes)


def _constants(theta: Floats, reference: Areas) -> Floats:
    """L_0, A, alpha, C and lambda of draws of θ, for S₁ and S₂ in the units of the learning rate."""
    floor, reducible, exponent, saved = np.exp(theta[:, :4].T)
    fade = np.exp(np.clip(theta[:, 4], MEMORIES[-1], MEMORIES[0]))
    return np.column_stack(
        [floor, reducible * reference.area**exponent, exponent, saved * fade / reference.peak, 1 - fade]
    )


def _findings(posterior: _Posterior, seen: Seen, end: float, earlier: int) -> list[Finding]:
    found = []
    peak = seen.rate.max()
    if not earlier:
        found.append(
            Finding(
                "no-earlier-runs",
                "note",
                "what this run does not determine (the gain from the fall of the rate, how flat the end is) comes from "
                "a prior on published runs.",
                "Give earlier runs of the same kind: --earlier RUNS.csv.",
            )
        )
    if seen.rate[-1] > 0.98 * peak and (seen.step[-1] - seen.step[0]) < 0.98 * (end - seen.step[0]) and not earlier:
        found.append(
            Finding(
                "no-fall-seen",
                "note",
                "the rate has not fallen yet, so this run does not determine what its fall will gain.",
                "Give an earlier run that was annealed: --earlier RUNS.csv.",
            )
        )
    if (seen.step[-1] - seen.step[0]) < 0.2 * (end - seen.step[0]):
        found.append(
            Finding(
                "early",
                "warning",
                f"only {(seen.step[-1]) / end:.0%} of the steps are done; such forecasts missed by most.",
                "Ask again at 40 % of the steps.",
            )
        )
    if posterior.taken < 0.1:
        found.append(
            Finding(
                "draws-stuck",
                "warning",
                f"the sampler took {posterior.taken:.0%} of its moves; the interval is rough.",
                "The curve does not look like one of training losses under this schedule: check step, lr and loss.",
            )
        )
    return found
