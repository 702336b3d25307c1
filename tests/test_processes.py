"""Work in processes: as many as there are cores and pieces at most, and none that outlives its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import pytest

from isoflop import processes
from isoflop.processes import side_by_side


@pytest.mark.parametrize(("jobs", "items", "started"), [(40, 3, 3), (40, 100, 4), (-1, 100, 4), (2, 100, 2)])
def test_no_more_processes_than_cores_and_pieces(monkeypatch, jobs, items, started):
    asked = []

    class Parallel:
        def __init__(self, n_jobs, return_as):
            asked.append(n_jobs)

        def __call__(self, tasks):
            return [function(*given) for function, given, _ in tasks]

    monkeypatch.setattr(joblib, "cpu_count", lambda: 4)
    monkeypatch.setattr(joblib, "Parallel", Parallel)
    assert list(side_by_side(abs, range(-items, 0), jobs=jobs)) == list(range(items, 0, -1))
    assert asked == [started]


def test_one_piece_of_work_starts_no_process(monkeypatch):
    monkeypatch.setattr(joblib, "Parallel", None)
    assert list(side_by_side(abs, [-3], jobs=40)) == [3]
    assert list(side_by_side(abs, [-3, 4], jobs=1)) == [3, 4]


def test_work_that_lets_go_of_the_lock_is_done_by_threads_of_this_process(monkeypatch):
    monkeypatch.setattr(joblib, "Parallel", None)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 2)
    meet = threading.Barrier(2, timeout=60)  # passed only by two that work at the same time

    def work(item):
        meet.wait()
        return item * item, os.getpid()

    found = list(side_by_side(work, range(4), jobs=2, unlocked=True))
    assert found == [(item * item, os.getpid()) for item in range(4)]


PARENT = """
import os, sys, time
from isoflop.processes import side_by_side
def work(place):
    open(place, "w").write(str(os.getpid()))
    time.sleep(300)
def main():
    import joblib
    joblib.cpu_count = lambda: 2
    list(side_by_side(work, sys.argv[1:], jobs=2))
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_children_end_with_their_parent(tmp_path):
    places = [tmp_path / "a", tmp_path / "b"]
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), *map(str, places)], stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 120
        while not all(each.exists() and each.read_text() for each in places) and time.monotonic() < until:
            time.sleep(0.05)
        children = [int(each.read_text()) for each in places]
        assert os.getpid() not in children and parent.pid not in children
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    while any(map(alive, children)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, children))


def alive(process):
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_is_not_a_child_of_ours_is_not_watched(monkeypatch):
    monkeypatch.setattr(processes, "_watching", [])
    assert processes._Watched(abs, os.getpid())(-2) == 2  # this process itself
    assert processes._watching == []
