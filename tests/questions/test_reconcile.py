"""``isoflop reconcile``: laws, tables, groups, and what it refuses."""

import json

import pytest
from click.testing import CliRunner
from tests.planning.test_reconcile import counted_runs, valley

from isoflop.cli import isoflop
from isoflop.errors import IsoflopError


def run(*words):
    return CliRunner().invoke(isoflop, ["reconcile", *words], catch_exceptions=False)


def test_without_a_file_chinchillas_constants_are_counted_again():
    said = json.loads(run("--json").stdout)
    slopes = {each["law"]: each["slope"]["value"] for each in said["laws"]}
    assert slopes == pytest.approx(
        {"chinchilla:hoffmann": 0.744, "chinchilla:hoffmann-tex": 0.748, "chinchilla:epoch": 0.786}, abs=6e-4
    )
    text = run().stdout
    assert "0.744 (chinchilla:hoffmann)" in " ".join(text.split()) and "peak" in text


def test_a_range_and_omega_are_taken():
    said = json.loads(run("chinchilla:epoch", "--from", "1T", "--to", "100T", "--omega", "10K", "--json").stdout)
    assert said["laws"][0]["omega"] == 1e4
    assert said["laws"][0]["slope"]["value"] == pytest.approx(0.5126, abs=1e-3)  # embeddings vanish


def test_a_table_is_counted_both_ways(tmp_path):
    path = tmp_path / "runs.csv"
    counted_runs().to_polars().write_csv(path)
    said = json.loads(run(str(path), "--draws", "40", "--json").stdout)
    assert len(said["ways"]) == 4 and said["ways"][3]["exponent_a"] is None and said["ways"][3]["why_not"]
    assert said["ways"][1]["exponent_a"]["value"] > said["ways"][0]["exponent_a"]["value"]
    assert "without embeddings" in run(str(path), "--draws", "40").stdout


def test_groups_are_stepped_through(tmp_path):
    path = tmp_path / "groups.csv"
    frames = [
        valley(exponent=each).with_column("warmup", [name] * 75) for name, each in (("long", 0.6), ("short", 0.5))
    ]
    rows = [frame.to_polars().write_csv() for frame in frames]
    path.write_text(rows[0] + rows[1].split("\n", 1)[1])
    said = json.loads(run(str(path), "--by", "warmup", "--json").stdout)
    assert [each["group"] for each in said["steps"]] == [{"warmup": "long"}, {"warmup": "short"}]
    assert said["steps"][1]["change"] == pytest.approx(-0.1, abs=1e-3)
    text = run(str(path), "--by", "warmup").stdout
    assert "0.600 → 0.500" in text and "warmup short" in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--omega", "0"), "omega must be a positive number"),
        (("--by", "warmup"), "describe a table; name one"),
        (("chinchilla:epoch", "--from", "2B", "--to", "1B"), "from the smaller to the larger"),
        (("muennighoff:c4",), "needs a law of the form"),
        (("no.csv",), "no.csv"),
    ],
)
def test_bad_input_is_one_sentence(words, says):
    with pytest.raises(IsoflopError, match=says):
        run(*words)


def test_options_of_a_law_do_not_go_with_a_table(tmp_path):
    path = tmp_path / "runs.csv"
    valley().to_polars().write_csv(path)
    for words, says in (
        (("--from", "1B"), "are for a law"),
        (("--spread", "x"), "goes with --by"),
        (("--by", ","), "--by takes columns"),
    ):
        with pytest.raises(IsoflopError, match=says):
            run(str(path), *words)
