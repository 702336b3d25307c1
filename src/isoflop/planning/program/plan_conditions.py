"""What a plan makes least and what it must meet: the objective, the conditions, and the bounds of single unknowns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from isoflop.errors import IsoflopError, shown
from isoflop.laws import Law
from isoflop.laws.expression import Expr, name, names, num, substitute
from isoflop.planning.program.conditions import Condition, check_names, conditions, formula
from isoflop.planning.program.costs import CostFormula
from isoflop.planning.program.unknowns import Unknown
from isoflop.values import Value

Why = Literal["budget", "loss", "given", "shares"]

LOSS, COST = "loss", "cost"


@dataclass(frozen=True)
class Limit(Value):
    """A condition of a problem, and where it is from: the budget, the target loss, the user, or that shares add up."""

    text: str
    left: Expr
    relation: Literal["<=", ">=", "=="]
    right: Expr
    why: Why


@dataclass(frozen=True)
class PlanWords(Value):
    """A plan as it is asked for; see :func:`plan_problem`."""

    minimize: str | None = None
    over: str | None = None
    cost: str | None = None
    budget: float | None = None
    loss: float | None = None
    subject_to: Sequence[str] = ()
    menus: Mapping[str, str] = field(default_factory=dict)
    integers: Sequence[str] = ()
    at: Mapping[str, float] = field(default_factory=dict)
    define: Mapping[str, str] = field(default_factory=dict)
    served: float | None = None
    samples: float | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    usual: Mapping[str, float] = field(default_factory=dict)


def objective_of(
    law: Law,
    words: PlanWords,
    own: Mapping[Expr, Expr],
    known: Sequence[str],
    wanted: Sequence[str],
    cost: CostFormula | None,
) -> tuple[Expr, str]:
    """The objective with loss and cost spelled out, and the words of it."""
    text = words.minimize
    if text is None:
        if words.loss is not None and words.budget is not None:
            raise IsoflopError(
                f"--loss and --budget both bound the plan; say what is made least (--minimize {wanted[0]}), or give one"
            )
        text = LOSS if words.loss is None else COST if cost is not None else wanted[0] if len(wanted) == 1 else None
        if text is None:
            raise IsoflopError(
                f"{law.name} has no usual cost of {', '.join(wanted)}; give --cost, as a formula, or --minimize "
                f"{wanted[0]}"
            )
    plain = text.strip()
    if plain in (LOSS, law.response) and words.loss is not None:
        raise IsoflopError("--loss sets the loss, so it cannot be made least too; leave --minimize or --loss out")
    if plain == COST and words.budget is not None:
        raise IsoflopError("--budget sets the cost, so it cannot be made least too; leave --minimize or --budget out")
    if plain == COST and cost is None:
        raise IsoflopError(f"{law.name} has no usual cost; give --cost, as a formula of {', '.join(wanted)}")
    expression = formula(text, "--minimize")
    for each in names(expression):
        if each in law.param_names and name(each) not in own:
            raise IsoflopError(f"--minimize: {each} is a fitted parameter of {law.name}; name an input, loss or cost")
    there = (*known, *(each.label for each in own))
    check_names(expression, there, text, "--minimize")
    spelled = substitute(expression, own)
    if not set(names(spelled)) & set(wanted):
        raise IsoflopError(
            f"--minimize {plain} has none of the unknowns ({', '.join(wanted)}); name one of them, loss or cost"
        )
    return spelled, LOSS if plain == law.response else plain


def limits_of(
    law: Law,
    words: PlanWords,
    own: Mapping[Expr, Expr],
    known: Sequence[str],
    cost: CostFormula | None,
    response: Expr,
) -> list[Limit]:
    """The budget, the target loss and the conditions of the user."""
    found = []
    if words.budget is not None:
        if cost is None:
            raise IsoflopError(
                f"--budget needs a cost, and {law.name} has none without N and D; give --cost, as a formula"
            )
        found.append(Limit(f"{cost.text} <= {words.budget:g}", cost.expression, "<=", num(words.budget), "budget"))
    if words.loss is not None:
        if law.response != LOSS:
            raise IsoflopError(
                f"{law.name} predicts {law.response} and no loss; write --subject-to "
                f'"{law.response} >= {words.loss:g}" or <='
            )
        found.append(Limit(f"loss <= {words.loss:g}", response, "<=", num(words.loss), "loss"))
    seen: set[str] = set()
    for text in words.subject_to:
        for each in conditions(text):
            if each.text in seen:
                raise IsoflopError(f"--subject-to {shown(each.text)} is given twice; leave one out")
            seen.add(each.text)
            found.append(_limit(each, own, known, law))
    return found


def _limit(each: Condition, own: Mapping[Expr, Expr], known: Sequence[str], law: Law) -> Limit:
    there = (*known, *(one.label for one in own))
    for side in (each.left, each.right):
        for label in names(side):
            if label in law.param_names and name(label) not in own:
                raise IsoflopError(f"--subject-to {shown(each.text)}: {label} is a fitted parameter of {law.name}")
        check_names(side, there, each.text, "--subject-to")
    return Limit(each.text, substitute(each.left, own), each.relation, substitute(each.right, own), "given")


_TURNED: Mapping[str, Literal["<=", ">=", "=="]] = {"<=": ">=", ">=": "<=", "==": "=="}


def bounds_of(unknowns: dict[str, Unknown], limits: list[Limit], fixed: Mapping[str, float]) -> list[Limit]:
    """Conditions on one unknown become its bounds (``unknowns`` is changed); the others are returned."""
    left = []
    for limit in limits:
        near, relation, far = limit.left, limit.relation, limit.right
        if near.op != "name":
            near, relation, far = far, _TURNED[relation], near
        value = far.value if far.op == "num" else fixed.get(far.label) if far.op == "name" else None
        if near.op != "name" or near.label not in unknowns or value is None:
            left.append(limit)
            continue
        if not math.isfinite(value) or abs(value) > 1e30:
            raise IsoflopError(f"--subject-to {shown(limit.text)}: the number is too large; bounds are up to 1e30")
        each = unknowns[near.label]
        if relation == "==" and not each.low_open and each.low == each.high != value:
            raise IsoflopError(f"nothing meets {limit.text} and {each.name} == {each.low:g} together; leave one out")
        if not each.share and each.logarithmic and relation in ("<=", "==") and value <= 0:
            raise IsoflopError(f"nothing meets {limit.text}: {each.name} is above 0; loosen it")
        unknowns[near.label] = each.bounded(
            low=value if relation in (">=", "==") else None, high=value if relation in ("<=", "==") else None
        )
    return left


def discrete(
    unknowns: dict[str, Unknown], menus: Mapping[str, tuple[float, ...]], integers: Sequence[str]
) -> dict[str, Unknown]:
    """The unknowns with their menus, and which are whole numbers."""
    found = dict(unknowns)
    for label, values in menus.items():
        each = found[label]
        kept = tuple(v for v in values if (each.low_open or v >= each.low) and (each.high_open or v <= each.high))
        if not kept:
            raise IsoflopError(
                f"no value on the menu of {label} lies from {each.low:g} to {each.high:g}; loosen one of them"
            )
        if each.logarithmic and kept[0] <= 0:
            raise IsoflopError(f"--menu {label}: {label} is above 0, and {kept[0]:g} is not")
        found[label] = replace(each, menu=kept, low=kept[0], high=kept[-1], low_open=False, high_open=False)
    for label in integers:
        if label not in found:
            raise IsoflopError(f"--integer {label}: {label} is none of the unknowns, {', '.join(found)}")
        if list(integers).count(label) > 1:
            raise IsoflopError(f"--integer names {label} twice; name it once")
        if found[label].menu:
            raise IsoflopError(f"--integer {label}: the menu of {label} has its values already; leave one out")
        found[label] = replace(found[label], integer=True)
    for label, each in found.items():  # what has one value is a menu of one
        if each.low == each.high and not each.menu:
            found[label] = replace(each, menu=(each.low,), integer=False)
    return found
