"""Arrays inside files, each with its shape before it is loaded; nothing pickled is ever loaded."""

from __future__ import annotations

import json
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, shown
from isoflop.runs.parquet_files import refuse_letters, refuse_values, without_panics

Array = NDArray[Any]

LARGEST: Final = 2**29  # bytes of the samples that are held at once
UNPACKED: Final = 4 * 2**30  # bytes of one packed array through which the samples are sought
MOST_ARRAYS: Final = 1_000
_PIECE: Final = 2**24
_LONGEST_HEADER = 64 * 2**20
_MOST_AXES = 32
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
        _check_size(shape if rows is None else (len(rows), *shape[1:]), kind, path)
        try:
            mapped = np.load(path, mmap_mode="r", allow_pickle=False)
            return np.array(mapped if rows is None else mapped[rows])
        except (ValueError, OSError) as error:
            raise DataError(f"{shown(str(path))} is damaged ({error}); write it again with numpy.save") from None

    return {path.stem: Lazy(shape, take)}


def npz(path: Path) -> dict[str, Lazy]:
    """The arrays of a .npz file; their headers are read first."""
    found: dict[str, Lazy] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            if len(names) > MOST_ARRAYS:
                raise DataError(
                    f"{shown(str(path))} holds {len(names):,} arrays, and at most {MOST_ARRAYS:,} are read; save a "
                    "file for each checkpoint"
                )
            for name in names:
                _refuse_packing(archive.getinfo(name))
                with archive.open(name) as file:
                    shape, kind = _header(file, path, name.removesuffix(".npy"))
                found[name.removesuffix(".npy")] = Lazy(shape, _member(path, name, shape, kind))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{shown(str(path))} is no .npz file, or is cut short ({error})") from None
    return found


def _refuse_packing(member: zipfile.ZipInfo) -> None:
    """Refuse methods that Python unpacks whole whatever is asked for: a kilobyte of LZMA can be a gigabyte."""
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{member.filename[:60]!r} is packed with another method than numpy's")


def _member(path: Path, name: str, shape: tuple[int, ...], kind: np.dtype[Any]) -> Callable[[Array | None], Array]:
    def take(rows: Array | None) -> Array:
        _check_size(shape if rows is None else (len(rows), *shape[1:]), kind, path)
        _check_size(shape, kind, path, most=UNPACKED)
        try:
            with zipfile.ZipFile(path) as archive, archive.open(name) as file:
                return _stream(file, rows)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as error:
            raise DataError(f"{shown(name)} of {shown(str(path))} is damaged ({error}); write it again") from None

    return take


def _stream(file: IO[bytes], rows: Array | None) -> Array:
    """The rows of an array whose bytes come one after the other, of which a piece is held at a time."""
    shape, by_columns, kind = _read_header(file)
    if rows is None or by_columns or not shape:
        file.seek(0)
        whole = np.lib.format.read_array(file, allow_pickle=False)
        return np.asarray(whole if rows is None else whole[rows])
    width = math.prod(shape[1:]) * kind.itemsize
    count = max(1, _PIECE // max(1, width))
    found = np.empty((len(rows), *shape[1:]), dtype=kind)
    for first in range(0, int(rows.max(initial=-1)) + 1, count):
        wanted = min(count, shape[0] - first) * width
        piece = file.read(wanted)
        if len(piece) < wanted:
            raise ValueError("it is cut short")
        mine = (rows >= first) & (rows < first + count)
        found[mine] = np.frombuffer(piece, dtype=kind).reshape(-1, *shape[1:])[rows[mine] - first]
    return found


def parquet(path: Path) -> dict[str, Lazy]:
    """Columns of lists or arrays, each as an array; columns of numbers together as ``columns``, words as labels."""
    import polars as pl

    with _reading(path):
        refuse_values(path)
        frame = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema = frame.collect_schema()
        count = int(frame.select(pl.len()).collect().item())
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
            with _reading(path):
                table = pl.read_parquet(path, columns=numbers, glob=False, hive_partitioning=False)
            _check_size((table.height if rows is None else len(rows), len(numbers)), np.dtype(np.float64), path)
            whole = table.to_numpy() if rows is None else table[rows].to_numpy()
            return np.asarray(whole, dtype=np.float64)

        found["columns"] = Lazy((count, len(numbers)), take)
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What Polars says of damaged bytes, as one sentence."""
    import polars as pl

    try:
        with without_panics():
            yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError) as error:
        reason = "its bytes are damaged" if isinstance(error, pl.exceptions.PanicException) else str(error)
        raise DataError(f"{shown(str(path))} cannot be read as Parquet ({reason.splitlines()[0][:200]})") from None


def _column(path: Path, name: str) -> Callable[[Array | None], Array]:
    import polars as pl

    def take(rows: Array | None) -> Array:
        with _reading(path):
            frame = pl.read_parquet(path, columns=[name], glob=False, hive_partitioning=False)
            refuse_letters(frame)
        values = frame[name]
        if values.dtype in (pl.String, pl.Categorical, pl.Enum):
            whole = np.array(values.cast(pl.String).fill_null("").to_list())
        else:
            whole = values.to_numpy()
        return np.asarray(whole if rows is None else whole[rows])

    return take


def _nested(path: Path, name: str, count: int) -> Lazy:
    import polars as pl

    with _reading(path):
        first = pl.scan_parquet(path, glob=False, hive_partitioning=False).select(name).head(1).collect()[name]
    width = len(first[0]) if count and first[0] is not None else 0

    def take(rows: Array | None) -> Array:
        with _reading(path):
            values = pl.read_parquet(path, columns=[name], glob=False, hive_partitioning=False)[name]
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
        shape, _, kind = _read_header(file)
    except (ValueError, EOFError, TypeError, SyntaxError, TokenError, RecursionError, MemoryError, OverflowError):
        raise DataError(f"{where} is no NumPy array, or is cut short; write it with numpy.save") from None
    if kind.hasobject:
        raise DataError(f"{where} holds pickled Python objects, which are never loaded; save numbers or fixed texts")
    shape = tuple(int(each) for each in shape)
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0:
        raise DataError(f"{where} has the impossible shape {shown(shape)}; write it again with numpy.save")
    return shape, kind


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(file)


def _check_whole(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    if path.stat().st_size < math.prod(shape) * kind.itemsize:
        raise DataError(f"{shown(str(path))} is cut short: it has fewer bytes than its shape {shown(shape)} needs")


def _check_size(shape: tuple[int, ...], kind: np.dtype[Any], path: Path, *, most: int = LARGEST) -> None:
    size = math.prod(shape) * kind.itemsize
    if size > most:
        what = "the samples of" if most == LARGEST else "an array of"
        raise DataError(
            f"{what} {shown(str(path))} would take {size / 2**20:,.0f} MB, and at most {most / 2**20:,.0f} MB are "
            f"{'held' if most == LARGEST else 'unpacked'}; "
            + ("ask for fewer (--samples)" if most == LARGEST else "save it as .npy or .safetensors")
        )
