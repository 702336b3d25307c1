"""Plain tables of items: long (a row an item, an option or a member) or wide (a row a model, a column a task)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError, choices, shown
from isoflop.evals.headers import count_of, error_of, is_index, no_columns, numbered, plain, roles_in
from isoflop.evals.items import MODEL_COLUMNS, SCHEMA, Items, rows_of
from isoflop.findings import Finding
from isoflop.runs import Runs, read_runs
from isoflop.runs.files import NamedFrame, load_nested
from isoflop.runs.tidy import tidy
from isoflop.runs.where import selection

# what parts a model's checkpoints
_KEY: Final = ("step", "steps", "globalstep", "trainingstep", "revision", "seed")
# numbers that a wide table has of models, which are no scores
_SETTINGS: Final = frozenset(
    (*_KEY, "shots", "nshot", "numfewshot", "fewshot", "temperature", "lr", "learningrate", "batch", "batchsize",
     "layers", "nlayers", "heads", "nheads", "epochs", "year")
)  # fmt: skip
_MARK: Final = "model "
_TRUTH: Final = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0, "correct": 1.0, "incorrect": 0.0}


def read_table(
    source: str | Path | pl.DataFrame | NamedFrame,
    *,
    columns: Mapping[str, str] | None = None,
    where: str | None = None,
    goal: int | None = None,
    tasks: Sequence[str] = (),
    metrics: Sequence[str] = (),
) -> Items:
    """The items of one table, not yet checked.

    columns: role → header, where the headers do not say it. goal: passes at which the tries of each item ended.
    tasks, metrics: those that are read; all where empty.
    """
    frame, name, found = load_nested(source)
    if frame.is_empty():
        raise DataError(f"{name} holds no rows; give a table with one row an item, or one row a model")
    lists = {each: frame[each].to_list() for each, kind in frame.schema.items() if isinstance(kind, pl.List)}
    text = tidy(frame)
    frame = _with_numbers(text)
    given = dict(columns or {})
    roles = roles_in(frame.columns, given)
    if "model" not in roles:
        raise DataError(
            f"{name} has no column of models among {choices(frame.columns)}; name it, as --column model=HEADER"
        )
    label = roles["model"]
    frame = frame.with_columns(text[label].cast(pl.String)).with_row_index("_at")
    if where is not None:
        aliases = {role: header for role, header in roles.items() if role not in frame.columns}
        frame = frame.filter(selection(where, frame.drop("_at").schema, aliases=aliases))
        if frame.is_empty():
            raise DataError(f"no row of {name} is left where {where[:120]}; loosen --where")
    lists = {each: [values[at] for at in frame["_at"]] for each, values in lists.items()}
    frame = frame.drop("_at")
    models, key, more = _models(
        frame, roles, {k: v for k, v in given.items() if k in MODEL_COLUMNS and k != "model"}, name
    )
    several = numbered(frame.columns)
    if "item" in roles or {"passes", "tries"} <= roles.keys() or "task" in roles:
        rows = _long(frame, roles, several, lists, key, goal, name)
    else:
        rows, left = _wide(frame, roles, models, key, name, tasks)
        more += left
    if tasks:
        rows = _only(rows, "task", tasks)
    if metrics:
        rows = _only(rows, "metric", metrics)
    return Items(rows, models.frame.select(each for each in MODEL_COLUMNS if each in models.frame.columns), name,
                 findings=(*found, *more))  # fmt: skip


def _with_numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of text in which every cell is a number or empty become numbers."""
    made = []
    for series in frame:
        if series.dtype == pl.String:
            text = series.str.strip_chars().replace("", None)
            numbers = text.cast(pl.Float64, strict=False)
            series = numbers if numbers.null_count() == text.null_count() < len(text) else text
        made.append(series)
    return pl.DataFrame(made)


def _only(rows: pl.DataFrame, column: str, wanted: Sequence[str]) -> pl.DataFrame:
    there = rows[column].unique(maintain_order=True).to_list()
    for each in wanted:
        if each not in there:
            raise DataError(f"--{column} names {shown(each)}, and there are {choices(there, bare=True)}")
    return rows.filter(pl.col(column).is_in(list(wanted)))


def _models(
    frame: pl.DataFrame, roles: Mapping[str, str], given: Mapping[str, str], name: str
) -> tuple[Runs, pl.Series, list[Finding]]:
    """One row a model or checkpoint with its N, D, C …, and the key of each row of the table."""
    label = roles["model"]
    used = {header for role, header in roles.items() if role != "model"}
    parts = [label, *(each for each in frame.columns if plain(each) in _KEY and each not in used)]
    key = frame.select(
        pl.concat_str(
            [pl.col(label).cast(pl.String).fill_null("")]
            + [pl.col(each).cast(pl.String).str.strip_suffix(".0").replace("", None) for each in parts[1:]],
            separator="@",
            ignore_nulls=True,  # a model without a step among checkpoints keeps its name
        ).alias("_key")
    ).to_series()
    others = [each for each in frame.columns if each not in used and each != label and not is_index(each)]
    grouped = frame.select([pl.Series("_key", key), *(frame[each] for each in others)]).group_by(
        "_key", maintain_order=True
    )
    constant = grouped.agg(pl.col(each).drop_nulls().n_unique() for each in others)
    own = [each for each in others if (constant[each] <= 1).all()]
    first = grouped.agg(pl.col(each).drop_nulls().first() for each in own)
    labels = frame.select(pl.col(label).cast(pl.String).fill_null("").alias("run")).with_columns(key)
    first = first.join(labels.unique("_key", maintain_order=True), on="_key", how="left", maintain_order="left")
    first = first.select(pl.all().exclude("model")).rename({"_key": "model"})
    # names that are numbers would be read as such
    marked = first.with_columns((pl.lit(_MARK) + pl.col(each)).alias(each) for each in ("model", "run"))
    read = read_runs(NamedFrame(marked, name), columns=dict(given))
    plainly = read.frame.with_columns(pl.col(each).str.strip_prefix(_MARK) for each in ("model", "run"))
    kept = tuple(each for each in read.findings if each.code in ("header-scale", "tokens-from-flops"))
    return replace(read, frame=plainly), key, list(kept)


def _number(value: object) -> float | None:
    if isinstance(value, str):
        text = value.strip().lower()
        if text in _TRUTH:
            return _TRUTH[text]
        try:
            return float(text.removesuffix("%")) if text else None
        except ValueError:
            raise DataError(f"a score is a number, true or false, not {shown(value)}") from None
    return None if value is None or value != value else float(value)  # type: ignore[arg-type]


def _numbers(value: object, what: str) -> list[Any]:
    """A list in a cell: a list, ``[-1.2, -3.4]`` or ``-1.2;-3.4``."""
    if isinstance(value, list):
        return value
    text = str(value).strip()
    try:
        found = json.loads(text) if text.startswith("[") else [float(each) for each in re.split(r"[;,|\s]+", text)]
    except ValueError:
        raise DataError(f"{what} are a list of numbers, as [-1.2, -3.4], not {shown(value)}") from None
    return list(found)


def _long(
    frame: pl.DataFrame,
    roles: Mapping[str, str],
    several: Mapping[str, Sequence[str]],
    lists: Mapping[str, list[Any]],
    key: pl.Series,
    goal: int | None,
    name: str,
) -> pl.DataFrame:
    """A row an item, an option of an item, or a member's probabilities of an item."""

    def cells(role: str) -> list[Any] | None:
        header = roles.get(role)
        return None if header is None else lists.get(header, frame[header].to_list())

    texts = {
        each: (None if cells(each) is None else [None if v is None else _word(v) for v in cells(each) or ()])
        for each in ("task", "metric", "item", "cluster", "repeat")
    }
    base = [
        {
            "model": model,
            "task": (texts["task"] or ["score"] * len(frame))[at] or "score",
            "metric": (texts["metric"] or ["score"] * len(frame))[at] or "score",
            "item": None if texts["item"] is None else texts["item"][at],
            "cluster": None if texts["cluster"] is None else texts["cluster"][at],
            "repeat": None if texts["repeat"] is None else texts["repeat"][at],
        }
        for at, model in enumerate(key.to_list())
    ]
    right = cells("right")
    if "log_p" in several:
        held: list[Any] = [[each for each in row if each is not None] for row in frame.select(several["log_p"]).rows()]
        return _of_options(base, held, right, cells("length"), name)
    if "log_p" in roles and "option" not in roles:
        held = [_numbers(each, "log-probabilities") for each in cells("log_p") or ()]
        return _of_options(base, held, right, cells("length"), name)
    if "log_p" in roles:
        return _options_by_row(base, cells("option") or [], cells("log_p") or [], right, cells("length"), name)
    if "probabilities" in several or "probabilities" in roles:
        if "probabilities" in several:
            probabilities: list[Any] = [list(row) for row in frame.select(several["probabilities"]).rows()]
        else:
            probabilities = [_numbers(each, "probabilities") for each in cells("probabilities") or ()]
        return _members(base, probabilities, right, name)
    passes, tries = cells("passes"), cells("tries")
    if passes is not None and tries is not None:
        goals = cells("goal") or [goal] * len(frame)
        for at, record in enumerate(base):
            counts = {"passes": passes[at], "tries": tries[at], "goal": goals[at]}
            record |= {
                "kind": "passes",
                "item": record["item"] or "all",
                **{k: _whole(v, k) for k, v in counts.items()},
            }
        return rows_of(base)
    scores = cells("score")
    if scores is None:
        raise no_columns(name, frame.columns)
    numbers, errors = cells("n"), cells("stderr")
    records = []
    for at, record in enumerate(base):
        value = _number(scores[at])
        if value is not None:
            extra = {"n": None if numbers is None else _number(numbers[at])}
            extra |= {"stderr": None if errors is None else _number(errors[at])}
            records.append({**record, "kind": "score", "score": value, **extra})
    return rows_of(records)


def _word(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _whole(value: object, what: str) -> int | None:
    found = _number(value)
    if found is not None and not found.is_integer():
        raise DataError(f"{what} are whole numbers, not {shown(value)}")
    return None if found is None else int(found)


def _place(value: object, options: int, labels: Sequence[str] | None, name: str) -> int:
    """The right option by its number from 0, its letter, or its label."""
    text = _word(value).strip()
    if labels is not None and text in labels:
        return list(labels).index(text)
    if text.lstrip("-").isdigit():
        return int(text)
    if len(text) == 1 and "A" <= text.upper() < chr(ord("A") + options):
        return ord(text.upper()) - ord("A")
    raise DataError(f"{name}: {shown(value)} is no option; name the right one by its number from 0, or its letter")


def _of_options(
    base: list[dict[str, Any]], held: list[Any], right: list[Any] | None, lengths: list[Any] | None, name: str
) -> pl.DataFrame:
    if right is None:
        raise DataError(f"{name} has log-probabilities and no column of the right option; name it, as "
                        "--column right=HEADER")  # fmt: skip
    for at, record in enumerate(base):
        place = _place(right[at], len(held[at]), None, name)
        own = None if lengths is None else [float(each) for each in _numbers(lengths[at], "lengths")]
        record |= {"kind": "options", "log_p": held[at], "right": place, "lengths": own, "metric": "acc"}
    return rows_of(base)


def _options_by_row(
    base: list[dict[str, Any]], option: list[Any], log_p: list[Any], right: list[Any] | None, lengths: list[Any] | None,
    name: str,
) -> pl.DataFrame:  # fmt: skip
    """One row an option: the right one is flagged in its own row, or named in each row of its item."""
    if right is None:
        raise DataError(f"{name} has a row for each option and no column of the right option; name it, as "
                        "--column right=HEADER")  # fmt: skip
    grouped: dict[tuple[Any, ...], list[int]] = {}
    for at, record in enumerate(base):
        grouped.setdefault((record["model"], record["task"], record["item"], record["repeat"]), []).append(at)
    records = []
    for rows in grouped.values():
        rows = sorted(rows, key=lambda at: _word(option[at]).rjust(6))
        labels = [_word(option[at]) for at in rows]
        flags = [_flag(right[at]) for at in rows]
        if all(each is not None for each in flags) and sum(map(bool, flags)) == 1:
            place = [bool(each) for each in flags].index(True)
        else:
            place = _place(right[rows[0]], len(rows), labels, name)
        own = None if lengths is None else [float(_number(lengths[at]) or 0) for at in rows]
        values = [_number(log_p[at]) for at in rows]
        records.append(
            {**base[rows[0]], "kind": "options", "metric": "acc", "log_p": values, "right": place, "lengths": own}
        )
    return rows_of(records)


def _flag(value: object) -> bool | None:
    text = _word(value).strip().lower()
    return {**{k: bool(v) for k, v in _TRUTH.items()}, "1": True, "0": False}.get(text)


def _members(base: list[dict[str, Any]], probabilities: list[Any], right: list[Any] | None, name: str) -> pl.DataFrame:
    """One row a member, or one row an item with a list of lists."""
    grouped: dict[tuple[Any, ...], dict[str, Any]] = {}
    for at, record in enumerate(base):
        place = grouped.setdefault(
            (record["model"], record["task"], record["item"], record["repeat"]),
            {**record, "metric": "acc", "members": []},
        )
        own = probabilities[at]
        nested = bool(own) and isinstance(own[0], list)
        place["members"] += own if nested else [own]
        classes = len(own[0]) if nested else len(own)
        place |= {"kind": "members", "right": None if right is None else _place(right[at], classes, None, name)}
    return rows_of(list(grouped.values()))


def _wide(
    frame: pl.DataFrame, roles: Mapping[str, str], models: Runs, key: pl.Series, name: str, named: Sequence[str]
) -> tuple[pl.DataFrame, list[Finding]]:
    """A row a model: each column of numbers that is nothing else is a task.

    named: tasks that were asked; a column that is not, and lies outside 0 to 100, is taken for a setting.
    """
    taken = {column.header for column in models.columns.values()} | {roles["model"]}
    numeric = [
        each for each in frame.columns
        if frame[each].dtype.is_numeric() and each not in taken and not is_index(each)
        and (plain(each) not in _SETTINGS or each in named)
    ]  # fmt: skip
    errors = {error_of(each, numeric): each for each in numeric if error_of(each, numeric)}
    counts = {count_of(each, numeric): each for each in numeric if count_of(each, numeric)}
    tasks = [each for each in numeric if each not in errors.values() and each not in counts.values()]
    outside = [each for each in tasks if each not in named and not _inside(frame[each])]
    tasks = [each for each in tasks if each not in outside]
    if not tasks:
        raise no_columns(name, frame.columns)
    found = [
        Finding(
            "no-score",
            "note",
            f"{len(outside)} columns hold no score between 0 and 100 and were left out: {', '.join(outside[:3])}"
            f"{' …' if len(outside) > 3 else ''}.",
            "Nothing to do.",
        )
    ] if outside else []  # fmt: skip
    empty = pl.lit(None, dtype=pl.Float64)
    parts = []
    for task in tasks:
        parts.append(
            frame.select(
                key.alias("model"),
                pl.lit(task).alias("task"),
                pl.col(task).cast(pl.Float64).fill_nan(None).alias("score"),
                (pl.col(counts[task]).cast(pl.Float64) if task in counts else empty).alias("n"),
                (pl.col(errors[task]).cast(pl.Float64) if task in errors else empty).alias("stderr"),
            ).filter(pl.col("score").is_not_null())
        )
    told = pl.concat(parts).with_columns(pl.lit("score").alias("kind"), pl.lit("score").alias("metric"))
    return told.with_columns(
        pl.lit(None, dtype=kind).alias(each) for each, kind in SCHEMA.items() if each not in told.columns
    ).select(list(SCHEMA)), found  # fmt: skip


def _inside(series: pl.Series) -> bool:
    known = series.cast(pl.Float64).drop_nulls().drop_nans()
    return not len(known) or bool(((known >= 0) & (known <= 100)).all())
