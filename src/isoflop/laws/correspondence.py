"""``correspondence``: whether two laws are one formula up to the names of their parameters and the order of terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from isoflop.laws.expression import Expr
from isoflop.laws.law import Law

_MOST = 12  # terms of a sum or factors of a product up to which orders are tried


def correspondence(law: Law, other: Law) -> dict[str, str] | None:
    """Parameter of ``other`` → that of ``law`` which stands in its place; None where they are different formulas.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.laws.correspondence import correspondence
    >>> correspondence(isoflop.law("B/D^b + A/N^a + E"), isoflop.law("chinchilla"))
    {'E': 'E', 'A': 'A', 'alpha': 'a', 'B': 'B', 'beta': 'b'}
    """
    if set(law.input_names) != set(other.input_names) or len(law.params) != len(other.params):
        return None
    free = (frozenset(other.param_names), frozenset(law.param_names))
    return next(_matches(other.expression, law.expression, {}, free), None)


Names = tuple[frozenset[str], frozenset[str]]


def _matches(one: Expr, two: Expr, known: Mapping[str, str], free: Names) -> Iterator[dict[str, str]]:
    """Every way to name the parameters of ``one`` so that it is ``two``, beginning from what is known."""
    if one.op != two.op or len(one.args) != len(two.args):
        return
    if one.op == "name" and one.label in free[0]:
        taken = known.get(one.label)
        fits = two.label in free[1] and (taken == two.label if taken else two.label not in known.values())
        if fits:
            yield {**known, one.label: two.label}
        return
    if one.label != two.label or one.value != two.value:
        return
    if one.op in ("add", "mul", "min", "max") and len(one.args) <= _MOST:
        yield from _in_any_order(one.args, two.args, known, free)
    else:
        yield from _in_order(one.args, two.args, known, free)


def _in_order(
    one: tuple[Expr, ...], two: tuple[Expr, ...], known: Mapping[str, str], free: Names
) -> Iterator[dict[str, str]]:
    if not one:
        yield dict(known)
        return
    for found in _matches(one[0], two[0], known, free):
        yield from _in_order(one[1:], two[1:], found, free)


def _in_any_order(
    one: tuple[Expr, ...], two: tuple[Expr, ...], known: Mapping[str, str], free: Names
) -> Iterator[dict[str, str]]:
    if not one:
        yield dict(known)
        return
    for place, each in enumerate(two):
        for found in _matches(one[0], each, known, free):
            yield from _in_any_order(one[1:], (*two[:place], *two[place + 1 :]), found, free)
