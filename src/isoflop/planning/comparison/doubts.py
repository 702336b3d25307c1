"""What to know about a comparison of groups before it is believed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from isoflop.errors import excerpt
from isoflop.findings import Finding
from isoflop.fitting.objective.squares_loss import Squares
from isoflop.planning.comparison.crossing import Crossing
from isoflop.planning.comparison.curves import Curves
from isoflop.planning.comparison.groups import Group, listed

_FEW_RUNS = 10
_OUTLYING = 6.0  # robust standard deviations from which a residual decides a least-squares fit
_LEAST = 1e-4  # relative residual that is no outlier whatever the others are


def comparison_findings(
    curves: Curves, groups: Sequence[Group], crossings: Sequence[Crossing], *, level: float
) -> tuple[Finding, ...]:
    """Overlap, size of groups, pairs, outliers, crossings beyond the runs, draws, and each fit's own error findings."""
    return (
        *_own(curves),
        *_overlap(curves, crossings),
        *_outside(curves, crossings, level),
        *_few(curves),
        *_outliers(curves),
        *_pairs(curves),
        *_draws(curves),
    )


def _own(curves: Curves) -> Iterator[Finding]:
    """Error-level findings of a group's fit under its name."""
    for name, fitted in zip(curves.names, curves.joint.fits, strict=True):
        for each in fitted.findings:
            if each.level == "error":
                yield replace(each, message=f"{excerpt(name)}: {each.message}")


def _overlap(curves: Curves, crossings: Sequence[Crossing]) -> Iterator[Finding]:
    apart = [f"{each.first} and {each.second}" for each in crossings if each.span is None]
    if apart:
        yield Finding(
            "no-overlap",
            "warning",
            f"the runs of {listed(apart)} have no {curves.along.x} in common, so every gap between them is an "
            "extrapolation of one law or of both.",
            "Train runs of each group where the other has some.",
        )


def _outside(curves: Curves, crossings: Sequence[Crossing], level: float) -> Iterator[Finding]:
    for each in crossings:
        top = each.span[1] if each.span else float(curves.ranges[:, 1].max())
        beyond = [place for place in each.places if place.x > top]
        if beyond:
            place = beyond[0]
            yield Finding(
                "crossing-outside",
                "warning",
                f"{each.first} and {each.second} would cross at {curves.along.x} = {place.x:.2g}, {place.x / top:.2g} "
                f"times the largest that runs of both reach; the probability that they cross is {each.within:.2f} up "
                "to ten times the largest run.".replace("e+", "e"),
                "Train a run of both groups near there before choosing by it.",
            )
        elif not each.places and each.ever > 1 - level and each.ever > each.within + 0.2:
            yield Finding(
                "crossing-outside",
                "note",
                f"{each.first} and {each.second} cross beyond ten times the largest run in "
                f"{each.ever - each.within:.0%} of the draws, which is not placed: no run is near.",
                "Nothing to do at the scale of the runs.",
            )


def _few(curves: Curves) -> Iterator[Finding]:
    few = [
        f"{name} ({fitted.data.n_runs})"
        for name, fitted in zip(curves.names, curves.joint.fits, strict=True)
        if fitted.data.n_runs < _FEW_RUNS
    ]
    if few:
        yield Finding(
            "few-independent-runs",
            "warning",
            f"the intervals rest on few independent runs: {listed(few)}; from fewer than {_FEW_RUNS} a bootstrap is "
            "too narrow.",
            "Add runs, or read the intervals as lower bounds.",
        )


def _outliers(curves: Curves) -> Iterator[Finding]:
    """Residuals that least squares follow."""
    found = []
    for name, fitted in zip(curves.names, curves.joint.fits, strict=True):
        if not isinstance(fitted.objective, Squares):
            continue
        residual = np.asarray(fitted.residuals)
        robust = max(1.4826 * float(np.median(np.abs(residual))), _LEAST)
        count = int((np.abs(residual) > _OUTLYING * robust).sum())
        if count:
            found.append(f"{name} ({count})")
    if found:
        yield Finding(
            "outlying-runs",
            "warning",
            f"runs lie more than {_OUTLYING:g} robust standard deviations off the law of their group: {listed(found)}; "
            "least squares follow them.",
            "Look at these runs, or compare with --objective student-t or --objective huber:1e-3.",
        )


def _pairs(curves: Curves) -> Iterator[Finding]:
    joint = curves.joint
    if not joint.paired:
        return
    missing = []
    for (g, h), count in joint.shared.items():
        if not joint.together(g, h):
            continue
        alone = len(joint.units[g]) + len(joint.units[h]) - 2 * count
        if alone:
            missing.append(f"{curves.names[g]} and {curves.names[h]} share {count}, {alone} have no partner")
    if missing:
        yield Finding(
            "missing-pairs",
            "note",
            f"not every configuration was run in every group: {listed(missing)}.",
            "Train the missing runs for narrower intervals of the difference.",
        )


def _draws(curves: Curves) -> Iterator[Finding]:
    joint = curves.joint
    total = len(joint) + joint.failed
    if joint.failed > total / 100:
        yield Finding(
            "draws-failed",
            "warning",
            f"{joint.failed} of {total} resamples left some group without a finite optimum and are left out.",
            "The law may have more parameters than these runs can carry; fix or tie some.",
        )
    if joint.unsettled > len(joint) / 10:
        yield Finding(
            "draws-not-converged",
            "warning",
            f"{joint.unsettled} of {len(joint)} resamples had not converged in some group at the limit of steps: the "
            "runs do not determine some combination of parameters.",
            "Read gaps and crossings rather than parameters; fix or tie a parameter, or add runs.",
        )
