"""Samples and results of lm-evaluation-harness, in the forms that its releases write."""

import gzip
import json

import pytest

from isoflop.errors import DataError
from isoflop.evals import aggregates, read_items

TIME = "2025-01-02T03-04-05.678901"


def choice(doc, target, log_p, texts, *, as_text=True, arguments="dict", **scores):
    """One line of a multiple-choice task."""
    pairs = [[str(p), "False"] if as_text else [p, False] for p in log_p]
    if arguments == "dict":
        told = {f"gen_args_{k}": {"arg_0": "Q:", "arg_1": text} for k, text in enumerate(texts)}
    else:
        told = [["Q:", text] for text in texts]
    return {
        "doc_id": doc, "doc": {"query": "Q:"}, "target": target, "arguments": told, "resps": [[each] for each in pairs],
        "filtered_resps": pairs, "doc_hash": f"h{doc}", **scores,
    }  # fmt: skip


def write(folder, model, task, lines, *, time=TIME, results=None, pack=False):
    place = folder / model
    place.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(each) + "\n" for each in lines)
    name = place / f"samples_{task}_{time}.jsonl"
    if pack:
        name.with_suffix(".jsonl.gz").write_bytes(gzip.compress(text.encode()))
    else:
        name.write_text(text)
    if results is not None:
        (place / f"results_{time}.json").write_text(json.dumps(results))
    return place


RESULTS = {
    "results": {"arc": {"acc,none": 0.5, "acc_stderr,none": 0.25, "alias": "arc"}},
    "n-samples": {"arc": {"original": 2, "effective": 2}}, "n-shot": {"arc": 0},
    "config": {"model": "hf", "model_args": "pretrained=lab/mini-70m,revision=step3000"},
}  # fmt: skip
TWO = ([-1.0, -2.0], [" yes", " certainly"])


def test_options_come_with_the_model_and_checkpoint_of_the_results_beside_them(tmp_path):
    lines = [choice(0, 0, *TWO, acc=1.0), choice(1, "1", *TWO, acc=0.0)]
    items = read_items([write(tmp_path, "lab__mini-70m", "arc", lines, results=RESULTS)])
    assert items.names == ("mini-70m@3000",) and items.models["step"][0] == 3000
    assert items.rows["kind"].unique().to_list() == ["options"]
    assert items.rows["log_p"].to_list() == [[-1.0, -2.0]] * 2 and items.rows["right"].to_list() == [0, 1]
    by_measure = {each.measure: each.value for each in aggregates(items)}
    assert by_measure["acc"] == 0.5 and items.chances == {"arc": 0.5}
    # per byte -1/4 against -2/10: the second option is the larger
    assert by_measure["acc_norm"] == 0.5 and by_measure["loss"] == 1.5


@pytest.mark.parametrize("as_text", [True, False])
@pytest.mark.parametrize("arguments", ["dict", "list"])
@pytest.mark.parametrize("target", [1, "1", "certainly", " certainly", "B"])
def test_every_release_and_every_form_of_target_is_read_alike(tmp_path, as_text, arguments, target):
    line = choice(0, target, *TWO, as_text=as_text, arguments=arguments, acc=0.0)
    items = read_items([write(tmp_path, "m", "arc", [line, {**line, "doc_id": 1}], pack=as_text)])
    assert items.rows["right"].to_list() == [1, 1] and items.rows["lengths"].to_list()[0] == [4.0, 10.0]


def test_a_target_that_contradicts_the_score_is_not_believed(tmp_path):
    lines = [choice(0, 0, *TWO, acc=1.0), choice(1, 0, *TWO, acc=0.0)]
    items = read_items([write(tmp_path, "m", "arc", lines)])
    assert items.rows["kind"].to_list() == ["score"] * 2 and items.rows["score"].to_list() == [1.0, 0.0]


def test_each_filter_of_a_generation_is_a_metric_of_its_own(tmp_path):
    lines = [
        {
            "doc_id": k,
            "target": "4",
            "resps": [["4"]],
            "filtered_resps": ["4"],
            "filter": each,
            "exact_match": float(hit),
        }
        for k in range(3)
        for each, hit in (("strict-match", k > 1), ("flexible-extract", k > 0))
    ]
    items = read_items([write(tmp_path, "m", "gsm8k", lines)])
    assert items.tasks == (("gsm8k", "exact_match@strict-match"), ("gsm8k", "exact_match@flexible-extract"))
    assert [each.value for each in aggregates(items)] == pytest.approx([1 / 3, 2 / 3])


def test_pass_at_1_truth_values_and_an_unusual_metric(tmp_path):
    write(tmp_path, "m", "humaneval", [{"doc_id": 0, "pass@1": 1.0}, {"doc_id": 1, "pass@1": 0.0}])
    write(tmp_path, "m", "odd", [{"doc_id": 0, "solved": True}, {"doc_id": 1, "solved": False}])
    items = read_items([tmp_path])
    assert {metric for _, metric in items.tasks} == {"pass@1", "solved"}
    assert [each.value for each in aggregates(items)] == [0.5, 0.5]


def test_results_alone_give_scores_of_tasks_with_their_errors(tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(RESULTS))
    items = read_items(tmp_path / "results.json")
    (found,) = aggregates(items)
    assert (found.value, found.error, found.items) == (0.5, 0.25, 2) and items.models["step"][0] == 3000


def test_samples_count_before_results_and_the_later_evaluation_before_the_earlier(tmp_path):
    place = write(tmp_path, "m", "arc", [choice(0, 0, *TWO, acc=1.0), choice(1, 0, *TWO, acc=1.0)])
    later = [choice(0, 1, *TWO, acc=0.0), choice(1, 1, *TWO, acc=0.0)]
    write(tmp_path, "m", "arc", later, time="2026-01-02T03-04-05.678901")
    results = {**RESULTS, "config": {"model_args": "pretrained=m"}}
    (place / f"results_{TIME}.json").write_text(json.dumps(results))
    (place / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(results))
    items = read_items([tmp_path])
    assert len(items.rows) == 2 and items.rows["right"].to_list() == [1, 1]
    assert "evaluated-again" in {each.code for each in items.findings}


def test_sizes_come_from_a_table_of_models(tmp_path):
    write(tmp_path, "lab__mini-70m", "arc", [choice(0, 0, *TWO, acc=1.0), choice(1, 1, *TWO, acc=0.0)])
    write(tmp_path, "lab__other", "arc", [choice(0, 0, *TWO, acc=1.0), choice(1, 1, *TWO, acc=0.0)])
    (tmp_path / "sizes.csv").write_text("model,params,tokens,family\nlab/mini-70m,70M,1B,mini\n")
    items = read_items([tmp_path / "lab__mini-70m", tmp_path / "lab__other"], models=tmp_path / "sizes.csv")
    row = items.models.row(0, named=True)
    assert (row["N"], row["D"], row["family"]) == (7e7, 1e9, "mini") and items.models["N"][1] is None
    assert [each.message[:40] for each in items.findings if each.code == "unknown-models"]
    (tmp_path / "none.csv").write_text("model,params\nanother,70M\n")
    with pytest.raises(DataError, match="names none of the models mini-70m"):
        read_items([tmp_path / "lab__mini-70m"], models=tmp_path / "none.csv")


@pytest.mark.parametrize(
    "lines, says",
    [
        ([{"prompt": "x"}], "none with doc_id and a score"),
        ([{"doc_id": 0, "bypass": 999}], "none with doc_id and a score"),
        ([], "none with doc_id"),
    ],
)
def test_samples_without_scores_are_refused(tmp_path, lines, says):
    place = write(tmp_path, "m", "arc", lines)
    with pytest.raises(DataError, match=says):
        read_items([next(place.glob("samples*"))])


def test_a_line_cut_short_is_passed_over(tmp_path):
    place = write(tmp_path, "m", "arc", [choice(0, 0, *TWO, acc=1.0), choice(1, 1, *TWO, acc=0.0)])
    with next(place.glob("samples*")).open("a") as file:
        file.write('{"doc_id": 2, "targ')
    assert len(read_items([place]).rows) == 2
