"""Tables as logs: CSV, TSV, JSON Lines, Parquet, DuckDB and SQLite, here or at ``s3://``, ``gs://``, ``hf://``.

A table with a column of steps holds curves, of one run or, with a column that names runs, of several; metrics stand in
columns, or in rows of ``metric`` and ``value``. A chart that Weights & Biases exported has a column for each run. A
table without steps has a row for each run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.findings import Finding
from isoflop.logs import sqlite
from isoflop.logs.counts import STEP_UNIT
from isoflop.logs.frames import (
    ADDRESSES,
    COLUMNAR,
    DATABASE,
    LINES,
    TEXT,
    duck_frames,
    kind_of,
    load,
    numbers_of,
    sqlite_frames,
    written_before,
)
from isoflop.logs.hashed_file import Digest, cut_short, head_of
from isoflop.logs.identity import blocks, run_columns
from isoflop.logs.json_lines import holds_array, holds_lines, read_json_lines
from isoflop.logs.logged import STEP, WALL, LogError, LoggedRun, Unread
from isoflop.logs.points import nulls_of
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import is_loss, logged_run
from isoflop.logs.table_steps import EPOCHS, Charted, charted, epochs_note, one_row_a_step, steps_of, twice_note
from isoflop.runs.wide import columns_of_runs
from isoflop.units import parse_quantity
from isoflop.values import Value

_DUCK: Final = b"DUCK"
_RUNS: Final = ("run", "run_id", "run_name", "run id", "run name", "name", "experiment", "exp_name", "model", "id")
_WALLS: Final = ("wall", "_runtime", "wall_time", "walltime", "relative time (process)", "relative time (wall)")
_TOKENS: Final = ("tokens", "tokens_b", "tokens_seen", "n_tokens", "num_tokens", "train_tokens")
_METRIC: Final = ("metric", "tag", "key", "metric_name")
_VALUE: Final = ("value", "metric_value")
_MOST_STEPS: Final = 2**62
_FEWEST_POINTS: Final = 20  # rows of a curve over tokens that has no steps


@dataclass(frozen=True)
class Source(Value):
    """Where a table came from, for the runs made of it: its name if it is one run's, and settings from elsewhere.

    one_run: all rows are one run's, whatever its columns are called.
    """

    format: str
    source: str
    findings: tuple[Finding, ...] = ()
    name: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    one_run: bool = False


def _claims(candidate: Candidate) -> str | None:
    path, head = candidate.path, candidate.head
    kind = kind_of(path.name)
    if kind in DATABASE:
        told = head.startswith(sqlite.MAGIC) or head[8:12] == _DUCK
    elif kind in COLUMNAR:
        told = head.startswith(b"PAR1") and not path.with_suffix(".db").exists()  # Trackio's own copy of its database
    elif kind == ".json":
        told = holds_lines(head) or holds_array(head)
    elif kind in LINES:
        told = head.lstrip()[:1] in (b"{", b"[")
    elif kind in TEXT:
        told = b"\0" not in head and bool(head.strip()) and _has_header(head, kind)
    else:
        told = False
    return str(path) if told else None


def _has_header(head: bytes, kind: str) -> bool:
    line = head.lstrip(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", errors="replace")
    return any(_is_name(cell) for cell in re.split(r"[\t,;]", line))


def _is_name(cell: str) -> bool:
    return bool(re.search(r"[A-Za-z_]", cell)) and cell.strip().lower() not in ("nan", "inf")


def _read(found: Found, options: Options) -> Iterator[LoggedRun | Unread]:
    if found.address:
        yield from _read_address(found)
        return
    path = found.files[0]
    source = Source(found.format, found.source, name=_stem(found.source))
    kind = kind_of(path.name)
    if kind in DATABASE:
        yield from _read_database(path, source)
    else:
        yield from _read_file(path, kind, source)


def _read_file(path: Path, kind: str, source: Source) -> Iterator[LoggedRun]:
    """A table in a file; of one whose compressed bytes end too early, what they hold."""
    if kind in LINES:
        frame, found = read_json_lines(path, source.source)
        made = pl.DataFrame([numbers_of(series) for series in frame])
        yield from runs_of(made, replace(source, findings=(*source.findings, *found)))
        return
    try:
        frame = load(str(path), kind)
    except (OSError, pl.exceptions.PolarsError):
        text, wrong = written_before(path) if path.suffix.lower() == ".gz" and kind not in COLUMNAR else (b"", "")
        if not (wrong and text):
            raise
        frame, source = load(text, kind), replace(source, findings=(cut_short(source.source, wrong),))
    yield from runs_of(frame, source)


def _read_address(found: Found) -> Iterator[LoggedRun]:
    """A table elsewhere, through Polars' own readers."""
    try:
        frame = load(found.address, kind_of(found.address.rstrip("*")) or ".parquet")
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise LogError(f"{found.source} cannot be read ({reason}); check the address and your credentials") from None
    name = found.address.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1]
    yield from runs_of(frame, Source(found.format, name, name=_stem(name)))


def _stem(source: str) -> str:
    kind = kind_of(source)
    return source[: source.lower().rindex(kind)] if kind else source


def _read_database(path: Path, source: Source) -> Iterator[LoggedRun | Unread]:
    frames = sqlite_frames(path) if head_of(path, 16).startswith(sqlite.MAGIC) else duck_frames(path)
    none = True
    for table, frame in frames:
        if frame.height:
            none = False
            own = replace(source, name=f"{source.name}.{table}")
            try:
                yield from runs_of(frame, own)
            except LogError as error:
                yield Unread(f"{source.source} ({table})", str(error))
    if none:
        raise LogError(f"{source.source} is a database without a table that has rows; is it the right one?")


def runs_of(frame: pl.DataFrame, source: Source) -> Iterator[LoggedRun]:
    """The runs in a table; raises LogError where it has no number at all."""
    if opaque := [name for name, kind in frame.schema.items() if kind in (pl.Binary, pl.Object)]:
        frame = frame.drop(opaque)
    bare = [name.strip() for name in frame.columns]
    if bare != frame.columns and len(set(bare)) == len(bare) and all(bare):  # ultralytics pads its headers
        frame = frame.clone()
        frame.columns = bare
    by_word = {_word(name): name for name in reversed(frame.columns)}
    if frame.is_empty() or not any(_is_number(series) for series in frame):
        raise LogError(f"{source.source} has no row with a number; is it a table of runs or of a run's history?")
    frame, step, unit = steps_of(frame)
    if step is not None and not source.one_run and _one_row_a_run(frame, by_word, step):
        step = None
    if step is None:
        tokens = _over_tokens(frame)
        if tokens is not None:
            own = replace(source, findings=(*source.findings, _numbered("no step")))
            yield _curve(frame.sort(tokens).with_row_index(STEP), source.name, STEP, own)
        else:
            yield from _rows_as_runs(frame, by_word, source)
        return
    if unit == EPOCHS:
        frame, step = frame.with_columns(pl.col(step).alias(STEP)), STEP
        note = epochs_note(source.source)
        source = replace(source, settings={**source.settings, STEP_UNIT: unit}, findings=(*source.findings, note))
    chart = charted(frame, step)
    if chart:
        yield from _chart(frame, step, chart, source)
        return
    wide = None if source.one_run else columns_of_runs(frame)
    if wide is not None and wide.clock == step:
        for column, name, size in wide.runs:
            part = frame.select(step, pl.col([column]).alias(wide.value)).drop_nulls()
            sized = {"N": parse_quantity(size)} if size else {}
            if part.height:
                yield _curve(part, name, step, replace(source, settings={**source.settings, **sized}))
        return
    metric = next(
        (by_word[word] for word in _METRIC if word in by_word and frame[by_word[word]].dtype == pl.String), None
    )
    value = next((by_word[word] for word in _VALUE if word in by_word and _is_number(frame[by_word[word]])), None)
    if metric is not None and value is not None:
        frame = _widened(frame, step, metric, value)
    keys, findings = run_columns(frame, step) if not source.one_run else ((), [])
    for name, part in _parts(frame, keys, source):
        yield _curve(part, name, step, replace(source, findings=(*source.findings, *findings)))


def _one_row_a_run(frame: pl.DataFrame, by_word: Mapping[str, str], step: str) -> bool:
    """Whether every row names another run, as in the table of runs that a tracker exports: its step is a setting."""
    name = next((by_word[word] for word in _RUNS if word in by_word and by_word[word] != step), None)
    if name is None or frame[name].dtype != pl.String or frame[name].has_nulls() or not frame[name].is_unique().all():
        return False
    if "state" in by_word and _word(name) == "name":
        return True
    grows = frame.height > 1 and bool((frame[step].diff().drop_nulls() > 0).all())
    return frame.height > 1 and not (grows and _word(name) in ("id", "name", "run_id", "run id"))


def _widened(frame: pl.DataFrame, step: str, metric: str, value: str) -> pl.DataFrame:
    """Rows of (…, step, metric, value) as a column for each metric."""
    others = [name for name in frame.columns if name not in (metric, value)]
    kinds = frame[metric].drop_nulls().unique(maintain_order=True)
    return frame.group_by(others, maintain_order=True).agg(
        pl.col(value).filter(pl.col(metric) == kind).last().alias(kind if kind != step else f"{kind} (logged)")
        for kind in kinds
    )


def _over_tokens(frame: pl.DataFrame) -> str | None:
    """The column of tokens, where the table is a curve over tokens: one such column, all others losses, many rows."""
    tokens = next((name for name in frame.columns if _word(name) in _TOKENS), None)
    others = [name for name in frame.columns if name != tokens]
    told = bool(others) and all(is_loss(name) and frame[name].dtype.is_numeric() for name in others)
    return tokens if tokens is not None and told and frame.height >= _FEWEST_POINTS else None


def _numbered(why: str) -> Finding:
    return Finding(
        "no-steps",
        "note",
        f"the loss curve has {why}; its points were numbered 0, 1, 2, … in their order.",
        "Tokens are as they stand; rules that count steps count points here.",
    )


def _word(name: str) -> str:
    return name.strip().lower()


def _is_number(series: pl.Series) -> bool:
    return series.dtype.is_numeric() and series.count() > 0


def _parts(frame: pl.DataFrame, keys: tuple[str, ...], source: Source) -> Iterator[tuple[str, pl.DataFrame]]:
    """The rows of each run, in the order of their first appearance, with the name made of its keys."""
    if not keys:
        yield source.name, frame
        return
    begins = blocks(frame, keys)
    names = frame[begins].select(keys)
    parts: Iterable[tuple[tuple[Any, ...], pl.DataFrame]]
    if names.is_unique().all():  # one block a run: slices, which copy nothing
        ends = [*begins[1:].tolist(), frame.height]
        slices = (frame[begin:end] for begin, end in zip(begins.tolist(), ends, strict=True))
        parts = zip(names.rows(), slices, strict=True)
    else:
        parts = frame.partition_by(keys, as_dict=True, maintain_order=True).items()
    for values, part in parts:
        if any(value is not None for value in values):
            texts = isinstance(values[0], str) or len(keys) == 1
            yield (
                " ".join(
                    str(value) if (texts and at == 0) or isinstance(value, str) else f"{key}={value}"
                    for at, (key, value) in enumerate(zip(keys, values, strict=True))
                ),
                part,
            )


def _curve(part: pl.DataFrame, name: str, step: str, source: Source) -> LoggedRun:
    """One run of a table of curves: columns that do not change are settings, the others metrics."""
    findings = list(source.findings)
    # unsigned steps, such as those of numbered rows, cannot be compared with a negative bound
    # columns are taken as they are, since an expression costs more than a small table's numbers
    steps = part[step].cast(pl.Int64 if part[step].dtype.is_integer() else pl.Float64, strict=False)
    part = part.clone().replace_column(part.get_column_index(step), steps)
    values = steps.to_numpy()
    if steps.has_nulls() or not ((values >= -_MOST_STEPS) & (values <= _MOST_STEPS)).all():  # NaN is between nothing
        part = part.filter(pl.col(step).is_between(-_MOST_STEPS, _MOST_STEPS))
    if not part[step].dtype.is_integer() and not (part[step] % 1 == 0).all():
        part = part.sort(step, maintain_order=True).rename({step: f"{step} (logged)"}).with_row_index(STEP)
        step = STEP
        findings.append(_numbered("steps that are no whole numbers"))
    walls = [column for word in _WALLS for column in part.columns if _word(column) == word]
    columns = [part[step].cast(pl.Int64).alias(STEP)]
    settings: dict[str, Any] = {}
    for column in part.columns:
        series = part[column]
        if column == step or column in walls:
            continue
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            constant = part.height > 1 and not series.has_nulls() and series.min() == series.max()
            if constant and not is_loss(column):
                settings[column] = series[0]
            else:
                taken = column if column not in (STEP, WALL) else f"{column} (logged)"
                columns.append(series.cast(pl.Float64, strict=False).alias(taken))
        elif series.dtype == pl.String and series[0] is not None and (series == series[0]).all():
            settings[column] = series[0]
    if walls and part[walls[0]].dtype.is_numeric():
        wall = part[walls[0]].cast(pl.Float64)
        columns.append((wall - wall.min()).alias(WALL))
    history = pl.DataFrame(columns)
    if history.height and not history[STEP].is_sorted():
        history = history.sort(STEP, maintain_order=True)
    history, twice = one_row_a_step(history)
    if twice:
        findings.append(twice_note(twice))
    return _made(name, history, settings, {}, source, findings)


def _chart(frame: pl.DataFrame, step: str, columns: list[Charted], source: Source) -> Iterator[LoggedRun]:
    """A chart that Weights & Biases exported: ``RUN - METRIC``, with ``__MIN`` and ``__MAX`` of what was sampled."""
    sampled = any(each.bound for each in columns)
    note = Finding(
        "sampled",
        "warning",
        f"{source.source} is a chart that was exported: its curves are sampled to a few hundred points.",
        "Read the run's .wandb file or wandb:entity/project for every point.",
    )
    drawn = {each.column for each in columns}
    beside = [name for name in frame.columns if name != step and name not in drawn]
    runs: dict[str, dict[str, str]] = {}
    for each in columns:
        if not each.bound and each.metric not in ("_step", step, *beside):
            runs.setdefault(each.run, {})[each.column] = each.metric
    for run, metrics in runs.items():
        part = frame.select(step, *beside, *(pl.col(column).alias(metric) for column, metric in metrics.items()))
        part = part.filter(pl.any_horizontal(pl.col(*metrics.values()).is_not_null()))
        if part.height:
            yield _curve(part, run, step, replace(source, name=run, findings=(note,) if sampled else ()))


def _rows_as_runs(frame: pl.DataFrame, by_word: Mapping[str, str], source: Source) -> Iterator[LoggedRun]:
    """A table without steps: a run a row; losses and scores are results, all else settings."""
    name = next((by_word[word] for word in _RUNS if word in by_word and frame[by_word[word]].is_unique().all()), None)
    empty = pl.DataFrame(schema={STEP: pl.Int64})
    for number, row in enumerate(frame.iter_rows(named=True), 1):
        results = {key: float(value) for key, value in row.items() if is_loss(key) and isinstance(value, int | float)}
        settings = {key: value for key, value in row.items() if key not in results and key != name}
        told = str(row[name]) if name is not None else f"{source.name} row {number}"
        yield _made(told, empty, settings, results, source, source.findings)


def _made(
    name: str,
    history: pl.DataFrame,
    settings: Mapping[str, Any],
    results: Mapping[str, float],
    source: Source,
    findings: Any,  # noqa: ANN401
) -> LoggedRun:
    settings = {**source.settings, **settings}
    return logged_run(
        name=name,
        format=source.format,
        source=source.source,
        curves=history,
        digest=_digest(name, history, settings, results),
        config=settings,
        results=results,
        findings=findings,
    )


def _digest(name: str, history: pl.DataFrame, settings: Mapping[str, Any], results: Mapping[str, float]) -> str:
    """SHA-256 of one run's rows, since other runs of its table may come and go."""
    digest = Digest().update(repr((name, sorted(settings.items()), sorted(results.items()))).encode(errors="replace"))
    for series in history:
        digest.update(series.name.encode(errors="replace")).update(nulls_of(series).tobytes())
        digest.update((series.fill_null(0) if series.null_count() else series).to_numpy().tobytes())
    return digest.hexdigest()


READER: Final = Reader(
    "table",
    "tables (.csv, .tsv, .jsonl, .parquet, .sqlite, .duckdb)",
    claims=_claims,
    read=_read,
    addresses=ADDRESSES,
    rank=1,
)
