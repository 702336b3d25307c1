"""``Runs``: what was measured, as a frozen table whose columns know their unit and counting convention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import DataError, excerpt
from isoflop.findings import Finding
from isoflop.runs.columns import (
    BY_SYMBOL,
    TEXT,
    canonical_symbol,
    match_headers,
    missing_column,
    parts_of,
    read_header,
    text_where_numbers,
)
from isoflop.runs.digest import digest_of
from isoflop.runs.headers import safe_header
from isoflop.runs.where import selection
from isoflop.shown import Shown
from isoflop.values import FrozenMapping

if TYPE_CHECKING:
    import pandas

Floats = NDArray[np.float64]
ROW = "row"  # the row's number in its source, counted from 1 below the header; kept through every selection


@dataclass(frozen=True)
class Column:
    """What is known of one column: the header it came from, its unit, its counting convention, how it was derived."""

    name: str
    header: str
    unit: str | None = None
    convention: str | None = None
    derived: str | None = None

    def describe(self) -> str:
        """One line for the reader: ``N ← 'Model Size' (model parameters)``."""
        meaning = BY_SYMBOL.get(self.name)
        facts = [meaning.counts if meaning and meaning.counts != self.name else "", self.convention, self.unit]
        detail = ", ".join(fact for fact in facts if fact)
        origin = f"= {self.derived}" if self.derived else f"← {self.header!r}"
        return f"{self.name} {origin}" + (f" ({detail})" if detail else "")


@dataclass(frozen=True)
class Runs(Shown):
    """A table of training runs or of their checkpoints.

    ``runs["N"]`` is a read-only float array (rows,); ``len(runs)`` the number of rows.

    Attributes
    ----------
    frame :
        One row a measurement; canonical columns under their symbols (``N``, ``D``, ``C``, ``loss``, ``run`` …), all
        others under the file's own headers.
    columns :
        What is known of each canonical column.
    source :
        Where the runs came from, for messages and saved results.
    findings :
        What reading them raised.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.Runs.from_columns({"N": [1e8, 1e9], "loss": [3.1, 2.6]})
    >>> runs["params"].tolist(), len(runs)
    ([100000000.0, 1000000000.0], 2)
    """

    frame: pl.DataFrame
    columns: Mapping[str, Column]
    source: str
    findings: tuple[Finding, ...] = ()
    _cache: dict[str, Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    @staticmethod
    def from_columns(
        columns: Mapping[str, ArrayLike],
        *,
        source: str = "made in memory",
        units: Mapping[str, str] | None = None,
        conventions: Mapping[str, str] | None = None,
    ) -> Runs:
        """Runs from arrays of equal length under canonical names.

        Parameters
        ----------
        columns :
            Name → one value a row, (rows,).
        source :
            Where they came from, for messages.
        units :
            ``{"loss": unit}``; nats/token by default.
        conventions :
            ``{"N": "total" | "non-embedding" | "active"}``.

        Returns
        -------
        Runs
            With those columns.

        Raises
        ------
        DataError
            The columns differ in length.
        """
        units, conventions = units or {}, conventions or {}
        lengths = {name: len(np.atleast_1d(np.asarray(values))) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"the columns differ in length: {lengths}; give every column one value a row")
        frame = pl.DataFrame({name: np.atleast_1d(np.asarray(values)) for name, values in columns.items()})
        known = {
            name: Column(
                name,
                header=name,
                unit=units.get(name, "nats/token" if name == "loss" else None),
                convention=conventions.get(name),
            )
            for name in frame.columns
            if name in BY_SYMBOL
        }
        return Runs(with_rows(frame), FrozenMapping(known), source)

    def __len__(self) -> int:
        return self.frame.height

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._resolve(name) is not None

    def __getitem__(self, name: str) -> Floats:
        """The column as numbers, shape (rows,), missing values as NaN."""
        if name in self._cache:
            return self._cache[name]
        resolved = self._resolve(name)
        if resolved is None:
            free, parts = self._candidates(name), parts_of(name, self.columns)
            raise missing_column(name, free, source=self.source, words=self._words_for(name), parts=parts)
        if resolved not in self._cache:
            series = self.frame[resolved]
            if series.dtype.is_nested() or series.dtype.is_temporal() or series.dtype in (pl.Categorical, pl.Enum):
                series = pl.Series(resolved, [None if value is None else str(value) for value in series], pl.String)
            numbers = series.cast(pl.Float64, strict=False)
            if numbers.null_count() > series.null_count():
                words = numbers.is_null() & series.is_not_null()
                bad = self.rows[words.to_numpy()]
                raise text_where_numbers(resolved, str(series.filter(words)[0]), self.source, rows_phrase(bad.tolist()))
            values = np.ascontiguousarray(numbers.fill_null(float("nan")).to_numpy(), dtype=np.float64)
            values.flags.writeable = False
            self._cache[resolved] = values
        return self._cache[resolved]

    def text(self, name: str) -> list[str]:
        """The column as text.

        Parameters
        ----------
        name :
            A canonical name or a header.

        Returns
        -------
        list
            One entry a row; missing values as an empty string.

        Raises
        ------
        DataError
            No such column; the nearest are named.
        """
        resolved = self._resolve(name)
        if resolved is None:
            raise missing_column(name, self._candidates(name), source=self.source)
        return self.frame[resolved].cast(pl.String).fill_null("").to_list()

    def __iter__(self) -> Iterator[str]:
        return iter(self.headers)

    @cached_property
    def headers(self) -> tuple[str, ...]:
        """All column names, canonical ones first."""
        own = [name for name in self.frame.columns if name != ROW]
        return tuple(sorted(own, key=lambda name: name not in BY_SYMBOL))

    @property
    def names(self) -> tuple[str, ...]:
        """All names that a column answers to: the headers, and for canonical columns those of the file."""
        aliases = (column.header for column in self.columns.values() if column.header)
        return tuple(dict.fromkeys((*self.headers, *aliases)))

    @property
    def rows(self) -> NDArray[np.int64]:
        """Each row's number in its source, counted from 1 below the header, shape (rows,)."""
        return self.frame[ROW].to_numpy()

    @property
    def loss_unit(self) -> str:
        """The unit of the loss column."""
        return (self.columns["loss"].unit if "loss" in self.columns else None) or "nats/token"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the numbers and texts, whatever file they came from, as 64 hexadecimal digits."""
        return digest_of(self.frame, besides=ROW)

    def run_codes(self) -> NDArray[np.int64]:
        """The unit of resampling: for each row the number of its run.

        Rows that share a ``run`` are checkpoints of one training and move together; without that column each row is a
        run of its own.

        Returns
        -------
        numpy.ndarray
            Whole numbers, counted from 0, (rows,).
        """
        if "run" not in self.frame.columns:
            return np.arange(len(self))
        kept = [name for name in ("run", "family") if name in self.frame.columns]
        kept = [name for name in kept if name == "run" or self.frame[name].null_count() < len(self)]
        texts = [pl.col(name).cast(pl.String).fill_null("") for name in kept]
        names = self.frame.select(texts[0] if len(texts) == 1 else pl.concat_str(texts, separator="\x1f")).to_series()
        # numbered by first appearance, so that the order of rows decides; most tables hold a run's rows together
        stretches = names.rle()
        labels, lengths = stretches.struct.field("value"), stretches.struct.field("len")
        if labels.n_unique() == len(labels):
            return np.repeat(np.arange(len(labels)), lengths.to_numpy())
        distinct = names.unique(maintain_order=True)
        return names.replace_strict(distinct, np.arange(len(distinct)), return_dtype=pl.Int64).to_numpy()

    def take(self, keep: NDArray[np.bool_]) -> Runs:
        """The rows where ``keep`` is true.

        Parameters
        ----------
        keep :
            True or false, (rows,).

        Returns
        -------
        Runs
            With those rows, in order.
        """
        return self._kept(self.frame.filter(pl.Series(keep)))

    def _kept(self, frame: pl.DataFrame) -> Runs:
        """With some of the rows. A finding whose rows were all there, and of which none is left, goes with them."""

        def is_gone(rows: tuple[int, ...]) -> bool:
            before, after = (each[ROW].is_in(rows) for each in (self.frame, frame))
            return bool(rows) and before.sum() == len(rows) and not after.any()

        return replace(self, frame=frame, findings=tuple(each for each in self.findings if not is_gone(each.rows)))

    def where(self, expression: str) -> Runs:
        """The rows that a selection keeps.

        Parameters
        ----------
        expression :
            Such as ``tokens > 1e9 and family == 'pythia'``; see :mod:`isoflop.runs.where` for the language.

        Returns
        -------
        Runs
            With those rows, in order.

        Raises
        ------
        DataError
            No row is kept.
        FormulaError
            The selection cannot be read.
        """
        aliases = {
            column.header: column.name
            for column in self.columns.values()
            if column.derived is None and read_header(column.header).scale == 1
        }
        kept = self.frame.filter(selection(expression, self.frame.schema, aliases=aliases))
        if kept.is_empty():
            raise DataError(f"no run of {self.source} satisfies {excerpt(expression, 120)}; loosen the selection")
        return replace(self._kept(kept), source=f"{self.source} where {expression}")

    def with_column(self, name: str, values: ArrayLike) -> Runs:
        """The runs with a column added or replaced.

        Parameters
        ----------
        name :
            A canonical name or a header.
        values :
            One value a row, (rows,).

        Returns
        -------
        Runs
            With the other columns as they are.
        """
        frame = self.frame.with_columns(pl.Series(name, np.asarray(values)))
        column = Column(name, header=name, unit=self.loss_unit if name == "loss" else None)
        known = {**self.columns, name: column} if name in BY_SYMBOL else self.columns
        return replace(self, frame=frame, columns=FrozenMapping(known))

    def to_polars(self) -> pl.DataFrame:
        """The table without the row numbers.

        Returns
        -------
        polars.DataFrame
            A row a measurement.
        """
        return self.frame.drop(ROW)

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a pandas frame; needs the ``pandas`` extra.

        Returns
        -------
        pandas.DataFrame
            A row a measurement.
        """
        return self.to_polars().to_pandas()

    def _candidates(self, name: str) -> list[str]:
        """The headers that a missing column could be: those that stand for no canonical one, for a canonical one."""
        symbol = canonical_symbol(name)
        if symbol is None:
            return [header for header in self.headers if header not in self.columns or self.columns[header].header]
        free = (header for header in self.headers if header not in self.columns)
        return [header for header in free if is_text(symbol) or not self._cannot_be(symbol, header)]

    def _words_for(self, name: str) -> tuple[str, str] | None:
        """The header that means a canonical column but holds text, and one of its cells."""
        symbol = canonical_symbol(name)
        for header in self.headers:
            series = self.frame[header]
            if series.dtype == pl.String and header not in self.columns and set(match_headers([header])) == {symbol}:
                return header, next((cell for cell in series if cell), "")
        return None

    def _cannot_be(self, symbol: str, header: str) -> bool:
        """Whether a column cannot be a count or a loss: text, truth values; for a count nothing above zero."""
        series = self.frame[header]
        if symbol == "loss" or not series.dtype.is_numeric():
            return not series.dtype.is_numeric()
        return bool((series.cast(pl.Float64).fill_nan(None).max() or 0) <= 0)  # type: ignore[operator]

    def _resolve(self, name: str) -> str | None:
        there = self.frame.columns  # once: of a wide table it takes a millisecond
        if name in there:
            return name
        if safe_header(name) in there:
            return safe_header(name)
        read = next((each.name for each in self.columns.values() if each.header and each.header == name), None)
        symbol = canonical_symbol(name) if read is None else read
        part = {"N_nonembed": "non-embedding", "N_active": "active"}.get(symbol or "")
        if part is not None and symbol not in there and "N" in self.columns:
            # where the table has this count alone, it was read as N
            symbol = "N" if self.columns["N"].convention == part else None
        return symbol if symbol in there else None


def with_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its row numbers, counted from 1."""
    return frame.with_columns(pl.int_range(1, frame.height + 1, dtype=pl.Int64).alias(ROW))


def is_text(symbol: str) -> bool:
    """Whether a canonical column holds text rather than numbers."""
    return symbol in BY_SYMBOL and BY_SYMBOL[symbol].kind == TEXT


def rows_phrase(rows: list[int]) -> str:
    """``row 17``, ``rows 17, 44, 90`` or ``rows 17, 44, 90, 91, 95 and 12 more``."""
    shown = ", ".join(str(row) for row in rows[:5])
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"
