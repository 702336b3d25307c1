"""Do forecasts hold on held-out runs, and a prior learned from past tables: the commands on tables of a known law."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from isoflop.cli import isoflop
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.validate import Validate
from isoflop.uncertainty.prior import read_prior
from isoflop.validation.forecast_trials import ForecastTable, trials
from isoflop.validation.forecasts import validate_forecasts


@pytest.fixture
def folder(known_runs, tmp_path):
    """Three tables of the law with noise of 1 %, and one too small to be cut."""
    place = tmp_path / "sweeps"
    place.mkdir()
    for seed in range(3):
        known_runs(0.01, sizes=8, seed=seed).to_polars().write_csv(place / f"sweep{seed}.csv")
    known_runs(0.01, sizes=2, durations=2).to_polars().write_csv(place / "small.csv")
    return place


def asked(*words):
    return CliRunner().invoke(isoflop, [*map(str, words)], catch_exceptions=False)


def test_every_cut_is_scored_by_both_promises(folder):
    answer = ask(Validate(tables=(str(folder),), draws=40), Context())
    assert answer["tables"].value == 3 and answer["cuts"].value > 3
    assert list(answer.provenance["without"]) == [str(folder / "small.csv")]
    (left,) = (each for each in answer.findings if each.code == "table-left-out")
    assert left.message == f"{folder / 'small.csv'} is left out: too few runs or sizes below any cut."
    # the law is true here: both intervals hold, and the one that allows for a false law is wider
    assert answer["coverage"].value >= answer["law_coverage"].value > 0.75
    assert answer["width"].value > answer["law_width"].value
    rows = answer.table("by_table").rows
    assert [row[0] for row in rows] == [str(folder / f"sweep{seed}.csv") for seed in range(3)]
    assert np.mean([row[1] for row in rows]) == pytest.approx(answer["coverage"].value)
    shares = np.array([row[1:] for row in answer.table("reliability").rows], dtype=float)
    assert shares.sum(axis=0) == pytest.approx([1, 1])
    found = answer.result
    assert answer["width"].value == found.methods[0].width and answer["forecasts"].value == found.rows


def test_nothing_above_a_cut_is_seen_below_it(known_runs):
    from isoflop import law
    from isoflop.uncertainty.prior import shipped_prior

    runs = known_runs(0.01, sizes=8)
    table = ForecastTable("t", "t", runs, law("chinchilla"), "N")
    above = runs["N"] > np.sort(np.unique(runs["N"]))[-2]
    moved = ForecastTable(
        "t", "t", runs.with_column("loss", np.where(above, 2 * runs["loss"], runs["loss"])), table.law, "N"
    )
    # starts are screened on all rows, so the optima agree to the last digits alone
    pairs = [*zip(*(trials(each, shipped_prior(), draws=20) for each in (table, moved)), strict=True)]
    assert any(not np.array_equal(one.truth, other.truth) for one, other in pairs)
    for one, other in pairs:
        assert one.cut == other.cut
        assert other.mean == pytest.approx(one.mean, rel=1e-5) and other.law == pytest.approx(one.law, rel=1e-3)


def test_a_prior_is_learned_and_scored_on_other_tables(folder, tmp_path):
    prior = tmp_path / "prior.toml"
    told = json.loads(asked("calibrate", folder, "--draws", 20, "-o", prior, "--json").stdout)
    learned = read_prior(prior)
    assert [*learned.tables] == [str(folder / f"sweep{seed}.csv") for seed in range(3)]
    assert sum(each.weight for each in learned.hypotheses) == pytest.approx(1)
    # residuals of a true law: small model error weighs more than large
    weights = dict.fromkeys((0.0, 0.256), 0.0)
    for each in learned.hypotheses:
        if each.size in weights:
            weights[each.size] += each.weight
    assert weights[0.0] > weights[0.256]
    assert told["quantities"]["coverage"]["value"] > 0.75
    scored = json.loads(asked("validate", folder, "--draws", 20, "--prior", prior, "--json").stdout)
    usual = json.loads(asked("validate", folder, "--draws", 20, "--json").stdout)
    assert scored["quantities"]["width"]["value"] < usual["quantities"]["width"]["value"]


def test_a_table_that_cannot_be_read_is_left_out_of_many_and_refused_alone(folder, refused):
    broken = folder / "broken.csv"
    broken.write_text("N,D,loss\n1e7,Pile,3\n2e7,2e9,2.9\n")
    answer = ask(Validate(tables=(str(folder),), draws=20), Context())
    assert answer["tables"].value == 3 and "holds text" in answer.provenance["without"][str(broken)]
    assert "holds text" in refused("validate", broken)
    assert "there is no file" in refused("validate", folder / "sweep0.csv", folder / "absent.csv")
    for copy in range(3):
        (folder / f"again{copy}.csv").write_text("")
    (told,) = (each for each in ask(Validate(tables=(str(folder),), draws=20), Context()).findings)
    assert told.message.startswith(f"5 tables are left out, as {folder / 'again0.csv'}: ")
    for each in folder.glob("[sa]*.csv"):
        each.unlink()
    broken.write_text("")
    (folder / "other.csv").write_text("")
    assert "no table can be read; " in refused("validate", folder)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("validate", "{folder}/small.csv"), "no table can be cut for a forecast"),
        (("validate", "{folder}/absent.csv"), "there is no file"),
        (("validate", "{empty}"), "has no table"),
        (("validate", "{folder}", "--prior", "{folder}/small.csv"), "give a file of isoflop calibrate"),
        (("validate", "{folder}", "--law", "chinchila"), "chinchilla"),
        (("calibrate", "{folder}/small.csv", "-o", "{empty}/p.toml"), "no table can be cut for a forecast"),
        (("calibrate", "{folder}", "-o", "{empty}/no/p.toml"), "no folder"),
    ],
)
def test_bad_input_is_a_sentence_and_writes_nothing(folder, tmp_path, refused, words, says):
    empty = tmp_path / "empty"
    empty.mkdir()
    sentence = refused(*(each.format(folder=folder, empty=empty) for each in words))
    assert says in sentence and "\n" not in sentence.strip(), sentence
    assert not list(empty.rglob("*.toml"))


@pytest.mark.slow
def test_public_tables_hold_what_is_promised(tables):
    """The protocol of benchmarks/forecasts.py on the tables at hand, with the shipped prior."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        from forecast_tables import read_tables
    finally:
        sys.path.pop(0)
    found = validate_forecasts(read_tables(tables), draws=60)
    held, law = found.methods
    assert found.datasets >= 12
    assert 0.86 < held.coverage < 0.98 and held.at_least_80 >= 0.8 and 0.45 < held.central < 0.65
    assert held.log_density > law.log_density + 0.4 and held.error <= law.error * 1.02
    assert law.coverage < held.coverage - 0.1
