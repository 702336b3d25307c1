"""``buildable``: transformers that somebody would build, whose size is nearest to the one that a plan asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from isoflop.accounting import Shape, compare, parameters
from isoflop.errors import SpecError
from isoflop.findings import Finding
from isoflop.fitting import Estimate
from isoflop.laws.optimum import check_positive
from isoflop.units import ParamConvention
from isoflop.values import Value

WIDTH_STEP: Final = 128  # widths that matrix units like
HEAD: Final = 128
SMALL_HEAD: Final = 64  # below a width of 1,024, so that there is more than a handful of heads
_SMALL_WIDTH: Final = 1024
_MOST_WIDTH: Final = 131_072
SLIMMEST, BROADEST = 32, 192  # width over layers; published models lie between
_USUAL: Final = 100.0  # Chinchilla 102, GPT-3 128, Llama 3 128 (8B) and 130 (405B)
_PULL: Final = 0.05  # how much a factor e in width over layers counts, in log size
_ODD: Final = {
    0: 0.0,
    4: 0.005,
    2: 0.01,
    6: 0.01,
}  # heads are split over 2, 4 or 8 devices; what else costs, in log size
_ODDEST: Final = 0.03


@dataclass(frozen=True)
class Template(Value):
    """What all proposed shapes share: vocabulary, context, feed-forward gated or plain, output matrix tied or not."""

    vocabulary: int = 32_000
    context: int = 2_048
    gated: bool = True
    tied: bool = False


@dataclass(frozen=True)
class Built(Value):
    """A shape near the size of a plan.

    n: its parameters as the law counts them; total: all of them. d: the tokens that the budget buys, C/(6n).
    loss: the law's at (n, d). above: relative excess over the loss of the size asked for.
    flops: of training on d tokens, counted exactly with causal attention; ``ratio`` is that over the budget.
    """

    shape: Shape
    n: int
    total: int
    d: float
    loss: float
    above: float
    flops: float
    ratio: float


@dataclass(frozen=True)
class Shapes(Value):
    """Shapes nearest to a size, best first, with the convention by which N was counted."""

    wanted: float
    convention: ParamConvention
    built: tuple[Built, ...]
    findings: tuple[Finding, ...]


def buildable(
    estimate: Estimate,
    *,
    n: float,
    budget: float,
    template: Template | None = None,
    count: int = 3,
    shift: float = 1.0,
) -> Shapes:
    """Shapes with a width in steps of 128, whole layers and heads of 128 (64 below a width of 1,024) nearest to ``n``.

    The feed-forward width is 8/3 of the width where it is gated and 4 times it where not, in steps of 128; width over
    layers lies between 32 and 192. Nearness is |log(N/n)|, and a little for unusual proportions and for heads that are
    not shared out evenly.

    n: parameters as the law counts them: total, unless the runs say otherwise. budget: FLOPs C = 6nd. shift: N* of the
    plan over that of the law; losses are the law's as far from its own optimum as the shape is from that of the plan.
    Raises IsoflopError for a size or budget that is not positive, SpecError for a template that is no model.
    """
    check_positive(n, "the model size", "parameters")
    check_positive(budget, "the budget", "FLOPs")
    template = Template() if template is None else template
    for what, value in (("vocabulary", template.vocabulary), ("context", template.context)):
        if value < 1:
            raise SpecError(f"{what} = {value} must be a whole number of at least 1")
    convention, found = _convention(estimate)
    best: dict[int, tuple[float, Shape, int]] = {}
    for shape in _candidates(n, convention, template):
        size = _count(shape, convention)
        aspect = shape.width / shape.layers
        score = abs(math.log(size / n)) + _PULL * math.log(aspect / _USUAL) ** 2 + _ODD.get(shape.heads % 8, _ODDEST)
        if shape.width not in best or score < best[shape.width][0]:
            best[shape.width] = (score, shape, size)
    chosen = sorted(best.values(), key=lambda each: each[0])[:count]
    if not chosen:
        return Shapes(float(n), convention, (), (*found, _no_shape(n, convention, template)))

    def loss(size: float) -> float:
        return float(estimate.predict({"N": size / shift, "D": estimate.data.flops.tokens(size / shift, budget)}))

    goal = loss(n)
    return Shapes(
        float(n),
        convention,
        tuple(
            _built(shape, size, estimate.data.flops.tokens(float(size), budget), budget, loss(size), goal)
            for _, shape, size in chosen
        ),
        tuple(found),
    )


def _built(shape: Shape, size: int, d: float, budget: float, loss: float, goal: float) -> Built:
    flops = compare(shape, d).total("exact")
    return Built(shape, size, parameters(shape).total, d, loss, loss / goal - 1, flops, flops / budget)


def _candidates(n: float, convention: ParamConvention, template: Template) -> Iterator[Shape]:
    """For each width the two numbers of layers around the size, where the proportions are sensible."""
    for width in range(WIDTH_STEP, _MOST_WIDTH + 1, WIDTH_STEP):
        one, two = (_count(_shape(width, layers, template), convention) for layers in (1, 2))
        layers = (n - one) / (two - one) + 1
        if layers < width / BROADEST - 1:
            return  # wider ones need still fewer layers
        for each in {math.floor(layers), math.ceil(layers)}:
            if each >= 1 and SLIMMEST <= width / each <= BROADEST:
                yield _shape(width, each, template)


def _shape(width: int, layers: int, template: Template) -> Shape:
    head = SMALL_HEAD if width < _SMALL_WIDTH else HEAD
    inner = 8 * width / 3 if template.gated else 4 * width
    return Shape(
        layers=layers,
        width=width,
        heads=width // head,
        feed_forward=max(WIDTH_STEP, WIDTH_STEP * round(inner / WIDTH_STEP)),
        vocabulary=template.vocabulary,
        context=template.context,
        gated=template.gated,
        tied=template.tied,
    )


def _count(shape: Shape, convention: ParamConvention) -> int:
    counted = parameters(shape)
    return counted.non_embedding if convention == "non-embedding" else counted.total


def _convention(estimate: Estimate) -> tuple[ParamConvention, list[Finding]]:
    """How the law's N is counted; where nobody said, all parameters, with a finding."""
    stated = (estimate.data.param_convention or "").lower()
    if "non-embedding" in stated or "non_embedding" in stated:
        return "non-embedding", []
    if "total" in stated or "active" in stated:
        return "total", []  # all parameters of a dense model are active
    return "total", [
        Finding(
            "params-convention-unknown",
            "note",
            f"{estimate.data.source} does not say how N was counted, so shapes are matched in all parameters.",
            "Say it when fitting: isoflop fit … --convention N=total or N=non-embedding.",
        )
    ]


def _no_shape(n: float, convention: ParamConvention, template: Template) -> Finding:
    least = _count(_shape(WIDTH_STEP, 1, template), convention)
    return Finding(
        "no-shape",
        "warning",
        f"no shape of width {WIDTH_STEP} or more with {SLIMMEST} to {BROADEST} units of width a layer has {n:.3g} "
        f"parameters ({convention}); the least, with a vocabulary of {template.vocabulary:,}, has {least:.3g}.",
        "Give a smaller --vocab, or read the plan's N as it is.",
    )
