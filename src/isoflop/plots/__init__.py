"""One function, one picture: a result in, matplotlib axes out; nothing is shown or saved by itself."""

from isoflop.plots.envelope import loss_against_compute

__all__ = ["loss_against_compute"]
