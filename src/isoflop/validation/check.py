"""``check``: what to doubt in a table of runs, from the table alone and from the surface of a law fitted to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.laws import Law
from isoflop.laws import law as named
from isoflop.runs import Runs
from isoflop.runs.checks import check as table_findings
from isoflop.runs.checks import most_serious_first
from isoflop.runs.checks.repeats import is_sweep_of_settings
from isoflop.runs.checks.rows import hardly_repeated, last_of_run, setting_groups, settings
from isoflop.validation.outliers import Outlier, outlier_findings, outliers, surface_findings

Progress = Callable[[int], None]

_USUAL = "chinchilla"
_FEWEST = 16  # rows from which a surface of five parameters tells an outlier from a lever
_MOST_GROUPS = 24  # groups of runs that are each looked at


def check(runs: Runs, *, law: Law | None = None, progress: Progress | None = None) -> tuple[Finding, ...]:
    """Every finding about the runs, the most serious first.

    Parameters
    ----------
    runs :
        The table to check.
    law :
        The surface that runs are compared with; E + A/N^α + B/D^β where none is named and the table has N, D and a
        loss. Groups of runs that differ in their settings (family, schedule, data) are compared each with its own
        surface, the 24 largest; where no law is named, of each run its last row.
    progress :
        Called with 1 for each of ``groups(runs)``.

    Returns
    -------
    tuple
        Of :class:`Finding`, errors first.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.Runs.from_columns({"N": [1e8, 1e9, 1e9], "D": [2e9, 2e10, 2e10], "loss": [3.1, 2.6, 2.6]})
    >>> all(isinstance(each, isoflop.Finding) for each in isoflop.check(runs))
    True
    """
    found = list(table_findings(runs))
    if any(finding.code == "looks-like-logarithms" for finding in found):
        return tuple(found)
    chosen = law or named(_USUAL)
    far: list[Outlier] = []
    others: dict[str, list[Finding]] = {}
    compared = 0
    for part, said in _parts(runs, law):
        try:
            seen = outliers(chosen, part)
        except IsoflopError as error:
            raised: tuple[Finding, ...] = (_no_surface(chosen, error),)
        else:
            far += seen.found
            compared += len(part)
            raised = surface_findings(seen, part)
        for each in raised:
            if each.code != "outliers":
                others.setdefault(each.code, []).append(replace(each, message=f"{said}{each.message}"))
        if progress is not None:
            progress(1)
    found += [_once(same) for same in others.values()]
    far.sort(key=lambda each: -abs(each.away))
    found += outlier_findings(tuple(far), compared, chosen)
    return most_serious_first(tuple(found))


def groups(runs: Runs, *, law: Law | None = None) -> int:
    """How many groups of runs are compared with a surface."""
    return sum(1 for _ in _parts(runs, law))


def _parts(runs: Runs, chosen: Law | None) -> Iterator[tuple[Runs, str]]:
    """Groups of rows that a surface can be fitted to, with what tells them apart in words."""
    if chosen is None:
        if not {"N", "D", "loss"} <= set(runs.frame.columns) or is_sweep_of_settings(runs):
            return
        good = np.ones(len(runs), dtype=np.bool_)
        for name in ("N", "D", "loss"):
            good &= np.isfinite(runs[name]) & (runs[name] > 0)
        good &= hardly_repeated(runs)
        if "run" in runs.frame.columns:  # checkpoints lie off the surface of finished runs for their schedule's sake
            good &= last_of_run(runs, runs["D"])
        runs = runs.take(good)
    if not len(runs):
        return
    group = setting_groups(runs)
    sizes = np.bincount(group)
    if len(sizes) == 1:
        if chosen is not None or len(runs) >= _FEWEST:
            yield runs, ""
        return
    for each in np.argsort(-sizes, kind="stable")[:_MOST_GROUPS]:
        if sizes[each] >= _FEWEST:
            yield runs.take(group == each), _words(runs, group, int(each))


def _words(runs: Runs, group: NDArray[np.int64], each: int) -> str:
    """``family 'a', schedule 'cosine': `` for the columns that differ between groups."""
    first = int(np.argmax(group == each))
    said = []
    for name in settings(runs):
        column = runs.text(name)
        own = {column[position] for position in np.flatnonzero(group == each)}
        if len(own) == 1 and len(set(column)) > 1:
            said.append(f"{name} {column[first]!r}")
    return f"{', '.join(said[:4])}: " if said else ""


def _once(same: list[Finding]) -> Finding:
    """One finding for several groups that raise the same: the first's, and how many more."""
    if len(same) == 1:
        return same[0]
    more = len(same) - 1
    return replace(same[0], message=f"{same[0].message} The same in {more} other {'group' if more == 1 else 'groups'}.")


def _no_surface(chosen: Law, error: IsoflopError) -> Finding:
    return Finding(
        "no-surface",
        "note",
        f"runs could not be compared with {chosen.name}: {error}.",
        "Choose a law that these runs can carry (--law).",
    )
