"""Many requests, slow ones, and many sessions: the page goes on, and keeps nothing that did not come whole."""

import asyncio
import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from isoflop.app import session as module
from isoflop.app.bench import Bench
from isoflop.app.server import make_app
from isoflop.app.session import SCHEMA, Session, names, save, sessions
from isoflop.app.upload import check
from isoflop.errors import DataError

HOST = "127.0.0.1:8642"
TABLE = b"N,D,loss\n" + b"".join(b"%d,%d,%.3f\n" % (10**7 * i, 10**9 * i, 2 + 1 / i) for i in range(1, 20))


def alone(work):
    """Run a coroutine in a thread with a loop of its own: tests with a browser leave one in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def asked(app, path, receive, *, method="GET", length=0):
    """Status and body of one request whose body comes from ``receive``."""
    sent = []
    path, _, query = path.partition("?")
    headers = {"host": HOST, "x-isoflop": "1", "content-length": str(length)}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8642),
    }  # fmt: skip

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])


def at_once(body=b""):
    """A body that is there at once."""

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


@pytest.fixture
def app(tmp_path):
    return make_app(Bench(tmp_path), hosts=frozenset({HOST}))


def test_two_hundred_requests_at_once_are_all_answered(app):
    async def work():
        formula = json.dumps({"text": "E + A/N^alpha"}).encode()
        many = [
            asked(app, "/api/formula", at_once(formula), method="POST", length=len(formula))
            if number % 2
            else asked(app, "/api/start", at_once())
            for number in range(200)
        ]
        return await asyncio.gather(*many)

    answers = alone(work())
    assert [status for status, _ in answers] == [200] * 200
    assert all("mathml" in json.loads(body) for _, body in answers[1::2])
    assert all("laws" in json.loads(body) for _, body in answers[::2])


def test_a_slow_upload_keeps_nobody_waiting_and_becomes_a_table(app, tmp_path):
    async def work():
        go_on = asyncio.Event()
        pieces = iter([TABLE[:40], TABLE[40:]])

        async def slowly():
            piece = next(pieces)
            if piece == TABLE[40:]:
                await go_on.wait()
            return {"type": "http.request", "body": piece, "more_body": piece == TABLE[:40]}

        upload = asyncio.create_task(asked(app, "/api/upload?name=slow.csv", slowly, method="POST", length=len(TABLE)))
        others = [await asked(app, "/api/start", at_once()) for _ in range(3)]
        assert not upload.done()
        go_on.set()
        return others, await upload

    others, (status, body) = alone(work())
    assert [code for code, _ in others] == [200] * 3
    assert status == 200 and (tmp_path / json.loads(body)["id"] / "slow.csv").read_bytes() == TABLE


def test_an_upload_that_is_broken_off_leaves_nothing(app, tmp_path):
    messages = iter([{"type": "http.request", "body": TABLE[:40], "more_body": True}, {"type": "http.disconnect"}])

    async def broken():
        return next(messages)

    status, _ = alone(asked(app, "/api/upload?name=x.csv", broken, method="POST", length=len(TABLE)))
    assert status == 400 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["keys", "packed"])
def test_a_bomb_is_refused_by_the_process_that_reads_it(tmp_path, monkeypatch, kind):
    """A small file that unpacks to far more than its reader may take; this process never holds it."""
    monkeypatch.setattr("isoflop.app.upload._LONGEST", 60)
    if kind == "keys":  # every row has names of its own
        place = tmp_path / "keys.jsonl"
        rows = (json.dumps({f"k{row}_{i}": i for i in range(40)}) for row in range(2_000))
        place.write_text("\n".join(rows))
    else:
        place = tmp_path / "packed.csv.gz"
        with gzip.open(place, "wb", compresslevel=1) as file:
            for _ in range(1_001):
                file.write(b"0" * 1_000_000)
    with pytest.raises(DataError) as refused:
        check(place)
    assert place.name in str(refused.value)


def many(root, count):
    """Sessions with a date each, the last the youngest; every tenth was left with a task that waits."""
    ids = []
    for number in range(count):
        name = f"{number:012x}"
        (root / name).mkdir()
        task = module.Task("r1", "fit", {}, state="done" if number % 10 else "waiting", drawn=True)
        save(Session(name, root / name, "file", "runs.csv", tasks=(task,)))
        os.utime(root / name / "session.json", (number, number))
        ids.append(name)
    return ids


def test_of_many_sessions_only_the_latest_are_read(tmp_path, monkeypatch):
    ids = many(tmp_path, 60)
    (tmp_path / ids[-2] / "session.json").write_text("null")
    os.utime(tmp_path / ids[-2] / "session.json", (58, 58))
    (tmp_path / "faults").mkdir()
    read = []
    load = module.load
    monkeypatch.setattr(module, "load", lambda root, name: read.append(name) or load(root, name))
    found = sessions(tmp_path, most=5)
    assert [each.id for each in found] == [ids[-1], *ids[-3:-7:-1]] and len(read) == 6
    assert names(tmp_path) == ids[::-1]


def test_what_was_left_in_one_of_many_sessions_is_taken_up(tmp_path, monkeypatch):
    """The page is there before the sessions are looked through; what waits in them is done afterwards."""
    monkeypatch.setattr(Bench, "_ready", lambda self: asyncio.sleep(0))
    done = []

    async def one(self, name, task):
        done.append(name)

    monkeypatch.setattr(Bench, "_one", one)
    ids = many(tmp_path, 30)

    async def work():
        bench = Bench(tmp_path)
        await bench.open()
        assert done == []
        while len(done) < 3:
            await asyncio.sleep(0.01)
        await bench.close()

    alone(asyncio.wait_for(work(), 60))
    assert sorted(done) == ids[::10]


@pytest.mark.parametrize(
    "content",
    [
        "null", "5", "[" * 50, '{"schema": "' + SCHEMA + '"}', "9" * 5_000, '{"a": "\\ud800"}',
        json.dumps({"schema": SCHEMA, "id": "0" * 12, "kind": "file", "source": "../../x.csv", "version": 1,
                    "tasks": [], "dropped": [], "reading": {"columns": {}, "units": {}, "conventions": {},
                                                             "where": ""}}),
    ],
    ids=["null", "number", "deep", "empty", "digits", "half a character", "a path"],
)  # fmt: skip
def test_corrupt_state_is_a_sentence_and_no_more(app, tmp_path, content):
    (tmp_path / ("0" * 12)).mkdir()
    (tmp_path / ("0" * 12) / "session.json").write_text(content)
    status, body = alone(asked(app, f"/api/s/{'0' * 12}", at_once()))
    assert status == 404 and "start a new one" in json.loads(body)["says"]
    assert alone(asked(app, "/api/start", at_once()))[0] == 200
