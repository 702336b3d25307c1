"""Questions asked of a fit: what loss to expect, and how to spend a budget."""

from isoflop.planning.allocate import Plan, allocate
from isoflop.planning.answer import Answer, answer
from isoflop.planning.constrained import Fixed, with_params, with_tokens
from isoflop.planning.forecast import Forecast, forecast, forecasts
from isoflop.planning.optimal import optimal_plan
from isoflop.planning.overtrain import Served, inference_aware
from isoflop.planning.program.optimized_plan import OptimizedPlan, optimized_plan
from isoflop.planning.program.plan_conditions import PlanWords
from isoflop.planning.program.problem import Problem, plan_problem
from isoflop.planning.reconcile import Recount, convert_counts
from isoflop.planning.repeat import Repeat, fit_repeats, repeat
from isoflop.planning.waste import Waste, compute_penalty

__all__ = [
    "Answer",
    "Fixed",
    "Forecast",
    "OptimizedPlan",
    "Plan",
    "PlanWords",
    "Problem",
    "Recount",
    "Repeat",
    "Served",
    "Waste",
    "allocate",
    "answer",
    "compute_penalty",
    "convert_counts",
    "fit_repeats",
    "forecast",
    "forecasts",
    "inference_aware",
    "optimal_plan",
    "optimized_plan",
    "plan_problem",
    "repeat",
    "with_params",
    "with_tokens",
]
