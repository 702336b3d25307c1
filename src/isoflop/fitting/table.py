"""What a fit sees of its runs: the law's inputs and the loss as checked numbers, and which rows belong to one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, FitError
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.runs.prepare import prepare
from isoflop.runs.table import rows_phrase

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """inputs: name → (rows,); loss: (rows,); run_codes: (rows,), the unit of resampling."""

    inputs: Mapping[str, Floats]
    loss: Floats
    run_codes: NDArray[np.int64]

    @property
    def n_runs(self) -> int:
        """How many runs the rows come from."""
        return int(self.run_codes.max()) + 1


def fit_table(law: Law, runs: Runs, *, log_loss: bool) -> Table:
    """The columns that a law needs, checked.

    Raises DataError for a missing column (nearest names), and for values that are missing, infinite or outside their
    domain (with the rows and the selection that drops them); FitError for fewer rows than parameters.
    """
    runs = prepared_runs(law, runs)
    inputs = {each.name: _checked(runs, each.name, each.domain) for each in law.inputs}
    loss = _checked(runs, law.response, "positive" if log_loss else "real")
    if len(runs) < max(2, len(law.params)):
        raise FitError(
            f"{len(runs)} {'run' if len(runs) == 1 else 'runs'} cannot determine the {len(law.params)} parameters of "
            f"{law.name}; add runs, or fix parameters (--fix)"
        )
    return Table(inputs, loss, runs.run_codes())


def prepared_runs(law: Law, runs: Runs) -> Runs:
    """The runs with every column that the law prepares and they lack; see :mod:`isoflop.runs.prepare`.

    A searched constant that is still open stands at the middle of its values.
    """
    usual = {each.name: each.values[len(each.values) // 2] for each in law.searched}
    for column, how in law.prepared.items():
        settings = {key: usual.get(str(value), value) for key, value in how.settings.items()}
        runs = prepare(runs, column, rule=how.rule, settings=settings)
    return runs


def _checked(runs: Runs, name: str, domain: str) -> Floats:
    values = runs[name]
    bad = ~np.isfinite(values)
    if bad.any():
        what = "no value" if np.isnan(values[bad]).all() else "a value that is not finite"
        raise _complaint(runs, bad, f"{what} of {name}", f"finite({name})")
    if domain == "positive" and (values <= 0).any():
        raise _complaint(runs, values <= 0, f"{name} ≤ 0", f"{name} > 0")
    if domain == "nonnegative" and (values < 0).any():
        raise _complaint(runs, values < 0, f"{name} < 0", f"{name} >= 0")
    return values


def _complaint(runs: Runs, bad: NDArray[np.bool_], what: str, selection: str) -> DataError:
    rows = [int(row) for row in runs.rows[bad]]
    return DataError(
        f"{len(rows)} of {len(runs)} runs of {runs.source} {'has' if len(rows) == 1 else 'have'} {what} "
        f'({rows_phrase(rows)}); drop them with --where "{selection}"'
    )
