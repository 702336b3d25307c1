"""Formula text → expression, by a whitelist over Python's syntax tree.

The language: numbers (``1.5``, ``2e9``), names, ``+ - * / ^`` (``**`` is ``^`` too), brackets, and calls of ``log``,
``exp``, ``sqrt``, ``abs``, ``min`` and ``max``. Nothing else is understood, and no text is ever evaluated.
"""

from __future__ import annotations

import ast
import difflib
from typing import NoReturn

from isoflop.errors import FormulaError
from isoflop.laws.expression import MINUS_ONE, Expr, add, call, exp, log, mul, name, num, power, size

MAX_LENGTH = 4_000
MAX_NODES = 600
MAX_DEPTH = 60
MAX_NUMBER = 1e300
FUNCTIONS = ("log", "exp", "sqrt", "abs", "min", "max")
RESERVED = frozenset({*FUNCTIONS, "ln"})


def parse(text: str) -> Expr:
    """The expression that a formula means.

    Raises FormulaError, with the formula and a caret under the place, where it is not in the language.
    """
    if len(text) > MAX_LENGTH:
        raise FormulaError(
            f"the formula has {len(text):,} characters; the limit is {MAX_LENGTH:,}, since a law has a handful of terms"
        )
    if not text.strip():
        raise FormulaError("the formula is empty; write for example E + A/N^alpha + B/D^beta")
    if "\n" in text.strip() or "\0" in text:
        raise FormulaError("the formula must stand on one line of plain text")
    text = text.strip()
    try:
        tree = ast.parse(text.replace("^", "**"), mode="eval").body
    except SyntaxError as error:
        _refuse(text, _column(text, (error.offset or 1) - 1), _syntax_reason(text, error))
    except (RecursionError, MemoryError):
        raise FormulaError(f"the formula nests more than {MAX_DEPTH} levels deep; write it flatter") from None
    except ValueError as error:  # a number with thousands of digits
        raise FormulaError(f"the formula cannot be read: {error}") from None
    expression = _Reader(text).read(tree, 0)
    if size(expression) > MAX_NODES:
        raise FormulaError(f"the formula has more than {MAX_NODES} operations; a law has a handful of terms")
    return expression


def _syntax_reason(text: str, error: SyntaxError) -> str:
    opened, closed = text.count("("), text.count(")")
    if opened != closed:
        more, fewer = ("(", ")") if opened > closed else (")", "(")
        return f"the brackets do not balance: {text.count(more)} {more!r} and {text.count(fewer)} {fewer!r}"
    return f"it cannot be read here ({error.msg})"


def _column(text: str, position: int) -> int:
    """The position in the text of a position in its copy where every ``^`` became ``**``."""
    shift = 0
    for index, letter in enumerate(text):
        if index + shift >= position:
            return index
        shift += letter == "^"
    return len(text)


def _refuse(text: str, column: int, reason: str) -> NoReturn:
    start = max(0, column - 60)  # a long formula is shown around the place
    if len(text) > 120:
        text, column = text[start : start + 120], column - start
    raise FormulaError(f"formula {text!r}: {reason}\n  {text}\n  {' ' * column}^")


class _Reader:
    """Walks the syntax tree of one formula."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.nodes = 0

    def refuse(self, node: ast.AST, reason: str) -> NoReturn:
        # ast counts UTF-8 bytes, people count letters
        swapped = self.text.replace("^", "**").encode()
        position = len(swapped[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
        _refuse(self.text, _column(self.text, position), reason)

    def read(self, node: ast.expr, depth: int) -> Expr:
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise FormulaError(f"the formula nests more than {MAX_DEPTH} levels deep; write it flatter")
        if self.nodes > MAX_NODES:
            raise FormulaError(f"the formula has more than {MAX_NODES} operations; a law has a handful of terms")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if abs(value) > MAX_NUMBER:
                    self.refuse(node, f"the number is above {MAX_NUMBER:g}")
                return num(value)
            case ast.Name(id=label):
                if label.startswith("_"):
                    self.refuse(node, f"the name {label!r} starts with an underscore; use a letter")
                if label in RESERVED:
                    self.refuse(node, f"{label!r} is a function or constant and cannot stand alone as a name")
                return name(label)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return mul(MINUS_ONE, self.read(operand, depth + 1))
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand, depth + 1)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(node, self.read(left, depth + 1), op, self.read(right, depth + 1))
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                return self.call(node, function, [self.read(each, depth + 1) for each in arguments])
            case ast.Call():
                self.refuse(node, f"only {', '.join(FUNCTIONS)} can be called")
            case ast.Attribute():
                self.refuse(node, "a dot after a name is not part of the language")
        self.refuse(
            node, f"{type(node).__name__.lower()} is not part of the language (numbers, names, + - * / ^, calls)"
        )

    def binary(self, node: ast.BinOp, left: Expr, op: ast.operator, right: Expr) -> Expr:
        match op:
            case ast.Add():
                return add(left, right)
            case ast.Sub():
                return add(left, mul(MINUS_ONE, right))
            case ast.Mult():
                return mul(left, right)
            case ast.Div():
                if right == num(0):
                    self.refuse(node, "it divides by zero")
                return mul(left, power(right, MINUS_ONE))
            case ast.Pow():
                try:
                    return power(left, right)
                except (OverflowError, ZeroDivisionError):
                    self.refuse(node, "the power is too large or divides by zero")
        self.refuse(node, f"the operator {type(op).__name__} is not part of the language")

    def call(self, node: ast.Call, function: str, arguments: list[Expr]) -> Expr:
        wanted = {"log": (1,), "exp": (1,), "sqrt": (1,), "abs": (1,), "min": (2, 3, 4), "max": (2, 3, 4)}
        if function not in wanted:
            near = difflib.get_close_matches(function, FUNCTIONS, n=1, cutoff=0.5) or (
                ["log"] if function == "ln" else []
            )
            hint = f"; did you mean {near[0]}?" if near else ""
            self.refuse(node, f"{function!r} cannot be called, only {', '.join(FUNCTIONS)}{hint}")
        if len(arguments) not in wanted[function]:
            self.refuse(node, f"{function} takes {' to '.join(str(n) for n in wanted[function][::2])} values")
        match function:
            case "log":
                return log(arguments[0])
            case "exp":
                try:
                    return exp(arguments[0])
                except OverflowError:
                    self.refuse(node, "the exponential is too large")
            case "sqrt":
                return power(arguments[0], num(0.5))
            case "abs":
                return call("abs", arguments[0])
        folded = arguments[0]
        for each in arguments[1:]:
            folded = call(function, folded, each)
        return folded
