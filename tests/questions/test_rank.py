"""A ranking as an answer: errors, differences and weights of the engine to the bit, and the weighted forecast."""

import numpy as np
import pytest

from isoflop import Runs, law
from isoflop.answers.wording import told
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.rank import Rank
from isoflop.validation.rank import rank
from isoflop.validation.split import hold_out
from isoflop.validation.stack import forecast_stacked

LAWS = ("chinchilla", "kaplan", "power-d-floor")
AT = {"N": 1e10, "D": 1e12}


@pytest.fixture(scope="module")
def runs():
    rng = np.random.default_rng(5)
    n, d = (each.ravel() for each in np.meshgrid(np.logspace(7, 9.5, 8), np.logspace(9, 11, 5)))
    loss = (1.8 + 400 / n**0.34 + 2000 / d**0.36) * np.exp(rng.normal(0, 0.003, 40))
    return Runs.from_columns({"N": n, "D": d, "loss": loss})


@pytest.fixture(scope="module")
def ranked(runs):
    context = Context(given_runs=runs)
    answer = ask(Rank(laws=LAWS, hold_out="N", draws=60, at=AT), context)
    held = hold_out("N")
    return answer, rank(runs, laws=[law(each) for each in LAWS], hold_out=held, windows=3, draws=60)


def test_the_table_is_the_engines_ranking(ranked, same):
    answer, ranking = ranked
    names = [column.name for column in answer.table("laws").columns]
    rows = [dict(zip(names, row, strict=True)) for row in answer.table("laws").rows]
    for row, each in zip(rows, ranking.ranked, strict=False):
        assert row["law"] == each.law.name and row["tied"] == each.tied
        assert same(row["mre"], each.scores.are) and same(row["difference"], each.behind)
        assert same(row["weight"], each.weight) and row["covered"] == each.scores.covered
        assert row["same_as"] == ", ".join(each.same_as)
    assert [row["rank"] for row in rows[: len(ranking.ranked)]].count("best") == 1 and rows[0]["rank"] == "best"
    baselines = rows[len(ranking.ranked) :]
    assert [row["law"] for row in baselines] == [each.name for each in ranking.backtest.baselines]
    assert {row["rank"] for row in baselines} == {"baseline"} and all(row["weight"] is None for row in baselines)


def test_the_headline_names_the_best_and_those_that_tie(ranked):
    answer, ranking = ranked
    ties = sum(each.tied for each in ranking.ranked[1:])
    words = {0: "no other law ties with it", 1: "1 other law ties with it"}.get(ties, f"{ties} other laws tie with it")
    assert f"Of {len(ranking.ranked)} distinct laws {ranking.ranked[0].law.name} has the smallest" in answer.sentence(
        told
    )
    assert words in answer.sentence(told)


def test_the_weighted_forecast_stands_in_front(ranked, runs, same):
    answer, ranking = ranked
    weights = [each.weight.value for each in ranking.ranked]
    stacked = forecast_stacked([each.law for each in ranking.ranked], weights, runs, AT)
    assert same(answer["stacked"], stacked.loss) and answer["stacked"].interval == "PI"
    assert same(answer["mean"], stacked.expected)
    assert (answer["between"].value, answer["within"].value) == (stacked.between, stacked.within)
    assert answer["scatter"].value == stacked.scatter
    share = stacked.between**2 / (stacked.between**2 + stacked.within**2)
    assert answer["choice"].value == pytest.approx(share)
    for row, each in zip(answer.table("members").rows, stacked.members, strict=True):
        assert row[:2] == (each.name, each.weight) and same(row[2], each.loss)
    assert answer.sentence(told).startswith("Expected loss: ") and answer.provenance["at"] == AT
    shown = word(Rank(), stacked, Context(given_runs=runs))
    assert shown["stacked"] == answer["stacked"] and shown.table("members") == answer.table("members")


def test_without_a_point_there_is_no_forecast(runs):
    answer = ask(Rank(laws=LAWS[:2], hold_out="N", draws=20), Context(given_runs=runs))
    assert "stacked" not in [each.name for each in answer.quantities] and answer.headline.startswith("Of 2 distinct")
    assert answer.provenance["at"] is None and answer.result.stacked is None


def test_laws_that_cannot_be_ranked_are_named_with_the_reason(runs):
    few = runs.where("N < 3e8").where("D < 2e9")
    question = Rank(laws=("chinchilla", "power-n-floor"), hold_out="N", windows=1, draws=20)
    answer = ask(question, Context(given_runs=few))
    ranking = answer.result.ranking
    assert answer.table("unranked").rows == tuple(ranking.unranked.items()) and answer.table("unranked").detail
    assert "5 parameters" in ranking.unranked["chinchilla"] and len(ranking.ranked) == 1


def test_windows_are_those_of_the_hold_outs(ranked):
    answer, ranking = ranked
    assert [row[1] for row in answer.table("windows").rows] == [each.says for each in ranking.backtest.windows]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--at", "N=ten"), "--at N is a finite number"),
        (("--at", "N"), "--at takes N=70B, not 'N'"),
        (("--at", "width=3", "--law", "chinchilla"), "width"),
        (("--law", "nobody"), "no law is named 'nobody'"),
        (("--response", ""), "--response takes a text (COLUMN), not ''"),
        (("--response", "perplexity"), "no law of the catalogue predicts perplexity"),
        (("--windows", "1001"), "--windows is a whole number from 1 to 1,000"),
        (("--jobs", "0"), "--jobs is a whole number from 1 to 1,024"),
    ],
)
def test_bad_options_are_one_sentence(refused, words, says):
    assert says in refused("rank", *words)
