"""FLOPs of one token in training, under the conventions that papers use, part by part so that they can be compared.

A multiply-add is two FLOPs and the backward pass costs twice the forward pass, in every convention here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from isoflop.accounting.params import parameters
from isoflop.accounting.shape import Shape

Attention = Literal["causal", "full"]


@dataclass(frozen=True)
class Flops:
    """Forward FLOPs of one token by part; ``training`` is three times their sum.

    embedding: a look-up counted as a product. scores: queries times keys. reduction: scores times values.
    small: norms, biases and positional tables, counted as if they were matrices (6ND does).
    """

    embedding: int = 0
    qkv: int = 0
    scores: int = 0
    softmax: int = 0
    reduction: int = 0
    projection: int = 0
    relative: int = 0
    feed_forward: int = 0
    router: int = 0
    output: int = 0
    small: int = 0

    @property
    def forward(self) -> int:
        """Forward FLOPs of one token."""
        return sum(self.parts().values())

    @property
    def training(self) -> int:
        """Forward and backward FLOPs of one token: 3 × forward."""
        return 3 * self.forward

    @property
    def blocks(self) -> int:
        """Training FLOPs of one token in the layers alone, without embedding and output matrix."""
        return 3 * (self.forward - self.embedding - self.output)

    def parts(self) -> dict[str, int]:
        """The parts, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def six_n(shape: Shape) -> Flops:
    """6 N a token with N = all parameters, or the active ones where there are experts.

    Every parameter is taken for an entry of a matrix that multiplies each token. So an untied embedding table, which is
    only looked up, counts, and attention over positions does not.
    """
    exact = parameters(shape)
    dense = shape.feed_forward_matrices * shape.width * shape.active_hidden_units
    return Flops(
        # the one table of a tied model multiplies as output matrix, and is looked up for nothing
        embedding=0 if shape.tied else 2 * exact.embedding,
        qkv=2 * exact.qkv,
        projection=2 * exact.projection,
        relative=2 * exact.relative,
        feed_forward=2 * dense,
        router=2 * exact.router,
        output=2 * (exact.embedding if shape.tied else exact.output),
        # what is left of 2 N: norms, positional table, and the biases that the token meets
        small=2 * (exact.norms + exact.biases + exact.positions + exact.feed_forward - exact.idle - dense),
    )


def kaplan_flops(shape: Shape) -> Flops:
    """C_forward = 2 N + 2 L T a with N = 2 d L (2 a + f); training 3 × (Kaplan et al. 2020, table 1 and section 2.1).

    One product over positions of the two: 2 L T a is half of full attention, and so a causal kernel's count up to 1/T.
    The output matrix is left out with the embeddings.
    """
    square = 2 * shape.layers * shape.width * shape.attention_width
    return Flops(
        qkv=3 * square,
        scores=2 * shape.layers * shape.context * shape.attention_width,
        projection=square,
        feed_forward=4 * shape.width * shape.active_hidden_units,
    )


def twelve_flops(shape: Shape) -> Flops:
    """C_forward = 2 N with N = 12 L d²: 8 L d² for attention's four matrices and 16 L d² for the feed-forward layer."""
    square = 2 * shape.layers * shape.width**2
    return Flops(qkv=3 * square, projection=square, feed_forward=8 * square)


def chinchilla_flops(shape: Shape) -> Flops:
    """Appendix F of Hoffmann et al. 2022, as printed, a token of a sequence of T.

    embeddings 2 V d; in each layer QKV 2·3 d a, logits 2 T a, softmax 3 H T, reduction 2 T a, projection 2 a d,
    dense 2·2 d f; final logits 2 d V. The whole square of scores counts, and the embedding as a product.

    Their table A4 (ratios to 6ND) is ``blocks`` of this count over 6 ``chinchilla_parameters``: embeddings and final
    logits, which the appendix lists, are not in it.
    """
    layers, a = shape.layers, shape.attention_width
    table = 2 * shape.vocabulary * shape.width
    return Flops(
        embedding=table,
        qkv=layers * 6 * shape.width * a,
        scores=layers * 2 * shape.context * a,
        softmax=layers * 3 * shape.heads * shape.context,
        reduction=layers * 2 * shape.context * a,
        projection=layers * 2 * a * shape.width,
        feed_forward=4 * shape.width * shape.active_hidden_units,
        output=table,
    )


def palm_flops(shape: Shape) -> Flops:
    """6 N + 12 L a T a token: the count in which model FLOPs utilization is defined (Chowdhery et al. 2022, app. B)."""
    attention = 2 * shape.layers * shape.attention_width * shape.context
    matrices = six_n(shape).parts()
    return Flops(**{**matrices, "scores": attention, "reduction": attention})


def exact_flops(shape: Shape, *, attention: Attention = "causal") -> Flops:
    """2 FLOPs an entry of every matrix that a token multiplies, and 4 a m a layer for attention over m positions.

    m = (T + 1) / 2 on average where attention is causal, T where the masked half is computed too (``full``). The
    embedding is a look-up and costs nothing. Softmax, norms, activations, biases and rotations are not matrix products
    and are not counted; appendix F's own figure for softmax puts them at 3 / (4 k) of the products over positions.
    """
    exact = parameters(shape)
    # twice the number of positions, which is odd for half of all causal contexts
    positions = shape.context + 1 if attention == "causal" else 2 * shape.context
    product = shape.layers * shape.attention_width * positions
    square = shape.layers * shape.width * shape.attention_width
    return Flops(
        qkv=2 * exact.qkv,
        scores=product,
        reduction=product,
        projection=2 * exact.projection,
        # a product of positions with their matrix, and one more product of queries with the result
        relative=2 * square + product if shape.positions == "relative" else 0,
        feed_forward=2 * shape.feed_forward_matrices * shape.width * shape.active_hidden_units,
        router=2 * exact.router,
        output=2 * shape.vocabulary * shape.width,
    )
