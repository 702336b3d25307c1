import dataclasses
from fractions import Fraction

import pytest
from tests.accounting.models import EXPERTS, OPEN

from isoflop.accounting import (
    Shape,
    chinchilla_flops,
    exact_flops,
    kaplan_flops,
    kaplan_parameters,
    palm_flops,
    parameters,
    six_n,
)
from isoflop.accounting.flops import twelve_flops

STANDARD = Shape(layers=6, width=128, heads=4, vocabulary=500, context=64, tied=True, norm="none")


def by_positions(shape, *, causal):
    """Forward FLOPs of one sequence, multiplication by multiplication, over the context: an independent count."""
    heads, k, d, n = shape.heads, shape.head_size, shape.width, shape.context
    products = 0
    for position in range(1, n + 1):
        seen = position if causal else n
        for _ in range(shape.layers):
            products += d * heads * k  # queries
            products += 2 * d * shape.groups * k  # keys, values
            products += heads * seen * k  # scores
            products += heads * seen * k  # weighted sum
            products += heads * k * d  # projection
            products += (3 if shape.gated else 2) * d * shape.hidden
        products += d * shape.vocabulary
    return Fraction(2 * products, n)


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize(
    "shape",
    [
        STANDARD,
        Shape(layers=2, width=24, heads=4, kv_heads=2, key_size=5, vocabulary=37, context=11, gated=True, biases="all"),
        Shape(layers=3, width=16, heads=1, vocabulary=9, context=1, feed_forward=7),
    ],
)
def test_the_exact_count_is_that_of_every_multiplication(shape, causal):
    counted = exact_flops(shape, attention="causal" if causal else "full")
    assert counted.forward == by_positions(shape, causal=causal)
    assert counted.training == 3 * counted.forward


def test_six_n_is_six_times_all_parameters_or_the_active_ones():
    for shape, total in OPEN.values():
        assert six_n(shape).training == 6 * total
    for shape, _, active in EXPERTS.values():
        assert six_n(shape).training == 6 * active
    biased = dataclasses.replace(EXPERTS["Mixtral 8x7B"][0], biases="all", positions="learned", norm="layer")
    assert six_n(biased).training == 6 * parameters(biased).active


def test_six_n_is_exact_as_the_context_vanishes_but_for_what_is_not_a_matrix():
    # at one token attention still reads that one position: 4 L a forward, twelve per layer and unit in training
    for shape, total in OPEN.values():
        one = dataclasses.replace(shape, context=1, positions="rotary", norm="none", biases="none")
        bare = dataclasses.replace(one, query_key_norm="none")
        looked_up = 0 if bare.tied else 6 * bare.vocabulary * bare.width
        attention = 12 * bare.layers * bare.attention_width
        assert exact_flops(bare).training - attention == six_n(bare).training - looked_up
        assert total > 0


def test_exact_over_six_n_rises_with_context_and_causal_is_half_of_full():
    def attention(context, kind):
        shape = dataclasses.replace(STANDARD, context=context)
        counted = exact_flops(shape, attention=kind)
        return counted.scores + counted.reduction

    for context in (1, 2, 63, 4096):
        assert 2 * context * attention(context, "causal") == (context + 1) * attention(context, "full")
    shares = [
        exact_flops(dataclasses.replace(STANDARD, context=context)).forward / six_n(STANDARD).forward
        for context in (1, 100, 10_000)
    ]
    assert shares == sorted(shares)


def test_kaplans_forward_pass_is_2n_and_a_twelfth_of_context_over_width_more():
    # C_forward = 2 N + 2 L n a; with a = d and f = 4 d the second term is n / (12 d) of the first, which is why the
    # paper drops it for d >> n / 12
    for context in (16, 128 * 12, 100_000):
        shape = dataclasses.replace(STANDARD, context=context)
        counted = kaplan_flops(shape)
        assert counted.forward == 2 * kaplan_parameters(shape) + 2 * 6 * context * 128
        assert Fraction(counted.scores, 2 * kaplan_parameters(shape)) == Fraction(context, 12 * 128)


def test_kaplans_attention_is_the_causal_kernels_up_to_one_position():
    exact = exact_flops(STANDARD)
    ratio = Fraction(exact.scores + exact.reduction, kaplan_flops(STANDARD).scores)
    assert ratio == Fraction(65, 64)
    # and the rest is exact for a plain model, the output matrix aside
    assert kaplan_flops(STANDARD).forward - kaplan_flops(STANDARD).scores == (
        exact.forward - exact.scores - exact.reduction - exact.output
    )


def test_kaplans_table_for_gpt2_small_and_gpt3():
    # 2N + 2 L n a at the printed configurations, by hand
    small, gpt3 = OPEN["GPT-2"][0], dataclasses.replace(OPEN["GPT-2"][0], layers=96, width=12288, heads=96)
    assert kaplan_flops(small).forward == 24 * 12 * 768**2 + 2 * 12 * 1024 * 768
    assert kaplan_flops(gpt3).forward == 24 * 96 * 12288**2 + 2 * 96 * 1024 * 12288
    assert twelve_flops(small).training == 72 * 12 * 768**2


def test_appendix_f_term_by_term():
    n, v, d, k, h, f, layers = 64, 500, 128, 32, 4, 512, 6
    counted = chinchilla_flops(STANDARD)
    per_sequence = {
        "embedding": 2 * n * v * d,
        "qkv": layers * 2 * 3 * n * d * (k * h),
        "scores": layers * 2 * n * n * (k * h),
        "softmax": layers * 3 * h * n * n,
        "reduction": layers * 2 * n * n * (k * h),
        "projection": layers * 2 * n * (k * h) * d,
        "feed_forward": layers * 2 * n * (d * f + d * f),
        "output": 2 * n * d * v,
    }
    assert {name: n * value for name, value in counted.parts().items() if value} == per_sequence
    assert n * counted.blocks == 3 * (sum(per_sequence.values()) - 4 * n * v * d)


def test_appendix_f_is_the_full_square_plus_softmax_and_an_embedding_product_on_a_plain_model():
    printed, exact = chinchilla_flops(STANDARD), exact_flops(STANDARD, attention="full")
    assert printed.forward - printed.embedding - printed.softmax == exact.forward


def test_palms_count_is_6n_and_12lhqt():
    shape = OPEN["Llama 3 8B"][0]
    assert palm_flops(shape).training == 6 * 8_030_261_248 + 12 * 32 * 32 * 128 * 8192
    # which is the full square, with norms and the embedding table counted as matrices
    exact = exact_flops(shape, attention="full")
    counted = parameters(shape)
    assert palm_flops(shape).forward - exact.forward == 2 * (counted.embedding + counted.norms)


def test_the_count_of_llama_3_405b_is_the_3_8e25_of_its_paper():
    # Grattafiori et al. 2024: 405B parameters, 15.6T tokens, 3.8e25 FLOPs
    shape, total = OPEN["Llama 3.1 405B"]
    assert six_n(shape).training * 15.6e12 == pytest.approx(3.8e25, rel=5e-3)
    assert exact_flops(shape).training / (6 * total) == pytest.approx(1.037, abs=0.001)


def test_with_experts_only_those_that_a_token_passes_count():
    few, many = (
        Shape(layers=2, width=64, heads=4, vocabulary=50, context=8, experts=experts, active_experts=2)
        for experts in (2, 16)
    )
    assert exact_flops(few).feed_forward == exact_flops(many).feed_forward
    assert exact_flops(many).router == 8 * exact_flops(few).router
    dense = Shape(layers=2, width=64, heads=4, vocabulary=50, context=8, feed_forward=512)
    assert exact_flops(few).forward - exact_flops(few).router == exact_flops(dense).forward


def test_grouped_queries_save_projections_and_no_scores():
    grouped = dataclasses.replace(STANDARD, kv_heads=1)
    full, less = exact_flops(STANDARD), exact_flops(grouped)
    assert (full.scores, full.reduction, full.projection) == (less.scores, less.reduction, less.projection)
    assert full.qkv - less.qkv == 6 * 2 * 2 * 128 * 96


def test_torch_counts_the_same_products_for_grouped_query_attention():
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    d, heads, groups, k, f, n, v = 24, 4, 2, 8, 40, 10, 50
    wq, wkv, wo = torch.zeros(d, heads * k), torch.zeros(d, 2 * groups * k), torch.zeros(heads * k, d)
    gate, up, down, head = torch.zeros(d, f), torch.zeros(d, f), torch.zeros(f, d), torch.zeros(d, v)
    x = torch.zeros(n, d)
    with FlopCounterMode(display=False) as counter:
        q = (x @ wq).view(n, heads, k).transpose(0, 1)
        kv = (x @ wkv).view(n, 2, groups, k)
        keys, values = (kv[:, i].transpose(0, 1).repeat_interleave(heads // groups, 0) for i in (0, 1))
        mixed = torch.softmax(q @ keys.transpose(1, 2), -1) @ values
        x = mixed.transpose(0, 1).reshape(n, heads * k) @ wo
        x = (x @ gate * (x @ up)) @ down
        _ = x @ head
    shape = Shape(
        layers=1, width=d, heads=heads, kv_heads=groups, key_size=k, feed_forward=f, gated=True, vocabulary=v, context=n
    )
    assert counter.get_total_flops() == n * exact_flops(shape, attention="full").forward
