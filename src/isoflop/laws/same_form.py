"""Which laws are one form under other names: equal expressions once parameters are numbered instead of named."""

from __future__ import annotations

from collections.abc import Hashable

from isoflop.laws.expression import Expr
from isoflop.laws.law import Law

_ANY_ORDER = ("add", "mul", "min", "max")


def form(law: Law) -> Hashable:
    """A key that two laws share only where they are equal up to the names of their parameters and the order of terms.

    Equal forms have the same optimum and the same draws. Two ways of writing one curve with other parameters, such as
    ``A/N^alpha`` and ``(N_c/N)^alpha``, are two forms.

    Parameters
    ----------
    law :
        Of the catalogue, or any formula.

    Returns
    -------
    Hashable
        Compares equal for equal forms.

    Examples
    --------
    >>> import isoflop
    >>> form(isoflop.law("A/N^alpha + E")) == form(isoflop.law("L_inf + K*N^(-beta)"))
    True
    >>> form(isoflop.law("A/N^alpha")) == form(isoflop.law("A/D^alpha"))
    False
    """
    domains = {param.name: param.domain for param in law.params}
    shapes: dict[Expr, tuple[Hashable, ...]] = {}
    numbers: dict[str, int] = {}

    def shape(node: Expr) -> tuple[Hashable, ...]:
        """The node without the names of parameters, their domains in place of them."""
        if node not in shapes:
            label = ("param", str(domains[node.label])) if node.label in domains else node.label
            shapes[node] = (node.op, node.value, label, tuple(map(shape, ordered(node))))
        return shapes[node]

    def ordered(node: Expr) -> list[Expr]:
        return sorted(node.args, key=lambda arg: repr(shape(arg))) if node.op in _ANY_ORDER else list(node.args)

    def numbered(node: Expr) -> tuple[Hashable, ...]:
        """The node with each parameter's number, in the order in which they come, and its domain."""
        if node.label in domains:
            return ("param", numbers.setdefault(node.label, len(numbers)), domains[node.label])
        return (node.op, node.value, node.label, *map(numbered, ordered(node)))

    inputs = tuple((each.name, each.domain) for each in law.inputs)
    prepared = repr(sorted(law.prepared.items())) if law.prepared else ""
    return law.response, frozenset(inputs), numbered(law.expression), prepared, law.searched
