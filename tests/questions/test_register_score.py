"""A prediction on record and its score as answers: sealed once, never replaced, compared with what was measured."""

import json

import pytest

from isoflop import forecast, save_fit
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError
from isoflop.planning.register import load_prediction, score
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.register import Register
from isoflop.questions.score import Score, Scored

AT = {"N": 1e10, "D": 2e11}
WORDS = ("N=10B", "D=200B")


@pytest.fixture
def made(drawn, tmp_path):
    path = tmp_path / "{run}.json"
    return ask(Register(at=WORDS, about="the 10B run", output=str(path)), drawn), path


def test_a_prediction_is_the_forecast_and_its_file(made, drawn, same):
    answer, path = made
    kept = load_prediction(path)
    assert same(answer["loss"], kept.loss) and kept.loss == forecast(drawn.ensemble, AT).loss
    assert answer["loss"].interval == "PI" and answer.provenance["at"] == AT == dict(kept.at)
    assert (answer.provenance["note"], answer.provenance["seal"]) == ("the 10B run", kept.seal)
    assert answer.provenance["file"] == str(path) and answer.provenance["made"] == kept.made.isoformat()
    assert answer.sentence(told).endswith(f"; kept in {path}.")  # braces of a file's name and all


def test_a_prediction_never_replaces_a_file(made, drawn):
    _, path = made
    before = path.read_bytes()
    with pytest.raises(
        IsoflopError, match="is there already, and a registered prediction stays as it is; name another"
    ):
        ask(Register(at=WORDS, output=str(path)), drawn)
    assert path.read_bytes() == before


def test_one_prediction_is_of_one_run(drawn, tmp_path):
    with pytest.raises(IsoflopError, match="a prediction is of one run, and --at names 2; register them one by one"):
        ask(Register(at=("N=1B,10B", "D=200B"), output=str(tmp_path / "p.json")), drawn)
    assert list(tmp_path.iterdir()) == []


def test_a_score_is_the_error_and_the_place(made):
    _, path = made
    answer, expected = ask(Score(files=(str(path),), measured=2.31), Context()), score(load_prediction(path), 2.31)
    assert (answer["measured"].value, answer["error"].value) == (2.31, expected.error)
    assert answer["mre"].value == abs(expected.error)
    assert answer.sentence(told) == f"Measured 2.31 nats/token, {told(answer['error'])} from the prediction."
    (row,) = answer.to_frame("scores").iter_rows(named=True)
    assert (row["covered"], row["place"], row["law"]) == (expected.held, expected.place, "chinchilla")
    assert (row["at_N"], row["at_D"], row["measured"]) == (1e10, 2e11, 2.31)


def test_several_are_found_among_the_runs(made, drawn, tmp_path):
    _, path = made
    other = tmp_path / "other.json"
    ask(Register(at=("N=20B", "D=200B"), output=str(other)), drawn)
    table = tmp_path / "done.csv"
    values = [load_prediction(each).loss.value for each in (path, other)]
    table.write_text(f"N,D,loss\n1e10,2e11,{values[0]:.6f}\n2e10,2e11,{values[1] * 2:.6f}\n")
    answer = ask(Score(files=(str(path), str(other)), runs=str(table)), Context())
    assert answer["known"].value == 2 and answer["covered"].value == 1
    assert answer["mre"].value == pytest.approx(0.5, abs=1e-5)
    assert answer.sentence(told).startswith("2 predictions have a mean relative error of 50%; 1 of 2 intervals")


def test_a_score_of_the_library_is_worded_alike(made):
    _, path = made
    one = score(load_prediction(path), 2.31)
    shown = word(Score(files=(str(path),), measured=2.31), one, Context())
    assert shown.quantities == ask(Score(files=(str(path),), measured=2.31), Context()).quantities
    assert word(Score(), Scored((one, one)), Context()).headline.startswith("2 predictions")


def test_constants_without_draws_are_registered_and_scored(tmp_path):
    path = tmp_path / "p.json"
    answer = ask(Register(at=WORDS, output=str(path)), Context(saved="chinchilla:epoch"))
    assert not answer["loss"].has_interval
    scored = ask(Score(files=(str(path),), measured=2.3), Context())
    assert scored["known"].value == 0 and scored.table("scores").rows[0][5] is None


def test_both_commands(drawn, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_fit(drawn.ensemble, "fit.json")
    made = asked("register", "fit.json", "--at", "N=10B", "--at", "D=200B", "--note", "ours", "-o", "p.json")
    assert json.loads((tmp_path / "p.json").read_text())["note"] == "ours" == made["provenance"]["note"]
    scored = asked("score", "p.json", "--measured", repr(made["quantities"]["loss"]["value"]))
    assert scored["quantities"]["error"]["value"] == 0 and scored["quantities"]["covered"]["value"] == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("register", "chinchilla:epoch"), "--at is needed: input of the law"),
        (("register", "chinchilla:epoch", "--at", "N=1B"), "D is missing"),
        (
            ("register", "chinchilla:epoch", "--at", "N=1B", "--at", "D=1B", "-o", "gone/p.json"),
            "there is no folder 'gone'",
        ),
        (("register", "chinchilla:epoch", "--at", "N=1B", "--at", "D=1B", "-o", ""), "--output takes a text (FILE)"),
        (("score",), "PREDICTION.json"),
        (("score", "p.json"), "a score needs --measured 2.31 for one prediction, or --runs FILE for several"),
        (("score", "p.json", "--measured", "2", "--runs", "x.csv"), "a score needs --measured"),
        (
            ("score", "p.json", "q.json", "--measured", "2"),
            "--measured is one loss for 2 predictions; give --runs FILE",
        ),
        (("score", "gone.json", "--measured", "2"), "gone.json"),
        (("score", "p.json", "--measured", "x"), "--measured is a finite number"),
    ],
)
def test_bad_input_is_one_sentence(refused, words, says, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert says in refused(*words)
