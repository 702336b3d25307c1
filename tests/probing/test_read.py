"""Files of activations: what is read from each kind, and one sentence for each kind of damage."""

import json

import numpy as np
import polars as pl
import pytest

from isoflop.errors import DataError, IsoflopError
from isoflop.probing import read_activations
from isoflop.probing.containers import LARGEST

POINTS = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
LABELS = np.arange(60) % 3


def safetensors(path, tensors, *, kind="F32", cut=0):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, array in tensors.items():
        held = array.tobytes()
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(held)]}
        data += held
    text = json.dumps(header).encode()
    whole = len(text).to_bytes(8, "little") + text + data
    path.write_bytes(whole[: len(whole) - cut])
    return path


def test_every_kind_of_file_holds_the_same_array(tmp_path):
    np.savez(tmp_path / "a.npz", hidden=POINTS, y=LABELS)
    np.save(tmp_path / "b.npy", POINTS)
    safetensors(tmp_path / "c.safetensors", {"hidden": POINTS})
    pl.DataFrame({f"h{k}": POINTS[:, k] for k in range(3)} | {"label": LABELS}).write_parquet(tmp_path / "d.parquet")
    pl.DataFrame({"hidden": POINTS.tolist(), "label": LABELS}).write_parquet(tmp_path / "e.parquet")
    half = (POINTS.view(np.uint32) >> 16).astype(np.uint16)
    safetensors(tmp_path / "f.safetensors", {"hidden": half}, kind="BF16")
    found = read_activations([tmp_path])
    assert [each.checkpoint for each in found] == list("abcdef")
    for each in found[:5]:
        assert np.array_equal(each.points, POINTS)
    assert found[5].points == pytest.approx(POINTS, rel=0.01)
    for each in (found[0], found[3], found[4]):
        assert np.array_equal(each.labels, LABELS)


def test_checkpoints_come_in_the_order_of_their_numbers_and_labels_from_a_file(tmp_path):
    for step in (100, 20, 3):
        np.save(tmp_path / f"step{step}.npy", POINTS)
    (tmp_path / "labels").mkdir()
    np.save(tmp_path / "labels" / "y.npy", LABELS)
    found = read_activations([tmp_path], labels=str(tmp_path / "labels" / "y.npy"), samples=50, seed=4)
    assert [each.checkpoint for each in found] == ["step3", "step20", "step100"]
    assert len(found[0].points) == 50 and found[0].total == 60
    rows = [np.flatnonzero((point == POINTS).all(axis=1))[0] for point in found[0].points]
    assert np.array_equal(found[0].labels, LABELS[rows])


def test_pickles_are_never_loaded(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "p.npz", hidden=np.array([{"a": 1}], dtype=object))
    for name in ("p.npy", "p.npz"):
        with pytest.raises(DataError, match="pickled Python objects, which are never loaded"):
            read_activations([tmp_path / name])


def test_damage_is_one_sentence(tmp_path):
    np.savez(tmp_path / "a.npz", hidden=POINTS, labels=LABELS[:50])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:300])
    np.save(tmp_path / "b.npy", POINTS)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:300])
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.parquet").write_text("no table")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "long.safetensors").write_bytes((2**60).to_bytes(8, "little") + b"{}")
    safetensors(tmp_path / "cut.safetensors", {"hidden": POINTS}, cut=8)
    safetensors(tmp_path / "odd.safetensors", {"hidden": POINTS}, kind="F8_E4M3")
    (tmp_path / "word.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, sentence in {
        "a.npz": "labels have 50 samples and the activations of .* 60",
        "cut.npz": "is no .npz file, or is cut short",
        "cut.npy": "is cut short: it has fewer bytes",
        "text.npy": "is no NumPy array",
        "text.parquet": "is no Parquet file",
        "empty.safetensors": "is no safetensors file, or is cut short",
        "long.safetensors": "is no safetensors file, or is cut short",
        "cut.safetensors": "is cut short: 'hidden' ends beyond the file",
        "odd.safetensors": "is 'F8_E4M3'; save it as float32",
        "word.txt": "does not end in .npz, .npy, .parquet, .safetensors",
        "absent.npz": "there is no file",
        "empty": "holds no file that ends in",
    }.items():
        with pytest.raises(DataError, match=sentence):
            read_activations([tmp_path / name])
    with pytest.raises(DataError, match="has no array 'other'; it has 'hidden'"):
        read_activations([tmp_path / "a.npz"], arrays=["other"])
    with pytest.raises(DataError, match="--labels 'kinds' is no array of"):
        read_activations([tmp_path / "a.npz"], labels="kinds")
    with pytest.raises(IsoflopError, match="no file of activations was given"):
        read_activations([])


def test_a_huge_array_is_refused_before_it_is_loaded(tmp_path):
    """A sparse file: its size is on paper alone."""
    rows = LARGEST // 4 // 10 + 1
    with (tmp_path / "huge.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (rows, 10)})
        file.truncate(file.tell() + rows * 40)
    with pytest.raises(DataError, match="has 4.0 GiB and is loaded up to 4"):
        read_activations([tmp_path / "huge.npy"])
    assert read_activations([tmp_path / "huge.npy"], samples=5)[0].points.shape == (5, 10)
