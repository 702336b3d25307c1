"""What is said of how raw columns were read under canonical names."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from isoflop.errors import choices, excerpt, pasted
from isoflop.findings import Finding
from isoflop.runs.cells import Numbers
from isoflop.runs.columns import Header, Match


def words_finding(symbol: str, header: Header, raw: pl.DataFrame, *, sure: bool) -> Finding:
    """That a column holds words where its header promises numbers; an error where it can hardly mean anything else."""
    example = raw[header.text].drop_nulls()[0]
    return Finding(
        "text-column",
        "error" if sure else "warning",
        f"column {excerpt(header.text)} holds text such as {excerpt(example, 40)}, so {symbol} was not read from it.",
        f"Write numbers such as 70e9 or 70B into it, name another column with --column {symbol}=HEADER, or compute "
        f'it: --derive "{symbol} = …".',
    )


def passed_finding(symbol: str, header: Header, values: pl.Series) -> Finding:
    """That a column was passed by, since its numbers (in whole counts) cannot be the symbol's."""
    return Finding(
        "implausible-column",
        "note",
        f"{symbol} was not read from {excerpt(header.text)}: its largest number is {float(values.max() or 0):.3g}"  # type: ignore[arg-type]
        f"{' (times ' + format(header.scale, 'g') + ', as in the header, included)' if header.scale != 1 else ''}.",
        f"If it is {symbol} nevertheless, say so with --column {symbol}={pasted(header.text)}, and its scale with "
        f"--unit {symbol}=millions.",
    )


def scale_findings(symbol: str, header: Header, numbers: Numbers) -> list[Finding]:
    """That a scale stands in a column's header, or in its cells."""
    if header.scale == 1:
        return []
    own = int(numbers.scaled.sum()) if numbers.scaled is not None else 0
    if own:
        return [
            Finding(
                "scale-in-cells",
                "note",
                f"{own} {'cell' if own == 1 else 'cells'} of {excerpt(header.text)} have their own scale (as 0.1B), "
                "so the header's does not count for them.",
                "Write the scale into the header or into the cells, not both.",
            )
        ]
    return [
        Finding(
            "header-scale",
            "note",
            f"{symbol} is {excerpt(header.text)} times {header.scale:g}, as in the header.",
            f"If the numbers are already whole counts, say --unit {symbol}=1.",
        )
    ]


def without_loss_rivals(findings: Iterable[Finding], responses: Iterable[str]) -> tuple[Finding, ...]:
    """The findings without that of a loss with rivals, where other columns are predicted or compared."""
    named = tuple(responses)
    if not named or "loss" in named:
        return tuple(findings)
    return tuple(
        each for each in findings if each.code != "column-rivals" or not each.message.startswith("loss was read")
    )


def rival_findings(symbol: str, match: Match) -> list[Finding]:
    """That other columns fit a symbol as well."""
    if not match.rivals:
        return []
    fits = "fits" if len(match.rivals) == 1 else "fit"
    return [
        Finding(
            "column-rivals",
            "warning",
            f"{symbol} was read from {excerpt(match.header.text)}, but {choices(match.rivals, 4)} {fits} as well.",
            f"Say which with --column {symbol}={pasted(match.header.text)}.",
        )
    ]
