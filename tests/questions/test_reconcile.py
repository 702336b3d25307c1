"""Non-embedding conversion: published laws, a table in both counts, groups of runs, and what is refused."""

import pytest
from tests.planning.test_reconcile import counted_runs, valley

from isoflop import bootstrap, fit, law, save_fit
from isoflop.answers.wording import told
from isoflop.planning.counting import by_group, count_both_ways
from isoflop.planning.published import published
from isoflop.planning.reconcile import convert_counts
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.base.specs import FitSpec
from isoflop.questions.reconcile import Reconcile
from isoflop.render.notebook import answer_of

KEYS = ("chinchilla:hoffmann", "chinchilla:hoffmann-tex", "chinchilla:epoch")
FIELDS = ("slope", "small", "peak", "peak_at", "large", "loss_slope")


def laws(answer):
    """The rows of a JSON answer's laws by name."""
    return {row["law"]: row for row in answer["tables"]["laws"]["rows"]}


def test_without_a_file_chinchillas_constants_are_counted_again(asked, cli):
    answer = asked("reconcile")
    slopes = {name: row["slope"]["value"] for name, row in laws(answer).items()}
    assert slopes == pytest.approx(dict(zip(KEYS, (0.744, 0.748, 0.786), strict=True)), abs=6e-4)
    assert "exponent is 0.7436 by chinchilla:hoffmann, 0.748 by chinchilla:hoffmann-tex" in answer["headline"]
    assert answer["headline"].startswith("From 790 to 1.58B non-embedding parameters")
    assert answer["provenance"].keys() == {"isoflop"}  # no table was read
    assert "peak" in cli("reconcile")[1]


def test_each_law_is_the_engines_to_the_bit():
    answer = ask(Reconcile(), Context())
    for name, row in zip(KEYS, answer.table("laws").rows, strict=True):
        found = convert_counts(published(name))
        assert row[0] == name
        assert [each.value for each in row[1:]] == [getattr(found, field).value for field in FIELDS]
        assert not any(each.has_interval for each in row[1:])  # constants have no draws
        curve = answer.table("curve_" + name.replace(":", "_").replace("-", "_")).rows
        assert [size for size, _ in curve] == found.curve[0].tolist()
        assert [exponent.value for _, exponent in curve] == found.curve[1].tolist()
        assert answer[f"slope_{name.replace(':', '_').replace('-', '_')}"].value == found.slope.value
    assert (answer["omega"].value, answer["smallest"].value, answer["largest"].value) == (47_491, 790, 1.58e9)


def test_a_range_and_omega_are_taken(asked):
    answer = asked("reconcile", "chinchilla:epoch", "--from", "1T", "--to", "100T", "--omega", "10K")
    assert answer["quantities"]["omega"]["value"] == 1e4
    assert answer["quantities"]["slope"]["value"] == pytest.approx(0.5126, abs=1e-3)  # embeddings vanish
    assert (answer["quantities"]["smallest"]["value"], answer["quantities"]["largest"]["value"]) == (1e12, 1e14)
    assert [row["law"] for row in answer["tables"]["laws"]["rows"]] == ["chinchilla:epoch"]
    assert "curve" in answer["tables"] and answer["title"] == "Non-embedding conversion, chinchilla:epoch"


def test_a_saved_fit_has_intervals_and_a_notebook_shows_its_result(tmp_path, asked, same, known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.003)), draws=60)
    place = tmp_path / "a{slope}.json"  # braces of a name are no placeholders
    save_fit(ensemble, place)
    found = convert_counts(ensemble)
    answer = asked("reconcile", place)
    (row,) = answer["tables"]["laws"]["rows"]
    for field in FIELDS:
        own = getattr(found, field)
        assert (row[field]["value"], row[field]["low"], row[field]["high"]) == (own.value, own.low, own.high)
    assert "by " + str(place) in answer["headline"]
    shown = answer_of(found)
    assert same(shown["slope"], found.slope) and set(found.findings) <= set(shown.findings)


def test_a_table_is_counted_both_ways(tmp_path, asked, cli, same):
    runs = counted_runs()
    context = Context(given_runs=runs, fit_spec=FitSpec(draws=40))
    answer, found = ask(Reconcile(), context), count_both_ways(runs, draws=40)
    ways = answer.table("ways").rows
    assert len(ways) == 4
    for (name, exponent, why_not), way in zip(ways, found.ways, strict=True):
        assert (name, why_not) == (way.name, way.why_not)
        assert exponent is None if way.exponent_a is None else same(exponent, way.exponent_a)
    assert ways[3][1] is None and ways[3][2]
    assert answer.table("ways").note == f"{ways[3][0]}: {ways[3][2]}"
    assert ways[1][1].value > ways[0][1].value
    assert same(answer["total"], found.ways[0].exponent_a) and same(answer["non_embedding"], found.ways[1].exponent_a)
    assert (answer["omega"].value, answer["omega"].note) == (found.omega, found.omega_source)
    assert same(answer["peak_at"], found.recounted.peak_at)
    (law_row,) = answer.table("laws").rows
    assert all(same(cell, getattr(found.recounted, field)) for cell, field in zip(law_row[1:], FIELDS, strict=True))
    assert [size for size, _ in answer.table("curve").rows] == found.recounted.curve[0].tolist()
    assert set(found.findings) <= set(answer.findings)
    path = tmp_path / "runs.csv"
    runs.to_polars().write_csv(path)
    told_ = asked("reconcile", path, "--draws", "40")
    assert told_["quantities"]["total"]["low"] == pytest.approx(found.ways[0].exponent_a.low)
    assert told_["provenance"]["source"] == "runs.csv" and told_["provenance"]["rows"] == len(runs)
    assert "without embeddings" in cli("reconcile", path, "--draws", "40")[1]


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """A table of two groups of runs whose exponents are .6 and .5."""
    path = tmp_path_factory.mktemp("groups") / "groups.csv"
    frames = [
        valley(exponent=each).with_column("warmup", [name] * 75) for name, each in (("long", 0.6), ("short", 0.5))
    ]
    rows = [frame.to_polars().write_csv() for frame in frames]
    path.write_text(rows[0] + rows[1].split("\n", 1)[1])
    return path


def test_groups_are_stepped_through(groups, asked, cli):
    answer = asked("reconcile", groups, "--by", "warmup")
    long, short = answer["tables"]["groups"]["rows"]
    assert (long["group_warmup"], short["group_warmup"]) == ("long", "short")
    assert (long["change"], short["changed"]) == (None, "warmup")
    assert short["change"] == pytest.approx(-0.1, abs=1e-3)
    text = cli("reconcile", groups, "--by", "warmup")[1]
    first, second = (number_of(row["exponent"]) for row in (long, short))
    assert answer["headline"] == f"N* grows as C to the power {first} → {second}."
    assert "warmup short" in text and answer["headline"] in " ".join(text.split())


def number_of(cell):
    from isoflop.answers import Quantity

    quantity = Quantity("x", cell["value"], low=cell["low"], high=cell["high"], level=cell["level"])
    return told(quantity, bare=True)


def test_groups_are_the_engines_to_the_bit(groups, same):
    from isoflop import read_runs

    runs = read_runs(groups)
    answer = ask(Reconcile(by="warmup"), Context(given_runs=runs, fit_spec=FitSpec(draws=50)))
    for row, step in zip(answer.table("groups").rows, by_group(runs, ["warmup"], draws=50), strict=True):
        name, exponent, change, budgets, count, changed, why_not, label = row
        assert (name, change, budgets, count) == (step.name, step.change, step.budgets, step.runs)
        assert same(exponent, step.exponent_a) and (changed, why_not) == (", ".join(step.changed), step.why_not)
        assert label == step.labels["warmup"]


def test_a_group_without_minima_says_why(tmp_path, asked):
    path = tmp_path / "groups.csv"
    rows = valley(exponent=0.6).with_column("warmup", ["long"] * 75).to_polars()
    few = rows.head(2).with_columns(rows.head(2)["warmup"].str.replace("long", "short"))
    path.write_text(rows.write_csv() + few.write_csv(include_header=False))
    answer = asked("reconcile", path, "--by", "warmup")
    _, short = answer["tables"]["groups"]["rows"]
    assert short["exponent"] is None and short["why_not"]
    assert answer["tables"]["groups"]["note"] == f"warmup short: {short['why_not']}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--omega", "0"), "--omega is a number above 0, such as 0.5, 70B or 1e24, not '0'"),
        (("--by", "warmup"), "describe a table; name one"),
        (("--where", "N > 1"), "describe a table; name one"),
        (("chinchilla:epoch", "--from", "2B", "--to", "1B"), "from the smaller to the larger"),
        (("muennighoff:c4",), "needs a law of the form"),
        (("no.csv",), "no.csv"),
        (("--law", "kaplan"), "No such option"),
        (("--objective", "lsq"), "No such option"),
    ],
)
def test_bad_input_is_one_sentence(refused, words, says):
    assert says in refused("reconcile", *words)


def test_options_of_a_law_do_not_go_with_a_table(tmp_path, refused):
    path = tmp_path / "runs.csv"
    valley().to_polars().write_csv(path)
    for words, says in (
        (("--from", "1B"), "are for a law"),
        (("--spread", "x"), "goes with --by"),
        (("--by", ","), "--by takes columns"),
    ):
        assert says in refused("reconcile", path, *words)
