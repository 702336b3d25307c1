import pytest

torch = pytest.importorskip("torch")

from isoflop.lab.models import build, rotary_table, rotate  # noqa: E402
from isoflop.lab.shapes import MlpShape, TransformerShape  # noqa: E402


def woken(shape, **sizes):
    """A model whose residual writers are not zero, so that its layers do something."""
    model = build(shape, **sizes, seed=3)
    draws = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("out.weight"):
                weight.normal_(std=0.5, generator=draws)
    return model


@pytest.mark.parametrize("feed_forward", ["plain", "gated"])
def test_a_token_does_not_see_those_after_it(feed_forward):
    model = woken(TransformerShape(16, 2, 2, feed_forward=feed_forward), classes=50, context=12, features=0)
    tokens = torch.randint(0, 50, (2, 12), generator=torch.Generator().manual_seed(0))
    other = tokens.clone()
    other[:, 7:] = (other[:, 7:] + 1) % 50
    before, after = model(tokens), model(other)
    assert torch.allclose(before[:, :7], after[:, :7], atol=1e-6)
    assert not torch.allclose(before[:, 7:], after[:, 7:], atol=1e-3)


def test_rotary_scores_depend_on_the_distance_alone():
    cos, sin = rotary_table(32, 8)
    q, k = torch.randn(2, 8, generator=torch.Generator().manual_seed(0))

    def score(i, j):
        return (rotate(q, (cos[i], sin[i])) * rotate(k, (cos[j], sin[j]))).sum().item()

    assert score(3, 1) == pytest.approx(score(30, 28), abs=1e-5)
    assert score(3, 1) != pytest.approx(score(3, 2), abs=1e-3)


def test_attention_is_the_textbook_formula():
    shape = TransformerShape(8, 1, 2)
    model = woken(shape, classes=10, context=5, features=0)
    layer = model.blocks[0].attention
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(2))
    cos, sin = rotary_table(5, 4)
    q, k, v = (layer.into(x)[0].view(5, 3, 2, 4)[:, part] for part in range(3))  # (time, heads, 4)
    mixed = torch.zeros(5, 2, 4)
    for head in range(2):
        for i in range(5):
            scores = torch.stack(
                [
                    rotate(q[i, head], (cos[i], sin[i])) @ rotate(k[j, head], (cos[j], sin[j])) / 4**0.5
                    for j in range(i + 1)
                ]
            )
            mixed[i, head] = scores.softmax(0) @ v[: i + 1, head]
    assert torch.allclose(layer(x, (cos, sin))[0], layer.out(mixed.reshape(5, 8)), atol=1e-5)


def test_the_seed_alone_draws_the_weights():
    shape = TransformerShape(16, 1, 1)
    torch.manual_seed(0)
    first = build(shape, classes=20, context=4, features=0, seed=5).state_dict()
    torch.manual_seed(99)
    second = build(shape, classes=20, context=4, features=0, seed=5).state_dict()
    third = build(shape, classes=20, context=4, features=0, seed=6).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["embedding.weight"], third["embedding.weight"])


def test_the_first_loss_is_near_that_of_a_guess():
    model = build(TransformerShape(64, 4, 2), classes=256, context=16, features=0, seed=0)
    tokens = torch.randint(0, 256, (8, 17), generator=torch.Generator().manual_seed(0))
    loss = torch.nn.functional.cross_entropy(model(tokens[:, :-1]).reshape(-1, 256), tokens[:, 1:].reshape(-1))
    assert loss.item() == pytest.approx(5.545, abs=0.1)  # ln 256


def test_mlp_gives_a_logit_a_class():
    model = build(MlpShape(12, 2), classes=10, context=1, features=64, seed=0)
    assert model(torch.zeros(7, 64)).shape == (7, 10)
