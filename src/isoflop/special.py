"""``scipy.special``, imported when one of its functions is first used: that takes longer than most fits.

``special.stdtrit(freedom, share)`` is ``scipy.special.stdtrit(freedom, share)``.
"""

from __future__ import annotations

from typing import Any


class _Special:
    """The module, loaded for the first function that is asked for."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever SciPy has under this name
        from scipy import special

        found = getattr(special, name)
        setattr(self, name, found)
        return found


special = _Special()
