"""Three methods on one table: where they must agree, and how their disagreement is told."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from tests.conftest import EPOCH

from isoflop import Runs, bootstrap, fit, law, read_runs, squares, tie
from isoflop.cli import isoflop
from isoflop.errors import IsoflopError
from isoflop.planning.envelope import envelope
from isoflop.planning.methods import compare_methods

CHINCHILLA = law("chinchilla")


def curves(noise=0.002, *, sizes=14, points=25, truth=EPOCH):
    """Training curves that lie on a known surface, as constant-rate training nearly gives."""
    rng = np.random.default_rng(0)
    n = np.repeat(np.geomspace(3e7, 1e10, sizes), points)
    d = np.concatenate([np.geomspace(2, 300, points) * size for size in np.geomspace(3e7, 1e10, sizes)])
    loss = CHINCHILLA.value(truth, {"N": n, "D": d}) * np.exp(rng.normal(0, noise, n.size))
    names = np.repeat([f"run{i}" for i in range(sizes)], points)
    return Runs.from_columns({"N": n, "D": d, "C": 6 * n * d, "loss": loss, "run": names})


def test_the_envelope_of_noiseless_curves_has_the_true_exponent():
    found = envelope(curves(0.0, sizes=40, points=60))
    assert found.exponent_a.value == pytest.approx(EPOCH["beta"] / (EPOCH["alpha"] + EPOCH["beta"]), abs=0.01)
    assert 500 < len(found.budgets) <= 1500 and np.all(np.diff(found.budgets) > 0)
    assert found.exponent_a.low < found.exponent_a.value < found.exponent_a.high


def crossing_curves():
    """Straight curves in log C that cross one after the other, a decade apart: each size is the best in its turn."""
    c = np.geomspace(1e18, 1e24, 240)
    rows = []
    for i, n in enumerate((1e8, 1e9, 1e10, 1e11, 1e12)):
        # the larger, the steeper and the later: sizes i and i + 1 cross at 10^(19 + i)
        start = 3.0 + sum(0.1 * (k + 1) for k in range(i))
        loss = start - 0.1 * i * np.log10(c / 1e18)
        rows.append(np.column_stack([np.full(240, n), c / (6 * n), loss, np.full(240, i)]))
    n, d, loss, run = np.concatenate(rows).T
    return Runs.from_columns({"N": n, "D": d, "loss": loss, "run": run.astype(int).astype(str)})


def test_the_envelope_takes_the_best_size_at_each_budget():
    found = envelope(crossing_curves())
    # the smallest and the largest size are never bracketed
    assert np.unique(np.round(np.log10(found.n_best))).tolist() == [9, 10, 11]
    for size, budget in ((5e9, 1e20), (5e10, 1e21)):
        assert found.budgets[np.argmax(found.n_best > size)] == pytest.approx(budget, rel=0.02)


def test_sizes_that_are_never_the_best_in_turn_give_no_exponent():
    runs = crossing_curves()
    with pytest.raises(IsoflopError, match="of which 1 bracketed size is ever the best; method 1 needs three"):
        envelope(runs.take(runs["N"] < 5e10))


def test_method_1_needs_curves(known_runs):
    with pytest.raises(IsoflopError, match="training curves of fewer than three sizes"):
        envelope(known_runs(0.01).with_column("run", [f"r{i}" for i in range(30)]))


def isoflop_table(noise=0.001, truth=EPOCH):
    rng = np.random.default_rng(1)
    rows = []
    for budget in (1e18, 1e19, 1e20, 1e21):
        scale = (truth["alpha"] * truth["A"] / (truth["beta"] * truth["B"])) ** (1 / (truth["alpha"] + truth["beta"]))
        best = scale * (budget / 6) ** (truth["beta"] / (truth["alpha"] + truth["beta"]))
        n = best * np.geomspace(1 / 6, 6, 9)
        rows.append(np.column_stack([n, budget / (6 * n), np.full(9, budget)]))
    n, d, c = np.concatenate(rows).T
    loss = CHINCHILLA.value(truth, {"N": n, "D": d}) * np.exp(rng.normal(0, noise, n.size))
    return Runs.from_columns({"N": n, "D": d, "C": c, "loss": loss})


def test_parametric_fit_and_parabolas_agree_on_a_nearly_symmetric_surface():
    runs = isoflop_table()
    answer = compare_methods(bootstrap(fit(CHINCHILLA, runs), draws=200), runs, budget=1e22)
    assert answer.agree and answer.apart < 1.3
    by_name = {each.name: each for each in answer.methods}
    truth = EPOCH["beta"] / (EPOCH["alpha"] + EPOCH["beta"])
    for name in ("IsoFLOP parabolas", "parametric fit"):
        interval = by_name[name].exponent_a
        assert interval.low <= truth + 0.01 and interval.high >= truth - 0.01
    assert by_name["envelope of curves"].n is None and "curves" in by_name["envelope of curves"].why_not
    assert abs(answer.bias) < 0.05


def test_a_wrong_law_is_told_by_methods_that_disagree():
    skewed = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.465, "beta": 0.155}
    runs = isoflop_table(0.0005, truth=skewed)
    wrong = bootstrap(fit(tie(CHINCHILLA, {"beta": "alpha"}), runs), draws=200)
    answer = compare_methods(wrong, runs, budget=1e24)
    assert not answer.agree
    assert "methods-disagree" in {finding.code for finding in answer.findings}


def test_the_command_prints_every_method(tmp_path):
    path = tmp_path / "runs.csv"
    isoflop_table().to_polars().write_csv(path)
    said = CliRunner().invoke(isoflop, ["methods", str(path), "--budget", "1e22", "--json"], catch_exceptions=False)
    content = json.loads(said.stdout)
    tables = {name: each["rows"] for name, each in content["tables"].items()}
    assert [each["method"] for each in tables["methods"]] == [
        "envelope of curves",
        "IsoFLOP parabolas",
        "parametric fit",
        "IsoFLOP minima",
    ]
    assert "their intervals overlap" in content["headline"]
    for each in tables["methods"][1:]:
        assert 6 * each["N"]["value"] * each["D"]["value"] == pytest.approx(1e22)
        assert 6 * each["N"]["low"] * each["D"]["high"] == pytest.approx(1e22)
    first = tables["methods"][0]
    assert first["N"] is None and first["D"] is None and first["why_not"].startswith("the table has training")
    assert [(each["runs"], each["bracketed"]) for each in tables["budgets"]] == [(9, True)] * 4
    text = CliRunner().invoke(isoflop, ["methods", str(path)], catch_exceptions=False).stdout
    assert "IsoFLOP parabolas" in text and "parametric fit" in text and "D*" in text


def test_llama_3_by_two_methods(tables):
    """15.4T tokens by local parabolas (16.1T by whole ones, as published) and 10.2T by a fit of the surface."""
    runs = read_runs(tables / "isoflop-collection" / "isoflops_extract.csv", where="experiment == 'llama_3__raw_loss'")
    answer = compare_methods(
        bootstrap(fit(CHINCHILLA, runs, objective=squares(space="raw")), draws=100), runs, budget=3.8e25
    )
    _, second, third, minima = (each.tokens(answer.budget) for each in answer.methods)
    assert second.value == pytest.approx(15.44e12, rel=0.005) and third.value == pytest.approx(10.2e12, rel=0.005)
    assert third.low < 10.2e12 < third.high
    assert answer.recommended.basis == "IsoFLOP minima" and minima == answer.recommended.d
    assert minima.low < 16.1e12 < minima.high
    assert len(answer.profiles) == 10 and all(profile.bracketed for profile in answer.profiles)


def test_runs_that_saw_tokens_twice_are_doubted():
    runs = isoflop_table()
    once = runs.with_column("U", runs["D"])
    twice = runs.with_column("U", np.where(np.arange(len(runs)) < 5, runs["D"] / 3, runs["D"]))
    ensemble = bootstrap(fit(CHINCHILLA, runs), draws=30)
    for table, expected in ((runs, 0), (once, 0), (twice, 1)):
        found = [
            each for each in compare_methods(ensemble, table, budget=1e22).findings if each.code == "repeated-tokens"
        ]
        assert len(found) == expected
    assert found[0].message.startswith("5 of 36 runs saw tokens more than once")
