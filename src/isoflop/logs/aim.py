"""Aim repositories: a RocksDB folder for the settings and one for the sequences of each run, walked key by key.

A key is a path: texts end in the byte 0xFE, whole numbers stand in eight bytes between two of them. A value is a byte
of its type and its content. ``aimrocks``, the storage that Aim itself depends on, opens the folders without a write.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from isoflop.errors import IsoflopError, MissingExtraError
from isoflop.logs import sqlite
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run

_FOLDER: Final = ".aim"
_NAMES: Final = "run_metadata.sqlite"
_END: Final = 0xFE
_OWN: Final = "__"  # how the names begin under which Aim logs the machine
_MOST_STEPS: Final = 2**62

Key = tuple[str | int, ...]
Points = dict[int, Any]  # place of a point in its sequence → value


def _claims(candidate: Candidate) -> str | None:
    """The repository to which a file belongs."""
    for folder in candidate.path.parents:
        if folder.name == _FOLDER and (folder / "seqs").is_dir():
            return str(folder)
    return None


def _read(found: Found, options: Options) -> Iterator[LoggedRun | Unread]:
    root = next(folder for folder in found.files[0].parents if folder.name == _FOLDER)
    hashes = {path.name for path in (root / "seqs" / "chunks").glob("*") if path.is_dir()}
    if not hashes:
        raise LogError(f"{found.source} is an Aim repository without a run; track one first")
    try:
        import aimrocks
    except ImportError:
        raise MissingExtraError(
            f"{found.source} is an Aim repository, which the package aimrocks reads; pip install 'isoflop[aim]', or "
            "write its metrics as CSV from Aim's page and import that"
        ) from None
    names = _names(root / _NAMES)
    begun = {own: place for place, own in enumerate(names)}  # a hash says nothing of which run was first
    for each in sorted(hashes, key=lambda own: (begun.get(own, len(begun)), own)):
        try:
            yield _run(found, root, each, names, aimrocks)
        except IsoflopError:
            raise
        except Exception as error:  # noqa: BLE001 - the storage's errors share no other class
            told = type(error).__name__.lower()
            yield Unread(found.source, f"run {each} of {found.source} cannot be read ({told}); copy it again")


def _names(path: Path) -> dict[str, tuple[str, str]]:
    """Of each run, in the order in which they were begun: its name and its experiment."""
    if not path.is_file():
        return {}
    query = (
        "SELECT run.hash, run.name, experiment.name FROM run LEFT JOIN experiment ON experiment.id = experiment_id "
        "ORDER BY run.rowid"
    )
    with sqlite.opened(path) as connection:
        return {str(own): (str(name or ""), str(group or "")) for own, name, group in connection.execute(query)}


def _run(found: Found, root: Path, own: str, names: Mapping[str, tuple[str, str]], aimrocks: Any) -> LoggedRun:  # noqa: ANN401
    """One run; names that several runs have are told apart by its hash."""
    config: dict[str, Any] = {}
    contexts: dict[int, list[str]] = {}
    ended = None
    for key, data in _items(root / "meta" / "chunks" / own, aimrocks):
        match key:
            case ("meta", "chunks", _, "attrs", str(first), *rest) if not first.startswith(_OWN):
                if (value := _value(data)) is not None:
                    config[".".join(map(str, (first, *rest)))] = value
            case ("meta", "chunks", _, "contexts", int(context), *rest) if rest:
                contexts.setdefault(context, []).append(_said(rest, _value(data)))
            case ("meta", "chunks", _, "end_time"):
                ended = _value(data)
    sequences: dict[tuple[int, str], dict[str, Points]] = {}
    for key, data in _items(root / "seqs" / "chunks" / own, aimrocks):
        match [part for part in key if part != "v2"]:
            case ["seqs", "chunks", _, int(context), str(name), str(part), int(place)] if not name.startswith(_OWN):
                sequences.setdefault((context, name), {}).setdefault(part, {})[place] = _value(data)
    curves, digest = Curves(), Digest().update(repr((own, sorted(config.items()), ended)).encode(errors="replace"))
    for (context, name), parts in sequences.items():
        metric = "/".join([*sorted(contexts.get(context, ())), name])
        _add(curves, digest, metric, parts)
    name, experiment = names.get(own, ("", ""))
    shared = sum(each[0] == name for each in names.values()) > 1
    if experiment and experiment != "default":
        config.setdefault("experiment", experiment)
    return logged_run(
        name=own if not name or name.startswith("Run: ") else f"{name} {own[:8]}" if shared else name,
        format=found.format,
        source=found.source,
        curves=curves,
        digest=digest.hexdigest(),
        status="unknown" if ended is not None else "running",
        config=config,
    )


def _add(curves: Curves, digest: Digest, metric: str, parts: Mapping[str, Points]) -> None:
    """The points of a sequence by step; a repository of an older release has the step for the place."""
    values, steps = parts.get("val", {}), parts.get("step", {})
    epochs, times = parts.get("epoch", {}), parts.get("time", {})
    points: list[tuple[int, float, int]] = []
    for place, value in values.items():
        step = steps.get(place) if steps else place
        if not isinstance(step, int) or abs(step) >= _MOST_STEPS:
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            points.append((step, float(value), place))
    if not points:
        return
    points.sort(key=lambda point: point[0])
    at, told = np.array([step for step, _, _ in points], np.int64), np.array([value for _, value, _ in points])
    digest.update(metric.encode(errors="replace")).update(at.tobytes()).update(told.tobytes())
    curves.extend(metric, at, told)
    for step, _, place in points:
        epoch, seconds = epochs.get(place), times.get(place)
        if isinstance(epoch, int | float):
            curves.add("epoch", step, float(epoch))
        if isinstance(seconds, int | float):
            curves.add_wall(step, float(seconds))


def _said(keys: list[str | int], value: Any) -> str:  # noqa: ANN401
    """What a context says of a metric: ``val`` of a subset, else ``key=value``."""
    return str(value) if keys == ["subset"] else f"{'.'.join(map(str, keys))}={value}"


def _items(folder: Path, aimrocks: Any) -> Iterator[tuple[Key, bytes]]:  # noqa: ANN401
    """Every key and value of a RocksDB folder, which is opened without a right to write."""
    if not (folder / "CURRENT").is_file():
        return
    database = aimrocks.DB(str(folder), aimrocks.Options(), read_only=True)
    items = database.iteritems()
    items.seek_to_first()
    for key, data in items:
        yield _key(key), data


def _key(data: bytes) -> Key:
    parts: list[str | int] = []
    at = 0
    while at < len(data):
        if data[at] == _END:
            parts.append(struct.unpack_from(">q", data, at + 1)[0])
            at += 10
        else:
            end = data.index(_END, at)
            parts.append(data[at:end].decode("utf-8", errors="replace"))
            at = end + 1
    return tuple(parts)


def _value(data: bytes) -> bool | int | float | str | None:
    """A plain value; None for what holds others, and for bytes."""
    content = data[1:]
    match data[0]:
        case 1:
            return content != b"\0"
        case 2:
            return int(struct.unpack("<q", content)[0])
        case 3:
            return float(struct.unpack("<d", content)[0])
        case 4:
            return content.decode("utf-8", errors="replace")
    return None


READER: Final = Reader("aim", "Aim repositories (.aim)", claims=_claims, read=_read)
