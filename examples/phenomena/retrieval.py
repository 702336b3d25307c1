"""Retrieval: a growing datastore lowers the loss at every size of model, and is cheaper than parameters.

Shao et al. 2024 (arXiv 2407.12854): language models that retrieve from up to 1.4e12 tokens gain steadily with the
datastore, without saturation, and a small model with one beats a large one without. Here MLP language models of bytes
of Python's standard library are mixed with the next bytes of the nearest neighbors (kNN-LM) in a store of up to 1 MB,
by the hidden layer of a model of their own, the retriever.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, show, told
from torch import Tensor

from isoflop import Interval, Runs, bootstrap, fit, law
from isoflop.lab.tasks import python_text
from isoflop.planning import PlanWords, optimized_plan, plan_problem
from isoflop.validation.rank import rank
from isoflop.validation.shape_audit import shapes
from isoflop.validation.split import HoldOut

WINDOW, EMBEDDED, VOCABULARY = 8, 12, 128
RETRIEVER = 48  # hidden units
BATCH, NEIGHBORS = 512, 32
BOTH = law("E + A/N^alpha + B/D_store^beta", inputs=("D_store",))


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train models of several widths and a retriever, and mix in neighbors from nested stores."""
    torch.set_num_threads(1)
    widths = (8, 48) if quick else (6, 16, 40, 96)
    stores = tuple((1_024 if quick else 4_096) * 4**k for k in range(4 if quick else 5))
    repetitions, steps = (2, 250) if quick else (3, 1_500)
    text = python_text(vocabulary=VOCABULARY)
    training, held = (torch.from_numpy(each.copy()).long() for each in (text.training, text.held))
    rows = []
    places = torch.randint(
        WINDOW, len(held), (800 if quick else 3_000,), generator=torch.Generator().manual_seed(seed + 7)
    )
    for lane in range(repetitions):
        draws = torch.Generator().manual_seed(100 * seed + lane)
        read, kept = (
            training[: len(training) // 2],
            training[len(training) // 2 :],
        )  # no store holds what was trained on
        retriever = _trained(read, RETRIEVER, steps, draws)
        asked, wanted = _windows(held, places)
        found = _neighbors(retriever, kept, asked, wanted, stores, draws)
        for width in widths:
            model = _trained(read, width, steps, draws)
            own = model.log_p(asked).gather(1, wanted[:, None])[:, 0].exp()
            half = len(wanted) // 2  # the mixture is chosen on one half and measured on the other
            rows.append((model.size, 0, lane, float(-own[half:].log().mean())))
            rows += [(model.size, store, lane, _mixed(own, nearest, half)) for store, nearest in found.items()]
    size, store, lane, loss = np.array(rows).T
    runs = Runs.from_columns(
        {"N": size, "D_store": store, "seed": lane.astype(int), "loss": loss}, source="models with a datastore",
        units={"loss": text.unit},
    ).take(store > 0)  # fmt: skip
    sizes = np.unique(size)
    audits = {n: shapes(runs.take(runs["N"] == n), ("loss",), x="D_store", better="lower").of("loss")[0] for n in sizes}
    gain = {
        n: mean_interval(loss[(size == n) & (store == 0)] - loss[(size == n) & (store == stores[-1])]) for n in sizes
    }
    ranking = rank(
        runs.take(runs["N"] == sizes[-1]), laws=[law("retrieval"), law("retrieval-log")],
        hold_out=HoldOut("D_store", "largest", 1), windows=1, level=LEVEL, seed=seed,
    )  # fmt: skip
    error = {each.law.name: each.scores.are for each in ranking.ranked}
    small, large = (loss[(size == sizes[0]) & (store == stores[-1])], loss[(size == sizes[-1]) & (store == 0)])
    ahead = mean_interval(large - small)

    ensemble = bootstrap(fit(BOTH, runs), draws=200, seed=seed)
    tokens, retriever_size = float(steps * BATCH), float(_Model(RETRIEVER, torch.Generator()).size)
    budget = 6 * sizes[-1] * tokens
    words = PlanWords(cost="datastore", budget=budget, at={"D": tokens, "N_retriever": retriever_size})
    planned = optimized_plan(ensemble, plan_problem(ensemble.estimate.law, words), level=LEVEL)
    share = 2 * retriever_size * planned.of("D_store").interval.value / budget

    falls = [audits[n].shape == "falling" for n in sizes]
    verdict = (
        "appears" if all(falls) and ahead.low > 0
        else "appears in part" if any(falls) or ahead.low > 0
        else "does not appear"
    )  # fmt: skip
    parts = "; ".join(
        f"at {n:,.0f} parameters a store of {stores[-1]:,} bytes gains {told(gain[n])} nats and the loss is "
        f"{audits[n].shape} along the store ({audits[n].end or 'no end tested'})"
        for n in sizes
    )
    says = (
        f"{parts[0].upper()}{parts[1:]}. The smallest model with the largest store is {told(ahead)} nats below the "
        "largest without one. At the largest store the law with a floor errs by "
        f"{100 * error['retrieval'].value:.1f} %, the logarithm by {100 * error['retrieval-log'].value:.1f} %. "
        "For the training cost of the largest model the "
        f"law plans {told(planned.of('N').interval)} parameters and a store of {told(planned.of('D_store').interval)} "
        f"bytes, embedding which takes {100 * share:.0f} % of the FLOPs."
    )
    table = [
        [f"{n:,.0f}", f"{s:,.0f}", told(mean_interval(loss[(size == n) & (store == s)]))]
        for n in sizes
        for s in (0, *stores)
    ]
    figure, (axes,) = panels(1)
    for number, n in enumerate(sizes):
        mean = [loss[(size == n) & (store == s)].mean() for s in stores]
        axes.plot(stores, mean, f"{MARKERS[number]}-", color=COLOURS[number], ms=5, linewidth=1, label=f"{n:,.0f}")
        axes.axhline(loss[(size == n) & (store == 0)].mean(), color=COLOURS[number], linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="bytes in the datastore", ylabel="held-out loss (nats/byte)")
    axes.legend(frameon=False, fontsize=8, title="parameters; dotted: no store", title_fontsize=8)
    numbers: dict[str, float | Interval] = {"small with store below large": ahead}
    numbers |= {f"gain at {n:,.0f}": each for n, each in gain.items()}
    numbers |= {"planned N": planned.of("N").interval, "planned store": planned.of("D_store").interval}
    return Outcome(verdict, says, ["N", "store", "loss, 90 %"], table, figure, numbers)


class _Model:
    """An MLP from the last bytes to the next: one table of embeddings, one hidden layer."""

    def __init__(self, width: int, draws: torch.Generator) -> None:
        shapes = ((VOCABULARY, EMBEDDED), (WINDOW * EMBEDDED, width), (width,), (width, VOCABULARY), (VOCABULARY,))
        spread = (1.0, (WINDOW * EMBEDDED) ** -0.5, 0.0, width**-0.5, 0.0)
        self.weights = [
            (scale * torch.randn(shape, generator=draws)).requires_grad_()
            for shape, scale in zip(shapes, spread, strict=True)
        ]
        self.size = sum(each.numel() for each in self.weights)

    def hidden(self, windows: Tensor) -> Tensor:
        """The hidden layer, which stands for a window in the store."""
        embedded, inner, bias, _, _ = self.weights
        return F.gelu(embedded[windows].flatten(1) @ inner + bias)

    def log_p(self, windows: Tensor) -> Tensor:
        """Log-probabilities of the next byte."""
        return F.log_softmax(self.hidden(windows) @ self.weights[3] + self.weights[4], dim=-1)


def _windows(text: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    return text[places[:, None] + torch.arange(-WINDOW, 0)], text[places]


def _trained(text: Tensor, width: int, steps: int, draws: torch.Generator) -> _Model:
    model = _Model(width, draws)
    optimizer = torch.optim.Adam(model.weights, lr=0.005, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        windows, wanted = _windows(text, torch.randint(WINDOW, len(text), (BATCH,), generator=draws))
        optimizer.zero_grad(set_to_none=True)
        F.nll_loss(model.log_p(windows), wanted).backward()
        optimizer.step()
        schedule.step()
    for each in model.weights:
        each.requires_grad_(False)
    return model


def _neighbors(
    retriever: _Model, text: Tensor, asked: Tensor, wanted: Tensor, stores: tuple[int, ...], draws: torch.Generator
) -> dict[int, tuple[Tensor, Tensor]]:
    """For each nested store the squared distances of the nearest windows, and whether their next byte is right."""
    queries = retriever.hidden(asked)
    order = torch.randperm(len(text) - WINDOW, generator=draws)[: stores[-1]] + WINDOW
    best = torch.full((len(asked), NEIGHBORS), torch.inf)
    right = torch.zeros(len(asked), NEIGHBORS, dtype=torch.bool)
    found, done = {}, 0
    for store in stores:
        for first in range(done, store, 16_384):
            windows, follow = _windows(text, order[first : min(first + 16_384, store)])
            keys = retriever.hidden(windows)
            apart = (queries**2).sum(1)[:, None] - 2 * queries @ keys.T + (keys**2).sum(1)
            near = apart.topk(min(NEIGHBORS, len(windows)), largest=False)
            both = torch.cat((best, near.values), dim=1)
            hits = torch.cat((right, follow[near.indices] == wanted[:, None]), dim=1)
            best, chosen = both.topk(NEIGHBORS, largest=False)
            right = hits.gather(1, chosen)
        done = store
        found[store] = best, right
    return found


def _mixed(own: Tensor, nearest: tuple[Tensor, Tensor], half: int) -> float:
    """−log(λ p_neighbors + (1 − λ) p_model), λ and the temperature the best of the first half, mean over the second."""
    apart, right = nearest
    best = (float("inf"), float("inf"))
    for heat in (0.05, 0.15, 0.5, 1.5):
        share = F.softmax(-apart / (heat * apart.median()), dim=1)
        told_p = (share * right).sum(dim=1)
        for part in (0.02, 0.05, 0.1, 0.2, 0.3, 0.45, 0.6):
            nats = -(part * told_p + (1 - part) * own).log()
            best = min(best, (float(nats[:half].mean()), float(nats[half:].mean())))
    return best[1]


if __name__ == "__main__":
    show(__doc__, "retrieval", study)
