"""Columns computed from those of the table: what the user derives, and D = C/(6N) or C = 6ND where one is absent."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import polars as pl

from isoflop.errors import DataError, FormulaError, excerpt
from isoflop.findings import Finding
from isoflop.patterns import pattern
from isoflop.runs.arithmetic import FUNCTIONS, Arithmetic, too_deep, tree_of
from isoflop.runs.columns import canonical_symbol, text_where_numbers
from isoflop.runs.table import ROW, Column, Runs, rows_phrase
from isoflop.runs.where import Selection
from isoflop.units import tokens_within, training_flops
from isoflop.values import FrozenMapping

_REAL_SIZE: Final = 1e5  # parameters from which a training of a few tokens is none
_FEWEST_TOKENS: Final = 1e4
_MOST: Final = 50  # derived columns of a table
_SLIPS = (
    (pattern(r"(?<![<>=!])=(?!=)"), "the part after the first = alone, and == for a comparison"),
    (pattern(r"!(?!=)|~"), "not"),
    (pattern(r"#"), "`…` around a header"),
)


class _Formula(Arithmetic):
    """The arithmetic of one derived column; a comparison is 1 where it holds and 0 where it does not."""

    language = (
        "it may use numbers, columns, + - * / ^, brackets, comparisons with numbers or quoted text joined with and, "
        "or, not, in, and " + ", ".join(FUNCTIONS)
    )

    def __init__(self, name: str, text: str, columns: Mapping[str, pl.DataType], *, aliases: Mapping[str, str]) -> None:
        self.what = f"the derived column {excerpt(name, 40)}"
        try:
            self.tree, quoted = tree_of(text, what=self.what, slips=_SLIPS, example='"steps * batch * 2048"')
        except RecursionError:
            raise FormulaError(too_deep(self.what)) from None
        super().__init__(excerpt(text, 120), columns, quoted, aliases)

    def number(self, node: ast.expr, depth: int) -> pl.Expr:
        """The expression of a number; a comparison with a missing value is missing."""
        if not isinstance(node, ast.Compare | ast.BoolOp) and not (
            isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
        ):
            return super().number(node, depth)
        reader = Selection(self.shown, self.columns, self.quoted, self.aliases, what=self.what, language=self.language)
        held = reader.condition(node, depth).cast(pl.Float64)
        known = [pl.col(name).is_not_null() for name in dict.fromkeys(reader.used)]
        return pl.when(pl.all_horizontal(known)).then(held) if known else held


def named_columns(derive: Mapping[str, str], columns: Mapping[str, pl.DataType]) -> dict[str, set[str]]:
    """For each derived column, under its symbol, the names that its formula has."""
    named = {}
    for name, text in derive.items():
        tree, quoted = tree_of(
            text, what=f"the derived column {excerpt(name, 40)}", slips=_SLIPS, example='"steps * batch"'
        )
        words = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        words = {
            quoted[int(word[8:])]
            if word.startswith("_quoted_") and word[8:].isdigit() and int(word[8:]) < len(quoted)
            else word
            for word in words
        }
        named[symbol_of(name)] = {word if word in columns else canonical_symbol(word) or word for word in words}
    return named


def symbol_of(name: str) -> str:
    """The canonical symbol of a derived column, or its own name; raises DataError for what cannot be a name."""
    symbol = canonical_symbol(name) or name
    if symbol == ROW or not symbol.isidentifier() or len(symbol) > 60:
        raise DataError(f"a column cannot be named {excerpt(name)}; use a word such as D, error or width")
    return symbol


def derive_columns(
    frame: pl.DataFrame,
    own: pl.DataFrame,
    known: dict[str, Column],
    derive: Mapping[str, str],
    *,
    units: Mapping[str, str],
    conventions: Mapping[str, str],
    source: str,
) -> tuple[pl.DataFrame, dict[str, Column]]:
    """The frame with the derived columns, each computed after those that it names.

    own: the file's columns under their own headers, with the numbers of the file. A formula that names its own column
    means the table's. A formula that is one name copies the column, text too.
    """
    if len(derive) > _MOST:
        raise DataError(f"{len(derive)} columns are derived, and at most {_MOST} can be; leave some out")
    texts = {symbol_of(name): text for name, text in derive.items()}
    there = frame.with_columns(own.get_columns())
    names = named_columns(derive, there.schema)
    known = dict(known)
    for symbol in _in_order(names):
        reader = _Formula(symbol, texts[symbol], dict(there.schema), aliases={})
        copied = isinstance(reader.tree, ast.Name)
        try:
            expression = (
                pl.col(reader.column(reader.tree))
                if isinstance(reader.tree, ast.Name)
                else reader.number(reader.tree, 0)
            )
        except RecursionError:
            raise FormulaError(too_deep(reader.what)) from None
        if not copied:
            _refuse_words(there, reader.used, source)
        series = there.select(expression.alias(symbol)).to_series()
        if series.len() != there.height:
            series = pl.Series(symbol, [series[0]] * there.height)
        if not copied and not series.is_finite().any():
            raise DataError(
                f"{symbol} = {excerpt(texts[symbol], 120)} has no finite number in any row of {source}; check "
                "the formula"
            )
        unit = units.get(symbol) or _unit(reader, known)
        counts = conventions.get("N") if symbol == "N" else None
        there = there.with_columns(series.alias(symbol))
        frame = frame.with_columns(series.alias(symbol))
        known[symbol] = Column(
            symbol, header="", unit=unit or ("nats/token" if symbol == "loss" else None), convention=counts,
            derived=texts[symbol][:200],
        )  # fmt: skip
    return frame, known


def with_derived(runs: Runs, derive: Mapping[str, str]) -> Runs:
    """Runs that are read already, with derived columns; see :func:`derive_columns`."""
    if not derive:
        return runs
    frame, known = derive_columns(
        runs.frame, pl.DataFrame(), dict(runs.columns), derive, units={}, conventions={}, source=runs.source
    )
    return replace(runs, frame=frame, columns=FrozenMapping(known))


def _in_order(names: Mapping[str, set[str]]) -> list[str]:
    """The derived columns, each behind those that it names; FormulaError where they name each other."""
    done: list[str] = []
    waiting = list(names)
    while waiting:
        ready = [each for each in waiting if not (names[each] - {each}) & set(waiting)]
        if not ready:
            raise FormulaError(f"the derived columns {', '.join(waiting[:5])} name each other in a ring; break it")
        done += ready
        waiting = [each for each in waiting if each not in ready]
    return done


def _refuse_words(frame: pl.DataFrame, used: list[str], source: str) -> None:
    for name in used:
        series = frame[name]
        if series.dtype == pl.String:
            cells = series.cast(pl.Float64, strict=False).is_null() & series.is_not_null()
            if cells.any():
                rows = [int(row) + 1 for row in cells.arg_true()]
                raise text_where_numbers(name, str(series.filter(cells)[0]), source, rows_phrase(rows))


def _unit(reader: _Formula, known: Mapping[str, Column]) -> str | None:
    """The unit that a formula carries: sums, minima and maxima keep a common one, a logarithm of perplexity is nats."""

    def of(node: ast.expr) -> str | None:
        match node:
            case ast.Name():
                name = reader.column(node)
                return known[name].unit if name in known else None
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                return of(left) if of(left) == of(right) else None
            case ast.Call(func=ast.Name(id="min" | "max"), args=[first, *rest]):
                return of(first) if all(of(each) == of(first) for each in rest) else None
            case ast.Call(func=ast.Name(id="log"), args=[ast.Name() as argument]):
                from isoflop.runs.headers import read_header

                return "nats/token" if read_header(reader.column(argument)).unit == "perplexity" else None
        return None

    return of(reader.tree)


def derive_flops_or_tokens(
    frame: pl.DataFrame, known: dict[str, Column]
) -> tuple[pl.DataFrame, dict[str, Column], list[Finding]]:
    """D = C/(6N) or C = 6ND where exactly one of the two is absent."""
    # a text column that happens to be named N is not known as N
    if {"N", "C"} <= set(known) and "D" not in frame.columns:
        tokens = frame.select(tokens_within(pl.col("C"), pl.col("N")).alias("D"))["D"]
        usual, size = (float(each.median() or 0) for each in (tokens, frame["N"]))  # type: ignore[arg-type]
        if size >= _REAL_SIZE and 0 < usual < _FEWEST_TOKENS:
            return frame, known, [_per_token(usual, known["C"])]
        frame = frame.with_columns(tokens)
        known = known | {"D": Column("D", "", derived="C/(6N)")}
        found = Finding(
            "tokens-from-flops",
            "note",
            "the table has no tokens, so D = C/(6N) was used; attention and embedding FLOPs then count as tokens.",
            "Give the tokens as a column if you have them (--column D=NAME).",
        )
        return frame, known, [found]
    if {"N", "D"} <= set(known) and "C" not in frame.columns and known["D"].convention != "samples":
        frame = frame.with_columns(training_flops(pl.col("N"), pl.col("D")).alias("C"))
        known = known | {"C": Column("C", "", derived="6ND")}
    return frame, known, []


def _per_token(usual: float, flops: Column) -> Finding:
    return Finding(
        "flops-too-few",
        "warning",
        f"C, read from {excerpt(flops.header)}, would make {usual:.3g} tokens a run (D = C/(6N)), so D was not "
        "derived: it is in another unit, or counts the FLOPs of one token or sample.",
        "Say its scale, as --unit C=GFLOPs or --unit C=1e18, or give the tokens as a column (--column D=NAME).",
    )
