"""How trainers write a step on their console: the mark of the step, and where its names and numbers stand.

Taken from real logs: Megatron-LM ``iteration 5/ 100 | lm loss: 1.3E+01 | …`` and GPT-NeoX ``validation results at
iteration 200 | lm_loss value: 8.05E+00``; nanoGPT ``iter 0: loss 10.9, time 9ms``; LitGPT ``iter 4810 | step 601: loss
0.27``, where an iter is a micro-batch; nanochat ``step 00000/00500 (0.00%) | loss: 10.4 | …``; modded-nanogpt
``step:125/1750 val_loss:4.8``; torchtitan ``step: 10  loss:  7.1``; llm.c ``s:0 tel:11.0``; build-nanogpt ``0 val
10.95``; OLMo ``[step=1/739328,epoch=0]`` and MosaicML Composer ``[batch=366/48000]:`` with a line for each metric
below; fairseq ``loss=9.255, num_updates=2800`` and its JSON; DeepSpeed, PaddleNLP, mmengine, open_clip and timm;
dictionaries of the Hugging Face Trainer, whose step stands in the progress bar above them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from isoflop.values import FrozenMapping, Value

Where = Literal["after", "line", "below"]
Step = Literal["own", "carried", "dictionary"]

DIGITS: Final = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?"
_NUMBER: Final = rf"[-+]?(?:{DIGITS}|\.\d+(?:[eE][-+]?\d+)?)|[-+]?(?i:nan|inf(?:inity)?)(?=ms|\b)"
# What may stand behind a number: a unit, a share in parentheses.
_UNIT: Final = r"(?:ms|s|m|h|[KMG]iB|[MG]B|%)?(?:\([\d.]{1,8}%\))?"
_VALUE: Final = rf"(?P<value>{_NUMBER})(?P<suffix>[KkMBGT]\b)?(?!\d|:\d){_UNIT}"  # 0:01:54 is a time of day
# Every quantifier has an upper bound, so that a line takes time in proportion to its length.
NAMED: Final = re.compile(rf"(?P<key>[A-Za-z][\w./ ()%+-]{{0,60}}?)\s{{0,4}}[:=]\s{{0,12}}\[?{_VALUE}")
SPACED: Final = re.compile(rf"(?P<key>[A-Za-z][\w./ -]{{0,60}}?)(?:\s{{0,4}}[:=]\s{{0,12}}|\s{{1,4}}){_VALUE}")
QUOTED: Final = re.compile(
    rf"['\"](?P<key>[^'\"\n]{{1,80}})['\"]\s{{0,4}}:\s{{0,4}}(?:[\w.]{{1,20}}\()?['\"]?{_VALUE}(?=['\"), \]}}]|$)"
)
ASSIGNED: Final = re.compile(rf"(?P<key>[A-Za-z][\w./-]{{0,60}})={_VALUE}")
BARRED: Final = re.compile(rf"\|\s{{0,4}}(?P<key>[A-Za-z][\w./-]{{0,60}})\s{{1,4}}{_VALUE}\s{{0,4}}(?=\||$)")


@dataclass(frozen=True)
class Dialect(Value):
    """One trainer's way of writing.

    mark: what a line of it holds; its group ``step`` counts the step, ``total`` is the number planned. Where a count
    begins anew with every epoch there are groups ``epoch``, ``within`` and ``per`` (first: the number of the first
    epoch).
    where: pairs stand after the mark, anywhere in its line, or on indented lines below it.
    step: ``own`` has its number; ``carried`` belongs to the step before it; a ``dictionary`` to the progress bar.
    pairs: the pattern of a pair. prefix: what the names of metrics get, such as ``val/`` on a line of validation.
    names: keys that are called something else. unit: of the losses, where it is no nat.
    """

    name: str
    mark: re.Pattern[str]
    pairs: re.Pattern[str] = NAMED
    where: Where = "after"
    step: Step = "own"
    prefix: str = ""
    first: int = 0
    names: Mapping[str, str] = field(default_factory=FrozenMapping)
    unit: str = ""


_EVALUATION: Final = {"tel": "val loss", "trl": "train loss", "eval": "hellaswag"}
_NANOGPT: Final = {"val": "val loss", "train": "train loss", "hella": "hellaswag"}
_LITGPT: Final = {"loss train": "train loss", "val": "val loss"}
# fairseq logs losses in bits; of a smoothed loss and its likelihood the latter is the loss
_SMOOTHED: Final = "criterion loss"
_FAIRSEQ: Final = {
    "nll_loss": "loss",
    "loss": _SMOOTHED,
    "valid_nll_loss": "valid loss",
    "valid_loss": f"valid {_SMOOTHED}",
    "train_nll_loss": "epoch loss",
    "train_loss": f"epoch {_SMOOTHED}",
}

DIALECTS: Final = (
    Dialect(
        "Megatron-LM",
        re.compile(
            r"\bvalidation (?:loss|results) at (?:iteration|the end of training for val data at iteration)"
            r" {1,8}(?P<step>\d+)"
        ),
        prefix="validation ",
    ),
    Dialect(
        "Megatron-LM",
        re.compile(
            r"\btest (?:loss|results) at (?:iteration|the end of training for test data at iteration)"
            r" {1,8}(?P<step>\d+)"
        ),
        prefix="test ",
    ),
    Dialect("Megatron-LM", re.compile(r"\biteration {1,12}(?P<step>\d+)/ {0,12}(?P<total>\d+) {0,2}\|")),
    Dialect("OLMo", re.compile(r"\[step=(?P<step>[\d,]+)(?:/(?P<total>[\d,]+))?[,\]]"), where="below"),
    Dialect(
        "Composer",
        re.compile(r"(?<!Eval )\[batch=(?P<step>\d+)(?:/(?P<total>\d+))?\]"),
        where="below",
    ),
    Dialect(
        "fairseq",
        re.compile(r"^(?=.*loss).{0,200}?\| valid \|.*?\bnum_updates (?P<step>\d+)"),
        pairs=BARRED, where="line", prefix="valid ", names=FrozenMapping(_FAIRSEQ), unit="bits/token",
    ),
    Dialect(
        "fairseq",
        re.compile(r"^(?=.*loss).{0,200}?\| train \|.*?\bnum_updates (?P<step>\d+)"),
        pairs=BARRED, where="line", prefix="epoch ", names=FrozenMapping(_FAIRSEQ), unit="bits/token",
    ),
    Dialect(
        "fairseq",
        re.compile(r"(?=.*loss=).*?\bnum_updates=(?P<step>\d+)"),
        pairs=ASSIGNED, where="line", names=FrozenMapping(_FAIRSEQ), unit="bits/token",
    ),
    Dialect(
        "fairseq",
        re.compile(r"(?=.*loss\").*?\"(?:valid_|train_)?num_updates\": \"(?P<step>\d+)\""),
        pairs=QUOTED, where="line", names=FrozenMapping(_FAIRSEQ), unit="bits/token",
    ),
    Dialect(
        "torchtitan", re.compile(r"\b(?:validate|Validation \|) {1,2}step: {1,8}(?P<step>\d+)", re.I), prefix="val/"
    ),
    Dialect("torchtitan", re.compile(r"(?:^|[\s|])step: {1,8}(?P<step>\d+)(?= {1,8}loss:| {0,2}\| {0,2}loss:)", re.I)),
    Dialect("nanochat", re.compile(r"^(?:\[Eval\] )?step {1,8}(?P<step>\d+)/(?P<total>\d+) \(", re.I)),
    Dialect("build-nanogpt", re.compile(r"^(?:\[Eval\] )?Step {1,8}(?P<step>\d+) \|", re.I), pairs=SPACED),
    Dialect(
        "llm.c", re.compile(r"^step {1,8}(?P<step>\d+)/(?P<total>\d+) \| (?=(?:train )?loss )", re.I), pairs=SPACED
    ),
    Dialect("llm.c", re.compile(r"^s:(?P<step>\d+) (?=tel:|trl:|eval:)"), names=FrozenMapping(_EVALUATION)),
    Dialect("llm.c", re.compile(r"^(?=val loss [\d.]{1,20}\s{0,4}$)"), pairs=SPACED, step="carried"),
    Dialect(
        "build-nanogpt",
        re.compile(r"^(?P<step>\d+) (?=(?:train|val|hella) [\d.]{1,20}\s{0,4}$)"),
        pairs=SPACED, names=FrozenMapping(_NANOGPT),
    ),
    Dialect("modded-nanogpt", re.compile(r"^step:(?P<step>\d+)/(?P<total>\d+) ")),
    Dialect(
        "LitGPT",
        re.compile(r"^Epoch {1,4}\d+ \| iter {1,8}\d+ step {1,8}(?P<step>\d+) \|"),
        names=FrozenMapping(_LITGPT),
    ),
    Dialect("LitGPT", re.compile(r"^iter {1,4}\d+ \| step {1,4}(?P<step>\d+): "), pairs=SPACED),
    Dialect("LitGPT", re.compile(r"^iter {1,4}\d+: (?=val loss [\d.]{1,20}, val time)"), pairs=SPACED, step="carried"),
    Dialect("LitGPT", re.compile(r"^step {1,4}\d+: (?=val loss [\d.]{1,20}, val time)"), pairs=SPACED, step="carried"),
    Dialect("nanoGPT", re.compile(r"^iter (?P<step>\d+): "), pairs=SPACED),
    Dialect("nanoGPT", re.compile(r"^step (?P<step>\d+): (?=train loss)"), pairs=SPACED),
    Dialect("DeepSpeed", re.compile(r"(?:^|\s)steps: {1,4}(?P<step>\d+) {1,4}(?=loss:)")),
    Dialect("PaddleNLP", re.compile(r"^(?=.*loss: ?[\d.]).*?\bglobal_step: (?P<step>\d+)"), where="line"),
    Dialect(
        "mmengine",
        re.compile(r"\bEpoch(?:\(train\))? {1,4}\[(?P<epoch>\d+)\]\[ {0,8}(?P<within>\d+)/ {0,8}(?P<per>\d+)\]"),
        first=1,
    ),
    Dialect(
        "PyTorch's examples",
        re.compile(
            r"\bEpoch: {0,4}\[(?P<epoch>\d+)\] {0,4}\[ {0,8}(?P<within>\d+)/ {0,8}(?P<per>\d+)\](?=.{0,300}loss)", re.I
        ),
        pairs=SPACED,
    ),
    Dialect("mmengine", re.compile(r"\bIter(?:\(train\))? {1,4}\[ {0,8}(?P<step>\d+)/ {0,8}(?P<total>\d+)\]")),
    Dialect(
        "mmengine", re.compile(r"\b(?:Epoch|Iter)\(val\) {1,4}\[[^\]]{1,20}\](?:\[[^\]]{1,20}\])?"),
        step="carried", prefix="val/",
    ),
    Dialect(
        "open_clip",
        re.compile(
            r"\bTrain(?: Epoch)?: (?P<epoch>\d+) \[ {0,8}(?P<within>\d+)/ {0,8}(?P<per>\d+)[^\]]{0,20}\]"
        ),
    ),
    Dialect("open_clip", re.compile(r"\bEval Epoch: \d+ "), step="carried", prefix="val/"),
    Dialect(  # NeMo counts its own steps; Lightning's bar counts batches of the epoch
        "NeMo",
        re.compile(r"^Epoch \d+: (?=[^\n]{0,600}loss=)[^\n]{0,600}?\bglobal_step=(?P<step>\d+)(?=\.0|[,\]])"),
        pairs=ASSIGNED, where="line",
    ),
    Dialect(
        "Lightning",
        re.compile(
            r"^Epoch (?P<epoch>\d+): {1,4}\d{1,3}%\|[^|]{0,300}\| {0,4}(?P<within>\d+)/(?P<per>\d+) \[(?=[^\]]*loss)"
        ),
        pairs=ASSIGNED,
    ),
    Dialect("dictionary", re.compile(r"\{['\"](?=[^{}]{0,2000}(?:loss|reward|runtime))"), pairs=QUOTED, where="line",
            step="dictionary"),
    Dialect(
        "progress bar",
        re.compile(r"(?:^|\s)\d{1,3}%\|[^|]{0,300}\| {0,4}(?P<step>\d+)/(?P<total>\d+) \["),
        pairs=ASSIGNED,
    ),
    Dialect(
        "plain",
        re.compile(
            r"(?:^|[\s\[|])(?:step|iter|iteration)[ :=#]{1,3}(?P<step>\d+)(?:\s{0,2}/\s{0,2}(?P<total>\d+))?"
            r"(?=[\s,:;|][^\n]{0,200}loss\s{1,4}[\d.])",
            re.I,
        ),
        pairs=SPACED,
    ),
    Dialect(
        "plain",
        re.compile(r"^\[ {0,8}(?P<step>\d+) {0,2}/ {0,8}(?P<total>\d+)\](?=[^\n]{0,200}loss\s{0,2}[:=])", re.I),
    ),
    Dialect(
        "plain",
        re.compile(
            r"(?:^|[\s\[|])(?:step|iter|iteration)[ :=#]{1,3}(?P<step>\d+)(?:\s{0,2}/\s{0,2}(?P<total>\d+))?"
            r"(?=[^\n]{0,200}loss)",
            re.I,
        ),
    ),
)  # fmt: skip

# What a line must hold to be of any dialect, in the words of both Python's and Polars' patterns.
MARKED: Final = r"(?i:step|iter|epoch|batch=|num_updates|loss|reward|runtime|%\|)|^s:\d|^\d+ (?:val|hella|train) "
CANDIDATE: Final = MARKED + r"|^[ \t]+\S.*[:=]"  # where lines may hang below a step
HEADS: Final = ("[step=", "[batch=")  # one of which a line holds that others hang below
_MARKED: Final = re.compile(MARKED)
BELOW: Final = Dialect("below", re.compile(r"^[ \t]+(?=\S)"), where="after", step="carried")
BAR: Final = "progress bar"
BAR_MARK: Final = next(dialect.mark for dialect in DIALECTS if dialect.name == BAR)
_FIRST_WORDS: Final = re.compile(r"\b(?:Train|Eval) (?=[\w/]+/)")  # Composer puts them before the names


def speaks(line: str) -> bool:
    """Whether a line can have the mark of a dialect."""
    return _MARKED.search(line) is not None


def marked(line: str) -> tuple[Dialect, re.Match[str]] | None:
    """The dialect of a line and the match of its mark; None for a line of none."""
    if not speaks(line):
        return None
    for dialect in DIALECTS:
        match = dialect.mark.search(line)
        if match is not None:
            return dialect, match
    return None


@dataclass(frozen=True)
class Pair:
    """A name and its number; key and value are spans of the line."""

    name: str
    value: tuple[int, int]
    key: tuple[int, int]
    scale: float


_SCALES: Final = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}


def pairs(line: str, dialect: Dialect, start: int) -> list[Pair]:
    """The names and numbers of a line from a place on; ``1.2B`` is 1.2e9, and ``5m`` are five minutes."""
    found = []
    for match in dialect.pairs.finditer(line, start if dialect.where != "line" else 0):
        key = _FIRST_WORDS.sub("", match["key"].strip(" ,|-")).removesuffix(" value")
        name = dialect.names.get(key, key)
        prefix = "" if name.startswith(("valid", "train_", "epoch ")) else dialect.prefix
        scale = _SCALES.get(match["suffix"] or "", 1.0)
        found.append(Pair(prefix + name, match.span("value"), match.span("key"), scale))
    names = {pair.name for pair in found}
    for at, pair in enumerate(found):  # fairseq's loss without smoothing is the likelihood itself
        bare = pair.name.replace(_SMOOTHED, "loss")
        if bare not in names:
            found[at] = replace(pair, name=bare)
    return found


def number(text: str) -> float:
    """A number as consoles write it, with commas between thousands."""
    return float(text.replace(",", ""))
