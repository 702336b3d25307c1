"""``Finding``: one thing to know about runs or a result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal

Level = Literal["note", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")  # the most serious first


@dataclass(frozen=True)
class Finding:
    """One thing to know about runs or a result.

    code: a stable word for scripts, for example ``tokens-from-flops``; an entry of the catalogue.
    level: ``note`` (worth knowing), ``warning`` (may change the answer), ``error`` (the answer should not be used).
    message: one sentence with the value.
    remedy: what to do about it in this case, by options and questions that the code's entry names.
    rows: the row numbers concerned (data rows, counted from 1), where there are some.
    """

    code: str
    level: Level
    message: str
    remedy: str
    rows: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The finding as plain values, in the order of the ``--json`` contract."""
        plain = asdict(self)
        plain["rows"] = list(self.rows)
        return plain
