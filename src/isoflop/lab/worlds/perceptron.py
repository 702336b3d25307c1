"""The perceptron world: a student learns a teacher's sign from examples kept hard, easy or at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from isoflop.errors import DataError, SpecError
from isoflop.runs import Runs

Floats = NDArray[np.float64]
Rule = Literal["hard", "easy", "random"]

RULES: tuple[Rule, ...] = get_args(Rule)
LOADS = (1, 2, 4, 8, 16)
KEEPS = (1.0, 0.5, 0.25)


@dataclass(frozen=True)
class PerceptronTruth:
    """ε = arccos(R) / π for the overlap R of student and teacher, which is exact; nothing is irreducible.

    Examples kept at random: ε ∝ D^-``random_exponent`` for many examples. The hardest examples by the teacher's own
    margin hold all the support vectors once examples abound, so that keeping only them costs nothing at all; where
    examples are scarce it costs more than keeping the easiest.
    """

    random_exponent: float = 1.0
    entropy: float = 0.0


def perceptron(
    *,
    dimension: int = 100,
    loads: Sequence[float] = LOADS,
    keeps: Sequence[float] = KEEPS,
    rules: Sequence[Rule] = RULES,
    probe_angle: float = 0.0,
    repetitions: int = 8,
    seed: int = 0,
) -> tuple[Runs, PerceptronTruth]:
    """ε = arccos(R) / π: one run a load, share kept, rule and repetition; exact test error, no test set.

    ``loads`` are examples per dimension before pruning, ``keeps`` the shares kept: the examples of smallest margin to a
    probe (``hard``), of largest (``easy``), or any (``random``). The probe lies ``probe_angle`` degrees from the
    teacher. The student is the direction of largest margin. Within a repetition all rules and shares prune the same
    examples, so that they compare in pairs; a load's repetition is one ``run``, the unit of resampling. Columns: N the
    dimension, D the examples kept, loss, family the rule, seed the repetition, run, ``load``, ``keep``. Sorscher et al.
    2022 (arXiv 2206.14486).
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown or not all(0 < keep <= 1 for keep in keeps) or min(loads) * dimension < 1:
        raise SpecError(
            f"rules {tuple(rules)}, shares {tuple(keeps)} and loads {tuple(loads)} cannot be pruned; rules are hard, "
            "easy and random, shares lie above 0 and up to 1, and a load gives at least one example"
        )
    rows: list[tuple[float, float, str, int, float, float]] = []
    for load in loads:
        for repetition in range(repetitions):
            rng = np.random.default_rng([seed, repetition, round(load * dimension)])
            teacher, probe = _teacher_and_probe(rng, dimension, np.radians(probe_angle))
            examples = rng.standard_normal((round(load * dimension), dimension))
            signed = examples * np.where(examples @ teacher >= 0, 1.0, -1.0)[:, None]
            order = {
                "hard": (margins := np.abs(examples @ probe)).argsort(),
                "easy": (-margins).argsort(),
                "random": rng.permutation(len(examples)),
            }
            whole: float | None = None
            for keep in keeps:
                for rule in rules:
                    kept = max(1, int(keep * len(examples)))
                    if kept < len(examples):
                        error = _error(signed[order[rule][:kept]], teacher)
                    else:  # nothing is pruned, whatever the rule
                        error = whole = _error(signed, teacher) if whole is None else whole
                    rows.append((float(kept), error, rule, repetition, load, keep))
    kept_column, losses, families, seeds, load_column, keep_column = zip(*rows, strict=True)
    runs = Runs.from_columns(
        {
            "N": np.full(len(rows), float(dimension)),
            "D": kept_column,
            "loss": losses,
            "family": families,
            "seed": seeds,
            "run": [f"load {load:g}, repetition {each}" for load, each in zip(load_column, seeds, strict=True)],
            "load": np.asarray(load_column, dtype=float),
            "keep": keep_column,
        },
        source="the perceptron world",
        units={"loss": "error rate"},
        conventions={"N": "total"},
    )
    return runs, PerceptronTruth()


def largest_margin(signed: Floats) -> Floats:
    """ŵ = argmax over |w| = 1 of min_i w · x_i y_i: the hard-margin support vector machine, exactly.

    signed: the examples times their labels, shape (examples, dimension). Solved as the least-distance problem
    min |w| with w · x_i y_i ≥ 1, whose dual is non-negative least squares (Lawson and Hanson 1974, chapter 23): an
    active-set method that ends at the solution, where iterative solvers stop short at many examples. Raises DataError
    where no direction separates the examples.
    """
    system = np.vstack([signed.T, np.ones(len(signed))])
    target = np.zeros(len(system))
    target[-1] = 1.0
    weights, distance = nnls(system, target, maxiter=50 * len(signed))
    residual = system @ weights - target
    if distance < 1e-9 or residual[-1] > -1e-12:
        raise DataError(f"no direction through the origin separates these {len(signed)} examples; check their labels")
    direction: Floats = -residual[:-1] / residual[-1]
    return direction / np.linalg.norm(direction)


def _error(signed: Floats, teacher: Floats) -> float:
    return float(np.arccos(np.clip(largest_margin(signed) @ teacher, -1.0, 1.0)) / np.pi)


def _teacher_and_probe(rng: np.random.Generator, dimension: int, angle: float) -> tuple[Floats, Floats]:
    """Two unit vectors at ``angle`` radians."""
    teacher = rng.standard_normal(dimension)
    teacher /= np.linalg.norm(teacher)
    if angle == 0:
        return teacher, teacher
    aside = rng.standard_normal(dimension)
    aside -= (aside @ teacher) * teacher
    aside /= np.linalg.norm(aside)
    return teacher, np.cos(angle) * teacher + np.sin(angle) * aside
