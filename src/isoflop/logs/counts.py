"""Parameters, tokens and FLOPs of a logged run: as its log says, else from steps, batch, context and shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from isoflop.accounting import Shape, parameters
from isoflop.errors import SpecError
from isoflop.findings import Finding
from isoflop.logs.console_settings import RANKS
from isoflop.logs.logged import STEP, LoggedRun
from isoflop.logs.metrics import EPOCH, FLOPS, SAMPLES, TOKENS
from isoflop.logs.points import points_of
from isoflop.logs.rules import Rules
from isoflop.logs.settings import Settings
from isoflop.units import training_flops

STEP_UNIT: Final = "step_unit"  # a setting that readers make: what a step of the history is, where it is no step
_APART: Final = 2.0  # a factor between FLOPs and 6ND that attention and embeddings do not explain


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
    ranks = settings.plain_number(RANKS)
    if shape is None and ranks is not None:
        facts.set("N", ranks[0], "sum over the ranks of tensor and pipeline parallelism")
        facts.set("N_convention", rules.convention or "total")
        facts.findings.append(
            Finding(
                "params-of-ranks",
                "note",
                f"{logged.name} tells the parameters of each rank of tensor and pipeline parallelism; their sum, "
                f"{ranks[0]:,.0f}, counts what several ranks hold more than once.",
                "Give the count as N in a table (--run-table sizes.csv) if you know it.",
            )
        )
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
    tied = settings.tied()
    old = not gated and settings.key("kv_heads") is None  # GPT-2's kind: a table of positions, LayerNorm, tied
    said = (settings.text("positions") or "").lower()
    # GPT-NeoX turns its queries and keys where it is not told otherwise by the published configurations
    learned = "learned" in said if said else old and settings.named("no_weight_tying") is None
    norm = (settings.text("norm") or "").lower()
    biases = settings.flag("bias")
    try:
        return Shape(
            layers=layers,
            width=width,
            heads=heads,
            vocabulary=vocabulary,
            context=settings.whole("longest_context") or settings.whole("context") or 1,
            kv_heads=settings.whole("kv_heads"),
            feed_forward=settings.whole("feed_forward"),
            gated=gated,
            tied=old if tied is None else tied,
            positions="learned" if learned else "rotary",
            norm="rms" if "rms" in norm else "layer" if old or "layer" in norm else "rms",
            biases="all" if (old if biases is None else biases) else "none",
        )
    except SpecError:
        return None


@dataclass(frozen=True)
class Batch:
    """How sure the tokens of a step are. sequences: of one step, where they are known. sure: nothing was assumed."""

    sequences: float | None = None
    sure: bool = True


def set_batch(facts: Facts, logged: LoggedRun, settings: Settings) -> Batch:
    """Tokens a step; returns what they rest on."""
    context = settings.number("context")
    longest = settings.number("longest_context") if context is None else None
    found = context or longest
    if found is not None:
        facts.set("context", found[0], f"{found[1]} of the log")
    if "batch" in facts.row:
        return Batch()
    length = facts.row.get("context")
    tokens = settings.number("batch")
    # a total batch size counts tokens with some trainers and sequences with others
    if tokens is not None and (tokens[0] >= 4096 or "token" in tokens[1].lower()) and tokens[0] >= (length or 0):
        facts.set("batch", tokens[0], f"{tokens[1]} of the log")
        return Batch()
    sequences, how, alone = _sequences(logged, settings, tokens)
    if sequences is None:
        return Batch()
    sure = longest is None and not alone
    if length is None:
        return Batch(sequences, sure=False)
    facts.set("batch", sequences * length, f"{how} × context")
    if alone:
        facts.findings.append(
            Finding(
                "devices-unknown",
                "warning",
                f"the log does not say on how many devices {alone} counts; one was taken.",
                "State it with --tokens-per-step.",
            )
        )
    if longest is not None:
        facts.findings.append(
            Finding(
                "context-assumed",
                "warning",
                f"the log does not say how long the sequences of {logged.name} are; {longest[1]} = {longest[0]:,.0f}, "
                "the most that the model takes, was assumed.",
                "State the tokens of a step with --tokens-per-step.",
            )
        )
    return Batch(sequences, sure)


def _sequences(logged: LoggedRun, settings: Settings, total: tuple[float, str] | None) -> tuple[float | None, str, str]:
    """Sequences of a step on all devices, how they came about, and the setting that was taken for one device's."""
    said = settings.number("sequences") or total
    if said is None and _counts_all_devices(settings):
        said = settings.plain_number("train_batch_size")
    if said is not None:
        return said[0], said[1], ""
    rate, time = (_result(logged, name) for name in ("train_samples_per_second", "train_runtime"))
    done = _steps_done(logged, settings)
    if rate and time and done:
        return float(round(rate * time / done)), "train_samples_per_second × train_runtime / steps", ""
    own = settings.number("device_sequences")
    if own is None:
        return None, "", ""
    product, names = own[0], [own[1]]
    accumulated = settings.number("accumulation")
    if accumulated is not None:
        product, names = product * accumulated[0], [*names, accumulated[1]]
    replicas = _replicas(settings)
    if replicas is None:
        return product, " × ".join(names), f"{own[1]} = {own[0]:g}"
    return product * replicas[0], " × ".join([*names, replicas[1]]), ""


def _counts_all_devices(settings: Settings) -> bool:
    """Whether ``train_batch_size`` is that of a step, as with DeepSpeed and GPT-NeoX."""
    names = ("no_weight_tying", "train_micro_batch_size_per_gpu")
    return any(settings.plain_key(name) is not None for name in names)


def _replicas(settings: Settings) -> tuple[float, str] | None:
    """How many copies of the model are trained side by side: devices / (tensor × pipeline × sequence parallel)."""
    said = settings.number("replicas")
    if said is not None:
        return said
    devices = settings.number("devices")
    if devices is None:
        return None
    count, name = devices
    for meaning in ("tensor", "pipeline", "sequence"):
        share = settings.number(meaning)
        if share is not None and share[0] > 1:
            count, name = count / share[0], f"{name} / {share[1]}"
    return count, name


def _result(logged: LoggedRun, name: str) -> float | None:
    """A positive result, also one that a tracker keeps as ``train/NAME``."""
    for key in (name, f"train/{name}", f"train/{name.removeprefix('train_')}"):
        value = logged.results.get(key)
        if value is not None and math.isfinite(value) and value > 0:
            return value
    return None


def _steps_done(logged: LoggedRun, settings: Settings) -> float | None:
    """How many steps the whole run made."""
    last = logged.history[STEP].max() if logged.history.height else None
    said = settings.number("steps_done")
    known = [float(each) for each in (last, said[0] if said else None) if isinstance(each, int | float)]
    return max(known, default=None)


def _at(curve: pl.DataFrame, metric: str, step: int) -> float | None:
    """A metric's value at a step, linear between the steps at which it was logged."""
    if metric not in curve.columns:
        return None
    steps, values = points_of(curve, metric)
    good = np.isfinite(values)
    if not good.any():
        return None
    return float(np.interp(step, steps[good], values[good]))


def set_tokens(facts: Facts, logged: LoggedRun, settings: Settings, curve: pl.DataFrame, at: int, batch: Batch) -> None:
    """Tokens up to the step at which the loss was taken, unique tokens and epochs."""
    seen = _at(curve, TOKENS, at)
    if seen is not None and 0 < seen < at:  # fewer tokens than steps: their logarithm, or billions of them
        facts.findings.append(
            Finding(
                "tokens-odd",
                "warning",
                f"the tokens of the log are {seen:g} after {at:,} steps, too few to be tokens, and were not taken.",
                "If they are a logarithm or in billions, mend the column; or state --tokens-per-step.",
            )
        )
    elif seen is not None and seen > 0:
        facts.set("D", seen, f"tokens logged at step {at:,}")
    length = facts.row.get("context") if batch.sure else None
    samples = _at(curve, SAMPLES, at)
    if samples and length:
        facts.set("D", samples * length, f"samples at step {at:,} × context")
    unique = settings.number("U")
    if unique is not None:
        facts.set("U", unique[0], f"{unique[1]} of the log")
    epochs = _at(curve, EPOCH, at)
    by_epoch = settings.named(STEP_UNIT) == "epoch"
    if epochs is not None and epochs > 0:
        facts.set("epochs", epochs, f"epoch logged at step {at:,}")
    if not batch.sure and "D" not in facts.row and at > 0:
        _set_tokens_of_flops(facts, logged, settings, at, batch)
    tokens = facts.row.get("batch")
    if tokens is not None and at > 0 and not by_epoch:
        facts.set("D", at * tokens, f"{at:,} steps × {tokens:,.0f} tokens ({facts.how.get('batch', 'given')})")
    planned = settings.number("D")
    if planned is not None and planned[0] >= at:
        facts.set("D", planned[0], f"{planned[1]} of the log")
    if facts.row.get("U") and facts.row.get("D"):
        facts.set("epochs", facts.row["D"] / facts.row["U"], "D/U")


def _set_tokens_of_flops(facts: Facts, logged: LoggedRun, settings: Settings, at: int, batch: Batch) -> None:
    """What the Trainer counted itself: the tokens that it saw, else D = total_flos / 6(N − V·d).

    Its ``total_flos`` are 6 × tokens × parameters without the input embedding (transformers, ``floating_point_ops``).
    """
    done = _steps_done(logged, settings)
    if not done:
        return
    share = min(1.0, at / done)
    seen = _result(logged, "num_input_tokens_seen")
    flops, size = _result(logged, "total_flos"), facts.row.get("N")
    if seen is not None:
        whole, how = seen, "num_input_tokens_seen of the log"
    elif flops is not None and size:
        vocabulary, width = settings.whole("vocabulary"), settings.whole("width")
        embedding = vocabulary * width if vocabulary and width and facts.row.get("N_convention") == "total" else 0
        counted = size - embedding if embedding < size else size
        whole, how = flops / (6 * counted), f"total_flos / (6 × {counted:,.0f} parameters without the input embedding)"
    else:
        return
    facts.set("D", whole * share, how + (f" × {at:,} of {done:,.0f} steps" if share < 1 else ""))
    per_step = whole / done
    sequences = "" if batch.sequences is None else f" ({batch.sequences:,.0f} sequences)"
    facts.row["batch"] = per_step
    facts.how["batch"] = f"D / steps{sequences}"
    facts.row.pop("context", None)
    facts.how.pop("context", None)
    if batch.sequences:
        facts.set("context", float(round(per_step / batch.sequences)), "batch / sequences")
    facts.findings = [each for each in facts.findings if each.code not in ("context-assumed", "devices-unknown")]


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
        rule = training_flops(facts.row["N"], facts.row["D"])
        facts.set("C", rule, "6ND")
        share = facts.row["C"] / rule
        if not 1 / _APART < share < _APART:
            facts.findings.append(
                Finding(
                    "flops-disagree",
                    "warning",
                    f"the FLOPs of {logged.name} are {facts.row['C']:.3g}, and 6ND is {rule:.3g}: its N, its D or its "
                    "FLOPs are not what they seem.",
                    "State the tokens of a step with --tokens-per-step, or name the columns with --column.",
                )
            )
