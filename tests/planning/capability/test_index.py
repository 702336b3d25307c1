"""Index, trend, density and families left out: planted values are found, and public tables give what was measured."""

import math
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from isoflop import Runs, read_runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.capability.index import capability
from isoflop.planning.capability.scores import model_scores
from isoflop.planning.capability.trend import doubling_days, doubling_interval, envelope, frontier
from isoflop.uncertainty.ensemble import Interval

TASKS = ("quiz", "exam", "proof", "riddle")
COLUMNS = {
    "arc_agi": "Score", "arc_ai2": "Challenge score", "bbh": "Average", "boolq": "Score", "gsm8k": "EM",
    "hellaswag": "Overall accuracy", "lambada": "Score", "mmlu": "EM", "openbookqa": "Accuracy", "piqa": "Score",
    "simple_bench": "Score (AVG@5)", "terminal_bench": "Accuracy mean", "triviaqa": "EM", "vpct": "Correct",
    "videomme": "Overall (no subtitles)", "weirdml": "Accuracy", "winogrande": "Accuracy", "superglue": "Score",
    "anli": "Score",
    "cybench": "Unguided % Solved", "balrog": "Average progress", "csqa2": "Score", "gso_bench": "Score OPT@1",
}  # fmt: skip


def releases(seed=0, models=60, growth=1.2, gain=0.4, noise=0.01):
    """Models whose density grows by ``growth`` a year: index = gain*(ln N + growth*t)."""
    draws = np.random.default_rng(seed)
    year, size = draws.uniform(0, 4, models), np.exp(draws.uniform(math.log(1e9), math.log(1e11), models))
    index = gain * (np.log(size / 1e10) + growth * (year - 2)) + draws.normal(0, 0.05, models)
    hard, steep = np.array([-1.0, 0.0, 0.5, 1.0]), np.array([0.8, 1.2, 1.0, 1.0])
    scores = 1 / (1 + np.exp(-steep * (index[:, None] - hard))) + draws.normal(0, noise, (models, 4))
    scores[draws.uniform(size=scores.shape) < 0.2] = np.nan
    table = {"model": [f"m{each}" for each in range(models)], "date": 2020 + year, "N": size}
    table |= {"family": [f"f{each % 10}" for each in range(models)]}
    return table | {name: scores[:, place] for place, name in enumerate(TASKS)}


def scores_of(table, **options):
    return model_scores(Runs.from_columns(table), tasks=TASKS, **options)


def test_the_doubling_time_of_the_densing_law():
    assert doubling_days(0.0073 * 365.25) == pytest.approx(94.95, abs=0.005)
    assert doubling_days(0.007 * 365.25) == pytest.approx(99.02, abs=0.005)
    assert doubling_days(-1.0) == math.inf and math.isnan(doubling_days(math.nan))
    found = doubling_interval(Interval(1.0, -0.5, 2.0, 0.9))
    assert found.low == pytest.approx(365.25 * math.log(2) / 2) and found.high == math.inf


def test_the_envelope_takes_the_best_of_a_date_and_passes_over_the_rest():
    year = np.array([2021.0, 2020.0, 2020.0, 2022.0, np.nan, 2023.0])
    found = envelope(year, np.array([1.0, 0.5, 0.0, 0.9, 9.0, 2.0]))
    assert found.rows == (1, 0, 5)
    assert found.slope == pytest.approx(np.polyfit([2020, 2021, 2023], [0.5, 1.0, 2.0], 1)[0])
    assert math.isnan(envelope(np.array([2020.0]), np.array([1.0])).slope)


def test_the_frontier_is_the_exact_quantile_regression():
    draws = np.random.default_rng(0)
    year, values = draws.uniform(2020, 2025, 40), draws.normal(0, 1, (3, 40))
    times = draws.multinomial(40, np.full(40, 1 / 40), 3).astype(float)
    slopes, bases = frontier(year, values, times)
    for slope, base, value, weight in zip(slopes, bases, values, times, strict=True):
        eye, one = np.eye(40), np.ones((40, 1))
        exact = linprog(
            np.concatenate([[0, 0], 0.9 * weight, 0.1 * weight]),
            A_eq=np.hstack([year[:, None] - 2022, one, eye, -eye]),
            b_eq=value,
            bounds=[(None, None)] * 2 + [(0, None)] * 80,
        )
        assert slope == pytest.approx(exact.x[0], abs=1e-6)
        assert base + 2022 * slope == pytest.approx(exact.x[1], abs=1e-6)
    assert np.isnan(frontier(np.full(3, 2020.0), np.ones((1, 3)))[0][0])


def test_the_frontier_has_no_head_start():
    """Scores of models of mixed sizes rise by .8 a year: the running best rises faster, the quantile does not."""
    found = []
    for seed in range(60):
        draws = np.random.default_rng(seed)
        year = draws.uniform(0, 4, 60)
        value = 0.8 * year + draws.uniform(-1, 1, 60)
        found.append((frontier(year, value[None])[0][0], envelope(year, value).slope))
    frontiers, records = np.mean(found, axis=0)
    assert frontiers == pytest.approx(0.8, abs=0.03) and records > 0.87


def test_the_planted_doubling_time_and_gain_are_found():
    found = capability(scores_of(releases()), draws=60)
    truth = 365.25 * math.log(2) / 1.2
    doubling = found.density.trend.doubling
    assert doubling.low < truth < doubling.high and doubling.value == pytest.approx(truth, rel=0.15)
    assert found.density.gain.low < 0.4 < found.density.gain.high


def test_a_family_that_scale_alone_sets_apart_is_predicted():
    found = capability(scores_of(releases(growth=0.0)), draws=20).families
    least = min(found.error("unchanged"), found.error("mean"))
    assert len(found.each) == 10 and all(4 * found.error(each) < least for each in ("panel", "item response", "line"))


def test_intervals_of_the_index_hold():
    """89 % of 90 % intervals do."""
    inside = []
    for seed in range(8):
        draws = np.random.default_rng(seed)
        c, d = draws.normal(0, 0.8, 40), np.linspace(-1, 1, 8)
        table = 1 / (1 + np.exp(-(c[:, None] - d))) + draws.normal(0, 0.03, (40, 8))
        frame = {"model": [str(each) for each in range(40)]} | {f"t{j}": np.clip(table[:, j], 0, 1) for j in range(8)}
        scores = model_scores(Runs.from_columns(frame), tasks=[f"t{j}" for j in range(8)])
        found = capability(scores, draws=60, seed=seed)
        inside += [i.low <= t <= i.high for i, t in zip(found.index, c - c.mean(), strict=True)]
    assert 0.85 < np.mean(inside) < 0.95


def test_density_is_one_on_the_reference_line():
    table = releases(growth=0.0, noise=0.0)
    scores = scores_of(table, reference="N > 3e9")
    assert scores.reference.tolist() == (scores.scale > 3e9).tolist()
    found = capability(scores, draws=20)
    assert np.median([each.value for each in found.density.ratio]) == pytest.approx(1, abs=0.1)
    assert "outside-reference" in {each.code for each in found.findings}


def test_a_table_in_percent_in_words_and_long_gives_the_same_scores():
    table = pl.DataFrame(releases()).fill_nan(None)
    whole = model_scores(read_runs(table), tasks=TASKS)
    long = table.unpivot(
        TASKS, index=["model", "date", "N"], variable_name="benchmark", value_name="points"
    ).drop_nulls()
    share = pl.col("points").clip(0, 1)
    percent = long.with_columns(points=share * 100)
    words = long.with_columns(points=(share * 100).cast(pl.String) + "%")
    for each, told in ((percent, True), (words, False)):
        found = model_scores(read_runs(each), task_column="benchmark", score="points", percent=told)
        order = [found.models.index(name) for name in whole.models]
        columns = [found.tasks.index(name) for name in whole.tasks]
        assert found.scores[np.ix_(order, columns)] == pytest.approx(np.clip(whole.scores, 0, 1), nan_ok=True)


@pytest.mark.parametrize(
    ("word", "year"),
    [("2024-07-02", 2024.5), ("2024-07", 2024.537), ("2024", 2024), ("2024.25", 2024.25), ("2 July 2024", 2024.5)],
)
def test_dates_are_read(word, year):
    table = releases() | {"date": [word] * 60}
    assert scores_of(table).year[0] == pytest.approx(year, abs=2e-3)


def test_what_cannot_be_rated_is_refused_in_a_sentence():
    table = releases()
    with pytest.raises(DataError, match=r"date 'soon' in 'date' \(row 3\) cannot be read"):
        scores_of(table | {"date": ["2024", "2023", "soon"] + [""] * 57})
    with pytest.raises(DataError, match="outside 0 to 1 .* --percent"):
        scores_of(table | {"quiz": np.full(60, 77.0)})
    with pytest.raises(DataError, match="all 60 models score 0.5 in 'quiz'"):
        scores_of(table | {"quiz": np.full(60, 0.5)})
    with pytest.raises(DataError, match="1 of 1 models have scores|0 of 1 models have scores"):
        scores_of({name: values[:1] for name, values in table.items()})
    with pytest.raises(DataError, match="is there twice"):
        scores_of(table | {"model": ["a"] * 60})
    with pytest.raises(DataError, match="no column 'maker'"):
        scores_of(table, family="maker")
    with pytest.raises(DataError, match="1 of the models that --reference selects have scores and N"):
        capability(scores_of(table, reference="model == 'm1'"))
    with pytest.raises(IsoflopError, match="two or more benchmarks"):
        model_scores(Runs.from_columns(table), tasks=["quiz"])
    with pytest.raises(IsoflopError, match="'essay' is no benchmark"):
        capability(scores_of(table), chance={"essay": 0.5})
    with pytest.raises(IsoflopError, match="from 0 to below 1"):
        capability(scores_of(table), chance={"quiz": 1.0})


def test_what_has_no_trend_or_size_is_told():
    table = releases()
    falling = capability(scores_of(table | {"date": 2030.0 - 2 * np.log(table["N"]), "N": 1 / table["N"]}), draws=20)
    alike = capability(scores_of(table | {"date": [2024.0] * 60, "N": np.full(60, 1e9)}), draws=20)
    assert "no-effective-size" in {each.code for each in falling.findings} and falling.density is None
    assert {"few-records", "no-effective-size"} <= {each.code for each in alike.findings} and alike.trend is None


def test_benchmarks_that_share_no_model_are_left_out():
    table = releases()
    apart = {"model": ["x", "y", "z"], "other": [0.1, 0.5, 0.2], "further": [0.2, 0.6, 0.1]}
    frame = pl.concat([pl.DataFrame(table).fill_nan(None), pl.DataFrame(apart)], how="diagonal")
    found = model_scores(read_runs(frame), tasks=(*TASKS, "other", "further"))
    assert found.tasks == TASKS and set(found.left_out) >= {"x", "y", "z", "other", "further"}


def test_draws_do_not_move_the_values():
    scores = scores_of(releases())
    few, more = capability(scores, draws=20, seed=1), capability(scores, draws=30, seed=2)
    assert [each.value for each in few.index] == [each.value for each in more.index]
    assert not {"few-records", "no-effective-size"} & {each.code for each in few.findings}
    undated = capability(replace(scores, year=np.full(len(scores.models), np.nan)), draws=20)
    assert undated.trend is None and undated.density.trend is None


def stitched(folder):
    """A row a model and benchmark of Epoch AI's tables: the best score, with the model's date."""

    def text(name):
        return pl.read_csv(folder / name, infer_schema_length=0)

    best = pl.col("Best score (across scorers)").cast(pl.Float64, strict=False)
    own = text("benchmarks_runs.csv").filter(pl.col("Status") == "Success")
    parts = [own.select("model", benchmark="task", score=best)]
    for name, column in COLUMNS.items():
        share = pl.col(column).str.strip_suffix("%").cast(pl.Float64, strict=False) / 100
        table = text(f"external_benchmark_{name}.csv")
        parts.append(table.select(model="Model version", benchmark=pl.lit(name), score=share))
    dates = text("model_versions.csv").select(model="id", date="Version release date").unique("model")
    found = pl.concat(parts).drop_nulls().filter(pl.col("model") != "")
    found = found.group_by("model", "benchmark").agg(pl.col("score").max()).sort("model", "benchmark")
    return found.join(dates, on="model", how="left", maintain_order="left")


def test_the_index_of_released_models_rises_by_a_logit_a_year(tables):
    runs = read_runs(stitched(tables / "benchmark-stitching"))
    scores = model_scores(runs, task_column="benchmark", score="score", least=3)
    assert (len(scores.models), len(scores.tasks)) == (236, 30)
    found = capability(scores, draws=20)
    assert found.trend.slope.value == pytest.approx(1.01, abs=0.02)
    assert 0.8 < found.trend.slope.low < 1.01 < found.trend.slope.high < 1.4
    assert found.trend.envelope.slope == pytest.approx(1.09, abs=0.02) and len(found.trend.envelope.rows) == 19
    index = {name: each.value for name, each in zip(scores.models, found.index, strict=True)}
    assert index["gpt-4-0314"] < index["claude-3-5-sonnet-20240620"] < index["gpt-5-2025-08-07_high"]
