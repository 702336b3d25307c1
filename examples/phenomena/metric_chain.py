"""The metric chain: how well scale foretells an item is lost on the way from log p to accuracy.

Schaeffer et al. 2024 (arXiv 2406.04391): log p of the right answer follows compute item by item; renormalizing over the
answers that are offered loses most of it, because accuracy depends on the mass of the few wrong ones too. Here MLP
language models of eleven widths learn a synthetic language of 96 tokens, and answer 400 questions with four options.
"""

from __future__ import annotations

import polars as pl
import torch
import torch.nn.functional as F
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, panels, show, stream, told
from torch import Tensor

from isoflop.evals import read_items
from isoflop.evals.chain import WORDS, metric_chain, survival
from isoflop.evals.items import scale_of
from isoflop.evals.option_forecast import option_forecast

TOKENS, CONTEXT, EMBEDDED, OPTIONS = 96, 2, 12, 4
WIDTHS = (4, 6, 9, 13, 20, 30, 45, 68, 100, 160, 256)
BATCH = 256


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train the models, ask them, and follow every item along compute."""
    torch.set_num_threads(1)
    widths, questions, share = (WIDTHS[::2], 150, 0.2) if quick else (WIDTHS, 400, 1.0)
    language = _Language(stream(0, seed))
    contexts, answers = language.questions(questions, stream(1, seed))
    rows, losses = [], []
    for width in widths:
        weights, compute = _trained(language, width, share, seed)
        with torch.no_grad():
            log_p = F.log_softmax(_logits(weights, contexts), dim=-1).gather(1, answers)
        losses.append(language.loss(weights, stream(2, seed)))
        rows += [
            {"model": f"width-{width}", "C": compute, "task": "questions", "item": item, "log_p": each, "right": 0}
            for item, each in enumerate(log_p.double().tolist())
        ]
    items = read_items(pl.DataFrame(rows))
    scale, x = scale_of(items, "C")
    chain = metric_chain(items, "questions", "acc", scale, x, level=LEVEL, seed=seed)
    forecast = option_forecast(items, "questions", "acc", scale, x, hold_out=1 if quick else 3, level=LEVEL, seed=seed)

    link = {each.name: each for each in chain.links}
    fall = {name: each.lost for name, each in link.items() if each.lost is not None}
    lost = [fall[name].low > 0 for name in ("p_options", "acc")]
    verdict = "appears" if all(lost) else "appears in part" if any(lost) else "does not appear"
    medians = ", ".join(f"{each.median.value:.3f}" for each in chain.links)
    says = (
        f"The median over items of the rank correlation with compute is {medians} for log p, p, p among options, Brier "
        "score and accuracy (0.818, 0.818, 0.564, 0.559, 0.500 in an earlier replication). Renormalizing over the "
        f"options costs {told(fall['p_options'])} of the mean Pearson correlation, accuracy a further "
        f"{told(fall['acc'])} (items without a correlation count as 0); the mass of wrong options rises with that of "
        f"the right one ({chain.wrong:+.2f}). Accuracy of {len(forecast.held_out)} held-out models is forecast with a "
        f"mean error of {forecast.mean_options:.3f} by laws of every option and {forecast.mean_sigmoid:.3f} by a "
        "sigmoid of the loss."
    )
    lines = [
        [WORDS[each.name], told(each.median), told(each.pearson_median), f"{100 * each.high:.0f} %",
         f"{100 * each.constant:.0f} %"]
        for each in chain.links
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    for place, each in enumerate(chain.links):
        value, above = survival(each.spearman)
        left.step(value, above, where="post", color=COLOURS[place], label=WORDS[each.name])
    left.set(xlabel="Spearman correlation of an item with compute", ylabel="share of items above", xlim=(-1, 1))
    left.legend(frameon=False, fontsize=9)
    table = forecast.table
    right.plot(table.x, table.measure("acc").mean(axis=1), marker=MARKERS[0], color=COLOURS[6], label="measured")
    ahead = [each.x for each in forecast.held_out]
    right.plot(ahead, [e.options for e in forecast.held_out], MARKERS[1], color=COLOURS[0], label="laws of options")
    right.plot(ahead, [e.sigmoid for e in forecast.held_out], MARKERS[2], color=COLOURS[1], label="sigmoid of loss")
    right.axhline(1 / OPTIONS, color=COLOURS[6], linestyle=":", linewidth=1)
    right.set(xscale="log", xlabel="training compute (FLOPs)", ylabel="accuracy")
    right.legend(frameon=False, fontsize=9)
    numbers = {"correlation lost among options": fall["p_options"], "correlation lost in accuracy": fall["acc"]}
    numbers |= {name: each.median for name, each in link.items()}
    numbers |= {"options": forecast.mean_options, "sigmoid": forecast.mean_sigmoid}
    numbers |= {"fall": float(losses[0] - losses[-1]), "wrong": chain.wrong}
    return Outcome(verdict, says, ["score", "Spearman", "Pearson", "above 0.8", "constant"], lines, figure, numbers)


class _Language:
    """p(next | two tokens): the softmax of a fixed network's logits, on top of frequencies that fall as 1/rank."""

    def __init__(self, seed: int) -> None:
        draws = torch.Generator().manual_seed(seed)
        self.prior = -torch.log(torch.arange(1, TOKENS + 1).float())
        self.vectors = torch.randn(TOKENS, 3, generator=draws)
        self.inner = torch.randn(3 * CONTEXT, 40, generator=draws) / 2
        self.outer = torch.randn(40, TOKENS, generator=draws) * (3.5 / 40**0.5)

    def log_p(self, contexts: Tensor) -> Tensor:
        """Log-probabilities of the next token, (contexts, tokens)."""
        hidden = torch.tanh(self.vectors[contexts].flatten(1) @ self.inner)
        return F.log_softmax(hidden @ self.outer + self.prior, dim=-1)

    def contexts(self, count: int, draws: torch.Generator) -> Tensor:
        """Pairs of tokens by their frequency."""
        return torch.multinomial(self.prior.exp().sqrt(), count * CONTEXT, True, generator=draws).view(count, CONTEXT)

    def questions(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Contexts with four options out of the twelve likeliest tokens; the first, the likeliest, is right."""
        draws = torch.Generator().manual_seed(seed)
        contexts = self.contexts(count, draws)
        likely = self.log_p(contexts).topk(12).indices
        picked = torch.rand(count, 12, generator=draws).topk(OPTIONS).indices.sort(dim=1).values
        return contexts, likely.gather(1, picked)

    def loss(self, weights: list[Tensor], seed: int) -> float:
        """Cross-entropy on fresh text, in nats a token."""
        draws = torch.Generator().manual_seed(seed)
        contexts = self.contexts(4_000, draws)
        with torch.no_grad():
            told_p = F.log_softmax(_logits(weights, contexts), dim=-1)
        return float(-(self.log_p(contexts).exp() * told_p).sum(dim=1).mean())


def _logits(weights: list[Tensor], contexts: Tensor) -> Tensor:
    embedded, inner, bias, outer, last = weights
    return F.gelu(embedded[contexts].flatten(1) @ inner + bias) @ outer + last


def _trained(language: _Language, width: int, share: float, seed: int) -> tuple[list[Tensor], float]:
    """A model of one width after 20 tokens a parameter (``share`` of them), and its compute 6ND."""
    draws = torch.Generator().manual_seed(stream(width, seed))
    inputs = EMBEDDED * CONTEXT
    shapes = ((TOKENS, EMBEDDED), (inputs, width), (width,), (width, TOKENS), (TOKENS,))
    spread = (0.5, inputs**-0.5, 0.0, width**-0.5, 0.0)
    weights = [
        (scale * torch.randn(shape, generator=draws)).requires_grad_()
        for shape, scale in zip(shapes, spread, strict=True)
    ]
    size = sum(each.numel() for each in weights)
    steps = max(40, round(share * 20 * size / BATCH))
    optimizer = torch.optim.Adam(weights, lr=0.01, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        contexts = language.contexts(BATCH, draws)
        targets = torch.multinomial(language.log_p(contexts).exp(), 1, generator=draws)[:, 0]
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(_logits(weights, contexts), targets).backward()
        optimizer.step()
        schedule.step()
    return [each.detach() for each in weights], 6.0 * size * steps * BATCH


if __name__ == "__main__":
    show(__doc__, "metric_chain", study)
