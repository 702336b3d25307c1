"""``isoflop forecast``: one point, several, and a table of them."""

import json

import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, law, save_fit
from isoflop.cli import isoflop
from isoflop.errors import IsoflopError


@pytest.fixture
def saved(known_runs, tmp_path):
    path = tmp_path / "fit.json"
    save_fit(bootstrap(fit(law("chinchilla"), known_runs(0.003)), draws=60), path)
    return str(path)


def run(*words):
    return CliRunner().invoke(isoflop, ["forecast", *words], catch_exceptions=False)


def asked(*words):
    return json.loads(run(*words, "--json").stdout)


def test_one_point_is_one_object_whatever_its_inputs_are_called(saved):
    plain = asked(saved, "--at", "N=70B", "--at", "D=1.4T")
    assert asked(saved, "--at", "params=70B", "--at", "tokens=1.4T") == plain
    found = plain["quantities"]
    assert (
        list(found) == ["at_N", "at_D", "loss", "mean", "law_loss", "model_error_share", "extrapolation"]
        and plain["tables"] == {}
    )
    assert (found["at_N"]["value"], found["at_D"]["value"]) == (70e9, 1.4e12)
    assert (found["loss"]["interval"], found["mean"]["interval"]) == ("PI", "CI")
    assert found["loss"]["unit"] == found["mean"]["unit"] != "" and plain["findings"]


def test_several_points_are_each_what_they_would_be_alone(saved):
    rows = asked(saved, "--at", "N=1B,70B", "--at", "D=1.4T")["tables"]["forecasts"]["rows"]
    for row, n in zip(rows, ("1B", "70B"), strict=True):
        alone = asked(saved, "--at", f"N={n}", "--at", "D=1.4T")["quantities"]
        assert (row["N"], row["D"]) == (alone["at_N"]["value"], alone["at_D"]["value"])
        for name in ("loss", "mean", "law_loss"):
            assert [row[name][key] for key in ("level", "interval")] == [
                alone[name][key] for key in ("level", "interval")
            ]
            for key in ("value", "low", "high"):
                assert row[name][key] == pytest.approx(alone[name][key], rel=1e-10)
        assert row["extrapolation"] == alone["extrapolation"]["value"]


def test_a_table_is_answered_in_its_order(saved, tmp_path):
    path = tmp_path / "ask.csv"
    path.write_text("params,tokens\n70B,1.4T\n1B,20B\n")
    rows = asked(saved, "--points", str(path))["tables"]["forecasts"]["rows"]
    assert [(each["N"], each["D"]) for each in rows] == [(70e9, 1.4e12), (1e9, 2e10)]
    text = " ".join(run(saved, "--points", str(path)).stdout.split())
    assert "chinchilla at 2 points" in text and "decades beyond" in text and "at the farthest point" in text


def test_published_constants_answer_without_runs():
    answer = asked("chinchilla:epoch", "--at", "params=70B", "--at", "tokens=1.4T")
    curve = 1.8172 + 482.01 / 70e9**0.3478 + 2085.43 / 1.4e12**0.3658
    assert answer["quantities"]["loss"]["value"] == pytest.approx(curve)
    assert "no-interval" in {each["code"] for each in answer["findings"]}


def test_one_question_at_a_time(saved):
    with pytest.raises(IsoflopError, match="--at and --points both name the runs to forecast; give one"):
        run(saved, "--at", "N=1B", "--points", "x.csv")
    with pytest.raises(IsoflopError, match=r"a forecast needs --at, as --at N=70B --at D=1\.4T, or --points FILE"):
        run(saved)
