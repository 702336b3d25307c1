"""``Finding``: one thing to know about runs or a result."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, Literal

Level = Literal["note", "warning", "error"]
LEVELS: Final[tuple[Level, ...]] = ("error", "warning", "note")  # the most serious first


@dataclass(frozen=True)
class Finding:
    """One thing to know about runs or a result.

    Attributes
    ----------
    code :
        A stable word for scripts, for example ``tokens-from-flops``; an entry of the catalogue.
    level :
        ``note`` (worth knowing), ``warning`` (may change the answer) or ``error`` (the answer should not be used).
    message :
        One sentence with the value.
    remedy :
        What to do about it in this case, by options and questions that the code's entry names.
    rows :
        The row numbers concerned (data rows, counted from 1), where there are some.

    Examples
    --------
    >>> import isoflop, polars
    >>> runs = isoflop.read_runs(polars.DataFrame({"N": [1e8, 1e9], "C": [1.2e19, 1.2e21], "loss": [3.1, 2.6]}))
    >>> [finding.code for finding in runs.findings]
    ['tokens-from-flops']
    """

    code: str
    level: Level
    message: str
    remedy: str
    rows: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The finding as plain values.

        Returns
        -------
        dict
            Name → value, in the order of the ``--json`` contract.
        """
        plain = asdict(self)
        plain["rows"] = list(self.rows)
        return plain
