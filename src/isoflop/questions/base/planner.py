"""Options that say what a plan chooses, what it makes least and what it must meet, for any law and any cost."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isoflop.errors import IsoflopError
from isoflop.questions.base.kinds import Number, Points, Text, Texts, Words
from isoflop.questions.base.option import option, options_of

if TYPE_CHECKING:
    from isoflop.laws import Law

_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True)
class Planner:
    """What is chosen, for what and under which conditions; nothing of it is needed for a plan in N and D."""

    minimize: str | None = option(
        Text("FORMULA"), help="What is made least: loss, cost, an unknown or a formula; loss by default."
    )
    over: str | None = option(
        Text("N,D"), help="Unknowns, with commas; shares for those of a mixture. Default: all inputs without a value."
    )
    cost: str | None = option(
        Text("FORMULA"),
        help="Cost: a formula of the plan's quantities, or 6ND, table, inference, datastore, shape, encoder-decoder, "
        "memory, weights, bits, hours, money.",
    )
    loss: float | None = option(Number("2.0"), help="Target loss: the least cost, or --minimize, that reaches it.")
    subject_to: tuple[str, ...] = option(
        Texts('"N <= 8e9"'), (), help="Condition on unknowns, loss and cost with <=, >= or ==; repeatable."
    )
    menu: Mapping[str, str] = option(Words("bits=2,3,4,8"), {}, help="Values that an unknown may have; repeatable.")
    integer: tuple[str, ...] = option(Texts("NAME"), (), help="Unknown that is a whole number; repeatable.")
    at: tuple[str, ...] = option(Points("U=100B"), (), help="Quantity with a value; repeatable.")
    define: Mapping[str, str] = option(
        Words("N=FORMULA"), {}, help="Input that follows from others, as N=12*depth*width^2; repeatable."
    )
    samples: float | None = option(
        Number("COUNT", low=0.0, open=True), help="Samples of each inference token (k of pass@k); 1 where not given."
    )
    critical_batch: str | None = option(
        Text("FORMULA"), help="Critical batch in tokens as a formula of the loss, or kaplan: least steps and tokens."
    )

    def asked(self) -> list[str]:
        """The flags of these options that are given."""
        default = Planner()
        return [each.word for each in options_of(Planner) if getattr(self, each.name) != getattr(default, each.name)]

    def given(self, law: Law) -> dict[str, float]:
        """The quantities with a value; raises IsoflopError for several values of one."""
        from isoflop.planning.points import values_of

        found = values_of(self.at, {*law.input_names, *self._names()})
        for label, values in found.items():
            if len(values) > 1:
                raise IsoflopError(
                    f"--at {label} has {len(values)} values, and a plan takes one; ask for each, or list them in --menu"
                )
        return {label: values[0] for label, values in found.items()}

    def _names(self) -> Collection[str]:
        """Every word of the formulas that are given, so that --at may name it."""
        texts = [self.cost, self.minimize, self.over, *self.subject_to, *self.define.values(), *self.define]
        return {word for text in texts if text for word in _NAME.findall(text)}
