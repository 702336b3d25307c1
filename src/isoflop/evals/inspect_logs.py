"""inspect-ai: logs of one evaluation of one model, ``.json`` as one object or ``.eval`` as a zip of parts.

``eval`` has task, model and time; each of ``samples`` an ``id``, an ``epoch`` and ``scores`` by scorer, whose ``value``
is C (correct), I, P (partly) or N, a truth value or a number. Epochs of one sample are its repeats.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from isoflop.documents import DocumentError, refuse_many_values
from isoflop.errors import DataError, shown
from isoflop.evals.logged_models import Evaluated
from isoflop.findings import Finding
from isoflop.logs.json_numbers import number_or_none

_LETTERS: Final = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_LARGEST: Final = 256 * 2**20  # bytes of a part of a log, unpacked
_MOST: Final = 1_000_000  # parts


def is_inspect(path: Path) -> bool:
    """Whether a file is such a log, by its ending and its first bytes."""
    if path.suffix == ".eval":
        return True
    if path.suffix != ".json":
        return False
    with path.open("rb") as file:
        head = file.read(4096)
    return b'"eval"' in head and (b'"version"' in head or b'"status"' in head) and head.lstrip().startswith(b"{")


def read_inspect(path: Path, *, metrics: Sequence[str] = ()) -> Evaluated:
    """The items of one log.

    metrics: the scorer whose value counts, where the first is not meant.
    Raises DataError for a damaged log, and one without samples or scores.
    """
    header, samples = _zipped(path) if path.suffix == ".eval" else _whole(path)
    about = header.get("eval")
    if not isinstance(about, Mapping) or not about.get("model"):
        raise DataError(f"{path.name} names no model and no task; is it a log of inspect-ai?")
    task = str(about.get("task_display_name") or about.get("task") or path.stem).rpartition("/")[2]
    rows, unused, total = [], 0, 0
    scorer = ""
    for sample in samples:
        total += 1
        scores = sample.get("scores") or ({"score": sample["score"]} if sample.get("score") else {})
        names = [each for each in metrics if each in scores] or list(scores)[:1]
        value = (
            _value(scores[names[0]].get("value") if isinstance(scores[names[0]], Mapping) else None) if names else None
        )
        if value is None:
            unused += 1
            continue
        scorer = scorer or names[0]
        rows.append(
            {
                "task": task,
                "metric": names[0],
                "item": str(sample.get("id")),
                "repeat": str(sample.get("epoch", 1)),
                "kind": "score",
                "score": value,
            }
        )
    if not rows:
        state = header.get("status")
        raise DataError(
            f"{path.name} has {total} samples and no score among them (status {shown(state)}); give a log of an "
            "evaluation that was finished and scored"
        )
    findings = []
    if unused:
        findings.append(
            Finding(
                "items-left-out",
                "warning",
                f"{unused} of {total:,} samples of {path.name} have no score ({scorer}) and were left out.",
                "Name the scorer, as --metric match, or evaluate them again.",
            )
        )
    if header.get("status") not in ("success", None):
        findings.append(
            Finding(
                "evaluation-unfinished",
                "warning",
                f"{path.name} ended with the status {shown(header['status'])}: {total} samples were logged.",
                "Finish the evaluation (inspect eval-retry).",
            )
        )
    model = str(about["model"])
    return Evaluated(model, {}, rows, str(about.get("created") or ""), path.name, findings)


def _value(value: object) -> float | None:
    """A score as a share; a dictionary of scores counts by its first."""
    if isinstance(value, Mapping):
        value = next(iter(value.values()), None)
    if isinstance(value, str):
        told = _LETTERS.get(value.strip().upper())
        if told is not None:
            return told
        word = value.strip().lower()
        try:
            value = float(word)
        except ValueError:
            return {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}.get(word)
    return number_or_none(value)


def _whole(path: Path) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
    if path.stat().st_size > _LARGEST:
        raise DataError(
            f"{path.name} has {path.stat().st_size:,} bytes; write large logs as .eval (inspect log convert)"
        )
    log = _parsed(path.read_bytes(), path.name)
    samples = log.get("samples")
    return log, [each for each in samples if isinstance(each, Mapping)] if isinstance(samples, list) else []


def _zipped(path: Path) -> tuple[Mapping[str, Any], Iterator[Mapping[str, Any]]]:
    """The header, and the samples one after the other, so that a log of gigabytes takes the memory of its largest."""
    try:
        with zipfile.ZipFile(path) as log:
            names = log.namelist()
            start = "header.json" if "header.json" in names else "_journal/start.json"
            if start not in names:
                raise DataError(f"{path.name} has no header; is it a log of inspect-ai?")
            header = _parsed(_part(log, start, path.name), path.name)
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path.name} is no whole .eval log ({error}); copy it again") from None
    parts = [each for each in names if each.startswith("samples/") and each.endswith(".json")]
    if len(parts) > _MOST:
        raise DataError(f"{path.name} has {len(parts):,} samples; a log has {_MOST:,} at most")
    return header, _samples(path, parts)


def _samples(path: Path, parts: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    with zipfile.ZipFile(path) as log:
        for each in parts:
            yield _parsed(_part(log, each, path.name), path.name)


def _part(log: zipfile.ZipFile, name: str, source: str) -> bytes:
    if log.getinfo(name).file_size > _LARGEST:
        raise DataError(
            f"{name[:80]} in {source} unpacks to more than {_LARGEST:,} bytes; write the log without attachments"
        )
    member = log.getinfo(name)
    try:
        if member.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):  # unpacked whole, whatever size is declared
            raise NotImplementedError("LZMA or BZIP2")
        with log.open(member) as part:
            return part.read(member.file_size)  # and not to its end, which may be far beyond
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise DataError(f"{name[:80]} in {source} is damaged ({error}); copy the log again") from None
    except (NotImplementedError, RuntimeError) as error:
        raise DataError(
            f"{name[:80]} in {source} is packed in a way that this Python cannot read ({error}); convert the log: "
            "inspect log convert --to json"
        ) from None


def _parsed(data: bytes, source: str) -> Mapping[str, Any]:
    try:
        refuse_many_values(data)
        value = json.loads(data)
    except DocumentError as error:
        raise DataError(f"{source} {error}; write large logs as .eval (inspect log convert)") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{source} is no whole JSON ({str(error)[:120]}); copy the log again") from None
    if not isinstance(value, Mapping):
        raise DataError(f"{source} holds no JSON object; is it a log of inspect-ai?")
    return value
