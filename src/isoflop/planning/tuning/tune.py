"""``tune``: the best learning rate and batch by model size and tokens, with the range that costs nearly nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.planning.tuning.findings import at_findings, sweep_findings
from isoflop.planning.tuning.surface import Quadratic, best_rows, fit_surface, window_of
from isoflop.planning.tuning.sweep import SCALES, Sweep, sweep_of
from isoflop.planning.tuning.three_term import BatchLine, three_term
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval, check_level
from isoflop.uncertainty.extrapolation import decades_beyond
from isoflop.values import Value

Floats = NDArray[np.float64]

WITHIN = 0.0025  # relative loss above the lowest that counts as near-optimal, as in Step Law and DeepSeek LLM
_LAW_DRAWS = 100  # refits of the three-term law


@dataclass(frozen=True)
class Line(Value):
    """log setting* = path @ (1, log scales − center): a power law of each setting, with draws.

    path: (draws + 1, settings, 1 + scales), the estimate first. stretch: factor of the draws' spread that few
    observations ask for, √(n/(n − p)) times Student's quantile over the normal one.
    """

    name: str
    path: Floats
    center: Floats
    freedom: int
    rows: int

    def stretch(self, level: float) -> float:
        """By how much draws are spread around the estimate."""
        free = self.freedom
        spent = self.path.shape[2]
        normal, student = float(special.ndtri((1 + level) / 2)), float(special.stdtrit(free, (1 + level) / 2))
        return math.sqrt((free + spent) / free) * student / normal

    def interval(self, values: Floats, level: float) -> Interval:
        """exp of log values, (draws + 1,), whose first is the estimate."""
        best = float(values[0])
        if len(values) < 2:
            return Interval(_exp(best), math.nan, math.nan, level)
        spread = best + self.stretch(level) * (values[1:] - best)
        low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2])
        value, least, most = (_exp(each) for each in (best, float(low), float(high)))
        return Interval(value, least, most, level)

    def exponent(self, setting: int, scale: int, level: float) -> Interval:
        """The exponent of a scale in a setting's power law."""
        values = self.path[:, setting, 1 + scale]
        best = float(values[0])
        spread = best + self.stretch(level) * (values[1:] - best)
        low, high = np.quantile(spread, [(1 - level) / 2, (1 + level) / 2])
        return Interval(best, float(low), float(high), level)

    def factor(self, setting: int) -> float:
        """The setting at scales of one."""
        path = self.path[0, setting]
        return _exp(float(path[0] - path[1:] @ self.center))

    def at(self, log_scale: Floats) -> Floats:
        """log settings, (draws + 1, settings)."""
        return np.asarray(self.path @ np.concatenate([[1.0], log_scale - self.center]))


@dataclass(frozen=True)
class Setting(Value):
    """One setting of a run that was not trained.

    best: with its interval. near: from where to where the loss stays within a share of the lowest, with the other
    setting at its best; wide: with the other setting moved along. None where no surface was fitted. tried: the smallest
    and largest value of the sweep. methods: the same by every method that gives it.
    """

    name: str
    best: Interval
    near: tuple[float, float] | None
    wide: tuple[float, float] | None
    tried: tuple[float, float]
    methods: Mapping[str, Interval]


@dataclass(frozen=True)
class Settings(Value):
    """Settings of a run at a size and tokens; extrapolation: decades beyond the pairs that were swept."""

    at: Mapping[str, float]
    settings: tuple[Setting, ...]
    extrapolation: float
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Tuning(Shown):
    """Best settings by size and tokens.

    Attributes
    ----------
    source :
        Of the runs.
    sweep :
        What was tried.
    lines :
        Power laws of the settings by method: the surface's if it has a minimum, and that of the best rows.
    surface :
        The fitted surface, or None.
    batch_line :
        The best batch by the three-term law, or why there is none.
    within :
        Relative loss that counts as near-optimal.
    level :
        Of the intervals.
    findings :
        What to know of the sweep.
    """

    source: str
    sweep: Sweep
    lines: tuple[Line, ...]
    surface: Quadratic | None
    batch_line: BatchLine | str
    within: float
    level: float
    findings: tuple[Finding, ...]

    @property
    def largest(self) -> dict[str, float]:
        """The pair of scales with the largest product."""
        scale = self.sweep.scale
        place = int(np.argmax(scale.sum(axis=1))) if scale.shape[1] else 0
        return {name: float(np.exp(scale[place, k])) for k, name in enumerate(self.sweep.scales)}

    @cached_property
    def tried(self) -> dict[str, tuple[float, float]]:
        """The smallest and largest value of each setting."""
        ends = np.exp([self.sweep.setting.min(axis=0), self.sweep.setting.max(axis=0)])
        return {name: (float(ends[0, k]), float(ends[1, k])) for k, name in enumerate(self.sweep.settings)}

    def at(self, scales: Mapping[str, float]) -> Settings:
        """The best settings of a run of this size on these tokens.

        Parameters
        ----------
        scales :
            N and D, as far as they differ in the sweep.

        Returns
        -------
        Settings
            With intervals and near-optimal ranges.

        Raises
        ------
        IsoflopError
            A scale is missing, unknown or not positive.
        """
        sweep = self.sweep
        for name, value in scales.items():
            if name not in SCALES:
                raise IsoflopError(
                    f"settings depend on {' and '.join(sweep.scales) or 'neither N nor D'}, not on {name}"
                )
            if not (value > 0 and math.isfinite(value)):
                raise IsoflopError(f"{name} must be a positive number, not {value:g}")
        missing = [name for name in sweep.scales if name not in scales]
        if missing:
            raise IsoflopError(
                f"the best settings depend on {' and '.join(sweep.scales)}; give {' and '.join(missing)} too "
                f"(--at {missing[0]}=…)"
            )
        place = np.log([scales[name] for name in sweep.scales])
        logs = {line.name: line.at(place) for line in self.lines}
        first = self.lines[0]
        found = []
        for k, name in enumerate(sweep.settings):
            methods = {line.name: line.interval(logs[line.name][:, k], self.level) for line in self.lines}
            if name == "batch" and isinstance(self.batch_line, BatchLine):
                tokens = scales.get("D")
                if tokens is not None:
                    methods["three-term law"] = _central(self.batch_line.batch(tokens), self.level)
            near, wide = self._near(float(logs[first.name][0, k]), k)
            found.append(Setting(name, methods[first.name], near, wide, self.tried[name], methods))
        beyond = max(
            (
                float(decades_beyond(scales[name], *np.exp([sweep.scale[:, k].min(), sweep.scale[:, k].max()])))
                for k, name in enumerate(sweep.scales)
            ),
            default=0.0,
        )
        settings = tuple(found)
        told = at_findings(sweep, scales, {each.name: (each.best.value, each.tried) for each in settings})
        return Settings(dict(scales), settings, beyond, told)

    def _near(self, best: float, k: int) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """Where ½ (z − z*)ᵀ H (z − z*) stays below log(1 + within), along a setting alone and with the other moved."""
        if self.surface is None:
            return None, None
        curvature = self.surface.curvature
        reach = math.sqrt(2 * math.log1p(self.within))
        alone = reach / math.sqrt(curvature[k, k])
        along = reach * math.sqrt(np.linalg.inv(curvature)[k, k])
        return tuple((_exp(best - each), _exp(best + each)) for each in (alone, along))  # type: ignore[return-value]


def tune(
    runs: Runs,
    *,
    window: float | None = None,
    within: float = WITHIN,
    draws: int = 1_000,
    level: float = 0.9,
    seed: int = 0,
) -> Tuning:
    """log L = m + ½ (z − z*)ᵀ H (z − z*), z = (log lr, log batch), z* = b_0 + b_N log N + b_D log D.

    The surface is fitted to the settings of each pair of N and D whose loss is within the window of the lowest there.
    Beside it stand power laws through the settings within ``within`` of the lowest (Step Law), and for the batch the
    three-term law ``batch-steps-loss``. Draws weigh pairs, or rows where there are fewer than eight pairs.

    Parameters
    ----------
    runs :
        With a learning rate or a batch (tokens a step), the loss, and N and D where they differ.
    window :
        Relative loss above the lowest up to which settings are part of the surface; by default the narrowest of 0.25 %
        to 30 % in which most pairs have enough of them.
    within :
        Relative loss above the lowest that counts as near-optimal.
    draws, level, seed :
        Of the intervals.

    Returns
    -------
    Tuning
        Power laws of the settings; :meth:`Tuning.at` gives those of a run.

    Raises
    ------
    DataError
        No setting was varied, a column is not positive, or the sweep has no minimum and too few pairs.
    IsoflopError
        A window or level outside (0, 1).

    Examples
    --------
    >>> import isoflop, numpy
    >>> n, lr = (each.ravel() for each in numpy.meshgrid(numpy.logspace(7, 9, 5), numpy.logspace(-4, -2, 9)))
    >>> loss = (2 + 20 / n**0.2) * (1 + 0.01 * numpy.log(lr / (10 * n**-0.5)) ** 2)
    >>> found = isoflop.tune(isoflop.Runs.from_columns({"N": n, "lr": lr, "loss": loss}), draws=50)
    >>> round(float(found.lines[0].path[0, 0, 1]), 2)
    -0.5
    """
    check_level(level)
    for name, value in (("window", window), ("within", within)):
        if value is not None and not 0 < value < 1:
            raise IsoflopError(f"{name} is a share of the lowest loss between 0 and 1, such as 0.0025, not {value:g}")
    sweep = sweep_of(runs)
    lines = []
    surface = None
    if sweep.swept:
        _refuse_collinear(sweep)
        chosen = window if window is not None else window_of(sweep)
        if chosen is not None:
            surface = fit_surface(sweep, chosen, draws=draws, seed=seed)
        if surface is not None:
            lines.append(Line("surface", surface.path, surface.center, surface.freedom, surface.rows))
    at_edges = [k for k in range(sweep.pairs) if sweep.edge[k].any()]
    alone = best_rows(sweep, within, draws=draws, seed=seed, leave_out=at_edges)
    alone = alone or best_rows(sweep, within, draws=draws, seed=seed)
    if alone is not None:
        path, center, free = alone
        lines.append(Line("best rows", path, center, free, free + path.shape[2]))
    if not lines:
        raise DataError(_no_minimum(sweep))
    line: BatchLine | str = "nothing was swept"
    if sweep.swept:
        line = three_term(sweep, runs, draws=min(draws, _LAW_DRAWS), seed=seed)
    findings = sweep_findings(sweep, surface)
    return Tuning(sweep.source, sweep, tuple(lines), surface, line, within, level, findings)


def _exp(log: float) -> float:
    """exp without overflow: a setting beyond e^600 is as absurd as one of e^600."""
    return math.exp(min(max(log, -600.0), 600.0))


def _refuse_collinear(sweep: Sweep) -> None:
    """Two scales that move together leave their exponents unknown."""
    design = np.column_stack([np.ones(sweep.pairs), sweep.scale - sweep.scale.mean(axis=0)])
    if sweep.pairs > 1 and np.linalg.matrix_rank(design, tol=1e-2) < design.shape[1]:
        raise DataError(
            f"the {sweep.pairs} pairs of N and D of {sweep.source} lie on one line, so their exponents cannot be told "
            "apart; sweep settings at another ratio of D to N"
        )


def _no_minimum(sweep: Sweep) -> str:
    edges = int(sweep.edge.any(axis=1).sum())
    what = f"the loss of {sweep.source} has no minimum over {' and '.join(sweep.settings)}"
    if edges:
        return f"{what}: the best lies at the edge at {edges} of {sweep.pairs} pairs of N and D; sweep farther"
    return f"{what} near the lowest losses; try more settings there, or a wider window (--window 0.02)"


def _central(values: Floats, level: float) -> Interval:
    best = float(values[0])
    if len(values) < 2:
        return Interval(best, math.nan, math.nan, level)
    low, high = np.quantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
    return Interval(best, float(low), float(high), level)
