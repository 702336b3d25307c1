"""Groups of a table: which rows belong to which, checked, and the arrays of a law that all groups are fitted with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError, excerpt
from isoflop.fitting.coordinates import Coordinates, coordinates
from isoflop.fitting.fit import Problem
from isoflop.fitting.grouped import GroupRows, Pull, SharedSystem
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective import Objective
from isoflop.fitting.table import Table, fit_table
from isoflop.laws import Law
from isoflop.laws.expression import leaves
from isoflop.runs import Runs
from isoflop.runs.table import rows_phrase

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_JOIN = " / "
_NAMED = 5  # groups that a message names


@dataclass(frozen=True)
class Groups:
    """The groups of a table's rows: names in order, and the group of each row (rows,)."""

    by: tuple[str, ...]
    names: tuple[str, ...]
    codes: Ints

    def rows(self, name: str) -> NDArray[np.bool_]:
        """Which rows belong to a group, (rows,)."""
        return np.asarray(self.codes == self.names.index(name))


def groups_of(runs: Runs, by: Sequence[str]) -> Groups:
    """The groups of the rows by one column, or by the combinations of several, in the order of numbers or of letters.

    Raises DataError for a column that is not there or has missing cells, and for no column at all.
    """
    if not by:
        raise DataError("a panel needs a column whose values name the groups; give one (--by COLUMN)")
    labels: list[list[str]] = []
    keys: list[list[float] | list[str]] = []
    for column in by:
        words, order = _labels(runs, column)
        empty = [int(row) for row, word in zip(runs.rows, words, strict=True) if not word.strip()]
        if empty:
            raise DataError(
                f"{len(empty)} of {len(runs)} rows of {runs.source} have no {excerpt(column)} "
                f"({rows_phrase(empty)}), so their group is not known; fill the cells, or leave the rows out (--where)"
            )
        labels.append(words)
        keys.append(order)
    joined = [_JOIN.join(each) for each in zip(*labels, strict=True)]
    first = dict(zip(joined, zip(*keys, strict=True), strict=True))
    names = sorted(first, key=lambda name: first[name])
    place = {name: number for number, name in enumerate(names)}
    return Groups(tuple(by), tuple(names), np.array([place[name] for name in joined], dtype=np.int64))


def _labels(runs: Runs, column: str) -> tuple[list[str], list[float] | list[str]]:
    """What a column calls each row's group, numbers in few digits, and by what groups are ordered."""
    words = [word.strip() for word in runs.text(column)]
    try:
        numbers = [float(word) if word.strip() else math.nan for word in words]
    except ValueError:
        return words, words
    short = [f"{each:.6g}" if word.strip() else "" for each, word in zip(numbers, words, strict=True)]
    return (short if len(set(short)) == len(set(numbers)) else words), numbers


@dataclass(frozen=True)
class PanelProblem:
    """A law on a table in groups, ready to be solved for any weights; rows stand in the order of the groups.

    order: (rows,), which row of the runs stands where. bounds: (groups + 1,). shared, own: positions of coordinates.
    own_scale: whether each group has its own log σ, where the objective fits one.
    """

    law: Law
    runs: Runs
    groups: Groups
    table: Table
    objective: Objective
    coords: Coordinates
    kernel: Kernel
    target: Floats
    order: Ints
    bounds: Ints
    share: tuple[str, ...]
    pool: tuple[str, ...]
    own_scale: bool

    @property
    def shared(self) -> tuple[int, ...]:
        """Positions of the shared coordinates."""
        return tuple(at for at, name in enumerate(self.coords.names) if name in self.share)

    @property
    def own(self) -> tuple[int, ...]:
        """Positions of the groups' own coordinates, pooled ones among them."""
        return tuple(at for at, name in enumerate(self.coords.names) if name not in self.share)

    @property
    def pooled(self) -> tuple[int, ...]:
        """Positions of pooled coordinates among the own ones."""
        own = [self.coords.names[at] for at in self.own]
        return tuple(own.index(name) for name in self.coords.names if name in self.pool)

    def row_weights(self, weights: Floats | None) -> Floats | None:
        """Weights (problems, rows in the order of the groups), multiplied by those of the table."""
        if self.table.weights is None:
            return weights
        return self.table.weights[None] if weights is None else weights * self.table.weights

    def system(
        self, problems: int, *, weights: Floats | None = None, target: Floats | None = None, pull: Pull | None = None
    ) -> SharedSystem:
        """What the solver asks of that many problems, each of all groups."""
        own = self.row_weights(weights)
        if own is not None and len(own) == 1:
            own = np.repeat(own, problems, axis=0)
        return SharedSystem(
            *(self.kernel, self.target if target is None else target, self.objective, own),
            bounds=self.bounds,
            problems=problems,
            shared=self.shared,
            own=self.own,
            own_scale=self.own_scale,
            pull=pull,
        )

    def each_group(
        self,
        draw: Ints,
        group: Ints,
        *,
        weights: Floats | None = None,
        target: Floats | None = None,
        held: bool = False,
    ) -> GroupRows:
        """What the solver asks of problems of one group each; held: whether shared coordinates stay."""
        own = self.row_weights(weights)
        if own is not None and len(own) == 1:
            own = np.repeat(own, int(draw.max()) + 1, axis=0)
        return GroupRows(
            *(self.kernel, self.target if target is None else target, self.objective, own),
            bounds=self.bounds,
            draw=draw,
            group=group,
            held=self.shared if held else (),
        )

    def whole(self) -> Problem:
        """All rows as one group."""
        return Problem(self.law, self.table, self.objective, self.coords, self.kernel, self.target)

    def sharing(self, share: Sequence[str], *, own_scale: bool | None = None) -> PanelProblem:
        """The same rows with other parameters shared."""
        kept = self.own_scale if own_scale is None else own_scale
        return lay_out(self.law, self.runs, self.groups, self.objective, share, self.pool, own_scale=kept)


def panel_problem(
    law: Law,
    runs: Runs,
    groups: Groups,
    objective: Objective,
    share: Sequence[str],
    pool: Sequence[str],
) -> PanelProblem:
    """Check names and sizes of groups, and lay out the arrays.

    Raises FitError for a name that is no parameter of the law, or is to be both shared and pooled, and for groups with
    fewer rows than parameters of their own; DataError as :func:`fit_table`.
    """
    for name in (*share, *pool):
        if name not in law.param_names:
            raise FitError(
                f"{excerpt(name)} is no free parameter of {law.name}, so groups can neither share nor pool it; "
                f"there are {', '.join(law.param_names)}"
            )
    both = [name for name in share if name in pool]
    if both:
        raise FitError(f"{both[0]} is given as shared and as pooled; leave it out of --share or of --pool")
    if pool and not objective.smooth:
        raise FitError(
            f"{objective.name} has no curvature, from which the scatter between groups is estimated; pool with another "
            "objective (huber:1e-3), or leave out --pool"
        )
    # where nothing is shared the search fits each group alone, pooled parameters with it
    n_own = len(law.param_names) - len(set(share)) - (len(set(pool)) if share else 0)
    _check_sizes(law, runs, groups, n_own)
    all_shared = set(share) == set(law.param_names)
    return lay_out(law, runs, groups, objective, share, pool, own_scale=objective.fits_scale and not all_shared)


def lay_out(
    law: Law,
    runs: Runs,
    groups: Groups,
    objective: Objective,
    share: Sequence[str],
    pool: Sequence[str],
    *,
    own_scale: bool,
) -> PanelProblem:
    """The arrays of a law for groups that were checked."""
    table = fit_table(law, runs, space=objective.space)
    order = np.argsort(groups.codes, kind="stable")
    codes = groups.codes[order]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(groups.names)))]).astype(np.int64)
    _, runs_in_order = np.unique(np.stack([codes, table.run_codes[order]]), axis=1, return_inverse=True)
    table = replace(table.take(order), run_codes=np.asarray(runs_in_order).ravel().astype(np.int64))
    coords = shareable(law, share)
    kernel = Kernel(coords, table.inputs, space=objective.space)
    return PanelProblem(
        *(law, runs, groups, table, objective, coords, kernel, objective.target(table.loss), order, bounds),
        share=tuple(name for name in law.param_names if name in share),
        pool=tuple(name for name in law.param_names if name in pool),
        own_scale=own_scale,
    )


def shareable(law: Law, share: Sequence[str]) -> Coordinates:
    """Fitting coordinates in which to share a coordinate is to share the parameter.

    The coordinate of A in A/N^alpha is moved by alpha to the middle of the inputs; where A is shared and alpha is not,
    that would be another amplitude in each group, so A is then not moved.
    """
    uncentered: set[str] = set()
    while True:
        coords = coordinates(law, uncentered=sorted(uncentered))
        wrong = {
            label
            for label, inverse in zip(coords.names, coords.inverse, strict=True)
            if label in share
            and any(each.role == "coordinate" and each.of not in share for each in leaves(inverse) if each.of != label)
        }
        if not wrong - uncentered:
            return coords
        uncentered |= wrong


def _check_sizes(law: Law, runs: Runs, groups: Groups, n_own: int) -> None:
    sizes = np.bincount(groups.codes, minlength=len(groups.names))
    needed = max(1, n_own)
    small = [(name, int(size)) for name, size in zip(groups.names, sizes, strict=True) if size < needed]
    if not small:
        return
    column = groups.by[0] if len(groups.by) == 1 else _JOIN.join(groups.by)
    if len(small) > len(groups.names) / 2:
        measured = len(groups.by) == 1 and all(_is_number(name) for name in groups.names)
        why = ", which holds numbers," if measured else ""
        raise FitError(
            f"{column}{why} has {len(groups.names)} values over {len(runs)} rows of {runs.source}, and {len(small)} of "
            f"these groups have fewer rows than the {needed} parameters that each would have of its own; give a column "
            "that names larger groups (--by), or share more parameters (--share)"
        )
    told = ", ".join(f"{excerpt(name)} ({size})" for name, size in small[:_NAMED])
    more = f" and {len(small) - _NAMED} more" if len(small) > _NAMED else ""
    numbers = all(_is_number(name) for name in groups.names)
    drop = " and ".join(
        f"{_quoted(column)} != {name}" if numbers else f"{_quoted(column)} != '{name}'" for name, _ in small[:_NAMED]
    )
    raise FitError(
        f"{len(small)} of {len(groups.names)} groups of {runs.source} have fewer rows than the {needed} parameters of "
        f"{law.name} that each has of its own: {told}{more}; share or pool more of them (--share, --pool)"
        + (f', or leave the group out (--where "{drop}")' if len(groups.by) == 1 and not more else "")
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _quoted(column: str) -> str:
    return column if column.isidentifier() else f"`{column}`"
