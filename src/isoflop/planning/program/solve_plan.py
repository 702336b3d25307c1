"""The least of a plan's problem for every draw: menus and whole numbers by trial, everything else by search.

At the fit the search begins at many points of the bounds, so that the best of several local minima is found; each draw
begins at those of the fit, and anew where that fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import Expr
from isoflop.planning.program.interior_point import FEASIBLE, Solutions, minimize
from isoflop.planning.program.plan_program import plan_program
from isoflop.planning.program.problem import Problem
from isoflop.planning.program.smooth_program import SmoothProgram
from isoflop.planning.program.unknowns import Unknown
from isoflop.values import Value

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_COMBINATIONS = 2_000  # of menus and short ranges of whole numbers
_SHORT = 32  # whole numbers that are all tried
_STARTS = 40
_CHUNK = 20_000  # rows that are solved at once, which bounds the memory
_SNAP = 1e-7  # of a coordinate, from a bound of the user's
_AT_END = 0.02  # of a coordinate, from an open bound


@dataclass(frozen=True)
class Optima(Value):
    """The optimum of each draw, (rows,): every unknown's value, the objective on its scale, and what it rests on.

    scaled: the objective, or its logarithm. met: whether every condition holds. open: unknown and side (``low``,
    ``high``) → draws whose objective gets no worse all the way there. combination: which of the menus' combinations.
    multipliers: of every inequality, (rows, m).
    """

    values: Mapping[str, Floats]
    scaled: Floats
    met: Mask
    open: Mapping[tuple[str, str], Mask]
    combination: NDArray[np.intp]
    multipliers: Floats

    @property
    def inside(self) -> Mask:
        """Draws with an optimum."""
        found = self.met.copy()
        for each in self.open.values():
            found &= ~each
        return found


@dataclass(frozen=True)
class AtFit(Value):
    """The optimum at the fit, that of each combination of menus that meets the conditions, and where draws begin."""

    optima: Optima
    listed: tuple[Optima, ...]
    begins: tuple[Floats, ...]


@dataclass(frozen=True)
class _Best(Value):
    """The best point of each draw and combination: y (draws, combinations, n), its value and multipliers."""

    y: Floats
    value: Floats
    multipliers: Floats


@dataclass(frozen=True)
class PlanSolver(Value):
    """A problem with what its solution needs.

    params: of the fit. ranges: of the runs. seed: of the points from which the search begins.
    """

    problem: Problem
    params: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    seed: int = 0

    @cached_property
    def log_response(self) -> bool:
        """Whether the response at the fit is above 0 wherever the search begins, so that its logarithm is taken."""
        starts = self.starts(200)
        row = self.combinations[np.arange(200) % len(self.combinations)]
        values = {each.name: each.value(starts[:, column]) for column, each in enumerate(self.searched)}
        with np.errstate(all="ignore"):
            found = np.asarray(array_value(self.problem.response, {**self.leaves(self.params, row), **values}))
        return bool((found[np.isfinite(found)] > 0).all())

    @cached_property
    def listed(self) -> tuple[Unknown, ...]:
        """The unknowns whose values are all tried."""
        return tuple(each for each in self.problem.unknowns if each.menu or (each.integer and _short(each)))

    @cached_property
    def rounded(self) -> tuple[Unknown, ...]:
        """Whole numbers of a long range: searched without rounding first, then on both sides of what was found."""
        return tuple(each for each in self.problem.unknowns if each.integer and each not in self.listed)

    @cached_property
    def searched(self) -> tuple[Unknown, ...]:
        """The unknowns of the relaxed program."""
        return (*self.rounded, *self.problem.continuous)

    @cached_property
    def relaxed(self) -> SmoothProgram:
        """The program in which whole numbers of a long range may be any."""
        return plan_program(self.problem, self.searched, log_response=self.log_response)

    @cached_property
    def pinned(self) -> SmoothProgram:
        """The program in which they have values."""
        return plan_program(self.problem, self.problem.continuous, log_response=self.log_response)

    @cached_property
    def combinations(self) -> Floats:
        """Every combination of the listed unknowns, (combinations, listed)."""
        lists = [each.menu or tuple(np.arange(np.ceil(each.low), each.high + 0.5)) for each in self.listed]
        count = int(np.prod([len(each) for each in lists])) if lists else 1
        if count > MOST_COMBINATIONS:
            raise IsoflopError(
                f"the menus make {count:,} combinations, and at most {MOST_COMBINATIONS:,} are tried; shorten one"
            )
        if any(not len(each) for each in lists):
            short = next(each.name for each, own in zip(self.listed, lists, strict=True) if not len(own))
            raise IsoflopError(f"no whole number lies between the bounds of {short}; loosen one of them")
        return np.array(list(itertools.product(*lists)), dtype=np.float64).reshape(count, len(lists))

    def leaves(
        self, params: Mapping[str, Floats | float] | Mapping[str, Floats], combination: Floats
    ) -> dict[str, Floats | float]:
        """Every name with a value: parameters (rows,), given quantities, the listed unknowns (rows, listed)."""
        listed = {each.name: combination[:, column] for column, each in enumerate(self.listed)}
        return {**self.problem.fixed, **params, **listed}

    def at_fit(self) -> AtFit:
        """The optimum at the fit, that of every combination, and the points at which draws begin."""
        one = {label: np.array([float(value)]) for label, value in self.params.items()}
        count = len(self.combinations)
        starts = self.starts(_STARTS if count <= 50 else 12)
        found = self._solve(one, [starts] * count)
        best = self._best(found, one, 1, [len(starts)] * count)
        begins = []
        for each in found:
            kept = np.flatnonzero(each.solved)
            order = kept[np.argsort(each.value[kept], kind="stable")]
            chosen: list[Floats] = []
            for row in order:
                if all(np.abs(each.y[row] - other).max(initial=0.0) > 0.05 for other in chosen):
                    chosen.append(each.y[row])
                if len(chosen) == (3 if count <= 5 else 1):
                    break
            begins.append(np.array(chosen).reshape(len(chosen), len(self.searched)))
        listed = tuple(
            self._optima(best, one, 1, chosen=np.array([place]))
            for place in range(count)
            if count > 1 and np.isfinite(best.value[0, place])
        )
        return AtFit(self._optima(best, one, 1), listed, tuple(begins))

    def at_draws(self, params: Mapping[str, Floats], begins: Sequence[Floats]) -> Optima:
        """The optimum of every draw, (draws,) each."""
        draws = len(next(iter(params.values())))
        found = self._solve(params, begins, barrier=1e-2)
        best = self._best(found, params, draws, [len(each) for each in begins])
        lost = np.flatnonzero(~np.isfinite(best.value.min(axis=1)))
        if len(lost):
            some = {label: each[lost] for label, each in params.items()}
            starts = self.starts(12)
            again = self._best(self._solve(some, [starts] * len(begins)), some, len(lost), [len(starts)] * len(begins))
            best.y[lost], best.value[lost], best.multipliers[lost] = again.y, again.value, again.multipliers
        return self._optima(best, params, draws)

    def starts(self, count: int) -> Floats:
        """Points within the bounds: some around the runs, some anywhere; shares from a flat Dirichlet."""
        random = np.random.default_rng(self.seed)
        found = np.empty((count, len(self.searched)))
        for column, each in enumerate(self.searched):
            low, high = each.ends
            known = self.ranges.get(each.name)
            places = random.uniform(low, high, count)
            if known is not None and each.logarithmic and known[1] > 0:
                ends = each.coordinate(np.maximum(np.array(known), each.low))
                near = random.uniform(ends[0] - 3, ends[1] + 8, count)
                places[: count // 2] = np.clip(near, low, high)[: count // 2]
            found[:, column] = places
        shares = [column for column, each in enumerate(self.searched) if each.share]
        if shares:
            mixed = random.dirichlet(np.ones(len(shares)), count)
            mixed[0] = 1 / len(shares)
            for place, column in enumerate(shares):
                found[:, column] = self.searched[column].coordinate(mixed[:, place])
        return found

    def _solve(
        self, params: Mapping[str, Floats], starts: Sequence[Floats], *, barrier: float = 0.1
    ) -> list[Solutions]:
        """Every draw from every start of each combination; rows are (start, draw), the draw running fastest."""
        draws = len(next(iter(params.values())))
        counts = [len(each) * draws for each in starts]
        combination = np.repeat(self.combinations, counts, axis=0)
        begin = np.concatenate([np.repeat(each, draws, axis=0) for each in starts])
        wide = {label: np.tile(each, len(begin) // draws) for label, each in params.items()}
        parts = []
        for first in range(0, len(begin), _CHUNK):
            rows = slice(first, first + _CHUNK)
            some = {label: each[rows] for label, each in wide.items()}
            parts.append(self._search(self.leaves(some, combination[rows]), begin[rows], barrier))
        whole = Solutions(*(np.concatenate([getattr(p, key) for p in parts]) for key in vars(parts[0])))
        ends = np.cumsum(counts)
        return [
            Solutions(*(getattr(whole, key)[end - count : end] for key in vars(whole)))
            for end, count in zip(ends, counts, strict=True)
        ]

    def _search(self, leaves: Mapping[str, Floats | float], begin: Floats, barrier: float) -> Solutions:
        if not self.searched:  # everything is listed: nothing to search
            return _evaluated(self.relaxed, leaves, begin)
        found = minimize(self.relaxed, leaves, begin, barrier=barrier)
        return found if not self.rounded else self._round(found, leaves)

    def _round(self, found: Solutions, leaves: Mapping[str, Floats | float]) -> Solutions:
        """The best of all whole numbers next to a relaxed optimum, everything else searched again."""
        count = len(self.rounded)
        relaxed = np.stack([each.value(found.y[:, column]) for column, each in enumerate(self.rounded)], axis=1)
        best = Solutions(*(each.copy() for each in vars(found).values()))
        best.value[:], best.violation[:], best.error[:] = np.inf, np.inf, np.inf
        low = np.array([np.ceil(each.low) for each in self.rounded])
        high = np.array([np.floor(each.high) for each in self.rounded])
        for steps in itertools.product((0.0, 1.0), repeat=count):
            whole = np.clip(np.floor(relaxed) + np.array(steps), low, high)
            own = {**leaves, **{each.name: whole[:, column] for column, each in enumerate(self.rounded)}}
            if self.problem.continuous:
                trial = minimize(self.pinned, own, found.y[:, count:], barrier=1e-2)
            else:
                trial = _evaluated(self.pinned, own, found.y[:, count:])
            better = trial.solved & (trial.value < best.value)
            with np.errstate(all="ignore"):
                exact = np.stack(
                    [np.log(whole[:, c]) if e.logarithmic else (whole[:, c] - e.low) / (e.high - e.low)
                     for c, e in enumerate(self.rounded)], axis=1,
                )  # fmt: skip
            best.y[better] = np.concatenate([exact, trial.y], axis=1)[better]
            best.value[better], best.violation[better] = trial.value[better], trial.violation[better]
            best.error[better], best.multipliers[better] = trial.error[better], trial.multipliers[better]
        return best

    def _best(self, found: list[Solutions], params: Mapping[str, Floats], draws: int, starts: list[int]) -> _Best:
        """The best start of each draw and combination."""
        n, m = len(self.searched), len(self.relaxed.inequalities)
        y = np.zeros((draws, len(found), n))
        value = np.full((draws, len(found)), np.inf)
        multipliers = np.zeros((draws, len(found), m))
        rows = np.arange(draws)
        for place, (each, count) in enumerate(zip(found, starts, strict=True)):
            if not count:
                continue
            own = np.where(each.solved, each.value, np.inf).reshape(count, draws)
            start = own.argmin(axis=0)
            value[:, place] = own[start, rows]
            y[:, place] = each.y.reshape(count, draws, n)[start, rows]
            multipliers[:, place] = each.multipliers.reshape(count, draws, m)[start, rows]
        return _Best(y, value, multipliers)

    def _optima(
        self, best: _Best, params: Mapping[str, Floats], draws: int, *, chosen: NDArray[np.intp] | None = None
    ) -> Optima:
        rows = np.arange(draws)
        chosen = best.value.argmin(axis=1) if chosen is None else chosen
        y, scaled = best.y[rows, chosen], best.value[rows, chosen]
        combination = self.combinations[chosen]
        values = {each.name: _on_bounds(each, y[:, column]) for column, each in enumerate(self.searched)}
        values |= {each.name: np.rint(values[each.name]) for each in self.rounded}
        values |= {each.name: combination[:, column] for column, each in enumerate(self.listed)}
        met = np.isfinite(scaled)
        return Optima(
            values={each: values[each] for each in self.problem.names},
            scaled=scaled,
            met=met,
            open=self._open(y, scaled, met, self.leaves(params, combination)),
            combination=chosen,
            multipliers=best.multipliers[rows, chosen],
        )

    def _open(
        self, y: Floats, scaled: Floats, met: Mask, leaves: Mapping[str, Floats | float]
    ) -> dict[tuple[str, str], Mask]:
        """Draws whose objective gets no worse as an unknown goes to a bound that is nobody's, or that end up there."""
        found = {}
        for column, each in enumerate(self.searched):
            for side, is_open, end in (("low", each.low_open, each.ends[0]), ("high", each.high_open, each.ends[1])):
                if not is_open:
                    continue
                there = y.copy()
                there[:, column] = end
                with np.errstate(all="ignore"):
                    values = self.relaxed.values(there, leaves)
                k = 1 + len(self.relaxed.inequalities)
                holds = np.maximum(
                    values[:, 1:k].max(axis=1, initial=-np.inf), np.abs(values[:, k:]).max(axis=1, initial=0.0)
                )
                no_worse = (holds <= FEASIBLE) & (values[:, 0] <= scaled + 1e-9 * (1 + np.abs(scaled)))
                found[each.name, side] = met & (no_worse | (np.abs(y[:, column] - end) < _AT_END))
        return found

    def natural(self, optima: Optima, params: Mapping[str, Floats], expression: Expr) -> Floats:
        """A formula at the optimum of every draw, in its own unit, (draws,)."""
        draws = len(optima.scaled)
        leaves: dict[str, Floats | float] = {**self.problem.fixed, **params, **optima.values}
        return np.broadcast_to(np.asarray(array_value(expression, leaves), dtype=np.float64), (draws,))


def _on_bounds(each: Unknown, coordinate: Floats) -> Floats:
    """An unknown's values, those next to a bound of the user's on it."""
    values = each.value(coordinate)
    for bound, is_open, end in ((each.low, each.low_open, each.ends[0]), (each.high, each.high_open, each.ends[1])):
        if not is_open:
            values = np.where(np.abs(coordinate - end) <= _SNAP, bound, values)
    return values


def _short(each: Unknown) -> bool:
    return not each.low_open and not each.high_open and each.high - each.low < _SHORT


def _evaluated(program: SmoothProgram, leaves: Mapping[str, Floats | float], begin: Floats) -> Solutions:
    """Points that have nothing to search, as they are."""
    with np.errstate(all="ignore"):
        values = program.values(begin, leaves)
    k = 1 + len(program.inequalities)
    violation = np.maximum(values[:, 1:k].max(axis=1, initial=0.0), np.abs(values[:, k:]).max(axis=1, initial=0.0))
    value = np.where(np.isfinite(violation), values[:, 0], np.inf)
    return Solutions(begin, value, violation, np.zeros(len(begin)), np.zeros((len(begin), k - 1)))
