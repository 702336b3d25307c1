"""Raw columns under canonical names: whose headers they are, and their numbers in whole counts and nats."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import polars as pl

from isoflop.errors import DataError, excerpt, pasted
from isoflop.findings import Finding
from isoflop.runs.cells import Numbers, durations, holds_a_word, missing, plain_numbers, read_numbers, steps_in_words
from isoflop.runs.columns import (
    BY_SYMBOL,
    COUNTED,
    TEXT,
    Header,
    Match,
    Meaning,
    agrees,
    canonical_symbol,
    counts_samples,
    header_of,
    is_score,
    match_headers,
    missing_column,
)
from isoflop.runs.dataset_losses import may_be_a_loss, names_a_loss
from isoflop.runs.headers import plain, safe_header, scale_named, words_of
from isoflop.runs.mapping_findings import passed_finding, rival_findings, scale_findings, words_finding
from isoflop.runs.table import ROW, Column, is_text, rows_phrase
from isoflop.runs.token_formulas import tokens_formula
from isoflop.units import LOSS_UNITS, PARAM_CONVENTIONS
from isoflop.values import Value

_STEPS: Final = frozenset(plain(spelling) for spelling in BY_SYMBOL["step"].spellings)
_LOOKED_AT: Final = 8  # cells at the head of a column, one of which mostly tells that it holds words
_PLAIN_NAMES: Final = frozenset(
    ("param", "params", "parameter", "parameters", "token", "tokens", "flop", "flops", "loss", "n", "d", "c")
)  # headers whose cells are numbers, so that text in all of them is a mistake
_LIKE = 3.0  # factor within which medians of losses on several data sets lie
_NEAR_6ND = (0.2, 5.0)
_FAR_FROM_6ND = 1e3


@dataclass
class Cells:
    """The columns of a raw frame as numbers, each read once."""

    raw: pl.DataFrame
    read: dict[str, Numbers] = field(default_factory=dict)

    def numbers(self, header: str) -> Numbers:
        """A column as numbers, null where it holds none."""
        if header not in self.read:
            series = self.raw[header]
            if series.dtype == pl.String and plain(header) in _STEPS:
                series = steps_in_words(series)
            self.read[header] = read_numbers(series)
        return self.read[header]

    def scaled(self, header: Header) -> pl.Series:
        """A column as whole counts."""
        return self.numbers(header.text).times(header.scale)

    def only_words(self, header: str) -> bool:
        """Whether the column has entries but not one number."""
        return self.numbers(header).values.null_count() == self.raw.height and not missing(self.raw[header]).all()


def check_units(units: Mapping[str, str], conventions: Mapping[str, str]) -> None:
    """Refuse a unit or a convention that is not known."""
    for name, unit in units.items():
        symbol = canonical_symbol(name) or name
        if symbol == "loss":
            if unit not in LOSS_UNITS:
                raise DataError(f"unit loss={excerpt(unit)} is not known; write loss= one of {', '.join(LOSS_UNITS)}")
        elif symbol in COUNTED and scale_named(unit) is None:
            raise DataError(
                f"unit {name}={excerpt(unit)} is not known; write a scale, as {name}=millions, {name}=B, {name}=1e9, "
                f"C=GFLOPs or C=PF-days; {name}=1 for whole counts"
            )
        elif len(unit) > 60 or not unit.isprintable():
            raise DataError(f"unit {name}={excerpt(unit)} is no unit; write a short text such as {name}=error rate")
    for name, convention in conventions.items():
        if name != "N" or convention not in PARAM_CONVENTIONS:
            raise DataError(
                f"convention {name[:40]}={excerpt(convention)} is not known; write N= one of "
                f"{', '.join(PARAM_CONVENTIONS)}"
            )


def choose(
    cells: Cells, explicit: Mapping[str, str], units: Mapping[str, str], name: str, *, derived: Container[str] = ()
) -> tuple[dict[str, Match], list[Finding]]:
    """The header of every canonical column: what the user said first, then the known spellings.

    derived: symbols that the user computes from others, about which nothing is found.
    """
    raw = cells.raw
    scales = {canonical_symbol(word) or word: unit for word, unit in units.items()}
    scales = {symbol: unit for symbol, unit in scales.items() if symbol in COUNTED}
    by_symbol = _named(raw, explicit, name)
    words: dict[str, tuple[Header, bool]] = {}
    passed: dict[str, Header] = {}

    def fits(meaning: Meaning, header: Header, sure: bool) -> bool:
        if meaning.kind == TEXT:
            return True
        if cells.only_words(header.text):
            if sure or raw[header.text].str.contains(r"^\W*\d").any():
                words.setdefault(meaning.symbol, (header, sure))
            return False
        if sure:
            return True
        said = scale_named(scales[meaning.symbol]) if meaning.symbol in scales else None
        scaled = [header] if said is None else [header, replace(header, scale=said)]
        agree = any(agrees(meaning, cells.scaled(each).fill_null(float("nan")).to_numpy()) for each in scaled)
        if not agree:
            passed.setdefault(meaning.symbol, header)
        return agree

    free = [header for header in raw.columns if header not in by_symbol.values()]
    guessed = match_headers(free, fits=fits)
    chosen = {symbol: match for symbol, match in guessed.items() if symbol not in by_symbol}
    found: list[Finding] = []
    for symbol, (header, sure) in words.items():
        if symbol not in chosen and symbol not in by_symbol and symbol in ("N", "D", "C", "loss"):
            if sure and _means_numbers(header) and raw[header.text].str.contains(r"\d").any():
                chosen[symbol] = Match(symbol, header)  # its cells are refused by name
            elif symbol not in derived:
                found.append(words_finding(symbol, header, raw, sure=sure))
    for symbol, header in passed.items():
        if symbol not in chosen and symbol not in by_symbol:
            found.append(passed_finding(symbol, header, cells.scaled(header)))
    for part, convention in (("N_nonembed", "non-embedding"), ("N_active", "active")):
        if "N" not in chosen and "N" not in by_symbol and part in chosen and convention:
            chosen["N"] = replace(chosen.pop(part), symbol="N")
    chosen |= {symbol: Match(symbol, header_of(symbol, header)) for symbol, header in by_symbol.items()}
    for word, unit in units.items():
        symbol = canonical_symbol(word) or word
        if symbol in chosen and symbol in COUNTED:
            chosen[symbol] = replace(
                chosen[symbol], header=replace(chosen[symbol].header, scale=scale_named(unit) or 1.0)
            )
    if "loss" in chosen and "loss" not in by_symbol:
        chosen["loss"] = _with_rival_losses(cells, chosen["loss"], free)
    return _consistent_flops(cells, chosen, by_symbol, found)


def _with_rival_losses(cells: Cells, match: Match, free: Sequence[str]) -> Match:
    """A loss on one named data set, with losses of its size on data that no list knows among its rivals."""
    if match.sure or names_a_loss(match.header.bare) is None:
        return match
    usual = cells.numbers(match.header.text).values.median()
    known = {match.header.text, *match.rivals, *(each.text for each in match.others)}
    rivals = []
    for header in free:
        if header in known or not may_be_a_loss(header) or is_score(header):
            continue
        own = cells.numbers(header).values
        middle = own.median()
        if not isinstance(middle, float) or not isinstance(usual, float) or own.null_count():
            continue
        if usual / _LIKE < middle < usual * _LIKE and agrees(BY_SYMBOL["loss"], own.to_numpy()):
            rivals.append(header)
    return replace(match, rivals=(*match.rivals, *rivals))


def _named(raw: pl.DataFrame, explicit: Mapping[str, str], name: str) -> dict[str, str]:
    """What the user said, under canonical symbols."""
    by_symbol: dict[str, str] = {}
    stripped = {header.strip(): header for header in reversed(raw.columns)}
    for word, given in explicit.items():
        header = safe_header(given) if safe_header(given) in raw.columns else stripped.get(given.strip(), given)
        if header not in raw.columns:
            raise missing_column(given, raw.columns, source=name)
        if word == ROW or not word.isidentifier() or len(word) > 60:
            raise DataError(f"a column cannot be named {excerpt(word)}; use a word such as N, D or width")
        symbol = canonical_symbol(word) or word
        if by_symbol.setdefault(symbol, header) != header:
            raise DataError(f"{symbol} was named twice, {excerpt(by_symbol[symbol])} and {excerpt(header)}; choose one")
    return by_symbol


def _means_numbers(header: Header) -> bool:
    return bool(set(words_of(header.bare)) & _PLAIN_NAMES)


def _consistent_flops(
    cells: Cells, chosen: dict[str, Match], by_symbol: Mapping[str, str], found: list[Finding]
) -> tuple[dict[str, Match], list[Finding]]:
    """C from the column that is near 6ND, where the best spelling is orders of magnitude off (FLOPs a token)."""
    if "C" in by_symbol or not {"N", "D", "C"} <= set(chosen) or counts_samples(chosen["D"].header):
        return chosen, found

    def ratio(header: Header) -> float:
        with np.errstate(all="ignore"):
            n, d, c = (
                cells.scaled(each).fill_null(float("nan")).to_numpy()
                for each in (chosen["N"].header, chosen["D"].header, header)
            )
            known = (c / (6 * n * d))[np.isfinite(c / (6 * n * d))]
        return float(np.median(known)) if len(known) else 1.0

    match = chosen["C"]
    usual = ratio(match.header)
    if _NEAR_6ND[0] <= usual <= _NEAR_6ND[1]:
        return chosen, found
    rivals = [header_of("C", text) for text in match.rivals]
    for other in (*rivals, *match.others):
        if _NEAR_6ND[0] <= ratio(other) <= _NEAR_6ND[1]:
            found.append(
                Finding(
                    "flops-by-values",
                    "note",
                    f"C was read from {excerpt(other.text)}, which agrees with 6ND; {excerpt(match.header.text)} is "
                    f"{usual:.2g} times 6ND.",
                    f"If the other was meant, say --column C={pasted(match.header.text)}.",
                )
            )
            chosen["C"] = Match("C", other)
            return chosen, found
    counted = [float(cells.scaled(chosen[each].header).median() or 0) for each in ("N", "D")]  # type: ignore[arg-type]
    if not 1 / _FAR_FROM_6ND <= usual <= _FAR_FROM_6ND and usual > 0 and _plausible(*counted):
        found.append(
            Finding(
                "flops-by-values",
                "warning",
                f"C was not read from {excerpt(match.header.text)}, which is {usual:.2g} times 6ND in the median: not "
                "the FLOPs of a whole run, or N, D or C has another scale than in its header.",
                f"If it is C, say --column C={pasted(match.header.text)}, and its scale as --unit C=GFLOPs.",
            )
        )
        del chosen["C"]
    return chosen, found


def _plausible(n: float, d: float) -> bool:
    """Whether parameters and tokens are such that C is at fault where the three disagree."""
    return n >= 1e5 and 0.1 <= d / n <= 1e5


@dataclass(frozen=True)
class Renamed(Value):
    """The frame under canonical names, what is known of its columns, what that raised, and the cells left unread."""

    frame: pl.DataFrame
    known: dict[str, Column]
    findings: list[Finding]
    unread: dict[str, pl.Series]


def rename(
    cells: Cells, matches: Mapping[str, Match], units: Mapping[str, str], conventions: Mapping[str, str]
) -> Renamed:
    """Canonical columns under their symbols with numbers read, all others under their own headers."""
    raw = cells.raw
    findings: list[Finding] = []
    unread: dict[str, pl.Series] = {}
    known: dict[str, Column] = {}
    made: dict[str, pl.Series] = {}
    errors: dict[str, pl.Series] = {}
    used: set[str] = set()
    for symbol, match in matches.items():
        header = match.header
        series = raw[header.text]
        named_words = symbol not in BY_SYMBOL and cells.only_words(header.text) and durations(series) is None
        if not is_text(symbol) and not named_words:  # a column of words under a name of the user's own stays one
            numbers = cells.numbers(header.text) if symbol in BY_SYMBOL else _of_own_name(cells, header.text)
            if numbers.values.null_count() and (odd := numbers.values.is_null() & ~missing(series)).any():
                unread[symbol] = pl.select(pl.when(odd).then(series.cast(pl.String))).to_series()
            series = numbers.times(header.scale)
            if numbers.errors is not None:
                errors[f"{symbol}_error"] = numbers.errors * (header.scale if numbers.scaled is None else 1.0)
            findings += scale_findings(symbol, header, numbers)
        used.add(header.text)
        made[symbol] = series.alias(symbol)
        known[symbol] = Column(
            symbol, header.text, unit=None if symbol in COUNTED else units.get(symbol),
            convention=_convention(symbol, header, conventions),
        )  # fmt: skip
        findings += rival_findings(symbol, match)
    if "loss" in made:
        unit = units.get("loss") or stated(raw, "loss_unit", LOSS_UNITS)
        made["loss"], known["loss"], found = _loss(made["loss"], matches["loss"].header, unit)
        findings += found
    if "D" in known and known["D"].convention == "samples":
        findings.append(
            Finding(
                "counts-samples",
                "note",
                f"D counts samples ({excerpt(known['D'].header)}) and not tokens: tokens per parameter and C = 6ND do "
                "not hold for it.",
                "Give the tokens as a column, or derive them: --derive "
                f'"D = {_tokens_of_samples(known["D"].header, raw.columns)}".',
            )
        )
    rest = [header for header in raw.columns if header not in used]
    plainly = plain_numbers(raw, besides=used)
    for header_text in rest:
        own = header_text if header_text != ROW and header_text not in made else f"{header_text} (file)"
        numbers = Numbers(plainly[header_text]) if header_text in plainly else own_numbers(raw[header_text])
        made[own] = numbers.values if numbers.values.name == own else numbers.values.alias(own)
        if numbers.errors is not None:
            errors[f"{own}_error"] = numbers.errors
    for name, series in errors.items():
        made.setdefault(name, series.alias(name))
    if errors:
        findings.append(
            Finding(
                "uncertain-cells",
                "note",
                f"the numbers after ± stand in {', '.join(excerpt(name, 40) for name in list(errors)[:4])}.",
                "Nothing to do.",
            )
        )
    return Renamed(pl.DataFrame(list(made.values())), known, findings, unread)


def _tokens_of_samples(header: str, headers: Sequence[str]) -> str:
    return tokens_formula(headers, of={"samples": header}) or "samples_seen * tokens_per_sample"


def own_numbers(series: pl.Series) -> Numbers:
    """A column that keeps its header: numbers if every cell is one, seconds of durations, else what it was."""
    if (seconds := durations(series)) is not None:
        return Numbers(seconds)
    if series.dtype != pl.String or holds_a_word(series.head(_LOOKED_AT).to_list()):
        return Numbers(series)
    numbers = read_numbers(series, shares=True)
    return Numbers(series) if numbers.values.null_count() > int(missing(series).sum()) else numbers


def _of_own_name(cells: Cells, header: str) -> Numbers:
    """A column that the user gave a name of their own: what its header makes of it, if these are numbers."""
    own = own_numbers(cells.raw[header])
    return own if own.values.dtype.is_numeric() else cells.numbers(header)


def _convention(symbol: str, header: Header, conventions: Mapping[str, str]) -> str | None:
    if symbol == "D":
        return "samples" if counts_samples(header) else None
    if symbol != "N":
        return {"N_nonembed": "non-embedding", "N_active": "active"}.get(symbol)
    if "N" in conventions:
        return conventions["N"]
    words = set(words_of(header.bare))
    if words & {"nonembed", "nonembedding", "nonemb", "noemb"} or (
        words & {"non", "no", "without", "excluding", "excl", "ex"}
        and words & {"emb", "embed", "embedding", "embeddings"}
    ):
        return "non-embedding"
    if words & {"active", "activated"}:
        return "active"
    return "total" if "total" in words else None


def stated(raw: pl.DataFrame, header: str, words: Sequence[str]) -> str | None:
    """What a column such as ``loss_unit`` states, where it states one and the same known word in every row."""
    if header not in raw.columns:
        return None
    said = raw[header].drop_nulls().unique().to_list()
    return said[0] if len(said) == 1 and said[0] in words else None


def _loss(series: pl.Series, header: Header, unit: str | None) -> tuple[pl.Series, Column, list[Finding]]:
    unit = unit or header.unit or "nats/token"
    column = Column("loss", header.text, unit=unit)
    if unit != "perplexity":
        return series, column, []
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(series.fill_null(float("nan")).to_numpy())
    finding = Finding(
        "perplexity-to-nats",
        "note",
        f"the loss is the logarithm of {excerpt(header.text)}, since scaling laws hold for nats and not for "
        "perplexity.",
        "Nothing to do, unless the column is not a perplexity: then give --unit loss=nats/token.",
    )
    column = Column("loss", header.text, unit="nats/token", derived=f"log({header.text[:60]})")
    return pl.Series("loss", logs), column, [finding]


def refuse_text(frame: pl.DataFrame, matches: Mapping[str, Match], unread: Mapping[str, pl.Series], name: str) -> None:
    """Text among the numbers of the rows that are left: an error that names the rows."""
    for symbol, words in unread.items():
        kept = frame[ROW].to_numpy() - 1
        left = words[kept]
        bad = frame[ROW].filter(left.is_not_null()).to_list()
        if bad:
            example = left.drop_nulls()[0]
            header = matches[symbol].header.text
            raise DataError(
                f"column {excerpt(header)} of {name} holds text where numbers are needed: {excerpt(example)} "
                f'({rows_phrase(bad)}); mend the cells, or drop the rows with --where "finite({symbol})"'
            )
