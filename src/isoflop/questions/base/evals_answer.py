"""The tables of scores, pass rates, chains and forecasts of evaluated items."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from isoflop.answers import Cell, Column, Quantity, Table, of_interval
from isoflop.questions.base.pass_items import items_table

if TYPE_CHECKING:
    from isoflop.evals.evaluate import Evaluation
    from isoflop.uncertainty import Interval


def scores_table(found: Evaluation) -> Table:
    """A row a model and task: the score, with its interval, chance level and number of items."""
    from isoflop.evals.aggregate import main_measures

    main = main_measures(found.items)
    scale = dict(zip(found.items.names, found.x, strict=True)) if found.scale else {}
    rows: list[tuple[Cell, ...]] = []
    for each in found.scores:
        if each.measure != main[each.task, each.metric]:
            continue
        rows.append(
            (
                each.model,
                _number(scale.get(each.model, math.nan)),
                each.task,
                each.metric,
                of_interval("score", each.interval),
                _number(each.error),
                each.items or None,
                found.items.chances.get(each.task),
                found.items.ceilings.get(each.task),
            )
        )
    return Table(
        "scores",
        (
            Column("model"),
            Column("scale", found.scale or "scale", "flops" if found.scale == "C" else "count"),
            Column("task"),
            Column("metric", detail=True),
            Column("score", f"score ({100 * found.level:g}% CI)"),
            Column("stderr", "standard error", detail=True),
            Column("items", kind="integer"),
            Column("chance", "chance level"),
            Column("ceiling", detail=True),
        ),
        tuple(rows),
        title="Scores",
        detail=len(rows) > 60,
    )


def measures_table(found: Evaluation) -> Table:
    """Every other measure: log p, Brier score, loss, an ensemble's uncertainty …"""
    from isoflop.evals.aggregate import main_measures

    main = main_measures(found.items)
    rows = tuple(
        (each.model, each.task, each.metric, each.measure, of_interval("value", each.interval), _number(each.error))
        for each in found.scores
        if each.measure != main[each.task, each.metric]
    )
    columns = (
        Column("model"), Column("task"), Column("metric"), Column("measure"), Column("value"),
        Column("stderr", "standard error"),
    )  # fmt: skip
    return Table("measures", columns, rows, title="Other measures", detail=True)


def suites_table(found: Evaluation) -> Table:
    """The mean over tasks, by model."""
    rows = tuple(
        (
            each.model,
            each.tasks,
            of_interval("mean", each.score),
            None if each.normalized is None else of_interval("normalized", each.normalized),
            each.above_chance,
        )
        for each in found.suites
    )
    return Table(
        "suites",
        (
            Column("model"),
            Column("tasks", kind="integer"),
            Column("mean", "mean score"),
            Column("normalized", "mean between chance and ceiling"),
            Column("above_chance", "tasks above chance", "integer"),
        ),
        rows,
        title="All tasks",
        note="Above chance: at 5%, corrected by Holm over the tasks. Models that lack a task are left out.",
        detail=len(rows) > 40,
    )


def differences_table(found: Evaluation) -> Table:
    """Each model against the baseline on the items of both."""
    rows = tuple(
        (
            each.model,
            each.task,
            of_interval("difference", each.value),
            each.items,
            _number(each.unpaired / each.error if each.error else math.nan),
            _number(each.p),
            _number(each.adjusted),
        )
        for each in found.differences
    )
    return Table(
        "differences",
        (
            Column("model"),
            Column("task"),
            Column("difference"),
            Column("items", "items of both", "integer"),
            Column("gain", "error without pairing", "factor"),
            Column("p"),
            Column("adjusted", "p (Holm)"),
        ),
        rows,
        title=f"Differences to {found.differences[0].baseline}",
    )


def laws_table(found: Evaluation) -> Table:
    """The law of each task's pass rate, whether it bends, and what fixed tries would have seen."""
    rows: list[tuple[Cell, ...]] = []
    for task, law in found.pass_laws.items():
        fixed = found.fixed[task]
        rows.append(
            (
                task,
                len(law.rates.models) - len(law.rates.zero),
                of_interval("alpha", law.alpha),
                of_interval("c", law.c),
                of_interval("curvature", law.curvature),
                *(() if found.ahead is None else (of_interval("ahead", law.at(found.ahead), promise="PI"),)),
                law.shape,
                _number(law.p_value),
                of_interval("fixed_alpha", fixed.alpha),
                fixed.lost,
            )
        )
    tries = next(iter(found.fixed.values())).tries
    return Table(
        "pass_laws",
        (
            Column("task"),
            Column("models", kind="integer"),
            Column("alpha"),
            Column("c", detail=True),
            Column("curvature"),
            *((Column("ahead", "pass rate at --at"),) if found.ahead is not None else ()),
            Column("shape"),
            Column("p", "p of straight"),
            Column("fixed_alpha", f"alpha from {tries} tries"),
            Column("fixed_lost", f"no law from {tries} tries", "share"),
        ),
        tuple(rows),
        title=f"Pass rate as exp(-c*{found.scale}^-alpha)",
        note="Curvature of ln(-ln p) in ln of scale: convex rises slower than the law, concave faster. "
        f"From {tries} tries: simulated at the estimated rates.",
    )


def rates_table(found: Evaluation) -> Table:
    """The pass rate of each model on the items of all, beside what fixed tries would have shown."""
    rows: list[tuple[Cell, ...]] = []
    for task, law in found.pass_laws.items():
        rates = law.rates
        for at, model in enumerate(rates.models):
            error = math.sqrt(float(rates.covariance[at, at]))
            rows.append(
                (task, model, float(rates.x[at]), float(rates.p[at]), _number(error), int(rates.spent[at]),
                 float(found.fixed[task].unseen[at]))
            )  # fmt: skip
    tries = next(iter(found.fixed.values())).tries
    return Table(
        "pass_rates",
        (
            Column("task"),
            Column("model"),
            Column("scale", found.scale, "flops" if found.scale == "C" else "count"),
            Column("rate", "pass rate"),
            Column("stderr", "standard error"),
            Column("tries", kind="integer"),
            Column("unseen", f"chance of no pass in {tries} tries an item", "share"),
        ),
        tuple(rows),
        title="Pass rates",
    )


def at_k_table(found: Evaluation) -> Table:
    """pass@k by model and k."""
    rows: list[tuple[Cell, ...]] = []
    for each in found.pass_at_k:
        for k, measured, beta in zip(each.k, each.measured, each.beta, strict=True):
            rows.append((each.task, each.model, k, _cell("measured", measured), _cell("beta", beta),
                         _cell("exponent", each.exponent)))  # fmt: skip
    return Table(
        "pass_at_k",
        (
            Column("task"),
            Column("model"),
            Column("k", kind="integer"),
            Column("measured", "pass@k"),
            Column("beta", "by Beta-distributed difficulty"),
            Column("exponent", "exponent of 1 - pass@k", detail=True),
        ),
        tuple(rows),
        title="pass@k",
        note="1 - pass@k falls as a power of k for large k where difficulty is Beta-distributed.",
        detail=len(rows) > 40,
    )


def chain_table(found: Evaluation) -> Table:
    """Correlation of items with scale by score, and where it is lost."""
    from isoflop.evals.chain import WORDS

    rows: list[tuple[Cell, ...]] = []
    for task, chain in found.chains.items():
        for link in chain.links:
            rows.append(
                (
                    task,
                    WORDS[link.name],
                    _cell("spearman", link.median),
                    _cell("pearson", link.pearson_median),
                    link.high,
                    link.constant,
                    None if link.lost is None else of_interval("lost", link.lost),
                    chain.aggregate[link.name],
                    link.name == chain.recommended,
                )
            )
    return Table(
        "chain",
        (
            Column("task"),
            Column("score"),
            Column("spearman", "median Spearman"),
            Column("pearson", "median Pearson"),
            Column("high", "items above 0.8", "share"),
            Column("constant", "items without", "share"),
            Column("lost", "mean Pearson lost"),
            Column("aggregate", "Spearman of the mean", detail=True),
            Column("recommended"),
        ),
        tuple(rows),
        title=f"Correlation of single items with log {found.scale}",
    )


def forecasts_table(found: Evaluation) -> Table:
    """Accuracy of held-out models by both forecasts, and at the scale that was asked."""
    rows: list[tuple[Cell, ...]] = []
    for task, forecast in found.forecasts.items():
        for each in forecast.held_out:
            rows.append((task, each.model, each.x, of_interval("measured", each.measured), _number(each.options),
                         _number(each.sigmoid), each.steps))  # fmt: skip
        if forecast.ahead is not None:
            x, options, sigmoid = forecast.ahead
            steps = math.log10(x / float(forecast.table.x[-1]))
            rows.append((task, "", x, None, _number(options), _number(sigmoid), steps))
    return Table(
        "forecasts",
        (
            Column("task"),
            Column("model", "held-out model"),
            Column("scale", found.scale, "flops" if found.scale == "C" else "count"),
            Column("measured", "accuracy"),
            Column("options", "from options"),
            Column("sigmoid", "from loss"),
            Column("steps", "decades beyond"),
        ),
        tuple(rows),
        title="Accuracy forecast",
        note="From options: by laws of the log-probabilities of single options. From loss: by a sigmoid of the loss.",
    )


def slopes_table(found: Evaluation) -> Table:
    """Power laws of an ensemble's uncertainty."""
    rows = tuple((each.task, each.measure, each.models, of_interval("gamma", each.gamma)) for each in found.slopes)
    columns = (Column("task"), Column("uncertainty"), Column("models", kind="integer"), Column("gamma", "exponent"))
    return Table(
        "uncertainty", columns, rows, title=f"Uncertainty as a power of {found.scale}",
        note="Total: entropy of the members' mean; aleatoric: mean of their entropies; epistemic: the difference.",
    )  # fmt: skip


def tables_of(found: Evaluation) -> tuple[Table, ...]:
    """Those that have rows, the scores first."""
    made = [scores_table(found)]
    for held, make in (
        (found.suites, suites_table), (found.differences, differences_table), (found.pass_laws, laws_table),
        (found.pass_laws, rates_table), (found.pass_at_k, at_k_table), (found.chains, chain_table),
        (found.forecasts, forecasts_table), (found.slopes, slopes_table),
    ):  # fmt: skip
        if held:
            made.append(make(found))
    return (*made, *(each for each in (items_table(found), measures_table(found)) if each.rows))


def quantities_of(found: Evaluation) -> tuple[Quantity, ...]:
    """Counts, then what stands for one task alone."""
    counted = [
        Quantity("models", len(found.items.names), "integer"),
        Quantity("tasks", len(found.items.tasks), "integer"),
        Quantity("rows", len(found.items.rows), "integer", label="rows of items"),
    ]
    if len(found.pass_laws) == 1:
        law = next(iter(found.pass_laws.values()))
        counted += [of_interval("alpha", law.alpha), _named("curvature", law.curvature)]
        if found.ahead is not None:
            counted.append(of_interval("pass_rate", law.at(found.ahead), label="pass rate", promise="PI"))
    if len(found.forecasts) == 1:
        forecast = next(iter(found.forecasts.values()))
        if forecast.ahead is not None:
            counted.append(Quantity("accuracy", _number(forecast.ahead[1]), label="accuracy forecast from options"))
        counted += [
            Quantity("error_options", _number(forecast.mean_options), label="mean error by laws of options"),
            Quantity("error_sigmoid", _number(forecast.mean_sigmoid), label="mean error by sigmoid of loss"),
        ]
    return tuple(counted)


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _cell(name: str, interval: Interval) -> Quantity | None:
    return of_interval(name, interval) if math.isfinite(interval.value) else None


def _named(name: str, interval: Interval) -> Quantity:
    return of_interval(name, interval) if math.isfinite(interval.value) else Quantity(name, None)


def first_of(names: Sequence[str]) -> str:
    """Up to three names."""
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
