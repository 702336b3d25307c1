"""The catalogue and one law as answers: formula, symbols, published constants, source."""

import pytest

from isoflop import law
from isoflop.laws import catalogue
from isoflop.laws.unicode import typeset
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.laws import Laws
from isoflop.render.notebook import answer_of


def rows(answer, name):
    table = answer["tables"][name]
    return table["rows"]


def test_the_catalogue_is_listed_with_every_fact(asked):
    answer = asked("laws")
    known = catalogue()
    listed = {row["name"]: row for row in rows(answer, "laws")}
    assert listed.keys() == known.keys() and answer["quantities"]["laws"]["value"] == len(known)
    for name, each in known.items():
        row = listed[name]
        assert (row["formula"], row["response"]) == (each.stated or each.formula, each.response)
        assert row["inputs"] == ", ".join(each.input_names) and row["typeset"] == "; where ".join(typeset(each))
        assert (row["reference"], row["notes"]) == (each.reference, each.notes)
    symbols = {(row["law"], row["symbol"]): row for row in rows(answer, "symbols")}
    published = {(row["law"], row["key"], row["constant"]): row for row in rows(answer, "published")}
    assert symbols.keys() == {
        (name, one.name) for name, each in known.items() for one in (*each.inputs, *each.params, *each.searched)
    }
    assert {place: row["value"] for place, row in published.items()} == {
        (name, entry.key, label): value
        for name, each in known.items()
        for entry in each.published
        for label, value in entry.values.items()
    }
    entry = next(each for each in known["chinchilla"].published if each.key == "epoch")
    row = published["chinchilla", "epoch", "alpha"]
    assert (row["label"], row["source"], row["data"], row["unit"]) == (
        entry.label, entry.source, entry.data, entry.unit,
    )  # fmt: skip


def test_the_list_fits_a_terminal_and_names_the_rest(cli):
    _, out, _ = cli("laws")
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert f"{len(catalogue())} laws have a name." in out and "isoflop laws NAME shows one in full." in out


def test_one_law_is_shown_in_full(asked):
    answer, own = asked("laws", "chinchilla"), law("chinchilla")
    assert answer["headline"] == "L = E + A·N^−α + B·D^−β" == typeset(own)[0]
    assert answer["equation"] == "loss = E + A/N^alpha + B/D^beta"
    assert {row["symbol"]: row["role"] for row in rows(answer, "symbols")} == {
        "N": "input", "D": "input", "E": "parameter", "A": "parameter", "B": "parameter", "alpha": "parameter",
        "beta": "parameter",
    }  # fmt: skip
    assert {row["symbol"]: row["meaning"] for row in rows(answer, "symbols")}["E"] == "irreducible loss"
    for row, entry in zip(rows(answer, "published"), own.published, strict=True):
        assert {name: row[name] for name in entry.values} == dict(entry.values)
        assert (row["key"], row["source"], row["convention"]) == (entry.key, entry.source, entry.convention or "")
    assert answer["method"] == f"{own.notes} Source: {own.reference}."
    assert answer["provenance"]["formula"] == own.formula


def test_computed_columns_and_searched_constants_are_told(asked, cli):
    symbols = {row["symbol"]: row for row in rows(asked("laws", "annealing"), "symbols")}
    assert "where absent, computed from step and lr" in symbols["S1"]["meaning"]
    assert symbols["S1"]["rule"] and symbols["lambda"]["role"] == "found by search"
    assert symbols["L_0"]["rule"] is None and symbols["L_0"]["domain"] == "positive"
    assert "found by search" in cli("laws", "annealing")[1]


def test_a_law_with_a_named_part_says_where(asked):
    name = next(name for name, each in catalogue().items() if each.where)
    answer, own = asked("laws", name), law(name)
    assert answer["headline"] == "; where ".join(typeset(own)) and "; where " in answer["headline"]
    assert answer["provenance"]["where"] == dict(own.where)


def test_every_law_is_shown(cli):
    for name in catalogue():
        answer = ask(Laws(law=name), Context())
        assert answer.title == name and answer.table("symbols").rows


def test_a_formula_is_shown_as_a_law_of_the_catalogue():
    own = law("E + A/N^alpha")
    answer = answer_of(own)
    assert [row[0] for row in answer.table("symbols").rows] == ["N", "E", "A", "alpha"]
    assert answer.to_dict()["headline"] == typeset(own)[0]
    assert "published" not in [each.name for each in answer.tables]


def test_a_name_that_no_law_has_is_one_sentence(refused):
    assert "chinchilla" in refused("laws", "chinchila")
    assert "kaplan" in refused("laws", "chinchilla", "kaplan")


@pytest.mark.parametrize(
    ("formula", "says"),
    [("E + A/N^", "it ends too early"), ("__import__('os')", "a formula has no quoted text"), ("E + f(N)", "f")],
)
def test_a_formula_that_is_none_is_told_with_its_place(cli, formula, says):
    code, out, err = cli("laws", formula)
    first, repeated, place = err.splitlines()
    assert (code, out) == (2, "") and first.startswith("Error: formula ") and says in first
    assert repeated.strip() == formula and place.strip() == "^"


def test_a_fit_stands_beside_the_literature(asked, refused, cli, named_tables, tmp_path):
    saved = str(tmp_path / "fit.json")
    of = ["epoch-chinchilla", "--where", "loss < 3.44", "--law", "chinchilla", "--draws", "40"]
    assert cli("fit", *of, "--save", saved)[0] == 0
    answer = asked("laws", "--compare", saved)
    first, *others = rows(answer, "sources")
    assert first["key"] == "epoch" and first["agreeing"] == "5 of 5"
    assert (
        answer["quantities"]["nearest"]["value"]
        == first["error"]
        <= min(each["error"] for each in others if each["error"] is not None)
    )
    own, *published = rows(answer, "constants")
    assert own["key"] == "this fit" and own["alpha"]["low"] < own["alpha"]["value"] < own["alpha"]["high"]
    assert {row["key"]: row["alpha"] for row in published}["epoch"] == 0.3478
    narrow = asked("laws", "--compare", saved, "--level", "0.5")
    assert rows(narrow, "constants")[0]["alpha"]["level"] == 0.5
    assert "--compare takes the law of the fit" in refused("laws", "chinchilla", "--compare", saved)


def test_published_constants_are_compared_without_intervals(asked):
    answer = asked("laws", "--compare", "chinchilla:epoch")
    assert answer["quantities"]["agreeing"]["value"] is None
    assert {row["agreeing"] for row in rows(answer, "sources")} == {"no interval"}
    assert "no-interval" in {each["code"] for each in answer["findings"]}
