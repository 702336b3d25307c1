"""What a column of a run table can be, and how its header is spelled in the wild."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from isoflop.errors import DataError

NUMBER = "number"
TEXT = "text"


@dataclass(frozen=True)
class Meaning:
    """A canonical column: its symbol in formulas, its word, what it counts, and header spellings, best first.

    Spellings are compared without case, spaces and punctuation. ``convention`` and ``unit`` are what a header that is
    spelled so asserts; ``None`` leaves them unknown.
    """

    symbol: str
    word: str
    counts: str
    spellings: tuple[str, ...]
    kind: str = NUMBER


MEANINGS: tuple[Meaning, ...] = (
    Meaning(
        "N",
        "params",
        "model parameters",
        (
            "N",
            "params",
            "n_params",
            "num_params",
            "parameters",
            "n_parameters",
            "param_count",
            "params_total",
            "total_params",
            "model_size",
            "model_params",
            "size",
            "n",
        ),
    ),
    Meaning(
        "N_nonembed",
        "nonembedding_params",
        "parameters without embeddings",
        (
            "N_nonembed",
            "params_nonembed",
            "params_no_embed",
            "non_embedding_params",
            "params_non_embedding",
            "n_params_non_embedding",
        ),
    ),
    Meaning("N_active", "active_params", "active parameters", ("N_active", "active_params", "activated_params")),
    Meaning(
        "D",
        "tokens",
        "training tokens",
        (
            "D",
            "tokens",
            "n_tokens",
            "num_tokens",
            "train_tokens",
            "training_tokens",
            "total_tokens",
            "tokens_seen",
            "token_num",
            "num_token",
            "throughput/total_tokens",
            "pretraining_data_size",
            "seen_examples",
            "d",
        ),
    ),
    Meaning("U", "unique_tokens", "unique training tokens", ("U", "unique_tokens", "unique", "n_unique_tokens")),
    Meaning("epochs", "epochs", "passes over the unique tokens", ("epochs", "n_epochs", "num_epochs", "epoch")),
    Meaning(
        "C",
        "flops",
        "training FLOPs",
        (
            "C",
            "flops",
            "training_flop",
            "training_flops",
            "train_flops",
            "flop",
            "total_flops",
            "total_flos",
            "compute",
            "budget",
            "c",
        ),
    ),
    Meaning(
        "loss",
        "loss",
        "loss",
        (
            "loss",
            "final_loss",
            "test_loss",
            "val_loss",
            "validation_loss",
            "eval_loss",
            "L",
            "log_perplexity",
            "nll",
            "cross_entropy",
            "val/loss",
            "eval/loss",
            "train_loss",
            "bpb",
            "bits_per_byte",
            "ppl",
            "perplexity",
        ),
    ),
    Meaning("run", "run", "the run a row belongs to", ("run", "run_id", "run_name", "runid", "run_file"), TEXT),
    Meaning(
        "family",
        "family",
        "models that differ only in size and tokens",
        ("family", "model_family", "scaled_family", "model_type"),
        TEXT,
    ),
    Meaning("seed", "seed", "random seed", ("seed", "random_seed"), TEXT),
    Meaning("step", "step", "optimiser step", ("step", "steps", "n_steps", "iteration", "global_step", "_step")),
    Meaning("lr", "lr", "peak learning rate", ("lr", "learning_rate", "learning_rate_peak", "max_lr", "peak_lr")),
    Meaning("batch", "batch", "tokens a step", ("batch_tokens", "batch_size_in_tokens", "batch_size_tokens", "batch")),
    Meaning("schedule", "schedule", "learning-rate schedule", ("schedule", "lr_schedule", "scheduler"), TEXT),
    Meaning("P", "streams", "parallel streams", ("P", "streams")),
)

BY_SYMBOL: dict[str, Meaning] = {meaning.symbol: meaning for meaning in MEANINGS}

# How a header tells a scale: "Model Size (B)", "FLOPs (1E21)", "tokens_B", "size_M".
_BRACKET = re.compile(r"^(.*?)\s*[(\[]\s*(?:in\s+)?([^)\]]+?)\s*[)\]]\s*$")
_TAIL = re.compile(r"^(.+)_([BMT])$")
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9, "t": 1e12, "trillion": 1e12}

# What a header says about the unit of a loss.
_UNIT_OF_SPELLING = {
    "ppl": "perplexity",
    "perplexity": "perplexity",
    "bpb": "bits/byte",
    "bitsperbyte": "bits/byte",
}
_LOSS_BRACKETS = {
    "nats": "nats/token",
    "nats/token": "nats/token",
    "bits": "bits/token",
    "bits/token": "bits/token",
    "bits/byte": "bits/byte",
    "bpb": "bits/byte",
    "nats/byte": "nats/byte",
    "ppl": "perplexity",
}


@dataclass(frozen=True)
class Header:
    """One header of a file, read: ``scale`` multiplies its numbers, ``unit`` is what the spelling says of a loss."""

    text: str
    bare: str
    scale: float = 1.0
    unit: str | None = None


def plain(text: str) -> str:
    """The spelling without case, spaces and punctuation: ``Model Size`` and ``model_size`` are both ``modelsize``."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def read_header(text: str) -> Header:
    """Split a header into its name and what it says of scale and unit."""
    bracket = _BRACKET.match(text)
    if bracket:
        bare, inside = bracket[1], bracket[2].strip().lower()
        if inside in _SCALES:
            return Header(text, bare, scale=_SCALES[inside])
        if inside in _LOSS_BRACKETS:
            return Header(text, bare, unit=_LOSS_BRACKETS[inside])
        if re.fullmatch(r"1?e\+?\d+", inside):
            return Header(text, bare, scale=float(inside if inside[0] != "e" else "1" + inside))
    tail = _TAIL.match(text)
    if tail:
        return Header(text, tail[1], scale=_SCALES[tail[2].lower()])
    return Header(text, text, unit=_UNIT_OF_SPELLING.get(plain(text)))


@dataclass(frozen=True)
class Match:
    """Which header stands for which canonical symbol; ``rivals`` are other headers that fit as well."""

    symbol: str
    header: Header
    rivals: tuple[str, ...] = ()


def match_headers(headers: Sequence[str], *, words: Collection[str] = ()) -> dict[str, Match]:
    """Map the headers that have a known spelling; where two fit equally well, the first is taken and the rest named.

    A single letter must have the case of the symbol (``N``) unless the lower-case letter is itself listed. Headers in
    ``words`` stand over columns without a single number and are passed over where a number is meant.
    """
    read = [read_header(text) for text in headers]
    taken: set[str] = set()
    matches: dict[str, Match] = {}
    for meaning in MEANINGS:
        best: list[Header] = []
        for spelling in meaning.spellings:
            fits = [
                header
                for header in read
                if header.text not in taken
                and not (meaning.kind == NUMBER and header.text in words)
                and (header.bare == spelling if len(spelling) == 1 else plain(header.bare) == plain(spelling))
            ]
            if fits:
                best = fits
                break
        if best:
            matches[meaning.symbol] = Match(meaning.symbol, best[0], tuple(h.text for h in best[1:]))
            taken.update(header.text for header in best)
    return matches


def canonical_symbol(name: str) -> str | None:
    """The canonical symbol that a name means (``N`` for ``params`` or ``N``), or None."""
    for meaning in MEANINGS:
        if name in (meaning.symbol, meaning.word):
            return meaning.symbol
    return None


def missing_column(name: str, present: Sequence[str], *, source: str) -> DataError:
    """The sentence for a column that is not there, with the nearest names that are."""
    by_plain = {plain(header): header for header in present}
    wanted = [plain(name)]
    symbol = canonical_symbol(name)
    if symbol is not None:
        wanted += [plain(spelling) for spelling in BY_SYMBOL[symbol].spellings]
    near: list[str] = []
    for key in wanted:
        near += [by_plain[hit] for hit in difflib.get_close_matches(key, by_plain, n=2, cutoff=0.6)]
        near += [header for text, header in by_plain.items() if len(key) > 3 and key in text]
    near = list(dict.fromkeys(near))[:4]
    shown = near or list(present)[:8]
    listed = ", ".join(repr(header) for header in shown)
    hint = "the nearest columns are" if near else "the columns are"
    if symbol is not None:
        counts = BY_SYMBOL[symbol].counts
        what = symbol if counts == symbol else f"{symbol} ({counts})"
        return DataError(
            f"{source} has no column for {what}; {hint} {listed}. Name it with --column {symbol}={shown[0]!r}."
            if shown
            else f"{source} has no column for {what}."
        )
    return DataError(f"{source} has no column {name!r}; {hint} {listed}.")
