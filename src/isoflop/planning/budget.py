"""The budget that is asked where none is given."""

from __future__ import annotations

from isoflop.fitting.own_flops import own_flops
from isoflop.runs import Runs

AHEAD = 10.0  # multiple of the largest run's compute


def usual_budget(runs: Runs) -> float:
    """10 · max C over the runs, to one digit: training FLOPs, 6ND or as the table counts them."""
    return float(f"{AHEAD * float(own_flops(runs)[0].flops(runs['N'], runs['D']).max()):.0e}")
