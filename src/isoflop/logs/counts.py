"""Parameters, tokens and FLOPs of a logged run: as its log says, else from steps, batch, context and shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from isoflop.accounting import Shape, parameters
from isoflop.errors import SpecError
from isoflop.findings import Finding
from isoflop.logs.logged import STEP, LoggedRun
from isoflop.logs.metrics import EPOCH, FLOPS, SAMPLES, TOKENS
from isoflop.logs.rules import Rules
from isoflop.logs.settings import Settings


@dataclass
class Facts:
    """What is known so far, and how."""

    row: dict[str, Any] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def set(self, name: str, value: float | str | None, how: str = "") -> None:
        """A value, unless one that counts more is known already, and how it came about."""
        if value is not None and name not in self.row:
            self.row[name] = value
            if how:
                self.how[name] = how


def set_params(facts: Facts, logged: LoggedRun, settings: Settings, rules: Rules) -> None:
    """N and its convention: as the log says, else counted from the shape of the model."""
    if "N" in facts.row:
        facts.set("N_convention", rules.convention)
        return
    for name, convention in (("N", "total"), ("N_nonembed", "non-embedding")):
        found = settings.number(name)
        if found is not None:
            facts.set("N", found[0], f"{found[1]} of the log")
            said = "non-embedding" if "emb" in found[1].lower() else None if name == "N" else convention
            facts.set("N_convention", rules.convention or said)
            return
    shape = _shape(settings)
    if shape is not None:
        total = parameters(shape).total
        parts = "tied" if shape.tied else "untied"
        facts.set("N", float(total), f"counted from layers, width and vocabulary ({parts} embedding)")
        facts.set("N_convention", "total")
        facts.findings.append(
            Finding(
                "params-counted",
                "note",
                f"{logged.name} does not say its parameters; {total:,} were counted from its shape "
                f"({shape.layers} layers, width {shape.width}, vocabulary {shape.vocabulary:,}, {parts}).",
                "Name the count with --column N=SETTING if the log has it.",
            )
        )


def _shape(settings: Settings) -> Shape | None:
    """The transformer that the settings describe, where they hold layers, width, heads and vocabulary."""
    layers, width, heads, vocabulary = (settings.whole(name) for name in ("layers", "width", "heads", "vocabulary"))
    if layers is None or width is None or heads is None or vocabulary is None:
        return None
    act = (settings.text("activation") or "").lower()
    gated = any(word in act for word in ("silu", "swiglu", "geglu", "swish"))
    tied = settings.flag("tied")
    learned = not gated and settings.key("kv_heads") is None  # GPT-2's kind: a table of positions, LayerNorm, tied
    biases = settings.flag("bias")
    try:
        return Shape(
            layers=layers,
            width=width,
            heads=heads,
            vocabulary=vocabulary,
            context=settings.whole("context") or 1,
            kv_heads=settings.whole("kv_heads"),
            feed_forward=settings.whole("feed_forward"),
            gated=gated,
            tied=learned if tied is None else tied,
            positions="learned" if learned else "rotary",
            norm="layer" if learned else "rms",
            biases="all" if (learned if biases is None else biases) else "none",
        )
    except SpecError:
        return None


def set_batch(facts: Facts, settings: Settings) -> None:
    """Tokens a step."""
    context = settings.number("context")
    if context is not None:
        facts.set("context", context[0], f"{context[1]} of the log")
    if "batch" in facts.row:
        return
    tokens = settings.number("batch")
    if tokens is not None:
        facts.set("batch", tokens[0], f"{tokens[1]} of the log")
        return
    length = facts.row.get("context")
    if length is None:
        return
    sequences = settings.number("sequences")
    if sequences is not None:
        facts.set("batch", sequences[0] * length, f"{sequences[1]} × context")
        return
    own = settings.number("device_sequences")
    if own is None:
        return
    factors, names = own[0] * length, [own[1]]
    for name in ("accumulation", "devices"):
        found = settings.number(name)
        if found is not None:
            factors, names = factors * found[0], [*names, found[1]]
    facts.set("batch", factors, f"{' × '.join(names)} × context")
    if settings.number("devices") is None:
        facts.findings.append(
            Finding(
                "devices-unknown",
                "warning",
                f"the log does not say on how many devices {own[1]} = {own[0]:g} counts; one was taken.",
                "Say it with --tokens-per-step.",
            )
        )


def _at(curve: pl.DataFrame, metric: str, step: int) -> float | None:
    """A metric's value at a step, linear between the steps at which it was logged."""
    if metric not in curve.columns:
        return None
    points = curve.select(STEP, metric).drop_nulls().filter(pl.col(metric).is_finite())
    if not points.height:
        return None
    return float(np.interp(step, points[STEP].to_numpy(), points[metric].to_numpy()))


def set_tokens(facts: Facts, settings: Settings, curve: pl.DataFrame, at: int) -> None:
    """Tokens up to the step at which the loss was taken, unique tokens and epochs."""
    seen = _at(curve, TOKENS, at)
    if seen is not None and 0 < seen < at:  # fewer tokens than steps: their logarithm, or billions of them
        facts.findings.append(
            Finding(
                "tokens-odd",
                "warning",
                f"the tokens of the log are {seen:g} after {at:,} steps, too few to be tokens, and were not taken.",
                "If they are a logarithm or in billions, mend the column; or say --tokens-per-step.",
            )
        )
    elif seen is not None and seen > 0:
        facts.set("D", seen, f"tokens logged at step {at:,}")
    length = facts.row.get("context")
    samples = _at(curve, SAMPLES, at)
    if samples and length:
        facts.set("D", samples * length, f"samples at step {at:,} × context")
    batch = facts.row.get("batch")
    if batch is not None and at > 0:
        facts.set("D", at * batch, f"{at:,} steps × {batch:,.0f} tokens ({facts.how.get('batch', 'given')})")
    planned = settings.number("D")
    if planned is not None and planned[0] >= at:
        facts.set("D", planned[0], f"{planned[1]} of the log")
    unique = settings.number("U")
    if unique is not None:
        facts.set("U", unique[0], f"{unique[1]} of the log")
    epochs = _at(curve, EPOCH, at)
    if epochs is not None and epochs > 0:
        facts.set("epochs", epochs, f"epoch logged at step {at:,}")
    if facts.row.get("U") and facts.row.get("D"):
        facts.set("epochs", facts.row["D"] / facts.row["U"], "D/U")


def set_flops(facts: Facts, logged: LoggedRun, settings: Settings, curve: pl.DataFrame, at: int) -> None:
    """Training FLOPs: as logged, else 6ND."""
    counted = _at(curve, FLOPS, at)
    if counted is not None and counted > facts.row.get("D", at):
        facts.set("C", counted, f"FLOPs logged at step {at:,}")
    said = settings.number("C")
    for name in ("total_flos", "total_flops", "train_flops"):
        value = logged.results.get(name)
        if value is not None and math.isfinite(value) and value > 0:
            facts.set("C", value, f"{name} of the log")
    if said is not None:
        facts.set("C", said[0], f"{said[1]} of the log")
    if facts.row.get("N") and facts.row.get("D"):
        facts.set("C", 6 * facts.row["N"] * facts.row["D"], "6ND")
