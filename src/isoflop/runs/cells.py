"""Cells of text tables as numbers: ``70B``, ``2x10^9``, ``~300B``, ``1.3 billion``, ``0.6 EFLOPs``, ``2.51 ± 0.01``."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from isoflop.patterns import pattern
from isoflop.runs.headers import operations_scale, word_set, words_of
from isoflop.units import SCALE_WORDS, parse_quantity

MISSING: Final = ("", "na", "n/a", "nan", "null", "none", "-", "--", "–", "—")

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_MINUS = str.maketrans("−–‒", "---")
_ABOUT = pattern(r"^(?:~|≈|∼|≃|about|approx\.?|approximately|ca\.|circa)\s*", re.IGNORECASE)
_UNIT_WORDS = pattern(
    r"\s*(?:tokens?|toks?|params?|parameters?|flops?|nats|bits|samples|examples|steps)$", re.IGNORECASE
)
_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
# A caret, a superscript or a sign must tell the exponent: 2×109 may be 218.
_POWER = pattern(
    rf"(?:({_NUMBER})\s*[x×·∙*✕]\s*)?10\s*(?:(?:\^|\*\*)\s*[{{(]?\s*([+-]?\d{{1,3}})\s*[}})]?|([+-]\d{{1,3}}))"
)
_SUPERSCRIPT = pattern(r"(?<=10)([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
_WORD = pattern(rf"({_NUMBER})\s*-?\s*([A-Za-z]+)")
_ERROR = pattern(
    rf"(?P<value>{_NUMBER})\s*\(?\s*(?:±|\+/-|\+-|\\pm)\s*(?P<error>{_NUMBER})\s*\)?\s*(?P<suffix>[kKmMBbGT]?)"
)
_BRACKETED = pattern(rf"(?P<value>{_NUMBER})\s*\(\s*(?P<error>\d*\.\d+(?:[eE][+-]?\d+)?)\s*\)(?P<suffix>)")
_CONCISE = pattern(r"([+-]?\d*\.(\d+))\((\d{1,3})\)")  # 3.741(12): an error in units of the last digit
_PERCENT = pattern(rf"({_NUMBER})\s*%")
_OPERATIONS = pattern(rf"({_NUMBER})\s*([A-Za-z][A-Za-z/\s-]*)")
_BINARY = pattern(r"2\s*(?:\^|\*\*)\s*(\d{1,3})")
_APART = pattern(r"(?<=\d)[ '\u00a0\u2009\u202f](?=\d{3}(?!\d))")  # 1 000 000, 1'000'000
_THOUSANDS = pattern(r"[+-]?[1-9]\d{0,2}(?:[ '\u00a0\u2009\u202f]\d{3})+(?:\.\d*)?")
_FOOTNOTE = pattern(r"(?<=[\w.)])\s*(?:[*†‡§]+|\[\d{1,2}\])$")
_TIME = word_set("time duration elapsed runtime wall wallclock walltime eta hours minutes seconds hour")
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_DURATION = pattern(
    r"(\d+(?:\.\d+)?)\s*(ms|milliseconds?|d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?)(?![a-z])[\s,]*",
    re.IGNORECASE,
)
_STEP_NAME = r"(?i)^\s*(?:global_?step|step|iter(?:ation)?|checkpoint|ckpt)[\s_=-]*(\d{1,12})\s*$"
_CLOCK = pattern(r"(?:(\d+)\s*(?:d|days?),?\s*)?(\d{1,3}):(\d{2})(?::(\d{2}(?:\.\d+)?))?", re.IGNORECASE)
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


def parse_cell(text: str, *, shares: bool = False) -> Cell:
    """The number of a cell. Raises ValueError where it holds none, or one that could mean two.

    shares: whether a percentage is one, as in columns of scores; no count and no loss is.
    """
    word = text.strip().translate(_MINUS)
    if len(word) > _LONGEST:
        return Cell(float(word)) if word.lstrip("+-").isdigit() else _no_number(text)
    if len(word) > 2 and word[0] == word[-1] == "$":  # mathematics in Markdown
        word = word[1:-1].strip()
    word = _FOOTNOTE.sub("", _ABOUT.sub("", word))
    if (found := _OPERATIONS.fullmatch(word)) and (scale := operations_scale(found[2])) is not None:
        return Cell(parse_quantity(found[1]) * scale, scaled=True)
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
    if found := _BINARY.fullmatch(word):
        return Cell(2.0 ** int(found[1]))
    if found := _THOUSANDS.fullmatch(word):
        return Cell(float(_APART.sub("", word)))
    if shares and (found := _PERCENT.fullmatch(word)):
        return Cell(parse_quantity(found[1]) / 100, scaled=True)
    if found := _CONCISE.fullmatch(word):
        return Cell(float(found[1]), error=float(found[3]) * 10.0 ** -len(found[2]))
    for written in (_ERROR, _BRACKETED):
        if found := written.fullmatch(word):
            suffix = found["suffix"]
            value, error = (parse_quantity(found[part] + suffix) for part in ("value", "error"))
            if written is _ERROR or error < abs(value):
                return Cell(value, scaled=bool(suffix), error=error)
    if (found := _WORD.fullmatch(word)) and found[2].lower() in SCALE_WORDS:
        return Cell(parse_quantity(found[1]) * SCALE_WORDS[found[2].lower()], scaled=True)
    return _no_number(text)


def parse_duration(text: str) -> float:
    """The seconds of a cell of times: ``12m``, ``1h 3m``, ``2 days, 3:04:05``. Raises ValueError for others."""
    word = text.strip()
    if found := _CLOCK.fullmatch(word):
        days, first, second, third = found.groups()
        rest = 3600 * int(first) + 60 * int(second) + float(third) if third else 60 * int(first) + int(second)
        return 86_400.0 * int(days or 0) + rest
    parts = _DURATION.findall(word)
    if not parts or len(word) > _LONGEST or _DURATION.sub("", word).strip():
        raise ValueError(f"{text[:60]!r} is no duration such as 12m or 1h 3m")
    names = (unit.lower() for _, unit in parts)
    return float(
        sum(
            float(amount) * _SECONDS["ms" if name.startswith(("ms", "mil")) else name[0]]
            for (amount, _), name in zip(parts, names, strict=True)
        )
    )


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
                parse_cell(cell.strip(), shares=True)
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


def read_numbers(series: pl.Series, *, shares: bool = False) -> Numbers:
    """The series as numbers; what is no number becomes null. shares: whether percentages are numbers."""
    if series.dtype in (pl.Categorical, pl.Enum):
        series = series.cast(pl.String)
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return Numbers(series.cast(pl.Float64))
    if series.dtype != pl.String:
        return Numbers(pl.Series(series.name, [None] * series.len(), dtype=pl.Float64))
    text = series.str.strip_chars()
    values = text.cast(pl.Float64, strict=False)
    if not values.null_count() or not (odd := values.is_null() & ~missing(series)).any():
        return Numbers(values.alias(series.name))
    cells: dict[str, Cell] = {}
    for word in text.filter(odd).unique():
        try:
            cells[word] = parse_cell(word, shares=shares)
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


def plain_numbers(frame: pl.DataFrame, besides: Container[str] = ()) -> dict[str, pl.Series]:
    """The columns of text that are numbers as Polars reads them, in every cell that is not empty; all in one pass.

    besides: columns that are left out.
    """
    kinds = zip(frame.columns, frame.dtypes, strict=True)
    texts = [name for name, kind in kinds if isinstance(kind, pl.String) and name not in besides]
    if not texts:
        return {}
    values = frame.select(pl.col(texts).str.strip_chars().cast(pl.Float64, strict=False))
    nulls = values.null_count().row(0)
    odd = [name for name, count in zip(texts, nulls, strict=True) if count]
    empty: dict[str, int] = {}
    if odd:
        gone = pl.col(odd).is_null() | pl.col(odd).str.strip_chars().str.to_lowercase().is_in(MISSING)
        empty = dict(zip(odd, frame.select(gone.sum()).row(0), strict=True))
    return {
        name: series
        for name, series, count in zip(texts, values.get_columns(), nulls, strict=True)
        if count <= empty.get(name, 0)
    }


def steps_in_words(series: pl.Series) -> pl.Series:
    """The steps of checkpoints named ``step143000`` or ``checkpoint-500``, where every cell is so; else as it is."""
    steps = series.str.extract(_STEP_NAME, 1)
    return steps if steps.null_count() == int(missing(series).sum()) < len(series) else series


def durations(series: pl.Series) -> pl.Series | None:
    """A column of times as seconds, where its header says so and every cell is a duration; else None."""
    if series.dtype != pl.String or not _TIME & set(words_of(series.name)):
        return None
    cells: dict[str, float] = {}
    for word in series.filter(~missing(series)).unique():
        try:
            cells[word] = parse_duration(word)
        except (ValueError, OverflowError):
            return None
    return series.replace_strict(cells, default=None, return_dtype=pl.Float64) if cells else None


def as_numbers(series: pl.Series) -> pl.Series:
    """The series as numbers; what is no number becomes null."""
    return read_numbers(series).values


def only_words(series: pl.Series) -> bool:
    """Whether the column has entries but not one number, so that only its header looks like a number column's."""
    return not missing(series).all() and as_numbers(series).null_count() == series.len()
