"""What questions share: how the runs are read, which law is fitted with which restrictions, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.errors import DataError, IsoflopError
from isoflop.questions.base.kinds import Count, Number, Numbers, Text, Texts, Words
from isoflop.questions.base.option import option

if TYPE_CHECKING:
    from isoflop.laws import Law
    from isoflop.runs import Runs
    from isoflop.uncertainty.prior import Prior

LEVEL = Number(low=0.0, high=1.0, open=True)
DEFAULT_DRAWS = 1000


@dataclass(frozen=True)
class RunsSpec:
    """How a table of runs is read.

    source: a file, a store, or a data set's name; the bundled example runs where it is None. folder: where a relative
    path starts.
    """

    source: str | None = None
    columns: Mapping[str, str] = option(
        Words("N=HEADER"), {}, flag="column", help="Header that is N, D, loss or another input; repeatable."
    )
    where: str | None = option(Text("EXPR"), help="Rows to keep, as \"tokens > 1e9 and family == 'a'\".")
    units: Mapping[str, str] = option(
        Words("loss=UNIT"), {}, flag="unit", help="Unit of the loss: nats/token, bits/byte, perplexity, error rate …"
    )
    conventions: Mapping[str, str] = option(
        Words("N=WORD"), {}, flag="convention", help="What N counts: total, non-embedding or active parameters."
    )
    derive: Mapping[str, str] = option(
        Words("D=FORMULA"), {}, flag="derive", help='Column computed from others, as "D=steps*batch*2048"; repeatable.'
    )
    best: str | None = option(
        Text("COLUMN"), help="Column whose lowest row of each setting is kept, as loss (-COLUMN: the highest)."
    )
    per: tuple[str, ...] = option(
        Texts("COLUMN"), (), flag="per", help="Column that is a setting for --best and --frontier, as N; repeatable."
    )
    within: float = option(
        Number(low=0.0, high=0.999), 0.0, help="With --best, share above the best up to which rows are kept, as 0.0025."
    )
    frontier: str | None = option(
        Text("COLUMN"), help="Column, as C: keep rows with a lower loss than every row with no more of it."
    )
    folder: Path = Path()

    @property
    def store(self) -> Path | None:
        """The folder of the store that is read; None for a file or a data set."""
        from isoflop.runs.store import is_store

        path = None if self.source is None else self.folder / Path(self.source).expanduser()
        return path if path is not None and is_store(path) else None

    def read(self) -> Runs:
        """The runs; raises DataError for what cannot be read."""
        from isoflop.runs import read_runs

        if self.source is None:
            from isoflop.runs.datasets import boxes

            if self.columns or self.units or self.conventions:
                raise IsoflopError("--column, --unit and --convention describe a table, and none was given; name one")
            bundled = boxes()
            if not bundled:
                raise DataError("no table was given, and this copy of the package has no example runs; name a table")
            return self._of_data_set(bundled[0].name)
        if not self.source.strip():
            raise DataError("the name of the table is empty; give a file, a data set (isoflop datasets) or nothing")
        place = self.folder / self.source
        if not place.exists():
            from isoflop.runs.datasets import is_data_set

            if is_data_set(self.source):
                return self._of_data_set(self.source)
        return read_runs(
            place,
            columns=self.columns,
            where=self.where,
            units=self.units,
            conventions=self.conventions,
            derive=self.derive,
            best=self.best,
            per=self.settings,
            within=self.within,
            frontier=self.frontier,
        )

    @property
    def settings(self) -> tuple[str, ...]:
        """The columns of ``per``, which may also stand in one text between commas."""
        return tuple(name.strip() for each in self.per for name in each.split(",") if name.strip())

    def _of_data_set(self, name: str) -> Runs:
        from isoflop.runs.datasets import load
        from isoflop.runs.derive import with_derived
        from isoflop.runs.reduce import reduced

        if self.columns or self.units or self.conventions:
            runs = load(name, columns=self.columns, units=self.units, conventions=self.conventions, derive=self.derive)
        else:
            runs = with_derived(load(name), self.derive)
        runs = runs if self.where is None else runs.where(self.where)
        return reduced(runs, best=self.best, per=self.settings, within=self.within, frontier=self.frontier)


@dataclass(frozen=True)
class LawSpec:
    """A law, by name or as a formula, with its restrictions."""

    law: str | None = option(Text("LAW"), help='Law: a name (isoflop laws) or a formula, as "E + A/N^alpha".')
    inputs: tuple[str, ...] = option(
        Texts("NAME"), (), flag="input", help="Further column that is an input of the formula; repeatable."
    )
    fixed: Mapping[str, float] = option(Numbers("E=1.69"), {}, flag="fix", help="Parameter set to a value; repeatable.")
    tied: Mapping[str, str] = option(
        Words("beta=alpha"), {}, flag="tie", help="Parameter set to a formula of others; repeatable."
    )
    domains: Mapping[str, str] = option(
        Words("E=real"), {}, flag="domain", help="Domain of a parameter: real, positive or LOW:HIGH; repeatable."
    )

    def build(self, columns: tuple[str, ...], *, default: str | None = None) -> Law:
        """The law for a table with these headers; raises IsoflopError where none is named and there is no default."""
        from isoflop.laws import fix, law, tie
        from isoflop.laws.restrict import parse_domain

        text = self.law or default
        if text is None:
            raise IsoflopError('no law was named; give --law chinchilla, or a formula as --law "E + A/N^alpha"')
        domains = {}
        for name, ends in self.domains.items():
            try:
                domains[name] = parse_domain(ends)
            except IsoflopError as error:
                raise IsoflopError(f"domain of {name}: {error}") from None
        chosen = law(text, inputs=self.inputs, columns=columns, domains=domains)
        if self.tied:
            chosen = tie(chosen, self.tied)
        return fix(chosen, self.fixed) if self.fixed else chosen


@dataclass(frozen=True)
class FitSpec:
    """How a law is fitted, and how its uncertainty is drawn."""

    objective: str = option(
        Text("OBJECTIVE"),
        "huber:1e-3",
        help="Objective: huber:WIDTH, lad, lsq or student-t of log loss; raw- in front for raw loss, logit- for "
        "log odds of a score.",
    )
    draws: int = option(Count(low=20, high=1_000_000), DEFAULT_DRAWS, help="Bootstrap draws.")
    resample_by: str | None = option(
        Text("COLUMN"),
        help="Column whose equal values are resampled together, as N; run for single runs. By default runs, or N, the "
        "family, schedule or batch where residuals of one value go together.",
    )
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of starts and draws.")
    starts: int = option(Count(low=1, high=100_000), 64, help="Starts of the search.")
    jobs: int = option(
        Count(low=1, high=1024), 1, help="Cores for the bootstrap, at most all there are.", command_line_only=True
    )


@dataclass(frozen=True)
class LevelSpec:
    """The level of every interval."""

    level: float = option(LEVEL, 0.9, help="Level of the intervals.")


@dataclass(frozen=True)
class PriorSpec:
    """From which prior the model error of every forecast is judged; folder: where a relative path starts."""

    prior: str | None = option(
        Text("FILE"), help="Prior of the model error, written by isoflop calibrate; the shipped one without it."
    )
    folder: Path = Path()

    def read(self) -> Prior | None:
        """The prior, None where none is named; raises SavedError for a file that is none."""
        from isoflop.uncertainty.prior import read_prior

        return None if self.prior is None else read_prior(self.folder / Path(self.prior).expanduser())


def at(spec: RunsSpec, source: str | None) -> RunsSpec:
    """The same reading of another source."""
    return replace(spec, source=source)
