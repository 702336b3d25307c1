"""Fits to whole curves in memory that does not grow with them: the same optimum as :func:`isoflop.fitting.fit`.

The search runs on a sample of rows that is spread like all of them; its optimum is then carried down on every row, and
so is a constant that prepared columns depend on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.findings import Finding
from isoflop.fitting.blocks import BlockRows, Progress
from isoflop.fitting.curve_sample import sample_of
from isoflop.fitting.estimate import QUANTILES, DataSummary
from isoflop.fitting.fit import fit
from isoflop.fitting.objective import Objective, huber
from isoflop.fitting.outer import Optimum, settle
from isoflop.fitting.result import Fit
from isoflop.fitting.solve import Solution
from isoflop.laws import Law, fix
from isoflop.laws.expression import runs_over_k
from isoflop.runs.curves import Curves
from isoflop.values import Value

Floats = NDArray[np.float64]

REFITTED_ROWS = 10_000  # up to which a fit keeps its table, so that it can be bootstrapped by refits
_NEAR = 0.25  # first step of the search for a constant on all rows, in its logarithmic distance to 1
_CLOSE = 0.02
_LOOKS = 8
_LEAST_SHARE = math.log1p(-1e-3)  # where a constant between 0 and 1 is as small as it is looked for


@dataclass(frozen=True)
class CurveFit(Value):
    """A fit to curves, and what a bootstrap over runs needs of them.

    fit: with its table of rows where they are few, so that :func:`isoflop.bootstrap` can refit it.
    slopes: (runs, coordinates), each run's gradient of the objective at the optimum; curvatures: (runs, coordinates,
    coordinates), each run's own curvature there. passes: over all rows.
    """

    fit: Fit
    slopes: Floats = field(repr=False)
    curvatures: Floats = field(repr=False)
    passes: int = 0


def fit_curves(
    law: Law,
    curves: Curves,
    *,
    objective: Objective | None = None,
    starts: int = 64,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> CurveFit:
    r"""argmin over parameters of Σ_i ρ(residual_i) over all rows that count, whatever their number.

    Parameters
    ----------
    law :
        Its inputs are columns of the curves, of their table of runs, or prepared from them along whole curves.
    curves :
        As :func:`isoflop.runs.curves.open_curves` gives them.
    objective :
        ρ and the space of the residuals; Huber with δ = 1e-3 on log loss by default.
    starts, seed :
        Of the search, on a sample of the rows.
    jobs :
        Threads.
    progress :
        Called with what is being done, in words, and which share of it is.

    Returns
    -------
    CurveFit
        The :class:`Fit`, and each run's gradient and curvature at it.

    Raises
    ------
    DataError
        A column is missing, or holds values outside its domain.
    FitError
        No row counts, or fewer than parameters; the law sums over every change of a schedule, or did not converge.

    Examples
    --------
    >>> import isoflop, pathlib, tempfile
    >>> from isoflop.fitting.stream import fit_curves
    >>> from isoflop.runs.curves import open_curves
    >>> steps = range(10, 1001, 10)
    >>> text = "run,step,loss\n" + "".join(f"a,{s},{2 + 3 / s**0.5}\n" for s in steps)
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "curves.csv").write_text(text)
    >>> _ = isoflop.import_logs([folder / "curves.csv"], folder / "store")
    >>> found = fit_curves(isoflop.law("E + A/step^a"), open_curves(folder / "store", warmup=0))
    >>> round(found.fit.params["E"], 3)
    2.0
    """
    objective = huber() if objective is None else objective
    progress = progress or (lambda _doing, _share: None)
    if any(runs_over_k(each) for each in law.input_names):
        raise FitError(
            f"{law.name} sums over every change of a schedule, row by row, which whole curves make too long; give a "
            "table of checkpoints, every 50th step or so, to isoflop fit without --curves"
        )
    sample = sample_of(law, curves, progress)
    optimum = sample.optimum(objective, starts, seed)
    unsettled = law
    law, settled = settle(law, optimum, present=sample.runs.headers)
    searched = tuple(each for each in unsettled.searched if each.name in law.fixed)
    unsettled = replace(unsettled, searched=searched)
    begun = fit(law, sample.prepared(law), objective=objective, starts=starts, seed=seed)
    with BlockRows(law, curves, objective, begun.centers, jobs=jobs, progress=progress) as rows:
        found = rows.descend(begun)
        findings = [finding for finding in settled if sample.whole or finding.code != "searched-constant"]
        if len(findings) < len(settled):  # not at the end of its range, where it would only run on
            for each in searched:
                law, found, finding = _refine(unsettled, law, each.name, begun, found, rows, optimum)
                findings.append(finding)
        done = _finished(law, begun, rows.finish(found), rows, curves, tuple(findings))
    if sample.whole and done.fit.data.n_rows <= REFITTED_ROWS:
        return replace(done, fit=replace(done.fit, runs=sample.prepared(law)))
    return done


def _refine(
    unsettled: Law, law: Law, constant: str, begun: Fit, found: Solution, rows: BlockRows, optimum: Optimum
) -> tuple[Law, Solution, Finding]:
    """A searched constant on all rows, from its value on the sample: parabolas until they move it no more.

    The objective is followed along log(1 − λ) for a constant between 0 and 1, else along its logarithm. Each descent
    begins where that of the first value ended, moved by as much as the optimum of the sample moves.

    unsettled: the law before its constants were searched; law: with all of them at their present values.
    """
    at_first = np.array([begun.params[name] for name in law.param_names])
    first = law.fixed[constant]
    shares = 0 < first < 1
    place = math.log1p(-first) if shares else math.log(first)
    ends = {place: found}

    def value_at(there: float) -> float:
        return -math.expm1(there) if shares else math.exp(there)

    def law_at(there: float) -> Law:
        values = {each.name: law.fixed[each.name] for each in unsettled.searched}
        return fix(unsettled, {**values, constant: value_at(there)})

    def look(there: float) -> None:
        other = law_at(there)
        moved = rows.coords.from_params(np.stack([optimum(other, at_first)[1], at_first]), rows.centers)
        ends[there] = rows.again(other, replace(found, theta=found.theta + moved[:1] - moved[1:]))

    look(place - _NEAR)
    look(min(place + _NEAR, _LEAST_SHARE) if shares else place + _NEAR)
    for _ in range(_LOOKS):
        best = min(ends, key=lambda each: float(ends[each].value[0]))
        there = min(_vertex(ends, best), _LEAST_SHARE) if shares else _vertex(ends, best)
        if min(abs(there - each) for each in ends) < _CLOSE:
            break
        look(there)
    best = min(ends, key=lambda each: float(ends[each].value[0]))
    settled = law_at(best)
    solution = rows.again(settled, ends[best])
    far = max(ends, key=lambda each: float(ends[each].value[0]))
    worse = 100 * (float(ends[far].value[0]) / float(ends[best].value[0]) - 1)
    return (
        settled,
        solution,
        Finding(
            "searched-constant",
            "note" if worse > 0.1 else "warning",
            f"{constant} = {value_at(best):.6g} was found by a search around the fit to all rows (the sample gave "
            f"{first:.6g}), and every interval holds it there; at {value_at(far):.6g} the objective is {worse:.2g} % "
            "larger.",
            f"Where that is small the runs leave {constant} open: set it (--fix {constant}=…) and compare.",
        ),
    )


def _vertex(ends: Mapping[float, Solution], best: float) -> float:
    """Where the parabola through the best place and its neighbors is lowest; beyond an end, a step further."""
    order = sorted(ends)
    at = order.index(best)
    if at == 0:
        return best - 2 * (order[1] - best)
    if at == len(order) - 1:
        return best + 2 * (best - order[-2])
    x = np.array(order[at - 1 : at + 2]) - best
    y = np.array([float(ends[each].value[0]) for each in order[at - 1 : at + 2]])
    bend, slope, _ = np.polyfit(x, y - y[1], 2)
    return best + float(np.clip(-slope / (2 * bend), x[0], x[2])) if bend > 0 else best


def _finished(
    law: Law, begun: Fit, best: Solution, rows: BlockRows, curves: Curves, findings: tuple[Finding, ...]
) -> CurveFit:
    """The fit with what is known of it."""
    if not np.isfinite(best.value[0]):
        raise FitError(f"the fit of {law.name} did not converge on all rows; try another objective")
    slopes, curvatures = rows.by_run(best)
    residual = rows.residuals(best.theta)[0]
    values = rows.coords.to_params(best.theta, rows.centers)[0]
    state = f"{curves.table.digest} {sorted(curves.warmup.items())} {curves.thin} {rows.n_rows}"
    scale = rows.objective.sigma(float(best.scale[0]), float(best.value[0]) / rows.n_rows)
    left_out: tuple[Finding, ...] = ()
    if rows.dropped:
        left_out = (
            Finding(
                "rows-left-out",
                "note",
                f"{rows.dropped:,} rows have no usable {' or '.join(law.input_names)} (missing, or outside its domain) "
                "and are left out.",
                "Nothing to do; step 0 is such a row.",
            ),
        )
    table = curves.table
    fitted = replace(
        begun,
        law=law,
        params=dict(zip(law.param_names, (float(each) for each in values), strict=True)),
        value=float(best.value[0]),
        scale=scale,
        theta=best.theta[0],
        centers=dict(rows.centers),
        data=DataSummary(
            source=f"the curves of {table.source}",
            digest=hashlib.sha256(state.encode()).hexdigest(),
            n_rows=rows.n_rows,
            n_runs=len(slopes),
            loss_unit=table.loss_unit if law.response == "loss" else law.response,
            param_convention=table.columns["N"].convention if "N" in table.columns else None,
            ranges=dict(rows.ranges),
            residuals=tuple(float(each) for each in np.quantile(residual, np.linspace(0, 1, QUANTILES))),
            space=rows.objective.space,
        ),
        findings=(*begun.findings, *findings, *left_out),
        runs=None,
    )
    return CurveFit(fitted, slopes, curvatures, rows.passes)
