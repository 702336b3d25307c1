"""Checkpoints without a column of runs: rows of equal settings along a clock belong to one training."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import excerpt
from isoflop.findings import Finding
from isoflop.patterns import pattern
from isoflop.runs.headers import plain, word_set, words_of
from isoflop.runs.meanings import BY_SYMBOL
from isoflop.runs.table import ROW, Column

Floats = NDArray[np.float64]

# Headers of how long a training was planned, and of how far of it a row is, by their words.
_STEPS = word_set("step steps iter iters iteration iterations update updates")
_ENDS = word_set("total max maximum planned scheduled target decay")
_TRAINING = word_set("train training trained pretraining num number of n global optimizer lr")
_SHARE = word_set("portion fraction frac share percent percentage pct proportion")
_OF_TRAINING = word_set("elapsed done complete completed finished progress") | _STEPS
_AROUND = word_set("of the in run schedule train training trained so far")
_STEP_OF = pattern(r"(?:steps?|iters?)[\s_]*(?:/|of|over)[\s_]*(?:total|max)", re.IGNORECASE)  # step/total_steps
# In every header that tells either, so that the others of a wide table need not be taken apart into words.
_MAY_TELL = pattern("step|iter|update|fraction|frac|progress|portion|share|percent|pct", re.IGNORECASE)
_ONE_STEP = frozenset(  # headers of the step at which a row was taken, rather than of the number of steps
    plain(name)
    for name in (
        "step", "_step", "current_step", "current_steps", "global_step", "trainer/global_step", "train/global_step",
        "training_step", "iter", "iteration", "checkpoint", "ckpt", "checkpoint_step", "ckpt_step", "step_num",
    )
)  # fmt: skip
_FEWEST_STEPS = 4  # rows of a run that are told by such a header and falling losses alone
_MAYBE_SETTING = ("lr", "batch", "width", "seed", "U", "experts")
_EVEN = {"step": 5, "D": 8}  # evenly spaced rows of one setting that are checkpoints rather than runs
_DONE = 0.98
_MOST_ROWS = 2_000_000


def group_checkpoints(
    frame: pl.DataFrame, known: dict[str, Column]
) -> tuple[pl.DataFrame, dict[str, Column], list[Finding]]:
    """The frame with a column ``run``, where it has none and its rows are checkpoints.

    They are where a column says how far of the planned steps they are (``total_steps``, ``portion_steps_elapsed``), or
    where rows of equal settings follow each other in even steps. Settings are the size, text that repeats, and, as far
    as they are needed to tell rows of one step apart, other numbers that repeat. ``--derive "run = row"`` undoes it.
    """
    if "run" in frame.columns or not 4 <= frame.height <= _MOST_ROWS:
        return frame, known, []
    schema = frame.schema
    telling = [name for name in frame.columns if _MAY_TELL.search(name) is not None]
    total = next((name for name in telling if name != "step" and _is_end(name, schema[name])), None)
    share = next((name for name in telling if name not in BY_SYMBOL and _is_share(name, frame)), None)
    measured = [name for name in ("D", "C") if name in known and not known[name].derived]
    clock = "step" if "step" in known else share if share is not None else next(iter(measured), None)
    if clock is None or not frame[clock].dtype.is_numeric() or known.get(clock, Column("", "")).derived:
        return frame, known, []
    reason = _reason(frame, clock, total, share)
    keys = _settings(frame, clock, total, share)
    if keys is not None:
        codes = _codes(frame, keys)
    else:
        begun, keys = _begun_anew(frame, clock, known), []
        if begun is None:
            return frame, known, [_ungrouped(clock, reason)] if reason else []
        codes, reason = begun, reason or f"{clock} begins anew {int(begun.max())} times"
    sizes = np.bincount(codes)
    if np.median(sizes) < 2 or len(sizes) == frame.height:
        return frame, known, []
    if not reason:
        time = frame[clock].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        reason = _evenly(time, codes, clock, known) or _falling(frame, time, codes, clock, known)
    if not reason:
        return frame, known, []
    shown = [key for key in keys if frame[key].n_unique() > 1][:4]
    labels = _labels(frame, shown, codes)
    settings = ", ".join(key[:30] for key in keys[:4])
    alike = f"rows of equal {settings}" if settings else "all rows" if len(sizes) == 1 else "rows of rising steps"
    frame = frame.with_columns(pl.Series("run", labels))
    known = known | {"run": Column("run", header="", derived=alike)}
    finding = Finding(
        "checkpoints-grouped",
        "note",
        f"{frame.height:,} rows are checkpoints of {len(sizes):,} {'run' if len(sizes) == 1 else 'runs'} ({reason}); "
        f"{alike} were taken for one run.",
        'Name the run with --column run=HEADER; if each row is a run of its own, say --derive "run = row".',
    )
    return frame, known, [finding]


def _is_end(name: str, kind: pl.DataType) -> bool:
    """Whether a column says how many steps were planned: ``total_steps``, ``max_iters``, ``num_train_steps``."""
    words = set(words_of(name))
    told = (words & _ENDS or {"num", "train"} <= words) and _STEP_OF.search(name) is None
    return bool(told and words & _STEPS and words <= _ENDS | _STEPS | _TRAINING) and kind.is_numeric()


def _is_share(name: str, frame: pl.DataFrame) -> bool:
    """Whether a column says how far of its training a row is: ``portion_steps_elapsed``, ``progress``, a percentage."""
    words = set(words_of(name))
    told = (
        words in ({"fraction"}, {"progress"})
        or _STEP_OF.search(name)
        or (words & (_SHARE | {"progress"}) and words & (_OF_TRAINING | {"train", "training"}))
    )
    if not told or not words <= _SHARE | _OF_TRAINING | _AROUND | _ENDS or not frame[name].dtype.is_numeric():
        return False
    series = frame[name]
    low, high = series.cast(pl.Float64).min(), series.cast(pl.Float64).max()
    return low is not None and float(low) >= 0 and float(high) <= 100  # type: ignore[arg-type]


def _reason(frame: pl.DataFrame, clock: str, total: str | None, share: str | None) -> str:
    """What says that rows lie within their training; empty where nothing does."""
    if total is not None and clock == "step":
        early = (pl.col("step") < _DONE * pl.col(total)).fill_null(value=False)
        if frame.select(early.sum()).item() >= 2:
            return f"step is below {excerpt(total, 30)}"
    if share is not None and frame[share].n_unique() > 2:
        return f"{excerpt(share, 30)} has their place in training"
    return ""


def _settings(frame: pl.DataFrame, clock: str, total: str | None, share: str | None) -> list[str] | None:
    """Columns that rows of one run share, so that no clock stands twice in a run; None where none tell them apart."""
    schema = frame.schema
    sizes = [
        name for name in ("N", "N_nonembed", "N_active") if name in frame.columns and frame[name].dtype.is_numeric()
    ]
    texts = [
        name
        for name in frame.columns
        if schema[name] in (pl.String, pl.Boolean) and 2 * frame[name].n_unique() <= frame.height
    ]
    keys = list(dict.fromkeys([*sizes, *texts, *([total] if total is not None else [])]))  # U may be the total too
    rest = [name for name in _MAYBE_SETTING if name in frame.columns]
    numbers = [
        name
        for name, kind in schema.items()
        if name not in BY_SYMBOL and name not in (clock, total, share, ROW) and kind.is_numeric()
    ]
    if numbers:
        counts = frame.select(pl.col(numbers).n_unique()).row(0)  # of all columns in one pass
        rest += [name for name, count in zip(numbers, counts, strict=True) if 4 * count <= frame.height]
    rest = [name for name in dict.fromkeys(rest) if name not in (*keys, clock, share)]

    def apart(chosen: list[str]) -> bool:
        return bool(
            frame.select(pl.struct([pl.col(name) for name in (*chosen, clock)]).n_unique()).item() == frame.height
        )

    added: list[str] = []
    while not apart([*keys, *added]):
        if not rest:
            return None
        added.append(rest.pop(0))
    for name in tuple(added[:-1]):  # a rate that follows a schedule was no setting, where another column is enough
        if apart([*keys, *(each for each in added if each != name)]):
            added.remove(name)
    return [*keys, *added]


def _begun_anew(frame: pl.DataFrame, clock: str, known: dict[str, Column]) -> NDArray[np.int64] | None:
    """For each row the number of its run where runs follow each other and steps begin anew; None where they do not."""
    if clock != "step" or plain(known["step"].header) not in _ONE_STEP:
        return None
    falls = (frame["step"].diff() <= 0).fill_null(value=False).to_numpy()
    codes = np.asarray(np.cumsum(falls), dtype=np.int64)
    if np.median(np.bincount(codes)) < _FEWEST_STEPS:
        return None
    if "N" in frame.columns:
        sizes = frame["N"].to_numpy()
        if (sizes[1:][~falls[1:]] != sizes[:-1][~falls[1:]]).any():
            return None
    return codes


def _codes(frame: pl.DataFrame, keys: list[str]) -> NDArray[np.int64]:
    """For each row the number of its run, by first appearance, (rows,)."""
    if not keys:
        return np.zeros(frame.height, dtype=np.int64)
    joined = frame.select(pl.struct([pl.col(name) for name in keys]).rank("dense").alias("code"))["code"].to_numpy()
    _, first, codes = np.unique(joined, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[codes], dtype=np.int64)


def _evenly(time: Floats, codes: NDArray[np.int64], clock: str, known: dict[str, Column]) -> str:
    """Whether most rows lie in runs whose clock goes in even steps; a grid of runs goes in factors."""
    least = _EVEN["step"] if clock == "step" and plain(known["step"].header) != "steps" else _EVEN["D"]
    rows = np.bincount(codes)
    order = np.lexsort((time, codes))
    runs = codes[order]
    within = runs[1:] == runs[:-1]
    with np.errstate(all="ignore"):
        gaps, of = np.diff(time[order])[within], runs[1:][within]
        usual = _medians(gaps, of, rows - 1)
        ratio = gaps / usual[of]
        whole = np.round(ratio)
        off = ~((whole >= 1) & (np.abs(ratio - whole) < 0.02))  # not finite is off as well
        single = np.bincount(of, weights=whole == 1, minlength=len(rows)) > 0.6 * (rows - 1)
    good = (rows >= least) & single & (np.bincount(of, weights=off, minlength=len(rows)) == 0)
    even = int(rows[good].sum())
    return f"{clock} goes in even steps" if 2 * even > len(codes) else ""


def _medians(values: Floats, codes: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """The median of the values of each code, (codes,); NaN where it has none. counts: how many each has."""
    ordered = values[np.lexsort((values, codes))]
    first = np.cumsum(counts) - counts
    some = counts > 0
    medians = np.full(len(counts), np.nan)
    low, high = first[some] + (counts[some] - 1) // 2, first[some] + counts[some] // 2
    medians[some] = (ordered[low] + ordered[high]) / 2
    return medians


def _falling(frame: pl.DataFrame, time: Floats, codes: NDArray[np.int64], clock: str, known: dict[str, Column]) -> str:
    """Whether rows say at which step they were taken, several of each setting, and the loss falls along them."""
    if clock != "step" or plain(known["step"].header) not in _ONE_STEP or "loss" not in known:
        return ""
    if np.median(np.bincount(codes)) < _FEWEST_STEPS:
        return ""
    if any(series.dtype == pl.String and series.n_unique() == frame.height for series in frame):
        return ""  # each row has a name of its own
    order = np.lexsort((time, codes))
    loss = frame["loss"].cast(pl.Float64).fill_null(float("nan")).to_numpy()[order]
    within = np.diff(codes[order]) == 0
    falls = np.diff(loss)[within] < 0
    return f"the loss falls along {excerpt(known['step'].header, 30)}" if len(falls) and falls.mean() > 0.6 else ""


def _labels(frame: pl.DataFrame, shown: list[str], codes: NDArray[np.int64]) -> list[str]:
    if not shown:
        return [f"run {code + 1}" for code in codes]
    text = frame.select(
        pl.concat_str(
            [pl.lit(f"{name}=") + pl.col(name).cast(pl.String).fill_null("") for name in shown], separator=" "
        )
    ).to_series()
    firsts: dict[int, str] = {}
    taken: set[str] = set()
    for code, label in zip(codes.tolist(), text.to_list(), strict=True):
        if code not in firsts:
            firsts[code] = label if label not in taken else f"{label} ({code + 1})"
            taken.add(firsts[code])
    return [firsts[code] for code in codes.tolist()]


def _ungrouped(clock: str, reason: str) -> Finding:
    return Finding(
        "checkpoints-ungrouped",
        "warning",
        f"the rows are checkpoints ({reason}), but no column tells their runs apart: {clock} stands twice in rows of "
        "equal settings, and each row counts as a run of its own, so that intervals are too narrow.",
        "Name the run with --column run=HEADER.",
    )
