"""Row selection in a small safe language: ``tokens > 1e9 and family == 'pythia'``.

The text is read into Python's syntax tree, and only the nodes listed here are understood; it is never evaluated as
Python. Names are the file's own headers (in backticks where they are not words: `` `Model Size` > 1e8 ``) or the
canonical ones (``N`` or ``params``, ``D`` or ``tokens``, ``C`` or ``flops``, ``loss`` …).
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING, NoReturn

from isoflop.errors import FormulaError
from isoflop.runs.columns import canonical_symbol
from isoflop.units import parse_quantity

if TYPE_CHECKING:
    import polars as pl

MAX_LENGTH = 2_000
MAX_DEPTH = 40
_SUFFIXED = re.compile(r"(?<![\w.])(\d[\d_]*\.?\d*(?:[eE][+-]?\d+)?[KMBGT])(?!\w)")
_QUOTED = re.compile(r"('[^']*'|\"[^\"]*\")")


def selection(text: str, columns: Mapping[str, pl.DataType]) -> pl.Expr:
    """The Polars expression that a selection means, for a frame with these columns.

    Missing values compare as false. Raises FormulaError with the place and the nearest names.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the selection has {len(text)} characters; the limit is {MAX_LENGTH}")
    names: list[str] = []

    def keep_name(found: re.Match[str]) -> str:
        names.append(found[1])
        return f"_quoted_{len(names) - 1}"

    parts = _QUOTED.split(text)
    parts[::2] = [
        _SUFFIXED.sub(lambda found: repr(parse_quantity(found[1])), re.sub(r"`([^`]+)`", keep_name, part))
        for part in parts[::2]
    ]
    try:
        tree = ast.parse("".join(parts).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it nests too deeply"
        raise FormulaError(f'the selection {text!r} cannot be read ({reason}); write for example "N > 1e9"') from None
    import polars as pl

    reader = _Reader(text, columns, names)
    expression = reader.condition(tree, 0)
    return expression.fill_null(value=False) if isinstance(expression, pl.Expr) else pl.lit(value=False)


class _Reader:
    """Walks the syntax tree of one selection."""

    def __init__(self, text: str, columns: Mapping[str, pl.DataType], quoted: Sequence[str]) -> None:
        self.text = text
        self.columns = columns
        self.quoted = quoted

    def refuse(self, what: str) -> NoReturn:
        raise FormulaError(
            f"the selection {self.text!r} uses {what}; it may compare columns with numbers or quoted text, "
            "join with and, or, not, in, and call log, abs and finite"
        )

    def deeper(self, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise FormulaError(f"the selection nests more than {MAX_DEPTH} levels deep; write it flatter")
        return depth + 1

    def condition(self, node: ast.expr, depth: int) -> pl.Expr:
        depth = self.deeper(depth)
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return reduce(lambda a, b: a & b, [self.condition(value, depth) for value in values])
            case ast.BoolOp(op=ast.Or(), values=values):
                return reduce(lambda a, b: a | b, [self.condition(value, depth) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.condition(operand, depth).fill_null(value=False)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [left, *comparators]
                pairs = zip(sides[:-1], ops, sides[1:], strict=True)
                return reduce(lambda a, b: a & b, [self.comparison(a, op, b, depth) for a, op, b in pairs])
            case ast.Call(func=ast.Name(id="finite"), args=[argument], keywords=[]):
                return self.number(argument, depth).is_finite()
            case ast.Name():
                import polars as pl

                if isinstance(self.columns[self.column(node)], pl.Boolean):
                    return pl.col(self.column(node))
        self.refuse(f"{ast.unparse(node)!r} where a comparison is needed")

    def comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> pl.Expr:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple):
                self.refuse(f"'in' with {ast.unparse(right)!r} where a list is needed, such as family in ['a', 'b']")
            hits = [self.comparison(left, ast.Eq(), item, depth) for item in right.elts]
            if not hits:
                self.refuse("'in' with an empty list")
            found = reduce(lambda a, b: a | b, hits)
            return found if isinstance(op, ast.In) else ~found
        as_text = _is_text(left) or _is_text(right)
        read = self.words if as_text else self.number
        a, b = read(left, depth), read(right, depth)
        match op:
            case ast.Eq():
                return a == b
            case ast.NotEq():
                return a != b
            case ast.Lt() if not as_text:
                return a < b
            case ast.LtE() if not as_text:
                return a <= b
            case ast.Gt() if not as_text:
                return (a > b) & a.is_not_nan()
            case ast.GtE() if not as_text:
                return (a >= b) & a.is_not_nan()
        self.refuse("text in an ordering" if as_text else f"the operator {type(op).__name__!r}")

    def words(self, node: ast.expr, depth: int) -> pl.Expr:
        import polars as pl

        match node:
            case ast.Constant(value=str() as word):
                return pl.lit(word)
            case ast.Name():
                return pl.col(self.column(node)).cast(pl.String)
        self.refuse(f"{ast.unparse(node)!r} beside quoted text")

    def number(self, node: ast.expr, depth: int) -> pl.Expr:
        import polars as pl

        depth = self.deeper(depth)
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return pl.lit(float(value))
            case ast.Name():
                return pl.col(self.column(node)).cast(pl.Float64, strict=False)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.number(operand, depth)
            case ast.Call(func=ast.Name(id="log"), args=[argument], keywords=[]):
                return self.number(argument, depth).log()
            case ast.Call(func=ast.Name(id="abs"), args=[argument], keywords=[]):
                return self.number(argument, depth).abs()
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
                    case ast.Pow() | ast.BitXor():
                        return a.pow(b)
        self.refuse(repr(ast.unparse(node)))

    def column(self, node: ast.Name) -> str:
        name = node.id
        if name.startswith("_quoted_") and name[8:].isdigit() and int(name[8:]) < len(self.quoted):
            name = self.quoted[int(name[8:])]
        if name in self.columns:
            return name
        symbol = canonical_symbol(name)
        if symbol is not None and symbol in self.columns:
            return symbol
        near = difflib.get_close_matches(name, list(self.columns), n=3, cutoff=0.5) or list(self.columns)[:8]
        raise FormulaError(f"the selection names {name!r}, which is no column; the nearest are {', '.join(near)}")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
