"""``isoflop plan``: the contract of its JSON, its sentence, and what it refuses."""

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
    return CliRunner().invoke(isoflop, ["plan", *words], catch_exceptions=False)


def test_json_has_every_part_of_the_plan(saved):
    said = json.loads(run(saved, "--budget", "1e24", "--served", "2T", "--json").stdout)
    assert {"budget", "N", "D", "ratio", "loss", "exponent_a", "band", "findings", "served"} <= set(said)
    assert said["budget"] == 1e24
    assert 6 * said["N"]["value"] * said["D"]["value"] == pytest.approx(1e24, rel=1e-9)
    assert said["served"]["N"]["value"] < said["N"]["value"]
    assert set(said["wasted_flops"]) == {"0.5", "2"}


def test_the_terminal_says_what_to_train(saved):
    text = run(saved, "--budget", "576000000T").stdout
    assert "Train " in text and " parameters on " in text and "flat band" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--budget", "-1"), "the budget must be a positive number"),
        (("--budget", "lots"), "--budget: 'lots' is not a number"),
        (("--budget", "1e21", "--served", "0"), "served tokens must be a positive number"),
        (("--budget", "1e21", "--within", "2"), "between 0 and 1"),
    ],
)
def test_bad_input_is_one_sentence(saved, words, says):
    with pytest.raises(IsoflopError, match=says):
        run(saved, *words)
