"""A file of a public data set on this machine: from a mirror, from the cache, or from its source, always checked.

``ISOFLOP_DATASETS`` names a mirror: a folder laid out as NAME/FILE. Without it the files live in a cache laid out
the same way. Nothing is kept, and nothing is read, whose SHA-256 is not the registered one.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from isoflop.errors import DataError
from isoflop.runs.datasets.registry import Copy, Dataset, SourceFile, Table, find

if TYPE_CHECKING:
    from http.client import HTTPResponse

MIRROR = "ISOFLOP_DATASETS"
HOST = "https://raw.githubusercontent.com"
TIMEOUT = 30.0
DEADLINE = 300.0
_CHUNK = 65_536

Origin = Literal["mirror", "cache", "download"]


@dataclass(frozen=True)
class Obtained:
    """A checked file on this machine, and where it came from this time."""

    file: SourceFile
    path: Path
    origin: Origin


@dataclass(frozen=True)
class Got:
    """What ``get`` brought: ``left`` are the derived tables that have no original to download."""

    dataset: Dataset
    obtained: tuple[Obtained, ...]
    left: tuple[SourceFile, ...]


def get(name: str, *, host: str = HOST, timeout: float = TIMEOUT, deadline: float = DEADLINE) -> Got:
    """Every file of ``NAME``, or the one of ``NAME/TABLE``, on this machine and checked.

    A file that is in the mirror or the cache is checked and not fetched again; a damaged one in the cache is.
    timeout: seconds without an answer; deadline: seconds for one whole file.

    Raises DataError: unknown name, no network, an answer other than the file, a digest that differs, a disk that
    refuses, or a name of which nothing can be downloaded.
    """
    dataset, table = find(name)
    wanted = (table.file,) if "/" in name else dataset.files
    mirrored = mirror_folder() is not None
    fetched = [file for file in wanted if mirrored or file.derived is None]
    if not fetched:
        raise DataError(_why_derived(wanted[0], name))
    obtained = tuple(_obtain(file, host=host, timeout=timeout, deadline=deadline) for file in fetched)
    return Got(dataset, obtained, tuple(file for file in wanted if file not in fetched))


def locate(dataset: Dataset, table: Table) -> Obtained:
    """The checked file of a table, without any network. Raises DataError that says how to obtain it."""
    file = table.file
    mirror = mirror_folder()
    if mirror is not None:
        return _in_mirror(file, mirror)
    name = dataset.full_name(table)
    if file.derived is not None:
        raise DataError(_why_derived(file, name))
    path = cache_folder() / file.dataset / file.copy.name
    if not path.is_file():
        raise DataError(f"the data set {name!r} is not on this machine; run: isoflop datasets --get {name}")
    if not _matches(path, file.copy):
        raise DataError(
            f"{path} is damaged (its SHA-256 is not the registered one); run: isoflop datasets --get {name}"
        )
    return Obtained(file, path, "cache")


def present(file: SourceFile) -> Origin | None:
    """Whether the mirror or the cache seems to hold the file, by name and size; the digest is checked on reading."""
    mirror = mirror_folder()
    if mirror is not None:
        held = any(_has_size(mirror / file.dataset / copy.name, copy) for copy in _copies(file))
        return "mirror" if held else None
    held = file.derived is None and _has_size(cache_folder() / file.dataset / file.copy.name, file.copy)
    return "cache" if held else None


def mirror_folder() -> Path | None:
    """The folder that ISOFLOP_DATASETS names, or None. Raises DataError where it names no folder."""
    named = os.environ.get(MIRROR, "")
    if not named:
        return None
    folder = Path(named).expanduser()
    if not folder.is_dir():
        raise DataError(f"{MIRROR}={named!r} is not a folder; name one laid out as NAME/FILE, or unset it")
    return folder


def cache_folder() -> Path:
    """Where downloads are kept: ``isoflop/datasets`` below the platform's folder for caches."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
    # a relative XDG_CACHE_HOME is to be ignored, says the specification
    root = Path(base) if base and Path(base).is_absolute() else Path("~/.cache").expanduser()
    return root / "isoflop" / "datasets"


def _obtain(file: SourceFile, *, host: str, timeout: float, deadline: float) -> Obtained:
    mirror = mirror_folder()
    if mirror is not None:
        return _in_mirror(file, mirror)
    path = cache_folder() / file.dataset / file.copy.name
    if path.is_file() and _matches(path, file.copy):
        return Obtained(file, path, "cache")
    body = _fetch(f"{host}/{file.address}", file, timeout=timeout, deadline=deadline)
    _write(path, body)
    return Obtained(file, path, "download")


def _copies(file: SourceFile) -> tuple[Copy, ...]:
    return (file.copy,) if file.mirrored is None else (file.copy, file.mirrored)


def _in_mirror(file: SourceFile, mirror: Path) -> Obtained:
    for copy in _copies(file):
        path = mirror / file.dataset / copy.name
        if path.is_file():
            if not _matches(path, copy):
                raise DataError(
                    f"{path} has SHA-256 {_digest(path)}, but {file.label} has {copy.sha256}; "
                    f"replace the mirror's file, or unset {MIRROR}"
                )
            return Obtained(file, path, "mirror")
    names = " or ".join(copy.name for copy in _copies(file))
    raise DataError(
        f"the mirror {mirror} has no {file.dataset}/{names}; add the file, or unset {MIRROR} to use the source"
    )


def _why_derived(file: SourceFile, name: str) -> str:
    return (
        f"{name!r} cannot be downloaded: {file.label} was derived from {file.source.repository} ({file.derived}); "
        f"place the file as FOLDER/{file.label} and set {MIRROR}=FOLDER"
    )


def _fetch(url: str, file: SourceFile, *, timeout: float, deadline: float) -> bytes:
    """The body at ``url``, no longer than the registered size, with the registered digest."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    request = Request(url, headers={"User-Agent": "isoflop"})
    try:
        with urlopen(request, timeout=timeout) as answer:
            body = _body(answer, limit=file.copy.bytes, end=time.monotonic() + deadline)
    except HTTPError as error:
        error.close()
        raise DataError(
            f"{url} answered {error.code} ({error.reason}); nothing was kept, so try again later "
            f"or point {MIRROR} at a mirror that holds {file.label}"
        ) from None
    except (URLError, HTTPException, OSError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        said = "no answer in time" if isinstance(reason, TimeoutError) else str(reason) or type(reason).__name__
        raise DataError(
            f"{url} could not be fetched ({said}); check the network, or point {MIRROR} at a mirror "
            f"that holds {file.label}"
        ) from None
    if len(body) > file.copy.bytes:
        raise DataError(f"{url} sends more than the registered {file.copy.bytes} bytes; nothing was kept")
    if len(body) < file.copy.bytes:
        raise DataError(f"{url} ended after {len(body)} of {file.copy.bytes} bytes; nothing was kept, so try again")
    came = hashlib.sha256(body).hexdigest()
    if came != file.copy.sha256:
        raise DataError(
            f"{url} sent a file with SHA-256 {came} where {file.copy.sha256} is registered; nothing was kept, "
            "since the source may have changed"
        )
    return body


def _body(answer: HTTPResponse, *, limit: int, end: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    # read1 returns after one receive, so that a server which trickles bytes still meets the deadline
    while size <= limit and (part := answer.read1(_CHUNK)):
        parts.append(part)
        size += len(part)
        if time.monotonic() > end:
            raise TimeoutError
    return b"".join(parts)


def _write(path: Path, body: bytes) -> None:
    """The whole file or none: written beside its place under another name, then moved there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(body)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise DataError(
            f"{path} could not be written ({error.strerror or error}); set XDG_CACHE_HOME to a folder that can be"
        ) from None


def _has_size(path: Path, copy: Copy) -> bool:
    return path.is_file() and path.stat().st_size == copy.bytes


def _matches(path: Path, copy: Copy) -> bool:
    return _has_size(path, copy) and _digest(path) == copy.sha256


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} could not be read ({error.strerror or error}); check its permissions") from None
