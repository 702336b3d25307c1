"""``backtest``: what laws would have predicted for the largest runs, had they not been shown, with intervals scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError, IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import Objective, huber
from isoflop.laws import Law
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.uncertainty.ensemble import check_level
from isoflop.uncertainty.prior import Prior
from isoflop.validation.baselines import BASELINES, baselines
from isoflop.validation.score import Scores, score
from isoflop.validation.split import HoldOut, Window, split
from isoflop.validation.window_test import Forecasts, WindowTest
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Held(Value):
    """The held-out rows of all windows, one after another.

    truth: what was measured; run: the run's number; window: which window; row: the row in ``runs``; all (held rows,).
    """

    truth: Floats
    run: Ints
    window: Ints
    row: Ints


@dataclass(frozen=True)
class Backtest(Shown):
    """Laws and baselines on the same held-out rows.

    ``scores(each)`` scores one of ``laws`` or ``baselines``, over all windows or one.
    """

    source: str
    response: str
    unit: str
    windows: tuple[Window, ...]
    held: Held
    laws: tuple[Forecasts, ...]
    baselines: tuple[Forecasts, ...]
    objective: Objective
    level: float
    draws: int
    seed: int
    findings: tuple[Finding, ...] = ()

    def scores(self, forecasts: Forecasts, *, window: int | None = None, model_error: bool = True) -> Scores:
        """ARE, bias, coverage and log score of one forecaster; window: its number, or None for all.

        model_error: whether the interval that is scored has model error, or is that if the law holds.
        """
        rows = np.ones(len(self.held.truth), dtype=bool) if window is None else self.held.window == window
        # a run that is held out in two windows (another family's, or another cut) counts in each
        code = self.held.window * (int(self.held.run.max()) + 1) + self.held.run
        said = (
            (forecasts.low, forecasts.high, forecasts.log_score)
            if model_error
            else (forecasts.law_low, forecasts.law_high, forecasts.law_log_score)
        )
        low, high, log_score = (None if each is None else each[rows] for each in said)
        return score(
            forecasts.value[rows],
            self.held.truth[rows],
            code[rows],
            low=low,
            high=high,
            log_score=log_score,
            level=self.level,
        )


def backtest(
    laws: Law | Sequence[Law],
    runs: Runs,
    *,
    hold_out: HoldOut | None = None,
    windows: int = 1,
    per_family: bool = False,
    objective: Objective | None = None,
    draws: int = 300,
    level: float = 0.9,
    seed: int = 0,
    resample_by: str | None = None,
    progress: Callable[[int], None] | None = None,
    prior: Prior | None = None,
) -> Backtest:
    """Fit each law to the smaller runs, forecast the larger ones, and compare with what they measured.

    Every window and every bootstrap draw is a row of one weight matrix over one table (a table for each family, where
    ``per_family``). An interval is that of a new run: under the law with its model error
    (:mod:`isoflop.uncertainty.discrepancy`), and, if the law holds, by the curve's draws and the scatter around it.

    Parameters
    ----------
    laws :
        One or more, of the same response.
    runs :
        With the inputs and the response of every law.
    hold_out :
        The largest fifth of the runs by N, C or D unless it says otherwise.
    windows :
        How many hold-outs; those below the first are each predicted from what is smaller than themselves.
    per_family :
        Whether each family is fitted and held out by itself.
    objective :
        Of the fits; Huber with δ = 1e-3 on log loss by default.
    draws :
        Bootstrap draws for each law and window, 20 or more.
    level :
        Of the intervals.
    seed :
        Of the searches and draws.
    resample_by :
        Column whose equal values are drawn together in each window; single runs by default.
    progress :
        Called with 1 for each law and family done.
    prior :
        Of the model error; the shipped one by default.

    Returns
    -------
    Backtest
        Forecasts of every held-out run by each law and by baselines, with scores.

    Raises
    ------
    DataError
        A hold-out that leaves too few runs, or a single family.
    FitError
        Laws of different responses, or a law with a searched constant that is not fixed.
    IsoflopError
        No law, or fewer than 20 draws.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> tested = isoflop.backtest(isoflop.law("chinchilla"), runs, draws=40)
    >>> scores = tested.scores(tested.laws[0])
    >>> scores.are.value < 0.05
    True
    """
    check_level(level)
    laws = (laws,) if isinstance(laws, Law) else tuple(laws)
    if not laws:
        raise IsoflopError("a backtest needs a law; name one or more with --law")
    check_draws(draws)
    response = laws[0].response
    for each in laws:
        if each.response != response:
            raise FitError(f"{laws[0].name} predicts {response} and {each.name} {each.response}; test them one by one")
        check_fixed(each)
    objective = huber() if objective is None else objective
    fewest = max(len(each.params) for each in laws) + 1
    cut, refused = split(runs, hold_out or HoldOut(), windows=windows, per_family=per_family, fewest=fewest)
    asked = WindowTest(runs, cut, objective, draws, level, seed, resample_by, prior)
    forecasters = []
    for each in laws:
        forecasters.append(asked.drawn(asked.judged(asked.fitted(each)), draws))
        if progress is not None:
            progress(len({window.family for window in cut}))
    return tested(asked, laws, forecasters, findings=refused)


def check_draws(draws: int) -> None:
    """Raises IsoflopError for fewer than make an interval."""
    if draws < 20:
        raise IsoflopError(f"{draws} draws make no interval; ask for 20 or more (500 is usual)")


def check_fixed(law: Law) -> None:
    """Raises FitError for a law with a searched constant that is not fixed."""
    if law.searched:
        names = ", ".join(constant.name for constant in law.searched)
        raise FitError(f"a backtest of {law.name} needs {names} at a value; fix it, as in --fix {names}=0.99")


def tested(
    asked: WindowTest, laws: Sequence[Law], forecasters: Sequence[Forecasts], *, findings: tuple[Finding, ...]
) -> Backtest:
    """The forecasts beside what was measured and beside the baselines, which read the inputs of ``laws``."""
    runs, windows = asked.runs, asked.windows
    response = laws[0].response
    return Backtest(
        source=runs.source,
        response=response,
        unit=runs.loss_unit if response == "loss" else response,
        windows=windows,
        held=_held(runs, windows, response),
        laws=tuple(forecasters),
        baselines=_baselines(runs, windows, response, laws),
        objective=asked.objective,
        level=asked.level,
        draws=asked.draws,
        seed=asked.seed,
        findings=findings,
    )


def backtest_findings(result: Backtest) -> tuple[Finding, ...]:
    """What the scores say against the laws: no better than a baseline, intervals that hold too few held-out runs."""
    found = list(result.findings)
    base = {each.name: result.scores(each).are.value for each in result.baselines}
    best = min(base, key=base.__getitem__)
    for each in result.laws:
        scores = result.scores(each)
        if not scores.are.value < base[best]:
            found.append(
                Finding(
                    "baseline-wins",
                    "warning",
                    f"{each.name} misses the held-out runs by {scores.are.value:.2%} on average, and the baseline "
                    f"{best!r} by {base[best]:.2%}.",
                    "Do not forecast beyond these runs with it; try another law, or fit the larger runs alone.",
                )
            )
        if scores.coverage is not None and scores.coverage.high < result.level:
            found.append(
                Finding(
                    "undercovers",
                    "warning",
                    f"{each.name} has coverage {scores.covered}/{scores.rows} (nominal {100 * result.level:g} %) of "
                    f"held-out {'losses' if result.response == 'loss' else 'values'}: its prediction intervals are "
                    "too narrow there (errors of runs held out together are correlated, so the share is uncertain).",
                    "Widen them by what the backtest shows, or forecast with stacked laws (isoflop rank).",
                )
            )
        found.extend(each.findings)
    return tuple(found)


def _held(runs: Runs, windows: tuple[Window, ...], response: str) -> Held:
    codes = runs.run_codes()
    rows = [np.flatnonzero(window.held) for window in windows]
    row = np.concatenate(rows)
    number = np.repeat(np.arange(len(windows)), [len(each) for each in rows])
    return Held(truth=runs[response][row], run=codes[row], window=number, row=row)


def _baselines(runs: Runs, windows: tuple[Window, ...], response: str, laws: Sequence[Law]) -> tuple[Forecasts, ...]:
    inputs = list(dict.fromkeys(name for law in laws for name in law.input_names))
    each = [baselines(runs, window, response=response, inputs=inputs) for window in windows]
    return tuple(Forecasts(name, np.concatenate([said[name] for said in each])) for name in BASELINES)
