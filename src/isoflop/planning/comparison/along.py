"""The quantity along which groups are compared, and a law's response there: an input, or compute spent optimally."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Fit
from isoflop.laws import Law
from isoflop.laws.optimum import optimum
from isoflop.runs import Runs
from isoflop.values import Value

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Along(Value):
    """x: what is varied. held: the law's other inputs. optimal: whether C is spent on the N and D of least loss."""

    x: str
    held: Mapping[str, float] = field(default_factory=dict)
    optimal: bool = False

    def response(self, fit: Fit, params: Mapping[str, Floats], x: Floats) -> Floats:
        """The law's response in every draw, (draws, x); params: each (draws,)."""
        draws = len(next(iter(params.values())))
        if not self.optimal:
            wide = {name: values[:, None] for name, values in params.items()}
            given = {name: self.held[name] for name in fit.law.input_names if name != self.x}
            with np.errstate(all="ignore"):
                found = fit.law.value(wide, {**given, self.x: x})
            return np.broadcast_to(found, (draws, len(x)))
        each = {name: np.repeat(values, len(x)) for name, values in params.items()}
        with np.errstate(all="ignore"):
            best = optimum(fit.law, each, np.tile(x, draws), counted=fit.data.flops)
        return best.loss.reshape(draws, len(x))

    def points(self, fit: Fit, x: Floats) -> dict[str, Floats]:
        """The law's inputs at each x; on the frontier the N and D that are optimal at the fit."""
        if not self.optimal:
            return {name: x if name == self.x else np.full(len(x), self.held[name]) for name in fit.law.input_names}
        params = {name: np.full(len(x), value) for name, value in fit.params.items()}
        best = optimum(fit.law, params, x, counted=fit.data.flops)
        return {"N": best.n, "D": best.d}

    def of_runs(self, fit: Fit, runs: Runs) -> Floats:
        """x of every row."""
        return fit.data.flops.flops(runs["N"], runs["D"]) if self.optimal else runs[self.x]

    @property
    def told(self) -> str:
        """In words: ``C, spent on the optimal N and D``; ``N, at D = 1e11``."""
        if self.optimal:
            return "C, spent on each group's optimal N and D"
        others = ", ".join(f"{name} = {value:.4g}" for name, value in self.held.items())
        return f"{self.x}, at {others}" if others else self.x


def along(law: Law, *, x: str | None, held: Mapping[str, float], tables: Sequence[Runs]) -> Along:
    """What to vary: the x that is asked, the law's only input, or compute for a law of N and D.

    Inputs that are not varied are held at the values given, or at their geometric mean over all runs.
    Raises IsoflopError for an x that is no input of the law, and for a law with more inputs where none is named.
    """
    names = law.input_names
    if law.list_inputs:
        raise IsoflopError(f"{law.name} sums over lists, along which groups cannot be compared; choose another law")
    unknown = [name for name in held if name not in names]
    if x is None:
        if len(names) == 1:
            x = names[0]
        elif set(names) == {"N", "D"}:
            x = "C"
        else:
            raise IsoflopError(
                f"{law.name} has the inputs {', '.join(names)}; say along which groups are compared (--x {names[0]})"
            )
    if x == "C" and set(names) == {"N", "D"}:
        if held:
            raise IsoflopError(
                f"along C the law's N and D are optimal, so {' and '.join(held)} cannot be held; leave it out of --at, "
                "or compare along N or D (--x)"
            )
        return Along("C", optimal=True)
    if x not in names:
        raise IsoflopError(f"{x} is no input of {law.name}, which has {', '.join(names)}; name one of them with --x")
    if unknown:
        raise IsoflopError(f"{', '.join(unknown)} is no input of {law.name}; it has {', '.join(names)}")
    others = {}
    for name in names:
        if name != x:
            values = np.concatenate([each[name] for each in tables])
            typical = np.exp(np.mean(np.log(values))) if (values > 0).all() else np.median(values)
            others[name] = float(held.get(name, typical))
    return Along(x, others)
