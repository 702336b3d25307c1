"""Evidence under a recommendation: other methods, outliers left out, hold-out, extrapolation, residuals.

What is cheap is always computed; what is dear says how to ask for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from isoflop.answers import Cell, Column, Quantity, Table, of_interval
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError

if TYPE_CHECKING:
    from isoflop.fitting import Fit
    from isoflop.planning.allocate import Plan
    from isoflop.planning.methods import Methods
    from isoflop.questions.base.context import Context
    from isoflop.validation.backtest import Backtest
    from isoflop.validation.outliers import Outliers

MOST_ROWS: Final = 3_000  # of a table whose evidence is computed without being asked
STRUCTURE: Final = ("structured-residuals", "lack-of-fit")  # findings of a law that misses


def plan_evidence(context: Context, *, budget: float, plan: Plan | None = None) -> Table | None:
    """Evidence for N* at a budget; None where a result is worded without its origin. plan: see :func:`methods_of`."""
    if context.from_result:
        return None
    rows: list[tuple[Cell, ...]] = []
    if is_cheap(context):
        rows += [*_methods(context, budget, plan), *_without_outliers_plan(context, budget)]
    rows += [*_hold_out(context), *_extrapolation_of_budget(context, budget), *_residuals(context)]
    return _table(rows, "N", "N*")


def forecast_evidence(context: Context, *, at: Mapping[str, float], beyond: float) -> Table | None:
    """Evidence for the response at a point. beyond: decades beyond the runs, NaN where they are not known."""
    if context.from_result:
        return None
    rows: list[tuple[Cell, ...]] = []
    if is_cheap(context):
        rows += _without_outliers_forecast(context, at)
    rows += _hold_out(context)
    if math.isfinite(beyond):
        rows.append(("extrapolation distance", None, f"{beyond:.2f} decades"))
    return _table([*rows, *_residuals(context)], "forecast", context.law.response.replace("_", " "))


def is_cheap(context: Context) -> bool:
    """Whether evidence is computed without being asked."""
    return context.has_runs and len(context.runs) <= MOST_ROWS and not context.law.prepared


def _table(rows: list[tuple[Cell, ...]], name: str, title: str) -> Table | None:
    if not rows:
        return None
    return Table("evidence", (Column("source", "evidence"), Column(name, title), Column("result", "")), tuple(rows))


def _methods(context: Context, budget: float, plan: Plan | None) -> Iterator[tuple[Cell, ...]]:
    """N* by each method, the same numbers as ``isoflop methods``."""
    try:
        found = methods_of(context, budget, plan)
    except IsoflopError as error:
        yield ("other methods", None, str(error))
        return
    for each in found.methods:
        if each.n is None:
            yield (each.name, None, "no answer on these runs")
        else:
            yield (each.name, of_interval("N", each.n, "count"), "")


def methods_of(context: Context, budget: float, plan: Plan | None = None) -> Methods:
    """The three methods at a budget, computed once. plan: that of the context's fit and seed, where it is at hand."""
    from isoflop.planning.methods import compare_methods

    return context.once(
        ("methods", budget),
        lambda: compare_methods(
            context.ensemble, context.runs, budget=budget, level=context.level, seed=context.fit_spec.seed, plan=plan
        ),
    )


def _without_outliers_plan(context: Context, budget: float) -> Iterator[tuple[Cell, ...]]:
    """N* as the plan has it; of the fit to all runs where the plan rests on that."""
    from isoflop.planning.sizes import best_n

    def size(fit: Fit) -> Quantity:
        return Quantity("N", best_n(fit, budget, seed=context.fit_spec.seed), "count")

    yield from _without_outliers(context, size)


def _without_outliers_forecast(context: Context, at: Mapping[str, float]) -> Iterator[tuple[Cell, ...]]:
    """The same number as the headline's, model error included, from the fit alone."""
    from dataclasses import replace

    import numpy as np

    from isoflop.planning.forecast import forecast
    from isoflop.uncertainty import Ensemble

    def expected(fit: Fit) -> Quantity:
        known = context.ensemble
        none = np.empty((0, len(fit.law.params)))
        alone = Ensemble(replace(fit, findings=()), none, method="none", seed=known.seed, prior=known.prior)
        return Quantity("forecast", forecast(alone, at, level=context.level).loss.value)

    yield from _without_outliers(context, expected)


def _without_outliers(context: Context, asked: Callable[[Fit], Quantity]) -> Iterator[tuple[Cell, ...]]:
    """The number from the runs that lie on the surface."""
    found = outliers_of(context)
    if found is None:
        return
    rows = [each.row for each in found.found]
    if not rows:
        yield ("without outliers", None, "no outlier found")
        return
    words = f"{len(rows)} {'row' if len(rows) == 1 else 'rows'} left out"
    try:
        yield ("without outliers", asked(_fit_without(context, rows)), words)
    except IsoflopError as error:
        yield ("without outliers", None, f"{words}: {error}")


def outliers_of(context: Context) -> Outliers | None:
    """Outliers from the surface of the context's law, sought once; None where the law cannot be fitted to them."""
    from isoflop.validation.outliers import outliers

    def seek() -> Outliers | None:
        try:
            return outliers(context.law, context.runs)
        except IsoflopError:
            return None

    return context.once(("outliers",), seek)


def _fit_without(context: Context, rows: list[int]) -> Fit:
    import numpy as np

    from isoflop.fitting.fit import fit_alone

    def refit() -> Fit:
        kept = context.runs.take(~np.isin(context.runs.rows, rows))
        objective = context.ensemble.fit.objective
        spec = context.fit_spec
        return fit_alone(context.law, kept, objective=objective, starts=spec.starts, seed=spec.seed)

    return context.once(("without", *rows), refit)


def _hold_out(context: Context) -> Iterator[tuple[Cell, ...]]:
    """Error and coverage on the largest runs, the same numbers as ``isoflop backtest``."""
    if not is_cheap(context):
        why = "needs the runs" if not context.has_runs else "not computed for a table of this size"
        yield ("hold-out", None, f"{why} (isoflop backtest)")
        return
    try:
        result = backtest_of(context)
    except IsoflopError as error:
        yield ("hold-out", None, str(error))
        return
    scores = result.scores(result.laws[0])
    mre = told(of_interval("mre", scores.are, "share"), True)
    label, words = f"hold-out, {result.windows[0].says}", f"MRE {mre}"
    if scores.covered is None:
        yield (label, None, words)
        return
    # a row each: in one, the number at the end did not fit into 80 columns
    yield (label, None, f"{words}; coverage {scores.covered}/{scores.rows}")
    alone = result.scores(result.laws[0], model_error=False)
    yield ("… if the law holds", None, f"coverage {alone.covered}/{alone.rows}")


def backtest_of(context: Context) -> Backtest:
    """The hold-out of ``isoflop backtest`` with its defaults, computed once."""
    from isoflop.questions.base.hold_out import HOLD_OUT_DRAWS
    from isoflop.validation.backtest import backtest

    return context.once(
        ("backtest",),
        lambda: backtest(
            [context.law],
            context.runs,
            objective=context.objective,
            draws=HOLD_OUT_DRAWS,
            level=context.level,
            seed=context.fit_spec.seed,
            resample_by=context.fit_spec.resample_by,
            prior=context.prior,
        ),
    )


def _extrapolation_of_budget(context: Context, budget: float) -> Iterator[tuple[Cell, ...]]:
    from isoflop.uncertainty.extrapolation import compute_distance

    if not context.has_runs:
        yield ("extrapolation distance", None, "not known without the runs")
        return
    decades = compute_distance(context.runs, budget)
    where = f"{decades:.1f} decades of compute" if decades > 0 else "none: within the runs' compute"
    yield ("extrapolation distance", None, where)


def _residuals(context: Context) -> Iterator[tuple[Cell, ...]]:
    """What the fit itself says of structure in its residuals."""
    if not context.ensemble.estimate.data.n_rows:
        return
    found = [each for each in context.fit_findings if each.code in STRUCTURE]
    words = f"structured ({', '.join(each.code for each in found)})" if found else "no structure found"
    yield ("residuals", None, words)
