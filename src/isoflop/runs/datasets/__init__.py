"""Public run tables, fetched from their sources at pinned commits, and the runs that ship in the package.

``load("epoch-chinchilla")`` gives ``Runs``. A name is ``DATASET`` (its first table) or ``DATASET/TABLE``.
"""

from isoflop.runs.datasets.box import Box, boxes
from isoflop.runs.datasets.download import Got, Obtained, get, locate
from isoflop.runs.datasets.loading import is_data_set, load
from isoflop.runs.datasets.registry import Dataset, Source, SourceFile, Table, datasets, find

__all__ = [
    "Box", "Dataset", "Got", "Obtained", "Source", "SourceFile", "Table",
    "boxes", "datasets", "find", "get", "is_data_set", "load", "locate",
]  # fmt: skip
