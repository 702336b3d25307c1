"""Attention's entropy at longer contexts: does a factor on the logits hold it, and does that help?

Jin et al. 2023 (arXiv 2306.08645) put √(log_T N / d) in place of 1/√d, T tokens in training and N in use; with normal
logits √((1 + 2 ln(N/T)/σ²)/d) would hold the entropy exactly. A small transformer with rotary positions learns bytes of
Python at T tokens and reads up to 8 T; entropy is that of the last positions' attention over all tokens before them,
the loss that of the same positions.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from _scaffold import COLOURS, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, stream, told
from torch import Tensor

from isoflop.errors import DataError
from isoflop.lab.models import Transformer, build, rotary_table, rotate
from isoflop.lab.shapes import TransformerShape
from isoflop.lab.tasks import python_text
from isoflop.measures import gaussian_scale, log_scale

TRAINED = 32
SHAPE = TransformerShape(width=48, layers=2, heads=3)
SIZE = SHAPE.width // SHAPE.heads
KINDS = ("plain", "log", "normal logits")
LAST = 8  # positions that are measured


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train, then read longer windows with each scale; windows pair between scales."""
    torch.set_num_threads(1)
    contexts = (TRAINED, 128) if quick else (8, 16, TRAINED, 64, 128, 256)
    model = _trained(150 if quick else 1_000, stream(0, seed))
    windows = 16 if quick else 128
    text = python_text(context=max(contexts)).held_out(windows)
    inputs, targets = (torch.from_numpy(np.asarray(each)).long()[:windows] for each in text)
    whole = torch.cat((inputs, targets[:, -1:]), dim=1)
    base = _read(model, whole, TRAINED, None)
    # (layers · heads) of the trained length: what the normal approximation needs
    variance = base[1]
    found: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
    impossible = 0
    for context in contexts:
        for kind in KINDS:
            factors, lost = _factors(kind, context, variance)
            impossible += lost
            entropy, _, loss = _read(model, whole, context, factors)
            found[kind, context] = entropy, loss

    longest = contexts[-1]
    drift = {
        (kind, context): mean_interval((each[0] - base[0]).mean(axis=0)) for (kind, context), each in found.items()
    }
    gain = {kind: mean_interval(found["plain", longest][1] - found[kind, longest][1]) for kind in KINDS[1:]}
    plain = drift["plain", longest]
    held = [kind for kind in KINDS[1:] if abs(drift[kind, longest].value) < 0.5 * abs(plain.value)]
    helps = [kind for kind in KINDS[1:] if gain[kind].low > 0]
    grows = plain.low > 0
    verdict = "appears" if grows and held and helps else "appears in part" if grows else "does not appear"
    says = (
        f"From {TRAINED} to {longest} tokens the entropy of attention grows by {told(plain)} nats (log N by "
        f"{math.log(longest / TRAINED):.2f}); with log_T N by {told(drift['log', longest])}, with the factor for "
        f"normal "
        f"logits by {told(drift['normal logits', longest])}. Halved or better by: {_listed(held)}. The loss of the "
        f"last "
        f"positions at {longest} tokens falls by {told(gain['log'])} and {told(gain['normal logits'])} nats/byte with "
        f"them (plain {found['plain', longest][1].mean():.3f}; at {TRAINED} tokens {base[2].mean():.3f}); it helps: "
        f"{_listed(helps)}. Logit variances of the heads are {variance.min():.1f} to {variance.max():.1f}"
        + (f"; at {impossible} heads and lengths no factor could hold the entropy." if impossible else ".")
    )
    rows = [
        [f"{context}", *(f"{drift[kind, context].value:+.3f}" for kind in KINDS),
         *(f"{found[kind, context][1].mean():.3f}" for kind in KINDS)]
        for context in contexts
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    for number, kind in enumerate(KINDS):
        means = [drift[kind, context] for context in contexts]
        ends = np.array([[each.value - each.low, each.high - each.value] for each in means]).T
        left.errorbar(contexts, [each.value for each in means], yerr=ends, marker=MARKERS[number], capsize=3,
                      color=COLOURS[number], label=kind)  # fmt: skip
        right.plot(contexts, [found[kind, context][1].mean() for context in contexts], marker=MARKERS[number],
                   color=COLOURS[number], label=kind)  # fmt: skip
    left.plot(
        contexts, np.log(np.array(contexts) / TRAINED), color="black", linewidth=0.8, linestyle=":", label="log N"
    )
    for axes, word in (
        (left, "drift of the entropy (nats)"),
        (right, "loss of the last positions (nats/byte)"),
    ):
        axes.axvline(TRAINED, color="black", linewidth=0.6)
        axes.set(xscale="log", xlabel="tokens of context (line: in training)", ylabel=word)
        plain_ticks(axes, contexts)
        axes.legend(frameon=False, fontsize=9)
    header = ["tokens", *(f"drift, {kind}" for kind in KINDS), *(f"loss, {kind}" for kind in KINDS)]
    numbers = {"drift, plain": plain, "log": drift["log", longest], "normal": drift["normal logits", longest]}
    return Outcome(verdict, says, header, rows, figure, numbers | {"gain": gain["log"]})


def _trained(steps: int, seed: int) -> Transformer:
    text = python_text(context=TRAINED)
    model = build(SHAPE, classes=text.classes, context=TRAINED, features=0, seed=seed)
    adam = torch.optim.AdamW(model.parameters(), lr=4e-3, weight_decay=0.01)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, 4e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        inputs, targets = (torch.from_numpy(np.asarray(each)).long() for each in text.batch(seed, step, 32))
        logits = model(inputs)
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
        adam.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adam.step()
        rate.step()
    return model.eval()


def _factors(kind: str, context: int, variance: np.ndarray) -> tuple[np.ndarray | None, int]:
    """λ of every layer and head; where normal logits allow none, the plain one, with how often."""
    if kind == "plain":
        return None, 0
    if kind == "log":
        return np.full(variance.shape, log_scale(context, TRAINED, SIZE)), 0
    factors, lost = np.empty(variance.shape), 0
    for place, each in np.ndenumerate(variance):
        try:
            factors[place] = gaussian_scale(context, TRAINED, SIZE, float(each))
        except DataError:
            factors[place], lost = 1 / math.sqrt(SIZE), lost + 1
    return factors, lost


@torch.no_grad()
def _read(
    model: Transformer, whole: Tensor, context: int, factors: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Entropy of each layer and head and window, (layers · heads, windows), logit variances, and losses by window.

    Windows end where the longest do, so that the positions measured are the same at every context.
    """
    tokens = whole[:, -context - 1 :]
    inputs, targets = tokens[:, :-1], tokens[:, -LAST:]
    turn = rotary_table(context, SIZE)
    rows = min(LAST, context)
    mask = torch.ones(context, context, dtype=torch.bool).tril()
    x = model.embedding(inputs)
    entropies, variances = [], []
    for layer, block in enumerate(model.blocks):
        attention = block.attention
        both = attention.into(block.norm_attention(x)).view(*x.shape[:2], 3, SHAPE.heads, SIZE).permute(2, 0, 3, 1, 4)
        query, key = rotate(both[:2], turn)
        scale = torch.full((SHAPE.heads,), 1 / math.sqrt(SIZE))
        if factors is not None:
            scale = torch.tensor(factors[layer], dtype=torch.float32)
        logits = (query @ key.transpose(2, 3)) * scale[None, :, None, None]
        weights = torch.softmax(logits.masked_fill(~mask, -torch.inf), dim=3)
        last = weights[:, :, -rows:]
        entropies.append(-(last * last.clamp_min(1e-30).log()).sum(dim=3).mean(dim=2).T)
        variances.append(logits[:, :, -1, :].var(dim=2).mean(dim=0))
        mixed = (weights @ both[2]).transpose(1, 2).reshape(x.shape)
        x = x + attention.out(mixed)
        x = x + block.forward_layer(block.norm_forward(x))
    weight = model.embedding.weight if model.head is None else model.head.weight
    logits = F.linear(model.norm(x), weight)[:, -rows:]
    losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets[:, -rows:].reshape(-1), reduction="none")
    return (
        torch.cat(entropies).double().numpy(), torch.stack(variances).double().numpy(),
        losses.view(len(tokens), rows).mean(dim=1).double().numpy(),
    )  # fmt: skip


def _listed(kinds: list[str]) -> str:
    return " and ".join(kinds) or "none"


if __name__ == "__main__":
    show(__doc__, "attention_entropy", study)
