import dataclasses

import pytest
from tests.accounting.models import EXPERTS, OPEN

from isoflop.accounting import Shape, decode_flops, exact_flops, parameters, prefill_flops
from isoflop.errors import SpecError

SMALL = Shape(layers=3, width=32, heads=4, kv_heads=2, vocabulary=70, context=12, gated=True, feed_forward=50)


@pytest.mark.parametrize("shape", [SMALL, dataclasses.replace(SMALL, positions="relative")])
def test_decoding_a_whole_sequence_token_by_token_is_the_causal_forward_pass(shape):
    tokens = sum(decode_flops(shape, position=position) for position in range(1, 13))
    assert tokens == 12 * exact_flops(shape).forward


@pytest.mark.parametrize("prompt", [1, 2, 7, 12])
def test_a_prompt_costs_what_its_tokens_do_with_one_row_of_logits(prompt):
    tokens = sum(decode_flops(SMALL, position=position) for position in range(1, prompt + 1))
    assert prefill_flops(SMALL, prompt=prompt) == tokens - (prompt - 1) * 2 * 70 * 32


def test_a_new_token_of_a_short_text_costs_two_flops_a_weight():
    # 2 N per generated token is the usual rule (Kaplan et al. 2020; Sardana et al. 2024)
    shape, total = OPEN["Llama 3 8B"]
    matrices = total - parameters(shape).embedding - parameters(shape).norms
    assert decode_flops(shape, position=1) == 2 * matrices + 4 * 32 * 4096
    experts, _, active = EXPERTS["Mixtral 8x7B"]
    assert decode_flops(experts, position=1) == pytest.approx(2 * active, rel=0.011)


def test_each_position_further_costs_four_layers_of_attention():
    step = decode_flops(SMALL, position=101) - decode_flops(SMALL, position=100)
    assert step == 4 * 3 * 32


@pytest.mark.parametrize("ask", [lambda: decode_flops(SMALL, position=0), lambda: prefill_flops(SMALL, prompt=-1)])
def test_there_is_no_position_before_the_first(ask):
    with pytest.raises(SpecError, match="must be at least 1"):
        ask()
