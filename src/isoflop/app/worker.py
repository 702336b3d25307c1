"""The process that does the work: tasks come as lines of JSON on standard input, news goes out the same way.

``python -m isoflop.app.worker FOLDER``: FOLDER holds the sessions. A task is ``{"session": ID, "task": ID, "draw":
false}``; the news are ``{"share": …, "doing": …}``, and at the end ``{"done": SENTENCE}`` or ``{"failed": SENTENCE}``.
With ``"draw": true`` one picture of the task's answer is drawn, and the news is ``{"left": STEPS}``.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported: small systems, threads only wait

import polars as pl

from isoflop.app.session import load
from isoflop.app.work import draw_next, perform
from isoflop.errors import IsoflopError
from isoflop.faults import no_memory
from isoflop.faults import tell as unforeseen


def main() -> None:
    """Work until standard input ends."""
    root = Path(sys.argv[1])
    news = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the terminal, not among the news

    def tell(**said: object) -> None:
        news.write(json.dumps(said) + "\n")
        news.flush()

    tell(ready=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            session = load(root, asked["session"])
            task = session.task(asked["task"])
            if asked["draw"]:
                tell(left=draw_next(session, task))
                continue
            says = perform(session, task, lambda share, doing: tell(share=share, doing=doing))
        except IsoflopError as error:
            tell(failed=str(error))
        except pl.exceptions.PanicException:
            tell(failed="reading the table broke Polars; its bytes are damaged, so send the file anew")
        except MemoryError:
            tell(failed=no_memory())
        except OSError as error:
            tell(failed=f"a file cannot be used ({error.strerror or error}); look at the folder and its free space")
        except Exception as error:  # noqa: BLE001  (one task's fault is not the next one's)
            tell(failed=unforeseen(error, ("page", asked["task"], *_kind(root, asked)), folder=root / "faults"))
        else:
            tell(done=says)


def _kind(root: Path, asked: Mapping[str, str]) -> tuple[str, ...]:
    """What was asked, for a report: the kind of task and its settings."""
    try:
        task = load(root, asked["session"]).task(asked["task"])
    except IsoflopError:
        return ()
    return task.kind, json.dumps(task.settings, default=str)[:2_000]


if __name__ == "__main__":
    main()
