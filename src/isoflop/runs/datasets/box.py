"""The runs that ship in the package: ``isoflop/data/NAME/runs.parquet``, with what was trained beside them.

Every folder there that holds ``runs.parquet`` is a data set; further Parquet files in it are further tables
(``NAME/curves``). ``about.toml`` may give ``title``, ``citation``, ``licence`` and ``laws``, and ``default = true`` for
the one that is read where no runs are named.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path

RUNS = "runs"


@dataclass(frozen=True)
class Box:
    """A data set in the package.

    tables: the names of its Parquet files, ``runs`` first. default: whether it is read where no runs are named.
    """

    name: str
    title: str
    citation: str
    licence: str
    laws: tuple[str, ...]
    tables: tuple[str, ...]
    folder: Traversable
    default: bool = False

    def full_name(self, table: str) -> str:
        """``NAME`` for the runs, ``NAME/TABLE`` for the others."""
        return self.name if table == RUNS else f"{self.name}/{table}"

    @contextmanager
    def path(self, table: str) -> Iterator[Path]:
        """The table's file on disk, for as long as the context lasts."""
        with as_file(self.folder / f"{table}.parquet") as path:
            yield path


def box_folder() -> Traversable:
    """Where the package keeps its own runs."""
    return files("isoflop") / "data"


def boxes() -> tuple[Box, ...]:
    """The data sets in the package by name, the default one first."""
    root = box_folder()
    if not root.is_dir():
        return ()
    found = [_box(folder) for folder in root.iterdir() if folder.is_dir() and (folder / f"{RUNS}.parquet").is_file()]
    return tuple(sorted(found, key=lambda box: (not box.default, box.name)))


def _box(folder: Traversable) -> Box:
    about = folder / "about.toml"
    said = tomllib.loads(about.read_text(encoding="utf-8")) if about.is_file() else {}
    endings = [entry.name.removesuffix(".parquet") for entry in folder.iterdir() if entry.name.endswith(".parquet")]
    return Box(
        folder.name,
        title=said.get("title", "Runs trained by isoflop's lab"),
        citation=said.get("citation", f"isoflop, data/{folder.name}"),
        licence=said.get("licence", "that of isoflop"),
        laws=tuple(said.get("laws", ("L(N, D)",))),
        tables=tuple(sorted(endings, key=lambda name: (name != RUNS, name))),
        folder=folder,
        default=bool(said.get("default", False)),
    )
