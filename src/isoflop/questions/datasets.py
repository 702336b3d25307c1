"""The question of which public run tables there are, and how to have one here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from isoflop.answers import Answer, Column, Quantity, Table
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.runs.datasets import Box, Dataset, SourceFile
    from isoflop.runs.datasets import Table as Registered


@dataclass(frozen=True)
class DatasetList:
    """Registered tables as plain facts; those of one data set, with where its files lie, where it was fetched."""

    tables: tuple[Mapping[str, Any], ...]
    fetched: str
    citation: str = ""
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Datasets(Question):
    """Public run tables and the bundled example runs: source, license, rows, size, laws that suit.

    A data set's name stands wherever a table does. --get downloads one at its pinned commit, checks its SHA-256 and
    keeps it in the cache; a folder of tables that you have already is named by the environment variable
    ISOFLOP_DATASETS.

    isoflop datasets
    isoflop datasets --get epoch-chinchilla
    """

    name: ClassVar[str] = "datasets"
    group: ClassVar[Group] = "Read"
    order: ClassVar[int] = 40
    subject: ClassVar[Subject] = "nothing"
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.datasets:DatasetList",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False  # the page opens data sets by a list of its own

    get: str | None = option(Text("NAME"), help="Fetch a data set, or DATASET/TABLE for one table.")

    def compute(self, context: Context) -> DatasetList:
        """The registry, or the files of one data set."""
        from isoflop.runs.datasets import boxes, datasets

        if self.get is not None:
            return _fetched(self.get)
        listed = [each for box in boxes() for each in _bundled(box)]
        return DatasetList((*listed, *(each for data in datasets() for each in _registered(data))), "")

    def answer(self, result: DatasetList, context: Context) -> Answer:
        """One row a table."""
        if result.fetched:
            left = f" Not to be downloaded: {', '.join(result.left)}." if result.left else ""
            return Answer(
                question=self.name,
                title=result.fetched,
                headline=f"{{files}} of the files of {result.fetched} are here.{left}",
                quantities=(Quantity("files", len(result.tables), "integer"),),
                tables=(
                    Table(
                        "files",
                        (Column("path"), Column("origin", "from"), Column("bytes", kind="count"), Column("license")),
                        tuple(
                            (each["path"], each["from"], each.get("bytes"), each["license"]) for each in result.tables
                        ),
                    ),
                ),
                method=f"cite: {result.citation}",
            )
        names = ("name", "rows", "bytes", "state", "title", "laws", "license", "origin", "citation", "where", "sha256")
        kinds = {"rows": "integer", "bytes": "count"}
        return Answer(
            question=self.name,
            title="Data sets",
            headline="{tables} tables; a name stands wherever a table does.",
            quantities=(Quantity("tables", len(result.tables), "integer"),),
            tables=(
                Table(
                    "tables",
                    tuple(Column(name, kind=kinds.get(name, "number")) for name in names),  # type: ignore[arg-type]
                    tuple(tuple(each.get(name) for name in names) for each in result.tables),
                    note="isoflop datasets --get NAME fetches one.",
                ),
            ),
        )


def _fetched(name: str) -> DatasetList:
    from isoflop.runs.datasets import boxes, get

    box = next((box for box in boxes() if box.name == name.partition("/")[0]), None)
    if box is not None:
        files: list[dict[str, Any]] = [
            {"path": str(box.folder / f"{table}.parquet"), "from": "package", "license": box.licence}
            for table in box.tables
        ]
        return DatasetList(tuple(files), box.name, box.citation)
    got = get(name)
    files = [
        {
            "path": str(each.path),
            "from": each.origin,
            "bytes": each.path.stat().st_size,
            "license": each.file.source.licence,
        }
        for each in got.obtained
    ]
    return DatasetList(tuple(files), got.dataset.name, got.dataset.citation, tuple(file.label for file in got.left))


def _state(file: SourceFile) -> str:
    from isoflop.runs.datasets.download import present

    here = present(file)
    if here == "mirror":
        return "in ISOFLOP_DATASETS"
    if here == "cache":
        return "in the cache"
    return "to download" if file.derived is None else "derived; ISOFLOP_DATASETS only"


def _registered(dataset: Dataset) -> list[dict[str, Any]]:
    return [
        {
            "name": dataset.full_name(table),
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
    }


def _bundled(box: Box) -> list[dict[str, Any]]:
    import polars as pl

    found = []
    for table in box.tables:
        with box.path(table) as path:
            found.append(
                {
                    "name": box.full_name(table),
                    "title": box.title,
                    "citation": box.citation,
                    "laws": ", ".join(box.laws),
                    "rows": pl.scan_parquet(path).select(pl.len()).collect().item(),
                    "bytes": path.stat().st_size,
                    "state": "bundled",
                    "license": box.licence,
                    "origin": "trained by isoflop's lab",
                }
            )
    return found
