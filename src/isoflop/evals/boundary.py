"""What rows of items must be, checked once whatever they were read from: each fault is one sentence or a finding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from isoflop.errors import DataError, shown
from isoflop.evals.items import Items
from isoflop.findings import Finding

_SUM: Final = 1e-3  # by which the probabilities of one member may miss 1 through rounding
_ROUNDED: Final = 0.02  # by which they may miss it and are rescaled
# metrics that are no score between a chance level and a ceiling
_NO_SCORES: Final = (
    "perplexity", "ppl", "loss", "bits_per_byte", "likelihood_diff", "n", "samples", "num_items", "sample_len", "bpb",
    "nll", "cross_entropy",
)  # fmt: skip


def checked(
    items: Items,
    *,
    scale: str | None = None,
    chances: Mapping[str, float] | None = None,
    ceilings: Mapping[str, float] | None = None,
) -> Items:
    """The items with scores in [0, 1], probabilities that sum to 1, and each duplicate once; findings say what changed.

    scale: ``percent`` or ``fraction`` where the scores themselves do not tell.
    Raises DataError for what no rule can mend.
    """
    rows, found = _without_duplicates(items.rows)
    rows, more = _scores(rows, scale, items.source)
    found += more
    rows, more = _options(rows, items.source)
    found += more
    _passes(rows, items.source)
    rows, more = _members(rows, items.source)
    found += more
    if rows.is_empty():
        raise DataError(f"{items.source} holds no score that can be used; give scores between 0 and 1, or in percent")
    low, high, more = _levels(rows, items, dict(chances or {}), dict(ceilings or {}))
    found += more
    found += _plain_findings(rows, low)
    told = set(rows["model"].unique())
    models = items.models.filter(pl.col("model").is_in(told))
    return Items(rows, models, items.source, low, high, (*items.findings, *found))


def _without_duplicates(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Rows that are equal in everything are one row; rows of a whole task must be unique."""
    single = rows["item"].is_null() & (rows["kind"] == "score")
    per_task = rows.filter(single).unique(maintain_order=True)
    keys = ["model", "task", "metric"]
    twice = per_task.filter(pl.struct(keys).is_duplicated())
    if len(twice):
        model, task, metric = twice.select(keys).row(0)
        values = twice.filter((pl.col("model") == model) & (pl.col("task") == task))["score"].to_list()
        raise DataError(
            f"{shown(model)} has two scores of {shown(task)} ({metric}): {values[0]:g} and {values[1]:g}; keep the "
            "rows of one setting with --where, or name the column that tells the models apart: --column model=HEADER"
        )
    kept = rows.unique(maintain_order=True)
    lost, found = len(rows) - len(kept), []
    if lost:
        message = f"{lost} of {len(rows):,} rows repeat another row of the same model and item in every cell."
        remedy = "Look at how the table was joined."
        found.append(Finding("duplicate-items", "warning", f"{message} Each was counted once.", remedy))
    # without a column that numbers repeats, several answers to an item may be of two settings
    answers = kept.filter(pl.col("item").is_not_null() & pl.col("repeat").is_null() & (pl.col("kind") != "members"))
    several = answers.group_by([*keys, "item"], maintain_order=True).len().filter(pl.col("len") > 1)
    if len(several):
        model, task, _, item, count = several.row(0)
        found.append(
            Finding(
                "several-answers",
                "warning",
                f"{len(several):,} items have several answers of one model, such as {count} of {shown(model)} to item "
                f"{shown(item)} of {shown(task)}; each item counts once, with their mean.",
                "Number them, as --column repeat=HEADER, or keep the rows of one setting (--where).",
            )
        )
    return kept if lost else rows, found


def _scores(rows: pl.DataFrame, scale: str | None, source: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Percent become fractions, by task and metric; what is neither is refused, or left out where its name tells."""
    found: list[Finding] = []
    score = pl.col("score")
    ends = rows.filter(score.is_not_null()).group_by("task", "metric", maintain_order=True).agg(
        score.min().alias("low"), score.max().alias("high"), (score != score.round()).any().alias("parts"),
        (score.filter(score > 0) > 1).mean().fill_null(0.0).alias("large"),
    )  # fmt: skip
    percent, left_out, fractions = [], [], []
    # one score above 1 among shares is a fault; of ratings from 1 to 5 nothing tells that they are no percentages
    sure = {(task, metric) for task, metric, low, high, parts, large in ends.iter_rows()
            if scale is None and low >= 0 and 1 < high <= 100 and large > 0.5 and (high > 10 or parts)}  # fmt: skip
    for task, metric, low, high, _, large in ends.iter_rows():
        named = str(metric).lower().split(",")[0].split("@")[0]
        if any(named == each or named.endswith(f"_{each}") for each in _NO_SCORES):
            left_out.append((task, metric))
        elif scale == "percent" and low >= 0 and high <= 100:
            percent.append((task, metric))
        elif low >= 0 and high <= 1:
            fractions.append((task, metric))
        elif sure and low >= 0 and high <= 100 and large > 0.5:
            percent.append((task, metric))
        else:
            where = "below 0" if low < 0 else "above 100" if high > 100 else "above 1"
            raise DataError(
                f"scores of {shown(task)} ({metric}) in {source} lie between {low:g} and {high:g}, and a score {where} "
                "is neither a share nor a percentage; leave the task out with --task, choose another metric with "
                "--metric, or say --scale percent"
            )
    if left_out:
        names = ", ".join(f"{task} ({metric})" for task, metric in left_out[:3])
        found.append(
            Finding(
                "no-score",
                "note",
                f"{len(left_out)} columns hold no score between 0 and 1 and were left out: {names}"
                f"{' …' if len(left_out) > 3 else ''}.",
                "Fit a law to losses in a table of runs (isoflop fit).",
            )
        )
        gone = pl.DataFrame(left_out, schema={"task": pl.String, "metric": pl.String}, orient="row")
        rows = rows.join(gone, on=["task", "metric"], how="anti", maintain_order="left")
    if percent:
        told = pl.DataFrame(percent, schema={"task": pl.String, "metric": pl.String}, orient="row")
        told = told.with_columns(pl.lit(0.01).alias("_factor"))
        rows = rows.join(told, on=["task", "metric"], how="left", maintain_order="left").with_columns(
            (pl.col(each) * pl.col("_factor").fill_null(1.0)).alias(each) for each in ("score", "stderr")
        ).drop("_factor")  # fmt: skip
        found.append(
            Finding(
                "percent-scores",
                "warning" if fractions and scale is None else "note",
                f"scores of {', '.join(task for task, _ in percent[:3])}{' …' if len(percent) > 3 else ''} are in "
                "percent and were divided by 100"
                + (f"; those of {', '.join(t for t, _ in fractions[:3])} were taken for shares." if fractions else "."),
                "Say --scale percent or --scale fraction if that is wrong.",
            )
        )
    return rows, found


def _options(rows: pl.DataFrame, source: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Log-probabilities of options: at or below 0, two or more, one of them right."""
    own = rows.filter(pl.col("kind") == "options")
    if own.is_empty():
        return rows, []
    found = []
    count = own["log_p"].list.len()
    bad = own.filter((count < 2) | (pl.col("right") < 0) | (pl.col("right") >= count) | pl.col("right").is_null())
    if len(bad):
        model, task, item, options, right = bad.select("model", "task", "item", "log_p", "right").row(0)
        raise DataError(
            f"item {shown(item)} of {shown(task)} ({shown(model)}) has {len(options)} options and the right one is "
            f"number {right}; an item needs two options or more, one of them right, counted from 0"
        )
    highest = own["log_p"].list.max()
    worst = own.filter((highest > 1e-6) | highest.is_null() | own["log_p"].list.eval(pl.element().is_nan()).list.any())
    if len(worst):
        model, task, item, options = worst.select("model", "task", "item", "log_p").row(0)
        raise DataError(
            f"item {shown(item)} of {shown(task)} ({shown(model)}) has log-probabilities {shown(options)}, and a "
            "log-probability is a number at or below 0; give natural logarithms of probabilities"
        )
    mass = own["log_p"].list.eval(pl.element().exp()).list.sum()
    over = int((mass > 1 + _SUM).sum())
    if over:
        found.append(
            Finding(
                "option-mass",
                "warning",
                f"the probabilities of the options sum to more than 1 in {over:,} of {len(own):,} rows of {source} (at "
                f"most {float(mass.to_numpy().max()):.3g}).",
                "Give log-probabilities of whole options, not means over their tokens.",
            )
        )
    for task, spread in own.group_by("task", maintain_order=True).agg(pl.col("log_p").list.len().unique()).iter_rows():
        if len(spread) > 1:
            found.append(
                Finding(
                    "options-differ",
                    "note",
                    f"items of {task} have between {min(spread)} and {max(spread)} options; the score of a guess is "
                    "the mean of 1/options.",
                    "Nothing to do.",
                )
            )
    lengths = own.group_by("task", "item").agg(pl.col("log_p").list.len().n_unique().alias("k")).filter(pl.col("k") > 1)
    if len(lengths):
        task, item, _ = lengths.row(0)
        raise DataError(
            f"models saw item {shown(item)} of {shown(task)} with different numbers of options; give every model the "
            "same options, or name the two versions as two tasks"
        )
    return rows, found


def _passes(rows: pl.DataFrame, source: str) -> None:
    own = rows.filter(pl.col("kind") == "passes")
    bad = own.filter(
        (pl.col("passes") < 0) | (pl.col("tries") < 1) | (pl.col("passes") > pl.col("tries"))
        | ((pl.col("goal") < 1) | (pl.col("passes") > pl.col("goal"))).fill_null(False)
        | pl.col("passes").is_null() | pl.col("tries").is_null()
    )  # fmt: skip
    if len(bad):
        model, task, item, passes, tries = bad.select("model", "task", "item", "passes", "tries").row(0)
        raise DataError(
            f"item {shown(item)} of {shown(task)} ({shown(model)}) in {source} has {passes} passes in {tries} tries; "
            "passes are whole numbers from 0 up to the tries, and no more than the number at which tries ended (--goal)"
        )


def _members(rows: pl.DataFrame, source: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Each member's probabilities sum to 1: what rounding left is rescaled, the rest refused."""
    own = rows.with_row_index("_at").filter(pl.col("kind") == "members")
    if own.is_empty():
        return rows, []
    mended, rescaled, worst = list(rows["members"]), 0, 0.0
    for at, model, task, item, held in own.select("_at", "model", "task", "item", "members").iter_rows():
        place = f"item {shown(item)} of {shown(task)} ({shown(model)}) in {source}"
        if len({len(each) for each in held}) > 1:
            raise DataError(f"{place}: its members differ in their number of classes; give every member the same ones")
        p = np.asarray(held, dtype=np.float64)
        if p.ndim != 2 or p.shape[1] < 2 or not np.isfinite(p).all() or (p < 0).any() or (p > 1 + _ROUNDED).any():
            raise DataError(
                f"{place}: a member's probabilities are two or more numbers between 0 and 1, not {shown(held)}"
            )
        off = float(np.abs(p.sum(axis=1) - 1).max())
        if off > _ROUNDED:
            total = float(p.sum(axis=1)[np.argmax(np.abs(p.sum(axis=1) - 1))])
            raise DataError(
                f"{place}: a member's probabilities sum to {total:.4g}; give those of every class, which sum to 1"
            )
        if off > 1e-9:
            mended[at] = (p / p.sum(axis=1, keepdims=True)).tolist()
        if off > _SUM:
            rescaled, worst = rescaled + 1, max(worst, off)
    if (own["right"] < 0).any() or (own["right"] >= own["members"].list.get(0).list.len()).any():
        raise DataError(f"{source} has a right class outside the classes of its item; classes are counted from 0")
    found = [
        Finding(
            "rescaled-probabilities",
            "note",
            f"the probabilities of {rescaled:,} items miss a sum of 1 by up to {worst:.2g} and were rescaled.",
            "Write probabilities with more digits.",
        )
    ] if rescaled else []  # fmt: skip
    return rows.with_columns(pl.Series("members", mended, dtype=rows.schema["members"])), found


def _levels(
    rows: pl.DataFrame, items: Items, chances: dict[str, float], ceilings: dict[str, float]
) -> tuple[dict[str, float], dict[str, float], list[Finding]]:
    """The score of a guess and the best score of each task: as declared, as read, or 1/options."""
    tasks = list(rows["task"].unique(maintain_order=True))
    for name, given in (("chance", chances), ("ceiling", ceilings)):
        for task, value in given.items():
            if task not in tasks:
                raise DataError(f"--{name} names {shown(task)}, and the tasks are {', '.join(map(shown, tasks[:8]))}")
            if not 0 <= value <= 1:
                raise DataError(f"--{name} {shown(task)} is {value:g}; a level lies between 0 and 1, as 0.25")
    low = {task: value for task, value in {**items.chances, **chances}.items() if task in tasks}
    high = {task: value for task, value in {**items.ceilings, **ceilings}.items() if task in tasks}
    counted = rows.filter(pl.col("kind") == "options").group_by("task", maintain_order=True).agg(
        (1 / pl.col("log_p").list.len()).mean().alias("chance")
    )  # fmt: skip
    for task, value in counted.iter_rows():
        low.setdefault(task, float(value))
    classes = rows.filter(pl.col("kind") == "members")
    for task, value in classes.group_by("task", maintain_order=True).agg(
        (1 / pl.col("members").list.get(0).list.len()).mean()
    ).iter_rows():  # fmt: skip
        low.setdefault(task, float(value))
    for task in rows.filter(pl.col("kind") == "passes")["task"].unique(maintain_order=True):
        low.setdefault(task, 0.0)
    for task in tasks:
        if low.get(task, 0.0) >= high.get(task, 1.0):
            raise DataError(
                f"{shown(task)} has a chance level of {low[task]:g} and a ceiling of {high.get(task, 1.0):g}; the "
                "ceiling lies above the chance level (--chance, --ceiling)"
            )
    missing = [task for task in tasks if task not in low]
    found = [
        Finding(
            "no-chance-level",
            "note",
            f"the score of a guess is not known for {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}.",
            "Declare it, as --chance TASK=0.25.",
        )
    ] if missing else []  # fmt: skip
    return low, high, found


def _plain_findings(rows: pl.DataFrame, chances: Mapping[str, float]) -> list[Finding]:
    """Tasks of one item, and tasks in which every model is right, or wrong, in everything."""
    found = []
    counts = rows.filter(pl.col("item").is_not_null()).group_by("task", maintain_order=True).agg(
        pl.col("item").n_unique().alias("items"), pl.col("kind").first()
    )  # fmt: skip
    few = [task for task, number, _ in counts.iter_rows() if number == 1]
    if few:
        found.append(
            Finding(
                "one-item",
                "warning",
                f"{', '.join(few[:3])} {'has' if len(few) == 1 else 'have'} one item: the scatter between items is "
                "unknown.",
                "Add items; the intervals are those of the tries alone.",
            )
        )
    ends = rows.filter(pl.col("score").is_not_null()).group_by("task", "metric", maintain_order=True).agg(
        pl.col("score").min().alias("low"), pl.col("score").max().alias("high"), pl.len().alias("rows")
    )  # fmt: skip
    for task, _, low, high, count in ends.iter_rows():
        if count > 1 and low == high and low in (0.0, 1.0):
            found.append(
                Finding(
                    "constant-scores",
                    "warning",
                    f"every score of {task} is {low:g}: it tells no model from another.",
                    "Leave it out (--task), or take an easier or harder task.",
                )
            )
    return found
