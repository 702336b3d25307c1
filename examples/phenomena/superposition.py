"""Superposition: when all features share a narrow width, the loss falls as 1/width.

Liu, Liu and Gore 2025 (arXiv 2505.10465): an autoencoder ReLU(W Wᵀ x + b) packs n sparse features into m dimensions.
Weight growth (decay −1) makes all features share the width (strong superposition): overlaps of random directions are
about 1/m, and so is the loss, faster where frequencies are very uneven. Weight decay (+1) keeps only the frequent
features (weak superposition), and the exponent follows the frequencies. m² must stay below about n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, panels, plain_ticks, show, side, stream, told

from isoflop import Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule

BATCH = 128
POWER = law("A/width^alpha", inputs=("width",))
# name → (exponent of the features' frequencies p ∝ i^-s, decay, exponent that the paper's theory gives)
SETTINGS = {
    "strong, p ∝ 1/i": (1.0, -1.0, 1.0),
    "strong, p ∝ 1/i²": (2.0, -1.0, 2.0),
    "weak, p ∝ 1/i²": (2.0, 1.0, 1.0),
}


@dataclass(frozen=True)
class Packed:
    """One trained autoencoder: loss, share of features with norm above ½, and mean squared overlap times width."""

    loss: float
    kept: float
    overlap: float


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every width in every setting and fit loss = A/width^alpha."""
    torch.set_num_threads(1)
    features = 400 if quick else 600
    widths = (5, 8, 12, 20) if quick else (5, 8, 12, 16, 24)
    steps = 250 if quick else 1_200
    seeds = [stream(own, seed) for own in range(1 if quick else 2)]
    settings = dict(list(SETTINGS.items())[:1]) if quick else SETTINGS
    found, fits = {}, {}
    for name, (skew, decay, _) in settings.items():
        found[name] = [[_pack(features, m, skew, decay, steps, own) for m in widths] for own in seeds]
        runs = Runs.from_columns(
            {
                "width": np.tile(widths, len(seeds)),
                "loss": [each.loss for row in found[name] for each in row],
                "seed": np.repeat(seeds, len(widths)),
            },
            source=f"autoencoders, {name}",
        )
        fits[name] = bootstrap(fit(POWER, runs, objective=squares()), seed=seed)
    slopes = {name: each.interval("alpha", level=LEVEL) for name, each in fits.items()}

    main = slopes["strong, p ∝ 1/i"]
    strong_kept = np.mean([each.kept for row in found["strong, p ∝ 1/i"] for each in row])
    near = abs(main.value - 1) <= 0.15
    verdict = "appears" if near and strong_kept > 0.9 else "appears in part" if strong_kept > 0.9 else "does not appear"
    others = [
        f"{name}: {told(slopes[name])}, theory {theory:g} {side(slopes[name], theory)}"
        for name, (_, _, theory) in list(settings.items())[1:]
    ]
    says = (
        f"With all features sharing the width ({strong_kept:.0%} have norm above ½), the loss falls as width^-a with "
        f"a = {told(main)} (theory 1 {side(main, 1)}). {'; '.join(others)}"
    ).rstrip() + ("." if others else "")
    rows = []
    for name, trained in found.items():
        overlap = np.mean([each.overlap for row in trained for each in row])
        kept = np.mean([each.kept for row in trained for each in row])
        rows.append([name, told(slopes[name]), f"{settings[name][2]:g}", f"{kept:.2f}", f"{overlap:.2f}"])
    header = ["superposition, frequencies", "exponent, 90 %", "theory", "share kept", "overlap² × width"]

    figure, (axes,) = panels(1)
    for number, (name, trained) in enumerate(found.items()):
        color = COLOURS[number]
        points = np.array([[each.loss for each in row] for row in trained])
        label = f"{name}: exponent {slopes[name].value:.2f}"
        axes.scatter(np.tile(widths, len(seeds)), points, color=color, marker=MARKERS[number], s=22, label=label)
        axes.plot(widths, fits[name].fit.predict({"width": np.array(widths, dtype=float)}), color=color, linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="width m (dimensions)", ylabel="loss (summed squared error)")
    plain_ticks(axes, widths)
    plain_ticks(axes, (0.05, 0.1, 0.2, 0.5, 1, 2), axis="y")
    axes.legend(frameon=False, fontsize=9)
    numbers = {f"exponent, {name}": slope for name, slope in slopes.items()} | {"kept": float(strong_kept)}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _pack(features: int, width: int, skew: float, decay: float, steps: int, seed: int) -> Packed:
    """Adam at a peak of .01 on fresh batches; one feature is active at a time on average, with value U(0, 2)."""
    draws = torch.Generator().manual_seed(1_000 * seed + width)
    frequency = torch.arange(1, features + 1) ** -skew
    frequency = (frequency / frequency.sum()).clamp(max=1)
    weight = torch.randn(features, width, generator=draws) / width**0.5
    bias = torch.zeros(features)
    means = [torch.zeros_like(weight), torch.zeros_like(bias)]
    variances = [torch.zeros_like(weight), torch.zeros_like(bias)]
    schedule = Schedule("cosine", warmup=0.1, final=0.05)
    last = []
    for step in range(1, steps + 1):
        rate = 1e-2 * schedule.factor(step - 1, steps)
        active = torch.rand(BATCH, features, generator=draws) < frequency
        x = active * torch.rand(BATCH, features, generator=draws).mul_(2)
        hidden = x @ weight
        before = torch.addmm(bias, hidden, weight.T)
        wrong = before.relu() - x
        if step > 0.9 * steps:
            last.append(float(wrong.square().sum(dim=1).mean()))
        back = (2 / len(x)) * wrong * (before > 0)
        gradients = (x.T @ (back @ weight) + back.T @ hidden, back.sum(dim=0))
        if decay >= 0:
            weight *= 1 - decay * rate
        else:  # pulls every row to unit norm
            norms = weight.norm(dim=1, keepdim=True).clamp(min=1e-8)
            weight += rate * decay * weight * (1 - 1 / norms)
        for value, gradient, mean, square in zip((weight, bias), gradients, means, variances, strict=True):
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient.square(), 0.001)
            size = (square / (1 - 0.999**step)).sqrt_().add_(1e-8)
            value -= rate / (1 - 0.9**step) * mean / size
    norms = weight.norm(dim=1)
    unit = weight / norms[:, None].clamp(min=1e-8)
    overlaps = (unit @ unit.T).square()
    off = (overlaps.sum() - overlaps.diagonal().sum()) / (features * (features - 1))
    return Packed(float(np.mean(last)), float((norms > 0.5).float().mean()), float(off) * width)


if __name__ == "__main__":
    show(__doc__, "superposition", study)
