"""Plans of many laws beside a brute-force grid that knows nothing of the planner: NumPy functions, zoomed grids."""

import itertools
from dataclasses import dataclass, field

import numpy as np

from isoflop.fitting import Estimate
from isoflop.fitting.estimate import DataSummary
from isoflop.laws import law
from isoflop.uncertainty.ensemble import Ensemble


def ensemble_of(made, params, *, draws=0, spread=0.01, seed=0):
    """A law with stated constants, and draws scattered around them."""
    params = {label: float(params[label]) for label in made.param_names}
    values = np.array(list(params.values()))
    scatter = np.random.default_rng(seed).normal(0, spread, (draws, len(values)))
    data = DataSummary("stated constants", "nats/token", residuals=(0.0, 0.0))
    return Ensemble(Estimate(made, params, data), values * np.exp(scatter), method="scattered", seed=seed)


def zoomed_least(function, low, high, *, points=41, rounds=40):
    """The least of a function of arrays over a box: a grid, then grids around its best point, ever smaller."""
    low, high = np.array(low, dtype=float), np.array(high, dtype=float)
    first, last = low.copy(), high.copy()
    best = np.inf
    for _ in range(rounds):
        axes = [np.linspace(a, b, points) for a, b in zip(low, high, strict=True)]
        grid = np.meshgrid(*axes, indexing="ij")
        with np.errstate(all="ignore"):
            values = np.asarray(function(*grid), dtype=float)
        values = np.where(np.isfinite(values), values, np.inf)
        at = np.unravel_index(values.argmin(), values.shape)
        best = min(best, float(values[at]))
        middle = np.array([axis[place] for axis, place in zip(axes, at, strict=True)])
        half = (high - low) * 0.2
        low, high = np.maximum(middle - half, first), np.minimum(middle + half, last)
    return best


@dataclass(frozen=True)
class Case:
    """A law with constants, what is asked of it, and the brute objective over a box of logarithms (or of itself)."""

    name: str
    law: object
    params: dict
    words: dict
    brute: object  # params → function of arrays
    low: tuple
    high: tuple
    listed: dict = field(default_factory=dict)  # name → values that the brute search tries one by one
    points: int = 41

    def least(self, params):
        """The brute-force least."""
        function = self.brute(params)
        found = []
        for values in itertools.product(*self.listed.values()):
            chosen = dict(zip(self.listed, values, strict=True))
            found.append(
                zoomed_least(lambda *y, chosen=chosen: function(*y, **chosen), self.low, self.high, points=self.points)
            )
        return min(found)


def _chinchilla_served(p):
    def loss(n):
        n = np.exp(n)
        d = (1e24 - 2 * n * 2e12) / (6 * n)
        return np.where(d > 0, p["E"] + p["A"] / n ** p["alpha"] + p["B"] / d ** p["beta"], np.inf)

    return loss


def _skaling(p):
    def loss(n):
        n = np.exp(n)
        d = np.minimum(1e22 / (6 * n), 15 * n)
        return p["E"] + (p["A"] / n ** p["alpha"] + p["B"] / d ** p["beta"]) ** p["k"]

    return loss


def _muennighoff(p):
    def loss(n):
        n, u = np.exp(n), 25e9
        d = 1e23 / (6 * n)
        a, b = p["alpha"], p["beta"]
        u_d = np.minimum(u, d)
        d_eff = u_d + u_d * p["r_D"] * (1 - np.exp(-(d / u_d - 1) / p["r_D"]))
        g = (a * p["A"] / (b * p["B"])) ** (1 / (a + b))
        u_n = np.minimum(g * (g * u_d) ** (b / a), n)
        n_eff = u_n + u_n * p["r_N"] * (1 - np.exp(-(n / u_n - 1) / p["r_N"]))
        return p["E"] + p["A"] / n_eff**a + p["B"] / d_eff**b

    return loss


def _ghorbani(p):
    def loss(e):
        e = np.exp(e)
        return p["E"] + p["A"] * e ** -p["p_e"] * (1e9 - e) ** -p["p_d"]

    return loss


def _parscale(p):
    def size(_, P):
        return p["A"] / (1.05 - p["E"]) ** (1 / p["alpha"]) / (p["k"] * np.log(P) + 1) * (1 + 0.2 * (P - 1)) + 0 * _

    return size


def _precision(p):
    def loss(n, bits_w):
        n = np.exp(n)
        d = 1e21 / (6 * n * bits_w / 16)
        kept = [1 - np.exp(-b / p[g]) for b, g in ((bits_w, "gamma_w"), (16, "gamma_a"), (16, "gamma_kv"))]
        return p["E"] + p["A"] * (n * np.prod(kept)) ** -p["alpha"] + p["B"] / d ** p["beta"]

    return loss


def _sparse(p):
    def loss(n, s):
        n = np.exp(n)
        d = 1e21 / (6 * n * (1 - s))
        rest = p["c"] / (1 - s) ** p["lam_1"] + p["d"] / ((1 - s) ** p["delta"] * n ** p["gamma"])
        return p["E"] + p["a"] / n ** p["alpha"] + p["b"] / d ** p["beta"] + rest

    return loss


def _routed(p):
    def loss(experts):
        experts = np.exp(experts)
        n = 1e9 / experts**0.2
        start, most = 1 / p["E_start"], 1 / p["E_max"]
        hat = 1 / (1 / (experts - 1 + 1 / (start - most)) + most)
        logs = np.log(n), np.log(hat)
        return np.exp(p["a"] * logs[0] + p["b"] * logs[1] + p["c"] * logs[0] * logs[1] + p["d"])

    return loss


def _datastore(p):
    def loss(n, store):
        n, store = np.exp(n), np.exp(store)
        d = (1e22 - 2 * 1.77e8 * store) / (6 * n)
        whole = p["E"] + p["A"] / n ** p["alpha"] + p["B"] / d ** p["beta"] + p["G"] / store ** p["gamma"]
        return np.where(d > 0, whole, np.inf)

    return loss


def _shape(p):
    def loss(width, depth):
        width = np.exp(width)
        n = 12 * depth * width**2
        token = 72 * depth * width**2 + 6 * depth * width * 2049 + 6 * 32000 * width
        d = 1e21 / token
        parts = p["A"] / width ** p["a"] + p["B"] / depth ** p["b"]
        return p["E"] + parts + p["G"] / n ** p["alpha"] + p["H"] / d ** p["beta"]

    return loss


def _vocabulary(p):
    def loss(n, v):
        n, v = np.exp(n), np.exp(v)
        d = 1e21 / (6 * (n + v))
        parts = p["A_1"] / n ** p["alpha_1"] + p["A_2"] / v ** p["alpha_2"] + p["B"] / d ** p["beta"]
        return -p["E"] + parts

    return loss


def _samples(p):
    def loss(n):
        n = np.exp(n)
        d, k = 1e21 / (6 * n), 2e9 * 1e3 / (2 * n)
        parts = p["A"] / n ** p["alpha"] + p["B"] / d ** p["beta"]
        return np.where(k >= 1, p["E"] + parts + p["G"] / k ** p["gamma"], np.inf)

    return loss


def _mixture(p):
    def loss(a, b):
        c = 1 - a - b
        parts = [p[f"f_{i}"] / r ** p[f"g_{i}"] for i, r in enumerate((a, b, c), start=1)]
        return np.where((c > 0) & (a <= 0.3), sum(parts), np.inf)

    return loss


EPOCH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
C4 = {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.3523, "beta": 0.3523, "r_D": 15.4, "r_N": 5.3}
FARSEER = {"E": 0.26547, "A": 105.42, "B": 784.75, "alpha": 0.39154, "beta": 0.42531, "k": 0.47168}
STACK = {"E": 0.691207043, "A": 11307073.2, "alpha": 0.189358253, "k": 0.393456773}
ABNAR = {
    "E": 0.94, "a": 16612.5, "b": 5455.67, "c": 0.4598, "d": 17.26, "alpha": 0.5962, "beta": 0.3954, "lam_1": -0.1666,
    "delta": 0.1603, "gamma": 0.1595,
}  # fmt: skip
SBASE = {"a": -0.082, "b": -0.108, "c": 0.0039087, "d": 2.54205, "E_start": 1.847, "E_max": 314.478}
GEMSTONES = {
    "a": 0.2446914313, "b": 0.3871516764, "alpha": 0.5000838843, "beta": 0.4761055541, "A": np.exp(1.4520106404),
    "B": np.exp(-0.0781020281), "G": np.exp(7.9700333376), "H": np.exp(10.0594263846), "E": np.exp(0.39245797),
}  # fmt: skip

SPARSE = law(
    "E + a/N^alpha + b/D^beta + c/(1-S)^lam_1 + d/((1-S)^delta*N^gamma)",
    domains={"S": "nonnegative", "lam_1": "real"},
)
CASES = [
    Case(
        "chinchilla", law("chinchilla"), EPOCH, {"budget": 1e24, "served": 2e12}, _chinchilla_served,
        (np.log(1e7),), (np.log(2.4e11),), points=401,
    ),
    Case(
        "skaling", law("skaling"), FARSEER, {"budget": 1e22, "subject_to": ("D <= 15*N",)}, _skaling,
        (np.log(1e7),), (np.log(1e13),), points=401,
    ),
    Case(
        "muennighoff", law("muennighoff"), C4, {"budget": 1e23, "at": {"U": 25e9}}, _muennighoff,
        (np.log(1e7),), (np.log(1e13),), points=401,
    ),
    Case(
        "ghorbani", law("ghorbani"), {"E": 1.2, "A": 40.0, "p_e": 0.13, "p_d": 0.19}, {"budget": 1e9}, _ghorbani,
        (np.log(1e5),), (np.log(1e9),), points=401,
    ),
    Case(
        "parscale", law("parscale"), STACK,
        {"loss": 1.05, "cost": "N*(1 + 0.2*(P - 1))", "menus": {"P": "1,2,4,8"}}, _parscale, (0.0,), (1.0,),
        listed={"P": (1, 2, 4, 8)}, points=3,
    ),
    Case(
        "precision", law("precision"),
        {"E": 1.9, "A": 4.2e3, "B": 1.8e4, "alpha": 0.49, "beta": 0.52, "gamma_w": 2.6, "gamma_a": 2.2,
         "gamma_kv": 0.9},
        {"budget": 1e21, "cost": "6*N*D*bits_w/16", "menus": {"bits_w": "2,3,4,6,8,16"},
         "at": {"bits_a": 16.0, "bits_kv": 16.0}},
        _precision, (np.log(1e6),), (np.log(1e12),), listed={"bits_w": (2, 3, 4, 6, 8, 16)}, points=201,
    ),
    Case(
        "sparse", SPARSE, ABNAR,
        {"budget": 1e21, "cost": "6*N*(1 - S)*D", "subject_to": ("0 <= S <= 0.98",)}, _sparse,
        (np.log(1e7), 0.0), (np.log(1e13), 0.98), points=101,
    ),
    Case(
        "routed", law("routed"), SBASE, {"budget": 1e9, "cost": "N*experts^0.2"}, _routed,
        (0.0,), (np.log(1e5),), points=401,
    ),
    Case(
        "datastore", law("E + A/N^alpha + B/D^beta + G/D_store^gamma", inputs=("D_store",)),
        {**EPOCH, "G": 12.0, "gamma": 0.14},
        {"budget": 1e22, "cost": "datastore", "at": {"N_retriever": 1.77e8}}, _datastore,
        (np.log(1e7), np.log(1e6)), (np.log(1e13), np.log(2.8e13)), points=101,
    ),
    Case(
        "shape", law("E + A/width^a + B/depth^b + G/N^alpha + H/D^beta", inputs=("width", "depth")), GEMSTONES,
        {"budget": 1e21, "define": {"N": "12*depth*width^2"}, "cost": "shape", "integers": ("depth",)}, _shape,
        (np.log(64),), (np.log(65536),), listed={"depth": tuple(range(2, 80))}, points=41,
    ),
    Case(
        "vocabulary", law("vocabulary"),
        {"E": 5.533, "A_1": 1.8313, "A_2": 0.1960, "B": 2.1241, "alpha_1": 0.447, "alpha_2": 0.671, "beta": 0.447},
        {"budget": 1e21, "cost": "6*(N_nonvocab + N_vocab)*D"}, _vocabulary,
        (0.0, 0.0), (np.log(1e14), np.log(1e14)), points=161,
    ),
    Case(
        "samples", law("E + A/N^alpha + B/D^beta + G/k^gamma", inputs=("k",)), {**EPOCH, "G": 1.1, "gamma": 0.25},
        {"budget": 1e21, "subject_to": ("2*N*k <= 2e12",)}, _samples, (np.log(1e6),), (np.log(1e12),), points=401,
    ),
    Case(
        "mixture", law("f_1/r_1^g_1 + f_2/r_2^g_2 + f_3/r_3^g_3", inputs=("r_1", "r_2", "r_3")),
        {"f_1": 1.5, "f_2": 0.7, "f_3": 0.4, "g_1": 0.2, "g_2": 0.3, "g_3": 0.25},
        {"over": "shares", "subject_to": ("r_1 <= 0.3",)}, _mixture, (1e-6, 1e-6), (0.3, 1.0), points=101,
    ),
]  # fmt: skip
