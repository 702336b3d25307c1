"""The entropy of attention by the number of tokens, as it is and with the factors that are to hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import DataError, shown
from isoflop.measures.attention import attention_entropy, gaussian_scale, log_scale
from isoflop.measures.samples import Floats
from isoflop.probing.read import files_of, read_arrays
from isoflop.shown import Shown
from isoflop.special import special
from isoflop.uncertainty.ensemble import Interval
from isoflop.values import Value

QUERIES: Final = ("queries", "query", "q")
KEYS: Final = ("keys", "key", "k")
_HEADS: Final = 256  # heads and windows of a file that are measured, at random
_ROWS: Final = 256  # queries of one that are measured, at random
_FEWEST: Final = 5  # heads and windows, below which there is no interval


@dataclass(frozen=True)
class AttentionAt(Value):
    """Attention over so many tokens: means over heads and windows, in nats.

    variance: of the logits. entropy: with the factor 1/√d. share: of log N. drift: from the tokens of training, by the
    factor: ``plain``, ``log`` for √(log_T N / d), ``normal`` for the one that normal logits would need. without: heads
    and windows that have no such factor. error: of the entropy that the last factor rests on, on normal logits.
    """

    source: str
    tokens: int
    heads: int
    dimensions: int
    variance: float
    entropy: Interval
    share: float
    drift: Mapping[str, Interval]
    without: int
    error: float


@dataclass(frozen=True)
class AttentionDrift(Shown):
    """Attention at every number of tokens, ascending; ``trained`` is the number at training."""

    trained: int
    lengths: tuple[AttentionAt, ...]
    tolerance: float
    level: float


@dataclass(frozen=True)
class _Heads:
    source: str
    queries: Floats  # (heads, rows, d)
    keys: Floats  # (heads, tokens, d)


def attention_drift(
    places: Sequence[str | Path],
    *,
    trained: int | None = None,
    queries: str | None = None,
    keys: str | None = None,
    tolerance: float = 0.1,
    level: float = 0.9,
    seed: int = 0,
) -> AttentionDrift:
    """Ent(N) = −Σⱼ Aⱼ log Aⱼ of A = softmax(λ q·kⱼ) over N keys, less Ent(T), with three factors λ.

    λ is 1/√d, √(log_T N / d) (Jin et al. 2023, arXiv 2306.08645), and √((1 + 2 ln(N/T)/σ²)/d), which holds the entropy
    of normal logits of variance σ² at T.

    Parameters
    ----------
    places :
        Files of arrays, or folders of them, one for each number of tokens: queries (…, rows, d) that see every key,
        and keys (…, N, d); the axes in front are heads and windows.
    trained :
        T, tokens at training, of which a file must be there; the fewest where None.
    queries, keys :
        Names of the arrays; ``queries``, ``query`` or ``q``, and ``keys``, ``key`` or ``k`` where None.
    tolerance :
        Relative error that the entropy of normal logits may have on logits that are normal.
    level :
        Of the intervals over heads and windows.

    Returns
    -------
    AttentionDrift
        By ascending N.

    Raises
    ------
    DataError
        Arrays that are missing or do not fit, NaN, fewer than two numbers of tokens, none of T tokens.
    """
    found = sorted((_read(path, queries, keys, seed) for path in files_of(places)), key=lambda each: _tokens(each))
    counts = [_tokens(each) for each in found]
    twice = next((n for n in counts if counts.count(n) > 1), None)
    if twice is not None:
        raise DataError(f"two files have {twice:,} keys; give one file for each number of tokens")
    if len(found) < 2:
        raise DataError(f"one number of tokens ({counts[0]:,}) has no drift; give a file for each of two or more")
    start = counts[0] if trained is None else trained
    if start not in counts:
        raise DataError(f"no file has {start:,} keys, the tokens of training; there are {', '.join(map(str, counts))}")
    base = found[counts.index(start)]
    if len({(len(each.queries), each.queries.shape[2]) for each in found}) > 1:
        told = ", ".join(f"{shown(each.source)}: {len(each.queries)} of {each.queries.shape[2]}" for each in found[:4])
        raise DataError(f"files differ in heads and windows, or in their dimensions ({told}); record the same of each")
    plain = _entropies(base, None)
    return AttentionDrift(
        start, tuple(_at(each, start, plain, tolerance, level, seed) for each in found), tolerance, level
    )


def _tokens(each: _Heads) -> int:
    return int(each.keys.shape[1])


def _read(path: Path, queries: str | None, keys: str | None, seed: int) -> _Heads:
    arrays = read_arrays(path)
    q, k = (
        _heads(_named(arrays, given, usual, path, option), path)
        for given, usual, option in ((queries, QUERIES, "--queries"), (keys, KEYS, "--keys"))
    )
    if len(q) != len(k) or q.shape[2] != k.shape[2]:
        raise DataError(f"queries {q.shape} and keys {k.shape} of {shown(str(path))} differ in heads or dimensions")
    if k.shape[1] < 2:
        raise DataError(f"{shown(str(path))} has {k.shape[1]} key a head; attention over one has no entropy")
    rng = np.random.default_rng(seed)
    if len(q) > _HEADS:
        some = np.sort(rng.choice(len(q), _HEADS, replace=False))
        q, k = q[some], k[some]
    if q.shape[1] > _ROWS:
        q = q[:, np.sort(rng.choice(q.shape[1], _ROWS, replace=False))]
    return _Heads(str(path), q, k)


def _named(
    arrays: Mapping[str, NDArray[Any]], given: str | None, usual: Sequence[str], path: Path, option: str
) -> NDArray[Any]:
    lowered = {name.lower(): name for name in arrays}
    name = given if given is not None else next((lowered[each] for each in usual if each in lowered), None)
    if name is None or name not in arrays:
        there = ", ".join(map(shown, list(arrays)[:8]))
        what = f"no array {shown(name)}" if name is not None else f"none of the arrays {', '.join(usual)}"
        raise DataError(f"{shown(str(path))} has {what}; it has {there}: name one with {option}")
    return arrays[name]


def _heads(array: NDArray[Any], path: Path) -> Floats:
    if array.ndim < 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
        raise DataError(
            f"{shown(str(path))} holds {array.dtype} of shape {array.shape}; queries and keys are numbers (…, rows, d)"
        )
    table = np.asarray(array, dtype=np.float64).reshape(-1, *array.shape[-2:])
    if not np.isfinite(table).all():
        raise DataError(f"queries or keys of {shown(str(path))} hold NaN or infinity; mend what wrote them")
    return table


def _entropies(each: _Heads, factors: Floats | None) -> tuple[Floats, Floats]:
    """Entropy and logit variance by head and window."""
    scales = [None] * len(each.queries) if factors is None else factors.tolist()
    heads = zip(each.queries, each.keys, scales, strict=True)
    with np.errstate(all="ignore"):
        found = [attention_entropy(q, k, scale=scale) for q, k, scale in heads]
    entropy, variance = np.array([one.entropy for one in found]), np.array([one.variance for one in found])
    if not (np.isfinite(entropy).all() and np.isfinite(variance).all()):
        raise DataError(
            f"logits of {shown(each.source)} are too large for their entropy; check the scale of its arrays"
        )
    return entropy, variance


def _at(
    each: _Heads, trained: int, base: tuple[Floats, Floats], tolerance: float, level: float, seed: int
) -> AttentionAt:
    tokens, dimensions = _tokens(each), each.queries.shape[2]
    entropy, variance = _entropies(each, None)
    count = len(entropy)
    drift = {"plain": _mean(entropy - base[0], level)}
    if tokens != trained:
        drift["log"] = _mean(
            _entropies(each, np.full(count, log_scale(tokens, trained, dimensions)))[0] - base[0], level
        )
    factors, without = np.full(count, 1 / math.sqrt(dimensions)), 0
    for place, own in enumerate(base[1]):
        try:
            factors[place] = gaussian_scale(tokens, trained, dimensions, float(own))
        except DataError:  # no real factor: the head keeps its own
            without += 1
    if tokens != trained and without < count:
        drift["normal"] = _mean(_entropies(each, factors)[0] - base[0], level)
    return AttentionAt(
        each.source,
        tokens,
        count,
        dimensions,
        float(variance.mean()),
        _mean(entropy, level),
        float(entropy.mean()) / math.log(tokens),
        drift,
        without,
        _normal_error(tokens, float(np.median(variance)), seed),
    )


def _normal_error(tokens: int, variance: float, seed: int) -> float:
    """How far ln N − σ²/2 is from the entropy of normal logits, relative to it: the trial of the last factor."""
    logits = np.random.default_rng(seed).normal(0.0, math.sqrt(variance), (64, tokens))
    weight = np.exp(logits - logits.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    truth = float(-(weight * np.log(np.maximum(weight, 1e-300))).sum(axis=1).mean())
    return (math.log(tokens) - variance / 2 - truth) / max(truth, 1e-9)


def _mean(values: Floats, level: float) -> Interval:
    mean = float(values.mean())
    if len(values) < _FEWEST:
        return Interval(mean, math.nan, math.nan, level)
    reach = (
        float(special.stdtrit(len(values) - 1, (1 + level) / 2)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    )
    return Interval(mean, mean - reach, mean + reach, level)
