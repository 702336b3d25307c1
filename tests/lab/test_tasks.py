import sysconfig
from pathlib import Path

import numpy as np
import pytest

from isoflop.errors import SpecError
from isoflop.lab.tasks import TaskSpec, digits, open_task, python_text, text_from
from isoflop.lab.tasks.base import shuffled


def test_python_text_is_the_installed_library_split_by_file():
    task = python_text(context=128)
    assert 5e6 < task.unique < 2e7
    assert 0.02 < len(task.held) / (len(task.held) + len(task.training)) < 0.08
    text = task.training.tobytes() + task.held.tobytes()
    argparse = (Path(sysconfig.get_path("stdlib")) / "argparse.py").read_bytes()
    assert argparse in text
    # a file is on one side only
    assert (argparse in task.training.tobytes()) != (argparse in task.held.tobytes())


def test_the_digest_tells_texts_apart_and_stays_for_one():
    assert python_text().digest == python_text().digest
    assert python_text(limit=10_000).digest != python_text().digest


def test_bytes_beyond_the_vocabulary_are_read_as_the_last_of_it(tmp_path):
    (tmp_path / "text").write_bytes("abc é~ xyz ".encode() * 60)
    whole, ascii_only = (text_from(tmp_path / "text", context=11, vocabulary=each) for each in (256, 127))
    assert (whole.classes, ascii_only.classes) == (256, 127)
    np.testing.assert_array_equal(ascii_only.training, np.minimum(whole.training, 126))
    np.testing.assert_array_equal(ascii_only.held, np.minimum(whole.held, 126))
    assert ascii_only.digest != whole.digest


def test_limit_is_the_number_of_unique_bytes():
    assert python_text(context=100, limit=5_000).unique == 5_000


def test_targets_are_the_next_bytes_and_tile_the_text_once_an_epoch():
    task = python_text(context=50, limit=1_000)  # 20 windows
    seen = []
    for step in range(4):
        inputs, targets = task.batch(7, step, 5)
        assert np.array_equal(inputs[:, 1:], targets[:, :-1])
        seen += [bytes(row.astype(np.uint8)) for row in targets]
    tiles = [task.training[start + 1 : start + 51].tobytes() for start in range(0, 1_000, 50)]
    assert sorted(seen) == sorted(tiles)


@pytest.mark.parametrize(("size", "items"), [(3, 10), (10, 10), (7, 5), (25, 4)])
def test_the_stream_of_items_is_a_permutation_an_epoch_wherever_it_is_cut(size, items):
    steps = 12
    stream = np.concatenate([shuffled(5, step * size, size, items) for step in range(steps)])
    whole = shuffled(5, 0, steps * size, items)
    assert np.array_equal(stream, whole)
    for epoch in range(len(whole) // items):
        assert sorted(whole[epoch * items : (epoch + 1) * items]) == list(range(items))
    assert not np.array_equal(shuffled(6, 0, items * 3, items), shuffled(5, 0, items * 3, items))


def test_held_out_windows_never_change():
    first, second = python_text().held_out(64), python_text().held_out(64)
    assert np.array_equal(first[0], second[0])
    assert first[0].shape == (64, 128)


def test_own_text_by_folder_and_by_file(tmp_path):
    for number in range(60):
        (tmp_path / f"part{number}.txt").write_text(f"text of part {number} " * 20)
    folder = text_from(tmp_path, context=16)
    assert len(folder.held) > 0
    assert f"part {5} ".encode() in folder.training.tobytes() + folder.held.tobytes()
    (tmp_path / "one.txt").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "two").mkdir()
    for name in ("a", "b"):
        (tmp_path / "two" / name).write_text(f"file {name} " * 9)
    two = text_from(tmp_path / "two", context=16)
    assert {two.held.tobytes()[:6], two.training.tobytes()[:6]} == {b"file a", b"file b"}
    one = text_from(tmp_path / "one.txt", context=16)
    assert len(one.held) == 128
    assert np.array_equal(np.concatenate([one.training, one.held]), np.tile(np.arange(256, dtype=np.uint8), 10))


def test_text_that_is_absent_or_short_is_one_sentence(tmp_path):
    with pytest.raises(SpecError, match="does not exist; give a text file or a folder"):
        text_from(tmp_path / "nowhere")
    with pytest.raises(SpecError, match="holds no files"):
        text_from(tmp_path)
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(SpecError, match=r"has 4 bytes, fewer than one window of 16 \+ 1"):
        text_from(tmp_path / "short.txt", context=16)


def test_digits_are_split_in_four_to_one():
    pytest.importorskip("sklearn")
    task = digits()
    assert (task.unique, len(task.held), task.features, task.classes) == (1437, 360, 64, 10)
    pixels, labels = task.batch(0, 0, 32)
    assert pixels.shape == (32, 64) and pixels.min() >= 0 and pixels.max() == 1
    assert set(labels) <= set(range(10))
    assert digits(TaskSpec("digits", limit=100)).unique == 100


def test_a_task_is_read_once_a_process():
    spec = TaskSpec("python-text", context=64)
    assert open_task(spec) is open_task(TaskSpec("python-text", context=64))
