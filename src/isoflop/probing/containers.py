"""Arrays inside files, each with its shape before it is loaded; nothing pickled is ever loaded."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, shown

Array = NDArray[Any]

LARGEST: Final = 4 * 2**30  # bytes of one array that is loaded whole
_LONGEST_HEADER = 64 * 2**20
_TYPES: Final = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "U16": "<u2", "U32": "<u4", "U64": "<u8", "BOOL": "?",
}  # fmt: skip


@dataclass(frozen=True)
class Lazy:
    """An array that is not loaded yet: its shape, and ``take`` for all rows (None) or some."""

    shape: tuple[int, ...]
    take: Callable[[Array | None], Array]


def npy(path: Path) -> dict[str, Lazy]:
    """The array of a .npy file, mapped rather than read."""
    with path.open("rb") as file:
        shape, kind = _header(file, path)
    _check_whole(path, shape, kind)

    def take(rows: Array | None) -> Array:
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        _check_size(shape if rows is None else (len(rows), *shape[1:]), kind, path)
        return np.array(mapped if rows is None else mapped[rows])

    return {path.stem: Lazy(shape, take)}


def npz(path: Path) -> dict[str, Lazy]:
    """The arrays of a .npz file; their headers are read first."""
    found: dict[str, Lazy] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as file:
                        shape, kind = _header(file, path, name.removesuffix(".npy"))
                    found[name.removesuffix(".npy")] = Lazy(shape, _member(path, name, shape, kind))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{shown(str(path))} is no .npz file, or is cut short ({error})") from None
    return found


def _member(path: Path, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> Callable[[Array | None], Array]:
    def take(rows: Array | None) -> Array:
        _check_size(shape, kind, path)
        try:
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                whole = np.lib.format.read_array(file, allow_pickle=False)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise DataError(f"{shown(name)} of {shown(str(path))} is damaged ({error}); write it again") from None
        return np.asarray(whole if rows is None else whole[rows])

    return take


def parquet(path: Path) -> dict[str, Lazy]:
    """Columns of lists or arrays, each as an array; columns of numbers together as ``columns``, words as labels."""
    import polars as pl

    try:
        frame = pl.scan_parquet(path)
        schema = frame.collect_schema()
        count = int(frame.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{shown(str(path))} is no Parquet file ({str(error).splitlines()[0]})") from None
    found: dict[str, Lazy] = {}
    numbers = []
    for name, kind in schema.items():
        if isinstance(kind, pl.List | pl.Array):
            found[name] = _nested(path, name, count)
        elif kind.is_numeric() and name.lower() not in ("label", "labels", "y", "target", "targets"):
            numbers.append(name)
        else:
            found[name] = Lazy((count,), _column(path, name))
    if numbers:

        def take(rows: Array | None) -> Array:
            table = pl.read_parquet(path, columns=numbers)
            whole = table.to_numpy() if rows is None else table[rows].to_numpy()
            return np.asarray(whole, dtype=np.float64)

        found["columns"] = Lazy((count, len(numbers)), take)
    return found


def _column(path: Path, name: str) -> Callable[[Array | None], Array]:
    import polars as pl

    def take(rows: Array | None) -> Array:
        values = pl.read_parquet(path, columns=[name])[name]
        if values.dtype in (pl.String, pl.Categorical, pl.Enum):
            whole = np.array(values.cast(pl.String).fill_null("").to_list())
        else:
            whole = values.to_numpy()
        return np.asarray(whole if rows is None else whole[rows])

    return take


def _nested(path: Path, name: str, count: int) -> Lazy:
    import polars as pl

    first = pl.scan_parquet(path).select(name).head(1).collect()[name]
    width = len(first[0]) if count and first[0] is not None else 0

    def take(rows: Array | None) -> Array:
        values = pl.read_parquet(path, columns=[name])[name]
        values = values if rows is None else values[rows]
        try:
            return np.array(values.to_list(), dtype=np.float64)
        except (ValueError, TypeError):
            raise DataError(
                f"{shown(name)} of {shown(str(path))} has rows of different lengths; make them equal"
            ) from None

    return Lazy((count, width), take)


def safetensors(path: Path) -> dict[str, Lazy]:
    """The tensors of a .safetensors file: 8 bytes of length, a JSON header, then the numbers, little-endian."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_LONGEST_HEADER, size - 8):
            raise DataError(f"{shown(str(path))} is no safetensors file, or is cut short")
        try:
            header = json.loads(file.read(length))
        except (ValueError, RecursionError):
            raise DataError(f"{shown(str(path))} is no safetensors file: its header is no JSON") from None
    if not isinstance(header, dict):
        raise DataError(f"{shown(str(path))} is no safetensors file: its header is no JSON object")
    return {
        name: _tensor(path, name, about, 8 + length, size) for name, about in header.items() if name != "__metadata__"
    }


def _tensor(path: Path, name: str, about: Any, start: int, size: int) -> Lazy:  # noqa: ANN401 - JSON
    try:
        kind, shape = str(about["dtype"]), tuple(int(each) for each in about["shape"])
        begin, end = (int(each) for each in about["data_offsets"])
    except (KeyError, TypeError, ValueError):
        raise DataError(f"tensor {shown(name)} of {shown(str(path))} lacks its type, shape or place") from None
    half = kind == "BF16"
    if not half and kind not in _TYPES:
        raise DataError(f"tensor {shown(name)} of {shown(str(path))} is {shown(kind)}; save it as float32")
    dtype = np.dtype("<u2" if half else _TYPES[kind])
    if min(shape, default=0) < 0 or not 0 <= begin <= end or end - begin != math.prod(shape) * dtype.itemsize:
        raise DataError(f"tensor {shown(name)} of {shown(str(path))} has a shape that its bytes do not fill")
    if start + end > size:
        raise DataError(f"{shown(str(path))} is cut short: {shown(name)} ends beyond the file")

    def take(rows: Array | None) -> Array:
        _check_size(shape if rows is None else (len(rows), *shape[1:]), dtype, path)
        mapped = np.memmap(path, dtype=dtype, mode="r", offset=start + begin, shape=shape or (1,))
        values = np.array(mapped if rows is None else mapped[rows])
        # the upper half of a single-precision number
        return (values.astype(np.uint32) << 16).view(np.float32) if half else values

    return Lazy(shape, take)


def _header(file: IO[bytes], path: Path, name: str = "") -> tuple[tuple[int, ...], np.dtype[Any]]:
    where = f"array {shown(name)} of {shown(str(path))}" if name else shown(str(path))
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(file)
    except (ValueError, EOFError, TypeError, SyntaxError):
        raise DataError(f"{where} is no NumPy array, or is cut short; write it with numpy.save") from None
    if kind.hasobject:
        raise DataError(f"{where} holds pickled Python objects, which are never loaded; save numbers or fixed texts")
    return tuple(int(each) for each in shape), kind


def _check_whole(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    if path.stat().st_size < math.prod(shape) * kind.itemsize:
        raise DataError(f"{shown(str(path))} is cut short: it has fewer bytes than its shape {shape} needs")


def _check_size(shape: tuple[int, ...], kind: np.dtype[Any], path: Path) -> None:
    size = math.prod(shape) * kind.itemsize
    if size > LARGEST:
        raise DataError(
            f"an array of {shown(str(path))} has {size / 2**30:.1f} GiB and is loaded up to {LARGEST / 2**30:.0f}; "
            "save fewer samples, or as .npy or .safetensors with --samples"
        )
