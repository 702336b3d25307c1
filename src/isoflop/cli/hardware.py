"""Options that say what a run is computed on: accelerator, number, utilisation, price, and time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from isoflop.accounting import Cost

Command = TypeVar("Command", bound=Callable[..., Any])

_HOURS = {"h": 1.0, "d": 24.0, "w": 168.0}
_DURATION = re.compile(r"\s*(.+?)\s*(hours?|h|days?|d|weeks?|w)\s*")


class Number(click.ParamType[float]):
    """A number as people write it: 0.4, 1e24, 70B, 15T."""

    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; fails with one sentence."""
        from isoflop.units import parse_quantity

        try:
            return parse_quantity(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a number such as 0.4, 8192, 70B or 15T", param, ctx)


class Whole(Number):
    """A whole number, which may also be written 8K or 1e6."""

    name = "whole"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The whole number; fails with one sentence."""
        number = super().convert(value, param, ctx)
        if not number.is_integer():
            self.fail(f"{value!r} is not a whole number", param, ctx)
        return int(number)


class Duration(click.ParamType[float]):
    """A time in hours, as people write it: 30d, 36h, 2w."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The hours; fails with one sentence."""
        from isoflop.units import parse_quantity

        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value))
        try:
            if found is None:
                raise ValueError(value)
            hours = parse_quantity(found[1]) * _HOURS[found[2][0]]
        except ValueError:
            self.fail(f"{value!r} is not a time such as 30d, 36h or 2w", param, ctx)
        if not hours > 0:
            self.fail(f"{value!r} is no time to train in; give one above 0, such as 30d", param, ctx)
        return hours


NUMBER, WHOLE, DURATION = Number(), Whole(), Duration()


@dataclass(frozen=True)
class Machines:
    """The options as given; None where one was not."""

    hardware: str | None
    precision: str | None
    devices: int | None
    mfu: float | None
    price: float | None

    def require_hardware(self) -> None:
        """Refuse options that describe hardware which was not named."""
        for name in ("precision", "devices", "mfu", "price"):
            if self.hardware is None and getattr(self, name) is not None:
                raise click.UsageError(f"--{name} needs --hardware, such as h100", click.get_current_context())

    def bill(self, flops: float) -> Cost:
        """What the FLOPs cost on these machines; --hardware must have been given."""
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
        """What these machines can compute in so many hours; --hardware must have been given."""
        from isoflop.accounting import accelerator, flops_within

        return flops_within(
            hours,
            accelerator(self.hardware or ""),
            devices=1 if self.devices is None else self.devices,
            mfu=0.4 if self.mfu is None else self.mfu,
            precision=self.precision,
        )


def hardware_options(command: Command) -> Command:
    """--hardware, --precision, --devices, --mfu and --price."""
    for option in reversed(
        (
            click.option("--hardware", metavar="h100|400T", help="An accelerator by name, or its peak FLOP/s."),
            click.option("--precision", help="Whose peak to take; by default bf16 where the hardware has it."),
            click.option("--devices", type=WHOLE, help="How many; by default 1."),
            click.option("--mfu", type=NUMBER, help="Share of the peak that the model's FLOPs reach; by default 0.4."),
            click.option("--price", type=NUMBER, help="Of a device-hour, in your currency."),
        )
    ):
        command = option(command)
    return command


def bill_as_dict(bill: Cost) -> dict[str, object]:
    """A bill as the ``--json`` contract has it."""
    return {
        "hardware": bill.hardware.name,
        "source": bill.hardware.source,
        "precision": bill.precision,
        "peak": bill.hardware.peak[bill.precision],
        "devices": bill.devices,
        "mfu": bill.mfu,
        "price": bill.price,
        "flops": bill.flops,
        "hours": bill.hours,
        "device_hours": bill.device_hours,
        "money": bill.money,
    }
