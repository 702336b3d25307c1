"""SQLite files opened to read, with bounds on time and memory that hold for damaged and hostile files too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

MAGIC: Final = b"SQLite format 3\0"
_PATIENCE: Final = 5.0  # seconds to wait for a writer
_TICK: Final = 100_000  # virtual-machine steps between looks at the bound
_STEPS_PER_BYTE: Final = 200
_FEWEST_STEPS: Final = 50_000_000


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write; a query stops with OperationalError beyond 200 steps a byte of the file."""
    size = path.stat().st_size
    connection = _connect(path)
    with closing(connection):
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(max(size, 1_000_000), 2**31 - 1))
        connection.text_factory = lambda data: data.decode("utf-8", errors="replace")
        left = [max(_FEWEST_STEPS, size * _STEPS_PER_BYTE) // _TICK]

        def bound() -> int:
            left[0] -= 1
            return left[0] < 0

        connection.set_progress_handler(bound, _TICK)
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        yield connection


def _connect(path: Path) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?mode=ro"
    connection = sqlite3.connect(address, uri=True, timeout=_PATIENCE)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:  # a write-ahead log in a folder that cannot be written
        connection.close()
        return sqlite3.connect(f"{address}&immutable=1", uri=True)
    except Exception:  # no database; a UnicodeDecodeError where damage stands in the error's own message
        connection.close()
        raise
    return connection


def columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """The columns of a table, none if there is no such table."""
    return tuple(name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)))


def tables(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The names of the tables."""
    found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return tuple(name for (name,) in found if not str(name).startswith("sqlite_"))


def holds(path: Path, head: bytes, **expected: tuple[str, ...]) -> bool:
    """Whether the file is SQLite and has these tables with these columns."""
    if not head.startswith(MAGIC):
        return False
    try:
        with opened(path) as connection:
            return all(set(wanted) <= set(columns(connection, table)) for table, wanted in expected.items())
    except (sqlite3.Error, OSError, UnicodeDecodeError):  # the last where damage stands in an error's own message
        return False
