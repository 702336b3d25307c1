"""The question of which laws there are, and what one of them says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from isoflop.answers import Answer, Cell, Column, Quantity, Table, identifier, literal
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError, shown
from isoflop.questions.base.context import Context, open_saved
from isoflop.questions.base.equation import param_intervals
from isoflop.questions.base.kinds import Text
from isoflop.questions.base.literature_answer import literature_answer
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.laws.law import Published
    from isoflop.planning.literature import LiteratureComparison


@dataclass(frozen=True)
class LawList:
    """Laws of the catalogue; one of them where it was named."""

    laws: tuple[Law, ...]
    one: bool


@dataclass(frozen=True)
class Laws(Question):
    """Laws of the catalogue, or one of them: formula, parameters, published constants, source.

    With --compare the constants of a fit stand beside those that the literature has for the same law.

    isoflop laws
    isoflop laws chinchilla
    isoflop laws --compare fit.json
    """

    name: ClassVar[str] = "laws"
    examples: ClassVar[tuple[str, ...]] = ("isoflop laws chinchilla",)
    group: ClassVar[Group] = "Fit"
    order: ClassVar[int] = 30
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.laws:LawList",
        "isoflop.laws.law:Law",
        "isoflop.planning.literature:LiteratureComparison",
    )
    in_study: ClassVar[bool] = False

    law: str | None = option(Text("NAME"), positional=True, help="A law's name, or a formula.")
    compare: str | None = option(
        Text("FIT"),
        help="Saved fit whose constants are compared with the published ones of its law.",
        command_line_only=True,
    )

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """The level of a fit's intervals."""
        return (LevelSpec,)

    def compute(self, context: Context) -> LawList | LiteratureComparison:
        """The catalogue, one law, or a fit beside the literature."""
        from isoflop.laws import catalogue, law

        if self.compare is not None:
            if self.law is not None:
                raise IsoflopError(f"--compare takes the law of the fit; leave {shown(self.law)} out")
            from isoflop.planning.literature import compare_constants

            ensemble = open_saved(self.compare)
            return compare_constants(
                ensemble, intervals=param_intervals(ensemble, level=context.level), level=context.level
            )
        return LawList(tuple(catalogue().values()), False) if self.law is None else LawList((law(self.law),), True)

    def answer(self, result: LawList | Law | LiteratureComparison, context: Context) -> Answer:
        """A list of formulas, one law in full, or constants side by side."""
        from isoflop.planning.literature import LiteratureComparison

        if isinstance(result, LiteratureComparison):
            return literature_answer(self.name, result)
        found = result if isinstance(result, LawList) else LawList((result,), True)
        return _one(self.name, found.laws[0]) if found.one else _all(self.name, found.laws)


def _all(question: str, laws: tuple[Law, ...]) -> Answer:
    return Answer(
        question=question,
        title="Catalogue of laws",
        headline="{laws} laws have a name.",
        quantities=(Quantity("laws", len(laws), "integer"),),
        tables=(
            Table(
                "laws",
                (
                    Column("name"),
                    Column("formula"),
                    Column("response"),
                    Column("inputs"),
                    Column("reference"),
                    Column("typeset", detail=True),
                    Column("notes", detail=True),
                ),
                tuple(
                    (
                        each.name,
                        each.stated or each.formula,
                        each.response,
                        ", ".join(each.input_names),
                        each.reference,
                        _typeset(each),
                        each.notes,
                    )
                    for each in laws
                ),
                note="isoflop laws NAME shows one in full.",
            ),
            Table("symbols", (Column("law"), *_SYMBOLS), _rows(laws, _symbols), title="Symbols", detail=True),
            Table(
                "published",
                (Column("law"), Column("constant"), Column("value"), *_ENTRY),
                tuple(
                    (each.name, name, float(value), *_entry(entry))
                    for each in laws
                    for entry in each.published
                    for name, value in entry.values.items()
                ),
                title="Published constants",
                detail=True,
            ),
        ),
    )


def _one(question: str, law: Law) -> Answer:
    names = tuple(dict.fromkeys(name for entry in law.published for name in entry.values))
    published = Table(
        "published",
        (_ENTRY[0], *(Column(identifier(name), name) for name in names), *_ENTRY[1:]),
        tuple(
            (
                entry.key,
                *(float(entry.values[name]) if name in entry.values else None for name in names),
                *_entry(entry)[1:],
            )
            for entry in law.published
        ),
        title="Published constants",
    )
    return Answer(
        question=question,
        title=law.name,
        headline=literal(_typeset(law)),
        equation=f"{law.response} = {law.stated or law.formula}",
        tables=(Table("symbols", _SYMBOLS, tuple(_symbols(law))), *((published,) if law.published else ())),
        method=" ".join(filter(None, (law.notes, f"Source: {law.reference}." if law.reference else ""))),
        provenance={"formula": law.formula, "where": dict(law.where)},
    )


_SYMBOLS: Final = (
    Column("symbol"),
    Column("role"),
    Column("domain"),
    Column("meaning"),
    Column("rule", detail=True),
    Column("settings", detail=True),
)
_ENTRY: Final = (
    Column("key"),
    Column("label"),
    Column("source"),
    Column("data"),
    Column("convention", "N counts"),
    Column("unit"),
)


def _typeset(law: Law) -> str:
    from isoflop.laws.unicode import typeset

    return "; where ".join(typeset(law))


def _rows(laws: tuple[Law, ...], rows_of: Callable[[Law], list[tuple[Cell, ...]]]) -> tuple[tuple[Cell, ...], ...]:
    """The rows of every law, with its name in front."""
    return tuple((each.name, *row) for each in laws for row in rows_of(each))


def _symbols(law: Law) -> list[tuple[Cell, ...]]:
    return [
        *(
            (each.name, "input", "", each.meaning + _origin(law, each.name), *_rule(law, each.name))
            for each in law.inputs
        ),
        *((each.name, "parameter", _domain(each.domain), each.meaning, None, None) for each in law.params),
        *((each.name, "found by search", "", each.meaning, None, None) for each in law.searched),
    ]


def _entry(entry: Published) -> tuple[Cell, ...]:
    return entry.key, entry.label, entry.source, entry.data, entry.convention or "", entry.unit


def _domain(domain: str | tuple[float, float]) -> str:
    return domain if isinstance(domain, str) else " to ".join(number(each, "number") for each in domain)


def _origin(law: Law, column: str) -> str:
    """From which columns one that a table lacks is computed."""
    from isoflop.runs.prepare import RULES

    if column not in law.prepared:
        return ""
    return f" (where absent, computed from {' and '.join(RULES[law.prepared[column].rule].needs)})"


def _rule(law: Law, column: str) -> tuple[str | None, str | None]:
    """The rule by which a column that a table lacks is computed, and its settings."""
    how = law.prepared.get(column)
    return (
        (None, None)
        if how is None
        else (how.rule, ", ".join(f"{name} = {each}" for name, each in how.settings.items()))
    )
