"""Groups of runs: by a column of one table or from several tables, and the law that suits what they vary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, excerpt
from isoflop.findings import Finding
from isoflop.laws import Law, law
from isoflop.laws.training_flops import SIX_ND
from isoflop.runs import Runs
from isoflop.runs.columns import is_score
from isoflop.runs.grouping import label
from isoflop.runs.reduce import frontier_of
from isoflop.values import Value

Floats = NDArray[np.float64]
Better = Literal["lower", "higher"]

_ALONE = ("C", "N", "D", "step")  # inputs along which one power law is fitted, in this order
_VARIES = 1.5  # factor between the ends of an input from which it counts as varied
_TOGETHER = 0.98  # correlation of log N and log D from which one is a power of the other
SIMPLEST = 3  # parameters of a law that is chosen here
_BOTH = 7  # runs of the smallest group from which a law of N and D, with its five parameters, is fitted
_NAMED = 8  # groups that are listed in a message
_RANKED = "value on the frontier"


@dataclass(frozen=True)
class Group(Value):
    """Runs of one recipe, family or data set under its name."""

    name: str
    runs: Runs = field(repr=False)


def groups_by(runs: Runs, column: str) -> tuple[tuple[Group, ...], tuple[Finding, ...]]:
    """The rows of each value of a column, in the order in which the values appear; rows without a value are left out.

    Raises DataError for a column that is not there (the nearest are named), and for one with a single value.
    """
    labels = np.asarray([label(each) for each in runs.text(column)], dtype=object)
    names = [name for name in dict.fromkeys(labels.tolist()) if name.strip()]
    if len(names) < 2:
        one = f"the one value {excerpt(names[0])}" if names else "no value"
        raise DataError(
            f"column {excerpt(column)} of {runs.source} holds {one}, and a comparison needs two groups or more; name "
            "another column with --by"
        )
    found = tuple(
        Group(name, replace(runs.take(labels == name), source=f"{runs.source}, {column} {name}", findings=()))
        for name in names
    )
    lost = len(runs) - sum(len(each.runs) for each in found)
    if not lost:
        return found, ()
    return found, (
        Finding(
            "rows-without-group",
            "note",
            f"{lost} of {len(runs)} rows have no value of {column} and are in no group.",
            "Fill in the column, or name another one with --by.",
        ),
    )


def groups_of(tables: Mapping[str, Runs]) -> tuple[Group, ...]:
    """A group for each table under its name."""
    return tuple(Group(name, runs) for name, runs in tables.items())


def large_enough(groups: Sequence[Group], params: int) -> tuple[tuple[Group, ...], tuple[Finding, ...]]:
    """The groups with more runs than the law has parameters, and a finding for the others.

    Raises DataError where fewer than two are left.
    """
    fewest = params + 1
    counts = {each.name: int(each.runs.run_codes().max(initial=-1)) + 1 for each in groups}
    kept = tuple(each for each in groups if counts[each.name] >= fewest)
    small = [each.name for each in groups if counts[each.name] < fewest]
    named = listed([f"{name} ({counts[name]})" for name in small])
    if len(kept) < 2:
        raise DataError(
            f"a law of {params} parameters needs {fewest} runs or more in each of two groups; these have fewer: "
            f"{named}; add runs, or give a law with fewer parameters (--law)"
        )
    if not small:
        return kept, ()
    why = f"have fewer than {fewest} runs, the least for a law of {params} parameters,"
    return kept, (_left_out([f"{name} ({counts[name]})" for name in small], len(groups), why),)


def listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first eight of many."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def default_law(
    groups: Sequence[Group], *, x: str | None, response: str, held: Sequence[str] = ()
) -> tuple[Law, tuple[Group, ...], tuple[Finding, ...]]:
    """E + A/x^α in the x that is asked; else E + A/N^α + B/D^β where every group varies both; else in what most vary.

    held: inputs that are given a value, which the law must then have. Groups that do not vary x are left out.
    Raises DataError where no input varies in two groups.
    """
    left = "" if response == "loss" else f"`{response}` = "
    both = {"N", "D"} >= {*held, *(() if x is None else (x,))} and (x is None or len(held) > 0)
    if both and all(_varies_both(each.runs) for each in groups):
        return law(f"{left}chinchilla"), tuple(groups), ()
    if x is not None:
        groups[0].runs[x]  # a column that is not there is refused with those that are
    varied = {name: [each for each in groups if _varies(each.runs, name)] for name in ((x,) if x else _ALONE)}
    along = max(varied, key=lambda name: len(varied[name]))
    kept = tuple(varied[along])
    if len(kept) < 2:
        none = f"{x} varies" if x else f"none of {', '.join(_ALONE)} varies"
        raise DataError(
            f"{none} in {'fewer than ' if x else ''}two of the groups {listed([each.name for each in groups])} by a "
            f"factor of {_VARIES:g} over three values or more; name what they scale with (--x), or give a law (--law)"
        )
    chosen = law(f"{left}E + A/{along}^alpha", inputs=(along,), columns=groups[0].runs.names)
    still = [each.name for each in groups if each not in kept]
    if not still:
        return chosen, kept, ()
    return chosen, kept, (_left_out(still, len(groups), f"do not vary {along} by a factor of {_VARIES:g}"),)


def _left_out(names: Sequence[str], total: int, why: str) -> Finding:
    return Finding(
        "groups-left-out",
        "warning",
        f"{len(names)} of {total} groups {why} and are left out: {listed(names)}.",
        "Add runs, name another input (--x), or give a law with fewer parameters (--law).",
    )


def with_compute(runs: Runs) -> Runs:
    """The runs with C = 6ND where they have N and D and no C."""
    if "C" in runs or not ("N" in runs and "D" in runs):
        return runs
    return runs.with_column("C", SIX_ND.flops(runs["N"], runs["D"]))


def _varies_both(runs: Runs) -> bool:
    if not (_varies(runs, "N") and _varies(runs, "D")) or int(runs.run_codes().max()) + 1 < _BOTH:
        return False
    correlation = np.corrcoef(np.log(runs["N"]), np.log(runs["D"]))[0, 1]
    return bool(abs(correlation) < _TOGETHER) and len(np.unique(np.round(np.log(runs["N"]), 3))) > 2


def _varies(runs: Runs, name: str) -> bool:
    if name not in runs:
        return False
    values = runs[name]
    if not (np.isfinite(values).all() and (values > 0).all()):
        return False
    return len(np.unique(values)) > 2 and math.log(values.max() / values.min()) > math.log(_VARIES)


def better_of(response: str, runs: Runs) -> Better:
    """Higher for a score by its name or its header, else lower."""
    header = runs.columns[response].header if response in runs.columns and runs.columns[response].header else response
    return "higher" if response != "loss" and is_score(header) else "lower"


def frontier(runs: Runs, x: str, *, by: str, response: str, better: Better, per: Sequence[str] = ()) -> Runs:
    """The rows of each group that are better than every row of theirs with no more x."""
    ranked = runs.with_column(_RANKED, runs[response] if better == "lower" else -runs[response])
    kept = frontier_of(ranked, x, of=_RANKED, per=(*per, by))
    found = tuple(
        replace(each, message=each.message.replace(_RANKED, response)) if each.code == "frontier-rows" else each
        for each in kept.findings
    )
    return replace(kept, frame=kept.frame.drop(_RANKED), findings=found)


def best_of_bins(runs: Runs, x: str, *, ratio: float, by: str, response: str, better: Better) -> Runs:
    """The best row of each group in each bin of x; bins are ``ratio`` wide and begin at the smallest x of all."""
    if not ratio > 1:
        raise DataError(f"a bin from x to {ratio:g} x holds nothing; give a factor above 1, as 2")
    values, score = runs[x], runs[response] * (1.0 if better == "lower" else -1.0)
    known = np.isfinite(values) & (values > 0) & np.isfinite(score)
    if not known.any():
        raise DataError(f"no row of {runs.source} has finite {x} and {response}; name other columns")
    bins = np.full(len(runs), -1)
    bins[known] = np.floor(np.log(values[known] / values[known].min()) / math.log(ratio) + 1e-9)
    labels = runs.text(by)
    best: dict[tuple[str, int], int] = {}
    for row in np.flatnonzero(known):
        key = (labels[row], int(bins[row]))
        if key not in best or score[row] < score[best[key]]:
            best[key] = int(row)
    keep = np.zeros(len(runs), dtype=np.bool_)
    keep[list(best.values())] = True
    taken = runs.take(keep)
    finding = Finding(
        "frontier-rows",
        "note",
        f"{int(keep.sum()):,} of {len(runs):,} rows are left: the best {response} of each {by} in each bin of {x}, a "
        f"factor of {ratio:g} wide.",
        "Rows of the frontier are chosen by their loss, so the law lies a little low; see what other rows say.",
    )
    return replace(taken, findings=(*runs.findings, finding))
