"""Rows of a table in the words of a finding: which they are, and the selection that drops them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from isoflop.runs.columns import BY_SYMBOL, plain
from isoflop.runs.table import Runs

Floats = NDArray[np.float64]

MANY_PASSES = 4.0  # Muennighoff et al. 2023: up to four passes are nearly as good as new tokens
_ROWS_A_WORD = 8  # rows that must share each word of a text column on average, for it to tell how runs were made
_MOST = 150  # rows that a selection can list within its length


def rows_where(runs: Runs, chosen: NDArray[np.bool_]) -> tuple[int, ...]:
    """The numbers of the rows where ``chosen`` (rows,) is true."""
    return tuple(runs.rows[chosen].tolist())


def without(rows: Iterable[int]) -> str:
    """``--where "row not in [1, 2]"``; for more rows than a selection holds, where to find their numbers."""
    listed = sorted(rows)
    if len(listed) > _MOST:
        return "a --where that leaves them out (--json lists the rows)"
    return f'--where "row not in [{", ".join(map(str, listed))}]"'


def header_like(runs: Runs, spellings: Iterable[str]) -> str | None:
    """The first column whose header has one of these spellings, compared without case and punctuation."""
    wanted = {plain(each) for each in spellings}
    return next((header for header in runs.headers if plain(header) in wanted), None)


def quoted(header: str) -> str:
    """A header as a selection names it: in backticks where it is no word."""
    return header if header.isidentifier() else f"`{header}`"


def mend_values(runs: Runs, name: str, bad: NDArray[np.bool_], keep: str) -> str:
    """What to do about values that no law can be fitted to: leave the rows out, or where none is left, read others."""
    if not bad.all():
        return f'drop them with --where "{keep}"'
    values, header = runs[name], runs.columns[name].header if name in runs.columns else ""
    if name == "loss" and header and (values < 0).all():
        return f'a log-likelihood is below zero and its negative is a loss: give --derive "loss = -{quoted(header)}"'
    return f"no row is left without them: name the right column with --column {name}=HEADER"


def settings(runs: Runs) -> list[str]:
    """Columns that say how a run was made rather than what came out: canonical ones, and text that repeats.

    Two rows that agree in all of them are the same experiment. Seeds and names of runs are left out.
    """
    texts = set(runs.frame.select(cs.string()).columns)
    chosen = []
    for header in runs.headers:
        if header in ("run", "seed", "loss"):
            continue
        if header in BY_SYMBOL or (header in texts and 1 < runs.frame[header].n_unique() <= len(runs) // _ROWS_A_WORD):
            chosen.append(header)
    return chosen


def setting_groups(runs: Runs) -> NDArray[np.int64]:
    """For each row the number of its group, (rows,): rows of one group agree in every setting that is told in words.

    Settings that are numbers, such as the learning rate, often go with the size and do not part groups; nor do words
    that name a size, each standing at one N alone.
    """
    words = [name for name in settings(runs) if runs.frame[name].dtype == pl.String]
    sizes = _that_name_a_size(runs, words)
    return codes_of(runs, [name for name in words if name not in sizes])


def _that_name_a_size(runs: Runs, headers: Sequence[str]) -> set[str]:
    """Those of the columns each of whose words, two at least, stands at one N alone; all are counted in one pass."""
    if "N" not in runs.frame.columns or not headers:
        return set()
    pairs = runs.frame.select(
        pl.struct(cs.by_name(header), cs.by_name("N")).n_unique().alias(f"{place}")
        for place, header in enumerate(headers)
    ).row(0)
    counts = [runs.frame[header].n_unique() for header in headers]
    return {header for header, count, pair in zip(headers, counts, pairs, strict=True) if 2 <= count == pair}


def codes_of(runs: Runs, names: Iterable[str]) -> NDArray[np.int64]:
    """A number for each combination of these columns, (rows,)."""
    headers = list(names)
    if not headers:
        return np.zeros(len(runs), dtype=np.int64)
    texts = cs.by_name(*headers).cast(pl.String).fill_null("")  # a header may read as a pattern, and is none
    words = runs.frame.select(pl.concat_str(texts, separator="\x1f")).to_series().to_list()
    return np.asarray(np.unique(words, return_inverse=True)[1], dtype=np.int64)


def passes_over_data(runs: Runs) -> Floats | None:
    """How often each row saw its data, (rows,): the epochs, or D/U; None where the table does not say."""
    if "epochs" in runs.frame.columns:
        return runs["epochs"]
    if {"D", "U"} <= set(runs.frame.columns):
        with np.errstate(all="ignore"):
            return np.asarray(runs["D"] / runs["U"])
    return None


def hardly_repeated(runs: Runs) -> NDArray[np.bool_]:
    """Rows that saw their data up to four times, or do not say, (rows,)."""
    passes = passes_over_data(runs)
    return np.ones(len(runs), dtype=np.bool_) if passes is None else ~(passes > MANY_PASSES)


def last_of_run(runs: Runs, values: Floats) -> NDArray[np.bool_]:
    """Rows that hold the largest value within their run, (rows,)."""
    codes = runs.run_codes()
    largest = np.full(int(codes.max()) + 1, -np.inf)
    np.maximum.at(largest, codes, np.where(np.isfinite(values), values, -np.inf))
    return np.asarray(values == largest[codes])
