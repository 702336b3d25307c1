"""The conventions side by side, and what it does when they disagree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from isoflop.accounting.flops import (
    Flops,
    chinchilla_flops,
    exact_flops,
    kaplan_flops,
    palm_flops,
    six_n,
    twelve_flops,
)
from isoflop.accounting.params import (
    Parameters,
    chinchilla_parameters,
    kaplan_parameters,
    parameters,
    twelve_l_d_squared,
)
from isoflop.accounting.shape import Shape
from isoflop.errors import SpecError
from isoflop.findings import Finding

APART: Final = 0.10  # conventions that differ by more are a finding
NAMED: Final = 0.02  # a part is named as a reason where it moves the whole by more

MOST_TOKENS: Final = 1e24  # beyond is a slip of the suffix

_EXACT: Final = "exact"


@dataclass(frozen=True)
class Row:
    """One convention applied to a shape.

    name: for scripts and ``--count``. label: for people. counts: which parameters its N is (total, active,
    non-embedding). parameters: that N. flops: of one token, by part.
    """

    name: str
    label: str
    counts: str
    parameters: int
    flops: Flops


@dataclass(frozen=True)
class Comparison:
    """A shape and a number of training tokens under every convention; the first row is 6ND."""

    shape: Shape
    tokens: float
    parameters: Parameters
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    def row(self, name: str) -> Row:
        """The row of that name; SpecError names the others."""
        for each in self.rows:
            if each.name == name:
                return each
        raise SpecError(f"count {name!r} is unknown; choose one of {', '.join(each.name for each in self.rows)}")

    def total(self, name: str) -> float:
        """Training FLOPs of the whole run."""
        return self.row(name).flops.training * self.tokens

    def ratio(self, name: str) -> float:
        """FLOPs over those of 6ND."""
        return self.row(name).flops.training / self.rows[0].flops.training


def compare(shape: Shape, tokens: float) -> Comparison:
    """Parameters and training FLOPs under 6ND, Kaplan, Chinchilla, PaLM and the exact counts, with findings.

    Findings name each convention that is more than 10 % away from the exact count with causal attention, the parts
    that make the difference, and what it does. Raises SpecError where ``tokens`` is not above 0, or beyond 1e24.
    """
    if not 0 < tokens <= MOST_TOKENS:
        raise SpecError(f"tokens = {tokens:g} must lie above 0 and at most {MOST_TOKENS:g}")
    exact = parameters(shape)
    every = "active" if exact.idle else "total"
    rows = (
        Row("6nd", "6ND", every, exact.active, six_n(shape)),
        Row("12ld2", "6ND, N = 12 L d²", "non-embedding", twelve_l_d_squared(shape), twelve_flops(shape)),
        Row("kaplan", "Kaplan", "non-embedding", kaplan_parameters(shape), kaplan_flops(shape)),
        Row("chinchilla", "Chinchilla, app. F", every, chinchilla_parameters(shape), chinchilla_flops(shape)),
        Row("palm", "PaLM (for MFU)", every, exact.active, palm_flops(shape)),
        Row(_EXACT, "exact, causal", every, exact.active, exact_flops(shape)),
        Row("exact-full", "exact, full square", every, exact.active, exact_flops(shape, attention="full")),
    )
    return Comparison(shape, tokens, exact, rows, (*_about_parameters(exact), *_about_flops(rows, exact)))


def _about_parameters(exact: Parameters) -> list[Finding]:
    found = []
    tables = exact.total - exact.non_embedding
    if tables > APART * exact.total:
        found.append(
            Finding(
                "params-embedding",
                "warning",
                f"Embeddings and output matrix are {tables / exact.total:.0%} of the parameters: "
                f"N is {exact.total:,} with them and {exact.non_embedding:,} without.",
                "Say which N a law was fitted in: on models of this size the two give different exponents "
                "(Pearce and Song 2024).",
            )
        )
    if exact.idle > APART * exact.total:
        found.append(
            Finding(
                "params-active",
                "warning",
                f"A token passes {exact.active:,} of {exact.total:,} parameters ({exact.active / exact.total:.0%}).",
                "Compute follows the active count and memory the total; a law of dense models holds for neither.",
            )
        )
    return found


def _about_flops(rows: tuple[Row, ...], exact: Parameters) -> list[Finding]:
    judge = next(each for each in rows if each.name == _EXACT)
    found = []
    for row in rows:
        away = row.flops.forward / judge.flops.forward - 1
        if abs(away) <= APART:
            continue
        reasons = _reasons(row.flops, judge.flops)
        says = f"{row.label} counts {abs(away):.0%} {'more' if away > 0 else 'fewer'} FLOPs than the exact sum"
        says += f" ({reasons})" if reasons else ""
        same = exact.non_embedding - exact.idle if row.counts == "non-embedding" else exact.active
        short = row.parameters / same - 1
        if abs(short) > APART:
            says += f", and its {row.counts} N is {abs(short):.0%} {'above' if short > 0 else 'below'} the exact one"
        found.append(Finding(_CODES[row.name], "warning", says + ".", _FIXES.get(row.name, _convert)(away)))
    return found


def _convert(away: float) -> str:
    kept = 1 / (1 + away)
    tokens = f"{abs(1 - kept):.0%} {'fewer' if away > 0 else 'more'} tokens"
    bought = f"buys {tokens} than" if away > 0 else f"promises {tokens} than are paid for by"
    return f"A budget read in it {bought} the exact count; multiply its FLOPs by {kept:.3g} before comparing."


def _utilization(away: float) -> str:
    return (
        "A utilization (MFU) is defined in this count: where yours was measured in it, take --count palm for the "
        f"hours, which are {abs(away):.0%} {'more' if away > 0 else 'fewer'}."
    )


def _masked(away: float) -> str:
    return (
        f"Kernels that skip the masked half do not spend these {abs(away):.0%}, others do; take --count exact-full "
        "where yours computes the whole square."
    )


_CODES: Final = {
    "6nd": "flops-6nd",
    "12ld2": "flops-12ld2",
    "kaplan": "flops-kaplan",
    "chinchilla": "flops-chinchilla",
    "palm": "flops-palm",
    "exact-full": "flops-exact-full",
}
_FIXES: Final[dict[str, Callable[[float], str]]] = {"palm": _utilization, "exact-full": _masked}

_GROUPS: Final = {
    "embedding as a product": ("embedding",),
    "attention's matrices": ("qkv", "projection", "relative"),
    "attention over positions": ("scores", "softmax", "reduction"),
    "feed-forward": ("feed_forward", "router"),
    "output matrix": ("output",),
    "norms and biases": ("small",),
}


def _reasons(flops: Flops, judge: Flops) -> str:
    ours, exact = flops.parts(), judge.parts()
    moved = {name: sum(ours[part] - exact[part] for part in parts) / judge.forward for name, parts in _GROUPS.items()}
    named = sorted((each for each in moved.items() if abs(each[1]) > NAMED), key=lambda each: -abs(each[1]))
    return ", ".join(f"{name} {share:+.0%}" for name, share in named)
