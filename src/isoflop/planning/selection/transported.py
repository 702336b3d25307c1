"""Which mixture at a size beyond the runs: transport to validation data, then a projection in the size's logarithm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.measures.transport import label_distances, sinkhorn_divergences
from isoflop.planning.mixtures.plan import projected
from isoflop.planning.mixtures.projector import FEATURES, Stage, columns, fit_stage, project
from isoflop.planning.mixtures.reading import read_mixtures
from isoflop.runs import Runs
from isoflop.uncertainty.ensemble import Interval, check_level, interval_of
from isoflop.units import format_quantity
from isoflop.values import Value

Floats = NDArray[np.float64]

_CANDIDATES = 120
_STEPS = 30
_LARGEST = 1e100  # of a coordinate
_ALIKE = 6  # decimals in which shares of one mixture agree


@dataclass(frozen=True)
class Samples(Value):
    """Embedded samples: points (samples, dimensions), and their classes where there are."""

    points: Floats
    labels: NDArray[np.generic] | None = None


@dataclass(frozen=True)
class Geometry(Value):
    """Distances between samples of all sources, and to the validation samples, from which any mixture is transported.

    source: which source each sample is of. cost: (samples, validation); own, other: within each side.
    """

    source: NDArray[np.int64]
    cost: Floats
    own: Floats
    other: Floats
    regularization: float

    def transport(self, shares: ArrayLike) -> tuple[Floats, Floats]:
        """S_ε of mixtures (mixtures, sources) to the validation samples, and dS/dp, (mixtures, sources)."""
        p = np.atleast_2d(np.asarray(shares, dtype=np.float64))
        counts = np.bincount(self.source, minlength=p.shape[1])
        found = sinkhorn_divergences(
            self.cost, self.own, self.other, (p / counts)[:, self.source], regularization=self.regularization
        )
        slopes = [[each.potentials[self.source == k].mean() for k in range(p.shape[1])] for each in found]
        return np.array([each.divergence for each in found]), np.array(slopes)


@dataclass(frozen=True)
class Projected(Value):
    """One measured mixture: its transport, its loss at each size (mean over rows), and projected."""

    shares: tuple[float, ...]
    transport: float
    measured: tuple[float, ...]
    projected: float


@dataclass(frozen=True)
class TransportPlan(Value):
    """The best mixture at a size.

    sizes: measured, the first and the last are the two of the projection. at: the size. shares: of the best mixture.
    loss: projected there, over refits to resampled mixtures, if linear in ln N. best_measured: the lowest projected
    among the mixtures that were trained; gain: that minus ``loss``. correlation: of transport and loss at the largest
    size. check, bias, rank: mean absolute error, mean error and rank correlation of the projection to the largest size
    from smaller ones; NaN with two sizes. features: chosen; errors: of every set on mixtures left out, mean over sizes.
    """

    domains: tuple[str, ...]
    sizes: tuple[float, ...]
    at: float
    shares: tuple[float, ...]
    transport: float
    loss: Interval
    best_measured: float
    gain: Interval
    correlation: float
    check: float
    bias: float
    rank: float
    features: str
    errors: dict[str, float]
    mixtures: tuple[Projected, ...]
    findings: tuple[Finding, ...]


def geometry(
    sources: Sequence[Samples],
    validation: Samples,
    *,
    samples: int = 300,
    label_weight: float | None = None,
    regularization: float = 0.05,
    seed: int = 0,
) -> Geometry:
    """Distances between up to ``samples`` samples of each source and twice as many of the validation data.

    label_weight: what differing classes add to the squared distance, by default its mean; without labels nothing.
    Raises DataError for samples of different dimensions, and where only some have labels.
    """
    rng = np.random.default_rng([seed, 41])
    have = [each.labels is not None for each in (*sources, validation)]
    if any(have) and not all(have):
        raise DataError("some sources have labels and others, or the validation data, have none; give all or none")
    widths = sorted({each.points.shape[1] for each in (*sources, validation)})
    if len(widths) > 1:
        told = ", ".join(map(str, widths))
        raise DataError(f"samples have {told} dimensions; embed all sources and the validation data alike")
    largest = max(float(np.abs(each.points).max()) for each in (*sources, validation))
    if largest > _LARGEST:
        raise DataError(f"samples reach {largest:.3g}, whose squared distances no number holds; scale the embedding")

    def some(each: Samples, most: int) -> Samples:
        if len(each.points) <= most:
            return each
        rows = np.sort(rng.choice(len(each.points), most, replace=False))
        return Samples(each.points[rows], None if each.labels is None else each.labels[rows])

    drawn = [some(each, samples) for each in sources]
    target = some(validation, 2 * samples)
    points = np.concatenate([each.points for each in drawn])
    source = np.repeat(np.arange(len(drawn)), [len(each.points) for each in drawn])
    cost = label_distances(points, target.points)
    own, other = label_distances(points, points), label_distances(target.points, target.points)
    if all(have):
        weight = float(cost.mean()) if label_weight is None else label_weight
        labels = np.concatenate([np.asarray(each.labels) for each in drawn])
        there = np.asarray(target.labels)
        for table, one, two in ((cost, labels, there), (own, labels, labels), (other, there, there)):
            table += weight * (one[:, None] != two)
    return Geometry(source, cost, own, other, regularization)


def plan_transport(
    runs: Runs,
    space: Geometry,
    *,
    at: float,
    domains: Sequence[str] = (),
    shares_in: str | None = None,
    task: str = "loss",
    caps: Sequence[float] | None = None,
    draws: int = 100,
    level: float = 0.9,
    seed: int = 0,
) -> TransportPlan:
    """argmin_p L(N, p), L(N, p) = [ln(N/N₀) L(N₁, p) − ln(N/N₁) L(N₀, p)] / ln(N₁/N₀), L(Nᵢ, p) = θᵢ · x(p, OT(p)).

    Stage 1 fits a linear form of features of shares and transport at the smallest and the largest measured size, the
    set chosen by mixtures left out; sets without transport are baselines. Stage 2 is parameter-free; with a third size
    it is checked by projecting to the largest from the others. The minimum is looked for by projected gradients from
    the best of random mixtures within the caps. Kang et al. 2023 (arXiv 2307.02460).

    Parameters
    ----------
    runs :
        A row for each mixture and size: the shares, D the size, and the loss.
    space :
        Of the sources' samples, in the order of ``domains``.
    at :
        The size N to project to.
    domains, shares_in, task :
        Columns, as :func:`isoflop.planning.mixtures.read_mixtures` takes them.
    caps :
        Largest share of each domain.
    draws, level, seed :
        Of refits to resampled mixtures.

    Returns
    -------
    TransportPlan
        The best mixture, its projected loss, and how far both stages may be trusted.

    Raises
    ------
    DataError
        Fewer than two sizes, too few mixtures at both, or caps that no mixture meets.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.planning.selection.transported import Samples, geometry, plan_transport
    >>> rng = numpy.random.default_rng(0)
    >>> near, far = rng.normal(0, 1, (60, 3)), rng.normal(2, 1, (60, 3))
    >>> space = geometry([Samples(near), Samples(far)], Samples(rng.normal(0.2, 1, (80, 3))))
    >>> share, size = (each.ravel() for each in numpy.meshgrid(numpy.linspace(0, 1, 11), [100, 1000]))
    >>> loss = 1 + 0.5 * (1 - share) - 0.1 * numpy.log10(size)
    >>> runs = isoflop.Runs.from_columns({"near": share, "far": 1 - share, "D": size, "loss": loss})
    >>> plan = plan_transport(runs, space, at=10_000, domains=["near", "far"], draws=20)
    >>> plan.shares[0] > 0.9, round(plan.loss.value, 2)
    (True, 0.6)
    """
    check_level(level)
    names, shares, sizes, losses = _by_size(runs, domains, shares_in, task)
    if int(space.source.max()) + 1 != len(names):
        raise DataError(f"{len(names)} shares ({', '.join(names[:6])}) need as many sources of samples")
    if not at > sizes[-1]:
        told = f"{format_quantity(at)}, must lie above the largest measured, {format_quantity(sizes[-1])}; change --at"
        raise IsoflopError(f"the size to project to, {told}")
    cap = np.ones(len(names)) if caps is None else np.asarray(caps, dtype=np.float64)
    if (cap < 0).any() or cap.sum() < 1:
        raise DataError(f"caps that add up to {cap.sum():g} leave no mixture, whose shares add up to 1; raise them")
    if np.ptp(losses[0]) == 0 or np.ptp(losses[-1]) == 0:
        raise DataError(
            f"{task} is {losses[0][0]:g} in every mixture of one size, so no mixture is better than another"
        )
    ot, _ = space.transport(shares)
    stages = [fit_stage(shares, ot, losses[k]) for k in (0, -1)]
    errors = {name: float(np.mean([each.errors.get(name, np.inf) for each in stages])) for name in FEATURES}
    features = min(errors, key=lambda name: errors[name])
    design = columns(features, shares, ot)
    weight = np.log(np.array([at / sizes[-1], at / sizes[0]])) / np.log(sizes[-1] / sizes[0])

    def coefficients(rows: NDArray[np.int64] | slice) -> Floats:
        low, high = (np.linalg.lstsq(design[rows], losses[k][rows], rcond=None)[0] for k in (0, -1))
        return np.asarray(weight[1] * high - weight[0] * low)

    theta = coefficients(slice(None))
    here = design @ theta
    rng = np.random.default_rng([seed, 42])
    best = _minimum(space, features, theta, cap, shares[np.argsort(here)], rng)
    ot_best, _ = space.transport(best)
    row = columns(features, best[None], ot_best)[0]
    allowed = np.flatnonzero((shares <= cap + 1e-9).all(axis=1))
    first = int(allowed[here[allowed].argmin()]) if len(allowed) else int(here.argmin())
    drawn = np.array([coefficients(rng.integers(0, len(shares), len(shares))) for _ in range(draws)])
    loss = interval_of(float(row @ theta), drawn @ row, level=level)
    gain = interval_of(float((design[first] - row) @ theta), drawn @ (design[first] - row), level=level)
    check, bias, rank = _check(sizes, losses)
    found = tuple(
        Projected(tuple(p.tolist()), float(t), tuple(losses[:, k].tolist()), float(here[k]))
        for k, (p, t) in enumerate(zip(shares, ot, strict=True))
    )
    return TransportPlan(
        tuple(names), tuple(sizes.tolist()), float(at), tuple(best.tolist()), float(ot_best[0]), loss,
        float(here[first]), gain, _correlation(ot, losses[-1]), check, bias, rank, features,
        {name: value for name, value in errors.items() if np.isfinite(value)}, found,
        tuple(_findings(sizes, losses, features, bias, rank, loss.value, at)),
    )  # fmt: skip


def _by_size(
    runs: Runs, domains: Sequence[str], shares_in: str | None, task: str
) -> tuple[tuple[str, ...], Floats, Floats, Floats]:
    """Names, shares (mixtures, sources), sizes and losses (sizes, mixtures) of mixtures measured at every size."""
    size = np.asarray(runs["D"], dtype=np.float64)
    sizes = np.unique(size)
    if len(sizes) < 2:
        raise DataError(
            f"{runs.source} has one size, D = {sizes[0]:g}, and a projection needs two; train the mixtures at another"
        )
    tables: list[dict[tuple[float, ...], list[float]]] = []
    names: tuple[str, ...] = ()
    for each in sizes:
        table = read_mixtures(runs.take(size == each), domains=domains, shares_in=shares_in, tasks=(task,))
        names = table.domains
        held: dict[tuple[float, ...], list[float]] = {}
        for p, loss in zip(table.shares, table.losses[:, 0], strict=True):
            held.setdefault(tuple(np.round(p, _ALIKE).tolist()), []).append(float(loss))
        tables.append(held)
    both = [p for p in tables[0] if all(p in each for each in tables)]
    if len(both) < 10:
        raise DataError(
            f"{len(both)} mixtures were trained at every size ({', '.join(map(format_quantity, sizes))}), and 10 are "
            "needed; train more, or leave a size out (--where)"
        )
    losses = np.array([[np.mean(each[p]) for p in both] for each in tables])
    return names, np.array(both), sizes, losses


def _correlation(one: Floats, other: Floats) -> float:
    """Pearson's; 0 where the transport of all mixtures is one number."""
    if np.ptp(one) <= 1e-12 * max(1.0, float(np.abs(one).max())):
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _check(sizes: Floats, losses: Floats) -> tuple[float, float, float]:
    if len(sizes) < 3:
        return float("nan"), float("nan"), float("nan")
    from scipy.stats import spearmanr

    told = project(
        (float(sizes[0]), losses[0]), (float(sizes[-2]), losses[-2]), float(sizes[-1]),
        check=(float(sizes[-1]), losses[-1]),
    )  # fmt: skip
    return told.check, told.bias, float(spearmanr(told.values, losses[-1]).statistic)


def _minimum(
    space: Geometry, features: str, theta: Floats, cap: Floats, known: Floats, rng: np.random.Generator
) -> Floats:
    """Projected gradient from the best of known and random mixtures within the caps."""

    def value(p: Floats) -> Floats:
        return columns(features, p, space.transport(p)[0]) @ theta

    tried = np.concatenate((known[:_CANDIDATES], rng.dirichlet(np.ones(len(cap)), _CANDIDATES), np.eye(len(cap))))
    tried = np.array([projected(each, cap) for each in tried])
    at = value(tried)
    best, lowest, step = tried[int(at.argmin())], float(at.min()), 0.25
    for _ in range(_STEPS):
        slope = _slope(space, features, theta, best)
        size = np.abs(slope).max()
        if size == 0 or step < 1e-3:
            break
        ahead = projected(best - step * slope / size, cap)
        there = float(value(ahead[None])[0])
        if there < lowest - 1e-12:
            best, lowest = ahead, there
        else:
            step /= 2
    return np.where(best < 1e-6, 0.0, best) / best[best >= 1e-6].sum()


def _slope(space: Geometry, features: str, theta: Floats, p: Floats) -> Floats:
    """dL/dp on the simplex, through the shares and through transport, less its mean."""
    ot, along = space.transport(p)
    count, small = len(p), 1e-5
    direct = np.zeros(count)
    base = columns(features, p[None], ot) @ theta
    for k in range(count):
        moved = p.copy()
        moved[k] += small
        direct[k] = float((columns(features, moved[None], ot) @ theta - base)[0]) / small
    through = float((columns(features, p[None], ot + small) @ theta - base)[0]) / small
    slope = direct + through * along[0]
    return np.asarray(slope - slope.mean())


def _findings(
    sizes: Floats, losses: Floats, features: str, bias: float, rank: float, loss: float, at: float
) -> list[Finding]:
    told = []
    if len(sizes) < 3:
        told.append(
            Finding(
                "projection-unchecked", "warning",
                "two sizes do not show whether the loss is linear in ln D, on which the projection rests.",
                "Train the mixtures at a third size.",
            )
        )  # fmt: skip
    else:
        spread = float(losses[-1].std())
        if abs(bias) > 0.5 * spread or rank < 0.5:
            told.append(
                Finding(
                    "projection-curved", "warning",
                    f"projected to {format_quantity(sizes[-1])} from smaller sizes, the loss is off by {bias:+.3g} "
                    f"on average; mixtures differ by {spread:.3g} (standard deviation); rank correlation {rank:.2f}.",
                    "Rank mixtures by it, if at all, and take the loss itself from a law (isoflop mixture, isoflop "
                    "fit); train larger sizes.",
                )
            )  # fmt: skip
    if loss <= 0:
        told.append(
            Finding(
                "projection-negative", "error",
                f"the projected loss at {format_quantity(at)} is {loss:.3g}, which no loss can be: it is not "
                "linear in ln D so far.",
                "Project to a smaller size, or train larger ones.",
            )
        )  # fmt: skip
    if features in ("linear", "quadratic"):
        told.append(
            Finding(
                "transport-useless", "note",
                f"on mixtures left out, the {features} form without transport is the best.",
                "Give embeddings that tell the sources apart, or use isoflop mixture.",
            )
        )  # fmt: skip
    return told


__all__ = ["Geometry", "Samples", "Stage", "TransportPlan", "geometry", "plan_transport"]
