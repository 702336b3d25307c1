"""What a fit sees of its runs: the law's inputs and the loss as checked numbers, and which rows belong to one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.fitting.objective.space import Space
from isoflop.laws import Law
from isoflop.laws.lists import Lists
from isoflop.runs import Runs
from isoflop.runs.checks.rows import mend_values
from isoflop.runs.prepare import prepare
from isoflop.runs.table import rows_phrase

Floats = NDArray[np.float64]

WEIGHT = "weight by sampling error"  # a column that :mod:`isoflop.fitting.sampling_errors` adds


@dataclass(frozen=True)
class Table:
    """inputs: name → (rows,); loss: (rows,); run_codes: (rows,), the unit of resampling.

    An input that holds a list in every row is a :class:`Lists`, whose rows are taken as an array's are.
    weights: (rows,), how much each row counts in every fit, or None for alike; resampling multiplies them.
    """

    inputs: Mapping[str, Floats | Lists]
    loss: Floats
    run_codes: NDArray[np.int64]
    weights: Floats | None = None

    @property
    def n_runs(self) -> int:
        """How many runs the rows come from."""
        return int(self.run_codes.max()) + 1

    @property
    def by_row(self) -> Mapping[str, Floats]:
        """The inputs that have one value a row."""
        return {name: values for name, values in self.inputs.items() if not isinstance(values, Lists)}

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Some of the rows, each as a run of its own."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        weights = None if self.weights is None else self.weights[rows]
        return Table(inputs, self.loss[rows], np.arange(len(rows)), weights)


def fit_table(law: Law, runs: Runs, *, space: Space) -> Table:
    """The columns that a law needs, checked.

    Raises DataError for a missing column (nearest names), and for values that are missing, infinite or outside their
    domain, such as a score of 1 where log odds are fitted (with the rows, and the selection that drops them); FitError
    for fewer rows than parameters.
    """
    runs = prepared_runs(law, runs)
    inputs = {
        each.name: (_lists if each.name in law.list_inputs else _checked)(runs, each.name, each.domain)
        for each in law.inputs
    }
    _check_alike(inputs, runs)
    loss = _checked(runs, law.response, {"log": "positive", "raw": "real", "logit": "share"}[space])
    if len(runs) < max(2, len(law.params)):
        raise FitError(
            f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} cannot determine the {len(law.params)} parameters of "
            f"{law.name}; add runs, or fix parameters (--fix)"
        )
    weights = _checked(runs, WEIGHT, "nonnegative") if WEIGHT in runs.frame.columns else None
    return Table(inputs, loss, runs.run_codes(), weights)


def prepared_runs(law: Law, runs: Runs) -> Runs:
    """The runs with every column that the law prepares and they lack; see :mod:`isoflop.runs.prepare`.

    A searched constant that is still open stands at the middle of its values.
    """
    usual = {each.name: each.values[len(each.values) // 2] for each in law.searched}
    for column, how in law.prepared.items():
        settings = {key: usual.get(str(value), value) for key, value in how.settings.items()}
        runs = prepare(runs, column, rule=how.rule, settings=settings)
    return runs


def law_inputs(law: Law, runs: Runs) -> Mapping[str, Floats | Lists]:
    """The law's inputs in every row, as :meth:`Fit.predict` takes them; columns that it prepares are computed.

    Raises DataError for a missing column.
    """
    runs = prepared_runs(law, runs)
    return {name: _listed(runs, name) if name in law.list_inputs else runs[name] for name in law.input_names}


def _listed(runs: Runs, name: str) -> Lists:
    """A column of lists. Raises DataError for a column that holds something else, or is not there."""
    if name not in runs.frame.columns or not isinstance(runs.frame[name].dtype, pl.List | pl.Array):
        what = f"is {runs.frame[name].dtype}" if name in runs.frame.columns else "is missing"
        raise DataError(
            f"column {name!r} of {runs.source} {what}, and must hold a list of numbers in every row; leave it out "
            "where the law prepares it from step and lr"
        )
    lists = runs.frame[name].cast(pl.List(pl.Float64), strict=False)
    counts = lists.list.len().to_numpy()
    values = lists.filter(pl.Series(counts > 0)).explode().to_numpy()
    return Lists(values, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def _lists(runs: Runs, name: str, domain: str) -> Lists:
    """A column of lists whose values lie in their domain."""
    listed = _listed(runs, name)
    values = listed.values
    if not np.isfinite(values).all() or (domain == "positive" and (values <= 0).any()):
        raise DataError(
            f"the lists in column {name!r} of {runs.source} hold a value that is not finite or not positive, such as "
            f"{values[~np.isfinite(values) | (values <= 0)][0]:g}; mend the schedule that they come from"
        )
    return listed


def _check_alike(inputs: Mapping[str, Floats | Lists], runs: Runs) -> None:
    """Raises DataError where two lists of a row differ in length: a sum takes their values in step."""
    lists = {name: values for name, values in inputs.items() if isinstance(values, Lists)}
    first = next(iter(lists), "")
    for name, values in lists.items():
        apart = values.counts != lists[first].counts
        if apart.any():
            raise _complaint(
                runs,
                apart,
                f"lists of unequal length in {first} and {name}",
                f'drop them with --where "{first} == {name}"',
            )


def _checked(runs: Runs, name: str, domain: str) -> Floats:
    values = runs[name]
    word = name if name.isidentifier() else f"`{name}`"  # as a selection names it
    bad = ~np.isfinite(values)
    if bad.any():
        what = "no value" if np.isnan(values[bad]).all() else "a value that is not finite"
        mend = mend_values(runs, name, bad, f"finite({word})")
        raise _complaint(runs, bad, f"{what} of {name}", mend)
    for wanted, bad, what, keep in (
        ("positive", values <= 0, f"{name} ≤ 0", f"{word} > 0"),
        ("nonnegative", values < 0, f"{name} < 0", f"{word} >= 0"),
    ):
        if domain == wanted and bad.any():
            raise _complaint(runs, bad, what, mend_values(runs, name, bad, keep))
    if domain == "share":
        bad = (values <= 0) | (values >= 1)
        if bad.any():
            mend = "the log odds of a score lie between 0 and 1: "
            if bad.all():
                mend += f'give shares, or fit without logit- (a percentage: --derive "share = {word}/100")'
            else:
                mend += f'leave the rows out (--where "{word} > 0 and {word} < 1"), or fit with --objective raw-lsq'
            raise _complaint(runs, bad, f"{name} ≤ 0 or ≥ 1", mend)
    return values


def _complaint(runs: Runs, bad: NDArray[np.bool_], what: str, mend: str) -> DataError:
    rows = [int(row) for row in runs.rows[bad]]
    return DataError(
        f"{len(rows)} of {len(runs)} runs of {runs.source} {'has' if len(rows) == 1 else 'have'} {what} "
        f"({rows_phrase(rows)}); {mend}"
    )
