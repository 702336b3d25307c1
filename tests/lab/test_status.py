import errno
import os
import time

import pytest

from isoflop import files
from isoflop.lab.status import FILE, Status, read_status, write_status


def test_a_status_survives_its_file_with_a_sign_of_life(tmp_path):
    write_status(tmp_path, Status("running", step=3, steps=10, started=5.0))
    status = read_status(tmp_path)
    assert (status.state, status.step, status.steps, status.pid) == ("running", 3, 10, os.getpid())
    assert time.time() - status.beat < 5
    assert not status.final


@pytest.mark.parametrize("content", [b"", b"{", b'{"state": "done", "odd": 1}', b"[]"])
def test_a_torn_file_is_a_cell_that_waits(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    assert read_status(tmp_path).state == "waiting"
    assert read_status(tmp_path / "nowhere").state == "waiting"


def test_the_last_word_fits_on_a_full_disk(tmp_path, monkeypatch):
    write_status(tmp_path, Status("running"))
    size = (tmp_path / FILE).stat().st_size

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    write_status(tmp_path, Status("failed", says="no space " * 300))
    assert read_status(tmp_path).state == "failed"
    assert (tmp_path / FILE).stat().st_size == size
