"""Open models whose parameter counts are public, as shapes.

The counts are the sums over all tensors that the model cards or safetensors headers state (Pythia: the suite's own
table); the shapes are those of the published configurations.
"""

from isoflop.accounting import Shape


def _gpt2(layers, width, heads):
    return Shape(
        layers=layers,
        width=width,
        heads=heads,
        vocabulary=50257,
        context=1024,
        tied=True,
        positions="learned",
        norm="layer",
        biases="all",
    )


def _pythia(layers, width, heads, vocabulary=50304):
    return Shape(
        layers=layers, width=width, heads=heads, vocabulary=vocabulary, context=2048, norm="layer", biases="all"
    )


def _llama(layers, width, heads, feed_forward, vocabulary, kv_heads=None, context=8192, **other):
    return Shape(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        feed_forward=feed_forward,
        gated=True,
        vocabulary=vocabulary,
        context=context,
        **other,
    )


# name: (shape, all parameters)
OPEN = {
    "GPT-2": (_gpt2(12, 768, 12), 124_439_808),
    "GPT-2 medium": (_gpt2(24, 1024, 16), 354_823_168),
    "GPT-2 large": (_gpt2(36, 1280, 20), 774_030_080),
    "GPT-2 XL": (_gpt2(48, 1600, 25), 1_557_611_200),
    "Llama 2 7B": (_llama(32, 4096, 32, 11008, 32000), 6_738_415_616),
    "Llama 3 8B": (_llama(32, 4096, 32, 14336, 128256, 8), 8_030_261_248),
    "Llama 3 70B": (_llama(80, 8192, 64, 28672, 128256, 8), 70_553_706_496),
    "Llama 3.1 405B": (_llama(126, 16384, 128, 53248, 128256, 8), 405_853_388_800),
    "Qwen2.5 0.5B": (_llama(24, 896, 14, 4864, 151936, 2, tied=True, biases="qkv"), 494_032_768),
    "Qwen2.5 7B": (_llama(28, 3584, 28, 18944, 152064, 4, biases="qkv"), 7_615_616_512),
    "Qwen3 8B": (_llama(36, 4096, 32, 12288, 151936, 8, query_key_norm="head"), 8_190_735_360),
    "Gemma 2 9B": (
        _llama(42, 3584, 16, 14336, 256000, 8, key_size=256, tied=True, layer_norms=4),
        9_241_705_984,
    ),
    "OLMo 2 1B": (_llama(16, 2048, 16, 8192, 100352, query_key_norm="full"), 1_484_916_736),
    "OLMo 2 7B": (_llama(32, 4096, 32, 11008, 100352, query_key_norm="full"), 7_298_617_344),
    "OLMo 2 13B": (_llama(40, 5120, 40, 13824, 100352, query_key_norm="full"), 13_716_198_400),
}

# name: (shape, all but embedding and output, all)
PYTHIA = {
    "70M": (_pythia(6, 512, 8), 18_915_328, 70_426_624),
    "160M": (_pythia(12, 768, 12), 85_056_000, 162_322_944),
    "410M": (_pythia(24, 1024, 16), 302_311_424, 405_334_016),
    "1B": (_pythia(16, 2048, 8), 805_736_448, 1_011_781_632),
    "1.4B": (_pythia(24, 2048, 16), 1_208_602_624, 1_414_647_808),
    "2.8B": (_pythia(32, 2560, 32), 2_517_652_480, 2_775_208_960),
    "6.9B": (_pythia(32, 4096, 32, 50432), 6_444_163_072, 6_857_302_016),
    "12B": (_pythia(36, 5120, 40, 50688), 11_327_027_200, 11_846_072_320),
}

# name: (shape, all, those that a token passes)
EXPERTS = {
    "Mixtral 8x7B": (
        _llama(32, 4096, 32, 14336, 32000, 8, experts=8, active_experts=2),
        46_702_792_704,
        12_879_925_248,
    ),
    "Qwen3 30B-A3B": (
        _llama(48, 2048, 32, 768, 151936, 4, key_size=128, query_key_norm="head", experts=128, active_experts=8),
        30_532_122_624,
        3_353_032_704,
    ),
    "Qwen3 235B-A22B": (
        _llama(94, 4096, 64, 1536, 151936, 4, key_size=128, query_key_norm="head", experts=128, active_experts=8),
        235_093_634_560,
        22_190_763_520,
    ),
}

DEEPSEEK_MOE_16B = _llama(
    28,
    2048,
    16,
    1408,
    102400,
    context=4096,
    experts=64,
    active_experts=6,
    shared_experts=2,
    dense_layers=1,
    dense_feed_forward=10944,
)
