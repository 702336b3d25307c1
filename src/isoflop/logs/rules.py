"""Rules: which loss counts, from which curve, what of a curve is warm-up, and what becomes of unfinished runs.

A store keeps the rules by which it was made; the words of :attr:`Rules.says` stand in every report of its runs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.logs.metrics import PLAIN, TRAINING, VALIDATION
from isoflop.runs.store import Store, scan_curves
from isoflop.units import LOSS_UNITS, PARAM_CONVENTIONS, parse_quantity
from isoflop.values import FrozenMapping, Value

Kind = Literal["last", "mean", "min", "step"]
Unfinished = Literal["keep", "drop"]

# Which curve counts where the user names none: held-out data first.
ORDER: Final = (VALIDATION, PLAIN, TRAINING)
# What an import may be told of, as canonical column = name of a setting or metric in the log.
NAMED: Final = ("N", "D", "C", "U", "batch", "context", "seed", "family", "schedule", "lr", "warmup", "run")
_PICK: Final = re.compile(r"(last|min|step)(?::([^:]+))?")


@dataclass(frozen=True)
class Pick:
    """Which value of a curve counts: the last, the mean of the last ``count``, the smallest, that at step ``count``."""

    kind: Kind
    count: int = 0

    @property
    def name(self) -> str:
        """As the command line writes it: ``last``, ``last:10``, ``min``, ``step:20000``."""
        return {"last": "last", "min": "min", "mean": f"last:{self.count}", "step": f"step:{self.count}"}[self.kind]

    @property
    def says(self) -> str:
        """In words."""
        match self.kind:
            case "mean":
                return f"the mean of the last {self.count} logged values"
            case "min":
                return "the smallest logged value"
            case "step":
                return f"the value logged last at or before step {self.count:,}"
        return "the last logged value"


def pick(text: str) -> Pick:
    """The pick of a word: ``last``, ``last:10``, ``min``, ``step:20000``."""
    found = _PICK.fullmatch(text.strip())
    if found is not None:
        kind, number = found.groups()
        try:
            count = 0 if number is None else round(parse_quantity(number))
        except ValueError:
            count = -1
        if kind == "last" and number is None:
            return Pick("last")
        if kind == "last" and count >= 1:
            return Pick("mean", count) if count > 1 else Pick("last")
        if kind == "min" and number is None:
            return Pick("min")
        if kind == "step" and number is not None and count >= 0:
            return Pick("step", count)
    raise DataError(f"the rule {text!r} is not known; use last, last:10 (a mean), min, or step:20000")


@dataclass(frozen=True)
class Rules(Value):
    """What an import was told, and what it does where it was told nothing.

    pick: which value of the curve counts. loss: the metric by its name in the log or the store; None takes validation
    over a loss that the log calls just ``loss``, and that over training.
    warmup: steps cut from the beginning of curves when laws are fitted to them; None cuts what the log says is warm-up.
    unfinished: whether runs that did not finish are kept.
    named: canonical column → setting or metric in the log that holds it; wins over every guess.
    given: canonical column → its value for every run, such as ``{"batch": 524288}`` tokens a step.
    unit, convention: of the loss and of N, where the user states them.
    kept: settings that become columns of their own.
    by_run: run → canonical column → its value, from a table that tells what the logs do not; wins over every guess.
    """

    pick: Pick = field(default_factory=lambda: Pick("last"))
    loss: str | None = None
    warmup: int | None = None
    unfinished: Unfinished = "keep"
    named: Mapping[str, str] = field(default_factory=FrozenMapping)
    given: Mapping[str, float] = field(default_factory=FrozenMapping)
    unit: str | None = None
    convention: str | None = None
    kept: tuple[str, ...] = ()
    by_run: Mapping[str, Mapping[str, float | str]] = field(default_factory=FrozenMapping)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in (*self.named, *self.given):
            if name not in NAMED:
                raise DataError(f"an import cannot be told of {name!r}; it can of {', '.join(NAMED)}")
        for name, value in self.given.items():
            if not (math.isfinite(value) and value > 0):
                raise DataError(f"{name} must be positive, not {value:g}")
        if self.unit is not None and self.unit not in LOSS_UNITS:
            raise DataError(f"unit loss={self.unit!r} is not known; write loss= one of {', '.join(LOSS_UNITS)}")
        if self.convention is not None and self.convention not in PARAM_CONVENTIONS:
            raise DataError(
                f"convention N={self.convention!r} is not known; write N= one of {', '.join(PARAM_CONVENTIONS)}"
            )
        if self.warmup is not None and self.warmup < 0:
            raise DataError(f"a warm-up has no fewer than 0 steps, not {self.warmup}")

    @property
    def says(self) -> str:
        """In one clause: which loss counts, what is cut, what was left out."""
        which = self.loss or f"{VALIDATION}, else another held-out loss, else {PLAIN}, else {TRAINING}"
        cut = "as the log has it" if self.warmup is None else f"{self.warmup:,} steps"
        unfinished = "unfinished runs kept" if self.unfinished == "keep" else "unfinished runs left out"
        return f"{self.pick.says} of {which} counts (warm-up cut from curves: {cut}; {unfinished})"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the store's record."""
        return {
            **{each.name: getattr(self, each.name) for each in fields(self)},
            "pick": self.pick.name,
            "named": dict(self.named),
            "given": dict(self.given),
            "kept": list(self.kept),
            "by_run": {run: dict(row) for run, row in self.by_run.items()},
        }

    def of_run(self, run: str) -> Mapping[str, float | str]:
        """What the user's table of runs says of a run: by its name, or by the last part of its path."""
        own = self.by_run.get(run)
        return own if own is not None else self.by_run.get(run.replace("\\", "/").rsplit("/", 1)[-1], {})

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> Rules:
        """The rules of a store's record; raises DataError where they are not ours."""
        known = {each.name for each in fields(Rules)}
        if set(plain) - known:
            raise DataError(f"the store's rules hold {', '.join(sorted(set(plain) - known))}, unknown to this release")
        try:
            return Rules(**{**plain, "pick": pick(plain.get("pick", "last")), "kept": tuple(plain.get("kept", ()))})
        except (TypeError, AttributeError):
            raise DataError("the store's rules are damaged; import the logs again") from None


def picked(step: NDArray[np.int64], value: NDArray[np.float64], how: Pick) -> tuple[float, int]:
    """The value that counts and its step; NaN and −1 where there is none. NaN that was logged stays NaN.

    step, value: (rows,), sorted by step, steps without a value left out.
    """
    if not len(step):
        return math.nan, -1
    match how.kind:
        case "mean":
            return float(value[-how.count :].mean()), int(step[-1])
        case "min":
            if np.isnan(value).all():
                return math.nan, int(step[-1])
            at = int(np.nanargmin(value))
            return float(value[at]), int(step[at])
        case "step":
            at = int(np.searchsorted(step, how.count, side="right")) - 1
            if at < 0 or step[-1] < how.count:
                return math.nan, -1
            return float(value[at]), int(step[at])
    return float(value[-1]), int(step[-1])


def final_losses(store: Store, how: Pick) -> pl.DataFrame:
    """The loss that counts of every run of a store, from its curves: ``run``, ``loss``, ``loss_step``.

    ``loss`` is null for a run without one, NaN where NaN was logged. One file of curves is held at a time.
    """
    runs: list[str] = []
    found: list[tuple[float, int]] = []
    for part in store.parts:
        curves = scan_curves(store, parts=(part,)).select("run", "step", "loss").collect()
        stretches = curves["run"].rle()
        if stretches.struct.field("value").n_unique() < len(stretches):
            curves = curves.sort("run", "step")
            stretches = curves["run"].rle()
        steps, losses = curves["step"].to_numpy(), curves["loss"]
        logged = losses.is_not_null().to_numpy() if losses.null_count() else None
        values = losses.to_numpy()
        ends = np.cumsum(stretches.struct.field("len").to_numpy().astype(np.int64))
        for run, begin, end in zip(stretches.struct.field("value"), [0, *ends[:-1]], ends, strict=True):
            keep = slice(begin, end) if logged is None else begin + np.flatnonzero(logged[begin:end])
            runs.append(run)
            found.append(picked(steps[keep], values[keep], how))
    return pl.DataFrame(
        {
            "run": pl.Series(runs, dtype=pl.String),
            "loss": pl.Series([loss if at >= 0 else None for loss, at in found], dtype=pl.Float64),
            "loss_step": pl.Series([at if at >= 0 else None for _, at in found], dtype=pl.Int64),
        }
    )
