"""A logged run as a row of a store: what its log says outright, and what follows from it, said with its derivation.

``derived`` of a row tells how each number came about: ``D = 20,000 steps × 524,288 tokens (batch_size × …); C = 6ND``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from isoflop.accounting import Shape, parameters
from isoflop.errors import DataError, SpecError
from isoflop.findings import Finding
from isoflop.logs.logged import STEP, WALL, LoggedRun
from isoflop.logs.metrics import (
    EPOCH,
    FLOPS,
    RATE,
    SAMPLES,
    TOKENS,
    canonical,
    held_out_losses,
    losses,
    renamed,
    unit_of,
)
from isoflop.logs.rules import ORDER, Pick, Rules, picked
from isoflop.logs.settings import Settings, as_number, listed
from isoflop.runs.schedule import annealing_area, rate_area

DECAY: Final = 0.999  # λ of the annealing area in the table of runs, the value of Tissue et al. 2024
LOGARITHM: Final = "loss (nats)"  # the curve that is the logarithm of a logged perplexity

# The columns of every store, in their order, and their types.
SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "run": pl.String(),
    "format": pl.String(),
    "source": pl.String(),
    "status": pl.String(),
    "family": pl.String(),
    "N": pl.Float64(),
    "N_convention": pl.String(),
    "D": pl.Float64(),
    "U": pl.Float64(),
    "epochs": pl.Float64(),
    "C": pl.Float64(),
    "loss": pl.Float64(),
    "loss_unit": pl.String(),
    "loss_metric": pl.String(),
    "loss_step": pl.Int64(),
    "loss_rule": pl.String(),
    "steps": pl.Int64(),
    "batch": pl.Float64(),
    "context": pl.Float64(),
    "schedule": pl.String(),
    "lr": pl.Float64(),
    "warmup": pl.Int64(),
    "S1": pl.Float64(),
    "S2": pl.Float64(),
    "seed": pl.String(),
    "derived": pl.String(),
    "settings": pl.String(),
    "digest": pl.String(),
    "curve": pl.String(),
    "rows": pl.Int64(),
}


@dataclass(frozen=True)
class Described:
    """A run as the store keeps it: its row, its curve under the store's names, and what to know of it."""

    row: dict[str, Any]
    curve: pl.DataFrame
    findings: tuple[Finding, ...]


@dataclass
class _Facts:
    """What is known so far, and how."""

    row: dict[str, Any] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def set(self, name: str, value: float | str | None, how: str = "") -> None:
        if value is not None and name not in self.row:
            self.row[name] = value
            if how:
                self.how[name] = how


def describe(logged: LoggedRun, rules: Rules) -> Described:
    """The row and the curve of a run.

    Raises DataError where the rules name a metric or setting that the run does not have.
    """
    curve, names = renamed(logged.history)
    curve = curve.filter(pl.col(STEP).is_not_null()).sort(STEP)
    settings = Settings({**logged.results, **logged.settings})
    facts = _Facts(findings=list(logged.findings))
    _named(facts, logged, curve, names, settings, rules)
    facts.row |= {name: value for name, value in rules.given.items() if name not in facts.row}
    facts.how |= dict.fromkeys(rules.given, "given")
    curve, metric = _choose_loss(facts, logged, curve, names, rules)
    at = _set_loss(facts, logged, curve, metric, rules.pick)
    if not curve.height:
        _set_final_loss(facts, logged, rules)
    curve = _with_constant_rate(facts, logged, curve, settings)
    steps = int(curve[STEP].max()) if curve.height else None  # type: ignore[arg-type]
    facts.set("steps", steps)
    status = _status(logged, settings, steps)
    _set_params(facts, logged, settings, rules)
    _set_batch(facts, settings)
    _set_tokens(facts, settings, curve, at)
    _set_flops(facts, logged, settings, curve, at)
    _set_schedule(facts, settings, curve, at)
    facts.set("seed", settings.text("seed"))
    facts.set("family", settings.text("family"))
    row = facts.row | {
        "run": logged.name,
        "format": logged.format,
        "source": logged.source,
        "status": status,
        "loss_rule": rules.pick.name if metric else "as logged" if "loss" in facts.row else None,
        "derived": "; ".join(f"{name} = {how}" for name, how in facts.how.items()),
        "settings": json.dumps(dict(logged.settings), sort_keys=True, default=str),
        "digest": logged.digest,
        "rows": curve.height,
    }
    row |= {name: settings.named(name) for name in rules.kept if settings.named(name) is not None}
    for name, value in logged.results.items():
        if name not in SCHEMA and name not in names and name not in row:
            row[name] = value
    return Described(row, curve, tuple(facts.findings))


def _named(
    facts: _Facts, logged: LoggedRun, curve: pl.DataFrame, names: Mapping[str, str], settings: Settings, rules: Rules
) -> None:
    """Columns that the user named: a setting, a result, or the last value of a metric."""
    for column, name in rules.named.items():
        value = settings.named(name)
        if value is None:
            value = logged.results.get(name)
        metric = names.get(name, name)
        if value is None and metric in curve.columns:
            value = curve[metric].drop_nulls().to_list()[-1] if curve[metric].count() else None
        if value is None:
            continue
        if column in ("seed", "family", "schedule", "run"):
            facts.set(column, str(value), f"{name} of the log")
            continue
        number = as_number(value)
        if number is None:
            raise DataError(f"{name!r} of run {logged.name!r} is {value!r} and no number, so it cannot be {column}")
        facts.set(column, number, f"{name} of the log")


def _choose_loss(
    facts: _Facts, logged: LoggedRun, curve: pl.DataFrame, names: Mapping[str, str], rules: Rules
) -> tuple[pl.DataFrame, str | None]:
    """The curve that counts as the loss; the logarithm of a perplexity is a curve of its own."""
    metrics = [name for name in curve.columns if name not in (STEP, WALL)]
    if rules.loss is not None:
        metric = names.get(rules.loss, rules.loss if rules.loss in metrics else None)
        if metric is None:
            near = ", ".join(repr(name) for name in (losses(metrics) or metrics)[:6]) or "none"
            facts.findings.append(
                Finding(
                    "no-loss",
                    "doubt",
                    f"{logged.name} has no metric {rules.loss!r}, so it has no loss; its metrics: {near}.",
                    "Name one of them with --loss.",
                )
            )
            return curve, None
    else:
        metric = _guessed_loss(facts, logged.name, metrics)
    if metric is None:
        return curve, None
    logged_as = next((own for own, new in names.items() if new == metric), metric)
    unit = rules.unit or unit_of(logged_as)
    if unit == "perplexity":
        with np.errstate(all="ignore"):
            nats = np.log(curve[metric].to_numpy())
        curve = curve.with_columns(pl.Series(LOGARITHM, nats).fill_nan(None).alias(LOGARITHM))
        # a perplexity that was not logged is null, one that is NaN stays NaN
        curve = curve.with_columns(
            pl.when(pl.col(metric).is_nan()).then(math.nan).otherwise(LOGARITHM).alias(LOGARITHM)
        )
        facts.how["loss"] = f"log {logged_as}"
        metric, unit = LOGARITHM, "nats/token"
    elif logged_as != "loss":
        facts.how["loss"] = logged_as
    facts.row |= {"loss_unit": unit, "loss_metric": metric}
    return curve, metric


def _guessed_loss(facts: _Facts, run: str, metrics: list[str]) -> str | None:
    for name in ORDER:
        if name in metrics:
            return name
    candidates = held_out_losses(metrics) or losses(metrics)
    in_nats = [name for name in candidates if unit_of(name) != "perplexity"]
    candidates = in_nats or candidates
    if not candidates:
        return None
    if len(candidates) > 1:
        facts.findings.append(
            Finding(
                "loss-rivals",
                "doubt",
                f"the loss of {run} is {candidates[0]!r}, but {len(candidates) - 1} other metrics fit as well "
                f"({', '.join(map(repr, candidates[1:4]))}{' …' if len(candidates) > 4 else ''}).",
                f"Say which with --loss {candidates[0]!r}.",
            )
        )
    return candidates[0]


def _set_loss(facts: _Facts, logged: LoggedRun, curve: pl.DataFrame, metric: str | None, how: Pick) -> int:
    """The loss that counts; returns the step at which it was logged, or the last step."""
    last = int(curve[STEP].max()) if curve.height else 0  # type: ignore[arg-type]
    if metric is None:
        return last
    values = curve.select(STEP, metric).drop_nulls()
    loss, at = picked(values[STEP].to_numpy(), values[metric].to_numpy(), how)
    # a diverged run has no best loss that a law could predict, only one at a step before it broke
    if math.isfinite(loss) and not (logged.status == "diverged" and how.kind != "step"):
        facts.row |= {"loss": loss, "loss_step": at}
    return at if at >= 0 else last


def _set_final_loss(facts: _Facts, logged: LoggedRun, rules: Rules) -> None:
    """The loss of a run that is one row of a table: the only one it has, whatever the rules for curves say."""
    numbers = dict(logged.results)
    for key, value in logged.settings.items():
        if (number := as_number(value)) is not None:
            numbers.setdefault(key, number)
    names = canonical(numbers)
    metric = rules.loss if rules.loss in numbers else None
    for name in ORDER if rules.loss is None else ():
        metric = metric or next((own for own, new in names.items() if new == name), None)
    if metric is None and rules.loss is None:
        metric = _guessed_loss(facts, logged.name, [name for name in losses(numbers) if "acc" not in name.lower()])
    if metric is None:
        return
    value, unit = numbers[metric], rules.unit or unit_of(metric)
    how = f"{metric} of the log"
    if unit == "perplexity":
        if value <= 0:
            return
        value, unit, how = math.log(value), "nats/token", f"log {metric}"
    if math.isfinite(value):
        facts.row |= {"loss": value, "loss_unit": unit}
        facts.how["loss"] = how


def _status(logged: LoggedRun, settings: Settings, steps: int | None) -> str:
    """What the log says; where it says nothing, a run that ended short of its planned steps did not finish."""
    planned = settings.whole("steps")
    if logged.status == "unknown" and planned is not None and steps is not None:
        # the last step is often logged as planned − 1, and evaluations come at intervals
        return "finished" if steps >= 0.98 * planned - 1 else "running"
    return logged.status


def _set_params(facts: _Facts, logged: LoggedRun, settings: Settings, rules: Rules) -> None:
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


def _set_batch(facts: _Facts, settings: Settings) -> None:
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
                "doubt",
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


def _set_tokens(facts: _Facts, settings: Settings, curve: pl.DataFrame, at: int) -> None:
    """Tokens up to the step at which the loss was taken, unique tokens and epochs."""
    seen = _at(curve, TOKENS, at)
    if seen is not None and 0 < seen < at:  # fewer tokens than steps: their logarithm, or billions of them
        facts.findings.append(
            Finding(
                "tokens-odd",
                "doubt",
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


def _set_flops(facts: _Facts, logged: LoggedRun, settings: Settings, curve: pl.DataFrame, at: int) -> None:
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


def _with_constant_rate(facts: _Facts, logged: LoggedRun, curve: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """The curve with a rate that never changed: in a table such a column is read as a setting of the run."""
    rate, schedule = settings.number("lr"), (settings.text("schedule") or "constant").lower()
    if logged.format != "table" or rate is None or RATE in curve.columns or not curve.height or "const" not in schedule:
        return curve
    if "wsd" in schedule or "decay" in schedule:
        return curve
    facts.how["rate"] = f"{rate[1]} of the log, in every row"
    return curve.with_columns(pl.lit(rate[0]).alias(RATE))


def _set_schedule(facts: _Facts, settings: Settings, curve: pl.DataFrame, at: int) -> None:
    """Peak learning rate, warm-up, and the areas under the schedule up to the step at which the loss was taken."""
    facts.set("schedule", settings.text("schedule"))
    warm = settings.number("warmup")
    if warm is not None and warm[0] >= 1:
        facts.row["warmup"] = int(facts.row.get("warmup", warm[0]))
        facts.how.setdefault("warmup", f"{warm[1]} of the log")
    elif "warmup" in facts.row:
        facts.row["warmup"] = int(facts.row["warmup"])
    rates = curve.select(STEP, RATE).drop_nulls() if RATE in curve.columns else None
    if rates is None or not rates.height:
        peak = settings.number("lr")
        if peak is not None:
            facts.set("lr", peak[0], f"{peak[1]} of the log")
        return
    step, rate = rates[STEP].to_numpy().astype(np.float64), rates[RATE].to_numpy()
    if not (np.isfinite(rate).all() and (rate >= 0).all() and (step >= 0).all()):
        return
    facts.set("lr", float(rate.max()), "largest logged rate")
    top = int(step[int(np.argmax(rate >= rate.max() * (1 - 1e-9)))])
    if rate[0] < 0.99 * rate.max() and top < 0.5 * step[-1]:
        facts.set("warmup", top, "step at which the logged rate is largest")
    upto = step <= max(at, int(step[0]))
    step, rate = step[upto], rate[upto]
    whose = np.zeros(len(step), dtype=np.int64)
    facts.set("S1", float(rate_area(step, rate, whose)[-1]), "Σ lr")
    facts.set("S2", float(annealing_area(step, rate, whose, decay=DECAY)[-1]), f"annealing area, λ = {DECAY}")


def missing_says(names: list[str], kind: str) -> str:
    """``3 runs (a, b and c) have no N``."""
    shown = listed(names[:3]) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} more"
    return f"{len(names)} {'run has' if len(names) == 1 else 'runs have'} no {kind} ({shown})"
