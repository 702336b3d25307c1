"""Logs of inspect-ai, as one JSON object and as a zip of parts."""

import json
import zipfile

import pytest

from isoflop.errors import DataError
from isoflop.evals import aggregates, read_items

ABOUT = {"task": "lab/sums", "model": "lab/mini", "created": "2025-01-02T03:04:05+00:00", "config": {"epochs": 2}}


def sample(name, value, epoch=1, scorer="match"):
    return {"id": name, "epoch": epoch, "input": "1 + 1", "target": "2", "scores": {scorer: {"value": value}}}


def packed(place, samples, *, status="success", header="header.json"):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as log:
        log.writestr(header, json.dumps({"version": 2, "status": status, "eval": ABOUT}))
        for each in samples:
            log.writestr(f"samples/{each['id']}_epoch_{each['epoch']}.json", json.dumps(each))
        log.writestr("summaries.json", "[]")
    return place


SAMPLES = [
    sample("a", "C"),
    sample("a", "I", 2),
    sample("b", 1),
    sample("b", True, 2),
    sample("c", "P"),
    sample("c", "0", 2),
]


@pytest.mark.parametrize("form", ["json", "eval"])
def test_both_forms_give_the_same_items_with_epochs_as_repeats(tmp_path, form):
    if form == "eval":
        place = packed(tmp_path / "log.eval", SAMPLES)
    else:
        place = tmp_path / "log.json"
        place.write_text(json.dumps({"version": 2, "status": "success", "eval": ABOUT, "samples": SAMPLES}))
    items = read_items(place)
    assert items.names == ("lab/mini",) and items.tasks == (("sums", "match"),) and len(items.rows) == 6
    (found,) = aggregates(items)
    assert found.value == pytest.approx((0.5 + 1 + 0.25) / 3) and found.items == 3


def test_older_logs_have_one_score_and_dictionaries_count_by_their_first(tmp_path):
    old = [{"id": 1, "epoch": 1, "score": {"value": "C"}}, sample(2, {"right": 0.5, "style": 1}), {"id": 3, "epoch": 1}]
    place = tmp_path / "log.json"
    place.write_text(json.dumps({"version": 1, "status": "error", "eval": ABOUT, "samples": old}))
    items = read_items(place)
    assert items.rows["score"].to_list() == [1.0, 0.5]
    assert {"items-left-out", "evaluation-unfinished"} <= {each.code for each in items.findings}


def test_damaged_logs_are_refused_in_one_sentence(tmp_path):
    whole = packed(tmp_path / "log.eval", SAMPLES).read_bytes()
    (tmp_path / "cut.eval").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.eval is no whole \.eval log .* copy it again"):
        read_items(tmp_path / "cut.eval")
    with pytest.raises(DataError, match="has no header"):
        read_items(packed(tmp_path / "other.eval", [], header="else.json"))
    with pytest.raises(DataError, match="0 samples and no score"):
        read_items(packed(tmp_path / "empty.eval", []))
    flipped = bytearray(whole)
    at = whole.index(b"samples/a_epoch_1.json") + 40
    flipped[at : at + 20] = bytes(20)
    (tmp_path / "flip.eval").write_bytes(bytes(flipped))
    with pytest.raises(DataError, match="damaged"):
        read_items(tmp_path / "flip.eval")


def test_a_folder_of_both_programs_is_read_and_what_cannot_be_is_told(tmp_path):
    packed(tmp_path / "a.eval", SAMPLES)
    (tmp_path / "b.eval").write_bytes(b"PK not a zip")
    line = {"doc_id": 0, "exact_match": 1.0}
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "samples_gsm8k_2025-01-01T00-00-00.jsonl").write_text(json.dumps(line) + "\n")
    items = read_items([tmp_path])
    assert set(items.rows["task"]) == {"sums", "gsm8k"}
    assert [each.code for each in items.findings if "b.eval" in each.message] == ["evaluations-unread"]
