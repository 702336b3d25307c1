"""``scipy.special``, imported when one of its functions is first used: that takes longer than most fits.

``special.stdtrit(freedom, share)`` is ``scipy.special.stdtrit(freedom, share)``.
"""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever SciPy has under this name
    from scipy import special

    return getattr(special, name)
