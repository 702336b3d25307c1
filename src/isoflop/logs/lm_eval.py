"""lm-evaluation-harness: ``results_*.json``, one file an evaluation of one model.

A key joins metric and filter, ``acc,none``; its sampling error is ``acc_stderr,none``. They become ``task/acc``,
``task/acc_stderr`` and, with a filter that is not ``none``, ``task/acc@filter``; ``task/n`` is the number of samples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.json_numbers import number_or_none, read_object
from isoflop.logs.logged import LogError, LoggedRun
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.settings_text import typed
from isoflop.units import parse_quantity

_CHECKPOINT: Final = re.compile(
    r"(?:checkpoint|ckpt|step|iter|iteration|global_step)[-_]?(\d+)(?:-unsharded|-hf)?", re.IGNORECASE
)
# A revision may say more than its step: stage1-step1000-tokens3B.
_REVISION: Final = re.compile(
    r"(?:^|[-_./])(?:checkpoint|ckpt|step|iter|iteration|global_step)[-_]?(\d{1,15})(?=$|[-_./])", re.IGNORECASE
)
_REVISION_TOKENS: Final = re.compile(r"(?:^|[-_./])tokens?[-_]?(\d+(?:\.\d+)?[KMBT]?)(?=$|[-_./])", re.IGNORECASE)


def _claims(candidate: Candidate) -> str | None:
    path, head = candidate.path, candidate.head
    if path.suffix != ".json" or b'"results"' not in head:
        return None
    told = any(word in head for word in (b'"n-shot"', b'"alias"', b"_stderr,", b'"configs"', b'"versions"', b",none"))
    return str(path) if told else None


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    digest = Digest()
    report = read_object(digest.whole(found.files[0]), found.source)
    tasks = report.get("results")
    if not isinstance(tasks, dict):
        raise LogError(f"{found.source} has no results by task; is it from lm-evaluation-harness?")
    results: dict[str, float] = {}
    settings: dict[str, Any] = {}
    for task, scores in {**_object(report, "groups"), **tasks}.items():
        if isinstance(scores, dict):
            results.update(_scores(task, scores))
        count = _object(report, "n-samples").get(task)
        number = number_or_none(count.get("effective") if isinstance(count, dict) else count)
        if number is not None:
            results[f"{task}/n"] = number
        shots = number_or_none(_object(report, "n-shot").get(task))
        if shots is not None:
            settings[f"{task}.num_fewshot"] = int(shots)
    if not results:
        raise LogError(f"{found.source} holds no score; run the evaluation again")
    arguments = _arguments(report)
    name, step = _model(report, arguments)
    settings |= {f"model_args.{key}": value for key, value in arguments.items()}
    revision = "/".join(str(arguments[key]) for key in ("revision", "subfolder", "model_revision") if key in arguments)
    told = _REVISION.search(revision)
    if step is None and told is not None:
        step = int(told[1])
    if step is not None:
        settings["step"] = step
    tokens = _REVISION_TOKENS.search(revision)
    if tokens is not None:
        settings["tokens"] = parse_quantity(tokens[1])
    yield logged_run(
        name=name or found.source,
        format=found.format,
        source=found.source,
        curves=Curves(),
        digest=digest.hexdigest(),
        status="finished",
        config=settings,
        results=results,
    )


def _object(report: dict[str, Any], key: str) -> dict[str, Any]:
    value = report.get(key)
    return value if isinstance(value, dict) else {}


def _scores(task: str, scores: dict[str, Any]) -> dict[str, float]:
    found = {}
    for key, value in scores.items():
        number = number_or_none(value)
        if number is None or isinstance(value, bool):
            continue
        metric, _, filtered = key.partition(",")
        if metric == "sample_len":
            metric = "n"
        found[f"{task}/{metric}" + (f"@{filtered}" if filtered not in ("", "none") else "")] = number
    return found


def _arguments(report: dict[str, Any]) -> dict[str, Any]:
    """``model_args`` as a dictionary; releases write it as one or as ``pretrained=…,dtype=…``."""
    written = _object(report, "config").get("model_args")
    if isinstance(written, dict):
        return written
    pairs = (part.split("=", 1) for part in str(written or "").split(",") if "=" in part)
    return {key.strip(): typed(value) for key, value in pairs}


def _model(report: dict[str, Any], arguments: dict[str, Any]) -> tuple[str, int | None]:
    """The model's name, the last part of its path that is no checkpoint, and the step of the checkpoint."""
    said = report.get("model_name") or arguments.get("pretrained") or arguments.get("model") or ""
    parts = [part for part in re.split(r"[\\/]", str(said)) if part not in ("", ".", "..", "~")]
    step: int | None = None
    while parts:
        match = _CHECKPOINT.fullmatch(parts[-1])
        if match is None:
            return parts[-1], step
        step = int(match[1]) if step is None and len(match[1]) < 16 else step
        parts.pop()
    return "", step


READER: Final = Reader("lm-eval", "lm-evaluation-harness results (results_*.json)", claims=_claims, read=_read)
