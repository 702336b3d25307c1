"""Grokking's boundary: the share of examples that a network needs in order to generalize shrinks as log M / M.

Tian 2025 (arXiv 2509.21519): two-layer networks with x² units learn addition modulo M from a share p of the M² sums.
Features that generalize are stable once p exceeds a boundary of the order log M / M; below it the network memorizes.
Each network is trained a fixed number of steps, all of them long after the training examples fit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, panels, plain_ticks, show, side, stream, told

from isoflop import Runs, bootstrap, fit, fix, law, squares

# gamma = 1 is the theory.
BOUNDARY = law("kappa*log(modulus)/modulus^gamma", inputs=("modulus",))
UNITS = 256
RATE = 0.01
DECAY = 1e-3  # the penalty's gradient is DECAY times the weight
EVERY = 25  # steps between two looks at the accuracies


@dataclass(frozen=True)
class Learned:
    """Accuracies on the training sums and on the others, every 25 steps."""

    train: tuple[float, ...]
    test: tuple[float, ...]

    @property
    def delay(self) -> tuple[float, float]:
        """The steps at which the training accuracy passed .99 and the test accuracy .9; infinite if never."""
        return _first(self.train, 0.99), _first(self.test, 0.9)


def study(quick: bool, seed: int = 0) -> Outcome:
    """For each M and seed, halve the range of shares around the one where half of the unseen sums come out right."""
    torch.set_num_threads(1)
    moduli = (13, 19, 29) if quick else (13, 19, 29, 41, 59)
    steps, halvings, seeds = (500, 3, 1) if quick else (1_000, 5, 3)
    tried: list[tuple[int, float, bool]] = []  # modulus, share, whether it generalized
    boundary = []
    for modulus in moduli:
        for own in range(seeds):
            low, high = 1.0, min(4.0, 0.9 * modulus / np.log(modulus))  # in units of log M / M
            for _ in range(halvings):
                middle = (low + high) / 2
                share = middle * np.log(modulus) / modulus
                general = _train(modulus, share, steps, stream(own, seed)).test[-1] > 0.5
                tried.append((modulus, share, general))
                low, high = (low, middle) if general else (middle, high)
            boundary.append((modulus, own, (low + high) / 2 * np.log(modulus) / modulus))
    columns = np.array(boundary)
    runs = Runs.from_columns(
        {"modulus": columns[:, 0], "seed": columns[:, 1].astype(int), "loss": columns[:, 2]},
        source="boundary shares of modular addition",
    )
    free = bootstrap(fit(BOUNDARY, runs, objective=squares()), seed=seed)
    theory = bootstrap(fit(fix(BOUNDARY, {"gamma": 1.0}), runs, objective=squares()), seed=seed)
    gamma, kappa = free.interval("gamma", level=LEVEL), theory.interval("kappa", level=LEVEL)
    shown = _train(29, 3.0 * np.log(29) / 29, steps, stream(0, seed))
    fitted_at, general_at = shown.delay

    near = abs(gamma.value - 1) <= 0.15
    grokked = general_at > 4 * fitted_at
    verdict = "appears" if near and grokked else "appears in part" if gamma.low > 0 else "does not appear"
    says = (
        f"The boundary follows kappa log(M)/M^gamma with gamma = {told(gamma)} (theory 1 {side(gamma, 1)}); with gamma "
        f"= 1, kappa = {told(kappa)} (2.75 in the authors' code, {side(kappa, 2.7482)}), and the residuals are "
        f"{theory.fit.scale / free.fit.scale:.2f} times those with gamma free. At M = 29 and three times log M / M, "
        f"the training sums fit by step {fitted_at:.0f}, the others by step {general_at:.0f}."
    )
    rows = []
    for modulus in moduli:
        shares = columns[columns[:, 0] == modulus, 2]
        scaled = shares * modulus / np.log(modulus)
        rows.append(
            [f"{modulus}", f"{shares.mean():.3f}", f"{scaled.mean():.2f}", f"{scaled.min():.2f}–{scaled.max():.2f}"]
        )

    figure, (left, right) = panels(2)
    at = EVERY * np.arange(1, len(shown.train) + 1)
    left.plot(at, shown.train, color=COLOURS[0], label="training sums")
    left.plot(at, shown.test, color=COLOURS[1], linestyle="--", label="unseen sums")
    left.set(
        xscale="log", xlabel="optimizer steps", ylabel="accuracy", title=f"M = 29, share {3 * np.log(29) / 29:.2f}"
    )
    left.legend(frameon=False, fontsize=9)
    for general, number, label in ((True, 0, "generalizes"), (False, 1, "memorizes")):
        points = np.array([(m, share) for m, share, each in tried if each == general])
        face = COLOURS[number] if general else "white"
        right.scatter(*points.T, marker=MARKERS[number], s=20, color=face, edgecolor=COLOURS[number], label=label)
    span = np.geomspace(moduli[0], moduli[-1], 50)
    law_line = theory.estimate.predict({"modulus": span})
    right.plot(span, law_line, color="black", linewidth=1, label=f"{kappa.value:.2f} log M / M")
    right.set(xscale="log", yscale="log", xlabel="modulus M", ylabel="share p of the M² sums")
    plain_ticks(right, moduli)
    plain_ticks(right, (0.1, 0.2, 0.4, 0.8), axis="y")
    right.legend(frameon=False, fontsize=9)
    header = ["M", "boundary share", "in units of log M / M", "seeds"]
    return Outcome(
        verdict, says, header, rows, figure, {"gamma": gamma, "kappa": kappa, "delay": general_at - fitted_at}
    )


def _train(modulus: int, share: float, steps: int, seed: int) -> Learned:
    """Full-batch Adam on the squared error to one-hot answers less 1/M."""
    draws = torch.Generator().manual_seed(1_000 * modulus + seed)
    a, b = (each.ravel() for each in torch.meshgrid(torch.arange(modulus), torch.arange(modulus), indexing="ij"))
    answer = (a + b) % modulus
    order = torch.randperm(modulus**2, generator=draws)
    count = round(share * modulus**2)
    seen, unseen = order[:count], order[count:]
    pairs = torch.zeros(modulus**2, 2 * modulus)
    pairs[torch.arange(modulus**2), a] = 1
    pairs[torch.arange(modulus**2), modulus + b] = 1
    goal = torch.eye(modulus)[answer] - 1 / modulus
    x, y, held = pairs[seen], goal[seen], pairs[unseen]
    first = torch.randn(2 * modulus, UNITS, generator=draws) / (2 * modulus) ** 0.5
    second = torch.randn(UNITS, modulus, generator=draws) / UNITS**0.5
    means = [torch.zeros_like(first), torch.zeros_like(second)]
    variances = [torch.zeros_like(first), torch.zeros_like(second)]
    train, test = [], []
    for step in range(1, steps + 1):
        hidden = x @ first
        square = hidden.square()
        out = square @ second
        out -= out.mean(dim=1, keepdim=True)
        wrong = (out - y) * (2 / count)
        gradients = (x.T @ (2 * hidden * (wrong @ second.T)) + DECAY * first, square.T @ wrong + DECAY * second)
        for weight, gradient, mean, variance in zip((first, second), gradients, means, variances, strict=True):
            mean.lerp_(gradient, 0.1)
            variance.lerp_(gradient.square(), 0.001)
            size = (variance / (1 - 0.999**step)).sqrt_().add_(1e-8)
            weight -= RATE / (1 - 0.9**step) * mean / size
        if step % EVERY == 0:
            train.append(_right(x, first, second, answer[seen]))
            test.append(_right(held, first, second, answer[unseen]))
    return Learned(tuple(train), tuple(test))


def _right(pairs: torch.Tensor, first: torch.Tensor, second: torch.Tensor, answers: torch.Tensor) -> float:
    return float((((pairs @ first).square() @ second).argmax(dim=1) == answers).float().mean())


def _first(accuracies: tuple[float, ...], least: float) -> float:
    passed = [number for number, each in enumerate(accuracies, start=1) if each > least]
    return EVERY * passed[0] if passed else float("inf")


if __name__ == "__main__":
    show(__doc__, "grokking", study)
