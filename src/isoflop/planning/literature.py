"""``compare_constants``: a fit's own constants beside those that the literature has for the same law."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FormulaError
from isoflop.findings import Finding
from isoflop.laws import Law, catalogue, law
from isoflop.laws.correspondence import correspondence
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import Expr
from isoflop.laws.formula import parse
from isoflop.laws.law import Published
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import Ensemble, Interval, no_draws
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ConstantComparison(Value):
    """A constant of one source beside the fit's.

    agrees: whether the fit's interval holds the published value; None where the fit has no interval, as of a constant
    that was fixed.
    """

    name: str
    own: Interval
    published: float
    agrees: bool | None


@dataclass(frozen=True)
class SourceComparison(Value):
    """What one source says of the law.

    error: mean over the fit's rows of |L̂ − L|/L at the published constants, and offset: the median of L̂/L − 1; None
    where the source gives only some constants, or another unit, or where the rows of the fit are not at hand.
    """

    published: Published
    constants: tuple[ConstantComparison, ...]
    error: float | None
    offset: float | None

    @property
    def judged(self) -> int:
        """How many of its constants the fit has an interval of."""
        return sum(each.agrees is not None for each in self.constants)

    @property
    def agreeing(self) -> int:
        """How many of these the fit's intervals hold."""
        return sum(bool(each.agrees) for each in self.constants)


@dataclass(frozen=True)
class LiteratureComparison(Shown):
    """A fit beside the literature of its law; law: the name in the catalogue; error: the fit's own on its rows."""

    ensemble: Ensemble
    law: str
    sources: tuple[SourceComparison, ...]
    error: float | None
    level: float
    findings: tuple[Finding, ...]


def compare_constants(
    ensemble: Ensemble, *, intervals: Mapping[str, Interval] | None = None, level: float = 0.9
) -> LiteratureComparison:
    """Whether each published constant of the fit's law lies in the interval that the fit gives it.

    The fit's law is found in the catalogue by its name, or by its formula up to the names of its parameters; constants
    that were fixed or tied take part with their values. Amplitudes depend on units and on what N counts, and go
    together with their exponents: the error of the published curve on the fit's own runs says more than they do.

    Parameters
    ----------
    ensemble :
        The fit with its draws.
    intervals :
        Those of the free parameters, where they do not come from the draws.
    level :
        Of the intervals.

    Returns
    -------
    LiteratureComparison
        A comparison for each source, those that miss the fit's runs least first.

    Raises
    ------
    FormulaError
        The law is not in the catalogue, or no constants of it are on record.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.literature import compare_constants
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> drawn = isoflop.bootstrap(isoflop.fit(isoflop.law("chinchilla"), runs), draws=40)
    >>> "epoch" in [each.published.key for each in compare_constants(drawn).sources]
    True
    """
    estimate = ensemble.estimate
    known, places = _known(estimate.law)
    own = _own(ensemble, places, intervals, level)
    rows = _rows(ensemble)
    sources = []
    for entry in known.published:
        constants = tuple(
            ConstantComparison(name, own[name], float(value), _agrees(own[name], float(value)))
            for name, value in entry.values.items()
            if name in own
        )
        error = offset = None
        complete = set(entry.values) == set(known.param_names)
        if rows is not None and complete and _same_unit(ensemble, entry):
            inputs, measured = rows
            with np.errstate(all="ignore"):
                apart = known.value(dict(entry.values), inputs) / measured - 1
            if np.isfinite(apart).all():
                error, offset = float(np.abs(apart).mean()), float(np.median(apart))
        sources.append(SourceComparison(entry, constants, error, offset))
    sources.sort(key=lambda each: (each.error is None, each.error or 0.0))
    error = None
    if rows is not None:
        inputs, measured = rows
        error = float(np.abs(estimate.law.value(dict(estimate.params), inputs) / measured - 1).mean())
    return LiteratureComparison(
        ensemble, known.name, tuple(sources), error, level, (*no_draws(ensemble), *_findings(ensemble, sources))
    )


def _known(fitted: Law) -> tuple[Law, dict[str, str]]:
    """The law of the catalogue that a fitted law is, and for each of its parameters the fitted law's name of it."""
    with_constants = [each.name for each in catalogue().values() if each.published]
    listed = f"{', '.join(with_constants[:4])} and {len(with_constants) - 4} more have some (isoflop laws)"
    if fitted.name in catalogue():
        known = catalogue()[fitted.name]
        places = {name: name for name in known.param_names}
    else:
        whole = fitted
        if fitted.fixed or fitted.tied:
            try:
                whole = law(fitted.name, inputs=fitted.input_names)
            except FormulaError:
                whole = fitted
        matches = [
            (each, found)
            for each in catalogue().values()
            if each.response == whole.response and (found := correspondence(whole, each)) is not None
        ]
        if not matches:
            raise FormulaError(f"the formula {fitted.name!r} is no law of the catalogue; {listed}")
        known, places = max(matches, key=lambda each: len(each[0].published))
    if not known.published:
        raise FormulaError(f"no constants of {known.name} are on record, so there is nothing to compare with; {listed}")
    return known, places


def _own(
    ensemble: Ensemble, places: Mapping[str, str], intervals: Mapping[str, Interval] | None, level: float
) -> dict[str, Interval]:
    """The fit's value of every constant of the law, by the catalogue's names."""
    fitted = ensemble.estimate.law
    own = {}
    for name, place in places.items():
        if place in fitted.param_names:
            given = None if intervals is None else intervals.get(place)
            own[name] = given or ensemble.interval(place, level=level)
        elif place in fitted.fixed:
            value = float(fitted.fixed[place])
            own[name] = Interval(value, math.nan, math.nan, level)
        elif place in fitted.tied:
            own[name] = ensemble.interval(partial(_value_of, parse(fitted.tied[place])), level=level)
    return own


def _value_of(formula: Expr, params: Mapping[str, Floats]) -> Floats:
    return np.asarray(array_value(formula, params), dtype=np.float64)


def _agrees(own: Interval, published: float) -> bool | None:
    return own.low <= published <= own.high if np.isfinite([own.low, own.high]).all() else None


def _rows(ensemble: Ensemble) -> tuple[Mapping[str, Floats], Floats] | None:
    """The fit's inputs and measured responses."""
    data = ensemble.estimate.data
    if data.rows is None or any(not isinstance(each, np.ndarray) for each in data.rows.inputs.values()):
        return None
    inputs = {name: np.asarray(each) for name, each in data.rows.inputs.items()}
    with np.errstate(all="ignore"):
        fitted = ensemble.estimate.law.value(dict(ensemble.estimate.params), inputs)
        measured = fitted * np.exp(data.rows.residual) if data.space == "log" else fitted + data.rows.residual
    return (inputs, measured) if np.isfinite(measured).all() and np.all(measured > 0) else None


def _same_unit(ensemble: Ensemble, entry: Published) -> bool:
    """Whether a source measures the loss as the runs do; what is no loss has the law's own unit."""
    if ensemble.estimate.law.response != "loss":
        return True
    return entry.unit.split("(")[0].strip() == ensemble.estimate.data.loss_unit.split("(")[0].strip()


def _findings(ensemble: Ensemble, sources: list[SourceComparison]) -> list[Finding]:
    """Sources that count N or measure the loss in another way than the runs do."""
    data = ensemble.estimate.data
    found = []
    units = [each.published for each in sources if not _same_unit(ensemble, each.published)]
    if units:
        named = _first([f"{each.key} ({each.unit})" for each in units])
        found.append(
            Finding(
                "published-in-another-unit",
                "note",
                f"the response is in {data.loss_unit}, and that of {named} is not.",
                "Compare exponents, which have no unit, and not floors and amplitudes.",
            )
        )
    if data.param_convention:
        ours = data.param_convention
        other = [each.published for each in sources if not _counts_alike(each.published.convention, ours)]
        if other:
            named = _first([f"{each.key} ({each.convention})" for each in other])
            found.append(
                Finding(
                    "published-in-another-count",
                    "note",
                    f"N counts {data.param_convention} parameters in the runs, and otherwise in {named}.",
                    "Read alpha and A with that in mind; isoflop reconcile converts exponents.",
                )
            )
    return found


def _counts_alike(theirs: str, ours: str) -> bool:
    """Whether a source counts N as the runs do, as far as it says."""
    if theirs.startswith(("not stated", "as ", "nominal")):
        return True
    return ("non-embedding" in theirs.lower()) == ("non-embedding" in ours.lower())


def _first(words: Sequence[str]) -> str:
    """Three of the words, and how many more there are."""
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
