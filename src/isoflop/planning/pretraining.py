"""``over_baseline``: what pretraining gains on a task, over a model that was trained on the task alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.planning.downstream import Downstream
from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value


@dataclass(frozen=True)
class Gain(Value):
    """Better than the baseline by how much: score minus baseline, baseline minus an error.

    baseline: without pretraining. forecast: of the score's forecast, with its prediction interval. better: measured
    runs that are better than the baseline, of ``runs``.
    """

    baseline: float
    forecast: Interval
    better: int
    runs: int

    @property
    def worthless(self) -> bool:
        """Whether the forecast may be no better than the baseline."""
        return not self.forecast.low > 0


def over_baseline(found: Downstream, baseline: float) -> Gain:
    """The gain of a forecast over the score without pretraining; raises IsoflopError for one that is not finite.

    Which way is better is that of the law of the score, as the loss improves. The last checkpoint of a run counts.

    Source: Isik et al. 2024, arXiv:2402.04177 (pretraining that is not aligned with a task gains nothing on it).
    """
    if not np.isfinite(baseline):
        raise IsoflopError(f"the score without pretraining is a number, not {baseline:g} (--without)")
    fitted = found.second.fit
    points, (link,) = fitted.require_runs(), fitted.law.input_names
    loss = points[link]
    ends = found.second.estimate.predict({link: np.array([loss.min(), loss.max()])})
    sign = -1.0 if ends[1] > ends[0] else 1.0  # an error rises with the loss
    codes = points.run_codes()
    last = np.array([np.flatnonzero(codes == each)[-1] for each in np.unique(codes)])
    better = sign * (points[fitted.law.response][last] - baseline) > 0
    value, *ends_of = (sign * (each - baseline) for each in (found.score.value, found.score.low, found.score.high))
    return Gain(baseline, Interval(value, min(ends_of), max(ends_of), found.score.level), int(better.sum()), len(last))


def gain_findings(gain: Gain, response: str) -> tuple[Finding, ...]:
    """That the forecast does not clear the baseline."""
    if not gain.worthless:
        return ()
    return (
        Finding(
            "no-gain-from-pretraining",
            "warning",
            f"the forecast {response} may be no better than without pretraining ({gain.baseline:.4g}): the gain is "
            f"{gain.forecast.value:.2g} ({gain.forecast.low:.2g} to {gain.forecast.high:.2g}), and {gain.better} of "
            f"{gain.runs} measured runs are better.",
            "Train on the task alone, or pretrain on data nearer to it; look at the score along pretraining (isoflop "
            "shape).",
        ),
    )
