"""What a decoder-only transformer looks like: the numbers from which parameters and FLOPs are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from isoflop.errors import SpecError

Positions = Literal["rotary", "learned", "relative"]
Norm = Literal["rms", "layer", "none"]
Biases = Literal["none", "qkv", "all"]
QueryKeyNorm = Literal["none", "head", "full"]

MOST: Final = 10**12  # layers, units or tokens of context; larger numbers are slips that would overflow a float

_WORDS: Final = {
    "positions": get_args(Positions),
    "norm": get_args(Norm),
    "biases": get_args(Biases),
    "query_key_norm": get_args(QueryKeyNorm),
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """L layers of width d with H heads of size k, feed-forward width f, context T and vocabulary V.

    key_size: k; None means d / H. The attention width is a = H k, and need not be d.
    kv_heads: heads of keys and values under grouped-query attention; None means H, 1 is multi-query.
    feed_forward: f, of one expert where there are experts; None means 4 d. ``gated`` adds a third matrix (SwiGLU).
    tied: the output matrix is the embedding table.
    experts: routed experts a layer, of which a token passes ``active_experts``; ``shared_experts`` see every token.
        1 means a dense feed-forward layer without a router.
    dense_layers: layers without experts, of feed-forward width ``dense_feed_forward`` (None means f).
    positions: ``learned`` is a table of T rows; ``relative`` adds to each layer the d × a matrix and the two vectors of
        length a of Transformer-XL (Dai et al. 2019, section 3.3), as in Gopher and Chinchilla; ``rotary`` has no
        parameters and stands for every scheme that has none.
    norm: ``rms`` has a gain, ``layer`` a gain and a bias; ``layer_norms`` of them a layer and one before the output.
    query_key_norm: gains on queries and keys, shared by the heads (``head``: 2 k a layer) or not (``full``).
    biases: on queries, keys and values, or on all matrices but the output matrix and the router.

    Raises SpecError where a number is not a whole number of at least 1, or does not divide what it must.
    """

    layers: int
    width: int
    heads: int
    vocabulary: int
    context: int
    key_size: int | None = None
    kv_heads: int | None = None
    feed_forward: int | None = None
    gated: bool = False
    tied: bool = False
    experts: int = 1
    active_experts: int = 1
    shared_experts: int = 0
    dense_layers: int = 0
    dense_feed_forward: int | None = None
    positions: Positions = "rotary"
    norm: Norm = "rms"
    layer_norms: int = 2
    query_key_norm: QueryKeyNorm = "none"
    biases: Biases = "none"

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "vocabulary", "context", "experts", "active_experts"):
            _require_count(name, getattr(self, name), least=1)
        for name in ("key_size", "kv_heads", "feed_forward", "dense_feed_forward"):
            if getattr(self, name) is not None:
                _require_count(name, getattr(self, name), least=1)
        for name in ("shared_experts", "dense_layers", "layer_norms"):
            _require_count(name, getattr(self, name), least=0)
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                raise SpecError(f"{name} = {getattr(self, name)!r} is unknown; choose one of {', '.join(words)}")
        if self.key_size is None and self.width % self.heads:
            raise SpecError(
                f"heads = {self.heads} does not divide width = {self.width}; divisors near it are "
                f"{_divisors_near(self.width, self.heads)}, or give the key size"
            )
        if self.heads % self.groups:
            raise SpecError(
                f"kv_heads = {self.groups} does not divide heads = {self.heads}; divisors near it are "
                f"{_divisors_near(self.heads, self.groups)}"
            )
        self._require_experts()

    def _require_experts(self) -> None:
        if self.active_experts > self.experts:
            raise SpecError(
                f"active_experts = {self.active_experts} is more than experts = {self.experts}; "
                f"a token cannot pass more experts than there are"
            )
        if self.experts == 1 and (self.shared_experts or self.dense_layers or self.dense_feed_forward):
            raise SpecError(
                "shared_experts, dense_layers and dense_feed_forward describe a model with experts, "
                "and experts = 1; give the number of routed experts"
            )
        if self.dense_layers > self.layers:
            raise SpecError(f"dense_layers = {self.dense_layers} is more than layers = {self.layers}; give at most all")

    @property
    def head_size(self) -> int:
        """k, the size of one head."""
        return self.width // self.heads if self.key_size is None else self.key_size

    @property
    def groups(self) -> int:
        """Heads of keys and values."""
        return self.heads if self.kv_heads is None else self.kv_heads

    @property
    def attention_width(self) -> int:
        """a = H k, the width of all queries together."""
        return self.heads * self.head_size

    @property
    def kv_width(self) -> int:
        """The width of all keys together, which is that of all values."""
        return self.groups * self.head_size

    @property
    def hidden(self) -> int:
        """f, the feed-forward width: of one expert where there are experts."""
        return 4 * self.width if self.feed_forward is None else self.feed_forward

    @property
    def dense_hidden(self) -> int:
        """The feed-forward width of a layer without experts."""
        return self.hidden if self.dense_feed_forward is None else self.dense_feed_forward

    @property
    def expert_layers(self) -> int:
        """Layers that have experts."""
        return self.layers - self.dense_layers if self.experts > 1 else 0

    @property
    def hidden_units(self) -> int:
        """Feed-forward units of all layers and all experts."""
        return self._units(self.experts)

    @property
    def active_hidden_units(self) -> int:
        """Feed-forward units that one token passes, over all layers."""
        return self._units(self.active_experts)

    def _units(self, routed: int) -> int:
        dense = (self.layers - self.expert_layers) * self.dense_hidden
        return dense + self.expert_layers * (routed + self.shared_experts) * self.hidden

    @property
    def feed_forward_matrices(self) -> int:
        """2, or 3 where the feed-forward layer is gated."""
        return 3 if self.gated else 2


def _require_count(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SpecError(f"{name} = {value!r} must be a whole number of at least {least}")
    if value > MOST:
        raise SpecError(f"{name} = {value:.3g} is more than {MOST:.0e}, and no model is; check its suffix")


def _divisors_near(whole: int, wish: int) -> str:
    near = range(max(1, wish - 1000), min(whole, wish + 1000) + 1)
    divisors = [each for each in near if whole % each == 0] or [1, whole]
    return ", ".join(str(each) for each in sorted(sorted(divisors, key=lambda each: abs(each - wish))[:3]))
