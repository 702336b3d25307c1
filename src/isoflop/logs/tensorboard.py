"""TensorBoard event files: every point, classic and tensor-style scalars, all files of a run.

A record is a length (8 bytes) with its checksum, then that many bytes with theirs (tensorflow, record_writer.h); the
bytes are an Event message (event.proto). One folder is one run, as in TensorBoard; Keras's ``train`` and ``validation``
are one run.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from isoflop.findings import Finding
from isoflop.logs import protobuf
from isoflop.logs.checksum import masked, masked_many
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest, HashedFile, cut_short
from isoflop.logs.logged import LogError, LoggedRun, Setting
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run

_LENGTH: Final = struct.Struct("<QI")
_CHECK: Final = struct.Struct("<I")
_BATCH: Final = 4096  # records whose checksums are computed together
_BATCH_BYTES: Final = 1 << 20
_CHECKED: Final = 4096  # longer records are pictures and graphs, which are not taken
_TIME: Final = re.compile(r"tfevents\.(\d+)")
_TRAINING: Final = ("train", "training")
_EVALUATION: Final = ("validation", "valid", "val", "eval", "test")
# DataType of tensor.proto → NumPy's; 14 is bfloat16, the upper half of a float32
_TYPES: Final = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 19: "<f2", 22: "<u4"}
_BFLOAT16: Final = 14


@dataclass
class _Events:
    """What the events have said so far."""

    curves: Curves = field(default_factory=Curves)
    hparams: dict[str, Setting] = field(default_factory=dict)
    plugins: dict[str, str] = field(default_factory=dict)  # of a tag; only its first value says it
    layouts: dict[bytes, str] = field(default_factory=dict)  # bytes between step and value → the metric
    prefix: str = ""
    damaged: int = 0
    records: int = 0


def _claims(candidate: Candidate) -> str | None:
    path = candidate.path
    if path.name.endswith(".profile-empty"):
        return None
    if "tfevents" not in path.name and b"brain.Event:" not in candidate.head[:64]:
        return None
    return str(path.parent.parent if _is_split(path.parent) else path.parent)


def _is_split(folder: Path) -> bool:
    """Whether the folder is one of a run's two, ``train`` beside ``validation``."""
    partners = (
        _EVALUATION if folder.name in _TRAINING else (*_TRAINING, *_EVALUATION) if folder.name in _EVALUATION else ()
    )
    beside = [name for name in partners if name != folder.name and (folder.parent / name).is_dir()]
    return any(name in _TRAINING for name in beside) if folder.name in _EVALUATION else bool(beside)


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    events, digest, findings = _Events(), Digest(), []
    torn = 0
    for number, path in enumerate(sorted(found.files, key=_written)):
        if number:
            events.curves.new_session()
        events.plugins.clear()
        events.layouts.clear()
        events.prefix = f"{path.parent.name}/" if _is_split(path.parent) else ""
        with digest.file(path) as file:
            torn += _take_file(events, file)
    if torn:
        findings.append(cut_short(found.source, f"ends within a record ({torn} of {len(found.files)} files)"))
    if events.damaged:
        findings.append(
            Finding(
                "damaged",
                "warning",
                f"{events.damaged:,} records of {found.source} are damaged and were passed over.",
                "Copy the files again.",
            )
        )
    if not len(events.curves) and not events.hparams:
        what = "no scalar" if events.records else "no event that is whole"
        raise LogError(f"{found.source} holds {what}; give a folder to which a run wrote scalars")
    yield logged_run(
        name=found.source,
        format=found.format,
        source=found.source,
        curves=events.curves,
        digest=digest.hexdigest(),
        config=events.hparams,
        findings=findings,
    )


def _written(path: Path) -> tuple[str, int, str]:
    """Files in the order in which they were begun, as their names say."""
    match = _TIME.search(path.name)
    return path.parent.name, int(match[1]) if match else 0, path.name


def _take_file(events: _Events, file: HashedFile) -> bool:
    """All events of a file; true if it ends within a record."""
    batch: list[bytes] = []
    checks: list[int] = []
    size, torn = 0, False
    while file.left:
        head = file.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            torn = any(head)
            break
        length, check = _LENGTH.unpack(head)
        if masked(head[:8]) != check:
            if any(head):  # zeros are room that was made and not written
                events.damaged += 1
            break  # without lengths the rest is lost
        if length + _CHECK.size > file.left:
            torn = True
            break
        data, tail = file.read(length), file.read(_CHECK.size)
        if len(data) < length or len(tail) < _CHECK.size:
            torn = True
            break
        if length <= _CHECKED:
            batch.append(data)
            checks.append(_CHECK.unpack(tail)[0])
            size += length
        if len(batch) >= _BATCH or size >= _BATCH_BYTES:
            _take_batch(events, batch, checks)
            batch, checks, size = [], [], 0
    _take_batch(events, batch, checks)
    return torn


def _take_batch(events: _Events, batch: list[bytes], checks: list[int]) -> None:
    if not batch:
        return
    whole = masked_many(batch) == np.array(checks, dtype=np.uint32)
    for record, intact in zip(batch, whole.tolist(), strict=True):
        events.records += 1
        try:
            if not intact:
                raise ValueError("the checksum does not fit")
            _event(events, record)
        except (ValueError, struct.error):
            events.damaged += 1


def _event(events: _Events, record: bytes) -> None:
    """An Event: 1 wall time, 2 step, 5 summary."""
    at = 0
    if record[:1] == b"\x09" and record[9:10] == b"\x10":  # as nearly all: wall time, step, one classic scalar
        step, at = protobuf.varint(record, 10)
        known = events.layouts.get(record[at:-4])
        if known is not None:
            step = protobuf.signed(step)
            events.curves.add(known, step, protobuf.single(record[-4:]))
            events.curves.add_wall(step, protobuf.double(record[1:9]))
            return
    step, wall, summary = 0, None, None
    for number, value in protobuf.fields(record):
        if number == 2:
            step = protobuf.signed(value)
        elif number == 1:
            wall = protobuf.double(value)
        elif number == 5:
            summary = protobuf.raw(value)
    if summary is None:
        return
    names: list[str | None] = []
    last = 0
    for number, value in protobuf.fields(summary):
        if number == 1:
            name = _value(events, protobuf.raw(value), step)
            names.append(name)
            last = [inner for inner, _ in protobuf.fields(protobuf.raw(value))][-1]
            if name is not None and wall is not None:
                events.curves.add_wall(step, wall)
    # a record with the same bytes but for time, step and the last four, which are the value, reads the same way
    if at and last == 2 and len(names) == 1 and names[0] is not None and record.endswith(summary):
        events.layouts[record[at:-4]] = names[0]


def _value(events: _Events, data: bytes, step: int) -> str | None:
    """One Summary.Value: 1 tag, 2 simple value, 8 tensor, 9 metadata; the metric if it was a scalar."""
    tag, scalar, tensor, metadata = "", None, None, None
    for number, value in protobuf.fields(data):
        match number:
            case 1:
                tag = protobuf.text(value)
            case 2:
                scalar = protobuf.single(value)
            case 8:
                tensor = protobuf.raw(value)
            case 9:
                metadata = protobuf.raw(value)
    if metadata is not None:
        _metadata(events, tag, metadata)
    if scalar is None and tensor is not None and events.plugins.get(tag, "scalars") == "scalars":
        scalar = _scalar(tensor)
    if scalar is None:
        return None
    events.curves.add(events.prefix + tag, step, scalar)
    return events.prefix + tag


def _metadata(events: _Events, tag: str, data: bytes) -> None:
    """SummaryMetadata: 1 plugin data (1 its name, 2 its content)."""
    for number, value in protobuf.fields(data):
        if number == 1:
            name, content = "", b""
            for inner, part in protobuf.fields(protobuf.raw(value)):
                if inner == 1:
                    name = protobuf.text(part)
                elif inner == 2:
                    content = protobuf.raw(part)
            if name:
                events.plugins[tag] = name
            if name == "hparams":
                _hparams(events, content)


def _hparams(events: _Events, data: bytes) -> None:
    """HParamsPluginData: 3 the session's start (1 a map of names to values: 2 number, 3 text, 4 truth)."""
    for number, value in protobuf.fields(data):
        if number != 3:
            continue
        for inner, entry in protobuf.fields(protobuf.raw(value)):
            if inner != 1:
                continue
            pair = dict(protobuf.fields(protobuf.raw(entry)))
            if 1 not in pair or 2 not in pair:
                continue
            for kind, content in protobuf.fields(protobuf.raw(pair[2])):
                if kind == 2:
                    events.hparams[protobuf.text(pair[1])] = protobuf.double(content)
                elif kind == 3:
                    events.hparams[protobuf.text(pair[1])] = protobuf.text(content)
                elif kind == 4:
                    events.hparams[protobuf.text(pair[1])] = bool(protobuf.whole(content))


def _scalar(data: bytes) -> float | None:
    """The number in a tensor of one number: 1 type, 4 content, or a list of its own for each type."""
    kind, content, listed = 0, b"", None
    for number, value in protobuf.fields(data):
        if number == 1:
            kind = protobuf.whole(value)
        elif number == 4:
            content = protobuf.raw(value)
        elif number == 2 and _elements(protobuf.raw(value)) != 1:
            return None
        elif number == 5:
            listed = protobuf.single(value)
        elif number == 6:
            listed = protobuf.double(value)
        elif number in (7, 10, 11):
            listed = float(protobuf.signed(value if isinstance(value, int) else next(_packed(value))))
    if kind == _BFLOAT16 and len(content) == 2:
        return struct.unpack("<f", b"\0\0" + content)[0]
    if kind in _TYPES and len(content) == np.dtype(_TYPES[kind]).itemsize:
        return float(np.frombuffer(content, _TYPES[kind])[0])
    return listed


def _elements(shape: bytes) -> int:
    """The product of a TensorShapeProto: 2 a dimension (1 its size)."""
    count = 1
    for number, value in protobuf.fields(shape):
        if number == 2:
            count *= next(
                (protobuf.signed(size) for inner, size in protobuf.fields(protobuf.raw(value)) if inner == 1), 0
            )
    return count


def _packed(data: bytes) -> Iterator[int]:
    """The varints of a packed list."""
    yield from (protobuf.whole(value) for _, value in protobuf.fields(b"".join((b"\x08", data))))


READER: Final = Reader("tensorboard", "TensorBoard event files (…tfevents…)", claims=_claims, read=_read)
