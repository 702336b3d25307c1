"""Writing a store: curves into new files first, then ``runs.parquet`` replaced in one step.

No file that ``runs.parquet`` names is ever changed, so a kill at any moment leaves the old store or the new one. What
it does not name (left by a kill, or replaced by an import) goes when the next import begins.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError
from isoflop.files import FULL, NoSpaceError, write_whole
from isoflop.logs.derive import SCHEMA as COLUMNS
from isoflop.logs.logged import STEP
from isoflop.logs.rules import Rules
from isoflop.runs.store import CURVE, KEY, PARTS, RUNS, SCHEMA, Store, check_curves, open_store, reading

PART_ROWS: Final = 1_000_000  # rows of a file of curves: what an import and a fit hold at once
_GROUP_ROWS: Final = 131_072
_NO_SPACE: Final = ("no space left", "disk quota", "file too large", "os error 28", "os error 122", "os error 27")
_SMALL: Final = PART_ROWS // 4  # a file of fewer rows is written again with what comes after it


def existing(folder: Path) -> Store | None:
    """The store in a folder, None where there is none yet.

    Raises DataError where the folder holds something else.
    """
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise DataError(f"{str(folder)!r} is a file, and a store is a folder; name another with -o")
    if not (folder / RUNS).is_file():
        return None
    store = open_store(folder)
    if not store.record:
        raise DataError(f"{str(folder)!r} holds runs that isoflop import did not write; choose another folder with -o")
    return store


def rules_of(store: Store) -> Rules:
    """The rules by which a store was made."""
    return Rules.from_dict(store.record.get("rules", {}))


def sweep_up(folder: Path, store: Store | None) -> None:
    """Remove files of curves that the store does not name; only for the holder of the folder's lock."""
    named = set() if store is None or CURVE not in store.runs.columns else set(store.runs[CURVE].drop_nulls().to_list())
    for path in (folder / PARTS).glob("*"):
        ours = path.suffix == ".parquet" or path.name.startswith(".")
        if ours and f"{PARTS}/{path.name}" not in named:
            path.unlink(missing_ok=True)


class CurveWriter:
    """Collects curves and writes them in files of about :data:`PART_ROWS` rows, each sorted by run and step.

    ``places`` tells the file of every run that was written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: list[tuple[str, pl.DataFrame]] = []
        self._rows = 0
        numbers = [int(path.stem) for path in (folder / PARTS).glob("*.parquet") if path.stem.isdigit()]
        self._next = max(numbers, default=0) + 1
        self.places: dict[str, str] = {}

    def add(self, run: str, curve: pl.DataFrame) -> None:
        """The curve of a run, sorted by step."""
        if not curve.height:
            return
        self._held.append((run, curve))
        self._rows += curve.height
        if self._rows >= PART_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._held:
            return
        # whole curves sorted by the name of their run, each sorted by step already: nothing is left to sort
        self._held.sort(key=lambda each: each[0])
        frames = [curve.lazy().select(pl.lit(run).alias("run"), *ordered(curve)) for run, curve in self._held]
        name = f"{PARTS}/{self._next:06d}.parquet"
        if len(frames) == 1:  # a long curve is written piece by piece, so that its names are never held all at once
            _write(self._folder / name, frames[0])
        else:
            _write(self._folder / name, pl.concat(pl.collect_all(frames), how="diagonal_relaxed"))
        self.places |= {run: name for run, _ in self._held}
        self._held, self._rows, self._next = [], 0, self._next + 1


def ordered(curve: pl.DataFrame) -> list[str]:
    """The columns of a curve: the step, then the losses, then the others by name."""
    first = [name for name in (STEP, "loss", "val_loss", "train_loss", "lr", "tokens") if name in curve.columns]
    return [*first, *sorted(name for name in curve.columns if name not in first and name != "run")]


def _write(path: Path, frame: pl.DataFrame | pl.LazyFrame) -> None:
    """A file of curves, whole: written beside and moved into place."""
    path.parent.mkdir(exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if isinstance(frame, pl.DataFrame):
            frame.write_parquet(beside, compression="zstd", compression_level=1, row_group_size=_GROUP_ROWS)
        else:
            frame.sink_parquet(beside, compression="zstd", compression_level=1, row_group_size=_GROUP_ROWS)
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        beside.unlink(missing_ok=True)
        told = str(error).lower()
        full = isinstance(error, OSError) and error.errno in FULL
        if full or any(words in told for words in _NO_SPACE):
            raise NoSpaceError(f"no space to write {path.name} in {path.parent}: free some and import again") from None
        raise
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_runs(folder: Path, runs: pl.DataFrame, rules: Rules) -> None:
    """Replace ``runs.parquet``: the moment at which a change takes place."""
    record = {"schema": SCHEMA, "rules": rules.as_dict(), "says": rules.says}
    held = io.BytesIO()
    runs.write_parquet(held, compression="zstd", metadata={KEY: json.dumps(record)})
    write_whole(folder / RUNS, held.getvalue())


def frame_of(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a frame with the columns of every store first, then downstream results and kept settings."""
    columns = {name: pl.Series(name, [row.get(name) for row in rows], dtype=dtype) for name, dtype in COLUMNS.items()}
    for name in sorted({name for row in rows for name in row} - set(COLUMNS)):
        values = [row.get(name) for row in rows]
        numeric = all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values
        )
        columns[name] = (
            pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
            if numeric
            else pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
        )
    return pl.DataFrame(list(columns.values()))


def small_parts(store: Store) -> list[str]:
    """Files of curves so small that they are better written again with what is new."""
    if CURVE not in store.runs.columns:
        return []
    sizes = store.runs.drop_nulls(CURVE).group_by(CURVE).agg(pl.col("rows").sum())
    return sizes.filter(pl.col("rows") < _SMALL)[CURVE].sort().to_list()


def carry_over(folder: Path, part: str, writer: CurveWriter, *, without: Collection[str]) -> None:
    """Write the curves of one file again, those of the runs in ``without`` left out."""
    with reading(folder / part):
        frame = pl.read_parquet(folder / part, hive_partitioning=False, glob=False)
    check_curves(Path(part).name, frame.schema, ours=True)
    for (run,), curve in frame.partition_by("run", as_dict=True, maintain_order=True).items():
        if run not in without:
            writer.add(str(run), _own(curve))


def stored_curve(folder: Path, run: str, part: str) -> pl.DataFrame:
    """The curve of one run as it is stored: its steps and the metrics that it has."""
    with reading(folder / part):
        scan = pl.scan_parquet(folder / part, hive_partitioning=False, glob=False)
        schema = scan.collect_schema()
    check_curves(Path(part).name, schema, ours=True)
    with reading(folder / part):
        return _own(scan.filter(pl.col("run") == run).sort(STEP).collect())


def _own(curve: pl.DataFrame) -> pl.DataFrame:
    """A curve without metrics that only other runs of its file have."""
    return curve.select(name for name in curve.columns if name == STEP or curve[name].null_count() < curve.height)


def goes_on(curve: pl.DataFrame, store: Store, row: Mapping[str, Any]) -> bool:
    """Whether the curve begins with every value that the store has of the run in a row of its table."""
    old = stored_curve(store.folder, row["run"], row[CURVE])
    shared = [name for name in old.columns if name in curve.columns and name != "wall"]
    begin = curve.filter(pl.col(STEP).is_in(old[STEP].implode())).select(shared)
    last = max(1, old.height - 1)  # the last row may have been written in part when it was read
    return begin.height == old.height and begin.head(last).equals(old.select(shared).head(last), null_equal=True)


def remove_empty(folder: Path) -> None:
    """Take back a folder that was made for nothing."""
    for path in (*folder.glob(".lock"), *folder.glob("curves/.*"), *folder.glob("curves/*")):
        path.unlink(missing_ok=True)
    for each in (folder / "curves", folder):
        if each.is_dir() and not any(each.iterdir()):
            each.rmdir()
