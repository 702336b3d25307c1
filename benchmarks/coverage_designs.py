"""How often 90 % intervals hold the truth, over designs whose errors behave differently, and by how draws are made.

    python -m benchmarks.coverage_designs [SIMULATIONS] [--only NAME …] [--keep FILE.json] [--docs PAGE.md]

For each design, objective and method: the share of simulations whose interval held the constants, the exponent of N*,
N*, the curve and a new run at the compute-optimal size ten times beyond the largest budget, if the law holds; and, for
truths that the law lacks, the default interval of a new run there and of the mean. --keep writes the shares to a file,
or reads those that are there already; --docs puts the table into a page (docs/concepts/intervals.md).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from benchmarks.simulated_designs import CHINCHILLA, DESIGNS, MODEL_ERROR, Design

from isoflop import Ensemble, bootstrap, fit, forecast, huber, squares
from isoflop.fitting.objective.base import Resampling

LEVEL, DRAWS = 0.9, 300
PARAMS = ("E", "alpha", "beta")
LAW = (*PARAMS, "exponent", "N*", "curve", "new run")
OBJECTIVES = {"Huber": huber(1e-3), "squares": squares()}
# name: what is resampled, and how; None is what bootstrap() does by itself
METHODS: Mapping[str, tuple[str | None, Resampling | None]] = {
    "default": (None, None),
    "runs, weights": ("run", "weights"),
    "sizes": ("N", None),
}
MARKS = ("<!-- coverage over designs: made by benchmarks/coverage_designs.py -->", "<!-- end -->")


def optimum(params: Mapping[str, np.ndarray], budget: float) -> np.ndarray:
    """log N* of Chinchilla's form in every draw."""
    alpha, beta = params["alpha"], params["beta"]
    with np.errstate(all="ignore"):
        factor = np.log(alpha * params["A"] / (beta * params["B"])) / (alpha + beta)
    return np.asarray(factor + beta / (alpha + beta) * np.log(budget / 6))


def law_holds(design: Design, ensemble: Ensemble, there: float, new: float) -> Iterator[tuple[str, float]]:
    """Whether each interval held the truth, if the law holds."""
    budget, n, d = design.point_once()
    assert design.params is not None
    goals = {name: design.params[name] for name in PARAMS}
    goals |= {"exponent": design.exponent(), "N*": float(np.log(n))}
    asked = {
        **{name: name for name in PARAMS},
        "exponent": lambda p: p["beta"] / (p["alpha"] + p["beta"]),
        "N*": lambda p: optimum(p, budget),
    }
    for name, goal in goals.items():
        interval = ensemble.interval(asked[name], level=LEVEL)
        yield name, interval.low <= goal <= interval.high
    said = forecast(ensemble, {"N": n, "D": d}, level=LEVEL)
    yield "curve", said.law_expected.low <= there <= said.law_expected.high
    yield "new run", said.law_loss.low <= new <= said.law_loss.high


def default_holds(design: Design, ensemble: Ensemble, there: float, new: float) -> Iterator[tuple[str, float]]:
    """Whether the intervals with model error held, and those if the law holds; how far the law was off."""
    _, n, d = design.point_once()
    said = forecast(ensemble, {"N": n, "D": d}, level=LEVEL)
    yield "curve", said.expected.low <= there <= said.expected.high
    yield "new run", said.loss.low <= new <= said.loss.high
    yield "curve if the law held", said.law_expected.low <= there <= said.law_expected.high
    yield "new run if the law held", said.law_loss.low <= new <= said.law_loss.high
    yield "error of the law", abs(np.log(said.law_expected.value / there))


def measured(design: Design, objective: str, simulations: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Method → quantity → share of simulations whose interval held it, or its mean."""
    held: dict[str, dict[str, list[float]]] = {}
    for simulation in range(simulations):
        runs, there, new = design.draw(np.random.default_rng([seed, simulation]))
        fitted = fit(CHINCHILLA, runs, objective=OBJECTIVES[objective], starts=24, seed=simulation)
        said: dict[str, tuple[str, list[tuple[str, float]]]] = {}
        for method, (unit, how) in METHODS.items():
            if (method != "default" and design in MODEL_ERROR) or (unit == "N" and design.name != "shared by size"):
                continue
            same = said.get("default")
            if how == fitted.objective.resampling and same is not None and same[0] == unit:
                found = same[1]  # what bootstrap() did by itself
            else:
                ensemble = bootstrap(
                    fitted, draws=DRAWS, seed=simulation, restarted=0, resample_by=unit, resampling=how
                )
                found = list((law_holds if design in DESIGNS else default_holds)(design, ensemble, there, new))
                said[method] = (ensemble.resampled_by, found)
            for name, inside in found:
                held.setdefault(method, {}).setdefault(name, []).append(float(inside))
    return {method: {name: float(np.mean(each)) for name, each in by.items()} for method, by in held.items()}


def table(results: list[dict[str, object]]) -> str:
    """The results as two Markdown tables."""
    order = [each.name for each in (*DESIGNS, *MODEL_ERROR)]
    results = sorted(results, key=lambda each: (order.index(str(each["design"])), str(each["objective"])))
    lines = [
        f"Share of simulations whose 90 % interval held the truth, if the law holds ({DRAWS} draws; the point is the "
        "compute-optimal size at ten times the largest budget):",
        "",
        "| design | errors | simulations | objective | draws | " + " | ".join(LAW) + " |",
        "|---|---|---|---|---|" + "---|" * len(LAW),
    ]
    words = {each.name: each.noise for each in (*DESIGNS, *MODEL_ERROR)}
    for each in results:
        if each["design"] in {design.name for design in DESIGNS}:
            for method, held in each["held"].items():  # type: ignore[attr-defined]
                cells = " | ".join(f"{held[name]:.3f}".lstrip("0") for name in LAW)
                start = f"| {each['design']} | {words[str(each['design'])]} | {each['simulations']}"
                lines.append(f"{start} | {each['objective']} | {method} | {cells} |")
    other = [each for each in results if each["design"] in {design.name for design in MODEL_ERROR}]
    if other:
        names = list(next(iter(other[0]["held"].values())))  # type: ignore[attr-defined]
        lines += [
            "",
            "With truths that the law lacks, the default interval, and the one that holds if the law does:",
            "",
        ]
        lines += [
            "| truth | errors | simulations | objective | " + " | ".join(names) + " |",
            "|---|---|---|---|" + "---|" * len(names),
        ]
        for each in other:
            held = each["held"]["default"]  # type: ignore[index]
            cells = " | ".join(f"{held[name]:.3f}".lstrip("0") for name in names)
            start = f"| {each['design']} | {words[str(each['design'])]} | {each['simulations']} | {each['objective']}"
            lines.append(f"{start} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is not in the file yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simulations", nargs="?", type=int, default=500)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--keep", type=Path, default=None)
    parser.add_argument("--docs", type=Path, default=None)
    asked = parser.parse_args()
    results = json.loads(asked.keep.read_text()) if asked.keep is not None and asked.keep.exists() else []
    for design in (*DESIGNS, *MODEL_ERROR):
        for objective in OBJECTIVES:
            done = any((each["design"], each["objective"]) == (design.name, objective) for each in results)
            if done or (asked.only is not None and design.name not in asked.only):
                continue
            began = time.process_time()
            held = measured(design, objective, asked.simulations)
            results.append(
                {"design": design.name, "objective": objective, "simulations": asked.simulations, "held": held}
            )
            print(f"{design.name}, {objective}: {time.process_time() - began:.0f} s of processor", flush=True)
            if asked.keep is not None:
                asked.keep.write_text(json.dumps(results, indent=1))
    said = table(results)
    print(said)
    if asked.docs is not None:
        page = asked.docs.read_text()
        before, rest = page.split(MARKS[0])
        asked.docs.write_text(f"{before}{MARKS[0]}\n\n{said}\n\n{MARKS[1]}{rest.split(MARKS[1], 1)[1]}")


if __name__ == "__main__":
    main()
