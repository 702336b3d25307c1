"""Longer sequences: what a longer context gains, how much more training it needs, and which one a budget buys.

Kaplan et al. 2020 (arXiv 2001.08361) report that the loss of a token falls as a power of its position, and that models
of short contexts learn the first tokens better (from memory of their appendix). Here transformers learn bytes of Python
at contexts of 8 to 256 bytes, each for several numbers of tokens with a schedule of its own. The law
E + A/T^p + B·T^q/D^β says how long the longer ones have to be trained: for an equal excess T^(q/β) times the tokens.
With attention counted, `plan` says which context a budget of FLOPs buys.
"""

from __future__ import annotations

import numpy as np
import torch
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, draws_interval, panels, plain_ticks, show, told

from isoflop import Ensemble, Interval, Runs, bootstrap, fit, law
from isoflop.lab.cell import Cell, Evaluation
from isoflop.lab.schedules import Schedule
from isoflop.lab.shapes import TransformerShape
from isoflop.lab.tasks import TaskSpec, python_text
from isoflop.lab.train import train
from isoflop.planning import PlanWords, optimized_plan, plan_problem
from isoflop.units import format_quantity

SHAPE = TransformerShape(width=32, layers=2, heads=2)
BATCH = 2_048  # bytes a step, whatever the context
LAW = law("E + A/T^p + B*T^q/D^beta", inputs=("T",), domains={"p": "positive", "q": "real", "beta": "positive"})


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train every context for every number of tokens; fit what each gains and needs; plan the context of budgets."""
    torch.set_num_threads(1)
    contexts = (8, 32, 128) if quick else (8, 16, 32, 64, 128, 256)
    steps = (16, 32, 64) if quick else (32, 64, 128, 256, 512)
    windows = (16_384 if quick else 131_072) // max(contexts)
    table = [
        (context, count * BATCH, _loss(context, count, seed, windows * max(contexts) // context))
        for context in contexts
        for count in steps
    ]
    t, d, loss = np.array(table, dtype=np.float64).T
    runs = Runs.from_columns({"T": t, "D": d, "loss": loss}, source="contexts", units={"loss": "nats/byte"})
    ensemble = bootstrap(fit(LAW, runs), draws=100 if quick else 400, seed=seed)
    needs = _ratio(ensemble, "q", "beta")

    tokens = np.unique(d)
    mean = np.array([[loss[(t == each) & (d == count)].item() for count in tokens] for each in contexts])
    best = [contexts[place] for place in mean.argmin(axis=0)]
    # FLOPs of a byte: fixed + each · T, as the lab counts them
    first, second = (SHAPE.flops_per_token(256, context) for context in (contexts[0], 2 * contexts[0]))
    each = (second - first) / contexts[0]
    fixed = first - each * contexts[0]
    limits = (f"T >= {contexts[0]}", f"T <= {contexts[-1]}")
    budgets = [(fixed + each * contexts[0]) * tokens[0], (fixed + each * contexts[-1]) * tokens[-1]]
    plans = []
    for budget in budgets:
        words = PlanWords(over="T,D", cost=f"({fixed:g} + {each:g}*T)*D", budget=budget, subject_to=limits)
        plans.append(optimized_plan(ensemble, plan_problem(LAW, words), level=LEVEL).of("T").interval)

    longer, rises = needs.low > 0, best[-1] > best[0]
    verdict = "appears" if longer and rises else "appears in part" if longer or rises else "does not appear"
    gains = mean[:, -1]
    says = (
        f"For an equal excess over its own floor twice the context needs 2^{told(needs)} times the tokens. Of the "
        f"contexts {', '.join(map(str, contexts))} the best is {best[0]} after {format_quantity(tokens[0])} bytes and "
        f"{best[-1]} after {format_quantity(tokens[-1])}, where {contexts[-1]} has {gains[-1]:.3f} nats/byte and "
        f"{contexts[0]} {gains[0]:.3f}. With attention counted the law plans {told(plans[0])} bytes of context for "
        f"{format_quantity(budgets[0])} FLOPs and {told(plans[1])} for {format_quantity(budgets[1])}."
    )
    rows = [[f"{context}", *(f"{value:.4f}" for value in line)] for context, line in zip(contexts, mean, strict=True)]
    figure, (left, right) = panels(2)
    for number, context in enumerate(contexts):
        color = COLOURS[number % len(COLOURS)]
        left.plot(tokens, mean[number], MARKERS[number % len(MARKERS)], color=color, ms=5, label=f"{context} bytes")
        line = np.geomspace(tokens[0], tokens[-1], 60)
        left.plot(line, ensemble.estimate.predict({"T": np.full(60, float(context)), "D": line}), color=color, lw=1)
    left.set(xscale="log", xlabel="bytes of training", ylabel="loss (nats/byte)")
    plain_ticks(left, tokens)
    left.legend(frameon=False, fontsize=8)
    for number, count in enumerate(tokens):
        right.plot(contexts, mean[:, number], f"{MARKERS[number]}-", color=COLOURS[number], ms=5, lw=1,
                   label=f"{format_quantity(count)} bytes")  # fmt: skip
        place = int(mean[:, number].argmin())
        right.plot(contexts[place], mean[place, number], "o", ms=11, mfc="none", color=COLOURS[number])
    right.set(xscale="log", xlabel="context (bytes; the best is ringed)", ylabel="loss (nats/byte)")
    plain_ticks(right, contexts)
    low, high = right.get_ylim()
    right.set_ylim(low, high + 0.2 * (high - low))
    right.legend(frameon=False, fontsize=8, ncols=3, loc="upper center")
    numbers: dict[str, float | Interval] = {
        "exponent of tokens in context": needs,
        "first plan": plans[0],
        "last plan": plans[1],
    }
    numbers |= {"best at first": float(best[0]), "best at last": float(best[-1])}
    header = ["context", *(format_quantity(count) for count in tokens)]
    return Outcome(verdict, says, header, rows, figure, numbers)


def _ratio(ensemble: Ensemble, above: str, below: str) -> Interval:
    """One constant over another, in the fit and in every draw."""
    draws = ensemble.draws[above] / ensemble.draws[below]
    params = ensemble.estimate.params
    return draws_interval(params[above] / params[below], draws)


def _loss(context: int, steps: int, seed: int, windows: int) -> float:
    cell = Cell(
        task=TaskSpec(context=context),
        shape=SHAPE,
        steps=steps,
        batch=BATCH,
        lr=0.008,
        seed=seed,
        schedule=Schedule("cosine", final=0.0),
        evaluation=Evaluation(points=1, windows=windows),
    )
    return train(cell, task=python_text(context=context)).loss


if __name__ == "__main__":
    show(__doc__ or "", "longer_sequences", study)
