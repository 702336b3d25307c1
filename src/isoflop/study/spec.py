"""``Study``: which runs, which laws, how they are fitted, and what is asked of them.

    laws = ["chinchilla", "E + A/N^alpha + B/D^beta"]    # the first answers the questions
    objective = "huber:1e-3"
    draws = 1000

    [runs]
    file = "runs.csv"                                     # beside the study; or data = "epoch-chinchilla"
    where = "loss < 3.44"

    [plan]
    budgets = ["1e24"]

A table that is there is a question that is asked: plan, forecast, methods, backtest, rank, influence, sensitivity,
report.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isoflop.errors import SpecError
from isoflop.toml_table import Table, check_number

MOST_BYTES = 1_000_000
QUESTIONS = ("plan", "forecast", "methods", "backtest", "rank", "influence", "sensitivity", "report")


@dataclass(frozen=True)
class RunsSpec:
    """A file (relative to the study) or a data set by name, and how to read it; without both, the runs in the box."""

    file: str | None = None
    data: str | None = None
    where: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PlanQuestion:
    """Training budgets in FLOPs, and tokens to be served."""

    budgets: tuple[float, ...] = ()
    served: float | None = None


@dataclass(frozen=True)
class ForecastQuestion:
    """Points: each has a number for every input of the law."""

    at: tuple[Mapping[str, float], ...] = ()


@dataclass(frozen=True)
class HoldOutQuestion:
    """What is held out (``N:20%``), in how many windows, family by family or not."""

    hold_out: str | None = None
    windows: int = 1
    per_family: bool = False
    draws: int = 300


@dataclass(frozen=True)
class BudgetQuestion:
    """A budget where N* is asked, ten times the largest run's where there is none; a point where the loss is."""

    budget: float | None = None
    at: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """One analysis. ``folder``: what ``runs.file`` is relative to. A question that is None is not asked."""

    laws: tuple[str, ...] = ("chinchilla",)
    runs: RunsSpec = RunsSpec()
    objective: str = "huber:1e-3"
    draws: int = 1_000
    seed: int = 0
    level: float = 0.9
    fix: Mapping[str, float] = field(default_factory=dict)
    tie: Mapping[str, str] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)
    plan: PlanQuestion | None = None
    forecast: ForecastQuestion | None = None
    methods: BudgetQuestion | None = None
    backtest: HoldOutQuestion | None = None
    rank: HoldOutQuestion | None = None
    influence: BudgetQuestion | None = None
    sensitivity: BudgetQuestion | None = None
    report: BudgetQuestion | None = None
    folder: Path = Path()


def read_study(path: str | Path) -> Study:
    """The study of a TOML file.

    Raises SpecError: no such file, not TOML, unknown keys (with the nearest), values of the wrong kind, runs that are
    not there.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise SpecError(f"{path.name} has {size:,} bytes, which is no study; give a TOML file of a few lines")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"the study {str(path)!r} cannot be read: {error.strerror}; check its path") from None
    except UnicodeDecodeError:
        raise SpecError(f"{path.name} is not text; a study is a TOML file") from None
    return parse_study(text, name=path.name, folder=path.parent)


def parse_study(text: str, *, name: str = "the study", folder: Path = Path()) -> Study:
    """The study of a text; ``folder`` is what its file of runs is relative to. Raises SpecError as ``read_study``."""
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SpecError(f"{name} is not TOML: {error}") from None
    top = Table(values, name)
    top.allow("laws", "objective", "draws", "seed", "level", "runs", "fix", "tie", "domain", *QUESTIONS)
    level = top.number("level", 0.9, low=0.0, high=1.0)
    laws = top.texts("laws", ("chinchilla",))
    if not laws:
        raise SpecError(f'laws in {name} names none; write laws = ["chinchilla"]')
    return Study(
        laws=laws,
        runs=_runs(top.table("runs"), folder),
        objective=top.text("objective", "huber:1e-3"),
        draws=top.whole("draws", 1_000, low=20),
        seed=top.whole("seed", 0, low=0),
        level=level,
        fix=_numbers(top.table("fix")),
        tie=_texts(top.table("tie")),
        domain=_texts(top.table("domain")),
        plan=_plan(top) if "plan" in values else None,
        forecast=_forecast(top) if "forecast" in values else None,
        methods=_budget(top, "methods", point=False) if "methods" in values else None,
        backtest=_hold_out(top, "backtest", windows=1) if "backtest" in values else None,
        rank=_hold_out(top, "rank", windows=3) if "rank" in values else None,
        influence=_budget(top, "influence") if "influence" in values else None,
        sensitivity=_budget(top, "sensitivity") if "sensitivity" in values else None,
        report=_budget(top, "report", point=False) if "report" in values else None,
        folder=folder,
    )


def _runs(table: Table, folder: Path) -> RunsSpec:
    table.allow("file", "data", "where", "columns", "units", "conventions")
    file, data, where = (table.text(key, "") or None for key in ("file", "data", "where"))
    if file and data:
        raise SpecError(f"[runs] names a file ({file!r}) and a data set ({data!r}); keep one")
    if file and not (folder / file).exists():
        raise SpecError(f"[runs] file = {file!r} is not there; it is looked for beside the study")
    return RunsSpec(
        file=file,
        data=data,
        where=where,
        columns=_texts(table.table("columns")),
        units=_texts(table.table("units")),
        conventions=_texts(table.table("conventions")),
    )


def _texts(table: Table) -> dict[str, str]:
    return {key: table.text(key, "") for key in table.values}


def _numbers(table: Table) -> dict[str, float]:
    return {key: check_number(value, f"{key} in {table.where}", -1e300, 1e300) for key, value in table.values.items()}


def _plan(top: Table) -> PlanQuestion:
    table = top.table("plan")
    table.allow("budgets", "served")
    budgets = table.numbers("budgets", low=1.0)
    if not budgets:
        raise SpecError('[plan] asks of no budget; write budgets = ["1e24"]')
    return PlanQuestion(budgets, table.number("served", 0.0) or None)


def _forecast(top: Table) -> ForecastQuestion:
    table = top.table("forecast")
    table.allow("at")
    points = table.values.get("at", [])
    if not isinstance(points, list) or not points or not all(isinstance(point, Mapping) for point in points):
        raise SpecError('[forecast] needs points; write at = [{ N = "70B", D = "1.4T" }]')
    return ForecastQuestion(tuple(_numbers(Table(point, "[forecast]")) for point in points))


def _hold_out(top: Table, name: str, *, windows: int) -> HoldOutQuestion:
    table = top.table(name)
    table.allow("hold_out", "windows", "per_family", "draws")
    return HoldOutQuestion(
        hold_out=table.text("hold_out", "") or None,
        windows=table.whole("windows", windows),
        per_family=table.flag("per_family", False),
        draws=table.whole("draws", 300, low=20),
    )


def _budget(top: Table, name: str, *, point: bool = True) -> BudgetQuestion:
    table = top.table(name)
    table.allow("budget", *(("at",) if point else ()))
    return BudgetQuestion(budget=table.number("budget", 0.0) or None, at=_numbers(table.table("at")) if point else {})


def study_toml(study: Study) -> str:
    """The study as a TOML text that :func:`parse_study` reads back."""
    lines = [
        f"laws = {_list(study.laws)}",
        f"objective = {_quoted(study.objective)}",
        f"draws = {study.draws}",
        f"seed = {study.seed}",
        f"level = {study.level!r}",
    ]
    runs = {key: getattr(study.runs, key) for key in ("file", "data", "where") if getattr(study.runs, key)}
    lines += _table("runs", runs)
    for name in ("columns", "units", "conventions"):
        lines += _table(f"runs.{name}", getattr(study.runs, name), always=False)
    lines += _table("fix", study.fix, always=False) + _table("tie", study.tie, always=False)
    lines += _table("domain", study.domain, always=False)
    for name in QUESTIONS:
        asked = getattr(study, name)
        if asked is not None:
            lines += _table(name, {key: value for key, value in vars(asked).items() if value not in (None, (), {})})
    return "\n".join(lines) + "\n"


def _table(name: str, values: Mapping[str, Any], *, always: bool = True) -> list[str]:
    if not values and not always:
        return []
    return ["", f"[{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in values.items())]


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case Mapping():
            return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + " }"
        case list() | tuple():
            return _list(value)
    return repr(value)


def _list(values: tuple[object, ...] | list[object]) -> str:
    return "[" + ", ".join(_value(value) for value in values) + "]"


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else _quoted(key)


def _quoted(text: str) -> str:
    """A basic string: quotes, backslashes and what is no printable character are escaped."""
    plain = "".join(
        f"\\u{ord(each):04x}" if ord(each) < 32 or ord(each) == 127 else each.replace("\\", "\\\\").replace('"', '\\"')
        for each in text
    )
    return f'"{plain}"'
