"""The learning rates of the steps to come: given as rows without a loss, named, or read off the rates so far."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.schedule_shape import SHAPES, Shape, shape
from isoflop.values import Value

Floats = NDArray[np.float64]

__all__ = ["SHAPES", "Ahead", "Shape", "ahead", "shape"]

_POINTS = 400  # of the schedule ahead; between two the rate changes evenly
_ALIKE = 2e-3  # of the peak rate: how near the rates so far must be to a shape that is read off them


@dataclass(frozen=True)
class Ahead(Value):
    """Steps and rates after the last loss, (points,); ``says``: how they were found."""

    step: Floats
    rate: Floats
    says: str
    findings: tuple[Finding, ...] = ()


def ahead(step: Floats, rate: Floats, *, end: float, wanted: Shape | None) -> Ahead:
    """The rates from the last of ``step`` to ``end``, by the shape wanted or the one that the rates so far follow.

    Raises DataError where the run is past ``end``, and where the rates so far follow no shape.
    """
    if not end > step[-1]:
        raise DataError(f"the run is at step {step[-1]:g} already, so it cannot end at {end:g}; give a larger --steps")
    peak = float(rate.max())
    if peak <= 0:
        raise DataError("the learning rate is zero at every step; name its column with --column lr=…")
    steps = np.unique(np.linspace(step[-1], end, _POINTS + 1).round())[1:]
    held = np.flatnonzero(rate >= peak * (1 - 1e-9))
    top, last_top = float(step[held[0]]), float(step[held[-1]])
    findings: list[Finding] = []
    if wanted is None:
        wanted, top = _read_off(step[held[0] :], rate[held[0] :] / peak, top=top, last_top=last_top, end=end)
        says = f"{wanted.kind} to {wanted.final:.3g} of the peak, read off the rates so far"
        if wanted.kind == "constant":
            says = "constant, as the rates so far"
            findings.append(
                Finding(
                    "constant-so-far",
                    "note",
                    "the rate has been constant since the warm-up and is taken to stay so.",
                    "If it will fall, say how: --schedule wsd:0.2, cosine:0.1 or linear.",
                )
            )
    else:
        says = f"{wanted.kind}, as given"
        findings += _unlike(step[held[0] :], rate[held[0] :] / peak, wanted, top=top, end=end)
    return Ahead(steps, peak * wanted.factor(steps, top=top, end=end), says, tuple(findings))


def _read_off(step: Floats, share: Floats, *, top: float, last_top: float, end: float) -> tuple[Shape, float]:
    """The shape that shares of the peak follow, and where its fall begins."""
    if np.all(share >= 1 - 1e-6):
        return Shape("constant"), top
    for kind, begin in (("cosine", top), ("cosine", last_top), ("linear", top), ("linear", last_top)):
        plain = Shape(kind).factor(step, top=begin, end=end)
        room = 1 - plain
        if not room.any():
            continue
        final = float(np.clip((share - plain) @ room / (room @ room), 0.0, 1.0))
        found = Shape(kind, final=final)
        if np.abs(found.factor(step, top=begin, end=end) - share).max() <= _ALIKE:
            return found, begin
    raise DataError(
        f"the learning rates so far follow no cosine, line or constant to step {end:g}; say how they go on (--schedule "
        "cosine:0.1, linear, wsd:0.2, constant), or add rows with step and lr but without a loss"
    )


def _unlike(step: Floats, share: Floats, wanted: Shape, *, top: float, end: float) -> list[Finding]:
    apart = float(np.abs(wanted.factor(step, top=top, end=end) - share).max())
    if apart <= 0.02:
        return []
    return [
        Finding(
            "schedule-differs",
            "warning",
            f"the rates so far are up to {apart:.0%} of the peak away from the {wanted.kind} that was given.",
            "Check --schedule and --steps, or leave --schedule out to have it read off the rates.",
        )
    ]
