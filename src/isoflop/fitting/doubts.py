"""What a fit says against itself: its search, its parameters, its number of runs, and the pattern of its residuals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.fitting.kernel import Kernel
from isoflop.fitting.objective.space import Space, to_scale
from isoflop.fitting.result import Search
from isoflop.fitting.table import Table
from isoflop.laws import Law
from isoflop.runs import Runs

Floats = NDArray[np.float64]

_ROUNDING = 1e-10  # residuals below which a fit is exact and their pattern is that of rounding
_NOISELESS = 1e-6  # relative: no measured loss lies this near to a law, and a pattern of such residuals means nothing
_FEWEST_FOR_SIZE = 4  # rows below which medians say little
_FLAT = 1e-9  # losses that differ by less are all the same
_EDGE = 12.0  # logistic coordinate beyond which a parameter is at an end of its interval
_FEWEST_REPEATS = 4  # runs beyond the first of their group
_BEYOND_REPEATS = 4.0  # ratio of mean squares: twice the repeats' standard deviation
_POOR, _WRONG = 0.7, 1.5  # typical residual, as a share of the losses' own spread
_FAMILY = 4  # runs of a family that have a median to speak of
_FAMILY_CHANCE = 1e-3


def search_findings(search: Search, *, exact: bool, gap: float, converged: bool) -> list[Finding]:
    """Starts that end apart, or an optimum that was not reached.

    exact: the optimum misses nothing. gap: how much worse, relatively, the best of the other optima is.
    """
    found: list[Finding] = []
    reached, tried = search.reached, search.starts
    if exact:
        return found  # no other optimum can be better, however many starts came to it
    if reached < max(2, tried // 10) and tried >= 8:
        rest = (
            f"the next is {gap:.1e} (relative) worse" if math.isfinite(gap) else "no other start came to rest anywhere"
        )
        found.append(
            Finding(
                "multiple-optima",
                "warning",
                f"only {reached} of {tried} starts ended at the best optimum; {rest}.",
                "Try more starts, another seed, or a law with fewer parameters; the data may not determine this one.",
            )
        )
    elif gap < 1e-3:
        found.append(
            Finding(
                "near-optimum",
                "note",
                f"another optimum is only {gap:.1e} (relative) worse than the best, reached from {reached} of {tried} "
                "starts.",
                "Look at the spread of the bootstrap draws; two answers fit these runs almost equally well.",
            )
        )
    if not converged:
        found.append(
            Finding(
                "not-converged",
                "error",
                "the solver was still gaining when it reached its limit of steps.",
                "Do not use the parameters; try another objective, or a law with fewer parameters.",
            )
        )
    return found


def count_findings(law: Law, table: Table) -> list[Finding]:
    """Too few runs for the number of parameters."""
    n_params, n_runs = len(law.params), table.n_runs
    if n_runs >= 2 * n_params:
        return []
    return [
        Finding(
            "few-runs",
            "warning",
            f"{n_runs} {'run' if n_runs == 1 else 'runs'} for {n_params} parameters: intervals from so few are too "
            "narrow, and the fit can follow noise.",
            "Add runs, or fix or tie parameters.",
        ),
    ]


def parameter_findings(law: Law, kernel: Kernel, theta: Floats) -> list[Finding]:
    """Parameters without effect (at their bound), and pairs that the runs cannot tell apart."""
    names = kernel.order
    gram, strongest = np.zeros((len(names), len(names))), np.zeros(len(names))
    width = kernel.tile_rows(1)
    for start in range(0, kernel.n_rows, width):
        stop = min(start + width, kernel.n_rows)
        value, jacobian = kernel.value_and_jacobian(theta, start, stop)
        scaled = jacobian[0] / np.abs(value) if kernel.space == "raw" else jacobian[0]
        strongest = np.maximum(strongest, np.abs(scaled).max(axis=1))
        gram += scaled @ scaled.T
    domains = {param.name: param.domain for param in law.params}
    found = []
    alive = strongest > 1e-5
    for position, label in enumerate(names):
        domain = domains[label]
        if isinstance(domain, tuple) and abs(theta[0, position]) > _EDGE:
            end = domain[1] if theta[0, position] > 0 else domain[0]
            found.append(
                Finding(
                    "at-bound",
                    "warning",
                    f"{label} is at the end {end:g} of its domain {domain[0]:g} to {domain[1]:g}.",
                    "Widen the domain, or ask whether the law holds for these runs.",
                )
            )
        elif not alive[position]:
            found.append(
                Finding(
                    "at-bound",
                    "warning",
                    f"{label} is at its bound: it changes no loss by more than one part in 100,000.",
                    f"The runs do not show this term; fix {label}, or use a law without it"
                    f"{f' (or let it be negative: --domain {label}=real)' if domain == 'positive' else ''}.",
                )
            )
    return [*found, *_confounded(gram, np.flatnonzero(alive), names)]


def _confounded(gram: Floats, alive: NDArray[np.int64], names: tuple[str, ...]) -> list[Finding]:
    """Directions in which the loss hardly changes, from the correlation form of JᵀJ in centered coordinates."""
    if len(alive) < 2:
        return []
    size = np.sqrt(np.diag(gram)[alive])
    form = gram[np.ix_(alive, alive)] / np.outer(size, size)
    strengths, directions = np.linalg.eigh(form)
    weakest, direction = float(strengths[0]), directions[:, 0]
    if weakest > 1e-5:
        return []
    leading = [
        names[alive[position]] for position in np.argsort(-np.abs(direction))[:3] if abs(direction[position]) > 0.3
    ]
    return [
        Finding(
            "not-identified",
            "error" if weakest < 1e-10 else "warning",
            f"{' and '.join(leading)} cannot be told apart by these runs (the weakest direction has "
            f"{max(weakest, 0.0):.0e} of the strength of independent parameters).",
            "Vary the inputs independently (other N at the same D), or fix or tie one of them.",
        )
    ]


def overflow_findings(params: Mapping[str, float]) -> list[Finding]:
    """Parameters that no number can hold: an exponent ran away along an input that hardly varies."""
    lost = [name for name, value in params.items() if not math.isfinite(value)]
    if not lost:
        return []
    return [
        Finding(
            "overflow",
            "error",
            f"{' and '.join(lost)} {'is' if len(lost) == 1 else 'are'} too large for a number: an exponent has run "
            "away, as it does along an input that hardly varies.",
            "Use a law without that input, fix its exponent (--fix), or add runs that vary it.",
        )
    ]


def name_findings(law: Law, runs: Runs) -> list[Finding]:
    """Parameters of a typed formula that have the name of a column whose numbers vary: the column may be meant."""
    typed = [each.name for each in law.params if not each.meaning and each.name in runs.frame.columns]
    both = [name for name in typed if runs.frame[name].dtype.is_numeric() and runs.frame[name].n_unique() > 1]
    if not both:
        return []
    named, one = " and ".join(both), len(both) == 1
    return [
        Finding(
            "parameter-or-column",
            "warning",
            f"{named} {'is a parameter' if one else 'are parameters'} of the law here, and the table has "
            f"{'a column' if one else 'columns'} of that name: only N, D, C, U, M and S are inputs by "
            "themselves.",
            f"Say {' '.join(f'--input {name}' for name in both)} if the {'column is' if one else 'columns are'} meant; "
            "else name the parameter otherwise.",
        )
    ]


def size_findings(table: Table, residual: Floats, *, space: Space) -> list[Finding]:
    """A law that misses the losses by about as much as they differ among themselves.

    Medians of absolute values, of the residuals and of the losses about their median, so that a few outliers decide
    nothing.
    """
    losses = to_scale(table.loss, space)
    spread = float(np.median(np.abs(losses - np.median(losses))))
    typical = float(np.median(np.abs(residual)))
    if len(losses) < _FEWEST_FOR_SIZE or typical <= _POOR * spread or spread <= _FLAT * float(np.abs(losses).max()):
        return []
    off, vary = (f"{100 * each:.2g} %" if space == "log" else f"{each:.2g}" for each in (typical, spread))
    return [
        Finding(
            "large-residuals",
            "error" if typical > _WRONG * spread else "warning",
            f"the law is typically off by {off}, where the losses differ by {vary} among themselves: it explains "
            "next to nothing of them.",
            "Look at what was fixed, at units and at the inputs, or try another law; do not forecast with this one.",
        )
    ]


def seed_findings(
    table: Table, residual: Floats, seeds: NDArray[np.str_], n_params: int, *, log_loss: bool
) -> list[Finding]:
    """A law that misses the means over seeds by more than the seeds leave them open.

    The classical test for lack of fit: rows of equal inputs with different seeds are a group; with n rows in G groups
    of m_g rows, F = [Σ m_g r̄_g²/(G − p)]/[Σ (r − r̄_g)²/(n − G)]. seeds: each row's, (rows,).
    """
    if len(table.by_row) < len(table.inputs) or not table.by_row:
        return []
    _, group = np.unique(np.column_stack(list(table.by_row.values())), axis=0, return_inverse=True)
    _, seed = np.unique(seeds, return_inverse=True)
    # the first row of each seed: other rows are checkpoints of the same run, or differ in what the law does not see
    pairs, first = np.unique(np.column_stack([group.ravel(), seed.ravel()]), axis=0, return_index=True)
    kept = first[np.bincount(pairs[:, 0])[pairs[:, 0]] > 1]
    _, own, size = np.unique(group.ravel()[kept], return_inverse=True, return_counts=True)
    spare, repeats = len(size) - n_params, len(kept) - len(size)
    if spare < 1 or repeats < _FEWEST_REPEATS:
        return []
    from scipy.special import fdtrc

    mean = np.bincount(own, weights=residual[kept]) / size
    spread = float(((residual[kept] - mean[own]) ** 2).sum()) / repeats
    ratio = float((size * mean**2).sum()) / spare / max(spread, _ROUNDING**2)
    if ratio < _BEYOND_REPEATS or fdtrc(spare, repeats, ratio) > 0.005:
        return []
    sizes = (math.sqrt(spread), math.sqrt(spread * float(np.mean(1 / size))), math.sqrt(float(np.mean(mean**2))))
    vary, known, off = (f"{100 * each:.2g} %" if log_loss else f"{each:.2g}" for each in sizes)
    return [
        Finding(
            "lack-of-fit",
            "warning",
            f"seeds of one configuration differ by {vary} (standard deviation; {len(kept)} runs in {len(size)} "
            f"places), so their means are known to {known}, and the law misses these by {off}: that is no chance of "
            "the seeds.",
            "Try another law, or look at what else differs between the runs.",
        )
    ]


def is_noiseless(table: Table, residual: Floats, *, log_loss: bool) -> bool:
    """Whether every residual is below one part in a million: numbers that were computed by the law, not measured."""
    scale = 1.0 if log_loss else float(np.median(np.abs(table.loss)))
    return bool(np.abs(residual).max(initial=0.0) <= _NOISELESS * scale)


def noiseless_findings(residual: Floats, *, log_loss: bool) -> list[Finding]:
    """That the runs have no noise; see :func:`is_noiseless`."""
    return [
        Finding(
            "noiseless",
            "note",
            f"the runs have no noise: the law misses none of them by more than {np.abs(residual).max():.1g}"
            f"{' (relative)' if log_loss else ''}, as computed numbers do.",
            "Nothing to do for a trial; the intervals tell of rounding alone, not of measured runs.",
        )
    ]


def family_findings(table: Table, residual: Floats, families: Sequence[str], *, log_loss: bool) -> list[Finding]:
    """Residuals that differ between families, by Kruskal and Wallis's test on the means of runs."""
    n_runs = table.n_runs
    first = np.full(n_runs, -1)
    first[table.run_codes[::-1]] = np.arange(len(residual))[::-1]
    mean = np.bincount(table.run_codes, residual) / np.bincount(table.run_codes)
    labels = np.asarray(families)[first]
    groups = {name: mean[labels == name] for name in sorted(set(labels.tolist()))}
    large = {name: group for name, group in groups.items() if len(group) >= _FAMILY}
    if len(large) < 2 or not np.isfinite(mean).all() or np.ptp(np.concatenate(list(large.values()))) == 0:
        return []
    sizes = np.array([len(group) for group in large.values()])
    ranks = np.argsort(np.argsort(np.concatenate(list(large.values())))) + 1.0
    apart = np.array([part.mean() for part in np.split(ranks, np.cumsum(sizes)[:-1])]) - ranks.mean()
    spread = 12 / (len(ranks) * (len(ranks) + 1)) * float(sizes @ apart**2)
    if _chi_square_beyond(spread, len(large) - 1) > _FAMILY_CHANCE:
        return []
    middle = {name: -float(np.median(group)) for name, group in large.items()}  # residuals are predicted − measured
    low, high = min(middle, key=middle.__getitem__), max(middle, key=middle.__getitem__)
    scale, unit = (100, " %") if log_loss else (1, "")
    return [
        Finding(
            "families-pooled",
            "warning",
            f"one law was fitted to {len(groups)} families, and they differ: the median run of {low!r} is "
            f"{scale * middle[low]:+.2g}{unit} off the law, that of {high!r} {scale * middle[high]:+.2g}{unit}.",
            f"Fit one of them (--where \"family == '{low}'\"), or look at each: isoflop backtest --per-family.",
        )
    ]


def _chi_square_beyond(value: float, freedom: int) -> float:
    """P(χ² > value) by Wilson and Hilferty's cube root; SciPy's takes a quarter of a second to import."""
    width = 2 / (9 * freedom)
    normal = ((value / freedom) ** (1 / 3) - (1 - width)) / math.sqrt(width)
    return 0.5 * math.erfc(normal / math.sqrt(2))
