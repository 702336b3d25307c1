"""What nobody foresaw: one sentence for the user, and a report of it on disk for whoever mends it."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from isoflop.errors import brief

EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h: a fault of the program, where 2 is one of its input
_KEPT = 20
_PARTS = ("isoflop", "numpy", "scipy", "polars", "matplotlib", "click")
_MOST = 100_000  # letters of one report


def state_folder() -> Path:
    """The folder of what is remembered: $XDG_STATE_HOME/isoflop, else ~/.local/state/isoflop."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "isoflop"


def no_memory() -> str:
    """What is said where memory ran out."""
    return "there is not enough memory for this; leave rows out (--where), or ask for fewer draws"


def tell(error: BaseException, doing: Sequence[str], *, folder: Path | None = None) -> str:
    """Keep a report of an error that nobody foresaw, and return the sentence that names it and the report.

    doing: what was asked, as the words of a command. folder: where reports are kept; ``faults`` of the state folder
    without it. The report holds versions, what was asked and the traceback, not the runs; the latest 20 are kept.
    """
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said[:160]}" if said else type(error).__name__
    place = _keep(error, doing, folder)
    where = f"a report is in {place}" if place else "no report could be written"
    return brief(f"isoflop has a fault here ({what}); {where}: please file it with the command")


def _keep(error: BaseException, doing: Sequence[str], folder: Path | None) -> Path | None:
    try:
        folder = folder or state_folder() / "faults"
        folder.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC)
        place = folder / f"{now:%Y%m%dT%H%M%S.%f}-{os.getpid()}.txt"
        place.write_text(_report(error, doing, now)[:_MOST], encoding="utf-8", errors="backslashreplace")
        for old in sorted(folder.glob("2*.txt"))[:-_KEPT]:
            old.unlink(missing_ok=True)
    except Exception:  # noqa: BLE001  (a report that cannot be kept must not hide what it would tell)
        return None
    return place


def _report(error: BaseException, doing: Sequence[str], now: datetime) -> str:
    versions = []
    for each in _PARTS:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{each} {version(each)}")
    return "\n".join(
        (
            f"when: {now.isoformat(timespec='seconds')}",
            f"command: {' '.join(brief(repr(each)) for each in doing)}",
            f"versions: {', '.join(versions)}; Python {platform.python_version()} on {sys.platform}",
            "",
            *traceback.format_exception(error),
        )
    )
