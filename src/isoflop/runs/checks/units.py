"""Losses in another unit than they are said to be, and losses that were rounded."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from isoflop.findings import Finding
from isoflop.runs.checks.rows import rows_where
from isoflop.runs.table import Runs

Floats = NDArray[np.float64]

# A uniform guess over the largest vocabularies in use (about 260,000 tokens) costs ln 260,000 nats.
_GUESS = 12.5
_LEAST_A_TOKEN = 1.3  # nats: the best language models on web text stay above; bytes and characters lie below
_COARSE = 2  # decimals from which rounding shows in a fit
_FEW = 0.05  # share of rows beyond a guess up to which they are odd ones, not the unit
_DECIMALS = 7
_GLANCE = 1_000  # losses that are looked at before all are


def loss_findings(runs: Runs) -> list[Finding]:
    """Losses that look like perplexity (all of them, a family, some rows) or like losses a byte; rounded losses."""
    if "loss" not in runs.frame.columns or runs.loss_unit in ("error rate", "perplexity"):
        return []
    found = _families_in_perplexity(runs) or _perplexity(runs)
    return [*found, *_by_byte(runs), *_rounding(runs)]


def decimals_of(losses: Floats) -> int | None:
    """The fewest decimals that write every loss exactly; None above seven (not rounded to speak of)."""
    finite = losses[np.isfinite(losses)]

    def written(some: Floats, places: int) -> bool:
        return bool(len(some)) and np.allclose(some, np.round(some, places), rtol=0, atol=1e-9)

    counts = range(_DECIMALS + 1)
    return next((each for each in counts if written(finite[:_GLANCE], each) and written(finite, each)), None)


def _guess(unit: str) -> float:
    return _GUESS if unit.startswith("nats") else _GUESS / math.log(2)


def _families_in_perplexity(runs: Runs) -> list[Finding]:
    """Families whose losses are those of perplexity beside families whose losses are not."""
    if "family" not in runs.frame.columns:
        return []
    families = np.array(runs.text("family"))
    losses, guess = runs["loss"], _guess(runs.loss_unit)
    medians = {
        name: float(np.median(values))
        for name in dict.fromkeys(families.tolist())
        if len(values := losses[(families == name) & np.isfinite(losses)])
    }
    odd = [name for name, middle in medians.items() if middle > guess / 2]
    if not odd or len(odd) == len(medians):
        return []
    rows = rows_where(runs, np.isin(families, odd))
    named = ", ".join(odd[:3]) + (f" and {len(odd) - 3} more" if len(odd) > 3 else "")
    other = float(np.median([middle for name, middle in medians.items() if name not in odd]))
    return [
        Finding(
            "looks-like-perplexity",
            "warning",
            f"the losses of {named} have the median {medians[odd[0]]:.3g}, those of other families {other:.3g} "
            f"{runs.loss_unit}: {'this family looks' if len(odd) == 1 else 'these look'} like perplexity. Relative "
            "errors of perplexity are several times those of its logarithm.",
            f'Read it apart: --where "family in {odd!r}" --unit loss=perplexity; and the others without it.'
            if len(odd) < 20
            else "Read these families apart, with --unit loss=perplexity.",
            rows,
        )
    ]


def _perplexity(runs: Runs) -> list[Finding]:
    losses = runs["loss"]
    losses = losses[np.isfinite(losses)]
    guess = _guess(runs.loss_unit)
    high = runs["loss"] > guess
    if not len(losses) or not (np.median(losses) > guess / 2 or high.any()):
        return []
    rows = rows_where(runs, high)
    named = f", {len(rows)} of them above it" if rows else ""
    few = bool(np.median(losses) <= guess / 2 and len(rows) < _FEW * len(losses))
    said = "these look like perplexity, or like runs at their beginning" if few else "this looks like perplexity"
    return [
        Finding(
            "looks-like-perplexity",
            "warning",
            f"the losses run from {losses.min():.3g} to {losses.max():.3g}{named}, and a uniform guess costs "
            f"at most {guess:.1f} {runs.loss_unit}: {said}.",
            f'Drop them with --where "loss <= {guess:.4g}".' if few else "If so, say it: --unit loss=perplexity.",
            rows,
        )
    ]


def _by_byte(runs: Runs) -> list[Finding]:
    """Losses a token that are lower than any language model's: a byte, a character, or another scale."""
    losses = runs["loss"]
    losses = losses[np.isfinite(losses) & (losses > 0)]
    least = _LEAST_A_TOKEN if runs.loss_unit.startswith("nats") else _LEAST_A_TOKEN / math.log(2)
    if not runs.loss_unit.endswith("/token") or not len(losses) or np.median(losses) > least:
        return []
    return [
        Finding(
            "looks-like-bytes",
            "note",
            f"the median loss is {np.median(losses):.3g} {runs.loss_unit}, and language models on web text stay above "
            f"{least:.2g}: code, few tokens in the vocabulary, or a loss a byte or character.",
            "If it is a loss a byte, say it: --unit loss=bits/byte or nats/byte. The fit is the same; its words are "
            "not.",
        )
    ]


def _rounding(runs: Runs) -> list[Finding]:
    places = decimals_of(runs["loss"])
    if places is None or places > _COARSE or len(np.unique(runs["loss"])) < 2:
        return []
    step = 10.0**-places
    return [
        Finding(
            "rounded-losses",
            "warning",
            f"the losses are written to {places} {'decimal' if places == 1 else 'decimals'}, in steps of {step:g} "
            f"(a standard deviation of {step / math.sqrt(12):.2g}); exponents and forecasts move with that.",
            "Take the losses from the logs with four decimals; isoflop sensitivity shows what rounding does here.",
        )
    ]
