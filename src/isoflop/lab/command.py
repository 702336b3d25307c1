"""A user's own training program as cells: a template of its command line, and its metrics read back.

``python train.py --width {width} --tokens {tokens} --seed {seed}`` is filled with the cell's values. The program prints
its metrics as one JSON object on a line, the last such line counting, or writes them to the file that ``metrics`` names
in the cell's own folder, which ``{cell}`` in the template gives. ``loss`` must be among them; every other number or
text goes into the table as it is, with ``params``, ``tokens``, ``flops`` and ``unique_tokens`` as N, D, C and U.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import math
import os
import shlex
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import IsoflopError, SpecError

KIND = "command"
SYMBOLS = {"tokens": "D", "params": "N", "flops": "C", "unique_tokens": "U", "loss": "loss"}  # of values and metrics
GIVEN = ("cell", "python")  # fields that a template may use without listing values
OUTPUT = "output.txt"
_MOST_METRICS = 10_000_000  # bytes
_KEPT = 65_536  # bytes at the end of the program's output in which the metrics are sought

Value = str | int | float


class ProgramError(IsoflopError):
    """A user's program ended without metrics that can be used."""


@dataclass(frozen=True)
class Program:
    """One run of a user's program: the template, the values that fill it, and the file of metrics if it writes one."""

    template: str
    values: tuple[tuple[str, Value], ...]
    metrics: str | None = None
    folder: str | None = None
    loss_unit: str = "nats/token"

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that stand for this run of the program."""
        return hashlib.sha256(json.dumps(program_as_json(self), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """A folder name that a person can read: the values and the key."""
        values = "-".join(f"{name}{value}" for name, value in self.values)
        safe = "".join(c if c.isalnum() or c in "-._" else "_" for c in values)
        return f"{safe[:80]}-{self.key}"

    def argv(self, cell: Path) -> list[str]:
        """The words of the command, each word of the template filled by itself, so that values need no quoting.

        ``{cell}`` stands for the cell's own folder, ``{python}`` for the interpreter that runs the sweep.
        """
        values = {**dict(self.values), "cell": str(cell), "python": sys.executable}
        return [word.format_map(values) for word in shlex.split(self.template)]


def fields_of(template: str) -> tuple[str, ...]:
    """The names in braces of a template, in order. Raises SpecError for braces that do not hold a plain name."""
    try:
        found = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise SpecError(f"the command {template!r} has unbalanced braces; write {{{{ for a plain brace") from error
    for name in found:
        if not name.isidentifier():
            raise SpecError(f"the command's field {{{name}}} is not a plain name; write for example {{width}}")
    return tuple(dict.fromkeys(found))


def program_as_json(program: Program) -> dict[str, Any]:
    """The program as plain values for a file."""
    return {"kind": KIND, **asdict(program), "values": dict(program.values)}


def program_from_json(values: Mapping[str, Any]) -> Program:
    """The program that :func:`program_as_json` wrote."""
    try:
        fields = {name: value for name, value in values.items() if name != "kind"}
        return Program(**{**fields, "values": tuple(fields["values"].items())})
    except (KeyError, TypeError, AttributeError) as error:
        raise SpecError(f"the cell is damaged ({type(error).__name__}: {error}); regenerate the cell") from None


def run_program(
    program: Program, folder: Path, *, beat: Callable[[], None] | None = None, deadline: float = math.inf
) -> dict[str, Any]:
    """Run the program in ``folder`` and return its row of the runs table.

    Raises ProgramError when it cannot start, fails, passes the deadline or leaves no metrics; the message ends with the
    last line that it printed.
    """
    begun = time.monotonic()
    argv = program.argv(folder.resolve())
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    if program.metrics is not None:
        (folder / program.metrics).unlink(missing_ok=True)  # a file of an earlier attempt is no result
    where = Path(program.folder) if program.folder else folder
    with (folder / OUTPUT).open("wb") as output:
        try:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=where,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        except OSError as error:
            raise ProgramError(f"the program {argv[0]!r} does not start: {error.strerror}") from error
        try:
            _wait(process, beat=beat, until=begun + deadline)
        except subprocess.TimeoutExpired:
            raise ProgramError(f"the program passed its deadline of {deadline:.0f} s{_last_words(folder)}") from None
        finally:
            _end(process)
    if process.returncode != 0:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"exit code {process.returncode}"
        raise ProgramError(f"the program ended with {how}{_last_words(folder)}")
    metrics = _metrics(program, folder)
    return _row(program, metrics, time.monotonic() - begun)


def _die_with_parent() -> None:
    """Have the system kill the program when its worker is killed (prctl PR_SET_PDEATHSIG); no orphan writes later."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _wait(process: subprocess.Popen[bytes], *, beat: Callable[[], None] | None, until: float) -> None:
    while True:
        try:
            process.wait(timeout=min(1.0, max(0.01, until - time.monotonic())))
            return
        except subprocess.TimeoutExpired:
            if time.monotonic() >= until:
                raise
            if beat is not None:
                beat()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the program with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _metrics(program: Program, folder: Path) -> dict[str, Any]:
    if program.metrics is not None:
        try:
            found = parse_json(read_bounded(folder / program.metrics, most=_MOST_METRICS), words=True)
        except DocumentError as error:
            if "No such file" in str(error):
                says = f"the program wrote no metrics file {program.metrics!r}"
                raise ProgramError(says + _last_words(folder)) from None
            raise ProgramError(f"the metrics file {program.metrics!r} {error}") from None
        if isinstance(found, dict):
            return found
        raise ProgramError(f"the metrics file {program.metrics!r} holds {type(found).__name__}, not an object")
    for line in reversed(_tail(folder).splitlines()):
        text = line.strip()
        if text.startswith("{"):
            try:
                found = parse_json(text, words=True)
            except DocumentError:
                continue
            if isinstance(found, dict):
                return found
    raise ProgramError(
        f'the program printed no metrics; its last line should be like {{"loss": 3.21, "N": 125000}}'
        f"{_last_words(folder)}"
    )


def _row(program: Program, metrics: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    loss = metrics.get("loss")
    if not isinstance(loss, int | float) or isinstance(loss, bool):
        raise ProgramError(f"the program's metrics {sorted(metrics)} hold no number called 'loss'")
    diverged = not math.isfinite(loss)
    row: dict[str, Any] = {"run": program.name, "family": "command"}
    for name, value in (*program.values, *metrics.items()):
        if isinstance(value, str | int | float):
            row[SYMBOLS.get(name, name)] = value
    row |= {
        "loss": None if diverged else float(loss),
        "loss_unit": program.loss_unit,
        "wall_seconds": seconds,
        "status": "diverged" if diverged else "done",
    }
    return {"row": row, "curve": [], "status": row["status"]}


def _tail(folder: Path) -> str:
    with (folder / OUTPUT).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _KEPT))
        return file.read(_KEPT).decode("utf-8", errors="replace")


def _last_words(folder: Path) -> str:
    lines = [line.strip() for line in _tail(folder).splitlines() if line.strip()]
    return f"; its last line was {lines[-1][:200]!r}" if lines else "; it printed nothing"
