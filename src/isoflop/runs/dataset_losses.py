"""Losses on a data set that their headers name: ``val_loss_c4``, ``pile_loss``, ``eval/wikitext/CrossEntropyLoss``."""

from __future__ import annotations

import re
from typing import Final

from isoflop.runs.headers import word_set, words_of

_LOSSES: Final = word_set("loss nll ce xent bpb ppl perplexity crossentropyloss")
_HELD_OUT: Final = word_set("val valid validation test eval evaluation dev held heldout holdout")
_CORPORA: Final = word_set(
    "c4 pile wikitext wikitext2 wikitext103 wiki wikipedia openwebtext owt fineweb refinedweb slimpajama redpajama "
    "dolma dclm falcon books books3 arxiv pubmed stackexchange github starcoder commoncrawl cc ptb lm1b enwik8 text8 "
    "minipile tinystories mc4 oscar paloma"
)
# Terms of an objective, what is said of a loss, tasks with losses of their own, and losses of training.
_NEVER: Final = word_set(
    "train training scale std stderr error se z aux auxiliary balance balancing router kl mtp reg regularization "
    "weight coef ratio delta diff gap slope step steps time count grad norm rank "
    "shot shots rc mc cloze acc lambada hellaswag piqa winogrande arc boolq mmlu openbookqa obqa csqa siqa socialiqa "
    "sciq copa squad triviaqa gsm gsm8k humaneval mbpp math race qa task box cls dfl obj"
)
_HELD_OUT_BEHIND, _CORPUS_BEHIND = 5, 6  # places behind the spelling eval/loss, before train_loss


def names_a_loss(header: str) -> int | None:
    """How many places behind ``eval/loss`` a loss on a named data set stands; None where the header names none.

    Losses that say that they are held out come before those that only name a corpus, and both before training's.
    """
    words = set(words_of(header)) | set(re.findall(r"[a-z]+\d*", header.lower()))
    if not words & _LOSSES or words & _NEVER:
        return None
    named = [word for word in words - _LOSSES - _HELD_OUT if len(word) > 1 or word.isdigit()]
    if words & _HELD_OUT and named and not words <= _GENERAL:
        return _HELD_OUT_BEHIND
    return _CORPUS_BEHIND if words & _CORPORA else None


def may_be_a_loss(header: str) -> bool:
    """Whether a header may name a loss on data of any name: ``loss_stack_v2_python`` beside ``loss_pile``."""
    words = set(words_of(header)) | set(re.findall(r"[a-z]+\d*", header.lower()))
    return bool(words & _LOSSES) and not words & _NEVER


_GENERAL: Final = (
    _LOSSES
    | _HELD_OUT
    | word_set(
        "cross entropy out n num number of count total the in overall final last end best min minimum lowest language "
        "modeling modelling mean avg average nats bits per byte token tokens value lm model full so far"
    )
)
