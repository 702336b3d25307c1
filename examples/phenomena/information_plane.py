"""The information plane: does a network first fit and then forget its inputs?

Shwartz-Ziv and Tishby (2017, arXiv 1703.00810) saw two phases, Saxe et al. (2018) none in networks of ReLUs; Butakov et
al. 2024 (arXiv 2305.08013) several, by another estimator. A deterministic layer has infinite information about its
input, so noise is added, in proportion to the layer's size or of one size throughout: which of the two is a choice of
the observer, and the answer may hang on it. Networks 64-128-32-10 learn digits; both axes are between bounds of a
Gaussian mixture's entropy, on held-out images.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from _digits import digits_parts, epochs
from _networks import Weights, last_hidden, outputs
from _scaffold import COLOURS, Outcome, mean_interval, panels, show, stream, told

from isoflop import Interval
from isoflop.measures import conditional_information, half_median_distance, mixture_information, unit_norm

SIZES = (64, 128, 32, 10)
TRAINING, HELD = 1_200, 500
QUARTER = 4  # noise in parts of half the median distance: at all of it one nat of 6.2 is left


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train, and measure I(X; Z) and I(Z; Y) = I(X; Z) − I(X; Z | Y) at every mark with both kinds of noise."""
    torch.set_num_threads(1)
    seeds = 2 if quick else 5
    marks = (0, 1, 3, 10, 30) if quick else (0, 1, 2, 3, 5, 8, 13, 20, 35, 60, 100, 160, 250)
    x, y, held, truth = digits_parts(TRAINING, seed=stream(0, seed))
    held, truth = held[:HELD], truth[:HELD]
    labels = truth.numpy()
    found: dict[str, list[np.ndarray]] = {"in proportion": [], "of one size": []}
    errors, fixed = [], np.zeros(seeds)

    def each(epoch: int, weights: Weights) -> None:
        if epoch not in marks:
            return
        layers = last_hidden(weights, held).double().numpy()
        if epoch == marks[1]:  # the size of the noise that is kept: right after the first epoch
            fixed[:] = [half_median_distance(layer, seed=seed) / QUARTER for layer in layers]
        errors.append((outputs(weights, held).argmax(dim=2) != truth).float().mean(dim=1).numpy())
        scaled = [unit_norm(layer) for layer in layers]
        sizes = [half_median_distance(z, seed=seed) / QUARTER for z in scaled]
        found["in proportion"].append(_planes(scaled, labels, sizes, seed))
        kept.append(layers)

    kept: list[np.ndarray] = []
    epochs(x, y.expand(seeds, -1), SIZES, count=marks[-1], seed=stream(1, seed), each=each)
    found["of one size"] = [_planes(layers, labels, fixed, seed) for layers in kept]
    planes = {name: np.array(each) for name, each in found.items()}  # (marks, seeds, [I(X; Z), I(Z; Y)])
    phases = {name: _phases(plane) for name, plane in planes.items()}
    fitting = mean_interval(planes["in proportion"][-1, :, 1] - planes["in proportion"][0, :, 1])
    compressed = {name: fall.low > 0.05 for name, (_, fall) in phases.items()}
    verdict = (
        "appears" if all(compressed.values()) else "appears in part" if any(compressed.values()) else "does not appear"
    )
    parts = [
        f"with noise {name}, I(X; Z) {_told(marks, top, fall)} and I(X; Z | Y) goes from "
        f"{_conditional(planes[name], 0):.2f} to {_conditional(planes[name], -1):.2f}"
        for name, (top, fall) in phases.items()
    ]
    says = f"I(Z; Y) grows by {told(fitting)} nats (the labels have {np.log(10):.2f}); {'; '.join(parts)}. " + (
        "Whether a network forgets its inputs is thus a matter of the noise that is assumed."
        if len(set(compressed.values())) > 1
        else "Both kinds of noise agree."
    )
    rows = [
        [f"{mark}", *(f"{planes[name][k, :, axis].mean():.2f}" for name in planes for axis in (0, 1)),
         f"{errors[k].mean():.3f}"]
        for k, mark in enumerate(marks)
    ]  # fmt: skip
    figure, axes = panels(2)
    for axis, (name, plane) in zip(axes, planes.items(), strict=True):
        for own in range(seeds):
            axis.plot(plane[:, own, 0], plane[:, own, 1], color=COLOURS[0], alpha=0.3, linewidth=0.8)
        middle = plane.mean(axis=1)
        points = axis.scatter(*middle.T, c=np.log10(np.array(marks) + 1), cmap="viridis", zorder=3, s=28)
        for k in {0, 1, len(marks) // 2, len(marks) - 1}:
            axis.annotate(f"epoch {marks[k]}", middle[k], xytext=(5, -10), textcoords="offset points", fontsize=8)
        axis.set(xlabel="I(X; Z) (nats)", ylabel="I(Z; Y) (nats)", title=f"noise {name}")
        points.set_clim(0, np.log10(marks[-1] + 1))
    header = ["epoch", "I(X; Z), in proportion", "I(Z; Y)", "I(X; Z), one size", "I(Z; Y)", "error"]
    falls: dict[str, float | Interval] = {f"fall, noise {name}": fall for name, (_, fall) in phases.items()}
    return Outcome(verdict, says, header, rows, figure, falls | {"fitting": fitting})


def _planes(
    layers: Sequence[np.ndarray], labels: np.ndarray, noises: Sequence[float] | np.ndarray, seed: int
) -> np.ndarray:
    """I(X; Z) and I(Z; Y) of every network's layer, (networks, 2)."""
    rows = []
    for layer, noise in zip(layers, noises, strict=True):
        whole = mixture_information(layer, noise=noise, seed=seed).value
        rows.append((whole, whole - conditional_information(layer, labels, noise=noise, seed=seed).value))
    return np.array(rows)


def _phases(plane: np.ndarray) -> tuple[int, Interval]:
    """The mark at which the mean of I(X; Z) is largest, and how far it falls from there, by seed."""
    top = int(plane[:, :, 0].mean(axis=1).argmax())
    return top, mean_interval(plane[top, :, 0] - plane[-1, :, 0])


def _told(marks: tuple[int, ...], top: int, fall: Interval) -> str:
    if top == len(marks) - 1:
        return f"rises to the end, epoch {marks[top]},"
    return f"has its maximum at epoch {marks[top]} and falls from there by {told(fall)} nats,"


def _conditional(plane: np.ndarray, mark: int) -> float:
    return float((plane[mark, :, 0] - plane[mark, :, 1]).mean())


if __name__ == "__main__":
    show(__doc__, "information_plane", study)
