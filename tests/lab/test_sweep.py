"""Sweeps end to end, with real worker processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("torch")

from isoflop.errors import SpecError
from isoflop.lab.executors import Job, Outcome, connect
from isoflop.lab.executors.local import LocalExecutor
from isoflop.lab.spec import parse_spec
from isoflop.lab.status import Status, read_status, write_status
from isoflop.lab.sweep import perform
from isoflop.lock import HeldError
from isoflop.runs import Runs

HEAD = """
name = "tiny"
[task]
context = 16
[model]
sizes = [{ width = 8, layers = 1, heads = 1 }, { width = 16, layers = 1, heads = 1 }]
[train]
batch = 64
lr = 0.01
[evaluate]
points = 3
windows = 16
"""
TINY = HEAD + '[[design]]\nkind = "grid"\ntokens = [640, 1280]\nseeds = [0, 1]\n'


def swept(text, out, **options):
    return perform(parse_spec(text), out, executor=LocalExecutor(2), **options)


def measured(path):
    """The table without what differs from one start to the next."""
    return pl.read_parquet(path).drop("wall_seconds")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    out = tmp_path_factory.mktemp("tiny")
    heard = []
    return out, swept(TINY, out, watch=heard.append), heard


def test_every_cell_is_a_row_with_all_that_runs_know(tiny):
    out, result, _ = tiny
    assert (result.done, result.diverged, result.failed) == (8, (), ())
    frame = pl.read_parquet(result.runs)
    assert frame.height == 8
    assert frame["run"].n_unique() == 8
    assert set(frame.columns) >= {
        *("run", "family", "N", "N_nonembed", "D", "U", "C", "C_6ND", "loss", "loss_unit", "seed", "schedule", "lr"),
        *("batch", "steps", "wall_seconds", "hardware", "status"),
    }
    assert frame["D"].to_list() == [640, 640, 1280, 1280] * 2
    assert (frame["C_6ND"] == 6.0 * frame["N"] * frame["D"]).all()
    assert (frame["U"] == frame["D"]).all()
    assert frame["N"].unique().sort().to_list() == [8 * 256 + 12 * 64 + 24, 16 * 256 + 12 * 256 + 48]
    assert (out / "spec.toml").read_text() == TINY


def test_the_curves_end_where_the_runs_do(tiny):
    _, result, _ = tiny
    runs = {row["run"]: row for row in pl.read_parquet(result.runs).to_dicts()}
    curves = pl.read_parquet(result.curves)
    last = curves.group_by("run", maintain_order=True).last().to_dicts()
    assert {row["run"]: (row["D"], row["loss"], row["C"]) for row in last} == {
        name: (row["D"], row["loss"], row["C"]) for name, row in runs.items()
    }
    assert curves.height == 2 * 4 + 3 * 4  # of 10 steps the first two of three log-spaced points coincide


def test_the_table_is_ready_for_fitting(tiny):
    frame = pl.read_parquet(tiny[1].runs)
    runs = Runs.from_columns({name: frame[name].to_numpy() for name in ("N", "D", "C", "loss", "lr")})
    assert runs["loss"].min() > 0


def test_progress_rises_to_the_whole(tiny):
    heard = tiny[2]
    work = [each.work_done for each in heard]
    assert work == sorted(work)
    assert heard[-1].done == heard[-1].cells == 8
    assert work[-1] == pytest.approx(heard[-1].work)


def test_a_second_start_trains_nothing(tiny):
    out, result, _ = tiny

    class Refusing:
        slots = 1

        def submit(self, job):
            raise AssertionError(f"{job.name} would be trained again")

        def poll(self):
            return ()

        def cancel(self, name):
            raise AssertionError(name)

        def close(self):
            pass

    before = result.runs.read_bytes()
    again = perform(parse_spec(TINY), out, executor=Refusing())
    assert again.done == 8
    assert again.runs.read_bytes() == before


def test_a_longer_description_keeps_what_is_done(tiny):
    out = tiny[0]
    submitted = []

    class Counting(LocalExecutor):
        def submit(self, job):
            submitted.append(job.name)
            super().submit(job)

    more = perform(parse_spec(TINY.replace("[0, 1]", "[0, 1, 2]")), out, executor=Counting(2))
    assert more.done == 12
    assert len(submitted) == 4 and all("seed2" in name for name in submitted)
    shared = measured(more.runs).filter(pl.col("seed") < 2)
    assert shared.equals(measured(perform(parse_spec(TINY), out, executor=LocalExecutor(1)).runs))


KILLED = HEAD.replace("windows = 16", "windows = 256") + '[[design]]\nkind = "grid"\ntokens = [64e3]\nseeds = [0, 1]\n'


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [True, False], ids=["sweep-and-workers", "sweep-alone"])
def test_a_sweep_killed_thrice_ends_with_the_table_of_one_left_alone(tmp_path, whole_group):
    """SIGKILL at three moments, each in the midst of training, to the sweep with its workers or to the sweep alone."""
    (tmp_path / "spec.toml").write_text(KILLED)
    code = (
        "import sys, pathlib\n"
        "from isoflop.lab.executors.local import LocalExecutor\n"
        "from isoflop.lab.spec import read_spec\n"
        "from isoflop.lab.sweep import perform\n"
        "perform(read_spec(sys.argv[1]), pathlib.Path(sys.argv[2]), executor=LocalExecutor(2, save_every=0.2))\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "spec.toml"), str(tmp_path / "killed")]
    kills = 0
    checkpoints = 0
    for attempt in range(8):
        process = subprocess.Popen(words, start_new_session=True)
        started_at = steps_done(tmp_path / "killed")
        while kills < 3 and process.poll() is None:
            # wait until this start has itself trained on, then kill; the moment differs from kill to kill
            if steps_done(tmp_path / "killed") > started_at + 40 * kills:
                time.sleep(0.13 * kills)
                if whole_group:
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
                kills += 1
                checkpoints += len(list((tmp_path / "killed").glob("cells/*/checkpoint.pt")))
                break
            time.sleep(0.02)
        if process.wait() == 0:
            break
        assert attempt < 7
    assert kills == 3
    assert checkpoints > 0
    alone = swept(KILLED, tmp_path / "alone")
    assert alone.done == 4
    assert measured(tmp_path / "killed" / "runs.parquet").equals(measured(alone.runs))
    assert measured(tmp_path / "killed" / "curves.parquet").equals(measured(alone.curves))


def steps_done(out):
    return sum(read_status(path.parent).step for path in out.glob("cells/*/status.json"))


def test_diverged_cells_are_recorded_as_diverged(tmp_path):
    wild = HEAD.replace("lr = 0.01", 'lr = 1e3\noptimiser = "sgd"\nclip = 0')
    result = swept(wild + '[[design]]\nkind = "grid"\ntokens = [1280]\n', tmp_path)
    assert result.done == 0
    assert len(result.diverged) == 2 and all("the loss reached" in says for _, says in result.diverged)
    frame = pl.read_parquet(result.runs)
    assert frame["status"].to_list() == ["diverged"] * 2
    assert frame["loss"].null_count() == 2


def test_the_search_chooses_the_rate_with_the_lowest_loss(tmp_path):
    text = HEAD.replace("lr = 0.01", "lr = { search = [1e-5, 0.01], tokens = 1280 }")
    result = swept(text + '[[design]]\nkind = "grid"\ntokens = [640]\n', tmp_path)
    assert pl.read_parquet(result.runs)["lr"].to_list() == [0.01, 0.01]
    assert result.done == 2  # the trials are not runs of the table
    assert len(list((tmp_path / "search").iterdir())) == 4


COMMAND = """
[command]
run = "{python} train.py {{how}} {{width}}"
[command.values]
how = ["fine", "silent", "crash"]
width = [4, 8]
"""

PROGRAM = """
import json, sys
how, width = sys.argv[1], int(sys.argv[2])
if how == "crash":
    raise SystemExit("no GPU here")
if how == "fine":
    print(json.dumps({"loss": 8 / width, "params": width, "tokens": 100}))
"""


def test_a_users_program_that_fails_costs_its_own_cell_only(tmp_path):
    (tmp_path / "train.py").write_text(PROGRAM)
    spec = parse_spec(COMMAND.format(python=sys.executable), base=tmp_path)
    result = perform(spec, tmp_path / "out", executor=LocalExecutor(2))
    assert result.done == 2
    frame = pl.read_parquet(result.runs)
    assert frame["N"].to_list() == [4, 8] and frame["loss"].to_list() == [2.0, 1.0]
    reasons = [says for _, says in result.failed]
    assert len(reasons) == 4
    assert sum("printed no metrics" in says for says in reasons) == 2
    assert sum("exit code 1; its last line was 'no GPU here'" in says for says in reasons) == 2
    # mended, it is tried again, and what was done is kept
    (tmp_path / "train.py").write_text(PROGRAM.replace('how == "crash"', "False").replace('how == "fine"', "True"))
    again = perform(spec, tmp_path / "out", executor=LocalExecutor(2))
    assert (again.done, again.failed) == (6, ())


def test_no_space_fails_the_cell_and_not_the_sweep(tmp_path):
    """A real limit on file size that lets the small files pass and stops the checkpoint of the larger model."""
    code = (
        "import pathlib, resource, signal, sys\n"
        "from isoflop.lab.executors.local import LocalExecutor\n"
        "from isoflop.lab.spec import parse_spec\n"
        "from isoflop.lab.sweep import perform\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))\n"
        "spec = parse_spec(sys.stdin.read())\n"
        "result = perform(spec, pathlib.Path(sys.argv[1]), executor=LocalExecutor(2, save_every=0.0))\n"
        "print(result.done, *(says for _, says in result.failed), sep='\\n')\n"
    )
    text = HEAD + '[[design]]\nkind = "grid"\ntokens = [1280]\n'
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], input=text, capture_output=True, text=True, check=True
    )
    count, *reasons = done.stdout.splitlines()
    assert count == "1"
    assert len(reasons) == 1
    assert reasons[0].startswith("no space to write checkpoint.pt (")
    assert pl.read_parquet(tmp_path / "runs.parquet")["N"].to_list() == [8 * 256 + 12 * 64 + 24]
    # with room again, the sweep ends whole
    assert swept(text, tmp_path).done == 2


def test_two_sweeps_do_not_share_a_folder(tmp_path):
    import fcntl

    with (tmp_path / ".lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(HeldError, match="another process is at work in .*; wait for it, end it, or use"):
            swept(TINY, tmp_path)


class Scripted:
    """An executor that does what its script says in place of running the job."""

    slots = 4

    def __init__(self, script):
        self.script, self.flying, self.cancelled, self.submitted = script, [], [], 0

    def submit(self, job: Job) -> None:
        self.submitted += 1
        self.script(job)
        self.flying.append(job.name)

    def poll(self):
        return ()

    def cancel(self, name: str) -> None:
        self.cancelled.append(name)

    def close(self) -> None:
        pass


def one(extra=""):
    return parse_spec(HEAD + extra + '[[design]]\nkind = "grid"\ntokens = [640]\nsizes = ["8x1"]\n')


def test_a_job_that_hangs_in_silence_is_given_up(tmp_path):
    def hang(job):
        write_status(job.folder, Status("running", started=time.time()))
        file = job.folder / "status.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "beat": time.time() - 100}))

    executor = Scripted(hang)
    result = perform(one("[limits]\npatience = 1\n"), tmp_path, executor=executor)
    assert result.failed[0][1] == "it gave no sign of life for 1 s"
    assert len(executor.cancelled) == 1 and executor.submitted == 1


def test_a_job_past_its_deadline_is_given_up_though_it_beats(tmp_path):
    executor = Scripted(lambda job: write_status(job.folder, Status("running", started=time.time() - 100)))
    result = perform(one("[limits]\nseconds = 10\n"), tmp_path, executor=executor)
    assert result.failed[0][1] == "it passed its deadline of 10 s and did not stop"
    assert len(executor.cancelled) == 1


def test_a_job_that_the_place_loses_is_tried_once_more(tmp_path):
    class Losing(Scripted):
        def poll(self):
            lost, self.flying = self.flying, []
            return tuple(Outcome(name, "the node died") for name in lost)

    executor = Losing(lambda job: None)
    result = perform(one(), tmp_path, executor=executor)
    assert executor.submitted == 2
    assert [says for _, says in result.failed] == ["the node died"]


def test_a_worker_killed_by_hand_is_replaced_and_its_cell_finished(tmp_path):
    class Killing(LocalExecutor):
        killed = False

        def poll(self):
            for worker in self._pool:
                if not self.killed and worker.job and read_status(worker.job.folder).state == "running":
                    worker.process.send_signal(signal.SIGKILL)
                    self.killed = True
            return super().poll()

    executor = Killing(1)
    result = perform(one(), tmp_path, executor=executor)
    assert executor.killed
    assert (result.done, result.failed) == (1, ())


def test_executors_have_names_and_options(tmp_path):
    assert connect("local", workers=3, logs=tmp_path, options={"save_every": "5"}).slots == 3
    with pytest.raises(SpecError, match="unknown executor 'lokal'; it can be local, slurm, ray"):
        connect("lokal", workers=1, logs=tmp_path)
    with pytest.raises(SpecError, match="--executor local has no option 'save'; did you mean 'save_every'"):
        connect("local", workers=1, logs=tmp_path, options={"save": "5"})
    with pytest.raises(SpecError, match="save_every='often' is not a number"):
        connect("local", workers=1, logs=tmp_path, options={"save_every": "often"})


def test_the_worker_performs_a_folder_by_its_command_line(tmp_path):
    """What a SLURM or Ray adapter runs: ``job.argv``."""
    from isoflop.lab.cell import as_json
    from isoflop.lab.design import cells_of

    (cell,) = cells_of(one())
    (tmp_path / "cell.json").write_text(json.dumps(as_json(cell)))
    done = subprocess.run(Job("x", tmp_path, 60.0).argv, check=False)
    assert done.returncode == 0
    assert read_status(tmp_path).state == "done"
    assert json.loads((tmp_path / "result.json").read_bytes())["row"]["D"] == 640
    assert not Path(tmp_path / "checkpoint.pt").exists()
