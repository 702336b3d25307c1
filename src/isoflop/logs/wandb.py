"""Weights & Biases runs on disk: ``run-ID.wandb``, a LevelDB log of protobuf records, old and new releases.

The file is blocks of 32 KiB after seven bytes of header; a record is one or several fragments, each with checksum,
length and kind (github.com/google/leveldb, doc/log_format.md; the checksum here is CRC-32, not CRC-32C).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from isoflop.findings import Finding
from isoflop.logs import protobuf
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest, HashedFile, cut_short
from isoflop.logs.json_numbers import numbers_in
from isoflop.logs.logged import LogError, LoggedRun, Status
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.wandb_steps import Steps

_IDENT: Final = b":W&B"
_HEADER: Final = 7
_BLOCK: Final = 32_768
_FRAGMENT: Final = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class _Run:
    """What the records have said so far."""

    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, float] = field(default_factory=dict)
    curves: Curves = field(default_factory=Curves)
    status: Status = "unknown"
    steps: Steps = field(default_factory=Steps)
    defined: list[str] = field(default_factory=list)  # names of defined metrics, which later ones refer to by number
    rows: int = 0
    damaged: int = 0


def _claims(candidate: Candidate) -> str | None:
    if not candidate.head.startswith(_IDENT) and candidate.path.suffix != ".wandb":
        return None
    folder = candidate.path.parent
    # a resumed run writes a file of the same name in a folder of its own: wandb/offline-run-DATE-ID/run-ID.wandb
    if folder.name.endswith(candidate.path.stem.removeprefix("run-")):
        folder = folder.parent
    return str(folder / candidate.path.name)


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    run, digest, findings = _Run(), Digest(), []
    for number, path in enumerate(found.files):
        if number:
            run.curves.new_session()
        run.status = "unknown"
        with digest.file(path) as file:
            log = _Log(file, found.source)
            for record in log:
                try:
                    _take(run, record)
                except ValueError:
                    run.damaged += 1
        run.damaged += log.damaged
        if log.torn:
            findings.append(cut_short(found.source, "ends within a record"))
    if run.damaged:
        findings.append(
            Finding(
                "damaged",
                "warning",
                f"{run.damaged:,} records of {found.source} are damaged and were passed over.",
                "Copy the file again.",
            )
        )
    if not run.rows and not run.config and not run.name:
        raise LogError(f"{found.source} holds no record of a run; the run ended before anything was written")
    if run.status == "unknown":
        findings.append(
            Finding(
                "no-end",
                "note",
                "the log has no end: the run was killed, or still runs.",
                "Nothing to do, or read it again when the run has ended.",
            )
        )
    history, made = run.curves.table()
    yield logged_run(
        name=run.name or found.source.removesuffix(".wandb"),
        format=found.format,
        source=found.source,
        curves=history,
        digest=digest.hexdigest(),
        status=run.status,
        config={key: value for key, value in run.config.items() if key != "_wandb"},
        results={name: value for name, value in run.summary.items() if name not in history.columns},
        findings=(*findings, *made),
    )


class _Log:
    """The records of a file; ``torn`` says that the last one is not whole, ``damaged`` counts what was skipped."""

    def __init__(self, file: HashedFile, source: str) -> None:
        header = file.read(_HEADER)
        if header[:4] != _IDENT:
            raise LogError(f"{source} does not begin as a Weights & Biases file does ({header[:4]!r}); copy it again")
        self._file = file
        self.torn = False
        self.damaged = 0

    def __iter__(self) -> Iterator[bytes]:
        block = self._file.read(_BLOCK - _HEADER)
        parts: list[bytes] = []
        while block:
            last = not self._file.left
            at = 0
            while at + _FRAGMENT.size <= len(block):
                checksum, length, kind = _FRAGMENT.unpack_from(block, at)
                if not kind and not length:  # room that was made and not written
                    break
                data = block[at + _FRAGMENT.size : at + _FRAGMENT.size + length]
                if len(data) < length and last:
                    self.torn = True
                    return
                if not _FULL <= kind <= _LAST or zlib.crc32(data, zlib.crc32(bytes([kind]))) != checksum:
                    self.damaged += 1
                    parts = []
                    break  # lengths cannot be trusted any more; the next block begins anew
                at += _FRAGMENT.size + length
                if kind in (_FULL, _FIRST):
                    parts = []
                elif not parts:  # the rest of a record whose beginning is lost
                    continue
                parts.append(data)
                if kind in (_FULL, _LAST):
                    yield b"".join(parts)
                    parts = []
            else:
                if last and at < len(block) and any(block[at:]):
                    self.torn = True
            block = self._file.read(_BLOCK)
        self.torn |= bool(parts)


def _take(run: _Run, record: bytes) -> None:
    """One record: 2 history, 3 summary, 5 config, 12 a metric's definition, 17 the run, 18 its end."""
    for number, value in protobuf.fields(record):
        match number:
            case 2:
                _history(run, protobuf.raw(value))
            case 3:
                _summary(run, protobuf.raw(value))
            case 5:
                _config(run, protobuf.raw(value))
            case 12:
                _definition(run, protobuf.raw(value))
            case 17:
                for inner, content in protobuf.fields(protobuf.raw(value)):
                    if inner == 4:
                        _config(run, protobuf.raw(content))
                    elif inner == 5:
                        _summary(run, protobuf.raw(content))
                    elif inner == 8 or (inner == 1 and not run.name):
                        run.name = protobuf.text(content)
            case 18:
                code = next(
                    (protobuf.signed(content) for inner, content in protobuf.fields(protobuf.raw(value)) if inner == 1),
                    0,
                )
                run.status = "finished" if code == 0 else "crashed"


def _history(run: _Run, data: bytes) -> None:
    row: dict[str, float] = {}
    step: int | None = None
    for number, value in protobuf.fields(data):
        if number == 1:
            name, entry = _item(protobuf.raw(value))
            row.update(numbers_in(name, entry))
        elif number == 2:
            step = next((protobuf.signed(inner) for at, inner in protobuf.fields(protobuf.raw(value)) if at == 1), 0)
    run.steps.take(run.curves, row, step=step)
    run.rows += 1


def _summary(run: _Run, data: bytes) -> None:
    for number, value in protobuf.fields(data):
        if number == 1:
            name, entry = _item(protobuf.raw(value))
            run.summary.update(
                {key: found for key, found in numbers_in(name, entry).items() if not key.startswith("_")}
            )


def _config(run: _Run, data: bytes) -> None:
    for number, value in protobuf.fields(data):
        if number == 1:
            name, entry = _item(protobuf.raw(value))
            if name:
                run.config[name] = entry


def _definition(run: _Run, data: bytes) -> None:
    """``define_metric``: 1 a name, 2 a pattern of names, 4 the metric that counts the steps, 5 its number."""
    texts: dict[int, str] = {}
    counted = 0
    for number, value in protobuf.fields(data):
        if number in (1, 2, 4):
            texts[number] = protobuf.text(value)
        elif number == 5:
            counted = protobuf.signed(value)
    pattern = texts.get(1) or texts.get(2) or ""
    run.defined.append(pattern)
    axis = texts.get(4) or (run.defined[counted - 1] if 0 < counted <= len(run.defined) else "")
    run.steps.define(pattern, axis)


def _item(data: bytes) -> tuple[str, Any]:
    """Key and value of an item: 1 key, 2 parts of a nested key, 16 the value as JSON, 3 to 8 as its type."""
    key, nested = "", []
    value: Any = None
    for number, content in protobuf.fields(data):
        match number:
            case 1:
                key = protobuf.text(content)
            case 2:
                nested.append(protobuf.text(content))
            case 4:
                value = bool(protobuf.whole(content))
            case 5:
                value = protobuf.zigzag(content)
            case 6:
                value = protobuf.double(content)
            case 7:
                value = protobuf.text(content)
            case 8 | 16:
                value = _json(protobuf.text(content))
    return ".".join(nested) or key, value


def _json(text: str) -> Any:  # noqa: ANN401  (any value that JSON has)
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("a value nested too deeply") from None


READER: Final = Reader("wandb", "Weights & Biases run files (run-ID.wandb)", claims=_claims, read=_read)
