"""Values: every result can be copied, pickled and dumped, and what comes back has the same content."""

import copy
import importlib
import io
import math
import pickle
import pkgutil
import re
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace

import joblib
import numpy as np
import polars as pl
import pytest
from tests.conftest import EPOCH

from isoflop import (
    Runs,
    allocate,
    backtest,
    bootstrap,
    finish,
    fit,
    forecast,
    influence,
    law,
    profile,
    rank,
    repeat,
    sensitivity,
    squares,
)
from isoflop.planning import convert_counts
from isoflop.planning.answer import answer
from isoflop.planning.downstream import downstream, stages
from isoflop.planning.envelope import envelope
from isoflop.planning.methods import compare_methods
from isoflop.planning.parabolas import parabolas
from isoflop.planning.published import published
from isoflop.planning.register import load_prediction, register
from isoflop.uncertainty import Interval
from isoflop.uncertainty.coverage import coverage
from isoflop.validation.borrow import family_prior, fit_with_prior
from isoflop.validation.hitchhiker import hitchhiker
from isoflop.validation.outliers import outliers
from isoflop.validation.stack import forecast_stacked
from isoflop.values import FrozenMapping, Value, content_hash, same

CHINCHILLA, POWER = law("chinchilla"), law("power-n-floor")


def dumped(value):
    file = io.BytesIO()
    joblib.dump(value, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {"pickle": lambda value: pickle.loads(pickle.dumps(value)), "deepcopy": copy.deepcopy, "joblib": dumped}


def small(known_runs, noise=0.01):
    return known_runs(noise, sizes=4, durations=4)


def _ensemble(known_runs):
    return bootstrap(fit(CHINCHILLA, small(known_runs)), draws=40)


def _downstream():
    score = law("task-accuracy-to-one")
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.3, 5), np.logspace(9.5, 11.5, 5)))
    noise = np.random.default_rng(0).normal(size=(2, 25))
    loss = CHINCHILLA.value({"E": 0.5, "A": 60.0, "B": 90.0, "alpha": 0.25, "beta": 0.25}, {"N": n, "D": d})
    hits = score.value({"b": 0.25, "k": 6.0, "L_0": 0.8}, {"loss": loss}) + 0.01 * noise[0]
    runs = Runs.from_columns({"N": n, "D": d, "task_loss": loss * np.exp(0.01 * noise[1]), "hits": hits})
    tables = stages(runs, CHINCHILLA, loss="task_loss", score="hits")
    first = bootstrap(fit(CHINCHILLA, tables.finals), draws=40)
    second = bootstrap(fit(score, tables.points, objective=squares(space="raw")), draws=40)
    return tables, downstream(first, second, {"N": 1e10, "D": 1e12})


def _curves():
    n, c = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, 7), [1e18, 3e18, 1e19]))
    loss = 1.7 + 400 / n**0.34 + 1000 / (c / (6 * n)) ** 0.3 + np.random.default_rng(0).normal(0, 1e-3, len(n))
    return Runs.from_columns({"N": n, "D": c / (6 * n), "C": c, "loss": loss})


def _families(sizes=4):
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9, sizes), np.logspace(8, 11, 12)))
    loss = (1.7 + 400 / n**0.34 + 1000 / d**0.36) * np.exp(np.random.default_rng(0).normal(0, 0.005, len(n)))
    return Runs.from_columns({"N": n, "D": d, "loss": loss, "run": [f"{size:.0f}" for size in n]})


def _finish():
    step = np.arange(1, 1001, dtype=float)
    loss = 2.5 + 3 * step**-0.3 * np.exp(np.random.default_rng(0).normal(0, 1e-3, len(step)))
    return finish(Runs.from_columns({"step": step, "lr": np.full(len(step), 1e-3), "loss": loss}), steps=2000, draws=40)


def _borrowed():
    parts = []
    for family in range(6):
        rng = np.random.default_rng(family)
        for size in (1e8, 1e9, 1e10):
            tokens = 20 * size * np.linspace(0.05, 1, 12)
            value = (1.7 + 0.02 * family + 400 / size**0.34 + 410 / tokens**0.28) * np.exp(0.002 * rng.normal(size=12))
            run = f"f{family} {size:g}"
            parts.append(pl.DataFrame({"family": f"f{family}", "run": run, "N": size, "D": tokens, "loss": value}))
    frame = pl.concat(parts)
    runs = Runs.from_columns({name: frame[name].to_numpy() for name in frame.columns})
    prior = family_prior(CHINCHILLA, runs, without=["f0"])
    return prior, fit_with_prior(prior, runs.where("family == 'f0' and N < 1e9"), draws=40)


def _registered(known_runs, tmp_path):
    register(_ensemble(known_runs), {"N": 1e10, "D": 1e12}, tmp_path / "p.json")
    return load_prediction(tmp_path / "p.json")


RESULTS = {
    "runs": lambda known, _: small(known).with_column("seed", ["a", "b"] * 8),
    "law": lambda *_: law("annealing"),
    "fit": lambda known, _: fit(CHINCHILLA, small(known)),
    "ensemble": lambda known, _: _ensemble(known),
    "published": lambda *_: published("chinchilla:epoch"),
    "profile": lambda known, _: profile(fit(CHINCHILLA, small(known), objective=squares())),
    "coverage": lambda known, _: coverage(
        CHINCHILLA, EPOCH, small(known), noise=lambda rng, rows: rng.normal(0, 0.01, rows), simulations=2, draws=40
    ),
    "plan": lambda known, _: allocate(_ensemble(known), budget=1e22),
    "plan without draws": lambda *_: allocate(published("chinchilla:epoch"), budget=1e22),
    "plan and what follows": lambda known, _: answer(_ensemble(known), budget=1e22, served=1e12),
    "forecast": lambda known, _: forecast(_ensemble(known), {"N": 7e10, "D": 1.4e12}),
    "stacked forecast": lambda known, _: forecast_stacked(
        (CHINCHILLA, law("kaplan")), [0.5, 0.5], small(known), {"N": 7e10, "D": 1.4e12}, draws=40
    ),
    "methods": lambda *_: compare_methods(
        bootstrap(fit(CHINCHILLA, _curves()), draws=40), _curves(), budget=1e21
    ),
    "parabolas": lambda *_: parabolas(_curves()),
    "envelope": lambda *_: envelope(_families(sizes=9)),
    "repeat": lambda *_: repeat(published("muennighoff:c4"), unique=1e11, params=7e9),
    "convert_counts": lambda *_: convert_counts(published("chinchilla:epoch")),
    "downstream": lambda *_: _downstream(),
    "prediction": _registered,
    "backtest": lambda known, _: backtest([CHINCHILLA, POWER], small(known), draws=40),
    "rank": lambda known, _: rank(small(known), laws=[CHINCHILLA, POWER], draws=40),
    "influence": lambda known, _: influence(fit(CHINCHILLA, small(known)), draws=40),
    "outliers": lambda known, _: outliers(CHINCHILLA, small(known)),
    "sensitivity": lambda known, _: sensitivity(CHINCHILLA, small(known), draws=20, starts=8),
    "finish": lambda *_: _finish(),
    "hitchhiker": lambda *_: hitchhiker(CHINCHILLA, _families()),
    "family prior and what is borrowed": lambda *_: _borrowed(),
}  # fmt: skip


@pytest.mark.parametrize("what", RESULTS)
def test_a_result_comes_back_with_the_same_content(what, known_runs, tmp_path):
    result = RESULTS[what](known_runs, tmp_path)
    for way, through in WAYS.items():
        back = through(result)
        assert back == result and back is not result, way
        assert type(back) is type(result) and content_hash(back) == content_hash(result), way
        assert repr(back) == repr(result), way


def test_what_is_left_out_of_a_comparison_comes_back_as_well(known_runs):
    made = allocate(bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=40), budget=1e22)
    back = pickle.loads(pickle.dumps(made))
    assert back.ensemble == made.ensemble
    assert back.ensemble.estimate.runs == made.ensemble.estimate.runs
    assert np.array_equal(back.ensemble.fit.theta, made.ensemble.fit.theta)
    assert back.ensemble.estimate.predict({"N": 1e9, "D": 1e10}) == made.ensemble.estimate.predict(
        {"N": 1e9, "D": 1e10}
    )
    assert forecast(back.ensemble, {"N": 1e10, "D": 1e12}) == forecast(made.ensemble, {"N": 1e10, "D": 1e12})
    assert bootstrap(back.ensemble.estimate, draws=40) == made.ensemble


def test_a_copied_table_can_be_no_more_written_to_than_its_original(known_runs):
    runs = known_runs(0.01)
    assert not runs["N"].flags.writeable
    back = pickle.loads(pickle.dumps(runs))
    assert not back["N"].flags.writeable and back.digest == runs.digest
    with pytest.raises(TypeError):
        back.columns["N"] = None


def test_other_content_is_unequal(known_runs):
    one = bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=40)
    other = replace(one, params=one.params * np.where(np.arange(40) == 3, 1 + 1e-9, 1.0)[:, None])
    assert one != other and one == replace(one, params=one.params.copy())
    runs = known_runs(0.01)
    assert runs != runs.take(runs["N"] < 1e9) and runs == known_runs(0.01)
    assert hash(runs) == hash(known_runs(0.01)) and len({runs, known_runs(0.01)}) == 1
    assert runs != one


def test_a_missing_end_of_an_interval_is_equal_to_itself():
    assert Interval(1.0, math.nan, math.nan, 0.9) == Interval(1.0, float("nan"), float("nan"), 0.9)
    assert Interval(1.0, math.nan, math.nan, 0.9) != Interval(1.0, 0.5, math.nan, 0.9)


def test_a_frozen_mapping_is_a_mapping_that_nobody_writes_to():
    made = FrozenMapping({"a": 1.0, "b": (2.0, math.nan)})
    assert made == {"b": (2.0, float("nan")), "a": 1.0} and made != {"a": 1.0}
    assert dict(made) == {"a": 1.0, "b": made["b"]} and list(made) == ["a", "b"] and "a" in made and len(made) == 2
    assert {made: 1}[FrozenMapping({"b": (2.0, float("nan")), "a": 1.0})] == 1
    assert repr(made) == "{'a': 1.0, 'b': (2.0, nan)}"
    with pytest.raises(TypeError):
        made["a"] = 2.0
    with pytest.raises(AttributeError):
        made._content = {}
    for through in WAYS.values():
        assert through(made) == made and type(through(made)) is FrozenMapping


def test_a_dictionary_given_to_a_value_cannot_be_changed_through_it():
    @dataclass(frozen=True)
    class Made(Value):
        params: Mapping[str, float]

    own = {"E": 1.7}
    made = Made(own)
    own["E"] = 2.0
    assert made.params["E"] == 1.7 and made == Made({"E": 1.7}) and hash(made) == hash(Made({"E": 1.7}))
    with pytest.raises(TypeError):
        made.params["E"] = 3.0
    with pytest.raises(FrozenInstanceError):
        made.params = {}


def test_arrays_frames_and_numbers_inside_others_are_compared_by_content():
    frame = pl.DataFrame({"x": [1.0, None], "y": ["a", "b"]})
    one = ({"a": np.array([1.0, math.nan])}, [frame], np.int64(2))
    assert same(one, ({"a": np.array([1.0, math.nan])}, [frame.clone()], 2))
    assert not same(one, ({"a": np.array([1.0, 2.0])}, [frame], 2))
    assert not same(one, ({"a": np.array([1.0, math.nan, 1.0])}, [frame], 2))
    assert not same(one, ({"a": np.array([1.0, math.nan])}, [frame.head(1)], 2))
    assert not same(np.array([1.0, 2.0]), frame) and not same(np.array([1.0]), 1.0)


def _frozen_dataclasses():
    for layer in ("accounting", "fitting.result", "laws", "logs", "planning", "runs", "uncertainty", "validation"):
        package = importlib.import_module(f"isoflop.{layer}")
        names = [each.name for each in pkgutil.walk_packages(getattr(package, "__path__", ()), f"isoflop.{layer}.")]
        for name in [package.__name__, *names]:
            for each in vars(importlib.import_module(name)).values():
                own = isinstance(each, type) and each.__module__ == name and not each.__name__.startswith("_")
                if own and is_dataclass(each) and each.__dataclass_params__.frozen:
                    yield each


_HARD = re.compile(r"(?!.*Callable).*(Floats|Ints|Flags|NDArray|Frame|Mapping|\bdict\b)")


@pytest.mark.parametrize("kind", sorted(set(_frozen_dataclasses()), key=repr), ids=lambda kind: kind.__name__)
def test_what_holds_arrays_frames_or_mappings_is_a_value(kind):
    hard = [each.name for each in fields(kind) if _HARD.match(each.type)]
    if hard:
        assert issubclass(kind, Value), f"{kind.__name__} holds {hard}: let it inherit isoflop.values.Value"
        assert kind.__eq__ is Value.__eq__ and kind.__hash__ is Value.__hash__
