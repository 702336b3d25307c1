"""``Law``: what we believe, as a formula with its inputs and parameters; and those that ship, by name."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources

import numpy as np

from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import Expr, Floats, runs_over_k, substitute
from isoflop.laws.expression import name as symbol
from isoflop.laws.formula import parse
from isoflop.laws.lists import Lists
from isoflop.laws.text import write
from isoflop.values import Value

GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"),
    *("nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)

Domain = str | tuple[float, float]


@dataclass(frozen=True)
class Param:
    """A fitted constant. ``domain`` is ``positive``, ``real``, or an open interval (low, high)."""

    name: str
    domain: Domain = "positive"
    meaning: str = ""


@dataclass(frozen=True)
class Input:
    """A measured quantity of the law. ``domain`` is ``positive``, ``nonnegative`` (may be zero) or ``real``.

    One whose name ends in ``_k`` has a list of values in every row, over which a ``total`` runs.
    """

    name: str
    meaning: str = ""
    domain: str = "positive"


@dataclass(frozen=True)
class Prepared(Value):
    """How a column that no table holds is computed from those that it does.

    rule: one of :data:`isoflop.runs.prepare.RULES`. settings: its constants; a name among them is that of a
    :class:`Searched` constant of the law.
    """

    rule: str
    settings: Mapping[str, float | str] = field(default_factory=dict)


@dataclass(frozen=True)
class Searched:
    """A constant that prepared columns depend on: fitted by a search around the fit of everything else.

    values: ascending values to look at first; the search then closes in between those around the best.
    """

    name: str
    values: tuple[float, ...]
    meaning: str = ""


@dataclass(frozen=True)
class Published(Value):
    """Constants that a paper printed or that were recomputed from its data; a source may give only some of them.

    unit: the unit of the response.
    label: ``primary`` (read in the source), ``secondary`` (read elsewhere), ``recomputed``.
    """

    key: str
    values: Mapping[str, float]
    source: str
    label: str
    data: str = ""
    convention: str = ""
    unit: str = "nats/token"


@dataclass(frozen=True)
class Law(Value):
    """A scaling law: ``response = expression(inputs; params)``; the response is the loss unless the law says otherwise.

    Attributes
    ----------
    name :
        The catalogue's name, or the formula itself.
    expression :
        The right side, as a tree.
    inputs :
        Its inputs, each with a name, a meaning and a domain.
    params :
        Its free parameters, each with a name, a meaning and a domain.
    reference :
        The paper that it comes from.
    notes :
        What else to know of it.
    published :
        Constants that papers printed, or that were recomputed from their data.
    fixed :
        Parameters that were given a value (they are already numbers in the expression or in ``prepared``).
    tied :
        Parameters that were set to a formula of others.
    response :
        The column that the law predicts.
    stated, where :
        The formula as its source writes it, and the formulas that its abbreviations stand for.
    prepared :
        Inputs that are computed where a table lacks them.
    searched :
        Constants of that computation to be found.

    Examples
    --------
    >>> import isoflop
    >>> kaplan = isoflop.law("E + A/N^alpha")
    >>> kaplan.param_names, kaplan.input_names
    (('E', 'A', 'alpha'), ('N',))
    >>> kaplan.value({"E": 2.0, "A": 100.0, "alpha": 0.5}, {"N": [1e4, 1e8]}).tolist()
    [3.0, 2.01]
    """

    name: str
    expression: Expr
    inputs: tuple[Input, ...]
    params: tuple[Param, ...]
    reference: str = ""
    notes: str = ""
    published: tuple[Published, ...] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)
    response: str = "loss"
    stated: str = ""
    where: Mapping[str, str] = field(default_factory=dict)
    prepared: Mapping[str, Prepared] = field(default_factory=dict)
    searched: tuple[Searched, ...] = ()

    def __repr__(self) -> str:
        named = "" if self.name == self.formula else f"{self.name}: "
        return f"Law({named}{self.response} = {self.formula})"

    @property
    def formula(self) -> str:
        """The formula as text that reads back to this law's expression."""
        return write(self.expression)

    @property
    def param_names(self) -> tuple[str, ...]:
        """Names of the free parameters, in order."""
        return tuple(param.name for param in self.params)

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(each.name for each in self.inputs)

    @property
    def list_inputs(self) -> tuple[str, ...]:
        """Names of the inputs that hold a list of values in every row; a single point cannot give them."""
        return tuple(each.name for each in self.inputs if runs_over_k(each.name))

    @property
    def row_inputs(self) -> tuple[str, ...]:
        """Names of the inputs with one value a row, which an axis can show."""
        return tuple(each.name for each in self.inputs if not runs_over_k(each.name))

    def value(self, params: Mapping[str, Floats | float], inputs: Mapping[str, Floats | Lists | float]) -> Floats:
        """The law's response at these parameters and inputs, broadcast against each other.

        Parameters
        ----------
        params :
            Name → number or array, for each free parameter.
        inputs :
            Name → number or array, for each input; lists a row for :attr:`list_inputs`.

        Returns
        -------
        numpy.ndarray
            The response in its unit, of the shape to which all of them broadcast.
        """
        return np.asarray(array_value(self.expression, {**params, **inputs}), dtype=np.float64)

    @property
    def linear(self) -> tuple[str, ...]:
        """Parameters that enter linearly, jointly: each a plain factor of one term of its own."""
        terms = self.expression.args if self.expression.op == "add" else (self.expression,)
        found = []
        for term in terms:
            factors = [arg.label for arg in (term.args if term.op == "mul" else (term,)) if arg.op == "name"]
            for label in factors:
                if label in self.param_names and _occurrences(self.expression, label) == 1:
                    found.append(label)
                    break
        return tuple(found)


def _occurrences(expression: Expr, label: str) -> int:
    if expression.op == "name":
        return int(expression.label == label)
    return sum(_occurrences(arg, label) for arg in expression.args)


@cache
def catalogue() -> Mapping[str, Law]:
    """Every law that ships with the package, by name; one TOML file a law.

    Returns
    -------
    Mapping
        Name → :class:`Law`.

    Examples
    --------
    >>> import isoflop
    >>> "chinchilla" in isoflop.catalogue()
    True
    """
    return _Catalogue()


class _Catalogue(Mapping[str, Law]):
    """The laws, each read from the file of its name when it is first asked for."""

    def __init__(self) -> None:
        folder = resources.files("isoflop.laws") / "catalogue"
        files = sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)
        self._files = {file.name.removesuffix(".toml"): file for file in files}
        self._read: dict[str, Law] = {}

    def __getitem__(self, name: str) -> Law:
        if name not in self._read:
            self._read[name] = _from_toml(tomllib.loads(self._files[name].read_text(encoding="utf-8")))
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)


def _from_toml(table: Mapping[str, object]) -> Law:
    """One file of the catalogue; a missing key is a mistake of ours and raises KeyError in the tests."""
    inputs: Mapping[str, str | Mapping[str, str]] = table["inputs"]  # type: ignore[assignment]
    params: Mapping[str, Mapping[str, object]] = table["params"]  # type: ignore[assignment]
    published: Sequence[Mapping[str, object]] = table.get("published", ())  # type: ignore[assignment]
    stated = str(table["formula"])
    where: Mapping[str, str] = table.get("where", {})  # type: ignore[assignment]
    prepared: Mapping[str, Mapping[str, float | str]] = table.get("prepare", {})  # type: ignore[assignment]
    searched: Mapping[str, Mapping[str, object]] = table.get("search", {})  # type: ignore[assignment]
    return Law(
        name=str(table["name"]),
        expression=spell_out(parse(stated), where),
        inputs=tuple(
            Input(each, facts) if isinstance(facts, str) else Input(each, facts["meaning"], facts["domain"])
            for each, facts in inputs.items()
        ),
        params=tuple(Param(each, _domain(facts["domain"]), str(facts["meaning"])) for each, facts in params.items()),
        reference=str(table["reference"]),
        notes=str(table["notes"]),
        published=tuple(
            Published(
                key=str(entry["key"]),
                values=entry["values"],  # type: ignore[arg-type]
                source=str(entry["source"]),
                label=str(entry["label"]),
                data=str(entry["data"]),
                convention=str(entry["convention"]),
                unit=str(entry["unit"]),
            )
            for entry in published
        ),
        response=str(table.get("response", "loss")),
        stated=stated,
        where=where,
        prepared={
            column: Prepared(str(facts["rule"]), {key: value for key, value in facts.items() if key != "rule"})
            for column, facts in prepared.items()
        },
        searched=tuple(
            Searched(each, tuple(facts["values"]), str(facts["meaning"]))  # type: ignore[arg-type]
            for each, facts in searched.items()
        ),
    )


def spell_out(expression: Expr, where: Mapping[str, str]) -> Expr:
    """The expression with its abbreviations replaced; each may use those above it."""
    for label, text in reversed(list(where.items())):
        expression = substitute(expression, {symbol(label): parse(text)})
    return expression


def _domain(value: object) -> Domain:
    if isinstance(value, list):
        return float(value[0]), float(value[1])
    return str(value)
