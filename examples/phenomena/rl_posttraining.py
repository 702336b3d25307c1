"""RL post-training: larger models learn faster from rewards, up to a limit, and reused problems cost little at first.

Tan et al. 2025 (arXiv 2509.25300): the error falls as X^(−k) in the problems X seen, with k(N) = K_max/(1 + N_0/N);
and problems may be reused some 25 times before the held-out error suffers. Here MLP policies, first taught a little by
examples, answer sums of three numbers with two sampled digits, eight tries a problem, rewarded only if all is right,
and learn by the group-relative policy gradient (GRPO).
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from _networks import Weights, outputs, parameters, start, train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, draws_interval, mean_interval, panels, show, told
from torch import Tensor

from isoflop import Interval, Runs, law
from isoflop.fitting.panel import fit_panel
from isoflop.lab.schedules import Schedule
from isoflop.uncertainty.panel import PanelDraws, bootstrap_panel
from isoflop.validation.shape_audit import shapes

BASE, PLACES, DIGITS = 10, 3, 2  # three numbers of one digit; a sum of two digits
PROBLEMS, ROLLOUTS = 64, 8  # a step
TAUGHT = 300  # supervised steps before
DRAWS = 150  # compared between two bootstraps, which may have lost some
RATE = 0.004  # of the policy gradient, constant
ONE = law("error = A/C^k", domains={"k": "real"})
ALL = law("rl-efficiency")


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every width, fit the exponent of each and its law in N without the largest, and reuse problems."""
    torch.set_num_threads(1)
    widths = (8, 16, 32, 64) if quick else (8, 16, 32, 64, 128, 256)
    lanes, steps = (3, 300) if quick else (4, 1_600)
    reuse = (1, 30) if quick else (1, 5, 25, 100, 400)
    marks = np.unique(np.geomspace(steps / 16, steps, 8).round().astype(int))
    fresh, held_out = _split(seed)
    rows, begun = [], {}
    for width in widths:
        size = float(parameters(_sizes(width)))
        begun[width], errors = _reinforced(width, lanes, steps, seed, fresh, held_out, marks)
        rows += [
            (size, lane, PROBLEMS * mark, errors[lane, place])
            for lane in range(lanes)
            for place, mark in enumerate(marks)
        ]
    size, lane, seen, error = np.array(rows).T
    runs = Runs.from_columns(
        {"N": size, "C": seen, "seed": lane.astype(int), "error": error,
         "size": [f"{each:08.0f}" for each in size]},
        source="policies",
    )  # fmt: skip
    own = bootstrap_panel(fit_panel(ONE, runs, by=["size"]), draws=200)
    exponents = {float(group): own.interval("k", group, level=LEVEL) for group in own.panel.groups}
    sizes = np.array(sorted(exponents))
    largest = float(sizes[-1])
    joint = bootstrap_panel(fit_panel(ALL, runs.take(size < largest), by=["size"], share=["K_max", "N_0"]), draws=200)
    limit, half = joint.interval("K_max", level=LEVEL), joint.interval("N_0", level=LEVEL)
    ahead = _exponent(joint, largest)
    k = np.array([exponents[n].value for n in sizes])
    drawn = own.group(own.panel.groups[-1]).draws["k"][:DRAWS]
    off = draws_interval(float(k[-1]) - ahead.value, drawn - _exponents(joint, largest)[:DRAWS])
    held = off.low <= 0 <= off.high

    pool = widths[-2]
    tried = {}
    for tau in reuse:
        few = fresh[: max(1, PROBLEMS * steps // tau)]
        tried[tau] = _reinforced(pool, 2 * lanes, steps, seed + 9, few, held_out, marks)[1][:, -1]
    cost = {tau: mean_interval(each - tried[1]) for tau, each in tried.items() if tau > 1}
    flat = [tau for tau, each in cost.items() if each.low <= 0]
    columns = {"tau": np.repeat(reuse, 2 * lanes).astype(float), "error": np.concatenate(list(tried.values()))}
    audit = shapes(Runs.from_columns(columns), ("error",), x="tau", better="lower").of("error")[0]

    grows = exponents[float(sizes[0])].high < max(e.low for e in exponents.values())
    saturates = math.isfinite(half.low) and half.low > 0 and k[-1] < 1.5 * float(k[-2])
    verdict = "appears" if grows and saturates and held else "appears in part" if grows else "does not appear"
    says = (
        f"k is {told(exponents[float(sizes[0])])} at {sizes[0]:,.0f} parameters and {told(exponents[largest])} at "
        f"{largest:,.0f}. Without the largest, K_max is {told(limit)} and N_0 {told(half)}, and k of the largest is "
        f"forecast as {told(ahead)}: the measured one is {told(off)} off. Problems reused "
        + ", ".join(f"{tau} times change the error by {told(each)}" for tau, each in cost.items())
        + f" ({audit.shape} along the reuse; up to {max(flat, default=1)} times it costs nothing that is measured)."
    )
    table = [
        [f"{n:,.0f}", f"{error[(size == n) & (seen == seen.min())].mean():.3f}",
         f"{error[(size == n) & (seen == seen.max())].mean():.3f}", told(exponents[float(n)])]
        for n in sizes
    ]  # fmt: skip
    figure, (left, right) = panels(2)
    for number, n in enumerate(sizes):
        here = size == n
        levels = np.unique(seen[here])
        left.plot(levels, [error[here & (seen == x)].mean() for x in levels], f"{MARKERS[number]}-",
                  color=COLOURS[number], ms=5, linewidth=1, label=f"{n:,.0f}")  # fmt: skip
    left.set(xscale="log", yscale="log", xlabel="problems seen", ylabel="held-out error (1 − pass@1)")
    left.legend(frameon=False, fontsize=8, title="parameters", title_fontsize=8)
    ends = np.array([[exponents[n].value - exponents[n].low, exponents[n].high - exponents[n].value] for n in sizes]).T
    right.errorbar(sizes, k, yerr=ends, fmt=MARKERS[0], color=COLOURS[0], capsize=3, ms=5, label="each size alone")
    span = np.geomspace(sizes[0], sizes[-1], 60)
    band = [_exponent(joint, float(n)) for n in span]
    right.plot(span, [b.value for b in band], color=COLOURS[1], linewidth=1, label="K_max/(1 + N_0/N), smaller sizes")
    right.fill_between(span, [b.low for b in band], [b.high for b in band], color=COLOURS[1], alpha=0.15, linewidth=0)
    right.set(xscale="log", xlabel="parameters N", ylabel="exponent k")
    right.legend(frameon=False, fontsize=8)
    numbers: dict[str, float | Interval] = {"K_max": limit, "N_0": half, "forecast": ahead}
    numbers |= {
        "largest": exponents[largest],
        "smallest": exponents[float(sizes[0])],
        **{f"reuse {tau}": each for tau, each in cost.items()},
    }
    return Outcome(verdict, says, ["N", "error before", "error after", "k, 90 %"], table, figure, numbers)


def _exponents(joint: PanelDraws, n: float) -> np.ndarray:
    """K_max/(1 + N_0/n) in every draw."""
    names = joint.panel.law.param_names
    limit, half = (joint.params[:, 0, names.index(each)] for each in ("K_max", "N_0"))
    return limit / (1 + half / n)


def _exponent(joint: PanelDraws, n: float) -> Interval:
    at = joint.panel.shared
    return draws_interval(at["K_max"] / (1 + at["N_0"] / n), _exponents(joint, n))


def _sizes(width: int) -> tuple[int, ...]:
    return BASE * PLACES, width, width, BASE * DIGITS


def _split(seed: int) -> tuple[Tensor, Tensor]:
    """Problems to learn from, in random order and endless enough, and those that are held out."""
    draws = torch.Generator().manual_seed(11 + seed)
    every = torch.cartesian_prod(*(torch.arange(BASE) for _ in range(PLACES)))
    every = every[torch.randperm(len(every), generator=draws)]
    held_out, rest = every[:200], every[200:]
    return rest[torch.randint(0, len(rest), (40_000,), generator=draws)], held_out


def _inputs(problems: Tensor) -> Tensor:
    return F.one_hot(problems, BASE).float().flatten(-2)


def _answers(problems: Tensor) -> Tensor:
    total = problems.sum(dim=-1)
    return torch.stack((total % BASE, total // BASE), dim=-1)


def _log_p(weights: Weights, problems: Tensor) -> Tensor:
    """Log-probabilities of the digits, (lanes, problems, digits, base)."""
    return F.log_softmax(outputs(weights, _inputs(problems)).unflatten(-1, (DIGITS, BASE)), dim=-1)


def _error(weights: Weights, problems: Tensor) -> np.ndarray:
    """1 − the chance that a sampled answer is right, mean over problems, (lanes,)."""
    with torch.no_grad():
        log_p = _log_p(weights, problems)
    wanted = _answers(problems).expand(len(log_p), -1, -1)[..., None]
    return (1 - log_p.gather(-1, wanted)[..., 0].sum(dim=-1).exp().mean(dim=1)).double().numpy()


def _reinforced(
    width: int, lanes: int, steps: int, seed: int, pool: Tensor, held_out: Tensor, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Held-out errors before, (lanes,), and at every mark, (lanes, marks)."""
    draws = torch.Generator().manual_seed(1_000_000 * seed + width)

    def examples(_: int) -> tuple[Tensor, Tensor]:
        problems = torch.randint(0, BASE, (lanes, 64, PLACES), generator=draws)
        return _inputs(problems), _answers(problems).flatten(1)

    def digits(weights: Weights, inputs: Tensor) -> Tensor:
        return outputs(weights, inputs).unflatten(-1, (DIGITS, BASE)).flatten(1, 2)

    begin = start(_sizes(width), lanes, seed=1_000_000 * seed + width + 1)
    weights = train(
        begin, examples, steps=TAUGHT, rates=[0.01] * lanes, schedule=Schedule("cosine", final=0.0), forward=digits
    )
    before = _error(weights, held_out)
    weights = [each.requires_grad_() for each in weights]
    optimizer = torch.optim.Adam(weights, lr=RATE, betas=(0.9, 0.99))  # by element, so that lanes stay apart
    orders = [torch.randperm(len(pool), generator=draws) for _ in range(lanes)]
    errors = np.empty((lanes, len(marks)))
    for step in range(1, steps + 1):
        places = (torch.arange(PROBLEMS) + (step - 1) * PROBLEMS) % len(pool)
        problems = torch.stack([pool[order[places]] for order in orders])
        log_p = _log_p(weights, problems)
        flat = log_p.detach().exp().flatten(0, 2)
        tried = torch.multinomial(flat, ROLLOUTS, replacement=True, generator=draws)
        tried = tried.view(*log_p.shape[:3], ROLLOUTS)  # (lanes, problems, digits, rollouts)
        reward = (tried == _answers(problems)[..., None]).all(dim=2).float()
        spread = reward.std(dim=-1, keepdim=True)
        advantage = (reward - reward.mean(dim=-1, keepdim=True)) / (spread + 1e-4)
        chosen = log_p.gather(-1, tried).sum(dim=2)
        optimizer.zero_grad(set_to_none=True)
        (-(advantage * chosen).mean(dim=(1, 2))).sum().backward()
        optimizer.step()
        if step in marks:
            errors[:, int(np.flatnonzero(marks == step)[0])] = _error(weights, held_out)
    return before, errors


if __name__ == "__main__":
    show(__doc__, "rl_posttraining", study)
