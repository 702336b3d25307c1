"""What to doubt in a table of runs before anything is fitted to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.columns import BY_SYMBOL
from isoflop.runs.table import ROW, Runs, rows_phrase

# A uniform guess over the largest vocabularies in use (about 260,000 tokens) costs ln 260,000 nats.
_GUESS = 12.5


def check(runs: Runs) -> tuple[Finding, ...]:
    """Every doubt about the runs: their values, their unit, their design. The most serious first."""
    found = [
        *runs.findings,
        *_value_findings(runs),
        *_duplicate_findings(runs),
        *_unit_findings(runs),
        *_flop_findings(runs),
        *_convention_findings(runs),
        *design_findings(runs, [name for name in ("N", "D") if name in runs.frame.columns]),
    ]
    order = {"error": 0, "doubt": 1, "note": 2}
    return tuple(sorted(found, key=lambda finding: order[finding.level]))


def evidence_findings(runs: Runs) -> tuple[Finding, ...]:
    """What would mislead a fit without breaking it: rows that are copies, losses that look like perplexity."""
    return (*_duplicate_findings(runs), *_unit_findings(runs))


def design_findings(runs: Runs, inputs: Sequence[str]) -> tuple[Finding, ...]:
    """Fewer than three values or less than a decade of an input, and inputs that move together."""
    found = []
    logs = {}
    for name in inputs:
        values = runs[name]
        values = values[np.isfinite(values) & (values > 0)]
        if not len(values):
            continue
        distinct = len(np.unique(np.round(np.log(values), 6)))
        decades = math.log10(values.max()) - math.log10(values.min())
        counts = BY_SYMBOL[name].counts if name in BY_SYMBOL else name
        if distinct < 3:
            found.append(
                Finding(
                    "few-sizes",
                    "doubt",
                    f"{name} ({counts}) has only {distinct} distinct {'value' if distinct == 1 else 'values'}; a power "
                    "law needs three to be tested at all.",
                    f"Add runs at other {name}.",
                )
            )
        elif decades < 1:
            found.append(
                Finding(
                    "narrow-range",
                    "doubt",
                    f"{name} ({counts}) spans {decades:.2f} decades, a factor of {10**decades:.3g}; exponents from "
                    "less than a decade are fragile.",
                    f"Add runs at smaller or larger {name}.",
                )
            )
        if len(values) == len(runs):
            logs[name] = np.log(values)
    names = list(logs)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            if np.std(logs[first]) > 0 and np.std(logs[second]) > 0 and len(runs) > 2:
                correlation = float(np.corrcoef(logs[first], logs[second])[0, 1])
                if abs(correlation) > 0.98:
                    found.append(
                        Finding(
                            "collinear",
                            "doubt",
                            f"{first} and {second} move together (correlation of logarithms {correlation:.3f}), "
                            "so their effects cannot be told apart.",
                            f"Add runs that vary {first} at fixed {second}.",
                        )
                    )
    return tuple(found)


def _value_findings(runs: Runs) -> list[Finding]:
    found = []
    for name in ("N", "D", "C", "loss"):
        if name not in runs.frame.columns:
            continue
        values = runs[name]
        for bad, what, keep in (
            (~np.isfinite(values), f"no finite {name}", f"finite({name})"),
            (values <= 0, f"{name} ≤ 0", f"{name} > 0"),
        ):
            if bad.any():
                rows = _rows(runs, bad)
                found.append(
                    Finding(
                        "bad-values",
                        "error",
                        f"{len(rows)} of {len(runs)} rows {'has' if len(rows) == 1 else 'have'} {what} "
                        f"({rows_phrase(list(rows))}).",
                        f'Drop them with --where "{keep}", or mend the table.',
                        rows,
                    )
                )
    return found


def _duplicate_findings(runs: Runs) -> list[Finding]:
    repeated = runs.frame.drop(ROW).is_duplicated().to_numpy()
    if not repeated.any():
        return []
    rows = _rows(runs, repeated)
    return [
        Finding(
            "duplicate-rows",
            "doubt",
            f"{len(rows)} rows occur more than once ({rows_phrase(list(rows))}); each copy counts as evidence.",
            "Drop the copies, unless they are repeated runs: then add a seed column.",
            rows,
        )
    ]


def _unit_findings(runs: Runs) -> list[Finding]:
    if "loss" not in runs.frame.columns or runs.loss_unit == "error rate":
        return []
    losses = runs["loss"]
    losses = losses[np.isfinite(losses)]
    if len(losses) and runs.loss_unit.startswith(("nats", "bits")):
        guess = _GUESS if runs.loss_unit.startswith("nats") else _GUESS / math.log(2)
        high = runs["loss"] > guess
        if np.median(losses) > guess / 2 or high.any():
            rows = _rows(runs, high)
            named = f", {len(rows)} of them above it" if rows else ""
            return [
                Finding(
                    "looks-like-perplexity",
                    "doubt",
                    f"the losses run from {losses.min():.3g} to {losses.max():.3g}{named}, and a uniform guess costs "
                    f"at most {guess:.1f} {runs.loss_unit}: this looks like perplexity.",
                    "If so, say it: --unit loss=perplexity.",
                    rows,
                )
            ]
    return []


def _flop_findings(runs: Runs) -> list[Finding]:
    if not {"N", "D", "C"} <= set(runs.frame.columns) or any(
        name in runs.columns and runs.columns[name].derived for name in ("C", "D")
    ):
        return []
    with np.errstate(all="ignore"):
        ratio = runs["C"] / (6 * runs["N"] * runs["D"])
    odd = np.isfinite(ratio) & ((ratio < 0.5) | (ratio > 2))
    if not odd.any():
        return []
    rows = _rows(runs, odd)
    typical = float(np.median(ratio[np.isfinite(ratio)]))
    return [
        Finding(
            "flops-not-6nd",
            "doubt",
            f"C is not within a factor of two of 6ND in {len(rows)} of {len(runs)} rows ({rows_phrase(list(rows))}; "
            f"median C/6ND {typical:.3g}).",
            "Check how C and N were counted; attention, embeddings and units of C are the usual reasons.",
            rows,
        )
    ]


def _convention_findings(runs: Runs) -> list[Finding]:
    if "N" not in runs.columns or runs.columns["N"].convention is not None or runs.columns["N"].derived:
        return []
    return [
        Finding(
            "params-convention",
            "note",
            "the table does not say whether N counts embeddings; exponents differ between the two.",
            "Say it with --convention N=total or N=non-embedding.",
        )
    ]


def _rows(runs: Runs, bad: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(row) for row in runs.frame[ROW].filter(pl.Series(bad)))
