"""Columns that a law needs and that no header was read as: the loss, the size, the tokens; with the likely headers."""

from __future__ import annotations

import polars as pl

from isoflop.errors import choices, excerpt, pasted
from isoflop.findings import Finding
from isoflop.runs.columns import likely
from isoflop.runs.table import Runs
from isoflop.runs.token_formulas import tokens_formula
from isoflop.runs.wide import columns_like_runs, size_in

_SIZES = frozenset({"N", "N_nonembed", "N_active", "N_nonvocab", "N_encoder", "N_decoder"})
_AMOUNTS = frozenset({"D", "U", "C", "step", "epochs"})
_SHOWN = 4
_FEW_NAMES = 6  # that a formula of N is written out for
_MOST_NAMES = 1_000


def absent_findings(runs: Runs) -> list[Finding]:
    """No loss, nothing that a loss could depend on, no size, no tokens."""
    kinds = dict(zip(runs.frame.columns, runs.frame.dtypes, strict=True))
    there = set(kinds)
    unused = [
        header
        for header in runs.headers
        if header not in runs.columns
        and kinds[header].is_numeric()
        and not (header.endswith("_error") and header.removesuffix("_error") in there)  # what stood behind ±
    ]
    others = f"; numbers that were not used stand in {choices(unused, _SHOWN)}" if unused else ""
    inputs = there & (_SIZES - {"N_nonvocab", "N_encoder", "N_decoder"} | _AMOUNTS)
    if "loss" not in there and not inputs:
        return [
            Finding(
                "nothing-to-fit",
                "error",
                f"no column was read as a loss, nor as parameters, tokens, FLOPs or steps, so nothing can be "
                f"fitted{others}.",
                "Name them: --column loss=HEADER --column N=HEADER --column D=HEADER; isoflop downstream takes "
                "scores of tasks by their headers.",
            )
        ]
    found = []
    if "loss" not in there and (runs_found := _columns_like_runs(runs, there, unused)):
        found.append(runs_found)
    elif "loss" not in there:
        near = likely("loss", unused)
        found.append(
            Finding(
                "no-loss",
                "warning",
                f"no column was read as the loss{_candidates(near) or others}.",
                f"Name it with --column loss={_first(near)}; isoflop downstream takes scores of tasks by their "
                "headers.",
            )
        )
    if not inputs:
        found.append(
            Finding(
                "no-inputs",
                "warning",
                f"no column was read as parameters, tokens, FLOPs or steps{others}.",
                "Name them with --column N=HEADER --column D=HEADER.",
            )
        )
        return found
    curves = "step" in there and bool({"lr", "run"} & there)
    alone = "C" in there  # laws of the FLOPs alone need neither
    if not there & _SIZES:
        words, formula = _sizes_in_names(runs)
        found += _absent(
            "no-size",
            "N",
            "the number of parameters",
            unused,
            curves=curves and not words,
            alone=alone and not words,
            formula=formula,
            words=words,
        )
    # curves of a schedule need the steps and the rate alone
    if not there & {"D", "C"} and not {"step", "lr"} <= there:
        several = "N" in there and runs.frame["N"].n_unique() > 1
        found += _absent(
            "no-tokens",
            "D",
            "training tokens",
            unused,
            curves=curves and not several,
            formula=_formula_of_tokens(runs, there),
        )
    return found


def _formula_of_tokens(runs: Runs, there: set[str]) -> str | None:
    read = [name for name in ("step", "batch", "U", "epochs", "N") if name in there]
    headers = {str(name): runs.columns[name].header or name for name in read}
    return tokens_formula(runs.names, of=headers)


def _sizes_in_names(runs: Runs) -> tuple[str, str | None]:
    """Where sizes stand in names (``llama-70m``): what to say of it, and the formula of N for a few names."""
    for header in runs.headers:
        series = runs.frame[header]
        names = sorted(set(runs.text(header))) if series.dtype == pl.String else []
        sizes = {name: size_in(name) for name in names}
        if not 2 <= len(names) <= _MOST_NAMES or not all(sizes.values()) or len(set(sizes.values())) < 2:
            continue
        quotable = header.isidentifier() and not any(set("'\"`") & set(name) for name in names)
        terms = " + ".join(f"{size}*({header} == '{name}')" for name, size in sizes.items())
        said = f"; sizes stand in the names of {excerpt(header, 40)}, as {excerpt(names[0], 40)}"
        return said, terms if quotable and len(names) <= _FEW_NAMES else None
    return "", None


def _columns_like_runs(runs: Runs, there: set[str], unused: list[str]) -> Finding | None:
    clock = next((name for name in ("step", "D", "epochs", "C") if name in there), None)
    like = columns_like_runs(runs.frame, clock, unused) if clock is not None and "N" not in there else []
    if not like:
        return None
    return Finding(
        "columns-may-be-runs",
        "warning",
        f"no column was read as the loss, but {choices(like, _SHOWN)} fall along {clock} as the losses of several runs "
        "do.",
        f"If each is a run, name it with its size, as {excerpt(like[0], 20)} → 'loss 125M', or as 'NAME - loss'; "
        f"if one of them is the loss, name it with --column loss={_first(like)}.",
    )


def _absent(
    code: str,
    symbol: str,
    counts: str,
    unused: list[str],
    *,
    curves: bool,
    alone: bool = False,
    formula: str | None = None,
    words: str = "",
) -> list[Finding]:
    """A warning; nothing for curves of one model without a header that could be it, a note beside FLOPs (alone)."""
    near = likely(symbol, unused)
    if curves and not near and formula is None:
        return []
    others = f"; numbers that were not used stand in {choices(unused, _SHOWN)}" if unused and not alone else ""
    others = words or others  # names that hold sizes tell more than numbers that were not used
    return [
        Finding(
            code,
            "note" if alone and not near else "warning",
            f"no column was read as {symbol}, {counts}{_candidates(near) or others}.",
            f'Name it with --column {symbol}={_first(near)}, or compute it: --derive "{symbol} = {formula or "…"}".',
        )
    ]


def _candidates(near: list[str]) -> str:
    return f"; it may be {choices(near, _SHOWN)}" if near else ""


def _first(near: list[str]) -> str:
    return pasted(near[0]) if near else "HEADER"
