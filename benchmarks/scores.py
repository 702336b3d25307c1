"""What isoflop says of scores, against what is known: one Markdown table of claims and measured numbers.

    ISOFLOP_DATASETS=FOLDER PYTHONPATH=src:. python benchmarks/scores.py [SECTION ...]

Sections: passes, ladder, pythia, transfers, families, index, rl, arithmetic. FOLDER holds the public tables as
docs/datasets lists them. All takes some five minutes of one core.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from tests.evals.test_emergence import law_drawn
from tests.planning.capability.test_index import stitched
from tests.planning.test_downstream import ALL, LOSS, SCORE, TARGETS, columns_of
from tests.planning.test_downstream_gadre import forecasts
from tests.planning.test_transfer import VALIDATION

from isoflop import Runs, bootstrap, fit, huber, law, read_runs, squares
from isoflop.errors import DataError
from isoflop.evals.measures import pass_rates
from isoflop.evals.pass_rate import bias_of_ratio
from isoflop.fitting.panel import fit_panel
from isoflop.fitting.sampling_errors import weighed
from isoflop.planning.capability.families import families_left_out
from isoflop.planning.capability.index import capability
from isoflop.planning.capability.others import benchmarks_from_others
from isoflop.planning.capability.response import fit_response
from isoflop.planning.capability.scores import model_scores
from isoflop.planning.capability.trend import doubling_days
from isoflop.planning.downstream import downstream, stages, weighted
from isoflop.planning.forecast import forecast
from isoflop.planning.suite import suite
from isoflop.planning.transfer import transfer
from isoflop.planning.transfer_few import transfer_from_few
from isoflop.uncertainty.panel import bootstrap_panel
from isoflop.validation.score_curves import score_curves
from isoflop.validation.tracking import track

FOLDER = Path(os.environ.get("ISOFLOP_DATASETS", "data"))
Row = tuple[str, str]
KAPLAN = "E + (A/N^(alpha/beta) + B/D)^beta"


def passes() -> Iterator[Row]:
    """Estimators of a pass rate, the law's exponent, and its curvature."""
    worst = [bias_of_ratio(goal, p) for goal in (1, 2) for p in (0.1, 0.01, 0.001)]
    yield "r/K too high by (r = 1, 2; p = .1, .01, .001)", ", ".join(f"{each:.2f}" for each in worst)
    rng = np.random.default_rng(0)
    told = []
    for p in (0.1, 0.01, 0.001):
        total = 2 + rng.negative_binomial(2, p, 400_000).astype(float)
        told.append(pass_rates(np.full_like(total, 2), total, np.full_like(total, 2)).mean() / p)
    yield "(r - 1)/(K - 1) over p, r = 2", ", ".join(f"{each:.3f}" for each in told)
    until, fixed, none = [], [], 0
    for _ in range(200):
        until.append(law_drawn(rng, items=20, goal=4).alpha.value)
        try:
            fixed.append(law_drawn(rng, items=20, tries=100).alpha.value)
        except DataError:
            none += 1
    yield "alpha (.2) from tries until 4 passes, median ± sd", f"{np.median(until):.3f} ± {np.std(until):.3f}"
    yield "the same from 100 tries", f"{np.median(fixed):.3f} ± {np.std(fixed):.3f}, no law in {none} of 200"
    for bend in (0.0, 0.06, -0.06):
        seen = np.mean([law_drawn(rng, bend=bend).shape != "straight" for _ in range(200)])
        yield f"curvature {bend:+.2f} found (nominal 5 %)", f"{seen:.1%}"


def ladder() -> Iterator[Row]:
    """The OLMo ladder's sixteen targets with all tasks together."""
    frame = pl.read_parquet(FOLDER / "olmo-ladder" / "ladder_checkpoints.parquet")
    keep = [f"{size}-{mult}xC" for size in ("190M", "370M", "760M", "1B") for mult in (1, 2, 5, 10)]
    columns = {"D": "throughput/total_tokens", "loss": "val/c4_en_ce"}
    runs = read_runs(frame.filter(pl.col("run").is_in(keep)), columns=columns)
    tables = {}
    for task in ALL:
        loss, score = columns_of(task)
        tables[task] = stages(runs, LOSS, loss=loss, score=score, average=5, skip=0.1)
    large = pl.read_parquet(FOLDER / "olmo-ladder" / "olmo2_7b_13b_checkpoints.parquet")
    inside: dict[str, list[bool]] = {"loss": [], "accuracy": []}
    wider: dict[str, list[float]] = {"loss": [], "accuracy": []}
    missed = []
    for run, at in TARGETS.values():
        target = Runs.from_columns(large.filter(pl.col("run") == run).to_dict(as_series=False))
        found = suite(tables, LOSS, {task: [SCORE, law("task-accuracy")] for task in ALL}, at, draws=60)
        for task, each in found.tasks.items():
            loss, score = (float(weighted(target, column)[-5:].mean()) for column in columns_of(task))
            missed.append(abs(each.loss.loss.value / loss - 1))
            for kind, one, alone, truth in (
                ("loss", each.loss.loss, each.loss.law_loss, loss),
                ("accuracy", each.score, each.law_score, score),
            ):
                inside[kind].append(one.low <= truth <= one.high)
                wider[kind].append((one.high - one.low) / (alone.high - alone.low))
    for kind in inside:
        yield (
            f"OLMo ladder, {kind}: in 90 % intervals, width over that if the laws hold",
            f"{sum(inside[kind])} of {len(inside[kind])}, {np.median(wider[kind]):.2f}",
        )
    yield "OLMo ladder: mean error of the loss", f"{np.mean(missed):.1%}"


def pythia() -> Iterator[Row]:
    """Pythia 12B's final accuracies from models up to 1.4B, on all tasks that rise in one of them."""
    long = pl.read_parquet(FOLDER / "pythia-evals" / "pythia_v1_evals_long.parquet").filter(
        (pl.col("shots") == "zero-shot") & ~pl.col("model").str.contains("MtokBS")
    )
    acc = long.filter(pl.col("metric") == "acc")
    small = pl.col("params_total") < 1.5e9
    tasks = sorted(acc.filter(pl.col("stderr") > 0)["task"].unique())
    curves = score_curves(
        read_runs(acc.filter(small)), tasks=tasks, task_column="task", score="value", error="stderr", model="model",
        x="step",
    )  # fmt: skip
    rising = sorted({each.task for each in track(curves).onsets if each.rises})
    acc = acc.filter((pl.col("step") >= 512) & pl.col("task").is_in(rising))
    keys = ["model", "step", "params_total", "tokens"]
    errors = acc.pivot(on="task", index=keys, values="stderr").rename({task: f"{task}_stderr" for task in rising})
    ppl = long.filter(pl.col("metric") == "ppl").select("model", "step", ppl="value")
    wide = acc.pivot(on="task", index=keys, values="value").join(errors, on=keys).join(ppl, on=keys[:2])
    wide = wide.rename({"params_total": "N", "tokens": "D", "model": "run"})
    known = Runs.from_columns(wide.filter(pl.col("N") < 1.5e9).to_dict(as_series=False))
    large = wide.filter(pl.col("run").is_in(["12b", "12b-deduped"]) & (pl.col("step") == 143_000))
    last = wide.filter(pl.col("run").str.starts_with("1.4b") & (pl.col("step") == 143_000))
    size, losses, misses, still, inside = law("E + A/N^alpha"), None, [], [], 0
    seen: list[int] = []
    for task in rising:
        found = stages(known, size, loss="log(ppl)", score=task)
        if losses is None:
            losses = bootstrap(fit(size, found.finals), draws=100, restarted=0)
        sigmoid, raw = law("task-accuracy-to-one"), squares(space="raw")
        table = weighed(fit(sigmoid, found.points, objective=raw), found.errors)
        scores = bootstrap(fit(sigmoid, table, objective=raw), draws=100, restarted=0)
        ahead = downstream(losses, scores, {"N": float(large["N"][0])})
        told, truth = ahead.score, float(large[task].mean())
        seen += [len(misses)] if "no-score-trend" not in {each.code for each in ahead.findings} else []
        misses.append(abs(told.value - truth))
        still.append(abs(float(last[task].mean()) - truth))
        inside += told.low <= truth <= told.high
    yield (
        f"Pythia 12B from at most 1.4B, {len(rising)} tasks that rise: in 90 % intervals, mean error (that of 1.4B)",
        f"{inside} of {len(rising)}, {np.mean(misses):.3f} ({np.mean(still):.3f})",
    )
    yield (
        f"those {len(seen)} that improve with the loss by rank: mean error (that of 1.4B)",
        f"{np.mean(np.array(misses)[seen]):.3f} ({np.mean(np.array(still)[seen]):.3f})",
    )


def transfers() -> Iterator[Row]:
    """Thirty transfers to 3.3B, by a line and from one, two and four runs."""
    sweep = pl.read_csv(FOLDER / "loss-to-loss" / "sweep.csv")
    large = pl.read_csv(FOLDER / "loss-to-loss" / "extrapolation.csv")
    drawn, runs, measured = {}, {}, {}
    for corpus, name in VALIDATION.items():
        column = f"eval/{name}_val/CrossEntropyLoss"
        own = sweep.filter((pl.col("data") == corpus) & pl.col(column).is_not_null())
        table = {"N": own["params"].to_numpy(), "D": own["tokens"].to_numpy(), "loss": own[column].to_numpy()}
        runs[corpus] = Runs.from_columns(table)
        drawn[corpus] = bootstrap(fit(law(KAPLAN), runs[corpus], objective=huber(1e-3)), draws=100, restarted=0)
        measured[corpus] = float(large.filter(pl.col("data") == corpus)[column].item())
    pairs = list(itertools.permutations(VALIDATION, 2))

    def told(name: str, losses: list[tuple[float, float, float, float]]) -> Row:
        values, lows, highs, truths = np.array(losses).T
        inside = int(((lows <= truths) & (truths <= highs)).sum())
        wide = np.median((highs - lows) / truths)
        return name, f"{np.abs(values / truths - 1).mean():.2%}, {inside} of {len(truths)}, {wide:.1%} wide"

    lines = [transfer(drawn[a], drawn[b], measured=measured[a]).loss for a, b in pairs]
    yield told(
        "30 transfers to 3.3B by a line: mean error, in 90 % intervals",
        [(each.value, each.low, each.high, measured[b]) for each, (_, b) in zip(lines, pairs, strict=True)],
    )
    for count, shares in ((1, [0.5]), (2, [0.2, 0.6]), (4, [0.2, 0.33, 0.47, 0.6])):
        losses = []
        for a, b in pairs:
            order = np.argsort(-runs[b]["loss"])
            few = np.isin(np.arange(len(order)), [order[int(share * (len(order) - 1))] for share in shares])
            each = transfer_from_few(drawn[a], runs[b].take(few), measured=measured[a]).loss
            losses.append((each.value, each.low, each.high, measured[b]))
        yield told(f"the same from {count} {'run' if count == 1 else 'runs'} on the new corpus", losses)
    at = {"N": 3309980160.0, "D": 50352769083.264435}
    off = [forecast(each, at).law_loss.value / measured[name] - 1 for name, each in drawn.items()]
    yield "the six laws themselves at 3.3B", f"{min(off):+.1%} to {max(off):+.1%}"


def families() -> Iterator[Row]:
    """Families left out, and benchmarks from the others, beside the baselines."""
    guess = pl.read_csv(FOLDER / "sloth" / "lower_bounds.csv")
    sloth, several = FOLDER / "sloth" / "data_v2.csv", FOLDER / "observational-scaling" / "base_llm_benchmark_eval.csv"
    size = {"N": "#Params (B)", "D": "Pretraining Data Size (T)"}
    first = ("MMLU", "ARC", "HellaSwag", "Winogrande", "TruthfulQA", "GSM8K")
    second = ("IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO")
    eight = ("MMLU", "ARC-C", "HellaSwag", "Winograd", "TruthfulQA", "GSM8K", "XWinograd", "HumanEval")
    own = dict(zip(eight, (0.25, 0.25, 0.25, 0.5, 0, 0, 0.5, 0), strict=True))
    observed = {"N": "Model Size (B)", "D": "Pretraining Data Size (T)"}
    for name, path, columns, tasks, by, family in (
        ("Sloth, first leaderboard", sloth, size, first, "N", "Family"),
        ("Sloth, first leaderboard by FLOPs", sloth, {"C": "FLOPs (1E21)"}, first, "C", "Family"),
        ("Sloth, second leaderboard", sloth, size, second, "N", "Family"),
        ("Sloth, second leaderboard by FLOPs", sloth, {"C": "FLOPs (1E21)"}, second, "C", "Family"),
        ("observational", several, observed, eight, "N", "Model Family"),
        ("observational by FLOPs", several, {"C": "FLOPs (1E21)"}, eight, "C", "Model Family"),
    ):
        scores = model_scores(read_runs(path, columns=columns), tasks=tasks, model="Model", family=family, by=by)
        chance = np.array([own[task] if task in own and path == several else guess[task][0] for task in scores.tasks])
        found = families_left_out(scores, fit_response(scores.scores, chance))
        others = benchmarks_from_others(scores, chance)
        assert found is not None and others is not None
        told = "; ".join(f"{each.method} {each.error:.4f} ({each.coverage:.0%})" for each in found.methods.values())
        yield f"{name}, {len(found.each)} families left out: mean error (coverage of 90 %)", told
        told = "; ".join(f"{each.method} {each.error:.4f} ({each.coverage:.0%})" for each in others.methods.values())
        yield f"{name}, a benchmark from {others.count} components ({others.share:.1%} of the variance)", told


def index() -> Iterator[Row]:
    """The capability index of released models."""
    runs = read_runs(stitched(FOLDER / "benchmark-stitching"))
    found = capability(model_scores(runs, task_column="benchmark", score="score", least=3), draws=200)
    assert found.trend is not None
    for name, each in (("90 % quantile", found.trend.slope), ("running best", found.trend.records)):
        yield f"index of {len(found.index)} models, {name} a year", f"{each.value:.2f} ({each.low:.2f}-{each.high:.2f})"
    columns = {"N": "#Params (B)"}
    table = read_runs(FOLDER / "sloth" / "data_v2.csv", columns=columns)
    tasks = ("IFEval", "BBH", "MATH Lvl 5", "GPQA", "MUSR", "MMLU-PRO")
    dense = capability(model_scores(table, tasks=tasks, model="Model", family="Family", by="N"), draws=200).density
    assert dense is not None and dense.trend is not None
    for name, days in (("90 % quantile", dense.trend.doubling), ("running best", dense.trend.records_doubling)):
        assert days is not None
        yield f"density on Sloth's table doubles, {name}", f"{days.value:.0f} ({days.low:.0f}-{days.high:.0f}) days"


def rl() -> Iterator[Row]:
    """Qwen3 on GSM8K: the last half of each curve, ScaleRL's sigmoids and the exponent by size as panels."""
    frame = pl.read_csv(FOLDER / "rl-math-scaling" / "qwen3_grpo_gsm8k_accuracy_by_step.csv")
    sizes = {"0.6b": 0.6e9, "1.7b": 1.7e9, "4b": 4e9, "8b": 8e9, "14b": 14e9}
    long = frame.unpivot(index="Step", variable_name="size", value_name="rate").drop_nulls().filter(pl.col("Step") > 0)
    errors, still, inside = [], [], 0
    for size in sizes:
        curve = long.filter(pl.col("size") == size)
        step, rate = curve["Step"].to_numpy().astype(float), curve["rate"].to_numpy()
        known = step <= step.max() / 2
        part = Runs.from_columns({"C": step[known], "pass_rate": rate[known]})
        drawn = bootstrap(fit(law("sigmoid-compute"), part, objective=squares(space="raw")), draws=100, restarted=0)
        for at, truth in zip(step[~known], rate[~known], strict=True):
            told = forecast(drawn, {"C": at}).loss
            errors.append(abs(told.value - truth))
            still.append(abs(rate[known][-1] - truth))
            inside += told.low <= truth <= told.high
    yield (
        "last half of five RL curves: mean error (unchanged), in 90 % intervals",
        f"{np.mean(errors):.4f} ({np.mean(still):.4f}), {inside} of {len(errors)}",
    )
    table = read_runs(
        long.select(
            "size", run="size", step="Step", N=pl.col("size").replace_strict(sizes), C=512.0 * pl.col("Step"),
            pass_rate="rate", error=1 - pl.col("rate"), loss=1 - pl.col("rate"),
        ).sort("N", "step")
    )  # fmt: skip
    for form, share, objective in (
        ("rl-efficiency", ("K_max", "N_0"), squares()),
        ("A/C^(k*N^p)", ("k", "p"), squares()),
        ("sigmoid-compute", ("B",), squares(space="raw")),
    ):
        panel = fit_panel(law(form), table, by="size", share=share, objective=objective, starts=16)
        drawn_panel = bootstrap_panel(panel, draws=200)
        for name in share:
            told = drawn_panel.interval(name, level=0.9)
            yield f"panel {form}: {name}", f"{told.value:.3g} ({told.low:.3g} to {told.high:.3g})"


def arithmetic() -> Iterator[Row]:
    """Doubling times of the densing law, and Gadre's errors."""
    yield "ln 2/.0073 and ln 2/.007 days", f"{doubling_days(0.0073 * 365.25):.2f}, {doubling_days(0.007 * 365.25):.2f}"
    runs = read_runs(
        FOLDER / "overtraining-gadre" / "runs_with_downstream_colpret.csv",
        columns={"N": "N", "D": "D", "loss": "loss_c4_val", "run": "name"},
        where="dataset_name == 'rpj'",
    )
    losses = runs.where("(tok_mult == 20 and N < 5e8) or (tok_mult == 320 and N < 2e7)")
    errors = runs.where("(tok_mult == 20 and N < 2e9) or (tok_mult == 320 and N < 2e7)")
    for name, told, loss, error in forecasts(runs, losses, errors, objective=squares(space="raw")):
        missed = abs(told.loss.law_loss.value / loss - 1), abs(told.law_score.value / error - 1)
        yield f"Gadre's {name}: error of the loss and of the score", f"{missed[0]:.4%}, {missed[1]:.4%}"


SECTIONS: dict[str, Callable[[], Iterator[Row]]] = {
    each.__name__: each for each in (passes, ladder, pythia, transfers, families, index, rl, arithmetic)
}


def main() -> None:
    """Print the sections that are named, all by default."""
    named = sys.argv[1:] or list(SECTIONS)
    lost = [each for each in named if each not in SECTIONS]
    if lost:
        sys.exit(f"{lost[0]!r} is no section; there are {', '.join(SECTIONS)}")
    print("| what | measured |\n|---|---|")
    for name in named:
        for what, measured in SECTIONS[name]():
            print(f"| {what} | {measured} |", flush=True)


if __name__ == "__main__":
    main()
