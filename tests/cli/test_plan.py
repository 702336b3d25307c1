"""``isoflop plan``: the contract of its JSON, its sentence, and what it refuses."""

import json
import sys

import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, law, save_fit
from isoflop.accounting import accelerator
from isoflop.cli import isoflop, main
from isoflop.errors import IsoflopError

INTERVALS = ["N_optimal", "D_optimal", "ratio_optimal", "loss_optimal", "exponent"]
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
    answer = asked(saved, "--budget", "1e24", "--inference-tokens", "2T")
    found = answer["quantities"]
    for key in (*INTERVALS, "N", "D", "ratio", "training", "compute", "saved", "break_even"):
        assert found[key]["low"] < found[key]["high"] and found[key]["level"] == 0.9, key
    assert found["budget"]["value"] == 1e24 and found["inference_tokens"]["value"] == 2e12
    assert 6 * found["N_optimal"]["value"] * found["D_optimal"]["value"] == pytest.approx(1e24, rel=1e-9)
    assert found["N"]["value"] < found["N_optimal"]["value"]
    low, high = found["near_optimal"]["low"], found["near_optimal"]["high"]
    assert low < found["N_optimal"]["value"] < high and found["within"]["value"] == 0.002
    assert found["near_optimal_D"]["low"] == pytest.approx(1e24 / 6 / high)
    assert [row["size"] for row in answer["tables"]["penalties"]["rows"]] == [0.5, 2.0]
    assert answer["findings"] and {"hours", "money"}.isdisjoint(found) and "hardware" not in answer["tables"]


def test_hours_and_money_are_those_of_the_hardware(saved):
    answer = asked(saved, "--budget", "1e24", *RENTED)
    speed = accelerator("h100").peak["bf16"] * 0.4
    assert answer["quantities"]["hours"]["value"] == pytest.approx(1e24 / (512 * speed) / 3600)
    assert answer["quantities"]["money"]["value"] == pytest.approx(1e24 / speed / 3600 * 2.5)
    tables = answer["tables"]
    for each in (*tables["penalties"]["rows"], *tables["shapes"]["rows"]):
        flops = each["flops"]["value"] if isinstance(each["flops"], dict) else each["flops"]
        assert each["money"] == pytest.approx(flops / speed / 3600 * 2.5)
        assert each["hours"] == pytest.approx(flops / (512 * speed) / 3600)
    (priced,) = tables["hardware"]["rows"]
    assert (priced["hardware"], priced["precision"], priced["devices"], priced["mfu"]) == ("h100", "bf16", 512, 0.4)
    assert priced["device_hours"] == pytest.approx(512 * priced["hours"]) and priced["flops"] == 1e24


def test_a_deadline_is_a_budget(saved):
    found = asked(saved, "--deadline", "30d", *RENTED)["quantities"]
    assert found["budget"]["value"] == pytest.approx(30 * 86400 * 512 * accelerator("h100").peak["bf16"] * 0.4)
    assert found["hours"]["value"] == pytest.approx(720) and found["deadline"]["value"] == 720
    assert asked(saved, "--deadline", "720 hours", *RENTED)["quantities"]["budget"] == found["budget"]


def test_a_given_size_is_what_shapes_are_sought_for(saved):
    answer = asked(saved, "--budget", "1e24", "--params", "8B")
    found = answer["quantities"]
    assert found["N"]["value"] == 8e9 and found["N"]["note"] == "given"
    assert found["D"]["value"] == pytest.approx(1e24 / 48e9)
    assert found["over"]["value"] == pytest.approx(found["ratio"]["value"] / found["ratio_optimal"]["value"])
    assert all(each["N"] == pytest.approx(8e9, rel=0.05) for each in answer["tables"]["shapes"]["rows"])
    assert found["N_optimal"]["value"] != 8e9  # the compute-optimal plan stands beside it
    tokens = asked(saved, "--budget", "1e24", "--tokens", "2T")["quantities"]
    assert tokens["D"]["note"] == "given" and tokens["N"]["value"] == pytest.approx(1e24 / 12e12)


def test_the_shape_is_one_that_cost_counts_alike(saved, monkeypatch, capsys):
    shape = asked(saved, "--budget", "1e24", *RENTED)["tables"]["shapes"]["rows"][0]
    words = ["--layers", shape["layers"], "--width", shape["width"], "--heads", shape["heads"], "--gated"]
    words += ["--ff", shape["feed_forward"], "--vocab", shape["vocabulary"], "--context", shape["context"]]
    words += ["--tokens", repr(shape["D"]), *RENTED, "--json"]
    monkeypatch.setattr(sys, "argv", ["isoflop", "cost", *map(str, words)])
    main()
    counted = json.loads(capsys.readouterr().out)["quantities"]
    assert counted["total"]["value"] == shape["N_total"] and shape["gated"] and not shape["tied"]
    assert counted["hours"]["value"] == pytest.approx(shape["hours"])


def test_the_terminal_says_what_to_train(saved):
    text = " ".join(run(saved, "--budget", "576000000T", *RENTED).stdout.split())
    assert "Train " in text and " parameters on " in text and "near-optimal range" in text
    assert "0.79 hours on 512 × h100, for 1.01K" in text and "layers width heads" in text
    text = " ".join(run(saved, "--budget", "1e24", "--params", "8B").stdout.split())
    assert "Train 8B parameters on 20.8T tokens" in text and "above that of the compute-optimal" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--budget", "-1"), "--budget is a number above 0, such as .*, not '-1'"),
        (("--budget", "lots"), "--budget is a number above 0, such as .*, not 'lots'"),
        (("--budget", "1e21", "--inference-tokens", "0"), "--inference-tokens is a number above 0, .*not '0'"),
        (("--budget", "1e21", "--params", "-7B"), "--params is a number above 0, .*not '-7B'"),
        (("--budget", "1e21", "--tokens", "0"), "--tokens is a number above 0, .*not '0'"),
        (("--budget", "1e21", "--within", "2"), "--within is a number between 0 and 1, not '2'"),
        (("--budget", "1e21", "--level", "1"), "--level is a number between 0 and 1, not '1'"),
        (("--budget", "1e21", "--hardware", "h100", "--price", "0"), "price = 0 must be a finite number above 0"),
        (("--budget", "1e21", "--hardware", "h1000"), "hardware 'h1000' is unknown; nearest: h100"),
        (("--budget", "1e21", "--vocab", "0"), "--vocab is a whole number from 1, not '0'"),
        ((), "no usual budget; give --budget, as 1e24"),
        (("--budget", "1e21", "--deadline", "3d"), "--budget and --deadline both say how much compute .*; give one"),
        (("--deadline", "3d"), "--deadline needs --hardware"),
        (("--deadline", "3", "--hardware", "h100"), "--deadline takes a time such as 30d, 36h or 2w, not '3'"),
        (("--deadline", "-3d", "--hardware", "h100"), "--deadline takes a time above 0 such as 30d, not '-3d'"),
        (("--budget", "1e21", "--mfu", "0.4"), "--mfu needs --hardware"),
        (
            ("--budget", "1e21", "--params", "8B", "--inference-tokens", "1T"),
            "--params and --inference-tokens are different questions; give one",
        ),
    ],
)
def test_bad_input_is_one_sentence(saved, words, says):
    with pytest.raises(IsoflopError, match=says) as refused:
        run(saved, *words)
    assert "\n" not in str(refused.value)


def test_refusals_end_with_exit_code_2(saved, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["isoflop", "plan", saved, "--budget", "-1"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2 and said.out == "" and said.err.startswith("Error: --budget is a number above 0")
