"""Runs cases through the server, and makes what fails small."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz.case import Case, Outcome

ROOT = Path(__file__).parents[2]


class Runner:
    """A server and a scratch folder; a context manager."""

    def __enter__(self):
        self.scratch = Path(tempfile.mkdtemp(prefix="isoflop-fuzz."))
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = {
            **os.environ,
            "PYTHONPATH": path,
            "MPLBACKEND": "Agg",
            "XDG_STATE_HOME": str(self.scratch / "state"),
            "OPENBLAS_NUM_THREADS": "1",
            "POLARS_MAX_THREADS": "1",
            "COLUMNS": "100",
        }
        environment.pop("ISOFLOP_DATASETS", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.server"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment, text=True,
        )  # fmt: skip
        assert json.loads(self.process.stdout.readline())["ready"]
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def run(self, case: Case, *, keep: Path | None = None, fresh: bool = False) -> Outcome:
        """How the case ends; keep: a folder that gets what it left; fresh: in an interpreter of its own."""
        place = self.scratch / "case"
        shutil.rmtree(place, ignore_errors=True)
        work = place / "work"
        work.mkdir(parents=True)
        case.lay_out(work)
        before = names(work)
        self.process.stdin.write(json.dumps({"words": case.words, "folder": str(work), "fresh": fresh}) + "\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        said = [
            (place / name).read_text(errors="replace") if (place / name).exists() else "" for name in ("out", "err")
        ]
        outcome = Outcome(
            told["code"], *said, told["seconds"], told["memory"], told["waited"], tuple(sorted(names(work) - before))
        )
        if keep is not None:
            shutil.copytree(work, keep, dirs_exist_ok=True)
        return outcome

    def smallest(self, case: Case, wrong: str, *, tries: int = 150) -> Case:
        """The case without whatever words, files, lines and pieces it fails as well without."""
        left = tries

        def fails(other):
            nonlocal left
            left -= 1
            return self.run(other).wrong_of(other.words) == wrong

        shrunk = True
        while shrunk and left > 0:
            shrunk = False
            for other in smaller(case):
                if left <= 0:
                    break
                if fails(other):
                    case, shrunk = other, True
                    break
        return case


def smaller(case):
    """Cases that lack something of this one, the largest steps first."""
    words = case.words
    for length in (2, 1):
        for start in range(1, len(words) - length + 1):
            yield Case((*words[:start], *words[start + length :]), case.files)
    for name in case.files:
        yield Case(words, {key: each for key, each in case.files.items() if key != name})
    for name, content in case.files.items():
        for pieces in (2, 4, 8, 16):
            lines = content.splitlines(keepends=True)
            units = lines if len(lines) >= pieces else [content[i : i + 1] for i in range(min(len(content), 2_000))]
            step = -(-len(units) // pieces)
            if step and len(b"".join(units)) == len(content):
                for start in range(0, len(units), step):
                    yield Case(words, {**case.files, name: b"".join(units[:start] + units[start + step :])})


def names(folder):
    """Paths of all files below a folder."""
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}
