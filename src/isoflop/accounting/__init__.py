"""What a run costs: parameters and FLOPs of a shape under named conventions, then hours and money."""

from isoflop.accounting.compare import Comparison, Row, compare
from isoflop.accounting.cost import Cost, cost, doubts, flops_within
from isoflop.accounting.flops import Flops, chinchilla_flops, exact_flops, kaplan_flops, palm_flops, six_n
from isoflop.accounting.hardware import ACCELERATORS, Accelerator, accelerator
from isoflop.accounting.inference import decode_flops, prefill_flops
from isoflop.accounting.params import (
    Parameters,
    chinchilla_parameters,
    kaplan_parameters,
    parameters,
    twelve_l_d_squared,
)
from isoflop.accounting.shape import Shape

__all__ = [
    "ACCELERATORS",
    "Accelerator",
    "Comparison",
    "Cost",
    "Flops",
    "Parameters",
    "Row",
    "Shape",
    "accelerator",
    "chinchilla_flops",
    "chinchilla_parameters",
    "compare",
    "cost",
    "decode_flops",
    "doubts",
    "exact_flops",
    "flops_within",
    "kaplan_flops",
    "kaplan_parameters",
    "palm_flops",
    "parameters",
    "prefill_flops",
    "six_n",
    "twelve_l_d_squared",
]
