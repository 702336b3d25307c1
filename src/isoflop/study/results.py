"""What a study came to, as a folder: the same study on the same runs writes the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import IsoflopError
from isoflop.files import plain_json
from isoflop.render.html import write_html
from isoflop.render.markdown import write_markdown
from isoflop.schema import Map, Record, SchemaError, Text
from isoflop.study.perform import Performed
from isoflop.study.spec import study_toml
from isoflop.uncertainty.saved import save_fit

MANIFEST = "manifest.json"
SCHEMA = "isoflop.study/2"
_MOST_BYTES = 10_000_000
_MANIFEST = Record({"schema": Text(), "files": Map(Text())}, more=True)
_UNFINISHED = re.compile(r"\.(?P<name>.+)\.(?P<process>\d{1,10})(?P<old>\.old)?")


@dataclass(frozen=True)
class Written:
    """The folder, its files with their SHA-256, and how it compares with the results that stood there before.

    before: None where there were none; else the names of files that are new, gone or other than they were.
    """

    folder: Path
    files: Mapping[str, str]
    before: tuple[str, ...] | None


def write_results(done: Performed, folder: str | Path) -> Written:
    """Write study, fits, answers and report to ``folder``, which is there whole or as it was.

    ``study.toml``; ``answers.json`` (every answer at full precision), ``answers.md`` with its pictures; ``fit-N.json``
    for each law; ``report.html`` where a report was asked for; ``manifest.json`` with versions, the digest of the runs
    and of every file.
    Results of an earlier study are replaced; a folder with anything else in it is not touched: IsoflopError.
    """
    folder = Path(folder)
    if not folder.parent.is_dir():
        raise IsoflopError(f"there is no folder {str(folder.parent)!r} for {folder.name}; make it, or write elsewhere")
    _sweep_up(folder)
    earlier = _earlier(folder)
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        beside.mkdir()
        files = _fill(done, beside)
        if folder.exists():
            old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
            folder.rename(old)
            beside.rename(folder)
            shutil.rmtree(old, ignore_errors=True)
        else:
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    changed = None
    if earlier is not None:
        changed = tuple(sorted(name for name in {*earlier, *files} if earlier.get(name) != files.get(name)))
    return Written(folder, files, changed)


def _sweep_up(folder: Path) -> None:
    """Take away what studies that were killed while they wrote to ``folder`` left beside it.

    Where one was killed between its two renamings, the earlier results are put back.
    """
    for left in folder.parent.glob(".*"):
        found = _UNFINISHED.fullmatch(left.name)
        if found is None or found["name"] != folder.name or not left.is_dir() or _runs_still(int(found["process"])):
            continue
        if found["old"] and not folder.exists():
            left.rename(folder)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _runs_still(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def _earlier(folder: Path) -> Mapping[str, str] | None:
    """The files of earlier results, or None where the folder is not there or empty."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise IsoflopError(f"{str(folder)!r} is a file; give a folder for the results (-o)")
    names = {entry.name for entry in folder.iterdir()}
    if not names:
        return None
    try:
        manifest = _MANIFEST.read(parse_json(read_bounded(folder / MANIFEST, most=_MOST_BYTES)), "")
        known: dict[str, str] = manifest["files"]
        ours = manifest["schema"] == SCHEMA and names <= {*known, MANIFEST}
    except (DocumentError, SchemaError):
        ours, known = False, {}
    if not ours:
        raise IsoflopError(
            f"{str(folder)!r} holds other files than a study's results, which would be lost; give another folder (-o)"
        )
    return known


def _fill(done: Performed, folder: Path) -> dict[str, str]:
    (folder / "study.toml").write_text(study_toml(done.study), encoding="utf-8")
    answers = {
        "answers": {name: each.to_dict() for name, each in done.answers.items()},
        "refused": done.refused,
    }
    (folder / "answers.json").write_text(json.dumps(plain_json(answers), indent=1, allow_nan=False) + "\n")
    told = [each for each in done.answers.values() if each.question != "report"]
    write_markdown(told, folder / "answers.md", title=f"Study of {done.runs.source}")
    for number, ensemble in enumerate(done.ensembles, 1):
        save_fit(ensemble, folder / f"fit-{number}.json")
    for name, each in done.answers.items():
        if each.question == "report":
            write_html(each, folder / f"{name}.html")
    files = {
        entry.name: hashlib.sha256(entry.read_bytes()).hexdigest()
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
    }
    manifest = {
        "schema": SCHEMA,
        "versions": {name: version(name) for name in ("isoflop", "numpy", "scipy", "polars", "matplotlib")},
        "runs": {"source": done.runs.source, "digest": done.runs.digest, "rows": len(done.runs)},
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return files
