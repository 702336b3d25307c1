"""The final loss of a run under way, from its curve and its learning rates.

L(s) = L_0 + A·S₁(s)^−α − C·S₂(s): the annealing law, which is a power law of S₁ where the rate is constant. One curve
does not determine it (before the rate falls it says nothing of C), so the rest comes from earlier runs, or from what
is usual; draws of θ = (log L_0, log r, log α, log g, log(1 − λ)) carry both. r = A·S₁(end)^−α is the reducible loss at
the end, g = C·η/(1 − λ) what a complete fall of the peak rate η saves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.laws import Law, law
from isoflop.runs import Runs
from isoflop.runs.schedule import annealing_area, rate_area
from isoflop.shown import Shown
from isoflop.uncertainty import Interval
from isoflop.uncertainty.ensemble import check_level, interval_of
from isoflop.uncertainty.walkers import WALKERS, walk
from isoflop.validation.schedule_ahead import Ahead, Shape, ahead
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BINS = 120  # means of neighbouring losses: the law has nothing to say within them
_SKIPPED = 0.05  # of the steps so far: after the warm-up the loss still falls faster than any power law
_FEWEST = 10  # losses after that
_MEMORIES = np.log(np.array([0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5]))  # log(1 − λ)
_NAMES = ("L_0", "A", "alpha", "C", "lambda")
# The law is not exact: on the 27 curves of three models under nine schedules (Luo et al. 2025) it misses the end by a
# share of the fall that was still to come, whatever the draws say; with this share nine intervals of ten hold it.
_INEXACT = 0.3
_USUAL_RUNS = 2.0  # how many earlier runs the usual spread counts as
_BETWEEN = 0.35  # of the usual spread: how far runs of one kind differ, before any has been seen


@dataclass(frozen=True)
class Finish(Shown):
    """What a run will end at.

    seen, end: the last step with a loss, and the last of all. loss: the loss that will be measured; expected: the
    curve without the scatter of single measurements. curve: step, value, low and high from the beginning to the end,
    (points, 4). measured: step and loss of at most 500 rows, (rows, 2). params: draws of L_0, A, alpha, C and lambda.
    schedule: how the rates to come were found. earlier: how many runs it borrows from.
    """

    run: str
    seen: float
    end: float
    last_loss: float
    loss: Interval
    expected: Interval
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
    """Forecast the last loss of the one run in ``runs`` (columns step, lr, loss).

    steps: the last step; not needed where rows without a loss give the rates to come. schedule: how the rate goes on,
    by default read off the rates so far. earlier: finished or longer runs (step, lr, loss, run) of the same kind.
    Raises DataError: several runs, no schedule, too few losses, a run that is past its end.
    """
    check_level(level)
    seen, given = _one_run(runs)
    if given is None:
        if steps is None:
            raise DataError("say where the run ends (--steps), or add rows with step and lr but without a loss")
        given = ahead(seen.step, seen.rate, end=float(steps), wanted=schedule)
    whole = seen.then(given)
    reference = _areas(whole.step, whole.rate, _whole(len(whole.step)))
    usual = _usual(seen, end=float(whole.step[-1]))
    mean, covariance, count = usual[0], usual[1], 0
    if earlier is not None:
        mean, covariance, count = _learnt(earlier, usual, reference)
    part = reference.rows(np.arange(len(whole.step)) < len(seen.step))
    data = _binned(part, seen)
    posterior = _posterior(data, mean, covariance, draws=draws, seed=seed)
    theta = posterior.theta
    points = np.unique(np.linspace(0, len(whole.step) - 1, 200).round().astype(np.int64))
    drawn = _with_inexactness(_curve(theta, reference.at(points)), whole.step[points] > seen.step[-1], seed)
    centre = _curve(posterior.mode[None], reference.at(points))[0]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    rng = np.random.default_rng([seed, 2])
    measured = drawn[:, -1] + posterior.single * rng.standard_normal(len(drawn))
    return Finish(
        run=seen.name,
        seen=float(seen.step[-1]),
        end=float(whole.step[-1]),
        last_loss=float(seen.loss[-1]),
        loss=interval_of(float(np.median(drawn[:, -1])), measured, level=level),
        expected=interval_of(float(np.median(drawn[:, -1])), drawn[:, -1], level=level),
        unit=runs.columns["loss"].unit or "nats/token" if "loss" in runs.columns else "nats/token",
        schedule=given.says,
        earlier=count,
        curve=np.column_stack([whole.step[points], centre, low, high]),
        measured=seen.some(500),
        params=_constants(theta, reference),
        findings=(*given.findings, *_findings(posterior, seen, float(whole.step[-1]), count)),
    )


def _with_inexactness(drawn: Floats, future: NDArray[np.bool_], seed: int) -> Floats:
    """Draws of the curve (draws, points) whose fall after the last loss is off by a share of itself."""
    share = _INEXACT * np.random.default_rng([seed, 5]).standard_normal(len(drawn))
    here = drawn[:, np.flatnonzero(~future)[-1], None]
    return np.where(future, drawn + share[:, None] * (drawn - here), drawn)


@dataclass(frozen=True)
class Truncation(Value):
    """Finished runs as they stood at a share of their training: forecast of the last loss against the loss.

    share: of the steps. runs: how many. are: mean |L − L̂|/L. bias: mean (L̂ − L)/L. held: how many intervals held the
    last loss. naive: ARE of the loss at the cut, taken for the last.
    """

    share: float
    runs: int
    are: float
    bias: float
    held: int
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
    found: dict[float, list[tuple[float, float, float, bool]]] = {share: [] for share in shares}
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
                (value / truth - 1, said.last_loss / truth - 1, truth, said.loss.low <= truth <= said.loss.high)
            )
    if not any(found.values()):
        raise DataError(
            f"no run of {runs.source} has {_FEWEST} losses before a cut; give finished runs with their curves"
        )
    return tuple(
        Truncation(
            share=share,
            runs=len(rows),
            are=float(np.mean([abs(row[0]) for row in rows])),
            bias=float(np.mean([row[0] for row in rows])),
            held=sum(row[3] for row in rows),
            naive=float(np.mean([abs(row[1]) for row in rows])),
        )
        for share, rows in found.items()
        if rows
    )


@dataclass(frozen=True)
class _Seen:
    """One run so far: step, rate and loss, (rows,), by step; rows before the warm-up's end are kept for the areas."""

    name: str
    step: Floats
    rate: Floats
    loss: Floats

    def some(self, most: int) -> Floats:
        """Step and loss of at most that many rows, evenly chosen, (rows, 2)."""
        known = np.flatnonzero(np.isfinite(self.loss))
        rows = known[np.unique(np.linspace(0, len(known) - 1, most).round().astype(np.int64))]
        return np.column_stack([self.step[rows], self.loss[rows]])

    def then(self, future: Ahead) -> _Seen:
        """The run with its steps to come, whose losses are not known."""
        return _Seen(
            self.name,
            np.concatenate([self.step, future.step]),
            np.concatenate([self.rate, future.rate]),
            np.concatenate([self.loss, np.full(len(future.step), np.nan)]),
        )


def _one_run(runs: Runs) -> tuple[_Seen, Ahead | None]:
    """The run's rows up to its last loss, and the rates after it where rows give them."""
    names = sorted(set(runs.text("run"))) if "run" in runs else [runs.source]
    if len(names) > 1:
        raise DataError(
            f"{runs.source} has {len(names)} runs; choose the one that is under way, such as "
            f"--where \"run == '{names[0]}'\""
        )
    step, rate, loss = runs["step"], runs["lr"], runs["loss"]
    order = np.argsort(step, kind="stable")
    step, rate, loss = step[order], rate[order], loss[order]
    if (rate < 0).any():
        raise DataError(
            f"{int((rate < 0).sum())} of {len(rate)} rows have a learning rate below zero (first: step "
            f'{step[np.argmax(rate < 0)]:g}); mend the schedule, or drop them with --where "lr >= 0"'
        )
    known = np.flatnonzero(np.isfinite(loss))
    if not len(known):
        raise DataError(f"{runs.source} has no loss; name its column with --column loss=…")
    last = int(known[-1]) + 1
    seen = _Seen(names[0], step[:last], rate[:last], loss[:last])
    if last == len(step):
        return seen, None
    return seen, Ahead(step[last:], rate[last:], "rows without a loss")


@dataclass(frozen=True)
class _Areas:
    """Features of rows: S₁ over its value at the end of all; S₂ over η/(1 − λ) for each memory, (memories, rows)."""

    first: Floats
    second: Floats
    area: float
    peak: float

    def at(self, rows: Ints) -> _Areas:
        return _Areas(self.first[rows], self.second[:, rows], self.area, self.peak)

    def rows(self, keep: NDArray[np.bool_]) -> _Areas:
        return self.at(np.flatnonzero(keep))


def _whole(rows: int) -> Ints:
    return np.zeros(rows, dtype=np.int64)


def _areas(step: Floats, rate: Floats, codes: Ints, *, area: float | None = None) -> _Areas:
    first = rate_area(step, rate, codes)
    area = float(first[-1]) if area is None else area
    peak = float(rate.max())
    second = np.stack(
        [annealing_area(step, rate, codes, decay=1 - fade) * fade / peak for fade in np.exp(_MEMORIES).tolist()]
    )
    return _Areas(first / area, second, area, peak)


@dataclass(frozen=True)
class _Data:
    """Means of neighbouring losses and their features; ``noise`` of single losses about their neighbours."""

    areas: _Areas
    loss: Floats
    noise: float


def _binned(areas: _Areas, seen: _Seen) -> _Data:
    peak = seen.rate.max()
    warm = seen.step[int(np.argmax(seen.rate >= peak * (1 - 1e-9)))]
    start = max(float(warm), seen.step[0]) + _SKIPPED * (seen.step[-1] - seen.step[0])
    rows = np.flatnonzero((seen.step >= start) & np.isfinite(seen.loss) & (seen.loss > 0))
    if len(rows) < _FEWEST:
        raise DataError(
            f"{len(rows)} losses after the warm-up say too little of {seen.name}; wait for {_FEWEST}, or give a curve "
            "with more points"
        )
    loss = seen.loss[rows]
    noise = 1.4826 * float(np.median(np.abs(np.diff(loss) - np.median(np.diff(loss))))) / np.sqrt(2)
    parts = np.array_split(rows, min(_BINS, len(rows)))
    middle = np.array([part[len(part) // 2] for part in parts])
    return _Data(areas.at(middle), np.array([float(np.mean(seen.loss[part])) for part in parts]), noise)


@cache
def _law() -> Law:
    return law("annealing")


def _curve(theta: Floats, areas: _Areas) -> Floats:
    """L(s) for draws of θ, (draws, rows)."""
    floor, reducible, exponent, saved = np.exp(theta[:, :4, None].clip(-50, 50)).transpose(1, 0, 2)
    place = np.interp(theta[:, 4], _MEMORIES[::-1], np.arange(len(_MEMORIES))[::-1].astype(float))
    below = np.minimum(place.astype(np.int64), len(_MEMORIES) - 2)
    above = (place - below)[:, None]
    second = areas.second[below] * (1 - above) + areas.second[below + 1] * above
    # with S1 as a share of its end A is r, and with S2 as a share of η/(1 − λ) C is g
    return _law().value(
        {"L_0": floor, "A": reducible, "alpha": exponent, "C": saved}, {"S1": areas.first[None], "S2": second}
    )


def _usual(seen: _Seen, *, end: float) -> tuple[Floats, Floats]:
    """What is usual, for a loss of this size and a run of this length: mean and covariance of θ."""
    last = float(np.nanmedian(seen.loss[-max(3, len(seen.loss) // 20) :]))
    memory = np.clip(20 / end, np.exp(_MEMORIES[-1]), np.exp(_MEMORIES[0]))
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


def _posterior(data: _Data, mean: Floats, covariance: Floats, *, draws: int, seed: int) -> _Posterior:
    from scipy.optimize import least_squares

    whiten = np.linalg.cholesky(np.linalg.inv(covariance)).T
    scale, mode = 0.02 * float(np.median(data.loss)), mean
    for _ in range(4):

        def residuals(theta: Floats, scale: float = scale) -> Floats:
            return np.concatenate([(_curve(theta[None], data.areas)[0] - data.loss) / scale, whiten @ (theta - mean)])

        found = least_squares(residuals, mode, loss="linear")
        mode = found.x
        scale = _scale(_curve(mode[None], data.areas)[0] - data.loss, float(np.median(data.loss)))
    curvature = found.jac.T @ found.jac
    if draws == 0:
        return _Posterior(mode[None], mode, curvature, data.noise, 1.0)

    def height(theta: Floats) -> Floats:
        with np.errstate(all="ignore"):
            miss = (_curve(theta, data.areas) - data.loss) / scale
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


def _learnt(earlier: Runs, usual: tuple[Floats, Floats], reference: _Areas) -> tuple[Floats, Floats, int]:
    """Mean and covariance of θ over earlier runs, drawn towards what is usual where they are few."""
    codes = earlier.run_codes()
    modes, covariances = [], []
    for run in range(int(codes.max()) + 1):
        rows = codes == run
        order = np.argsort(earlier["step"][rows], kind="stable")
        seen = _Seen(earlier.source, *(earlier[name][rows][order] for name in ("step", "lr", "loss")))
        try:
            areas = _areas(seen.step, seen.rate, _whole(len(seen.step)), area=reference.area)
            data = _binned(areas, seen)
        except DataError:
            continue
        found = _posterior(data, *usual, draws=0, seed=0)
        modes.append(found.mode)
        covariances.append(np.linalg.inv(found.curvature))
    if not modes:
        raise DataError(f"{earlier.source} has no run with {_FEWEST} losses and learning rates to borrow from")
    return (*_between(np.array(modes), np.array(covariances), usual), len(modes))


def _between(modes: Floats, covariances: Floats, usual: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """μ and Σ between runs by EM, with the usual spread as ``_USUAL_RUNS`` runs more."""
    spread0 = usual[1] * _BETWEEN**2
    spread, mean = spread0, modes.mean(axis=0)
    count = len(modes)
    for _ in range(200):
        gain = spread @ np.linalg.inv(spread + covariances)
        expected = mean + np.einsum("fij,fj->fi", gain, modes - mean)
        left = spread - gain @ spread
        mean = expected.mean(axis=0)
        apart = expected - mean
        scatter = left.sum(axis=0) + np.einsum("fi,fj->ij", apart, apart)
        spread = (scatter + _USUAL_RUNS * spread0) / (count + _USUAL_RUNS)
        spread = (spread + spread.T) / 2
    return mean, spread * (1 + 1 / count)


def _constants(theta: Floats, reference: _Areas) -> Floats:
    """L_0, A, alpha, C and lambda of draws of θ, for S₁ and S₂ in the units of the learning rate."""
    floor, reducible, exponent, saved = np.exp(theta[:, :4].T)
    fade = np.exp(np.clip(theta[:, 4], _MEMORIES[-1], _MEMORIES[0]))
    return np.column_stack(
        [floor, reducible * reference.area**exponent, exponent, saved * fade / reference.peak, 1 - fade]
    )


def _findings(posterior: _Posterior, seen: _Seen, end: float, earlier: int) -> list[Finding]:
    found = []
    peak = seen.rate.max()
    if not earlier:
        found.append(
            Finding(
                "nothing-borrowed",
                "note",
                "what the curve leaves open (how much the fall of the rate saves, how flat the end is) is filled in by "
                "what is usual in published runs.",
                "Give earlier runs of the same kind: --earlier RUNS.csv.",
            )
        )
    if seen.rate[-1] > 0.98 * peak and (seen.step[-1] - seen.step[0]) < 0.98 * (end - seen.step[0]) and not earlier:
        found.append(
            Finding(
                "no-fall-seen",
                "note",
                "the rate has not fallen yet, so this run says nothing of what its fall will save.",
                "An earlier run that was annealed says it: --earlier RUNS.csv.",
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
