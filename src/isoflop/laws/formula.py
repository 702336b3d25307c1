"""Formula text → expression, by a whitelist over Python's syntax tree.

The language: numbers (``1.5``, ``2e9``), names, ``+ - * / ^`` (``**`` is ``^`` too), brackets, and calls of ``log``,
``exp``, ``sqrt``, ``abs``, ``min``, ``max`` and ``lgamma``. Nothing else is understood, and no text is ever evaluated.
"""

from __future__ import annotations

import ast
import difflib
import keyword
import math
import re
import warnings
from collections.abc import Iterator
from typing import NoReturn

from isoflop.errors import FormulaError
from isoflop.laws.expression import (
    MINUS_ONE,
    Expr,
    add,
    call,
    exp,
    log,
    mul,
    name,
    names,
    num,
    power,
    root,
    runs_over_k,
    size,
    total,
)
from isoflop.laws.text import write
from isoflop.patterns import pattern

MAX_LENGTH = 4_000
MAX_NODES = 600
MAX_DEPTH = 60
MAX_ROOTS = 8  # each is solved for in every row and every step of the search, as forty formulas are computed
MAX_NUMBER = 1e300
FUNCTIONS = ("log", "exp", "sqrt", "abs", "min", "max", "lgamma")
RESERVED = frozenset({*FUNCTIONS, "ln"})
_TOO_DEEP = f"the formula nests more than {MAX_DEPTH} levels deep, or has as many terms; a law has a handful of terms"
_FOREIGN = pattern(r"[^\w\s+\-*/^().,]")
_WORD = pattern(r"[^\W\d]\w*")


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
    text = text.strip()
    if "\n" in text or "\0" in text:
        raise FormulaError("the formula must stand on one line of plain text")
    text = re.sub(r"\s", " ", text)  # a space from a web page or a PDF is a space
    _refuse_foreign(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's remarks on style, such as on "1or", are not for the user
            tree = ast.parse(text.replace("^", "**"), mode="eval").body
    except SyntaxError as error:
        at = len(text) if not error.offset else _column(text, error.offset - 1)
        _refuse(text, at, _syntax_reason(text, at, error.msg))
    except (RecursionError, MemoryError):
        raise FormulaError(_TOO_DEEP) from None
    try:
        expression = _Reader(text).read(tree, 0)
    except (OverflowError, ZeroDivisionError):
        raise FormulaError(f"the numbers in formula {show(text)} overflow or divide by zero; simplify them") from None
    refuse_costly(expression, show(text))
    refuse_bad_numbers(expression, show(text))
    return expression


def show(text: str) -> str:
    """The text in quotes, its control characters escaped, cut where it is too long for a sentence."""
    return repr(text if len(text) <= 120 else text[:117] + "…")


def refuse_bad_numbers(expression: Expr, shown: str) -> None:
    """Refuse an expression with a constant that no arithmetic can use: infinite, or the logarithm of zero."""
    for node in _nodes(expression):
        if node.op == "num" and not math.isfinite(node.value):
            raise FormulaError(f"the numbers in formula {shown} overflow; write smaller ones")
        if node.op in ("log", "pow") and all(arg.op == "num" for arg in node.args):  # otherwise it had been folded
            raise FormulaError(f"formula {shown}: {write(node)} is not a real number; leave it out")


def refuse_costly(expression: Expr, shown: str) -> None:
    """Refuse more than 600 operations, more than eight implicit unknowns, and one within another.

    Within another, each would be solved for anew in every step of the other's solution.
    """
    if size(expression) > MAX_NODES:
        raise FormulaError(f"the formula has more than {MAX_NODES} operations; a law has a handful of terms")
    found = 0
    within: list[tuple[Expr, bool]] = [(expression, False)]
    while within:
        node, inside = within.pop()
        if node.op == "root":
            found += 1
            if inside:
                raise FormulaError(f"formula {shown}: a root stands within another root; solve one of them by hand")
            if found > MAX_ROOTS:
                raise FormulaError(f"formula {shown} has more than {MAX_ROOTS} roots; a law has one or two")
        within.extend((arg, inside or node.op == "root") for arg in node.args)


def _nodes(expression: Expr) -> Iterator[Expr]:
    yield expression
    for arg in expression.args:
        yield from _nodes(arg)


def _refuse_foreign(text: str) -> None:
    """Characters and words that no formula needs, before Python's parser sees them (it knows strings and comments)."""
    found = _FOREIGN.search(text)
    if found is not None:
        hint = {
            "=": "; write only its right-hand side, without L =, or one column's name in front of the =",
            "#": "; a formula has no comments",
            '"': "; a formula has no quoted text",
            "'": "; a formula has no quoted text",
            "`": "; give the column a short name with --column and --input",
            "×": "; write *",
            "·": "; write *",
            "−": "; write -",
            "–": "; write -",
            "[": "; write (",
            "]": "; write )",
        }.get(found[0], " (numbers, names, + - * / ^, brackets, commas)")
        _refuse(text, found.start(), f"{found[0]!r} is not part of the language{hint}")
    for word in _WORD.finditer(text):
        if keyword.iskeyword(word[0]):
            _refuse(text, word.start(), _keyword_reason(word[0]))


def _keyword_reason(word: str) -> str:
    return f"{word!r} is not part of the language" + ("; write lambda_1 or λ" if word == "lambda" else "")


def _syntax_reason(text: str, at: int, says: str) -> str:
    opened, closed = text.count("("), text.count(")")
    if opened != closed:
        more, fewer = ("(", ")") if opened > closed else (")", "(")
        return f"the brackets do not balance: {text.count(more)} {more!r} and {text.count(fewer)} {fewer!r}"
    if "literal" in says:
        return "a number runs into what follows it; write * between them, or mend the number"
    if "character" in says:
        return f"it cannot be read here ({says})"
    if "nested" in says:
        return f"it nests more than {MAX_DEPTH} levels deep"
    return "it ends too early" if at >= len(text) else "it cannot be read here; is an operator missing?"


def _column(text: str, position: int) -> int:
    """The position in the text of a position in its copy where every ``^`` became ``**``."""
    shift = 0
    for index, letter in enumerate(text):
        if index + shift >= position:
            return index
        shift += letter == "^"
    return len(text)


def _refuse(text: str, column: int, reason: str) -> NoReturn:
    at, start = column, max(0, column - 60)  # a long formula is shown around the place
    if len(text) > 120:
        text, column = text[start : start + 120], column - start
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    raise FormulaError(f"formula {text!r}: {reason}\n  {plain}\n  {' ' * column}^", at=at)


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
            raise FormulaError(_TOO_DEEP)
        if self.nodes > MAX_NODES:
            raise FormulaError(f"the formula has more than {MAX_NODES} operations; a law has a handful of terms")
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                if abs(value) > MAX_NUMBER:
                    self.refuse(node, f"the number is above {MAX_NUMBER:g}")
                return num(value)
            case ast.Name(id=label):
                if keyword.iskeyword(label):  # spelled with letters that Python reads as plain ones
                    self.refuse(node, _keyword_reason(label))
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
            case ast.Call(func=ast.Name(id="root"), args=[ast.Name(id=unknown), *arguments], keywords=[]):
                if len(arguments) not in (2, 3):
                    self.refuse(node, "root takes an unknown, an equation, and one or two ends: root(L, L - A/L, 0)")
                return root(unknown, *(self.read(each, depth + 1) for each in arguments))
            case ast.Call(func=ast.Name(id="total"), args=[argument], keywords=[]):
                each = self.read(argument, depth + 1)
                if not any(map(runs_over_k, names(each))):
                    self.refuse(node, "total adds up over names that end in _k, and there is none")
                return total(each)
            case ast.Call(func=ast.Name(id=function), args=arguments, keywords=[]):
                self.check_call(node, function, len(arguments))
                return self.call(node, function, [self.read(each, depth + 1) for each in arguments])
            case ast.Call(keywords=[_, *_]):
                self.refuse(node, "a call takes plain values")
            case ast.Call():
                self.refuse(node, f"only {', '.join(FUNCTIONS)} can be called; to multiply, write * before the bracket")
            case ast.Attribute():
                self.refuse(node, "a dot after a name is not part of the language")
            case ast.Tuple():
                self.refuse(node, "a comma may stand only between the values of a call, and not within a number")
            case ast.Starred():
                self.refuse(node, "a * needs a value before it")
        self.refuse(node, f"{ast.unparse(node)!r} is no number")

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
        self.refuse(node, "// is not part of the language; write /")  # the only other operator that gets this far

    def check_call(self, node: ast.Call, function: str, count: int) -> None:
        if function not in FUNCTIONS:
            near = difflib.get_close_matches(function.lower(), FUNCTIONS, n=1, cutoff=0.7)
            hint = "log (natural)" if function == "ln" or near == ["log"] else near[0] if near else ""
            says = f"did you mean {hint}?" if hint else "to multiply, write * before the bracket"
            self.refuse(node, f"{function!r} cannot be called, only {', '.join(FUNCTIONS)}; {says}")
        fewest, most = (2, 4) if function in ("min", "max") else (1, 1)
        if not fewest <= count <= most:
            takes = "one value" if most == 1 else f"{fewest} to {most} values"
            self.refuse(node, f"{function} takes {takes}, not {count}")

    def call(self, node: ast.Call, function: str, arguments: list[Expr]) -> Expr:
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
            case "lgamma":
                return call("lgamma", arguments[0])
        folded = arguments[0]
        for each in arguments[1:]:
            folded = call(function, folded, each)
        return folded
