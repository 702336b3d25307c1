"""``isoflop forecast``: one point, several, and a table of them."""

import json

import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, law, save_fit
from isoflop.cli import isoflop


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
    assert list(plain) == ["at", "loss", "expected", "unit", "reach_decades", "findings"]


def test_several_points_are_each_what_they_would_be_alone(saved):
    said = asked(saved, "--at", "N=1B,70B", "--at", "D=1.4T")
    assert said["points"] == [asked(saved, "--at", f"N={n}", "--at", "D=1.4T") for n in ("1B", "70B")]


def test_a_table_is_answered_in_its_order(saved, tmp_path):
    path = tmp_path / "ask.csv"
    path.write_text("params,tokens\n70B,1.4T\n1B,20B\n")
    said = asked(saved, "--points", str(path))
    assert [each["at"] for each in said["points"]] == [{"N": 70e9, "D": 1.4e12}, {"N": 1e9, "D": 2e10}]
    text = " ".join(run(saved, "--points", str(path)).stdout.split())
    assert "chinchilla at 2 points" in text and "decades beyond" in text and "at the farthest point" in text


def test_published_constants_answer_without_runs():
    said = asked("chinchilla:epoch", "--at", "params=70B", "--at", "tokens=1.4T")
    assert said["loss"]["value"] == pytest.approx(1.8172 + 482.01 / 70e9**0.3478 + 2085.43 / 1.4e12**0.3658)
    assert "no-interval" in {each["code"] for each in said["findings"]}


def test_one_question_at_a_time(saved):
    said = run(saved, "--at", "N=1B", "--points", "x.csv")
    assert said.exit_code == 2 and "--at and --points are different questions" in said.output
    assert "Missing option '--at'" in run(saved).output
