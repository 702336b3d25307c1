"""Laws made from laws: parameters fixed to a value or tied to one another."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from isoflop.errors import FormulaError
from isoflop.laws.expression import Expr, name, names, num, substitute
from isoflop.laws.formula import parse, refuse_bad_numbers, refuse_costly, show
from isoflop.laws.law import Domain, Law
from isoflop.laws.text import write
from isoflop.units import parse_quantity


def fix(law: Law, values: Mapping[str, float]) -> Law:
    """The law with parameters set to values: ``fix(law("chinchilla"), {"E": 1.69})``.

    Parameters
    ----------
    law :
        The law to restrict.
    values :
        Free parameter → its value, inside its domain.

    Returns
    -------
    Law
        With the other parameters free.

    Raises
    ------
    FormulaError
        A name is no free parameter (the nearest are named), a value lies outside its domain, or no parameter is left.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.fix(isoflop.law("chinchilla"), {"E": 1.69})
    Law(chinchilla: loss = A/N^alpha + B/D^beta + 1.69)
    """
    searched = {each.name for each in law.searched}
    for label, value in values.items():
        if label in searched:
            law = _settle(law, label, value)
            continue
        _check_free(law, label)
        domain = next(param.domain for param in law.params if param.name == label)
        low, high = (
            domain if isinstance(domain, tuple) else (0.0 if domain == "positive" else -float("inf"), float("inf"))
        )
        if not low <= value <= high or value != value:
            raise FormulaError(
                f"{label} = {value:g} lies outside its domain ({low:g}, {high:g}); choose a value inside it"
            )
    values = {label: value for label, value in values.items() if label not in searched}
    if not values:
        return law
    expression = _substitute(law, {name(label): num(value) for label, value in values.items()})
    return _without(law, expression, tuple(values), fixed={**law.fixed, **values})


def _settle(law: Law, label: str, value: float) -> Law:
    """The law with a searched constant set, in the settings of the columns that it prepares."""
    prepared = {
        column: replace(how, settings={key: value if each == label else each for key, each in how.settings.items()})
        for column, how in law.prepared.items()
    }
    left = tuple(each for each in law.searched if each.name != label)
    return replace(law, prepared=prepared, searched=left, fixed={**law.fixed, label: value})


def tie(law: Law, formulas: Mapping[str, str]) -> Law:
    """The law with parameters set to formulas of others: ``tie(law("chinchilla"), {"beta": "alpha"})``.

    Parameters
    ----------
    law :
        The law to restrict.
    formulas :
        Free parameter → a formula of other free parameters.

    Returns
    -------
    Law
        With the other parameters free.

    Raises
    ------
    FormulaError
        A name is no free parameter, or a formula cannot be read or has other names in it.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.tie(isoflop.law("chinchilla"), {"beta": "alpha"})
    Law(chinchilla: loss = E + A/N^alpha + B/D^alpha)
    """
    others: dict[Expr, Expr] = {}
    for label, text in formulas.items():
        _check_free(law, label)
        other = parse(text)
        for each in names(other):
            if each not in law.param_names or each in formulas:
                raise FormulaError(
                    f"{label} cannot be tied to {text!r}: {each!r} is not a free parameter of {law.name}"
                )
        others[name(label)] = other
    expression = _substitute(law, others)
    return _without(law, expression, tuple(formulas), tied={**law.tied, **formulas})


def parse_domain(text: str) -> Domain:
    """``real``, ``positive``, or ``0:2`` as its two ends; raises FormulaError for ends that are no numbers."""
    low, colon, high = text.partition(":")
    try:
        return (parse_quantity(low), parse_quantity(high)) if colon else text
    except ValueError as error:
        raise FormulaError(f"{show(text)} is no domain: {error}; write real, positive, or 0:2") from None


def _substitute(law: Law, replacements: Mapping[Expr, Expr]) -> Expr:
    try:
        expression = substitute(law.expression, replacements)
    except (OverflowError, ZeroDivisionError):
        said = ", ".join(f"{old} = {new}" for old, new in replacements.items())
        raise FormulaError(f"with {said} the numbers in {law.name} overflow or divide by zero; choose others") from None
    refuse_costly(expression, show(write(expression)))
    refuse_bad_numbers(expression, show(write(expression)))
    return expression


def _check_free(law: Law, label: str) -> None:
    if label not in law.param_names:
        near = difflib.get_close_matches(label, law.param_names, n=2, cutoff=0.3)
        raise FormulaError(
            f"{law.name} has no free parameter {label!r}; {'nearest: ' if near else 'it has '}"
            f"{', '.join(near or law.param_names)}"
        )


def _without(
    law: Law,
    expression: Expr,
    gone: tuple[str, ...],
    *,
    fixed: Mapping[str, float] | None = None,
    tied: Mapping[str, str] | None = None,
) -> Law:
    left = names(expression)  # with A = 0, A/N^alpha has neither alpha nor N any more
    params = tuple(param for param in law.params if param.name not in gone and param.name in left)
    inputs = tuple(each for each in law.inputs if each.name in left)
    if not params:
        raise FormulaError(f"every parameter of {law.name} is fixed ({write(expression)}); leave one to fit")
    if not inputs:
        raise FormulaError(
            f"with {', '.join(gone)} set so, {law.name} becomes {write(expression)}, which has no input; set fewer"
        )
    return replace(
        law,
        expression=expression,
        inputs=inputs,
        params=params,
        prepared={column: how for column, how in law.prepared.items() if column in left},
        fixed=law.fixed if fixed is None else fixed,
        tied=law.tied if tied is None else tied,
    )
