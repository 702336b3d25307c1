"""``plan_problem``: what a plan chooses, what it makes least, and under which conditions, from words and formulas."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from isoflop.errors import IsoflopError, shown
from isoflop.laws import Input, Law
from isoflop.laws.expression import Expr, name, names, num, substitute
from isoflop.laws.formula import FUNCTIONS
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.program.conditions import SERVED, SYMBOLS, check_names, formula
from isoflop.planning.program.costs import COSTS, HOURS, MONEY, CostFormula, cost_formula
from isoflop.planning.program.plan_conditions import (
    COST,
    LOSS,
    Limit,
    PlanWords,
    bounds_of,
    discrete,
    limits_of,
    objective_of,
)
from isoflop.planning.program.unknowns import (
    Unknown,
    check_domains,
    finite_values,
    is_share,
    menu_of,
    sum_of_shares,
    unknown,
    words_of,
)
from isoflop.values import Value

_USUAL: Mapping[str, float] = {"samples": 1.0, "vocab": 32_000.0, "context": 2_048.0}
SHARES = "shares"


@dataclass(frozen=True)
class Problem(Value):
    """The least of a formula over unknowns under conditions, one problem for each draw of the law's parameters.

    law: as it was fitted. response: its formula in the unknowns and the given quantities, definitions put in.
    objective, objective_text: what is made least. cost: None where nothing is paid for. limits: every condition but
    those that became bounds of single unknowns, which are bounds. fixed: quantities with a value. defined: inputs that
    follow from others. positive: names that are above 0.
    """

    law: Law
    response: Expr
    objective: Expr
    objective_text: str
    cost: CostFormula | None
    unknowns: tuple[Unknown, ...]
    limits: tuple[Limit, ...]
    fixed: Mapping[str, float]
    defined: Mapping[str, Expr]
    positive: frozenset[str]
    budget: float | None = None
    target: float | None = None
    counted: TrainingFlops = field(default=SIX_ND)
    bounds: tuple[Limit, ...] = ()

    @property
    def continuous(self) -> tuple[Unknown, ...]:
        """The unknowns that are searched: neither on a menu nor whole numbers."""
        return tuple(each for each in self.unknowns if not each.menu and not each.integer)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the unknowns."""
        return tuple(each.name for each in self.unknowns)


def plan_problem(law: Law, words: PlanWords, *, counted: TrainingFlops = SIX_ND) -> Problem:
    """min over the unknowns of the loss, the cost, one of them or a formula, under a budget, a target and conditions.

    Parameters
    ----------
    law :
        The law that is planned with.
    words :
        minimize: ``loss``, ``cost``, an unknown or a formula of them; the cost where a target loss is given, else the
        loss. over: the unknowns; every input that has no value, where None. cost: a name of
        :data:`isoflop.planning.program.costs.COSTS` or a formula. budget: the most that the cost may be. loss: the most
        that the law's response may be. subject_to: conditions, in which ``loss`` and ``cost`` stand for their formulas.
        menus: unknown → the values that it may have. integers: unknowns that are whole numbers. at: quantities with a
        value. define: input → the formula that it follows from. served, samples: tokens and samples of inference.
        rates: hours and money of one FLOP. usual: values of quantities that have one unless ``at`` says otherwise.
    counted :
        How the table counts training FLOPs.

    Returns
    -------
    Problem
        For :func:`isoflop.planning.program.solve_plan`.

    Raises
    ------
    IsoflopError
        A bad formula, an unknown name, options that contradict each other, nothing to choose, a cost without any
        unknown.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning import PlanWords, plan_problem
    >>> words = PlanWords(minimize="N", loss=2.0, at={"D": 1e12})
    >>> plan_problem(isoflop.law("chinchilla"), words).names
    ('N',)

    """
    words = stand_ins(law, words)
    if law.list_inputs:
        raise IsoflopError(f"{law.name} takes lists ({', '.join(law.list_inputs)}), which no plan can choose")
    given = finite_values({SYMBOLS.get(label, label): value for label, value in words.at.items()})
    fixed = {**_USUAL, **words.usual, **given}
    if words.served is not None:
        fixed[SERVED] = _once(words.served, "--inference-tokens", SERVED, given)
    if words.samples is not None:
        fixed["samples"] = _once(words.samples, "--samples", "samples", given)
        if "k" in law.input_names:
            fixed["k"] = _once(words.samples, "--samples", "k", given)
    for label in given:
        if label in law.param_names:
            raise IsoflopError(f"--at {label}: {label} is a fitted parameter of {law.name}, not a quantity to give")
    check_domains(law, given)
    defined = _defined(law, words, fixed)
    response = substitute(law.expression, {name(label): each for label, each in defined.items()})
    found = [label for label in names(response) if label not in law.param_names]
    inputs = tuple(sorted(found, key=lambda each: law.input_names.index(each) if each in law.input_names else -1))
    menus = {SYMBOLS.get(label, label): menu_of(label, text) for label, text in words.menus.items()}
    wanted = _wanted(law, words, inputs, given, menus)
    fixed = {label: value for label, value in fixed.items() if label not in wanted}
    known = tuple(dict.fromkeys((*inputs, *wanted, *fixed)))
    cost = cost_formula(
        words.cost, inputs=(*inputs, *defined), counted=counted, served=SERVED in fixed, rates=words.rates
    )
    if cost is not None:
        spelled = substitute(cost.expression, {name(label): each for label, each in defined.items()})
        cost = replace(cost, expression=spelled)
        _check_priced(cost, known, law)
    own = {name(label): each for label, each in defined.items()}
    own |= {name(label): response for label in (LOSS, law.response) if label not in known}
    own |= {} if cost is None or COST in known else {name(COST): cost.expression}
    own |= _named_costs(words, known, own, counted)
    objective, told = objective_of(law, words, own, known, wanted, cost)
    limits = limits_of(law, words, own, known, cost, response)
    _check_samples([each for each in wanted if each not in menus], limits, cost)
    unknowns = {label: unknown(label, _input(law, label)) for label in wanted}
    stated = limits
    limits = bounds_of(unknowns, stated, fixed)
    bounds = tuple(each for each in stated if not any(each is other for other in limits))
    integers = [SYMBOLS.get(each, each) for text in words.integers for each in words_of(text, "--integer")]
    unknowns = discrete(unknowns, menus, integers)
    shares = [label for label in inputs if is_share(label, _input(law, label))]
    if any(each.share for each in unknowns.values()):
        limits.append(Limit(" + ".join(shares) + " == 1", sum_of_shares(shares), "==", num(1.0), "shares"))
    if not limits and told == LOSS and cost is None and all(each.high_open for each in unknowns.values()):
        raise IsoflopError(
            'nothing bounds this plan; give --budget with --cost, or a condition (--subject-to "N <= 8e9")'
        )
    used = {*names(response), *names(objective), *(each for limit in limits for each in _names(limit))}
    used |= set() if cost is None else set(names(cost.expression))
    missing = [each for each in used if each not in unknowns and each not in fixed and each not in law.param_names]
    if missing:
        each = sorted(missing, key=known.index if all(one in known for one in missing) else None)[0]
        how = "--inference-tokens 2T" if each == SERVED else f"--at {each}=…, or name it in --over"
        raise IsoflopError(f"{each} has no value; give it one ({how})")
    idle = [each for each in unknowns if each not in used]
    if idle:
        option = "--menu" if idle[0] in menus else "--over"
        raise IsoflopError(f"{option} {idle[0]}: neither the law, the cost nor a condition has {idle[0]}; leave it out")
    for label in given:
        if label not in used:
            raise IsoflopError(f"--at {label}: neither the law, the cost nor a condition has {label}; leave it out")
    if words.served is not None and SERVED not in used:
        raise IsoflopError(
            "--inference-tokens: the cost has no inference tokens; write them into it, as 6*N*D + 2*N*inference_tokens"
        )
    if words.samples is not None and not {"k", "samples"} & used:
        raise IsoflopError("--samples needs --inference-tokens, such as 2T, or a law with k as an input")
    positive = {label for label, each in unknowns.items() if each.low >= 0}
    positive |= {label for label, value in fixed.items() if value > 0}
    positive |= {param.name for param in law.params if _positive_domain(param.domain)}
    asked_to_pay = words.cost is not None or words.budget is not None or told == COST
    if cost is not None and not asked_to_pay and not set(names(cost.expression)) & set(unknowns):
        cost = None  # the usual cost, which nobody named, says nothing of these unknowns
    if cost is not None and not set(names(cost.expression)) & set(unknowns):
        raise IsoflopError(
            f"the cost {cost.text} does not grow with any unknown ({', '.join(unknowns)}); write a cost that has one"
        )
    return Problem(
        law=law,
        response=response,
        objective=objective,
        objective_text=told,
        cost=cost,
        unknowns=tuple(unknowns.values()),
        limits=tuple(limits),
        fixed={label: value for label, value in fixed.items() if label in used},
        defined=defined,
        positive=frozenset(positive),
        budget=words.budget,
        target=words.loss,
        counted=counted,
        bounds=bounds,
    )


def _named_costs(
    words: PlanWords, known: Sequence[str], own: Mapping[Expr, Expr], counted: TrainingFlops
) -> dict[Expr, Expr]:
    """The costs by name that conditions and the objective have in them: memory, weights, hours, money …"""
    said = {word for text in (words.minimize or "", *words.subject_to) for word in _WORD.findall(text)}
    inputs = (*known, *(each.label for each in own))
    found = {}
    for label in sorted(said & {*COSTS, HOURS, MONEY}):
        if label not in inputs:
            made = cost_formula(label, inputs=inputs, counted=counted, served=SERVED in known, rates=words.rates)
            if made is not None and set(names(made.expression)) <= set(inputs):
                found[name(label)] = substitute(made.expression, own)
    return found


_WORD = re.compile(r"[^\W\d]\w*")


def stand_ins(law: Law, words: PlanWords) -> PlanWords:
    """A plan's words in which the beginning of an input's name stands for it: ``N_enc`` for ``N_encoder``.

    A word before an underscore stands for all inputs that begin so: ``bits`` for ``bits_w``, ``bits_a``, ``bits_kv``.
    """
    named = COSTS.get(words.cost or "")
    cost = words.cost if named is None else named.formula
    texts = [words.over, cost, words.minimize, *words.subject_to, *words.integers, *words.define.values()]
    said = {word: None for text in texts if text for word in _WORD.findall(text)}
    said |= dict.fromkeys((*words.menus, *words.at))
    taken = {
        *law.input_names,
        *law.param_names,
        *SYMBOLS,
        *SYMBOLS.values(),
        *words.define,
        *_USUAL,
        *FUNCTIONS,
    }
    taken |= {law.response, LOSS, COST, SHARES}
    define = dict(words.define)
    for word in said:
        if word in taken or len(word) < 3:
            continue
        several = [each for each in law.input_names if each.startswith(f"{word}_")]
        one = [each for each in law.input_names if each.startswith(word)] if "_" in word else []
        for each in several or (one if len(one) == 1 else []):
            define.setdefault(each, word)
    return words if define == dict(words.define) else replace(words, define=define)


def _once(value: float, option: str, label: str, given: Mapping[str, float]) -> float:
    if label in given and given[label] != value:
        raise IsoflopError(f"{option} and --at {label} both say how many; give one")
    if not (math.isfinite(value) and value > 0):
        raise IsoflopError(f"{option} takes a number above 0, not {value:g}")
    return value


def _input(law: Law, label: str) -> Input | None:
    return next((each for each in law.inputs if each.name == label), None)


def _positive_domain(domain: object) -> bool:
    return domain == "positive" or (isinstance(domain, tuple) and domain[0] >= 0)


def _names(limit: Limit) -> tuple[str, ...]:
    return (*names(limit.left), *names(limit.right))


def _defined(law: Law, words: PlanWords, fixed: Mapping[str, float]) -> dict[str, Expr]:
    """Inputs that follow from others, each as a formula of those that do not."""
    found: dict[str, Expr] = {}
    for raw, text in words.define.items():
        label, where = SYMBOLS.get(raw, raw), f"--define {raw}"
        if label not in law.input_names:
            raise IsoflopError(f"{where}: {law.name} has no input {label!r}; it has {', '.join(law.input_names)}")
        if label in fixed and label not in _USUAL:
            raise IsoflopError(f"{where} and --at {label} both say what {label} is; give one")
        found[label] = formula(text, where)
        if LOSS in names(found[label]) and LOSS not in law.input_names:
            if words.loss is None:
                raise IsoflopError(f"{where}: its formula has the loss, which needs a target; give --loss, as 2.0")
            found[label] = substitute(found[label], {name(LOSS): num(words.loss)})
        for each in names(found[label]):
            if each in law.param_names:
                raise IsoflopError(
                    f"{where}: {each} is a fitted parameter of {law.name}; write a number or another name"
                )
    for _ in found:
        found = {
            label: substitute(each, {name(other): found[other] for other in found if other != label})
            for label, each in found.items()
        }
    for label, own in found.items():
        around = [other for other in names(own) if other in found]
        if around:
            raise IsoflopError(
                f"--define {label} goes around in a circle through {', '.join(around)}; write one of them anew"
            )
    return found


def _check_samples(wanted: Sequence[str], limits: Sequence[Limit], cost: CostFormula | None) -> None:
    """Refuse samples that neither a cost nor a condition holds back: their best number has no end."""
    held = {each for limit in limits for each in _names(limit)} | (
        set() if cost is None else set(names(cost.expression))
    )
    free = [each for each in wanted if each in ("k", "samples") and each not in held]
    if free:
        raise IsoflopError(
            f"more {free[0]} cost nothing here; say how many (--samples 16), or what they cost (--inference-tokens 1T)"
        )


def _wanted(
    law: Law,
    words: PlanWords,
    inputs: Sequence[str],
    given: Mapping[str, float],
    menus: Mapping[str, tuple[float, ...]],
) -> tuple[str, ...]:
    """The names of the unknowns."""
    if words.over is None:
        asked = [
            each
            for each in inputs
            if each not in given and not (each in ("k", "samples") and words.samples is not None)
        ]
        asked = [
            each for each in asked if each not in words.usual and not (each in _USUAL and each not in law.input_names)
        ]
    else:
        asked = [SYMBOLS.get(each, each) for each in words_of(words.over, "--over")]
        if SHARES in asked:
            shares = [label for label in inputs if is_share(label, _input(law, label)) and label not in given]
            if not shares:
                raise IsoflopError(f"--over shares: {law.name} has no shares; its inputs are {', '.join(inputs)}")
            place = asked.index(SHARES)
            asked = list(dict.fromkeys((*asked[:place], *shares, *asked[place + 1 :])))
    asked = list(dict.fromkeys((*asked, *menus)))
    for each in asked:
        if each in given:
            raise IsoflopError(f"{each} is given by --at and cannot be chosen too; leave it out of one of them")
        if each in law.param_names:
            raise IsoflopError(f"{each} is a fitted parameter of {law.name}; choose among {', '.join(inputs)}")
        if each in words.define:
            raise IsoflopError(f"{each} follows from --define and cannot be chosen too; leave it out of one of them")
    if not asked:
        raise IsoflopError(f"every input of {law.name} has a value, so nothing is left to choose; leave an --at out")
    if len(asked) > 12:
        raise IsoflopError(f"{len(asked)} unknowns are more than the 12 that a plan chooses; give values with --at")
    return tuple(asked)


def _check_priced(cost: CostFormula, known: Sequence[str], law: Law) -> None:
    for each in names(cost.expression):
        if each in law.param_names:
            raise IsoflopError(f"--cost {shown(cost.text)}: {each} is a fitted parameter of {law.name}; use its inputs")
        if each == SERVED and each not in known:
            raise IsoflopError(f"the cost {cost.text} needs the inference tokens; give --inference-tokens, as 2T")
    check_names(cost.expression, known, cost.text, "--cost")


def point_expression(problem: Problem, label: str) -> Expr:
    """An input of the law in the unknowns and the given quantities."""
    return problem.defined.get(label, name(label))
