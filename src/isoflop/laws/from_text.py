"""``law``: a law from a name in the catalogue or from the text of a formula."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from isoflop.errors import FormulaError
from isoflop.laws.expression import Expr, names, substitute
from isoflop.laws.expression import name as symbol
from isoflop.laws.formula import MAX_LENGTH, parse, show
from isoflop.laws.law import GREEK, Domain, Input, Law, Param, catalogue
from isoflop.laws.responses import check_input_domain, inferred_domain, split_response
from isoflop.patterns import pattern
from isoflop.symbols import WORDS

# What a name in a formula stands for if nobody says otherwise.
INPUTS: Mapping[str, str] = {
    "N": "model parameters",
    "D": "training tokens",
    "C": "training FLOPs",
    "U": "unique training tokens",
    "M": "tokens per parameter",
    "S": "optimizer steps",
    "step": "optimizer steps",
    "epochs": "passes over the unique tokens",
    "batch": "tokens a step",
    "lr": "peak learning rate",
}
_WORDS = {word: letter for word, letter in WORDS.items() if letter in INPUTS}
_PARAMETER = pattern(rf"([^\W\d_]|{'|'.join(GREEK)}|{'|'.join(word.title() for word in GREEK)})(\d+|_\w+)?")


def law(
    text: str,
    *,
    inputs: Collection[str] = (),
    domains: Mapping[str, Domain] | None = None,
    columns: Sequence[str] = (),
) -> Law:
    """A law of the catalogue by name (``chinchilla``), or from a formula (``E + A/N^alpha + B/D^beta``).

    In a formula, N, D, C, U, M, S (or params, tokens, flops, unique_tokens), step, epochs, batch and lr are inputs; a
    single letter or Greek letter, with digits or an ``_suffix``, is a parameter. Parameters in an exponent are real,
    others positive, unless ``domains`` says otherwise. Inputs other than counts may be zero or negative where no power
    or logarithm is taken of them.

    The law predicts the loss, or what stands before ``=`` or ``~``: ``lr = A*N^a*D^b``, ``acc = 1 - A/C^a``,
    ``acc ~ power-c``.

    Parameters
    ----------
    text :
        A name or a formula.
    inputs :
        Further names that are inputs.
    domains :
        Parameter → ``real``, ``positive`` or (low, high); input → ``positive``, ``nonnegative`` or ``real``.
    columns :
        Headers of the table at hand. A name that is one of them is an input, whatever its shape (``N_active``,
        ``D1``), save single letters and Greek ones, which are parameters unless ``inputs`` says otherwise.

    Returns
    -------
    Law
        For :func:`isoflop.fit`.

    Raises
    ------
    FormulaError
        Not in the language, an unknown name (the nearest are named), no input, or no parameter.

    Examples
    --------
    >>> import isoflop
    >>> isoflop.law("chinchilla").param_names
    ('E', 'A', 'B', 'alpha', 'beta')
    >>> isoflop.law("E + A/params^alpha")
    Law(E + A/params^alpha: loss = E + A/N^alpha)
    """
    text = text.strip()
    response, right = split_response(text)
    if right in catalogue():
        named = _with_domains(catalogue()[right], domains or {}, inputs)
        return named if right == text else replace(named, response=response)
    if right != text:
        if split_response(right)[1] != right:
            parse(right)  # a second = is refused with its place
        made = law(right, inputs=inputs, domains=domains, columns=columns)
        if response in made.input_names:
            raise FormulaError(f"the law {show(text)} predicts {response} from itself; write only what explains it")
        return replace(made, name=text, response=response)
    if len(text) > MAX_LENGTH:
        parse(text)
    if re.fullmatch(r"[A-Za-z][\w-]+", text) and text not in INPUTS and not _PARAMETER.fullmatch(text):
        near = difflib.get_close_matches(text, catalogue(), n=3, cutoff=0.6)
        some = [each for each in ("chinchilla", "kaplan", "power-n-floor") if each in catalogue()]
        listed = ", ".join(near) or f"{', '.join(some)} and {len(catalogue()) - len(some)} more (isoflop laws)"
        raise FormulaError(
            f"no law is named {show(text)}; {'the nearest are' if near else 'there are'} {listed}, "
            "or write a formula such as E + A/N^alpha + B/D^beta"
        )
    return law_from_expression(parse(text), name=text, inputs=inputs, domains=domains or {}, columns=columns)


def _with_domains(named: Law, domains: Mapping[str, Domain], inputs: Collection[str]) -> Law:
    """A law of the catalogue with other domains; its inputs are what they are."""
    for each in inputs:
        if each not in named.input_names:
            raise FormulaError(
                f"{named.name} has the inputs {', '.join(named.input_names)} and not {each!r}; type a formula"
            )
    for each in domains:
        if each not in named.param_names:
            raise FormulaError(f"{named.name} has no parameter {each!r}; it has {', '.join(named.param_names)}")
    params = tuple(replace(param, domain=domains.get(param.name, param.domain)) for param in named.params)
    for param in params:
        _check_domain(param)
    return replace(named, params=params)


def law_from_expression(
    expression: Expr,
    *,
    name: str,
    inputs: Collection[str] = (),
    domains: Mapping[str, Domain] | None = None,
    columns: Sequence[str] = (),
) -> Law:
    """The law of an expression: its names sorted into inputs and parameters; see :func:`law`."""
    for word, letter in _WORDS.items():
        if word in names(expression) and word not in inputs:
            expression = substitute(expression, {symbol(word): symbol(letter)})
    present = names(expression)
    domains = domains or {}
    declared = {*inputs, *(header for header in columns if len(header) > 1 and not _greek(header))}
    found_inputs = tuple(
        Input(
            each,
            INPUTS.get(each, ""),
            check_input_domain(each, domains[each])
            if each in domains
            else "positive"
            if each in INPUTS
            else inferred_domain(expression, each),
        )
        for each in present
        if each in INPUTS or each in declared
    )
    taken = {each.name for each in found_inputs}
    for given in found_inputs:
        if given.domain == "real" and inferred_domain(expression, given.name) == "positive":
            raise FormulaError(
                f"{given.name!r} is an input and no parameter of the formula {show(name)}, which takes a power or a "
                "logarithm of it, so it cannot be negative (real); say positive or nonnegative"
            )
    domains = {each: domain for each, domain in domains.items() if each not in taken}
    if "loss" in present:
        raise FormulaError(f"the formula {show(name)} has the loss itself as an input; write only what explains it")
    for each in present:
        if each not in taken and each not in domains and not _PARAMETER.fullmatch(each):
            raise _unknown_name(each, name, {*INPUTS, *_WORDS, *declared})
        slip = each.upper() in INPUTS and each.upper() not in taken and (not taken or each in "nd")
        if len(each) == 1 and slip and each not in taken and each not in domains:  # n for N; c may be a parameter
            raise _unknown_name(each, name, {each.upper()})
    for each in domains:
        if each not in present or each in taken:
            listed = ", ".join(label for label in present if label not in taken)
            what = "an input and no parameter" if each in taken else "no parameter"
            raise FormulaError(f"{each!r} is {what} of the formula {show(name)}; it has {listed}")
    if not found_inputs:
        raise FormulaError(f"the formula {show(name)} has no input; use one or more of {', '.join(INPUTS)}")
    in_exponent = set(_exponent_names(expression))
    params = tuple(
        Param(each, domains.get(each, "real" if each in in_exponent else "positive"))
        for each in present
        if each not in taken
    )
    if not params:
        raise FormulaError(f"the formula {show(name)} has no parameter to fit; write for example A/N^alpha")
    for param in params:
        _check_domain(param)
    return Law(name, expression, found_inputs, params)


def _greek(header: str) -> bool:
    """Whether a header is a Greek letter, with or without a suffix, and so a parameter in a formula."""
    return header.split("_")[0].rstrip("0123456789").lower() in GREEK


def _unknown_name(label: str, formula: str, known: Iterable[str]) -> FormulaError:
    same = [each for each in known if each.lower() == label.lower()]
    near = same or difflib.get_close_matches(label, [*known, *GREEK], n=2, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    place = re.search(rf"\b{re.escape(label)}\b", formula)
    return FormulaError(
        f"the formula {show(formula)} has an unknown name {show(label)}: {hint}Inputs are {', '.join(INPUTS)}; "
        "a parameter is one letter or a Greek letter's name, with digits or _suffix. Declare another column with "
        f"--input {label if len(label) <= 40 else 'NAME'}.",
        at=place.start() if place else None,
    )


def _check_domain(param: Param) -> None:
    domain = param.domain
    if isinstance(domain, tuple) and not domain[0] < domain[1]:
        raise FormulaError(f"parameter {param.name} has an empty domain {domain}; write (low, high) with low < high")
    if isinstance(domain, str) and domain not in ("positive", "real"):
        raise FormulaError(f"parameter {param.name} has domain {domain!r}; use positive, real or (low, high)")


def _exponent_names(expression: Expr) -> Iterable[str]:
    if expression.op in ("pow", "exp", "expm1"):
        yield from names(expression.args[-1])
    for arg in expression.args:
        yield from _exponent_names(arg)
