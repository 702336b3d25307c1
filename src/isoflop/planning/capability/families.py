"""``families_left_out``: scores of a family that was not fitted, from its smallest model and scale, by method."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.planning.capability.components import fit_components
from isoflop.planning.capability.panel import Panel, fit_panel
from isoflop.planning.capability.response import Response, fit_response, locate
from isoflop.planning.capability.scores import ModelScores
from isoflop.values import Value

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

COMPONENTS = 3  # which explain 97 % of the variance of the observational scaling laws' benchmarks
_FEWEST = 3  # families
_MOST = 60  # families that are left out, those with most models


@dataclass(frozen=True)
class MethodError(Value):
    """One method over all families left out.

    error: mean absolute error of a score. coverage: share of scores in the interval that the other families' errors
    give; width: its mean width. residuals: measured minus predicted, of each family.
    """

    method: str
    error: float
    coverage: float
    width: float
    residuals: tuple[Floats, ...]


@dataclass(frozen=True)
class FamilyError(Value):
    """Mean absolute errors of the scores of one family's larger models, by method."""

    family: str
    models: int
    scores: int
    errors: Mapping[str, float]


@dataclass(frozen=True)
class FamilyErrors(Value):
    """Each family left out once, except for its smallest model.

    inputs: of the panel. methods: ``panel``, ``item response``, ``components``, then the baselines ``family line``,
    ``line``, ``line in inputs`` where there are several, ``unchanged`` and ``mean``.
    """

    inputs: tuple[str, ...]
    each: tuple[FamilyError, ...]
    methods: Mapping[str, MethodError]

    def error(self, method: str) -> float:
        """Mean absolute error over all scores predicted."""
        return self.methods[method].error


@dataclass(frozen=True)
class _Fold:
    """A family without its larger models: rows that are fitted, its smallest model and its larger ones."""

    name: str
    place: int
    train: Places
    first: int
    larger: Places


def inputs_of(scores: ModelScores) -> tuple[tuple[str, ...], Floats]:
    """ln of the scale; with tokens their logarithm and the product, all from their means. NaN where not known."""
    x = np.log(scores.scale)
    names: tuple[str, ...] = (f"ln {scores.by}",)
    columns = [x - np.nanmean(x)]
    if scores.tokens is not None:
        d = np.log(scores.tokens)
        columns += [d - np.nanmean(d), columns[0] * (d - np.nanmean(d))]
        names = (*names, f"ln {scores.tokens_by}", "their product")
    return names, np.column_stack(columns)


def families_left_out(
    scores: ModelScores, fitted: Response, *, skills: int = 2, level: float = 0.9
) -> FamilyErrors | None:
    """Every method sees the other families and the smallest model of this one, and forecasts its larger models.

    Methods
    -------
    panel
        g + (1 − g)·logistic(b + w·(x·β + α_family)), see :func:`fit_panel` (Sloth).
    item response
        The index of the smallest model plus its slope on ln X within families.
    components
        The same with principal components of the scores.
    family line, line, line in inputs
        One benchmark at a time: logistic in ln X with an intercept a family, with one for all, and in all inputs.
    unchanged, mean
        The smallest model's own scores, and the other families' mean of each benchmark.

    Families need two models of different scale; None where fewer than three have them.
    """
    if not scores.by or not np.isfinite(scores.scale).any():
        return None
    inputs, x = inputs_of(scores)
    folds = _folds(scores, x)
    if len(folds) < _FEWEST:
        return None
    labels = sorted(set(scores.family))
    family = np.array([labels.index(each) for each in scores.family])
    known = np.asarray(np.isfinite(x).all(axis=1))
    methods = _methods(scores, fitted, x, family, known, skills)
    residuals: dict[str, list[Floats]] = {name: [] for name in methods}
    each = []
    for fold in folds:
        table = scores.scores[fold.larger]
        with np.errstate(invalid="ignore"):
            tested = np.isfinite(scores.scores[np.setdiff1d(fold.train, fold.first)]).any(axis=0)
        there = np.isfinite(table) & np.isfinite(scores.scores[fold.first]) & tested
        if not there.any():
            continue
        errors = {}
        for name, predict in methods.items():
            off = (table - predict(fold))[there]
            residuals[name].append(off)
            errors[name] = float(np.abs(off).mean())
        each.append(FamilyError(fold.name, len(fold.larger), int(there.sum()), errors))
    if len(each) < _FEWEST:
        return None
    return FamilyErrors(
        inputs, tuple(each), {name: method_error(name, tuple(found), level) for name, found in residuals.items()}
    )


def error_bound(residuals: tuple[Floats, ...], level: float) -> float:
    """q of the interval ŷ ± q of a score of a further family: a quantile of |error|, families of equal weight.

    The further family counts among them, which raises the quantile to level·(1 + 1/families); at most the largest error
    is given.

    Examples
    --------
    >>> import numpy
    >>> error_bound((numpy.array([-0.1, 0.0, 0.2]), numpy.array([0.05])), 0.5)
    0.1

    Source: Dunn, Wasserman & Ramdas 2022, arXiv:1809.07441 (conformal prediction with groups).
    """
    values = np.abs(np.concatenate(residuals))
    weight = np.concatenate([np.full(len(each), 1 / (len(each) * len(residuals))) for each in residuals])
    order = np.argsort(values, kind="stable")
    asked = min(1.0, level * (1 + 1 / len(residuals)))
    at = np.searchsorted(np.cumsum(weight[order]), asked - 1e-9)
    return float(values[order][min(int(at), len(values) - 1)])


def method_error(name: str, residuals: tuple[Floats, ...], level: float) -> MethodError:
    """Error, and coverage of the intervals that the residuals of the other families give."""
    inside, widths = [], []
    for at, own in enumerate(residuals):
        bound = error_bound(residuals[:at] + residuals[at + 1 :], level)
        inside.append(np.abs(own) <= bound)
        widths.append(np.full(len(own), 2 * bound))
    every = np.concatenate(residuals)
    return MethodError(
        name,
        float(np.abs(every).mean()),
        float(np.concatenate(inside).mean()),
        float(np.concatenate(widths).mean()),
        residuals,
    )


def _folds(scores: ModelScores, x: Floats) -> list[_Fold]:
    known = np.isfinite(x).all(axis=1)
    family = np.array(scores.family, dtype=object)
    labels = sorted(set(scores.family))
    found = []
    for name in labels:
        own = np.flatnonzero((family == name) & known)
        if not name or len(np.unique(scores.scale[own])) < 2:
            continue
        rows = own[np.argsort(scores.scale[own], kind="stable")]
        larger = rows[scores.scale[rows] > scores.scale[rows[0]]]
        train = np.append(np.flatnonzero((family != name) & known), rows[0])
        found.append(_Fold(name, labels.index(name), train, int(rows[0]), larger))
    return sorted(sorted(found, key=lambda fold: -len(fold.larger))[:_MOST], key=lambda fold: fold.name)


def _methods(
    scores: ModelScores, fitted: Response, x: Floats, family: Places, known: NDArray[np.bool_], skills: int
) -> dict[str, Callable[[_Fold], Floats]]:
    """Predictions, (larger models, benchmarks), by the name of the method."""
    table, chance = scores.scores, fitted.chance
    one = np.zeros(len(table), dtype=np.int64)
    rows, first_input = np.flatnonzero(known), x[:, :1]
    whole = fit_panel(table[rows], x[rows], family[rows], chance, skills=skills)

    def panel(fold: _Fold) -> Floats:
        begin = replace(whole, effect=whole.effect.copy())
        begin.effect[fold.place] = 0.0  # nothing of the family's larger models is left
        own = fit_panel(table[fold.train], x[fold.train], family[fold.train], chance, skills=skills, start=begin)
        return own.scores(x[fold.larger], fold.place)

    def item_response(fold: _Fold) -> Floats:
        others = np.setdiff1d(fold.train, fold.first)
        start = Response(fitted.capability[others], fitted.difficulty, fitted.discrimination, chance)
        items = fit_response(table[others], chance, start)
        slope = _within(items.capability[:, None], first_input[others, 0], family[others])[0]
        c = locate(table[fold.first], items) + slope * _ahead(first_input, fold)
        return Response(c, items.difficulty, items.discrimination, chance).scores()

    def components(fold: _Fold) -> Floats:
        found = fit_components(table[fold.train], COMPONENTS)
        own = found.of(table[fold.train])
        slope = _within(own, first_input[fold.train, 0], family[fold.train])
        ahead = own[-1] + _ahead(first_input, fold)[:, None] * slope
        return np.clip(found.mean + ahead @ found.axes.T, 0.0, 1.0)

    def line(inputs: Floats, group: Places) -> Callable[[_Fold], Floats]:
        begin: dict[int, Panel] = {}

        def predict(fold: _Fold) -> Floats:
            made = np.full((len(fold.larger), table.shape[1]), np.nan)
            for t in range(table.shape[1]):
                train = fold.train[np.isfinite(table[fold.train, t])]
                if not len(train):
                    continue
                labels = family if group is family else one
                if t not in begin:
                    every = rows[np.isfinite(table[rows, t])]
                    sized = Panel(*_blank(inputs.shape[1], int(labels.max()) + 1), chance[[t]])
                    begin[t] = fit_panel(table[every][:, [t]], inputs[every], labels[every], chance[[t]], start=sized)
                start = replace(begin[t], effect=begin[t].effect.copy())
                if group is family:
                    start.effect[fold.place] = 0.0
                own = fit_panel(table[train][:, [t]], inputs[train], labels[train], chance[[t]], start=start)
                made[:, t] = own.scores(inputs[fold.larger], labels[fold.larger])[:, 0]
            return made

        return predict

    def unchanged(fold: _Fold) -> Floats:
        return np.broadcast_to(table[fold.first], (len(fold.larger), table.shape[1]))

    def mean(fold: _Fold) -> Floats:
        others = table[np.setdiff1d(fold.train, fold.first)]
        there = np.isfinite(others)
        with np.errstate(invalid="ignore"):
            return np.broadcast_to(
                np.where(there, others, 0.0).sum(axis=0) / there.sum(axis=0), (len(fold.larger), table.shape[1])
            )

    found: dict[str, Callable[[_Fold], Floats]] = {
        "panel": panel, "item response": item_response, "components": components,
        "family line": line(first_input, family), "line": line(first_input, one),
    }  # fmt: skip
    if x.shape[1] > 1:
        found["line in inputs"] = line(x[:, :2], one)
    return found | {"unchanged": unchanged, "mean": mean}


def _blank(inputs: int, families: int) -> tuple[Floats, Floats, Floats, Floats]:
    return np.zeros(1), np.ones((1, 1)), np.full((inputs, 1), 0.3), np.zeros((families, 1))


def _ahead(x: Floats, fold: _Fold) -> Floats:
    return x[fold.larger, 0] - x[fold.first, 0]


def _within(values: Floats, x: Floats, family: Places) -> Floats:
    """Σ(x − x̄_f)(v − v̄_f)/Σ(x − x̄_f)² over families f of each column of values."""
    cross, square = np.zeros(values.shape[1]), 0.0
    for name in np.unique(family):
        own = family == name
        if own.sum() >= 2:
            off = x[own] - x[own].mean()
            cross, square = cross + off @ values[own], square + float(off @ off)
    return cross / square if square > 0 else cross
