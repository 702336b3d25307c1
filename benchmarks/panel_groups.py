"""Coverage of forecasts for groups of a panel: known ones of 12, 6 and 4 runs, and one that was not seen.

Eight groups of E + A/N^α with a shared exponent, floors (and, where only the exponent is shared, amplitudes) that are
log-normal over groups, and a wave of log loss whose phase is each group's own: the law holds for none. With ``--pool``
A is shared as well and E is pooled. The mean is asked inside the runs and a decade beyond them, nominal 90 %.

    python -m benchmarks.panel_groups --simulations 60 --wave 0.01
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from isoflop import Runs, law
from isoflop.fitting import squares
from isoflop.fitting.panel import fit_panel
from isoflop.uncertainty.panel import bootstrap_panel
from isoflop.uncertainty.predictive import predictive

Floats = NDArray[np.float64]

RUNS = (12, 12, 12, 12, 6, 6, 4, 4)
AT = np.array([3e8, 1e10])
ASKED = {"unseen": len(RUNS), "12 runs": 0, "6 runs": 4, "4 runs": 6}
NOISE = 0.004


def curve(floor: float, amplitude: float, phase: float, n: Floats, wave: float) -> Floats:
    """The true loss of a group: log(E + A·(N/1e8)^−0.3) and a wave of two and a half decades."""
    return np.asarray((floor + amplitude * (n / 1e8) ** -0.3) * np.exp(wave * np.sin(2.6 * np.log10(n) + phase)))


def measure(simulations: int, *, wave: float, pool: bool) -> dict[tuple[str, str, str], list[tuple[bool, float]]]:
    """Whether each interval of the mean holds the truth, and its width as a share, by group, place and kind."""
    found: dict[tuple[str, str, str], list[tuple[bool, float]]] = {}
    for seed in range(simulations):
        rng, tables, groups = np.random.default_rng(seed), [], []
        for number in range(len(RUNS) + 1):
            amplitude = 0.9 if pool else 0.9 * float(np.exp(0.15 * rng.standard_normal()))
            groups.append(
                (1.8 * float(np.exp(0.06 * rng.standard_normal())), amplitude, float(rng.uniform(0, 2 * np.pi)))
            )
            if number < len(RUNS):
                n = np.geomspace(1e7, 1e9, RUNS[number])
                loss = curve(*groups[-1], n, wave) * np.exp(NOISE * rng.standard_normal(len(n)))
                tables.append((n, loss, np.full(len(n), f"g{number}")))
        columns = map(np.concatenate, zip(*tables, strict=True))
        runs = Runs.from_columns(dict(zip(("N", "loss", "family"), columns, strict=True)))
        share, pooled = (("A", "alpha"), ("E",)) if pool else (("alpha",), ())
        panel = fit_panel(law("E + A/N^alpha"), runs, share=share, pool=pooled, objective=squares())
        draws = bootstrap_panel(panel, draws=200, seed=seed)
        for name, number in ASKED.items():
            ensemble = draws.unseen() if name == "unseen" else draws.group(f"g{number}")
            told, truth = predictive(ensemble, {"N": AT}), curve(*groups[number], AT, wave)
            for kind, (low, high) in (("model error", told.mean), ("law", told.law_mean)):
                for place, where in enumerate(("inside", "a decade beyond")):
                    hit = bool(low[place] <= truth[place] <= high[place])
                    found.setdefault((name, where, kind), []).append((hit, float(high[place] / low[place] - 1)))
    return found


def main() -> None:
    """Print coverage and median width."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=60)
    parser.add_argument("--wave", type=float, default=0.01)
    parser.add_argument("--pool", action="store_true")
    asked = parser.parse_args()
    for (name, where, kind), each in measure(asked.simulations, wave=asked.wave, pool=asked.pool).items():
        hits, widths = zip(*each, strict=True)
        print(f"{name:8s}  {where:15s}  {kind:11s}  {np.mean(hits):.3f}  {np.median(widths):.4f}")


if __name__ == "__main__":
    main()
