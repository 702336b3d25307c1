"""Every law of the catalogue with true parameters, the inputs at which it is tested, and how it behaves there."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from isoflop import law
from isoflop.laws.expression import runs_over_k
from isoflop.runs import Runs

HUGE = 1e300

# Usual ranges of inputs, as decimal logarithms.
RANGES = {
    "N": (7.5, 10.0),
    "D": (9.0, 11.5),
    "C": (18.0, 22.0),
    "U": (8.5, 10.5),
    "loss": (0.3, 0.8),
    "bits": (0.3, 1.2),
}


@dataclass(frozen=True)
class Case:
    """One row of the table.

    truth: the parameters. ranges: decimal logarithms of inputs, where they are not the usual ones.
    slopes: whether the response rises (1) or falls (-1) along an input, with the others at their middles; 0 does both.
    limits: points and what the response tends to there.
    scaled: inputs that are measured in other units together; the first alone if empty; None where none has a unit.
    space: ``raw`` for a law whose values may be negative. noise: of noisy runs.
    swaps: parameters that may change places, all at once.
    given: parameters that are fixed at their truth before fitting, because that is how the law is used.
    """

    truth: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    slopes: Mapping[str, int] = field(default_factory=dict)
    limits: tuple[tuple[Mapping[str, float], float], ...] = ()
    scaled: tuple[str, ...] | None = ()
    space: str = "log"
    rows: int = 40
    noise: float = 0.01
    swaps: tuple[tuple[str, ...], ...] = ()
    given: tuple[str, ...] = ()

    def range_of(self, name: str) -> tuple[float, float]:
        return self.ranges.get(name) or RANGES[name]


def inputs_of(label: str, rows: int, seed: int) -> dict[str, np.ndarray]:
    """Random inputs within their ranges, (rows,) each; lists as (rows, 6)."""
    rng = np.random.default_rng(seed)
    return {
        name: 10 ** rng.uniform(*CASES[label].range_of(name), (rows, 6) if runs_over_k(name) else rows)
        for name in law(label).input_names
    }


def table_of(columns: Mapping[str, np.ndarray]) -> Runs:
    """The columns as runs, those with a second axis as lists."""
    runs = Runs.from_columns({name: values for name, values in columns.items() if values.ndim == 1})
    lists = [pl.Series(name, values.tolist()) for name, values in columns.items() if values.ndim == 2]
    return replace(runs, frame=runs.frame.with_columns(lists))


def runs_of(label: str, *, noise: float = 0.0) -> Runs:
    """Runs of a law at its true parameters, with Gaussian noise on the logarithm of the response."""
    each, case = law(label), CASES[label]
    inputs = inputs_of(label, case.rows, 1)
    response = each.value(case.truth, inputs)
    if noise:
        response = response * np.exp(np.random.default_rng(0).normal(0, noise, len(response)))
    return table_of({**inputs, each.response: response})


def middle(label: str) -> dict[str, float]:
    """Every input at the middle of its range; lists spread over it."""
    ranges = {name: CASES[label].range_of(name) for name in law(label).input_names}
    return {
        name: 10 ** np.linspace(low, high, 5) if runs_over_k(name) else 10.0 ** ((low + high) / 2)
        for name, (low, high) in ranges.items()
    }


_FIVE = {"E": 1.7, "A": 480.0, "B": 2000.0, "alpha": 0.35, "beta": 0.37}
_SHARE = (-1.5, 0.0)
_BREAKS = {
    1: {"d_1": 2e6, "c_1": 0.4, "f_1": 0.3},
    2: {"d_2": 1e8, "c_2": -0.8, "f_2": 0.4},
    3: {"d_3": 1e10, "c_3": 1.0, "f_3": 0.25},
}


def _bnsl(count: int) -> dict[str, float]:
    truth = {"a": 0.4, "b": 30.0, "c_0": 0.2}
    for each in range(1, count + 1):
        truth |= _BREAKS[each]
    return truth


def _mixture(count: int) -> Case:
    shares = [f"r_{each}" for each in range(1, count + 1)]
    effects = [-1.6, 0.7, -0.4, 1.1, -2.2, 0.3][: count - 1]
    truth = {"c": 1.6, "k": 0.8, **{f"t_{each}": effect for each, effect in enumerate(effects, start=1)}}
    # the response follows the sign of a domain's effect against the mean of the others
    slopes = dict.fromkeys(shares, 0) if count > 2 else {"r_1": -1, "r_2": 1}
    return Case(
        truth,
        ranges=dict.fromkeys(shares, _SHARE),
        slopes=slopes,
        # a model trained on the last domain alone, and one trained on the first
        limits=(
            ({**dict.fromkeys(shares, 0.0), shares[-1]: 1.0}, 2.4),
            ({**dict.fromkeys(shares, 0.0), shares[0]: 1.0}, 1.6 + 0.8 * math.exp(-1.6)),
        ),
        scaled=tuple(shares),
        rows=60,
    )


def _pools(count: int) -> Case:
    truth = {"a": 2.0, "d": 0.1}
    for pool, (utility, half_life) in enumerate([(0.16, 3.0), (0.09, 9.0), (0.05, 1.0)][:count], start=1):
        truth |= {f"b_{pool}": utility, f"tau_{pool}": half_life}
    first = sum(value for label, value in truth.items() if label.startswith("b_")) / count
    second = (
        sum(truth[f"b_{pool}"] * 2 ** (-1 / (count * truth[f"tau_{pool}"])) for pool in range(1, count + 1)) / count
    )
    return Case(
        truth,
        {"D": (6.5, 9.0), "U": (6.5, 8.0)},
        limits=(
            ({"D": 1e7, "U": 1e7}, 0.1 + 2 * 1e7**-first),
            ({"D": 2e7, "U": 1e7}, 0.1 + 2 * 1e7**-first * 2**-second),
        ),
        scaled=("D", "U"),
        rows=60 * count,
        given=tuple(f"{label}_{pool}" for label in ("b", "tau") for pool in range(2, count + 1)),
    )


_TEN_TO = {"D": (4.0, 9.0)}
_EXAMPLES = {"D": (3.0, 7.0)}

CASES: Mapping[str, Case] = {
    # learning curves
    "amari-noiseless": Case({"c": 3e4}, _EXAMPLES, limits=(({"D": HUGE}, 0.0), ({"D": 1.0}, 3e4))),
    "amari-many-solutions": Case({"c": 3e6}, _EXAMPLES, limits=(({"D": HUGE}, 0.0), ({"D": 10.0}, 3e4))),
    "amari-noisy": Case({"c": 20.0}, _EXAMPLES, limits=(({"D": HUGE}, 0.0), ({"D": 100.0}, 2.0))),
    "amari-stochastic": Case({"c": 3e4, "E": 0.7}, _EXAMPLES, limits=(({"D": HUGE}, 0.7),)),
    "hestness": Case({"alpha": 13.0, "beta_g": -0.3, "gamma": 0.2}, _EXAMPLES, limits=(({"D": HUGE}, 0.2),)),
    "hestness-size": Case({"a": 2.0, "beta_p": 0.7}, _EXAMPLES, {"D": 1}, limits=(({"D": 1.0}, 2.0),)),
    "rosenfeld": Case(
        {"epsilon_0": 0.9, "E": 0.05, "A": 60.0, "B": 150.0, "alpha": 0.3, "beta": 0.35},
        {"N": (5.0, 9.0), "D": (4.0, 8.0)},
        limits=(
            ({"N": HUGE, "D": HUGE}, 0.05 / math.hypot(1, 0.05 / 0.9)),
            ({"N": 1e-100, "D": HUGE}, 0.9),
            ({"N": HUGE, "D": 1e-100}, 0.9),
        ),
    ),
    "m1": Case({"beta": 20.0, "c": 0.3}, _TEN_TO, limits=(({"D": HUGE}, 0.0), ({"D": 1.0}, 20.0))),
    "m2": Case({"beta": 20.0, "c": 0.3, "E": 0.1}, _TEN_TO, limits=(({"D": HUGE}, 0.1),)),
    "m3": Case({"beta": 8.0, "gamma": 1e-6, "c": 0.35}, _TEN_TO, limits=(({"D": HUGE}, 8 * 1e-6**0.35),)),
    "m4": Case(
        {"E": 0.1, "epsilon_0": 0.9, "alpha": 0.7, "beta": 8.0, "c": 0.35},
        {"D": (1.0, 8.0)},
        limits=(({"D": 1e-60}, 0.9), ({"D": 1e60}, 0.1), ({"D": (8.0 / (0.4 / 0.4**0.7)) ** (1 / 0.35)}, 0.5)),
        rows=60,
    ),
    "bnsl-1": Case(_bnsl(1), _TEN_TO, limits=(({"D": 1e60}, 0.4), ({"D": 1.0}, 30.4)), rows=60),
    "bnsl-2": Case(
        _bnsl(2),
        {"D": (4.0, 11.0)},
        {"D": 0},
        limits=(({"D": 1.0}, 30.4),),
        rows=100,
        swaps=(("d_1", "c_1", "f_1"), ("d_2", "c_2", "f_2")),
    ),
    "bnsl-3": Case(
        _bnsl(3),
        {"D": (4.0, 13.0)},
        {"D": 0},
        limits=(({"D": 1e60}, 0.4), ({"D": 1.0}, 30.4)),
        rows=160,
        swaps=(("d_1", "c_1", "f_1"), ("d_2", "c_2", "f_2"), ("d_3", "c_3", "f_3")),
    ),
    # one axis
    "power-n": Case({"A": 20.0, "alpha": 0.1}, limits=(({"N": HUGE}, 0.0),)),
    "power-d": Case({"A": 30.0, "alpha": 0.1}, limits=(({"D": HUGE}, 0.0),)),
    "power-c": Case({"A": 40.0, "alpha": 0.06}, limits=(({"C": HUGE}, 0.0),)),
    "power-n-floor": Case({"E": 1.8, "A": 100.0, "alpha": 0.25}, limits=(({"N": HUGE}, 1.8),)),
    "power-d-floor": Case({"E": 1.8, "A": 300.0, "alpha": 0.25}, limits=(({"D": HUGE}, 1.8),)),
    "power-c-floor": Case({"E": 1.7, "A": 1600.0, "alpha": 0.16}, limits=(({"C": HUGE}, 1.7),)),
    "henighan-n": Case({"E": 2.64, "N_0": 280.0, "alpha": 0.22}, limits=(({"N": HUGE}, 2.64), ({"N": 280.0}, 3.64))),
    "henighan-c": Case({"E": 2.64, "C_0": 1.4e12, "alpha": 0.16}, limits=(({"C": HUGE}, 2.64), ({"C": 1.4e12}, 3.64))),
    # language models
    "kaplan": Case(
        {"N_c": 8.9e12, "D_c": 3.1e13, "alpha_N": 0.095, "alpha_D": 0.114},
        limits=(({"N": HUGE, "D": HUGE}, 0.0), ({"N": HUGE, "D": 3.1e13}, 1.0), ({"N": 8.9e12, "D": HUGE}, 1.0)),
    ),
    "kaplan-n": Case({"N_c": 8.8e13, "alpha_N": 0.076}, limits=(({"N": HUGE}, 0.0), ({"N": 8.8e13}, 1.0))),
    "kaplan-d": Case({"D_c": 5.4e13, "alpha_D": 0.095}, limits=(({"D": HUGE}, 0.0), ({"D": 5.4e13}, 1.0))),
    "kaplan-c": Case({"C_c": 2.7e28, "alpha_C": 0.05}, limits=(({"C": HUGE}, 0.0), ({"C": 2.7e28}, 1.0))),
    "kaplan-steps": Case(
        {"N_c": 6.5e13, "S_c": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76},
        {"S_min": (2.5, 5.5)},
        limits=(({"N": HUGE, "S_min": HUGE}, 0.0), ({"N": 6.5e13, "S_min": 2.1e3}, 2.0)),
    ),
    "kaplan-trajectory": Case(
        {"N_c": 6.5e13, "S_c": 2.1e3, "alpha_N": 0.077, "alpha_S": 0.76, "B_star": 2e8, "alpha_B": 0.21},
        {"N": (6.0, 9.5), "step": (2.5, 5.5), "batch": (4.0, 7.5)},
        limits=(
            ({"N": HUGE, "step": 2.1e3, "batch": HUGE}, 1.0),
            ({"N": 6.5e13, "step": HUGE, "batch": 1e6}, 1.0),
            # at the critical batch every step is worth half a step
            ({"N": HUGE, "step": 4.2e3, "batch": 2e8}, 1.0),
        ),
        rows=100,
    ),
    "kaplan-critical-batch": Case({"B_star": 2e8, "alpha_B": 0.21}, limits=(({"loss": 1.0}, 2e8),)),
    "batch-steps": Case(
        {"S_min": 5e3, "B_crit": 2e6}, {"batch": (4.5, 8.0)}, limits=(({"batch": HUGE}, 5e3), ({"batch": 2e6}, 1e4))
    ),
    "optimal-params": Case({"C_0": 4.6e6, "a": 0.64}, slopes={"C": 1}, limits=(({"C": 4.6e6}, 1.0),)),
    "optimal-tokens": Case({"C_0": 300.0, "b": 0.45}, slopes={"C": 1}, limits=(({"C": 300.0}, 1.0),)),
    "chinchilla": Case(_FIVE, limits=(({"N": HUGE, "D": HUGE}, 1.7),)),
    "skaling": Case(
        {"E": 1.7, "A": 3.8e4, "B": 4.6e5, "alpha": 0.6, "beta": 0.65, "k": 0.5},
        limits=(({"N": HUGE, "D": HUGE}, 1.7), ({"N": HUGE, "D": 4.6e5 ** (1 / 0.65)}, 2.7)),
        rows=80,
        noise=0.003,
    ),
    "chinchilla-tied": Case(
        {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.353}, limits=(({"N": HUGE, "D": HUGE}, 1.87),)
    ),
    "farseer": Case(
        {"S": -0.1, "s": 0.02, "q": 0.17, "Q": -6.3, "B": 90.0, "b": 0.1, "E": 0.4, "A": 0.12, "a": 0.12},
        {"N": (8.0, 10.0), "D": (9.0, 11.5)},
        limits=(({"N": 1e9, "D": HUGE}, math.exp(-0.1 - 0.02 * 1e9**0.17)),),
        rows=120,
        noise=0.001,
    ),
    "gadre": Case(
        {"E": 1.84, "a": 212.0, "b": 367.0, "eta": 0.136},
        limits=(({"N": 1e140, "D": 1e140}, 1.84), ({"N": 1.0, "D": 1.0}, 1.84 + (212 + 367) * 6**-0.136)),
    ),
    "pearce-song": Case(
        {**_FIVE, "omega": 47491.0},
        {"N_nonembed": (4.0, 9.0)},
        limits=(({"N_nonembed": HUGE, "D": HUGE}, 1.7), ({"N_nonembed": 1.0, "D": HUGE}, 1.7 + 480 / 47492**0.35)),
    ),
    # limited data
    "muennighoff": Case(
        {**_FIVE, "r_D": 15.0, "r_N": 5.0},
        limits=(
            ({"N": 1e100, "D": 1e100, "U": 1e100}, 1.7),
            ({"N": 1e7, "D": 1e12, "U": 1e12}, 1.7 + 480 / 1e7**0.35 + 2000 / 1e12**0.37),  # nothing repeated
            ({"N": 1e7, "D": HUGE, "U": 1e10}, 1.7 + 480 / 1e7**0.35 + 2000 / 16e10**0.37),  # all repeats used up
        ),
        rows=80,
    ),
    "lovelace": Case(
        {**_FIVE, "P": 0.01, "delta": 0.8, "kappa": 0.7},
        slopes={"N": 0, "D": 0, "U": -1},
        limits=(
            ({"N": 1e9, "D": 1e10, "U": 1e11}, 1.7 + 480 / 1e9**0.35 + 2000 / 1e10**0.37),
            ({"N": 1e10, "D": 2e10, "U": 1e10}, 1.7 + 480 / 1e10**0.35 + 2000 / 2e10**0.37 + 0.01),
        ),
        rows=80,
    ),
    "goyal": Case(
        {"a": 2.0, "b": 0.12, "tau": 4.0, "d": 0.1},
        {"D": (6.5, 9.0), "U": (6.5, 8.0)},
        limits=(
            ({"D": 1e7, "U": 1e7}, 0.1 + 2 * 1e7**-0.12),
            ({"D": 2e7, "U": 1e7}, 0.1 + 2 * 1e7**-0.12 * 2 ** (-0.12 * 2**-0.25)),
            ({"D": 3e7, "U": 1e7}, 0.1 + 2 * 1e7**-0.12 * 2 ** (-0.12 * 2**-0.25) * 1.5 ** (-0.12 * 2**-0.5)),
        ),
        scaled=("D", "U"),
        rows=80,
    ),
    **{f"goyal-mixed-{count}": _pools(count) for count in (2, 3)},
    # training curves
    "annealing": Case(
        {"L_0": 2.6, "A": 0.4, "alpha": 0.55, "C": 0.4},
        {"S1": (-0.5, 1.5), "S2": (-2.5, -0.5)},
        limits=(({"S1": HUGE, "S2": 0.0}, 2.6), ({"S1": 1.0, "S2": 0.5}, 2.8), ({"S1": 1.0, "S2": -0.5}, 3.2)),
    ),
    "multi-power": Case(
        {"L_0": 3.0, "A": 0.5, "alpha": 0.5, "B": 400.0, "C": 2.0, "beta": 0.6, "gamma": 0.65},
        {"S1": (-0.5, 1.5), "drop_k": (-6.0, -4.5), "rate_k": (-4.5, -3.5), "area_k": (-2.0, 1.0)},
        {"rate_k": 1},
        limits=(
            ({"S1": HUGE, "drop_k": [], "rate_k": [], "area_k": []}, 3.0),
            ({"S1": 1.0, "drop_k": [1e-4, -3e-4], "rate_k": [1e-4, 2e-4], "area_k": [HUGE, HUGE]}, 3.5 + 400 * 2e-4),
            ({"S1": 1.0, "drop_k": [1e-4], "rate_k": [1e-4], "area_k": [0.0]}, 3.5),
        ),
        rows=100,
        noise=0.001,
    ),
    # other axes
    "ghorbani": Case(
        {"E": 1.2, "A": 2000.0, "p_e": 0.2, "p_d": 0.3},
        {"N_encoder": (7.0, 9.0), "N_decoder": (7.0, 9.0)},
        limits=(({"N_encoder": HUGE, "N_decoder": 1e8}, 1.2), ({"N_encoder": 1e8, "N_decoder": HUGE}, 1.2)),
    ),
    "ghorbani-bleu": Case({"c_B": 60.0, "p_B": 0.9}, limits=(({"loss": 1.0}, 60.0),)),
    "parscale": Case(
        {"E": 0.69, "A": 1.13e7, "alpha": 0.19, "k": 0.39},
        {"N": (8.5, 10.0), "P": (0.0, 1.2)},
        limits=(({"N": HUGE, "P": 1.0}, 0.69), ({"N": 1.13e7, "P": 1.0}, 1.69)),
    ),
    "retrieval": Case({"E": 1.0, "B": 30.0, "beta": 0.2}, {"D_store": (8.0, 12.0)}, limits=(({"D_store": HUGE}, 1.0),)),
    "retrieval-log": Case({"a": 3.5, "b": 0.07}, {"D_store": (8.0, 12.0)}, limits=(({"D_store": 1.0}, 3.5),)),
    "routed": Case(
        {"a": -0.082, "b": -0.108, "c": 0.0039, "d": 2.53, "E_start": 1.8, "E_max": 300.0},
        {"N": (7.0, 9.5), "experts": (0.0, 2.7)},
        limits=(
            ({"N": 1.0, "experts": 1.0}, math.exp(2.53) * 1.8**-0.108),
            ({"N": 1.0, "experts": HUGE}, math.exp(2.53) * 300**-0.108),
        ),
        rows=80,
    ),
    "batch-steps-loss": Case(
        {"E": 1.5, "A": 60.0, "B": 300.0, "G": 40.0, "alpha": 0.25, "beta": 0.5, "gamma": 0.35},
        {"batch": (4.0, 7.0), "step": (3.0, 6.0)},
        limits=(
            ({"N": HUGE, "batch": HUGE, "step": HUGE}, 1.5),
            ({"N": HUGE, "batch": HUGE, "step": 40.0 ** (1 / 0.35)}, 2.5),
        ),
        rows=80,
        noise=0.003,
    ),
    "sigmoid-compute": Case(
        {"R_0": 0.3, "A": 0.61, "C_mid": 1e3, "B": 1.5},
        {"C": (1.0, 5.0)},
        slopes={"C": 1},
        limits=(({"C": 1e3}, 0.455), ({"C": HUGE}, 0.61), ({"C": 1e-300}, 0.3)),
    ),
    "granular-moe": Case(
        {"E": 0.47, "g": 2.1, "a": 18.1, "b": 30.8, "alpha": 0.2, "beta": 0.25, "gamma": 0.58},
        {"granularity": (0.0, 1.5)},
        limits=(({"N": HUGE, "D": HUGE, "granularity": 1.0}, 0.47), ({"N": 1.0, "D": HUGE, "granularity": 1.0}, 20.67)),
        rows=80,
        noise=0.003,
    ),
    "sparse-moe": Case(
        {
            "E": 0.94,
            "a": 16612.5,
            "b": 5455.67,
            "c": 0.46,
            "d": 17.26,
            "alpha": 0.6,
            "beta": 0.4,
            "lambda_1": -0.17,
            "delta": 0.16,
            "gamma": 0.16,
        },
        {"N": (7.0, 10.5), "D": (8.5, 12.0), "sparsity": (-2.0, -0.005)},
        slopes={"sparsity": 0},
        limits=(({"N": HUGE, "D": HUGE, "sparsity": 0.0}, 0.94 + 0.46),),
        rows=150,
        noise=0.0005,
    ),
    "joint-moe": Case(
        {
            "E": 1.2,
            "a": 40.0,
            "b": 90.0,
            "alpha": -0.2,
            "beta": -0.22,
            "delta": -0.3,
            "gamma": 0.008,
            "omega": 0.1,
            "zeta": -0.004,
            "E_start": 1.8,
            "E_max": 300.0,
        },
        {"N_active": (7.0, 10.0), "experts": (0.0, 2.0)},
        limits=(({"N_active": HUGE, "D": HUGE, "experts": 1.0}, 1.2),),
        rows=150,
        noise=0.001,
        given=("E_start", "E_max"),
    ),
    "sparse-weights": Case(
        {"E": 0.65, "a_S": 16.8, "b_S": 0.72, "c_S": 45.0, "b_N": 0.245, "a_D": 6.9e8, "b_D": 0.203},
        {"sparsity": (-1.5, -0.03)},
        limits=(({"N": HUGE, "D": 6.9e8, "sparsity": 0.0}, 1.65), ({"N": 1.0, "D": HUGE, "sparsity": 0.0}, 62.45)),
        rows=80,
        noise=0.001,
    ),
    "distillation": Case(
        {
            "c_0": 1.4,
            "c_1": 0.6,
            "d_1": 1.1,
            "f_1": 0.2,
            "A": 2000.0,
            "B": 9000.0,
            "alpha": 0.4,
            "beta": 0.42,
            "gamma": 0.7,
        },
        {"teacher_loss": (0.28, 0.45), "student_loss": (0.3, 0.6)},
        slopes={"teacher_loss": 0, "student_loss": 0},
        limits=(({"N": HUGE, "D": HUGE, "teacher_loss": 2.0, "student_loss": 3.0}, 2.0),),
        rows=200,
        noise=0.0005,
    ),
    "qat-share": Case(
        {"a": 6.73},
        {"D": (10.5, 12.5), "bits": (0.0, 0.9)},
        slopes={"N": -1, "D": 1, "bits": -1},
        limits=(({"N": 1e9, "D": HUGE, "bits": 4.0}, math.exp(-6.73 / math.log(HUGE / 5e8))),),
        scaled=("N", "D"),
    ),
    "width-depth": Case(
        {
            "E": 1.5,
            "A": 4.3,
            "B": 0.9,
            "G": 2900.0,
            "H": 20000.0,
            "a": 0.24,
            "b": 0.39,
            "alpha": 0.5,
            "beta": 0.48,
        },
        {"width": (2.3, 3.7), "depth": (0.3, 2.0)},
        limits=(({"width": HUGE, "depth": HUGE, "N": HUGE, "D": HUGE}, 1.5),),
        rows=150,
        noise=0.0005,
    ),
    "train-to-test": Case(
        {"E": 0.3, "A": 30.0, "B": 100.0, "G": 1.5, "alpha": 0.25, "beta": 0.28, "gamma": 0.4},
        {"samples": (0.0, 3.0)},
        limits=(({"N": HUGE, "D": HUGE, "samples": 1.0}, 1.8), ({"N": HUGE, "D": HUGE, "samples": HUGE}, 0.3)),
        rows=80,
        noise=0.003,
    ),
    "train-to-test-accuracy": Case(
        {"A": 60.0, "B": 300.0, "alpha": 0.22, "beta": 0.25, "h": 1.0, "g": 1.2, "j": -0.15},
        {"samples": (0.0, 3.0)},
        slopes={"N": -1, "D": -1, "samples": -1},
        limits=(({"N": HUGE, "D": HUGE, "samples": 1.0}, 1 / (1 + math.e)),),
        rows=120,
        noise=0.002,
    ),
    "pass-at-k": Case(
        {"a": 0.2, "b": 1.8},
        {"samples": (0.0, 2.5)},
        slopes={"samples": -1},
        limits=(({"samples": 1.0}, 0.9),),
        scaled=None,
    ),
    "repeated-sampling": Case(
        {"a": 2.5, "b": 0.35},
        {"samples": (0.0, 4.0)},
        slopes={"samples": 1},
        limits=(({"samples": 1.0}, math.exp(-2.5)), ({"samples": HUGE}, 1.0)),
    ),
    "bimix-2": Case(
        {"f_1": 1.2, "f_2": 0.8, "alpha_1": 0.1, "alpha_2": 0.25},
        {"r_1": (-2.0, 0.0), "r_2": (-2.0, 0.0)},
        limits=(({"r_1": 1.0, "r_2": 1.0}, 2.0),),
        scaled=("r_1", "r_2"),
        noise=0.003,
    ),
    "compute-lr": Case({"c": 0.3118, "a": -0.125}, limits=(({"C": 1.0}, 0.3118),)),
    "compute-batch": Case({"c": 0.292, "a": 0.3271}, slopes={"C": 1}, limits=(({"C": 1.0}, 0.292),)),
    "algorithmic-progress": Case(
        {**_FIVE, "p": 0.1, "q": 0.05},
        {"year": (3.3037, 3.3062)},
        limits=(({"N": HUGE, "D": HUGE, "year": 2020.0}, 1.7), ({"N": 1.0, "D": HUGE, "year": 2012.0}, 481.7)),
        scaled=("N",),
        rows=100,
        noise=0.003,
    ),
    "vocabulary": Case(
        {"E": 5.6, "A_1": 700.0, "A_2": 30.0, "B": 8000.0, "alpha_1": 0.45, "alpha_2": 0.3, "beta": 0.42},
        {"N_nonvocab": (7.0, 9.5), "N_vocab": (6.0, 8.5)},
        limits=(({"N_nonvocab": HUGE, "N_vocab": HUGE, "D": HUGE}, -5.6),),
        space="raw",
        rows=80,
    ),
    "precision": Case(
        {**_FIVE, "gamma_w": 2.7, "gamma_a": 2.2, "gamma_kv": 1.0},
        dict.fromkeys(("bits_w", "bits_a", "bits_kv"), (0.4, 1.2)),
        limits=(
            ({"N": HUGE, "D": HUGE, "bits_w": 16.0, "bits_a": 16.0, "bits_kv": 16.0}, 1.7),
            ({"N": 1e9, "D": HUGE, "bits_w": HUGE, "bits_a": HUGE, "bits_kv": HUGE}, 1.7 + 480 / 1e9**0.35),
        ),
        rows=100,
    ),
    "precision-ptq": Case(
        {**_FIVE, "C_T": 3.0, "gamma_D": 0.5, "gamma_N": 0.45, "gamma": 1.2},
        {"bits": (0.4, 0.9)},
        {"D": 0},
        limits=(({"N": 1e9, "D": 1e10, "bits": HUGE}, 1.7 + 480 / 1e9**0.35 + 2000 / 1e10**0.37),),
        rows=100,
    ),
    "total-bits": Case({"E": 1.8, "A": 200.0, "alpha": 0.25}, limits=(({"N": HUGE, "bits": 4.0}, 1.8),)),
    "knowledge-capacity": Case(
        {"R": 2.0},
        {"N": (5.0, 8.0), "H": (5.5, 8.3)},
        {"N": 1, "H": 1},
        limits=(({"N": 1e3, "H": HUGE}, 2e3), ({"N": HUGE, "H": 1e6}, 1e6)),
        scaled=("N",),
    ),
    "step-law-lr": Case(
        {"c": 1.8, "a": -0.71, "b": 0.31}, slopes={"N": -1, "D": 1}, limits=(({"N": 1.0, "D": 1.0}, 1.8),)
    ),
    "step-law-batch": Case({"e": 0.58, "f": 0.57}, slopes={"D": 1}, limits=(({"D": 1.0}, 0.58),)),
    "data-mixture-2": _mixture(2),
    "data-mixture-3": _mixture(3),
    "data-mixture-5": _mixture(5),
    "data-mixture-7": _mixture(7),
    "uncertainty-total": Case({"A": 4.0, "gamma": -0.56}, {"D": (2.0, 5.0)}, limits=(({"D": HUGE}, 0.0),)),
    "uncertainty-aleatoric": Case({"A": 3.0, "gamma": -0.4}, {"D": (2.0, 5.0)}, limits=(({"D": HUGE}, 0.0),)),
    "uncertainty-epistemic": Case({"A": 2.0, "gamma": -1.0}, {"D": (2.0, 5.0)}, limits=(({"D": HUGE}, 0.0),)),
    "superposition": Case(
        {"E": 1.9, "A": 476.0, "alpha": 0.91}, {"width": (1.8, 4.2)}, limits=(({"width": HUGE}, 1.9),)
    ),
    "patch-size": Case(
        {"E": 0.15, "A": 4e-4, "gamma": 1.4}, {"patch": (0.0, 1.5)}, {"patch": 1}, limits=(({"patch": 1e-300}, 0.15),)
    ),
    "text-to-image-c": Case({"A": 0.31, "alpha": 0.02}, slopes={"C": 1}, limits=(({"C": 1.0}, 0.31),)),
    "text-to-image-d": Case({"A": 0.42, "alpha": 0.03}, slopes={"D": 1}, limits=(({"D": 1.0}, 0.42),)),
    "text-to-image-n": Case({"A": 0.66, "alpha": 0.011}, slopes={"N": 1}, limits=(({"N": 1.0}, 0.66),)),
    "contrastive": Case(
        {"A": 600.0, "B": 1e19, "alpha": 0.15, "E": 0.2},
        limits=(({"C": HUGE}, 0.2), ({"C": 1.0}, 0.2 + 600 / 1e19**0.15)),
    ),
    "timeseries-n": Case({"N_0": 3.7e16, "alpha": 0.029}, limits=(({"N": 3.7e16}, 1.0),)),
    "timeseries-d": Case({"D_0": 5.3e12, "alpha": 0.094}, limits=(({"D": 5.3e12}, 1.0),)),
    "timeseries-c": Case({"C_0": 1.3e27, "alpha": 0.024}, limits=(({"C": 1.3e27}, 1.0),)),
    "rl-efficiency": Case(
        {"A": 300.0, "K_max": 0.15, "N_0": 1.5e10},
        {"N": (8.7, 10.9), "C": (18.0, 21.0)},
        {"N": -1, "C": -1},
        limits=(({"N": 1e-50, "C": 1e20}, 300.0),),
        rows=80,
    ),
    "rl-posttraining": Case(
        {"C_0": 1e12, "r": 0.5, "K_max": 0.15, "N_0": 1.5e10},
        {"N": (8.7, 10.9), "C": (18.0, 21.0)},
        {"N": 0, "C": -1},
        limits=(({"N": 1e10, "C": 1e17}, 1.0), ({"N": 1e-50, "C": 1e20}, 1.0)),
        rows=80,
    ),
    "recommendation": Case({"L_inf": 1.8, "A": 300.0, "alpha": 0.25}, limits=(({"D": HUGE}, 1.8),)),
    # from loss to what it is worth
    "gadre-error": Case(
        {"epsilon": 0.857, "k": 2.2, "gamma": 0.71},
        slopes={"loss": 1},
        limits=(({"loss": HUGE}, 0.857), ({"loss": 0.0}, 0.857 - 2.2)),
    ),
    "task-accuracy": Case(
        {"b": 0.25, "a": 0.65, "k": 6.0, "L_0": 0.8},
        {"loss": (-0.5, 0.3)},
        limits=(({"loss": HUGE}, 0.25), ({"loss": 0.8}, 0.575)),
    ),
    "task-accuracy-to-one": Case(
        {"b": 0.25, "k": 6.0, "L_0": 0.8},
        {"loss": (-0.5, 0.3)},
        limits=(({"loss": HUGE}, 0.25), ({"loss": 0.8}, 0.625)),
    ),
    "isik-bleu": Case(
        {"A": 0.5, "alpha": 0.3, "beta": 1.8},
        {"D": (7.0, 10.5)},
        {"D": 1},
        limits=(({"D": (2 * math.e) ** (1 / 0.3)}, 1.0),),
    ),
    "passuntil": Case({"c": 300.0, "alpha": 0.3}, slopes={"N": 1}, limits=(({"N": HUGE}, 1.0),)),
    "densing-loss": Case({"a": 20.0, "b": 60.0, "alpha": 0.2, "beta": 0.2}, limits=(({"N": HUGE, "D": HUGE}, 0.0),)),
    "densing-score": Case(
        {"c": 0.7, "gamma": 4.0, "l": 0.9, "d": 0.2},
        {"loss": (-0.5, 0.3)},
        limits=(({"loss": HUGE}, 0.2), ({"loss": 0.9}, 0.55)),
    ),
    "densing-trend": Case(
        {"A": 0.0073, "B": -1.0}, {"days": (1.5, 3.0)}, {"days": 1}, limits=(({"days": 0.0}, math.exp(-1.0)),)
    ),
}
