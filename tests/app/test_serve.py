"""One server to a folder of sessions: a second one is refused in a sentence, and the first goes on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from isoflop.app import serve as module
from isoflop.app.serve import _sole_server
from isoflop.app.session import load, read
from isoflop.errors import IsoflopError
from isoflop.lock import NoLockError
from isoflop.logs.importing import import_logs

COMMAND = [sys.executable, "-m", "isoflop", "app", "--no-browser", "--port", "0", "--state"]


@pytest.fixture
def start():
    """A function that starts a server on a folder and returns it with its first line."""
    begun = []

    def run(folder):
        server = subprocess.Popen(
            [*COMMAND, str(folder)],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(server)
        return server, server.stdout.readline()

    yield run
    for server in begun:
        server.kill()
        server.communicate()


def sessions(line):
    address = re.search(r"http://\S+", line)[0]
    return json.loads(urllib.request.urlopen(f"{address}api/start", timeout=60).read())["sessions"]


def test_a_second_server_is_refused_and_the_first_goes_on(start, tmp_path):
    (tmp_path / "same").symlink_to(tmp_path / "state")
    first, line = start(tmp_path / "state")
    assert sessions(line) == []
    second, said = start(tmp_path / "same")
    assert second.wait(60) == 2 and said == ""
    assert re.fullmatch(
        r"Error: another isoflop app keeps its sessions in '.*same', and two would .* \(--state FOLDER\)\n",
        second.stderr.read(),
    )
    assert sessions(line) == []
    other, elsewhere = start(tmp_path / "other")
    assert sessions(elsewhere) == [] and other.poll() is None
    first.send_signal(signal.SIGKILL)  # however a server ends, the folder is free
    first.wait(60)
    assert sessions(start(tmp_path / "state")[1]) == []


def test_a_folder_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    said = r"cannot be used \(Not a directory\); give another: --state FOLDER"
    with pytest.raises(IsoflopError, match=said), _sole_server(tmp_path / "file" / "state"):
        pass


def test_a_system_without_locks_has_its_page(tmp_path, monkeypatch):
    def none(folder, *, patience):
        raise NoLockError("no locks here")

    monkeypatch.setattr(module, "alone", none)
    with _sole_server(tmp_path / "state"):
        assert (tmp_path / "state").is_dir()


def test_what_goes_wrong_while_it_serves_is_not_taken_for_the_lock(tmp_path):
    with pytest.raises(OSError, match="of another kind"), _sole_server(tmp_path / "state"):
        raise OSError("of another kind")


def test_a_server_that_is_stopped_during_a_request_complains_of_nothing(start, tmp_path):
    server, line = start(tmp_path / "state")
    host, port = re.search(r"http://([\d.]+):(\d+)/", line).groups()
    with socket.create_connection((host, int(port))) as client:
        client.sendall(
            f"POST /api/sessions?name=runs.csv HTTP/1.1\r\nHost: {host}:{port}\r\nX-Isoflop: 1\r\n"
            "Content-Type: text/csv\r\nContent-Length: 1000\r\n\r\nN,D,loss\n".encode()
        )
        assert sessions(line) == []  # it serves others while it waits for the rest
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) in (0, -signal.SIGTERM)
    assert server.stderr.read() == ""


def test_a_page_begins_on_the_runs_of_a_store(tmp_path):
    lines = (json.dumps({"step": at, "loss": 5 - at / 10, "n_params": 1e8, "tokens": at * 1e6}) for at in range(1, 9))
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    import_logs([tmp_path / "a.jsonl"], tmp_path / "store")
    session = load(tmp_path / "state", module.open_table(tmp_path / "state", tmp_path / "store"))
    runs = read(session)
    assert runs.text("run") == ["a"] and runs["D"].tolist() == [8e6]
    assert "loss-rule" in {finding.code for finding in runs.findings}  # a store's own, which its table alone lacks
    assert not list(session.folder.rglob("curves"))
    (tmp_path / "store" / "runs.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(IsoflopError, match=r"runs\.parquet cannot be read"):
        module.open_table(tmp_path / "state", tmp_path / "store")
