"""The models as PyTorch modules; this module is imported only where PyTorch is needed."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isoflop.lab.shapes import MlpShape, Shape, TransformerShape


class Attention(nn.Module):  # type: ignore[misc]
    """softmax(q kᵀ/√(d/h)) v per head, causal, with rotary positions on q and k; inputs (batch, time, width)."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.into = nn.Linear(shape.width, 3 * shape.width, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Mix each position with those before it."""
        batch, time, width = x.shape
        both = self.into(x).view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        turned = rotate(both[:2], turn)
        mixed = F.scaled_dot_product_attention(turned[0], turned[1], both[2], is_causal=True)
        mixed = mixed.transpose(1, 2).reshape(batch, time, width)
        return self.out(mixed)


class FeedForward(nn.Module):  # type: ignore[misc]
    """Plain: W₂ gelu(W₁ x); gated: W₂ (silu(W₁ x) ⊙ W₃ x)."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.gated = shape.feed_forward == "gated"
        self.into = nn.Linear(shape.width, shape.hidden * (2 if self.gated else 1), bias=False)
        self.out = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position by itself."""
        h = self.into(x)
        if self.gated:
            gate, value = h.chunk(2, dim=-1)
            return self.out(F.silu(gate) * value)
        return self.out(F.gelu(h, approximate="tanh"))


class Norm(nn.Module):  # type: ignore[misc]
    """x / rms(x) ⊙ gain over the last axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Scale to unit root mean square, then by the gain."""
        return F.rms_norm(x, (x.shape[-1],), self.gain, 1e-6)


class Block(nn.Module):  # type: ignore[misc]
    """x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.norm_attention = Norm(shape.width)
        self.attention = Attention(shape)
        self.norm_forward = Norm(shape.width)
        self.forward_layer = FeedForward(shape)

    def forward(self, x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
        """Add both layers to the residual stream."""
        x = x + self.attention(self.norm_attention(x), turn)
        return x + self.forward_layer(self.norm_forward(x))


class Transformer(nn.Module):  # type: ignore[misc]
    """Logits (batch, time, classes) of the next token from token numbers (batch, time)."""

    def __init__(self, shape: TransformerShape, *, classes: int, context: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width)
        self.head = None if shape.tied else nn.Linear(shape.width, classes, bias=False)
        cos, sin = rotary_table(context, shape.width // shape.heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Predict the token that follows each position."""
        time = tokens.shape[1]
        turn = (self.cos[:time], self.sin[:time])
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, turn)
        x = self.norm(x)
        weight = self.embedding.weight if self.head is None else self.head.weight
        return F.linear(x, weight)


class Mlp(nn.Module):  # type: ignore[misc]
    """Logits (batch, classes) from features (batch, F)."""

    def __init__(self, shape: MlpShape, *, classes: int, features: int) -> None:
        super().__init__()
        sizes = [features] + [shape.width] * shape.layers
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.head = nn.Linear(shape.width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Score the classes."""
        for layer in self.layers:
            x = F.relu(layer(x))
        return self.head(x)


def rotary_table(context: int, size: int) -> tuple[Tensor, Tensor]:
    """(cos, sin) of position · 10000^(-2i/size), each (context, size/2) (Su et al. 2021)."""
    rates = 10000.0 ** (-torch.arange(0, size, 2, dtype=torch.float32) / size)
    angles = torch.arange(context, dtype=torch.float32)[:, None] * rates
    return angles.cos(), angles.sin()


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Turn each pair (xᵢ, xᵢ₊ₛ/₂) of the last axis by its position's angle."""
    cos, sin = turn
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def build(shape: Shape, *, classes: int, context: int, features: int, seed: int) -> nn.Module:
    """The model with weights drawn from ``seed`` alone.

    Matrices: normal with variance 1/fan-in; the two that write to the residual stream start at zero, so that every
    depth begins as the same function; a tied embedding has standard deviation 0.02, since it is also the output matrix.
    """
    if isinstance(shape, MlpShape):
        model: nn.Module = Mlp(shape, classes=classes, features=features)
    else:
        model = Transformer(shape, classes=classes, context=context)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("gain"):
                weight.fill_(1.0)
            elif name.endswith(("bias", "out.weight")):
                weight.zero_()
            elif name == "embedding.weight":
                weight.normal_(std=0.02, generator=draws)
            else:
                weight.normal_(std=1 / math.sqrt(weight.shape[1]), generator=draws)
    return model
