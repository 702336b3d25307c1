"""A process that has imported all of isoflop and forks for every case: tens of milliseconds instead of a second each.

``python -m tests.fuzz.server``: lines of JSON ``{"words", "folder", "fresh"}`` in, ``{"code", "seconds", "memory",
"waited"}`` out. It imports and never computes, so that no thread pool is there to be lost in a fork. A fresh case is an
interpreter of its own, as a user's command is: what depends on what is imported, and when, shows there alone.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import resource
import signal
import sys
import time
from pathlib import Path

from tests.fuzz.case import MOST_MEMORY, MOST_SECONDS, MOST_WALL

import isoflop
from isoflop.errors import IsoflopError
from isoflop.questions import questions

_LOOK = 0.02


def child(words, folder, *, fresh=False):
    """Run one command in this process; never returns."""
    os.setsid()
    os.chdir(folder)
    for descriptor, name in ((1, "out"), (2, "err")):
        file = os.open(f"../{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if fresh:
        os.execv(sys.executable, [sys.executable, "-m", "isoflop", *words])
    code = 0
    try:
        if words and words[0].startswith("@"):
            from tests.fuzz import page

            code = page.run(words)
        else:
            from isoflop.cli import main

            sys.argv = ["isoflop", *words]
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001
        import traceback

        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def watch(pid):
    """Wait for a child and end it where it takes too much."""
    began = time.monotonic()
    waited, peak = False, 0
    while True:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done:
            break
        try:
            peak = max(peak, int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize())
            ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            spent = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, IndexError):
            spent = 0.0
        waited = time.monotonic() - began > MOST_WALL
        if waited or peak > 1.2 * MOST_MEMORY or spent > MOST_SECONDS + 2:
            os.killpg(pid, signal.SIGKILL)
            _, status, used = os.wait4(pid, 0)
            break
        time.sleep(_LOOK)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # what it started and left behind
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": used.ru_utime + used.ru_stime,
        "memory": max(peak, used.ru_maxrss * 1024),
        "waited": waited and used.ru_utime + used.ru_stime < MOST_SECONDS,
    }


def main():
    """Serve until standard input ends."""
    for found in pkgutil.walk_packages(isoflop.__path__, "isoflop."):
        if not found.name.endswith("__main__") and ".lab" not in found.name:
            with contextlib.suppress(ImportError, IsoflopError):  # of extras that are not there
                importlib.import_module(found.name)
    for name in ("matplotlib.backends.backend_svg", "matplotlib.backends.backend_agg", "scipy.optimize", "scipy.stats"):
        importlib.import_module(name)
    questions()
    gc.collect()
    gc.freeze()  # a collection in a child would touch, and so copy, every page of what was imported
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if not pid:
            child(asked["words"], asked["folder"], fresh=asked.get("fresh", False))
        print(json.dumps(watch(pid)), flush=True)


if __name__ == "__main__":
    main()
