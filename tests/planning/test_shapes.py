"""Shapes near a size: they are buildable, near, sensible, and counted as the law counts."""

from dataclasses import replace

import pytest

from isoflop.accounting import compare, parameters
from isoflop.errors import IsoflopError, SpecError
from isoflop.planning.published import published
from isoflop.planning.shapes import Template, buildable

SIZES = [3e8, 1.5e9, 7e9, 70e9, 1.2e12]


def epoch(convention="total parameters"):
    fit = published("chinchilla:epoch").estimate
    return replace(fit, data=replace(fit.data, param_convention=convention))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("convention", ["total parameters", "non-embedding parameters"])
def test_shapes_are_near_and_sensible(n, convention):
    found = buildable(epoch(convention), n=n, budget=120 * n**2)
    assert len(found.built) == 3 and len({each.shape.width for each in found.built}) == 3
    for each in found.built:
        shape = each.shape
        assert shape.width % 128 == 0 and shape.width % shape.heads == 0 and shape.head_size in (64, 128)
        assert 32 <= shape.width / shape.layers <= 192
        assert shape.hidden % 128 == 0 and 2.4 < shape.hidden / shape.width < 2.95 and shape.gated
        counted = parameters(shape)
        assert each.n == (counted.non_embedding if "non" in convention else counted.total)
        assert each.total == counted.total
        assert each.n == pytest.approx(n, rel=0.06)
        assert 6 * each.n * each.d == pytest.approx(120 * n**2)
        assert each.flops == pytest.approx(compare(shape, each.d).total("exact"))
    assert found.built[0].n == pytest.approx(n, rel=0.03)
    assert found.built[0].shape.heads % 4 == 0 or n < 2e9


def test_the_loss_of_a_shape_is_the_laws_at_its_own_size():
    fit = epoch()
    each = buildable(fit, n=7e9, budget=1e22).built[0]
    goal = float(fit.predict({"N": 7e9, "D": 1e22 / (6 * 7e9)}))
    own = float(fit.predict({"N": float(each.n), "D": each.d}))
    assert each.loss == own and each.above == pytest.approx(own / goal - 1)


def test_the_template_is_kept():
    template = Template(vocabulary=128_256, context=8192, gated=False, tied=True)
    for each in buildable(epoch(), n=8e9, budget=1e24, template=template).built:
        shape = each.shape
        assert (shape.vocabulary, shape.context, shape.gated, shape.tied) == (128_256, 8192, False, True)
        assert shape.hidden == 4 * shape.width


def test_where_nobody_said_how_n_was_counted_it_is_said():
    assert [each.code for each in buildable(epoch(None), n=7e9, budget=1e22).findings] == ["params-convention-unknown"]
    assert buildable(epoch(), n=7e9, budget=1e22).findings == ()


def test_a_size_below_the_embedding_has_no_shape():
    found = buildable(epoch(), n=1e6, budget=1e15)
    assert found.built == () and found.findings[0].code == "no-shape"
    assert "a vocabulary of 32,000" in found.findings[0].message
    assert buildable(epoch(), n=1e6, budget=1e15, template=Template(vocabulary=256)).built


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"n": 0.0, "budget": 1e20}, IsoflopError, "the model size must be a positive number of parameters, not 0"),
        ({"n": 1e9, "budget": -1.0}, IsoflopError, "the budget must be a positive number of FLOPs, not -1"),
        ({"n": 1e9, "budget": 1e20, "template": Template(context=0)}, SpecError, "context = 0 must be a whole number"),
    ],
)
def test_what_is_no_size_is_refused(given, error, says):
    with pytest.raises(error, match=says):
        buildable(epoch(), **given)
