"""The low-rank world: softmax students of a source whose entropy is known, in an IsoFLOP design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isoflop.errors import SpecError
from isoflop.lab.worlds.low_rank_source import LowRankSource, low_rank_source
from isoflop.lab.worlds.low_rank_students import Student, student_parameters, train_on_population, train_students
from isoflop.runs import Runs

BUDGETS = (3e8, 1e9, 3e9, 1e10)
RANKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
QUICK_BUDGETS = (3e8, 1e9)


@dataclass(frozen=True)
class LowRankTruth:
    """What is exactly known: every law's E is ``entropy``, H(Y|X) in nats/token.

    The approach to it is close to a power law and is not one: the local exponent steepens with the rank, so that a
    fitted E comes out below ``entropy``.
    """

    entropy: float
    source: LowRankSource


def low_rank(
    *,
    budgets: Sequence[float] = BUDGETS,
    ranks: Sequence[int] = RANKS,
    learning_rates: Sequence[float] = (0.01, 0.03),
    tokens: tuple[float, float] = (3_000, 1_200_000),
    batch: int = 128,
    seeds: Sequence[int] = (0,),
    source: LowRankSource | None = None,
) -> tuple[Runs, LowRankTruth]:
    """L(N, D) ≥ H(Y|X): rank-r softmax students trained online, C = 6 N D at each of ``budgets``.

    A cell is a budget, a rank and a seed; its loss is the best over ``learning_rates``, which are compared by the exact
    loss (nats/token), so that choosing among them adds no noise. Cells whose tokens fall outside the range ``tokens``
    are left out. N counts all parameters; D is whole batches, so C lies up to one batch below ``budget``. The default
    design has 37 cells and takes about fifteen seconds on one core; ``budgets=QUICK_BUDGETS`` has 20 cells and takes
    three.
    """
    source = source or low_rank_source()
    cells = [
        (budget, rank, int(budget / 6 / student_parameters(source, rank)), seed)
        for budget in budgets
        for rank in ranks
        for seed in seeds
    ]
    cells = [cell for cell in cells if tokens[0] <= cell[2] <= tokens[1]]
    if not cells or not learning_rates:
        raise SpecError(
            f"no cell of budgets {tuple(budgets)} and ranks {tuple(ranks)} has between {tokens[0]:g} and "
            f"{tokens[1]:g} tokens and a learning rate; widen one of them"
        )
    students = [Student(rank, count, rate, seed) for _, rank, count, seed in cells for rate in learning_rates]
    losses = train_students(source, students, batch=batch).reshape(len(cells), len(learning_rates))
    best = losses.argmin(axis=1)
    params = np.array([student_parameters(source, rank) for _, rank, _, _ in cells], dtype=np.float64)
    steps = np.array([count // batch for _, _, count, _ in cells])
    runs = Runs.from_columns(
        {
            "N": params,
            "D": steps * float(batch),
            "C": 6 * params * steps * batch,
            "loss": losses[np.arange(len(cells)), best],
            "seed": [seed for *_, seed in cells],
            "step": steps,
            "lr": np.asarray(learning_rates)[best],
            "batch": np.full(len(cells), batch),
            "schedule": ["cosine"] * len(cells),
            "rank": [rank for _, rank, _, _ in cells],
            "budget": [budget for budget, *_ in cells],
        },
        source="the low-rank world",
        units={"loss": "nats/token"},
        conventions={"N": "total", "C": "6ND"},
    )
    return runs, LowRankTruth(source.entropy, source)


def low_rank_population(
    *,
    ranks: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    steps: int = 600,
    learning_rate: float = 0.05,
    seed: int = 0,
    source: LowRankSource | None = None,
) -> tuple[Runs, LowRankTruth]:
    """L(N, D = ∞) ≥ H(Y|X): students trained on the expected gradient, so that only their rank holds them back.

    Without ``source``: 768 contexts of equal probability, 256 symbols, H(Y|X) = 3.9722 nats. Loss in nats/token; there
    is no column of tokens.
    """
    source = source or low_rank_source(contexts=768, symbols=256, context_power=0.0)
    losses = [train_on_population(source, rank, steps=steps, learning_rate=learning_rate, seed=seed) for rank in ranks]
    runs = Runs.from_columns(
        {
            "N": [float(student_parameters(source, rank)) for rank in ranks],
            "loss": losses,
            "seed": [seed] * len(ranks),
            "step": [steps] * len(ranks),
            "lr": [learning_rate] * len(ranks),
            "rank": list(ranks),
        },
        source="the low-rank world, endless data",
        units={"loss": "nats/token"},
        conventions={"N": "total"},
    )
    return runs, LowRankTruth(source.entropy, source)
