"""The bootstrap of several groups at once: configurations that groups share are resampled together.

Groups that were trained on the same configurations (the same size, tokens and seed under two recipes) share much of
their noise. Draws that give a configuration one weight in all groups keep that, so that differences between groups are
as sure as they are; draws of each group alone would make them too wide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Fit
from isoflop.fitting.fit import problem
from isoflop.fitting.refit import refit
from isoflop.uncertainty.bootstrap import CHUNK, FEWEST_RUNS, too_few_runs
from isoflop.uncertainty.pairing import clusters, correlation, go_together
from isoflop.values import Value

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_SHARED = 3  # configurations in common from which groups are resampled together
_FEWEST_DRAWS = 20
_DIGITS = 6  # to which the inputs of one configuration agree


@dataclass(frozen=True)
class JointDraws(Value):
    """Draws of several fits, row by row from the same resample.

    fits: one a group. params: (draws, parameters) of each group, in the order of its law. units: for each run of each
    group the number of its configuration, (runs,); groups whose draws are independent have none in common. shared: for
    each pair (g, h), g < h, how many configurations both have. correlations: of the residuals of these. clusters: for
    each group the number of those with which it was resampled. failed: resamples without a finite optimum in some
    group, left out of all. unsettled: those that had not converged somewhere, which are kept.
    """

    fits: tuple[Fit, ...]
    params: tuple[Floats, ...] = field(repr=False)
    units: tuple[Ints, ...] = field(repr=False)
    shared: dict[tuple[int, int], int]
    correlations: dict[tuple[int, int], float]
    clusters: tuple[int, ...]
    seed: int
    failed: int
    unsettled: int

    def __len__(self) -> int:
        return len(self.params[0])

    @property
    def paired(self) -> bool:
        """Whether configurations of some groups were resampled together."""
        return len(set(self.clusters)) < len(self.clusters)

    def together(self, g: int, h: int) -> bool:
        """Whether configurations of two groups were resampled together."""
        return self.clusters[g] == self.clusters[h]

    def draws(self, group: int) -> dict[str, Floats]:
        """Each parameter's draws of a group, (draws,)."""
        return {name: self.params[group][:, place] for place, name in enumerate(self.fits[group].law.param_names)}


def joint_bootstrap(
    fits: Sequence[Fit],
    *,
    draws: int = 1_000,
    seed: int = 0,
    paired: bool | None = None,
    progress: Callable[[int], None] | None = None,
) -> JointDraws:
    """Refit every group to resampled runs; a configuration counts as often in one group as in another.

    A configuration is the value of every input of the law, to six digits, with the seed where the tables have one;
    the k-th run of a configuration in one group belongs to the k-th of another. Configurations are drawn among those
    that the same groups have, so that every group keeps its number of runs. Checkpoints of one run move together.

    Parameters
    ----------
    fits :
        One a group, with their runs, three or more each.
    draws, seed :
        Number of resamples, 20 or more, and their seed.
    paired :
        Whether to resample configurations in common together, three or more of them. None does so for groups whose
        residuals go together there (:mod:`isoflop.uncertainty.pairing`), and for what such groups join.
    progress :
        Called with the number of refits finished.

    Returns
    -------
    JointDraws
        Those in which every group has an optimum.

    Raises
    ------
    IsoflopError
        Fewer than 20 draws, a group of fewer than three runs, or too few draws with an optimum.
    """
    if draws < _FEWEST_DRAWS:
        raise IsoflopError(f"{draws} draws make no interval; ask for {_FEWEST_DRAWS} or more (1000 is usual)")
    for each in fits:
        refusal = too_few_runs(each)
        if refusal is not None:
            raise IsoflopError(f"{each.data.source}: {refusal}; add runs: {FEWEST_RUNS} a group at the least")
    ready = [problem(each.law, each.require_runs(), objective=each.objective) for each in fits]
    codes = [each.table.run_codes for each in ready]
    units = configurations(fits, codes)
    shared = {
        (g, h): len(np.intersect1d(units[g], units[h])) for g in range(len(fits)) for h in range(g + 1, len(fits))
    }
    alike = {pair: _correlation(fits, codes, units, *pair) if count else 0.0 for pair, count in shared.items()}
    number = clusters(len(fits), [] if paired is False else _joined(fits, shared, alike, always=paired is True))
    units = _apart(units, number)
    pools = _pools(units)
    params: list[list[Floats]] = [[] for _ in fits]
    good, settled = [], []
    for start in range(0, draws, CHUNK):
        count = min(CHUNK, draws - start)
        counts = _counts(pools, count, np.random.default_rng([seed, 6, start]))
        fine, done = np.ones(count, dtype=np.bool_), np.ones(count, dtype=np.bool_)
        for place, (fitted, laid) in enumerate(zip(fits, ready, strict=True)):
            weights = counts[:, units[place]][:, codes[place]]
            scales = np.full(count, np.log(fitted.scale)) if laid.objective.fits_scale and fitted.scale else None
            found = refit(laid, np.repeat(fitted.theta[None], count, axis=0), weights=weights, scales=scales)
            fine &= np.isfinite(found.value)
            done &= found.converged
            params[place].append(laid.params(found.theta))
            if progress is not None:
                progress(count)
        good.append(fine)
        settled.append(done)
    keep = np.concatenate(good)
    if keep.sum() < _FEWEST_DRAWS:
        raise IsoflopError(
            f"{int((~keep).sum())} of {draws} resamples left some group without an optimum; choose a law with fewer "
            "parameters, or add runs"
        )
    return JointDraws(
        fits=tuple(fits),
        params=tuple(np.concatenate(each)[keep] for each in params),
        units=tuple(units),
        shared=shared,
        correlations=alike,
        clusters=number,
        seed=seed,
        failed=int((~keep).sum()),
        unsettled=int((keep & ~np.concatenate(settled)).sum()),
    )


def configurations(fits: Sequence[Fit], codes: Sequence[Ints]) -> list[Ints]:
    """For each group the number of each run's configuration, (runs,): alike where inputs and seed are."""
    numbers: dict[tuple[object, ...], int] = {}
    found = []
    for fitted, code in zip(fits, codes, strict=True):
        runs = fitted.require_runs()
        last = np.full(int(code.max()) + 1, -1)
        last[code] = np.arange(len(code))  # of a run's checkpoints the last stands for it
        seeds = np.asarray(runs.text("seed"))[last] if "seed" in runs.frame.columns else np.full(len(last), "")
        inputs = [runs[name][last] for name in fitted.law.row_inputs if name in runs]
        values = [[f"{value:.{_DIGITS}g}" for value in each] for each in inputs]
        seen: dict[tuple[object, ...], int] = {}
        mine = []
        for row, name in enumerate(seeds.tolist()):
            key = (*(each[row] for each in values), name)
            seen[key] = seen.get(key, -1) + 1
            mine.append(numbers.setdefault((*key, seen[key]), len(numbers)))
        found.append(np.array(mine, dtype=np.int64))
    return found


def _correlation(fits: Sequence[Fit], codes: Sequence[Ints], units: Sequence[Ints], g: int, h: int) -> float:
    """The correlation of the mean residuals of the runs of configurations that two groups share."""
    _, here, there = np.intersect1d(units[g], units[h], return_indices=True)
    means = []
    for group, rows in ((g, here), (h, there)):
        sums = np.bincount(codes[group], np.asarray(fits[group].residuals))
        means.append((sums / np.bincount(codes[group]))[rows])
    return correlation(*means)


def _joined(
    fits: Sequence[Fit], shared: dict[tuple[int, int], int], alike: dict[tuple[int, int], float], *, always: bool
) -> list[tuple[int, int]]:
    """The pairs of groups that are resampled together."""
    found = []
    for (g, h), count in shared.items():
        params = max(len(fits[g].law.params), len(fits[h].law.params))
        if count >= FEWEST_SHARED and (always or go_together(alike[g, h], count, params)):
            found.append((g, h))
    return found


def _apart(units: Sequence[Ints], number: Sequence[int]) -> list[Ints]:
    """The same units, of which no two groups of different clusters have one in common."""
    found, first = [np.empty(0, dtype=np.int64)] * len(units), 0
    for each in sorted(set(number)):
        members = [place for place, own in enumerate(number) if own == each]
        joined = np.unique(np.concatenate([units[place] for place in members]), return_inverse=True)[1].astype(np.int64)
        ends = np.cumsum([len(units[place]) for place in members])
        for place, mine in zip(members, np.split(joined, ends[:-1]), strict=True):
            found[place] = mine + first
        first += int(joined.max()) + 1
    return found


def _pools(units: Sequence[Ints]) -> list[Ints]:
    """Units that are drawn among themselves: those that the same groups have; of small pools one pool is made."""
    total = int(max(each.max() for each in units)) + 1
    member = np.zeros((total, len(units)), dtype=np.bool_)
    for place, each in enumerate(units):
        member[each, place] = True
    used = np.flatnonzero(member.any(axis=1))
    _, pattern = np.unique(member[used], axis=0, return_inverse=True)
    pools = [used[pattern.ravel() == number] for number in range(int(pattern.max()) + 1)]
    large = [each for each in pools if len(each) >= FEWEST_SHARED]
    small = [each for each in pools if len(each) < FEWEST_SHARED]
    return [*large, np.sort(np.concatenate(small))] if small else large


def _counts(pools: Sequence[Ints], draws: int, rng: np.random.Generator) -> Floats:
    """How often each unit is drawn, (draws, units)."""
    counts = np.zeros((draws, int(max(each.max() for each in pools)) + 1))
    for pool in pools:
        counts[:, pool] = rng.multinomial(len(pool), np.full(len(pool), 1 / len(pool)), size=draws)
    return counts
