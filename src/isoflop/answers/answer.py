"""``Answer``: what a question came to, as typed values; every front end shows this and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from isoflop.answers.picture import Picture
from isoflop.answers.quantity import Quantity
from isoflop.answers.table import Table
from isoflop.findings import Finding
from isoflop.patterns import pattern
from isoflop.shown import Shown, figure_of

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.figure import Figure

SCHEMA_VERSION: Final = 1
# a doubled brace is a literal one; else a quantity's name, with or without its interval
PLACEHOLDER: Final = pattern(r"\{\{|\}\}|\{([^\W\d]\w*)(?::bare)?\}")


def literal(text: str) -> str:
    """A text of the user's (a family, a file) as it stands in a headline: its braces are no placeholders."""
    return text.replace("{", "{{").replace("}", "}}")


@dataclass(frozen=True)
class Answer(Shown):
    """What a question came to.

    question: its name in the registry. title: what was asked of what. headline: the answer in one sentence, in which
    ``{N}`` stands for the quantity of that name, rounded by its interval ("about 10B (3B–90B)"), and ``{N:bare}`` for
    it without the interval; a literal brace is doubled. equation: the fitted law with numbers, where one was fitted.
    quantities: the named numbers. evidence: how far to trust a recommendation, directly under the headline.
    tables: what else there is. findings: each once, the most serious first. method: how it was computed.
    provenance: digest of the runs, law, objective, seed, draws, level, version. pictures: lazy. parts: answers of which
    this one is made (a report). result: the engine's own result, for Python.
    """

    question: str
    title: str
    headline: str
    quantities: tuple[Quantity, ...] = ()
    tables: tuple[Table, ...] = ()
    evidence: Table | None = None
    equation: str = ""
    findings: tuple[Finding, ...] = ()
    method: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    parts: tuple[Answer, ...] = field(default=(), repr=False)
    result: Any = field(default=None, repr=False, compare=False)

    def __getitem__(self, name: str) -> Quantity:
        """The quantity of this name; KeyError with the names that there are."""
        for each in self.quantities:
            if each.name == name:
                return each
        raise KeyError(
            f"{name!r} is no quantity of this answer; there are {', '.join(q.name for q in self.quantities)}"
        )

    def table(self, name: str) -> Table:
        """The table of this name; KeyError with the names that there are."""
        for each in (*self.tables, *((self.evidence,) if self.evidence is not None else ())):
            if each.name == name:
                return each
        raise KeyError(f"{name!r} is no table of this answer; there are {', '.join(t.name for t in self.tables)}")

    def sentence(self, fill: Callable[[Quantity, bool], str]) -> str:
        """The headline with its quantities filled in; ``fill(quantity, bare)`` words one."""

        def word(found: re.Match[str]) -> str:
            return fill(self[found[1]], found[0].endswith(":bare}")) if found[1] else found[0][0]

        return PLACEHOLDER.sub(word, self.headline)

    def to_dict(self) -> dict[str, Any]:
        """The one JSON of the product: numbers at full precision, in the order of the schema."""
        from isoflop.answers.wording import told

        return {
            "schema": SCHEMA_VERSION,
            "question": self.question,
            "title": self.title,
            "headline": self.sentence(told),
            "equation": self.equation or None,
            "quantities": {each.name: each.to_dict() for each in self.quantities},
            "evidence": None if self.evidence is None else self.evidence.to_dict(),
            "tables": {each.name: each.to_dict() for each in self.tables},
            "findings": [each.as_dict() for each in self.findings],
            "method": self.method,
            "provenance": dict(self.provenance),
            "pictures": [each.to_dict() for each in self.pictures],
            "parts": [each.to_dict() for each in self.parts],
        }

    def plot(self, picture: str | None = None) -> Figure:
        """The first picture, or the one of that name, on a matplotlib figure of its own."""
        return figure_of(self, picture)

    def to_frame(self, table: str | None = None) -> pl.DataFrame:
        """A table of the answer as a Polars data frame; without a name the quantities, one row each."""
        import polars as pl

        if table is None:
            rows: list[dict[str, Any]] = [{"name": each.name, **each.to_dict()} for each in self.quantities]
            return pl.DataFrame(rows, infer_schema_length=None)
        found = self.table(table)
        columns: dict[str, list[Any]] = {}
        for place, column in enumerate(found.columns):
            cells = [row[place] for row in found.rows]
            columns[column.name] = [each.value if isinstance(each, Quantity) else each for each in cells]
            if any(isinstance(each, Quantity) for each in cells):  # an interval as two columns more
                for end in ("low", "high"):
                    columns[f"{column.name}_{end}"] = [getattr(each, end, None) for each in cells]
        return pl.DataFrame({name: _of_one_type(cells) for name, cells in columns.items()}, strict=False)


def _of_one_type(cells: list[Any]) -> list[Any]:
    """Cells of words and numbers as words, since a column of a data frame has one type."""
    if any(isinstance(each, str) for each in cells):
        return [each if each is None or isinstance(each, str) else repr(each) for each in cells]
    return cells
