"""Belief meets measurement: laws fitted to runs."""

from isoflop.fitting.estimate import Estimate
from isoflop.fitting.fit import fit
from isoflop.fitting.objective import Objective, absolute, huber, objective, squares, student_t
from isoflop.fitting.result import Fit

__all__ = ["Estimate", "Fit", "Objective", "absolute", "fit", "huber", "objective", "squares", "student_t"]
