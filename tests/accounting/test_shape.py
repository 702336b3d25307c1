import re

import pytest

from isoflop.accounting import Shape
from isoflop.errors import SpecError

GOOD = {"layers": 4, "width": 48, "heads": 6, "vocabulary": 100, "context": 16}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": 0}, "layers = 0 must be a whole number of at least 1"),
        ({"width": -8}, "width = -8 must be a whole number of at least 1"),
        ({"context": 2.5}, "context = 2.5 must be a whole number"),
        ({"vocabulary": True}, "vocabulary = True must be a whole number"),
        ({"feed_forward": 0}, "feed_forward = 0 must be a whole number of at least 1"),
        ({"kv_heads": -1}, "kv_heads = -1 must be"),
        ({"shared_experts": -1, "experts": 2}, "shared_experts = -1 must be a whole number of at least 0"),
        ({"width": 10**13}, "width = 1e+13 is more than 1e+12, and no model is; check its suffix"),
        ({"width": 999_999_999_989, "heads": 12_345}, "does not divide width = 999999999989; divisors near it are 1, "),
        ({"heads": 5}, "heads = 5 does not divide width = 48; divisors near it are 3, 4, 6, or give the key size"),
        ({"kv_heads": 4}, "kv_heads = 4 does not divide heads = 6; divisors near it are 2, 3, 6"),
        ({"kv_heads": 12}, "kv_heads = 12 does not divide heads = 6"),
        ({"experts": 4, "active_experts": 5}, "active_experts = 5 is more than experts = 4"),
        ({"active_experts": 2}, "active_experts = 2 is more than experts = 1"),
        ({"dense_layers": 1}, "describe a model with experts, and experts = 1"),
        ({"experts": 4, "dense_layers": 5}, "dense_layers = 5 is more than layers = 4"),
        ({"positions": "alibi"}, "positions = 'alibi' is unknown; choose one of rotary, learned, relative"),
        ({"norm": "batch"}, "norm = 'batch' is unknown; choose one of rms, layer, none"),
        ({"biases": "some"}, "biases = 'some' is unknown; choose one of none, qkv, all"),
        ({"query_key_norm": "yes"}, "query_key_norm = 'yes' is unknown; choose one of none, head, full"),
    ],
)
def test_impossible_shapes_are_one_sentence(change, sentence):
    with pytest.raises(SpecError, match=re.escape(sentence)) as raised:
        Shape(**{**GOOD, **change})
    assert "\n" not in str(raised.value)


def test_what_is_not_given_follows_from_the_rest():
    shape = Shape(**GOOD)
    assert (shape.head_size, shape.groups, shape.attention_width, shape.kv_width) == (8, 6, 48, 48)
    assert (shape.hidden, shape.hidden_units, shape.active_hidden_units) == (192, 768, 768)
    assert shape.expert_layers == 0


def test_heads_need_not_divide_the_width_where_their_size_is_given():
    shape = Shape(**{**GOOD, "heads": 5, "key_size": 16})
    assert shape.attention_width == 80


def test_hidden_units_count_experts_shared_experts_and_dense_layers():
    shape = Shape(
        **GOOD,
        feed_forward=10,
        experts=8,
        active_experts=2,
        shared_experts=1,
        dense_layers=1,
        dense_feed_forward=70,
    )
    assert shape.hidden_units == 70 + 3 * 9 * 10
    assert shape.active_hidden_units == 70 + 3 * 3 * 10
