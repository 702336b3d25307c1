"""``--picture`` draws the answer beside it, and refuses a place that cannot hold it before any work."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from isoflop import bootstrap, fit, law, save_fit
from isoflop.cli import isoflop
from isoflop.errors import IsoflopError

TOKENS = np.logspace(9, 11, 8)
DIAGNOSIS = [
    "a-contours.svg",
    "a-draws.svg",
    "a-likelihood-A.svg",
    "a-residuals-against-C.svg",
    "a-residuals-against-D.svg",
    "a-residuals-against-order.svg",
]


@pytest.fixture
def saved(known_runs, tmp_path):
    path = tmp_path / "fit.json"
    save_fit(bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=40), path)
    return path


@pytest.fixture
def curve(tmp_path):
    step = np.arange(1, 1001)
    loss = 2.5 + 3 * step**-0.3 * np.exp(np.random.default_rng(0).normal(0, 1e-3, len(step)))
    path = tmp_path / "curve.csv"
    path.write_text(
        "run,step,lr,loss\n" + "\n".join(f"one,{k},1e-3,{each:.6f}" for k, each in zip(step, loss, strict=True))
    )
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
        ("rank", "--law", "chinchilla", "--law", "kaplan", "--draws", "40"),
        ("reconcile",),
        ("repeat", "--unique", "100B", "--params", "7B"),
        ("finish", "CURVE", "--steps", "2000", "--draws", "40"),
    ],
    ids=lambda words: words[0],
)
def test_each_command_draws_its_answer(saved, curve, tmp_path, words):
    place = tmp_path / "a picture.svg"
    files = {"FIT": str(saved), "CURVE": str(curve)}
    asked = [files.get(word, word) for word in words]
    answer = CliRunner().invoke(isoflop, [*asked, "--picture", str(place), "--json"], catch_exceptions=False)
    assert answer.exit_code == 0 and json.loads(answer.stdout)
    assert place.read_bytes().startswith(b"<?xml")


@pytest.mark.parametrize(
    ("words", "beside"),
    [
        (("backtest", "--draws", "40"), ["a-coverage.svg"]),
        (("fit", "--law", "chinchilla", "--draws", "30"), ["a-fit-against-measured.svg"]),
        (("diagnose", "--law", "chinchilla", "--objective", "lsq", "--draws", "30"), DIAGNOSIS),
        (("check", "CURVE"), []),
        (("check", "SIZES"), ["a-training-curves.svg"]),
        (("plan", "FIT", "--budget", "1e22"), []),
    ],
    ids=lambda words: words[0] if words else "",
)
def test_further_pictures_of_an_answer_stand_beside_it(saved, curve, tmp_path, words, beside):
    sizes = tmp_path / "sizes.csv"
    rows = [f"{n:g},{n:g},{d:g},{1.7 + 400 / n**0.34 + 1000 / d**0.36:.5f}" for n in (1e7, 1e8, 1e9) for d in TOKENS]
    sizes.write_text("run,params,tokens,loss\n" + "\n".join(rows))
    files = {"FIT": str(saved), "CURVE": str(curve), "SIZES": str(sizes)}
    asked = [files.get(word, word) for word in words]
    answer = CliRunner().invoke(isoflop, [*asked, "--picture", str(tmp_path / "a.svg")], catch_exceptions=False)
    assert answer.exit_code == 0
    drawn = sorted(each.name for each in tmp_path.glob("a*.svg"))
    assert drawn == sorted(["a.svg", *beside])
    assert ("also drawn" in answer.stderr) == bool(beside)


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
