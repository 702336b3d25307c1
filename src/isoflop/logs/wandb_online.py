"""Weights & Biases over the network: ``wandb:entity/project`` or ``wandb:entity/project/run``, every logged step.

The history comes from ``scan_history``, which pages through all steps; ``history`` samples 500 and is not used. What
was fetched is kept, so that a broken download goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from isoflop.errors import MissingExtraError
from isoflop.files import write_whole
from isoflop.findings import Finding
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.json_numbers import numbers_in
from isoflop.logs.logged import LogError, LoggedRun, Status, Unread
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.wandb_steps import Steps

ADDRESS: Final = "wandb:"
_PAGE: Final = 10_000
_WHOLE: Final = "whole"  # an empty file beside the pages of a run that ended and was read to its end
_STATUS: Final[dict[str, Status]] = {
    "finished": "finished",
    "running": "running",
    "crashed": "crashed",
    "failed": "crashed",
    "killed": "crashed",
}
_TABLE: Final = 10_000  # rows to which W&B cuts a table that is logged


def _read(found: Found, options: Options) -> Iterator[LoggedRun | Unread]:
    try:
        import requests
        import wandb
    except ImportError:
        raise MissingExtraError("runs on wandb.ai need wandb: pip install 'isoflop[wandb]'") from None
    path = found.address.removeprefix(ADDRESS).strip("/")
    parts = path.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise LogError(
            f"{found.address!r} is no run or project; write wandb:entity/project or wandb:entity/project/run"
        )
    failures = (wandb.Error, requests.RequestException, ValueError, OSError)
    try:
        api = wandb.Api()
        runs = [api.run(path)] if len(parts) == 3 else list(api.runs(path, order="+created_at"))
    except failures as error:
        raise LogError(f"{found.address} cannot be listed ({_first_line(error)}); check name and login") from None
    for run in runs:
        source = f"{ADDRESS}{parts[-2] if len(parts) == 3 else parts[-1]}/{run.id}"
        try:
            yield online_run(run, source, options.resume)
        except failures as error:
            yield Unread(source, f"{source} broke off ({_first_line(error)}); import again and it goes on from there")


def online_run(run: Any, source: str, resume: Path | None) -> LoggedRun:  # noqa: ANN401  (wandb.apis.public.Run)
    """One run from the API's object; with ``resume`` the pages are kept in that folder and not fetched twice."""
    kept = None if resume is None else resume / hashlib.sha256(source.encode()).hexdigest()[:16]
    curves, digest, findings = Curves(), Digest(), []
    steps, last = Steps(), -1
    for row in _rows(run, kept):
        digest.update(json.dumps(row, sort_keys=True).encode())
        last = max(last, _step(row))
        steps.take(curves, row)
    expected = _last_step(run)
    if expected > last:
        findings.append(
            Finding(
                "incomplete",
                "warning",
                f"{source} was logged up to step {expected:,} and came up to {last:,}.",
                "Import again; if it stays so, ask for the run's .wandb file.",
            )
        )
    summary = dict(run.summary)
    cut = [
        name
        for name, value in summary.items()
        if isinstance(value, dict) and value.get("_type") == "table-file" and (value.get("nrows") or 0) >= _TABLE
    ]
    if cut:
        findings.append(
            Finding(
                "sampled",
                "warning",
                f"{source}: the tables {', '.join(cut[:3])} were cut to {_TABLE:,} rows when they were logged.",
                "Do not take a loss from these tables; the history itself is whole.",
            )
        )
    history, made = curves.table()
    results = {name: value for name, value in numbers_in("", summary).items() if not name.startswith("_")}
    if kept is not None and _STATUS.get(run.state, "running") != "running":
        (kept / _WHOLE).touch()
    return logged_run(
        name=str(run.name or run.id),
        format="wandb-online",
        source=source,
        curves=history,
        digest=digest.hexdigest(),
        status=_STATUS.get(run.state, "unknown"),
        config={key: value for key, value in dict(run.config).items() if not key.startswith("_")},
        results={name: value for name, value in results.items() if name not in history.columns},
        findings=[*findings, *made],
    )


def _rows(run: Any, kept: Path | None) -> Iterator[dict[str, float]]:  # noqa: ANN401
    """The numbers of each row of the history: those that were kept, then the rest, a page at a time.

    Nothing but numbers is kept, since texts may hold names and paths. A page bears the number of its first step, so
    that two downloads at once write the same pages.
    """
    if kept is None:
        yield from (numbers_in("", row) for row in run.scan_history(page_size=_PAGE))
        return
    last = -1
    for page in sorted(kept.glob("*.jsonl")):
        for row in (json.loads(line) for line in page.read_bytes().splitlines()):
            if _step(row) > last:
                last = _step(row)
                yield row
    if (kept / _WHOLE).exists() and _last_step(run) <= last:
        return
    kept.mkdir(parents=True, exist_ok=True)
    page_rows: list[dict[str, float]] = []
    try:
        for fetched in run.scan_history(page_size=_PAGE, min_step=last + 1):
            row = numbers_in("", fetched)
            page_rows.append(dict(row))
            yield row
            if len(page_rows) == _PAGE:
                _keep(kept, page_rows)
                page_rows = []
    finally:
        _keep(kept, page_rows)


def _keep(kept: Path, rows: list[dict[str, float]]) -> None:
    if rows:
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        write_whole(kept / f"{_step(rows[0]):015d}.jsonl", lines.encode())


def _step(row: Mapping[str, float]) -> int:
    """W&B's own count of calls, which every row of a history has; −1 without it."""
    return int(row.get("_step", -1))


def _last_step(run: Any) -> int:  # noqa: ANN401
    """The last step that the server knows of, −1 where it does not say."""
    said = getattr(run, "lastHistoryStep", None)
    return said if isinstance(said, int) else -1


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _claims(candidate: Candidate) -> str | None:
    return None


READER: Final = Reader(
    "wandb-online", "wandb:entity/project over the network", claims=_claims, read=_read, addresses=(ADDRESS,)
)
