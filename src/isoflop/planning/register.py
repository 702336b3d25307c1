"""Predictions that are written down before the run is trained, and scored when it is.

A registered prediction is a JSON file with the date, what was asked of which fit, the forecast and its quantiles, and
a seal: SHA-256 of all that. A change of one digit, or of the date, breaks the seal.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import DataError, SavedError, shown
from isoflop.files import write_whole
from isoflop.planning.forecast import forecast
from isoflop.runs import Runs
from isoflop.schema import ANY_NUMBER, FINDING, TEXT, List, Map, Number, Optional, Record, SchemaError, Text, Whole
from isoflop.uncertainty import Ensemble, Interval
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.prior import origin_of, shipped_prior
from isoflop.uncertainty.saved import seal
from isoflop.uncertainty.scatter import new_runs
from isoflop.units import format_quantity
from isoflop.values import Value

SCHEMA = "isoflop.prediction/1"
_MOST_BYTES = 1_000_000
_END = Optional(ANY_NUMBER)
_NAMED = Map(ANY_NUMBER, most=200)
_PREDICTION = Record(
    {
        "schema": TEXT,
        "made": Text(most=100),
        "note": TEXT,
        "versions": Map(Text(most=200), most=50),
        "law": TEXT,
        "formula": TEXT,
        "params": _NAMED,
        "source": TEXT,
        "digest": Text(most=200),
        "at": Map(ANY_NUMBER, most=200),
        "response": Text(most=1_000),
        "unit": Text(most=1_000),
        "level": Number(low=0.0, high=1.0),
        "loss": Record({"value": ANY_NUMBER, "low": _END, "high": _END}, more=True),
        "law_loss": Record({"value": ANY_NUMBER, "low": _END, "high": _END}, more=True),
        "quantiles": List(List(ANY_NUMBER, fewest=2, most=2), most=10_000),
        "findings": List(FINDING, most=10_000),
        "prior": Record(
            {**dict.fromkeys(("date", "source", "script"), TEXT), "tables": Whole(), "digest": Text(most=200)}
        ),
        "seal": Text(most=200),
    },
    may=frozenset({"prior"}),  # absent where it is the shipped one
)
_QUANTILES = tuple(round(0.005 * place, 3) for place in range(1, 200))


@dataclass(frozen=True)
class Prediction(Value):
    """What was said of a run before it was trained.

    made: the moment, in UTC. law, source, digest: the fit, its runs and their SHA-256. quantiles: (share, loss) of
    what one new run would measure, empty where nothing was known of its distribution. seal: of the file.
    """

    made: datetime
    note: str
    law: str
    formula: str
    source: str
    digest: str
    at: Mapping[str, float]
    response: str
    unit: str
    loss: Interval
    quantiles: tuple[tuple[float, float], ...]
    seal: str


@dataclass(frozen=True)
class Score(Value):
    """A prediction beside what was measured.

    error: (measured − predicted)/predicted. held: whether the interval held it, None where there was none. place: the
    share of draws below what was measured; predictions that are well calibrated have places spread evenly over 0–1.
    """

    prediction: Prediction
    measured: float
    error: float
    held: bool | None
    place: float | None


def register(
    ensemble: Ensemble, at: Mapping[str, float], path: str | Path, *, level: float = 0.9, note: str = ""
) -> Prediction:
    """Write the forecast at ``at`` to a new file; an older prediction is never overwritten.

    Raises SavedError where the file is there already, and as ``forecast`` for what cannot be asked.
    """
    path = Path(path)
    if path.exists():
        raise SavedError(f"{path.name} is there already, and a registered prediction stays as it is; name another file")
    said = forecast(ensemble, at, level=level)
    fit = ensemble.estimate
    shares: list[list[float]] = []
    if math.isfinite(said.loss.low):
        known = predictive(ensemble, said.at, level=level)
        if known.mixture is not None:
            shares = [[share, float(known.quantile(share)[0])] for share in _QUANTILES]
        else:
            drawn = new_runs(ensemble, fit.law.value(ensemble.draws, said.at), at=said.at)
            drawn = drawn[np.isfinite(drawn)]
            shares = [
                [share, float(each)] for share, each in zip(_QUANTILES, np.quantile(drawn, _QUANTILES), strict=True)
            ]
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "note": note,
        "versions": {name: version(name) for name in ("isoflop", "numpy")},
        "law": fit.law.name,
        "formula": fit.law.formula,
        "params": dict(fit.params),
        "source": fit.data.source,
        "digest": fit.data.digest,
        "at": dict(said.at),
        "response": fit.law.response,
        "unit": said.unit,
        "level": level,
        "loss": {name: _finite(value) for name, value in said.loss.as_dict().items()},
        "law_loss": {name: _finite(value) for name, value in said.law_loss.as_dict().items()},
        "quantiles": shares,
        "findings": [finding.as_dict() for finding in said.findings],
    }
    if ensemble.prior != shipped_prior():
        content["prior"] = origin_of(ensemble.prior)
    content["seal"] = seal(content)
    write_whole(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
    return _prediction(content)


def load_prediction(path: str | Path) -> Prediction:
    """Read a registered prediction. Raises SavedError for a file that is absent, foreign, or changed since."""
    path = Path(path)
    try:
        content = parse_json(read_bounded(path, most=_MOST_BYTES))
    except DocumentError as error:
        named = repr(str(path)) if str(error).startswith("cannot be read") else path.name
        raise SavedError(f"{named} {error}; give a file of isoflop register") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise SavedError(f"{path.name} is no registered prediction; give a file written by isoflop register")
    kept = content.pop("seal", None)
    if kept != seal(content):
        raise SavedError(
            f"{path.name} was changed after it was registered (its seal does not match); it counts no more"
        )
    try:
        return _prediction(_checked({**content, "seal": kept}))
    except SchemaError as error:
        raise SavedError(f"{path.name} is damaged ({error}); give a file of isoflop register") from None


def _checked(content: object) -> dict[str, Any]:
    """The content of a prediction, each value of its kind. Raises SchemaError."""
    said: dict[str, Any] = _PREDICTION.read(content, "")
    try:
        made = datetime.fromisoformat(said["made"])
    except ValueError:
        raise SchemaError(f"made must be a date and a time, not {shown(said['made'])}") from None
    if made.tzinfo is None:
        raise SchemaError(f"made must say its time zone, as {said['made']}+00:00 does")
    shares, values = ([pair[place] for pair in said["quantiles"]] for place in (0, 1))
    if shares != sorted(shares) or values != sorted(values):
        raise SchemaError("quantiles must rise")
    if said["loss"]["value"] == 0:
        raise SchemaError("loss.value must not be 0, from which no error can be taken")
    return said


def score(prediction: Prediction, measured: float) -> Score:
    """Compare a prediction with the run.

    Raises SavedError for a measurement that is no finite number, or not positive where the prediction is.
    """
    loss = prediction.loss
    if not math.isfinite(measured):
        raise SavedError(f"the measured {prediction.response} must be a finite number, not {measured:g}")
    if measured <= 0 < loss.value:
        raise SavedError(
            f"the measured {prediction.response} must be positive, as the predicted {loss.value:.4g} is, "
            f"not {measured:g}"
        )
    place = None
    if prediction.quantiles:
        shares, values = zip(*prediction.quantiles, strict=True)
        place = float(np.interp(measured, values, shares, left=0.0, right=1.0))
    return Score(
        prediction=prediction,
        measured=measured,
        error=measured / loss.value - 1,
        held=loss.low <= measured <= loss.high if math.isfinite(loss.low) else None,
        place=place,
    )


def measured_in(prediction: Prediction, runs: Runs) -> float:
    """The mean response of the runs that lie within 2 % of what was asked in every input.

    Raises DataError where there is none, with the nearest, and for a response in another unit.
    """
    if prediction.response in runs.columns:
        unit = runs.columns[prediction.response].unit
        if unit is not None and unit != prediction.unit:
            raise DataError(
                f"{runs.source} has {prediction.response} in {unit}, the prediction is in {prediction.unit}"
            )
    apart = np.max(
        [np.abs(np.log(runs[name] / value)) for name, value in prediction.at.items() if value > 0], axis=0, initial=0.0
    )
    near = (apart <= math.log(1.02)) & np.isfinite(runs[prediction.response])
    if not near.any():
        nearest = int(np.nanargmin(apart))
        asked = ", ".join(f"{name} = {format_quantity(value)}" for name, value in prediction.at.items())
        there = ", ".join(f"{name} = {format_quantity(float(runs[name][nearest]))}" for name in prediction.at)
        raise DataError(
            f"{runs.source} has no run within 2 % of the prediction's {asked}; the nearest has {there}; give the loss "
            "itself with --measured"
        )
    return float(np.mean(runs[prediction.response][near]))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _prediction(content: Mapping[str, Any]) -> Prediction:
    ends = (content["loss"][name] for name in ("low", "high"))
    low, high = (math.nan if end is None else float(end) for end in ends)
    return Prediction(
        made=datetime.fromisoformat(content["made"]),
        note=content["note"],
        law=content["law"],
        formula=content["formula"],
        source=content["source"],
        digest=content["digest"],
        at=content["at"],
        response=content["response"],
        unit=content["unit"],
        loss=Interval(float(content["loss"]["value"]), low, high, float(content["level"])),
        quantiles=tuple((float(share), float(value)) for share, value in content["quantiles"]),
        seal=content["seal"],
    )
