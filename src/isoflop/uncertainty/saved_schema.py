"""What the file of a saved fit may hold, and how its parts must agree with each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from isoflop.fitting.estimate import MOST_ROWS
from isoflop.fitting.objective import Space
from isoflop.runs.prepare import RULES
from isoflop.schema import (
    ANY_NUMBER,
    FINDING,
    TEXT,
    Choice,
    Either,
    List,
    Map,
    Number,
    Optional,
    Record,
    Schema,
    SchemaError,
    Text,
    Whole,
)
from isoflop.uncertainty.prior import MOST_HYPOTHESES

MOST_BYTES: Final = 400_000_000  # a million draws of a dozen parameters
MOST_DRAWS: Final = 1_000_000
MOST_DEPARTURES: Final = 100  # groups by whose fits a group that was not seen is judged
_NAME = Text(most=200, matching=r"[^\W\d]\w*", belongs="a name")
_NAMED = Map(ANY_NUMBER, most=200, keys=_NAME)
# a draw along an open valley may overflow; its word stands for it
_TOLD = Number(words=True)
_DOMAIN = Either((Choice("positive", "real"), List(ANY_NUMBER, fewest=2, most=2)), "positive, real or [low, high]")

# C = per·N^a·D^b: a positive factor and two powers
_FLOPS = List(Number(low=-1e300, high=1e300), fewest=3, most=3)

_PRIOR = Record(
    {
        "schema": Text(most=200),
        **dict.fromkeys(("date", "source", "script"), TEXT),
        **dict.fromkeys(("power", "freedom", "farthest"), ANY_NUMBER),
        "tables": List(TEXT, most=100_000),
        "hypothesis": List(
            Record(dict.fromkeys(("noise_share", "size", "length", "weight"), ANY_NUMBER)), most=MOST_HYPOTHESES
        ),
    }
)

# parameters, how they were fitted, and what is known of the runs
_ESTIMATED: Final[dict[str, Schema]] = {
    "params": Map(_TOLD, most=200, keys=_NAME),
    "fit": Optional(
        Record(
            {
                "objective": Text(most=200),
                "value": ANY_NUMBER,
                "scale": Optional(ANY_NUMBER),
                "theta": List(_TOLD, most=1_000),
                "centers": _NAMED,
                "search": Record(
                    {
                        "starts": Whole(),
                        "reached": Whole(),
                        "seed": Whole(),
                        "constants": List(_NAME, most=200),
                        "engine": Text(most=200),
                    }
                ),
            }
        )
    ),
    "data": Record(
        {
            "source": TEXT,
            "digest": Text(most=200),
            "n_rows": Whole(),
            "n_runs": Whole(),
            "loss_unit": Text(most=1_000),
            "param_convention": Optional(Text(most=200)),
            "ranges": Map(List(ANY_NUMBER, fewest=2, most=2), most=200),
            "residuals": List(_TOLD),
            "rows": Optional(
                Record(
                    {
                        "inputs": Map(List(_TOLD, most=MOST_ROWS), most=200, keys=_NAME),
                        "residual": List(_TOLD, most=MOST_ROWS),
                        "run": List(Whole(), most=MOST_ROWS),
                        "weights": Optional(List(_TOLD, most=MOST_ROWS)),
                        "known": Map(List(ANY_NUMBER, fewest=2, most=2), most=200, keys=_NAME),
                    },
                    may=frozenset({"known"}),  # absent where no other group tells
                )
            ),
            "space": Choice(*get_args(Space)),
            "flops": _FLOPS,
            "headers": Map(TEXT, most=200, keys=_NAME),
        }
    ),
}

FIT: Final = Record(
    {
        "schema": TEXT,
        "versions": Map(Text(most=200), most=50),
        "law": Record(
            {
                "name": TEXT,
                "formula": TEXT,
                "inputs": List(
                    Record({"name": _NAME, "meaning": TEXT, "domain": Choice("positive", "nonnegative", "real")}),
                    fewest=1,
                    most=200,
                ),
                "prepared": Map(
                    Record(
                        {
                            "rule": Choice(*RULES),
                            "settings": Map(Either((ANY_NUMBER, TEXT), "a number or a text"), most=50),
                        }
                    ),
                    most=200,
                ),
                "params": List(Record({"name": _NAME, "domain": _DOMAIN, "meaning": TEXT}), most=200),
                "fixed": _NAMED,
                "tied": Map(TEXT, most=200, keys=_NAME),
                "reference": TEXT,
                "response": Text(most=1_000),
            },
        ),
        **_ESTIMATED,
        "findings": List(FINDING, most=10_000),
        "ensemble": Optional(
            Record(
                {
                    "method": Text(most=200),
                    "seed": Whole(),
                    "resampled_by": Text(most=1_000),
                    "failed": Whole(),
                    "unsettled": Whole(),
                    "restarted": Whole(),
                    "improved": Whole(),
                    "findings": List(FINDING, most=10_000),
                    "draws": Map(List(_TOLD, most=MOST_DRAWS), most=200, keys=_NAME),
                },
                may=frozenset({"resampled_by"}),  # absent in files of earlier versions
            )
        ),
        "prior": _PRIOR,
        "departures": List(Record(_ESTIMATED), most=MOST_DEPARTURES),
    },
    # absent where the prior is the shipped one, and for an estimate that has runs of its own
    may=frozenset({"prior", "departures"}),
)


def checked(content: object) -> dict[str, Any]:
    """The content of a saved fit, each value of its kind and all of them of one fit. Raises SchemaError."""
    fit: dict[str, Any] = FIT.read(content, "")
    law, drawn = fit["law"], fit["ensemble"]
    names = [each["name"] for each in law["params"]]
    inputs = [each["name"] for each in law["inputs"]]
    _once([*names, *inputs])
    for each in law["params"]:
        if isinstance(each["domain"], list) and not each["domain"][0] < each["domain"][1]:
            raise SchemaError(f"the domain of {each['name']} is empty: {each['domain']}")
    if drawn is not None:
        _same("ensemble.draws", drawn["draws"], names)
        lengths = {len(values) for values in drawn["draws"].values()}
        if len(lengths) > 1:
            raise SchemaError("ensemble.draws has a different number of draws for one parameter than for another")
    for each in (fit, *fit.get("departures", ())):
        _estimated(each, names, inputs)
    return fit


def _estimated(fit: Mapping[str, Any], names: list[str], inputs: list[str]) -> None:
    data = fit["data"]
    _same("params", fit["params"], names)
    if fit["fit"] is not None and len(fit["fit"]["theta"]) != len(names):
        raise SchemaError(f"fit.theta has {len(fit['fit']['theta'])} values for {len(names)} parameters")
    if not min(data["flops"]) > 0:
        raise SchemaError(f"data.flops must be a positive factor and two positive powers, not {data['flops']}")
    _rows(data["rows"], inputs)
    for name, (_, sd) in ((data["rows"] or {}).get("known") or {}).items():
        if name not in names or not sd > 0:
            raise SchemaError(f"data.rows.known.{name} is no parameter with a standard deviation above 0")
    for name, (low, high) in data["ranges"].items():
        if not low <= high:
            raise SchemaError(f"data.ranges.{name} falls from {low:g} to {high:g}")


def _rows(rows: Mapping[str, Any] | None, inputs: list[str]) -> None:
    if rows is None:
        return
    _same("data.rows.inputs", rows["inputs"], inputs)
    count = len(rows["residual"])
    lists = {**rows["inputs"], "run": rows["run"], "weights": rows["weights"]}
    for name, values in lists.items():
        if values is not None and len(values) != count:
            raise SchemaError(f"data.rows has {count} residuals and {len(values)} values of {name}")
    if rows["run"] and max(rows["run"]) >= count:
        raise SchemaError(f"data.rows.run numbers {count} rows up to {max(rows['run'])}")


def _once(names: list[str]) -> None:
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice is not None:
        raise SchemaError(f"law names {twice} twice")


def _same(where: str, found: Mapping[str, Any], names: list[str]) -> None:
    if set(found) != set(names):
        odd = sorted(set(found) ^ set(names))[0]
        raise SchemaError(f"{where} and the law's parameters differ by {odd}")
