"""Questions asked of a fit: what loss to expect, and how to spend a budget."""

from isoflop.planning.allocate import Plan, allocate
from isoflop.planning.answer import Answer, answer
from isoflop.planning.constrained import Fixed, with_params, with_tokens
from isoflop.planning.forecast import Forecast, forecast, forecasts
from isoflop.planning.optimal import optimal_plan
from isoflop.planning.overtrain import Served, for_serving
from isoflop.planning.reconcile import Recount, recount
from isoflop.planning.repeat import Repeat, fit_repeats, repeat
from isoflop.planning.waste import Waste, wasted

__all__ = [
    "Answer",
    "Fixed",
    "Forecast",
    "Plan",
    "Recount",
    "Repeat",
    "Served",
    "Waste",
    "allocate",
    "answer",
    "fit_repeats",
    "for_serving",
    "forecast",
    "forecasts",
    "optimal_plan",
    "recount",
    "repeat",
    "wasted",
    "with_params",
    "with_tokens",
]
