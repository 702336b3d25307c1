"""Hugging Face Trainer: ``trainer_state.json``, with the model's ``config.json`` beside it.

``loss`` is the mean over the steps since the last entry, not the loss at the step; ``eval_loss`` has entries of its
own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from isoflop.findings import Finding
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.json_numbers import number_or_none, read_object
from isoflop.logs.logged import LogError, LoggedRun, Status
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run

_CHECKPOINT: Final = re.compile(
    r"checkpoint-(\d+)|(?:checkpoint|ckpt)[-_](?:last|latest|best|final)|"
    r"(?:last|latest|best|final)[-_]checkpoint"
)
_STATE: Final = "trainer_state.json"
# The last entry of a whole run sums it up; these are no points of a curve.
_SUMMARY: Final = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "total_flos", "train_loss")
_TOP: Final = (
    "max_steps",
    "num_train_epochs",
    "train_batch_size",
    "global_step",
    "logging_steps",
    "eval_steps",
    "save_steps",
)
# Of config.json: names that say what a model is, not where it lies or how it is read.
_PASSED: Final = (
    "_name_or_path",
    "architectures",
    "transformers_version",
    "dtype",
    "torch_dtype",
    "id2label",
    "label2id",
)


def _claims(candidate: Candidate) -> str | None:
    if candidate.path.name != _STATE:
        return None
    folder = candidate.path.parent
    return str(folder.parent if _CHECKPOINT.fullmatch(folder.name) else folder)


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    digest = Digest()
    # a later checkpoint repeats the history of the earlier ones; the folder's own file is written at the end
    path, state = _newest(found, digest)
    entries = state.get("log_history")
    if not isinstance(entries, list):
        raise LogError(f"{found.source} has no log_history; is it the trainer_state.json of a Trainer?")
    curves, results = Curves(), _results(state)
    for entry in entries:
        if isinstance(entry, dict):
            _entry(curves, results, entry)
    yield logged_run(
        name=found.source if found.source != "log" else "run",
        format=found.format,
        source=found.source,
        curves=curves,
        status=_status(state),
        config={**_model(path, digest), **{key: state[key] for key in _TOP if key in state}},
        results=results,
        digest=digest.hexdigest(),
        findings=_window(state, entries),
    )


def _newest(found: Found, digest: Digest) -> tuple[Path, dict[str, Any]]:
    """The file that knows most: the folder's own, else that of the checkpoint with the most steps."""
    paths = sorted(found.files, key=lambda path: (not _CHECKPOINT.fullmatch(path.parent.name), _number(path)))
    best = paths[-1]
    if _CHECKPOINT.fullmatch(best.parent.name):  # copies such as last-checkpoint do not say their steps
        unnumbered = [path for path in paths if not _number(path)]
        states = [(_steps(path), path) for path in [*unnumbered, best]]
        best = max(states, key=lambda each: each[0])[1]
    return best, read_object(digest.whole(best), found.source)


def _steps(path: Path) -> int:
    try:
        done = read_object(path.read_bytes(), path.name).get("global_step")
    except (LogError, OSError):
        return -1
    return done if isinstance(done, int) else -1


def _number(path: Path) -> int:
    match = _CHECKPOINT.fullmatch(path.parent.name)
    return int(match[1]) if match and match[1] else 0


def _entry(curves: Curves, results: dict[str, float], entry: dict[str, Any]) -> None:
    step = entry.get("step")
    if not isinstance(step, int) or isinstance(step, bool):
        return
    ends = "train_loss" in entry and "loss" not in entry  # entries may tell train_runtime as they go
    for name, value in entry.items():
        number = number_or_none(value)
        if number is None or name == "step":
            continue
        if ends and name in _SUMMARY:
            results[name] = number
        elif not ends:
            curves.add(name, step, number)


def _results(state: dict[str, Any]) -> dict[str, float]:
    """What the state says of the whole run; ``total_flos`` is the Trainer's own 6ND over what it saw."""
    names = ("total_flos", "best_metric", "num_input_tokens_seen", "epoch")
    found = {name: number_or_none(state.get(name)) for name in names}
    # a count that was not asked for is kept as 0
    return {name: number for name, number in found.items() if number is not None and (number or name == "best_metric")}


def _status(state: dict[str, Any]) -> Status:
    done, planned = state.get("global_step"), state.get("max_steps")
    if not isinstance(done, int) or not isinstance(planned, int) or planned <= 0:
        return "unknown"
    return "finished" if done >= planned else "unknown"


def _model(path: Path, digest: Digest) -> dict[str, Any]:
    """The model's configuration, from the folder of the state or that of its newest checkpoint."""
    beside = [path.parent, *sorted(path.parent.glob("checkpoint-*"), key=lambda folder: _number(folder / _STATE))[::-1]]
    for folder in beside:
        if (folder / "config.json").is_file():
            config = read_object(digest.whole(folder / "config.json"), "config.json")
            return {key: value for key, value in config.items() if key not in _PASSED}
    return {}


def _window(state: dict[str, Any], entries: list[Any]) -> list[Finding]:
    if not any(isinstance(entry, dict) and "loss" in entry for entry in entries):
        return []
    every = state.get("logging_steps")
    steps = f"{every:,} steps" if isinstance(every, int) and every > 1 else "the steps since the entry before"
    return (
        [
            Finding(
                "window-mean",
                "note",
                f"loss is a mean over {steps}, not the loss at its step.",
                "Where eval_loss was logged, it is the better final loss.",
            )
        ]
        if every != 1
        else []
    )


READER: Final = Reader("trainer", "Hugging Face trainer_state.json", claims=_claims, read=_read)
