"""Information about labels: it grows while a network learns them, not while it learns random ones by heart.

Liao et al. 2023 (arXiv 2312.04823): diffusion spectral mutual information between the last hidden layer and the labels.
Networks 64-128-32-10 learn digits with true or with random labels; the layer is measured on images that were held out,
always against the true labels. The entropy of the layer itself rises or falls as its features are scaled or not.
"""

from __future__ import annotations

import numpy as np
import torch
from _digits import digits_parts, epochs
from _networks import Weights, last_hidden, outputs
from _scaffold import COLOURS, MARKERS, Outcome, mean_interval, panels, show, stream, told

from isoflop.measures import diffusion_entropy, diffusion_label_information, unit_norm

SIZES = (64, 128, 32, 10)
TRAINING, SIGMA = 1_200, 3.0


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train both kinds side by side, and measure the layer as they go."""
    torch.set_num_threads(1)
    seeds = 2 if quick else 5
    marks = (0, 2, 10, 30) if quick else (0, 1, 2, 5, 10, 20, 40, 60)
    x, y, held, truth = digits_parts(TRAINING, seed=stream(0, seed))
    orders = [torch.Generator().manual_seed(stream(lane, seed)) for lane in range(seeds)]
    random = torch.stack([y[torch.randperm(TRAINING, generator=each)] for each in orders])
    targets = torch.cat((y.expand(seeds, -1), random))
    found: dict[str, list[np.ndarray]] = {"dsmi": [], "raw": [], "scaled": [], "right": []}

    def each(epoch: int, weights: Weights) -> None:
        if epoch not in marks:
            return
        layers = last_hidden(weights, held).double().numpy()
        labels = truth.numpy()
        normal = [unit_norm(layer) for layer in layers]
        found["dsmi"].append(
            np.array([diffusion_label_information(z, labels, sigma=SIGMA, repeats=3, seed=seed) for z in normal])
        )
        some = slice(0, 400)
        found["raw"].append(np.array([diffusion_entropy(z[some], sigma=10.0, seed=seed).bits for z in layers]))
        found["scaled"].append(np.array([diffusion_entropy(z[some], sigma=SIGMA, seed=seed).bits for z in normal]))
        found["right"].append((outputs(weights, held).argmax(dim=2) == truth).float().mean(dim=1).numpy())

    epochs(x, targets, SIZES, count=marks[-1], seed=stream(1, seed), each=each)
    tables = {name: np.array(each) for name, each in found.items()}  # (epochs, 2 · seeds)
    true, rand = (
        {name: table[:, part] for name, table in tables.items()} for part in (slice(0, seeds), slice(seeds, None))
    )
    gain, other = (mean_interval(each["dsmi"][-1] - each["dsmi"][0]) for each in (true, rand))
    raw, scaled = (mean_interval(true[name][-1] - true[name][0]) for name in ("raw", "scaled"))

    rises, flat = gain.low > 0.3, abs(other.value) < 0.3 * gain.value
    verdict = "appears" if rises and flat else "appears in part" if rises else "does not appear"
    says = (
        f"With true labels the layer's information about held-out labels goes from {true['dsmi'][0].mean():.2f} to "
        f"{true['dsmi'][-1].mean():.2f} bits (gain {told(gain)}), with random ones from "
        f"{rand['dsmi'][0].mean():.2f} to "
        f"{rand['dsmi'][-1].mean():.2f} ({told(other)}); in an earlier computation 0.96 to 1.91 and 0.96 to 0.81. The "
        f"layer's own entropy changes by {told(raw)} bits as it is and by {told(scaled)} at unit norm, so its "
        f"direction "
        "is that of the scaling."
    )
    rows = [
        [f"{mark}", *(f"{kind['dsmi'][k].mean():.2f}" for kind in (true, rand)),
         *(f"{kind['right'][k].mean():.2f}" for kind in (true, rand)),
         f"{true['raw'][k].mean():.2f}", f"{true['scaled'][k].mean():.2f}"]
        for k, mark in enumerate(marks)
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    at = np.array(marks) + 0.5
    for number, (name, kind) in enumerate((("true labels", true), ("random labels", rand))):
        _band(left, at, kind["dsmi"], number, name)
    left.set(xscale="log", xlabel="epochs (+ ½)", ylabel="information about labels (bits)")
    left.legend(frameon=False, fontsize=9)
    for number, (name, label) in enumerate(
        (("raw", "features as they are, σ = 10"), ("scaled", "at unit norm, σ = 3"))
    ):
        _band(right, at, true[name], number + 2, label)
    right.set(xscale="log", xlabel="epochs (+ ½)", ylabel="diffusion spectral entropy (bits)")
    right.legend(frameon=False, fontsize=9)
    header = [
        "epoch",
        "true: bits",
        "random: bits",
        "true: right",
        "random: right",
        "entropy, raw",
        "entropy, unit norm",
    ]
    return Outcome(verdict, says, header, rows, figure, {"gain": gain, "random": other, "raw": raw, "scaled": scaled})


def _band(axes, at: np.ndarray, values: np.ndarray, number: int, label: str) -> None:
    axes.fill_between(at, values.min(axis=1), values.max(axis=1), color=COLOURS[number], alpha=0.2, linewidth=0)
    axes.plot(at, values.mean(axis=1), marker=MARKERS[number], color=COLOURS[number], label=label)


if __name__ == "__main__":
    show(__doc__, "label_information", study)
