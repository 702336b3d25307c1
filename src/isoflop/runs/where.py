"""Row selection in a small safe language: ``tokens > 1e9 and family == 'pythia'``.

The text is read into Python's syntax tree, and only the nodes listed here are understood; it is never evaluated as
Python. Names are the file's own headers (in backticks where they are not words: `` `Model Size` > 1e8 ``) or the
canonical ones (``N`` or ``params``, ``D`` or ``tokens``, ``C`` or ``flops``, ``loss`` …).
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from isoflop.errors import FormulaError
from isoflop.runs.columns import canonical_symbol
from isoflop.units import parse_quantity

if TYPE_CHECKING:
    import polars as pl

MAX_LENGTH = 2_000
MAX_DEPTH = 40
MAX_CHAIN = 4  # 1e8 < N < D is a chain of two
_SUFFIXED = re.compile(r"(?<![\w.])((?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[kKmMBbGT])(?!\w)")
_QUOTED = re.compile(r"('[^']*'|\"[^\"]*\")")
# What people write who have SQL, C or pandas in their fingers, and how it is written here.
_SLIPS = (
    (re.compile(r"=>"), ">="),
    (re.compile(r"=<"), "<="),
    (re.compile(r"<>"), "!="),
    (re.compile(r"(?<![<>=!])=(?!=)"), "=="),
    (re.compile(r"&+|\bAND\b"), "and"),
    (re.compile(r"\|+|\bOR\b"), "or"),
    (re.compile(r"!(?!=)|~|\bNOT\b"), "not"),
    (re.compile(r"\bIN\b"), "in"),
    (re.compile(r"≥"), ">="),
    (re.compile(r"≤"), "<="),
    (re.compile(r"≠"), "!="),
    (re.compile(r"#"), "`…` around a header, and no comment"),
)


def selection(text: str, columns: Mapping[str, pl.DataType], *, aliases: Mapping[str, str] | None = None) -> pl.Expr:
    """The Polars expression that a selection means, for a frame with these columns.

    aliases: further names of columns, such as the headers that became canonical ones.
    Missing values and NaN compare as false. Raises FormulaError with the reason and the nearest names.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the selection has {len(text):,} characters; the limit is {MAX_LENGTH:,}")
    shown = _cut(text, 120)
    if not text.strip():
        raise FormulaError('the selection is empty; write for example "N > 1e9"')
    names: list[str] = []

    def keep_name(found: re.Match[str]) -> str:
        names.append(found[1])
        return f"_quoted_{len(names) - 1}"

    parts = _QUOTED.split(text)
    parts[::2] = [re.sub(r"`([^`]+)`", keep_name, part) for part in parts[::2]]
    for part in parts[::2]:
        for slip, instead in _SLIPS:
            found = slip.search(part)
            if found is not None:
                raise FormulaError(f"the selection {shown} holds {found[0]!r}; write {instead}")
    parts[::2] = [_SUFFIXED.sub(lambda found: repr(parse_quantity(found[1])), part) for part in parts[::2]]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on style are not for the user
            tree = ast.parse("".join(parts).strip(), mode="eval").body
        reader = _Reader(shown, columns, names, aliases or {})
        expression = reader.condition(tree, 0)
    except (SyntaxError, ValueError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it holds bytes that are no text"
        raise FormulaError(f'the selection {shown} cannot be read ({reason}); write for example "N > 1e9"') from None
    except (RecursionError, MemoryError):
        raise FormulaError(_TOO_DEEP) from None
    return expression.fill_null(value=False)


_TOO_DEEP = f"the selection nests more than {MAX_DEPTH} levels deep; write it flatter"


class _Reader:
    """Walks the syntax tree of one selection."""

    def __init__(
        self, shown: str, columns: Mapping[str, pl.DataType], quoted: Sequence[str], aliases: Mapping[str, str]
    ) -> None:
        self.shown = shown
        self.columns = columns
        self.quoted = quoted
        self.aliases = aliases

    def refuse(self, what: str) -> NoReturn:
        raise FormulaError(
            f"the selection {self.shown} uses {what}; it may compare columns with numbers or quoted text, "
            "join with and, or, not, in, and call log, abs, finite and last"
        )

    def source(self, node: ast.expr) -> str:
        """The node as the user would write it, cut where it is too long for a sentence."""
        text = re.sub(r"_quoted_(\d+)", self.as_typed, ast.unparse(node))
        return _cut(text)

    def as_typed(self, found: re.Match[str]) -> str:
        return f"`{self.quoted[int(found[1])]}`" if int(found[1]) < len(self.quoted) else found[0]

    def deeper(self, depth: int) -> int:
        if depth > MAX_DEPTH:
            raise FormulaError(_TOO_DEEP)
        return depth + 1

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
            self.refuse("last(…), which needs a column that says to which run a row belongs (--column run=HEADER)")
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

    def number(self, node: ast.expr, depth: int) -> pl.Expr:
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
        self.refuse(self.source(node))

    def column(self, node: ast.Name) -> str:
        name = node.id
        if name.startswith("_quoted_") and name[8:].isdigit() and int(name[8:]) < len(self.quoted):
            name = self.quoted[int(name[8:])]
        for known in (name, self.aliases.get(name), canonical_symbol(name)):
            if known in self.columns:
                return str(known)
        every = [*self.columns, *self.aliases]
        near = difflib.get_close_matches(name, every, n=3, cutoff=0.6)
        listed = f"{'nearest' if near else 'columns'} are {', '.join(near or every[:8])}"
        raise FormulaError(f"the selection names {_cut(name)}, which is no column; the {listed} (text needs quotes)")


def _cut(text: str, length: int = 60) -> str:
    """The text in quotes, cut where it is too long for a sentence."""
    return repr(text if len(text) <= length else text[: length - 3] + "…")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
