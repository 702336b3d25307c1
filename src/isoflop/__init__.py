"""isoflop: scaling laws done carefully.

``read_runs`` reads a table of training runs, ``law`` names or writes a scaling law, ``fit`` finds its parameters,
``bootstrap`` says how sure they are, ``forecast`` asks them about a run that nobody has trained.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isoflop.shown import Display, show_with

if TYPE_CHECKING:
    __version__: str
    from isoflop.errors import IsoflopError
    from isoflop.findings import Finding
    from isoflop.fitting import Fit, Objective, absolute, fit, huber, objective, squares, student_t
    from isoflop.fitting.stream import fit_curves
    from isoflop.laws import Law, catalogue, fix, law, tie
    from isoflop.logs.importing import import_logs
    from isoflop.planning import (
        Forecast,
        Plan,
        allocate,
        compute_penalty,
        convert_counts,
        forecast,
        inference_aware,
        repeat,
    )
    from isoflop.planning.downstream import downstream, stages
    from isoflop.runs import Runs, datasets, read_runs
    from isoflop.runs.curves import open_curves
    from isoflop.uncertainty import Ensemble, Interval, bootstrap
    from isoflop.uncertainty.coverage import coverage
    from isoflop.uncertainty.profile import profile
    from isoflop.uncertainty.saved import load_fit, save_fit
    from isoflop.validation.backtest import backtest
    from isoflop.validation.borrow import family_prior, fit_with_prior
    from isoflop.validation.check import check
    from isoflop.validation.finish import finish
    from isoflop.validation.hitchhiker import hitchhiker
    from isoflop.validation.influence import influence
    from isoflop.validation.outliers import outliers
    from isoflop.validation.rank import rank
    from isoflop.validation.sensitivity import sensitivity
    from isoflop.validation.shape_audit import shapes
    from isoflop.validation.split import hold_out
    from isoflop.validation.stack import forecast_stacked

# Names are imported when they are first used, so that `isoflop --help` loads neither NumPy nor a data frame library.
_HOMES = {
    "isoflop.errors": ("IsoflopError",),
    "isoflop.findings": ("Finding",),
    "isoflop.fitting": ("Fit", "Objective", "absolute", "fit", "huber", "objective", "squares", "student_t"),
    "isoflop.fitting.stream": ("fit_curves",),
    "isoflop.laws": ("Law", "catalogue", "fix", "law", "tie"),
    "isoflop.logs.importing": ("import_logs",),
    "isoflop.planning": (
        "Forecast",
        "Plan",
        "allocate",
        "inference_aware",
        "forecast",
        "convert_counts",
        "repeat",
        "compute_penalty",
    ),
    "isoflop.planning.downstream": ("downstream", "stages"),
    "isoflop.runs": ("Runs", "read_runs"),
    "isoflop.runs.curves": ("open_curves",),
    "isoflop.uncertainty.saved": ("load_fit", "save_fit"),
    "isoflop.uncertainty": ("Ensemble", "Interval", "bootstrap"),
    "isoflop.uncertainty.coverage": ("coverage",),
    "isoflop.uncertainty.profile": ("profile",),
    "isoflop.validation.backtest": ("backtest",),
    "isoflop.validation.borrow": ("fit_with_prior", "family_prior"),
    "isoflop.validation.check": ("check",),
    "isoflop.validation.finish": ("finish",),
    "isoflop.validation.hitchhiker": ("hitchhiker",),
    "isoflop.validation.influence": ("influence",),
    "isoflop.validation.outliers": ("outliers",),
    "isoflop.validation.rank": ("rank",),
    "isoflop.validation.sensitivity": ("sensitivity",),
    "isoflop.validation.shape_audit": ("shapes",),
    "isoflop.validation.split": ("hold_out",),
    "isoflop.validation.stack": ("forecast_stacked",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

_MODULES = {"datasets": "isoflop.runs.datasets"}

__all__ = sorted({*_HOME_OF, *_MODULES})


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("isoflop")
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name not in _HOME_OF:
        raise AttributeError(f"module 'isoflop' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return __all__


def _display() -> Display:
    """What shows results; the layers that word them are loaded when the first result is shown."""
    module: Any = importlib.import_module("isoflop.render.notebook")
    return module


show_with(_display)
