"""Downloading, checking and caching, against a server on this machine."""

import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isoflop.errors import DataError
from isoflop.runs import datasets
from isoflop.runs.datasets import download
from isoflop.runs.datasets.registry import Copy, Dataset, Source, SourceFile, Table

LOCAL = Path(os.environ.get("ISOFLOP_DATASETS") or Path(__file__).parents[2] / "../shared/data")
BODY = b"N,D,loss\n" + b"".join(b"%d,%d,3.5\n" % (n, 20 * n) for n in range(1000, 1200))
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server:
    """Answers every request with ``answer(handler)`` and counts them."""

    def __init__(self):
        self.answer = lambda handler: respond(handler, BODY)
        self.asked = []
        self.stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                try:
                    outer.answer(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def log_message(self, *words):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.stop.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


def respond(handler, body, *, status=200, length=None):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("ISOFLOP_DATASETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return tmp_path / "isoflop" / "datasets"


@pytest.fixture
def tiny(monkeypatch):
    """A registered data set of one file to download and one derived."""
    source = Source("owner/name", COMMIT, "MIT")
    copy = Copy("runs.csv", len(BODY), hashlib.sha256(BODY).hexdigest())
    original = SourceFile("tiny", source, "data/a run.csv", copy)
    derived = SourceFile("tiny", source, "data/*.json", Copy("wide.csv", 5, "0" * 64), derived="joined")
    tables = tuple(Table(name, file, 200, {"N": "N"}) for name, file in (("runs", original), ("wide", derived)))
    dataset = Dataset("tiny", "Tiny", "nobody", ("L(N, D)",), (original, derived), tables)
    monkeypatch.setattr(download, "find", lambda name: (dataset, tables[1] if name == "tiny/wide" else tables[0]))
    return dataset


def kept(cache):
    return [path for path in cache.rglob("*") if path.is_file()]


def test_a_file_comes_from_the_pinned_commit_once(server, cache, tiny):
    first = datasets.get("tiny", host=server.host)
    (got,) = first.obtained
    assert got.origin == "download"
    assert got.path == cache / "tiny" / "runs.csv"
    assert got.path.read_bytes() == BODY
    assert server.asked == [f"/owner/name/{COMMIT}/data/a%20run.csv"]
    assert [file.label for file in first.left] == ["tiny/wide.csv"]
    (again,) = datasets.get("tiny/runs", host=server.host).obtained
    assert (again.origin, again.path) == ("cache", got.path)
    assert len(server.asked) == 1
    assert kept(cache) == [got.path]  # no temporary file is left


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache, tiny):
    (got,) = datasets.get("tiny", host=server.host).obtained
    got.path.write_bytes(BODY[:-1] + b"X")  # same length, other bytes
    with pytest.raises(DataError, match=r"runs.csv is damaged .*: isoflop datasets --get tiny$"):
        datasets.locate(tiny, tiny.tables[0])
    (again,) = datasets.get("tiny", host=server.host).obtained
    assert again.origin == "download"
    assert got.path.read_bytes() == BODY
    assert datasets.locate(tiny, tiny.tables[0]).origin == "cache"


def test_another_digest_keeps_nothing(server, cache, tiny):
    server.answer = lambda handler: respond(handler, BODY[:-2] + b"6\n")
    with pytest.raises(DataError, match=r"SHA-256 [0-9a-f]{64} where [0-9a-f]{64} is registered; nothing was kept"):
        datasets.get("tiny", host=server.host)
    assert kept(cache) == []


def test_another_digest_leaves_what_was_kept(server, cache, tiny):
    path = cache / "tiny" / "runs.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"old")
    server.answer = lambda handler: respond(handler, BODY[:-2] + b"6\n")
    with pytest.raises(DataError, match="nothing was kept"):
        datasets.get("tiny", host=server.host)
    assert kept(cache) == [path] and path.read_bytes() == b"old"


def test_a_truncated_body(server, cache, tiny):
    server.answer = lambda handler: respond(handler, BODY[:100], length=len(BODY))
    with pytest.raises(DataError, match=rf"(ended after 100 of {len(BODY)} bytes|IncompleteRead)"):
        datasets.get("tiny", host=server.host)
    assert kept(cache) == []


def test_a_short_file(server, cache, tiny):
    server.answer = lambda handler: respond(handler, BODY[:100])
    with pytest.raises(DataError, match=rf"ended after 100 of {len(BODY)} bytes; nothing was kept"):
        datasets.get("tiny", host=server.host)


def test_more_than_the_registered_size_is_not_read(server, cache, tiny):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        while not server.stop.is_set():
            handler.wfile.write(bytes(65_536))

    server.answer = endless
    with pytest.raises(DataError, match=rf"sends more than the registered {len(BODY)} bytes; nothing was kept"):
        datasets.get("tiny", host=server.host)
    assert kept(cache) == []


def test_a_file_that_is_gone(server, cache, tiny):
    server.answer = lambda handler: respond(handler, b"404: Not Found", status=404)
    with pytest.raises(DataError, match=r"answered 404 \(Not Found\); nothing was kept.*ISOFLOP_DATASETS"):
        datasets.get("tiny", host=server.host)
    assert kept(cache) == []


def test_no_answer_in_time(server, cache, tiny):
    server.answer = lambda handler: server.stop.wait(30)
    with pytest.raises(DataError, match=r"could not be fetched \(no answer in time\); check the network"):
        datasets.get("tiny", host=server.host, timeout=0.2)


def test_a_trickle_meets_the_deadline(server, cache, tiny):
    def trickle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(BODY)))
        handler.end_headers()
        for byte in BODY:
            if server.stop.wait(0.02):
                return
            handler.wfile.write(bytes([byte]))

    server.answer = trickle
    with pytest.raises(DataError, match=r"no answer in time"):
        datasets.get("tiny", host=server.host, timeout=5, deadline=0.3)
    assert kept(cache) == []


def test_no_network(cache, tiny):
    closed = Server()
    closed.close()
    with pytest.raises(DataError, match=r"could not be fetched \(.*refused.*\); check the network, or point ISOFLOP"):
        datasets.get("tiny", host=closed.host)


def test_an_answer_that_is_no_http(server, cache, tiny):
    server.answer = lambda handler: handler.wfile.write(b"hello\r\n\r\n")
    with pytest.raises(DataError, match=r"could not be fetched \("):
        datasets.get("tiny", host=server.host)


def test_a_cache_that_cannot_be_written(server, cache, tiny):
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"could not be written \(.*\); set XDG_CACHE_HOME"):
        datasets.get("tiny", host=server.host)


def test_a_name_of_which_nothing_can_be_downloaded(server, cache, tiny):
    with pytest.raises(DataError, match=r"'tiny/wide' cannot be downloaded: tiny/wide.csv was derived .*\(joined\)"):
        datasets.get("tiny/wide", host=server.host)
    assert server.asked == []


def test_a_mirror_is_used_and_not_the_network(server, cache, tiny, monkeypatch, tmp_path):
    folder = tmp_path / "mirror" / "tiny"
    folder.mkdir(parents=True)
    (folder / "runs.csv").write_bytes(BODY)
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tmp_path / "mirror"))
    (got,) = datasets.get("tiny/runs", host=server.host).obtained
    assert (got.origin, got.path) == ("mirror", folder / "runs.csv")
    with pytest.raises(DataError, match=r"the mirror .* has no tiny/wide.csv"):
        datasets.get("tiny", host=server.host)
    assert server.asked == [] and kept(cache) == []


def test_the_cache_serves_as_a_mirror(server, cache, tiny, monkeypatch):
    datasets.get("tiny", host=server.host)
    monkeypatch.setenv("ISOFLOP_DATASETS", str(cache))
    assert datasets.locate(tiny, tiny.tables[0]).origin == "mirror"


def test_two_at_once_leave_one_whole_file(server, cache, tiny):
    failures = []

    def one():
        try:
            datasets.get("tiny", host=server.host)
        except DataError as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.read_bytes() for path in kept(cache)] == [BODY]


@pytest.mark.skipif(not LOCAL.is_dir(), reason="no mirror of the public run tables; set ISOFLOP_DATASETS to its folder")
def test_a_public_table_from_download_to_runs(server, cache, monkeypatch):
    body = (LOCAL / "epoch-chinchilla" / "svg_extracted_data.csv").read_bytes()
    server.answer = lambda handler: respond(handler, body)
    with pytest.raises(DataError, match="isoflop datasets --get epoch-chinchilla"):
        datasets.load("epoch-chinchilla")
    datasets.get("epoch-chinchilla/runs", host=server.host)
    assert server.asked == [
        "/epoch-research/analyzing-chinchilla/92258837425e1b5f2851d624287f0120583a3d0e/data/svg_extracted_data.csv"
    ]
    fetched = datasets.load("epoch-chinchilla")
    monkeypatch.setenv("ISOFLOP_DATASETS", str(LOCAL))
    assert fetched.digest == datasets.load("epoch-chinchilla").digest


def test_where_the_cache_is(monkeypatch):
    monkeypatch.setattr(download.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert download.cache_folder() == Path("/somewhere/isoflop/datasets")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored
    assert download.cache_folder() == Path.home() / ".cache/isoflop/datasets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert download.cache_folder() == Path.home() / ".cache/isoflop/datasets"
    monkeypatch.setattr(download.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert download.cache_folder() == Path("/local/isoflop/datasets")


def test_the_host_is_reached_over_tls():
    assert download.HOST.startswith("https://")
