"""Cells of text tables as numbers: ``70B``, ``2x10^9``, ``2.00×10¹⁹``, ``~300B``, ``1.3 billion``, ``2.51 ± 0.01``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from isoflop.units import SCALE_WORDS, parse_quantity

MISSING: Final = ("", "na", "n/a", "nan", "null", "none", "-", "--", "–", "—")

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_MINUS = str.maketrans("−–‒", "---")
_ABOUT = re.compile(r"^(?:~|≈|∼|≃|about|approx\.?|approximately|ca\.|circa)\s*", re.IGNORECASE)
_UNIT_WORDS = re.compile(
    r"\s*(?:tokens?|toks?|params?|parameters?|flops?|nats|bits|samples|examples|steps)$", re.IGNORECASE
)
_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# A caret, a superscript or a sign must tell the exponent: 2×109 may be 218.
_POWER = re.compile(
    rf"(?:({_NUMBER})\s*[x×·∙*✕]\s*)?10\s*(?:(?:\^|\*\*)\s*[{{(]?\s*([+-]?\d{{1,3}})\s*[}})]?|([+-]\d{{1,3}}))"
)
_SUPERSCRIPT = re.compile(r"(?<=10)([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_WORD = re.compile(rf"({_NUMBER})\s*-?\s*([A-Za-z]+)")
_ERROR = re.compile(
    rf"(?P<value>{_NUMBER})\s*\(?\s*(?:±|\+/-|\+-|\\pm)\s*(?P<error>{_NUMBER})\s*\)?\s*(?P<suffix>[kKmMBbGT]?)"
)
_BRACKETED = re.compile(rf"(?P<value>{_NUMBER})\s*\(\s*(?P<error>\d*\.\d+(?:[eE][+-]?\d+)?)\s*\)(?P<suffix>)")
_LONGEST = 100  # letters of a cell that can be a number; above it only digits can


@dataclass(frozen=True)
class Cell:
    """A number that a cell holds.

    scaled: whether the cell has a scale of its own (``0.1B``, ``1.3 billion``), beside which a header's does not count.
    error: what stands behind ``±``.
    """

    value: float
    scaled: bool = False
    error: float | None = None


def parse_cell(text: str) -> Cell:
    """The number of a cell. Raises ValueError where it holds none, or one that could mean two."""
    word = text.strip().translate(_MINUS)
    if len(word) > _LONGEST:
        return Cell(float(word)) if word.lstrip("+-").isdigit() else _no_number(text)
    if len(word) > 2 and word[0] == word[-1] == "$":  # mathematics in Markdown
        word = word[1:-1].strip()
    word = _ABOUT.sub("", word)
    if len(stripped := _UNIT_WORDS.sub("", word)) and any(letter.isdigit() for letter in stripped):
        word = stripped
    word = _SUPERSCRIPT.sub(lambda found: "^" + found[1].translate(_SUPERSCRIPTS), word)
    word = word.replace(r"\times", "×").replace(r"\cdot", "·")
    try:
        value = parse_quantity(word)
    except ValueError:
        pass
    else:
        return Cell(value, scaled=word[-1:].isalpha())
    if found := _POWER.fullmatch(word):
        front, caret, signed = found.groups()
        return Cell((parse_quantity(front) if front else 1.0) * float(f"1e{int(caret or signed)}"))
    for pattern in (_ERROR, _BRACKETED):
        if found := pattern.fullmatch(word):
            suffix = found["suffix"]
            value, error = (parse_quantity(found[part] + suffix) for part in ("value", "error"))
            if pattern is _ERROR or error < abs(value):
                return Cell(value, scaled=bool(suffix), error=error)
    if (found := _WORD.fullmatch(word)) and found[2].lower() in SCALE_WORDS:
        return Cell(parse_quantity(found[1]) * SCALE_WORDS[found[2].lower()], scaled=True)
    return _no_number(text)


def _no_number(text: str) -> Cell:
    raise ValueError(f"{text[:60]!r} is not a number such as 70e9, 70B or 1.4T")


def missing(series: pl.Series) -> pl.Series:
    """Where a column has no entry, (rows,)."""
    if series.dtype != pl.String:
        return series.is_null()
    return series.is_null() | series.str.strip_chars().str.to_lowercase().is_in(MISSING)


def holds_a_word(cells: Iterable[str | None]) -> bool:
    """Whether one of some cells is neither empty nor a number."""
    for cell in cells:
        if cell is None or cell.strip().lower() in MISSING:
            continue
        try:
            float(cell)
        except ValueError:
            try:
                parse_cell(cell.strip())
            except (ValueError, OverflowError):
                return True
    return False


@dataclass(frozen=True)
class Numbers:
    """A column as numbers, null where it holds none. scaled: cells with a scale of their own, or None for no such cell.

    errors: what stands behind ``±``, or None for no such cell. All have shape (rows,).
    """

    values: pl.Series
    scaled: pl.Series | None = None
    errors: pl.Series | None = None

    def times(self, scale: float) -> pl.Series:
        """The numbers times a scale that the header tells; a cell with its own is not scaled twice."""
        if scale == 1:
            return self.values
        if self.scaled is None:
            return self.values * scale
        own = pl.when(self.scaled).then(self.values).otherwise(self.values * scale)
        return pl.select(own.alias(self.values.name)).to_series()


def read_numbers(series: pl.Series) -> Numbers:
    """The series as numbers; what is no number becomes null."""
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return Numbers(series.cast(pl.Float64))
    if series.dtype != pl.String:
        return Numbers(pl.Series(series.name, [None] * series.len(), dtype=pl.Float64))
    text = series.str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    odd = values.is_null() & ~missing(series)
    if not odd.any():
        return Numbers(values.alias(series.name))
    cells: dict[str, Cell] = {}
    for word in text.filter(odd).unique():
        try:
            cells[word] = parse_cell(word)
        except (ValueError, OverflowError):
            continue
    if not cells:
        return Numbers(values.alias(series.name))
    spelled = {word: cell.value for word, cell in cells.items()}
    values = values.fill_null(text.replace_strict(spelled, default=None, return_dtype=pl.Float64))
    own = [word for word, cell in cells.items() if cell.scaled]
    errors = {word: cell.error for word, cell in cells.items() if cell.error is not None}
    return Numbers(
        values.alias(series.name),
        scaled=text.is_in(own).fill_null(value=False) if own else None,
        errors=text.replace_strict(errors, default=None, return_dtype=pl.Float64) if errors else None,
    )


def plain_numbers(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """The columns of text that are numbers as Polars reads them, in every cell that is not empty; all in one pass."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    if not texts:
        return {}
    cells = frame.select(pl.col(texts).str.strip_chars())
    values = cells.select(pl.all().cast(pl.Float64, strict=False))
    nulls = values.null_count().row(0)
    odd = [name for name, count in zip(texts, nulls, strict=True) if count]
    empty: dict[str, int] = {}
    if odd:
        gone = pl.col(odd).is_null() | pl.col(odd).str.to_lowercase().is_in(MISSING)
        empty = dict(zip(odd, cells.select(gone.sum()).row(0), strict=True))
    return {name: values[name] for name, count in zip(texts, nulls, strict=True) if count <= empty.get(name, 0)}


def as_numbers(series: pl.Series) -> pl.Series:
    """The series as numbers; what is no number becomes null."""
    return read_numbers(series).values


def only_words(series: pl.Series) -> bool:
    """Whether the column has entries but not one number, so that only its header looks like a number column's."""
    return not missing(series).all() and as_numbers(series).null_count() == series.len()
