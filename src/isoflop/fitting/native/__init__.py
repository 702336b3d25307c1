"""The compiled engine: ``kernel.c`` runs the law's own instruction list for one problem after another.

It is built when the package is installed where there is a C compiler, and absent otherwise; NumPy then does the same
(:mod:`isoflop.fitting.solve`). ``ISOFLOP_ENGINE=numpy`` or ``native`` in the environment chooses one of them.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isoflop.errors import FitError

if TYPE_CHECKING:
    from isoflop.fitting.objective import Objective

Engine = Literal["native", "numpy"]

LIBRARY = "_kernel.so"
SOURCES = ("kernel.c", "tape.h", "objective.h", "arithmetic.h")
_VERSION = 6  # ISOFLOP_KERNEL of kernel.c


@cache
def library() -> ctypes.CDLL | None:
    """The compiled library, or None where it is absent, cannot be loaded, or was built from other sources."""
    path = Path(__file__).with_name(LIBRARY)
    try:
        loaded = ctypes.CDLL(str(path))
        version = loaded.isoflop_kernel()
    except (OSError, AttributeError):
        return None
    return loaded if version == _VERSION else None


def engine() -> Engine:
    """The engine that fits and refits run on.

    Raises FitError for an ``ISOFLOP_ENGINE`` that is no engine, or that is ``native`` where nothing was compiled.
    """
    asked = os.environ.get("ISOFLOP_ENGINE", "")
    if asked not in ("", "native", "numpy"):
        raise FitError(f"ISOFLOP_ENGINE is {asked!r}; set it to native or numpy, or leave it out")
    if asked == "native" and library() is None:
        raise FitError(
            "ISOFLOP_ENGINE is native, but this installation has no compiled engine; install it where there is a C "
            "compiler (pip install --force-reinstall --no-deps), or set ISOFLOP_ENGINE to numpy"
        )
    return "numpy" if asked == "numpy" or library() is None else "native"


def engine_of(objective: Objective) -> Engine:
    """The engine that measures by an objective: NumPy's for one whose parts the compiled engine does not have."""
    return "numpy" if objective.native is None else engine()
