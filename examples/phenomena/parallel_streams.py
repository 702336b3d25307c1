"""Parallel streams: the same weights, run P times with learnt prefixes and mixed, act like a larger network.

Chen et al. 2025 (arXiv 2505.10475, ParScale): L = E + (A/(N (1 + k ln P)))^alpha; in language models k is .33 to .39.
A network learns a teacher's function from endless examples; each stream adds a learnt offset to the inputs, and the
streams' outputs are mixed by a softmax of scores that each stream gives itself. P streams cost P times the compute. In
networks so small the offsets are no small share of the parameters, so k is fitted with and without counting them.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import Weights, losses, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, stream, told
from torch import Tensor

from isoflop import Ensemble, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule

INPUTS = 16
# k may be below zero, down to where 8 streams would act like a sixth of the parameters.
LAW = law("E + (A/(N*(1 + k*log(P))))^alpha", inputs=("P",), domains={"alpha": "positive", "k": (-0.4, 5.0)})


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train widths × streams × seeds, compare with one stream in pairs, fit both forms and the law without streams."""
    torch.set_num_threads(1)
    widths = (6, 12, 24) if quick else (6, 10, 16, 26, 42)
    streams = (1, 2, 4) if quick else (1, 2, 4, 8)
    seeds, steps = (3, 200) if quick else (8, 2_500)
    teacher = start((INPUTS, 64, 64, 1), 1, seed=stream(42, seed))
    loss = np.array([[_trained(teacher, width, count, seeds, steps, seed) for count in streams] for width in widths])
    sizes = np.array([parameters((INPUTS, width, width, 1)) for width in widths])
    added = np.array([[0 if count == 1 else count * INPUTS + width for count in streams] for width in widths])
    counts = sizes[:, None] + added

    def fitted(n: np.ndarray) -> Ensemble:
        width, count, own = (each.ravel() for each in np.indices(loss.shape))
        columns = {"N": n[width, count], "P": np.array(streams)[count], "loss": loss.ravel(), "seed": own}
        runs = Runs.from_columns(columns, source="networks with parallel streams", conventions={"N": "total"})
        return bootstrap(fit(LAW, runs, objective=squares()), seed=seed)

    all_counted = fitted(counts)
    k_all = all_counted.interval("k", level=LEVEL)
    k_bare = fitted(np.broadcast_to(sizes[:, None], counts.shape)).interval("k", level=LEVEL)
    most = all_counted.interval(lambda p: 1 + p["k"] * np.log(streams[-1]), level=LEVEL)

    falls = [mean_interval(np.log(row[-1] / row[0])) for row in loss]
    clear = [width for width, each in zip(widths, falls, strict=True) if each.high < 0]
    appears = k_all.low > 0 and len(clear) > len(widths) / 2
    verdict = "appears" if appears else "appears in part" if clear or k_bare.low > 0 else "does not appear"
    top = streams[-1]
    explained = ": what the streams gain, their own parameters explain" if k_bare.low > 0 >= k_all.low else ""
    says = (
        f"{top} streams lower the loss, with a 90 % interval clear of zero, at {len(clear)} of {len(widths)} widths. "
        f"Counting all parameters k = {told(k_all)}: {top} streams act like {told(most)} times the parameters at {top} "
        f"times the compute. Not counting offsets and scores k = {told(k_bare)}{explained}."
    )
    rows = [
        [f"{width}", f"{sizes[i]:,}", *(f"{each.mean():.4f}" for each in loss[i]), told(falls[i])]
        for i, width in enumerate(widths)
    ]

    figure, (axes,) = panels(1)
    for number, count in enumerate(streams):
        label = f"{count} stream{'s' if count > 1 else ''}"
        color = COLOURS[number]
        ends = np.array([[e.value - e.low, e.high - e.value] for e in map(mean_interval, loss[:, number])]).T
        mean = loss[:, number].mean(axis=1)
        axes.errorbar(
            counts[:, number], mean, yerr=ends, fmt=MARKERS[number], color=color, capsize=2, ms=5, label=label
        )
        span = np.geomspace(counts[0, number], counts[-1, number], 50)
        axes.plot(span, all_counted.fit.predict({"N": span, "P": float(count)}), color=color, linewidth=1)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="parameters N, offsets and scores included",
        ylabel="squared error (of the variance)",
    )
    plain_ticks(axes, sizes)
    plain_ticks(axes, (0.05, 0.1, 0.2, 0.4), axis="y")
    axes.legend(frameon=False, fontsize=9)
    header = ["width", "N", *(f"P = {count}" for count in streams), f"log(P={streams[-1]} / P=1), 90 %"]
    numbers = {"k": k_all, "k_bare": k_bare, "narrowest": falls[0], "widest": falls[-1]}
    return Outcome(verdict, says, header, rows, figure, numbers)


def mixed(weights: Weights, x: Tensor) -> Tensor:
    """Σ_p s_p f(x + offset_p), s the softmax over streams of last hidden layer · score: (seeds, batch, 1).

    weights: of a network 16 → width → width → 1, then offsets (seeds, streams, 1, 16) and scores (seeds, width, 1).
    """
    *network, offset, score = weights
    seeds, streams = offset.shape[:2]
    hidden = (x + offset).flatten(1, 2)  # (seeds, streams · batch, inputs)
    for number in (0, 2):
        hidden = torch.baddbmm(network[number + 1], hidden, network[number]).relu()
    shape = (seeds, streams, len(x), 1)
    each = torch.baddbmm(network[5], hidden, network[4]).view(shape)
    return ((hidden @ score).view(shape).softmax(dim=1) * each).sum(dim=1)


def _trained(teacher: Weights, width: int, streams: int, seeds: int, steps: int, seed: int) -> np.ndarray:
    """Test losses of each seed: 16 → width → width → 1, and where P > 1 the streams' offsets and scores."""
    draws = torch.Generator().manual_seed(stream(1_000 + width, seed))  # every P of a width sees the same examples
    probe = torch.randn(20_000, INPUTS, generator=torch.Generator().manual_seed(stream(7, seed)))
    seen = outputs(teacher, probe)[0]
    middle, spread = seen.mean(), seen.std()
    weights = start((INPUTS, width, width, 1), seeds, seed=stream(width, seed))
    if streams > 1:
        offsets = torch.Generator().manual_seed(stream(width + streams, seed))
        weights += [0.5 * torch.randn(seeds, streams, 1, INPUTS, generator=offsets), torch.zeros(seeds, width, 1)]

    def batch(step: int) -> tuple[Tensor, Tensor]:
        x = torch.randn(64, INPUTS, generator=draws)
        return x, (outputs(teacher, x)[0] - middle) / spread

    def forward(weights: Weights, x: Tensor) -> Tensor:
        return outputs(weights, x) if streams == 1 else mixed(weights, x)

    schedule = Schedule("cosine", final=0.01)
    trained = train(weights, batch, steps=steps, rates=[0.01] * seeds, schedule=schedule, forward=forward)
    with torch.no_grad():
        return losses(forward(trained, probe[:8_000]), (seen[:8_000] - middle) / spread).numpy()


if __name__ == "__main__":
    show(__doc__, "parallel_streams", study)
