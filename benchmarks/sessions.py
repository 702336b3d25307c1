"""How long the page takes to start beside 10,000 sessions: until it answers, and until it lists the latest.

``python benchmarks/sessions.py [COUNT]`` makes the sessions in a folder of its own and prints one line a measure.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from isoflop.app.bench import Bench
from isoflop.app.session import Session, Task, save, sessions


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        task = Task("r1", "fit", {"law": "chinchilla", "dropped": []}, state="done", drawn=True)
        for number in range(count):
            name = f"{number:012x}"
            (root / name).mkdir()
            save(Session(name, root / name, "file", "runs.csv", tasks=(task,)))
        print(f"open, {count:,} sessions: {asyncio.run(opened(root)):.3f} s (bound 0.3 s)")
        began = time.perf_counter()
        listed = len(sessions(root, most=20))
        print(f"list the latest {listed}: {time.perf_counter() - began:.3f} s")
        began = time.perf_counter()
        sessions(root)
        print(f"read all of them, as a start once did: {time.perf_counter() - began:.3f} s")


async def opened(root: Path) -> float:
    bench = Bench(root)
    began = time.perf_counter()
    await bench.open()
    spent = time.perf_counter() - began
    await bench.close()
    return spent


if __name__ == "__main__":
    main()
