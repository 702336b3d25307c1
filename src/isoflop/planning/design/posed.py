"""A question about candidates as a joint distribution of their responses and the numbers that are asked for."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting.objective import Objective
from isoflop.laws import Law
from isoflop.laws.optimum import optimum
from isoflop.laws.training_flops import SIX_ND, TrainingFlops
from isoflop.planning.design.belief import DRAWS, Belief, Moments, believe, moments
from isoflop.planning.design.candidates import Candidates, check_inputs
from isoflop.planning.design.choose import Drift, View
from isoflop.planning.design.sign import Comparison, comparison_of, difference, of_groups, split_runs, told
from isoflop.planning.design.target import Target, response_at, target_of
from isoflop.planning.near_optimum import ANYWHERE, DRIFT, WITHIN
from isoflop.runs import Runs
from isoflop.uncertainty.prior import Prior
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Posed(Value):
    """What a batch is chosen from.

    beliefs: of each group that is compared, or one under "". known: of candidates and target; if_law_holds: the same
    without model error, None where there is none or the target grows with distance. noise: variance of one run of each.
    cost: infinite for candidates that say little of the target.
    """

    candidates: Candidates
    target: Target
    beliefs: Mapping[str, Belief]
    known: Moments
    if_law_holds: Moments | None
    noise: Floats = field(repr=False)
    cost: Floats = field(repr=False)
    drift: Drift | None = None

    @property
    def beside(self) -> View | None:
        """What the batch is to be good for as well: a law that holds, and is fitted without regard to model error."""
        alone = self.if_law_holds
        return None if alone is None else View(alone.cov, alone.cross, alone.target_cov)

    @property
    def belief(self) -> Belief:
        """The first."""
        return next(iter(self.beliefs.values()))


@dataclass(frozen=True)
class _Asker(Value):
    """Beliefs as the caller wants them."""

    laws: Sequence[Law]
    objective: Objective | None
    prior: Prior | None
    noise: float | None
    draws: int
    seed: int

    def believed(
        self, points: Mapping[str, Floats], runs: Runs | None, model_error: Prior | None = None, *, holds: bool = False
    ) -> Belief:
        return believe(
            self.laws, points, runs, objective=self.objective, prior=model_error or self.prior, noise=self.noise,
            draws=self.draws, seed=self.seed, model_error=not holds,
        )  # fmt: skip


def pose(
    laws: Sequence[Law],
    candidates: Candidates,
    question: str,
    *,
    runs: Runs | None = None,
    objective: Objective | None = None,
    prior: Prior | None = None,
    noise: float | None = None,
    counted: TrainingFlops = SIX_ND,
    draws: int = DRAWS,
    seed: int = 0,
) -> Posed:
    """The question, believed and joint; see :func:`isoflop.planning.design.design.design` for the parameters."""
    domains = {each.name: each.domain for law in laws for each in law.inputs}
    asker = _Asker(laws, objective, prior, noise, draws, seed)
    compared = comparison_of(question)
    if compared is not None:
        return _compared(compared, candidates, runs, domains, asker)
    check_inputs(candidates, domains)
    points = candidates.inputs(domains)
    belief, target = _asked(question, points, runs, counted, asker)
    drift, cost = None, candidates.cost
    if target.budget is not None:
        drift = _drift(belief, target.budget, points, runs, counted)
        cost = np.where(_off_path(belief, points, counted), np.inf, cost)
    known, holds = joint(belief, points, target)
    return Posed(
        candidates=candidates, target=target, beliefs={"": belief}, known=known,
        if_law_holds=None if drift is not None else holds, noise=np.full(len(candidates), belief.noise**2), cost=cost,
        drift=drift,
    )  # fmt: skip


def joint(belief: Belief, points: Mapping[str, Floats], target: Target) -> tuple[Moments, Moments | None]:
    """With model error and, where there is any, without: the same draws of the constants."""

    def of(each: Belief) -> Moments:
        return moments(each, points, target.points, target.weights, target.of_laws)

    if not any(each.size for each in belief.components):
        return of(belief), None
    alone = replace(belief, components=tuple(replace(each, size=0.0) for each in belief.components))
    return of(belief), of(alone)


def _asked(
    question: str, points: Mapping[str, Floats], runs: Runs | None, counted: TrainingFlops, asker: _Asker
) -> tuple[Belief, Target]:
    """The question as numbers, and the belief with the model error that suits it."""
    if not re.match(r"\s*\w+ +at ", question) or "=" not in question:
        belief = asker.believed(points, runs, holds=True)
        target = target_of(question, belief, counted=counted)
        return (belief if target.if_law_holds else asker.believed(points, runs, target.model_error)), target
    belief = asker.believed(points, runs)
    return belief, target_of(question, belief, counted=counted)


def _compared(
    compared: Comparison, candidates: Candidates, runs: Runs | None, domains: Mapping[str, str], asker: _Asker
) -> Posed:
    """One belief a group, independent of the other's; the target is the mean of log f_a − log f_b over the points."""
    groups = compared.between(runs, candidates)
    pool = of_groups(candidates, compared.column, groups)
    check_inputs(pool, domains)
    points = pool.inputs(domains)
    labels = pool.frame[compared.column].to_numpy()
    members = [np.flatnonzero(labels == each) for each in groups]
    for each, rows in zip(groups, members, strict=True):
        if not len(rows):
            raise IsoflopError(f"no candidate has {compared.column} = {each}; add some, or leave the column out")
    own = (None, None) if runs is None else split_runs(runs, compared.column, groups)
    beliefs = [asker.believed(points, each) for each in own]
    asked = [response_at(compared.point, each) for each in beliefs]
    mean = [replace(each, weights=np.full((1, each.weights.shape[1]), 1 / each.weights.shape[1])) for each in asked]
    parts = [
        joint(belief, {name: values[rows] for name, values in points.items()}, target)
        for belief, target, rows in zip(beliefs, mean, members, strict=True)
    ]
    alone = [each for _, each in parts if each is not None]
    noise, cost = np.ones(len(pool)), np.full(len(pool), np.inf)  # those of further groups are not trained
    for belief, rows in zip(beliefs, members, strict=True):
        noise[rows], cost[rows] = belief.noise**2, pool.cost[rows]
    response, _, at = asked[0].name.partition(" at ")
    in_logs = beliefs[0].components[0].space == "log"
    return Posed(
        candidates=pool,
        target=replace(
            mean[0], name=told(groups, response, at) if in_logs else f"{response} of {groups[0]} less that of "
            f"{groups[1]} at {at}", kind="ratio" if in_logs else "number", compared=groups,
        ),
        beliefs=dict(zip(groups, beliefs, strict=True)),
        known=difference([each for each, _ in parts], members, len(pool)),
        if_law_holds=difference(alone, members, len(pool)) if len(alone) == 2 else None,
        noise=noise,
        cost=cost,
    )  # fmt: skip


def _drift(
    belief: Belief, budget: float, points: Mapping[str, Floats], runs: Runs | None, counted: TrainingFlops
) -> Drift:
    """How far the target's budget lies beyond runs that are near the optimum of theirs, in decades of compute."""

    def decades(inputs: Mapping[str, Floats]) -> Floats:
        spent, away = _from_optimum(belief, inputs, counted)
        return np.where(away <= WITHIN, np.log10(budget) - np.log10(spent), np.inf)

    beyond = decades(points)
    known = np.empty(0) if runs is None else decades({"N": runs["N"], "D": runs["D"]})
    far = beyond[np.isfinite(beyond)].max(initial=0.0)
    now = float(known.min(initial=np.inf))
    return Drift(DRIFT, ANYWHERE, beyond, now if math.isfinite(now) else float(max(far, 1.0)))


def _from_optimum(belief: Belief, inputs: Mapping[str, Floats], counted: TrainingFlops) -> tuple[Floats, Floats]:
    """FLOPs of each run, and |log N − log N*| at these FLOPs by the heaviest law, infinite without an optimum."""
    spent = counted.flops(inputs["N"], inputs["D"])
    best = max(belief.components, key=lambda each: each.weight)
    params = {name: np.full(len(spent), float(np.median(values))) for name, values in best.params.items()}
    with np.errstate(all="ignore"):
        there = optimum(best.law, params, spent, counted=counted)
        return spent, np.where(there.inside, np.abs(np.log(inputs["N"]) - np.log(there.n)), np.inf)


def _off_path(belief: Belief, points: Mapping[str, Floats], counted: TrainingFlops) -> NDArray[np.bool_]:
    """Candidates that a plan would leave out, even if N* is other than now believed; none where that were all."""
    far = _from_optimum(belief, points, counted)[1] > 2 * WITHIN
    return np.zeros_like(far) if far.all() else far
