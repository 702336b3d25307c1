"""Arithmetic over the columns of a table, read into Python's syntax tree and never evaluated as Python.

Names are the file's own headers (in backticks where they are not words) or the canonical ones; numbers may be written
``70B``. The functions are log, log2, log10, exp, sqrt, abs, min and max.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from isoflop.errors import FormulaError, excerpt
from isoflop.patterns import pattern
from isoflop.runs.headers import safe_header
from isoflop.units import parse_quantity

if TYPE_CHECKING:
    import polars as pl

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 40
FUNCTIONS: Final = ("log", "log2", "log10", "exp", "sqrt", "abs", "min", "max")
_SUFFIXED = pattern(r"(?<![\w.])((?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[kKmMBbGT])(?!\w)")


def tree_of(
    text: str, *, what: str, slips: Sequence[tuple[re.Pattern[str], str]], example: str
) -> tuple[ast.expr, list[str]]:
    """The syntax tree of a text, and the headers that stood in backticks (``_quoted_0``, ``_quoted_1`` … in the tree).

    what: the text's name in messages. slips: what other languages write, and what is written here.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"{what} has {len(text):,} characters; the limit is {MAX_LENGTH:,}")
    shown = excerpt(text, 120)
    if not text.strip():
        raise FormulaError(f"{what} is empty; write for example {example}")
    names: list[str] = []

    def keep_name(found: re.Match[str]) -> str:
        names.append(found[1])
        return f"_quoted_{len(names) - 1}"

    # a header in backticks may hold quotes, and a quoted text backticks: whichever opens first is kept whole
    parts = re.split(r"(`[^`]+`|'[^']*'|\"[^\"]*\")", text)
    for place in range(1, len(parts), 2):
        if parts[place].startswith("`"):
            parts[place] = re.sub(r"`([^`]+)`", keep_name, parts[place])
    for part in parts[::2]:
        for slip, instead in slips:
            found = slip.search(part)
            if found is not None:
                raise FormulaError(f"{what} {shown} holds {found[0]!r}; write {instead}")
    # ^ is a power here, which binds more tightly than Python's exclusive or
    parts[::2] = [
        _SUFFIXED.sub(lambda found: repr(parse_quantity(found[1])), part).replace("^", "**") for part in parts[::2]
    ]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on style are not for the user
            return ast.parse("".join(parts).strip(), mode="eval").body, names
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it holds bytes that are no text"
        raise FormulaError(f"{what} {shown} cannot be read ({reason}); write for example {example}") from None
    except (RecursionError, MemoryError):
        raise FormulaError(too_deep(what)) from None


def too_deep(what: str) -> str:
    """The sentence for a text that nests too deep."""
    return f"{what} nests more than {MAX_DEPTH} levels deep; write it flatter"


class Arithmetic:
    """Walks the syntax tree of a text; ``used`` are the columns that it named."""

    what = "the formula"
    language = "it may use numbers, columns, + - * / ^, brackets, " + ", ".join(FUNCTIONS)

    def __init__(
        self, shown: str, columns: Mapping[str, pl.DataType], quoted: Sequence[str], aliases: Mapping[str, str]
    ) -> None:
        self.shown = shown
        self.columns = columns
        self.quoted = quoted
        self.aliases = aliases
        self.used: list[str] = []

    def refuse(self, what: str) -> NoReturn:
        """Say what is not in the language."""
        raise FormulaError(f"{self.what} {self.shown} uses {what}; {self.language}")

    def source(self, node: ast.expr) -> str:
        """The node as the user would write it, cut where it is too long for a sentence."""
        return excerpt(re.sub(r"_quoted_(\d+)", self.as_typed, ast.unparse(node)))

    def as_typed(self, found: re.Match[str]) -> str:
        """A header in backticks again."""
        return f"`{self.quoted[int(found[1])]}`" if int(found[1]) < len(self.quoted) else found[0]

    def deeper(self, depth: int) -> int:
        """One level more; raises FormulaError beyond the limit."""
        if depth > MAX_DEPTH:
            raise FormulaError(too_deep(self.what))
        return depth + 1

    def number(self, node: ast.expr, depth: int) -> pl.Expr:
        """The expression of a number."""
        import polars as pl

        depth = self.deeper(depth)
        match node:
            case ast.Constant(value=int() | float() as value):
                try:
                    return pl.lit(float(value))
                except OverflowError:
                    self.refuse("a number beyond 1e308")
            case ast.Name():
                return pl.col(self.column(node)).cast(pl.Float64, strict=False)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand, depth)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.number(operand, depth)
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]) if function in FUNCTIONS:
                return self.call(node, function, [self.number(argument, depth) for argument in arguments])
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self.number(left, depth), self.number(right, depth)
                match op:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Div():
                        return a / b
                    case ast.Pow():
                        return a.pow(b)
        self.refuse(self.source(node))

    def call(self, node: ast.expr, function: str, values: list[pl.Expr]) -> pl.Expr:
        """One of the functions, of as many values as it takes."""
        import polars as pl

        if function in ("min", "max"):
            if not 2 <= len(values) <= 8:
                self.refuse(self.source(node))
            return pl.min_horizontal(values) if function == "min" else pl.max_horizontal(values)
        if len(values) != 1:
            self.refuse(self.source(node))
        (value,) = values
        match function:
            case "log":
                return value.log()
            case "log2":
                return value.log(2)
            case "log10":
                return value.log(10)
            case "exp":
                return value.exp()
            case "sqrt":
                return value.sqrt()
        return value.abs()

    def column(self, node: ast.Name) -> str:
        """The column that a name stands for; raises FormulaError with the nearest."""
        from isoflop.runs.columns import canonical_symbol

        name = node.id
        if name.startswith("_quoted_") and name[8:].isdigit() and int(name[8:]) < len(self.quoted):
            name = self.quoted[int(name[8:])]
        for known in (name, safe_header(name), self.aliases.get(name), canonical_symbol(name)):
            if known in self.columns:
                self.used.append(str(known))
                return str(known)
        every = [*dict.fromkeys((*self.columns, *self.aliases))]
        near = difflib.get_close_matches(name[:100], every, n=3, cutoff=0.6)
        listed = ", ".join(each if len(each) <= 40 else f"{each[:39]}…" for each in near or every[:8])
        raise FormulaError(
            f"{self.what} names {excerpt(name)}, which is no column; the {'nearest' if near else 'columns'} are "
            f"{listed} (text needs quotes)"
        )
