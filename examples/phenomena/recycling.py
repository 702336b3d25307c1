"""Recycling: corrupted documents that a weak model rewrites are worth a multiple of the clean ones, at every size.

Nguyen et al. 2025 (arXiv 2506.04689, REWIRE): documents that a filter would discard are rewritten, filtered and mixed
with the clean ones, which beats twice as many clean ones, by more the larger the model. Here nine of ten documents have
two fifths of their tokens replaced by others; a small network that has read the clean tenth draws the likely original
of each (forward filtering, backward sampling), and networks of several sizes read the clean documents alone or mixed
with corrupted, rewritten, or rewritten and filtered ones, for the same number of tokens.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from _networks import Weights, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Interval, Runs, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.planning.comparison import Comparison, compare_groups, groups_by
from isoflop.validation.shape_audit import shapes

TOKENS, LENGTH = 16, 32
CORRUPTED, REPLACED = 9, 0.4  # corrupted documents for each clean one, and the share of their tokens that are
KEPT = 1 / 3  # of the rewritten documents, those that the rewriter finds likeliest
REWRITER = 24  # hidden units
BATCH = 128
RECIPES = ("clean", "with corrupted", "with rewritten", "with filtered")
LAW = law("E + A/D^alpha", domains={"E": "positive", "A": "positive", "alpha": "positive"})


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every size on every recipe and amount of clean documents; the multiplier of clean documents by size."""
    torch.set_num_threads(1)
    widths = (8, 32) if quick else (6, 12, 24, 48, 80)
    amounts = (25, 50, 100, 200) if quick else (25, 50, 100, 200, 400, 800)  # clean documents
    lanes, steps = (2, 400) if quick else (4, 800)
    language = _language(seed)
    rows, better = [], []
    for amount in amounts:
        pools, right = _pools(language, amount, lanes, steps, seed)
        better.append(right)
        for width in widths:
            losses = _losses(language, pools, width, lanes, steps, seed)
            size, tokens = parameters((2 * TOKENS, width, TOKENS)), amount * LENGTH
            rows += [
                (recipe, size, tokens, lane, float(losses[number, lane]))
                for number, recipe in enumerate(RECIPES)
                for lane in range(lanes)
            ]
    names = ("recipe", "N", "D", "seed", "loss")
    runs = Runs.from_columns(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), source="recycled")
    sizes = np.unique(runs["N"])
    scarce, ample = (float(amounts[place] * LENGTH) for place in (1, -2))
    found = {n: _compared(runs.take(runs["N"] == n), [scarce, ample]) for n in sizes}
    worth = {
        (each.group, n, tokens): each.at(place)
        for n, comparison in found.items()
        for each in comparison.multipliers_at
        for place, tokens in enumerate((scarce, ample))
    }
    gain = _gains(runs, sizes, scarce)
    growth = {
        recipe: shapes(_only(gain, recipe), ("gain",), x="N", better="higher").of("gain")[0].shape
        for recipe in RECIPES[1:]
    }
    best = max(RECIPES[2:], key=lambda recipe: worth[recipe, sizes[-1], scarce].value)
    ours = [worth[best, n, tokens] for n in sizes for tokens in (scarce, ample)]
    verdict = (
        "appears" if all(each.low > 2 for each in ours) and growth[best].startswith("rising")
        else "appears in part" if any(each.low > 1 for each in ours)
        else "does not appear"
    )  # fmt: skip
    parts = [
        f"{recipe} documents it is "
        + ", ".join(
            f"{_told(worth[recipe, n, scarce])} and {_told(worth[recipe, n, ample])} at {n:,.0f} parameters"
            for n in (sizes[0], sizes[-1])
        )
        + f" (along the size the gain at {scarce:,.0f}: {growth[recipe]})"
        for recipe in RECIPES[1:]
    ]
    says = (
        f"The multiplier of {scarce:,.0f} and of {ample:,.0f} clean tokens (how many times as many clean ones alone "
        f"have the same loss): {'; '.join(parts)}. The rewriter has {100 * better[0]:.0f} % of the corrupted "
        f"documents' tokens right with {amounts[0] * LENGTH:,} clean tokens read and {100 * better[-1]:.0f} % with "
        f"{amounts[-1] * LENGTH:,}, where {100 * (1 - REPLACED * (1 - 1 / TOKENS)):.1f} % are before."
    )
    table = [
        [recipe, f"{n:,.0f}", f"{d:,.0f}", told(mean_interval(_at(runs, recipe, n, d)))]
        for recipe in RECIPES
        for n in (sizes[0], sizes[-1])
        for d in np.unique(runs["D"])
    ]
    figure, (left, right_axes) = panels(2)
    for number, recipe in enumerate(RECIPES):
        x = np.unique(runs["D"])
        ends = [mean_interval(_at(runs, recipe, sizes[-1], d)) for d in x]
        bars = np.array([[e.value - e.low, e.high - e.value] for e in ends]).T
        left.errorbar(x, [e.value for e in ends], yerr=bars, fmt=f"{MARKERS[number]}-", color=COLOURS[number], ms=5,
                      linewidth=1, capsize=3, label=recipe)  # fmt: skip
        if number:
            ends = [worth[recipe, n, scarce] for n in sizes]
            middles = [e.value for e in ends]
            bars = np.array([[e.value - e.low, min(e.high, 100) - e.value] for e in ends]).T
            right_axes.errorbar(sizes * 1.04**number, middles, yerr=bars, fmt=f"{MARKERS[number]}-", ms=5,
                                color=COLOURS[number], linewidth=1, capsize=3, label=recipe)  # fmt: skip
    left.axhline(_entropy(language), color=COLOURS[6], linestyle=":", linewidth=1, label="entropy")
    left.set(xscale="log", xlabel="clean tokens", ylabel="loss (nats/token)", title=f"{sizes[-1]:,.0f} parameters")
    left.legend(frameon=False, fontsize=8)
    right_axes.axhline(2, color=COLOURS[6], linestyle=":", linewidth=1)
    right_axes.set(
        xscale="log", yscale="log", xlabel="parameters N", ylabel=f"multiplier of {scarce:,.0f} clean tokens"
    )
    plain_ticks(right_axes, (0.5, 1, 2, 4, 8), axis="y")
    plain_ticks(right_axes, (300, 1_000, 3_000))
    last = sizes[-1]
    numbers: dict[str, float | Interval] = {f"multiplier of scarce, {best}": worth[best, last, scarce]}
    numbers |= {f"scarce, {recipe}": worth[recipe, last, scarce] for recipe in RECIPES[1:]}
    numbers |= {f"ample, {recipe}": worth[recipe, last, ample] for recipe in RECIPES[1:]}
    numbers |= {f"scarce, smallest, {recipe}": worth[recipe, sizes[0], scarce] for recipe in RECIPES[1:]}
    numbers |= {"right": better[-1]}
    return Outcome(verdict, says, ["recipe", "N", "clean tokens", "loss, 90 %"], table, figure, numbers)


def _told(worth: Interval) -> str:
    """A multiplier, infinite where clean documents alone do not get there."""
    if np.isfinite([worth.value, worth.high]).all():
        return told(worth)
    value, low, high = (f"{each:.2g}".replace("inf", "∞") for each in (worth.value, worth.low, worth.high))
    return f"{value} [{low}, {high}]"


def _compared(runs: Runs, tokens: list[float]) -> Comparison:
    groups, _ = groups_by(runs, "recipe")
    return compare_groups(
        groups, law=LAW, at={"D": tokens}, reference=RECIPES[0], objective=squares(), draws=300, level=LEVEL, starts=16
    )


def _only(runs: Runs, recipe: str) -> Runs:
    return runs.take(runs.frame["recipe"].to_numpy() == recipe)


def _at(runs: Runs, recipe: str, size: float, tokens: float) -> np.ndarray:
    here = _only(runs, recipe)
    return here["loss"][(here["N"] == size) & (here["D"] == tokens)]


def _gains(runs: Runs, sizes: np.ndarray, amount: float) -> Runs:
    """By recipe, size and seed: how far the loss lies below that of the clean documents."""
    rows = [
        (recipe, n, lane, gained)
        for recipe in RECIPES[1:]
        for n in sizes
        for lane, gained in enumerate(_at(runs, RECIPES[0], n, amount) - _at(runs, recipe, n, amount))
    ]
    recipe, size, lane, gained = zip(*rows, strict=True)
    columns = {"recipe": list(recipe), "N": list(size), "seed": list(lane), "gain": list(gained)}
    return Runs.from_columns(columns, source="gains of recipes")


def _language(seed: int) -> Tensor:
    """p(next | two tokens), (tokens, tokens, tokens): a fixed network's."""
    draws = torch.Generator().manual_seed(40 + seed)
    vectors = torch.randn(TOKENS, 6, generator=draws)
    inner = torch.randn(12, 48, generator=draws) / 3
    outer = torch.randn(48, TOKENS, generator=draws) * 1.2
    pairs = torch.cat((vectors[:, None].expand(-1, TOKENS, -1), vectors[None].expand(TOKENS, -1, -1)), dim=-1)
    return F.softmax(torch.tanh(pairs @ inner) @ outer, dim=-1)


def _documents(language: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """(count, length) tokens; the first two are uniform."""
    found = torch.randint(0, TOKENS, (count, LENGTH), generator=draws)
    for place in range(2, LENGTH):
        p = language[found[:, place - 2], found[:, place - 1]]
        found[:, place] = torch.multinomial(p, 1, generator=draws)[:, 0]
    return found


def _pools(language: Tensor, amount: int, lanes: int, steps: int, seed: int) -> tuple[list[list[Tensor]], float]:
    """The documents of each recipe and lane, and the share of a rewritten document's tokens that are right."""
    draws = torch.Generator().manual_seed(1_000_000 * seed + amount)
    clean = [_documents(language, amount, draws) for _ in range(lanes)]
    truth = [_documents(language, CORRUPTED * amount, draws) for _ in range(lanes)]
    noise = [torch.rand(each.shape, generator=draws) < REPLACED for each in truth]
    corrupted = [
        torch.where(hit, torch.randint(0, TOKENS, each.shape, generator=draws), each)
        for each, hit in zip(truth, noise, strict=True)
    ]
    weak = _trained([clean], REWRITER, lanes, steps, seed, language)[0]
    rewritten = [rewrite(weak[lane], each, draws) for lane, each in enumerate(corrupted)]
    # half of a batch is clean all the same, so that few of many are read more often
    filtered = [each[_likeliest(weak[lane], each)] for lane, each in enumerate(rewritten)]
    right = torch.stack([(a == b).float().mean() for a, b in zip(rewritten, truth, strict=True)]).mean()
    return [clean, corrupted, rewritten, filtered], float(right)


def rewrite(model: Tensor, documents: Tensor, draws: torch.Generator) -> Tensor:
    """A draw of the likely originals: p(x | y) ∝ Π p(x_t | x_{t−2}, x_{t−1}) p(y_t | x_t), by forward filtering."""
    told_by = torch.eye(TOKENS) * (1 - REPLACED) + REPLACED / TOKENS  # p(seen | original)
    found = [_rewritten(model, each, told_by, draws) for each in documents.split(2_000)]
    return torch.cat(found)


def _rewritten(model: Tensor, seen: Tensor, told_by: Tensor, draws: torch.Generator) -> Tensor:
    emitted = told_by[seen]  # (documents, length, tokens)
    state = emitted[:, 0, :, None] * emitted[:, 1, None, :]  # p of the last two tokens, not normalized
    states = [state]
    for place in range(2, seen.shape[1]):
        state = torch.einsum("dab,abc->dbc", state, model) * emitted[:, place, None, :]
        state = state / state.sum(dim=(1, 2), keepdim=True)
        states.append(state)
    both = torch.multinomial(states[-1].flatten(1), 1, generator=draws)[:, 0]
    drawn = [both % TOKENS, both // TOKENS]  # the last token first
    for state in states[-2::-1]:
        middle, last = drawn[-1], drawn[-2]
        before = state.gather(2, middle[:, None, None].expand(-1, TOKENS, 1))[..., 0] * model[:, middle, last].T
        drawn.append(torch.multinomial(before, 1, generator=draws)[:, 0])
    return torch.stack(drawn[::-1], dim=1)


def _likeliest(model: Tensor, documents: Tensor) -> Tensor:
    """Which documents are kept: the share with the highest likelihood by the rewriter."""
    nats = -model[documents[:, :-2], documents[:, 1:-1], documents[:, 2:]].log().mean(dim=1)
    return nats.argsort()[: max(1, round(KEPT * len(documents)))]


def _losses(
    language: Tensor, pools: list[list[Tensor]], width: int, lanes: int, steps: int, seed: int
) -> np.ndarray:  # fmt: skip
    """(recipes, lanes): the least loss on the way, against the true distribution."""
    _, least = _trained(pools, width, lanes, steps, seed, language)
    return least.view(len(pools), lanes).numpy()


def _trained(
    pools: list[list[Tensor]], width: int, lanes: int, steps: int, seed: int, language: Tensor
) -> tuple[Tensor, Tensor]:
    """p(next | two tokens) and the loss of every recipe and lane, where it was least.

    Half of each batch is of the first pool, the clean one, and half of the recipe's own.
    """
    draws = torch.Generator().manual_seed(1_000_000 * seed + 1_000 * width + len(pools[0][0]))
    count = len(pools) * lanes
    triples = [[each.unfold(1, 3, 1).flatten(0, 1) for each in pool] for pool in pools]

    def some(each: Tensor) -> Tensor:
        return each[torch.randint(0, len(each), (BATCH // 2,), generator=draws)]

    def batch(_: int) -> tuple[Tensor, Tensor]:
        halves = [(some(triples[0][lane]), some(pool[lane])) for pool in triples for lane in range(lanes)]
        drawn = torch.stack([torch.cat(pair) for pair in halves])
        return _inputs(drawn[..., :2]), drawn[..., 2]

    every = _inputs(torch.cartesian_prod(torch.arange(TOKENS), torch.arange(TOKENS)))
    truth = language.flatten(0, 1)
    best, least = torch.full((count, TOKENS**2, TOKENS), 1 / TOKENS), torch.full((count,), torch.inf)

    def watch(step: int, weights: Weights) -> bool:
        nonlocal best, least
        if step % (steps // 25) == 0:
            with torch.no_grad():
                log_p = F.log_softmax(outputs(weights, every), dim=-1)
            loss = -(truth * log_p).sum(dim=-1).mean(dim=1)
            best = torch.where((loss < least)[:, None, None], log_p.exp(), best)
            least = torch.minimum(loss, least)
        return False

    begin = [
        each.repeat(len(pools), 1, 1) for each in start((2 * TOKENS, width, TOKENS), lanes, seed=1_000 * seed + width)
    ]  # fmt: skip
    train(begin, batch, steps=steps, rates=[0.01] * count, schedule=Schedule("cosine", final=0.0), watch=watch)
    return best.unflatten(1, (TOKENS, TOKENS)), least


def _inputs(contexts: Tensor) -> Tensor:
    return F.one_hot(contexts, TOKENS).float().flatten(-2)


def _entropy(language: Tensor) -> float:
    return float(-(language * language.log()).sum(dim=-1).mean())


if __name__ == "__main__":
    show(__doc__, "recycling", study)
