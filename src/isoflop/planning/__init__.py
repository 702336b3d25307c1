"""Questions asked of a fit: what loss to expect."""

from isoflop.planning.forecast import Forecast, forecast

__all__ = ["Forecast", "forecast"]
