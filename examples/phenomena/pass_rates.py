"""Pass rates: a skill that seems to appear at once was growing all the time, and can be foretold.

Hu et al. 2023 (arXiv 2310.03262): a hundred tries of a small model show no pass at all, but trying until some pass
shows rates of 1e-5 that follow exp(−c·N^(−α)), from which the rate of a larger model was forecast. Here MLPs of growing
width learn three-digit addition, carries included, and the larger of two numbers; answers are sampled by digit.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from _networks import Weights, outputs, parameters, start
from _networks import train as train_lanes
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, panels, show, told
from torch import Tensor

from isoflop import Interval
from isoflop.evals import read_items
from isoflop.evals.emergence import PassLaw, fixed_tries, pass_law, rates_of
from isoflop.evals.items import scale_of
from isoflop.lab.schedules import Schedule

DIGITS, TRIES, GOAL, CAP = 3, 100, 2, 100_000
TASKS = {"addition": DIGITS + 1, "larger of two": DIGITS}  # digits of the answer
BATCH = 128


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every width on each task, try each question until the second pass, and forecast the largest widths."""
    torch.set_num_threads(1)
    widths = (8, 12, 18, 27, 64) if quick else (4, 6, 9, 14, 21, 32, 48, 72, 108)
    ahead = 1 if quick else 2  # widths that the law does not see
    lanes, steps, questions = (2, 500, 40) if quick else (3, 2_000, 100)
    found = {name: _measured(name, widths, ahead, lanes, steps, questions, seed) for name in TASKS}
    parts, rows, good, hidden = [], [], [], []
    for name, (law, truth, unseen) in found.items():
        x, p = law.rates.x, law.rates.p
        said = [law.at(n) for n in truth]
        held = [ends.low <= truth[n] <= ends.high for n, ends in zip(truth, said, strict=True)]
        good.append(all(held) and law.shape == "straight")
        hidden.append(bool((unseen > 0.5).any()))
        largest = max(truth)
        parts.append(
            f"{name}: exponent {told(law.alpha)}, {law.shape} in log N (p = {law.p_value:.2g}); "
            f"{int((unseen > 0.5).sum())} of {len(x)} fitted models are more likely than not to show no pass in "
            f"{TRIES} tries of one question; at {largest:,.0f} parameters the rate is {truth[largest]:.3g}, forecast "
            f"{told(said[-1])}"
        )
        rows += [
            [name, f"{n:,.0f}", f"{rate:.3g}", f"{miss:.0%}", "fitted"]
            for n, rate, miss in zip(x, p, unseen, strict=True)
        ]
        rows += [[name, f"{n:,.0f}", f"{truth[n]:.3g}", "", told(e)] for n, e in zip(truth, said, strict=True)]
    verdict = (
        "appears" if all(good) and any(hidden)
        else "appears in part" if any(good) or any(hidden)
        else "does not appear"
    )  # fmt: skip
    told_all = "; ".join(parts)
    says = f"{told_all[0].upper()}{told_all[1:]}."

    figure, axes = panels(len(TASKS))
    numbers: dict[str, float | Interval] = {}
    for each, (name, (law, truth, unseen)) in zip(axes, found.items(), strict=True):
        each.plot(law.rates.x, law.rates.p, MARKERS[0], color=COLOURS[0], label="tried until two passes")
        each.plot(list(truth), list(truth.values()), MARKERS[1], color=COLOURS[1], label="larger models, not fitted")
        span = np.geomspace(law.rates.x.min(), max(truth), 80)
        band = [law.at(n) for n in span]
        each.plot(span, [b.value for b in band], color=COLOURS[0], linewidth=1, label="exp(−c N^−α)")
        each.fill_between(
            span, [b.low for b in band], [b.high for b in band], color=COLOURS[0], alpha=0.15, linewidth=0
        )
        each.axhline(1 / TRIES, color=COLOURS[6], linestyle=":", linewidth=1, label=f"one pass in {TRIES} tries")
        each.set(xscale="log", yscale="log", xlabel="parameters N", ylabel="pass rate", title=name)
        each.legend(frameon=False, fontsize=8, loc="lower right")
        seen = fixed_tries(law, tries=TRIES, seed=seed)
        numbers |= {f"alpha, {name}": law.alpha, f"curvature, {name}": law.curvature, f"fixed, {name}": seen.alpha}
        numbers |= {f"least, {name}": float(law.rates.p.min()), f"unseen, {name}": float(unseen.max())}
    return Outcome(verdict, says, ["task", "N", "rate", f"no pass in {TRIES}", "forecast, 90 %"], rows, figure, numbers)


def _measured(
    name: str, widths: tuple[int, ...], ahead: int, lanes: int, steps: int, questions: int, seed: int
) -> tuple[PassLaw, dict[float, float], np.ndarray]:
    """The law of the small widths, the larger models' mean exact rates, and how often fixed tries see nothing."""
    draws = torch.Generator().manual_seed(97 + seed)
    asked, answers = _questions(name, questions, draws)
    rng = np.random.default_rng([seed, len(name)])
    rows, truth, unseen, exact = [], {}, {}, {}
    for place, width in enumerate(widths):
        sizes = (20 * DIGITS, width, width, 10 * TASKS[name])
        size = float(parameters(sizes))
        weights = _trained(name, sizes, lanes, steps, seed)
        p = _chances(outputs(weights, asked), answers).double().numpy()  # (lanes, questions)
        if place >= len(widths) - ahead:
            truth[size] = float(p.mean())
            continue
        for lane, chances in enumerate(p):
            label = f"width {width}, {lane}"
            # a sampled answer passes with the product of its digits' chances, so the wait is negative binomial
            tries = np.minimum(GOAL + rng.negative_binomial(GOAL, np.clip(chances, 1e-12, 1)), CAP)
            capped = tries == CAP
            passes = np.where(capped, np.minimum(rng.binomial(CAP, chances), GOAL - 1), GOAL)
            exact[label], unseen[label] = size, float(np.mean((1 - chances) ** TRIES))
            rows += [
                {"model": label, "N": size, "task": name, "item": item, "passes": int(a), "tries": int(k), "goal": GOAL}
                for item, (a, k) in enumerate(zip(passes, tries, strict=True))
            ]
    items = read_items(pl.DataFrame(rows))
    _, x = scale_of(items, "N")
    law = pass_law(rates_of(items, name, items.tasks[0][1], x), level=LEVEL)
    return law, truth, np.array([unseen[each] for each in law.rates.models])


def _questions(name: str, count: int, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Inputs (count, 20 · digits) and the answers' digits (count, digits of the answer), the lowest first."""
    pair = torch.randint(0, 10**DIGITS, (count, 2), generator=draws)
    places = 10 ** torch.arange(DIGITS)
    digits = pair[..., None] // places % 10
    answer = pair.sum(dim=1) if name == "addition" else pair.amax(dim=1)
    wanted = answer[:, None] // 10 ** torch.arange(TASKS[name]) % 10
    return F.one_hot(digits, 10).float().flatten(1), wanted


def _chances(logits: Tensor, answers: Tensor) -> Tensor:
    """The chance that a sampled answer is right, (lanes, questions): the product over its digits."""
    log_p = F.log_softmax(logits.unflatten(-1, (-1, 10)), dim=-1)
    wanted = answers.expand(len(logits), *answers.shape)[..., None]
    return log_p.gather(-1, wanted)[..., 0].sum(dim=-1).exp()


def _trained(name: str, sizes: tuple[int, ...], lanes: int, steps: int, seed: int) -> Weights:
    draws = torch.Generator().manual_seed(1_000 * seed + sizes[1])

    def batch(_: int) -> tuple[Tensor, Tensor]:
        asked, answers = zip(*(_questions(name, BATCH, draws) for _ in range(lanes)), strict=True)
        return torch.stack(asked), torch.stack(answers).flatten(1)

    def digits(weights: Weights, inputs: Tensor) -> Tensor:
        return outputs(weights, inputs).unflatten(-1, (-1, 10)).flatten(1, 2)  # one row a digit

    begin = start(sizes, lanes, seed=1_000 * seed + sizes[1] + 1)
    return train_lanes(
        begin, batch, steps=steps, rates=[0.005] * lanes, schedule=Schedule("cosine", final=0.0), forward=digits
    )


if __name__ == "__main__":
    show(__doc__, "pass_rates", study)
