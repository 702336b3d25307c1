"""R(G): how much information a code needs at least to carry a given amount of meaning.

Lu's semantic generalization of Shannon's theory (arXiv 2510.15871): three Gaussian truth functions over a normal
variable. R(G) lies above R = G, touches it nowhere here, and its slope s says what one more bit of meaning costs. The
same theory certifies every step of a mixture's EM: the divergence is R − G and what the shares move.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from _scaffold import COLOURS, Outcome, panels, show, stream

from isoflop.measures import fit_mixture, rate_fidelity, semantic_information

SLOPES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)


def study(quick: bool, seed: int = 0) -> Outcome:
    """The curve, its slope by differences against s, and EM with its certificate on drawn samples."""
    x = np.linspace(0, 100, 401)
    p = np.exp(-((x - 50) ** 2) / (2 * 15**2))
    p /= p.sum()
    truth = np.exp(-((x[:, None] - np.array([25.0, 50, 75])) ** 2) / (2 * 8**2))
    points = rate_fidelity(p, truth, SLOPES)
    fine = np.geomspace(0.3, 12, 20 if quick else 80)
    curve = rate_fidelity(p, truth, fine)
    information, rate = (np.array([getattr(each, name) for each in curve]) for name in ("information", "rate"))
    slopes = np.diff(rate) / np.diff(information)
    middle = np.sqrt(fine[1:] * fine[:-1])
    known = (np.diff(information) > 1e-6) & (rate[1:] > 1e-3) & (rate[:-1] > 1e-3)
    off = float(np.abs(slopes[known] / middle[known] - 1).max())
    plain = semantic_information(p[:, None] * _channel(truth), truth).information

    rng = np.random.default_rng(stream(1, seed))
    data = np.concatenate([rng.normal(35, 8, 700), rng.normal(65, 12, 300)])
    counts, _ = np.histogram(data, bins=np.linspace(-0.125, 100.125, 402))
    mixed = fit_mixture(x, (counts + 1e-9) / (counts + 1e-9).sum(), [30.0, 80.0], [15.0, 15.0], steps=41)
    residual = max(abs(each.residual) for each in mixed.steps)
    divergences = [each.divergence for each in mixed.steps]
    rise = max(0.0, *(later - earlier for earlier, later in pairwise(divergences)))

    above = all(each.rate >= each.information - 1e-9 for each in (*points, *curve))
    best = max((each for each in points if each.efficiency is not None), key=lambda each: each.efficiency or 0.0)
    holds = above and off < 0.05 and residual < 1e-9
    # The normal components reach beyond the grid, and their means and deviations are those of whole normals.
    falls = (
        "Every step of EM lowers the divergence" if rise <= 1e-12
        else f"EM, whose components reach beyond the grid, raises the divergence by at most {rise:.1g} bits a step"
    )  # fmt: skip
    says = (
        f"No point needs less information than it carries meaning (R ≥ G at all {len(points) + len(curve)}); the slope "
        f"dR/dG is s to {off:.1%}. The most efficient of the table is s = {best.slope:g}: {best.efficiency:.3f} "
        f"bits of "
        f"meaning a bit; at s = {points[0].slope:g} the labels collapse to one (R = {points[0].rate:.3f}) and G is "
        f"negative. Labels drawn in proportion to their truth carry {plain:.3f} bits. {falls}, "
        f"{divergences[0]:.3f} to {divergences[-1]:.3f} bits, and the identity holds to {residual:.0e}."
    )
    rows = [
        [f"{each.slope:g}", f"{each.information:.4f}", f"{each.rate:.4f}",
         "none" if each.efficiency is None else f"{each.efficiency:.3f}"]
        for each in points
    ]  # fmt: skip

    figure, (left, right) = panels(2)
    left.plot(information, rate, color=COLOURS[0], label="R(G)")
    left.plot([0, 1.3], [0, 1.3], color="black", linewidth=0.8, linestyle="--", label="R = G")
    for each in points[1:]:
        left.plot(each.information, each.rate, "o", color=COLOURS[1], markersize=5)
        left.annotate(f"s = {each.slope:g}", (each.information, each.rate), xytext=(-46, 2), textcoords="offset points")
    left.set(xlim=(0, 1.3), ylim=(0, 1.6), xlabel="semantic information G (bits)", ylabel="least rate R (bits)")
    left.legend(frameon=False, fontsize=9, loc="upper left")
    steps = np.arange(1, len(divergences) + 1)
    right.plot(steps, divergences, color=COLOURS[0], label="divergence")
    right.plot(steps, [each.rate - each.information for each in mixed.steps], "--", color=COLOURS[1], label="R − G")
    right.set(xscale="log", xlabel="step of EM", ylabel="bits")
    right.legend(frameon=False, fontsize=9)
    numbers = {
        "dR/dG off s by": off,
        "rise": rise,
        "residual": residual,
        "efficiency": best.efficiency or 0.0,
        "above": float(above),
    }
    return Outcome(
        ("appears" if rise <= 1e-12 else "appears in part") if holds else "does not appear",
        says,
        ["slope s", "G (bits)", "R (bits)", "G/R"],
        rows,
        figure,
        numbers,
    )


def _channel(truth: np.ndarray) -> np.ndarray:
    return truth / truth.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    show(__doc__, "fidelity", study)
