"""A forecast as an answer: the engine's intervals to the bit, one point or many."""

import math

import pytest

from isoflop import forecast
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError
from isoflop.planning import forecasts
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.base.specs import LevelSpec
from isoflop.questions.forecast import Forecast, common_findings

AT = {"N": 70e9, "D": 1.4e12}


def test_a_point_has_both_intervals_and_its_distance(drawn, same):
    answer, made = ask(Forecast(at=("N=70B", "D=1.4T")), drawn), forecast(drawn.ensemble, AT)
    assert same(answer["loss"], made.loss) and answer["loss"].interval == "PI"
    assert same(answer["mean"], made.expected) and answer["mean"].interval == "CI"
    assert answer["extrapolation"].value == made.reach_decades > 0.8
    assert (answer["at_N"].value, answer["at_D"].value) == (70e9, 1.4e12)
    assert answer.sentence(told).startswith("Expected loss: ") and "(90% PI " in answer.sentence(told)
    assert set(made.findings) <= set(answer.findings)


def test_the_interval_of_a_new_run_is_wider_than_that_of_the_mean(drawn):
    answer = ask(Forecast(at=("N=1B", "D=20B")), drawn)
    assert answer["loss"].low < answer["mean"].low < answer["mean"].high < answer["loss"].high


def test_every_combination_of_values_is_a_row(drawn, same):
    answer = ask(Forecast(at=("N=1B,70B", "D=20B,1.4T")), drawn)
    rows = answer.table("forecasts").rows
    assert [row[:2] for row in rows] == [(1e9, 2e10), (1e9, 1.4e12), (70e9, 2e10), (70e9, 1.4e12)]
    points = [{"N": row[0], "D": row[1]} for row in rows]
    for row, made in zip(rows, forecasts(drawn.ensemble, points), strict=True):
        n, d, loss, mean, law, share, beyond = row
        alone = forecast(drawn.ensemble, {"N": n, "D": d})
        assert (loss.low, loss.high) == pytest.approx((alone.loss.low, alone.loss.high), rel=1e-9)
        assert same(loss, made.loss) and same(mean, made.expected) and beyond == made.reach_decades
        assert same(law, made.law_loss) and share == made.model_error_share
    assert answer["loss"].value == min(row[2].value for row in rows)
    assert answer.sentence(told).endswith("at N = 70B, D = 1.4T.") and answer.pictures == ()


def test_of_many_points_the_farthest_tells_how_far(drawn):
    near, far = (forecast(drawn.ensemble, {"N": n, "D": 1e12}) for n in (1e11, 1e13))
    found = common_findings((near, far))
    told_ = [each for each in found if each.code in ("extrapolation", "far-extrapolation")]
    assert told_ and all(each.message.startswith("at the farthest point ") for each in told_)
    assert {each.code for each in near.findings} - {"extrapolation", "far-extrapolation"} <= {
        each.code for each in found
    }


def test_a_table_of_points(drawn, tmp_path):
    path = tmp_path / "ask.csv"
    path.write_text("params,tokens\n70B,1.4T\n1B,20B\n")
    rows = ask(Forecast(points=str(path)), drawn).table("forecasts").rows
    assert [row[:2] for row in rows] == [(70e9, 1.4e12), (1e9, 2e10)]
    listed, alone = rows[0][2], forecast(drawn.ensemble, AT).loss  # linear algebra over two points rounds otherwise
    assert (listed.value, listed.low, listed.high) == pytest.approx((alone.value, alone.low, alone.high), rel=1e-12)


def test_a_level_is_that_of_every_interval(drawn, same):
    context = Context(given=drawn.ensemble, level_spec=LevelSpec(0.5))
    answer, made = ask(Forecast(at=("N=70B", "D=1.4T")), context), forecast(drawn.ensemble, AT, level=0.5)
    assert same(answer["loss"], made.loss) and same(answer["mean"], made.expected)


def test_constants_without_draws_have_no_interval():
    answer = ask(Forecast(at=("N=70B", "D=1.4T")), Context(saved="chinchilla:epoch"))
    assert not answer["loss"].has_interval and math.isfinite(answer["loss"].value)
    assert answer["extrapolation"].value is None  # nobody knows its runs
    assert answer.sentence(told) == "Expected loss: 1.974 nats/token."


def test_a_forecast_of_the_library_is_worded_alike(drawn):
    made = forecast(drawn.ensemble, AT)
    shown = word(Forecast(), made, Context(given=drawn.ensemble))
    asked_ = ask(Forecast(at=("N=70B", "D=1.4T")), drawn)
    assert shown.quantities == asked_.quantities and shown.headline == asked_.headline


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (Forecast(), "a forecast needs --at, as --at N=70B --at D=1.4T, or --points FILE"),
        (Forecast(at=("N=1",), points="x.csv"), "--at and --points both name the runs to forecast; give one"),
        (Forecast(at=("N=1",)), "D is missing"),
        (Forecast(at=("N=1", "D=2", "width=3")), "width"),
    ],
)
def test_points_that_are_none(drawn, question, says):
    with pytest.raises(IsoflopError, match=says):
        ask(question, drawn)
