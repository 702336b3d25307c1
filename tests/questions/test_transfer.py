"""A loss from another loss as an answer, and what is refused."""

import pytest
from docs_build.runner import write_families

from isoflop.render.notebook import answer_of


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("transfer") / "families.csv"
    write_families(path)
    return path


BY = ["--by", "family", "--from-group", "dense", "--to-group", "hybrid", "--law", "chinchilla", "--draws", "60"]


def test_the_loss_stands_in_front_and_the_laws_beside(asked, table):
    answer = asked("transfer", str(table), *BY, "--measured", "2.43", "--at", "N=10B", "--at", "D=200B")
    loss = answer["quantities"]["loss"]
    # true losses of the two families at this point
    truth = [e + a / 1e10**0.34 + b / 2e11**0.3 for e, a, b in ((1.9, 420, 900), (1.7, 330, 1300))]
    assert truth[0] == pytest.approx(2.4, abs=0.1)
    assert loss["low"] < loss["value"] < loss["high"] and loss["interval"] == "PI"
    rows = answer["tables"]["forecasts"]["rows"]
    assert [(row["data"], row["method"]) for row in rows] == [
        ("hybrid", "transfer"), ("hybrid", "own law"), ("dense", "own law"),
    ]  # fmt: skip
    assert rows[0]["loss"]["value"] == loss["value"] and rows[2]["measured"] == 2.43
    assert answer["quantities"]["pairs"]["value"] == 24
    assert "from 2.43 nats/token on dense" in answer["headline"]
    shifted = asked("transfer", str(table), *BY, "--measured", "3.5", "--at", "N=10B", "--at", "D=200B")
    assert "shared-shift" in {each["code"] for each in shifted["findings"]}


def test_two_columns_of_the_same_runs_and_the_picture(cli, asked, tmp_path):
    from isoflop import read_runs

    path, picture = tmp_path / "two.csv", tmp_path / "line.svg"
    write_families(tmp_path / "families.csv")
    frame = read_runs(tmp_path / "families.csv").where("family == 'dense'").frame
    frame.with_columns(code=0.7 * frame["loss"] - 0.2).drop("row").write_csv(path)
    where = [str(path), "--to", "code", "--law", "chinchilla", "--draws", "40"]
    answer = asked("transfer", *where)
    assert answer["quantities"]["kappa"]["value"] == pytest.approx(1, abs=0.02) and "loss" not in answer["quantities"]
    assert answer["quantities"]["error"]["value"] < 1e-3
    code, _, err = cli("transfer", *where, "--picture", str(picture))
    assert (code, err) == (0, "") and "paired runs" in picture.read_text()


def test_the_engines_result_is_shown(table):
    from isoflop import bootstrap, fit, law, read_runs
    from isoflop.planning.transfer import transfer

    runs = read_runs(table)
    drawn = [
        bootstrap(fit(law("chinchilla"), runs.where(f"family == '{name}'")), draws=20, restarted=0)
        for name in ("dense", "hybrid")
    ]
    found = transfer(*drawn, measured=2.43)
    assert answer_of(found)["loss"].value == found.loss.value


def test_what_is_refused_names_an_option(refused, table):
    where = ["transfer", str(table)]
    assert "--from and --to, or two groups of --by" in refused(*where)
    assert "--by needs the groups" in refused(*where, "--by", "family", "--from-group", "dense")
    assert "name it (--by COLUMN)" in refused(*where, "--from-group", "dense", "--to-group", "hybrid")
    assert "there are dense, hybrid, sparse" in refused(*where, *BY[:4], "--to-group", "odd")
    assert "give that loss (--measured)" in refused(*where, *BY, "--at", "N=1B")
    assert "no column 'code'" in refused(*where, "--to", "code")
    assert "above its irreducible loss" in refused(*where, *BY, "--measured", "0.1")


def test_a_new_data_set_is_forecast_from_one_run(asked, refused, cli, table, tmp_path):
    from isoflop import read_runs

    frame, one, picture = read_runs(table).frame.drop("row"), tmp_path / "one.csv", tmp_path / "few.svg"
    frame.filter((frame["family"] == "dense") | ((frame["N"] > 3e9) & (frame["D"] < 2e9))).write_csv(one)
    words = ["transfer", str(one), *BY]
    answer = asked(*words, "--at", "N=10B", "--at", "D=5B")
    loss = answer["quantities"]["loss"]
    truth = 1.7 + 330 / 1e10**0.34 + 1300 / 5e9**0.3
    assert (
        loss["low"] < truth < loss["high"] and loss["interval"] == "PI" and answer["quantities"]["runs"]["value"] == 1
    )
    assert "from 1 run on it and" in answer["headline"] and "by its law" in answer["headline"]
    assert "own" not in answer["quantities"] and answer["quantities"]["given"]["low"] > 0  # the law's loss stands once
    assert all(each["message"].startswith("loss on dense: ") for each in answer["findings"])
    assert not {"draws-not-converged", "narrow-range"} & {each["code"] for each in answer["findings"]}
    code, _, err = cli(*words, "--measured", "2.9", "--picture", str(picture))
    assert (code, err) == (0, "") and "runs on both" in picture.read_text()
    assert "1 run, which give no line by themselves" in refused(*words)
