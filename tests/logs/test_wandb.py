"""Weights & Biases: an offline run by the real package, one that was killed, and records in the older spelling."""

import json
import math
import struct
import zlib
from pathlib import Path

import pytest
from tests.logs.conftest import loss, written_by

from isoflop.logs import LoggedRun, Unread, read_logs


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_by("wandb_offline.py", tmp_path_factory.mktemp("wandb"), needs="wandb")


def test_every_value_of_an_offline_run(offline: Path) -> None:
    [run] = read_logs(offline)
    assert isinstance(run, LoggedRun)
    assert (run.name, run.format, run.status) == ("tiny", "wandb", "finished")
    assert run.history["step"].to_list() == list(range(2_000))
    assert run.history["train.loss"].to_list() == [loss(step) for step in range(2_000)]
    assert math.isnan(run.history["grad"][3])
    assert run.history["grad"][1_999] == 1_999
    assert run.settings == {"optimizer.lr": 3e-4, "n_params": 1000}
    assert run.results == {"best": 1.5}
    [left_out] = run.findings
    assert left_out.message.endswith("not taken: data, user.")
    assert "text" not in run.metrics


def test_nothing_of_the_machine_is_told(offline: Path) -> None:
    [run] = read_logs(offline)
    told = repr(run) + run.source
    for secret in ("alice", str(offline), "/home"):
        assert secret not in told
    assert run.source.startswith("wandb/run-")


def test_a_killed_run_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    [run] = read_logs(written_by("wandb_offline.py", tmp_path, "kill", "300", needs="wandb"))
    assert isinstance(run, LoggedRun)
    assert run.status == "unknown"
    assert "no-end" in [finding.code for finding in run.findings]
    steps = run.history["step"].to_list()
    assert 50 < len(steps) <= 300
    assert steps == list(range(len(steps)))
    assert run.history["train.loss"].to_list() == [loss(step) for step in steps]


def _field(number: int, value: bytes) -> bytes:
    """A field of bytes in a protobuf message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _log(records: list[bytes]) -> bytes:
    """A .wandb file of these records, cut into fragments at the ends of blocks."""
    out = b":W&B\xe1\xbe\x00"
    for record in records:
        first = True
        while first or record:
            room = 32_768 - len(out) % 32_768
            if room < 7:
                out += b"\0" * room
                continue
            part, record = record[: room - 7], record[room - 7 :]
            kind = (1 if not record else 2) if first else (4 if not record else 3)
            out += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            first = False
    return out


def _history(step: int, **values: object) -> bytes:
    items = b"".join(
        _field(1, _field(1, name.encode()) + _field(16, json.dumps(value).encode())) for name, value in values.items()
    )
    return _field(2, items + _field(2, b"\x08" + _varint(step)))


def test_nested_values_under_one_key_as_older_releases_write_them(tmp_path: Path) -> None:
    rows = [_history(step, train={"loss": loss(step), "aux": {"z": 1}}, pad="x" * 500) for step in range(400)]
    (tmp_path / "run-old.wandb").write_bytes(_log(rows))
    [run] = read_logs(tmp_path)
    assert run.history["train.loss"].to_list() == [loss(step) for step in range(400)]
    assert run.history["train.aux.z"].to_list() == [1.0] * 400


def test_the_trainers_own_count_of_steps_wins(tmp_path: Path) -> None:
    rows = [_history(call, **{"train/global_step": call * 50, "train/loss": loss(call)}) for call in range(20)]
    (tmp_path / "run-hf.wandb").write_bytes(_log(rows))
    [run] = read_logs(tmp_path)
    assert run.history["step"].to_list() == list(range(0, 1_000, 50))


def test_a_resumed_run_is_one_run(tmp_path: Path) -> None:
    for start, end, shift in ((0, 100, 0.0), (60, 80, 1.0)):
        folder = tmp_path / f"run-2026010{1 + start // 60}_000000-abc"
        folder.mkdir()
        rows = [_history(step, loss=loss(step) + shift) for step in range(start, end)]
        (folder / "run-abc.wandb").write_bytes(_log(rows))
    [run] = read_logs(tmp_path)
    assert run.history["loss"].to_list() == [loss(step) + (step >= 60) for step in range(80)]
    assert "restarted" in [finding.code for finding in run.findings]


def test_a_damaged_block_costs_its_records_only(tmp_path: Path) -> None:
    data = bytearray(_log([_history(step, loss=loss(step), pad="x" * 500) for step in range(400)]))
    data[40_000] ^= 0xFF
    (tmp_path / "run-a.wandb").write_bytes(data)
    [run] = read_logs(tmp_path)
    assert "damaged" in [finding.code for finding in run.findings]
    steps = run.history["step"].to_list()
    assert 300 < len(steps) < 400
    assert run.history["loss"].to_list() == [loss(step) for step in steps]


def test_another_programs_file(tmp_path: Path) -> None:
    (tmp_path / "run-a.wandb").write_bytes(b"SQLite format 3\0" + b"\0" * 100)
    [unread] = read_logs(tmp_path, format="wandb")
    assert isinstance(unread, Unread)
    assert "does not begin as a Weights & Biases file does" in unread.says
