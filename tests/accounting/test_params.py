import pytest
from tests.accounting.models import DEEPSEEK_MOE_16B, EXPERTS, OPEN, PYTHIA

from isoflop.accounting import (
    Shape,
    chinchilla_parameters,
    kaplan_parameters,
    parameters,
    twelve_l_d_squared,
)


@pytest.mark.parametrize("name", OPEN)
def test_published_models_have_their_published_counts(name):
    shape, total = OPEN[name]
    assert parameters(shape).total == total
    assert parameters(shape).active == total


@pytest.mark.parametrize("name", PYTHIA)
def test_the_pythia_suite_with_and_without_embeddings(name):
    shape, inner, total = PYTHIA[name]
    counted = parameters(shape)
    assert (counted.non_embedding, counted.total) == (inner, total)


@pytest.mark.parametrize("name", EXPERTS)
def test_models_with_experts_have_their_published_total_and_active_counts(name):
    shape, total, active = EXPERTS[name]
    counted = parameters(shape)
    assert (counted.total, counted.active) == (total, active)


def test_deepseek_moe_has_shared_experts_and_one_dense_layer():
    # Dai et al. 2024, section 5: 16.4B parameters in all and 2.8B activated
    counted = parameters(DEEPSEEK_MOE_16B)
    assert counted.total == pytest.approx(16.4e9, abs=0.05e9)
    assert counted.active == pytest.approx(2.8e9, abs=0.05e9)


def test_gpt3_has_the_174600_million_of_its_appendix_and_not_the_175_of_its_table():
    # Brown et al. 2020, table D.1; table 2.1 prints 175.0B
    shape = Shape(
        layers=96,
        width=12288,
        heads=96,
        vocabulary=50257,
        context=2048,
        tied=True,
        positions="learned",
        norm="layer",
        biases="all",
    )
    assert round(parameters(shape).total / 1e6, -2) == 174_600
    assert 6 * parameters(shape).total * 300e9 == pytest.approx(3.14e23, rel=2e-3)


def test_kaplans_formulas_agree_where_the_shape_is_standard_and_miss_norms_and_biases():
    shape, _ = OPEN["GPT-2 XL"]
    assert kaplan_parameters(shape) == twelve_l_d_squared(shape) == 12 * 48 * 1600**2
    counted = parameters(shape)
    assert kaplan_parameters(shape) == counted.non_embedding - counted.norms - counted.biases


def test_kaplans_formula_misses_a_gate_and_counts_keys_that_are_shared():
    plain = {"layers": 3, "width": 64, "heads": 8, "vocabulary": 100, "context": 16, "norm": "none"}
    gated = parameters(Shape(**plain, gated=True)).non_embedding
    assert gated - kaplan_parameters(Shape(**plain, gated=True)) == 3 * 64 * 256
    grouped = Shape(**plain, kv_heads=2)
    assert kaplan_parameters(grouped) - parameters(grouped).non_embedding == 3 * 64 * 2 * 48


def test_with_experts_the_formulas_take_the_units_that_a_token_passes():
    shape = Shape(
        layers=2, width=8, heads=2, vocabulary=10, context=4, experts=4, active_experts=2, norm="none", biases="all"
    )
    counted = parameters(shape)
    assert kaplan_parameters(shape) == counted.qkv + counted.projection + counted.feed_forward // 2
    # an expert: 8 × 32 and 32 × 8, with 32 and 8 biases; two of four rest in each of two layers
    assert counted.idle == 2 * 2 * (2 * 8 * 32 + 32 + 8)
    assert counted.router == 2 * 8 * 4


def test_the_parts_sum_to_the_total_and_say_what_each_choice_adds():
    base = {"layers": 3, "width": 64, "heads": 8, "vocabulary": 100, "context": 16}
    counted = parameters(Shape(**base))
    assert sum(counted.parts().values()) == counted.total
    assert "idle" not in counted.parts()

    def added(**change):
        return parameters(Shape(**base, **change)).total - counted.total

    assert added(tied=True) == -100 * 64
    assert added(positions="learned") == 16 * 64
    assert added(positions="relative") == 3 * (64 * 64 + 2 * 64)
    assert added(norm="layer") == 7 * 64
    assert added(layer_norms=1) == -3 * 64
    assert added(biases="qkv") == 3 * 3 * 64
    assert added(biases="all") == 3 * (3 * 64 + 64 + 256 + 64)
    assert added(kv_heads=1) == -3 * 2 * 64 * 56
    assert added(query_key_norm="head") == 3 * 2 * 8
    assert added(query_key_norm="full", kv_heads=1) == -3 * 2 * 64 * 56 + 3 * (64 + 8)


def test_a_module_built_of_the_parts_has_as_many_parameters():
    torch = pytest.importorskip("torch")
    from torch import nn

    d, a, kv, f, experts = 24, 32, 16, 20, 3
    layer = nn.ModuleDict(
        {
            "q": nn.Linear(d, a),
            "kv": nn.Linear(d, 2 * kv),
            "out": nn.Linear(a, d),
            "norms": nn.ModuleList([nn.LayerNorm(d), nn.LayerNorm(d)]),
            "router": nn.Linear(d, experts, bias=False),
            "experts": nn.ModuleList(
                [nn.ModuleList([nn.Linear(d, f), nn.Linear(d, f), nn.Linear(f, d)]) for _ in range(experts)]
            ),
        }
    )
    rest = nn.ModuleList([nn.Embedding(50, d), nn.Embedding(7, d), nn.LayerNorm(d), nn.Linear(d, 50, bias=False)])
    built = sum(weight.numel() for module in (layer, rest) for weight in module.parameters())
    shape = Shape(
        layers=1,
        width=d,
        heads=4,
        key_size=8,
        kv_heads=2,
        feed_forward=f,
        gated=True,
        experts=experts,
        vocabulary=50,
        context=7,
        positions="learned",
        norm="layer",
        biases="all",
    )
    assert parameters(shape).total == built
    assert torch.is_grad_enabled()


def test_chinchillas_formula_is_the_exact_count_with_relative_positions_bar_vectors():
    shape = Shape(layers=5, width=64, heads=4, vocabulary=100, context=16, tied=True, positions="relative", norm="none")
    counted = parameters(shape)
    assert counted.total - chinchilla_parameters(shape) == 5 * 2 * 64
