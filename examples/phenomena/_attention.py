"""Small transformers trained side by side as :mod:`_networks` trains its lanes: patches or tokens in, logits out.

Each layer is h + A(norm h), then h + M(norm h): attention with one head for each eight units, and a network of twice
the width with a GELU; norm divides by the root mean square. Positions are learned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from _networks import Weights
from torch import Tensor

HEAD = 8  # units of a head, fewer in narrower networks
PER_LAYER = 4  # matrices: queries, keys and values; their output; into and out of the inner network


def start(inputs: int, width: int, out: int, *, places: int, layers: int, lanes: int, seed: int) -> Weights:
    """Normal weights of variance 1/fan-in; what adds to the residual stream is divided by √(2 · layers) more."""
    draws = torch.Generator().manual_seed(seed)

    def matrix(fan_in: int, fan_out: int, by: float = 1.0) -> Tensor:
        return by / math.sqrt(fan_in) * torch.randn(lanes, fan_in, fan_out, generator=draws)

    quieter = 1 / math.sqrt(2 * layers)
    each = [
        one
        for _ in range(layers)
        for one in (
            matrix(width, 3 * width),
            matrix(width, width, quieter),
            matrix(width, 2 * width),
            matrix(2 * width, width, quieter),
        )
    ]
    positions = 0.1 * torch.randn(lanes, places, width, generator=draws)
    return [matrix(inputs, width), positions, *each, matrix(width, out, 0.5), torch.zeros(lanes, 1, out)]


def outputs(weights: Weights, inputs: Tensor, *, causal: bool) -> Tensor:
    """(lanes, batch, places, out) from inputs (lanes, batch, places, in), or without lanes where all share them."""
    embed, positions, *layers, out, bias = weights
    lanes, _, width = embed.shape
    x = inputs if inputs.ndim == 4 else inputs.expand(lanes, *inputs.shape)
    batch, places = x.shape[1:3]
    heads = max(1, width // HEAD)
    h = torch.bmm(x.flatten(1, 2), embed) + positions[:, :places].repeat(1, batch, 1)
    for first in range(0, len(layers), PER_LAYER):
        mixed, joined, up, down = layers[first : first + PER_LAYER]
        split = torch.bmm(_norm(h), mixed).view(lanes * batch, places, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        seen = F.scaled_dot_product_attention(*split, is_causal=causal)
        h = h + torch.bmm(seen.transpose(1, 2).reshape(lanes, batch * places, width), joined)
        h = h + torch.bmm(F.gelu(torch.bmm(_norm(h), up)), down)
    return torch.baddbmm(bias, _norm(h), out).view(lanes, batch, places, -1)


def parameters(weights: Sequence[Tensor]) -> int:
    """Parameters of one lane."""
    return sum(each[0].numel() for each in weights)


def _norm(h: Tensor) -> Tensor:
    return h * torch.rsqrt(h.square().mean(dim=-1, keepdim=True) + 1e-6)
