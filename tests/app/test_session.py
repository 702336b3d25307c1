"""Sessions on disk: whole, found again, and safe from what files and people call themselves."""

import gzip
import json
from dataclasses import replace

import pytest

from isoflop.app.session import Task, file_name, load, new_session, read, save, sessions, used
from isoflop.app.upload import check_size
from isoflop.errors import DataError, IsoflopError, SavedError

TABLE = "params,tokens,loss\n" + "\n".join(f"{10**8 * i},{10**9 * i},{3 - 0.1 * i}" for i in range(1, 9))


@pytest.fixture
def session(tmp_path):
    made = new_session(tmp_path, kind="file", source="runs.csv")
    (made.folder / "runs.csv").write_text(TABLE)
    return save(made)


def test_a_session_comes_back_as_it_was(session, tmp_path):
    reading = replace(session.reading, columns={"N": "params"}, where="N > 2e8")
    task = Task("r1", "fit", {"law": "chinchilla", "dropped": []}, state="done", says="told")
    given = replace(session, reading=reading, dropped=(3, 5), name="Mine", kept=("few-tokens",))
    kept = save(given.with_task(task))
    assert load(tmp_path, session.id) == kept
    assert [each.id for each in sessions(tmp_path)] == [session.id]
    assert len(read(kept)) == 6 and len(used(kept, read(kept))) == 4


def test_a_session_from_before_names_is_read(session, tmp_path):
    place = session.folder / "session.json"
    content = json.loads(place.read_text())
    del content["name"], content["kept"]
    place.write_text(json.dumps(content))
    assert load(tmp_path, session.id) == session
    place.write_text(json.dumps({**content, "kept": [1]}))
    with pytest.raises(SavedError, match="damaged"):
        load(tmp_path, session.id)


def test_rows_are_left_out_by_their_number_in_the_file(session):
    runs = used(replace(session, dropped=(1, 8)), read(session))
    assert runs.rows.tolist() == [2, 3, 4, 5, 6, 7] and "without 2 of its rows" in runs.source
    with pytest.raises(IsoflopError, match="every row is left out"):
        used(replace(session, dropped=tuple(range(1, 9))), read(session))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"schema": "isoflop.session/9"}', b'{"schema": "isoflop.session/1"}']
)
def test_a_damaged_session_is_told_and_passed_over(session, tmp_path, content):
    (session.folder / "session.json").write_bytes(content)
    with pytest.raises(SavedError, match="start a new one"):
        load(tmp_path, session.id)
    assert sessions(tmp_path) == []


@pytest.mark.parametrize("name", ["..", "../x", "0123456789AB", "", "0" * 12])
def test_a_session_is_found_by_its_id_alone(session, tmp_path, name):
    with pytest.raises(SavedError):
        load(tmp_path, name)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("runs.csv", "runs.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\data\\my runs (2).csv", "my runs (2).csv"),
        ("<img src=x>.csv", "_img src_x_.csv"),
        ("...", "runs.csv"),
        ("", "runs.csv"),
        ("session.json", "runs.csv"),
        ("x" * 300 + ".parquet", "x" * 92 + ".parquet"),
    ],
)
def test_an_upload_keeps_only_a_plain_name(said, kept):
    assert file_name(said) == kept


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("isoflop.app.upload.MOST_UNPACKED", 3_000_000)
    place = tmp_path / "bomb.csv.gz"
    place.write_bytes(gzip.compress(b"0,0\n" * 1_000_000))
    assert place.stat().st_size < 20_000
    with pytest.raises(DataError, match="unpacks to more than 3,000,000 bytes"):
        check_size(place)


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("isoflop.app.upload.MOST_ROWS", 5)
    place = tmp_path / "long.csv"
    place.write_text(TABLE)
    with pytest.raises(DataError, match="has 8 rows of 3 columns; the page takes 5 rows"):
        check_size(place)


def test_a_table_is_read_with_computed_columns_and_the_best_rows(session, tmp_path):
    lines = [
        f"{10**8 * i},{steps},{3 - 0.1 * i + 0.01 * lr},{lr}" for i in (1, 2, 3) for steps in (10, 20) for lr in (1, 2)
    ]
    (session.folder / "runs.csv").write_text("\n".join(["params,steps,loss,lr", *lines]))
    reading = replace(session.reading, derive={"D": "steps * 1e8"}, best="loss", per="N, D")
    kept = load(tmp_path, save(replace(session, reading=reading)).id)
    assert kept.reading == reading
    runs = read(kept)
    assert len(runs) == 6 and runs["lr"].tolist() == [1] * 6 and set(runs["D"].tolist()) == {1e9, 2e9}
    assert len(read(replace(kept, reading=replace(reading, best="", per="", frontier="C")))) < 12
    with pytest.raises(DataError, match="nothing"):
        read(replace(kept, reading=replace(reading, per="nothing")))


def test_a_session_of_before_has_no_computed_columns(session, tmp_path):
    path = session.folder / "session.json"
    content = json.loads(path.read_text())
    for name in ("derive", "best", "per", "frontier"):
        del content["reading"][name]
    path.write_text(json.dumps(content))
    assert load(tmp_path, session.id).reading == session.reading
