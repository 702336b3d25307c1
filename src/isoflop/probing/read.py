"""Files of activations as arrays with labels and inputs: .npz, .npy, Parquet, safetensors, or a folder of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, IsoflopError, shown
from isoflop.probing.containers import LARGEST, Lazy, npy, npz, parquet, safetensors

Array = NDArray[Any]

READERS: Final[Mapping[str, Callable[[Path], Mapping[str, Lazy]]]] = {
    ".npz": npz,
    ".npy": npy,
    ".parquet": parquet,
    ".safetensors": safetensors,
}
LABELS: Final = ("labels", "label", "y", "targets", "target")
INPUTS: Final = ("inputs", "input", "x")


@dataclass(frozen=True, eq=False)
class Activations:
    """One array of activations of one file.

    source: the file; checkpoint: its name without ending, by which it joins a table of runs; array: the array's name.
    points: (samples, dimensions); labels: (samples,) or None; inputs: (samples, …) or None. total: samples in the
    file, of which ``points`` may be a random part.
    """

    source: str
    checkpoint: str
    array: str
    points: Array
    labels: Array | None
    inputs: Array | None
    total: int


def read_activations(
    places: Sequence[str | Path],
    *,
    arrays: Sequence[str] = (),
    labels: str | None = None,
    inputs: str | None = None,
    samples: int | None = None,
    seed: int = 0,
) -> tuple[Activations, ...]:
    """The arrays of every file, or of every file in a folder, in natural order of their names.

    arrays: which to take; all that are no labels or inputs where empty. labels, inputs: the name of an array in each
    file, or a file of one array; looked for as ``labels``, ``y``, ``targets`` and ``inputs``, ``x`` where None.
    samples: a random part of so many, the same rows of every array of as many samples. Nothing pickled is ever loaded.
    Raises DataError for what cannot be read, in one sentence.
    """
    files = files_of(places)
    if not files:
        raise IsoflopError("no file of activations was given; name .npz, .npy, .parquet or .safetensors files")
    outside = {name: _outside(given) for name, given in (("labels", labels), ("inputs", inputs)) if given is not None}
    found = [
        each
        for file in files
        for each in _of_file(file, arrays, labels, inputs, outside=outside, samples=samples, seed=seed)
    ]
    if not found:
        raise DataError(f"{shown(str(files[0]))} holds no array of activations beside labels and inputs")
    return tuple(found)


def files_of(places: Sequence[str | Path]) -> list[Path]:
    """Every file of arrays, and those of every folder, in natural order. Raises DataError where there is none."""
    return [file for place in places for file in _files(Path(place))]


def read_arrays(place: str | Path) -> dict[str, Array]:
    """Every array of one file by its name, whole. Raises DataError for what cannot be read, in one sentence."""
    (file, *others) = _files(Path(place))
    if others:
        raise DataError(f"{shown(str(place))} is a folder of {1 + len(others)} files; give one file of arrays")
    return {name: each.take(None) for name, each in READERS[file.suffix.lower()](file).items()}


def _files(place: Path) -> list[Path]:
    place = place.expanduser()
    if place.is_dir():
        found = [each for each in place.iterdir() if each.suffix.lower() in READERS and each.is_file()]
        if not found:
            raise DataError(f"the folder {shown(str(place))} holds no file that ends in {', '.join(READERS)}")
        return sorted(found, key=lambda each: [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", each.name)])
    if not place.exists():
        raise DataError(f"there is no file {shown(str(place))}")
    if not place.is_file():
        raise DataError(f"{shown(str(place))} is no plain file; give a file or a folder")
    if place.suffix.lower() not in READERS:
        raise DataError(f"{shown(str(place))} does not end in {', '.join(READERS)}; save the arrays as one of these")
    return [place]


def _outside(name: str) -> Array | None:
    """The one array of a file that stands for labels or inputs; None where the name is no file."""
    path = Path(name).expanduser()
    if path.suffix.lower() not in READERS or not path.is_file():
        return None
    held = READERS[path.suffix.lower()](path)
    if len(held) != 1:
        raise DataError(f"{shown(name)} holds {len(held)} arrays ({_names(held)}); give a file of one")
    return next(iter(held.values())).take(None)


def _of_file(
    file: Path,
    arrays: Sequence[str],
    labels: str | None,
    inputs: str | None,
    *,
    outside: Mapping[str, Array | None],
    samples: int | None,
    seed: int,
) -> list[Activations]:
    held = dict(READERS[file.suffix.lower()](file))
    if not held:
        raise DataError(f"{shown(str(file))} holds no array")
    beside: dict[str, Lazy | Array | None] = {}
    for role, given, usual in (("labels", labels, LABELS), ("inputs", inputs, INPUTS)):
        if outside.get(role) is not None:
            beside[role] = outside[role]
            continue
        name = _named(held, given, usual, file, f"--{role}")
        beside[role] = held.pop(name) if name is not None and name not in arrays else None
    for name in arrays:
        if name not in held:
            raise DataError(f"{shown(str(file))} has no array {shown(name)}; it has {_names(held)}")
    chosen = {name: each for name, each in held.items() if (name in arrays if arrays else len(each.shape) >= 2)}
    found = []
    for name, each in chosen.items():
        if not each.shape or each.shape[0] == 0:
            raise DataError(f"{shown(name)} of {shown(str(file))} has shape {each.shape} and no samples")
        total = int(each.shape[0])
        rows = None
        if samples is not None and samples < total:
            rows = np.sort(np.random.default_rng(seed).choice(total, samples, replace=False))
        points = each.take(rows)
        classes, causes = (_rows_of(beside[role], rows, total, role, file) for role in ("labels", "inputs"))
        found.append(Activations(str(file), file.stem, name, points, classes, causes, total))
    return found


def _rows_of(held: Lazy | Array | None, rows: Array | None, total: int, role: str, file: Path) -> Array | None:
    if held is None:
        return None
    if held.shape[0] != total:
        raise DataError(f"{role} have {held.shape[0]:,} samples and the activations of {shown(str(file))} {total:,}")
    if isinstance(held, Lazy):
        return held.take(rows)
    return held if rows is None else held[rows]


def _named(held: Mapping[str, Lazy], given: str | None, usual: Sequence[str], file: Path, option: str) -> str | None:
    if given is not None:
        if given not in held:
            raise DataError(
                f"{option} {shown(given)} is no array of {shown(str(file))}, which has {_names(held)}, nor a file"
            )
        return given
    if len(held) == 1:
        return None
    lowered = {name.lower(): name for name in held}
    return next((lowered[each] for each in usual if each in lowered), None)


def _names(held: Mapping[str, object]) -> str:
    names = list(held)
    return ", ".join(shown(each) for each in names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


__all__ = ["LARGEST", "READERS", "Activations", "files_of", "read_activations", "read_arrays"]
