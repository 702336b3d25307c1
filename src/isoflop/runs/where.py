"""Row selection in a small safe language: ``tokens > 1e9 and family == 'pythia'``.

The text is read into Python's syntax tree, and only the nodes listed here are understood; it is never evaluated as
Python. Names are the file's own headers (in backticks where they are not words: `` `Model Size` > 1e8 ``) or the
canonical ones (``N`` or ``params``, ``D`` or ``tokens``, ``C`` or ``flops``, ``loss`` …).
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from isoflop.errors import FormulaError, excerpt
from isoflop.patterns import pattern
from isoflop.runs.arithmetic import FUNCTIONS, MAX_DEPTH, MAX_LENGTH, Arithmetic, too_deep, tree_of
from isoflop.runs.cells import parse_cell

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MAX_DEPTH", "MAX_LENGTH", "selection"]

MAX_CHAIN = 4  # 1e8 < N < D is a chain of two
# What people write who have SQL, C or pandas in their fingers, and how it is written here.
_SLIPS = (
    (pattern(r"=>"), ">="),
    (pattern(r"=<"), "<="),
    (pattern(r"<>"), "!="),
    (pattern(r"(?<![<>=!])=(?!=)"), "=="),
    (pattern(r"&+|\bAND\b"), "and"),
    (pattern(r"\|+|\bOR\b"), "or"),
    (pattern(r"!(?!=)|~|\bNOT\b"), "not"),
    (pattern(r"\bIN\b"), "in"),
    (pattern(r"≥"), ">="),
    (pattern(r"≤"), "<="),
    (pattern(r"≠"), "!="),
    (pattern(r"#"), "`…` around a header, and no comment"),
)


def selection(
    text: str,
    columns: Mapping[str, pl.DataType],
    *,
    aliases: Mapping[str, str] | None = None,
    texts: Mapping[str, str] | None = None,
) -> pl.Expr:
    """The Polars expression that a selection means, for a frame with these columns.

    aliases: further names of columns, such as the headers that became canonical ones. texts: for columns that were read
    as numbers, the column of the frame that holds their cells as they were written.
    Missing values and NaN compare as false. Raises FormulaError with the reason and the nearest names.
    """
    own = {name: kind for name, kind in columns.items() if name not in set((texts or {}).values())}
    try:
        tree, names = tree_of(text, what=_WHAT, slips=_SLIPS, example='"N > 1e9"')
        reader = Selection(excerpt(text, 120), own, names, aliases or {}, texts=texts)
        expression = reader.condition(tree, 0)
    except (RecursionError, MemoryError):
        raise FormulaError(too_deep(_WHAT)) from None
    return expression.fill_null(value=False)


_WHAT = "the selection"
_LANGUAGE = (
    "it may compare columns with numbers or quoted text, join with and, or, not, in, and call last, finite, "
    + ", ".join(FUNCTIONS)
)


class Selection(Arithmetic):
    """Walks the syntax tree of one selection.

    texts: for columns that were read as numbers, the column that holds their cells as they were written. what,
    language: the name of the text and what it may hold, in messages.
    """

    def __init__(
        self,
        shown: str,
        columns: Mapping[str, pl.DataType],
        quoted: Sequence[str],
        aliases: Mapping[str, str],
        *,
        texts: Mapping[str, str] | None = None,
        what: str = _WHAT,
        language: str | None = None,
    ) -> None:
        super().__init__(shown, columns, quoted, aliases)
        self.texts = texts or {}
        self.what = what
        self.language = language or _LANGUAGE

    def condition(self, node: ast.expr, depth: int) -> pl.Expr:
        depth = self.deeper(depth)
        match node:
            case ast.BoolOp(op=ast.And(), values=values):
                return self.every([self.condition(value, depth) for value in values])
            case ast.BoolOp(op=ast.Or(), values=values):
                return self.some([self.condition(value, depth) for value in values])
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.condition(operand, depth).fill_null(value=False)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                if len(ops) > MAX_CHAIN:
                    self.refuse(f"a chain of {len(ops)} comparisons")
                sides = [left, *comparators]
                pairs = zip(sides[:-1], ops, sides[1:], strict=True)
                return self.every([self.comparison(a, op, b, depth) for a, op, b in pairs])
            case ast.Call(func=ast.Name(id="finite"), args=[argument], keywords=[]):
                return self.number(argument, depth).is_finite()
            case ast.Call(func=ast.Name(id="last"), args=[argument], keywords=[]):
                return self.last(argument, depth)
            case ast.Name():
                import polars as pl

                if isinstance(self.columns[self.column(node)], pl.Boolean):
                    return pl.col(self.column(node))
            case ast.Tuple():
                self.refuse("a comma outside a list")
        self.refuse(f"{self.source(node)} where a comparison is needed")

    def last(self, node: ast.expr, depth: int) -> pl.Expr:
        """The rows that hold the largest value of their run."""
        import polars as pl

        if "run" not in self.columns:
            self.refuse("last(…), which needs a column with the run of each row (--column run=HEADER)")
        own = [name for name in ("run", "family") if name in self.columns]
        value = self.number(node, depth).fill_nan(None)
        return value == value.max().over([pl.col(name).cast(pl.String) for name in own])

    # flat, because Polars takes minutes for hundreds of nested ands
    @staticmethod
    def every(parts: list[pl.Expr]) -> pl.Expr:
        import polars as pl

        return parts[0] if len(parts) == 1 else pl.all_horizontal(parts)

    @staticmethod
    def some(parts: list[pl.Expr]) -> pl.Expr:
        import polars as pl

        return parts[0] if len(parts) == 1 else pl.any_horizontal(parts)

    def comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> pl.Expr:
        if isinstance(op, ast.In | ast.NotIn):
            if not isinstance(right, ast.List | ast.Tuple):
                self.refuse(f"'in' with {self.source(right)} where a list is needed, such as family in ['a', 'b']")
            hits = [self.comparison(left, ast.Eq(), item, depth) for item in right.elts]
            if not hits:
                self.refuse("'in' with an empty list")
            found = self.some(hits)
            return found if isinstance(op, ast.In) else ~found
        if isinstance(op, ast.Eq | ast.NotEq):
            same = self.same_text(left, right)
            if same is not None:
                return same if isinstance(op, ast.Eq) else ~same
        as_text = _is_text(left) or _is_text(right) or (self.holds_text(left) and self.holds_text(right))
        if as_text:
            a, b = self.words(left), self.words(right)
        else:  # Polars puts NaN above every number; here it is a missing value
            a, b = self.number(left, depth).fill_nan(None), self.number(right, depth).fill_nan(None)
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
                return a > b
            case ast.GtE() if not as_text:
                return a >= b
        self.refuse("text in an ordering" if as_text else f"the operator {type(op).__name__!r}")

    def same_text(self, left: ast.expr, right: ast.expr) -> pl.Expr | None:
        """A column of numbers beside a quoted text: the cells as they were written, else the number of the text."""
        import polars as pl

        node, text = (right, left) if _is_text(left) else (left, right)
        if not (isinstance(node, ast.Name) and isinstance(text, ast.Constant) and isinstance(text.value, str)):
            return None
        name, word = self.column(node), text.value.strip()
        kind = self.columns[name]
        if not (kind.is_numeric() or isinstance(kind, pl.Boolean)):
            return None
        if isinstance(kind, pl.Boolean):
            return pl.col(name).cast(pl.String) == word.lower()
        try:
            number = pl.col(name).cast(pl.Float64) == parse_cell(word).value
        except (ValueError, OverflowError):
            number = pl.lit(value=False) & pl.col(name).is_null()
        if name not in self.texts:
            return number
        written = (pl.col(self.texts[name]).str.strip_chars() == word).fill_null(value=False)
        return pl.when(written.any()).then(written).otherwise(number)

    def holds_text(self, node: ast.expr) -> bool:
        import polars as pl

        return isinstance(node, ast.Name) and isinstance(
            self.columns[self.column(node)], pl.String | pl.Categorical | pl.Enum
        )

    def words(self, node: ast.expr) -> pl.Expr:
        import polars as pl

        match node:
            case ast.Constant(value=str() as word):
                return pl.lit(word)
            case ast.Name():
                return pl.col(self.column(node)).cast(pl.String)
        self.refuse(f"{self.source(node)} beside text")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
