"""The gate before every estimate: the estimator's error on samples of known truth of the same n, d and strength."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from isoflop.errors import DataError
from isoflop.measures.compression import principal_components
from isoflop.measures.information import kozachenko_leonenko_terms, kraskov_terms, label_terms
from isoflop.measures.rivals import binned_information, gaussian_information
from isoflop.measures.samples import Floats, as_labels, as_samples, pairs_of, repeated, varying
from isoflop.measures.worlds import (
    World,
    gaussian_world,
    label_world,
    margins_world,
    symmetric_world,
    tail_index,
    ties,
)

TOLERANCE: Final = 0.1
FLOOR: Final = 0.25  # nats (bits of DSE) below which an error is told in shares of this much
_HEAVY = 2.0
_TIED = 0.02

Estimator = Callable[[Floats, Floats], Floats]


@dataclass(frozen=True)
class Trial:
    """One world: its exact value, and what the estimator made of it."""

    world: str
    truth: float
    estimate: float

    @property
    def error(self) -> float:
        """(estimate − truth) / max(truth, 0.25)."""
        return (self.estimate - self.truth) / max(abs(self.truth), FLOOR)


@dataclass(frozen=True)
class Calibrated:
    """An estimate with what is known of its error.

    name: the estimator. value: the estimate, whether or not it may be used. low, high: sampling interval at ``level``,
    widened by the errors of the trials. trials: one a world, at the truth for which the estimator gives this value.
    refused: why it should not be used; empty where the errors are within ``tolerance``. marked: what to know of an
    estimate that may be used.
    """

    name: str
    value: float
    low: float
    high: float
    level: float
    unit: str
    trials: tuple[Trial, ...]
    tolerance: float
    refused: str = ""
    marked: str = ""

    @property
    def usable(self) -> bool:
        """Whether the trials passed."""
        return not self.refused

    @property
    def worst(self) -> float:
        """The largest error in size, with its sign; NaN without a trial."""
        return max((each.error for each in self.trials), key=abs, default=float("nan"))


def _kraskov(neighbors: int) -> Estimator:
    return lambda x, y: kraskov_terms(x, y, neighbors=neighbors)


def _kozachenko(neighbors: int) -> Estimator:
    return lambda x, y: kozachenko_leonenko_terms(x, y, neighbors=neighbors)


def _infonce(x: Floats, y: Floats) -> Floats:
    from isoflop.measures.contrastive import infonce_terms  # PyTorch

    return infonce_terms(x, y)


def _single(measure: Callable[[Floats, Floats], float]) -> Estimator:
    return lambda x, y: np.array([measure(x, y)])


ESTIMATORS: Final[dict[str, Callable[[int], Estimator]]] = {
    "kraskov": _kraskov,
    "kozachenko-leonenko": _kozachenko,
    "gaussian": lambda neighbors: _single(gaussian_information),
    "binned": lambda neighbors: _single(binned_information),
    "infonce": lambda neighbors: _infonce,
}


def calibrated_information(
    x: ArrayLike,
    y: ArrayLike,
    *,
    method: str = "kraskov",
    components: int | None = None,
    compression: str = "pca",
    neighbors: int = 5,
    tolerance: float = TOLERANCE,
    level: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """I(X; Y) in nats by an estimator that was first run on three worlds of equal n, d and strength.

    x: (samples, dimensions of X); y: (samples, dimensions of Y). components: both are compressed to so many dimensions
    first, which can only lower the information, by principal components (``pca``) or an ``autoencoder``. method:
    ``kraskov``, ``kozachenko-leonenko``, ``gaussian``, ``binned`` or ``infonce``; infonce and the autoencoder need
    PyTorch. The worlds are Gaussian pairs, pairs with the margins of these samples, and pairs without
    correlation; in the first two the truth is sought for which the estimator gives what it gives here, and its error
    there is the trial. Refused beyond the tolerance, where half the information without correlation is missed, where
    the estimate does not follow the truth, for heavy tails and for samples with ties. Marked where more than the
    tolerance of the information without correlation is missed.
    Raises DataError for bad samples.
    """
    estimator = _estimator(method, neighbors)
    first, second = (varying(side, name) for side, name in zip(pairs_of(x, y, least=20), ("X", "Y"), strict=True))
    widths = max(first.shape[1], second.shape[1])
    if components is not None:
        first, second = (_compressed(side, components, compression, seed) for side in (first, second))
    reason = _unfit(first) or _unfit(second)
    shape = (first.shape[1], second.shape[1])
    worlds = [gaussian_world(len(first), shape)]
    if not reason:
        worlds.append(margins_world(first, second))
    found = _calibrated(
        method, estimator, (first, second), worlds, tolerance=tolerance, level=level, seed=seed, reason=reason
    )
    if found.usable:
        found = _beside_nonlinear(found, estimator, symmetric_world(len(first), shape), seed)
    if found.usable and widths > max(shape):
        bound = f"a lower bound: {max(shape)} of {widths} {'components' if compression == 'pca' else 'dimensions'}"
        found = replace(found, marked="; ".join(each for each in (bound, found.marked) if each))
    return found


def _beside_nonlinear(found: Calibrated, estimator: Estimator, world: World, seed: int) -> Calibrated:
    """The same with a trial without correlation: refused where half of it is missed, marked where a part is."""
    trial = _mean_trial(world, estimator, max(found.value, FLOOR), seed)
    told = f"{trial.error:+.0%} on {world.name} of {trial.truth:.3g} nats"
    refused = told if abs(trial.error) > 0.5 else ""
    marked = told if not refused and abs(trial.error) > found.tolerance else ""
    return replace(found, trials=(*found.trials, trial), refused=refused, marked=marked)


def calibrated_label_information(
    points: ArrayLike,
    labels: ArrayLike,
    *,
    components: int | None = None,
    compression: str = "pca",
    neighbors: int = 5,
    tolerance: float = TOLERANCE,
    level: float = 0.9,
    seed: int = 0,
) -> Calibrated:
    """I(Z; Y) of points and their classes in nats, by Ross's estimator after a trial on Gaussian classes.

    The classes of the trial are as large, in as many dimensions, and as far apart as gives the same estimate. Refused
    beyond the tolerance, for heavy tails and for samples with ties. Raises DataError for bad samples or labels.
    """
    table = varying(as_samples(points, least=20))
    codes = as_labels(labels, len(table))
    if components is not None:
        table = _compressed(table, components, compression, seed)
    reason = _unfit(table)

    def estimator(z: Floats, y: Floats) -> Floats:
        return label_terms(z, y.astype(np.int64), neighbors=neighbors)

    worlds = [label_world(np.bincount(codes), table.shape[1])]
    pair = (table, codes.astype(np.float64))
    return _calibrated("ross", estimator, pair, worlds, tolerance=tolerance, level=level, seed=seed, reason=reason)


def _estimator(method: str, neighbors: int) -> Estimator:
    if method not in ESTIMATORS:
        raise DataError(f"{method!r} is no estimator of information; choose among {', '.join(ESTIMATORS)}")
    return ESTIMATORS[method](neighbors)


def _compressed(table: Floats, components: int, compression: str, seed: int) -> Floats:
    if table.shape[1] <= components:
        return table
    if compression == "pca":
        return principal_components(table, components)
    if compression != "autoencoder":
        raise DataError(f"{compression!r} is no compression; choose pca or autoencoder")
    from isoflop.measures.contrastive import autoencoded  # PyTorch

    return autoencoded(table, components, seed=seed)[0]


def _unfit(table: Floats) -> str:
    """Why no estimator by distances can be trusted here, whatever its trials; empty where none is known."""
    copies = repeated(table)
    if copies > _TIED * len(table):
        return f"{copies:,} of {len(table):,} samples are copies of another; drop them or add noise"
    tied = ties(table)
    if tied > _TIED:
        return (
            f"{100 * tied:.0f}% of the samples have the same value in one dimension, so there is no density; add noise"
        )
    index = tail_index(table) if len(table) >= 50 else np.inf
    if index < _HEAVY:
        return f"heavy tails (Hill index {index:.1f}, infinite variance); take ranks or logarithms of the features"
    return ""


def _calibrated(
    name: str,
    estimator: Estimator,
    pair: tuple[Floats, Floats],
    worlds: Sequence[World],
    *,
    tolerance: float,
    level: float,
    seed: int,
    reason: str,
) -> Calibrated:
    from statistics import NormalDist

    terms = estimator(*pair)
    value = float(terms.mean())
    spread = float(terms.std(ddof=1) / np.sqrt(len(terms))) if len(terms) > 1 else 0.0
    trials: list[Trial] = []
    for world in worlds:
        trial, solved = _trial(world, estimator, value, spread, tolerance, seed)
        trials.append(trial)
        if reason:
            break
        if not solved:
            reason = (
                f"in {world.name} of {trial.truth:.3g} nats it gives {trial.estimate:.3g}, and nowhere {value:.3g}"
                if trial.truth > 0
                else f"independent samples give {trial.estimate:.3g} nats, and these {value:.3g}"
            )
        elif abs(trial.error) > tolerance:
            reason = f"{trial.error:+.0%} on {world.name} of {trial.truth:.3g} nats"
        if reason:
            break
    if not reason:
        reason = _unresponsive(worlds[0], estimator, trials[0], seed)
    reach = NormalDist().inv_cdf((1 + level) / 2) * spread
    if not reason and reach > tolerance * max(abs(value), FLOOR):
        reason = f"a sampling error of ±{reach:.2g} nats; give more samples"
    biases = [0.0, *(each.estimate - each.truth for each in trials)]
    low, high = value - reach - max(biases), value + reach - min(biases)
    return Calibrated(name, value, low, high, level, "nats", tuple(trials), tolerance, reason)


def _unresponsive(world: World, estimator: Estimator, trial: Trial, seed: int) -> str:
    """Why the estimate does not follow the truth, empty where it does: a constant may be right by accident."""
    step = max(0.5, 0.25 * trial.truth)
    stronger = _mean_trial(world, estimator, trial.truth + step, seed)
    gained = stronger.truth - trial.truth
    if gained < 0.2 * step:  # classes are as far apart as their entropy allows
        return ""
    followed = (stronger.estimate - trial.estimate) / gained
    if 0.5 <= followed <= 1.5:
        return ""
    return f"{gained:.2g} nats more in {world.name} raise it by {stronger.estimate - trial.estimate:.2g}"


def _mean_trial(world: World, estimator: Estimator, strength: float, seed: int) -> Trial:
    """A trial of two draws in small samples, whose scatter one draw would show as an error."""
    found = []
    for each in range(2 if strength < 4 else 1):
        x, y, truth = world.draw(strength, seed + each)
        found.append((truth, float(estimator(x, y).mean())))
        if len(x) > 4_000:
            break
    truth, estimate = np.mean(found, axis=0)
    return Trial(world.name, float(truth), float(estimate))


def _trial(
    world: World, estimator: Estimator, value: float, spread: float, tolerance: float, seed: int
) -> tuple[Trial, bool]:
    """The trial at the truth whose estimate is nearest to ``value``, and whether one was found.

    The strength is moved by what the estimate misses, farther where the estimate does not follow.
    """
    strength, best, found = max(value, 0.0), None, False
    close = max(0.3 * tolerance * max(abs(value), FLOOR), spread)
    for _ in range(6):
        trial = _mean_trial(world, estimator, strength, seed)
        if best is None or abs(trial.estimate - value) < abs(best.estimate - value):
            best = trial
        found = abs(trial.estimate - value) <= close
        if not found and strength == 0 and trial.estimate >= value:
            found = trial.estimate - value <= max(2 * close, tolerance * FLOOR)
            break
        if found:
            break
        missing = value - trial.estimate
        strength = max(0.0, strength + (missing if abs(missing) < 0.5 * max(strength, FLOOR) else 1.5 * missing))
        strength = min(strength, 40.0)
    assert best is not None
    return best, found
