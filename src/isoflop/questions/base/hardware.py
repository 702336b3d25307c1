"""Options that say what a run is computed on: accelerator, number, utilization, price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.answers import Column, Table
from isoflop.errors import IsoflopError
from isoflop.questions.base.kinds import Count, Number, Text
from isoflop.questions.base.option import option

if TYPE_CHECKING:
    from isoflop.accounting import Cost

POSITIVE = Number(low=0.0, open=True)


@dataclass(frozen=True)
class Hardware:
    """What a run is computed on; nothing is priced where no accelerator is named."""

    hardware: str | None = option(Text("h100|400T"), help="Accelerator by name, or its peak FLOP/s.")
    precision: str | None = option(Text("bf16"), help="Precision whose peak is taken; bf16 where the hardware has it.")
    devices: int | None = option(Count(low=1), help="Number of accelerators; 1 where not given.")
    mfu: float | None = option(POSITIVE, help="Model FLOPs utilization, a share of the peak; 0.4 where not given.")
    price: float | None = option(Number(low=0.0), help="Price of a device-hour, in your currency.")

    def require_hardware(self) -> None:
        """Refuse options that describe hardware which was not named."""
        for name in ("precision", "devices", "mfu", "price"):
            if self.hardware is None and getattr(self, name) is not None:
                raise IsoflopError(f"--{name} needs --hardware, such as h100")

    def bill(self, flops: float) -> Cost:
        """Hours and money of the FLOPs; needs ``hardware``."""
        from isoflop.accounting import accelerator, cost

        return cost(
            flops,
            accelerator(self.hardware or ""),
            devices=1 if self.devices is None else self.devices,
            mfu=0.4 if self.mfu is None else self.mfu,
            precision=self.precision,
            price=self.price,
        )

    def flops_within(self, hours: float) -> float:
        """FLOPs that the hardware computes in so many hours; needs ``hardware``."""
        from isoflop.accounting import accelerator, flops_within

        return flops_within(
            hours,
            accelerator(self.hardware or ""),
            devices=1 if self.devices is None else self.devices,
            mfu=0.4 if self.mfu is None else self.mfu,
            precision=self.precision,
        )


def cost_table(cost: Cost) -> Table:
    """What FLOPs were priced with: hardware, its peak, utilization, price; and hours and money."""
    return Table(
        "hardware",
        (
            Column("hardware"),
            Column("precision"),
            Column("peak", "peak FLOP/s", "flops"),
            Column("devices", kind="integer"),
            Column("mfu", "MFU", "share"),
            Column("price", "price of a device-hour"),
            Column("flops", "FLOPs", "flops"),
            Column("device_hours", "device-hours", "integer"),
            Column("hours", "time", "hours"),
            Column("money", "cost", "money"),
            Column("source", detail=True),
        ),
        (
            (
                cost.hardware.name, cost.precision, cost.hardware.peak[cost.precision], cost.devices, cost.mfu,
                cost.price, cost.flops, cost.device_hours, cost.hours, cost.money, cost.hardware.source,
            ),
        ),
        title="Hardware",
        detail=True,
    )  # fmt: skip
