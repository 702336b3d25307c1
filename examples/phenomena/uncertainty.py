"""Uncertainty against data: what an ensemble does not know shrinks as a power of the number of examples.

"Scaling Laws for Uncertainty in Deep Learning" (arXiv 2506.09648): the ensemble's total uncertainty is the entropy of
its mean prediction, the aleatoric part the mean of its members' entropies, the epistemic part their difference; each
∝ D^-gamma. Bayesian linear regression, where gamma of the epistemic variance is 1, is computed beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import outputs, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, panels, plain_ticks, show, stream, told
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.fitting import Fit
from isoflop.lab.schedules import Schedule
from isoflop.lab.tasks import digits
from isoflop.lab.tasks.base import shuffled

PARTS = ("total", "aleatoric", "epistemic")
WIDTH = 64


def study(quick: bool, seed: int = 0) -> Outcome:
    """Ensembles on nested subsets of the digits, several draws of the subsets; a power law for each part."""
    torch.set_num_threads(1)
    counts = (50, 100, 200, 400) if quick else (50, 100, 200, 400, 800, 1_400)
    members, draws, passes = (5, 2, 25) if quick else (10, 5, 100)
    rows = [(count, draw, *_ensemble(count, members, passes, draw, seed)) for draw in range(draws) for count in counts]
    table = np.array(rows)
    fits: dict[str, tuple[Fit, Interval]] = {}
    for number, part in enumerate(PARTS):
        runs = Runs.from_columns(
            {"D": table[:, 0], "loss": table[:, 2 + number], "seed": table[:, 1].astype(int)},
            source=f"{part} uncertainty",
        )
        ensemble = bootstrap(fit(law("A/D^gamma"), runs, objective=squares()), seed=seed)
        fits[part] = ensemble.estimate, ensemble.interval("gamma", level=LEVEL)
    linear = _bayesian_linear_regression(counts, seed)

    gammas = {part: gamma for part, (_, gamma) in fits.items()}
    falls = [gammas[part].low > 0 for part in PARTS]
    bend = _bend(table, counts)
    straight = abs(bend[1] - bend[0]) < 0.2
    some = all(falls) or gammas["epistemic"].low > 0
    verdict = "appears" if all(falls) and straight else "appears in part" if some else "does not appear"
    says = (
        f"Total, aleatoric and epistemic uncertainty fall as D^-gamma with gamma = {told(gammas['total'])}, "
        f"{told(gammas['aleatoric'])} and {told(gammas['epistemic'])}. Bayesian linear regression gives {told(linear)} "
        f"(theory 1). Between the first and second half of the sizes the epistemic exponent goes from {bend[0]:.2f} to "
        f"{bend[1]:.2f}{'' if straight else ', so one power law is only a summary'}."
    )
    lines = []
    for count in counts:
        here = table[table[:, 0] == count].mean(axis=0)
        lines.append([f"{count:,}", *(f"{value:.4f}" for value in here[2:5]), f"{here[5]:.3f}"])

    figure, (axes,) = panels(1)
    for number, part in enumerate(PARTS):
        color = COLOURS[number]
        label = f"{part}, γ = {gammas[part].value:.2f}"
        face = "none" if part == "total" else color  # it lies close above the aleatoric part
        size = 40 if part == "total" else 14
        axes.scatter(
            table[:, 0], table[:, 2 + number], marker=MARKERS[number], s=size, color=face, edgecolor=color, label=label
        )
        axes.plot(counts, fits[part][0].predict({"D": np.array(counts, dtype=float)}), color=color, linewidth=1)
    axes.set(xscale="log", yscale="log", xlabel="training images D", ylabel="uncertainty on held-out images (nats)")
    plain_ticks(axes, counts)
    plain_ticks(axes, (0.003, 0.01, 0.03, 0.1, 0.3), axis="y")
    axes.legend(frameon=False, fontsize=9)
    header = ["images", "total (nats)", "aleatoric", "epistemic", "accuracy"]
    return Outcome(
        verdict,
        says,
        header,
        lines,
        figure,
        {f"gamma, {part}": gammas[part] for part in reversed(PARTS)} | {"linear": linear},
    )


def _ensemble(count: int, members: int, passes: int, draw: int, seed: int) -> tuple[float, float, float, float]:
    """Total, aleatoric and epistemic uncertainty in nats, and accuracy, of networks that differ in their start.

    Every ensemble makes ``passes`` over its images, and at least six times as many steps as passes, so that all members
    fit their images; with equal steps the largest sets would be cut short and look more uncertain.
    """
    task = digits()
    chosen = np.random.default_rng([stream(draw, seed), 17]).permutation(task.unique)[:count]
    x, y = torch.from_numpy(task.training[chosen]), torch.from_numpy(task.labels[chosen])

    def batch(step: int) -> tuple[Tensor, Tensor]:
        rows = shuffled(stream(draw, seed), (step - 1) * 50, 50, count)
        return x[rows], y[rows]

    weights = train(
        start((task.features, WIDTH, task.classes), members, seed=stream(1_000 * draw + count, seed)),
        batch,
        steps=max(6 * passes, passes * count // 50),
        rates=[3e-3] * members,
        schedule=Schedule("cosine", final=0.01),
    )
    held, truth = task.held_out(10_000)
    each = outputs(weights, torch.from_numpy(held)).double().softmax(dim=-1)  # (members, images, classes)
    total = _entropy(each.mean(dim=0))
    aleatoric = _entropy(each)
    accuracy = float((each.mean(dim=0).argmax(dim=-1).numpy() == truth).mean())
    return total, aleatoric, total - aleatoric, accuracy


def _entropy(probabilities: Tensor) -> float:
    return float(-torch.xlogy(probabilities, probabilities).sum(dim=-1).mean())


def _bend(table: np.ndarray, counts: tuple[int, ...]) -> tuple[float, float]:
    """Minus the log-log slope of the epistemic part over the lower and the upper half of the sizes."""
    means = [np.log(table[table[:, 0] == count, 4]).mean() for count in counts]
    half = len(counts) // 2
    lower, upper = (np.polyfit(np.log(counts[part]), means[part], 1)[0] for part in (slice(half), slice(half, None)))
    return -float(lower), -float(upper)


def _bayesian_linear_regression(counts: tuple[int, ...], seed: int) -> Interval:
    """gamma of the mean epistemic variance xᵀ(I + AᵀA/σ²)⁻¹x with 10 inputs and σ = ½, over 5 draws."""
    rng = np.random.default_rng(stream(0, seed))
    rows = []
    for draw in range(5):
        for count in counts:
            design = rng.standard_normal((count, 10))
            covariance = np.linalg.inv(np.eye(10) + design.T @ design / 0.25)
            rows.append((count, np.trace(covariance), draw))
    found = np.array(rows)
    columns = {"D": found[:, 0], "loss": found[:, 1], "seed": found[:, 2].astype(int)}
    runs = Runs.from_columns(columns, source="Bayesian linear regression")
    return bootstrap(fit(law("A/D^gamma"), runs, objective=squares()), seed=seed).interval("gamma", level=LEVEL)


if __name__ == "__main__":
    show(__doc__, "uncertainty", study)
