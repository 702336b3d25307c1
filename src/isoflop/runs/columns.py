"""Which header of a table stands for which canonical column, and which could, where none does."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, choices, excerpt, pasted
from isoflop.runs.dataset_losses import names_a_loss
from isoflop.runs.headers import Header, plain, read_header, without_group, word_set, words_of
from isoflop.runs.meanings import BY_SYMBOL, COUNTED, MEANINGS, NUMBER, SAMPLES, SEEN, TEXT, Meaning
from isoflop.symbols import WORDS

__all__ = [
    "BY_SYMBOL", "COUNTED", "MEANINGS", "NUMBER", "TEXT", "Header", "Match", "Meaning", "agrees", "canonical_symbol",
    "counts_samples", "header_of", "is_score", "likely", "match_headers", "missing_column", "parts_of", "plain",
    "read_header", "symbol_of",
]  # fmt: skip

Floats = NDArray[np.float64]

_RULE = 10_000  # rank of the first header that follows a rule, behind all spellings
_HELD_OUT = word_set("val valid validation test eval evaluation dev held heldout holdout")
_TRAINED = word_set("train training")
_NOT_NATS = word_set("bpb ppl perplexity")
_AFTER = "eval/loss"  # losses of held-out data that follow the rule rank behind this spelling, before train_loss
_HIGHEST_LOSS = 50.0  # nats a token that no run of layers or widths stays below

# What a header must not be offered for: words of losses and scores, and settings that are no counts.
_SCORES = frozenset(
    [
        "acc",
        "accuracy",
        "top1",
        "top5",
        "em",
        "f1",
        "bleu",
        "rouge",
        "score",
        "win",
        "rate",
        "pass",
        "exact",
        "match",
        "mmlu",
        "auc",
        "reward",
        "elo",
        "map",
        "miou",
        "iou",
    ]
)
_LOSS_WORDS = word_set("loss nll ppl perplexity bpb xent entropy")
_SETTINGS = frozenset(
    plain(name)
    for name in (
        "vocab_size", "batch_size", "global_batch_size", "micro_batch_size", "context_length", "seq_len", "seq_length",
        "sequence_length", "block_size", "n_layers", "num_layers", "n_heads", "num_heads", "d_head", "head_dim",
        "weight_decay", "dropout", "warmup_steps", "total_steps", "max_steps", "seed", "depth", "width",
    )
)  # fmt: skip
_KIN: Final = {
    "N": word_set("param params parameter parameters size weights"),
    "D": frozenset(
        [
            "token",
            "tokens",
            "toks",
            "samples",
            "examples",
            "images",
            "sequences",
            "seen",
            "characters",
            "words",
            "bytes",
            "data",
            "dataset",
        ]
    ),
    "C": word_set("flop flops flos compute macs budget"),
    "loss": word_set("loss nll ce xent ppl perplexity bpb entropy"),
}
_GENERIC = word_set("total count num number of all overall final max min mean sum")
_NO_AMOUNT = frozenset(
    [
        "per",
        "batch",
        "seq",
        "sequence",
        "context",
        "length",
        "vocab",
        "max",
        "rate",
        "sps",
        "second",
        "sec",
        "throughput",
    ]
)


@dataclass(frozen=True)
class Match:
    """Which header stands for which canonical symbol.

    rivals: other headers that fit as well. others: headers that fit less well, best first. sure: whether the header
    can hardly mean anything else.
    """

    symbol: str
    header: Header
    rivals: tuple[str, ...] = ()
    others: tuple[Header, ...] = ()
    sure: bool = True


def match_headers(
    headers: Sequence[str], *, fits: Callable[[Meaning, Header, bool], bool] | None = None
) -> dict[str, Match]:
    """Map the headers that have a known spelling or follow a rule; of two that fit alike the first is taken.

    A single letter must have the case of the symbol (``N``) unless the lower-case letter is itself listed.
    fits: whether a column's cells agree with a meaning; its third argument says whether the spelling is sure.
    """
    read = [read_header(text) for text in headers]
    bare = [plain(header.bare) for header in read]
    taken: set[str] = set()
    matches: dict[str, Match] = {}
    known = [(header, text) for header, text in zip(read, bare, strict=True) if _may_mean_something(header, text)]
    for meaning in MEANINGS:
        ranked: list[tuple[int, bool, Header]] = []
        for header, text in known:
            if header.text in taken or (header.scale != 1 and meaning.symbol not in COUNTED):
                continue
            found = _rank(meaning, header, text) or _rank_in_group(meaning, header)
            if found is not None and (fits is None or fits(meaning, header, found[1])):
                ranked.append((*found, header))
        if not ranked:
            continue
        ranked.sort(key=lambda each: each[0])
        rank, sure, best = ranked[0]
        alike = [header for other, _, header in ranked if other == rank]
        matches[meaning.symbol] = Match(
            meaning.symbol,
            best,
            tuple(header.text for header in alike[1:]),
            tuple(header for other, _, header in ranked if other != rank),
            sure,
        )
        taken.update(header.text for header in alike)
    return matches


@lru_cache
def _places(meaning: Meaning) -> Mapping[tuple[bool, str], int]:
    """The place of each spelling: (True, letter) as it stands, (False, text) without case, spaces and punctuation."""
    found: dict[tuple[bool, str], int] = {}
    for place, spelling in enumerate(meaning.spellings):
        found.setdefault((True, spelling) if len(spelling) == 1 else (False, plain(spelling)), place)
    return found


@lru_cache
def _all_known() -> tuple[frozenset[tuple[bool, str]], frozenset[str], re.Pattern[str]]:
    """Every spelling, every head of a rule, and what a header has in it whose words can follow a rule.

    A head of one letter is in most headers; the words that its rule needs besides it are in few.
    """
    rules = [each.rule for each in MEANINGS if each.rule is not None]
    heads = frozenset().union(*(rule.heads for rule in rules))
    stems = {head for head in heads if len(head) > 1}
    stems |= {word for rule in rules if any(len(head) == 1 for head in rule.heads) for word in rule.needs[-1]}
    least = sorted(stem for stem in stems if not any(other in stem for other in stems - {stem}))
    spellings = frozenset(key for each in MEANINGS for key in _places(each))
    return spellings, heads, re.compile("|".join(least))


def _may_mean_something(header: Header, text: str) -> bool:
    """Whether any meaning's spellings or rule can fit: most headers of a wide table are told apart here, at once."""
    spellings, heads, stems = _all_known()
    return (
        (False, text) in spellings
        or (True, header.bare) in spellings
        or (stems.search(text) is not None and not heads.isdisjoint(words_of(header.bare)))
        or without_group(header.bare) is not None
    )


def _rank(meaning: Meaning, header: Header, text: str) -> tuple[int, bool] | None:
    """How well a header fits a meaning, least is best, and whether it can hardly mean anything else."""
    places = _places(meaning)
    fitting = [places[key] for key in ((True, header.bare), (False, text)) if key in places]
    if fitting:
        place = min(fitting)
        # a prefix, as in GFLOPs, is as common for one forward pass as for a whole training
        scaled = meaning.symbol == "C" and header.scale != 1
        return 10 * place, not scaled and (meaning.spellings[place] not in meaning.weak or header.counts)
    return _by_rule(meaning, header)


def _rank_in_group(meaning: Meaning, header: Header) -> tuple[int, bool] | None:
    """As :func:`_rank` for a name behind a group (``config.n_params``), which ranks behind plain names."""
    name = without_group(header.bare)
    if name is None:
        return None
    inner = read_header(name)
    if inner.scale != 1 and header.scale == 1:
        return None
    found = _rank(meaning, replace(inner, text=header.text, counts=header.counts), plain(inner.bare))
    return None if found is None else (found[0] + 5, False)


def _by_rule(meaning: Meaning, header: Header) -> tuple[int, bool] | None:
    if meaning.symbol == "loss" and (behind := names_a_loss(header.bare)) is not None:
        return 10 * meaning.spellings.index(_AFTER) + behind, False
    rule = meaning.rule
    if rule is None:
        return None
    words = words_of(header.bare)
    heads = [word for word in words if word in rule.heads]
    if not heads or not set(words) <= rule.heads | rule.around or not all(need & set(words) for need in rule.needs):
        return None
    if len(words) == 1 and len(words[0]) == 1:
        return None
    if meaning.symbol == "loss":
        return _loss_rank(set(words), meaning), False
    if meaning.symbol == "D" and set(heads) <= SAMPLES:
        return (_RULE + 10, False) if SEEN & set(words) else None
    return _RULE, False


def _loss_rank(words: set[str], meaning: Meaning) -> int:
    """Held-out losses before others, losses of training last; nats before bits a byte and perplexity."""
    if words <= {"entropy"} or words == {"cross"}:
        return _RULE
    rank = 10 * meaning.spellings.index(_AFTER)
    rank += 1 if words & _HELD_OUT else 15 if words & _TRAINED else 2
    return rank + (40 if words & _NOT_NATS else 0)


def agrees(meaning: Meaning, values: Floats) -> bool:
    """Whether numbers can be what an uncertain header says: counts large enough, a loss no number of layers."""
    values = values[np.isfinite(values)]
    if not len(values):
        return True
    if meaning.symbol == "P":
        return bool((values >= 1).all() and (values % 1 == 0).all())
    if meaning.symbol == "loss":
        return bool((values > 0).all() and (values.max() > _HIGHEST_LOSS or (values % 1 != 0).any()))
    return float(values.max()) >= meaning.least


def is_score(header: str) -> bool:
    """Whether a header is that of a score rather than of a loss."""
    return bool(set(words_of(header)) & _SCORES) or any(word.startswith("acc") for word in words_of(header))


def counts_samples(header: Header) -> bool:
    """Whether a header of D says that it counts samples or images rather than tokens."""
    words = set(words_of(header.bare))
    return bool(words & SAMPLES) and not words & word_set("token tokens toks tok")


def header_of(symbol: str, text: str) -> Header:
    """The header that the user named for a column; a scale can only be one of counts, so ``loss_B`` has none."""
    header = read_header(text)
    return header if symbol in COUNTED else replace(header, scale=1.0)


def canonical_symbol(name: str) -> str | None:
    """The canonical symbol that a name means (``N`` for ``params`` or ``N``), or None."""
    for meaning in MEANINGS:
        if name in (meaning.symbol, meaning.word):
            return meaning.symbol
    return WORDS.get(name)


def symbol_of(name: str, known: Mapping[str, Any]) -> str:
    """The canonical column that a header was read as, as ``N`` for ``#Params (B)``; else the name itself."""
    return next((symbol for symbol, column in known.items() if column.header == name), name)


def parts_of(name: str, known: Mapping[str, Any]) -> list[str]:
    """The headers of what counts a part of N: without embeddings, of active layers, without the vocabulary.

    known: what is known of the canonical columns that were read (:class:`~isoflop.runs.table.Column`).
    """
    parts = ("N_nonembed", "N_active", "N_nonvocab") if canonical_symbol(name) == "N" else ()
    return [known[part].header or part for part in parts if part in known]


def likely(symbol: str, headers: Iterable[str]) -> list[str]:
    """The headers that could stand for a canonical column, likeliest first; none that means something else."""
    base = symbol.partition("_")[0]
    scored = []
    for header in headers:
        words = set(words_of(read_header(header).bare))
        if not _could_be(symbol, header, words):
            continue
        kin = len(words & _KIN.get(base, frozenset())) - (2 if words & _NO_AMOUNT else 0)
        if symbol == "loss" and not kin:  # Lossu, trainloss
            kin = int(any(word.startswith("loss") or word.endswith("loss") for word in words))
        if kin > 0:
            scored.append((-kin, header))
    return [header for _, header in sorted(scored, key=lambda each: each[0])]


def _could_be(symbol: str, header: str, words: set[str]) -> bool:
    if plain(header) in _SETTINGS and symbol not in ("seed", "width"):
        return False
    if words & _SCORES:
        return False
    if symbol != "loss" and words & _LOSS_WORDS:
        return False
    if words <= _GENERIC and symbol in COUNTED:
        return False  # total is near total_tokens by its letters alone
    own = _KIN.get(symbol.partition("_")[0], frozenset())
    if symbol in COUNTED and not words & own and any(words & kin for kin in _KIN.values()):
        return False  # num_characters is near num_params by its letters alone
    return set(match_headers([header])) <= {symbol}


def missing_column(
    name: str,
    present: Sequence[str],
    *,
    source: str,
    words: tuple[str, str] | None = None,
    parts: Sequence[str] = (),
) -> DataError:
    """The sentence for a column that is not there, with the nearest names that are.

    present: the headers that are left, without those that stand for something else already. words: a header that means
    the column but holds text, and one of its cells. parts: headers read as a part of it, as N without embeddings.
    """
    by_plain = {plain(header): header for header in present}
    wanted = [plain(name)[:100]]
    symbol = canonical_symbol(name)
    if symbol is not None:
        wanted += [plain(spelling) for spelling in BY_SYMBOL[symbol].spellings]
    near: list[str] = [] if symbol is None else likely(symbol, present)
    for key in wanted:
        near += [by_plain[hit] for hit in difflib.get_close_matches(key, by_plain, n=2, cutoff=0.6)]
        near += [header for text, header in by_plain.items() if len(key) > 3 and key in text]
    if symbol is not None:
        near = [each for each in near if _could_be(symbol, each, set(words_of(read_header(each).bare)))]
    near = list(dict.fromkeys((*parts, *near)))[:4]
    shown = near or list(present)
    listed = choices(shown, 8)
    many = len(shown) > 1
    hint = f"the {'nearest' if near else 'other'} {'columns are' if many else 'column is'}"
    if symbol is not None:
        counts = BY_SYMBOL[symbol].counts
        what = f"{symbol} ({counts})" if counts != symbol else f"the {symbol}"
        named = pasted(near[0]) if near else "HEADER"
        if words is not None:
            return DataError(
                f"{source} has no numbers for {what}: column {excerpt(words[0], 40)} holds text such as "
                f"{excerpt(words[1], 40)}. Write numbers such as 70e9 or 70B into it, or name another column with "
                f"--column {symbol}={named}."
            )
        return DataError(
            f"{source} has no column for {what}; {hint} {listed}. Name it with --column {symbol}={named}."
            if shown
            else f"{source} has no column for {what}, and no column is left that could be it; add one."
        )
    wrong = excerpt(name, 60)
    return DataError(
        f"{source} has no column {wrong}; {hint} {listed}." if shown else f"{source} has no column {wrong}."
    )


def text_where_numbers(name: str, cell: str, source: str, where: str) -> DataError:
    """The sentence for a column of text where numbers are needed. cell: one that is none. where: the rows."""
    instead = "mend the cells, or use another column"
    quotable = len(cell) <= 30 and cell.isprintable() and not set("'\"`") & set(cell)
    if quotable and name.isidentifier() and len(name) <= 30:
        instead = f"mend the cells, or compute a number from them: --derive \"is_{name} = {name} == '{cell}'\""
    return DataError(
        f"column {excerpt(name)} of {source} holds text where numbers are needed: {excerpt(cell)} ({where}); {instead}"
    )
