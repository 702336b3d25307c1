"""Executors: where cells run. :mod:`isoflop.lab.executors.base` says what one must do."""

from isoflop.lab.executors.base import Executor, Job, Outcome

__all__ = ["Executor", "Job", "Outcome"]
