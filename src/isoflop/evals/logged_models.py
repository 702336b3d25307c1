"""Evaluations as programs logged them, brought together with what is known of their models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError
from isoflop.evals.items import MODEL_COLUMNS, Items, rows_of
from isoflop.findings import Finding
from isoflop.runs import Runs

_STEP: Final = "step"


@dataclass(frozen=True)
class Evaluated:
    """What one model did in one evaluation.

    model: its name. settings: of its training and checkpoint, as ``step`` and ``tokens``. rows: see
    :data:`isoflop.evals.items.SCHEMA`, without the model. time: when it was evaluated, in a form that sorts.
    """

    model: str
    settings: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    time: str
    source: str
    findings: Sequence[Finding] = field(default=())

    @property
    def key(self) -> str:
        """The model and its checkpoint."""
        step = self.settings.get(_STEP)
        return self.model if step is None else f"{self.model}@{step}"


def items_of(evaluated: Sequence[Evaluated], source: str) -> Items:
    """The items of several evaluations; of two of one task by one model the later one counts.

    Samples count before the scores of a whole task.
    """
    findings = [each for one in evaluated for each in one.findings]
    latest: dict[tuple[str, str, bool], tuple[str, list[dict[str, Any]]]] = {}
    replaced: dict[str, None] = {}
    for one in sorted(evaluated, key=lambda each: each.time):
        parts: dict[tuple[str, str, bool], list[dict[str, Any]]] = {}
        for row in one.rows:
            single = row.get("item") is not None
            parts.setdefault((one.key, row["task"], single), []).append({**row, "model": one.key})
        for part, rows in parts.items():
            if part in latest and latest[part][0] != one.time:
                replaced[f"{part[1]} by {part[0]}"] = None
                latest[part] = (one.time, rows)
            elif part in latest:
                latest[part][1].extend(rows)
            else:
                latest[part] = (one.time, rows)
    if replaced:
        findings.append(
            Finding(
                "evaluated-again",
                "note",
                f"{len(replaced)} evaluations were made again, such as {next(iter(replaced))}; the last one counts.",
                "Give the folder of one evaluation alone if another one is meant.",
            )
        )
    rows = [
        row for part, (_, held) in latest.items() if part[2] or (part[0], part[1], True) not in latest for row in held
    ]
    return Items(rows_of(rows), _models(evaluated), source, findings=tuple(findings))


def _models(evaluated: Sequence[Evaluated]) -> pl.DataFrame:
    known: dict[str, dict[str, Any]] = {}
    for one in evaluated:
        own = known.setdefault(one.key, {"model": one.key, "run": one.model})
        for name, setting in (("step", _STEP), ("D", "tokens"), ("date", "date")):
            if one.settings.get(setting) is not None:
                own.setdefault(name, one.settings[setting])
    kinds = {"model": pl.String, "run": pl.String, "step": pl.Float64, "D": pl.Float64, "date": pl.String}
    names = [name for name in kinds if any(name in each for each in known.values())]
    return pl.DataFrame(
        {name: pl.Series(name, [each.get(name) for each in known.values()], dtype=kinds[name], strict=False)
         for name in names}
    )  # fmt: skip


def with_models(items: Items, table: Runs) -> Items:
    """The items with N, D, C, date and family of their models from a table of models or runs.

    A model is found by its name or the last part of its path; of checkpoints, by the same ``step`` where the table has
    steps. Raises DataError where the table names no model, or none of these.
    """
    names = next((each for each in ("model", "run", "name", "Model", "model_name") if each in table), None)
    if names is None:
        raise DataError(f"{table.source} names no model; give it a column model beside N and D")
    frame = table.frame.with_columns(pl.Series("_name", [_last(each) for each in table.text(names)]))
    parted = _STEP in frame.columns and _STEP in items.models.columns
    own = [
        name for name in MODEL_COLUMNS if name in frame.columns and name not in ("model", "run", *([_STEP] * parted))
    ]
    if not parted:
        frame = frame.unique("_name", keep="last", maintain_order=True)
    keys = ["_name", *([_STEP] if parted else [])]
    told = frame.select(*keys, *own).unique(keys, maintain_order=True)
    models = items.models.with_columns(pl.Series("_name", [_last(each) for each in items.models["run"]]))
    if parted:
        told, models = (each.with_columns(pl.col(_STEP).cast(pl.Float64)) for each in (told, models))
    joined = models.join(told, on=keys, how="left", maintain_order="left", suffix="_told")
    found = joined.select(pl.any_horizontal(pl.col(name if name not in models.columns else f"{name}_told").is_not_null()
                                            for name in own)) if own else None  # fmt: skip
    if found is None or not found.to_series().any():
        raise DataError(
            f"{table.source} names none of the models {', '.join(items.names[:3])}; name them there as they are here"
        )
    for name in own:
        if f"{name}_told" in joined.columns:
            joined = joined.with_columns(pl.coalesce(f"{name}_told", name).alias(name))
    lost = int((~found.to_series()).sum())
    findings = [
        Finding(
            "unknown-models",
            "warning",
            f"{table.source} does not know {lost} of {len(joined)} models, such as "
            f"{joined.filter(~found.to_series())['model'][0]}; they have no scale.",
            "Add them to the table of models.",
        )
    ] if lost else []  # fmt: skip
    kept = joined.select(each for each in MODEL_COLUMNS if each in joined.columns)
    return Items(items.rows, kept, items.source, items.chances, items.ceilings, (*items.findings, *findings))


def _last(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2].lower()
