"""The names in the Python reference: those of ``import isoflop``, and functions that are imported from their module."""

from __future__ import annotations

import importlib
from typing import Any

import isoflop

FURTHER = {
    "isoflop.runs.curves": ("open_curves",),
    "isoflop.fitting": ("Objective", "objective"),
    "isoflop.fitting.panel": ("fit_panel",),
    "isoflop.fitting.stream": ("fit_curves",),
    "isoflop.uncertainty.coverage": ("coverage",),
    "isoflop.uncertainty.panel": ("bootstrap_panel",),
    "isoflop.uncertainty.sharing": ("sharing_test",),
    "isoflop.planning": ("compute_penalty", "convert_counts", "inference_aware"),
    "isoflop.planning.design": ("design",),
    "isoflop.planning.downstream": ("stages",),
    "isoflop.planning.literature": ("compare_constants",),
    "isoflop.planning.mixtures": ("fit_mixtures", "mixture_table", "plan_mixture", "validate_mixtures"),
    "isoflop.planning.program": ("optimized_plan", "plan_problem"),
    "isoflop.planning.simulate": ("simulate",),
    "isoflop.validation.borrow": ("family_prior", "fit_with_prior"),
    "isoflop.validation.decisions": ("decisions",),
    "isoflop.validation.hitchhiker": ("hitchhiker",),
    "isoflop.validation.outliers": ("outliers",),
    "isoflop.validation.shape_audit": ("shapes",),
    "isoflop.validation.sharing_held_out": ("held_out_sharing",),
    "isoflop.validation.split": ("hold_out",),
    "isoflop.validation.stack": ("forecast_stacked",),
}


def public() -> dict[str, Any]:
    """Name → object of what ``import isoflop`` offers, without its modules."""
    return {name: getattr(isoflop, name) for name in isoflop.__all__ if name != "datasets"}


def further() -> dict[str, Any]:
    """Name → object of what is imported from its module."""
    return {name: getattr(importlib.import_module(home), name) for home, names in FURTHER.items() for name in names}


def homes() -> dict[str, list[str]]:
    """Name of a layer → the places, as ``module.name``, of its documented names."""
    found: dict[str, list[str]] = {}
    for thing in (*public().values(), *further().values()):
        layer = thing.__module__.split(".")[1]
        # the function ``law`` and the module ``law`` are two things: the place is where the name is defined
        found.setdefault(layer, []).append(f"{thing.__module__}.{thing.__qualname__}")
    return found
