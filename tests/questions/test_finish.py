"""The end of a run under way as an answer: of a table, of a store, scored on finished runs, and what is refused."""

import numpy as np
import polars as pl
import pytest
from tests.validation.test_finish import STEPS
from tests.validation.test_finish import run as made_run

from isoflop import import_logs, read_runs
from isoflop.answers.wording import told
from isoflop.errors import DataError
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec, RunsSpec
from isoflop.questions.finish import Finish
from isoflop.render.notebook import answer_of
from isoflop.runs.store_tables import run_curves
from isoflop.study import Study, parse_study, perform, study_toml
from isoflop.uncertainty.ensemble import interval_of
from isoflop.validation.finish import finish, truncations
from isoflop.validation.schedule_ahead import shape

HALF = STEPS / 2
DRAWS = FitSpec(draws=60)


def curve(text="cosine:0.1", *, until=STEPS, seed=0, name="one"):
    made = pl.DataFrame(made_run(text, seed=seed))
    return made.filter(pl.col("step") <= until).with_columns(run=pl.lit(name))


@pytest.fixture(scope="module")
def under_way(tmp_path_factory):
    """A run at half of its steps."""
    path = tmp_path_factory.mktemp("half") / "half.csv"
    curve(until=HALF).write_csv(path)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Two finished runs."""
    path = tmp_path_factory.mktemp("whole") / "whole.csv"
    shapes = {"a": "cosine:0.1", "b": "wsd:0.2"}
    pl.concat(curve(text, seed=place, name=name) for place, (name, text) in enumerate(shapes.items())).write_csv(path)
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store of the same two finished runs and one that is under way."""
    folder = tmp_path_factory.mktemp("store")
    for place, (name, text, until) in enumerate(
        (("a", "cosine:0.1", STEPS), ("b", "wsd:0.2", STEPS), ("new", "constant", HALF))
    ):
        curve(text, seed=place, name=name, until=until).drop("run").write_csv(folder / f"{name}.csv")
    import_logs([folder], folder / "store")
    return folder / "store"


def test_the_last_loss_is_the_engines_to_the_bit(under_way, same):
    answer = ask(
        Finish(steps=STEPS, schedule="cosine:0.1"), Context(runs_spec=RunsSpec(source=str(under_way)), fit_spec=DRAWS)
    )
    found = finish(read_runs(under_way), steps=STEPS, schedule=shape("cosine:0.1"), draws=60)
    assert same(answer["loss"], found.loss) and same(answer["mean"], found.expected)
    assert (answer["loss"].interval, answer["mean"].interval) == ("PI", "CI")
    assert (answer["now"].value, answer["seen"].value, answer["end"].value) == (found.last_loss, HALF, STEPS)
    for (name, cell, meaning), draws in zip(answer.table("constants").rows, found.params.T, strict=True):
        assert same(cell, interval_of(float(np.median(draws)), draws, level=0.9)), name
        assert meaning
    assert found.schedule in answer.method and answer["loss"].unit == found.unit
    assert set(found.findings) <= set(answer.findings)
    assert same(answer_of(found)["loss"], found.loss)
    assert answer.provenance["source"] == "half.csv"


def test_the_headline_says_the_end_and_where_the_run_is(under_way):
    answer = ask(Finish(steps=STEPS), Context(runs_spec=RunsSpec(source=str(under_way)), fit_spec=DRAWS))
    said = answer.sentence(told)
    assert said.startswith("Expected last loss: 2.") and "(90% PI 2." in said
    assert said.endswith("nats/token at step 10K.") and answer.title == "one at step 20K"


def test_a_study_says_the_same(under_way):
    question = Finish(steps=STEPS, schedule="cosine:0.1")
    reading = RunsSpec(source=under_way.name, folder=under_way.parent)
    plain = ask(question, Context(runs_spec=reading, fit_spec=DRAWS)).to_dict()
    done = perform(
        parse_study(study_toml(Study(runs=reading, fit=DRAWS, questions=(question,))), folder=under_way.parent)
    )
    assert done.answers["finish"].to_dict() == plain


def test_rows_without_a_loss_give_the_rates_to_come(tmp_path, asked):
    seen, whole = curve(until=HALF), curve()
    ahead = whole.filter(pl.col("step") > HALF).with_columns(loss=pl.lit(None, dtype=pl.Float64))
    pl.concat([seen, ahead.select(seen.columns)]).write_csv(tmp_path / "run.csv")
    answer = asked("finish", tmp_path / "run.csv", "--draws", "60")
    assert answer["quantities"]["end"]["value"] == STEPS
    assert "rows without a loss" in answer["method"]


def test_finished_runs_are_a_prior(under_way, finished, same):
    reading = RunsSpec(source=str(under_way))
    question = Finish(steps=STEPS, schedule="cosine:0.1", earlier=str(finished))
    answer = ask(question, Context(runs_spec=reading, fit_spec=DRAWS))
    earlier = read_runs(finished)
    found = finish(read_runs(under_way), steps=STEPS, schedule=shape("cosine:0.1"), earlier=earlier, draws=60)
    assert same(answer["loss"], found.loss) and answer["earlier"].value == 2
    assert answer.method.endswith("prior: 2 earlier runs")
    alone = ask(Finish(steps=STEPS, schedule="cosine:0.1"), Context(runs_spec=reading, fit_spec=DRAWS))
    assert alone["earlier"].value == 0 and alone.method.endswith("prior: the usual spread")
    assert alone["loss"].value != answer["loss"].value


@pytest.fixture(scope="module")
def scored(finished):
    return ask(
        Finish(score=True), Context(runs_spec=RunsSpec(source=str(finished)), fit_spec=FitSpec(draws=30, seed=1))
    )


def test_finished_runs_are_cut_and_scored(scored):
    assert [row[0] for row in scored.table("cuts").rows] == [0.2, 0.4, 0.6, 0.8]
    for row, cut in zip(scored.table("cuts").rows, scored.result.cuts, strict=True):
        held = (cut.held / cut.runs, cut.law_held / cut.runs)
        assert row == (cut.share, cut.runs, cut.are, cut.bias, *held, cut.naive, cut.held)
        assert cut.law_held <= cut.held
    middle = scored.result.cuts[2]
    assert (scored["share"].value, scored["mre"].value, scored["naive"].value) == (0.6, middle.are, middle.naive)
    assert scored.sentence(told).startswith("With 60% of the steps the mean relative error (MRE) of the last loss is ")
    assert not scored.pictures


def test_a_store_is_scored_as_its_table(store, scored):
    context = Context(runs_spec=RunsSpec(source=str(store), where="run != 'new'"), fit_spec=FitSpec(draws=30, seed=1))
    runs, steps = Finish(score=True)._curve(context)
    assert steps is None and sorted(set(runs.text("run"))) == ["a", "b"]
    for cut, wanted in zip(truncations(runs, draws=30, seed=1), scored.result.cuts, strict=True):
        assert (cut.runs, cut.held) == (wanted.runs, wanted.held) and cut.are == pytest.approx(wanted.are, rel=1e-6)


def test_a_store_stands_wherever_a_table_does(store, asked, refused):
    named = ("finish", store, "--run", "new", "--steps", "20K", "--draws", "30")
    answer = asked(*named)
    assert answer["title"] == "new at step 20K" and answer["quantities"]["seen"]["value"] == HALF
    assert "has 3 runs; name the one that is under way with --run" in refused("finish", store, "--steps", "20K")
    # the run under way is none of the earlier ones of its own store
    assert asked(*named, "--earlier", store)["quantities"]["earlier"]["value"] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name the table of the run that is under way"),
        (("no.csv",), "no.csv"),
        (("{half}",), "say where the run ends (--steps)"),
        (("{half}", "--steps", "5000"), "5"),
        (("{half}", "--steps", "soon"), "--steps is a number above 0"),
        (("{half}", "--steps", "20K", "--schedule", "zigzag"), "zigzag"),
        (("{half}", "--steps", "20K", "--run", "one"), "--run names a run of a store; choose a row of a table"),
        (("{half}", "--score", "--steps", "20K"), "--score cuts finished runs"),
        (("{half}", "--score", "--earlier", "{half}"), "--score cuts finished runs"),
        (("{half}", "--score", "--run", "one"), "--score cuts every run; choose some with --where"),
        (("{half}", "--steps", "20K", "--earlier", "no.csv"), "no.csv"),
        (("{whole}", "--steps", "40K"), "has 2 runs; choose the one that is under way"),
        (("{store}", "--run", "nobody", "--steps", "20K"), "has no run called 'nobody'; it has a, b, new"),
        (("{store}", "--run", "new", "--steps", "20K", "--unit", "loss=bits/byte"), "describe a table"),
        (("{half}", "--steps", "20K", "--objective", "lsq"), "No such option"),
        (("{half}", "--score", "--picture", "a.svg"), "this answer has no picture"),
    ],
)
def test_bad_input_is_one_sentence(under_way, finished, store, refused, tmp_path, monkeypatch, words, says):
    monkeypatch.chdir(tmp_path)
    assert says in refused("finish", *(word.format(half=under_way, whole=finished, store=store) for word in words))
    assert not list(tmp_path.iterdir())


def test_a_store_of_one_run_is_earlier_to_nothing(tmp_path, refused):
    curve("constant", until=HALF).drop("run").write_csv(tmp_path / "new.csv")
    import_logs([tmp_path / "new.csv"], tmp_path / "store")
    said = refused("finish", tmp_path / "store", "--steps", "20K", "--earlier", tmp_path / "store")
    assert "it holds no run but the one that is under way" in said


def test_losses_of_two_units_are_not_mixed(tmp_path):
    for name in ("a", "b"):
        curve("constant", name=name).drop("run").write_csv(tmp_path / f"{name}.csv")
    done = import_logs([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "store")
    place = done.store.folder / "runs.parquet"
    metadata = pl.read_parquet_metadata(place)
    runs = pl.read_parquet(place).with_columns(loss_unit=pl.Series(["bits/byte", "nats/token"]))
    runs.write_parquet(place, metadata={name: each for name, each in metadata.items() if name == "isoflop"})
    with pytest.raises(DataError, match=r"several units \(bits/byte, nats/token\); keep one of them, such as --where"):
        run_curves(done.store.folder)
    assert set(run_curves(done.store.folder, where="loss_unit == 'bits/byte'").text("run")) == {"a"}
