"""What resampling takes together: runs, or groups of runs whose errors go together beyond the law."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Fit
from isoflop.fitting.doubts import is_noiseless
from isoflop.fitting.fit import Problem
from isoflop.fitting.score_test import ScoreTest, Slopes, group_test, slopes_of
from isoflop.runs import Runs
from isoflop.values import Value

Ints = NDArray[np.int64]

BY_RUN = "run"  # the word for runs as they are
SHARED_BY = ("N", "N_nonembed", "N_active", "family", "schedule", "batch")  # columns that are tested
CHANCE = 0.03  # of the test, shared among the columns tested; where residuals are unequal it errs up to twice as often
FEWEST_GROUPS = 5  # to be resampled without being asked
_FEWEST_ASKED = 3
_PER_GROUP = 2  # runs in a group, on average, below which a column hardly groups them
_SEPARATE = 1e-6  # share of the strongest direction below which the rest of the runs leave a parameter open


@dataclass(frozen=True)
class Unit(Value):
    """What is drawn together. column: its name, ``run`` for single runs. codes: each run's group, (runs,)."""

    column: str
    codes: Ints

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.codes.max()) + 1

    @property
    def grouped(self) -> bool:
        """Whether any of them is more than one run."""
        return self.count < len(self.codes)

    @property
    def words(self) -> str:
        """``runs``, or ``N (7 groups)``."""
        return f"{self.column} ({self.count} groups)" if self.grouped else "runs"


def resampling_unit(fit: Fit, ready: Problem, *, by: str | None = None) -> tuple[Unit, tuple[Finding, ...]]:
    """What the draws of a fit resample, and what there is to say of it.

    by: a column of the runs whose equal values are drawn together; ``run`` for runs as they are; None for runs, or for
    the column of ``SHARED_BY`` by which residuals differ beyond the law, where an analysis of variance of their normal
    scores says so (at a chance of 3 % for all columns together) and it has five groups or more.
    Raises IsoflopError and DataError as :func:`unit_by`.
    """
    runs, table = fit.require_runs(), ready.table
    each = Unit(BY_RUN, np.arange(table.n_runs))
    if by is not None:
        return unit_by(runs, table.run_codes, by), ()
    residual = np.asarray(fit.data.residuals)
    if is_noiseless(table, residual, log_loss=fit.objective.of_logarithms):
        return each, ()
    shared = shared_errors(slopes_of(ready.kernel, table, ready.target, fit.theta), runs, table.run_codes)
    if shared is None:
        return each, ()
    unit, test, determined = shared
    enough = unit.count >= FEWEST_GROUPS and determined
    return (unit if enough else each), (_shared_finding(unit, test, used=enough),)


def unit_by(runs: Runs, run_codes: Ints, column: str) -> Unit:
    """The unit that was asked for: ``run``, or a column.

    Raises IsoflopError for a column with fewer than three groups, or one in which a run lies in several groups;
    DataError for one that the runs lack.
    """
    if column == BY_RUN:
        return Unit(BY_RUN, np.arange(int(run_codes.max()) + 1))
    found = groups_of(runs, run_codes, column)
    if found is None:
        raise IsoflopError(
            f"rows of one run have several values of {column}, so it groups no runs; resample by a column that has one "
            "value in each run (--resample-by run for the runs themselves)"
        )
    if found.count < _FEWEST_ASKED:
        raise IsoflopError(
            f"resampling by {column} needs {_FEWEST_ASKED} groups, and {runs.source} has {found.count}; take another "
            "column, or leave --resample-by out"
        )
    return found


def groups_of(runs: Runs, run_codes: Ints, column: str) -> Unit | None:
    """The runs by their values of a column; None where rows of one run differ in it.

    A run without a value is a group of its own.
    """
    values = np.asarray(runs.text(column), dtype=np.str_)
    n_runs = int(run_codes.max()) + 1
    first = np.full(n_runs, -1)
    first[run_codes[::-1]] = np.arange(len(run_codes))[::-1]
    if (values != values[first][run_codes]).any():
        return None
    values = values[first]
    alone = values == ""
    labels, codes = np.unique(values[~alone], return_inverse=True)
    found = np.empty(n_runs, dtype=np.int64)
    found[~alone] = codes.ravel()
    found[alone] = len(labels) + np.arange(int(alone.sum()))
    return Unit(column, found)


def shared_errors(slopes: Slopes, runs: Runs, run_codes: Ints) -> tuple[Unit, ScoreTest, bool] | None:
    """The column by which residuals differ most clearly, its test, and whether the law is determined without any group.

    None where no column does, at a chance of 3 % divided by the columns tested.
    """
    tested = []
    for column in SHARED_BY:
        if column not in runs.frame.columns:
            continue
        unit = groups_of(runs, run_codes, column)
        if unit is None or unit.count < _FEWEST_ASKED or len(unit.codes) < _PER_GROUP * unit.count:
            continue
        test = group_test(slopes, unit.codes)
        if test is not None:
            tested.append((test.chance, column, unit, test))
    if not tested:
        return None
    chance, _, unit, test = min(tested)
    if chance > CHANCE / len(tested):
        return None
    return unit, test, _determined(slopes, unit)


def _determined(slopes: Slopes, unit: Unit) -> bool:
    """Whether the runs of all groups but any one tell the directions apart that all runs tell apart."""
    size = np.linalg.norm(slopes.jacobian, axis=0)
    form = slopes.jacobian[:, size > 0] / size[size > 0]
    whole = form.T @ form
    free = int((np.linalg.eigvalsh(whole) > _SEPARATE**2).sum())
    for group in range(unit.count):
        out = form[unit.codes == group]
        if int((np.linalg.eigvalsh(whole - out.T @ out) > _SEPARATE**2).sum()) < free:
            return False
    return True


def _shared_finding(unit: Unit, test: ScoreTest, *, used: bool) -> Finding:
    says = (
        f"runs of one {unit.column} err together: residuals differ between its {unit.count} groups by more than the "
        f"law and chance explain (F = {test.statistic:.2g} with {test.terms} and {test.freedom} degrees of freedom; by "
        f"chance {_often(test.chance)})"
    )
    if used:
        return Finding(
            "errors-shared",
            "note",
            f"{says}, so the draws resample groups of {unit.column} and not single runs.",
            "Say so with the intervals; --resample-by run counts runs as independent.",
        )
    return Finding(
        "errors-shared",
        "warning",
        f"{says}, and so few groups cannot be resampled: the intervals count runs as independent and are too narrow.",
        f"Add runs with other values of {unit.column}, or read the intervals as lower bounds.",
    )


def _often(chance: float) -> str:
    return f"once in {1 / chance:,.0f} tables" if chance > 1e-6 else "less than once in a million tables"
