import pytest

from isoflop.errors import SpecError
from isoflop.lab.shapes import MlpShape, TransformerShape, nonembedding_of


def test_gpt2_small_has_its_published_shape():
    # 12 layers of 12 d² is 85 million without embeddings (Kaplan et al. 2020 count 84.9 M; gains add 25 d here)
    shape = TransformerShape(width=768, layers=12, heads=12)
    assert shape.nonembedding() == 12 * 12 * 768**2 + 25 * 768
    assert shape.total(50257) == shape.nonembedding() + 50257 * 768


def test_an_untied_output_matrix_and_a_gate_add_what_they_should():
    plain = TransformerShape(32, 3, 2)
    assert TransformerShape(32, 3, 2, tied=False).total(256) - plain.total(256) == 256 * 32
    assert TransformerShape(32, 3, 2, feed_forward="gated").total(256) - plain.total(256) == 3 * 32 * 128


@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        ((48, 2, 5), "heads = 5 does not divide width = 48; divisors of 48 near it are 3, 4, 6"),
        ((10, 2, 2), "width / heads = 5 is odd"),
        ((0, 2, 1), "width = 0 must be at least 1"),
        ((16, 0, 1), "layers = 0 must be at least 1"),
    ],
)
def test_impossible_shapes_are_one_sentence(sizes, sentence):
    width, layers, heads = sizes
    with pytest.raises(SpecError, match=sentence):
        TransformerShape(width, layers, heads)


SHAPES = [
    TransformerShape(16, 2, 1),
    TransformerShape(24, 3, 2, feed_forward="gated", ratio=2.5, tied=False),
    TransformerShape(32, 1, 4, tied=False),
    MlpShape(20, 1),
    MlpShape(32, 3),
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.family}-{shape.name}")
def test_counts_are_those_of_the_module(shape):
    pytest.importorskip("torch")
    from isoflop.lab.models import build

    classes, features = (256, 0) if isinstance(shape, TransformerShape) else (10, 64)
    model = build(shape, classes=classes, context=8, features=features, seed=0)
    assert sum(weight.numel() for weight in model.parameters()) == shape.total(classes, features)
    inner = sum(w.numel() for n, w in model.named_parameters() if not n.startswith(("embedding", "head")))
    if isinstance(shape, TransformerShape):
        assert inner == nonembedding_of(shape, classes, features)
    else:
        assert nonembedding_of(shape, classes, features) == shape.total(classes, features)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.family}-{shape.name}")
def test_flops_are_those_that_torch_counts(shape):
    torch = pytest.importorskip("torch")
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from isoflop.lab.models import build

    classes, features, context, batch = (256, 0, 16, 3) if isinstance(shape, TransformerShape) else (10, 64, 1, 3)
    model = build(shape, classes=classes, context=context, features=features, seed=0)
    text = isinstance(shape, TransformerShape)
    inputs = torch.zeros(batch, context, dtype=torch.long) if text else torch.zeros(batch, features)
    # the fused kernel of the CPU has no entry in torch's table; the plain one is two matrix products
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(inputs)
    counted = counter.get_total_flops()
    forward = shape.flops_per_token(classes, context, features) / 3 * batch * context
    if text:
        # torch counts the whole square of scores and we its causal half, (T + 1)/2 of T columns
        forward += 4 * shape.layers * shape.width * (context - (context + 1) / 2) * batch * context
    assert counted == pytest.approx(forward, rel=1e-12)


def test_six_nd_is_near_the_count_when_width_is_large():
    shape = TransformerShape(1024, 12, 16)
    assert shape.flops_per_token(256, 128) == pytest.approx(6 * shape.total(256), rel=0.03)
