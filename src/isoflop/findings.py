"""Doubt as data: what a result says against itself, and how to mend it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["note", "doubt", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing to know about runs or a result.

    code: a stable word for scripts, for example ``tokens-from-flops``.
    level: ``note`` (worth knowing), ``doubt`` (may change the answer), ``error`` (the answer should not be used).
    says: one sentence with the value.
    fix: what to do about it.
    rows: the row numbers concerned (data rows, counted from 1), where there are some.
    """

    code: str
    level: Level
    says: str
    fix: str
    rows: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The finding as plain values, in the order of the ``--json`` contract."""
        plain = asdict(self)
        plain["rows"] = list(self.rows)
        return plain
