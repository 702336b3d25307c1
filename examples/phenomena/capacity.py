"""Knowledge capacity: a network stores about the same number of bits in each parameter, whatever its size.

Allen-Zhu and Li 2024 (arXiv 2404.05405) find 2 bits a parameter in transformers after 1,000 exposures. Here plain
networks with one hidden layer memorize random labels of random keys; N keys with 16 labels hold 4 N bits, of which
N (4 − loss/ln 2) are stored. A constant near 2 in so different a network may be a coincidence; that it does not depend
on the size is the finding.
"""

from __future__ import annotations

import numpy as np
import torch
from _networks import losses, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, show, side, stream, told

from isoflop import Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule

KEY_BITS, CLASSES = 24, 16
RATE = 1e-2


def study(quick: bool, seed: int = 0) -> Outcome:
    """For each hidden width, memorize more and more keys, and take the most bits that were ever stored."""
    torch.set_num_threads(1)
    hidden = (4, 8) if quick else (4, 8, 16, 32)
    loads = (1.5, 2.0, 2.5, 3.5) if quick else (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)  # bits there to store, per parameter
    steps = 600 if quick else 3_000
    seeds = 3 if quick else 4
    counts = np.array([parameters((KEY_BITS, h, CLASSES)) for h in hidden])
    stored = np.array(
        [[_stored(h, load, steps, seeds, seed) for load in loads] for h in hidden]
    )  # (sizes, loads, seeds)
    ratios = stored / counts[:, None, None]
    best = ratios.max(axis=1)  # (sizes, seeds)
    peaks = [mean_interval(each) for each in best]

    runs = Runs.from_columns(
        {
            "N": np.repeat(counts, seeds),
            "loss": (best * counts[:, None]).ravel(),  # the quantity of this law is bits, not a loss
            "seed": np.tile(np.arange(seeds), len(hidden)),
        },
        source="bits stored by small networks",
        conventions={"N": "total"},
    )
    growth = bootstrap(fit(law("A*N^gamma"), runs, objective=squares()), seed=seed).interval("gamma", level=LEVEL)
    lowest, highest = min(each.value for each in peaks), max(each.value for each in peaks)
    steady = highest / lowest < 1.25
    matched = lowest >= 1.5 and highest <= 2.5
    verdict = "appears" if steady and lowest > 1 else "appears in part" if steady else "does not appear"
    says = (
        f"The most bits stored per parameter lie between {lowest:.2f} and {highest:.2f} over sizes of {counts[0]:,} to "
        f"{counts[-1]:,} parameters, and grow as N^{told(growth)} (1 is a constant capacity"
        f", {side(growth, 1)} the interval). The published constant of 2, for transformers after 1,000 exposures, is "
        f"{'matched within a quarter' if matched else 'not matched'}."
    )
    rows = [
        [f"{count:,}", f"{h}", f"{loads[int(each.mean(axis=1).argmax())]:g}", told(peak)]
        for count, h, each, peak in zip(counts, hidden, ratios, peaks, strict=True)
    ]

    figure, (axes,) = panels(1)
    for number, (count, each) in enumerate(zip(counts, ratios, strict=True)):
        label = f"{count:,} parameters"
        axes.plot(loads, each.mean(axis=1), marker=MARKERS[number], color=COLOURS[number], label=label)
    axes.plot([0, 2.4], [0, 2.4], color="black", linestyle=":", linewidth=1, label="all that there is")
    axes.axhline(2, color="#999999", linewidth=1, linestyle="--", label="published for transformers")
    axes.set(
        xlabel="bits to store, per parameter", ylabel="bits stored, per parameter", xlim=(0.5, None), ylim=(0.5, 2.6)
    )
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    header = ["parameters", "hidden units", "best load (bits/parameter)", "bits stored/parameter, 90 %"]
    numbers = {"exponent of N": growth, "lowest": lowest, "highest": highest}
    return Outcome(verdict, says, header, rows, figure, numbers)


def _stored(hidden: int, load: float, steps: int, seeds: int, seed: int) -> np.ndarray:
    """Bits of each seed: N (4 − loss / ln 2), at the lowest loss during training."""
    sizes = (KEY_BITS, hidden, CLASSES)
    keys = round(load * parameters(sizes) / np.log2(CLASSES))
    draws = torch.Generator().manual_seed(stream(hidden * 1_000 + keys, seed))
    x = torch.randint(0, 2, (seeds, keys, KEY_BITS), generator=draws).float().mul_(2).sub_(1)
    y = torch.randint(0, CLASSES, (seeds, keys), generator=draws)
    weights = train(
        start(sizes, seeds, seed=stream(hidden, seed)),
        lambda step: (x, y),
        steps=steps,
        rates=[RATE] * seeds,
        schedule=Schedule("cosine", warmup=0.0, final=0.0),
    )
    final = losses(outputs(weights, x), y).numpy()
    return keys * (np.log2(CLASSES) - final / np.log(2))


if __name__ == "__main__":
    show(__doc__, "capacity", study)
