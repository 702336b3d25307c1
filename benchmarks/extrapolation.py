"""Learning-curve extrapolation: each law on the 92 curves of Alabdulmohsin et al. 2022, fitted early and scored late.

    python benchmarks/extrapolation.py FOLDER [--domain LM] [--laws m1,m2,m3,m4,bnsl-1]

FOLDER holds benchmark_lang.csv and benchmark_vision.csv(.gz) (isoflop datasets --get revisiting-benchmark). The
protocol is the authors': a law is fitted to the rows of a curve with Training = 1 (here by least squares on log loss)
and scored on those with Training = 0 by RMSE = √mean((log L̂ − log L)²), with the standard error √(RMSE² + s/√n) − RMSE,
where s is the standard deviation of the squared errors. M4's random guess is
fixed at 0.999, above which no loss here lies.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from isoflop import fit, fix, law, squares
from isoflop.laws import Law
from isoflop.runs import Runs

CURVE = ("Domain", "Task", "Model")
LAWS = ("m1", "m2", "m3", "m4", "bnsl-1")
RANDOM_GUESS = 0.999


@dataclass(frozen=True)
class Score:
    """How a law that was fitted to the beginning of a curve foretells its end."""

    law: str
    curve: tuple[str, ...]
    rmse: float
    error: float


def read_curves(folder: Path, *, domain: str | None = None) -> pl.DataFrame:
    """Every curve of the benchmark, or those of one domain (IC, NMT, LM, BB)."""
    files = [file for stem in ("lang", "vision") for file in sorted(folder.glob(f"benchmark_{stem}.csv*"))[:1]]
    tables = [pl.read_csv(file, schema_overrides={"Model": pl.String}) for file in files]
    curves = pl.concat(tables, how="vertical_relaxed")
    return curves if domain is None else curves.filter(pl.col("Domain") == domain)


def named(name: str) -> Law:
    """A law of the catalogue, M4 with the benchmark's random guess."""
    return fix(law(name), {"epsilon_0": RANDOM_GUESS}) if name == "m4" else law(name)


def score(name: str, curve: pl.DataFrame, *, starts: int = 32) -> Score:
    """One law on one curve."""
    early, late = (curve.filter(pl.col("Training") == part) for part in (1, 0))
    columns = {"D": early["Seen Examples"].cast(float), "loss": early["Loss"].cast(float)}
    fitted = fit(named(name), Runs.from_columns(columns), objective=squares(), starts=starts)
    predicted = fitted.predict({"D": late["Seen Examples"].cast(float).to_numpy()})
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = (np.log(predicted) - np.log(late["Loss"].to_numpy())) ** 2
        mean = float(np.mean(squared))
        error = float(np.sqrt(mean + np.std(squared) / np.sqrt(len(squared))) - np.sqrt(mean))
    return Score(name, tuple(str(curve[0, key]) for key in CURVE), float(np.sqrt(mean)), error)


def scores(curves: pl.DataFrame, laws: Sequence[str] = LAWS) -> list[Score]:
    """Every law on every curve."""
    return [score(name, curve) for _, curve in curves.group_by(CURVE, maintain_order=True) for name in laws]


def main() -> None:
    """Print mean and median RMSE by law and domain, and how often each law is best."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--domain", choices=("IC", "NMT", "LM", "BB"))
    parser.add_argument("--laws", default=",".join(LAWS))
    asked = parser.parse_args()
    laws = asked.laws.split(",")
    began = time.perf_counter()
    found = scores(read_curves(asked.folder, domain=asked.domain), laws)
    curves = list(dict.fromkeys(each.curve for each in found))
    least = {curve: min(each.rmse for each in found if each.curve == curve) for curve in curves}
    print(f"{len(curves)} curves, {time.perf_counter() - began:.0f} s")
    print(
        f"{'law':8}{'domain':8}{'curves':>8}{'mean RMSE':>12}{'median':>10}{'mean s.e.':>11}{'best':>6}{'no value':>10}"
    )
    for name in laws:
        for domain in dict.fromkeys(curve[0] for curve in curves):
            of = [each for each in found if each.law == name and each.curve[0] == domain]
            good = [each for each in of if np.isfinite(each.rmse)]
            wins = sum(each.rmse == least[each.curve] for each in of)
            print(
                f"{name:8}{domain:8}{len(of):8}{np.mean([each.rmse for each in good]):12.5f}"
                f"{np.median([each.rmse for each in of]):10.5f}{np.mean([each.error for each in good]):11.5f}{wins:6}"
                f"{len(of) - len(good):10}"
            )


if __name__ == "__main__":
    main()
