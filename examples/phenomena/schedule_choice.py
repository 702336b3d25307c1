"""Schedules: a law of curves chooses the learning-rate schedule, which is then trained beside cosine and the rest.

Luo et al. 2025 (arXiv 2503.12811) and Tissue et al. 2024 (arXiv 2408.11029): laws of whole curves under any schedule,
fitted to two schedules, choose one that falls late and ends lower than cosine. Here transformers of bytes of Python's
standard library are trained at a constant rate and with cosine; the multi-power law and the annealing law each choose
where the rate begins to fall and along which power of the time left, and both choices are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import _attention
import numpy as np
import torch
import torch.nn.functional as F
from _networks import Weights, train
from _scaffold import COLOURS, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Fit, Interval, Runs, fit, huber, law
from isoflop.lab.tasks import python_text

CONTEXT, WIDTH, VOCABULARY, WINDOWS = 32, 24, 128, 8
PEAK, WARMUP = 0.01, 0.05
LAWS = ("multi-power", "annealing")
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95)  # of the steps in which the rate falls
POWERS = (0.5, 1.0, 1.5, 2.0, 3.0)
COSINE, CONSTANT = "cosine", "constant"


@dataclass(frozen=True)
class Fall:
    """1 until the last ``share`` of the steps, then (time left)^power down to zero; or half a cosine, or never.

    All begin with a linear warm-up.
    """

    share: float = 0.0
    power: float = 1.0
    kind: str = "fall"

    def rates(self, steps: int) -> np.ndarray:
        """The factor on the peak rate at each step."""
        step = np.arange(1, steps + 1)
        warm = WARMUP * steps
        rise = np.minimum(1, step / warm)
        if self.kind == CONSTANT:
            return rise
        if self.kind == COSINE:
            return rise * (1 + np.cos(np.pi * np.clip((step - warm) / (steps - warm), 0, 1))) / 2
        return rise * np.clip((steps - step + 1) / (self.share * steps), 0, 1) ** self.power

    @property
    def told(self) -> str:
        """In words."""
        return self.kind if self.kind != "fall" else f"last {100 * self.share:g} %, power {self.power:g}"


@dataclass(frozen=True)
class _Lanes:
    """Schedules of lanes that are trained side by side."""

    factors: Tensor  # (steps, lanes)

    def factor(self, step: int, steps: int) -> Tensor:
        return self.factors[step]


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train two schedules, let each law choose a third, and train the choices beside a grid of others."""
    torch.set_num_threads(1)
    steps, lanes, points = (100, 2, 14) if quick else (1_000, 3, 30)
    shares = SHARES[1::4] if quick else SHARES[1::2]
    known = [Fall(kind=CONSTANT), Fall(kind=COSINE)]
    at, curves = _trained(known, steps, lanes, points, seed)  # (points, schedules, lanes)
    seen = _runs(known, steps, at, curves)
    fits = {name: fit(law(name), seen, objective=huber()) for name in LAWS}
    offered = [Fall(share, power) for share in SHARES for power in POWERS]
    foretold = {name: _last(each, offered, steps, at) for name, each in fits.items()}
    chosen = {name: offered[int(np.argmin(each))] for name, each in foretold.items()}

    grid = [Fall(share) for share in shares]
    every = list(dict.fromkeys((*known, *grid, *chosen.values())))
    _, ended = _trained(every, steps, lanes, 1, seed)
    last = dict(zip(every, ended[-1], strict=True))  # each (lanes,), of the same beginnings and batches
    cosine = last[known[1]]
    best = min((each for each in every if each.kind == "fall"), key=lambda each: last[each].mean())
    gain = {name: mean_interval(cosine - last[each]) for name, each in chosen.items()}
    behind = {name: mean_interval(last[each] - last[best]) for name, each in chosen.items()}
    error = {
        name: mean_interval(foretold[name][offered.index(each)] - last[each]) for name, each in chosen.items()
    }  # fmt: skip
    by_share = {name: _last(each, grid, steps, at) for name, each in fits.items()}
    order = {name: _rank_correlation(each, [last[one].mean() for one in grid]) for name, each in by_share.items()}

    wins = [gain[name].low > 0 for name in LAWS]
    losses = [gain[name].high < 0 for name in LAWS]
    verdict = (
        "appears" if wins[0] else "appears in part" if any(wins) or not losses[0] else "does not appear"
    )  # fmt: skip
    says = (
        "; ".join(
            f"the {name} law chooses a fall over the {chosen[name].told}, which ends {told(gain[name])} nats below "
            f"cosine and {told(behind[name])} above the best of {len(every) - 2} that were trained, where it was "
            f"forecast {told(error[name])} too high"
            for name in LAWS
        )
        + f". The best is a fall over the {best.told}. Over the shares at power 1 the order of the forecasts agrees "
        f"with the trained one by {order[LAWS[0]]:.2f} and {order[LAWS[1]]:.2f} (Spearman)."
    )
    says = says[0].upper() + says[1:]
    rows = [
        [
            each.told,
            told(mean_interval(last[each])),
            told(mean_interval(cosine - last[each])) if each != known[1] else "",
            *(f"{_last(fits[name], [each], steps, at)[0]:.4f}" for name in LAWS),
            ", ".join(name for name in LAWS if chosen[name] == each),
        ]
        for each in sorted(every, key=lambda each: -last[each].mean())
    ]
    figure, (left, right) = panels(2)
    for number, each in enumerate((*known, *dict.fromkeys(chosen.values()))):
        names = [name for name in LAWS if chosen[name] == each]
        label = each.told if each in known else f"{each.told} ({' and '.join(names)})"
        left.plot(np.arange(1, steps + 1), each.rates(steps), color=COLOURS[number], label=label)
    left.set(xlabel="optimizer steps", ylabel="learning rate (share of the peak)", ylim=(0, 1.35))
    left.legend(frameon=False, fontsize=8, loc="upper left")
    ends = [mean_interval(last[each]) for each in grid]
    bars = np.array([[e.value - e.low, e.high - e.value] for e in ends]).T
    right.errorbar(shares, [e.value for e in ends], yerr=bars, fmt=MARKERS[0], color=COLOURS[6], capsize=3, ms=5,
                   label="trained")  # fmt: skip
    for number, name in enumerate(LAWS):
        right.plot(shares, by_share[name], color=COLOURS[number + 2], linewidth=1, label=f"{name} law")
    right.axhline(cosine.mean(), color=COLOURS[1], linestyle=":", linewidth=1, label="cosine, trained")
    right.set(xscale="log", xlabel="share of the steps in which the rate falls", ylabel="last loss (nats/byte)")
    plain_ticks(right, (0.05, 0.1, 0.2, 0.4, 0.7))
    right.legend(frameon=False, fontsize=8)
    numbers: dict[str, float | Interval] = {f"gain over cosine, {LAWS[0]}": gain[LAWS[0]]}
    numbers |= {f"gain over cosine, {LAWS[1]}": gain[LAWS[1]]}
    numbers |= {f"behind the best, {name}": each for name, each in behind.items()}
    numbers |= {f"error, {name}": each for name, each in error.items()}
    numbers |= {f"order, {name}": each for name, each in order.items()}
    numbers["decay over constant"] = mean_interval(last[known[0]] - last[best])
    return Outcome(verdict, says, ["schedule", "last loss, 90 %", "below cosine", *LAWS, "chosen by"], rows, figure,
                   numbers)  # fmt: skip


def _trained(
    schedules: Sequence[Fall], steps: int, lanes: int, points: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and held-out losses (points, schedules, lanes); a lane begins alike and reads alike in all schedules."""
    text = python_text(context=CONTEXT, vocabulary=VOCABULARY)
    training, held = (torch.from_numpy(each.copy()).long() for each in (text.training, text.held))
    draws = torch.Generator().manual_seed(1_000 + seed)
    count = len(schedules)
    one = _attention.start(VOCABULARY, WIDTH, VOCABULARY, places=CONTEXT, layers=1, lanes=lanes, seed=seed)
    begin = [each.repeat(count, 1, 1) for each in one]
    forward = partial(_attention.outputs, causal=True)
    asked = _windows(held, torch.arange(0, len(held) - CONTEXT - 1, (len(held) - CONTEXT - 1) // 400))
    at = np.unique(np.geomspace(0.08 * steps, steps, points).round().astype(int)) if points > 1 else np.array([steps])
    found = []

    def batch(_: int) -> tuple[Tensor, Tensor]:
        places = torch.randint(0, len(training) - CONTEXT - 1, (lanes * WINDOWS,), generator=draws)
        inputs, wanted = _windows(training, places)
        return (
            F.one_hot(inputs, VOCABULARY).float().unflatten(0, (lanes, WINDOWS)).repeat(count, 1, 1, 1),
            wanted.unflatten(0, (lanes, WINDOWS)).repeat(count, 1, 1),
        )

    def watch(step: int, weights: Weights) -> bool:
        if step in at:
            out = forward(weights, F.one_hot(asked[0], VOCABULARY).float())
            found.append(_nats(out, asked[1].expand(count * lanes, -1, -1)).view(count, lanes).numpy())
        return False

    factors = torch.tensor(np.repeat([each.rates(steps) for each in schedules], lanes, axis=0).T, dtype=torch.float32)
    train(
        begin, batch, steps=steps, rates=[PEAK] * (count * lanes), schedule=_Lanes(factors), forward=forward,
        loss=_nats, watch=watch,
    )  # fmt: skip
    return at, np.array(found)


def _windows(text: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    each = text[places[:, None] + torch.arange(CONTEXT + 1)]
    return each[:, :-1], each[:, 1:]


def _nats(out: Tensor, wanted: Tensor) -> Tensor:
    each = F.cross_entropy(out.flatten(0, 2), wanted.flatten(), reduction="none")
    return each.view(len(out), -1).mean(dim=1)


def _runs(schedules: Sequence[Fall], steps: int, at: np.ndarray, curves: np.ndarray) -> Runs:
    """The curves as a table of run, step, lr and loss; the mean over lanes, which laws of one curve cannot tell."""
    rates = [PEAK * each.rates(steps)[at - 1] for each in schedules]
    return Runs.from_columns(
        {
            "run": [each.told for each in schedules for _ in at],
            "step": np.tile(at, len(schedules)).astype(float),
            "lr": np.concatenate(rates),
            "loss": curves.mean(axis=2).T.ravel(),
        },
        source="curves of two schedules",
        units={"loss": "nats/byte"},
    )


def _last(fitted: Fit, schedules: Sequence[Fall], steps: int, at: np.ndarray) -> np.ndarray:
    """The last loss of each schedule by the law, its rates told at enough steps for every fall."""
    late = np.unique(np.concatenate([at, steps - np.arange(0, steps // 10, max(1, steps // 150)), [steps]]))
    late = np.unique(np.concatenate([late, np.linspace(at[0], steps, 60).round().astype(int)]))
    found = []
    for each in schedules:
        rates = PEAK * each.rates(steps)[late - 1]
        runs = Runs.from_columns({"run": ["one"] * len(late), "step": late.astype(float), "lr": rates})
        found.append(float(fitted.predict(runs)[-1]))
    return np.array(found)


def _rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    ranks = [np.argsort(np.argsort(each)) for each in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


if __name__ == "__main__":
    show(__doc__, "schedule_choice", study)
