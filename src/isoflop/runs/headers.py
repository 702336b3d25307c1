"""Headers of tables: the name in words, and what they tell of scale and unit (``tokens_in_billions``, ``ZFLOPs``)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from isoflop.patterns import pattern
from isoflop.units import SCALE_WORDS

PF_DAY: Final = 8.64e19  # FLOPs: 1e15 a second for a day
_LONGEST = 200  # letters of a header in which words are looked for
_COPY = pattern(r"_duplicated_\d+$")  # what the reader adds to a header that stands there a second time

# How a header tells a scale: "Model Size (B)", "FLOPs (1E21)", "tokens_B", "N, M", "params_in_millions", "tokens/1e9".
_TAIL = pattern(r"^(.+)_([KMBGT])$")
_LOWER_TAIL = pattern(r"^(.*(?:params?|parameters|tokens|size))_?([kmbt])$", re.IGNORECASE)
_SHORT_TAIL = pattern(r"^(.+?)[\s_-](mil|mn|bn|trn|tn)$", re.IGNORECASE)
_POWER_TAIL = pattern(r"^(.+?)[\s_]x?(?:1?e|10\^)(\d{1,2})$", re.IGNORECASE)  # flops_1e18, params_x1e6
_WORD_TAIL = pattern(r"^(.*?)[\s_,-]*(?:\bin[\s_]+|_in_)?(thousands?|millions?|billions?|trillions?)$", re.IGNORECASE)
_WORD_HEAD = pattern(r"^(thousands?|millions?|billions?|trillions?)[\s_](?:of[\s_])?(.+)$", re.IGNORECASE)
_COMMA = pattern(r"^(.+?)\s*,\s*(?:in\s+)?([A-Za-z/^\d×x+ -]+)$")
_OVER = pattern(r"^(.+?)\s*/\s*(1e\+?\d{1,2}|10\s*(?:\^|\*\*)\s*\d{1,2})$", re.IGNORECASE)
_PLUS_MINUS = pattern(r"(?<=\w)\s*(?:±|\+/-|\+-|\\pm).*$")
_OVER_LETTER = pattern(r"^(.+?)\s*/\s*([KMBGT])$")
_POWER = pattern(r"(?:[x×]\s*)?(?:1?e\+?|10\s*(?:\^|\*\*)\s*)(\d{1,2})")
_COUNT_WORDS = frozenset({"flop", "flops", "tokens", "params", "parameters", "samples"})

# What every scale has in it or at its end: a mark, a digit, a word of thousands, what is counted, a letter by itself.
_MAY_SCALE = pattern(
    r",|/\s*(?:1|[kmbgt]$)|\d$|illion|thousand|flo|mac|day|param|tok|size|kilo|mega|giga|tera|[\s_-](?:[kmbgt]|mil|mn|bn|trn|tn)$",
    re.IGNORECASE,
)

# Multiples of an operation: GFLOPs, teraflops, GMACs (a multiply-accumulate is two operations), PF-days.
_SI: Final = {
    "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24,
    "kilo": 1e3, "mega": 1e6, "giga": 1e9, "tera": 1e12, "peta": 1e15, "exa": 1e18, "zetta": 1e21, "yotta": 1e24,
}  # fmt: skip
_OPERATIONS = pattern(
    r"(kilo|mega|giga|tera|peta|exa|zetta|yotta|[kmgtpezy])?[\s_-]*(flops?|flos|macs?)", re.IGNORECASE
)
_IN_DAYS = r"(peta|exa|zetta|pf|ef|zf|p|e|z)[\s_-]*(?:flops?)?(?:/s|s)?(?:ec)?[\s_./-]*days?"
_DAYS = pattern(_IN_DAYS, re.IGNORECASE)
_DAYS_TAIL = pattern(rf"(|.*[\s_./-]){_IN_DAYS}", re.IGNORECASE)
_APART = pattern(  # kilo_params, Mega tokens, "M params", "T FLOPs"
    r"(?<![^\W_])(?:(kilo|mega|giga|tera|(?-i:[KMBGT]))[\s_-]+(params?|parameters|tokens?|toks?)"
    r"|(kilo|mega|giga|tera|peta|exa|zetta|yotta|(?-i:[KMGTPEZ]))[\s_-]+(flops?|flos|macs?))(?![^\W_])",
    re.IGNORECASE,
)
_APART_TAIL = pattern(r"(.+)[\s_-](kilo|mega|giga|tera)", re.IGNORECASE)
# What stands before a name in tables of trackers and of nested JSON: config.n_params, metrics.val_loss, params/lr.
_GROUPS = pattern(
    r"(?:(?:config|cfg|conf|hparams?|hyper_?parameters?|args|arguments|settings|params|model|data|metrics?|summary|"
    r"results?|stats|tags|mlflow|info|run|trainer|optim|optimizer|optimization)[./])+(?=.)|(?:config|cfg|hparams?)_(?=.)",
    re.IGNORECASE,
)
_COUNTED_PREFIX = pattern(r"(kilo|mega|giga|tera|[kmbgt])[\s_-]?(params?|parameters|tokens?|toks?)", re.IGNORECASE)

# What a header says about the unit of a loss.
_UNIT_OF_WORD = {"ppl": "perplexity", "perplexity": "perplexity", "bpb": "bits/byte", "bitsperbyte": "bits/byte"}
_UNIT_WORDS = ("ppl", "perplexity", "bpb", "bits", "nats")  # without one of which no unit is said
_LOSS_BRACKETS = {
    "nats": "nats/token",
    "nat": "nats/token",
    "nats/token": "nats/token",
    "nats per token": "nats/token",
    "bits": "bits/token",
    "bits/token": "bits/token",
    "bits per token": "bits/token",
    "bits/byte": "bits/byte",
    "bits per byte": "bits/byte",
    "bpb": "bits/byte",
    "nats/byte": "nats/byte",
    "nats per byte": "nats/byte",
    "ppl": "perplexity",
    "perplexity": "perplexity",
}
_PER = {
    ("nats", "token"): "nats/token",
    ("bits", "token"): "bits/token",
    ("nats", "byte"): "nats/byte",
    ("bits", "byte"): "bits/byte",
}


@dataclass(frozen=True)
class Header:
    """One header of a file, read: ``scale`` multiplies its numbers, ``unit`` is what the spelling says of a loss."""

    text: str
    bare: str
    scale: float = 1.0
    unit: str | None = None
    counts: bool = False  # whether brackets say what it counts, as in "Compute (FLOPs)"


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """The spelling without case, spaces and punctuation: ``Model Size`` and ``model_size`` are both ``modelsize``."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def without_group(text: str) -> str | None:
    """The name without the groups before it (``config.n_params``, ``metrics/val_loss``); None without a group."""
    found = _GROUPS.match(text)
    return text[found.end() :] if found is not None else None


def safe_header(text: str) -> str:
    """The header as it is kept: one that Polars would read as a pattern (``*``, ``^x$``) stands in brackets."""
    return f"({text})" if text == "*" or (text.startswith("^") and text.endswith("$")) else text


def read_header(text: str) -> Header:
    """Split a header into its name and what it says of scale and unit."""
    own = (_COPY.sub("", text) if "_duplicated_" in text else text).strip()
    uncertain = "±" in own or "+" in own or "\\" in own
    if uncertain and (error := _PLUS_MINUS.search(own[:_LONGEST])) is not None:  # val loss ± std
        own = own[: error.start()]
    opening = max(own.rfind("("), own.rfind("["))
    if opening >= 0 and own.endswith((")", "]")):
        bare, inside = own[:opening].strip(), own[opening + 1 : -1].strip()
        inside = inside.lower().removeprefix("in ").strip()
        if inside in _LOSS_BRACKETS:
            return Header(text, bare, unit=_LOSS_BRACKETS[inside])
        if len(own) <= _LONGEST:
            scale = _scale_of(inside)
            if scale is None and _OPERATIONS.search(bare) and inside in _SI:  # FLOPs (Z)
                scale = _SI[inside]
            if scale is not None:
                outside = _prefixed(bare)
                if outside is not None and outside.scale == scale:  # ZFLOPs (1e21) says it twice
                    bare = outside.bare
                return Header(text, bare, scale=scale)
            if inside in _COUNT_WORDS:
                return replace(_without_brackets(bare), text=text, counts=True)
        return Header(text, own, unit=_unit_of(own))
    found = _without_brackets(own)
    return found if found.text == text else replace(found, text=text)


def _without_brackets(own: str) -> Header:
    if len(own) > _LONGEST:
        return Header(own, own, unit=_unit_of(own))
    if not _MAY_SCALE.search(own):  # most headers of a wide table, told at once
        return Header(own, own, unit=_unit_of(own))
    if tail := _TAIL.match(own):
        return Header(own, tail[1], scale=SCALE_WORDS[tail[2].lower()])
    if tail := _LOWER_TAIL.match(own):
        return Header(own, tail[1], scale=SCALE_WORDS[tail[2].lower()])
    if tail := _SHORT_TAIL.match(own):
        return Header(own, tail[1], scale=SCALE_WORDS[tail[2].lower()])
    if tail := _POWER_TAIL.match(own):
        return Header(own, tail[1], scale=float(f"1e{int(tail[2])}"))
    if (tail := _WORD_TAIL.match(own)) and tail[1]:
        return Header(own, tail[1].strip(" _,-"), scale=SCALE_WORDS[tail[2].lower()])
    if head := _WORD_HEAD.match(own):
        return Header(own, head[2], scale=SCALE_WORDS[head[1].lower()])
    if over := _OVER.match(own):
        return Header(own, over[1], scale=float(f"1e{int(re.split(r'e|[*^]', over[2].lower())[-1].lstrip('+ '))}"))
    if over := _OVER_LETTER.match(own):
        return Header(own, over[1], scale=SCALE_WORDS[over[2].lower()])
    if (comma := _COMMA.match(own)) and (scale := _scale_of(comma[2].lower().strip())) is not None:
        return Header(own, comma[1], scale=scale)
    prefixed = _prefixed(own)
    return prefixed if prefixed is not None else Header(own, own, unit=_unit_of(own))


def _scale_of(inside: str) -> float | None:
    """The scale that a word or a power tells: ``B``, ``millions``, ``×1e9``, ``zflops``, ``PF-days``."""
    if inside in SCALE_WORDS:
        return SCALE_WORDS[inside]
    words = inside.split()
    if len(words) == 2 and words[0] in SCALE_WORDS and words[1] in _COUNT_WORDS:  # "B tokens"
        return SCALE_WORDS[words[0]]
    if len(words) == 2 and words[1] in _COUNT_WORDS:  # "1e21 FLOPs"
        inside = words[0]
    if power := _POWER.fullmatch(inside):
        return float(f"1e{power[1]}")
    if (found := _DAYS.fullmatch(inside)) is not None:
        return PF_DAY * _SI[found[1][0].lower()] / 1e15
    found = _OPERATIONS.fullmatch(inside)
    return _operations(found) if found is not None and found[1] else None


def operations_scale(unit: str) -> float | None:
    """What one of a unit of operations is in FLOPs: ``EFLOPs``, ``PF-days``, ``GMACs``; None for another word."""
    word = unit.strip().lower()
    if not ("flo" in word or "mac" in word or "day" in word) or len(word) > _LONGEST:
        return None
    return _scale_of(word)


def _operations(found: re.Match[str]) -> float:
    scale = _SI[found[1].lower()] if found[1] else 1.0
    return scale * (2 if found[2].lower().startswith("mac") else 1)


def _prefixed(own: str) -> Header | None:
    """``training_GFLOPs``, ``compute_pf_days``, ``mparams``: a scale grown together with the word that it counts."""
    if (found := _DAYS_TAIL.fullmatch(own)) is not None:
        return Header(own, found[1].strip(" _-") or "flops", scale=PF_DAY * _SI[found[2][0].lower()] / 1e15)
    if (apart := _APART.search(own)) is not None:
        counted = _OPERATIONS.fullmatch(apart[3] + apart[4]) if apart[3] else None
        scale = SCALE_WORDS[apart[1].lower()] if counted is None else _operations(counted)
        name = apart[2] if counted is None else "flops"
        return Header(own, own[: apart.start()] + name + own[apart.end() :], scale=scale)
    if (apart := _APART_TAIL.fullmatch(own)) is not None:
        return Header(own, apart[1], scale=_SI[apart[2].lower()])
    split = re.split(r"[\s_./-]+", own)
    for place, word in enumerate(split):
        found = _OPERATIONS.fullmatch(word) or _OPERATIONS.fullmatch(word.removesuffix("s"))
        if found is not None and (_operations(found) != 1):
            rest = [*split[:place], "flops", *split[place + 1 :]]
            return Header(own, "_".join(rest), scale=_operations(found))
        found = _COUNTED_PREFIX.fullmatch(word)
        if found is not None:
            rest = [*split[:place], found[2], *split[place + 1 :]]
            return Header(own, "_".join(rest), scale=SCALE_WORDS[found[1].lower()])
    return None


def _unit_of(text: str) -> str | None:
    """The loss unit that a header's words say: ``val_ppl`` is a perplexity, ``log_perplexity`` is none."""
    said = plain(text)
    if not any(unit in said for unit in _UNIT_WORDS):
        return None
    words = re.findall(r"[a-z0-9]+", text.lower())
    if "log" in words or said.startswith("log"):
        return None
    fits = (unit for word, unit in _UNIT_OF_WORD.items() if word in words or (len(word) > 3 and word in said))
    unit = next(fits, None)
    if unit is not None or len(text) > _LONGEST:
        return unit
    for (amount, per), each in _PER.items():
        if amount in words and per in words and ("per" in words or "/" in text):
            return each
    return "nats/token" if "nats" in words and "byte" not in words else None


def word_set(words: str) -> frozenset[str]:
    """The words between spaces."""
    return frozenset(words.split())


# Words that headers are made of, longest first; a header without any separator is split into them.
_VOCABULARY: Final = word_set(
    "n num number of count total all the in model net network lm dense trainable param params parameter "
    "parameters weight weights size non no without excluding excl nonembedding nonembed nonemb noemb "
    "embedding embeddings embed emb vocab nonvocab vocabulary active activated exact precise real actual "
    "true token tokens toks tok sample samples example examples image images sequence sequences seen "
    "trained consumed processed train training pretrain pretraining pretrained unique data used so far "
    "cumulative cum flop flops flos compute budget cost iso macs estimated est approx loss nll ce xent "
    "bpb ppl perplexity cross entropy val valid validation test eval evaluation dev held out heldout "
    "holdout final last end best min minimum lowest language modeling modelling mean avg average nats "
    "bits per byte step steps iter iters iteration iterations update updates global current optimizer "
    "dataset corpus value cnt "
)


_CHAIN: Final = pattern(
    f"(?:{'|'.join(sorted((word for word in _VOCABULARY if len(word) > 2 or word in ('lm', 'ce')), reverse=True))})+"
)


@lru_cache(maxsize=65_536)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a name in lower case: ``finalValLoss``, ``final-val-loss`` and ``finalvalloss`` are the same."""
    if len(text) > _LONGEST:
        return ()
    found: list[str] = []
    for piece in re.findall(r"[A-Za-z]+|\d+", text):
        lower = piece.lower()
        parts = [] if lower in _VOCABULARY or piece.isdigit() else _camel(piece)
        found += parts or _split(lower)
    return tuple(found)


def _camel(piece: str) -> list[str]:
    if piece.islower():
        return []
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", piece)
    lowered = [part.lower() for part in parts]
    return lowered if len(parts) > 1 and all(part in _VOCABULARY for part in lowered) else []


def _split(word: str) -> list[str]:
    """The word as a chain of known words of three letters or more, where it is one."""
    if word in _VOCABULARY or len(word) > 40 or not _CHAIN.fullmatch(word):
        return [word]
    ends: list[list[str] | None] = [[]] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for begin in range(end):
            before, part = ends[begin], word[begin:end]
            known = part in _VOCABULARY and (len(part) > 2 or part in ("lm", "ce"))
            fewest = len(ends[end] or word)
            if known and before is not None and len(before) < fewest:
                ends[end] = [*before, part]
    return ends[-1] or [word]


def scale_named(unit: str) -> float | None:
    """The scale that a word or a number means: ``millions``, ``B``, ``1e9``, ``GFLOPs``, ``PF-days``; None for none."""
    word = unit.strip().lower().removeprefix("in ").strip()
    if (scale := _scale_of(word)) is not None:
        return scale
    if word in _COUNT_WORDS:
        return 1.0
    try:
        scale = float(word)
    except ValueError:
        return None
    return scale if 0 < scale < 1e30 else None
