"""A store: one Parquet file of runs, a row a run, and Parquet curves sorted by run and step.

``runs.parquet`` is the whole truth: its column ``curve`` names the file under ``curves/`` that holds a run's curve, and
its metadata hold the rules by which the losses were chosen. A file that it does not name is no part of the store, so
replacing ``runs.parquet`` in one step is all that makes a change take place. A folder that a sweep left
(``runs.parquet`` and ``curves.parquet``) is a store without rules.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.bounds import refuse_file
from isoflop.runs.parquet_files import refuse_letters, refuse_values, without_panics
from isoflop.values import Value

RUNS: Final = "runs.parquet"
CURVES: Final = "curves.parquet"
PARTS: Final = "curves"
KEY: Final = "isoflop"  # of the Parquet file's metadata
SCHEMA: Final = "isoflop.store/1"

CURVE: Final = "curve"  # the column of runs that names the file of a run's curve
METRIC: Final = "loss_metric"  # the column of runs that names the column of the curve that counts as its loss
_TEXTS: Final = ("run", CURVE, "format", "source", "status", "digest", "settings", METRIC)
_WORDS: Final = ("family", "N_convention", "loss_unit", "loss_rule", "schedule", "seed", "derived")
_NUMBERS: Final = (
    "N", "D", "U", "epochs", "C", "loss", "loss_step", "steps", "batch", "context", "lr", "warmup", "S1", "S2", "rows",
)  # fmt: skip
_FLOATS: Final = ("loss", "val_loss", "train_loss", "lr", "rate", "tokens")  # of curves, whoever wrote them
_NEEDED: Final = ("loss", "rows")  # of the numbers; the others are asked for where they are used
_LONGEST: Final = 200  # characters of a message that come from a file
_SHOWN: Final = 3


@dataclass(frozen=True)
class Store(Value):
    """What a folder of runs holds.

    runs: the rows of ``runs.parquet``. record: its metadata: ``schema``, ``rules`` and ``says``, the rules in words;
    empty for a folder that a sweep left.
    """

    folder: Path
    runs: pl.DataFrame
    record: Mapping[str, Any]

    @property
    def parts(self) -> tuple[Path, ...]:
        """The files of curves."""
        if CURVE in self.runs.columns:
            return tuple(self.folder / name for name in self.runs[CURVE].drop_nulls().unique().sort().to_list())
        return (self.folder / CURVES,) if (self.folder / CURVES).is_file() else ()


def is_store(path: Path) -> bool:
    """Whether a path is a folder with ``runs.parquet`` in it."""
    return (path / RUNS).is_file()


def open_store(folder: str | Path) -> Store:
    """The store in a folder. Raises DataError: no store there, damaged, or written by a later release."""
    folder = Path(folder)
    path = folder / RUNS
    if not path.is_file():
        raise DataError(f"{str(folder)!r} holds no {RUNS}; make a store with isoflop import SOURCE -o {folder}")
    try:
        refuse_file(path)
        refuse_values(path)
        data = path.read_bytes()  # once: between two looks at the path another import may have replaced it
        with without_panics():
            runs = pl.read_parquet(io.BytesIO(data))
        refuse_letters(runs)
        record = json.loads(pl.read_parquet_metadata(io.BytesIO(data)).get(KEY, "{}"))
    except (*_UNREADABLE, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {_reason(error)}; import the logs again") from None
    if not isinstance(record, dict) or not isinstance(record.get("rules", {}), dict):
        raise DataError(f"{path} is damaged: its record of rules cannot be read; import the logs again")
    if record.get("schema", SCHEMA) != SCHEMA:
        shown = str(record["schema"])[:_LONGEST]
        raise DataError(f"{path} has schema {shown!r}, this release reads {SCHEMA!r}; import the logs again")
    _check(path, runs, record)
    return Store(folder, runs, record)


# A PanicException of Polars, which damaged pages raise, derives from BaseException and is named here for itself.
_UNREADABLE: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, MemoryError)


def _reason(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:_LONGEST] if str(error).strip() else type(error).__name__


def _check(path: Path, runs: pl.DataFrame, record: Mapping[str, Any]) -> None:
    """The columns that everything here relies on, and that no file is named outside the folder."""
    texts = [name for name in _TEXTS if record or name == CURVE]
    for name in texts:
        lacks = name not in runs.columns and record
        if lacks or (name in runs.columns and runs[name].dtype not in (pl.String, pl.Null)):
            raise DataError(
                f"{path} is damaged: its column {name!r} is {'absent' if lacks else 'no text'}; import again"
            )
    plain = [name for name, kind in runs.schema.items() if _numeric(kind) or kind == pl.String]
    nested = next((name for name in runs.columns if record and name not in plain), None)
    if nested is not None:
        raise DataError(
            f"{path} is damaged: its column {nested[:_LONGEST]!r} holds neither numbers nor text; import again"
        )
    told = next((name for name in _WORDS if record and name in runs.columns and _number(runs[name].dtype)), None)
    if told is not None:
        raise DataError(f"{path} is damaged: its column {told!r} is no text; import again")
    absent = next((name for name in _NEEDED if record and name not in runs.columns), None)
    if absent is not None:
        raise DataError(f"{path} is damaged: its column {absent!r} is absent; import again")
    words = next(
        (each for each in _NUMBERS if record and each in runs.columns and not _numeric(runs[each].dtype)), None
    )
    if words is not None:
        raise DataError(f"{path} is damaged: its column {words!r} holds no numbers; import again")
    if record and (runs["run"].null_count() or not runs["run"].is_unique().all()):
        raise DataError(f"{path} is damaged: two of its rows have the same run, or one has none; import again")
    named = runs[CURVE].drop_nulls().to_list() if CURVE in runs.columns else []
    foreign = next((name for name in named if Path(name).is_absolute() or ".." in Path(name).parts), None)
    if foreign is not None:
        raise DataError(
            f"{path} is damaged: it names {foreign[:_LONGEST]!r}, which lies outside the store; import again"
        )


def _number(kind: pl.DataType) -> bool:
    return _numeric(kind) and kind != pl.Null


def _numeric(kind: pl.DataType) -> bool:
    return kind.is_numeric() or kind in (pl.Null, pl.Boolean)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """What reads a file of curves: damage becomes a DataError that names the file."""
    try:
        refuse_values(path)
        with without_panics():
            yield
    except FileNotFoundError:
        raise DataError(
            f"{str(path)!r} is gone, and {RUNS} names it; import the logs again into a new folder"
        ) from None
    except _UNREADABLE as error:
        raise DataError(
            f"{path.name} of the store {path.parent.parent.name} is damaged ({_reason(error)}); import the logs again "
            "into a new folder"
        ) from None


def scan_curves(store: Store, *, parts: Sequence[Path] | None = None) -> pl.LazyFrame:
    """The curves, lazily: ``run``, ``step``, ``loss`` (the one that counts by the store's rules) and what was logged.

    ``loss`` is null at steps where the curve that counts was not logged.
    Raises DataError where the store has no curves, or a file of them is gone.
    """
    chosen = store.parts if parts is None else tuple(parts)
    if not chosen:
        raise DataError(f"{str(store.folder)!r} holds runs and no curves; import the logs themselves (isoflop import)")
    for path in chosen:
        if not path.is_file():
            raise DataError(f"{str(path)!r} is gone, and {RUNS} names it; import the logs again into a new folder")
    scans = []
    for path in chosen:
        with reading(path):
            scan = pl.scan_parquet(path, hive_partitioning=False, glob=False)
            schema = scan.collect_schema()
        check_curves(path.name, schema, ours=bool(store.record))
        other = [each for each in _FLOATS if each in schema and schema[each] != pl.Float64 and _numeric(schema[each])]
        scans.append(scan.with_columns(pl.col(each).cast(pl.Float64) for each in other))
    curves = scans[0] if len(scans) == 1 else pl.concat(scans, how="diagonal_relaxed")
    return _with_loss(curves, store.runs)


def part_metrics(store: Store) -> list[str]:
    """The metrics of all files of curves. Raises DataError: damaged."""
    names: dict[str, None] = {}
    for path in store.parts:
        with reading(path):
            schema = pl.scan_parquet(path, hive_partitioning=False, glob=False).collect_schema()
        check_curves(path.name, schema, ours=bool(store.record))
        names |= dict.fromkeys(name for name in schema if name not in ("run", "step"))
    return list(names)


def check_curves(name: str, schema: Mapping[str, pl.DataType], *, ours: bool) -> None:
    """The columns of a file of curves, ``ours`` where an import wrote it: all numbers, but for the run.

    Raises DataError: damaged.
    """
    missing = {"run", "step"} - set(schema)
    if missing:
        raise DataError(f"{name} is damaged: it has no column {min(missing)!r}; import the logs again")
    wrong = [each for each, kind in schema.items() if (ours or each == "step") and each != "run" and not _numeric(kind)]
    if schema["run"] != pl.String or wrong:
        which = wrong[0][:_LONGEST] if wrong else "run"
        kind = "numbers" if wrong else "text"
        raise DataError(f"{name} is damaged: its column {which!r} holds no {kind}; import the logs again")


def _with_loss(curves: pl.LazyFrame, runs: pl.DataFrame) -> pl.LazyFrame:
    """The curves with ``loss`` as the metric that counts, run by run."""
    there = set(curves.collect_schema().names())
    if METRIC not in runs.columns:
        return curves
    named = runs.select("run", METRIC).drop_nulls().filter(pl.col(METRIC).is_in(list(there)))
    metrics = named[METRIC].unique().sort().to_list()
    if not metrics and "loss" not in there:
        return curves.with_columns(pl.lit(None, dtype=pl.Float64).alias("loss"))
    if not metrics or metrics == ["loss"]:
        return curves
    if len(metrics) == 1:
        return curves.with_columns(pl.col(metrics[0]).alias("loss"))
    chosen = pl.lit(None, dtype=pl.Float64)
    for metric in metrics:
        mine = named.filter(pl.col(METRIC) == metric)["run"].implode()
        chosen = pl.when(pl.col("run").is_in(mine)).then(pl.col(metric)).otherwise(chosen)
    return curves.with_columns(chosen.alias("loss"))


def curve_batches(store: Store, columns: Sequence[str], *, rows: int) -> Iterator[pl.DataFrame]:
    """The curves in batches of whole runs of at most some ``rows`` rows (a longer run comes alone), sorted by step.

    columns: of the curves, ``loss`` as :func:`scan_curves` has it; those that no curve has are null.
    """
    for part in store.parts:
        with reading(part):
            yield from _part_batches(store, part, columns, rows)


def _part_batches(store: Store, part: Path, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
    """The batches of one file of curves."""
    scan = scan_curves(store, parts=(part,))
    there = set(scan.collect_schema().names())
    scan = scan.select(
        "run", "step", *(pl.col(c) if c in there else pl.lit(None, dtype=pl.Float64).alias(c) for c in columns)
    )
    stretches = scan.select("run").collect()["run"].rle()
    names, lengths = stretches.struct.field("value"), stretches.struct.field("len")
    if names.n_unique() < len(names):  # a table of another hand, in which runs do not lie together
        counts = scan.group_by("run", maintain_order=True).agg(pl.len().alias("rows")).collect()
        for _, some in _batches(counts["rows"].to_list(), rows):
            mine = scan.filter(pl.col("run").is_in(counts["run"][some].implode()))
            yield mine.sort("run", "step", maintain_order=True).collect()
        return
    for begin, some in _batches(lengths.to_list(), rows):
        batch = scan.slice(begin, int(lengths[some].sum())).collect()
        yield batch if _in_order(batch) else batch.sort("run", "step", maintain_order=True)


def _batches(lengths: Sequence[int], rows: int) -> Iterator[tuple[int, slice]]:
    """Neighboring runs of at most ``rows`` rows together: the first row, and which runs."""
    begin = first = held = 0
    for position, length in enumerate(lengths):
        if held and held + length > rows:
            yield begin, slice(first, position)
            begin, first, held = begin + held, position, 0
        held += length
    if held:
        yield begin, slice(first, len(lengths))


def _in_order(batch: pl.DataFrame) -> bool:
    """Whether every run's steps ascend already."""
    run, step = pl.col("run"), pl.col("step")
    falls = (step < step.shift(1)) & (run == run.shift(1))
    return not batch.select(falls.any()).item()


def store_findings(store: Store) -> list[Finding]:
    """What to know before the runs are used: the rules, runs that did not finish, units that differ."""
    found = []
    if store.record.get("says"):
        found.append(
            Finding(
                "loss-rule",
                "note",
                f"of each run, {store.record['says']}.",
                f"Choose again with isoflop import -o {store.folder.name} --rule last:10 (or --loss NAME).",
            )
        )
    runs = store.runs
    if store.record and "status" in runs.columns:
        open_ended = runs.filter(pl.col("status").is_in(["running", "crashed"]))
        if open_ended.height:
            found.append(
                Finding(
                    "unfinished-runs",
                    "warning",
                    f"{open_ended.height} of {runs.height} runs did not finish ({_listed(open_ended['run'])}): their "
                    "learning rate was still high, and their loss is not that of a run planned so short.",
                    "Keep the others with --where \"status == 'finished'\".",
                )
            )
        diverged = runs.filter(pl.col("status") == "diverged")
        if diverged.height:
            found.append(
                Finding(
                    "diverged-runs",
                    "note",
                    f"{diverged.height} of {runs.height} runs diverged and have no loss ({_listed(diverged['run'])}).",
                    'Leave them out with --where "finite(loss)".',
                )
            )
    if "loss_unit" in runs.columns:
        units = runs.filter(pl.col("loss").is_finite())["loss_unit"].drop_nulls().unique().sort().to_list()
        if len(units) > 1:
            found.append(
                Finding(
                    "mixed-units",
                    "error",
                    f"the losses are in {' and in '.join(units)}, which no law can fit together.",
                    f"Keep one with --where \"loss_unit == '{units[0]}'\".",
                )
            )
    return found


def _listed(names: pl.Series) -> str:
    shown = ", ".join(names[:_SHOWN].to_list())
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
