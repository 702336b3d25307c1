"""Event files by three writers, every one of 50,000 points."""

from pathlib import Path

import numpy as np
import pytest
from tests.logs.conftest import loss, written_by

from isoflop.logs import LoggedRun, read_logs
from isoflop.logs.checksum import masked, masked_many

WHOLE = np.array([loss(step) for step in range(50_000)], dtype=np.float32).astype(float)


@pytest.fixture(scope="module")
def by_tensorboardx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensorboardx")
    return written_by("event_files.py", folder, "tensorboardX", needs="tensorboardX")


def _event_file(folder: Path) -> bytes:
    [file] = (folder / "x").iterdir()
    return file.read_bytes()


def _runs(folder: Path) -> dict[str, LoggedRun]:
    return {run.name: run for run in read_logs(folder) if isinstance(run, LoggedRun)}


def test_tensorboardx(by_tensorboardx: Path) -> None:
    runs = _runs(by_tensorboardx)
    assert set(runs) == {"x", "restarted", "unstepped"}
    assert runs["x"].history["train/loss"].to_list() == WHOLE.tolist()
    assert runs["x"].history["wall"].is_sorted()

    again = runs["restarted"]
    expected = [loss(step) + (60 if step >= 60 else 0) for step in range(80)]
    assert again.history["loss"].to_numpy() == pytest.approx(np.float32(expected), abs=0)
    assert [finding.code for finding in again.findings] == ["restarted"]

    assert runs["unstepped"].history["step"].to_list() == list(range(100))
    assert [finding.code for finding in runs["unstepped"].findings] == ["no-steps"]


@pytest.mark.parametrize("points", [2_000, pytest.param(50_000, marks=pytest.mark.slow)])
def test_tensor_style_scalars_of_kerass_two_folders(tmp_path: Path, points: int) -> None:
    runs = _runs(written_by("event_files.py", tmp_path, "tensorboard", str(points), needs="tensorboard"))
    assert set(runs) == {"keras"}
    history = runs["keras"].history
    assert history["train/epoch_loss"].to_list() == WHOLE[:points].tolist()
    shifted = np.array([loss(step) + 1 for step in range(points)], dtype=np.float32).astype(float)
    assert history["validation/epoch_loss"].to_list() == shifted.tolist()
    assert runs["keras"].settings == {"lr": 3e-4, "model": "gpt", "bias": True}


@pytest.mark.slow
def test_torch_writes_classic_and_new_style(tmp_path: Path) -> None:
    runs = _runs(written_by("event_files.py", tmp_path, "torch", needs="torch tensorboard"))
    history = runs["torch"].history
    assert history["loss"].to_list() == WHOLE.tolist()
    assert history["new"].drop_nulls().to_list() == WHOLE[:100].tolist()
    assert set(runs["torch"].metrics) == {"loss", "new"}


def test_host_names_leave_no_trace(by_tensorboardx: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "Nov22_06-24-17_ada-laptop.local"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1795330030.ada-laptop.local.4711.0").write_bytes(_event_file(by_tensorboardx))
    [run] = read_logs(tmp_path / "runs")
    assert run.source == run.name == "Nov22_06-24-17"


def test_a_file_cut_within_a_record(by_tensorboardx: Path, tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.1.box").write_bytes(_event_file(by_tensorboardx)[:100_007])
    [run] = read_logs(tmp_path)
    assert [finding.code for finding in run.findings] == ["cut-short"]
    points = run.history.height
    assert points > 2_000
    assert run.history["train/loss"].to_list() == WHOLE[:points].tolist()


def test_a_flipped_bit_costs_one_point(by_tensorboardx: Path, tmp_path: Path) -> None:
    data = bytearray(_event_file(by_tensorboardx))
    data[data.index(b"train/loss", 100_000) + 12] ^= 1  # within the value of one point
    (tmp_path / "events.out.tfevents.1.box").write_bytes(data)
    [run] = read_logs(tmp_path)
    assert [finding.code for finding in run.findings] == ["damaged"]
    assert run.history.height == 49_999


def test_checksums_agree_with_the_published_one() -> None:
    # RFC 3720, B.4: CRC-32C of 32 zero bytes is 8a9136aa
    check = 0x8A9136AA
    expected = (((check >> 15) | (check << 17)) + 0xA282EAD8) & 0xFFFFFFFF
    assert masked(b"\0" * 32) == expected
    assert masked_many([b"\0" * 32, b"123456789", b"", b"\0" * 32]).tolist() == [
        expected, masked(b"123456789"), masked(b""), expected,
    ]  # fmt: skip
