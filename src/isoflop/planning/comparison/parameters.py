"""In which parameters the laws of two groups differ."""

from __future__ import annotations

from dataclasses import dataclass

from isoflop.planning.comparison.curves import Curves
from isoflop.uncertainty.ensemble import Interval, interval_of
from isoflop.values import Value


@dataclass(frozen=True)
class ParameterDifference(Value):
    """A parameter of a group and of the reference, and their difference over the joint draws."""

    name: str
    group: str
    reference: str
    value: Interval
    base: Interval
    difference: Interval

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return not self.difference.low <= 0 <= self.difference.high


def parameter_differences(
    curves: Curves, group: int, reference: int, *, level: float
) -> tuple[ParameterDifference, ...]:
    """Every parameter that both laws have."""
    joint = curves.joint
    first, second = joint.fits[group], joint.fits[reference]
    own, other = joint.draws(group), joint.draws(reference)
    found = []
    for name in first.law.param_names:
        if name not in second.law.param_names:
            continue
        value, base = first.params[name], second.params[name]
        drawn = value + curves.stretched[group] * (own[name] - value)
        based = base + curves.stretched[reference] * (other[name] - base)
        found.append(
            ParameterDifference(
                name,
                curves.names[group],
                curves.names[reference],
                interval_of(value, drawn, level=level),
                interval_of(base, based, level=level),
                interval_of(value - base, drawn - based, level=level),
            )
        )
    return tuple(found)
