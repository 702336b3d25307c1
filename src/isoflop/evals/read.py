"""Items from files, folders and tables, whatever wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from isoflop.errors import DataError, choices, shown
from isoflop.evals.boundary import checked
from isoflop.evals.inspect_logs import is_inspect, read_inspect
from isoflop.evals.items import Items
from isoflop.evals.lm_eval import is_results, is_samples, read_results, read_samples
from isoflop.evals.logged_models import Evaluated, items_of, with_models
from isoflop.evals.plain_tables import read_table
from isoflop.findings import Finding
from isoflop.logs.walk import walk
from isoflop.runs import read_runs
from isoflop.runs.bounds import refuse_file

_TABLES: Final = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".json", ".md")


def read_items(
    sources: str | Path | pl.DataFrame | Sequence[str | Path],
    *,
    columns: Mapping[str, str] | None = None,
    models: str | Path | pl.DataFrame | None = None,
    where: str | None = None,
    tasks: Sequence[str] = (),
    metrics: Sequence[str] = (),
    goal: int | None = None,
    scale: str | None = None,
    chances: Mapping[str, float] | None = None,
    ceilings: Mapping[str, float] | None = None,
) -> Items:
    """What models answered, item by item, from logs of evaluations or from a table.

    Read are samples and results of lm-evaluation-harness, logs of inspect-ai, and tables: long, with a row an item (or
    an option, or a member of an ensemble), or wide, with a row a model and a column a task.

    Parameters
    ----------
    sources :
        Files or folders, or one frame.
    columns :
        Role → header where headers do not say what they are: ``model``, ``task``, ``metric``, ``item``, ``cluster``,
        ``repeat``, ``score``, ``n``, ``stderr``, ``passes``, ``tries``, ``goal``, ``log_p``, ``option``, ``right``,
        ``length``, ``member``, ``probabilities``; ``N``, ``D``, ``C``, ``date``, ``family`` of the model.
    models :
        A table with N, D, C, date or family of each model, found by its name.
    where :
        Rows of a table to keep, as ``"shots == 0"``.
    tasks, metrics :
        Those that are read; all tasks where empty.
    goal :
        Passes at which the tries of each item ended, where tries were not fixed.
    scale :
        ``percent`` or ``fraction``; told from the scores by default.
    chances, ceilings :
        Score of a guess, and best possible score, by task.

    Returns
    -------
    Items
        Checked: scores in [0, 1], probabilities that sum to 1, no duplicates; findings say what was changed.

    Raises
    ------
    DataError
        Nothing that can be read, or what no rule can mend.

    Examples
    --------
    >>> import polars
    >>> from isoflop.evals import read_items
    >>> table = polars.DataFrame({"model": ["a", "b"], "N": [1e8, 1e9], "quiz": [31.0, 46.5]})
    >>> read_items(table).rows["score"].to_list()
    [0.31, 0.465]
    """
    if isinstance(sources, pl.DataFrame):
        items = read_table(sources, columns=columns, where=where, goal=goal, tasks=tasks, metrics=metrics)
    else:
        paths = [Path(each).expanduser() for each in ([sources] if isinstance(sources, str | Path) else sources)]
        items = _of_paths(paths, columns, where, goal, tasks, metrics)
    if models is not None:
        items = with_models(items, read_runs(models))
    return checked(items, scale=scale, chances=chances, ceilings=ceilings)


def _of_paths(
    paths: Sequence[Path], columns: Mapping[str, str] | None, where: str | None, goal: int | None, tasks: Sequence[str],
    metrics: Sequence[str],
) -> Items:  # fmt: skip
    for path in paths:
        if not path.exists():
            raise DataError(f"there is no file {shown(str(path))}; check the path")
        if not path.is_dir():
            refuse_file(path)
    logs: list[Evaluated] = []
    tables: list[Path] = []
    unread: list[tuple[str, str]] = []
    for path in paths:
        for each in walk(path):
            one = path.is_file()
            try:
                log = _log(each, metrics)
                if log is not None:
                    logs.append(log)
                elif one or each.suffix.lower() in _TABLES:
                    tables.append(each)
            except DataError as error:
                if one and len(paths) == 1:
                    raise
                unread.append((each.name, str(error)))
    told = ", ".join((each.name or each.resolve().name) for each in paths[:2]) + (" …" if len(paths) > 2 else "")
    if logs:
        items = items_of(logs, told)
        if tasks:
            there = items.rows["task"].unique(maintain_order=True).to_list()
            lost = [each for each in tasks if each not in there]
            if lost:
                raise DataError(f"--task names {shown(lost[0])}, and there are {choices(there, bare=True)}")
            items = Items(
                items.rows.filter(pl.col("task").is_in(list(tasks))), items.models, told, findings=items.findings
            )
        found = list(items.findings)
        if unread:
            name, says = unread[0]
            found.append(
                Finding(
                    "evaluations-unread",
                    "warning",
                    f"{len(unread)} of {len(unread) + len(logs)} logs were not read, such as {name}: {says[:200]}",
                    "Copy them again, or leave them out.",
                )
            )
        return Items(items.rows, items.models, told, findings=tuple(found))
    if len(tables) == 1:
        return read_table(tables[0], columns=columns, where=where, goal=goal, tasks=tasks, metrics=metrics)
    if tables:
        raise DataError(f"{told} has {len(tables)} tables ({', '.join(each.name for each in tables[:3])} …); name one")
    if unread:
        raise DataError(unread[0][1])
    raise DataError(
        f"nothing to read in {told}; give samples_*.jsonl or results_*.json of lm-evaluation-harness, .eval or .json "
        "logs of inspect-ai, or a table with a column model"
    )


def _log(path: Path, metrics: Sequence[str]) -> Evaluated | None:
    """One log of an evaluation; None for another file."""
    if is_samples(path):
        return read_samples(path, metrics=metrics)
    if is_inspect(path):
        return read_inspect(path, metrics=metrics)
    return read_results(path, metrics=metrics) if is_results(path) else None
