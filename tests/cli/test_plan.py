"""``isoflop plan``: the contract of its JSON, its sentence, and what it refuses."""

import json
import sys

import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, law, save_fit
from isoflop.accounting import accelerator
from isoflop.cli import isoflop, main
from isoflop.errors import IsoflopError

KEYS = ["budget", "N", "D", "ratio", "loss", "exponent_a", "band", "shapes", "cost", "findings"]
RENTED = ("--hardware", "h100", "--devices", "512", "--mfu", "0.4", "--price", "2.5")


@pytest.fixture
def saved(known_runs, tmp_path):
    path = tmp_path / "fit.json"
    save_fit(bootstrap(fit(law("chinchilla"), known_runs(0.003)), draws=60), path)
    return str(path)


def run(*words):
    return CliRunner().invoke(isoflop, ["plan", *words], catch_exceptions=False)


def asked(*words):
    return json.loads(run(*words, "--json").stdout)


def test_json_has_every_part_of_the_plan(saved):
    said = asked(saved, "--budget", "1e24", "--served", "2T")
    assert [key for key in said if key in KEYS] == KEYS
    for key in ("N", "D", "ratio", "loss", "exponent_a"):
        assert list(said[key]) == ["value", "low", "high"] and said[key]["low"] < said[key]["high"]
    assert said["budget"] == 1e24
    assert 6 * said["N"]["value"] * said["D"]["value"] == pytest.approx(1e24, rel=1e-9)
    assert said["served"]["N"]["value"] < said["N"]["value"]
    assert set(said["wasted"]) == {"0.5", "2"} and said["cost"] is None
    assert said["fixed"] is None


def test_hours_and_money_are_those_of_the_hardware(saved):
    said = asked(saved, "--budget", "1e24", *RENTED)
    speed = accelerator("h100").peak["bf16"] * 0.4
    assert said["cost"]["hours"] == pytest.approx(1e24 / (512 * speed) / 3600)
    assert said["cost"]["money"] == pytest.approx(1e24 / speed / 3600 * 2.5)
    for each in (*said["wasted"].values(), *said["shapes"]):
        flops = each["flops"]["value"] if isinstance(each["flops"], dict) else each["flops"]
        assert each["money"] == pytest.approx(flops / speed / 3600 * 2.5)


def test_a_deadline_is_a_budget(saved):
    said = asked(saved, "--deadline", "30d", *RENTED)
    assert said["budget"] == pytest.approx(30 * 86400 * 512 * accelerator("h100").peak["bf16"] * 0.4)
    assert said["cost"]["hours"] == pytest.approx(720) and said["cost"]["deadline_hours"] == 720
    assert asked(saved, "--deadline", "720 hours", *RENTED)["budget"] == said["budget"]


def test_a_given_size_is_what_shapes_are_sought_for(saved):
    said = asked(saved, "--budget", "1e24", "--params", "8B")
    assert said["fixed"]["given"] == "params" and said["fixed"]["N"] == 8e9
    assert said["fixed"]["D"] == pytest.approx(1e24 / 48e9)
    assert said["shapes_for"]["N"] == 8e9
    assert all(each["N"] == pytest.approx(8e9, rel=0.05) for each in said["shapes"])
    assert said["N"]["value"] != 8e9  # the free plan stands beside it
    tokens = asked(saved, "--budget", "1e24", "--tokens", "2T")["fixed"]
    assert tokens["given"] == "tokens" and tokens["N"] == pytest.approx(1e24 / 12e12)


def test_the_shape_is_one_that_cost_counts_alike(saved, monkeypatch, capsys):
    shape = asked(saved, "--budget", "1e24", *RENTED)["shapes"][0]
    words = ["--layers", shape["layers"], "--width", shape["width"], "--heads", shape["heads"], "--gated"]
    words += ["--ff", shape["feed_forward"], "--vocab", shape["vocabulary"], "--context", shape["context"]]
    words += ["--tokens", repr(shape["D"]), *RENTED, "--json"]
    monkeypatch.setattr(sys, "argv", ["isoflop", "cost", *map(str, words)])
    main()
    counted = json.loads(capsys.readouterr().out)
    assert counted["parameters"]["total"] == shape["N_total"]
    assert counted["cost"]["hours"] == pytest.approx(shape["hours"])


def test_the_terminal_says_what_to_train(saved):
    text = run(saved, "--budget", "576000000T", *RENTED).stdout
    assert "Train " in text and " parameters on " in text and "flat band" in text
    assert "0.79 hours, for 1.01K on 512 × h100" in " ".join(text.split()) and "layers ×" in text
    text = " ".join(run(saved, "--budget", "1e24", "--params", "8B").stdout.split())
    assert "Train 8B parameters on 20.8T tokens" in text and "above the best plan" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--budget", "-1"), "the budget must be a positive number"),
        (("--budget", "lots"), "--budget: 'lots' is not a number"),
        (("--budget", "1e21", "--served", "0"), "served tokens must be a positive number"),
        (("--budget", "1e21", "--params", "-7B"), "the model size must be a positive number of parameters, not -7e"),
        (("--budget", "1e21", "--tokens", "0"), "the training tokens must be a positive number of tokens, not 0"),
        (("--budget", "1e21", "--within", "2"), "between 0 and 1"),
        (("--budget", "1e21", "--level", "1"), "level lies between 0 and 1"),
        (("--budget", "1e21", "--hardware", "h100", "--price", "0"), "price = 0 must be a finite number above 0"),
        (("--budget", "1e21", "--hardware", "h1000"), "hardware 'h1000' is unknown; nearest: h100"),
        (("--budget", "1e21", "--vocab", "0"), "vocabulary = 0 must be a whole number"),
    ],
)
def test_bad_input_is_one_sentence(saved, words, says):
    with pytest.raises(IsoflopError, match=says):
        run(saved, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "a plan takes --budget FLOPS, or --deadline 30d"),
        (("--budget", "1e21", "--deadline", "3d"), "and one of the two"),
        (("--deadline", "3d"), "--deadline needs --hardware"),
        (("--deadline", "3", "--hardware", "h100"), "'3' is not a time such as 30d, 36h or 2w"),
        (("--deadline", "-3d", "--hardware", "h100"), "'-3d' is no time to train in"),
        (("--budget", "1e21", "--mfu", "0.4"), "--mfu needs --hardware"),
        (("--budget", "1e21", "--params", "8B", "--served", "1T"), "--params and --served are different questions"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(saved, words, says):
    said = run(saved, *words)
    assert said.exit_code == 2 and says in " ".join(said.output.replace("│", " ").split())
