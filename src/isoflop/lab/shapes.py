"""What a model looks like and what it costs, without building it: parameters by convention, FLOPs by counting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from isoflop.errors import SpecError

FeedForward = Literal["plain", "gated"]


@dataclass(frozen=True)
class TransformerShape:
    """Decoder-only transformer: rotary positions, RMSNorm, feed-forward of ``ratio`` x width, plain or gated.

    With width d, layers L, hidden h = ratio · d, vocabulary V:
        non-embedding N = L (4 d² + m d h + 2 d) + d,   m = 2 plain (GELU), 3 gated (SwiGLU)
        total N = non-embedding + V d (tied) or + 2 V d (untied)
    The +2d and +d are the gains of RMSNorm. The output matrix counts as an embedding (Kaplan et al. 2020, section 2.1;
    Pearce and Song 2024 count both ways).
    """

    width: int
    layers: int
    heads: int
    ratio: float = 4.0
    feed_forward: FeedForward = "plain"
    tied: bool = True
    family: str = "transformer"

    def __post_init__(self) -> None:
        for name in ("width", "layers", "heads"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} = {getattr(self, name)} must be at least 1")
        if self.width % self.heads:
            near = [heads for heads in range(1, self.width + 1) if self.width % heads == 0]
            raise SpecError(
                f"heads = {self.heads} does not divide width = {self.width}; divisors of {self.width} near it are "
                f"{', '.join(str(h) for h in sorted(sorted(near, key=lambda h: abs(h - self.heads))[:3]))}"
            )
        if (self.width // self.heads) % 2:
            raise SpecError(
                f"width / heads = {self.width // self.heads} is odd, and rotary positions turn pairs; "
                f"choose heads so that width / heads is even"
            )
        if self.hidden < 1:
            raise SpecError(f"ratio = {self.ratio} leaves no hidden unit; use a ratio of 1 to 8")

    @property
    def name(self) -> str:
        """Width x layers, as ``64x5``."""
        return f"{self.width}x{self.layers}"

    @property
    def hidden(self) -> int:
        """Units of the feed-forward layer."""
        return round(self.ratio * self.width)

    @property
    def _matrices(self) -> int:
        maps = 3 if self.feed_forward == "gated" else 2
        return self.layers * (4 * self.width**2 + maps * self.width * self.hidden)

    def nonembedding(self) -> int:
        """Parameters apart from the embedding and the output matrix."""
        return self._matrices + (2 * self.layers + 1) * self.width

    def total(self, classes: int, features: int = 0) -> int:
        """All parameters, with a vocabulary of ``classes``."""
        return self.nonembedding() + (1 if self.tied else 2) * classes * self.width

    def flops_per_token(self, classes: int, context: int, features: int = 0) -> float:
        """Training FLOPs a token: 3 (2 · matrix parameters + 2 V d + 4 L d (T + 1)/2) with T = context.

        Two FLOPs a multiply-add; backward costs twice forward; a token attends to (T + 1)/2 positions on average
        (causal), each costing 2 d for the score and 2 d for the sum. Norms, softmax and rotations are not counted.
        """
        attention = 4 * self.layers * self.width * (context + 1) / 2
        return 3 * (2 * self._matrices + 2 * classes * self.width + attention)


@dataclass(frozen=True)
class MlpShape:
    """Multi-layer perceptron on F inputs with ``layers`` hidden layers of ``width`` ReLU units and K outputs.

    total N = F w + w + (L - 1)(w² + w) + w K + K; it has no embedding, so the non-embedding count is the same.
    """

    width: int
    layers: int = 2
    family: str = "mlp"

    def __post_init__(self) -> None:
        for name in ("width", "layers"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} = {getattr(self, name)} must be at least 1")

    @property
    def name(self) -> str:
        """Width x layers, as ``64x2``."""
        return f"{self.width}x{self.layers}"

    def total(self, classes: int, features: int) -> int:
        """All parameters."""
        inner = (self.layers - 1) * (self.width**2 + self.width)
        return features * self.width + self.width + inner + self.width * classes + classes

    def flops_per_token(self, classes: int, context: int, features: int) -> float:
        """Training FLOPs an image: 6 per weight (2 forward, 4 backward), biases not counted."""
        return 6.0 * (features * self.width + (self.layers - 1) * self.width**2 + self.width * classes)


Shape = TransformerShape | MlpShape


def nonembedding_of(shape: Shape, classes: int, features: int) -> int:
    """Parameters without embeddings, by the shape's own convention."""
    return shape.nonembedding() if isinstance(shape, TransformerShape) else shape.total(classes, features)
