"""The question of which public run tables there are, and how to have one here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from isoflop.answers import Answer, Column, Kind, Quantity, Table, literal
from isoflop.answers.wording import plural
from isoflop.errors import IsoflopError, shown
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.runs.datasets import Box, Dataset, SourceFile
    from isoflop.runs.datasets import Table as Registered


@dataclass(frozen=True)
class DatasetList:
    """Registered tables as plain facts, all of them or those of one data set, with its citation."""

    tables: tuple[Mapping[str, Any], ...]
    one: str = ""
    citation: str = ""


@dataclass(frozen=True)
class FetchedFiles:
    """The files of a data set on this machine; ``left``: those that cannot be downloaded."""

    dataset: str
    files: tuple[Mapping[str, Any], ...]
    citation: str
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Datasets(Question):
    """Public run tables and the bundled example runs: source, license, rows, size, laws that suit.

    A data set's name stands wherever a table does. --get downloads one at its pinned commit, checks its SHA-256 and
    keeps it in the cache; a folder of tables that you have already is named by the environment variable
    ISOFLOP_DATASETS.

    isoflop datasets
    isoflop datasets epoch-chinchilla
    isoflop datasets --get epoch-chinchilla
    """

    name: ClassVar[str] = "datasets"
    examples: ClassVar[tuple[str, ...]] = ("isoflop datasets python-bytes",)
    group: ClassVar[Group] = "Read"
    order: ClassVar[int] = 40
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.questions.datasets:DatasetList",
        "isoflop.questions.datasets:FetchedFiles",
    )
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False  # the page opens data sets by a list of its own

    dataset: str | None = option(Text("NAME"), positional=True, help="A data set, to be described.")
    get: str | None = option(Text("NAME"), help="Fetch a data set, or DATASET/TABLE for one table.")

    def check(self) -> None:
        """One data set is described or fetched."""
        if self.dataset is not None and self.get is not None:
            raise IsoflopError(f"--get {shown(self.get)} names the data set already; leave {shown(self.dataset)} out")

    def compute(self, context: Context) -> DatasetList | FetchedFiles:
        """The registry, one data set of it, or the files of one."""
        from isoflop.runs.datasets import boxes, datasets

        self.check()
        if self.get is not None:
            return _fetched(self.get)
        if self.dataset is not None:
            return _described(self.dataset)
        listed = [each for box in boxes() for each in _bundled(box)]
        return DatasetList((*listed, *(each for data in datasets() for each in _registered(data))))

    def answer(self, result: DatasetList | FetchedFiles, context: Context) -> Answer:
        """One row a table, or one a file."""
        if isinstance(result, FetchedFiles):
            return _of_files(self.name, result)
        details = (*_DETAILS, *(_TOLD_ONCE if result.one else ()))
        tables = Table(
            "tables",
            tuple(Column(name, kind=_KINDS.get(name, "number"), detail=name in details) for name in _FACTS),
            tuple(tuple(each.get(name) for name in _FACTS) for each in result.tables),
            note=f"isoflop datasets --get {result.one or 'NAME'} fetches {'it' if result.one else 'one'}.",
        )
        if not result.one:
            return Answer(
                question=self.name,
                title="Data sets",
                headline="{tables} tables; a name stands wherever a table does.",
                quantities=(Quantity("tables", len(result.tables), "integer"),),
                tables=(tables,),
            )
        about = result.tables[0]
        words = "; ".join(dict.fromkeys(f"{each['origin']}, license: {each['license']}" for each in result.tables))
        return Answer(
            question=self.name,
            title=result.one,
            headline=literal(f"{about['title']}. Laws that suit: {about['laws']}."),
            tables=(tables,),
            method=f"{words}; cite: {result.citation}",
        )


# What is known of a table; the last ones are for JSON and data frames.
_DETAILS: Final = ("dataset", "citation", "where", "sha256", "repository", "commit", "path", "file", "derived")
_FACTS: Final = ("name", "rows", "bytes", "state", "laws", "title", "license", "origin", *_DETAILS)
_TOLD_ONCE: Final = ("laws", "title", "license", "origin")  # beside the table of one data set
_LAB: Final = "trained by isoflop's lab"
_KINDS: Final[Mapping[str, Kind]] = {"rows": "integer", "bytes": "count"}


def _of_files(question: str, result: FetchedFiles) -> Answer:
    folder = Path(os.path.commonpath([Path(each["path"]).parent for each in result.files]))
    count = len(result.files)
    files = f"{plural(count, 'file')} of {result.dataset} {'is' if count == 1 else 'are'}"
    words = f"{{files}} {files} in {literal(str(folder))}."
    if result.left:
        words += f" Not to be downloaded: {', '.join(result.left)}."
    return Answer(
        question=question,
        title=result.dataset,
        headline=words,
        quantities=(Quantity("files", count, "integer"),),
        tables=(
            Table(
                "files",
                (
                    Column("file"),
                    Column("bytes", kind="count"),
                    Column("origin", "from"),
                    Column("license"),
                    Column("source"),
                    Column("path", detail=True),
                ),
                tuple(
                    (
                        Path(each["path"]).relative_to(folder).as_posix(),
                        each["bytes"],
                        each["from"],
                        each["license"],
                        each["source"],
                        each["path"],
                    )
                    for each in result.files
                ),
            ),
        ),
        method=f"cite: {result.citation}",
    )


def _described(name: str) -> DatasetList:
    from isoflop.runs.datasets import boxes
    from isoflop.runs.datasets.registry import find

    own = name.partition("/")[0]
    box = next((box for box in boxes() if box.name == own), None)
    if box is not None:
        return DatasetList(tuple(_bundled(box)), box.name, box.citation)
    dataset, _ = find(own)
    return DatasetList(tuple(_registered(dataset)), dataset.name, dataset.citation)


def _fetched(name: str) -> FetchedFiles:
    from isoflop.runs.datasets import boxes, get

    box = next((box for box in boxes() if box.name == name.partition("/")[0]), None)
    if box is not None:
        facts = {"from": "package", "license": box.licence, "source": _LAB}
        bundled = tuple(
            {"path": str(box.folder / f"{table}.parquet"), "bytes": _size(box, table), **facts} for table in box.tables
        )
        return FetchedFiles(box.name, bundled, box.citation)
    got = get(name)
    files = tuple(
        {
            "path": str(each.path),
            "from": each.origin,
            "bytes": each.path.stat().st_size,
            "license": each.file.source.licence,
            "source": str(each.file.source),
        }
        for each in got.obtained
    )
    return FetchedFiles(got.dataset.name, files, got.dataset.citation, tuple(file.label for file in got.left))


def _size(box: Box, table: str) -> int:
    with box.path(table) as path:
        return path.stat().st_size


def _state(file: SourceFile) -> str:
    from isoflop.runs.datasets.download import present

    here = present(file)
    if here == "mirror":
        return "in ISOFLOP_DATASETS"
    if here == "cache":
        return "in the cache"
    return "to download" if file.derived is None else "ISOFLOP_DATASETS only"


def _registered(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        {
            "name": dataset.full_name(table),
            "dataset": dataset.name,
            "title": dataset.title,
            "citation": dataset.citation,
            "laws": ", ".join(dataset.laws),
            **_facts(table),
        }
        for table in dataset.tables
    ]


def _facts(table: Registered) -> dict[str, Any]:
    file = table.file
    made = "from" if file.derived is None else "made from"
    return {
        "rows": table.rows,
        "bytes": file.copy.bytes,
        "state": _state(file),
        "license": file.source.licence,
        "origin": f"{made} {file.source.repository}@{file.source.commit[:7]} {file.path}".rstrip(),
        "where": table.where,
        "sha256": file.copy.sha256,
        "repository": file.source.repository,
        "commit": file.source.commit,
        "path": file.path,
        "file": file.copy.name,
        "derived": file.derived,
    }


def _bundled(box: Box) -> list[dict[str, Any]]:
    import polars as pl

    found = []
    for table in box.tables:
        with box.path(table) as path:
            found.append(
                {
                    "name": box.full_name(table),
                    "dataset": box.name,
                    "title": box.title,
                    "citation": box.citation,
                    "laws": ", ".join(box.laws),
                    "rows": pl.scan_parquet(path).select(pl.len()).collect().item(),
                    "bytes": path.stat().st_size,
                    "state": "bundled",
                    "license": box.licence,
                    "origin": _LAB,
                }
            )
    return found
