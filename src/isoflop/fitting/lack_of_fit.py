"""A law whose form is not that of the runs: residuals that go together, or that terms of second order explain."""

from __future__ import annotations

from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting.score_test import ScoreTest, Slopes, score_test, score_test_in_groups
from isoflop.fitting.table import Table
from isoflop.runs.checks.design import fewer_values

Floats = NDArray[np.float64]

CHANCE = 0.005  # of each of the two tests
_FEWEST = 12  # runs below which a pattern among residuals cannot be told from chance
_MOST = 1_500  # runs whose distances are looked at, so that they fit in memory
_MOST_TESTED = 20_000
_PERMUTATIONS = 499
_TOGETHER = 0.2  # rank correlation below which a pattern is too weak to speak of
_ROUNDING = 1e-10  # residuals below which a fit is exact and their pattern is that of rounding
_FEWEST_GROUPS = 5
_VALUES = 3  # of an input, below which nothing bends along it


def structure_findings(table: Table, residual: Floats, slopes: Slopes) -> list[Finding]:
    """Structured residuals, by two tests: of neighbors, and of terms of second order that the law lacks.

    The second is a score test (:func:`isoflop.fitting.score_test.score_test`) on the squares and products of the
    logarithms of the inputs. It finds a smooth misfit that neighbors hide in their noise.
    """
    if table.n_runs < _FEWEST or np.abs(residual).max() < _ROUNDING:
        return []
    says = _neighbors(table, residual) or _bent(table, slopes)
    if says is None:
        return []
    return [
        Finding(
            "structured-residuals",
            "warning",
            f"{says}: the form of the law does not match these runs, and no interval if the law holds covers that.",
            "Try another law, fit the largest runs alone (--where), or look whether a group of runs was trained "
            "differently.",
        )
    ]


def second_order(table: Table) -> tuple[tuple[str, ...], Floats]:
    """Squares and products of standardized log inputs (of the inputs where they may be zero or less), by run.

    Returns their names and values (runs, terms); an input with fewer than three values is left out.
    """
    size = np.bincount(table.run_codes).astype(np.float64)
    names, columns = [], []
    for name, values in table.by_row.items():
        positive = bool((values > 0).all())
        place = np.bincount(table.run_codes, np.log(values) if positive else values) / size
        if fewer_values(place, _VALUES, decimals=9):
            continue
        names.append(f"log {name}" if positive else name)
        columns.append((place - place.mean()) / max(float(place.std()), 1e-300))
    pairs = list(combinations_with_replacement(range(len(names)), 2))
    words = tuple(f"({names[i]})²" if i == j else f"{names[i]} · {names[j]}" for i, j in pairs)
    terms = [columns[i] * columns[j] for i, j in pairs]
    return words, np.column_stack(terms) if terms else np.empty((len(size), 0))


def _bent(table: Table, slopes: Slopes) -> str | None:
    """What the score test says, in words; None where chance may explain it."""
    words, terms = second_order(table)
    if not words:
        return None
    test = _second_order_test(slopes, table, terms)
    if test is None or test.chance > CHANCE:
        return None
    often = f"once in {1 / test.chance:,.0f} tables" if test.chance > 1e-6 else "less than once in a million tables"
    return (
        f"terms in {', '.join(words)}, which the law lacks, would explain its residuals (score test: F = "
        f"{test.statistic:.2g} with {test.terms} and {test.freedom} degrees of freedom; by chance {often})"
    )


def second_order_test(slopes: Slopes, table: Table) -> ScoreTest | None:
    """The score test of :func:`second_order`, by groups where runs of one value of an input err together.

    An error that all runs of one size share is no lack of fit: it looks like one to a test that counts the runs as
    independent. So the terms must hold against what runs of one value of an input (five values or more, two runs each
    or more) share beyond them.
    """
    return _second_order_test(slopes, table, second_order(table)[1])


def _second_order_test(slopes: Slopes, table: Table, terms: Floats) -> ScoreTest | None:
    kept = np.arange(table.n_runs)
    if table.n_runs > _MOST_TESTED:
        kept = np.sort(np.random.default_rng(0).choice(table.n_runs, _MOST_TESTED, replace=False))
        slopes, terms = slopes.take(kept), terms[kept]
    test = score_test(slopes, terms)
    if test is None or test.chance > CHANCE:
        return test
    for each in _groups(table, kept):
        found = score_test_in_groups(slopes, terms, each)
        if found is not None and found.chance > test.chance:
            test = found
    return test


def _groups(table: Table, kept: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The group of each run that is kept, by its value of each input that makes groups of these runs."""
    found = []
    for values in table.by_row.values():
        first = np.zeros(table.n_runs)
        first[table.run_codes[::-1]] = values[::-1]
        if (first[table.run_codes] != values).any():
            continue  # checkpoints of one run differ in it
        codes = np.unique(first[kept], return_inverse=True)[1].ravel().astype(np.int64)
        if _FEWEST_GROUPS <= int(codes.max()) + 1 <= len(kept) // 2:
            found.append(codes)
    return found


def _neighbors(table: Table, residual: Floats) -> str | None:
    """How far residuals of runs that lie next to each other go together, in words; None where chance may explain it.

    Each run has one residual, the mean over its rows, and one neighbor, the nearest other run in standardized log
    inputs. Their rank correlation is compared with 499 random rearrangements of the residuals.
    """
    rng = np.random.default_rng(0)
    size = np.bincount(table.run_codes).astype(np.float64)
    mean = np.bincount(table.run_codes, weights=residual) / size
    place = np.column_stack(
        [
            np.bincount(table.run_codes, weights=np.log(values) if (values > 0).all() else values) / size
            for values in table.by_row.values()
        ]
    )
    if table.n_runs > _MOST:
        kept = np.sort(rng.choice(table.n_runs, _MOST, replace=False))
        mean, place = mean[kept], place[kept]
    place = (place - place.mean(axis=0)) / np.maximum(place.std(axis=0), 1e-12)
    apart = np.zeros((len(place), len(place)))
    for column in place.T:
        apart += (column[:, None] - column[None]) ** 2
    np.fill_diagonal(apart, np.inf)
    neighbor = apart.argmin(axis=1)
    rank = np.argsort(np.argsort(mean)).astype(np.float64)
    rank = (rank - rank.mean()) / rank.std()
    together = float(np.mean(rank * rank[neighbor]))
    if together < _TOGETHER:  # whatever chance says of it
        return None
    shuffled = rng.permuted(np.tile(rank, (_PERMUTATIONS, 1)), axis=1)
    chance = (1 + int(((shuffled * shuffled[:, neighbor]).mean(axis=1) >= together).sum())) / (_PERMUTATIONS + 1)
    if chance > CHANCE:
        return None
    return (
        f"residuals of neighboring runs are correlated (rank correlation {together:.2f}; by chance once in "
        f"{1 / chance:.0f} tables)"
    )
