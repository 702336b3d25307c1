"""What a name of a data set stands for, as ``Runs``."""

from __future__ import annotations

from collections.abc import Mapping

from isoflop.errors import DataError
from isoflop.runs.datasets.box import boxes
from isoflop.runs.datasets.families import FAMILIES, checkpoint_families
from isoflop.runs.datasets.registry import datasets
from isoflop.runs.datasets.tables import Reading, load_table
from isoflop.runs.table import Runs


def load(
    name: str,
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    conventions: Mapping[str, str] | None = None,
    derive: Mapping[str, str] | None = None,
    where: str | None = None,
) -> Runs:
    """The runs of ``NAME``, or of ``NAME/TABLE``, with headers, units and conventions as registered.

    Runs that ship in the package are read from it; public ones from the mirror that ISOFLOP_DATASETS names, or from
    the cache that ``isoflop datasets --get NAME`` fills; ``checkpoint-families`` joins those that have checkpoints of
    model families. No network is used. What is known against the table stands in ``findings``.

    columns, units, conventions, derive: as for :func:`isoflop.read_runs`, in place of what is registered for these
    columns. where: a further selection, such as ``tokens > 1e9``.
    Raises DataError: unknown name (with the nearest), not on this machine (with the command), damaged.
    """
    said = Reading(columns or {}, units or {}, conventions or {}, derive or {})
    if name == FAMILIES:
        if said != Reading():
            raise DataError(f"{FAMILIES} is joined from many tables, whose columns are set; leave its description out")
        runs = checkpoint_families()
    else:
        runs = load_table(name, said)
    return runs if where is None else runs.where(where)


def is_data_set(name: str) -> bool:
    """Whether this names the bundled example runs or a registered data set, with or without one of its tables."""
    first = name.partition("/")[0]
    return first in {FAMILIES, *(box.name for box in boxes()), *(each.name for each in datasets())}
