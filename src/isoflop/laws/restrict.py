"""Laws made from laws: parameters fixed to a value or tied to one another."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace

from isoflop.errors import FormulaError
from isoflop.laws.expression import Expr, name, names, num, substitute, write
from isoflop.laws.formula import parse
from isoflop.laws.law import Law


def fix(law: Law, values: Mapping[str, float]) -> Law:
    """The law with parameters set to values: ``fix(law("chinchilla"), {"E": 1.69})``.

    Raises FormulaError for a name that is no free parameter (with the nearest), or a value outside its domain.
    """
    for label, value in values.items():
        _check_free(law, label)
        domain = next(param.domain for param in law.params if param.name == label)
        low, high = (
            domain if isinstance(domain, tuple) else (0.0 if domain == "positive" else -float("inf"), float("inf"))
        )
        if not low <= value <= high or value != value:
            raise FormulaError(f"{label} = {value:g} lies outside its domain ({low:g}, {high:g})")
    expression = substitute(law.expression, {name(label): num(value) for label, value in values.items()})
    return _without(law, expression, tuple(values), fixed={**law.fixed, **values})


def tie(law: Law, formulas: Mapping[str, str]) -> Law:
    """The law with parameters set to formulas of others: ``tie(law("chinchilla"), {"beta": "alpha"})``."""
    expression = law.expression
    for label, text in formulas.items():
        _check_free(law, label)
        other = parse(text)
        for each in names(other):
            if each not in law.param_names or each in formulas:
                raise FormulaError(
                    f"{label} cannot be tied to {text!r}: {each!r} is not a free parameter of {law.name}"
                )
        expression = substitute(expression, {name(label): other})
    return _without(law, expression, tuple(formulas), tied={**law.tied, **formulas})


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
    params = tuple(param for param in law.params if param.name not in gone)
    if not params:
        raise FormulaError(f"every parameter of {law.name} is fixed ({write(expression)}); leave one to fit")
    return replace(
        law,
        expression=expression,
        params=params,
        fixed=law.fixed if fixed is None else fixed,
        tied=law.tied if tied is None else tied,
    )
