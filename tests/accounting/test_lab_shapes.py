"""The lab counts its own small models; the accounting here must agree with it to the last parameter and FLOP."""

import pytest

from isoflop.accounting import Shape, exact_flops, parameters
from isoflop.lab.shapes import TransformerShape


@pytest.mark.parametrize("classes", [10, 256])
@pytest.mark.parametrize("context", [1, 16, 257])
@pytest.mark.parametrize(
    "lab",
    [
        TransformerShape(16, 2, 1),
        TransformerShape(64, 5, 4),
        TransformerShape(24, 3, 2, feed_forward="gated", ratio=2.5, tied=False),
        TransformerShape(32, 1, 4, tied=False),
        TransformerShape(768, 12, 12, feed_forward="gated", ratio=8 / 3),
    ],
    ids=lambda lab: lab.name,
)
def test_the_lab_counts_the_same(lab, classes, context):
    shape = Shape(
        layers=lab.layers,
        width=lab.width,
        heads=lab.heads,
        feed_forward=lab.hidden,
        gated=lab.feed_forward == "gated",
        tied=lab.tied,
        vocabulary=classes,
        context=context,
    )
    counted = parameters(shape)
    assert counted.non_embedding == lab.nonembedding()
    assert counted.total == lab.total(classes)
    assert exact_flops(shape).training == lab.flops_per_token(classes, context)
