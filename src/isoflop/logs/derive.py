"""A logged run as a row of a store: what its log says outright, and what follows from it, said with its derivation.

``derived`` of a row tells how each number came about: ``D = 20,000 steps × 524,288 tokens (batch_size × …); C = 6ND``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.logs.counts import Facts, set_batch, set_flops, set_params, set_tokens
from isoflop.logs.logged import STEP, WALL, LoggedRun
from isoflop.logs.metrics import (
    RATE,
    VALIDATION,
    canonical,
    held_out_losses,
    losses,
    renamed,
    unit_of,
)
from isoflop.logs.points import points_of
from isoflop.logs.rules import ORDER, Pick, Rules, picked
from isoflop.logs.settings import Settings, as_number
from isoflop.runs.schedule import annealing_area, rate_area
from isoflop.units import LOSS_UNITS
from isoflop.values import Value

SCORES: Final = "lm-eval"  # the format whose perplexities are scores of tasks
_LATE: Final = 0.1  # share of a run after which a loss that is no longer logged is not the end's
_STATES: Final[Mapping[str, str]] = {
    "finished": "finished", "completed": "finished", "running": "running", "crashed": "crashed", "failed": "crashed",
    "killed": "crashed",
}  # fmt: skip
_MOST_RATES: Final = 200_000  # rows of a schedule from which its areas are computed
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
class Described(Value):
    """A run as the store keeps it: its row, its curve under the store's names, and what to know of it."""

    row: dict[str, Any]
    curve: pl.DataFrame
    findings: tuple[Finding, ...]


def describe(logged: LoggedRun, rules: Rules) -> Described:
    """The row and the curve of a run.

    Raises DataError where the rules name a metric or setting that the run does not have.
    """
    curve, names = renamed(logged.history)
    if curve[STEP].null_count():
        curve = curve.filter(pl.col(STEP).is_not_null())
    if not curve[STEP].is_sorted():
        curve = curve.sort(STEP)
    settings = Settings({**logged.results, **logged.settings})
    facts = Facts(findings=list(logged.findings))
    for name, value in rules.of_run(logged.name).items():
        facts.set(name, value, "the table of runs")
    _named(facts, logged, curve, names, settings, rules)
    facts.row |= {name: value for name, value in rules.given.items() if name not in facts.row}
    facts.how |= dict.fromkeys(rules.given, "given")
    curve, metric = _choose_loss(facts, logged, curve, names, rules)
    at = _set_loss(facts, logged, curve, metric, rules.pick)
    if not curve.height and not (logged.format == SCORES and rules.loss is None):
        _set_final_loss(facts, logged, settings, rules)
    curve = _with_constant_rate(facts, logged, curve, settings)
    steps = int(curve[STEP].max()) if curve.height else _steps_of_row(logged, settings)  # type: ignore[arg-type]
    at = at if curve.height else steps or 0
    facts.set("steps", steps)
    status = _status(logged, settings, steps)
    set_params(facts, logged, settings, rules)
    batch = set_batch(facts, logged, settings)
    set_tokens(facts, logged, settings, curve, at, batch)
    set_flops(facts, logged, settings, curve, at)
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
    facts: Facts, logged: LoggedRun, curve: pl.DataFrame, names: Mapping[str, str], settings: Settings, rules: Rules
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
    facts: Facts, logged: LoggedRun, curve: pl.DataFrame, names: Mapping[str, str], rules: Rules
) -> tuple[pl.DataFrame, str | None]:
    """The curve that counts as the loss; the logarithm of a perplexity is a curve of its own."""
    metrics = [name for name in curve.columns if name not in (STEP, WALL)]
    if rules.loss is not None:
        # a store knows its metrics by its own names, a user also by those of the log
        known = (names.get(rules.loss), rules.loss, canonical([rules.loss]).get(rules.loss))
        metric = next((name for name in known if name in metrics), None)
        if metric is None:
            near = ", ".join(repr(name) for name in (losses(metrics) or metrics)[:6]) or "none"
            facts.findings.append(
                Finding(
                    "no-loss",
                    "warning",
                    f"{logged.name} has no metric {rules.loss!r}, so it has no loss; its metrics: {near}.",
                    "Name one of them with --loss.",
                )
            )
            return curve, None
    else:
        metric = _guessed_loss(facts, logged.name, metrics, curve)
    if metric is None:
        return curve, None
    logged_as = next((own for own, new in names.items() if new == metric), metric)
    unit = rules.unit or _unit_said(logged) or unit_of(logged_as)
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


def _unit_said(logged: LoggedRun) -> str | None:
    """The unit of the losses that the log states."""
    said = logged.settings.get("loss_unit")
    return said if isinstance(said, str) and said in LOSS_UNITS else None


def _guessed_loss(facts: Facts, run: str, metrics: list[str], curve: pl.DataFrame | None = None) -> str | None:
    """The loss where the user names none: held-out data first, then what is called just a loss, then training."""
    ends = {} if curve is None else _last_steps(curve, [name for name in metrics if name in curve.columns])
    if VALIDATION in metrics:
        metric = VALIDATION
    else:
        candidates = held_out_losses(metrics)
        if not candidates:
            metric = next((name for name in ORDER if name in metrics), "")
            candidates = [] if metric else losses(metrics)
        in_nats = [name for name in candidates if unit_of(name) != "perplexity"]
        candidates = in_nats or candidates
        # of several the first that goes on to the end
        candidates.sort(key=lambda name: not _goes_on(name, ends))
        if candidates:
            metric = candidates[0]
        if len(candidates) > 1:
            facts.findings.append(_rivals(run, candidates))
    if not metric:
        return None
    if ends:
        facts.findings += _stale(run, metric, metrics, ends)
    return metric


def _rivals(run: str, candidates: list[str]) -> Finding:
    return Finding(
        "loss-rivals",
        "warning",
        f"the loss of {run} is {candidates[0]!r}, but {len(candidates) - 1} other metrics fit as well "
        f"({', '.join(map(repr, candidates[1:4]))}{' …' if len(candidates) > 4 else ''}).",
        f"State which with --loss {candidates[0]!r}.",
    )


Ends = Mapping[str, tuple[int, int, int]]


def _last_steps(curve: pl.DataFrame, metrics: list[str]) -> Ends:
    """Of each loss: the last step at which it was logged, the largest gap between two, and the curve's last step."""
    if not curve.height:
        return {}
    first, end = int(curve[STEP][0]), int(curve[STEP][-1])
    found = {}
    for name in dict.fromkeys([*losses(metrics), *(each for each in ORDER if each in metrics)]):
        steps, _ = points_of(curve, name)
        if len(steps):
            gaps = np.diff(steps, prepend=first)
            found[name] = int(steps[-1]), int(gaps.max()), end
    return found


def _goes_on(metric: str, ends: Ends) -> bool:
    """Whether a loss was logged until about the end of the run, as far as its own intervals let it."""
    if metric not in ends:
        return True
    last, gap, end = ends[metric]
    return end - last <= max(2 * gap, _LATE * end)


def _stale(run: str, metric: str, metrics: list[str], ends: Ends) -> list[Finding]:
    """A loss that ends long before its run, chosen or passed over."""
    found = []
    for name in dict.fromkeys((metric, *(each for each in ORDER if each in metrics))):
        if _goes_on(name, ends):
            continue
        last, _, end = ends[name]
        others = [each for each in ends if each != name and _goes_on(each, ends)]
        on = f"; {', '.join(map(repr, others[:3]))} goes on to the end" if others else ""
        counts = "counts" if name == metric else "does not count"
        found.append(
            Finding(
                "loss-ends-early",
                "warning" if name == metric else "note",
                f"{name!r} of {run} was last logged at step {last:,} of {end:,} and {counts}{on}.",
                f"State the loss with --loss {others[0]!r}." if others else "Read a log that goes on to the end.",
            )
        )
    return found


def _set_loss(facts: Facts, logged: LoggedRun, curve: pl.DataFrame, metric: str | None, how: Pick) -> int:
    """The loss that counts; returns the step at which it was logged, or the last step."""
    last = int(curve[STEP].max()) if curve.height else 0  # type: ignore[arg-type]
    if metric is None:
        return last
    loss, at = picked(*points_of(curve, metric), how)
    # a diverged run has no best loss that a law could predict, only one at a step before it broke
    if math.isfinite(loss) and not (logged.status == "diverged" and how.kind != "step"):
        facts.row |= {"loss": loss, "loss_step": at}
    return at if at >= 0 else last


def _set_final_loss(facts: Facts, logged: LoggedRun, settings: Settings, rules: Rules) -> None:
    """The loss of a run that is one row of a table: the only one it has, whatever the rules for curves say."""
    numbers = dict(logged.results)
    for key, value in logged.settings.items():
        if (number := as_number(value)) is not None:
            numbers.setdefault(key, number)
    names = canonical(numbers)
    own = {new: old for old, new in names.items()}
    metric = rules.loss if rules.loss in numbers else own.get(VALIDATION)
    if metric is None and rules.loss is None:
        held = [name for name in held_out_losses(numbers) if "acc" not in name.lower()]
        metric = None if held else next((own[name] for name in ORDER if name in own), None)
        left = held or [name for name in losses(numbers) if "acc" not in name.lower()]
        metric = metric or _guessed_loss(facts, logged.name, left)
    if metric is None or (rules.loss is not None and metric != rules.loss):
        return
    value, unit = numbers[metric], rules.unit or _unit_said(logged) or unit_of(metric)
    how = f"{metric} of the log"
    if unit == "perplexity":
        if value <= 0:
            return
        value, unit, how = math.log(value), "nats/token", f"log {metric}"
    if math.isfinite(value):
        facts.row |= {"loss": value, "loss_unit": unit}
        facts.how["loss"] = how


def _steps_of_row(logged: LoggedRun, settings: Settings) -> int | None:
    """The steps of a run that is one row of a table: those that it made, else those that were planned."""
    for meaning in ("steps_done", "steps") if logged.format != SCORES else ():
        found = settings.whole(meaning)
        if found is not None:
            return found
    return None


def _status(logged: LoggedRun, settings: Settings, steps: int | None) -> str:
    """What the log says; where it says nothing, a run that ended short of its planned steps did not finish."""
    if not logged.history.height and logged.status == "unknown":
        said = next((logged.settings[name] for name in ("State", "state", "status") if name in logged.settings), None)
        return _STATES.get(str(said).lower(), "unknown")
    planned = settings.whole("steps")
    if logged.status == "unknown" and planned is not None and steps is not None:
        # the last step is often logged as planned − 1, and evaluations come at intervals
        return "finished" if steps >= 0.98 * planned - 1 else "running"
    return logged.status


def _with_constant_rate(facts: Facts, logged: LoggedRun, curve: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """The curve with a rate that never changed: in a table such a column is read as a setting of the run."""
    rate, schedule = settings.number("lr"), (settings.text("schedule") or "constant").lower()
    if logged.format != "table" or rate is None or RATE in curve.columns or not curve.height or "const" not in schedule:
        return curve
    if "wsd" in schedule or "decay" in schedule:
        return curve
    facts.how["rate"] = f"{rate[1]} of the log, in every row"
    return curve.with_columns(pl.lit(rate[0]).alias(RATE))


def _set_schedule(facts: Facts, settings: Settings, curve: pl.DataFrame, at: int) -> None:
    """Peak learning rate, warm-up, and the areas under the schedule up to the step at which the loss was taken."""
    facts.set("schedule", settings.text("schedule"))
    warm = settings.number("warmup")
    if warm is not None and warm[0] >= 1:
        facts.row["warmup"] = int(facts.row.get("warmup", warm[0]))
        facts.how.setdefault("warmup", f"{warm[1]} of the log")
    elif "warmup" in facts.row:
        facts.row["warmup"] = int(facts.row["warmup"])
    logged_at, rate = points_of(curve, RATE) if RATE in curve.columns else (np.empty(0), np.empty(0))
    if not len(rate):
        peak = settings.number("lr")
        if peak is not None:
            facts.set("lr", peak[0], f"{peak[1]} of the log")
        return
    step = logged_at.astype(np.float64)
    if not (np.isfinite(rate).all() and (rate >= 0).all() and (step >= 0).all()):
        return
    facts.set("lr", float(rate.max()), "largest logged rate")
    top = int(step[int(np.argmax(rate >= rate.max() * (1 - 1e-9)))])
    if rate[0] < 0.99 * rate.max() and top < 0.5 * step[-1]:
        facts.set("warmup", top, "step at which the logged rate is largest")
    upto = step <= max(at, int(step[0]))
    step, rate = step[upto], rate[upto]
    if len(step) > _MOST_RATES:  # between two rows the rate changes evenly, so that fewer rows tell as much
        some = np.unique(np.linspace(0, len(step) - 1, _MOST_RATES).round().astype(np.int64))
        step, rate = step[some], rate[some]
    whose = np.zeros(len(step), dtype=np.int64)
    facts.set("S1", float(rate_area(step, rate, whose)[-1]), "Σ lr")
    facts.set("S2", float(annealing_area(step, rate, whose, decay=DECAY)[-1]), f"annealing area, λ = {DECAY}")
