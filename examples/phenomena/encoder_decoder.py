"""Encoder and decoder: the total number of parameters does not fix the loss, their split matters.

Ghorbani et al. 2021 (arXiv 2109.07740): translation models follow E + A·N_e^(−p_e)·N_d^(−p_d), a product of powers, and
at a fixed total the best split is p_e to p_d. Here an encoder reads five symbols into sixteen numbers, and a decoder,
which sees those and its last symbol, writes five others; the same grid of sizes is fitted by the product, by a sum of
powers and by the total alone, and the planned split is trained.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _networks import Weights, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, stream, told
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law
from isoflop.lab.schedules import Schedule
from isoflop.planning import PlanWords, optimized_plan, plan_problem
from isoflop.validation.rank import rank
from isoflop.validation.split import HoldOut

SYMBOLS, LENGTH, CODE = 10, 5, 16
BATCH = 64
SOURCE, ASKED = SYMBOLS * LENGTH, LENGTH + SYMBOLS  # place, and the last symbol written
LAWS = {
    "product": law("ghorbani"),
    "sum": law(
        "E + A/N_encoder^alpha + B/N_decoder^beta",
        inputs=("N_encoder", "N_decoder"),
        domains={"E": "positive", "A": "positive", "B": "positive", "alpha": "positive", "beta": "positive"},
    ),
    "total": law(
        "E + A/(N_encoder + N_decoder)^alpha",
        inputs=("N_encoder", "N_decoder"),
        domains={"E": "positive", "A": "positive", "alpha": "positive"},
    ),
}


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train a grid of encoders and decoders, compare the laws on the largest, plan a split and train it."""
    torch.set_num_threads(1)
    widths = (6, 12, 24) if quick else (4, 8, 16, 32, 64)
    lanes, steps = (2, 300) if quick else (3, 1_000)
    task = _Task(seed)
    rows = []
    for encoder in widths:
        for decoder in widths:
            e, d = _counts(encoder, decoder)
            found = _losses(task, encoder, decoder, lanes, steps, seed)
            rows += [(e, d, lane, each) for lane, each in enumerate(found)]
    e, d, lane, loss = np.array(rows).T
    runs = Runs.from_columns(
        {"N_encoder": e, "N_decoder": d, "N": e + d, "seed": lane.astype(int), "loss": loss},
        source="encoders and decoders",
    )
    largest = HoldOut("N", "factor", 2)
    ranking = rank(runs, laws=list(LAWS.values()), hold_out=largest, windows=1, level=LEVEL, seed=seed)
    names = {law.name: name for name, law in LAWS.items()}
    error = {names[each.law.name]: each.scores.are for each in ranking.ranked}
    behind = {names[each.law.name]: each for each in ranking.ranked}
    best = min(error, key=lambda name: error[name].value)

    total = float(sum(_counts(widths[-2], widths[-2])))
    ensemble = bootstrap(fit(LAWS[best if best != "total" else "product"], runs), draws=200, seed=seed)
    words = PlanWords(over="N_encoder,N_decoder", subject_to=(f"N_encoder + N_decoder <= {total:g}",))
    problem = plan_problem(ensemble.estimate.law, words)
    planned = optimized_plan(ensemble, problem, level=LEVEL)
    share = planned.of("N_encoder").interval
    share = Interval(share.value / total, share.low / total, share.high / total, LEVEL)
    splits = {"planned": _widths(share.value, total), "equal": _widths(0.5, total)}
    splits |= {"mostly encoder": _widths(0.85, total), "mostly decoder": _widths(0.15, total)}
    trained = {name: np.array(_losses(task, *pair, 2 * lanes, steps, seed + 50)) for name, pair in splits.items()}
    gain = {name: mean_interval(trained[name] / trained["planned"] - 1) for name in splits if name != "planned"}

    ours, second = error["product"], behind["product"]
    beats_total = error["total"].value > 1.5 * min(ours.value, error["sum"].value)
    good = beats_total and (best == "product" or second.tied)
    verdict = "appears" if good else "appears in part" if beats_total else "does not appear"
    says = (
        f"On the {len(ranking.backtest.held.truth)} largest runs the mean relative error is "
        + ", ".join(f"{100 * error[name].value:.1f} % by the {name}" for name in LAWS)
        + f" (best: the {best}). The planned split gives the encoder {told(share)} of {total:,.0f} parameters; trained "
        + "; ".join(f"{name}, the loss is {100 * each.value:+.1f} % [{100 * each.low:+.1f}, {100 * each.high:+.1f}] off"
                    for name, each in gain.items())
        + " that of the planned split."
    )  # fmt: skip
    table = [
        [f"{a}", f"{b}", f"{n:,.0f}", f"{m:,.0f}", f"{loss[(e == n) & (d == m)].mean():.4f}"]
        for a in widths
        for b in widths
        for n, m in [_counts(a, b)]
    ]
    figure, (left, right) = panels(2)
    for number, a in enumerate(widths):
        here = e == _counts(a, a)[0]
        sizes = np.unique(d[here])
        left.plot(sizes, [loss[here & (d == s)].mean() for s in sizes], f"{MARKERS[number]}-", color=COLOURS[number],
                  ms=5, linewidth=1, label=f"encoder {_counts(a, a)[0]:,.0f}")  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="decoder parameters", ylabel="loss (nats/symbol)")
    plain_ticks(left, (200, 500, 1_000, 2_000))
    left.legend(frameon=False, fontsize=8)
    for number, (name, chosen) in enumerate(LAWS.items()):
        fitted = fit(chosen, runs).predict(runs)
        right.scatter(loss, fitted, s=12, color=COLOURS[number], marker=MARKERS[number], label=name)
    right.plot([loss.min(), loss.max()], [loss.min(), loss.max()], color=COLOURS[6], linewidth=0.8)
    right.set(xscale="log", yscale="log", xlabel="loss", ylabel="fitted")
    for axes, axis in ((left, "y"), (right, "x"), (right, "y")):
        plain_ticks(axes, (0.4, 0.6, 0.8, 1.0, 1.5, 2.0), axis=axis)
    right.legend(frameon=False, fontsize=9)
    numbers: dict[str, float | Interval] = {"error of the product": ours, "error of the sum": error["sum"]}
    numbers |= {"error of the total": error["total"], "share": share, **gain}
    return Outcome(verdict, says, ["encoder", "decoder", "N_e", "N_d", "loss"], table, figure, numbers)


class _Task:
    """Each symbol written depends on one of the source, in an order that its first sets, and on the last written."""

    def __init__(self, seed: int) -> None:
        draws = torch.Generator().manual_seed(7 + seed)
        self.held_out = stream(1, seed)
        self.table = torch.randint(0, SYMBOLS, (SYMBOLS, 3), generator=draws)

    def pairs(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs (count, source + length · asked) and the answers, (count, length)."""
        source = torch.randint(0, SYMBOLS, (count, LENGTH), generator=draws)
        turned = torch.where((source[:, :1] % 2 == 0), source.flip(1), source)
        last, written, seen = torch.zeros(count, dtype=torch.long), [], []
        for place in range(LENGTH):
            where = F.one_hot(torch.full((count,), place), LENGTH)
            seen.append(torch.cat((where, F.one_hot(last, SYMBOLS)), dim=1))
            last = self.table[turned[:, place], last % 3]
            written.append(last)
        inputs = torch.cat((F.one_hot(source, SYMBOLS).flatten(1), *seen), dim=1)
        return inputs.float(), torch.stack(written, dim=1)


def _forward(weights: Weights, inputs: Tensor) -> Tensor:
    """Logits, one row a symbol: the encoder's code joins what the decoder sees at each place."""
    encoder, decoder = weights[:4], weights[4:]
    code = torch.tanh(outputs(encoder, inputs[..., :SOURCE]))
    asked = inputs[..., SOURCE:].unflatten(-1, (LENGTH, ASKED))
    both = torch.cat((code[..., None, :].expand(*asked.shape[:-1], CODE), asked), dim=-1)
    return outputs(decoder, both.flatten(1, 2))


def _shapes(encoder: int, decoder: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return (SOURCE, encoder, CODE), (CODE + ASKED, decoder, SYMBOLS)


def _counts(encoder: int, decoder: int) -> tuple[float, float]:
    first, second = _shapes(encoder, decoder)
    return float(parameters(first)), float(parameters(second))


def _widths(share: float, total: float) -> tuple[int, int]:
    """Hidden units of both parts that come nearest to the share of the encoder in the total."""
    encoder = max(1, round((share * total - CODE) / (SOURCE + 1 + CODE)))
    return encoder, max(1, round((total - _counts(encoder, 1)[0] - SYMBOLS) / (CODE + ASKED + 1 + SYMBOLS)))


def _losses(task: _Task, encoder: int, decoder: int, lanes: int, steps: int, seed: int) -> list[float]:
    """Loss on fresh pairs of each lane."""
    name = 1_000_000 * seed + 1_000 * encoder + decoder
    draws = torch.Generator().manual_seed(name)
    first, second = _shapes(encoder, decoder)

    def batch(_: int) -> tuple[Tensor, Tensor]:
        inputs, answers = task.pairs(lanes * BATCH, draws)
        return inputs.unflatten(0, (lanes, BATCH)), answers.view(lanes, BATCH * LENGTH)

    begin = [*start(first, lanes, seed=name + 1), *start(second, lanes, seed=name + 2)]
    schedule = Schedule("cosine", final=0.0)
    weights = train(begin, batch, steps=steps, rates=[0.01] * lanes, schedule=schedule, forward=_forward)
    inputs, answers = task.pairs(4_000, torch.Generator().manual_seed(task.held_out))
    logits = _forward(weights, inputs.expand(lanes, *inputs.shape))
    wanted = answers.flatten().expand(lanes, -1)
    return F.cross_entropy(logits.transpose(1, 2), wanted, reduction="none").mean(dim=1).tolist()


if __name__ == "__main__":
    show(__doc__, "encoder_decoder", study)
