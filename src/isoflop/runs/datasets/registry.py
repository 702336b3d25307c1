"""What is known of every public run table: where it comes from, its digest, what its headers mean, its traps.

One TOML file a data set, in ``sources/``. A table is a file read in one way; two tables may share a file.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.runs.datasets.box import boxes
from isoflop.values import Value


@dataclass(frozen=True)
class Source:
    """A repository at one commit. ``licence`` is ``none stated`` where the repository states none."""

    repository: str
    commit: str
    licence: str

    def __str__(self) -> str:
        return f"{self.repository}@{self.commit[:7]}"


@dataclass(frozen=True)
class Copy:
    """The bytes of one file: its name below NAME/, its size, and its SHA-256 in hexadecimal digits."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class SourceFile:
    """A file of a data set.

    dataset: the data set it belongs to; in a mirror or the cache the file is ``dataset/name``.
    path: where it is, or where its values come from, in the source's repository.
    copy: name, size and digest. Of the original, byte for byte, unless ``derived``.
    derived: what was done to the original, where the table was made from it rather than copied. Such a table cannot
        be downloaded; only a mirror holds it.
    mirrored: the same table in other bytes (compressed, or with other line ends), as mirrors hold it.
    """

    dataset: str
    source: Source
    path: str
    copy: Copy
    derived: str | None = None
    mirrored: Copy | None = None

    @property
    def label(self) -> str:
        """The file's place below a mirror or the cache: ``epoch-chinchilla/svg_extracted_data.csv``."""
        return f"{self.dataset}/{self.copy.name}"

    @property
    def address(self) -> str | None:
        """Where the original is below the raw-file host: ``owner/name/commit/path``; None for a derived table."""
        if self.derived is not None:
            return None
        return f"{self.source.repository}/{self.source.commit}/{quote(self.path)}"


@dataclass(frozen=True)
class Table(Value):
    """One way to read a file.

    columns, units, conventions, where: as for ``read_runs``.
    drop: headers that are known to be wrong. times: header → factor, for example sequences to tokens.
    antilog: headers that hold base-10 logarithms. join: new header → headers whose texts together name it.
    rows: how many rows are left after ``where``. about: code of a finding → selection of the rows that it is about.
    """

    name: str
    file: SourceFile
    rows: int
    columns: Mapping[str, str]
    units: Mapping[str, str] = field(default_factory=dict)
    conventions: Mapping[str, str] = field(default_factory=dict)
    where: str | None = None
    drop: tuple[str, ...] = ()
    times: Mapping[str, float] = field(default_factory=dict)
    antilog: tuple[str, ...] = ()
    join: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A public data set: the first of its tables is what its bare name means."""

    name: str
    title: str
    citation: str
    laws: tuple[str, ...]
    files: tuple[SourceFile, ...]
    tables: tuple[Table, ...]

    def full_name(self, table: Table) -> str:
        """``NAME`` for the first table, ``NAME/TABLE`` for the others."""
        return self.name if table is self.tables[0] else f"{self.name}/{table.name}"


@cache
def datasets() -> tuple[Dataset, ...]:
    """Every public data set, by name."""
    folder = files(__package__) / "sources"
    entries = {entry.name.removesuffix(".toml"): entry for entry in folder.iterdir() if entry.name.endswith(".toml")}
    return tuple(_read(name, entries[name].read_text(encoding="utf-8")) for name in sorted(entries))


def find(name: str) -> tuple[Dataset, Table]:
    """The table that ``NAME`` or ``NAME/TABLE`` means. Raises DataError with the nearest names."""
    wanted, _, part = name.partition("/")
    for dataset in datasets():
        if dataset.name == wanted:
            if not part:
                return dataset, dataset.tables[0]
            for table in dataset.tables:
                if table.name == part:
                    return dataset, table
            tables = ", ".join(f"{wanted}/{table.name}" for table in dataset.tables)
            raise DataError(f"the data set {wanted!r} has no table {part!r}; it has {tables}")
    known = [dataset.name for dataset in datasets()] + [box.name for box in boxes()]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.4)
    near += [other for other in known if wanted and wanted in other and other not in near]
    hint = f"the nearest are {', '.join(near[:4])}" if near else "isoflop datasets lists them all"
    raise DataError(f"there is no data set {name!r}; {hint}")


def _read(name: str, text: str) -> Dataset:
    raw = tomllib.loads(text)
    sources = {key: Source(**entry) for key, entry in raw["sources"].items()}
    known_files = {key: _file(name, entry, sources) for key, entry in raw["files"].items()}
    tables = tuple(_table(key, entry, known_files) for key, entry in raw["tables"].items())
    return Dataset(name, raw["title"], raw["citation"], tuple(raw["laws"]), tuple(known_files.values()), tables)


def _file(dataset: str, entry: dict[str, Any], sources: Mapping[str, Source]) -> SourceFile:
    copy = Copy(entry.pop("name"), entry.pop("bytes"), entry.pop("sha256"))
    mirrored = Copy(**entry.pop("mirrored")) if "mirrored" in entry else None
    return SourceFile(dataset, sources[entry.pop("source")], copy=copy, mirrored=mirrored, **entry)


def _table(name: str, entry: dict[str, Any], known: Mapping[str, SourceFile]) -> Table:
    told = entry.pop("findings", ())
    about = {finding["code"]: finding.pop("where") for finding in told if "where" in finding}
    findings = tuple(Finding(**finding) for finding in told)
    drop, antilog = tuple(entry.pop("drop", ())), tuple(entry.pop("antilog", ()))
    join = {header: tuple(parts) for header, parts in entry.pop("join", {}).items()}
    file = known[entry.pop("file")]
    return Table(name, file, drop=drop, antilog=antilog, join=join, findings=findings, about=about, **entry)
