"""Recommendation: layered synthetic histories follow a power law of the tokens, and rank better than raw logs.

A study of 2026 at Meta (arXiv 2602.07298): language models that are trained further on principled synthetic data,
layer by layer (what items are, which go together, what users do), follow L_inf + A·D^(−alpha), where raw logs do not,
and recommend better (recall@100 is 130 % higher). Here items have clusters and users walk between clusters; raw logs
show popular items too often and hold accidental clicks. Networks read raw logs, synthetic histories, or a curriculum
that spends its first tokens on pairs of one cluster, and are asked for the next item of unbiased histories.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from _networks import outputs, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, show, told
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.validation.rank import rank
from isoflop.validation.shape_audit import shapes
from isoflop.validation.split import HoldOut

ITEMS, CLUSTERS, HIDDEN, BATCH = 200, 20, 32, 64
BIAS, CLICKS = 1.2, 0.3  # exponent of popularity, and the share of accidental clicks, in raw logs
FIRST = 0.25  # of the curriculum's tokens: pairs of items of one cluster
TOP = 10
LAW = law("recommendation")
KINDS = ("raw", "histories", "layered")


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train on each amount of each kind of data; recall and loss on unbiased histories, and the law of each."""
    torch.set_num_threads(1)
    steps = (15, 30, 60, 120) if quick else (32, 64, 128, 256, 512, 1_024, 2_048)
    lanes = 3 if quick else 5
    users = _Users(seed)
    found = {kind: np.array([_scores(users, kind, each, lanes, seed) for each in steps]) for kind in KINDS}
    tokens = np.array(steps) * BATCH
    entropy, ideal = users.entropy(), users.recall(users.next_item.log()[None])[0]
    rows = [
        [kind, f"{d:,}", *(told(mean_interval(found[kind][place, :, k])) for k in (0, 1))]
        for kind in KINDS
        for place, d in enumerate(tokens)
    ]
    ensembles, errors, forms = {}, {}, {}
    for kind in KINDS:
        runs = Runs.from_columns(
            {"D": np.repeat(tokens, lanes).astype(float), "loss": found[kind][..., 0].ravel(),
             "seed": np.tile(np.arange(lanes), len(tokens))}, source=kind,
        )  # fmt: skip
        ensembles[kind] = bootstrap(fit(LAW, runs, objective=squares()), draws=300)
        forms[kind] = shapes(runs, ("loss",), x="D", better="lower").of("loss")[0].shape
        held = rank(runs, laws=[LAW], hold_out=HoldOut("D", "largest", 1), windows=1, level=LEVEL, seed=seed)
        errors[kind] = held.ranked[0].scores.are
    alphas = {kind: each.interval("alpha", level=LEVEL) for kind, each in ensembles.items()}
    floors = {kind: each.interval("L_inf", level=LEVEL) for kind, each in ensembles.items()}
    recall = {kind: mean_interval(found[kind][-1, :, 1]) for kind in KINDS}
    ahead = {kind: mean_interval(100 * (found[kind][-1, :, 1] / found["raw"][-1, :, 1] - 1)) for kind in KINDS[1:]}
    curriculum = mean_interval(100 * (found["layered"][-1, :, 1] / found["histories"][-1, :, 1] - 1))
    early = mean_interval(100 * (found["layered"][1, :, 1] / found["histories"][1, :, 1] - 1))

    better = all(each.low > 0 for each in ahead.values())
    lawful = forms["histories"].startswith("falling") and not forms["raw"].startswith("falling")
    layers = curriculum.low > 0 or early.low > 0
    verdict = (
        "appears" if better and lawful and layers else "appears in part" if better else "does not appear"
    )  # fmt: skip
    says = (
        f"With {tokens[-1]:,} tokens recall@{TOP} is {told(recall['raw'])} after raw logs; histories raise it by "
        f"{told(ahead['histories'])} %, the curriculum by {told(ahead['layered'])} % (the ideal is {ideal:.2f}). "
        f"Against histories alone the curriculum changes it by {told(early)} % at {tokens[1]:,} tokens and "
        f"{told(curriculum)} % at {tokens[-1]:,}. Along the tokens the loss on unbiased histories is "
        + ", ".join(f"{forms[kind]} ({kind})" for kind in KINDS)
        + ". The law's exponent is "
        + ", ".join(f"{told(alphas[kind])} ({kind})" for kind in KINDS)
        + f", its floor {told(floors['raw'])} for raw logs and {told(floors['histories'])} for histories, where the "
        f"entropy is {entropy:.3f}; fitted without the largest amount it misses that by "
        + ", ".join(f"{100 * errors[kind].value:.1f} % ({kind})" for kind in KINDS)
        + "."
    )
    figure, (left, right) = panels(2)
    span = np.geomspace(tokens[0], tokens[-1], 60)
    for number, kind in enumerate(KINDS):
        for axes, k in ((left, 0), (right, 1)):
            ends = [mean_interval(each) for each in found[kind][..., k]]
            bars = np.array([[e.value - e.low, e.high - e.value] for e in ends]).T
            axes.errorbar(tokens, [e.value for e in ends], yerr=bars, fmt=MARKERS[number] + ("-" if k else ""), ms=5,
                          color=COLOURS[number], linewidth=1, capsize=3, label=kind)  # fmt: skip
        left.plot(span, ensembles[kind].estimate.predict({"D": span}), color=COLOURS[number], linewidth=1)
    left.axhline(entropy, color=COLOURS[6], linestyle=":", linewidth=1, label="entropy")
    right.axhline(ideal, color=COLOURS[6], linestyle=":", linewidth=1, label="ideal")
    left.set(xscale="log", xlabel="tokens D", ylabel="loss on unbiased histories (nats/item)")
    right.set(xscale="log", xlabel="tokens D", ylabel=f"recall@{TOP}")
    left.legend(frameon=False, fontsize=8)
    numbers: dict[str, float | Interval] = {"histories above raw, %": ahead["histories"]}
    numbers |= {"layered above raw, %": ahead["layered"], "curriculum above histories, %": curriculum, "early": early}
    numbers |= {f"alpha, {kind}": each for kind, each in alphas.items()}
    numbers |= {f"held out, {kind}": each for kind, each in errors.items()}
    return Outcome(
        verdict, says, ["data", "tokens", "loss, 90 %", f"recall@{TOP}, 90 %"], rows, figure, numbers
    )  # fmt: skip


class _Users:
    """Users go from a cluster to one of a few others, and there to an item by its appeal."""

    def __init__(self, seed: int) -> None:
        draws = torch.Generator().manual_seed(60 + seed)
        cluster = torch.arange(ITEMS) % CLUSTERS
        between = F.softmax(2.2 * torch.randn(CLUSTERS, CLUSTERS, generator=draws), dim=1)
        appeal = torch.rand(ITEMS, generator=draws) + 0.2
        within = F.one_hot(cluster, CLUSTERS).T * appeal
        within = within / within.sum(dim=1, keepdim=True)
        self.next_item = (between @ within)[cluster].clamp(min=1e-9)  # (items, items)
        self.next_item = self.next_item / self.next_item.sum(dim=1, keepdim=True)
        same = (cluster[:, None] == cluster).float()
        self.alike = same / same.sum(dim=1, keepdim=True)
        shown = torch.arange(1, ITEMS + 1, dtype=torch.float32)[torch.randperm(ITEMS, generator=draws)] ** -BIAS
        biased = self.next_item * shown
        self.logged = biased / biased.sum(dim=1, keepdim=True)
        self.popular = shown / shown.sum()

    def raw(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pairs of successive items of logs: popular ones, of which some were clicked by accident."""
        now = torch.multinomial(self.popular, count, replacement=True, generator=draws)
        wanted = torch.multinomial(self.logged[now], 1, generator=draws)[:, 0]
        slips = torch.multinomial(self.popular, count, replacement=True, generator=draws)
        return now, torch.where(torch.rand(count, generator=draws) < CLICKS, slips, wanted)

    def histories(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pairs of successive items of synthetic histories, which begin at any item."""
        now = torch.randint(0, ITEMS, (count,), generator=draws)
        return now, torch.multinomial(self.next_item[now], 1, generator=draws)[:, 0]

    def pairs(self, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
        """Items of one cluster, what a catalog's descriptions tell."""
        now = torch.randint(0, ITEMS, (count,), generator=draws)
        return now, torch.multinomial(self.alike[now], 1, generator=draws)[:, 0]

    def entropy(self) -> float:
        """Of the next item of an unbiased history."""
        return float(-(self.next_item * self.next_item.log()).sum(dim=1).mean())

    def loss(self, log_p: Tensor) -> np.ndarray:
        """Cross-entropy of each lane's (lanes, items, items) against the users' own choices."""
        return -(self.next_item * log_p).sum(dim=2).mean(dim=1).double().numpy()

    def recall(self, log_p: Tensor) -> np.ndarray:
        """How often the next item is among the likeliest ten of each lane."""
        best = log_p.topk(TOP, dim=2).indices
        return self.next_item.expand(len(log_p), -1, -1).gather(2, best).sum(dim=2).mean(dim=1).double().numpy()


def _scores(users: _Users, kind: str, steps: int, lanes: int, seed: int) -> list[tuple[float, float]]:
    """Loss and recall of each lane."""
    draws = torch.Generator().manual_seed(1_000_000 * seed + 10 * steps + KINDS.index(kind))
    layers: dict[str, Callable[[int], Callable[[int, torch.Generator], tuple[Tensor, Tensor]]]] = {
        "raw": lambda step: users.raw,
        "histories": lambda step: users.histories,
        "layered": lambda step: users.pairs if step <= FIRST * steps else users.histories,
    }

    def batch(step: int) -> tuple[Tensor, Tensor]:
        now, wanted = layers[kind](step)(lanes * BATCH, draws)
        return F.one_hot(now, ITEMS).float().unflatten(0, (lanes, BATCH)), wanted.view(lanes, BATCH)

    begin = start((ITEMS, HIDDEN, ITEMS), lanes, seed=1_000 * seed + steps)
    weights = train(begin, batch, steps=steps, rates=[0.02] * lanes, schedule=Schedule("cosine", final=0.0))
    log_p = F.log_softmax(outputs(weights, torch.eye(ITEMS)), dim=-1)
    return list(zip(users.loss(log_p).tolist(), users.recall(log_p).tolist(), strict=True))


if __name__ == "__main__":
    show(__doc__, "recommendation", study)
