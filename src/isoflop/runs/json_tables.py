"""Tables in JSON: an object a line, an array of records, or what pandas writes (columns, split, index, table)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.documents import DocumentError, refuse_many_values
from isoflop.runs.bounds import MAX_DEPTH, MAX_JSON, depth, opened, refuse_json, refuse_shape, refuse_text
from isoflop.runs.columns import match_headers

_LONG_NUMBER: Final = 18  # digits from which a whole number is a float
_FLAT = 6  # levels of nested objects whose keys are joined into headers


def read_json_lines(path: Path) -> pl.DataFrame:
    """One object a line; Polars reads them fast, and what it refuses (NaN, broken lines) is read line by line."""
    with opened(path) as file:
        refuse_json(file)
    try:
        with path.open("rb") as file:  # by its name it would be a pattern: `runs[1].jsonl`
            return pl.read_ndjson(file, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pass
    records: list[Mapping[str, Any]] = []
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    record = _loads(line)
                except (ValueError, RecursionError):
                    record = None
                if not isinstance(record, dict):
                    raise ValueError(f"line {number} is no JSON object")
                records.append(record)
    return _from_records(records)


def read_json(path: Path) -> pl.DataFrame:
    """An array of records, columns of equal length, or what pandas' ``to_json`` writes.

    Raises ValueError where the file is no JSON, or holds no table.
    """
    with opened(path) as file:
        head = file.read(4096)
    if b'"isoflop.' in head:
        raise ValueError("it is a result that was saved, and no table of runs; name the table that it was made from")
    with opened(path) as file:
        refuse_text(file, most=MAX_JSON // 2)
    with opened(path) as file:
        text = file.read()
    _refuse_many(text)
    if depth(text) > MAX_DEPTH:
        raise ValueError(f"it nests more than {MAX_DEPTH} levels deep; write an array of flat records")
    try:
        value = _loads(text)
    except (ValueError, RecursionError) as error:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) > 1 and all(line.lstrip()[:1] == b"{" for line in lines[:2]):
            return read_json_lines(path)
        raise ValueError(f"it is no JSON ({str(error)[:120]})") from None
    frame = _table(value)
    if frame is None:
        raise ValueError('it holds no table; write an array of records, as [{"N": 1e8, "D": 2e9, "loss": 3.1}, …]')
    return frame


def _refuse_many(text: bytes) -> None:
    try:
        refuse_many_values(text)
    except DocumentError as error:
        raise ValueError(f"it {error}; write it as Parquet, or keep fewer rows") from None


def _loads(text: bytes) -> Any:  # noqa: ANN401
    # a whole number of 5,000 digits is refused by Python's own reader; as a float it is infinite
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < _LONG_NUMBER else float(digits))


def _table(value: Any) -> pl.DataFrame | None:  # noqa: ANN401
    if isinstance(value, list):
        return _from_list(value)
    if not isinstance(value, dict) or not value:
        return None
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list):  # pandas: split
        return _from_rows(columns, data)
    lists = {key: each for key, each in value.items() if isinstance(each, list)}
    records = {key: each for key, each in lists.items() if each and isinstance(each[0], dict)}
    if records:
        return _from_list(max(records.values(), key=len))
    if len(lists) == len(value) and len({len(each) for each in lists.values()}) == 1:
        return _from_columns(value)
    if all(isinstance(each, dict) for each in value.values()):
        return _from_nested(value)
    if all(not isinstance(each, list | dict) for each in value.values()):
        return _from_records([value])
    return None


def _from_list(value: Sequence[Any]) -> pl.DataFrame | None:
    if value and all(isinstance(each, dict) for each in value):
        return _from_records(value)
    if (
        len(value) > 1
        and all(isinstance(each, list) for each in value)
        and all(isinstance(each, str) for each in value[0])
    ):
        return _from_rows(value[0], value[1:])
    return None


def _from_rows(columns: Sequence[Any], rows: Sequence[Any]) -> pl.DataFrame | None:
    if not all(isinstance(row, list) and len(row) == len(columns) for row in rows) or len(set(map(str, columns))) < len(
        columns
    ):
        return None
    return _from_columns({str(name): [row[place] for row in rows] for place, name in enumerate(columns)})


def _from_nested(value: Mapping[str, Mapping[str, Any]]) -> pl.DataFrame | None:
    """Objects in an object: a column each, or a row each, whichever keys are known as headers."""
    inner = list(dict.fromkeys(key for each in value.values() for key in each))
    if len(match_headers(inner)) > len(match_headers(list(value))):
        named = not all(key.isdigit() for key in value)
        return _from_records(
            [({"name": key} if named and "name" not in each else {}) | dict(each) for key, each in value.items()]
        )
    if any(isinstance(cell, dict | list) for each in value.values() for cell in each.values()):
        return None
    refuse_shape(len(inner), len(value))
    return _from_columns({name: [each.get(key) for key in inner] for name, each in value.items()})


def _from_records(records: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    flat = [_flat(record) for record in records]
    names = dict.fromkeys(name for record in flat for name in record)
    refuse_shape(len(flat), len(names))
    return _from_columns({name: [record.get(name) for record in flat] for name in names})


def _from_columns(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    refuse_shape(max(map(len, columns.values()), default=0), len(columns))
    return pl.DataFrame([_series(name, values) for name, values in columns.items()])


def _flat(record: Mapping[str, Any], level: int = 0) -> dict[str, Any]:
    """The record with the keys of nested objects joined: ``{"config": {"N": 1}}`` has ``config.N``."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and level < _FLAT:
            found |= {f"{name}.{key}": each for key, each in _flat(value, level + 1).items()}
        else:
            found[name] = value
    return found


def _series(name: str, values: Sequence[Any]) -> pl.Series:
    if all(value is None or type(value) in (int, float) for value in values):
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    if all(value is None or isinstance(value, bool) for value in values):
        return pl.Series(name, values, dtype=pl.Boolean)
    texts = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
    return pl.Series(
        name, [None if text is None else text.encode("utf-8", "replace").decode() for text in texts], dtype=pl.String
    )
