"""What the page computes with: the law as JavaScript, the fit and its draws, the runs, as JSON that it can read."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.laws.derivative import gradient
from isoflop.laws.expression import name
from isoflop.laws.javascript import javascript_block
from isoflop.planning.along import BUDGETS, DECADES, plans_along
from isoflop.questions.report import Reported
from isoflop.runs import Runs
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.scatter import new_scatter, run_scatter
from isoflop.units import training_flops

Floats = NDArray[np.float64]

MOST_ROWS = 20_000  # rows that a page holds; of a larger table every k-th row is drawn, and the page says so
_MOST_COLUMNS = 12
_LONGEST = 80  # letters of a name that a page shows


def law_javascript(law: Law) -> str:
    """The object ``{value, slopes}`` that computes the law and its slopes by each input, as JavaScript.

    ``value(p, k, x)``: parameters ``p[k], p[k+1], …`` in the order of ``law.params``, inputs ``x[0], …``.
    ``slopes(p, k, x, out)`` writes the value and the slope by each input into ``out``.
    No name of the law gets into the text, only numbers, places and ``Math`` calls.
    """
    leaves = {label: f"p[k+{place}]" for place, label in enumerate(law.param_names)}
    leaves |= {label: f"x[{place}]" for place, label in enumerate(law.input_names)}
    slopes = gradient(law.expression, tuple(name(label) for label in law.input_names))
    value_block, (value,) = javascript_block((law.expression,), leaves)
    slope_block, results = javascript_block((law.expression, *slopes), leaves)
    written = " ".join(f"out[{place}] = {result};" for place, result in enumerate(results))
    return (
        f"({{\nvalue(p, k, x) {{\n{value_block}\nreturn {value};\n}},\n"
        f"slopes(p, k, x, out) {{\n{slope_block}\n{written}\n}}\n}})"
    )


def page_data(report: Reported) -> dict[str, Any]:
    """Everything that the page needs besides the law's JavaScript; numbers that must be exact as base64 of float64."""
    fit = report.ensemble.estimate
    ranges = fit.data.ranges
    return {
        "law": {
            "name": fit.law.name,
            "inputs": list(fit.law.input_names),
            "params": list(fit.law.param_names),
            "response": fit.law.response.replace("_", " "),
            "unit": fit.data.loss_unit if fit.law.response == "loss" else "",
        },
        "level": report.level,
        "budget": None if report.plan is None else report.plan.budget,
        "within": None if report.plan is None else report.plan.band.within,
        "at": dict(report.at),
        "ranges": {label: list(ends) for label, ends in ranges.items()},
        "fit": packed(np.array([fit.params[label] for label in fit.law.param_names])),
        **_intervals(report),
        "runs": runs_data(
            prepared_runs(fit.law, fit.require_runs()),
            fitted=fit.predict,
            inputs=fit.law.input_names,
            response=fit.law.response,
        ),
    }


def _intervals(report: Reported) -> dict[str, Any]:
    """What the page's intervals come from: plans at many budgets or losses at many inputs, else the draws.

    Plans and losses have model error; the draws of a law of several inputs have none, and the page says so.
    """
    ensemble, fit = report.ensemble, report.ensemble.estimate
    if report.plan is not None:
        along = plans_along(ensemble, budget=report.plan.budget, level=report.level, within=report.plan.band.within)
        counted, farthest = fit.data.flops, ensemble.prior.farthest
        tables = {each.name: packed(getattr(along, each.name)) for each in fields(along)}
        return {"along": {**tables, "flops": [counted.per, counted.n_power, counted.d_power], "farthest": farthest}}
    if len(fit.law.input_names) == 1:
        (label,) = fit.law.input_names
        low, high = fit.data.ranges[label]
        high = max(high, report.at[label]) * 10**DECADES
        at = np.geomspace(low / 10, high, BUDGETS) if low > 0 else np.linspace(low, high, BUDGETS)
        said = predictive(ensemble, {label: at}, level=report.level)
        return {"losses": {"at": packed(at), "loss": packed(np.array([said.median, *said.mean, *said.loss]))}}
    by_size = run_scatter(fit).by_size
    return {
        "draws": packed(ensemble.params),
        "scatter": packed(new_scatter(ensemble)[:, 0]),
        "space": fit.data.space,
        "by_size": None if by_size is None else [by_size.slope, by_size.middle, by_size.low, by_size.high],
    }


def runs_data(
    runs: Runs,
    *,
    fitted: Callable[[Mapping[str, Floats]], Floats] | None = None,
    inputs: Sequence[str] = ("N", "D"),
    response: str = "loss",
) -> dict[str, Any]:
    """The runs as columns; of more than ``MOST_ROWS`` rows every k-th.

    fitted: the law's prediction as a function of its inputs, which adds a column ``fitted``.
    """
    step = max(1, math.ceil(len(runs) / MOST_ROWS))
    keep = np.arange(len(runs)) % step == 0
    some = runs.take(keep) if step > 1 else runs
    wanted = [label for label in dict.fromkeys((*inputs, "N", "D", "C", response)) if label in some]
    numbers = {label: some[label] for label in wanted}
    if "C" not in numbers and {"N", "D"} <= set(numbers):
        numbers["C"] = training_flops(numbers["N"], numbers["D"])
    if fitted is not None:
        numbers["fitted"] = fitted({label: numbers[label] for label in inputs})
    others = [label for label in some.headers if label not in numbers][:_MOST_COLUMNS]
    return {
        "total": len(runs),
        "step": step,
        "response": response,
        "row": some.rows.tolist(),
        "numbers": {label: packed(values) for label, values in numbers.items()},
        "texts": {label: _short(some.frame[label]) for label in others},
    }


def _short(series: pl.Series) -> list[str]:
    """The cells as text of a bounded length; numbers in six digits."""
    if series.dtype.is_float():
        return ["" if value is None or value != value else f"{value:.6g}" for value in series]
    return ["" if value is None else str(value)[:_LONGEST] for value in series]


def packed(values: Floats) -> str:
    """The numbers as base64 of little-endian float64: exact, and half as long as decimal digits."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode("ascii")


def script_json(content: Mapping[str, Any]) -> str:
    """JSON that may stand inside a script element: no ``<``, ``>``, ``&`` or line separator is left as it is."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
