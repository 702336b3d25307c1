"""The terminal that commands print to."""

from __future__ import annotations

from rich.console import Console


class Terminal(Console):
    """Rich's console, but for a reader that stops early, such as ``head``: that is no error of the command."""

    def on_broken_pipe(self) -> None:
        """Leave it to :func:`isoflop.cli.main`, which ends with 0."""
        raise BrokenPipeError


def terminal() -> Console:
    """Standard output, without highlighted numbers."""
    return Terminal(highlight=False)
