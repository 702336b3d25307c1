"""A fit of groups as an answer: what is shared once, a row a group, the test of sharing, and a file a group."""

import json

import numpy as np
import polars as pl
import pytest
from tests.fitting.test_panel import LAW, panel_runs

import isoflop
from isoflop.errors import IsoflopError
from isoflop.fitting.panel import fit_panel
from isoflop.plots import fitted_panels, new_axes
from isoflop.plots.panels import MOST_PANELS, groups_drawn
from isoflop.questions.base.context import Context
from isoflop.questions.base.panel import parameters_named
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec, LawSpec
from isoflop.questions.fit import Fit
from isoflop.render.notebook import answer_of
from isoflop.study import parse_study, perform


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    place = tmp_path_factory.mktemp("groups") / "runs.csv"
    panel_runs(4, 40, noise=0.003, steeper=0.06).to_polars().write_csv(place)
    return place


def context(objective="lsq", draws=40):
    law, fit = LawSpec(law="chinchilla"), FitSpec(objective=objective, draws=draws)
    return Context(given_runs=panel_runs(3, 30), law_spec=law, fit_spec=fit)


def test_shared_parameters_stand_once_and_own_ones_in_their_groups_row():
    answer = ask(Fit(by="family", share="alpha,beta"), context())
    panel, draws = answer.result.panel, answer.result.draws
    assert answer["alpha"].value == panel.shared["alpha"]
    assert (answer["alpha"].low, answer["alpha"].high) == (
        draws.interval("alpha").low,
        draws.interval("alpha").high,
    )
    frame = answer.to_frame("groups")
    assert frame["group"].to_list() == ["g0", "g1", "g2"] and frame["runs"].to_list() == [30, 30, 30]
    assert frame["E"].to_list() == [panel.of(group)["E"] for group in panel.groups]
    assert frame["E_low"].to_list() == [draws.interval("E", group).low for group in panel.groups]
    assert answer["sharing_p"].value == answer.result.test.p_value
    assert "E, A and B own" in answer.headline and "is not rejected" in answer.headline
    assert answer.equation.startswith("loss = E + A/N^0.")
    assert answer.provenance["share"] == ["alpha", "beta"] and answer.provenance["digest"]


def test_what_differs_is_named_where_sharing_is_rejected(asked, table):
    answer = asked("fit", table, "--law", "chinchilla", "--by", "family", "--share", "all but E,A,B", "--draws", 40)
    assert "is rejected" in answer["headline"]
    rows = {each["parameter"]: each for each in answer["tables"]["sharing"]["rows"]}
    assert rows["alpha"]["groups"] == "g3" and rows["alpha"]["p_value"] < 0.05
    assert "alpha differs; beta may be shared" in answer["tables"]["sharing"]["note"]
    assert "sharing-rejected" in {each["code"] for each in answer["findings"]}


def test_a_file_for_each_group_is_planned_from(asked, cli, table, tmp_path):
    words = ("--law", "chinchilla", "--by", "family", "--share", "alpha,beta", "--draws", 40)
    answer = asked("fit", table, *words, "--save", tmp_path / "fit.json")
    files = sorted(each.name for each in tmp_path.glob("*.json"))
    assert files == ["fit-another-group.json", *(f"fit-g{each}.json" for each in range(4))]
    other = asked("forecast", tmp_path / "fit-another-group.json", "--at", "N=1e11", "--at", "D=2e12")
    unseen = other["quantities"]["loss"]
    own = {row["group"]: row for row in answer["tables"]["groups"]["rows"]}
    forecast = asked("forecast", tmp_path / "fit-g2.json", "--at", "N=1e11", "--at", "D=2e12")
    saved = isoflop.load_fit(tmp_path / "fit-g2.json")
    assert saved.estimate.params["E"] == own["g2"]["E"]["value"]
    known = forecast["quantities"]["loss"]
    assert known["high"] - known["low"] < unseen["high"] - unseen["low"]
    assert "family g2" in forecast["provenance"]["source"]


def test_the_study_and_the_notebook_say_what_the_command_says(asked, table):
    words = ("--law", "chinchilla", "--by", "family", "--share", "all but E", "--pool", "E", "--draws", 40)
    told = asked("fit", table, *words)
    text = 'law = "chinchilla"\ndraws = 40\n[runs]\nsource = "runs.csv"\n[fit]\nby = "family"\n'
    study = parse_study(text + 'share = "all but E"\npool = "E"\n', folder=table.parent)
    answer = perform(study).answers["fit"]
    plain = json.loads(json.dumps(answer.to_dict()))
    assert plain["quantities"] == told["quantities"] and plain["tables"] == told["tables"]
    shown = answer_of(answer.result)
    assert shown.question == "fit" and shown["alpha"] == answer["alpha"]
    assert answer_of(answer.result.panel).table("groups").rows[0][0] == "g0"
    assert {each["parameter"] for each in told["tables"]["pooled"]["rows"]} == {"E"}


def test_names_of_parameters():
    assert parameters_named(LAW, "alpha, beta", "--share") == ("alpha", "beta")
    assert parameters_named(LAW, "all", "--share") == LAW.param_names
    assert parameters_named(LAW, None, "--share") == parameters_named(LAW, "none", "--share") == ()
    for text in ("all but E", "all-but E", "all-but:E", "all but: E"):
        assert parameters_named(LAW, text, "--share") == ("A", "B", "alpha", "beta")
    with pytest.raises(IsoflopError, match="--share 'gamma' is no free parameter of chinchilla; there are E, A, B"):
        parameters_named(LAW, "alpha,gamma", "--share")
    with pytest.raises(IsoflopError, match="--pool 'all-but' names no parameter; write it as one text"):
        parameters_named(LAW, "all-but", "--pool")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--share", "alpha"), "--share is for groups; name the column that tells them apart (--by COLUMN)"),
        (("--by", "recipe"), "recipe"),
        (("--by", "N"), "N, which holds numbers, has 160 values"),
        (("--by", "family", "--curves"), "takes no --curves"),
        (("--by", "family", "--share", "delta"), "'delta' is no free parameter"),
        (("--by", ","), "needs a column"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(cli, table, words, says):
    code, _, err = cli("fit", table, "--law", "chinchilla", *words)
    assert code == 2 and says in " ".join(err.split()) and "Traceback" not in err


def test_a_small_group_is_named_with_the_selection_that_leaves_it_out(cli, tmp_path):
    runs = panel_runs(3, 30).to_polars()
    rows = np.r_[np.ones(60, dtype=bool), np.arange(30) < 2]
    runs.filter(pl.Series(rows)).write_csv(tmp_path / "few.csv")
    asked = ("fit", tmp_path / "few.csv", "--law", "chinchilla", "--by", "family", "--share", "alpha,beta")
    code, _, err = cli(*asked)
    told = " ".join(err.split())
    assert code == 2 and "'g2' (2)" in told and "--where \"family != 'g2'\"" in told
    code, out, _ = cli(*asked, "--where", "family != 'g2'", "--draws", 20)
    assert code == 0 and "2 groups" in out


def test_one_group_is_said(cli, tmp_path):
    panel_runs(1, 30).to_polars().write_csv(tmp_path / "one.csv")
    asked = ("fit", tmp_path / "one.csv", "--law", "chinchilla", "--by", "family", "--share", "alpha", "--draws", 20)
    code, out, _ = cli(*asked)
    assert code == 0 and "one-group" in out


def test_groups_that_own_parameters_fit_exactly_are_not_tested():
    """Three rows a group and a law of three parameters: no residual shows what chance does."""
    n, group = np.meshgrid(np.geomspace(1e7, 1e9, 3), np.arange(4))
    loss = (1.7 + 300 / n**0.34) * np.exp(0.01 * np.random.default_rng(0).standard_normal(n.shape))
    runs = isoflop.Runs.from_columns(
        {"N": n.ravel(), "loss": loss.ravel(), "family": [f"f{each}" for each in group.ravel()]}
    )
    law, fit = LawSpec(law="E + A/N^alpha"), FitSpec(draws=20)
    answer = ask(Fit(by="family", share="alpha"), Context(given_runs=runs, law_spec=law, fit_spec=fit))
    assert answer.result.test is None
    assert "sharing-not-tested" in [each.code for each in answer.findings]


def test_many_groups_are_drawn_and_tested_less_and_told_so(monkeypatch):
    from isoflop.questions.base import panel
    from isoflop.uncertainty import sharing

    monkeypatch.setattr(panel, "_MOST_DRAWN", 90)
    monkeypatch.setattr(panel, "_FEWEST_DRAWS", 20)
    monkeypatch.setattr(sharing, "MOST_REFITS", 30)
    answer = ask(Fit(by="family", share="alpha,beta"), context(draws=40))
    assert len(answer.result.draws) == 30
    assert answer.result.test.draws == 0 or answer.result.test.draws == 39
    assert answer.result.test.each == ()
    assert {"fewer-draws", "sharing-not-tested"} <= {each.code for each in answer.findings}


def test_the_picture_has_a_panel_for_each_group_up_to_twelve():
    for groups in (3, 14):
        panel = fit_panel(LAW, panel_runs(groups, 12), share=LAW.param_names, objective=isoflop.squares(), starts=8)
        axes = fitted_panels(panel, new_axes())
        assert len(axes.child_axes) == min(groups, MOST_PANELS)
        assert [each.get_title() for each in axes.child_axes] == [panel.groups[at] for at in groups_drawn(panel)]
        assert f"alpha = {panel.shared['alpha']:.4g}" in axes.get_title()


def test_the_answer_offers_its_panels():
    picture = ask(Fit(by="family", share="alpha,beta"), context(draws=20)).pictures[0]
    axes = new_axes()
    picture.draw(axes)
    assert len(axes.child_axes) == 3
    assert "3 groups of family" in picture.alt


@pytest.mark.slow
def test_some_groups_and_selections_are_fitted_together(asked, refused, table):
    law = ("--law", "chinchilla", "--share", "alpha,beta", "--draws", 20)
    some = asked("fit", table, "--by", "family", "--only", "g0,g2", *law)
    assert [row["group"] for row in some["tables"]["groups"]["rows"]] == ["g0", "g2"]
    named = asked("fit", table, "--group", "first=family in ['g0', 'g1']", "--group", "last=family == 'g2'", *law)
    assert [(row["group"], row["runs"]) for row in named["tables"]["groups"]["rows"]] == [("first", 80), ("last", 40)]
    for words, says in (
        (("--only", "g0,g1"), "--share is for groups; name the column"),
        (("--by", "family", "--only", "g0"), "the one group 'g0' of 'family' is chosen"),
        (("--by", "family", "--group", "a=N > 1"), "--group names groups by selections and --by by a column"),
        (("--group", "a=N > 1"), "one group is named, 'a'"),
    ):
        assert says in refused("fit", table, *words, *law)
