"""Knowledge capacity, quantised and sparse: eight bits lose nothing, four lose much, experts store less a parameter.

Allen-Zhu and Li 2024 (arXiv 2404.05405): after 1,000 exposures transformers store 2 bits a parameter; rounded to int8
the same, to int4 less than half (0.7); with 32 experts 1.3 times less for all their parameters. Here the networks of
:mod:`capacity`, which memorize random labels of random keys, are rounded after training, column by column, and are held
against networks of as many parameters in eight experts, of which a learned gate lets each key see one.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _networks import Weights, losses, outputs, parameters, start, train
from _scaffold import COLOURS, MARKERS, Outcome, mean_interval, panels, show, told
from capacity import CLASSES, KEY_BITS, RATE
from quantised_bits import rounded
from torch import Tensor

from isoflop import Interval
from isoflop.lab.schedules import Schedule

FULL = 32  # bits of a weight as trained
EXPERTS = 8
BALANCE = 0.05  # weight of what keeps the experts equally busy (Fedus et al. 2021)
BITS = float(np.log2(CLASSES))


def study(quick: bool, seed: int = 0) -> Outcome:
    """Memorize at several loads, dense and with experts; the most bits that are stored at each precision."""
    torch.set_num_threads(1)
    hidden = (8,) if quick else (16, 32)
    loads = (1.5, 2.0, 2.5) if quick else (0.75, 1.0, 1.5, 2.0, 2.5, 3.0)  # bits there to store, a parameter
    precisions = (8, 4) if quick else (8, 6, 5, 4, 3)
    steps, lanes = (400, 3) if quick else (2_500, 4)
    tried = loads[1:] if quick else loads[1:5]  # with experts
    rows, whole, ratios = [], {}, {}
    for units in hidden:
        sizes = (KEY_BITS, units, CLASSES)
        count = parameters(sizes)
        trained = {load: _dense(sizes, load, steps, lanes, seed) for load in loads}
        stored = {
            bits: np.array([_stored(weights if bits == FULL else rounded(weights, bits), x, y)
                            for weights, x, y in trained.values()]) / count
            for bits in (FULL, *precisions)
        }  # fmt: skip
        best = {bits: each.max(axis=0) for bits, each in stored.items()}  # (lanes,)
        whole[units] = stored
        ratios[units] = {bits: mean_interval(best[bits] / best[FULL]) for bits in precisions}
        rows += [
            [f"{count:,}", f"{bits} bits", told(mean_interval(best[bits])), told(mean_interval(best[bits] / bits))]
            for bits in stored
        ]
    last = hidden[-1]
    count = parameters((KEY_BITS, last, CLASSES))
    units = max(2, round((count / EXPERTS - KEY_BITS - CLASSES) / (KEY_BITS + 1 + CLASSES)))
    total, kept = _sparse(units, tried, steps, lanes, seed)
    rows.append([f"{total:,}", f"{EXPERTS} experts", told(mean_interval(kept.max(axis=0) / total)), ""])
    sparse = mean_interval(kept.max(axis=0) / total / whole[last][FULL].max(axis=0))
    same = ratios[last][8].low > 0.95
    less = ratios[last][4].high < 0.5
    worse = sparse.high < 1
    held = [same, less, worse]
    verdict = "appears" if all(held) else "appears in part" if any(held) else "does not appear"
    dense_bits = {bits: (each.max(axis=0) / bits).mean() for bits, each in whole[last].items()}
    thrifty = max(dense_bits, key=dense_bits.__getitem__)
    says = (
        f"Of the bits that {count:,} parameters store, "
        + ", ".join(f"{bits} bits a weight keep {told(each)}" for bits, each in ratios[last].items())
        + f" (1 is all, 0.35 published for int4). {EXPERTS} experts of as many parameters store {told(sparse)} "
        "times as much a parameter (0.77 published for 32 experts). A bit of memory holds most knowledge with "
        f"{thrifty} bits a weight: {dense_bits[thrifty]:.3f} bits."
    )
    figure, (axes,) = panels(1)
    for number, (bits, each) in enumerate(whole[last].items()):
        axes.plot(loads, each.mean(axis=1), f"{MARKERS[number]}-", color=COLOURS[number], ms=5, linewidth=1,
                  label=f"{bits} bits")  # fmt: skip
    axes.plot(tried, kept.mean(axis=1) / total, "*--", color="#777777", ms=8, linewidth=1, label=f"{EXPERTS} experts")
    axes.plot([0, loads[-1]], [0, loads[-1]], color="black", linestyle=":", linewidth=1, label="all that there is")
    axes.set(xlabel="bits to store, per parameter", ylabel="bits stored, per parameter", ylim=(0, 2.6))
    axes.set(xlim=(0.6, loads[-1] + 0.1))
    axes.legend(frameon=False, fontsize=8, ncols=2)
    numbers: dict[str, float | Interval] = {f"kept at {bits} bits": each for bits, each in ratios[last].items()}
    numbers |= {"experts": sparse, "dense": mean_interval(whole[last][FULL].max(axis=0))}
    return Outcome(
        verdict, says, ["parameters", "weights", "bits stored a parameter, 90 %", "a bit of memory"], rows, figure,
        numbers,
    )  # fmt: skip


def _keys(count: float, load: float, lanes: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random keys of ±1 and their random labels, (lanes, keys)."""
    keys = round(load * count / BITS)
    draws = torch.Generator().manual_seed(1_000_000 * seed + keys)
    x = torch.randint(0, 2, (lanes, keys, KEY_BITS), generator=draws).float().mul_(2).sub_(1)
    return x, torch.randint(0, CLASSES, (lanes, keys), generator=draws)


def _stored(weights: Weights, x: Tensor, y: Tensor) -> np.ndarray:
    """Bits of each lane, N·(4 − loss/ln 2); none where the loss is above guessing."""
    nats = losses(outputs(weights, x), y).double().numpy()
    return y.shape[1] * np.maximum(0, BITS - nats / np.log(2))


def _dense(
    sizes: tuple[int, ...], load: float, steps: int, lanes: int, seed: int
) -> tuple[Weights, Tensor, Tensor]:  # fmt: skip
    x, y = _keys(parameters(sizes), load, lanes, seed)
    weights = train(
        start(sizes, lanes, seed=1_000 * seed + sizes[1]), lambda step: (x, y), steps=steps, rates=[RATE] * lanes,
        schedule=Schedule("cosine", warmup=0.0, final=0.0),
    )  # fmt: skip
    return weights, x, y


def _sparse(units: int, loads: tuple[float, ...], steps: int, lanes: int, seed: int) -> tuple[int, np.ndarray]:
    """Parameters of the experts and their gate, and the bits stored, (loads, lanes)."""
    one = start((KEY_BITS, units, CLASSES), lanes * EXPERTS, seed=1_000 * seed + units + 7)
    gate = start((KEY_BITS, EXPERTS), lanes, seed=1_000 * seed + units + 8)
    begin = [*gate, *(each.unflatten(0, (lanes, EXPERTS)).flatten(1, 2) for each in one)]
    total = sum(each[0].numel() for each in begin)
    found = []
    for load in loads:
        x, y = _keys(total, load, lanes, seed)
        weights = train(
            begin, lambda step, x=x, y=y: (x, y), steps=steps, rates=[RATE] * lanes,
            schedule=Schedule("cosine", warmup=0.0, final=0.0), forward=mixed, loss=_balanced,
        )  # fmt: skip
        nats = losses(mixed(weights, x)[..., :CLASSES], y).double().numpy()
        found.append(y.shape[1] * np.maximum(0, BITS - nats / np.log(2)))
    return total, np.array(found)


def mixed(weights: Weights, inputs: Tensor) -> Tensor:
    """Logits of the expert that the gate likes best, times the gate's share for it; then the shares of all."""
    shares = torch.softmax(outputs(weights[:2], inputs), dim=-1)  # (lanes, keys, experts)
    lanes = len(shares)
    each = [part.unflatten(1, (EXPERTS, -1)).flatten(0, 1) for part in weights[2:]]
    every = outputs(each, inputs.repeat_interleave(EXPERTS, dim=0)).unflatten(0, (lanes, EXPERTS)).transpose(1, 2)
    first = shares.argmax(dim=-1)
    logits = every.gather(2, first[..., None, None].expand(-1, -1, 1, CLASSES))[:, :, 0]
    return torch.cat((logits * shares.gather(2, first[..., None]), shares), dim=-1)


def _balanced(out: Tensor, wanted: Tensor) -> Tensor:
    """Each lane's loss with that of Switch transformers: experts · Σ share of keys · mean share of the gate."""
    shares = out[..., CLASSES:]
    busy = F.one_hot(shares.argmax(dim=-1), EXPERTS).float().mean(dim=1)
    return losses(out[..., :CLASSES], wanted) + BALANCE * EXPERTS * (busy * shares.mean(dim=1)).sum(dim=-1)


if __name__ == "__main__":
    show(__doc__, "capacity_rows", study)
