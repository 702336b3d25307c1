"""The digest of a table: the same for the same numbers and texts, whatever file they came from."""

from __future__ import annotations

import hashlib

import polars as pl


def digest_of(frame: pl.DataFrame, *, besides: str) -> str:
    """SHA-256 of the columns in the order of their names, as 64 hexadecimal digits; besides: a column left out."""
    state = hashlib.sha256()
    kinds = dict(zip(frame.columns, frame.dtypes, strict=True))
    kinds.pop(besides, None)
    numeric = [name for name, kind in kinds.items() if kind.is_numeric()]
    # every column stands in one piece there: a wide table is not taken apart column by column
    numbers = frame.select(pl.col(numeric).cast(pl.Float64).fill_null(float("nan"))).to_numpy(order="fortran")
    places = {name: place for place, name in enumerate(numeric)}
    for name in sorted(kinds):
        state.update(name.encode())
        if name in places:
            state.update(numbers[:, places[name]].tobytes())
            continue
        series = frame.get_column(name)
        if series.dtype.is_nested():
            state.update("\x1f".join(map(str, series.to_list())).encode())
        else:
            state.update("\x1f".join(series.cast(pl.String).fill_null("\x00").to_list()).encode())
    return state.hexdigest()
