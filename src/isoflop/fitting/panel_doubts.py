"""What a fit of groups says against itself: parameters at their bound, and those that the runs do not tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding

if TYPE_CHECKING:
    from isoflop.fitting.panel import PanelFit

Floats = NDArray[np.float64]

_NAMED = 5
_GONE = 1e-3  # a floor below this share of the lowest loss counts as at zero
_ALIVE = 1e-5  # relative effect on some loss below which a parameter has none
_WEAK, _NONE = 1e-5, 1e-10  # least eigenvalue of the correlation form of JᵀJ, as for a plain fit
_MOST = 800  # coordinates of which all are looked at together


def panel_findings(panel: PanelFit) -> list[Finding]:
    """Findings of the fit itself."""
    found = []
    if len(panel.groups) == 1:
        found.append(
            Finding(
                "one-group",
                "warning",
                f"{', '.join(panel.by)} has one value, {panel.groups[0]}, so nothing is shared between groups: this is "
                "the plain fit.",
                "Leave --by out, or name a column that tells groups apart.",
            )
        )
    if not bool(panel.optimum.converged.all()):
        found.append(
            Finding(
                "not-converged",
                "error",
                "the joint fit of all groups had not converged at the limit of steps: the objective is nearly flat "
                "along some combination of parameters.",
                "Share or pool more parameters (--share, --pool), or add runs to the smallest groups.",
            )
        )
    return [*found, *_floors(panel), *_confounded(panel)]


def _floors(panel: PanelFit) -> list[Finding]:
    """Positive parameters that ran to zero in some groups."""
    found = []
    lowest = max(float(panel.ready.table.loss.min()), 0.0)
    expression = panel.law.expression
    alone = {term.label for term in (expression.args if expression.op == "add" else ()) if term.op == "name"}
    for at, name in enumerate(panel.law.param_names):
        if name not in alone or panel.law.params[at].domain != "positive" or not lowest:
            continue
        gone = [group for group, value in zip(panel.groups, panel.params[:, at], strict=True) if value < _GONE * lowest]
        if gone:
            found.append(
                Finding(
                    "at-bound",
                    "warning",
                    f"{name} ran to zero in {len(gone)} of {len(panel.groups)} groups ({_listed(gone)}): their runs do "
                    "not show where the law levels off.",
                    f"Pool or share it (--pool {name}), or fix it (--fix {name}=…).",
                )
            )
    return found


def _confounded(panel: PanelFit) -> list[Finding]:
    """Own parameters that a group's runs do not tell apart, or else shared ones that all groups' runs do not."""
    grams, strongest = _grams(panel)
    names = panel.ready.coords.names
    own = [at for at in panel.ready.own if names[at] not in panel.pool]
    apart: dict[tuple[str, ...], list[str]] = {}
    weakest = 1.0
    for number, group in enumerate(panel.groups):
        alive = [at for at in own if strongest[number, at] > _ALIVE]
        least, direction = _weakest(grams[number][np.ix_(alive, alive)])
        if least < _WEAK:
            leading = sorted(np.argsort(-np.abs(direction))[:3].tolist())
            told = tuple(names[alive[each]] for each in leading if abs(direction[each]) > 0.3)
            apart.setdefault(told, []).append(group)
            weakest = min(weakest, least)
    if apart:
        told, groups = max(apart.items(), key=lambda each: len(each[1]))
        count = sum(map(len, apart.values()))
        return [
            Finding(
                "not-identified",
                "error" if weakest < _NONE else "warning",
                f"{' and '.join(told)} cannot be told apart by the runs of {count} of {len(panel.groups)} groups "
                f"({_listed(groups)}; the weakest direction has {_share(weakest)} of the effect).",
                "Vary the inputs within the groups, share or pool one of them (--share, --pool), or fix it (--fix).",
            )
        ]
    least, told = _weakest_of_all(panel, grams, strongest)
    if least >= _WEAK:
        return []
    return [
        Finding(
            "not-identified",
            "error" if least < _NONE else "warning",
            f"{' and '.join(told)} cannot be told apart by the runs of all groups together (the weakest direction has "
            f"{_share(least)} of the effect).",
            "Vary the inputs independently, share or pool fewer parameters (--share, --pool), or fix one (--fix).",
        )
    ]


def _grams(panel: PanelFit) -> tuple[Floats, Floats]:
    """JᵀJ of each group, of relative effects on the response (groups, k, k), and the largest effect (groups, k)."""
    ready = panel.ready
    kernel, k = ready.kernel, ready.kernel.n_free
    grams, strongest = np.zeros((len(panel.groups), k, k)), np.zeros((len(panel.groups), k))
    for number in range(len(panel.groups)):
        theta = panel.optimum.local[0, number : number + 1]
        last = int(ready.bounds[number + 1])
        width = kernel.tile_rows(1)
        for start in range(int(ready.bounds[number]), last, width):
            value, jacobian = kernel.value_and_jacobian(theta, start, min(start + width, last))
            scaled = jacobian[0] if kernel.space != "raw" else jacobian[0] / np.abs(value)
            strongest[number] = np.maximum(strongest[number], np.abs(scaled).max(axis=1))
            grams[number] += scaled @ scaled.T
    return grams, strongest


def _weakest_of_all(panel: PanelFit, grams: Floats, strongest: Floats) -> tuple[float, tuple[str, ...]]:
    """The least eigenvalue over shared and own coordinates together, and which parameters its direction moves."""
    names, groups = panel.ready.coords.names, len(panel.groups)
    shared = list(panel.ready.shared)
    own = [at for at in panel.ready.own if names[at] not in panel.pool]
    size = len(shared) + groups * len(own)
    if not shared or size > _MOST:
        return 1.0, ()
    whole = np.zeros((size, size))
    labels = [names[at] for at in shared] + [names[at] for _ in range(groups) for at in own]
    alive = [bool((strongest[:, at] > _ALIVE).any()) for at in shared]
    for number in range(groups):
        at = len(shared) + number * len(own)
        here = [*range(len(shared)), *range(at, at + len(own))]
        whole[np.ix_(here, here)] += grams[number][np.ix_([*shared, *own], [*shared, *own])]
        alive += [bool(strongest[number, each] > _ALIVE) for each in own]
    kept = np.flatnonzero(alive)
    least, direction = _weakest(whole[np.ix_(kept, kept)])
    effect: dict[str, float] = {}
    for place, each in enumerate(kept):
        effect[labels[each]] = effect.get(labels[each], 0.0) + float(direction[place]) ** 2
    return least, tuple(name for name in names if effect.get(name, 0.0) > 0.09)


def _weakest(gram: Floats) -> tuple[float, Floats]:
    """The least eigenvalue of the correlation form and its direction; 1 where there is nothing to tell apart."""
    if len(gram) < 2 or not np.isfinite(gram).all():
        return 1.0, np.zeros(len(gram))
    size = np.sqrt(np.diag(gram))
    strengths, directions = np.linalg.eigh(gram / np.outer(size, size))
    return float(strengths[0]), directions[:, 0]


def _share(least: float) -> str:
    return f"{least:.0e}" if least >= _NONE else f"less than {_NONE:.0e}"


def _listed(groups: Sequence[str]) -> str:
    return ", ".join(groups[:_NAMED]) + (f" and {len(groups) - _NAMED} more" if len(groups) > _NAMED else "")
