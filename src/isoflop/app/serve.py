"""``serve``: bind the address, say where, open the browser, and run until stopped."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import shutil
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from isoflop.errors import IsoflopError
from isoflop.lock import HeldError, NoLockError, alone

_SHORTEST_TOKEN = 16
_PATIENCE = 1.0  # seconds for a server that is just being stopped


def serve(
    *,
    root: Path,
    table: Path | None,
    host: str,
    port: int,
    token: str | None,
    browser: bool,
    say: Callable[[str], None],
    prior: Path | None = None,
) -> None:
    """Serve the page until it is interrupted.

    root: the folder of the sessions. table: opened in a session of its own; the file is copied. port: 0 takes a free
    one. prior: of the model error in whatever is asked from now on; the file is copied too. A host that is not loopback
    is bound only with a token.
    Raises IsoflopError: another server keeps its sessions in ``root``, the port is taken, the host is no address, the
    table or the prior cannot be read.
    """
    if not _is_loopback(host) and token is None:
        raise IsoflopError(
            f"{host} can be reached from other machines; give a token of {_SHORTEST_TOKEN} letters or more that they "
            f"must know: --token {secrets.token_urlsafe(16)}"
        )
    if token is not None and len(token) < _SHORTEST_TOKEN:
        raise IsoflopError(f"a token of {len(token)} letters can be guessed; use {_SHORTEST_TOKEN} or more")
    with _sole_server(root):
        kept = None if prior is None else keep_prior(root, prior)
        _serve(root, table, host, port, token, browser, say, kept)


@contextmanager
def _sole_server(root: Path) -> Iterator[None]:
    """Hold the folder of the sessions: of two servers each would overwrite what the other saves."""
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            stack.enter_context(alone(root, patience=_PATIENCE))
        except NoLockError:  # there is one server on most such systems, and a page is better than none
            pass
        except HeldError:
            raise IsoflopError(
                f"another isoflop app keeps its sessions in {str(root)!r}, and two would overwrite each other's "
                "results; open the page of the other, stop it, or give this one a folder of its own (--state FOLDER)"
            ) from None
        except OSError as error:
            raise IsoflopError(
                f"the folder of the sessions, {str(root)!r}, cannot be used ({error.strerror}); give another: --state "
                "FOLDER"
            ) from None
        yield


def _serve(
    root: Path,
    table: Path | None,
    host: str,
    port: int,
    token: str | None,
    browser: bool,
    say: Callable[[str], None],
    prior: Path | None,
) -> None:
    import uvicorn

    from isoflop.app.bench import Bench
    from isoflop.app.server import make_app

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            bench.closing = True
            # a request that outlives the server's patience is cut off, which whoever stopped it asked for
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            super().handle_exit(sig, frame)

    session = None if table is None else open_table(root, table)
    bound = _bind(host, port)
    number = bound.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{number}/" + (f"s/{session}" if session else "") + (f"?token={token}" if token else "")
    hosts = frozenset(f"{name}:{number}" for name in ("127.0.0.1", "localhost", "[::1]", shown))
    bench = Bench(root, prior=prior)
    app = make_app(bench, hosts=hosts if _is_loopback(host) else frozenset(), token=token)
    server = Server(
        uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=5, server_header=False)
    )
    say(f"isoflop is at {address} (stop it with Ctrl-C; sessions are kept in {root})")
    if browser:
        threading.Thread(target=_open, args=(address, say), daemon=True).start()
    server.run(sockets=[bound])


def open_table(root: Path, table: Path) -> str:
    """A session on a copy of the table, or of a store's runs; its id."""
    from isoflop.app.session import file_name, new_session, save
    from isoflop.app.upload import check
    from isoflop.runs.store import RUNS, is_store, open_store

    name = file_name(table.resolve().name)
    if is_store(table):
        open_store(table)
        check(table / RUNS)
        session = new_session(root, kind="file", source=name)
        (session.folder / name).mkdir()
        shutil.copyfile(table / RUNS, session.folder / name / RUNS)
        return save(session).id
    check(table)
    session = new_session(root, kind="file", source=name)
    shutil.copyfile(table, session.folder / name)
    return save(session).id


def keep_prior(root: Path, prior: Path) -> Path:
    """A copy of a prior beside the sessions, named by its content, so that what was asked of it can be done again.

    Raises SavedError for a file that is no prior.
    """
    from isoflop.uncertainty.prior import digest_of, read_prior, save_prior

    found = read_prior(prior)
    kept = root.resolve() / f"prior-{digest_of(found)[:12]}.toml"
    save_prior(found, kept)
    return kept


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen(64)  # a port that somebody listens on may still be bound; two listeners may not
    except OSError as error:
        bound.close()
        raise IsoflopError(
            f"port {port} of {host} cannot be used ({error.strerror}); choose another with --port, or 0 for any"
        ) from None
    return bound


def _open(address: str, say: Callable[[str], None]) -> None:
    try:
        opened = webbrowser.open(address)
    except webbrowser.Error:
        opened = False
    if not opened:
        say(f"no browser could be opened; open {address} yourself")
