"""Runs off the surface of a law, with the reason: found by refitting without them until the set no longer changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting import Fit, Objective
from isoflop.fitting.fit import fit_alone
from isoflop.fitting.objective.space import to_scale
from isoflop.fitting.table import fit_table, prepared_runs
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.runs.checks.curves import off_isoflop_curve
from isoflop.runs.checks.repeats import near_duplicates, seed_spread
from isoflop.runs.checks.rows import without
from isoflop.runs.checks.units import decimals_of
from isoflop.uncertainty.size_scatter import size_scatter
from isoflop.values import Value

Floats = NDArray[np.float64]

THRESHOLD = 6.0  # robust standard deviations; of Gaussian residuals one in 500 million is farther out
_ROUNDS = 10
_MOST = 0.1  # share of the rows that may be called outliers before the law is what does not fit
_SMALLEST = 1e-6  # relative scale below which residuals are rounding
_LIMITED = 2.0  # times the seeds' spread, from which the law and not noise limits a fit
_SHOWN = 5


@dataclass(frozen=True)
class Outlier(Value):
    """One run off the surface.

    row: its number in the table; position: its place among the rows. away: residual in robust standard deviations,
    positive where the run is worse than the law. reasons: in words.
    """

    row: int
    position: int
    away: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Outliers(Value):
    """What lies off a law's surface.

    found: the outliers, farthest first. scale: robust standard deviation of the residuals (relative, or in units of the
    loss for raw objectives). fit: the law fitted to the others, without findings. residuals: measured − fitted of every
    row, (rows,). scales: the standard deviation at each row, which depends on its size where that is clear, (rows,).
    """

    found: tuple[Outlier, ...]
    scale: float
    fit: Fit
    residuals: Floats = field(repr=False)
    scales: Floats = field(repr=False)
    findings: tuple[Finding, ...] = ()

    @property
    def rows(self) -> tuple[int, ...]:
        """Row numbers, farthest first."""
        return tuple(each.row for each in self.found)


def outliers(
    law: Law, runs: Runs, *, objective: Objective | None = None, threshold: float = THRESHOLD, seed: int = 0
) -> Outliers:
    """Rows with |measured − fitted| > threshold · s_i, where law and s come from the other rows alone.

    Fit, call rows outliers, fit without them, until the set stays the same. s is 1.4826 times the median absolute
    residual of the rows kept, the p smallest left out, since a fit of p parameters by nearly absolute deviations passes
    through p runs; s_i = s·N^b where the residuals clearly grow or shrink with size
    (:func:`isoflop.uncertainty.size_scatter.size_scatter`). Where
    more than a tenth of the rows would go, none is called an outlier and a finding says that the law does not fit.

    Parameters
    ----------
    law :
        The surface.
    runs :
        The table.
    objective :
        Of the fits; Huber with δ = 1e-3 on log loss by default.
    threshold :
        In robust standard deviations s.
    seed :
        Of the searches.

    Returns
    -------
    Outliers
        The rows, farthest first, s and the fit without them.

    Raises
    ------
    DataError, FitError
        As :func:`isoflop.fit`.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.validation.outliers import outliers
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> loss = runs["loss"].copy()
    >>> loss[3] *= 1.2
    >>> found = outliers(isoflop.law("chinchilla"), runs.with_column("loss", loss))
    >>> found.found[0].position
    3
    """
    fitted = fit_alone(law, runs, objective=objective, seed=seed)
    kept = np.ones(len(runs), dtype=np.bool_)
    rest, scale, scales = _residuals(fitted, runs, kept)
    first = (scale, fitted, rest, scales)
    whole = prepared_runs(fitted.law, runs)  # an area under the learning rate is that of the whole curve
    for _ in range(_ROUNDS):
        far = np.abs(rest) > threshold * scales
        if far.mean() > _MOST or (~far).sum() < max(2, len(law.params) + 1):
            return Outliers((), *first, (_many(int(far.sum()), len(runs), law),))
        if np.array_equal(~far, kept):
            break
        kept = ~far
        fitted = fit_alone(fitted.law, whole.take(kept), objective=objective, seed=seed)
        rest, scale, scales = _residuals(fitted, runs, kept)
    away = rest / scales
    reasons = _reasons(runs, away)
    order = np.flatnonzero(~kept)[np.argsort(-np.abs(away[~kept]), kind="stable")]
    found = tuple(
        Outlier(int(runs.rows[place]), int(place), float(away[place]), reasons[int(runs.rows[place])])
        for place in order
    )
    return Outliers(found, scale, fitted, rest, scales, tuple(outlier_findings(found, len(runs), law)))


def surface_findings(seen: Outliers, runs: Runs) -> tuple[Finding, ...]:
    """Outliers, and whether the residuals are those of seeds, of rounding, or of a law that does not fit."""
    return (*seen.findings, *_against_seeds(seen, runs), *_against_rounding(seen, runs))


def _residuals(fitted: Fit, runs: Runs, kept: NDArray[np.bool_]) -> tuple[Floats, float, Floats]:
    """Measured − fitted on the scale of the residuals, its robust scale over the rows kept, and that at each row."""
    table = fit_table(fitted.law, runs, space=fitted.objective.space)
    curve, measured = fitted.predict(table.inputs), table.loss
    space = fitted.objective.space
    rest = to_scale(measured, space) - to_scale(curve, space)
    places = decimals_of(measured)
    rounding = 0.0 if places is None else 10.0**-places / 12**0.5 / (np.median(np.abs(measured)) or 1.0)
    typical = 1.0 if fitted.objective.of_logarithms else float(np.median(np.abs(measured)))
    least = max(_SMALLEST * typical, rounding * typical)
    free = len(fitted.law.params)
    share = np.ones(len(rest))
    if "N" in table.by_row:
        size = table.by_row["N"]
        by_size = size_scatter(rest[kept], size[kept], free=free)
        share = share if by_size is None else by_size.doubtful_share(size)
    return rest, max(_robust(rest[kept], free), least), np.maximum(share * _robust((rest / share)[kept], free), least)


def _robust(rest: Floats, free: int) -> float:
    """1.4826 times the median absolute residual, the ``free`` smallest left out."""
    size = np.sort(np.abs(rest))[free:]
    return 1.4826 * float(np.median(size)) if len(size) else 0.0


def _reasons(runs: Runs, away: Floats) -> Mapping[int, tuple[str, ...]]:
    """For each row, why it stands out."""
    curves = {each.row: each for each in off_isoflop_curve(runs)}
    twins: dict[int, tuple[int, float]] = {}
    for first, second, apart in near_duplicates(runs):
        for row, other in ((first, second), (second, first)):
            if row not in twins or apart > twins[row][1]:
                twins[row] = (other, apart)
    sized = {"N", "D"} <= set(runs.frame.columns)
    reasons = {}
    for position, row in enumerate(runs.rows.tolist()):
        side = "above" if away[position] > 0 else "below"
        words = [f"{abs(away[position]):.1f} robust standard deviations {side} the surface"]
        if row in curves:
            words.append(f"{curves[row].above:+.1%} off the parabola of its budget ({curves[row].budget:.2g} FLOPs)")
        if row in twins:
            words.append(f"{twins[row][1]:.1%} from row {twins[row][0]}, its twin in N and D")
        if sized and runs["D"][position] < runs["N"][position]:
            words.append(f"{runs['D'][position] / runs['N'][position]:.2g} tokens per parameter")
        reasons[row] = tuple(words)
    return reasons


def outlier_findings(found: tuple[Outlier, ...], count: int, law: Law) -> list[Finding]:
    """The outliers as one finding, with the reasons of the farthest five."""
    if not found:
        return []
    rows = [each.row for each in found]
    worst = "; ".join(f"row {each.row}: {', '.join(each.reasons)}" for each in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return [
        Finding(
            "outliers",
            "warning",
            f"{len(found)} of {count} rows {'lies' if len(found) == 1 else 'lie'} off the surface of {law.name} "
            f"({worst}{more}).",
            f"Look at their curves; isoflop influence shows their effect; drop them with {without(rows)}.",
            tuple(rows),
        )
    ]


def _many(far: int, count: int, law: Law) -> Finding:
    return Finding(
        "law-misfits",
        "warning",
        f"{far} of {count} rows would lie off the surface of {law.name}: that many are no outliers, the law does "
        "not fit these runs.",
        "Select runs that were trained alike (--where), or try another law.",
    )


def _against_seeds(seen: Outliers, runs: Runs) -> list[Finding]:
    spread = seed_spread(runs)
    if spread is None or not seen.fit.objective.of_logarithms:
        return []
    ratio = seen.scale / spread.pooled
    says = (
        f"the runs scatter around {seen.fit.law.name} by {seen.scale:.2%} and repeated runs among themselves by "
        f"{spread.pooled:.2%} (a ratio of {ratio:.2g}, {len(spread.sizes)} groups)"
    )
    if ratio > _LIMITED:
        return [
            Finding(
                "surface-lack-of-fit",
                "warning",
                f"{says}: the law, not noise, limits the fit, and no interval over runs covers that.",
                "Try another law (isoflop rank), or fit the largest runs alone.",
            )
        ]
    return [Finding("misses-like-seeds", "note", f"{says}: the law misses by about what seeds do.", "Nothing to do.")]


def _against_rounding(seen: Outliers, runs: Runs) -> list[Finding]:
    places = decimals_of(runs[seen.fit.law.response])
    if places is None or not seen.fit.objective.of_logarithms:
        return []
    step = 10.0**-places / 12**0.5 / float(np.median(np.abs(runs[seen.fit.law.response])))
    if step < 0.3 * seen.scale:
        return []
    return [
        Finding(
            "rounding-limits",
            "warning",
            f"rounding the losses to {places} decimals scatters them by {step:.2%}, and the whole scatter around "
            f"{seen.fit.law.name} is {seen.scale:.2%}.",
            "Take the losses from the logs with more decimals.",
        )
    ]
