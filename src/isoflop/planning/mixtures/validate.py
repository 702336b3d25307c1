"""Which form forecasts mixtures that it was not fitted to: error and rank correlation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.planning.mixtures.forms import FORMS, Form, fit_mixtures
from isoflop.planning.mixtures.table import MixtureTable
from isoflop.values import Value

Floats = NDArray[np.float64]
_ALONE = 30  # mixtures up to which each is held out by itself
_FOLDS = 10


@dataclass(frozen=True)
class FormScore(Value):
    """A form on held-out mixtures.

    forecast: (runs, tasks). errors: mean |L − L̂|/L of each task. error: that of the weighted loss. rank: Spearman's
    correlation of forecast and measured weighted loss. naive: the error of the mean of the fitted mixtures.
    """

    form: Form
    forecast: Floats
    errors: tuple[float, ...]
    error: float
    rank: float
    naive: float


def validate_mixtures(
    table: MixtureTable, *, weights: Sequence[float] | None = None, forms: Sequence[Form] = FORMS, seed: int = 0
) -> tuple[FormScore, ...]:
    """mean |L̂(r)/L(r) − 1| of every form on mixtures r that were held out, the best first.

    Up to 30 mixtures are held out one by one, more of them in ten parts.

    Parameters
    ----------
    table :
        Mixtures with their losses.
    weights :
        Of the tasks in the loss that decides; equal by default.
    forms :
        The forms that are compared.
    seed :
        Of the parts.

    Returns
    -------
    tuple
        A :class:`FormScore` for each form that can be fitted.

    Raises
    ------
    DataError
        No form can be fitted.

    Examples
    --------
    >>> import numpy, isoflop
    >>> from isoflop.planning.mixtures import mixture_table, validate_mixtures
    >>> web = numpy.linspace(0.1, 0.9, 9)
    >>> loss = 2 + 0.5 * numpy.exp(-2 * web) + 0.3 * numpy.exp(-3 * (1 - web))
    >>> runs = isoflop.Runs.from_columns({"web": web, "code": 1 - web, "loss": loss})
    >>> table = mixture_table(runs, ["web", "code"])
    >>> validate_mixtures(table)[0].error < 0.01
    True
    """
    from scipy.stats import spearmanr  # a second to import, which no other command needs

    share = task_weights(table, weights)
    count = len(table)
    rng = np.random.default_rng([seed, 21])
    fold = np.arange(count) if count <= _ALONE else rng.permutation(count) % _FOLDS
    measured = table.losses @ share
    naive = np.array([abs(measured[fold != fold[k]].mean() / measured[k] - 1) for k in range(count)]).mean()
    found, why = [], ""
    for form in forms:
        forecast = np.empty_like(table.losses)
        try:
            for each in np.unique(fold):
                held = fold == each
                forecast[held] = fit_mixtures(table.take(~held), form).loss(table.shares[held])
        except DataError as error:
            why = why or str(error)
            continue
        whole = forecast @ share
        found.append(
            FormScore(
                form,
                forecast,
                tuple(np.abs(forecast / table.losses - 1).mean(axis=0).tolist()),
                float(np.abs(whole / measured - 1).mean()),
                float(spearmanr(whole, measured).statistic),
                float(naive),
            )
        )
    if not found:
        raise DataError(f"no form can be tested on held-out mixtures: {why}")
    return tuple(sorted(found, key=lambda each: each.error))


def task_weights(table: MixtureTable, weights: Sequence[float] | None) -> Floats:
    """Weights of the tasks, of sum 1.

    Raises DataError for another number of them, or for weights that are negative or all zero.
    """
    if weights is None:
        return np.full(len(table.tasks), 1 / len(table.tasks))
    found = np.asarray(weights, dtype=np.float64)
    if len(found) != len(table.tasks):
        raise DataError(f"{len(found)} weights were given for {len(table.tasks)} losses; give one each")
    if not np.isfinite(found).all() or (found < 0).any() or found.sum() <= 0:
        raise DataError("weights of losses are positive numbers or zero, and not all zero")
    return np.asarray(found / found.sum())
