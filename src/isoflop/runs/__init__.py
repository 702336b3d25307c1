"""What was measured: tables of runs, read with care."""

from isoflop.runs.read import read_runs
from isoflop.runs.table import Column, Runs

__all__ = ["Column", "Runs", "read_runs"]
