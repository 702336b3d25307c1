"""The budget that is asked where none is given."""

from __future__ import annotations

from isoflop.laws.optimum import TRAIN
from isoflop.runs import Runs

AHEAD = 10.0  # multiple of the largest run's compute


def usual_budget(runs: Runs) -> float:
    """10 · max 6ND over the runs, to one digit: training FLOPs. The one rule for every front end."""
    return float(f"{AHEAD * float((TRAIN * runs['N'] * runs['D']).max()):.0e}")
