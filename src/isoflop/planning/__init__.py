"""Questions asked of a fit: what loss to expect, and how to spend a budget."""

from isoflop.planning.allocate import Plan, allocate
from isoflop.planning.forecast import Forecast, forecast
from isoflop.planning.overtrain import Served, for_serving

__all__ = ["Forecast", "Plan", "Served", "allocate", "for_serving", "forecast"]
