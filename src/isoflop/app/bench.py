"""``Bench``: the sessions at hand, the queue of tasks, and the one process that works on them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from isoflop.app.session import REPORTS, Session, Task, forget, load, names, save
from isoflop.errors import IsoflopError, SavedError

_MOST_TASKS = 200  # in one session
_LINE = 1 << 20
_LONGEST = 300
_NO_ANSWER = "the working process ended without an answer"
_SLICE = 0.5  # seconds after which somebody who waits for news looks whether the server is closing


class Bench:
    """Sessions are frozen values; this is the one place that replaces them, saves them and tells who waits.

    A task is done in a process of its own, one at a time: stopping it ends the process, and a new one takes over.
    prior: a file with the prior of the model error in what is asked; the shipped one where None.
    """

    def __init__(self, root: Path, *, prior: Path | None = None) -> None:
        self.root = root
        self.prior = prior
        self.closing = False  # set when the server is told to stop: nobody is kept waiting then
        self._held: dict[str, Session] = {}
        self._queue: deque[tuple[str, str]] = deque()
        self._undrawn: deque[tuple[str, str]] = deque()
        self._now: tuple[str, str] | None = None
        self._drawing = False  # whether it is the pictures of what is done that are made now
        self._worker: Process | None = None
        self._wake = asyncio.Event()
        self._changed = asyncio.Condition()
        self._loop: asyncio.Task[None] | None = None
        self._search: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start working; tasks that an earlier server left behind are taken up again."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.create_task(self._work())
        self._search = asyncio.create_task(self._take_up())

    async def _take_up(self) -> None:
        """Look through the sessions on disk, however many, for what was left behind, while the page is served."""
        for name in await asyncio.to_thread(names, self.root):
            if name not in self._held:
                with contextlib.suppress(SavedError):
                    session = await asyncio.to_thread(load, self.root, name)
                    if name not in self._held and any(map(_unfinished, session.tasks)):
                        self._hold(session)

    def _hold(self, session: Session) -> Session:
        """Hold a session that was read from disk, and take up what an earlier server left behind in it."""
        for task in session.tasks:
            if task.state in ("waiting", "running"):
                session = session.with_task(replace(task, state="waiting", share=0.0))
                self._queue.append((session.id, task.id))
            elif _unfinished(task):
                self._undrawn.append((session.id, task.id))
        self._held[session.id] = session
        self._wake.set()
        return session

    async def close(self) -> None:
        """Stop; what was running is taken up by the next server."""
        for each in (self._search, self._loop):
            if each is not None:
                each.cancel()
                await asyncio.gather(each, return_exceptions=True)
        await self._end_worker()
        async with self._changed:
            self._changed.notify_all()

    def get(self, name: str) -> Session:
        """A session by its id; raises SavedError where there is none."""
        if name not in self._held:
            return self._hold(load(self.root, name))
        return self._held[name]

    async def change(self, name: str, by: Callable[[Session], Session]) -> Session:
        """Replace a session by what ``by`` makes of it, save it, and tell everybody who waits for news of it."""
        return await self.add(by(self.get(name)))

    async def add(self, session: Session, *, keep: bool = True) -> Session:
        """Hold a new state of a session; ``keep`` writes it to disk."""
        held = save(session) if keep else replace(session, version=session.version + 1)
        self._held[session.id] = held
        async with self._changed:
            self._changed.notify_all()
        return held

    async def remove(self, name: str) -> None:
        """Forget a session and its files; work on it ends first, so that nothing is written there any more."""
        session = self.get(name)
        for task in session.tasks:
            await self.stop(name, task.id)
        if self._now is not None and self._now[0] == name:
            await self._end_worker()
        self._queue = deque(each for each in self._queue if each[0] != name)
        self._undrawn = deque(each for each in self._undrawn if each[0] != name)
        self._held.pop(name, None)
        forget(session)

    async def news(self, name: str, after: int, seconds: float) -> Session:
        """The session as soon as its version is above ``after``, or after some seconds as it is."""

        async def newer() -> None:
            async with self._changed:
                await self._changed.wait_for(lambda: self.get(name).version > after)

        until = asyncio.get_running_loop().time() + seconds
        while self.get(name).version <= after and asyncio.get_running_loop().time() < until and not self.closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(newer(), _SLICE)
        return self.get(name)

    async def ask(self, name: str, kind: str, settings: Mapping[str, Any]) -> Task:
        """Put a task at the end of the queue."""
        session = self.get(name)
        if len(session.tasks) >= _MOST_TASKS:
            raise IsoflopError(f"this session holds {_MOST_TASKS} results; remove some first")
        number = 1 + max((int(each.id[1:]) for each in session.tasks), default=0)
        task = Task(f"r{number}", kind, settings)
        await self.change(name, lambda held: held.with_task(task))
        self._queue.append((name, task.id))
        for each in self._held[name].tasks:  # what kept pictures from being drawn, such as a full disk, may be over
            if each.undrawn and (name, each.id) not in self._undrawn:
                self._undrawn.append((name, each.id))
        self._wake.set()
        return task

    async def stop(self, name: str, task: str) -> None:
        """Stop a task, whether it waits or runs; one that is finished stays as it is."""
        if (name, task) in self._queue:
            self._queue.remove((name, task))
            await self._set(name, task, state="stopped", says="stopped before it began")
        elif self._now == (name, task) and not self._drawing:
            await self._set(name, task, state="stopped", says="stopped")
            await self._end_worker()

    async def _work(self) -> None:
        """Take one task after another, for ever: the queue outlives whatever a task, its files or its process do."""
        with contextlib.suppress(OSError):  # a process that cannot be started now is told of when a task needs it
            await self._ready()
        while True:
            while not self._queue and not self._undrawn:
                self._wake.clear()
                await self._wake.wait()
            self._drawing = not self._queue  # pictures are drawn one at a time, whenever nothing else is asked
            name, task = self._now = (self._undrawn if self._drawing else self._queue).popleft()
            try:
                await (self._draw(name, task) if self._drawing else self._one(name, task))
            except Exception as error:  # noqa: BLE001  (said to the user; the terminal has the rest)
                traceback.print_exc()
                await self._end_worker()  # what it would say next answers nothing that is asked
                why = f"the page's server could not go on with it ({type(error).__name__}: {error}); ask again"
                if self._drawing:
                    await self._set(name, task, undrawn=why[:_LONGEST])
                else:
                    await self._set(name, task, state="failed", says=why[:_LONGEST])
            finally:
                self._now = None

    async def _draw(self, name: str, task: str) -> None:
        """Draw the next picture of an answer; of what cannot be drawn the task says why."""
        if self._task(name, task) is None:
            return
        said: dict[str, Any] = {}
        async for news in self._news_of(name, task, draw=True):
            said = news
        if self._task(name, task) is None:
            return
        if said.get("left"):
            self._undrawn.appendleft((name, task))
        elif "left" in said:
            await self._set(name, task, drawn=True, undrawn="")
        else:
            await self._set(name, task, undrawn=f"The report was not drawn: {said.get('failed', _NO_ANSWER)}")

    async def _one(self, name: str, task: str) -> None:
        await self._set(name, task, state="running")
        begun = self._task(name, task)
        if begun is None or begun.state == "stopped":
            return
        async for said in self._news_of(name, task, draw=False):
            if "done" in said:
                later = begun.kind in REPORTS
                await self._set(name, task, state="done", share=1.0, says=said["done"], drawn=not later)
                if later and self._task(name, task) is not None:
                    self._undrawn.append((name, task))
                elif not later:
                    await self._write_again(name, task)
            elif "failed" in said:
                await self._set(name, task, state="failed", says=said["failed"])
            elif "share" in said:
                await self._set(name, task, keep=False, share=said["share"], doing=said["doing"])

    def _task(self, name: str, task: str) -> Task | None:
        """A task, or None where it or its session is gone."""
        held = self._held.get(name)
        return None if held is None else next((each for each in held.tasks if each.id == task), None)

    async def _write_again(self, name: str, task: str) -> None:
        """The reports of the fits on whose rows a ranking or a backtest was done: it stands in them from now on."""
        if name not in self._held:
            return
        session = self._held[name]
        for each in session.tasks:
            if each.kind in REPORTS and each.drawn and session.task(task) in session.beside(each):
                await self._set(name, each.id, drawn=False)
                self._undrawn.append((name, each.id))

    async def _news_of(self, name: str, task: str, *, draw: bool) -> AsyncIterator[dict[str, Any]]:
        """What the working process says of one task, until it is through with it.

        A process that ended before it said anything is started anew, once; one that ended later is news too, as
        ``failed``, unless it was told to end.
        """
        for again in (False, True):
            worker = await self._ready()
            assert worker.stdin is not None and worker.stdout is not None
            worker.stdin.write(json.dumps({"session": name, "task": task, "draw": draw}).encode() + b"\n")
            heard = False
            while line := await worker.stdout.readline():
                said = json.loads(line)
                if "ready" in said:
                    continue
                heard = True
                yield said
                if said.keys() & {"done", "failed", "left"}:
                    return
            if self._worker is not worker:  # stopped by its user
                return
            code = await worker.wait()
            self._worker = None
            if heard or again:
                yield {"failed": _ended(code)}
                return

    async def _set(self, name: str, task: str, *, keep: bool = True, **changes: Any) -> None:  # noqa: ANN401
        """Change fields of a task, unless its session is gone or the task was stopped meanwhile.

        Where the session cannot be written, as on a full disk, the change is held, and written with the next one.
        """
        held = self._task(name, task)
        if held is None or held.state == "stopped":
            return
        session = self._held[name].with_task(replace(held, **changes))
        try:
            await self.add(session, keep=keep)
        except (IsoflopError, OSError):
            await self.add(session, keep=False)

    async def _ready(self) -> Process:
        """The working process, started where there is none."""
        if self._worker is None or self._worker.returncode is not None:
            self._worker = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "isoflop.app.worker", str(self.root)),
                stdin=PIPE,
                stdout=PIPE,
                limit=_LINE,
                env={**os.environ, "MPLBACKEND": "Agg"},
            )
        return self._worker

    async def _end_worker(self) -> None:
        worker, self._worker = self._worker, None  # whoever listens to it sees that it was told to end
        if worker is not None and worker.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()


def _unfinished(task: Task) -> bool:
    return task.state in ("waiting", "running") or (task.state == "done" and not task.drawn)


def _ended(code: int) -> str:
    """Why a working process may have ended, from its exit code."""
    if code >= 0:
        return f"{_NO_ANSWER} (exit code {code}); see the terminal"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = "; memory may have run out: leave rows out, or ask for fewer draws" if -code == signal.SIGKILL else ""
    return f"{_NO_ANSWER}: it was ended by {name}{hint}"
