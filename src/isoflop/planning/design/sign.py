"""Which of two groups of runs is better at a point: d = log f_a(x) − log f_b(x), and how likely its sign is wrong.

With d ~ N(m, v), of which a batch is expected to leave the variance w, the posterior mean is M ~ N(m, v − w), and the
sign of M is wrong with the probability ∫ Φ(−|M|/√w) dP(M). That falls with w alone, so the batch of least expected
squared error is that of the fewest wrong signs.
Source: Raiffa and Schlaifer 1961, Applied Statistical Decision Theory, chapter 5 (two actions, normal prior).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, shown
from isoflop.planning.design.belief import Moments
from isoflop.planning.design.candidates import MOST, Candidates
from isoflop.runs import Runs
from isoflop.special import special
from isoflop.values import Value

Floats = NDArray[np.float64]

_ASKED = re.compile(
    r"which (?P<column>\S+) is better(?:, (?P<first>.+) or (?P<second>.+),)? at (?P<point>.+=.+)", re.IGNORECASE
)
_NODES = 400
_REACH = 8.0  # standard deviations over which M is integrated
_SHOWN = 8  # groups that a message names


@dataclass(frozen=True)
class Comparison(Value):
    """The column that tells the groups apart, the two that are compared, and the point in words."""

    column: str
    groups: tuple[str, str] | None
    point: str

    def between(self, runs: Runs | None, candidates: Candidates) -> tuple[str, str]:
        """The two groups: those that were named, or all that the runs or else the candidates have.

        Raises IsoflopError where these are not two, and for a named one that is in neither.
        """
        there: list[str] = []
        if runs is not None:
            there += runs.text(self.column)
        if self.column in candidates.frame:
            there += candidates.frame[self.column].cast(pl.String).fill_null("").to_list()
        elif runs is None:
            raise IsoflopError(
                f"the candidates have no column {self.column}, so nothing tells which of the two a run trains; add it"
            )
        known = sorted({each for each in there if each})
        told = ", ".join(known[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
        if self.groups is None:
            if len(known) < 2:
                raise IsoflopError(
                    f"a comparison is between two, and {self.column} has one value ({told or 'no text'}) in the runs "
                    "and candidates; add runs or candidates of the other"
                )
            if len(known) != 2:
                one, other, *_ = [*known, "a", "b"]
                raise IsoflopError(
                    f"a comparison is between two, and {self.column} has {len(known)} values ({told}); name them, as "
                    f"'which {self.column} is better, {one} or {other}, at …'"
                )
            return known[0], known[1]
        for each in self.groups:
            if each not in known:
                raise IsoflopError(f"{self.column} has no value {shown(each)}; it has {told}")
        return self.groups


def comparison_of(question: str) -> Comparison | None:
    """``which recipe is better at N=7B D=140B`` or ``which recipe is better, a or b, at …``; None for others."""
    found = _ASKED.fullmatch(" ".join(question.split()))
    if found is None:
        return None
    named = None if found["first"] is None else (found["first"].strip(), found["second"].strip())
    if named is not None and named[0] == named[1]:
        raise IsoflopError(f"a comparison is between two, and {shown(named[0])} is named twice; name the other")
    return Comparison(found["column"], named, found["point"])


def split_runs(runs: Runs, column: str, groups: Sequence[str]) -> tuple[Runs, ...]:
    """The runs of each group. Raises DataError for one without any."""
    labels = np.array(runs.text(column))
    for each in groups:
        if not (labels == each).any():
            raise DataError(
                f"no run has {column} = {each}, and nothing is known of it before one; train a cheap one first, or "
                "design with --scratch"
            )
    return tuple(runs.take(labels == each) for each in groups)


def of_groups(candidates: Candidates, column: str, groups: Sequence[str]) -> Candidates:
    """The candidates with their groups as text; where the column is lacking, each in every group."""
    if column in candidates.frame:
        labels = candidates.frame[column].cast(pl.String).fill_null("")
        return replace(candidates, frame=candidates.frame.with_columns(labels.alias(column)))
    if len(candidates) * len(groups) > MOST:
        raise IsoflopError(
            f"{len(candidates):,} candidates in {len(groups)} groups are more than the {MOST:,} that are compared; "
            "give fewer"
        )
    frame = pl.concat([candidates.frame.with_columns(pl.lit(each).alias(column)) for each in groups])
    return replace(candidates, frame=frame, cost=np.tile(candidates.cost, len(groups)))


def difference(parts: Sequence[Moments], members: Sequence[NDArray[np.int64]], count: int) -> Moments:
    """Moments of all candidates and of the first group's number less the second's, the groups independent.

    members: candidates of each group.
    """
    mean, cov, cross = np.zeros(count), np.zeros((count, count)), np.zeros((count, 1))
    for part, rows, side in zip(parts, members, (1.0, -1.0), strict=True):
        mean[rows], cov[np.ix_(rows, rows)] = part.mean, part.cov
        cross[rows] = side * part.cross
    first, second = parts
    return Moments(
        mean=mean, cov=cov, cross=cross, target_mean=first.target_mean - second.target_mean,
        target_cov=first.target_cov + second.target_cov,
    )  # fmt: skip


def wrong_sign(mean: float, before: float, after: float) -> float:
    """The probability that the sign is wrong once the standard deviation has fallen from ``before`` to ``after``."""
    if not before > 0:
        return 0.0
    spread = math.sqrt(max(before**2 - after**2, 0.0))
    if after <= 0:
        return 0.0
    if spread < 1e-9 * before:
        return float(special.ndtr(-abs(mean) / before))
    # split at M = 0, where the integrand has a kink
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    total = 0.0
    for low, high in ((min(mean - _REACH * spread, 0.0), 0.0), (0.0, max(mean + _REACH * spread, 0.0))):
        at = low + (high - low) * (nodes + 1) / 2
        density = np.exp(-0.5 * ((at - mean) / spread) ** 2) / (spread * math.sqrt(2 * math.pi))
        total += float((weights * density * special.ndtr(-np.abs(at) / after)).sum()) * (high - low) / 2
    return min(total, 0.5)


def told(groups: Mapping[str, object] | Sequence[str], response: str, point: str) -> str:
    """The number that is compared, in words."""
    first, second = groups
    return f"{response} of {first} over that of {second} at {point}"
