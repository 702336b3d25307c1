"""Which curve is which: the names under which trainers log losses, learning rates, tokens and epochs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np
import polars as pl

from isoflop.logs.logged import STEP, WALL
from isoflop.logs.points import Floats, Ints, points_of
from isoflop.runs.columns import agrees, counts_samples, match_headers, plain, read_header
from isoflop.runs.headers import Header
from isoflop.runs.meanings import Meaning
from isoflop.values import FrozenMapping

VALIDATION: Final = "val_loss"
PLAIN: Final = "loss"  # a loss of which the log does not say whether it is training or validation
TRAINING: Final = "train_loss"
RATE: Final = "lr"
TOKENS: Final = "tokens"
SAMPLES: Final = "samples"
EPOCH: Final = "epoch"
FLOPS: Final = "flops"

# Spellings, best first, compared without case, spaces and punctuation.
SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = FrozenMapping(
    {
        VALIDATION: (
            "val_loss",
            "valid_loss",
            "validation_loss",
            "eval_loss",
            "test_loss",
            "dev_loss",
            "loss/val",
            "loss/validation",
            "loss/eval",
            "val_loss_epoch",
            "lm loss validation",
            "lm loss validation/lm loss",
            "validation lm loss",
            "val_cross_entropy",
            "eval/cross_entropy",
            "val_nll",
        ),
        TRAINING: (
            "train_loss",
            "training_loss",
            "loss/train",
            "lm loss",
            "lm-loss-training/lm loss",
            "training lm loss",
            "train/CrossEntropyLoss",
            "train/ce_loss",
            "train_loss_step",
            "train_loss_epoch",
            "train_nll",
            "loss/train/total",
            "reduced_train_loss",
            "train/ce",
            "metrics/train/LanguageCrossEntropy",
        ),
        PLAIN: (
            "loss",
            "ce_loss",
            "cross_entropy",
            "cross_entropy_loss",
            "CrossEntropyLoss",
            "nll",
            "nll_loss",
            "total_loss",
        ),
        RATE: (
            "lr",
            "rate",
            "learning_rate",
            "train/lr",
            "train/learning_rate",
            "learning-rate/learning-rate",
            "optim/learning_rate_group0",
            "optim/lr",
            "lr-AdamW",
            "lr-Adam",
            "lr-SGD",
            "lr/group0",
            "schedule/lr",
        ),
        TOKENS: (
            "tokens",
            "tokens_seen",
            "train/tokens",
            "train/tokens_seen",
            "num_tokens",
            "n_tokens",
            "total_tokens",
            "throughput/total_tokens",
            "consumed_tokens",
            "num_input_tokens_seen",
            "train/num_input_tokens_seen",
            "train/total_tokens",
            "token_num",
            "num_token",
            "time/token",
            "train/tokens_total",
            "total_tokens_seen",
        ),
        SAMPLES: ("samples", "consumed_samples", "consumed samples", "train/samples", "samples_seen"),
        EPOCH: ("epoch", "train/epoch", "epochs"),
        FLOPS: ("flops", "total_flos", "total_flops", "train/total_flos", "train_flops"),
    }
)

_PLAIN_SPELLINGS: Final = {name: tuple(plain(each) for each in spellings) for name, spellings in SPELLINGS.items()}
_COUNTED: Final = frozenset(spelling for name in (TOKENS, FLOPS) for spelling in _PLAIN_SPELLINGS[name])
_SLOWEST: Final = 0.1
_COUNTER: Final = re.compile(r"(?i)tok|flop|flos|compute|sample|example|^[DC]$")
_HELD_OUT: Final = re.compile(r"(?:^|[^a-z])(?:val|valid|validation|eval|evaluation|test|dev)(?:[^a-z]|$)")
_LOSS: Final = re.compile(r"loss|cross.?entropy|(?:^|[^a-z])(?:ce|nll|ppl|perplexity|bpb)(?:[^a-z]|$)|bits.?per.?byte")
# Losses that are added to that of the model, and what is said of a loss.
_BESIDE: Final = re.compile(
    r"scale|_std|std_|stderr|(?:^|[^a-z])(?:z|aux|auxiliary|balanc\w*|router|kl|mtp|reg\w*)(?:[^a-z]|$)|lossless"
)
# Benchmarks that report a perplexity of their own, of a last word or of a few answers.
_TASK: Final = re.compile(r"lambada|hellaswag|piqa|winogrande|arc_|boolq|mmlu|openbookqa|sciq|copa|squad|triviaqa")
_PERPLEXITY: Final = re.compile(r"(?:^|[^a-z])ppl(?:[^a-z]|$)|perplexity")
_PER_BYTE: Final = re.compile(r"(?:^|[^a-z])bpb(?:[^a-z]|$)|bits.?per.?byte")


def canonical(metrics: Iterable[str]) -> dict[str, str]:
    """The store's names of metrics: metric → name; each name once, for the best spelling; others keep their own."""
    own = [metric for metric in metrics if metric not in (STEP, WALL)]
    by_spelling: dict[str, list[str]] = {}
    for metric in own:
        by_spelling.setdefault(plain(metric), []).append(metric)
    names: dict[str, str] = {}
    for name in SPELLINGS:
        for spelling in _PLAIN_SPELLINGS[name]:
            fits = by_spelling.get(spelling, ())
            # a metric that is already called so keeps its name, and no other may take it
            taken = next((metric for metric in fits if metric == name), fits[0] if fits else None)
            if taken is not None and taken not in names:
                names[taken] = name
                break
    used = set(names.values())
    for metric in own:
        if metric not in names:
            names[metric] = metric if metric not in used else f"{metric} (logged)"
    return names


def renamed(history: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """A history under the store's names, and what each metric became; ``tokens_B`` are tokens, in whole ones."""
    headers = {metric: read_header(metric) for metric in history.columns}
    scaled = {own: each for own, each in headers.items() if each.scale != 1 and plain(each.bare) in _COUNTED}
    whole = {
        own: each
        for own, each in scaled.items()
        if each.bare not in history.columns
        # TFLOPs are as often those of a second as those of the run so far
        and (plain(each.bare) not in _PLAIN_SPELLINGS[FLOPS] or _grows(*points_of(history, own), alone=False))
    }
    if whole:
        history = history.with_columns(pl.col(own) * each.scale for own, each in whole.items())
    names = canonical(whole[metric].bare if metric in whole else metric for metric in history.columns)
    for own, (name, scale) in _counters(history, names).items():
        names[own] = name
        if scale != 1:
            history = history.with_columns(pl.col(own) * scale)
    named = {own: names[whole[own].bare if own in whole else own] for own in history.columns if own not in (STEP, WALL)}
    changed = {old: new for old, new in named.items() if old != new}
    return history.rename(changed) if changed else history, named


def _counters(history: pl.DataFrame, names: Mapping[str, str]) -> dict[str, tuple[str, float]]:
    """Tokens, samples and FLOPs under names that no trainer is known for: what a table of runs would read as such.

    metric → the store's name and the number that it counts. They never fall along a run, grow with its steps (a rate,
    such as torchtitan's ``tflops``, does not), end above its last step, and are as many as such a column has.
    """
    held = set(names.values())
    free = [
        own
        for own, kind in history.schema.items()
        if names.get(own) == own and _COUNTER.search(own) and kind.is_numeric()
    ]
    if not free or {TOKENS, FLOPS} <= held:
        return {}
    last = history[STEP].max()
    end = float(last) if isinstance(last, int | float) else 0.0

    def fits(meaning: Meaning, header: Header, sure: bool) -> bool:
        steps, values = points_of(history, header.text)
        rises = len(values) > 0 and bool((np.diff(values) >= 0).all()) and float(values[-1]) * header.scale > end
        counts = meaning.symbol in ("D", "C") and rises and _grows(steps, values, alone=header.scale == 1)
        return counts and agrees(meaning, values * header.scale)

    found = {}
    for symbol, match in match_headers(free, fits=fits).items():
        name = FLOPS if symbol == "C" else SAMPLES if counts_samples(match.header) else TOKENS
        if name not in held:
            found[match.header.text] = name, match.header.scale
    return found


def _grows(steps: Ints, values: Floats, *, alone: bool) -> bool:
    """Whether a count grows with the steps, by a tenth of what they do at least; alone: what one point is taken for."""
    if len(values) == 1 or values[-1] <= 0:
        return alone
    passed = 1 - max(float(steps[0]), 0.0) / float(steps[-1]) if steps[-1] > 0 else 0.0
    return bool(1 - values[0] / values[-1] > _SLOWEST * passed)


def held_out_losses(metrics: Iterable[str]) -> list[str]:
    """Metrics that are losses on held-out data by the words in their names, such as ``eval/c4/CrossEntropyLoss``."""
    return [metric for metric in losses(metrics) if _HELD_OUT.search(metric.lower())]


def losses(metrics: Iterable[str]) -> list[str]:
    """Metrics that are losses by the words in their names; not what is added to a loss, nor a task's perplexity."""
    return [
        metric
        for metric in metrics
        if _LOSS.search(metric.lower()) and not _BESIDE.search(metric.lower()) and not _TASK.search(metric.lower())
    ]


def unit_of(metric: str) -> str:
    """The unit that a metric's name says: ``perplexity``, ``bits/byte``, else ``nats/token``."""
    said = metric.lower()
    if _PERPLEXITY.search(said) and "log" not in said:
        return "perplexity"
    return "bits/byte" if _PER_BYTE.search(said) else "nats/token"
