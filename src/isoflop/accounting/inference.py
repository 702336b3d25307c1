"""FLOPs of serving one token: reading a prompt, and writing one token after another.

Writing is bound by memory rather than by FLOPs at small batches: a count says what is computed, not how long it takes.
"""

from __future__ import annotations

from isoflop.accounting.flops import exact_flops
from isoflop.accounting.shape import Shape
from isoflop.errors import SpecError


def decode_flops(shape: Shape, *, position: int) -> int:
    """2 FLOPs a matrix entry and 4 L a n for one new token at position n (counted from 1), keys and values cached."""
    if position < 1:
        raise SpecError(f"position = {position} must be at least 1, that of the first token")
    part = exact_flops(shape)
    products = 4 * shape.layers * shape.attention_width * position
    relative = 0
    if shape.positions == "relative":
        relative = 2 * shape.layers * shape.attention_width * (shape.width + position)
    return part.forward - part.scores - part.reduction - part.relative + products + relative


def prefill_flops(shape: Shape, *, prompt: int) -> int:
    """FLOPs of reading a prompt of n tokens in all: sum of decode over positions 1 … n, with one row of logits."""
    first, last = decode_flops(shape, position=1), decode_flops(shape, position=prompt)
    # the cost of a position is linear in it, so the sum is the mean of its ends
    everywhere = prompt * (first + last) // 2
    return everywhere - (prompt - 1) * exact_flops(shape).output
