"""Whether the parameters of all groups are equal, by fits in which they share them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from isoflop.errors import IsoflopError
from isoflop.fitting import Objective
from isoflop.fitting.panel import fit_panel
from isoflop.laws import Law
from isoflop.planning.comparison.groups import Group
from isoflop.runs import Runs
from isoflop.uncertainty.sharing import SharingTest, sharing_test
from isoflop.values import Value

GROUP = "group of the comparison"
MOST_GROUPS = 12  # of which each pair of group and parameter is simulated in seconds


@dataclass(frozen=True)
class Equality(Value):
    """Tests that a parameter is the same in all groups.

    each: parameter → p-value, the other parameters still each group's own. method: ``likelihood-ratio`` or
    ``bootstrap``. Both take runs of different groups for independent; where groups share noise the p-values are too
    large, and the differences over paired draws say more.
    """

    each: dict[str, float]
    method: str
    level: float

    @property
    def rejected(self) -> tuple[str, ...]:
        """The parameters whose equality is rejected at 1 − level."""
        return tuple(name for name, p in self.each.items() if p < 1 - self.level)


def equality(
    groups: Sequence[Group], law: Law, objective: Objective, *, level: float, starts: int, seed: int
) -> Equality | None:
    """For each parameter the fit in which groups share it alone against that in which they share nothing.

    None where the law, the objective or the number of groups allows no such fit.
    """
    if len(groups) > MOST_GROUPS or law.list_inputs or law.prepared:
        return None
    try:
        runs = joined(groups, law)
        found: dict[str, float] = {}
        test: SharingTest | None = None
        for name in law.param_names:
            panel = fit_panel(law, runs, by=GROUP, share=(name,), objective=objective, starts=starts, seed=seed)
            test = sharing_test(panel, draws=199, seed=seed, level=1 - level, parameters=False)
            found[name] = test.p_value
    except IsoflopError:
        return None
    return None if test is None else Equality(found, test.method, level)


def joined(groups: Sequence[Group], law: Law) -> Runs:
    """One table of what the law needs of all groups, with a column of their names."""
    wanted = [*law.input_names, law.response]
    kept = [name for name in ("run", "seed") if all(name in each.runs.frame.columns for each in groups)]
    columns: dict[str, object] = {
        name: np.concatenate([each.runs[name] for each in groups]) for name in dict.fromkeys(wanted)
    }
    for name in kept:
        columns[name] = [text for each in groups for text in each.runs.text(name)]
    columns[GROUP] = [each.name for each in groups for _ in range(len(each.runs))]
    if "run" in columns:  # runs of two groups may have one name
        columns["run"] = [f"{name} {run}" for name, run in zip(columns[GROUP], columns["run"], strict=True)]  # type: ignore[call-overload]
    frame = pl.DataFrame(columns)
    return Runs.from_columns({name: frame[name].to_numpy() for name in frame.columns}, source=groups[0].runs.source)
