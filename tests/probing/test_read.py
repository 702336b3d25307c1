"""Files of activations: what is read from each kind, and one sentence for each kind of damage."""

import json
import zipfile

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
        "text.parquet": "cannot be read as Parquet .its footer is damaged",
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
    with pytest.raises(DataError, match="would take 512 MB, and at most 512 MB are held; ask for fewer .--samples"):
        read_activations([tmp_path / "huge.npy"])
    assert read_activations([tmp_path / "huge.npy"], samples=5)[0].points.shape == (5, 10)


def header(shape, data=b""):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ("(1000000000000,)", "fewer bytes than its shape|would take|has 1 dim|holds no array"),
        ("(1000000, 1000000)", "fewer bytes than its shape|would take 7,629,395 MB, and at most 4,096 MB are unpacked"),
        ("(-5, 3)", "has the impossible shape .-5, 3."),
        ("(" + "1," * 70 + ")", "has the impossible shape"),
        ("(" * 900, "is no NumPy array"),
        ("(" + "9" * 5000 + ",)", "is no NumPy array"),
        ("(5.0, 3)", "is no NumPy array"),
    ],
)
def test_a_forged_header_is_one_sentence_in_both_kinds_of_file(tmp_path, shape, sentence):
    (tmp_path / "a.npy").write_bytes(header(shape, b"0" * 64))
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("z.npy", header(shape, b"0" * 64))
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match=sentence):
            read_activations([tmp_path / name], samples=50)


def test_what_unpacks_to_more_than_is_held_is_sought_through_piece_by_piece(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(3_000, 700))  # more than one piece of 16 MB
    np.savez_compressed(tmp_path / "a.npz", z=points)
    np.save(tmp_path / "b.npy", points)
    np.savez(tmp_path / "c.npz", z=np.asfortranarray(points))
    packed, plain, columns = (
        read_activations([tmp_path / name], samples=60, seed=3)[0].points for name in ("a.npz", "b.npy", "c.npz")
    )
    assert np.array_equal(packed, plain) and np.array_equal(packed, columns) and packed.shape == (60, 700)
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("z.npy", header("(1000, 2)", b"0" * 16_000))
    with pytest.raises(DataError, match="packed with another method than numpy's"):
        read_activations([tmp_path / "d.npz"])
    with zipfile.ZipFile(tmp_path / "e.npz", "w") as archive:
        for place in range(1_001):
            archive.writestr(f"z{place}.npy", b"")
    with pytest.raises(DataError, match="holds 1,001 arrays, and at most 1,000 are read"):
        read_activations([tmp_path / "e.npz"])


def test_a_list_without_end_in_parquet_is_refused_before_it_is_read(tmp_path):
    pl.DataFrame({"z": [pl.zeros(61_000_000, dtype=pl.Int8, eager=True)]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="holds 61,000,000 values, and at most 60,000,000 are read"):
        read_activations([tmp_path / "a.parquet"])
