"""How many parameters a shape has: exactly and by part, and by the formulas that papers print."""

from __future__ import annotations

from dataclasses import dataclass, fields

from isoflop.accounting.shape import Shape


@dataclass(frozen=True)
class Parameters:
    """The exact count by part; ``total`` is their sum.

    embedding: V d. output: V d, or 0 where it is tied to the embedding. positions: T d where they are learned.
    qkv: L d (a + 2 g k) with g heads of keys and values. projection: L a d. relative: L (d a + 2 a).
    feed_forward: 2 d or 3 d (gated) a hidden unit, experts included. router: d a routed expert.
    idle: weights and biases of the experts that a token is not sent to; they are in the parts above, not beside them.
    """

    embedding: int
    positions: int
    qkv: int
    projection: int
    relative: int
    feed_forward: int
    router: int
    biases: int
    norms: int
    output: int
    idle: int

    @property
    def total(self) -> int:
        """All parameters."""
        return sum(self.parts().values())

    @property
    def non_embedding(self) -> int:
        """Without token embedding, positional table and output matrix (Kaplan et al. 2020, section 2.1)."""
        return self.total - self.embedding - self.positions - self.output

    @property
    def active(self) -> int:
        """Parameters that one token passes: all but the experts it is not sent to; embeddings count in full."""
        return self.total - self.idle

    def parts(self) -> dict[str, int]:
        """The parts that sum to ``total``, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "idle"}


def parameters(shape: Shape) -> Parameters:
    """N = V d (1 or 2) + L (d (a + 2 g k) + a d) + 2 d or 3 d a hidden unit + routers, biases, norms, positions.

    Every tensor of the model is counted, as ``sum(p.numel() for p in model.parameters())`` would.
    """
    d, a = shape.width, shape.attention_width
    unit = shape.feed_forward_matrices * d
    return Parameters(
        embedding=shape.vocabulary * d,
        positions=shape.context * d if shape.positions == "learned" else 0,
        qkv=shape.layers * d * (a + 2 * shape.kv_width),
        projection=shape.layers * a * d,
        relative=shape.layers * (d * a + 2 * a) if shape.positions == "relative" else 0,
        feed_forward=unit * shape.hidden_units,
        router=shape.expert_layers * d * shape.experts,
        biases=_biases(shape),
        norms=_norms(shape),
        output=0 if shape.tied else shape.vocabulary * d,
        idle=unit * (shape.hidden_units - shape.active_hidden_units) + _idle_biases(shape),
    )


def _idle_biases(shape: Shape) -> int:
    if shape.biases != "all":
        return 0
    hidden = (shape.feed_forward_matrices - 1) * (shape.hidden_units - shape.active_hidden_units)
    return hidden + shape.expert_layers * (shape.experts - shape.active_experts) * shape.width


def _biases(shape: Shape) -> int:
    if shape.biases == "none":
        return 0
    qkv = shape.layers * (shape.attention_width + 2 * shape.kv_width)
    if shape.biases == "qkv":
        return qkv
    blocks = shape.layers - shape.expert_layers + shape.expert_layers * (shape.experts + shape.shared_experts)
    hidden = (shape.feed_forward_matrices - 1) * shape.hidden_units
    return qkv + shape.layers * shape.width + hidden + blocks * shape.width


def _norms(shape: Shape) -> int:
    vectors = {"none": 0, "rms": 1, "layer": 2}[shape.norm]
    heads = {"none": 0, "head": 2 * shape.head_size, "full": shape.attention_width + shape.kv_width}
    norms = vectors * shape.width * (shape.layers * shape.layer_norms + 1)
    return norms + shape.layers * heads[shape.query_key_norm]


def kaplan_parameters(shape: Shape) -> int:
    """N = 2 d L (2 a + f), without embeddings (Kaplan et al. 2020, table 1).

    The formula knows no gate and no shared keys: on a gated or grouped-query model it is not the count of the model.
    With experts, f stands for the hidden units that a token passes.
    """
    return 2 * shape.width * (2 * shape.layers * shape.attention_width + shape.active_hidden_units)


def twelve_l_d_squared(shape: Shape) -> int:
    """N = 12 L d², what Kaplan's formula becomes for a = d and f = 4 d (Kaplan et al. 2020, equation 2.1)."""
    return 12 * shape.layers * shape.width**2


def chinchilla_parameters(shape: Shape) -> int:
    """N = V d + L (5 d a + 2 d f), one embedding table included: the count that gives Chinchilla's table A9.

    Hoffmann et al. 2022 say that embeddings count (appendix F) and print no formula. Four matrices of attention fall
    short of their table by up to 7.7 %; the fifth is that of relative positions (Dai et al. 2019), which Gopher and
    Chinchilla use. With experts, f stands for the hidden units that a token passes.
    """
    attention = 5 * shape.layers * shape.attention_width
    return shape.width * (shape.vocabulary + attention + 2 * shape.active_hidden_units)
