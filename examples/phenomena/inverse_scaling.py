"""Inverse scaling: a task that larger models do worse, until they are large enough to do it well.

McKenzie et al. 2023 (arXiv 2306.09479) collect tasks whose accuracy falls with scale; in "memo trap" a memorized answer
beats the instruction not to give it. Wei et al. 2022 (arXiv 2211.02011) see some of them turn upward at larger scale.
Here MLPs of growing width and training learn the values of forty keys; on 2 % of their data a flag asks for the next
value instead.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _networks import outputs, parameters, start, train
from _scaffold import COLOURS, MARKERS, Outcome, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Interval, Runs, fit, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.planning.reversal import reversal_findings
from isoflop.validation.shape_audit import shapes

KEYS, VALUES, FLAGGED = 40, 8, 0.02
CHANCE = 1 / VALUES
BATCH, RATIO = 64, 40  # examples a step, and examples a parameter
SCORES = ("flagged", "plain")


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every width in proportion to its parameters; the shape of both accuracies, of all and of the small."""
    torch.set_num_threads(1)
    widths = (1, 2, 3, 5, 8, 16, 32, 64) if quick else (1, 2, 3, 4, 5, 6, 8, 11, 16, 23, 32, 64)
    lanes = 5 if quick else 24
    rows = [(parameters(_sizes(width)), *each) for width in widths for each in _trained(width, lanes, seed)]
    size, loss, flagged, plain = np.array(rows).T
    runs = Runs.from_columns(
        {"N": size, "loss": loss, "flagged": flagged, "plain": plain, "run": [f"run {i}" for i in range(len(rows))]},
        source="networks that learn keys by heart",
    )
    whole = shapes(runs, SCORES, delta=0.02, better="higher")
    (trap,), (control,) = whole.of("flagged"), whole.of("plain")
    turns = trap.shape == "U" and trap.turn is not None
    mean = trap.levels.mean
    lowest = int(mean.argmin())
    early = runs.take(size <= np.unique(size)[lowest])
    (stopped,) = shapes(early, SCORES, delta=0.02, better="higher").of("flagged")
    found = _warned(early)

    fell = stopped.shape in ("falling", "falling to a plateau") and bool(mean[lowest] < CHANCE)
    verdict = "appears" if fell and turns else "appears in part" if fell else "does not appear"
    turn = f"turning at {told(trap.turn)} parameters" if turns and trap.turn is not None else "without a turn"
    says = (
        f"Accuracy on flagged keys is {mean[0]:.2f} at {np.unique(size)[0]:,.0f} parameters, {mean[lowest]:.2f} at "
        f"{np.unique(size)[lowest]:,.0f} and {mean[-1]:.2f} at {size.max():,.0f}, where guessing has {CHANCE:.3f}: its "
        f"shape is {trap.shape} ({turn}), while plain keys are {control.shape} to {control.levels.mean[-1]:.2f}. A "
        f"series that stopped at the lowest point would have been called {stopped.shape}, and a law of that score in "
        f"the loss has {f'the finding {found}' if found else 'no finding of a reversal'}."
    )
    table = [
        [f"{width}", f"{n:,.0f}", f"{a:.3f}", f"{b:.3f}"]
        for width, n, a, b in zip(widths, trap.levels.x, mean, control.levels.mean, strict=True)
    ]

    figure, (axes,) = panels(1)
    for number, (name, shape) in enumerate((("flagged: the next value", trap), ("plain: the value", control))):
        axes.scatter(size, runs[SCORES[number]], s=10, color=COLOURS[number], alpha=0.35, linewidth=0)
        axes.plot(shape.levels.x, shape.levels.mean, MARKERS[number], color=COLOURS[number], ms=5, label=name)
        axes.plot(shape.levels.x, shape.fitted, color=COLOURS[number], linewidth=1)
    axes.axhline(CHANCE, color=COLOURS[6], linestyle=":", linewidth=1, label="guessing")
    if turns and trap.turn is not None:
        axes.axvspan(trap.turn.low, trap.turn.high, color=COLOURS[4], alpha=0.3, linewidth=0, label="turn, 90 %")
    axes.set(xscale="log", xlabel=f"parameters N, trained on {RATIO} N examples", ylabel="accuracy")
    plain_ticks(axes, (100, 300, 1_000, 3_000))
    axes.legend(frameon=False, fontsize=9)
    numbers: dict[str, float | Interval] = {} if trap.turn is None else {"turn": trap.turn}
    numbers |= {"first": float(mean[0]), "lowest": float(mean[lowest]), "last": float(mean[-1])}
    numbers |= {"plain": float(control.levels.mean[-1]), "warned": float(bool(found))}
    return Outcome(verdict, says, ["width", "N", "flagged", "plain"], table, figure, numbers)


def _warned(runs: Runs) -> str:
    """The code of the finding on a law of the flagged score in the loss, fitted to the runs up to the lowest point."""
    points = Runs.from_columns(
        {"loss": runs["loss"], "accuracy": runs["flagged"], "run": list(runs.text("run"))}, source="early sizes"
    )
    fitted = fit(law("task-accuracy-to-one"), points, objective=squares(space="raw"))
    return ", ".join(each.code for each in reversal_findings(points, fitted))


def _sizes(width: int) -> tuple[int, ...]:
    return KEYS + 1, width, VALUES


def _trained(width: int, lanes: int, seed: int) -> list[tuple[float, float, float]]:
    """Loss on the training mixture, and accuracy on flagged and on plain keys, of each lane."""
    sizes = _sizes(width)
    draws = torch.Generator().manual_seed(1_000 * seed + width)
    values = torch.randint(0, VALUES, (lanes, KEYS), generator=draws)
    lane = torch.arange(lanes)[:, None]
    steps = max(20, round(RATIO * parameters(sizes) / BATCH))

    def batch(_: int) -> tuple[Tensor, Tensor]:
        keys = torch.randint(0, KEYS, (lanes, BATCH), generator=draws)
        flags = (torch.rand(lanes, BATCH, generator=draws) < FLAGGED).long()
        return _inputs(keys, flags), (values[lane, keys] + flags) % VALUES

    begin = start(sizes, lanes, seed=1_000 * seed + width + 1)
    weights = train(begin, batch, steps=steps, rates=[0.02] * lanes, schedule=Schedule("cosine", final=0.0))
    keys = torch.arange(KEYS).expand(lanes, KEYS)
    found = []
    for flag in (1, 0):
        asked = outputs(weights, _inputs(keys, torch.full_like(keys, flag)))
        right = (values + flag) % VALUES
        nats = F.cross_entropy(asked.transpose(1, 2), right, reduction="none").mean(dim=1)
        found.append((nats, (asked.argmax(dim=2) == right).double().mean(dim=1)))
    (trap, flagged), (easy, plain) = found
    loss = FLAGGED * trap + (1 - FLAGGED) * easy
    return list(zip(loss.tolist(), flagged.tolist(), plain.tolist(), strict=True))


def _inputs(keys: Tensor, flags: Tensor) -> Tensor:
    return torch.cat((F.one_hot(keys, KEYS).float(), flags[..., None].float()), dim=-1)


if __name__ == "__main__":
    show(__doc__, "inverse_scaling", study)
