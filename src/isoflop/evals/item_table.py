"""``item_table``: items of many logs as one plain table, which every front end reads."""

from __future__ import annotations

import json
from typing import Final

import polars as pl

from isoflop.errors import DataError
from isoflop.evals.items import Items

_OF_MODELS: Final = ("model", "N", "D", "C", "date", "family")
_ALWAYS: Final = ("task", "metric", "item", "cluster", "repeat")
_OF_KIND: Final = {
    "options": ("log_p", "right", "lengths"),
    "passes": ("passes", "tries", "goal"),
    "score": ("score", "n", "stderr"),
}


def item_table(items: Items) -> pl.DataFrame:
    """A row an item with its model's scale, as :func:`isoflop.evals.read_items` reads it back; lists are JSON.

    Raises
    ------
    DataError
        Items of several kinds, which one table cannot hold, or of an ensemble's members, which stand in one already.

    Examples
    --------
    >>> import polars
    >>> from isoflop.evals import read_items
    >>> rows = {"model": ["a", "b"], "item": ["1", "1"], "log_p": [[-1.0, -2.0], [-0.5, -3.0]], "right": [0, 0]}
    >>> item_table(read_items(polars.DataFrame(rows))).select("model", "log_p", "right").rows()
    [('a', '[-1.0, -2.0]', 0), ('b', '[-0.5, -3.0]', 0)]
    """
    kinds = items.rows["kind"].unique(maintain_order=True).to_list()
    if len(kinds) != 1 or kinds[0] not in _OF_KIND:
        told = {kind: items.rows.filter(pl.col("kind") == kind)["task"][0] for kind in kinds}
        raise DataError(
            f"the items are {', '.join(f'{kind} (as {task})' for kind, task in told.items())}, and a table holds one "
            f"of {', '.join(_OF_KIND)}; choose tasks of one (--task)"
        )
    own = [each for each in (*_ALWAYS, *_OF_KIND[kinds[0]]) if each in items.rows.columns]
    models = items.models.select(each for each in _OF_MODELS if each in items.models.columns)
    made = items.rows.select("model", *own).join(models, on="model", how="left", maintain_order="left")
    lists = [name for name, kind in made.schema.items() if isinstance(kind, pl.List)]
    made = made.with_columns(
        pl.Series(name, [None if each is None else json.dumps(each) for each in made[name].to_list()], dtype=pl.String)
        for name in lists
    )
    there = [name for name in made.columns if name in _ALWAYS[:2] or made[name].null_count() < len(made)]
    return made.select(there)
