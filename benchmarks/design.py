"""Error on the costliest tenth of public tables against what was spent on the rest, for four ways to choose rows.

``python -m benchmarks.design FOLDER [--seeds 20] [--only gadre] [--picture error.png]``, FOLDER that of the public run
tables. Every policy begins with the cheapest rows, as many as the law has parameters and two, and buys rows of the pool
up to a share of the pool's cost. Two forecasts of the target are scored: that of the law fitted to the rows, and that
with a prior and model error, on which designs rest. A seed leaves a tenth of the pool out.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from isoflop import Runs, fit, law
from isoflop.errors import IsoflopError
from isoflop.fitting import objective
from isoflop.laws import Law
from isoflop.planning.design import believe, choose, moments
from isoflop.planning.design.choose import View
from isoflop.planning.design.posed import joint
from isoflop.planning.design.target import response_target

SHARES = (0.03, 0.06, 0.12, 0.3)
ROUNDS = (0.12, 0.35, 1.0)  # of what may be spent, after each of which the design is made again
DRAWS = 48
HELD = 0.1  # of the rows, the costliest, are the target
MOST_ROWS = 400
GOAL = (0.12, 1.05)


@dataclass(frozen=True)
class Pool:
    """A table with its law and what each row costs."""

    name: str
    runs: Runs
    law: Law
    cost: np.ndarray
    objective: str = "huber:1e-3"


def _pool(name: str, frame: pl.DataFrame, text: str, *, cost: str = "6ND", objective: str = "huber:1e-3") -> Pool:
    frame = frame.drop_nulls().filter(pl.all_horizontal(pl.all().cast(pl.Float64).is_finite()))
    if len(frame) > MOST_ROWS:
        keep = np.sort(np.random.default_rng(0).choice(len(frame), MOST_ROWS, replace=False))
        frame = frame[keep.tolist()]
    columns = {each: frame[each].to_numpy().astype(float) for each in frame.columns if each != "price"}
    price = 6 * columns["N"] * columns["D"] if cost == "6ND" else frame["price"].to_numpy().astype(float)
    runs = Runs.from_columns(columns, source=name)
    return Pool(name, runs, law(text, columns=tuple(columns)), price, objective)


def _moe(folder: Path) -> Iterator[Pool]:
    frame = pl.read_parquet(folder / "moe-sparsity" / "moe_train.parquet")
    yield _pool(
        "moe",
        frame.select(
            N="dense_parameter_count", experts="num_experts", loss="loss_validation", price="dense_parameter_count"
        ),
        "routed",
        cost="price",
    )
    frame = pl.read_parquet(folder / "moe-sparsity" / "sparsity_train.parquet")
    yield _pool(
        "sparsity",
        frame.select(N=pl.col("N_active") * 1e9, P="P", D=pl.col("D1") * 1e10 + pl.col("D2") * 1e10, loss="loss"),
        "E + A*P^gamma/N^alpha + B/D^beta",
    )


def _mixing(folder: Path) -> Iterator[Pool]:
    frame = pl.read_csv(folder / "data-mixing-laws" / "losses_long.csv.gz", infer_schema_length=None)
    sizes = {"70M": 70e6, "160M": 160e6, "305M": 305e6, "410M": 410e6, "1B": 1e9}
    own = frame.filter((pl.col("experiment") == "5Mix") & pl.col("model_size").is_in(list(sizes)))
    for domain in sorted(set(own["val_domain"]))[:2]:
        last = own.filter(pl.col("val_domain") == domain).sort("step").group_by("run", maintain_order=True).last()
        shares = last["proportions"].str.split("-").list.eval(pl.element().cast(pl.Float64))
        last = last.with_columns(
            N=pl.col("model_size").replace_strict(sizes, return_dtype=pl.Float64),
            **{f"r_{k + 1}": shares.list.get(k) for k in range(4)},
        )
        terms = " + ".join(f"t_{k}*r_{k}" for k in range(1, 5))
        yield _pool(
            f"mixing {domain}",
            last.select("N", "r_1", "r_2", "r_3", "r_4", "loss", price=pl.col("N") * pl.col("step")),
            f"E + A*exp({terms})/N^alpha",
            cost="price",
        )


def _steplaw(folder: Path) -> Iterator[Pool]:
    frame = pl.read_csv(folder / "steplaw" / "dense_lr_bs_loss.csv", infer_schema_length=None)
    frame = frame.filter(pl.col("smooth loss") < 3.0)
    yield _pool(
        "steplaw",
        frame.select("N", "D", lr="lr", bs="bs", loss="smooth loss"),
        "E + A/N^alpha + B/D^beta + c*(log(lr) + l - p*log(N) - q*log(D))^2 + k*(log(bs) + b - r*log(D))^2",
    )


def _vocab(folder: Path) -> Iterator[Pool]:
    frame = pl.read_csv(folder / "vocab" / "exp_data.csv", infer_schema_length=None)
    yield _pool(
        "vocab",
        frame.select(
            N_nonvocab="Non_vocab_parameters", N_vocab=pl.col("vocab_size") * pl.col("embed_dim"), D="num_characters",
            loss_unigram="Lossu", price="FLOPs",
        ),
        "vocabulary",
        cost="price",
        objective="raw-huber:1e-2",
    )  # fmt: skip


def _corpora(folder: Path) -> Iterator[Pool]:
    frame = pl.read_csv(folder / "loss-to-loss" / "sweep.csv", infer_schema_length=None)
    for corpus in sorted(set(frame["data"]))[:2]:
        own = frame.filter(pl.col("data") == corpus)
        yield _pool(
            f"loss-to-loss {corpus}",
            own.select(N="params", D="tokens", loss="eval/c4_val/CrossEntropyLoss"),
            "chinchilla",
        )


def _gadre(folder: Path) -> Iterator[Pool]:
    frame = pl.read_csv(folder / "overtraining-gadre" / "runs_with_downstream_colpret.csv", infer_schema_length=None)
    for corpus in ("rpj", "c4_original"):
        own = frame.filter(pl.col("dataset_name") == corpus)
        yield _pool(f"gadre {corpus}", own.select("N", "D", loss="loss_c4_val"), "chinchilla")


def _datablations(folder: Path) -> Iterator[Pool]:
    frame = pl.read_csv(folder / "datablations" / "parametric_fit_runs_paper182.csv", infer_schema_length=None)
    yield _pool("datablations", frame.select("N", "D", "U", "loss"), "muennighoff")


READERS: tuple[Callable[[Path], Iterator[Pool]], ...] = (
    _moe, _mixing, _steplaw, _vocab, _corpora, _gadre, _datablations,
)  # fmt: skip


def split(pool: Pool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the pool, without a random tenth, and of the target."""
    order = np.argsort(pool.cost, kind="stable")
    held = max(3, round(HELD * len(order)))
    rest = order[:-held]
    kept = np.random.default_rng([seed, 1]).permutation(rest)[: round(0.9 * len(rest))]
    return np.sort(kept), order[-held:]


def error_of(pool: Pool, rows: np.ndarray, target: np.ndarray) -> float:
    """Mean relative error on the target of the law fitted to rows; NaN where it cannot be fitted."""
    mask = np.zeros(len(pool.runs), dtype=bool)
    mask[rows] = True
    try:
        fitted = fit(pool.law, pool.runs.take(mask), objective=objective(pool.objective), starts=24)
    except IsoflopError:
        return float("nan")
    inputs = {name: pool.runs[name][target] for name in pool.law.input_names}
    measured = pool.runs[pool.law.response][target]
    found = np.abs(fitted.predict(inputs) / measured - 1)
    return float(np.minimum(np.where(np.isfinite(found), found, 1.0), 1.0).mean())


def error_of_belief(pool: Pool, rows: np.ndarray, target: np.ndarray) -> float:
    """The same of the belief's mean, which has a prior and model error."""
    mask = np.zeros(len(pool.runs), dtype=bool)
    mask[rows] = True
    points = {name: pool.runs[name][target] for name in pool.law.input_names}
    how = objective(pool.objective)
    belief = believe([pool.law], points, pool.runs.take(mask), objective=how, draws=DRAWS)
    mean = moments(belief, points, {name: values[:0] for name, values in points.items()}, np.empty((0, 0))).mean
    value = np.exp(mean) if how.space == "log" else mean
    return float(np.minimum(np.abs(value / pool.runs[pool.law.response][target] - 1), 1.0).mean())


def bought(pool: Pool, policy: str, rows: np.ndarray, target: np.ndarray, budget: float, seed: int) -> np.ndarray:
    """The rows that a policy has, first ones included, once the budget is spent."""
    cheap = rows[np.argsort(pool.cost[rows], kind="stable")]
    have = list(cheap[: len(pool.law.params) + 2])
    if policy in ("random", "cheapest first"):
        order = cheap if policy == "cheapest first" else np.random.default_rng([seed, 2]).permutation(rows)
        spent = pool.cost[have].sum()
        for each in order:
            if each not in have and spent + pool.cost[each] <= budget:
                have.append(each)
                spent += pool.cost[each]
        return np.array(have)
    for share in ROUNDS:
        left = np.array([each for each in rows if each not in set(have)])
        purse = budget - pool.cost[have].sum()
        if not len(left) or purse < pool.cost[left].min():
            break
        picked = next_rows(pool, policy, np.array(have), left, target, purse, seed)
        limit, taken = share * budget - pool.cost[have].sum(), 0.0
        for each in picked:
            if share == 1.0 or taken + pool.cost[each] <= limit or not taken:
                have.append(each)
                taken += pool.cost[each]
    return np.array(have)


def next_rows(
    pool: Pool, policy: str, have: np.ndarray, left: np.ndarray, target: np.ndarray, purse: float, seed: int
) -> np.ndarray:
    """The batch of a design after the rows at hand."""
    mask = np.zeros(len(pool.runs), dtype=bool)
    mask[have] = True
    names = pool.law.input_names
    points = {name: pool.runs[name][left] for name in names}
    belief = believe(
        [pool.law], points, pool.runs.take(mask), objective=objective(pool.objective), draws=DRAWS, seed=seed,
        model_error=policy == "designed",
    )  # fmt: skip
    wanted = response_target(belief, {name: pool.runs[name][target] for name in names})
    known, alone = joint(belief, points, wanted)
    found = choose(
        known.cov, known.cross, known.target_cov, np.full(len(left), belief.noise**2), pool.cost[left], purse,
        criterion="target" if policy == "designed" else "parameters",
        powers=(0.0, 0.4, 0.7, 1.0) if policy == "designed" else (1.0,),
        beside=None if alone is None else View(alone.cov, alone.cross, alone.target_cov),
    )  # fmt: skip
    return left[np.array(found.rows, dtype=int)]


POLICIES = ("random", "cheapest first", "D-optimal", "designed")


def main() -> None:
    """Print a row for each table and policy; draw the picture of each table where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--shares", type=float, nargs="*", default=SHARES)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--policies", nargs="*", default=POLICIES, choices=POLICIES)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    shares = tuple(asked.shares)
    results: dict[str, dict[str, object]] = {}
    for read in READERS:
        for pool in read(asked.folder):
            if asked.only and not any(each in pool.name for each in asked.only):
                continue
            began = time.perf_counter()
            scores = {"law": error_of, "with model error": error_of_belief}
            errors = {
                name: {policy: np.full((asked.seeds, len(shares)), np.nan) for policy in asked.policies}
                for name in scores
            }
            full = {name: np.empty(asked.seeds) for name in scores}
            for seed in range(asked.seeds):
                rows, target = split(pool, seed)
                for name, score in scores.items():
                    full[name][seed] = score(pool, rows, target)
                for place, share in enumerate(shares):
                    budget = share * pool.cost[rows].sum()
                    for policy in asked.policies:
                        have = bought(pool, policy, rows, target, budget, seed)
                        for name, score in scores.items():
                            errors[name][policy][seed, place] = score(pool, have, target)
            print(f"{pool.name}: {len(pool.runs)} rows, {time.perf_counter() - began:.0f} s", flush=True)
            fitted = float(np.median(full["law"]))
            for name, each in errors.items():
                whole = float(np.median(full[name]))
                print(f"  {name}, whole table {whole:.2%}; median and mean over it at {shares}", flush=True)
                for policy, found in each.items():
                    middle = "  ".join(f"{value / whole:6.2f}" for value in np.nanmedian(found, axis=0))
                    mean = "  ".join(f"{value / whole:6.2f}" for value in np.nanmean(found, axis=0))
                    beside = "  ".join(f"{value / fitted:6.2f}" for value in np.nanmedian(found, axis=0))
                    told = "" if name == "law" else f"  | over the whole table's fit {beside}"
                    print(f"    {policy:15s} {middle}  | {mean}{told}", flush=True)
                if asked.picture is not None:
                    stem = f"{asked.picture.stem}-{pool.name}-{name}".replace(" ", "-")
                    draw(shares, each, whole, asked.picture.with_stem(stem))
            results[pool.name] = {
                "full": {name: each.tolist() for name, each in full.items()},
                "errors": {
                    name: {policy: found.tolist() for policy, found in each.items()} for name, each in errors.items()
                },
            }
            if asked.json is not None:
                asked.json.write_text(json.dumps({"shares": shares, "tables": results}))


def draw(shares: tuple[float, ...], errors: dict[str, np.ndarray], whole: float, path: Path) -> None:
    """The picture of one table."""
    from isoflop.plots import new_axes, policies_by_spend, save

    axes = new_axes()
    policies_by_spend(np.array(shares), errors, whole, axes, goal=GOAL)
    save(axes, path)


if __name__ == "__main__":
    main()
