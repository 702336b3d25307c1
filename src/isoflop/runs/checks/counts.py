"""Parameters, tokens and FLOPs that were counted otherwise than they are used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.checks.rows import MANY_PASSES, passes_over_data, rows_where, without
from isoflop.runs.meanings import BY_SYMBOL
from isoflop.runs.table import Runs, rows_phrase
from isoflop.units import format_quantity, training_flops

Floats = NDArray[np.float64]

OMEGA = 47_491.0  # N = n + ω·n^(1/3) with n without embeddings; Pearce & Song 2024, arXiv:2406.12907
_LARGE_SHARE = 0.3  # of the parameters in embeddings, from which the two counts bend apart
_LOGARITHMS = 40.0  # no run has so few parameters or tokens, and no log10 of a count is so large
_LEAST = {"N": 1e3, "D": 1e3, "C": 1e9}  # counts that the largest run of a table surpasses
_SMALL = 2e4  # parameters that only a toy stays below: millions without their scale, as a rule
_REAL = 1e5
_MANY = 8
_ALIKE = 0.05
_ORDERS_BELOW = 1e-2
_STARVED = 1.0  # tokens a parameter below which runs leave the law's surface
_LONG = 2_000.0


def count_findings(runs: Runs) -> list[Finding]:
    """Counts that are logarithms, C far from 6ND, embeddings, tokens per parameter, repeated data."""
    logs = _logarithms(runs)
    if logs:
        return logs
    return [*implausible_counts(runs), *_flops(runs), *_embeddings(runs), *_ratio(runs), *_repeated(runs)]


def total_from_nonembedding(count: Floats) -> Floats:
    """N = n + ω·n^(1/3): parameters with embeddings, estimated from those without (Pearce & Song 2024)."""
    return count + OMEGA * np.cbrt(count)


def nonembedding_from_total(count: Floats) -> Floats:
    """The n with n + ω·n^(1/3) = N, by Newton's method on the cube root."""
    root = np.cbrt(count)
    with np.errstate(all="ignore"):
        for _ in range(60):
            root = root - (root**3 + OMEGA * root - count) / (3 * root**2 + OMEGA)
    return np.asarray(root**3, dtype=np.float64)


def implausible_counts(runs: Runs) -> list[Finding]:
    """Counts too small for their name, and tokens that are orders below the parameters: a scale is missing."""
    found = []
    for name, least in _LEAST.items():
        if name not in runs.columns or (runs.columns[name].derived in ("6ND", "C/(6N)") and name != "D"):
            continue
        values = runs[name][np.isfinite(runs[name])]
        small = name == "N" and least <= values.max(initial=0) < _SMALL
        if not len(values) or not (small or 0 < values.max() < least):
            continue
        others = "D" if name == "N" else "N"
        sized = others in runs.frame.columns and np.nanmax(runs[others], initial=0) >= _REAL
        counts = BY_SYMBOL[name].counts
        found.append(
            Finding(
                "implausible-counts",
                "error" if not small and (sized or len(values) >= _MANY) else "warning",
                f"{name} goes from {values.min():.3g} to {values.max():.3g} {counts}: "
                f"{'only a toy' if small else 'no language model'} has so few; "
                "its numbers have a scale that the header does not say, or the column is another.",
                f"Say the scale, as --unit {name}=millions, --unit {name}=B or --unit {name}=1e18, or name the column "
                f"with --column {name}=HEADER.",
            )
        )
    if found or not {"N", "D"} <= set(runs.columns):
        return found
    with np.errstate(all="ignore"):
        ratio = runs["D"] / runs["N"]
    ratio = ratio[np.isfinite(ratio) & (ratio > 0)]
    if not len(ratio) or np.median(ratio) >= _ORDERS_BELOW or np.nanmax(runs["N"]) < _REAL:
        return found
    samples = runs.columns["D"].convention == "samples"
    what = "samples" if samples else "tokens"
    return [
        Finding(
            "implausible-counts",
            "warning",
            f"the median run has {np.median(ratio):.2g} {what} per parameter, orders below any training: D, N or C has "
            f"another scale or unit than was read{', or a sample holds many tokens' if samples else ''}.",
            "Say the scale, as --unit D=billions, or give the tokens as a column (--column D=HEADER, or --derive "
            '"D = steps * tokens_per_step").',
        )
    ]


def _logarithms(runs: Runs) -> list[Finding]:
    odd = []
    for name in ("N", "D", "C"):
        if name in runs.columns and runs.columns[name].derived is None:
            values = runs[name][np.isfinite(runs[name])]
            if len(values) > 2 and values.min() > 0 and values.max() < _LOGARITHMS and np.any(values % 1):
                odd.append((name, values))
    if not odd:
        return []
    names = " and ".join(name for name, _ in odd)
    seen = ", ".join(f"{name} from {values.min():.3g} to {values.max():.3g}" for name, values in odd)
    return [
        Finding(
            "looks-like-logarithms",
            "error",
            f"{seen}: no run has so few; {names} {'looks' if len(odd) == 1 else 'look'} like log10 of a count, or like "
            "a count in billions whose header does not say so.",
            f"Raise {names} to powers of ten in the table, or write the scale into the header, as in 'tokens (B)'.",
        )
    ]


def _flops(runs: Runs) -> list[Finding]:
    if not {"N", "D", "C"} <= set(runs.frame.columns) or any(
        name in runs.columns and runs.columns[name].derived for name in ("C", "D")
    ):
        return []
    with np.errstate(all="ignore"):
        ratio = runs["C"] / (training_flops(runs["N"], runs["D"]))
    odd = np.isfinite(ratio) & ((ratio < 0.5) | (ratio > 2))
    if not odd.any():
        return []
    rows = rows_where(runs, odd)
    known = ratio[np.isfinite(ratio)]
    typical = float(np.median(known))
    if runs.columns["D"].convention == "samples":
        alike = bool((np.abs(known / typical - 1) < _ALIKE).all()) and typical > 1
        return [_of_samples(typical, runs.columns["D"].header)] if alike else []
    return [
        Finding(
            "flops-not-6nd",
            "warning",
            f"C is not within a factor of two of 6ND in {len(rows)} of {len(runs)} rows ({rows_phrase(list(rows))}; "
            f"median C/6ND {typical:.3g}).",
            "Check how C and N were counted; attention, embeddings and units of C are the usual reasons.",
            rows,
        )
    ]


def _of_samples(ratio: float, header: str) -> Finding:
    """That C/(6ND) is one number where D counts samples: the tokens of a sample."""
    quoted = header if header.isidentifier() else f"`{header}`"
    return Finding(
        "flops-per-sample",
        "note",
        f"C is {ratio:,.0f} times 6ND in every row, where D counts samples: as with {ratio:,.0f} tokens a sample.",
        f'Give the tokens: --derive "D = {quoted} * {ratio:.0f}".',
    )


def _embeddings(runs: Runs) -> list[Finding]:
    """What the count of parameters leaves open, and how far apart the two counts are at the smallest size."""
    if "N" not in runs.columns or runs.columns["N"].derived or runs.loss_unit.endswith("/byte"):
        return [] if "N" not in runs.columns or runs.columns["N"].convention else [_convention()]
    count = runs["N"][np.isfinite(runs["N"]) & (runs["N"] > 0)]
    found = [] if runs.columns["N"].convention else [_convention()]
    if not len(count):
        return found
    smallest = np.array([count.min()])
    if {"N", "N_nonembed"} <= set(runs.frame.columns):
        with np.errstate(all="ignore"):
            share = 1 - runs["N_nonembed"] / runs["N"]
        share = share[np.isfinite(share)]
        if not len(share) or share.max() < _LARGE_SHARE:
            return found
        says = f"embeddings are {share.max():.0%} of the parameters of one size and {share.min():.0%} of another"
        fix = "Fit both counts (--column N=…): where the exponents differ, say which count is meant."
    else:
        small = nonembedding_from_total(smallest) if runs.columns["N"].convention != "non-embedding" else smallest
        share = OMEGA / (np.cbrt(small) ** 2 + OMEGA)
        if share[0] < _LARGE_SHARE:
            return found
        says = (
            f"at the smallest size, {format_quantity(float(smallest[0]))}, embeddings are usually some "
            f"{share[0]:.0%} of all parameters (with a vocabulary of about 32,000)"
        )
        fix = "Drop the smallest sizes, or give both counts; isoflop sensitivity shows what the count does here."
    found.append(
        Finding(
            "embeddings-matter",
            "note",
            f"{says}: exponents from small models with and without embeddings differ (0.73 against 0.50 for N* ∝ C^a "
            "in Kaplan's and Chinchilla's papers).",
            fix,
        )
    )
    return found


def _convention() -> Finding:
    return Finding(
        "params-convention",
        "note",
        "the table does not say whether N counts embeddings; exponents differ between the two.",
        "Say it with --convention N=total or N=non-embedding.",
    )


def _ratio(runs: Runs) -> list[Finding]:
    """Tokens per parameter: one ratio only, or rows far outside what laws were made for."""
    if not {"N", "D"} <= set(runs.frame.columns):
        return []
    with np.errstate(all="ignore"):
        ratio = runs["D"] / runs["N"]
    good = np.isfinite(ratio) & (ratio > 0)
    if good.sum() < 3:
        return []
    found = []
    low, high = float(ratio[good].min()), float(ratio[good].max())
    if high / low < 2:
        ends = f"{low:.3g}", f"{high:.3g}"
        span = ends[0] if ends[0] == ends[1] else f"between {ends[0]} and {ends[1]}"
        found.append(
            Finding(
                "one-ratio",
                "warning",
                f"all runs have {span} tokens per parameter: nothing here tells what more tokens for the same size "
                "would bring.",
                "Add runs with a quarter and with four times the tokens per parameter.",
            )
        )
    starved = good & (ratio < _STARVED)
    if starved.any() and not starved[good].all():
        rows = rows_where(runs, starved)
        found.append(
            Finding(
                "few-tokens",
                "warning",
                f"{len(rows)} of {len(runs)} rows have fewer tokens than parameters ({rows_phrase(list(rows))}; down "
                f"to {low:.2g} per parameter); such runs often end in warm-up and lie above the law.",
                f"See what they do with isoflop influence, or drop them with {without(rows)}.",
                rows,
            )
        )
    if high > _LONG:
        rows = rows_where(runs, good & (ratio > _LONG))
        found.append(
            Finding(
                "many-tokens",
                "note",
                f"{len(rows)} of {len(runs)} rows have more than {_LONG:,.0f} tokens per parameter (up to "
                f"{high:,.0f}).",
                "Far beyond the optimum the additive form may fail: hold these rows out (isoflop backtest).",
                rows,
            )
        )
    return found


def _repeated(runs: Runs) -> list[Finding]:
    """Rows that saw their data more often than about four times."""
    passes = passes_over_data(runs)
    if passes is None:
        return []
    keep = f"{'epochs' if 'epochs' in runs.frame.columns else 'D/U'} <= {MANY_PASSES:g}"
    again = np.isfinite(passes) & (passes > 1.01)
    if not again.any():
        return []
    many = again & (passes > MANY_PASSES)
    rows = rows_where(runs, many if many.any() else again)
    most = float(passes[again].max())
    return [
        Finding(
            "repeated-data",
            "warning" if many.any() else "note",
            f"{int(again.sum())} of {len(runs)} rows repeat their data, {int(many.sum())} of them more than "
            f"{MANY_PASSES:g} times (up to {most:.3g} passes); a law in N and D counts repeated tokens as new.",
            f'Fit a law with U, such as muennighoff, or keep the others with --where "{keep}".',
            rows,
        )
    ]
