"""The page's server: routes that read what was asked, let the library answer, and write it as JSON or HTML."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from isoflop.app.bench import Bench
from isoflop.app.copies import copies
from isoflop.app.doubts import doubts
from isoflop.app.examples import example
from isoflop.app.examples import write as write_example
from isoflop.app.guard import MOST_UPLOAD, Guard, TooLargeError
from isoflop.app.live import live
from isoflop.app.requests import checked, formula, menu
from isoflop.app.session import Reading, Session, file_name, forget, new_session, read, used
from isoflop.app.tables import Table, groupings, read_table
from isoflop.app.upload import check, receive
from isoflop.app.views import start_view, state_view
from isoflop.errors import DataError, FormulaError, IsoflopError, SavedError
from isoflop.version import VERSION

MEDIA = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".toml": "text/plain",
}
_FILE = re.compile(
    r"(?:answer\.html|answer\.json|data\.json|law\.js|report\.html|fit\.json|study\.toml|\d{1,3}-[\w-]{1,80}\.svg)"
)
_VERSION = re.compile(r"-?[0-9]{1,15}")
_WAIT = 20.0
_HELD_TABLES = 6
_LONGEST_NAME = 100
_MOST_KEPT = 1_000


def make_app(bench: Bench, *, hosts: frozenset[str], token: str | None = None) -> Guard:
    """The whole page as an ASGI application. hosts, token: see :class:`Guard`."""

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        await bench.open()
        yield
        await bench.close()

    page = _Page(bench)
    routes = [
        Route("/", page.home),
        Route("/s/{session}", page.home),
        Route("/web/{name}", page.static),
        Route("/s/{session}/{task}/{name}", page.file),
        Route("/api/start", page.start),
        Route("/api/upload", page.upload, methods=["POST"]),
        Route("/api/sessions", page.open_dataset, methods=["POST"]),
        Route("/api/examples", page.open_example, methods=["POST"]),
        Route("/api/questions", page.questions),
        Route("/api/formula", page.formula, methods=["POST"]),
        Route("/api/s/{session}", page.state),
        Route("/api/s/{session}", page.remove, methods=["DELETE"]),
        Route("/api/s/{session}/table", page.table),
        Route("/api/s/{session}/doubts", page.doubts),
        Route("/api/s/{session}/groups", page.groups),
        Route("/api/s/{session}/groups", page.group, methods=["POST"]),
        Route("/api/s/{session}/reading", page.reading, methods=["POST"]),
        Route("/api/s/{session}/dropped", page.dropped, methods=["POST"]),
        Route("/api/s/{session}/label", page.label, methods=["POST"]),
        Route("/api/s/{session}/live", page.live),
        Route("/api/s/{session}/tasks", page.ask, methods=["POST"]),
        Route("/api/s/{session}/tasks/{task}/copies", page.copies),
        Route("/api/s/{session}/tasks/{task}", page.stop, methods=["DELETE"]),
    ]
    handlers = {
        IsoflopError: _refuse,
        SavedError: _absent,
        TooLargeError: _too_large,
        ClientDisconnect: _gone,
        Exception: _broken,
    }
    return Guard(Starlette(routes=routes, lifespan=life, exception_handlers=handlers), hosts, token)


async def _refuse(request: Request, error: Exception) -> Response:
    at = error.at if isinstance(error, FormulaError) else None
    return JSONResponse({"says": str(error).split("\n", 1)[0], "at": at}, status_code=400)


async def _absent(request: Request, error: Exception) -> Response:
    return JSONResponse({"says": str(error)}, status_code=404)


async def _too_large(request: Request, error: Exception) -> Response:
    says = f"the upload is larger than {MOST_UPLOAD // 1_000_000} MB; thin its checkpoints, or use the command line"
    return JSONResponse({"says": says}, status_code=413, headers={"connection": "close"})


async def _broken(request: Request, error: Exception) -> Response:
    says = f"the page's server has a fault ({type(error).__name__}); what it printed in the terminal tells where"
    return JSONResponse({"says": says}, status_code=500)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


class _Page:
    """The handlers; each is thin."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self._tables: OrderedDict[tuple[str, str], Table] = OrderedDict()
        self._doubts: OrderedDict[tuple[str, str], list[Any] | None] = OrderedDict()
        self._doubting = asyncio.Lock()  # one table at a time: two tabs ask once

    async def home(self, request: Request) -> Response:
        """The page itself; the address names the session, so that a reload or a second tab finds it again."""
        return HTMLResponse(await asyncio.to_thread(_page_html))

    async def static(self, request: Request) -> Response:
        """A module, a style sheet or the charting library."""
        found = _statics().get(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is no such file", status_code=404)
        media = MEDIA["." + request.path_params["name"].rsplit(".", 1)[-1]]
        return Response(found.read_bytes(), media_type=media, headers={"cache-control": "no-cache"})

    async def file(self, request: Request) -> Response:
        """A file of a result, by a name from a fixed list."""
        task, name = request.path_params["task"], request.path_params["name"]
        session = self.bench.get(request.path_params["session"])
        place = session.place(session.task(task).id, name)
        if not _FILE.fullmatch(name) or not place.is_file():
            return PlainTextResponse("there is no such file", status_code=404)
        saved = f"{session.source.split('/')[-1].rsplit('.', 1)[0]}-{task}.{name}" if name in _DOWNLOADS else None
        return FileResponse(
            place,
            media_type=MEDIA.get(place.suffix, "text/html"),
            filename=None if saved is None else file_name(saved),
            headers={"cache-control": "no-store"},
        )

    async def start(self, request: Request) -> Response:
        """What can be opened: data sets on this machine, earlier sessions, laws that have a name."""
        return JSONResponse(await asyncio.to_thread(start_view, self.bench.root))

    async def questions(self, request: Request) -> Response:
        """What can be asked: every question of the registry with a form for its options."""
        return JSONResponse(await asyncio.to_thread(menu))

    async def upload(self, request: Request) -> Response:
        """A table as the body of the request; its name, of which only the last part is used, in the query."""
        name = file_name(request.query_params.get("name", ""))
        session = new_session(self.bench.root, kind="file", source=name)
        try:
            await receive(request.stream(), session.folder / name)
            await asyncio.to_thread(check, session.folder / session.source)
        except BaseException:
            forget(session)
            raise
        return JSONResponse({"id": (await self.bench.add(session)).id})

    async def open_dataset(self, request: Request) -> Response:
        """A new session on a data set of this machine."""
        asked = await _body(request)
        session = new_session(self.bench.root, kind="dataset", source=str(asked.get("dataset", "")))
        try:
            await asyncio.to_thread(read, session)
        except IsoflopError:
            forget(session)
            raise
        return JSONResponse({"id": (await self.bench.add(session)).id})

    async def open_example(self, request: Request) -> Response:
        """A new session on one of the examples."""
        chosen = example(str((await _body(request)).get("example", "")))
        kind = "file" if chosen.source.endswith(".csv") else "dataset"
        session = replace(new_session(self.bench.root, kind=kind, source=chosen.source), name=chosen.title)
        if kind == "file":
            await asyncio.to_thread(write_example, chosen, session.folder)
        return JSONResponse({"id": (await self.bench.add(session)).id})

    async def formula(self, request: Request) -> Response:
        """A law as it is typed: set as mathematics, its inputs and parameters, and which columns are missing."""
        asked = await _body(request)
        runs = (await self._table(self.bench.get(str(asked["session"])))).runs if asked.get("session") else None
        try:
            return JSONResponse(await asyncio.to_thread(formula, asked, runs))
        except FormulaError as error:  # half a formula is no failure: it is what typing looks like
            return JSONResponse({"says": str(error).split("\n", 1)[0], "at": error.at})

    async def state(self, request: Request) -> Response:
        """The session as it is, or as soon as it is newer than ``after``."""
        name = request.path_params["session"]
        after = request.query_params.get("after", "-1")
        session = self.bench.get(name)
        if _VERSION.fullmatch(after) and session.version <= int(after):
            session = await self.bench.news(name, int(after), _WAIT)
        return JSONResponse(state_view(session))

    async def table(self, request: Request) -> Response:
        """The runs, how they were read, and what to doubt."""
        table = await self._table(self.bench.get(request.path_params["session"]))
        return JSONResponse({"headers": table.headers, "says": table.says, **table.at})

    async def doubts(self, request: Request) -> Response:
        """Every doubt about the runs, those from a fitted surface too, which the table does not wait for."""
        session = self.bench.get(request.path_params["session"])
        key = _key(session)
        async with self._doubting:
            if key not in self._doubts:
                self._doubts[key] = await doubts(session)
                while len(self._doubts) > _HELD_TABLES:
                    self._doubts.popitem(last=False)
        return JSONResponse({"findings": self._doubts.get(key)})

    async def groups(self, request: Request) -> Response:
        """The columns whose values may be groups, each with its number of runs."""
        session = self.bench.get(request.path_params["session"])
        runs = (await self._table(session)).runs
        return JSONResponse({"columns": [] if runs is None else await asyncio.to_thread(groupings, session, runs)})

    async def group(self, request: Request) -> Response:
        """How many rows a selection keeps; refused where it cannot be read or keeps none."""
        asked = await _body(request)
        session = self.bench.get(request.path_params["session"])
        table = await self._table(session)
        if table.runs is None:
            raise DataError(table.says)
        kept = await asyncio.to_thread(used(session, table.runs).where, str(asked.get("where") or ""))
        return JSONResponse({"rows": len(kept)})

    async def reading(self, request: Request) -> Response:
        """Read the table otherwise: columns, units, selection; refused where that leaves nothing to show."""
        asked = await _body(request)
        reading = Reading(
            columns=_words(asked, "columns"),
            units=_words(asked, "units"),
            conventions=_words(asked, "conventions"),
            where=_text(asked, "where"),
            derive=_words(asked, "derive"),
            best=_text(asked, "best"),
            per=_text(asked, "per"),
            frontier=_text(asked, "frontier"),
        )
        before = self.bench.get(request.path_params["session"])
        after = await self._table(replace(before, reading=reading))
        if after.says and not (await self._table(before)).says:
            raise DataError(after.says)  # what is shown stays as it is
        session = await self.bench.change(before.id, lambda held: replace(held, reading=reading))
        return JSONResponse(state_view(session))

    async def dropped(self, request: Request) -> Response:
        """Which rows are left out."""
        asked = await _body(request)
        rows = asked.get("rows")
        if not isinstance(rows, list) or not all(type(row) is int for row in rows):
            raise DataError("the rows that are left out must be a list of row numbers")
        session = await self.bench.change(
            request.path_params["session"], lambda held: replace(held, dropped=tuple(sorted(set(rows))))
        )
        return JSONResponse(state_view(session))

    async def label(self, request: Request) -> Response:
        """What the user says of a session: its name, and which findings were looked at and dismissed."""
        asked = await _body(request)
        change: dict[str, Any] = {}
        if "name" in asked:
            change["name"] = _text(asked, "name")[:_LONGEST_NAME]
        kept = asked.get("kept")
        if kept is not None:
            if not isinstance(kept, list) or len(kept) > _MOST_KEPT:
                raise DataError("the findings that are kept must be a list of their codes")
            change["kept"] = tuple(str(each)[:_LONGEST_NAME] for each in kept)
        session = await self.bench.change(request.path_params["session"], lambda held: replace(held, **change))
        return JSONResponse(state_view(session))

    async def live(self, request: Request) -> Response:
        """IsoFLOP minima of the rows that are used, and the law of ``task`` fitted to them without intervals."""
        session = self.bench.get(request.path_params["session"])
        table = await self._table(session)
        if table.runs is None:
            raise DataError(table.says)
        task = request.query_params.get("task")
        settings = session.task(task).settings if task else None
        return JSONResponse(await asyncio.to_thread(live, session, table.runs, settings))

    async def copies(self, request: Request) -> Response:
        """What a task asked, as a command, as Python and as a study."""
        session = self.bench.get(request.path_params["session"])
        return JSONResponse(await asyncio.to_thread(copies, session, session.task(request.path_params["task"])))

    async def ask(self, request: Request) -> Response:
        """Put a fit, a plan, a ranking, a backtest or a comparison in the queue."""
        asked = await _body(request)
        session = self.bench.get(request.path_params["session"])
        table = await self._table(session)
        if table.runs is None:
            raise DataError(table.says)
        kind, settings = await asyncio.to_thread(checked, session, asked, table.runs, self.bench.prior)
        task = await self.bench.ask(session.id, kind, settings)
        return JSONResponse({"id": task.id})

    async def stop(self, request: Request) -> Response:
        """Stop a task that waits or runs."""
        await self.bench.stop(request.path_params["session"], request.path_params["task"])
        return JSONResponse({})

    async def remove(self, request: Request) -> Response:
        """Forget a session."""
        await self.bench.remove(request.path_params["session"])
        return JSONResponse({})

    async def _table(self, session: Session) -> Table:
        key = _key(session)
        if key not in self._tables:
            self._tables[key] = await asyncio.to_thread(read_table, session)
            while len(self._tables) > _HELD_TABLES:
                self._tables.popitem(last=False)
        self._tables.move_to_end(key)
        return self._tables[key]


_DOWNLOADS = ("report.html", "fit.json", "study.toml")


def _key(session: Session) -> tuple[str, str]:
    return session.id, json.dumps(asdict(session.reading), sort_keys=True)


async def _body(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await request.body())
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or brackets without end
        raise DataError("the request is not JSON") from None
    if not isinstance(asked, dict):
        raise DataError("the request must be one JSON object")
    return asked


def _text(asked: Mapping[str, Any], key: str) -> str:
    return str(asked.get(key) or "")[:4_000].strip()


def _words(asked: Mapping[str, Any], key: str) -> dict[str, str]:
    given = asked.get(key) or {}
    if not isinstance(given, dict):
        raise DataError(f"{key} must be names with their values")
    return {str(name): str(value) for name, value in given.items() if str(value)}


@cache
def _statics() -> dict[str, Traversable]:
    """Every file that is served as it stands, by its name: nothing that a request says becomes a path."""
    shared, own = files("isoflop.render") / "web", files("isoflop.app") / "web"
    found = [*shared.iterdir(), *(shared / "js").iterdir(), *own.iterdir()]
    return {each.name: each for each in found if each.name.endswith((".js", ".css"))}


@cache
def _page_html() -> str:
    text = (files("isoflop.app") / "web" / "page.html").read_text(encoding="utf-8")
    return text.replace("{version}", VERSION)
