"""Scores of evaluations: items, their sampling errors, and what they say as models grow."""

from isoflop.evals.aggregate import aggregates, differences, suites
from isoflop.evals.evaluate import Evaluation, evaluate
from isoflop.evals.items import Items
from isoflop.evals.read import read_items
from isoflop.evals.run_table import run_table

__all__ = ["Evaluation", "Items", "aggregates", "differences", "evaluate", "read_items", "run_table", "suites"]
