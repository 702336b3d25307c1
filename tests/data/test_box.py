"""The runs in the box: what they promise, and what the tool says of them."""

import numpy as np
import pytest

from isoflop import bootstrap, check, datasets, fit, forecast, law
from isoflop.planning.methods import compare_methods
from isoflop.planning.parabolas import parabolas
from isoflop.planning.register import load_prediction, measured_in, score

CHINCHILLA = law("chinchilla")


@pytest.fixture(scope="module")
def runs():
    return datasets.load("python-bytes")


def test_the_sweep_is_as_wide_as_promised(runs):
    assert len(runs) >= 60
    sizes = np.unique(runs["N_nonembed"])
    assert len(sizes) >= 5 and sizes.max() / sizes.min() >= 100
    durations = [len(np.unique(runs["D"][runs["N_nonembed"] == size])) for size in sizes]
    assert sum(count >= 3 for count in durations) >= 5
    cells = {}
    for size, tokens, seed in zip(runs["N"], runs["D"], runs.text("seed"), strict=True):
        cells.setdefault((size, tokens), set()).add(seed)
    assert sum(len(seeds) >= 3 for seeds in cells.values()) >= 3
    assert np.all(runs["loss"] > 0) and np.all(np.isfinite(runs["loss"]))
    assert runs.loss_unit == "nats/byte"


def test_curves_belong_to_the_runs_and_end_where_they_end(runs):
    curves = datasets.load("python-bytes/curves")
    names = runs.text("run")
    assert set(curves.text("run")) == set(names)
    last = dict(zip(curves.text("run"), curves["loss"], strict=True))  # later rows win
    assert [last[name] for name in names] == pytest.approx(list(runs["loss"]), rel=1e-12)


def test_runs_of_one_depth_fit_without_warnings():
    """What bends the 70 runs is depth, which N does not tell: with it fixed, no warning of misfit is left."""
    runs = datasets.load("python-depth4")
    fitted = fit(CHINCHILLA, runs)
    assert {finding.level for finding in fitted.findings} <= {"note"}
    assert np.sqrt(np.mean(np.log(runs["loss"] / fitted.predict(runs)) ** 2)) < 0.006  # seeds: 0.003
    whole = fit(CHINCHILLA, datasets.load("python-bytes"))
    assert {"structured-residuals", "lack-of-fit"} <= {finding.code for finding in whole.findings}


def test_forecasts_that_were_registered_before_the_runs_ended_hold_them():
    folder = next(box for box in datasets.boxes() if box.name == "python-depth4").folder / "predictions"
    trained = datasets.load("python-depth4")
    ended = [load_prediction(str(each)) for each in folder.iterdir() if not each.name.startswith(("larger", "decade"))]
    scored = [score(each, measured_in(each, trained)) for each in ended]
    assert len(scored) == 2 and all(each.held for each in scored)
    assert max(abs(each.error) for each in scored) < 0.01


@pytest.mark.parametrize(
    ("name", "table", "count", "most"),
    [
        ("python-depth4", "larger", 3, 0.006),
        ("python-depth4", "decade", 1, 0.05),
        ("english-depth4", "larger", 1, 0.01),
    ],
)
def test_larger_runs_came_out_inside_what_was_registered(name, table, count, most):
    """Up to 2.6, to 12 and to 2.5 times the compute of the runs from which they were forecast."""
    folder = next(box for box in datasets.boxes() if box.name == name).folder / "predictions"
    trained = datasets.load(f"{name}/{table}")
    scored = [
        score(each, measured_in(each, trained))
        for each in (load_prediction(str(path)) for path in folder.iterdir() if path.name.startswith(table))
    ]
    assert len(scored) == len(trained) == count and all(each.held for each in scored)
    assert max(abs(each.error) for each in scored) < most


def test_without_a_name_the_default_runs_are_read():
    first, *others = datasets.boxes()
    assert (first.name, first.default) == ("python-depth4", True)
    assert not any(each.default for each in others)


def test_it_is_small(runs):
    folder = next(box for box in datasets.boxes() if box.name == "python-bytes").folder
    assert sum(len(entry.read_bytes()) for entry in folder.iterdir()) < 2_000_000


def test_nothing_serious_is_to_doubt(runs):
    assert {finding.code for finding in check(runs) if finding.level == "error"} == set()


def test_parametric_fit_and_parabolas_agree_or_say_why_not(runs):
    ensemble = bootstrap(fit(CHINCHILLA, runs))
    answer = compare_methods(ensemble, runs, budget=3 * float(runs["C"].max()))
    by_name = {each.name: each for each in answer.methods}
    assert by_name["IsoFLOP parabolas"].n is not None
    assert answer.agree or "methods-disagree" in {finding.code for finding in answer.findings}


def test_isoflop_groups_bracket_their_minima(runs):
    found = parabolas(runs)
    assert sum(profile.bracketed for profile in found.profiles) >= 4


def test_the_largest_size_held_out_is_predicted_within_its_interval(runs):
    largest = runs["N"] == runs["N"].max()
    ensemble = bootstrap(fit(CHINCHILLA, runs.take(~largest)))
    held = [
        (loss, forecast(ensemble, {"N": n, "D": d}).loss)
        for n, d, loss in zip(runs["N"][largest], runs["D"][largest], runs["loss"][largest], strict=True)
    ]
    inside = [interval.low <= loss <= interval.high for loss, interval in held]
    assert len(held) >= 3
    assert np.mean(inside) >= 0.9, [(loss, interval.low, interval.high) for loss, interval in held]
