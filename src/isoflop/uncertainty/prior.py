"""``Prior``: how far laws were from the truth on other tables, as weighted hypotheses about a table's model error."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from isoflop.documents import DocumentError, parse_toml, read_bounded
from isoflop.errors import SavedError
from isoflop.files import write_whole
from isoflop.values import Value

SCHEMA = "isoflop.model-error/1"
MOST_BYTES = 1_000_000
MOST_HYPOTHESES = 500
_LARGEST = 1e3  # of a size, a length, a share or a weight: beyond it nothing that was measured lies
_SMALLEST = 1e-6  # of a length or a share: 0 up to rounding
_BEGINNING = 1_000  # bytes of a file within which it says its schema
_NUMBERS = ("noise_share", "size", "length", "weight")


@dataclass(frozen=True)
class Hypothesis(Value):
    """One guess at the model error of a table.

    noise_share: standard deviation of the noise as a share of that of the residuals. size: standard deviation τ of the
    model error, of log response. length: distance ℓ over which it changes, in decades of the inputs.
    weight: its prior probability.
    """

    noise_share: float
    size: float
    length: float
    weight: float


@dataclass(frozen=True)
class Prior(Value):
    """Hypotheses with their weights, learned from tables whose largest runs were held out.

    power: of the marginal likelihood by which a table's own residuals change the weights; below one, since residuals
    of a table are less independent than its likelihood takes them to be. freedom: degrees of freedom of the Student-t
    distribution of each hypothesis. farthest: decades beyond the runs up to which forecasts were tested.
    date, source, script: when, from what and by which program it was learned; tables: their names.
    """

    hypotheses: tuple[Hypothesis, ...]
    power: float
    freedom: float
    farthest: float
    date: str
    source: str
    script: str = ""
    tables: tuple[str, ...] = ()


@cache
def shipped_prior() -> Prior:
    """The prior that comes with this release."""
    path = files("isoflop.uncertainty") / "priors" / "model_error.toml"
    return prior_of(parse_toml(path.read_bytes()), "the shipped prior")


def read_prior(path: str | Path) -> Prior:
    """A prior that ``save_prior`` wrote.

    Raises SavedError for a file that is absent, not TOML, of another schema, or without usable hypotheses.
    """
    path = Path(path)
    try:
        content = parse_toml(read_bounded(path, most=MOST_BYTES))
    except DocumentError as error:
        raise SavedError(f"{str(path)!r} {error}; give a file of isoflop calibrate") from None
    return prior_of(content, path.name)


def is_prior(path: str | Path) -> bool:
    """Whether a path means a prior of the model error: by its ending, or by what the file says of itself."""
    path = Path(path)
    if path.suffix.lower() == ".toml":
        return True
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return SCHEMA.rpartition("/")[0].encode() in file.read(_BEGINNING)
    except OSError:
        return False


def save_prior(prior: Prior, path: str | Path) -> None:
    """Write a prior as TOML, whole or not at all."""
    lines = [
        f"schema = {_text(SCHEMA)}",
        f"date = {_text(prior.date)}",
        f"source = {_text(prior.source)}",
        f"script = {_text(prior.script)}",
        f"power = {prior.power!r}",
        f"freedom = {prior.freedom!r}",
        f"farthest = {prior.farthest!r}",
        "tables = [" + "".join(f"\n    {_text(each)}," for each in prior.tables) + ("\n]" if prior.tables else "]"),
    ]
    for each in prior.hypotheses:
        lines += ["", "[[hypothesis]]", *(f"{name} = {getattr(each, name)!r}" for name in _NUMBERS)]
    write_whole(Path(path), ("\n".join(lines) + "\n").encode())


def _text(words: str) -> str:
    """A basic string of TOML."""
    plain = words.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04x}" for c in plain) + '"'


def content_of(prior: Prior) -> dict[str, Any]:
    """A prior as plain values, from which ``prior_of`` makes it again."""
    plain = {each.name: getattr(prior, each.name) for each in fields(prior) if each.name != "hypotheses"}
    hypotheses = [{key: getattr(each, key) for key in _NUMBERS} for each in prior.hypotheses]
    return {"schema": SCHEMA, **plain, "tables": list(prior.tables), "hypothesis": hypotheses}


def digest_of(prior: Prior) -> str:
    """SHA-256 of the prior's content, the same whatever file it lies in."""
    return hashlib.sha256(json.dumps(content_of(prior), sort_keys=True).encode()).hexdigest()


def origin_of(prior: Prior) -> dict[str, Any]:
    """Which prior it is, without its numbers: what a record that rests on it says of it."""
    told = {"date": prior.date, "source": prior.source, "script": prior.script}
    return told | {"tables": len(prior.tables), "digest": digest_of(prior)}


def prior_of(content: Mapping[str, Any], name: str) -> Prior:
    """The prior of plain values; raises SavedError, which calls the file ``name``."""
    if content.get("schema") != SCHEMA:
        raise SavedError(f"{name} has schema {content.get('schema')!r}, this release reads {SCHEMA!r}; calibrate again")
    try:
        hypotheses = tuple(
            Hypothesis(**{key: float(each[key]) for key in _NUMBERS}) for each in content.get("hypothesis", ())
        )
        found = Prior(
            hypotheses=hypotheses,
            power=float(content["power"]),
            freedom=float(content["freedom"]),
            farthest=float(content["farthest"]),
            date=str(content["date"]),
            source=str(content["source"]),
            script=str(content.get("script", "")),
            tables=tuple(str(each) for each in content.get("tables", ())),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SavedError(f"{name} lacks or garbles {error}; write it with isoflop calibrate") from None
    check_prior(found, name)
    return found


def check_prior(prior: Prior, name: str) -> None:
    """Raises SavedError for a prior that gives no distribution."""
    numbers = [getattr(each, key) for each in prior.hypotheses for key in _NUMBERS]
    if not all(map(math.isfinite, [*numbers, prior.power, prior.farthest])) or any(each < 0 for each in numbers):
        raise SavedError(f"{name} holds a number that is negative or not finite; write it with isoflop calibrate")
    if len(prior.hypotheses) > MOST_HYPOTHESES or any(each > _LARGEST for each in numbers):
        raise SavedError(
            f"{name} has more than {MOST_HYPOTHESES} hypotheses or a number above {_LARGEST:g}; write it with isoflop "
            "calibrate"
        )
    if not sum(each.weight for each in prior.hypotheses) > 0:
        raise SavedError(f"{name} has no hypothesis of positive weight; write it with isoflop calibrate")
    if any(each.length < _SMALLEST or each.noise_share < _SMALLEST for each in prior.hypotheses):
        raise SavedError(f"{name} has a hypothesis whose length or noise_share is 0; write it with isoflop calibrate")
    if not (prior.freedom > 2 and 0 <= prior.power <= 1):
        raise SavedError(f"{name} needs freedom above 2 and power between 0 and 1; write it with isoflop calibrate")
