"""Byte-level text: Python's own library, which is installed wherever this runs, or the reader's own files.

Python's library is under the PSF licence. Tests, generated tables (``encodings``, ``pydoc_data``) and build settings of
the machine (``_sysconfigdata``) are left out; what is left is about 9.6 MB of programs written by people.
"""

from __future__ import annotations

import hashlib
import sysconfig
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import SpecError
from isoflop.lab.tasks.base import Inputs, Ints, TaskSpec, shuffled

VOCABULARY = 256
HELD_OUT_PERCENT = 5
_LEFT_OUT = frozenset(
    {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__", "encodings", "pydoc_data"}
)


@dataclass(frozen=True, eq=False)
class TextTask:
    """Predict the next byte; windows of ``context`` bytes whose targets tile the training text without overlap.

    training, held: the bytes, uint8, shapes (U + 1,) and (held-out bytes,).
    """

    name: str
    context: int
    training: NDArray[np.uint8]
    held: NDArray[np.uint8]
    digest: str
    classes: int = VOCABULARY
    unit: str = "nats/byte"
    features: int = 0

    @property
    def windows(self) -> int:
        """How many windows tile the training text."""
        return (len(self.training) - 1) // self.context

    @property
    def unique(self) -> int:
        """U: training bytes that a window can ask for."""
        return self.windows * self.context

    def batch(self, seed: int, step: int, size: int) -> tuple[Inputs, Ints]:
        """Inputs and next bytes of ``size`` windows, int64, shape (size, context)."""
        return _cut(self.training, shuffled(seed, step * size, size, self.windows) * self.context, self.context)

    def held_out(self, size: int) -> tuple[Inputs, Ints]:
        """Up to ``size`` windows evenly spread over the held-out files, int64, shape (size, context)."""
        windows = (len(self.held) - 1) // self.context
        chosen = np.unique(np.linspace(0, windows - 1, min(size, windows)).astype(np.int64))
        return _cut(self.held, chosen * self.context, self.context)


def python_text(*, context: int = 128, limit: int | None = None, vocabulary: int = VOCABULARY) -> TextTask:
    """The programs of the running Python's standard library, split by file.

    A file is held out when SHA-256 of its path within the library, modulo 100, is below 5; training files stand in
    the order of that hash. Different releases of Python have different text: the digest tells which one it was.
    """
    return _split(_library(), "python-text", context, limit, vocabulary, separate=True)


def text_from(
    path: str | Path, *, context: int = 128, limit: int | None = None, vocabulary: int = VOCABULARY
) -> TextTask:
    """The reader's own text: a folder is split by file as in :func:`python_text`; of one file the last 5 % is held out.

    Raises SpecError where there is nothing to read or too little for one window.
    """
    root = Path(path)
    if root.is_dir():
        paths = sorted(file for file in root.rglob("*") if file.is_file() and not file.name.startswith("."))
        files = tuple((file.relative_to(root).as_posix(), file.read_bytes()) for file in paths)
        if len(files) > 1:
            return _split(files, root.name, context, limit, vocabulary, separate=True)
    elif root.is_file():
        files = ((root.name, root.read_bytes()),)
    else:
        raise SpecError(f"the task's path {str(root)!r} does not exist; give a text file or a folder of text files")
    if not files:
        raise SpecError(f"the task's folder {str(root)!r} holds no files; give a text file or a folder of text files")
    return _split(files, root.name, context, limit, vocabulary, separate=False)


def text_task(spec: TaskSpec) -> TextTask:
    """The text task that a sweep's description names."""
    if spec.name == "python-text":
        return python_text(context=spec.context, limit=spec.limit, vocabulary=spec.vocabulary)
    if spec.path is None:
        raise SpecError("the task 'text' needs path = \"…\": a text file or a folder of text files")
    return text_from(spec.path, context=spec.context, limit=spec.limit, vocabulary=spec.vocabulary)


@lru_cache(maxsize=1)
def _library() -> tuple[tuple[str, bytes], ...]:
    root = Path(sysconfig.get_path("stdlib"))
    found = []
    for file in sorted(root.rglob("*.py")):
        name = file.relative_to(root)
        if _LEFT_OUT.isdisjoint(name.parts) and not name.name.startswith("_sysconfigdata"):
            found.append((name.as_posix(), file.read_bytes()))
    return tuple(found)


def _split(
    files: tuple[tuple[str, bytes], ...],
    name: str,
    context: int,
    limit: int | None,
    vocabulary: int,
    *,
    separate: bool,
) -> TextTask:
    state = hashlib.sha256()
    if separate:
        ordered = sorted(files, key=lambda file: _hash(file[0]))
        apart = {path for path, _ in ordered if _hash(path) % 100 < HELD_OUT_PERCENT}
        apart = apart or {ordered[0][0]}  # among few files none may fall below
        held = b"".join(data for path, data in ordered if path in apart)
        training = b"".join(data for path, data in ordered if path not in apart)
    else:
        data = files[0][1]
        cut = len(data) * (100 - HELD_OUT_PERCENT) // 100
        training, held = data[:cut], data[cut:]
    if limit is not None:
        training = training[: limit + 1]
    if vocabulary < VOCABULARY:
        merged = bytes(min(value, vocabulary - 1) for value in range(VOCABULARY))
        training, held = training.translate(merged), held.translate(merged)
    for part in (training, held):
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    for role, part in (("training", training), ("held-out", held)):
        if len(part) < context + 1:
            raise SpecError(
                f"the {role} text of {name!r} has {len(part)} bytes, fewer than one window of {context} + 1; "
                f"shorten context or give more text"
            )
    return TextTask(
        name=name,
        context=context,
        training=np.frombuffer(training, dtype=np.uint8),
        held=np.frombuffer(held, dtype=np.uint8),
        digest=state.hexdigest(),
        classes=vocabulary,
    )


def _hash(path: str) -> int:
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:8], "big")


def _cut(data: NDArray[np.uint8], starts: Ints, context: int) -> tuple[Inputs, Ints]:
    windows = data[starts[:, None] + np.arange(context + 1)].astype(np.int64)
    return windows[:, :-1], windows[:, 1:]
