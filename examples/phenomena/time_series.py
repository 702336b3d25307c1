"""Time series: encoders gain more from parameters than decoders, and shifted series gain less from data.

Yao et al. 2025 (arXiv 2410.12360) fit power laws without a floor to the negative log-likelihood of forecasters: the
exponent of N is larger for encoders than for decoders in distribution and outside, and that of D is three to five times
as large in distribution. Here transformers of one layer forecast a patch of four points from eight patches of two
sinusoids and autoregressive noise, and are tested in the band of frequencies that they saw and in a shifted one.
"""

from __future__ import annotations

import math
from functools import partial

import _attention
import numpy as np
import torch
from _networks import train
from _scaffold import COLOURS, LEVEL, MARKERS, Outcome, mean_interval, panels, plain_ticks, show, told
from torch import Tensor

from isoflop import Interval, Runs, fix, law, squares
from isoflop.lab.schedules import Schedule
from isoflop.planning.comparison import Comparison, compare_groups, groups_by
from isoflop.validation.shape_audit import shapes

PATCH, PAST, BATCH = 4, 8, 64
NOISE, MEMORY = 0.5, 0.5  # innovations and coefficient of the autoregressive noise
BANDS = {"seen band": (0.03, 0.10), "shifted band": (0.06, 0.13)}  # cycles a point
KINDS = ("encoder", "decoder")
MASKED = 3  # the most patches that an encoder is trained to fill in
LAWS = {"N": law("power-n"), "D": law("power-d")}  # the paper's (N_0/N)^alpha, with A for N_0^alpha
FLOORED = law("E + A/N^alpha")
UNIT = 10.0  # series told in units this much smaller have a loss larger by its logarithm


def study(quick: bool, seed: int = 0) -> Outcome:
    """Train both kinds along N and along D, test them in both bands, and compare exponents of pairs of groups."""
    torch.set_num_threads(1)
    widths = (4, 8, 16) if quick else (4, 8, 16, 32)
    steps = (40, 80, 160) if quick else (125, 250, 500, 1_000, 2_000)
    lanes, middle, usual = (2, 8, 80) if quick else (4, 8, 1_500)
    tables = {
        "N": _table([(kind, width, usual) for kind in KINDS for width in widths], lanes, seed),
        "D": _table([(kind, middle, count) for kind in KINDS for count in steps], lanes, seed),
    }
    rows, forms, exponents = [], {}, {}
    for axis, runs in tables.items():
        for kind in KINDS:
            for band in BANDS:
                here = _only(runs, kind=kind, band=band)
                forms[axis, kind, band] = shapes(here, ("loss",), x=axis, better="lower").of("loss")[0].shape
                rows += [
                    [f"{kind}, {band}", f"{axis} = {x:,.0f}", told(mean_interval(here["loss"][here[axis] == x]))]
                    for x in np.unique(here[axis])
                ]
    for band in BANDS:
        found = _compared(tables["N"], "kind", "N", band=band)
        exponents["N", band] = _difference(found, "encoder", "decoder")
    for kind in KINDS:
        found = _compared(tables["D"], "band", "D", kind=kind)
        exponents["D", kind] = _difference(found, *BANDS)
    own, other, more = exponents["N", "seen band"]
    scaled = tables["N"].with_column("loss", tables["N"]["loss"] + math.log(UNIT))
    rescaled = _difference(_compared(scaled, "kind", "N", band="seen band"), "encoder", "decoder")
    floor = _floor()
    above = fix(FLOORED, {"E": floor})
    beyond = _difference(_compared(tables["N"], "kind", "N", band="seen band", law=above), "encoder", "decoder")

    steeper = [exponents["N", band][2].low > 0 for band in BANDS]
    in_band = [exponents["D", kind][2].low > 0 for kind in KINDS]
    falls = all(forms[axis, kind, "seen band"].startswith("falling") for axis in LAWS for kind in KINDS)
    held = [all(steeper), all(in_band)]
    verdict = (
        "appears" if falls and all(held) else "appears in part" if falls and any(held) else "does not appear"
    )  # fmt: skip
    shifted = "; ".join(
        f"{kind}s: {forms['N', kind, 'shifted band']} along N, {forms['D', kind, 'shifted band']} along D"
        for kind in KINDS
    )
    says = (
        f"In the band that was seen the exponent of N is {told(own)} for encoders and {told(other)} for decoders (a "
        f"difference of {told(more)}), in the shifted one the difference is {told(exponents['N', 'shifted band'][2])}. "
        "The exponent of D in the seen band less that in the shifted one is "
        + " and ".join(f"{told(exponents['D', kind][2])} for {kind}s" for kind in KINDS)
        + f". The loss in the shifted band of {shifted}. Told in units a {UNIT:g}th as large, the same encoders have "
        f"an exponent of {told(rescaled[0])}; above the entropy of the noise ({floor:.3f} nats a point) it is "
        f"{told(beyond[0])}, for decoders {told(beyond[1])}."
    )
    figure, both = panels(2)
    for axes, (axis, runs) in zip(both, tables.items(), strict=True):
        for number, (kind, band) in enumerate((kind, band) for band in BANDS for kind in KINDS):
            here = _only(runs, kind=kind, band=band)
            x = np.unique(here[axis])
            ends = [mean_interval(here["loss"][here[axis] == one]) for one in x]
            bars = np.array([[e.value - e.low, e.high - e.value] for e in ends]).T
            axes.errorbar(x, [e.value for e in ends], yerr=bars, fmt=f"{MARKERS[number]}-", color=COLOURS[number],
                          ms=5, linewidth=1, capsize=3, label=f"{kind}, {band}")  # fmt: skip
        axes.set(xscale="log", xlabel="parameters N" if axis == "N" else "points read D")
    plain_ticks(both[0], (300, 1_000, 3_000, 10_000))
    plain_ticks(both[1], (300_000, 1_000_000, 3_000_000))
    both[0].set(ylabel="negative log-likelihood (nats/point)")
    both[0].legend(frameon=False, fontsize=8)
    numbers: dict[str, float | Interval] = {"encoder less decoder": more, "encoder": own, "decoder": other}
    numbers |= {"shifted, encoder less decoder": exponents["N", "shifted band"][2], "rescaled": rescaled[0]}
    numbers |= {f"seen less shifted, {kind}": exponents["D", kind][2] for kind in KINDS}
    numbers |= {f"seen, {kind}": exponents["D", kind][0] for kind in KINDS}
    return Outcome(verdict, says, ["group", "size", "loss, 90 %"], rows, figure, numbers)


def _only(runs: Runs, **at: str) -> Runs:
    keep = [runs.frame[name].to_numpy() == value for name, value in at.items()]
    return runs.take(np.logical_and.reduce(keep))


def _compared(runs: Runs, by: str, axis: str, law: object = None, **at: str) -> Comparison:
    groups, _ = groups_by(_only(runs, **at), by)
    return compare_groups(
        groups,
        law=law or LAWS[axis],
        objective=squares(),
        paired=False if by == "kind" else None,
        draws=400,
        level=LEVEL,
        starts=16,
    )


def _difference(found: Comparison, first: str, second: str) -> tuple[Interval, Interval, Interval]:
    """The exponent of both groups, and the first less the second."""
    each = next(one for one in found.parameters if one.name == "alpha")
    if each.group == first:
        return each.value, each.base, each.difference
    turned = Interval(-each.difference.value, -each.difference.high, -each.difference.low, each.difference.level)
    return each.base, each.value, turned


def _table(cells: list[tuple[str, int, int]], lanes: int, seed: int) -> Runs:
    """Every model's loss in each band; its rows of both bands are one configuration."""
    rows: list[tuple[str, str, int, int, int, float]] = []
    for kind, width, steps in cells:
        size, losses = _trained(kind, width, steps, lanes, 1_000_000 * seed + 1_000 * width + steps)
        points = steps * BATCH * (PAST + 1) * PATCH
        rows += [
            (kind, band, size, points, lane, float(loss))
            for band, each in losses.items()
            for lane, loss in enumerate(each)
        ]
    names = ("kind", "band", "N", "D", "seed", "loss")
    return Runs.from_columns(
        dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)), source="forecasters",
        units={"loss": "nats/point"},
    )  # fmt: skip


def _trained(kind: str, width: int, steps: int, lanes: int, seed: int) -> tuple[int, dict[str, Tensor]]:
    """Parameters, and the loss of each lane on the last patch of fresh series of every band."""
    draws = torch.Generator().manual_seed(seed)
    begin = _attention.start(
        PATCH + 1, width, 2 * PATCH, places=PAST + 1, layers=1, lanes=lanes, seed=seed + 1
    )  # fmt: skip
    forward = partial(_attention.outputs, causal=kind == "decoder")

    def batch(_: int) -> tuple[Tensor, Tensor]:
        x = series(lanes * BATCH, BANDS["seen band"], draws).unflatten(0, (lanes, BATCH))
        hidden = 1 + int(torch.randint(0, MASKED, (1,), generator=draws))
        return _inputs(kind, x, hidden), x[:, :, (1 if kind == "decoder" else PAST + 1 - hidden) :]

    def loss(out: Tensor, wanted: Tensor) -> Tensor:
        return _nats(out[:, :, -wanted.shape[2] :], wanted).mean(dim=(1, 2, 3))

    weights = train(
        begin, batch, steps=steps, rates=[0.04 / math.sqrt(width)] * lanes, schedule=Schedule("cosine", final=0.0),
        forward=forward, loss=loss,
    )  # fmt: skip
    found = {}
    for band, ends in BANDS.items():
        x = series(4_000, ends, torch.Generator().manual_seed(5))
        out = forward(weights, _inputs(kind, x, 1))
        found[band] = loss(out, x[None, :, -1:])
    return _attention.parameters(begin), found


def series(count: int, band: tuple[float, float], draws: torch.Generator) -> Tensor:
    """(count, patches, points of a patch): two sinusoids of the band and first-order autoregressive noise."""
    time = torch.arange((PAST + 1) * PATCH, dtype=torch.float32)
    frequency, phase, height = torch.rand(3, count, 2, 1, generator=draws)
    frequency = band[0] + (band[1] - band[0]) * frequency
    waves = ((0.5 + height) * torch.sin(2 * math.pi * (frequency * time + phase))).sum(dim=1)
    noise = NOISE * torch.randn(count, len(time), generator=draws)
    noise[:, 0] /= math.sqrt(1 - MEMORY**2)
    lag = time[None, :] - time[:, None]
    return (waves + noise @ torch.where(lag < 0, 0.0, MEMORY ** lag.clamp(min=0))).unflatten(1, (PAST + 1, PATCH))


def _floor() -> float:
    """Mean entropy of the noise of a patch, each point by itself, to one who knows both sinusoids and the past."""
    ahead = np.arange(1, PATCH + 1)
    variance = NOISE**2 * (1 - MEMORY ** (2 * ahead)) / (1 - MEMORY**2)
    return float(0.5 * np.log(2 * math.pi * math.e * variance).mean())


def _inputs(kind: str, x: Tensor, hidden: int) -> Tensor:
    """A decoder's patches but the last; an encoder's with the last ones hidden, and a mark where they are."""
    if kind == "decoder":
        return torch.cat((x[..., :-1, :], torch.zeros_like(x[..., :-1, :1])), dim=-1)
    mark = torch.zeros_like(x[..., :1])
    mark[..., PAST + 1 - hidden :, :] = 1
    return torch.cat((x * (1 - mark), mark), dim=-1)


def _nats(out: Tensor, wanted: Tensor) -> Tensor:
    """−log of the normal density, whose means and log-scales are the two halves of the output."""
    mean, log_scale = out.chunk(2, dim=-1)
    return log_scale + 0.5 * ((wanted - mean) * torch.exp(-log_scale)).square() + 0.5 * math.log(2 * math.pi)


if __name__ == "__main__":
    show(__doc__, "time_series", study)
