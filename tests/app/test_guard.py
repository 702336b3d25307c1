"""Who may ask: the host's name, the origin, the token, and the size of a request; the page on a port of its own."""

import asyncio
import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from isoflop.app.bench import Bench
from isoflop.app.guard import MOST_REQUEST, MOST_UPLOAD
from isoflop.app.server import make_app

HOST = "127.0.0.1:8642"
TABLES = Path(__file__).parent / "tables"  # made by changing one byte of a sound table
SECRET = "a-token-of-many-letters"


def asked(root, path="/", *, method="GET", headers=None, body=b"", token=None, hosts=frozenset({HOST}), length=None):
    """Status, headers and body of one request, without a socket."""
    sent = []
    given = {"host": HOST, "content-length": str(len(body) if length is None else length), **(headers or {})}
    path, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8642),
    }  # fmt: skip
    pieces = [body[start : start + 65_536] for start in range(0, len(body), 65_536)] or [b""]
    messages = iter([{"type": "http.request", "body": piece, "more_body": piece is not pieces[-1]} for piece in pieces])

    async def receive():
        return next(messages)

    async def send(message):
        sent.append(message)

    with ThreadPoolExecutor(1) as pool:  # a thread of its own: tests with a browser leave a loop in this one
        pool.submit(asyncio.run, make_app(Bench(root), hosts=hosts, token=token)(scope, receive, send)).result()
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(each.get("body", b"") for each in sent[1:])


def test_the_page_closes_itself_in(tmp_path):
    status, headers, body = asked(tmp_path)
    assert status == 200 and b"<title>isoflop" in body
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert headers[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8642", "127.0.0.1:1", "127.0.0.1:8642.evil.example", ""]
)
def test_a_name_that_points_here_is_not_enough(tmp_path, host):
    assert asked(tmp_path, headers={"host": host})[0] == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example", "x-isoflop": "1"},
        {"origin": "null", "x-isoflop": "1"},
        {"origin": "https://127.0.0.1:8642", "x-isoflop": "1"},
        {"sec-fetch-site": "cross-site", "x-isoflop": "1"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "x-isoflop": "1"},
        {},  # a form of another site cannot set the header
    ],
)
def test_other_sites_change_nothing(tmp_path, headers):
    body = json.dumps({"dataset": "python-bytes"}).encode()
    assert asked(tmp_path, "/api/sessions", method="POST", headers=headers, body=body)[0] == 403
    assert not list(tmp_path.glob("*/session.json"))


def test_other_sites_read_nothing_but_may_link_here(tmp_path):
    foreign = {"sec-fetch-site": "cross-site"}
    assert asked(tmp_path, "/api/start", headers=foreign)[0] == 403
    assert asked(tmp_path, headers={**foreign, "sec-fetch-mode": "navigate"})[0] == 200


def test_a_token_is_asked_of_everything(tmp_path):
    nowhere = frozenset()
    assert asked(tmp_path, token=SECRET, hosts=nowhere)[0] == 403
    assert asked(tmp_path, "/?token=wrong", token=SECRET, hosts=nowhere)[0] == 403
    assert asked(tmp_path, "/web/app.js", token=SECRET, hosts=nowhere)[0] == 403
    status, headers, _ = asked(tmp_path, f"/?token={SECRET}", token=SECRET, hosts=nowhere)
    assert status == 200 and b"HttpOnly; SameSite=Strict" in headers[b"set-cookie"]
    cookie = headers[b"set-cookie"].split(b";")[0].decode()
    assert asked(tmp_path, "/web/app.js", token=SECRET, hosts=nowhere, headers={"cookie": cookie})[0] == 200


def test_a_gigabyte_is_refused_by_its_header_and_by_its_bytes(tmp_path):
    own = {"x-isoflop": "1"}
    status, _, body = asked(tmp_path, "/api/upload?name=a.csv", method="POST", headers=own, length=1_000_000_000)
    assert status == 413 and f"{MOST_UPLOAD:,}".encode() in body
    status, _, body = asked(
        tmp_path, "/api/formula", method="POST", headers=own, body=b" " * (MOST_REQUEST + 1), length=0
    )
    assert status == 413 and not list(tmp_path.iterdir())


def test_a_formula_of_a_megabyte_is_told_in_one_sentence(tmp_path):
    body = json.dumps({"text": "E + A/N^alpha + " * 65_000 + "B"}).encode()
    status, _, said = asked(tmp_path, "/api/formula", method="POST", headers={"x-isoflop": "1"}, body=body)
    assert status == 200 and json.loads(said)["says"].startswith("the formula has 1,040,001 characters; the limit")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("panics", "panics.parquet cannot be read as PARQUET: its bytes are damaged"),
        ("aborts", "aborts.parquet ends the program"),
    ],
)
def test_a_table_that_ends_its_reader_is_told_in_one_sentence(tmp_path, table, says):
    body = (TABLES / f"{table}.parquet").read_bytes()
    query = f"/api/upload?name={table}.parquet"
    status, _, said = asked(tmp_path, query, method="POST", headers={"x-isoflop": "1"}, body=body)
    assert status == 400 and json.loads(said)["says"].startswith(says) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "..%2f..%2fsession.json", "/etc/passwd", "C:\\x\\..\\y.csv", ".."]
)
def test_no_name_from_outside_becomes_a_path(tmp_path, name):
    root = tmp_path / "state"
    body = b"params,tokens,loss\n1e8,1e9,3.0\n2e8,1e9,2.9\n"
    own = {"x-isoflop": "1"}
    from urllib.parse import quote

    asked(root, f"/api/upload?name={quote(name)}", method="POST", headers=own, body=body)
    assert [each for each in tmp_path.rglob("*") if each.is_file() and root not in each.parents] == []
    for path in (f"/web/{name}", f"/s/{name}/r1/fit.json", f"/api/s/{name}"):
        assert asked(root, path)[0] == 404


def test_what_is_no_json_and_who_is_not_there(tmp_path):
    own = {"x-isoflop": "1"}
    assert asked(tmp_path, "/api/formula", method="POST", headers=own, body=b"{")[0] == 400
    assert asked(tmp_path, "/api/formula", method="POST", headers=own, body=b"[1]")[0] == 400
    assert asked(tmp_path, "/api/formula", method="POST", headers=own, body=b'{"text": "\xff"}')[0] == 400
    assert asked(tmp_path, "/api/formula", method="POST", headers=own, body=b"[" * 100_000)[0] == 400
    assert asked(tmp_path, "/api/s/0123456789ab")[0] == 404


def test_an_example_is_opened_labeled_and_followed(tmp_path):
    def sent(path, content):
        status, _, body = asked(
            tmp_path, path, method="POST", headers={"x-isoflop": "1"}, body=json.dumps(content).encode()
        )
        return status, json.loads(body)

    status, refused = sent("/api/examples", {"example": "no-such"})
    assert status == 400 and "there are isoflop-sweep, trained-models, loss-curves" in refused["says"]
    status, opened = sent("/api/examples", {"example": "isoflop-sweep"})
    at = f"/api/s/{opened['id']}"
    assert status == 200
    for kept in ("few-tokens", ["x"] * 1_001):
        status, refused = sent(f"{at}/label", {"kept": kept})
        assert status == 400 and "a list of their codes" in refused["says"]
    status, state = sent(f"{at}/label", {"name": "n" * 300, "kept": ["few-tokens"]})
    assert status == 200 and state["name"] == "n" * 100 and state["kept"] == ["few-tokens"]
    status, _, body = asked(tmp_path, f"{at}/live")
    assert status == 200 and len(json.loads(body)["minima"]) == 9 and json.loads(body)["params"] is None
    for path in (f"{at}/live?task=r1", f"{at}/tasks/r1/copies"):
        status, _, body = asked(tmp_path, path)
        assert status == 400 and "no result 'r1'" in json.loads(body)["says"]


def run(*options):
    command = [sys.executable, "-c", "from isoflop.cli import main; main()", "app", "--no-browser", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_in_use_is_told_in_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("--port", port, "--state", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: port {port} of 127.0.0.1 cannot be used") and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--host", "0.0.0.0"), "can be reached from other machines; give a token"),
        (("--host", "0.0.0.0", "--token", "short"), "can be guessed"),
        (("--port", "0", "nowhere.csv"), "there is no file 'nowhere.csv'"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_sentence(tmp_path, options, says):
    done = run(*options, "--state", str(tmp_path))
    assert done.returncode == 2 and says in done.stderr and done.stderr.count("\n") == 1
