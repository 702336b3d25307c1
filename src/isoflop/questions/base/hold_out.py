"""Options of questions that hold runs out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from isoflop.questions.base.kinds import Count, Flag, Text
from isoflop.questions.base.option import option

if TYPE_CHECKING:
    from isoflop.questions.base.context import Context

HOLD_OUT_DRAWS: Final = 300  # for each law and window, in every front end


@dataclass(frozen=True)
class HoldOutOptions:
    """What is held out, and how it is predicted."""

    hold_out: str | None = option(
        Text("N:20%"),
        help="Held out: N (its largest value), N/4 (within a factor 4 of it) or N:20% (a share of the runs).",
    )
    per_family: bool = option(Flag(), False, help="Fit and predict each family by itself.")
    draws: int = option(Count(low=20, high=100_000), HOLD_OUT_DRAWS, help="Bootstrap draws for each law and window.")

    def hold_out_settings(self, context: Context) -> dict[str, Any]:
        """What every engine that holds out takes."""
        from isoflop.validation.split import hold_out

        return {
            "hold_out": hold_out(self.hold_out) if self.hold_out else None,
            "per_family": self.per_family,
            "objective": context.objective,
            "draws": self.draws,
            "level": context.level,
            "seed": context.fit_spec.seed,
            "resample_by": context.fit_spec.resample_by,
        }
