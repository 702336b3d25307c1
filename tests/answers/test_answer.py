"""An answer as a value: headline, JSON at full precision and in its schema, data frames, and back from JSON."""

import json
import math
from dataclasses import replace

import jsonschema
import pytest

from isoflop.answers import Answer, Column, Picture, Quantity, Table, literal
from isoflop.answers.restore import answer_from_dict
from isoflop.answers.schema import answer_schema
from isoflop.answers.wording import told
from isoflop.errors import IsoflopError, SavedError
from isoflop.files import plain_json
from isoflop.findings import Finding

THIRD = 1 / 3
N = Quantity("N", 70e9 * THIRD, "count", 20e9, 30e9, 0.9, "parameters")
LOSS = Quantity("loss", 2 + THIRD, low=2.3, high=2.4, level=0.9, unit="nats/token", interval="PI", note="one new run")
ROWS = Table(
    "rows",
    (Column("law"), Column("N", kind="count"), Column("loss", "loss, nats"), Column("source", detail=True)),
    (("a", N, THIRD, None), ("b", None, 2.5, "paper"), ("c", 7e9, math.inf, True)),
    title="Some rows",
    note="A note.",
    detail=True,
)


@pytest.fixture
def answer():
    return Answer(
        question="plan",
        title="a title",
        headline="Train {N} for {loss:bare}; literal {{loss}}.",
        quantities=(N, LOSS, Quantity("gone", None, "share")),
        tables=(ROWS,),
        evidence=Table("evidence", (Column("check"),), (("fine",),)),
        equation="loss = 2",
        findings=(Finding("reach", "note", "It is far.", "Train more.", (3, 4)),),
        method="closed form",
        provenance={"seed": 0, "at": {"N": 1e9}},
        pictures=(Picture("plan", lambda axes: None, "A picture.", (3.0, 2.0)),),
        parts=(Answer("fit", "a part", "Nothing."),),
    )


def test_the_headline_holds_its_quantities(answer):
    assert answer.sentence(told) == "Train 23B (90% CI 20B–30B) for 2.333 nats/token; literal {loss}."


@pytest.mark.parametrize("text", ["{N}", "{{N}}", "a {b} c", "}{", "{N:bare}", "{"])
def test_the_users_words_are_no_placeholders(text):
    assert Answer("q", "t", f"{literal(text)} and {{N}}", quantities=(N,)).sentence(told).startswith(f"{text} and 23B")


def test_a_placeholder_may_have_any_letters():
    assert Answer("q", "t", "{α} {x_1}", (Quantity("α", 1.0), Quantity("x_1", 2.0))).sentence(told) == "1 2"


def test_a_placeholder_without_its_quantity_is_an_error():
    with pytest.raises(KeyError, match="'M' is no quantity of this answer; there are N"):
        Answer("q", "t", "{M}", quantities=(N,)).sentence(told)


def test_quantities_and_tables_are_found_by_name(answer):
    assert answer["N"] is N and answer.table("rows") is ROWS and answer.table("evidence").rows == (("fine",),)
    with pytest.raises(KeyError, match="'D' is no quantity of this answer; there are N, loss, gone"):
        answer["D"]
    with pytest.raises(KeyError, match="'columns' is no table of this answer; there are rows"):
        answer.table("columns")


def test_json_is_at_full_precision_and_in_its_schema(answer):
    content = json.loads(json.dumps(plain_json(answer.to_dict()), allow_nan=False))
    jsonschema.validate(content, answer_schema())
    assert content["quantities"]["N"]["value"] == 70e9 * THIRD
    assert content["quantities"]["loss"] == {
        "value": 2 + THIRD, "low": 2.3, "high": 2.4, "level": 0.9, "interval": "PI", "unit": "nats/token",
        "kind": "number", "label": "loss", "note": "one new run", "limit": None,
    }  # fmt: skip
    assert content["quantities"]["gone"]["interval"] is None
    rows = content["tables"]["rows"]["rows"]
    assert rows[0]["N"]["value"] == 70e9 * THIRD and rows[0]["loss"] == THIRD and rows[2]["loss"] is None
    assert content["findings"][0]["rows"] == [3, 4] and content["parts"][0]["question"] == "fit"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda each: each.pop("headline"),
        lambda each: each.update(more=1),
        lambda each: each["quantities"]["N"].update(kind="guess"),
        lambda each: each["tables"]["rows"]["rows"][0].update(N=[1]),
        lambda each: each["findings"][0].update(level="doubt"),
        lambda each: each.update(schema=99),
    ],
)
def test_the_schema_refuses_what_is_no_answer(answer, spoil):
    content = plain_json(answer.to_dict())
    spoil(content)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, answer_schema())


def test_a_frame_has_an_interval_as_columns_of_its_own(answer):
    frame = answer.to_frame("rows")
    assert frame.columns == ["law", "N", "N_low", "N_high", "loss", "source"]
    assert frame["N"].to_list() == [70e9 * THIRD, None, 7e9]
    assert frame["N_low"].to_list() == [20e9, None, None] and frame["N_high"].to_list() == [30e9, None, None]
    assert frame["loss"].to_list() == [THIRD, 2.5, math.inf]
    assert frame["source"].to_list() == [None, "paper", "True"]  # words beside a yes


def test_a_frame_of_the_quantities_and_of_an_empty_table(answer):
    frame = answer.to_frame()
    assert frame["name"].to_list() == ["N", "loss", "gone"] and frame["value"].to_list()[:2] == [N.value, LOSS.value]
    empty = Answer("q", "t", "h", tables=(Table("none", (Column("a"), Column("b")), ()),))
    assert empty.to_frame("none").columns == ["a", "b"] and empty.to_frame("none").height == 0


def test_a_row_has_a_cell_for_each_column():
    with pytest.raises(IsoflopError, match="table 'rows' has 2 columns and a row of 1 cells"):
        Table("rows", (Column("a"), Column("b")), ((1,),))


def test_an_answer_comes_back_from_its_json(answer):
    content = json.loads(json.dumps(plain_json(answer.to_dict())))
    back = answer_from_dict(content, draw=lambda axes: None)
    assert plain_json(back.to_dict()) == content
    assert back["N"] == replace(N, label="N")  # labels and titles are told, where they were left to the name
    assert back.table("rows").rows[1:] == (*ROWS.rows[1:2], ("c", 7e9, None, True)) and back.table("rows").detail


@pytest.mark.parametrize("spoil", [{"schema": 2}, {"quantities": 3}, {"tables": {"rows": {}}}, {"findings": [1]}])
def test_what_is_no_answer_is_not_restored(answer, spoil):
    content = {**plain_json(answer.to_dict()), **spoil}
    with pytest.raises(SavedError):
        answer_from_dict(content, draw=lambda axes: None)
