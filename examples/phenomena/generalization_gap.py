"""Generalization gap: information about the inputs, given the label, foretells it.

Kawaguchi et al. 2023 (arXiv 2305.18887) bound the gap by √((I(X; Z | Y) + 1)/n) and what the weights remember of the
training set. Small networks of several widths and weight decays learn 300 digits to the end; the gap is the loss on
held-out images less that on the training set. Its rank correlation with I(X; Z | Y), noise added to the last hidden
layer in proportion to its size, stands beside those with the number of parameters and the norm of the weights.
"""

from __future__ import annotations

import numpy as np
import torch
from _digits import digits_parts, epochs
from _networks import last_hidden, losses, outputs, parameters
from _scaffold import COLOURS, MARKERS, Outcome, panels, show, stream, told

from isoflop import Runs
from isoflop.measures import calibrated_conditional_information, half_median_distance, unit_norm
from isoflop.validation.correlation import correlate

TRAINING, MEASURED = 300, 300
CLASSES = 10


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every width and decay, measure, and correlate over networks, seeds of a setting left out together."""
    torch.set_num_threads(1)
    widths = (8, 32) if quick else (8, 16, 32, 64)
    decays = (0.0, 1e-3, 1e-2) if quick else (0.0, 3e-4, 1e-3, 3e-3, 1e-2)
    seeds, length = (2, 60) if quick else (3, 150)
    x, y, held, truth = digits_parts(TRAINING, seed=stream(0, seed))
    lanes = [decay for decay in decays for _ in range(seeds)]
    gaps, informations, sizes, norms, errors, labels, refused = [], [], [], [], [], [], 0
    for width in widths:
        shape = (64, width, width, CLASSES)
        weights = epochs(
            x, y.expand(len(lanes), -1), shape, count=length, batch=50, rate=3e-3, seed=stream(width, seed),
            decays=lanes,
        )  # fmt: skip
        with torch.no_grad():
            layer = last_hidden(weights, x).double().numpy()
            gap = losses(outputs(weights, held), truth.expand(len(lanes), -1)) - losses(
                outputs(weights, x), y.expand(len(lanes), -1)
            )
            wrong = (outputs(weights, held).argmax(dim=2) != truth).float().mean(dim=1)
        gaps += gap.tolist()
        errors += wrong.tolist()
        norms += np.sqrt(sum(w.square().sum(dim=(1, 2)).numpy() for w in weights[::2])).tolist()
        sizes += [parameters(shape)] * len(lanes)
        labels += [(width, decay) for decay in lanes]
        for each in layer:
            live = unit_norm(each[:, each.std(axis=0) > 0])
            noise = half_median_distance(live, seed=seed) / 2
            found = calibrated_conditional_information(live, y.numpy(), noise=noise, seed=seed)
            refused += bool(found.refused)
            informations.append(found.value)
    table = {"I(X; Z | Y)": np.array(informations), "parameters": np.array(sizes), "norm of weights": np.array(norms)}
    gap = np.array(gaps)
    columns = {"gap": gap, "setting": [f"{width} {decay:g}" for width, decay in labels]}
    compared = correlate(Runs.from_columns(columns | table), "gap", list(table), by=["setting"])
    correlations = {each.measure: each.rho for each in compared.measures}
    main = correlations["I(X; Z | Y)"]
    rivals = [name for name in table if name != "I(X; Z | Y)" and abs(correlations[name].value) > abs(main.value)]
    strong = main.low > 0.5
    verdict = "appears" if strong and not rivals else "appears in part" if main.low > 0 else "does not appear"
    how = "strong" if strong else "weak" if main.low > 0 else "not distinguishable from none, or of the wrong sign"
    says = (
        f"Over {len(gap)} networks the rank correlation of the gap with I(X; Z | Y) is {told(main)}: {how} (0.23 in an "
        f"earlier computation with 30 networks). With the number of parameters it is "
        f"{told(correlations['parameters'])}, "
        f"with the norm of the weights {told(correlations['norm of weights'])}"
        + (f"; {' and '.join(rivals)} foretell{'s' if len(rivals) == 1 else ''} more. " if rivals else ". ")
        + f"{refused} of {len(gap)} estimates would be refused by their calibration. Gaps run from {gap.min():.2f} to "
        f"{gap.max():.2f} nats, held-out errors from {min(errors):.3f} to {max(errors):.3f}."
    )
    told_rows = []
    for width in widths:
        for decay in decays:
            own = np.array([each == (width, decay) for each in labels])
            told_rows.append(
                [f"{width}", f"{decay:g}", f"{gap[own].mean():.3f}", f"{table['I(X; Z | Y)'][own].mean():.3f}",
                 f"{table['norm of weights'][own].mean():.1f}", f"{np.array(errors)[own].mean():.3f}"]
            )  # fmt: skip
    figure, axes = panels(3, width=12.5)
    for axis, (name, values) in zip(axes, table.items(), strict=True):
        for number, decay in enumerate(decays):
            own = np.array([each[1] == decay for each in labels])
            axis.scatter(
                values[own], gap[own], marker=MARKERS[number], s=20, color=COLOURS[number], label=f"L2 {decay:g}"
            )
        axis.set(xlabel=name, ylabel="generalization gap (nats)", title=f"ρ = {correlations[name].value:.2f}")
    axes[0].legend(frameon=False, fontsize=8)
    if min(sizes) < max(sizes):
        axes[1].set_xscale("log")
    header = ["width", "L2", "gap (nats)", "I(X; Z | Y)", "norm", "error"]
    return Outcome(verdict, says, header, told_rows, figure, {"rank correlation": main, "refused": float(refused)})


if __name__ == "__main__":
    show(__doc__, "generalization_gap", study)
