"""Accelerators: peak dense matrix FLOP/s by precision, and memory, each with where the figure is from.

Peaks are those without structured sparsity, which vendors' sheets often print doubled.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from isoflop.errors import SpecError
from isoflop.units import parse_quantity
from isoflop.values import Value

_T: Final = 1e12
_GB: Final = 1e9
_GIB: Final = float(2**30)
_GOOGLE: Final = "Google Cloud TPU documentation, page of this version: peak compute per chip"
_AWS: Final = "AWS Neuron documentation, architecture page of this chip"


@dataclass(frozen=True)
class Accelerator(Value):
    """One device as it is rented.

    peak: FLOP/s by precision, dense; the first is what one trains in. memory: bytes, 0 where it is not known.
    source: where the figures are from, and whether they were checked there.
    """

    name: str
    peak: Mapping[str, float]
    memory: float
    source: str


ACCELERATORS: Final[tuple[Accelerator, ...]] = (
    Accelerator(
        "v100",
        {"fp16": 125 * _T, "fp32": 15.7 * _T},
        16 * _GB,
        "NVIDIA Volta white paper, table 1 (SXM2), checked in a reprint of the table; also sold with 32 GB",
    ),
    Accelerator(
        "a100",
        {"bf16": 312 * _T, "fp16": 312 * _T, "tf32": 156 * _T, "fp32": 19.5 * _T},
        80 * _GB,
        "NVIDIA A100 data sheet, as quoted by glennklockwood.com/garden/processors/A100",
    ),
    Accelerator(
        "a100-40gb",
        {"bf16": 312 * _T, "fp16": 312 * _T, "tf32": 156 * _T, "fp32": 19.5 * _T},
        40 * _GB,
        "NVIDIA A100 data sheet, as quoted by glennklockwood.com/garden/processors/A100",
    ),
    Accelerator(
        "h100",
        {"bf16": 989.4 * _T, "fp16": 989.4 * _T, "fp8": 1978.9 * _T, "tf32": 494.7 * _T, "fp32": 66.9 * _T},
        80 * _GB,
        "NVIDIA H100 white paper (SXM5), as quoted by glennklockwood.com/garden/processors/h100",
    ),
    Accelerator(
        "h100-pcie",
        {"bf16": 756 * _T, "fp16": 756 * _T, "fp8": 1513 * _T},
        80 * _GB,
        "vendor's figure, from memory of its data sheet: half of the printed figure with sparsity",
    ),
    Accelerator(
        "h200",
        {"bf16": 989.4 * _T, "fp16": 989.4 * _T, "fp8": 1978.9 * _T, "tf32": 494.7 * _T},
        141 * _GB,
        "compute of the H100 (glennklockwood.com/garden/processors/h100); memory from MLPerf's H200 entries",
    ),
    Accelerator(
        "b200",
        {"bf16": 2250 * _T, "fp16": 2250 * _T, "fp8": 4500 * _T, "tf32": 1100 * _T},
        180 * _GB,
        "NVIDIA's HGX B200 figures at 1,000 W, as quoted by glennklockwood.com/garden/processors/B200; memory usable",
    ),
    Accelerator(
        "rtx-4090",
        {"bf16": 165.2 * _T, "fp16": 165.2 * _T},
        24 * _GB,
        "vendor's figure, from memory of its Ada white paper: 16-bit products summed in fp32",
    ),
    Accelerator(
        "mi250x",
        {"bf16": 383 * _T, "fp16": 383 * _T},
        128 * _GB,
        "vendor's figure, from memory of its data sheet: both dies of the module",
    ),
    Accelerator(
        "mi300x",
        {"bf16": 1307.4 * _T, "fp16": 1307.4 * _T, "fp8": 2614.9 * _T},
        192 * _GB,
        "AMD CDNA 3 white paper, checked in quotations: 304 units × 2,048 operations × 2.1 GHz",
    ),
    Accelerator("tpu-v3", {"bf16": 123 * _T}, 32 * _GIB, _GOOGLE),
    Accelerator("tpu-v4", {"bf16": 275 * _T}, 32 * _GIB, _GOOGLE),
    Accelerator("tpu-v5e", {"bf16": 197 * _T}, 16 * _GB, _GOOGLE),
    Accelerator("tpu-v5p", {"bf16": 459 * _T}, 95 * _GB, _GOOGLE),
    Accelerator("tpu-v6e", {"bf16": 918 * _T}, 32 * _GB, _GOOGLE),
    Accelerator("trainium1", {"bf16": 190 * _T, "fp32": 47.5 * _T}, 32 * _GIB, _AWS),
    Accelerator("trainium2", {"bf16": 667 * _T, "fp8": 1299 * _T, "fp32": 181 * _T}, 96 * _GIB, _AWS),
)

LEAST_PEAK: Final = 1e9  # FLOP/s below which a number is taken for a mistyped name


def accelerator(name: str) -> Accelerator:
    """The accelerator of that name, or one of the given peak: ``h100``, or FLOP/s such as ``400T``.

    Raises SpecError for another word, with the nearest names.
    """
    wish = _plain(name)
    for each in ACCELERATORS:
        if _plain(each.name) == wish:
            return each
    try:
        peak = parse_quantity(name)
    except ValueError:
        peak = 0.0
    if peak >= LEAST_PEAK:
        return Accelerator(f"{name.strip()} FLOP/s", {"given": peak}, 0.0, "peak as given")
    names = {_plain(each.name): each.name for each in ACCELERATORS}
    near = [names[each] for each in difflib.get_close_matches(wish, names, n=3, cutoff=0.4)]
    known = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(names.values())}"
    raise SpecError(f"hardware {name!r} is unknown; {known}; or give a peak in FLOP/s, such as 400T for 4e14")


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())
