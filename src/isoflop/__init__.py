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
    from isoflop.fitting import Fit, absolute, fit, huber, squares, student_t
    from isoflop.laws import Law, catalogue, fix, law, tie
    from isoflop.logs.importing import import_logs
    from isoflop.planning import Forecast, Plan, allocate, forecast, repeat
    from isoflop.planning.downstream import downstream
    from isoflop.planning.tuning import tune
    from isoflop.runs import Runs, datasets, read_runs
    from isoflop.uncertainty import Ensemble, Interval, bootstrap
    from isoflop.uncertainty.profile import profile
    from isoflop.uncertainty.saved import load_fit, save_fit
    from isoflop.validation.backtest import backtest
    from isoflop.validation.check import check
    from isoflop.validation.finish import finish
    from isoflop.validation.influence import influence
    from isoflop.validation.rank import rank
    from isoflop.validation.sensitivity import sensitivity

# Names are imported when they are first used, so that `isoflop --help` loads neither NumPy nor a data frame library.
_HOMES = {
    "isoflop.errors": ("IsoflopError",),
    "isoflop.findings": ("Finding",),
    "isoflop.fitting": ("Fit", "absolute", "fit", "huber", "squares", "student_t"),
    "isoflop.laws": ("Law", "catalogue", "fix", "law", "tie"),
    "isoflop.logs.importing": ("import_logs",),
    "isoflop.planning": ("Forecast", "Plan", "allocate", "forecast", "repeat"),
    "isoflop.planning.downstream": ("downstream",),
    "isoflop.planning.tuning": ("tune",),
    "isoflop.runs": ("Runs", "read_runs"),
    "isoflop.uncertainty": ("Ensemble", "Interval", "bootstrap"),
    "isoflop.uncertainty.profile": ("profile",),
    "isoflop.uncertainty.saved": ("load_fit", "save_fit"),
    "isoflop.validation.backtest": ("backtest",),
    "isoflop.validation.check": ("check",),
    "isoflop.validation.finish": ("finish",),
    "isoflop.validation.influence": ("influence",),
    "isoflop.validation.rank": ("rank",),
    "isoflop.validation.sensitivity": ("sensitivity",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

_MODULES = {"datasets": "isoflop.runs.datasets"}

__all__ = sorted({*_HOME_OF, *_MODULES})


def __getattr__(name: str) -> object:
    if name == "__version__":
        return importlib.import_module("isoflop.version").VERSION
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
