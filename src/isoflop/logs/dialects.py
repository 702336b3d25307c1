"""How trainers write a step on their console: the mark of the step, and the pairs of name and number after it.

Taken from real logs: Megatron-LM ``iteration 5/ 100 | lm loss: 1.3E+01 | …``; nanoGPT ``iter 0: loss 10.9, time 9ms``;
nanochat ``step 00000/00500 (0.00%) | loss: 10.4 | …`` and ``Step 00000 | Validation bpb: 3.1``; modded-nanogpt
``step:125/1750 val_loss:4.8``; torchtitan ``step: 10  loss:  7.1  grad_norm:  0.9``; OLMo and OLMo-core
``[step=1/739328,epoch=0]`` with a line ``train/CE loss=11.25`` for each metric.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_NUMBER: Final = r"[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)(?=ms|\b)"
# What may stand behind a number: a unit, a share in parentheses.
_UNIT: Final = r"(?:ms|s|m|[KMG]iB|[MG]B|%)?(?:\([\d.]{1,8}%\))?"
_SUFFIX: Final = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
# Every quantifier has an upper bound, so that a line takes time in proportion to its length.
_PAIR: Final = re.compile(
    rf"(?P<key>[A-Za-z][\w./ ()%+-]{{0,60}}?)\s{{0,4}}[:=]\s{{0,12}}(?P<value>{_NUMBER})(?P<suffix>[KMBGT]\b)?{_UNIT}",
    re.IGNORECASE,
)
_SPACED: Final = re.compile(
    rf"(?P<key>[A-Za-z][\w./ -]{{0,60}}?)\s{{1,4}}(?P<value>{_NUMBER})(?P<suffix>[KMBGT]\b)?{_UNIT}", re.IGNORECASE
)


@dataclass(frozen=True)
class Dialect:
    """One trainer's way of writing.

    mark: what opens a step; its group ``step`` counts it, ``total`` is the number planned.
    prefix: what the names of metrics get, such as ``val/`` on a line of validation.
    spaced: pairs are ``loss 10.9`` rather than ``loss: 10.9``.
    below: the pairs follow on lines of their own.
    """

    name: str
    mark: re.Pattern[str]
    prefix: str = ""
    spaced: bool = False
    below: bool = False


DIALECTS: Final = (
    Dialect(
        "Megatron-LM",
        re.compile(
            r"\bvalidation loss at (?:iteration|the end of training for val data at iteration) {1,8}(?P<step>\d+)"
        ),
        prefix="validation ",
    ),
    Dialect("Megatron-LM", re.compile(r"\biteration {1,12}(?P<step>\d+)/ {0,12}(?P<total>\d+) {0,2}\|")),
    Dialect("OLMo", re.compile(r"\[step=(?P<step>[\d,]+)(?:/(?P<total>[\d,]+))?[,\]]"), below=True),
    Dialect(
        "torchtitan", re.compile(r"\b(?:validate|Validation \|) {1,2}step: {1,8}(?P<step>\d+)", re.I), prefix="val/"
    ),
    Dialect("torchtitan", re.compile(r"(?:^|[\s|])step: {1,8}(?P<step>\d+)(?= {1,8}loss:| {0,2}\| {0,2}loss:)", re.I)),
    Dialect("nanochat", re.compile(r"^(?:\[Eval\] )?step {1,4}(?P<step>\d+)/(?P<total>\d+) \(", re.I)),
    Dialect("nanochat", re.compile(r"^(?:\[Eval\] )?Step {1,4}(?P<step>\d+) \|", re.I)),
    Dialect("modded-nanogpt", re.compile(r"^step:(?P<step>\d+)/(?P<total>\d+) ")),
    Dialect("nanoGPT", re.compile(r"^iter (?P<step>\d+): "), spaced=True),
    Dialect("nanoGPT", re.compile(r"^step (?P<step>\d+): (?=train loss)"), spaced=True),
    Dialect(
        "plain",
        re.compile(
            r"(?:^|[\s\[|])(?:step|iter|iteration)[ :=#]{1,3}(?P<step>\d+)(?:\s{0,2}/\s{0,2}(?P<total>\d+))?"
            r"(?=[^\n]{0,200}loss)",
            re.I,
        ),
    ),
)
_MARKED: Final = re.compile(r"step|iter", re.IGNORECASE)


def marked(line: str) -> tuple[Dialect, re.Match[str]] | None:
    """The dialect in which the line opens a step, and the match."""
    if _MARKED.search(line) is None:
        return None
    for dialect in DIALECTS:
        match = dialect.mark.search(line)
        if match is not None:
            return dialect, match
    return None


def pairs(text: str, *, spaced: bool = False) -> Iterator[tuple[str, float]]:
    """The names and numbers in a piece of a line; thousands may have commas, ``1.2B`` is 1.2e9."""
    for match in (_SPACED if spaced else _PAIR).finditer(text):
        scale = _SUFFIX.get((match["suffix"] or "").upper(), 1.0)
        yield match["key"].strip(" ,|-"), number(match["value"]) * scale


def number(text: str) -> float:
    """A number as consoles write it, with commas between thousands."""
    return float(text.replace(",", ""))
