"""What to doubt in a session's runs, from the surface of a law fitted to them: some seconds, in a process of its own.

``python -m isoflop.app.doubts FOLDER SESSION`` is that process: it prints ``{"findings": CARDS}``, all findings of
:func:`isoflop.validation.check.check` as :func:`isoflop.app.cards.cards` shows them, or ``{"findings": null}`` where
the table cannot be read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported: small systems, threads only wait

from isoflop.app.session import Session, load, read
from isoflop.errors import IsoflopError


async def doubts(session: Session) -> list[Any] | None:
    """The findings as plain values; None where there is no table to doubt. Ends its process when it is cancelled."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "isoflop.app.doubts", str(session.folder.parent), session.id),
        stdout=PIPE,
        stderr=DEVNULL,
    )
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    findings: list[Any] | None = json.loads(said)["findings"] if process.returncode == 0 else None
    return findings


def main() -> None:
    """Read the session that the command line names, and doubt it."""
    from isoflop.app.cards import cards
    from isoflop.validation.check import check

    session = load(Path(sys.argv[1]), sys.argv[2])
    findings = None
    with contextlib.suppress(IsoflopError):  # the table itself says why it cannot be read
        findings = cards(check(read(session)))
    sys.stdout.write(json.dumps({"findings": findings}))


if __name__ == "__main__":
    main()
