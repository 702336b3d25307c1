"""How sure: draws, intervals, and whether the intervals hold what they promise."""

from isoflop.uncertainty.bootstrap import bootstrap
from isoflop.uncertainty.ensemble import Ensemble, Interval

__all__ = ["Ensemble", "Interval", "bootstrap"]
