"""FLOPs to hours to money."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from isoflop.accounting.hardware import Accelerator
from isoflop.accounting.params import Parameters
from isoflop.errors import SpecError
from isoflop.findings import Finding
from isoflop.units import format_quantity

ADAM_BYTES: Final = 16  # a parameter in mixed precision: weight and gradient 2 each, fp32 weight and two moments 4 each
HIGH_MFU: Final = 0.6


@dataclass(frozen=True)
class Cost:
    """hours = flops / (devices · peak · mfu) / 3600; money = hours · devices · price.

    precision: the one whose peak was used. price: per device-hour, in the user's currency; None where none was given.
    """

    flops: float
    hardware: Accelerator
    precision: str
    devices: int
    mfu: float
    price: float | None

    @property
    def device_hours(self) -> float:
        """Hours of one device."""
        return self.flops / (self.hardware.peak[self.precision] * self.mfu) / 3600

    @property
    def hours(self) -> float:
        """Hours on all devices together."""
        return self.device_hours / self.devices

    @property
    def money(self) -> float | None:
        """The price of all device-hours."""
        return None if self.price is None else self.device_hours * self.price


def cost(
    flops: float,
    hardware: Accelerator,
    *,
    mfu: float,
    devices: int = 1,
    precision: str | None = None,
    price: float | None = None,
) -> Cost:
    """What ``flops`` cost on that hardware at a utilization ``mfu`` of its dense peak.

    The utilization must have been measured in the count that ``flops`` is in; it is defined in PaLM's (see
    ``palm_flops``). precision: None takes the first of the hardware, which is what one trains in.

    Raises SpecError where a number is not positive, mfu is above 1, or the hardware has no such precision.
    """
    for name, value in (("flops", flops), ("price", price)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise SpecError(f"{name} = {value:g} must be a finite number above 0")
    if not (math.isfinite(mfu) and 0 < mfu <= 1):
        raise SpecError(f"mfu = {mfu:g} must lie above 0 and at most 1; it is a share of the peak, such as 0.4")
    if devices < 1:
        raise SpecError(f"devices = {devices} must be a whole number of at least 1")
    chosen = next(iter(hardware.peak)) if precision is None else precision.lower()
    if chosen not in hardware.peak:
        raise SpecError(
            f"{hardware.name} has no peak for {precision!r} in the table; it has {', '.join(hardware.peak)}"
        )
    return Cost(flops=flops, hardware=hardware, precision=chosen, devices=devices, mfu=mfu, price=price)


def flops_within(
    hours: float, hardware: Accelerator, *, mfu: float, devices: int = 1, precision: str | None = None
) -> float:
    """FLOPs = hours · 3600 · devices · peak · mfu: what the machines can do by a deadline.

    Raises SpecError as ``cost`` does, and for hours that are not a positive number.
    """
    if not (math.isfinite(hours) and hours > 0):
        raise SpecError(f"the time must be a finite number of hours above 0, not {hours:g}")
    return hours / cost(1.0, hardware, mfu=mfu, devices=devices, precision=precision).hours


def doubts(bill: Cost, counted: Parameters) -> tuple[Finding, ...]:
    """What speaks against a bill: a utilization that nobody reports, a model that the devices cannot hold."""
    found = []
    if bill.mfu > HIGH_MFU:
        found.append(
            Finding(
                "mfu-high",
                "warning",
                f"A utilization of {bill.mfu:g} is above what large runs report (PaLM 0.462, Llama 3 405B 0.38 to "
                f"0.43, Megatron-LM at a trillion parameters 0.563).",
                f"Measure it on a short run; at 0.4 the hours are {format_quantity(bill.hours * bill.mfu / 0.4)}.",
            )
        )
    needed, there = ADAM_BYTES * counted.total, bill.hardware.memory * bill.devices
    if 0 < there < needed:
        found.append(
            Finding(
                "memory-short",
                "warning",
                f"Weights, gradients and Adam's state need {ADAM_BYTES} bytes a parameter, {needed / 1e9:,.0f} GB, and "
                f"{bill.devices:,} × {bill.hardware.name} hold {there / 1e9:,.0f} GB.",
                f"Take at least {math.ceil(needed / bill.hardware.memory):,} devices, before activations, or a leaner "
                "optimizer.",
            )
        )
    return tuple(found)
