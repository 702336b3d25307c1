"""What a column of a run table can be, and how its header is spelled in the wild."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from isoflop.errors import DataError
from isoflop.symbols import WORDS

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
    Meaning(
        "U",
        "unique_tokens",
        "unique training tokens",
        ("U", "unique_tokens", "unique", "n_unique_tokens", "tokens_per_epoch"),
    ),
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
    Meaning("N_encoder", "encoder_params", "encoder parameters", ("N_encoder", "encoder_params", "params_encoder")),
    Meaning("N_decoder", "decoder_params", "decoder parameters", ("N_decoder", "decoder_params", "params_decoder")),
    Meaning("N_nonvocab", "nonvocab_params", "non-vocabulary parameters", ("N_nonvocab", "non_vocab_parameters")),
    Meaning("N_vocab", "vocab_params", "vocabulary parameters", ("N_vocab", "vocab_params", "vocab_parameters")),
    Meaning("D_store", "datastore_tokens", "tokens in a datastore", ("D_store", "datastore_tokens", "datastore_size")),
    Meaning("experts", "experts", "experts in each routed layer", ("experts", "n_experts", "num_experts")),
    Meaning("bits", "bits", "bits a parameter", ("bits", "bits_per_param", "bits_per_parameter")),
    Meaning("width", "width", "width of the model", ("width", "d_model", "hidden_size")),
    Meaning("patch", "patch", "side of a patch", ("patch", "patch_size")),
)

BY_SYMBOL: dict[str, Meaning] = {meaning.symbol: meaning for meaning in MEANINGS}

# How a header tells a scale: "Model Size (B)", "FLOPs (1E21)", "tokens_B", "size_M".
_TAIL = re.compile(r"^(.+)_([BMT])$")
_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "billion": 1e9, "t": 1e12, "trillion": 1e12}
_SCALES |= {f"{word}s": scale for word, scale in _SCALES.items() if len(word) > 1}
_POWER = re.compile(r"(?:[x×]\s*)?(?:1?e\+?|10\s*\^\s*)(\d{1,2})")
_COUNTED = frozenset({"N", "N_nonembed", "N_active", "D", "U", "C", "batch"})  # what a scale in a header can be of
_COUNT_WORDS = frozenset({"flop", "flops", "tokens", "params", "parameters"})
_COPY = re.compile(r"_duplicated_\d+$")  # what the reader adds to a header that stands there a second time

# What a header says about the unit of a loss.
_UNIT_OF_WORD = {"ppl": "perplexity", "perplexity": "perplexity", "bpb": "bits/byte", "bitsperbyte": "bits/byte"}
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
    own = _COPY.sub("", text).strip()
    opening = max(own.rfind("("), own.rfind("["))
    if opening >= 0 and own.endswith((")", "]")):
        bare, inside = own[:opening].strip(), own[opening + 1 : -1].strip().lower().removeprefix("in ").strip()
        if inside in _SCALES:
            return Header(text, bare, scale=_SCALES[inside])
        if inside in _LOSS_BRACKETS:
            return Header(text, bare, unit=_LOSS_BRACKETS[inside])
        power = _POWER.fullmatch(inside)
        if power:
            return Header(text, bare, scale=float(f"1e{power[1]}"))
        if inside in _COUNT_WORDS:
            return Header(text, bare)
    tail = _TAIL.match(own)
    if tail:
        return Header(text, tail[1], scale=_SCALES[tail[2].lower()])
    return Header(text, own, unit=_unit_of(own))


def _unit_of(text: str) -> str | None:
    """The loss unit that a header's words say: ``val_ppl`` is a perplexity, ``log_perplexity`` is none."""
    said = plain(text)
    words = re.findall(r"[a-z0-9]+", text.lower())
    if "log" in words or said.startswith("log"):
        return None
    fits = (unit for word, unit in _UNIT_OF_WORD.items() if word in words or (len(word) > 3 and word in said))
    return next(fits, None)


def header_of(symbol: str, text: str) -> Header:
    """The header that the user named for a column; a scale can only be one of counts, so ``loss_B`` has none."""
    header = read_header(text)
    return header if symbol in _COUNTED else replace(header, scale=1.0)


@dataclass(frozen=True)
class Match:
    """Which header stands for which canonical symbol; ``rivals`` are other headers that fit as well."""

    symbol: str
    header: Header
    rivals: tuple[str, ...] = ()


def match_headers(headers: Sequence[str], *, is_words: Callable[[str], bool]) -> dict[str, Match]:
    """Map the headers that have a known spelling; where two fit equally well, the first is taken and the rest named.

    A single letter must have the case of the symbol (``N``) unless the lower-case letter is itself listed. Headers for
    which ``is_words`` stand over columns without a single number and are passed over where a number is meant.
    """
    read = [read_header(text) for text in headers]
    bare = [plain(header.bare) for header in read]
    taken: set[str] = set()
    matches: dict[str, Match] = {}
    for meaning in MEANINGS:
        best: list[Header] = []
        for spelling in meaning.spellings:
            sought = plain(spelling)
            fits = [
                header
                for header, text in zip(read, bare, strict=True)
                if (header.bare == spelling if len(spelling) == 1 else text == sought)
                and header.text not in taken
                and (header.scale == 1 or meaning.symbol in _COUNTED)
                and not (meaning.kind == NUMBER and is_words(header.text))
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
    return WORDS.get(name)


def missing_column(name: str, present: Sequence[str], *, source: str) -> DataError:
    """The sentence for a column that is not there, with the nearest names that are.

    present: the headers that are left, without those that stand for something else already.
    """
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
    many = len(shown) > 1
    hint = f"the {'nearest' if near else 'other'} {'columns are' if many else 'column is'}"
    if symbol is not None:
        counts = BY_SYMBOL[symbol].counts
        what = f"{symbol} ({counts})" if counts != symbol else f"the {symbol}"
        named = repr(near[0]) if near else "HEADER"
        return DataError(
            f"{source} has no column for {what}; {hint} {listed}. Name it with --column {symbol}={named}."
            if shown
            else f"{source} has no column for {what}, and no column is left that could be it; add one."
        )
    return DataError(
        f"{source} has no column {name!r}; {hint} {listed}." if shown else f"{source} has no column {name!r}."
    )
