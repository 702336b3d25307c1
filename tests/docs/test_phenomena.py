"""The table of the examples' results: made from their files, with what became of the verdict over seeds."""

import json

import pytest
from docs_build import phenomena


def write(folder, name, seed=0, **changes):
    values = {
        "title": "Cold fusion: it works on a bench.",
        "verdict": "does not appear",
        "says": "Nothing was seen.",
        "numbers": {"heat": [0.01234, -0.1, 0.1, 0.9], "rest": 3.0},
        "seed": seed,
        "quick": False,
        "seconds": 12.3,
    }
    (folder / name).write_text(json.dumps(values | changes))


def test_a_row_has_claim_verdict_figure_and_seconds(tmp_path):
    write(tmp_path, "fusion.json")
    assert phenomena.table(phenomena.results(tmp_path)).splitlines()[2] == (
        "| Cold fusion | it works on a bench | does not appear | heat 0.0123 [-0.1, 0.1], 90% | one seed | 12 |"
    )


def test_seeds_that_disagree_are_told(tmp_path):
    write(tmp_path, "fusion.json")
    write(tmp_path, "fusion-1.json", seed=1)
    (same,) = phenomena.results(tmp_path).values()
    assert phenomena.over_seeds(same) == "the same with 2 seeds"
    write(tmp_path, "fusion-2.json", seed=2, verdict="appears")
    (three,) = phenomena.results(tmp_path).values()
    assert [each["seed"] for each in three] == [0, 1, 2]
    assert phenomena.over_seeds(three) == "unstable over seeds: does not appear, does not appear, appears"


def test_quick_results_are_refused(tmp_path):
    write(tmp_path, "fusion.json", quick=True)
    with pytest.raises(ValueError, match="fusion.json is of a quick version"):
        phenomena.results(tmp_path)


def test_a_row_of_the_readme_takes_time_and_verdict_and_others_stay(tmp_path):
    write(tmp_path, "fusion.json")
    text = "| a | b | `phenomena/fusion.py` | ? | ? |\n| a | b | `phenomena/other.py` | 1 s | **appears**: yes |\n"
    assert phenomena.renewed(text, phenomena.results(tmp_path)).splitlines() == [
        "| a | b | `phenomena/fusion.py` | 12 s | **does not appear**: Nothing was seen |",
        "| a | b | `phenomena/other.py` | 1 s | **appears**: yes |",
    ]


def test_the_readme_is_that_of_the_results():
    text = phenomena.README.read_text(encoding="utf-8")
    assert phenomena.renewed(text, phenomena.results()) == text


def test_figures_have_three_digits_and_say_when_there_is_none(tmp_path):
    write(tmp_path, "fusion.json", numbers={"neutrons": [2253.4, 1912.0, 2_683_000.0, 0.9]})
    write(tmp_path, "ice.json", numbers={"turn": [float("nan"), float("nan"), float("nan"), 0.9]})
    fusion, ice = phenomena.table(phenomena.results(tmp_path)).splitlines()[2:]
    assert "| neutrons 2,250 [1,910, 2,680,000], 90% |" in fusion
    assert "| turn: none found |" in ice


def test_examples_without_a_result_are_named(tmp_path):
    write(tmp_path, "fusion.json")
    text = "| a | b | `phenomena/fusion.py` | ? | ? |\n| a | b | `phenomena/other.py` | 1 s | **appears**: yes |\n"
    assert phenomena.missing(phenomena.results(tmp_path), text) == ["other"]
