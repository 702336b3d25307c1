"""Two stages: a law of a task's loss, and a law from that loss to a score; the errors of both are carried through."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.fitting.objective.space import from_scale
from isoflop.fitting.table import prepared_runs
from isoflop.laws import Law
from isoflop.planning.forecast import Forecast, forecast
from isoflop.planning.reversal import score_findings
from isoflop.planning.score_shares import is_share, within
from isoflop.runs import Runs
from isoflop.runs.columns import read_header
from isoflop.shown import Shown
from isoflop.uncertainty.discrepancy import discrepancy, knows_its_rows
from isoflop.uncertainty.ensemble import Ensemble, Interval, interval_of
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.scatter import new_runs
from isoflop.values import Value

Floats = NDArray[np.float64]

_SCORE_DRAWS = 4_000
_LEAST = 0.01  # of the lowest loss fitted: where draws of a law of raw loss would fall to zero or below
_LOG = re.compile(r"log\((.+)\)")
_TERM = re.compile(r"\s*(?:([0-9.eE-]+)\s*\*\s*)?(.+?)\s*")


@dataclass(frozen=True)
class Downstream(Shown):
    """The score of a run that was not trained.

    loss: the first stage's forecast. score: prediction interval of one new run, around its median, with the model error
    of both stages; law_score: the same if both laws hold; expected: the confidence interval of its mean. response:
    the score's name. beyond: by how much the loss forecast lies below all losses that the second stage was fitted to.
    first, second: the ensembles of the two stages.
    """

    loss: Forecast
    score: Interval
    expected: Interval
    law_score: Interval
    response: str
    beyond: float
    findings: tuple[Finding, ...]
    first: Ensemble = field(repr=False, compare=False)
    second: Ensemble = field(repr=False, compare=False)


@dataclass(frozen=True)
class Stages(Value):
    """finals: one row a run, for the law of the loss. points: all usable checkpoints, for the law of the score.

    errors: the sampling errors of the scores of ``points``, (rows,), where the table has them.
    """

    finals: Runs
    points: Runs
    errors: Floats | None = None


def downstream(first: Ensemble, second: Ensemble, at: Mapping[str, float], *, level: float = 0.9) -> Downstream:
    """score(L(at)): each draw of the loss goes through one draw of the second law, with the scatter of both stages.

    Draws are taken in pairs; where both ensembles resampled the same runs with one seed, a pair comes from the same
    runs. The curve's draws carry no scatter.

    Parameters
    ----------
    first :
        Of a law whose response is the second law's one input.
    second :
        Of the law from that loss to the score.
    at :
        Every input of the first law under its symbol or its word, positive.
    level :
        Of the intervals.

    Returns
    -------
    Downstream
        The loss and the score, with intervals.

    Raises
    ------
    IsoflopError
        Laws that do not join, or inputs as in :func:`isoflop.forecast`.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.planning.downstream import stages
    >>> n, d = (each.ravel() for each in numpy.meshgrid([1e8, 3e8, 1e9, 3e9], [1e10, 3e10, 1e11, 3e11]))
    >>> first, second = isoflop.law("chinchilla"), isoflop.law("task-accuracy-to-one")
    >>> loss = 0.5 + 60 / n**0.25 + 90 / d**0.25
    >>> hits = second.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": loss})
    >>> table = isoflop.Runs.from_columns({"N": n, "D": d, "task_loss": loss, "hits": hits})
    >>> tables = stages(table, first, loss="task_loss", score="hits")
    >>> losses = isoflop.bootstrap(isoflop.fit(first, tables.finals), draws=20, restarted=0)
    >>> raw = isoflop.squares(space="raw")
    >>> scores = isoflop.bootstrap(isoflop.fit(second, tables.points, objective=raw), draws=20, restarted=0)
    >>> found = isoflop.downstream(losses, scores, {"N": 1e10, "D": 1e12})
    >>> round(float(found.law_score.value), 3)
    0.648

    Source: Bhagia et al. 2024, arXiv:2412.04403 (the chain of two laws).
    """
    link = check_chain(first.estimate.law, second.estimate.law)
    told = forecast(first, at, level=level)
    count = min(len(first), len(second))
    curve = first.estimate.law.value(first.draws, told.at)[:count]
    measured = new_runs(first, first.estimate.law.value(first.draws, told.at), at=told.at)[:count]
    params = {name: each[:count] for name, each in second.draws.items()}
    value = float(second.estimate.predict({link: told.law_loss.value}))
    expected = second.estimate.law.value(params, {link: curve})
    by_laws = interval_of(
        value, new_runs(second, second.estimate.law.value(params, {link: measured}), stream=1), level=level
    )
    lowest = second.estimate.data.ranges[link][0]
    beyond = max(0.0, lowest - told.loss.value)
    share = is_share(second.estimate)
    return Downstream(
        loss=told,
        score=within(_with_model_error(first, second, told, link, level) or by_laws, share),
        law_score=within(by_laws, share),
        expected=within(interval_of(value, expected, level=level), share),
        response=second.estimate.law.response,
        beyond=beyond,
        findings=(
            *_reversals(second),
            *_floor_findings(first, told),
            *beyond_findings(second, told.loss.value, lowest),
            *told.findings,
            *first.estimate.findings,
            *(each for each in second.estimate.findings if each.code != "narrow-range"),  # it speaks of exponents
            *second.findings,
        ),
        first=first,
        second=second,
    )


def _reversals(second: Ensemble) -> list[Finding]:
    """Those of the runs that the second stage was fitted to, where it came with them."""
    runs = second.estimate.runs
    return [] if runs is None else score_findings(runs, second.estimate)


def _with_model_error(first: Ensemble, second: Ensemble, told: Forecast, link: str, level: float) -> Interval | None:
    """The score over draws of the loss and, at each, of the score; None where a stage came without its runs."""
    loss, score = first.estimate, second.estimate
    if not (knows_its_rows(loss) and knows_its_rows(score)):
        return None
    losses = predictive(first, told.at, level=level).sample(_SCORE_DRAWS)[:, 0]
    if score.law.inputs[0].domain == "positive":
        losses = np.maximum(losses, _LEAST * score.data.ranges[link][0])
    known = discrepancy(score, prior=second.prior).at({link: losses}, joint=False).one_each(seed=second.seed)
    scores = from_scale(known, score.data.space)
    return interval_of(float(np.nanmedian(scores)), scores, level=level)


def check_chain(first: Law, second: Law) -> str:
    """The name that joins two laws: the first's response, which must be the second's only input."""
    if second.input_names != (first.response,):
        raise IsoflopError(
            f"{second.name} takes {', '.join(second.input_names)}, and {first.name} predicts {first.response}; "
            "the second law must have that as its only input"
        )
    return first.response


def stages(
    runs: Runs, law: Law, *, loss: str, score: str, response: str = "accuracy", average: int = 1, skip: float = 0.0
) -> Stages:
    """The two tables that a chain is fitted to, from one table of runs or of checkpoints.

    Sampling errors are read from columns named as lm-evaluation-harness has them, ``arc/acc_stderr`` beside
    ``arc/acc``. Those of checkpoints that are averaged count as one error, since the questions were the same; those of
    scores that are summed as independent.

    Parameters
    ----------
    runs :
        With the inputs of ``law``, the loss and the score.
    law :
        The first stage's, whose inputs are kept.
    loss, score :
        Headers, or weighted sums of headers such as ``0.3*a + 0.7*b``.
    response :
        What the second law calls the score.
    average :
        How many of a run's last checkpoints its final loss is the mean of, and the width of the moving average over the
        others; 1 or more.
    skip :
        The share of each run's first checkpoints that the second stage does not use, 0 to 1.

    Returns
    -------
    Stages
        ``finals`` for the first law, ``points`` for the second, and the sampling errors of the scores.

    Raises
    ------
    DataError
        A column is missing, or no run has both numbers.
    IsoflopError
        ``average`` or ``skip`` out of range, or a law that sums over lists.

    Examples
    --------
    >>> import isoflop
    >>> from isoflop.planning.downstream import stages
    >>> table = {"N": [1e8, 1e9], "D": [1e10, 1e10], "task_loss": [3.1, 2.6], "hits": [0.3, 0.4]}
    >>> runs = isoflop.Runs.from_columns(table)
    >>> tables = stages(runs, isoflop.law("chinchilla"), loss="task_loss", score="hits")
    >>> tables.points["loss"].tolist(), tables.points["accuracy"].tolist()
    ([3.1, 2.6], [0.3, 0.4])
    """
    if average < 1:
        raise IsoflopError(f"the checkpoints averaged into one must be 1 or more, not {average}")
    if not 0 <= skip < 1:
        raise IsoflopError(f"the share of checkpoints skipped lies between 0 and 1, not {skip:g}; 0.1 is usual")
    first, second = weighted(runs, loss), weighted(runs, score)
    sampling = sampling_errors(runs, score)
    codes = runs.run_codes()
    order = runs["D"] if "D" in runs else np.arange(len(runs), dtype=np.float64)
    last, final, points, errors = [], [], [], []
    for code in range(int(codes.max()) + 1):
        rows = np.flatnonzero((codes == code) & np.isfinite(first) & np.isfinite(second))
        if not len(rows):
            continue
        rows = rows[np.argsort(order[rows], kind="stable")]
        last.append(int(rows[-1]))
        final.append(float(first[rows[-average:]].mean()))
        kept = rows[math.ceil(skip * len(rows)) :]
        smooth = zip(_moving(first[kept], average), _moving(second[kept], average), strict=True)
        points += [(float(each), float(other), code) for each, other in smooth]
        if sampling is not None:
            errors += _moving(sampling[kept], average).tolist()
    if not last:
        raise DataError(f"no run of {runs.source} has both {loss} and {score}; name other columns")
    if law.list_inputs:
        raise IsoflopError(
            f"a chain begins at a point, and {law.name} sums over lists ({', '.join(law.list_inputs)}), which a point "
            "cannot give; choose a law in N and D"
        )
    name = _terms(loss)[0][1]
    unit = "nats/token" if header_of_log(name) and name not in runs else read_header(name).unit or runs.loss_unit
    prepared = prepared_runs(law, runs)
    inputs = {name: prepared[name][last] for name in law.input_names}
    return Stages(
        finals=Runs.from_columns(
            {**inputs, "loss": final, "run": [str(codes[row]) for row in last]},
            source=f"{loss} of {runs.source}",
            units={"loss": unit},
        ),
        points=Runs.from_columns(
            {
                "loss": [each[0] for each in points],
                response: [each[1] for each in points],
                "run": [str(each[2]) for each in points],
            },
            source=f"{score} of {runs.source}",
            units={"loss": unit},
        ),
        errors=np.array(errors) if np.nansum(errors) > 0 else None,
    )


def sampling_errors(runs: Runs, score: str) -> Floats | None:
    """σ of a score or of a weighted sum of scores, (rows,), NaN where it is not known; None without such columns."""
    terms = [(1.0, score)] if score in runs else _terms(score)
    names = [(weight, re.sub(r"(@[^@/]*)?$", r"_stderr\1", name, count=1)) for weight, name in terms]
    if not all(name in runs.headers for _, name in names):
        return None
    return np.asarray(np.sqrt(sum((weight * runs[name]) ** 2 for weight, name in names)), dtype=np.float64)


def weighted(runs: Runs, text: str) -> Floats:
    """A column, its logarithm ``log(a)``, or a weighted sum of them such as ``0.3*a + 0.7*log(b)``, (rows,)."""
    if text in runs or text in _canonical(runs):
        return _column(runs, text)
    return np.asarray(sum(weight * _column(runs, name) for weight, name in _terms(text)), dtype=np.float64)


def headers_in(text: str) -> list[str]:
    """The headers that a column, its logarithm or a weighted sum names."""
    return [header_of_log(name) or name for _, name in _terms(text)]


def header_of_log(text: str) -> str | None:
    """``ppl`` of ``log(ppl)``; None for anything else."""
    match = _LOG.fullmatch(text.strip())
    return None if match is None else match[1]


def _canonical(runs: Runs) -> dict[str, str]:
    return {column.header: name for name, column in runs.columns.items() if column.derived is None}


def _column(runs: Runs, name: str) -> Floats:
    canonical = _canonical(runs)
    inner = header_of_log(name) if name not in runs and name not in canonical else None
    values = runs[canonical.get(inner or name, inner or name)]
    if inner is None:
        return values
    if (values <= 0).any():
        at = int(np.argmax(values <= 0))
        raise DataError(f"{inner!r} of {runs.source} is {values[at]:g} in row {runs.rows[at]}, which has no logarithm")
    return np.log(values)


def _terms(text: str) -> Sequence[tuple[float, str]]:
    found = []
    for part in text.split("+"):
        match = _TERM.fullmatch(part)
        if match is None:
            raise DataError(f"{text!r} is no column and no sum of columns; write HEADER or 0.3*HEADER + 0.7*HEADER")
        try:
            found.append((float(match[1]) if match[1] else 1.0, match[2]))
        except ValueError:
            raise DataError(f"{text!r}: {match[1]!r} is no number; write 0.3*HEADER + 0.7*HEADER") from None
    return found


def _moving(values: Floats, width: int) -> Floats:
    """The mean of each value and up to width − 1 before it."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    begins = np.maximum(ends - width, 0)
    return (total[ends] - total[begins]) / (ends - begins)


def _floor_findings(first: Ensemble, told: Forecast) -> list[Finding]:
    """A first stage that lost a term on the way to a point beyond its runs."""
    bound = [each for each in first.estimate.findings if each.code == "at-bound"]
    if not bound or not told.reach_decades > 0:
        return []
    lost = bound[0].message.split(":")[0]
    return [
        floor_unseen(told, f" by a law that has lost a term ({lost}): nothing there holds it up, and the draws alone")
    ]


def floor_unseen(told: Forecast, how: str) -> Finding:
    """The finding that nothing holds a forecast loss up; how: in words, up to the draws."""
    low, high = told.loss.low / told.loss.value - 1, told.loss.high / told.loss.value - 1
    return Finding(
        "floor-unseen",
        "warning",
        f"the loss is forecast {told.reach_decades:.1f} decades beyond the runs{how} span {low:+.0%} to {high:+.0%}.",
        "Take the forecast for a lower limit of the loss; train one larger run before relying on it.",
    )


def beyond_findings(second: Ensemble, loss: float, lowest: float) -> list[Finding]:
    """That the second stage is used below every loss that it was fitted to."""
    if loss >= lowest:
        return []
    best = second.estimate.data.ranges[second.estimate.law.input_names[0]]
    span = best[1] - best[0]
    return [
        Finding(
            "score-extrapolated",
            "warning" if lowest - loss > span else "note",
            f"the loss forecast, {loss:.3g}, lies {lowest - loss:.2g} below the lowest at which "
            f"{second.estimate.law.response} was seen ({lowest:.3g}; the runs span {span:.2g}).",
            "The ceiling of the score is a guess there; compare laws of the score, or add better runs.",
        )
    ]
