"""PyTorch Lightning's CSVLogger: ``metrics.csv``, with the hyper-parameters of ``hparams.yaml`` beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from isoflop.logs.frames import load
from isoflop.logs.logged import LogError, LoggedRun
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.settings_text import settings_of_yaml
from isoflop.logs.table import Source, runs_of


def _claims(candidate: Candidate) -> str | None:
    if candidate.path.name != "metrics.csv":
        return None
    header = candidate.head.split(b"\n", 1)[0].decode("utf-8", errors="replace").strip().split(",")
    return str(candidate.path.parent) if {"step", "epoch"} <= set(header) else None


def _read(found: Found, options: Options) -> Iterator[LoggedRun]:
    path = found.files[0]
    beside = path.with_name("hparams.yaml")
    config = settings_of_yaml(beside.read_bytes()) if beside.is_file() else {}
    frame = load(str(path), ".csv")
    if not frame.height:
        raise LogError(f"{found.source} has no row of metrics; the run ended before its first entry")
    # rows of training and of validation take turns, each with empty cells for the other
    yield from runs_of(frame, Source(found.format, found.source, name=found.source, settings=config, one_run=True))


READER: Final = Reader("lightning", "PyTorch Lightning's metrics.csv", claims=_claims, read=_read, rank=1)
