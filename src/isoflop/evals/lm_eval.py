"""lm-evaluation-harness: ``samples_TASK_TIME.jsonl``, an item a line, and ``results_TIME.json``, the scores of tasks.

A line of samples has ``doc_id``, ``target``, ``filtered_resps``, and the value of each metric under its name. Responses
to options are pairs of log-likelihood and whether greedy decoding gives the option, as numbers or as texts; a line
stands once for each filter. Model and checkpoint come from the results beside the samples, else from the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from isoflop.errors import DataError, shown
from isoflop.evals.logged_models import Evaluated
from isoflop.findings import Finding
from isoflop.logs.json_lines import records_of
from isoflop.logs.json_numbers import number_or_none
from isoflop.logs.lm_eval import READER as RESULTS
from isoflop.logs.logged import LoggedRun
from isoflop.logs.reader import Found, Options

_NAME: Final = re.compile(r"samples_(?P<task>.+?)(?:_(?P<time>\d{4}-\d\d-\d\dT[\d:.\-]+))?\.jsonl(?:\.gz)?")
_TIME: Final = re.compile(r"results_(?P<time>\d{4}-\d\d-\d\dT[\d:.\-]+)\.json")
_FIRST: Final = ("acc", "exact_match", "pass@1", "acc_norm", "mc2", "em", "f1")  # the metric of a task, best first
_SCORES: Final = (*_FIRST, "mc1", "pass_at_1", "prompt_level_strict_acc", "inst_level_strict_acc", "contains", "score")
# what a line holds besides its metrics
_KEYS: Final = frozenset(
    [
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "filter",
        "metrics",
        "doc_hash",
        "prompt_hash",
        "target_hash",
        "task",
    ]
)


def is_samples(path: Path) -> bool:
    """Whether the name is one that the harness gives to samples."""
    return _NAME.fullmatch(path.name) is not None


def is_results(path: Path) -> bool:
    """Whether a file has the scores of tasks in it, as the harness writes them."""
    if path.suffix != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(1 << 16)
    return b'"results"' in head and not head.lstrip().startswith(b"[") and b'"eval"' not in head[:400]


def read_samples(path: Path, *, metrics: Sequence[str] = ()) -> Evaluated:
    """The items of one file of samples.

    Options are read where every item has a right one that agrees with its score; else the scores alone.

    metrics: the one that is the score of each item, where the first of acc, exact_match, pass@1 … is not meant.
    Raises DataError for a file without an item that can be used.
    """
    match = _NAME.fullmatch(path.name)
    assert match is not None  # is_samples was asked
    task = match["task"]
    rows, unused = _rows(path, task, metrics, options=True)
    if len({row["kind"] for row in rows}) > 1:
        rows, unused = _rows(path, task, metrics, options=False)
    lines = len(rows) + unused
    if not rows:
        raise DataError(
            f"{path.name} has {lines} lines and none with doc_id and a score of {', '.join(metrics or _FIRST[:3])}, …; "
            "give the samples that lm-evaluation-harness logs, samples_*.jsonl, or another --metric"
        )
    findings = [
        Finding(
            "items-left-out",
            "warning",
            f"{unused} of {lines:,} lines of {path.name} have no score between 0 and 1 and were left out.",
            "Name the metric of the task, as --metric exact_match.",
        )
    ] if unused else []  # fmt: skip
    name, settings = _model(path, match["time"])
    return Evaluated(name, settings, rows, match["time"] or "", path.name, findings)


def read_results(path: Path, *, metrics: Sequence[str] = ()) -> Evaluated:
    """The scores of the tasks in one file of results, with their sampling errors and numbers of items."""
    logged = _logged(path)
    if logged is None:
        raise DataError(f"{path.name} holds no score of a task; run the evaluation again")
    results, rows = logged.results, []
    for key, value in results.items():
        task, _, named = key.rpartition("/")
        metric, at, filtered = named.partition("@") if not named.startswith("pass@") else (named, "", "")
        if not task or metric.endswith("_stderr") or metric in ("n", "alias"):
            continue
        if metrics and named not in metrics and metric not in metrics:
            continue
        if not metrics and metric not in _SCORES:
            continue
        count, error = results.get(f"{task}/n"), results.get(f"{task}/{metric}_stderr{at}{filtered}")
        rows.append({"task": task, "metric": named, "kind": "score", "score": value, "n": count, "stderr": error})
    if not rows:
        raise DataError(
            f"{path.name} has no {' or '.join(metrics or _FIRST[:3])} among {', '.join(list(results)[:6])}; name the "
            "metric, as --metric exact_match"
        )
    if not metrics:
        rows = _one_a_task(rows)
    time = _TIME.fullmatch(path.name)
    return Evaluated(logged.name, dict(logged.settings), rows, time["time"] if time else "", path.name, [])


def _rows(path: Path, task: str, metrics: Sequence[str], *, options: bool) -> tuple[list[dict[str, Any]], int]:
    """The items, and the number of lines without one."""
    told = [_row(record, task, metrics, options) for record in records_of(path)]
    return [each for each in told if each is not None], told.count(None)


def _one_a_task(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first of each task's metrics in the order of preference."""
    best: dict[str, dict[str, Any]] = {}
    for row in rows:
        base = row["metric"].partition("@")[0] if not row["metric"].startswith("pass@") else row["metric"]
        row["_rank"] = _SCORES.index(base)
        if row["task"] not in best or row["_rank"] < best[row["task"]]["_rank"]:
            best[row["task"]] = row
    return [{key: value for key, value in row.items() if key != "_rank"} for row in best.values()]


def _row(record: Mapping[str, Any], task: str, metrics: Sequence[str], options: bool) -> dict[str, Any] | None:
    """The item of one line; None for one without a score."""
    if "doc_id" not in record:
        return None
    filtered = str(record.get("filter") or "none")
    base = {"task": task, "item": str(record["doc_id"])}
    pairs = _pairs(record) if options else None
    right = _right(record, pairs) if pairs is not None else None
    suffix = "" if filtered == "none" else f"@{filtered}"
    if pairs is not None and right is not None and (not metrics or "acc" in metrics):
        texts = [text for _, text in pairs]
        lengths = [float(max(1, len(text.encode()))) for text in texts] if all(texts) else None
        return {**base, "metric": f"acc{suffix}", "kind": "options", "log_p": [p for p, _ in pairs], "right": right,
                "lengths": lengths}  # fmt: skip
    names = metrics or [*_FIRST, *(record.get("metrics") or ()), *(set(record) - _KEYS)]
    for name in names:
        value = number_or_none(record.get(name))
        if value is not None and 0 <= value <= 1:
            return {**base, "metric": f"{name}{suffix}", "kind": "score", "score": value}
    return None


def _pairs(record: Mapping[str, Any]) -> list[tuple[float, str]] | None:
    """Log-likelihood and text of each option; None where responses are no log-likelihoods of two or more."""
    told = record.get("filtered_resps")
    if not isinstance(told, list) or len(told) < 2:
        return None
    values = []
    for each in told:
        first = each[0] if isinstance(each, list) and len(each) == 2 else None
        if isinstance(first, list):  # resps keep one more level
            first = first[0] if first else None
        value = _float(first)
        if value is None:
            return None
        values.append(value)
    texts = _options(record.get("arguments"))
    if len(texts) < len(values):
        texts = [""] * len(values)
    return list(zip(values, texts[: len(values)], strict=True))


def _float(value: object) -> float | None:
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return None
    return number_or_none(value) if not isinstance(value, bool) else None


def _options(arguments: object) -> list[str]:
    """What follows the prompt, option by option: pairs, or ``gen_args_0: {arg_0, arg_1}`` in later releases."""
    parts = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if not isinstance(parts, list):
        return []
    found = []
    for part in parts:
        pair = list(part.values()) if isinstance(part, dict) else part
        found.append(str(pair[1]) if isinstance(pair, list) and len(pair) > 1 else "")
    return found


def _right(record: Mapping[str, Any], pairs: Sequence[tuple[float, str]]) -> int | None:
    """The right option: its number, its text, or its letter; None where the score does not agree with it."""
    target = record.get("target")
    text = str(target).strip()
    labels = [option.strip() for _, option in pairs]
    place: int | None = None
    if text.lstrip("-").isdigit() and 0 <= int(text) < len(pairs):
        place = int(text)
    elif labels.count(text) == 1:
        place = labels.index(text)
    elif len(text) == 1 and "A" <= text < chr(ord("A") + len(pairs)):
        place = ord(text) - ord("A")
    if place is None:
        return None
    told, best = number_or_none(record.get("acc")), max(range(len(pairs)), key=lambda at: pairs[at][0])
    ties = sum(p == pairs[best][0] for p, _ in pairs)
    return place if told is None or ties > 1 or bool(told) == (best == place) else None


def _logged(path: Path) -> LoggedRun | None:
    for each in RESULTS.read(Found(RESULTS.format, path.name, (path,)), Options()):
        if isinstance(each, LoggedRun):
            return each
    return None


def _model(path: Path, time: str | None) -> tuple[str, dict[str, Any]]:
    """Name and settings from the results beside the samples, of the same time if there are several."""
    beside = sorted(path.parent.glob("results*.json"))
    same = [each for each in beside if time is not None and time in each.name]
    for each in same or beside[-1:]:
        logged = _logged(each)
        if logged is not None and logged.name:
            return logged.name, dict(logged.settings)
    name = path.parent.name
    if not name or name in (".", ".."):
        raise DataError(
            f"no results file names the model of {path.name}: put it into a folder of the model's name, or beside its "
            f"results file, not {shown(str(path.parent))}"
        )
    return name.rpartition("__")[2], {}
