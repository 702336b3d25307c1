"""Candidates as a user names them: a table, a lab's sweep, or the values of a grid."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from isoflop.errors import IsoflopError, shown
from isoflop.planning.design.candidates import Candidates, candidate_grid, candidates_of, derivable, read_candidates
from isoflop.runs.datasets import is_data_set
from isoflop.runs.derive import with_derived


def read_design(
    words: Sequence[str],
    names: Collection[str],
    *,
    folder: Path = Path(),
    cost: str | None = None,
    derive: Mapping[str, str] | None = None,
    costs_matter: bool = True,
    option: str = "--candidates",
) -> Candidates:
    """One file or data set, or ``NAME=VALUES`` words, all of whose combinations are meant.

    names: inputs of the law. derive: columns of a file that others give. costs_matter: without it every row costs 1
    where none is told. option: for messages.
    Raises IsoflopError for a file beside values, and as :func:`isoflop.planning.design.candidates_of`.
    """
    if not costs_matter and cost is None:
        cost = "1"
    files = [word for word in words if "=" not in word]
    if not files:
        return candidate_grid(words, names, cost=cost, option=option)
    if len(words) > 1:
        raise IsoflopError(
            f"{option} takes one table, or values such as N=1M:1B:7; {shown(files[0])} stands beside "
            f"{shown(next(word for word in words if word is not files[0]))}"
        )
    place = folder / Path(files[0]).expanduser()
    if place.suffix.lower() == ".toml":
        from isoflop.planning.design.sweep import sweep_candidates

        return sweep_candidates(place, cost=cost, derive=derive)
    if not place.exists() and is_data_set(files[0]):
        from isoflop.runs.datasets import load

        runs = load(files[0])
        return candidates_of(with_derived(runs, derivable(derive or {}, runs)), cost=cost)
    return read_candidates(place, cost=cost, derive=derive)
