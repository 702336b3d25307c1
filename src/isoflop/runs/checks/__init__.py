"""What to doubt in a table of runs before anything is fitted to it; one module for each kind of doubt."""

from __future__ import annotations

from isoflop.findings import Finding
from isoflop.runs.checks.counts import count_findings, implausible_counts
from isoflop.runs.checks.curves import curve_findings
from isoflop.runs.checks.design import design_findings
from isoflop.runs.checks.direction import direction_findings
from isoflop.runs.checks.repeats import duplicate_findings, repeat_findings
from isoflop.runs.checks.schedules import schedule_findings
from isoflop.runs.checks.units import loss_findings
from isoflop.runs.checks.values import value_findings
from isoflop.runs.table import Runs

__all__ = ["check", "design_findings", "evidence_findings", "most_serious_first"]

_FEW = 10


def check(runs: Runs) -> tuple[Finding, ...]:
    """Every doubt that the table alone raises: values, copies, units, counts, schedules, design. Serious ones first.

    Doubts that need a fitted law (outliers of the surface, seeds against residuals) are in
    :mod:`isoflop.validation.check`.
    """
    counts = count_findings(runs)
    if any(finding.code == "looks-like-logarithms" for finding in counts):  # nothing else can be said of such numbers
        return most_serious_first((*runs.findings, *value_findings(runs), *loss_findings(runs), *counts))
    return most_serious_first(
        (
            *runs.findings,
            *value_findings(runs),
            *duplicate_findings(runs),
            *repeat_findings(runs),
            *loss_findings(runs),
            *direction_findings(runs),
            *counts,
            *curve_findings(runs),
            *schedule_findings(runs),
            *design_findings(runs, [name for name in ("N", "D") if name in runs.frame.columns]),
            *_number_findings(runs),
        )
    )


def _number_findings(runs: Runs) -> list[Finding]:
    """So few runs that any law of size and tokens hangs on each of them."""
    n_runs = int(runs.run_codes().max()) + 1 if len(runs) else 0
    if n_runs >= _FEW:
        return []
    return [
        Finding(
            "few-runs",
            "warning",
            f"{n_runs} {'run' if n_runs == 1 else 'runs'}: a law of N and D has five parameters, and an interval from "
            f"fewer than {_FEW} runs is too narrow.",
            "Add runs, or fit a law with fewer parameters (chinchilla-tied, power-n-floor).",
        )
    ]


def evidence_findings(runs: Runs) -> tuple[Finding, ...]:
    """What would mislead a fit without breaking it: copies, losses in another unit or rising, counts without scale."""
    return (
        *duplicate_findings(runs),
        *loss_findings(runs),
        *direction_findings(runs),
        *implausible_counts(runs),
    )


def most_serious_first(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Errors, then doubts, then notes; otherwise in their order."""
    order = {"error": 0, "warning": 1, "note": 2}
    return tuple(sorted(findings, key=lambda finding: order[finding.level]))
