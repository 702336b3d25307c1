"""``count_both_ways``, ``by_group``: exponents of one table under several ways of counting or training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from isoflop.accounting.embeddings import OMEGA, all_params, omega_of, without_embeddings
from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.fitting import fit
from isoflop.laws import law
from isoflop.laws.optimum import check_positive
from isoflop.planning.minima import minima
from isoflop.planning.reconcile import Recount, convert_counts
from isoflop.runs import Runs
from isoflop.uncertainty import bootstrap
from isoflop.uncertainty.ensemble import Ensemble, Interval
from isoflop.units import training_flops
from isoflop.values import Value

Floats = NDArray[np.float64]

_MANY = 0.1  # a share of embeddings that matters
_GROUPS = 40  # more groups than anybody reads


@dataclass(frozen=True)
class Way(Value):
    """One way to an exponent a of N* ∝ C^a, and its answer, or why it has none."""

    name: str
    exponent_a: Interval | None
    why_not: str = ""


@dataclass(frozen=True)
class Counted(Value):
    """What a table's exponent becomes when N is counted with and without embeddings.

    omega: N = N_E + ω N_E^(1/3); ``omega_source`` says whether it was given, fitted to the table's two counts, or
    assumed. recounted: the law in all parameters read without embeddings over the table's sizes.
    """

    source: str
    omega: float
    omega_source: str
    ways: tuple[Way, ...]
    recounted: Recount
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Step(Value):
    """One group of runs: its labels, its exponent and the difference to the group before it.

    changed: the columns whose label differs from that of the group before.
    """

    labels: Mapping[str, str]
    changed: tuple[str, ...]
    runs: int
    budgets: int
    exponent_a: Interval | None
    change: float | None
    why_not: str
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """The labels that changed, in one line; all of them for the first group."""
        told = {column: self.labels[column] for column in self.changed} or self.labels
        return ", ".join(f"{column} {label}" if label else f"no {column}" for column, label in told.items())


def count_both_ways(
    runs: Runs,
    *,
    omega: float | None = None,
    draws: int = 1_000,
    seed: int = 0,
    level: float = 0.9,
    resample_by: str | None = None,
) -> Counted:
    """a = β/(α+β) of E + A/N^α + B/D^β fitted in all parameters and without embeddings, with C = 6ND in each count.

    Where the table has both counts (N and N_nonembed) they are used, and ω is fitted to them; where it has one, the
    other follows from N = N_E + ω N_E^(1/3). The law in all parameters is also read without embeddings over the table's
    own sizes (``convert_counts``), and the minima of IsoFLOP budgets give the exponent in the count of the table.
    Raises IsoflopError for ω ≤ 0 and DataError without N, D and loss.
    """
    if omega is not None:
        check_positive(omega, "omega", "parameters")
    total, without, omega, origin = _counts(runs, omega)
    d = runs["D"]
    fitted = {
        name: _fit(runs, n, d, draws=draws, seed=seed, resample_by=resample_by)
        for name, n in (("all parameters", total), ("without embeddings", without))
    }
    ways = [
        Way(
            f"{name}, parametric fit",
            each.interval(lambda p: p["beta"] / (p["alpha"] + p["beta"]), level=level),
        )
        for name, each in fitted.items()
    ]
    sizes = (float(without.min()), float(without.max()))
    if not sizes[0] < sizes[1]:
        raise DataError(f"{runs.source} has one model size; an exponent needs several")
    again = convert_counts(fitted["all parameters"], omega=omega, sizes=sizes, level=level)
    ways.append(Way("all parameters, read without embeddings", again.slope))
    try:
        found = minima(runs, draws=draws, seed=seed, level=level)
        ways.append(Way("IsoFLOP minima, N as in the table", found.exponent_a))
        said = found.findings
    except IsoflopError as error:
        why = str(error).removeprefix(runs.source).strip()
        ways.append(Way("IsoFLOP minima, N as in the table", None, f"the table {why}"))
        said = ()
    shared = [each for each in fitted["all parameters"].findings if each.code == "errors-shared"]
    return Counted(
        source=runs.source,
        omega=omega,
        omega_source=origin,
        ways=tuple(ways),
        recounted=again,
        findings=(
            *_stated(runs),
            *_about(total, without, ways),
            *said,
            *fitted["all parameters"].fit.findings,
            *shared,
        ),
    )


def by_group(
    runs: Runs,
    columns: Sequence[str],
    *,
    spread: str | None = None,
    draws: int = 1_000,
    seed: int = 0,
    level: float = 0.9,
) -> tuple[Step, ...]:
    """The exponent of each group of runs through its IsoFLOP minima, in the order in which the table has the groups.

    columns: runs that agree in all of them form a group; labels are those of the columns that differ. spread: see
    ``minima``. Raises DataError for a column that is not there, or for more groups than anybody reads.
    """
    labels = [runs.text(column) for column in columns]
    keys = list(zip(*labels, strict=True))
    groups = list(dict.fromkeys(keys))
    if len(groups) > _GROUPS:
        raise DataError(
            f"{', '.join(columns)} of {runs.source} form {len(groups)} groups; take columns with fewer values, "
            "or keep some rows (--where)"
        )
    varying = [at for at in range(len(columns)) if len({key[at] for key in groups}) > 1] or [0]
    steps: list[Step] = []
    before: float | None = None
    for key in groups:
        own = runs.take(np.array([each == key for each in keys]))
        named = {columns[at]: key[at] for at in varying}
        changed = tuple(each for each in named if steps and steps[-1].labels[each] != named[each])
        try:
            found = minima(own, spread=spread, draws=draws, seed=seed, level=level)
        except IsoflopError as error:
            steps.append(Step(named, changed, len(own), 0, None, None, str(error), ()))
            continue
        a = found.exponent_a.value
        change = None if before is None else a - before
        steps.append(Step(named, changed, len(own), len(found.budgets), found.exponent_a, change, "", found.findings))
        before = a
    return tuple(steps)


def _counts(runs: Runs, omega: float | None) -> tuple[Floats, Floats, float, str]:
    """All parameters, those without embeddings, ω, and where ω is from."""
    n = runs["N"]
    if "N_nonembed" in runs.frame.columns:
        without = runs["N_nonembed"]
        if not (without < n).any():
            raise DataError(f"N and N_nonembed of {runs.source} are the same; give all parameters as N (--column N=…)")
        given = omega_of(without, n) if omega is None else omega
        return n, without, given, "fitted to the two counts" if omega is None else "given"
    given, origin = (OMEGA, "assumed, as for Chinchilla's models") if omega is None else (omega, "given")
    column = runs.columns.get("N")
    if column is not None and column.convention == "non-embedding":
        return all_params(n, given), n, given, origin
    return n, without_embeddings(n, given), given, origin


def _fit(runs: Runs, n: Floats, d: Floats, *, draws: int, seed: int, resample_by: str | None) -> Ensemble:
    """Chinchilla's law in this count of N, C = 6ND."""
    recounted = runs.with_column("N", n).with_column("C", training_flops(n, d))
    return bootstrap(fit(law("chinchilla"), recounted, seed=seed), draws=draws, seed=seed, resample_by=resample_by)


def _stated(runs: Runs) -> list[Finding]:
    """That one count was taken for all parameters without the table saying so."""
    column = runs.columns.get("N")
    if "N_nonembed" in runs or column is None or column.convention is not None:
        return []
    return [
        Finding(
            "params-convention-unknown",
            "note",
            "the table does not say how N was counted, so it was read as all parameters.",
            "Say it (--convention N=total or N=non-embedding), or give both counts.",
        )
    ]


def _about(total: Floats, without: Floats, ways: Sequence[Way]) -> list[Finding]:
    """How much of the models embeddings are, and whether the counts differ by more than their intervals."""
    share = 1 - without / total
    found = []
    if share.max() > _MANY:
        found.append(
            Finding(
                "params-embedding",
                "note",
                f"embeddings are {share.max():.0%} of the smallest models here and {share.min():.0%} of the largest.",
                "Say which N an exponent is in, and do not extrapolate one that was read over these sizes.",
            )
        )
    one, two = ways[0].exponent_a, ways[1].exponent_a
    if one is not None and two is not None and (one.low > two.high or two.low > one.high):
        found.append(
            Finding(
                "count-decides",
                "warning",
                f"the exponent is {one.value:.3f} with embeddings and {two.value:.3f} without: the count decides it.",
                "Plan in all parameters; add larger models, where the two counts agree.",
            )
        )
    return found
