"""Costs by name: what a plan may have to pay for, as formulas in the law's inputs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from isoflop.accounting.cost import ADAM_BYTES
from isoflop.errors import IsoflopError, shown
from isoflop.laws.expression import Expr, mul, names, num
from isoflop.laws.text import write
from isoflop.laws.training_flops import TrainingFlops
from isoflop.planning.program.conditions import SERVED, formula
from isoflop.values import Value

CostUnit = Literal["FLOPs", "bytes", "bits", "hours", "money", "parameters", ""]


@dataclass(frozen=True)
class NamedCost(Value):
    """A cost that has a name: its formula, unit and meaning."""

    formula: str
    unit: CostUnit
    meaning: str


COSTS: Mapping[str, NamedCost] = {
    "6ND": NamedCost("6*N*D", "FLOPs", "training compute of N parameters on D tokens"),
    "6NS": NamedCost("6*N*S*batch", "FLOPs", "training compute of S steps of a batch in tokens"),
    "inference": NamedCost("6*N*D + 2*N*T_inference*samples", "FLOPs", "training and inference compute"),
    "datastore": NamedCost("6*N*D + 2*N_retriever*D_store", "FLOPs", "training compute and embedding a datastore"),
    "shape": NamedCost(
        "D*(72*depth*width^2 + 6*depth*width*(context + 1) + 6*vocab*width)",
        "FLOPs",
        "matrix products of a Transformer of depth and width, feed-forward 4 widths, causal attention, output layer",
    ),
    "encoder-decoder": NamedCost("N_encoder + N_decoder", "parameters", "parameters of encoder and decoder"),
    "bits": NamedCost("N*bits", "bits", "bits of the weights"),
    "weights": NamedCost("N*bits/8", "bytes", "bytes of the weights"),
    "memory": NamedCost(f"{ADAM_BYTES}*N", "bytes", "training memory of weights, gradients and Adam's state"),
}
TABLE, HOURS, MONEY = "table", "hours", "money"


@dataclass(frozen=True)
class CostFormula(Value):
    """A cost as it is planned with: expression, the words of it, and the unit of its values.

    table: whether it is the training compute as the table of runs counts it.
    """

    expression: Expr
    text: str
    unit: CostUnit
    table: bool = False


def cost_formula(
    wanted: str | None,
    *,
    inputs: Collection[str],
    counted: TrainingFlops,
    served: bool,
    rates: Mapping[str, float],
) -> CostFormula | None:
    """The cost that is asked for by name or formula; the usual one of these inputs where none is; None without one.

    inputs: every quantity that is known or chosen. counted: how the table counts training FLOPs. served: whether
    inference tokens are given. rates: hours and money of one FLOP, where hardware is named.
    Raises IsoflopError for hours and money without hardware, and for a bad formula.
    """
    if wanted in (HOURS, MONEY):
        if wanted not in rates:
            needs = "--hardware and --price, such as 2.5" if wanted == MONEY else "--hardware, such as h100"
            raise IsoflopError(f"--cost {wanted} needs {needs}")
        base = cost_formula(None, inputs=inputs, counted=counted, served=served, rates={})
        if base is None or base.unit != "FLOPs":
            raise IsoflopError(f"--cost {wanted} counts the FLOPs of N and D; write it as a formula of your inputs")
        unit: CostUnit = "hours" if wanted == HOURS else "money"
        return CostFormula(mul(num(rates[wanted]), base.expression), f"{wanted} of {base.text}", unit)
    if wanted is None:
        if {"N", "D"} <= set(inputs):
            training = table_cost(counted)
            if not served:
                return training
            both = formula(f"{training.text} + 2*N*{SERVED}*samples", "--cost")
            return CostFormula(both, write(both), "FLOPs")
        wanted = next((each for each in ("shape", "encoder-decoder") if _fits(each, inputs)), None)
        if wanted is None:
            return None
    if wanted == TABLE:
        return table_cost(counted)
    if wanted in COSTS:
        known = COSTS[wanted]
        return CostFormula(formula(known.formula, "--cost"), known.formula, known.unit)
    expression = formula(wanted, "--cost")
    if not names(expression):
        raise IsoflopError(
            f"--cost {shown(wanted)} has no quantity in it, so it does not grow; write for example 6*N*D"
        )
    return CostFormula(expression, wanted.strip(), "")


def table_cost(counted: TrainingFlops) -> CostFormula:
    """k·N^p·D^q, as the table counts training FLOPs."""
    if counted.n_power == counted.d_power == 1:
        text = f"{counted.per:.6g}*N*D"
    else:
        text = f"{counted.per!r}*N^{counted.n_power!r}*D^{counted.d_power!r}"
    exact = formula(f"{counted.per!r}*N^{counted.n_power!r}*D^{counted.d_power!r}", "--cost")
    return CostFormula(exact, text, "FLOPs", table=True)


def _fits(cost: str, inputs: Collection[str]) -> bool:
    """Whether the quantities of a named cost are those of a law, but for what has a default."""
    defaults = {"context", "vocab", "samples"}
    return set(names(formula(COSTS[cost].formula, "--cost"))) - defaults <= set(inputs)
