"""Numbers that papers and recomputations give for probes, spectra, attention and data selection, beside isoflop's.

    PYTHONPATH=src python benchmarks/probes.py [SECTION ...]

Sections: toy, perceptron, features, gaussian, sources, diffusion, fidelity, attention, curves. One Markdown table: what
was computed elsewhere, by other code and other random numbers, and what isoflop's own functions give. All takes some
four minutes of one core. Networks that have to be trained are in examples/phenomena.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from isoflop import Runs, fit, law, squares
from isoflop.errors import DataError
from isoflop.lab.worlds import perceptron
from isoflop.lab.worlds.random_features import random_features_data, random_features_loss, random_features_width
from isoflop.measures import (
    attention_entropy,
    calibrated_information,
    diffusion_entropy,
    fit_mixture,
    kozachenko_leonenko_information,
    log_scale,
    principal_components,
    rate_fidelity,
)
from isoflop.planning.mixtures.projector import FEATURES, columns, project
from isoflop.planning.selection.pruned import prune
from isoflop.planning.selection.transported import Samples, geometry

Floats = NDArray[np.float64]
Row = tuple[str, str, str]  # what, theirs, ours


def toy() -> Iterator[Row]:
    """A grid of runs with the constants of Besiroglu et al., waves in place of noise, a mean shift and rounding."""
    n = np.array([1e8, 3e8, 7e8, 1e9, 3e9, 7e9, 1e10, 3e10, 7e10])
    ratio = np.array([5.0, 10, 20, 40])
    truth = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    size, r = (each.ravel() for each in np.meshgrid(np.arange(9), np.arange(4), indexing="ij"))
    inputs = {"N": n[size], "D": n[size] * ratio[r]}
    exact = law("chinchilla").value(truth, inputs).ravel()
    x, y = (_scaled(np.log10(inputs[name])) for name in ("N", "D"))
    profile = 1.15 * (x - 0.5) - 0.95 * (y - 0.5) + 0.8 * (x - 0.5) * (y - 0.5) + 0.2 * np.sin(8 * x + 5 * y)
    base = 0.010 * np.sin(1.91 * (size + 1) + 2.67 * (r + 1)) + 0.004 * np.where((size + r) % 2 == 0, 1, -1)
    regions = {"all": size >= 0, "small": size < 4, "medium": (size >= 2) & (size <= 5)}
    at = {"N": np.array([1e15])}
    g = (truth["alpha"] * truth["A"] / (truth["beta"] * truth["B"])) ** (1 / (truth["alpha"] + truth["beta"]))
    at["D"] = at["N"] ** (truth["alpha"] / truth["beta"]) * g ** (
        -(truth["alpha"] + truth["beta"]) / truth["beta"]
    )  # the D for which N is compute-optimal
    told = {
        ("all", 4, 0): ".3490 .3638 1.8167 -.0005",
        ("small", 4, 0): ".3213 .3625 1.7663 -.0489",
        ("medium", 4, 0): ".3553 .3754 1.8342 +.0162",
        ("all", 2, 0): ".3533 .3651 1.8230 +.0055",
        ("all", 1, 0): ".3444 .3762 1.8332 +.0155",
        ("all", 4, 100): ".4633 .3396 1.8709 +.0531",
        ("all", 4, -100): ".2767 .3900 1.7281 -.0818",
        ("all", 4, 200): ".6148 .3246 – +.0778",
        ("all", 4, -200): ".2283 .4168 – -.1859",
        ("small", 4, 100): "– – 1.5155 -.2873",
        ("small", 4, -100): "– – – +.1447",
    }
    for (region, digits, shift), theirs in told.items():
        loss = np.round(exact + base + shift / 1000 * profile, digits)
        rows = regions[region]
        runs = Runs.from_columns({"N": inputs["N"][rows], "D": inputs["D"][rows], "loss": loss[rows]})
        found = fit(law("chinchilla"), runs, objective=squares(space="raw"), starts=128)
        off = float(law("chinchilla").value(found.params, at)[0] - law("chinchilla").value(truth, at)[0])
        p = found.params
        yield (
            f"A0 toy, {region}, {digits} decimals, {shift:+d} milli: α, β, E, error at N = 1e15", theirs,
            f"{p['alpha']:.4f} {p['beta']:.4f} {p['E']:.4f} {off:+.4f}",
        )  # fmt: skip


def _scaled(values: Floats) -> Floats:
    return (values - values.min()) / np.ptp(values)


def pruning() -> Iterator[Row]:
    """Sorscher's perceptron: test error of a linear separator by examples a dimension, share kept and rule."""
    runs, _ = perceptron(loads=(1, 4, 8, 16, 32), keeps=(1.0, 0.5, 0.25), repetitions=8)
    found = prune(runs, draws=200)
    names = [each.name for each in found.ways]
    told = {
        (100, "all"): ".2705", (100, "hard 0.5"): ".409", (100, "easy 0.5"): ".247", (100, "random 0.5"): ".331",
        (400, "all"): ".1155", (400, "hard 0.5"): ".130", (400, "easy 0.5"): ".114", (400, "random 0.5"): ".193",
        (800, "all"): ".0614", (800, "hard 0.5"): ".059", (800, "easy 0.5"): ".069", (800, "random 0.5"): ".115",
        (1600, "hard 0.25"): ".032", (1600, "easy 0.25"): ".052", (1600, "random 0.25"): ".113",
        (3200, "all"): ".0183", (3200, "hard 0.25"): ".0163", (3200, "easy 0.25"): ".0278",
        (3200, "random 0.25"): ".0560",
    }  # fmt: skip
    sizes = {round(each.total): each for each in found.sizes}
    for (total, name), theirs in told.items():
        here = sizes[total].responses[names.index(name)]
        yield f"A9 perceptron, load {total // 100}, {name}", theirs, _within(here.value, here.low, here.high)
    (half,) = (each for each in found.exchanges if each.share == 0.5)
    yield "A9 hard and easy halves change places at load", "4 to 8", f"{half.total.value / 100:.1f}"


def _within(value: float, low: float, high: float) -> str:
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def features() -> Iterator[Row]:
    """Bahri's random features: slopes of log loss in data and in width, and of the approach to the limit."""
    for alpha, theirs in ((0.5, "-.60, -.59"), (1.0, "-1.03, -1.02"), (2.0, "-1.99, -1.97")):
        data, _ = random_features_data(alpha=alpha, repetitions=4)
        width, _ = random_features_width(alpha=alpha, repetitions=4)
        slopes = f"{_slope(data, 'D'):.2f}, {_slope(width, 'N'):.2f}"
        yield f"A12 resolution-limited, α = {alpha:g}: slopes in D, N", theirs, slopes
    rng, spectrum = np.random.default_rng(0), np.arange(1, 401) ** -2.0
    counts = (64, 128, 256, 512, 1024)
    mixtures = rng.standard_normal((16, 400)) / 20
    limit = random_features_loss(spectrum, mixtures=mixtures, examples=None)
    roots = np.sqrt(spectrum)
    gaps = []
    for count in counts:
        drawn = [
            random_features_loss(spectrum, mixtures=mixtures, examples=rng.standard_normal((count, 400)) * roots)
            for _ in range(20)
        ]
        gaps.append(np.mean(drawn) - limit)
    slope = np.polyfit(np.log(counts), np.log(gaps), 1)[0]
    yield "A12 variance-limited: slope of L(D) - L(infinity)", "-1.10", f"{slope:.2f}"
    examples = rng.standard_normal((16, 400)) * roots
    limit = random_features_loss(spectrum, mixtures=None, examples=examples)
    gaps = []
    for count in (128, 256, 512, 1024, 2048):
        drawn = [
            random_features_loss(
                spectrum, mixtures=rng.standard_normal((count, 400)) / np.sqrt(count), examples=examples
            )
            for _ in range(20)
        ]
        gaps.append(np.mean(drawn) - limit)
    slope = np.polyfit(np.log((128, 256, 512, 1024, 2048)), np.log(gaps), 1)[0]
    yield "A12 variance-limited: slope of L(N) - L(infinity)", "-1.03", f"{slope:.2f}"


def _slope(runs: Runs, name: str) -> float:
    x, y = np.asarray(runs[name]), np.asarray(runs["loss"])
    at = np.unique(x)
    return float(np.polyfit(np.log(at), np.log([y[x == each].mean() for each in at]), 1)[0])


def gaussian() -> Iterator[Row]:
    """Gaussian pairs of known information, straight and hidden in 100 dimensions, 5,000 samples."""
    rng = np.random.default_rng(0)
    direct, raw, compressed, gated = [], [], [], []
    for truth in (0.5, 1.0, 2.0, 4.0):
        rho = np.sqrt(1 - np.exp(-truth))  # two pairs of coordinates, each of truth / 2
        x = rng.normal(size=(5000, 2))
        y = rho * x + np.sqrt(1 - rho**2) * rng.normal(size=(5000, 2))
        wide = [each @ np.linalg.qr(rng.normal(size=(100, 2)))[0].T for each in (x, y)]
        wide = [each + 1e-3 * rng.normal(size=each.shape) for each in wide]
        direct.append(kozachenko_leonenko_information(x, y))
        raw.append(kozachenko_leonenko_information(*wide))
        small = [principal_components(each, 2) for each in wide]
        compressed.append(kozachenko_leonenko_information(*small))
        found = calibrated_information(*wide, method="kozachenko-leonenko")
        gated.append("refused" if found.refused else f"{found.value:.3f}")
    yield "A19 .5, 1, 2, 4 nats in 2 dimensions", ".551 1.040 2.043 3.871", _row(direct)
    yield "A19 the same in 100 dimensions, raw", "-279 … -114", " ".join(f"{each:.0f}" for each in raw)
    yield "A19 the same behind the calibration", "–", " ".join(gated)
    yield "A19 two principal components of the 100", ".550 1.040 2.042 3.871", _row(compressed)


def _row(values: Sequence[float]) -> str:
    return " ".join(f"{each:.3f}" for each in values)


def sources() -> Iterator[Row]:
    """Projektor on digits in three class-skewed sources: logistic regression on 21 mixtures at five sizes."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    x, y = x[order] / 16, y[order]
    (there, truth), (pool, labels) = (x[:500], y[:500]), (x[500:], y[500:])
    odds = [np.where(np.isin(labels, own), 0.97, 0.03) for own in ((0, 1, 2, 3), (4, 5, 6), (7, 8, 9))]
    odds = [each / each.sum() for each in odds]
    grid = np.array([(i / 10, j / 10, 1 - (i + j) / 10) for i in range(11) for j in range(11 - i)]).clip(0)

    def accuracy(count: int, shares: Floats) -> float:
        found = []
        for seed in range(4):
            draws = np.random.default_rng(seed)
            rows = np.concatenate(
                [draws.choice(len(labels), round(count * s), p=p) for s, p in zip(shares, odds, strict=True)]
            )
            model = LogisticRegression(C=10, max_iter=300).fit(pool[rows], labels[rows])
            found.append(model.score(there, truth))
        return float(np.mean(found))

    samples = []
    for each in odds:
        rows = rng.choice(len(labels), 250, p=each)
        samples.append(Samples(pool[rows], labels[rows]))
    space = geometry(samples, Samples(there, truth), samples=250, label_weight=4.0, regularization=0.02)
    far, _ = space.transport(grid)
    at = {count: np.array([accuracy(count, p) for p in grid]) for count in (100, 150, 400, 1000)}
    yield (
        f"B15 correlation of transport and accuracy, {len(grid)} mixtures",
        "-.83",
        (f"{np.corrcoef(far, at[100])[0, 1]:.2f}"),
    )
    kept = grid[:, 2] < 0.55
    told = {
        "transport and shares": ".049", "transport": ".068", "quadratic": ".083", "transport times shares": ".090",
        "linear": ".168", "transport times quadratic": ".313",
    }  # fmt: skip
    for name in FEATURES:
        design = columns(name, grid, far)
        theta = np.linalg.lstsq(design[kept], at[100][kept], rcond=None)[0]
        off = np.abs(design[~kept] @ theta - at[100][~kept]).mean()
        yield f"B15 error on unseen mixtures: {name}", told[name], f"{off:.3f}"
    for first, second, theirs in ((100, 150, ".090"), (100, 400, ".038")):
        projected = project((first, at[first]), (second, at[second]), 1000, limit=1.0)
        off = projected.values - at[1000]
        yield (
            f"B15 stage 2 to 1,000 from {first} and {second}: error (bias)", f"{theirs} (+)",
            f"{np.abs(off).mean():.3f} ({off.mean():+.3f})",
        )  # fmt: skip


def diffusion() -> Iterator[Row]:
    """Diffusion spectral entropy of flat Gaussian surfaces in 64 dimensions, 500 points, σ = 1."""
    rng, clean, noisy = np.random.default_rng(0), [], 0.0
    for d in (1, 2, 4, 8, 16):
        points = rng.normal(size=(500, d)) @ np.linalg.qr(rng.normal(size=(64, d)))[0].T
        clean.append(diffusion_entropy(points, sigma=1.0).bits)
        if d == 1:
            noisy = diffusion_entropy(points + 0.1 * rng.normal(size=points.shape), sigma=1.0).bits
    yield "B16 DSE at 1, 2, 4, 8, 16 dimensions, bits", "1.79 3.95 6.37 8.41 8.96", _row(clean)
    yield "B16 one dimension with noise of .1", "5.67", f"{noisy:.2f}"


def fidelity() -> Iterator[Row]:
    """R(G) of three truth functions, and the certificate of a mixture's fit."""
    x = np.linspace(0, 100, 401)
    p = np.exp(-((x - 50) ** 2) / (2 * 15**2))
    p /= p.sum()
    truth = np.exp(-((x[:, None] - np.array([25.0, 50, 75])) ** 2) / (2 * 8**2))
    yield "B18 logical probabilities", ".160 .471 .160", _row((p @ truth).tolist())
    told = {.5: ".345 .577", 1: ".928 .973 (.953)", 2: "1.119 1.230 (.910)", 4: "1.171 1.370 (.855)",
            8: "1.185 1.442 (.821)", .1: "R = 0, G < 0"}  # fmt: skip
    for point in rate_fidelity(p, truth, list(told)):
        efficiency = "none" if point.efficiency is None else f"{point.efficiency:.3f}"
        yield (
            f"B18 G, R (efficiency) at s = {point.slope:g}", told[point.slope],
            f"{point.information:.3f} {point.rate:.3f} ({efficiency})",
        )  # fmt: skip
    rng = np.random.default_rng(1)
    data = np.concatenate([rng.normal(35, 8, 700), rng.normal(65, 12, 300)])
    counts, _ = np.histogram(data, bins=np.linspace(-0.125, 100.125, 402))
    mixed = fit_mixture(x, (counts + 1e-9) / (counts + 1e-9).sum(), [30.0, 80.0], [15.0, 15.0], steps=41)
    residual = max(abs(each.residual) for each in mixed.steps)
    yield (
        "B18 EM: KL(P‖P_θ) first and last, largest residual of the identity", ".859 .248, 4 decimals",
        f"{mixed.steps[0].divergence:.3f} {mixed.steps[-1].divergence:.3f}, {residual:.0e}",
    )  # fmt: skip


def attention() -> Iterator[Row]:
    """Drift of attention's entropy from 1,024 tokens, random queries and keys in 64 dimensions."""
    rng = np.random.default_rng(0)
    told = {
        (1.0, 16_384): "+2.78 +2.58", (1.5, 16_384): "+2.63 +1.73", (2.0, 16_384): "+1.45 +.20",
        (1.0, 64): "-2.76 -2.57", (1.5, 64): "-2.22 -1.74", (2.0, 64): "-1.03 -.63",
    }  # fmt: skip

    def entropy(tokens: int, spread: float, scale: float | None) -> float:
        q, k = rng.normal(size=(64, 64)) * spread, rng.normal(size=(tokens, 64)) * spread
        return attention_entropy(q, k, scale=scale).entropy

    for (spread, tokens), theirs in told.items():
        base = np.mean([entropy(1024, spread, None) for _ in range(4)])
        plain = np.mean([entropy(tokens, spread, None) for _ in range(4)]) - base
        scaled = np.mean([entropy(tokens, spread, log_scale(tokens, 1024, 64)) for _ in range(4)]) - base
        yield f"B19 σ = {spread:g}, N = {tokens}: drift plain, scaled", theirs, f"{plain:+.2f} {scaled:+.2f}"
    ratios = [log_scale(tokens, 1024, 64) * 8 for tokens in (4096, 256)]
    yield "B19 ratio of scales at N = 4T, T/4", "1.0954 .8944", f"{ratios[0]:.4f} {ratios[1]:.4f}"


def curves() -> Iterator[Row]:
    """Hestness's learning curve of logistic regression on digits, with and without random labels."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x, y = load_digits(return_X_y=True)
    order = rng.permutation(len(y))
    x, y = x[order] / 16, y[order]
    (there, truth), (pool, labels) = (x[:500], y[:500]), (x[500:], y[500:])
    counts = (10, 20, 40, 80, 160, 320, 640, 1280)
    for noise, theirs in ((0.0, ".536 → .043, -.56, β 1.03, γ .033"), (0.15, "–, -.23, –, γ .199")):
        errors = []
        for count in counts:
            found = []
            for seed in range(4):
                draws = np.random.default_rng(seed)
                wrong = [np.where(draws.random(len(each)) < noise, draws.integers(0, 10, len(each)), each)
                         for each in (labels, truth)]  # fmt: skip
                rows = draws.permutation(len(labels))[:count]
                model = LogisticRegression(C=1.0, max_iter=400).fit(pool[rows], wrong[0][rows])
                found.append(1 - model.score(there, wrong[1]))
            errors.append(float(np.mean(found)))
        slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
        runs = Runs.from_columns({"D": np.array(counts, dtype=float), "loss": np.array(errors)})
        params = fit(law("E + B/D^beta"), runs, objective=squares()).params
        yield (
            f"B5 digits, {noise:.0%} random labels: ends, slope, β, floor γ", theirs,
            f"{errors[0]:.3f} → {errors[-1]:.3f}, {slope:.2f}, β {params['beta']:.2f}, γ {params['E']:.3f}",
        )  # fmt: skip


SECTIONS: dict[str, Callable[[], Iterator[Row]]] = {
    "toy": toy,
    "perceptron": pruning,
    "features": features,
    "gaussian": gaussian,
    "sources": sources,
    "diffusion": diffusion,
    "fidelity": fidelity,
    "attention": attention,
    "curves": curves,
}


def main(names: Sequence[str]) -> None:
    """The table of the named sections, all where none is named."""
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise DataError(f"{unknown[0]!r} is no section; there are {', '.join(SECTIONS)}")
    print("| what | computed elsewhere | isoflop |\n|---|---|---|")
    for name in names or SECTIONS:
        for row in SECTIONS[name]():
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
