"""One boundary for every frame: headers that are names, and columns that are numbers, truth values or text."""

from __future__ import annotations

import json
from collections.abc import Container
from datetime import timedelta
from typing import Any

import polars as pl

from isoflop.runs.bounds import refuse_shape
from isoflop.runs.headers import safe_header

_LEVELS = 6  # of records in records
_LONGEST = 1_000  # letters of a list or an object as text
_AS_THEY_ARE = (pl.String, pl.Boolean, pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.Int16, pl.Int8, pl.UInt32)


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with records spread into columns, and every column a number, a truth value or text.

    Durations become seconds; dates, lists, objects and bytes become text. No header is a pattern to Polars.
    """
    frame = with_safe_headers(frame)
    for _ in range(_LEVELS):
        if not any(isinstance(kind, pl.Struct) and kind.fields for kind in frame.dtypes):
            break
        frame = _spread(frame)
    refuse_shape(frame.height, frame.width)
    if all(isinstance(kind, _AS_THEY_ARE) for kind in frame.dtypes) and "" not in frame.columns:
        return with_safe_headers(frame)  # names of fields may be patterns too
    made: dict[str, pl.Series] = {}
    for series in frame:
        name = _free(safe_header(series.name), made)
        made[name] = _column(
            series if series.name == name else series.alias(name)
        )  # even a method of a series reads its name as a pattern
    return pl.DataFrame(list(made.values()))


def with_safe_headers(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without headers that Polars reads as patterns; to be called before anything else is done with it."""
    if not any(name[:1] in ("*", "^") for name in frame.columns):
        return frame
    names: dict[str, None] = {}
    for name in frame.columns:
        names[_free(safe_header(name), names)] = None
    return (
        frame
        if list(names) == frame.columns
        else pl.DataFrame([series.alias(name) for name, series in zip(names, frame.get_columns(), strict=True)])
    )


def _spread(frame: pl.DataFrame) -> pl.DataFrame:
    """One level of records as columns named ``record.field``."""
    made: dict[str, pl.Series] = {}
    for series in frame:
        if isinstance(series.dtype, pl.Struct) and series.dtype.fields:
            for field in series.dtype.fields:
                name = _free(f"{series.name}.{field.name}", made)
                made[name] = series.struct.field(field.name).alias(name)
        else:
            made[_free(series.name, made)] = series
    return pl.DataFrame([series.alias(name) for name, series in made.items()])


def _free(name: str, taken: Container[str]) -> str:
    number = 0
    free = name
    while free in taken:
        free, number = f"{name}_duplicated_{number}", number + 1
    return free


def _column(series: pl.Series) -> pl.Series:
    kind = series.dtype
    if kind == pl.String or kind == pl.Boolean:
        return series
    if kind.is_float() or (kind.is_integer() and kind not in (pl.Int128, pl.UInt64)):
        return series
    if kind.is_numeric():
        return series.cast(pl.Float64, strict=False)
    if kind == pl.Null:
        return series.cast(pl.Float64)
    if kind == pl.Duration:
        return series.dt.total_microseconds().cast(pl.Float64) / 1e6
    if kind in (pl.Categorical, pl.Enum) or kind.is_temporal():
        return series.cast(pl.String)
    if kind == pl.Binary:
        values = [None if value is None else value[:_LONGEST].decode("utf-8", "replace") for value in series]
        return pl.Series(series.name, values, dtype=pl.String)
    return pl.Series(
        series.name, [None if value is None else _text(value) for value in series.to_list()], dtype=pl.String
    )


def _text(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, list) and len(value) > _LONGEST:
        value = [*value[:_LONGEST], "…"]
    return json.dumps(value, default=_word, ensure_ascii=False)[:_LONGEST]


def _word(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)[:_LONGEST]
