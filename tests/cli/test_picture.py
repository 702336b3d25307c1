"""``--picture`` draws the answer beside it, and refuses a place that cannot hold it before any work."""

import json

import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, law, save_fit
from isoflop.cli import isoflop
from isoflop.errors import IsoflopError


@pytest.fixture
def saved(known_runs, tmp_path):
    path = tmp_path / "fit.json"
    save_fit(bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=40), path)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("forecast", "FIT", "--at", "N=70B", "--at", "D=1.4T"),
        ("plan", "FIT", "--budget", "1e22"),
        ("methods",),
        ("check",),
        ("fit", "--law", "chinchilla", "--draws", "30"),
        ("backtest", "--draws", "40"),
    ],
    ids=lambda words: words[0],
)
def test_each_command_draws_its_answer(saved, tmp_path, words):
    place = tmp_path / "a picture.svg"
    asked = [str(saved) if word == "FIT" else word for word in words]
    answer = CliRunner().invoke(isoflop, [*asked, "--picture", str(place), "--json"], catch_exceptions=False)
    assert answer.exit_code == 0 and json.loads(answer.stdout)
    assert place.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("name", "says"), [("a.gif", "is written as .png, .svg or .pdf"), ("no/a.png", "does not exist; make it first")]
)
def test_a_place_that_holds_no_picture_is_refused_before_the_fit_is_read(tmp_path, name, says):
    place = tmp_path / name
    words = ["plan", "there-is-no-such-fit.json", "--budget", "1e22", "--picture", str(place)]
    with pytest.raises(IsoflopError, match=says):
        CliRunner().invoke(isoflop, words, catch_exceptions=False)


def test_an_answer_without_a_picture_says_so(saved, tmp_path):
    words = ["forecast", str(saved), "--at", "N=1B,7B", "--at", "D=1T", "--picture", str(tmp_path / "a.png")]
    with pytest.raises(IsoflopError, match="this answer has no picture; leave the option out"):
        CliRunner().invoke(isoflop, words, catch_exceptions=False)
    assert not (tmp_path / "a.png").exists()
