"""Which theory of scaling agrees with fitted exponents: predicted ranges beside intervals, theory by theory."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from isoflop.errors import DataError, IsoflopError, shown
from isoflop.uncertainty import Ensemble
from isoflop.uncertainty.ensemble import Interval

Verdict = Literal["agrees", "refuted", "cannot be told", "no prediction"]

_SHARP: Final = 0.25  # of a predicted exponent: a wider interval could hardly have refuted it
_POWER = re.compile(r"\b(N|D|C|steps)\s*\^\s*\(?\s*-?\s*([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Compared:
    """One theory against one fitted exponent.

    theory: its name. axis: N or D. predicted: the exponent or its range, None without what it rests on; basis: what it
    rests on. fitted: the exponent with its interval. verdict: ``refuted`` where the intervals are disjoint; ``agrees``
    where they overlap and the fitted one is within 25 % of the prediction on either side, so that it could have refuted
    it; else ``cannot be told``. needed: half-width of the fitted interval that would part it from the nearest rival.
    """

    theory: str
    axis: str
    predicted: tuple[float, float, float] | None
    basis: str
    fitted: Interval
    verdict: Verdict
    needed: float | None


@dataclass(frozen=True)
class Explanation:
    """Every theory against every fitted exponent of size or data."""

    compared: tuple[Compared, ...]
    source: str
    checkpoint: str
    level: float


def explain(
    ensemble: Ensemble,
    measures: Mapping[str, tuple[float, float, float]] | None = None,
    *,
    zipf: float | None = None,
    checkpoint: str = "",
    level: float = 0.9,
) -> Explanation:
    """Predicted exponents beside the fitted ones of N and D.

    Variance-limited: 1 in N and D. Resolution-limited: 4/d in both, from the intrinsic dimension. Kernel spectrum: its
    α in both (Bahri et al. 2021, arXiv 2102.06701). Superposition: 1 in the width, hence 1/3 to 1/2 in N (N as the
    cube or square of the width; Liu et al. 2025, arXiv 2505.10465). Quanta with frequencies i^−(1 + a): a in N and
    a / (1 + a) in D (Michaud et al. 2023); without a Zipf exponent, D's is predicted from N's.

    measures: ``dimension`` and ``spectrum``, each as value, low and high. zipf: a. Raises IsoflopError for a law
    without an exponent of N or D.
    """
    told = dict(measures or {})
    exponents = fitted_exponents(ensemble, level=level)
    theories = _predictions(told, zipf, exponents)
    compared = []
    for axis, fitted in exponents.items():
        rivals = [range_ for (_, where), (range_, _) in theories.items() if where == axis and range_ is not None]
        for (theory, where), (range_, basis) in theories.items():
            if where == axis:
                verdict, needed = _verdict(fitted, range_, rivals)
                compared.append(Compared(theory, axis, range_, basis, fitted, verdict, needed))
    return Explanation(tuple(compared), ensemble.estimate.data.source, checkpoint, level)


def fitted_exponents(ensemble: Ensemble, *, level: float) -> dict[str, Interval]:
    """The parameter in the formula's N^(−parameter) and D^(−parameter), with its interval."""
    law = ensemble.estimate.law
    found: dict[str, Interval] = {}
    for axis, name in _POWER.findall(law.formula):
        if axis not in found and name in law.param_names and axis in ("N", "D"):
            found[axis] = ensemble.interval(name, level=level)
    if not found:
        raise IsoflopError(
            f"{law.name} ({law.formula}) has no parameter that is an exponent of N or D; fit such a law, as --law "
            "chinchilla"
        )
    return found


def read_measures(
    path: str | Path, *, checkpoint: str | None = None
) -> tuple[dict[str, tuple[float, float, float]], str]:
    """Dimension and spectrum of one row of a table that ``isoflop probe --rows`` wrote, and the row's checkpoint.

    checkpoint: which row; the last where None. Raises DataError for a table without these columns or the checkpoint.
    """
    import polars as pl

    from isoflop.runs.files import load

    frame, _, _ = load(Path(path).expanduser())
    if "checkpoint" not in frame.columns or not {"dimension", "spectrum"} & set(frame.columns):
        raise DataError(
            f"{shown(str(path))} has no columns checkpoint and dimension; write it with isoflop probe --rows"
        )
    if checkpoint is not None:
        names = frame["checkpoint"].cast(pl.String).to_list()
        if checkpoint not in names:
            raise DataError(f"{shown(str(path))} has no checkpoint {shown(checkpoint)}; it has {', '.join(names[:8])}")
        frame = frame.filter(pl.col("checkpoint").cast(pl.String) == checkpoint)
    row = frame.row(-1, named=True)
    found: dict[str, tuple[float, float, float]] = {}
    for name in ("dimension", "spectrum"):
        value, low, high = (_number(row.get(f"{name}{end}")) for end in ("", "_low", "_high"))
        if value and value > 0:
            found[name] = (value, low or value, high or value)
    if not found:
        raise DataError(f"dimension and spectrum of {shown(str(row['checkpoint']))} were refused; probe more samples")
    return found, str(row["checkpoint"])


def _number(cell: object) -> float | None:
    """A finite number, or the text of one, as cells of CSV are read."""
    try:
        value = float(cell) if isinstance(cell, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _predictions(
    told: Mapping[str, tuple[float, float, float]], zipf: float | None, exponents: Mapping[str, Interval]
) -> dict[tuple[str, str], tuple[tuple[float, float, float] | None, str]]:
    if zipf is not None and not (zipf > 0 and math.isfinite(zipf)):
        raise IsoflopError(f"the Zipf exponent a = {zipf:g} of frequencies i^-(1 + a) must be above 0")
    found: dict[tuple[str, str], tuple[tuple[float, float, float] | None, str]] = {}
    dimension, spectrum = told.get("dimension"), told.get("spectrum")
    for axis in ("N", "D"):
        found["variance-limited", axis] = ((1.0, 1.0, 1.0), "theory")
        found["resolution-limited", axis] = (
            None if dimension is None else (4 / dimension[0], 4 / dimension[2], 4 / dimension[1]),
            "4/d of the probe" if dimension is not None else "needs the intrinsic dimension (--probe)",
        )
        found["kernel spectrum", axis] = (spectrum, "α of the probe" if spectrum else "needs a spectrum (--probe)")
    found["superposition", "N"] = ((1 / math.sqrt(6), 1 / 3, 1 / 2), "1 in the width")
    if zipf is not None:
        found["quanta", "N"] = ((zipf, zipf, zipf), "--zipf")
        found["quanta", "D"] = ((zipf / (1 + zipf),) * 3, "--zipf")
    elif "N" in exponents and "D" in exponents and exponents["N"].value > 0:
        ends = exponents["N"]
        values = [max(each, 0.0) / (1 + max(each, 0.0)) for each in (ends.value, ends.low, ends.high)]
        found["quanta", "D"] = ((values[0], values[1], values[2]), "α/(1 + α) of N's")
    else:
        found["quanta", "D"] = (None, "needs --zipf")
    return found


def _verdict(
    fitted: Interval, range_: tuple[float, float, float] | None, rivals: list[tuple[float, float, float]]
) -> tuple[Verdict, float | None]:
    if range_ is None:
        return "no prediction", None
    if not (math.isfinite(fitted.low) and math.isfinite(fitted.high)):
        return "cannot be told", None
    _, low, high = range_
    if fitted.low > high or fitted.high < low:
        return "refuted", None
    sharp = max(abs(fitted.high - fitted.value), abs(fitted.value - fitted.low)) <= _SHARP * range_[0]
    apart = [
        abs(each[0] - range_[0]) / 2 for each in rivals if each is not range_ and not np.isclose(each[0], range_[0])
    ]
    return ("agrees" if sharp else "cannot be told"), (None if sharp else min(apart, default=None))
