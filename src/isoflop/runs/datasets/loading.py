"""What a name of a data set stands for, as ``Runs``."""

from __future__ import annotations

from isoflop.runs.datasets.box import boxes
from isoflop.runs.datasets.families import FAMILIES, checkpoint_families
from isoflop.runs.datasets.registry import datasets
from isoflop.runs.datasets.tables import load_table
from isoflop.runs.table import Runs


def load(name: str, *, where: str | None = None) -> Runs:
    """The runs of ``NAME``, or of ``NAME/TABLE``, with headers, units and conventions as registered.

    Runs that ship in the package are read from it; public ones from the mirror that ISOFLOP_DATASETS names, or from
    the cache that ``isoflop datasets --get NAME`` fills; ``checkpoint-families`` joins those that have checkpoints of
    model families. No network is used. What is known against the table stands in ``findings``.

    where: a further selection, such as ``tokens > 1e9``.
    Raises DataError: unknown name (with the nearest), not on this machine (with the command), damaged.
    """
    runs = checkpoint_families() if name == FAMILIES else load_table(name)
    return runs if where is None else runs.where(where)


def is_data_set(name: str) -> bool:
    """Whether this names the bundled example runs or a registered data set, with or without one of its tables."""
    first = name.partition("/")[0]
    return first in {FAMILIES, *(box.name for box in boxes()), *(each.name for each in datasets())}
