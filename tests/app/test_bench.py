"""The queue of the page outlives what happens to a task: its session deleted, the disk full, its process killed."""

import asyncio
import os
import resource
import shutil
import signal
import time

import pytest

from isoflop.app import bench as module
from isoflop.app.bench import Bench
from isoflop.app.requests import checked
from isoflop.app.session import load, new_session, read, save
from isoflop.files import NoSpaceError

PATIENCE = 120  # seconds, on a loaded machine


class Page:
    """A queue with the sessions that a test opens in it."""

    def __init__(self, root, runs):
        self.bench, self.root = Bench(root), root
        rows = zip(*(runs[each].tolist() for each in ("N", "D", "loss")), strict=True)
        self.text = "params,tokens,loss\n" + "\n".join(",".join(map(repr, row)) for row in rows)

    async def session(self):
        made = new_session(self.root, kind="file", source="runs.csv")
        (made.folder / "runs.csv").write_text(self.text)
        return (await self.bench.add(made)).id

    async def ask(self, name, draws=20):
        session = self.bench.get(name)
        kind, settings = checked(session, {"kind": "fit", "law": "chinchilla", "draws": draws}, read(session))
        return (await self.bench.ask(name, kind, settings)).id

    async def until(self, name, task, holds):
        end = time.monotonic() + PATIENCE
        while not holds(self.bench.get(name).task(task)):
            assert time.monotonic() < end, self.bench.get(name).task(task)
            await asyncio.sleep(0.02)
        return self.bench.get(name).task(task)

    async def ended(self, name, task):
        return await self.until(name, task, lambda each: each.state not in ("waiting", "running"))

    async def works(self, name=None):
        """Whether a fit that is asked now is done."""
        name = name or await self.session()
        task = await self.ended(name, await self.ask(name))
        return task.state == "done" and load(self.root, name).task(task.id).state == "done"


@pytest.fixture
def on_page(tmp_path, known_runs):
    """A function that runs a test's own on an open page."""

    def run(test):
        async def opened():
            page = Page(tmp_path / "state", known_runs(0.01))
            await page.bench.open()
            try:
                await test(page)
            finally:
                await page.bench.close()

        asyncio.run(opened())

    return run


def limit_files(worker, size):
    """The largest file that a process may write, as on a disk that is full."""
    _, most = resource.prlimit(worker.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (size, most))


def test_a_session_is_deleted_while_its_pictures_are_drawn(on_page):
    async def test(page):
        name = await page.session()
        await page.ended(name, await page.ask(name))
        while not page.bench._drawing:
            await asyncio.sleep(0.01)
        await page.bench.remove(name)
        assert not (page.root / name).exists()
        assert await page.works()
        assert not (page.root / name).exists()  # nothing was written there afterwards

    on_page(test)


def test_a_table_that_is_gone_is_said_and_the_next_task_works(on_page):
    async def test(page):
        name = await page.session()
        await page.works(name)  # the process is busy with its pictures while the folder goes
        task = await page.ask(name)
        shutil.rmtree(page.root / name)
        failed = await page.ended(name, task)
        assert failed.state == "failed" and failed.says
        assert await page.works()

    on_page(test)


def test_a_disk_that_fills_during_a_fit_is_said_and_the_next_fit_works(on_page, monkeypatch):
    async def test(page):
        name = await page.session()
        assert await page.works(name)
        task = await page.ask(name, draws=2_000)
        await page.until(name, task, lambda each: each.state == "running")

        def full(session):
            raise NoSpaceError("no space to write session.json")

        worker = page.bench._worker
        limit_files(worker, 0)
        with monkeypatch.context() as patched:
            patched.setattr(module, "save", full)
            failed = await page.ended(name, task)
            assert failed.state == "failed" and "no space to write" in failed.says
            with pytest.raises(NoSpaceError):  # what is asked now is refused and not half done
                await page.ask(name)
            assert page.bench.get(name).task(task) == failed
        limit_files(worker, resource.RLIM_INFINITY)
        assert await page.works(name)
        assert load(page.root, name).task(task).says == failed.says  # written with the next change

    on_page(test)


def test_pictures_that_cannot_be_drawn_are_drawn_when_more_is_asked(on_page):
    async def test(page):
        name = await page.session()
        task = await page.ask(name)
        await page.ended(name, task)
        limit_files(page.bench._worker, 0)
        left = await page.until(name, task, lambda each: each.undrawn)
        assert left.state == "done" and "no space to write" in left.undrawn
        limit_files(page.bench._worker, resource.RLIM_INFINITY)
        assert await page.works(name)
        assert (name, task) in [*page.bench._undrawn, page.bench._now]

    on_page(test)


def test_a_process_killed_while_idle_is_replaced_unseen(on_page):
    async def test(page):
        name = await page.session()
        assert await page.works(name)
        await page.bench.remove(name)
        os.kill((await page.bench._ready()).pid, signal.SIGKILL)
        assert await page.works()

    on_page(test)


def test_a_process_killed_while_busy_fails_its_task_and_no_other(on_page):
    async def test(page):
        name = await page.session()
        task = await page.ask(name, draws=20_000)
        await page.until(name, task, lambda each: each.share > 0)
        os.kill(page.bench._worker.pid, signal.SIGKILL)
        failed = await page.ended(name, task)
        assert failed.state == "failed" and "it was ended by SIGKILL; memory may have run out" in failed.says
        assert load(page.root, name).task(task).says == failed.says
        assert await page.works(name)

    on_page(test)


def test_what_nobody_foresaw_fails_its_task_and_no_other(on_page, monkeypatch, capsys):
    async def test(page):
        name = await page.session()
        with monkeypatch.context() as patched:
            patched.setattr(module.json, "loads", None)  # whatever the process says cannot be read
            task = await page.bench.ask(name, "fit", {})
            failed = await page.ended(name, task.id)
        assert failed.state == "failed" and "could not go on with it (TypeError: " in failed.says
        assert "Traceback" in capsys.readouterr().err  # for whoever mends it
        assert await page.works(name)

    on_page(test)


def test_a_stopped_task_is_not_taken_up_again(on_page):
    async def test(page):
        name = await page.session()
        first, second = await page.ask(name, draws=20_000), await page.ask(name, draws=20_000)
        await page.until(name, first, lambda each: each.share > 0)
        for task in (second, first):
            await page.bench.stop(name, task)
        assert await page.works(name)
        assert [page.bench.get(name).task(each).state for each in (first, second)] == ["stopped", "stopped"]

    on_page(test)


def test_what_was_left_behind_is_done_by_the_next_queue(on_page, tmp_path):
    async def test(page):
        name = await page.session()
        task = await page.ask(name, draws=20_000)
        await page.until(name, task, lambda each: each.share > 0)
        await page.bench.close()
        page.bench = Bench(page.root)
        save(page.bench.get(name))
        await page.bench.open()
        await page.until(name, task, lambda each: each.state == "running" and each.share > 0)

    on_page(test)
