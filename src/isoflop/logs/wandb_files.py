"""What is left of a Weights & Biases run without its ``.wandb`` file: the folder ``files`` beside it.

``config.yaml`` holds the settings, ``wandb-summary.json`` the last values, ``output.log`` what the console showed, and
``wandb-history.jsonl`` (releases before 0.9) the history.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from isoflop.logs.console import Console
from isoflop.logs.console_runs import Runs
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Batches, Digest
from isoflop.logs.json_lines import records_of
from isoflop.logs.json_numbers import numbers_in, read_object
from isoflop.logs.logged import LogError, LoggedRun, Status
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.settings_text import settings_of_yaml
from isoflop.logs.wandb_steps import Steps

_FILES: Final = ("config.yaml", "wandb-summary.json", "wandb-history.jsonl", "output.log")
_FOLDER: Final = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(?P<id>\w+)")
_LONGEST: Final = 4_096


def _claims(candidate: Candidate) -> str | None:
    path = candidate.path
    folder = path.parent.parent
    if path.name not in _FILES or path.parent.name != "files" or not _FOLDER.fullmatch(folder.name):
        return None
    return None if any(folder.glob("*.wandb")) else str(folder)


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    digest, curves = Digest(), Curves()
    config: dict[str, Any] = {}
    results: dict[str, float] = {}
    status: Status = "unknown"
    by_name = {path.name: path for path in found.files}
    for name in sorted(by_name):
        if name == "config.yaml":
            config = _config(settings_of_yaml(digest.whole(by_name[name])))
        elif name == "wandb-summary.json":
            summary = read_object(digest.whole(by_name[name]), found.source)
            results = {key: value for key, value in numbers_in("", summary).items() if not key.startswith("_")}
        elif name == "wandb-history.jsonl":
            steps = Steps()
            digest.whole(by_name[name])
            for record in records_of(by_name[name]):
                steps.take(curves, numbers_in("", record))
    if not len(curves) and "output.log" in by_name:
        console, runs = Console(), Runs()
        with digest.file(by_name["output.log"]) as file:
            for batch in Batches.__iter__(Batches(file, longest=_LONGEST)):
                runs.take(batch, console.read(batch))
        run = runs.ended()[-1]
        curves, status = run.curves, run.status()
        config = {**run.settings, **config}
    if not len(curves) and not results:
        raise LogError(f"{found.source} holds no history and no summary; copy the run's .wandb file")
    match = _FOLDER.fullmatch(next(iter(found.files)).parent.parent.name)
    history, made = curves.table()
    yield logged_run(
        name=match["id"] if match else found.source,
        format=found.format,
        source=found.source,
        curves=history,
        digest=digest.hexdigest(),
        status=status,
        config=config,
        results={name: value for name, value in results.items() if name not in history.columns},
        findings=made,
    )


def _config(written: dict[str, Any]) -> dict[str, Any]:
    """W&B writes each setting as ``lr: {desc: null, value: 0.001}``."""
    return {
        key: value["value"] if isinstance(value, dict) and "value" in value else value
        for key, value in written.items()
        if not key.startswith(("_wandb", "wandb_version"))
    }


READER: Final = Reader(
    "wandb-files", "Weights & Biases run folders without their .wandb file", claims=_claims, read=_read
)
