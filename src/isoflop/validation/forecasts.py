"""``validate_forecasts``: do forecast intervals hold on real runs? Coverage, width, error and density by method.

Runs held out together err together, so that counts go by votes: rows → cuts → tables → data sets, each data set one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.fitting import Objective
from isoflop.shown import Shown
from isoflop.uncertainty.discrepancy import weights_of
from isoflop.uncertainty.prior import Prior, shipped_prior
from isoflop.validation.forecast_trials import PROBABILITIES, ForecastTable, Trial, all_trials, votes
from isoflop.validation.prior_learning import learn
from isoflop.values import Value

Floats = NDArray[np.float64]

METHODS = ("with model error", "if the law holds")
REACHES = ((0.0, 0.25), (0.25, 0.5), (0.5, 1.0), (1.0, 1.7))
_BINS = 10
_WORST = -20.0  # log density below which one miss is not counted further


@dataclass(frozen=True)
class MethodScores(Value):
    """One method's intervals on held-out runs, by votes of data sets.

    coverage: of the 90 % interval; central: of the 50 % interval; width: median width of the former relative to the
    median; error: mean |L − L̂|/L of the median; bias: mean (L̂ − L)/L; log_density: of log response.
    pooled: coverage over all rows. at_least_80, worst: share of data sets whose coverage is .80 or more, and the least
    coverage of one. by_dataset: coverage of each. by_reach: (from, to, coverage, width, error, rows) for each range of
    decades beyond the runs. reliability: share of rows whose probability integral transform lies in each tenth.
    """

    method: str
    coverage: float
    pooled: float
    central: float
    at_least_80: float
    worst: float
    width: float
    error: float
    bias: float
    log_density: float
    by_dataset: Mapping[str, float]
    width_by_dataset: Mapping[str, float]
    by_reach: tuple[tuple[float, float, float, float, float, int], ...]
    reliability: Floats = field(repr=False)


@dataclass(frozen=True)
class ForecastValidation(Shown):
    """How forecasts of held-out runs came out.

    methods: scores of each. rows, trials, tables, datasets: how much they rest on. without: table → why it has none.
    left_out: whether each data set was scored with a prior learned from the others alone.
    """

    methods: tuple[MethodScores, ...]
    rows: int
    trials: int
    tables: int
    datasets: int
    without: Mapping[str, str]
    left_out: bool
    prior: Prior


def validate_forecasts(
    tables: Sequence[ForecastTable],
    *,
    prior: Prior | None = None,
    leave_out: bool = False,
    objective: Objective | None = None,
    draws: int = 300,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> ForecastValidation:
    """Cut every table at several sizes, fit below, forecast what lies up to 1.7 decades above, and score by method.

    prior: of the model error; the shipped one by default. leave_out: learn its weights anew for each data set from the
    others. progress: called with 1 for each table.
    Raises DataError where no table has enough runs and sizes for one cut.
    """
    prior = shipped_prior() if prior is None else prior
    found, without = all_trials(tables, prior, objective=objective, draws=draws, seed=seed, progress=progress)
    if not found:
        why = next(iter(without.items()), ("", "no table was given"))
        raise DataError(f"no table can be cut for a forecast; {why[0]}: {why[1]}")
    return score_trials(found, prior, leave_out=leave_out, without=without)


def score_trials(
    found: Sequence[Trial], prior: Prior, *, leave_out: bool = False, without: Mapping[str, str] | None = None
) -> ForecastValidation:
    """The scores of trials that were made before; other arguments as :func:`validate_forecasts`."""
    datasets = list(dict.fromkeys(each.dataset for each in found))
    priors = dict.fromkeys(datasets, prior)
    if leave_out:
        for each in datasets:
            others = [trial for trial in found if trial.dataset != each]
            priors[each] = learn(others, prior) if others else prior
    default = [_by_mixture(trial, priors[trial.dataset]) for trial in found]
    law = [_by_law(trial) for trial in found]
    return ForecastValidation(
        methods=(_scores(METHODS[0], found, default), _scores(METHODS[1], found, law)),
        rows=sum(len(each.truth) for each in found),
        trials=len(found),
        tables=len({(each.dataset, each.table) for each in found}),
        datasets=len(datasets),
        without=without or {},
        left_out=leave_out,
        prior=prior,
    )


@dataclass(frozen=True)
class _Said:
    """Quantiles of the response at ``PROBABILITIES`` (5, rows), value, log density and PIT of one trial's rows."""

    quantiles: Floats
    value: Floats
    log_density: Floats
    pit: Floats


def _by_mixture(trial: Trial, prior: Prior) -> _Said:
    mixture = trial.mixture(weights_of(prior, trial.evidence, trial.counted))
    logs = np.array([mixture.quantile(each) for each in PROBABILITIES])
    truth = np.log(trial.truth)
    return _Said(np.exp(logs), np.exp(logs[2]), mixture.log_density(truth), mixture.cdf(truth))


def _by_law(trial: Trial) -> _Said:
    """PIT between the known quantiles, straight between them and on to both ends."""
    ends = np.array([0.0, *PROBABILITIES, 1.0])
    pit = np.empty(len(trial.truth))
    for row, truth in enumerate(trial.truth):
        known = trial.law[:, row]
        width = max(float(known[-1] - known[0]), 1e-12)
        pit[row] = np.interp(truth, np.array([known[0] - width / 5, *known, known[-1] + width / 5]), ends)
    return _Said(trial.law, trial.law_value, trial.law_score, pit)


def _scores(method: str, found: Sequence[Trial], said: Sequence[_Said]) -> MethodScores:
    truth = np.concatenate([each.truth for each in found])
    reach = np.concatenate([each.reach for each in found])
    quantiles = np.concatenate([each.quantiles for each in said], axis=1)
    value = np.concatenate([each.value for each in said])
    density = np.maximum(np.nan_to_num(np.concatenate([each.log_density for each in said]), nan=_WORST), _WORST)
    weight = votes(found)
    held = (quantiles[0] <= truth) & (truth <= quantiles[4])
    central = (quantiles[1] <= truth) & (truth <= quantiles[3])
    width = (quantiles[4] - quantiles[0]) / quantiles[2]
    off = np.where(np.isfinite(value), (value - truth) / truth, 1.0)
    dataset = np.repeat([each.dataset for each in found], [len(each.truth) for each in found])
    by_dataset, widths = {}, {}
    for each in dict.fromkeys(dataset.tolist()):
        own = dataset == each
        by_dataset[each] = float(np.average(held[own], weights=weight[own]))
        widths[each] = _median(width[own])
    by_reach = []
    for low, high in REACHES:
        own = (reach > low) & (reach <= high)
        if own.any():
            by_reach.append(
                (
                    low,
                    high,
                    float(np.average(held[own], weights=weight[own])),
                    _median(width[own]),
                    float(np.average(np.abs(off[own]), weights=weight[own])),
                    int(own.sum()),
                )
            )
    pit = np.concatenate([each.pit for each in said])
    shares = np.histogram(pit, bins=_BINS, range=(0, 1), weights=weight)[0] / weight.sum()
    return MethodScores(
        method=method,
        coverage=float(np.average(held, weights=weight)),
        pooled=float(held.mean()),
        central=float(np.average(central, weights=weight)),
        at_least_80=float(np.mean([each >= 0.8 for each in by_dataset.values()])),
        worst=min(by_dataset.values()),
        width=_median(np.array(list(widths.values()))),
        error=float(np.average(np.abs(off), weights=weight)),
        bias=float(np.average(off, weights=weight)),
        log_density=float(np.average(density, weights=weight)),
        by_dataset=by_dataset,
        width_by_dataset=widths,
        by_reach=tuple(by_reach),
        reliability=shares,
    )


def _median(values: Floats) -> float:
    """The median of those that are finite: a law without a value somewhere has no width there."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else float("nan")
