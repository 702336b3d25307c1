"""Finding logs: folders, links, globs, what is not there, what is another program's, what grows meanwhile."""

import gzip
import json
import os
from pathlib import Path

import polars as pl
import pytest

from isoflop.logs import LogError, LoggedRun, Unread, find_logs, read_found, read_logs
from isoflop.logs.hashed_file import Digest, Lines
from isoflop.logs.readers import READERS
from isoflop.logs.scrub import settings_of, tells_where

LINES = "iter 0: loss 3.0, time 1ms\niter 1: loss 2.5, time 1ms\n"


def test_every_reader_says_what_it_looks_for_and_is_told_where_nothing_lies(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("# nothing")
    with pytest.raises(LogError) as caught:
        list(read_logs(tmp_path))
    for reader in READERS:
        assert reader.looks_for in str(caught.value)
    assert len({reader.format for reader in READERS}) == len(READERS)


@pytest.mark.parametrize(
    ("path", "says"), [("absent", "there is no 'absent'; check the path"), ("*.nothing", "nothing matches '*.nothing'")]
)
def test_what_is_not_there(path: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LogError) as caught:
        list(read_logs(path))
    assert says in str(caught.value)


def test_an_unknown_format_and_a_long_path(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no reader is called 'comet'; there are wandb, wandb-files, aim, tensorboard"):
        find_logs(tmp_path, format="comet")
    for odd in ("x" * 5_000, "a\0b"):
        with pytest.raises(LogError, match="check the path"):
            find_logs(odd)


def without_rights(monkeypatch: pytest.MonkeyPatch, *closed: Path) -> None:
    """Refuse to open some paths, as the system would refuse anybody but its administrator."""
    opened, listed = Path.open, os.scandir

    def refuse(path: Path) -> None:
        if path in closed:
            raise PermissionError(13, "Permission denied", str(path))

    def open_if_allowed(path: Path, *how: str) -> object:
        refuse(path)
        return opened(path, *how)

    def list_if_allowed(path: Path) -> object:
        refuse(path)
        return listed(path)

    monkeypatch.setattr(Path, "open", open_if_allowed)
    monkeypatch.setattr(os, "scandir", list_if_allowed)


def test_what_may_not_be_opened_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.log").write_text(LINES)
    without_rights(monkeypatch, tmp_path / "a" / "train.log", tmp_path / "b")
    shut, also, run = read_logs(tmp_path)
    assert isinstance(run, LoggedRun)
    assert (shut, also) == (
        Unread("a/train.log", "a/train.log cannot be opened (Permission denied); give yourself the right to read it"),
        Unread("b", "b cannot be opened (Permission denied); give yourself the right to read it"),
    )
    without_rights(monkeypatch, tmp_path / "c")
    with pytest.raises(LogError, match=r"^nothing that is read lies in '.*': a/train.log cannot be .* \(and 2 more\)$"):
        list(read_logs(tmp_path))


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "train.log").write_text(LINES)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "latest").symlink_to(tmp_path / "a")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert [found.source for found in find_logs(tmp_path)] == ["a/train.log"]
    with pytest.raises(LogError, match=r"(leads nowhere or in a circle|cannot be opened)"):
        find_logs(tmp_path / "self")
    outside = tmp_path / "view"
    outside.mkdir()
    (outside / "runs").symlink_to(tmp_path / "a")
    assert [found.source for found in find_logs(outside)] == ["runs/train.log"]


def test_a_pipe_is_no_log(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    (tmp_path / "train.log").write_text(LINES)
    assert [found.source for found in find_logs(tmp_path)] == ["train.log"]
    with pytest.raises(LogError, match="neither a file nor a folder"):
        find_logs(tmp_path / "pipe.log")


def test_globs(tmp_path: Path) -> None:
    for name in ("a1", "a2", "b1"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.log").write_text(LINES)
    assert [found.source for found in find_logs(tmp_path / "a*" / "*.log")] == ["a1/train.log", "a2/train.log"]


def test_one_bad_log_does_not_stop_the_others(tmp_path: Path) -> None:
    (tmp_path / "b.wandb").write_bytes(b"no")
    (tmp_path / "c.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    (tmp_path / "d.jsonl").write_text('{"step": 1, "loss": \n')
    header = "step,loss," + ",".join(f"{number * 7919 % 10_007:x}" for number in range(2_000))
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(header.encode() + b"\n1,2\n", mtime=0)[:1_000])
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "trainer_state.json").write_text('{"log_history": [')
    (tmp_path / "z.log").write_text(LINES)
    found = list(read_logs(tmp_path))
    unread = {entry.source: entry.says for entry in found if isinstance(entry, Unread)}
    assert set(unread) == {"b.wandb", "c.parquet", "d.jsonl", "e.csv.gz", "exp"}
    assert [entry.source for entry in found if isinstance(entry, LoggedRun)] == ["z.log"]
    for says in unread.values():
        assert "\n" not in says
        assert len(says) < 400
        assert str(tmp_path) not in says


def test_a_log_that_grows_is_read_to_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "train.log"
    file.write_text(LINES)
    digest = Digest()
    with digest.file(file) as opened:
        lines = iter(Lines(opened, longest=4096))
        first = next(lines)
        with file.open("a") as more:
            more.write("iter 2: loss 2.0, time 1ms\n" * 100_000)
        assert [first, *lines] == LINES.splitlines()
    [before] = [Digest().update(LINES.encode()).hexdigest()]
    assert digest.hexdigest() == before


def test_settings_are_flat_and_tell_of_nobody() -> None:
    config = {
        "optimizer": {"lr": 3e-4, "betas": [0.9, 0.95]},
        "layers": [{"width": 8}, {"width": 16}],
        "none": None, "big": 10**400,
        "data_dir": "/home/alice/data", "win": "C:\\Users\\alice", "share": "\\\\nas\\alice",
        "cmd": "train --out=/scratch/x",
        "home": "x", "host": "node17", "slurm.nodelist": "n[1-4]", "url": "https://wandb.ai/alice", "mail": "a@b.org",
        "tilde": "~/runs", "ratio": "1/2", "model": "EleutherAI/pythia-70m", "note": "a/b and c",
    }  # fmt: skip
    settings, findings = settings_of(config)
    assert settings == {
        "optimizer.lr": 3e-4, "optimizer.betas": "0.9 0.95", "layers.0.width": 8, "layers.1.width": 16,
        "big": float("inf"), "ratio": "1/2", "model": "EleutherAI/pythia-70m", "note": "a/b and c",
    }  # fmt: skip
    assert findings[0].message.startswith("settings that hold paths, addresses or names")
    for secret in ("alice", "node17", "scratch"):
        assert secret not in repr(findings)


@pytest.mark.parametrize("text", ["/data/x", "x=/data", "'/data'", "~/x", "~bob/x", "s3://b/x", "bob@h.org", "a:/b"])
def test_what_tells_where(text: str) -> None:
    assert tells_where(text)


@pytest.mark.parametrize("text", ["a/b", "1e-4", "acc@strict-match", "lr/decay", "a - b", "~5", "train/loss", "N/A"])
def test_what_does_not(text: str) -> None:
    assert not tells_where(text)


def test_metrics_at_steps_of_their_own_do_not_blow_up(tmp_path: Path) -> None:
    """2,000 metrics of 50 points each at distinct steps would make a table of 1.6 GB."""
    from isoflop.logs.curves import Curves

    curves = Curves()
    for metric in range(2_000):
        for step in range(50):
            curves.add(f"m{metric}", metric * 50 + step, 1.0)
    for step in range(1_000):
        curves.add("loss", step, float(step))
    frame, findings = curves.table()
    assert frame.estimated_size() < 150e6
    assert frame["loss"].drop_nulls().to_list() == [float(step) for step in range(1_000)]
    assert [finding.code for finding in findings] == ["too-wide"]


def test_a_state_of_another_program(tmp_path: Path) -> None:
    (tmp_path / "trainer_state.json").write_text(json.dumps({"weights": [1, 2]}))
    [unread] = read_logs(tmp_path)
    assert "has no log_history" in unread.says


def test_a_store_of_tables_elsewhere_says_what_fails() -> None:
    with pytest.raises(LogError, match="check the address and your credentials"):
        list(read_logs("http://127.0.0.1:9/x.parquet"))


def test_polars_reads_a_table_by_address(tmp_path: Path) -> None:
    import http.server
    import threading

    pl.DataFrame({"step": [0, 1], "loss": [3.0, 2.0]}).write_parquet(tmp_path / "curve.parquet")

    class Ranges(http.server.BaseHTTPRequestHandler):
        """As much of HTTP as an object store has: parts of a file."""

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            data = (tmp_path / "curve.parquet").read_bytes()
            asked = self.headers.get("Range", "").removeprefix("bytes=")
            start, _, end = asked.partition("-")
            first = int(start) if start else max(0, len(data) - int(end or len(data)))
            last = min(int(end) if start and end else len(data) - 1, len(data) - 1)
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(last + 1 - first))
            self.send_header("Accept-Ranges", "bytes")
            if asked:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data[first : last + 1])

        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ranges) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        [run] = read_logs(f"http://127.0.0.1:{server.server_port}/curve.parquet")
        server.shutdown()
    assert (run.name, run.source) == ("curve", "curve.parquet")
    assert run.history["loss"].to_list() == [3.0, 2.0]


def test_a_log_that_vanishes_is_told_without_its_folder(tmp_path: Path) -> None:
    (tmp_path / "train.log").write_text(LINES)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    found = find_logs(tmp_path)
    for entry in found:
        entry.files[0].unlink()
    for entry in found:
        [unread] = read_found(entry)
        assert isinstance(unread, Unread)
        assert unread.source in ("train.log", "a.parquet")
        assert str(tmp_path) not in unread.says
