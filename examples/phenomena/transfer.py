"""Transfer: pretraining helps as a power law where its data are aligned with the task, and is worthless where not.

Isik et al. 2024 (arXiv 2402.04177): the cross-entropy after finetuning follows E + A/D_p^α in the pretraining tokens
D_p as long as they resemble the task's; where they do not, translation scores stall or fall while more is pretrained.
Here MLP language models read D_p tokens of which a share is of the task's language and the rest of another, and are
then finetuned on 4,000 tokens of the task.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _networks import Weights, outputs, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, show, told
from torch import Tensor

from isoflop import Ensemble, Forecast, Interval, Runs, bootstrap, fit, forecast, law
from isoflop.lab.schedules import Schedule
from isoflop.validation.shape_audit import shapes

TOKENS, CONTEXT, HIDDEN = 32, 2, 64
FINETUNED, PASSES = 4_000, 5
BATCH, TUNING_BATCH = 256, 250
FEW = 4  # the smallest amounts of pretraining, to which the paper fits
LAW = law("power-d-floor")
NEAR = 0.05  # relative error up to which the law of the smallest amounts counts as a forecast


def study(quick: bool, seed: int = 0) -> Outcome:
    """Pretrain on each amount of each mixture, finetune, and look at the shape and the law of the loss along D_p."""
    torch.set_num_threads(1)
    alignments = (1.0, 0.0) if quick else (1.0, 0.8, 0.3, 0.0)
    amounts = (1_024, 4_096, 16_384, 32_768, 65_536)
    if not quick:
        amounts = (1_024, 3_072, 8_192, 24_576, 65_536, 196_608, 524_288)
    lanes = 3 if quick else 5
    task, other = _language(100 * seed + 1), _language(100 * seed + 2)
    alone = np.array(_finetuned(task, None, lanes, seed))  # (lanes, loss and accuracy)
    found = {
        share: np.array(
            [_finetuned(task, _pretrained(task, other, share, amount, lanes, seed), lanes, seed) for amount in amounts]
        )
        for share in alignments
    }  # (amounts, lanes, 2)
    floor = _entropy(task)

    rows, parts, audits, worth = [], [], {}, {}
    for share, each in found.items():
        tokens = np.repeat(amounts, lanes).astype(float)
        runs = Runs.from_columns(
            {"D": tokens, "loss": each[..., 0].ravel(), "accuracy": each[..., 1].ravel()},
            source=f"finetuned after pretraining of alignment {share:g}",
        )
        audits[share] = {
            name: shapes(runs, (name,), x="D", better="lower" if name == "loss" else "higher").of(name)[0]
            for name in ("loss", "accuracy")
        }
        worth[share] = mean_interval(alone[:, 0] - each[-1, :, 0])
        parts.append(
            f"alignment {share:g}: the loss is {audits[share]['loss'].shape} and the accuracy "
            f"{audits[share]['accuracy'].shape} along D_p, and the most pretraining gains {told(worth[share])} nats "
            "over none"
        )
        rows += [
            [f"{share:g}", f"{amount:,}", *(told(mean_interval(each[place, :, k])) for k in (0, 1))]
            for place, amount in enumerate(amounts)
        ]
    best, worst = max(alignments), min(alignments)
    ensemble, ahead = _law(found[best], amounts, lanes)
    off = abs(ahead.loss.value / float(found[best][-1, :, 0].mean()) - 1)
    held = ahead.loss.low <= float(found[best][-1, :, 0].mean()) <= ahead.loss.high

    helps = worth[best].low > 0 and audits[best]["loss"].shape.startswith("falling")
    harmless = worth[worst].low <= 0 or not audits[worst]["loss"].shape.startswith("falling")
    verdict = (
        "appears" if helps and harmless and held and off < NEAR
        else "appears in part" if helps and harmless
        else "does not appear"
    )  # fmt: skip
    says = (
        f"{'; '.join(parts)}. Fitted to the {FEW} smallest amounts of alignment {best:g}, E + A/D_p^α forecasts the "
        f"loss at the largest as {told(ahead.loss)}, {100 * off:.1f} % off, {'within' if held else 'outside'} its "
        f"interval (the task's entropy is {floor:.3f})."
    )
    says = says[0].upper() + says[1:]
    figure, (left, right) = panels(2)
    for number, (share, each) in enumerate(found.items()):
        for axes, k in ((left, 0), (right, 1)):
            ends = np.array([[e.value - e.low, e.high - e.value] for e in map(mean_interval, each[..., k])]).T
            axes.errorbar(amounts, each[..., k].mean(axis=1), yerr=ends, fmt=f"{MARKERS[number]}-", capsize=3, ms=5,
                          color=COLOURS[number], linewidth=1, label=f"alignment {share:g}")  # fmt: skip
    for axes, k in ((left, 0), (right, 1)):
        axes.axhline(alone[:, k].mean(), color=COLOURS[6], linestyle=":", linewidth=1, label="no pretraining")
        axes.set(xscale="log", xlabel="pretraining tokens D_p")
    span = np.geomspace(amounts[0], amounts[-1], 60)
    left.plot(span, ensemble.estimate.predict({"D": span}), color=COLOURS[6], linewidth=1, label="law, four smallest")
    left.set(ylabel="loss after finetuning (nats/token)")
    right.set(ylabel="accuracy of the likeliest token")
    left.legend(frameon=False, fontsize=8)
    numbers: dict[str, float | Interval] = {f"gain at {share:g}": each for share, each in worth.items()}
    numbers |= {"forecast": ahead.loss, "off": off, "entropy": floor}
    return Outcome(verdict, says, ["alignment", "D_p", "loss, 90 %", "accuracy, 90 %"], rows, figure, numbers)


def _law(losses: np.ndarray, amounts: tuple[int, ...], lanes: int) -> tuple[Ensemble, Forecast]:
    tokens = np.repeat(amounts[:FEW], lanes).astype(float)
    few = Runs.from_columns({"D": tokens, "loss": losses[:FEW, :, 0].ravel()}, source="smallest amounts")
    ensemble = bootstrap(fit(LAW, few))
    return ensemble, forecast(ensemble, {"D": float(amounts[-1])}, level=LEVEL)


def _language(seed: int) -> Tensor:
    """log p(next | two tokens), (tokens, tokens, tokens): a fixed network's logits."""
    draws = torch.Generator().manual_seed(seed)
    vectors = torch.randn(TOKENS, 6, generator=draws)
    inner = torch.randn(12, 32, generator=draws) / 3
    outer = torch.randn(32, TOKENS, generator=draws) * 0.6
    pairs = torch.cat((vectors[:, None].expand(-1, TOKENS, -1), vectors[None].expand(TOKENS, -1, -1)), dim=-1)
    return F.log_softmax(torch.tanh(pairs @ inner) @ outer, dim=-1)


def _entropy(language: Tensor) -> float:
    return float(-(language.exp() * language).sum(dim=-1).mean())


def _drawn(language: Tensor, contexts: Tensor, draws: torch.Generator) -> Tensor:
    p = language[contexts[:, 0], contexts[:, 1]].exp()
    return torch.multinomial(p, 1, generator=draws)[:, 0]


def _inputs(contexts: Tensor) -> Tensor:
    return F.one_hot(contexts, TOKENS).float().flatten(-2)


def _contexts(count: int, draws: torch.Generator) -> Tensor:
    return torch.randint(0, TOKENS, (count, CONTEXT), generator=draws)


def _pretrained(task: Tensor, other: Tensor, share: float, amount: int, lanes: int, seed: int) -> Weights:
    draws = torch.Generator().manual_seed(1_000_000 * seed + amount + round(1_000 * share))

    def batch(_: int) -> tuple[Tensor, Tensor]:
        contexts = _contexts(lanes * BATCH, draws)
        ours = torch.rand(lanes * BATCH, generator=draws) < share
        wanted = torch.where(ours, _drawn(task, contexts, draws), _drawn(other, contexts, draws))
        return _inputs(contexts).unflatten(0, (lanes, BATCH)), wanted.view(lanes, BATCH)

    schedule = Schedule("cosine", final=0.0)
    return train(_begin(lanes, seed), batch, steps=amount // BATCH, rates=[0.01] * lanes, schedule=schedule)


def _finetuned(task: Tensor, weights: Weights | None, lanes: int, seed: int) -> list[tuple[float, float]]:
    """Loss against the task's true distribution, and accuracy of the likeliest token, of each lane."""
    draws = torch.Generator().manual_seed(1_000_000 * seed + 3)
    contexts = _contexts(lanes * FINETUNED, draws)
    wanted = _drawn(task, contexts, draws).view(lanes, FINETUNED)
    inputs = _inputs(contexts).unflatten(0, (lanes, FINETUNED))
    each = FINETUNED // TUNING_BATCH

    def batch(step: int) -> tuple[Tensor, Tensor]:
        here = slice((step - 1) % each * TUNING_BATCH, ((step - 1) % each + 1) * TUNING_BATCH)
        return inputs[:, here], wanted[:, here]

    schedule = Schedule("cosine", final=0.0)
    begin = _begin(lanes, seed) if weights is None else weights
    tuned = train(begin, batch, steps=PASSES * each, rates=[0.003] * lanes, schedule=schedule)
    every = torch.cartesian_prod(torch.arange(TOKENS), torch.arange(TOKENS))
    logits = outputs(tuned, _inputs(every))
    truth = task.flatten(0, 1)
    loss = -(truth.exp() * F.log_softmax(logits, dim=-1)).sum(dim=-1).mean(dim=1)
    right = (logits.argmax(dim=-1) == truth.argmax(dim=-1)).double().mean(dim=1)
    return list(zip(loss.tolist(), right.tolist(), strict=True))


def _begin(lanes: int, seed: int) -> Weights:
    return start((TOKENS * CONTEXT, HIDDEN, TOKENS), lanes, seed=seed)


if __name__ == "__main__":
    show(__doc__, "transfer", study)
