"""Doubt as data: what a result says against itself, and how to mend it."""

from isoflop.findings.catalogue import Entry, catalogue, ordered
from isoflop.findings.finding import LEVELS, Finding, Level

__all__ = ["LEVELS", "Entry", "Finding", "Level", "catalogue", "ordered"]
