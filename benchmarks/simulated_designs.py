"""Designs of simulated runs: where they lie, what curve they are of, and how their errors behave.

A simulated error is that of log loss. Each design has a truth, which the fitted law (Chinchilla's form) has or lacks,
and a point ten times beyond the largest budget, at the compute-optimal size there, where forecasts are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from isoflop import Runs, law
from isoflop.uncertainty.kriging import matern
from isoflop.uncertainty.prior import shipped_prior

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Curve = Callable[[Floats, Floats], Floats]
Generator = np.random.Generator

TRUTH = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
LOW_FLOOR = {"E": 0.02, "A": 60.0, "B": 60.0, "alpha": 0.2, "beta": 0.19}
BEYOND = 10.0
CHINCHILLA = law("chinchilla")


@dataclass(frozen=True)
class Design:
    """name; noise in words; places: (N, D) of the rows; errors: (generator, N, D) → those of log loss.

    curve: the true loss; params: its constants, where the fitted law has it. run: each row's run. discrepancy: a
    random departure from the curve, (generator, log10 of N and D (points, 2)) → of log loss.
    """

    name: str
    noise: str
    places: tuple[Floats, Floats]
    errors: Callable[[Generator, Floats, Floats], Floats]
    params: Mapping[str, float] | None = field(default_factory=lambda: dict(TRUTH))
    curve: Curve | None = None
    run: Ints | None = None
    discrepancy: Callable[[Generator, Floats], Floats] | None = None

    def loss(self, n: Floats, d: Floats) -> Floats:
        """The true curve."""
        if self.curve is not None:
            return self.curve(n, d)
        assert self.params is not None
        return np.asarray(CHINCHILLA.value(self.params, {"N": n, "D": d}))

    def point(self) -> tuple[float, float, float]:
        """Budget beyond the runs, N* of the true curve there, and the tokens that go with it."""
        n, d = self.places
        budget = BEYOND * float((6 * n * d).max())
        sizes = np.exp(np.linspace(np.log(n.min()), np.log(1e3 * n.max()), 200_001))
        best = float(sizes[np.argmin(self.loss(sizes, budget / 6 / sizes))])
        return budget, best, budget / 6 / best

    def exponent(self) -> float:
        """d log N*/d log C of the true curve at the point; β/(α + β) where the law has it."""
        if self.params is not None:
            return self.params["beta"] / (self.params["alpha"] + self.params["beta"])
        budget = self.point()[0]
        n = self.places[0]
        sizes = np.exp(np.linspace(np.log(n.min()), np.log(1e3 * n.max()), 200_001))
        best = [sizes[np.argmin(self.loss(sizes, c / 6 / sizes))] for c in (budget / 1.5, budget * 1.5)]
        return float(np.log(best[1] / best[0]) / np.log(2.25))

    def draw(self, rng: Generator) -> tuple[Runs, float, float]:
        """Simulated runs; the true loss at the point, and what a new run measures there."""
        n, d = self.places
        _, best, tokens = self.point_once()
        curve, there = self.loss(n, d), float(self.loss(np.array([best]), np.array([tokens]))[0])
        if self.discrepancy is not None:
            places = np.log10(np.column_stack([np.append(n, best), np.append(d, tokens)]))
            off = self.discrepancy(rng, places)
            curve, there = curve * np.exp(off[:-1]), there * float(np.exp(off[-1]))
        columns: dict[str, NDArray[np.generic]] = {"N": n, "D": d, "loss": curve * np.exp(self.errors(rng, n, d))}
        if self.run is not None:
            columns["run"] = np.array([f"r{each}" for each in self.run])
        # a new run errs as the largest one did, by an error of its own
        again = self.errors(rng, n, d)[int(np.argmax(n * d))]
        return Runs.from_columns(columns), there, there * float(np.exp(again))

    def point_once(self) -> tuple[float, float, float]:
        """:meth:`point`, computed once."""
        kept: dict[str, tuple[float, float, float]] = self.__dict__.setdefault("_point", {})
        if "point" not in kept:
            kept["point"] = self.point()
        return kept["point"]


def isoflop(budgets: int = 5, sizes: int = 7, *, least: float = 6e18, step: float = 4.0) -> tuple[Floats, Floats]:
    """Sizes within a factor e^1.2 of Chinchilla's optimum at each budget."""
    compute = np.repeat(least * step ** np.arange(budgets), sizes)
    share = TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"])
    factor = (TRUTH["alpha"] * TRUTH["A"] / (TRUTH["beta"] * TRUTH["B"])) ** (1 / (TRUTH["alpha"] + TRUTH["beta"]))
    n = factor * (compute / 6) ** share * np.tile(np.exp(np.linspace(-1.2, 1.2, sizes)), budgets)
    return n, compute / 6 / n


def grid(sizes: int, durations: int, n: tuple[float, float], d: tuple[float, float]) -> tuple[Floats, Floats]:
    """Sizes by durations, in even logarithmic steps between powers of ten."""
    one, other = np.meshgrid(np.logspace(*n, sizes), np.logspace(*d, durations))
    return one.ravel(), other.ravel()


def checkpoints(runs: int = 8, rows: int = 20) -> tuple[Floats, Floats, Ints]:
    """Checkpoints of runs at twenty tokens a parameter, over a decade each."""
    sizes = np.logspace(8, 10, runs)
    d = np.concatenate([20 * each * np.logspace(-1, 0, rows) for each in sizes])
    return np.repeat(sizes, rows), d, np.repeat(np.arange(runs), rows)


def gaussian(size: float) -> Callable[[Generator, Floats, Floats], Floats]:
    """Independent errors of one standard deviation."""
    return lambda rng, n, d: rng.normal(0, size, n.size)


def shared(shared_by_size: float, own: float) -> Callable[[Generator, Floats, Floats], Floats]:
    """Errors that all runs of one size share, and errors of each run."""

    def errors(rng: Generator, n: Floats, d: Floats) -> Floats:
        sizes, code = np.unique(n, return_inverse=True)
        return np.asarray(rng.normal(0, shared_by_size, len(sizes))[code] + rng.normal(0, own, n.size))

    return errors


def unequal(rng: Generator, n: Floats, d: Floats) -> Floats:
    """Errors that shrink as N^−½, 1.2 % for the smallest."""
    return np.asarray(rng.normal(0, 0.012, n.size) * (n / n.min()) ** -0.5)


def heavy(rng: Generator, n: Floats, d: Floats) -> Floats:
    """Errors without a variance."""
    return np.asarray(0.004 * rng.standard_t(2, n.size))


def with_outliers(rng: Generator, n: Floats, d: Floats) -> Floats:
    """Errors of .5 %, and one run in twenty whose loss is some 8 % too high."""
    far = rng.random(n.size) < 0.05
    return np.asarray(rng.normal(0, 0.005, n.size) + np.where(far, np.abs(rng.normal(0.08, 0.05, n.size)), 0.0))


def by_run(rng: Generator, n: Floats, d: Floats) -> Floats:
    """Errors of .5 % that the checkpoints of a run share, and .2 % of each."""
    return shared(0.005, 0.002)(rng, n, d)


def of_the_prior(rng: Generator, places: Floats) -> Floats:
    """A departure drawn from the shipped prior of the model error."""
    prior = shipped_prior().hypotheses
    weights = np.array([each.weight for each in prior])
    chosen = prior[int(rng.choice(len(prior), p=weights / weights.sum()))]
    if chosen.size == 0:
        return np.zeros(len(places))
    root = np.linalg.cholesky(matern(places, places, chosen.length) + 1e-10 * np.eye(len(places)))
    return np.asarray(chosen.size * root @ rng.standard_normal(len(places)))


def interaction(n: Floats, d: Floats, *, times: float = 1.0) -> Floats:
    """Chinchilla's curve and a term in both sizes that its form lacks."""
    term = 0.25 * times * (n / 1e9) ** -0.25 * (d / 2e10) ** -0.25
    return np.asarray(CHINCHILLA.value(TRUTH, {"N": n, "D": d}) + term)


def farseer(n: Floats, d: Floats) -> Floats:
    """The law of arXiv:2506.10972, whose exponents depend on size."""
    b = -0.124 * n**0.1206 + 0.424
    return np.asarray(np.exp(-0.021 - 0.0049 * n**0.169) + np.exp(88.01 * n**-0.1 - 6.287) * d ** -np.exp(b))


_CHECKPOINTS = checkpoints()
_SEVEN_BY_FIVE = grid(7, 5, (8, 10), (9.6, 11.6))
DESIGNS = (
    Design("independent", "5 × 7 IsoFLOP runs, .5 %", isoflop(), gaussian(0.005)),
    Design("12 runs", "4 × 3 runs, .5 %", grid(4, 3, (8, 9.6), (9.6, 11)), gaussian(0.005)),
    Design("unequal", "5 × 7 IsoFLOP runs, 1.2 % falling as N^−½", isoflop(), unequal),
    Design(
        "shared by size",
        "7 × 5 runs, .4 % a size and .3 % a run",
        _SEVEN_BY_FIVE,
        shared(0.004, 0.003),
    ),
    Design(
        "heavy tails",
        "5 × 7 IsoFLOP runs, .4 % times t₂",
        isoflop(),
        lambda rng, n, d: 0.004 * rng.standard_t(2, n.size),
    ),
    Design("outliers", "5 × 7 IsoFLOP runs, .5 %, 5 % of them 8 % high", isoflop(), with_outliers),
    Design("checkpoints", "8 runs of 20, .5 % a run and .2 % a row", _CHECKPOINTS[:2], by_run, run=_CHECKPOINTS[2]),
    Design("E ≈ 0", "5 × 7 IsoFLOP runs, .5 %, E = .02", isoflop(), gaussian(0.005), params=LOW_FLOOR),
)
MODEL_ERROR = (
    Design("drawn from the prior", "5 × 7 IsoFLOP runs, .3 %", isoflop(), gaussian(0.003), discrepancy=of_the_prior),
    Design("an interaction", "5 × 7 IsoFLOP runs, .5 %", isoflop(), gaussian(0.005), params=None, curve=interaction),
    *(
        Design(
            f"{times} times that interaction",
            "5 × 7 IsoFLOP runs, .5 %",
            isoflop(),
            gaussian(0.005),
            params=None,
            curve=partial(interaction, times=times),
        )
        for times in (6, 10)
    ),
)
MISFIT = (
    MODEL_ERROR[1],
    Design(
        "an interaction on a grid",
        "7 × 5 runs, .5 %",
        _SEVEN_BY_FIVE,
        gaussian(0.005),
        params=None,
        curve=interaction,
    ),
    Design("Farseer's law", "5 × 7 IsoFLOP runs, .5 %", isoflop(), gaussian(0.005), params=None, curve=farseer),
)  # fmt: skip
