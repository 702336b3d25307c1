"""How the headers of a plain table of scores spell what they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from isoflop.errors import DataError, choices

# role → spellings, best first, compared without case, spaces and punctuation
ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "model": ("model", "modelname", "run", "runname", "checkpoint", "name"),
    "task": ("task", "taskname", "benchmark", "dataset", "eval", "evaluation"),
    "metric": ("metric", "metricname"),
    "item": ("item", "itemid", "docid", "questionid", "question", "exampleid", "example", "sampleid", "problemid",
             "problem", "instance", "id"),
    "cluster": ("cluster", "passage", "template"),
    "repeat": ("repeat", "epoch", "attempt", "trial", "replicate", "sampleindex"),
    "score": ("score", "value", "acc", "accuracy", "correct", "iscorrect", "exactmatch", "passrate", "result"),
    "n": ("n", "nitems", "numitems", "count", "nquestions", "support"),
    "stderr": ("stderr", "se", "standarderror", "accstderr", "scorestderr", "sampleerror"),
    "passes": ("passes", "passed", "npasses", "numpasses", "ncorrect", "numcorrect", "successes"),
    "tries": ("tries", "ntries", "attempts", "trials", "nsamples", "numsamples", "samples"),
    "goal": ("goal", "targetpasses", "untilpasses"),
    "right": ("right", "rightoption", "answer", "answerindex", "label", "gold", "target", "correctoption",
              "correctindex"),
    "log_p": ("logp", "logps", "logprob", "logprobs", "loglikelihood", "loglikelihoods", "optionlogprobs",
              "logprobabilities", "lls"),
    "option": ("option", "choice", "optionid", "choiceid"),
    "length": ("length", "lengths", "bytes", "optionlengths", "optionbytes"),
    "member": ("member", "ensemblemember", "memberid"),
    "probabilities": ("probabilities", "probs", "p", "memberprobabilities", "members"),
}  # fmt: skip
_INDEX: Final = re.compile(r"(unnamed:?\s*\d*|index|column_\d+|row)?", re.IGNORECASE)
_ERROR: Final = re.compile(r"(?P<task>.+?)[_ /,-]?(?:std_?err|standard_error|se)(?P<filter>[@,].*)?", re.IGNORECASE)
_COUNT: Final = re.compile(r"(?P<task>.+?)[_ /](?:n|n_items|count)", re.IGNORECASE)
_NUMBERED: Final = re.compile(
    r"(?P<stem>log_?p|log_?prob|log_?likelihood|p|prob|probability)[_ .\[]?(?P<at>\d+|[a-j])\]?", re.IGNORECASE
)


def plain(text: str) -> str:
    """The header without case, spaces and punctuation."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def roles_in(headers: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Role → header: as given, else by its spelling. ``N`` is never the number of items."""
    found: dict[str, str] = {}
    for role, header in given.items():
        if role in ROLES:
            if header not in headers:
                raise DataError(
                    f"--column {role}={header[:60]} names no column; there are {choices(headers, 20, bare=True)}"
                )
            found[role] = header
    taken = set(found.values())
    for role, spellings in ROLES.items():
        if role in found:
            continue
        for spelling in spellings:
            own = [each for each in headers if plain(each) == spelling and each not in taken and each != "N"]
            if own:
                found[role] = own[0]
                taken.add(own[0])
                break
    return found


def is_index(header: str) -> bool:
    """Whether a column only numbers the rows, as those without a header do."""
    return _INDEX.fullmatch(header.strip()) is not None


def error_of(header: str, headers: Sequence[str]) -> str | None:
    """The column whose sampling error this one is; None for another column."""
    match = _ERROR.fullmatch(header)
    name = None if match is None else match["task"] + (match["filter"] or "")
    return name if name in headers else None


def count_of(header: str, headers: Sequence[str]) -> str | None:
    """The column whose number of items this one is; None for another column."""
    match = _COUNT.fullmatch(header)
    return match["task"] if match is not None and match["task"] in headers else None


def numbered(headers: Sequence[str]) -> dict[str, list[str]]:
    """Columns ``logp_0``, ``logp_1`` … or ``p_a``, ``p_b`` …, by ``log_p`` and ``probabilities``, two or more."""
    found: dict[str, list[tuple[str, str]]] = {}
    for header in headers:
        match = _NUMBERED.fullmatch(header.strip())
        if match is not None:
            role = "log_p" if match["stem"].lower().startswith("log") else "probabilities"
            found.setdefault(role, []).append((match["at"].lower().rjust(3), header))
    return {role: [header for _, header in sorted(each)] for role, each in found.items() if len(each) > 1}


def no_columns(source: str, headers: Sequence[str]) -> DataError:
    """What to say of a table in which no scores are found."""
    return DataError(
        f"{source} has no column of scores, of log-probabilities, of passes and tries or of probabilities among "
        f"{choices(headers)}; name one, as --column score=HEADER"
    )
