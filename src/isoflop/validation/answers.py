"""The answers that a fit is asked for: N* and its exponent at a budget, a forecast, the parameters, as functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.fitting import Fit
from isoflop.fitting.fit import Problem
from isoflop.laws import Law
from isoflop.laws.optimum import Optimum, check_positive, optimum
from isoflop.laws.training_flops import TrainingFlops
from isoflop.uncertainty.extrapolation import usual_budget
from isoflop.values import Value

Floats = NDArray[np.float64]

_STEP = 0.05  # in log C, for the slope of log N*


@dataclass(frozen=True)
class Answer(Value):
    """One number that is asked of a law's parameters.

    name: as tables show it, such as ``N*``. of: parameters (draws,) → the number in each draw, (draws,); NaN where
    there is none. scale: whether its changes are factors (``log``) or differences.
    """

    name: str
    meaning: str
    scale: Literal["log", "linear"]
    of: Callable[[Mapping[str, Floats]], Floats]

    def value(self, fit: Fit) -> float:
        """The number at a fit."""
        return float(self.of(fit.one_draw)[0])

    def change(self, values: Floats, base: float) -> Floats:
        """log(values/base), or values − base."""
        with np.errstate(all="ignore"):
            return np.log(values / base) if self.scale == "log" else values - base


@dataclass(frozen=True)
class Question(Value):
    """Where answers are asked: a budget for laws in N and D, and the inputs of a forecast."""

    budget: float | None
    at: Mapping[str, float]
    answers: tuple[Answer, ...]

    def find(self, name: str) -> Answer:
        """The answer of that name; raises IsoflopError with the names that there are."""
        for answer in self.answers:
            if answer.name == name:
                return answer
        there = ", ".join(each.name for each in self.answers)
        raise IsoflopError(f"{name!r} is no answer of this law; there are {there}")

    @property
    def main(self) -> Answer:
        """N* where the law has one, else the forecast, else the first parameter."""
        names = [each.name for each in self.answers]
        return self.find(next((name for name in ("N*", "forecast") if name in names), names[0]))


def question(fit: Fit, *, budget: float | None = None, at: Mapping[str, float] | None = None) -> Question:
    """N*, exponent a, forecast, then every parameter of the law.

    budget: training FLOPs for N*, the usual one where none is given. at: the inputs of the
    forecast; where none is given, the fit's own optimum at the budget, or the largest inputs of the runs for a law
    that is not in N and D alone; no forecast for a law that sums over lists, which a point cannot give.
    Raises IsoflopError for a budget that is not positive or a law without N*, missing or unknown inputs.
    """
    law = fit.law
    planned = set(law.input_names) == {"N", "D"}
    if budget is not None:
        check_positive(budget, "the budget", "FLOPs")
        if not planned:
            raise IsoflopError(
                f"a budget needs a law in N and D; {law.name} has {', '.join(law.input_names)}: ask for a "
                "forecast (--at)"
            )
    if planned and budget is None:
        budget = usual_budget(fit)
    chosen = _place(fit, budget, at)
    answers = []
    if budget is not None:
        answers = [
            Answer(
                "N*",
                f"compute-optimal parameters at {budget:.3g} FLOPs",
                "log",
                _OptimalSize(law, budget, fit.data.flops),
            ),
            Answer("exponent a", "N* grows as C to this power", "linear", _Exponent(law, budget, fit.data.flops)),
        ]
    if chosen:
        answers.append(Answer("forecast", f"{law.response} at {_words(chosen)}", "linear", _Response(law, chosen)))
    answers += [Answer(each.name, each.meaning or "parameter", "linear", _Parameter(each.name)) for each in law.params]
    return Question(budget, chosen, tuple(answers))


def answer_at(answer: Answer, fit: Fit, ready: Problem, theta: Floats) -> Floats:
    """An answer at coordinates (problems, coordinates), (problems,); NaN where they are."""
    good = np.isfinite(theta).all(axis=1)
    values = np.full(len(theta), np.nan)
    if good.any():
        params = ready.params(theta[good])
        with np.errstate(all="ignore"):
            values[good] = answer.of({name: params[:, column] for column, name in enumerate(fit.law.param_names)})
    return values


def _place(fit: Fit, budget: float | None, at: Mapping[str, float] | None) -> dict[str, float]:
    law = fit.law
    if law.list_inputs:
        if at:
            raise IsoflopError(
                f"{law.name} sums over lists ({', '.join(law.list_inputs)}), which --at cannot give; leave --at out, "
                "and its parameters are examined"
            )
        return {}
    if at:
        missing = [name for name in law.input_names if name not in at]
        unknown = [name for name in at if name not in law.input_names]
        if missing or unknown:
            asked = ", ".join(f"--at {name}=…" for name in law.input_names)
            what = f"{', '.join(missing)} is missing" if missing else f"{', '.join(unknown)} is no input of it"
            raise IsoflopError(f"a forecast from {law.name} takes {asked}; {what}")
        for name, value in at.items():
            if not (math.isfinite(value) and value > 0):
                raise IsoflopError(f"{name} must be a positive number, not {value:g}")
        return {name: float(at[name]) for name in law.input_names}
    if budget is not None:
        best = optimum(law, fit.one_draw, budget, counted=fit.data.flops)
        if best.inside[0]:
            return {"N": float(best.n[0]), "D": float(best.d[0])}
    return {name: fit.data.ranges[name][1] for name in law.input_names}


def _words(at: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.3g}" for name, value in at.items())


def _inside(best: Optimum) -> Floats:
    return np.where(best.inside, best.n, math.nan)


@dataclass(frozen=True)
class _OptimalSize(Value):
    """N* at a budget; a class and not a function made here, since such a function cannot be sent or saved."""

    law: Law
    budget: float
    counted: TrainingFlops

    def __call__(self, params: Mapping[str, Floats]) -> Floats:
        return _inside(optimum(self.law, params, self.budget, counted=self.counted))


@dataclass(frozen=True)
class _Exponent(Value):
    law: Law
    budget: float
    counted: TrainingFlops

    def __call__(self, params: Mapping[str, Floats]) -> Floats:
        above, below = (
            _OptimalSize(self.law, self.budget * math.exp(side * _STEP), self.counted)(params) for side in (1, -1)
        )
        return np.log(above / below) / (2 * _STEP)


@dataclass(frozen=True)
class _Response(Value):
    law: Law
    at: Mapping[str, float]

    def __call__(self, params: Mapping[str, Floats]) -> Floats:
        return np.asarray(self.law.value(params, self.at), dtype=np.float64)


@dataclass(frozen=True)
class _Parameter(Value):
    name: str

    def __call__(self, params: Mapping[str, Floats]) -> Floats:
        return np.asarray(params[self.name], dtype=np.float64)
