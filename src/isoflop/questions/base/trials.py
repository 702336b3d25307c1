"""Tables whose largest runs are held out, to see how far forecasts of laws were off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.answers import Column, Quantity, Table
from isoflop.errors import IsoflopError, shown
from isoflop.findings import Finding
from isoflop.questions.base.kinds import Choice, Count, Text, Texts
from isoflop.questions.base.option import option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from isoflop.questions.base.context import Context
    from isoflop.validation.forecast_trials import ForecastTable
    from isoflop.validation.forecasts import ForecastValidation

_SINGLY = 3  # tables left out that are told one by one


@dataclass(frozen=True)
class TrialOptions:
    """Tables, their law, and the column by which they are cut."""

    tables: tuple[str, ...] = option(
        Texts("TABLE"), (), positional=True, required=True, help="Tables of runs, data sets, or folders of tables."
    )
    law_text: str = option(Text("LAW"), "chinchilla", flag="law", help="Law that is fitted below each cut.")
    by: str = option(Choice("C|N|D", ("C", "N", "D")), "C", help="Quantity by which the largest runs are held out.")
    draws: int = option(Count(low=20, high=100_000), 300, help="Bootstrap draws for each table and cut.")

    def read(self, context: Context) -> tuple[list[ForecastTable], dict[str, str]]:
        """Every table with the law, each a data set of its own; table → why it cannot be read, where others can.

        Raises IsoflopError for a name that is nothing, and where no table can be read.
        """
        from isoflop.laws import law
        from isoflop.validation.forecast_trials import ForecastTable

        found, without = [], {}
        places = _places(self.tables)
        for place in places:
            try:
                runs = replace(context.runs_spec, source=place).read()
            except IsoflopError as error:
                if len(places) == 1 or not Path(place).exists():
                    raise
                without[place] = str(error)
                continue
            made = law(self.law_text, columns=runs.headers)
            found.append(ForecastTable(dataset=place, name=place, runs=runs, law=made, by=self.by))
        if not found:
            first = next(iter(without))
            raise IsoflopError(f"no table can be read; {first}: {without[first]}")
        return found, without


def _places(asked: tuple[str, ...]) -> list[str]:
    from isoflop.runs.files import READERS

    # text and Markdown in a folder of tables tell about them
    endings, found = [each for each in (*READERS, ".gz") if each not in (".txt", ".md", ".markdown")], []
    for each in asked:
        if not Path(each).is_dir():
            found.append(each)
            continue
        inside = sorted(str(file) for file in Path(each).iterdir() if file.suffix.lower() in endings)
        if not inside:
            raise IsoflopError(f"the folder {shown(each)} has no table ({', '.join(endings)}); name tables")
        found += inside
    return found


def left_out(found: ForecastValidation) -> Iterator[Finding]:
    """The tables that were asked for and of which no run could be forecast, of many the first with a reason."""
    remedy = "Hold out by a column that it has (--by), or give more runs and sizes."
    reasons = [(table, why.rstrip(".")) for table, why in found.without.items()]
    if len(reasons) > _SINGLY:
        table, why = reasons[0]
        message = f"{len(reasons)} tables are left out, as {table}: {why}; --json has the reason of each (without)."
        yield Finding("table-left-out", "warning", message, remedy)
        return
    for table, why in reasons:
        yield Finding("table-left-out", "warning", f"{table} is left out: {why}.", remedy)


def coverage_quantities(found: ForecastValidation) -> Iterator[Quantity]:
    """Coverage and width of both intervals, and what they rest on."""
    held, law = found.methods
    for name, method, label in (("", held, "model error included"), ("law_", law, "if the law holds")):
        yield Quantity(f"{name}coverage", method.coverage, "share", label=f"coverage of the 90% interval, {label}")
        yield Quantity(f"{name}central", method.central, "share", label=f"coverage of the 50% interval, {label}")
        yield Quantity(f"{name}width", method.width, "share", label=f"median width, {label}", note="of the loss")
        yield Quantity(f"{name}error", method.error, "share", label=f"mean relative error, {label}")
        yield Quantity(f"{name}log_density", method.log_density, label=f"mean log density, {label}")
    yield Quantity("forecasts", found.rows, "integer", label="held-out rows forecast")
    yield Quantity("cuts", found.trials, "integer")
    yield Quantity("tables", found.tables, "integer")


def coverage_tables(found: ForecastValidation) -> Iterator[Table]:
    """Coverage by distance and by table, and the probability integral transform in tenths."""
    held, law = found.methods
    by_law = {each[:2]: each for each in law.by_reach}
    yield Table(
        "by_distance",
        (
            Column("low", "from, decades", "number"),
            Column("high", "to", "number"),
            Column("coverage", kind="share"),
            Column("width", kind="share"),
            Column("mre", "MRE", "share"),
            Column("law_coverage", "coverage if the law holds", "share"),
            Column("rows", kind="integer"),
        ),
        tuple(
            (low, high, coverage, width, error, by_law[(low, high)][2], rows)
            for low, high, coverage, width, error, rows in held.by_reach
        ),
        title="By decades beyond the fitted runs",
    )
    yield Table(
        "by_table",
        (
            Column("table"),
            Column("coverage", kind="share"),
            Column("width", kind="share"),
            Column("law_coverage", "coverage if the law holds", "share"),
            Column("law_width", "width if the law holds", "share"),
        ),
        tuple(
            (
                name,
                coverage,
                held.width_by_dataset[name],
                law.by_dataset[name],
                law.width_by_dataset[name],
            )
            for name, coverage in held.by_dataset.items()
        ),
        title="By table",
    )
    yield Table(
        "reliability",
        (
            Column("tenth", kind="integer"),
            Column("share", "share of rows", "share"),
            Column("law_share", "if the law holds", "share"),
        ),
        tuple(
            (place + 1, float(one), float(other))
            for place, (one, other) in enumerate(zip(held.reliability, law.reliability, strict=True))
        ),
        title="Tenth of the forecast distribution in which the measurement lay (even shares are right)",
        detail=True,
    )
