"""A run put together: its status from its end, and what its curves say against themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from isoflop.findings import Finding
from isoflop.logs.curves import Curves
from isoflop.logs.logged import STEP, LoggedRun, Status
from isoflop.logs.points import points_of
from isoflop.logs.scrub import plain_text, settings_of, tells_where
from isoflop.values import FrozenMapping

_LOSS: Final = re.compile(r"loss|nll|ppl|perplexity|bpb|cross_?entropy|(^|[/_.])ce($|[/_.])", re.IGNORECASE)


def logged_run(
    *,
    name: str,
    format: str,
    source: str,
    curves: Curves | pl.DataFrame,
    digest: str,
    status: Status = "unknown",
    config: Mapping[str, Any] | None = None,
    results: Mapping[str, float] | None = None,
    findings: Iterable[Finding] = (),
) -> LoggedRun:
    """The run with its settings made flat and free of names and paths, and ``diverged`` judged from its losses."""
    history, made = curves.table() if isinstance(curves, Curves) else (curves, [])
    settings, left_out = settings_of(config or {})
    status, ends = _judge(history, status)
    name, source = plain_text(name), plain_text(source)
    return LoggedRun(
        name=name if name and not tells_where(name) else source,
        format=format,
        source=source,
        status=status,
        history=history,
        digest=digest,
        settings=settings,
        results=FrozenMapping(
            {plain_text(key): value for key, value in (results or {}).items() if not tells_where(key)}
        ),
        findings=(*findings, *made, *ends, *left_out),
    )


def is_loss(metric: str) -> bool:
    """Whether the name of a metric is that of a loss."""
    return _LOSS.search(metric) is not None


def _judge(history: pl.DataFrame, said: Status) -> tuple[Status, list[Finding]]:
    """Diverged, where a loss that was once finite ends in NaN or infinity, or none was ever finite."""
    losses = [name for name in history.columns if name != STEP and is_loss(name)]
    findings, broken, whole = [], False, False
    for name in losses:
        steps, values = points_of(history, name)
        if not len(steps):
            continue
        finite = np.isfinite(values)
        whole |= bool(finite.any())
        if finite.all():
            continue
        first = int(steps[~finite][0])
        ends = not finite[-1]
        broken |= ends and bool(finite.any())
        last = values[finite]
        findings.append(
            Finding(
                "diverged" if ends else "nan",
                "warning",
                f"{name} is {_worst(values[~finite][0])} from step {first:,}"
                + (f" (before: {last[-1]:.4g})." if ends and len(last) else "." if ends else " and finite later."),
                "Leave the run out, or choose a loss before that step.",
            )
        )
    diverged = broken or (bool(findings) and not whole)
    return ("diverged" if diverged else said), findings


def _worst(value: float) -> str:
    return "NaN" if math.isnan(value) else "infinite"
