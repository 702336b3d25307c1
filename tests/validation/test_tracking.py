"""Onsets, their order over sizes, and final scores from early ones, on simulated curves and on Pythia's checkpoints."""

import numpy as np
import pytest

from isoflop import Runs, read_runs
from isoflop.errors import DataError, IsoflopError
from isoflop.validation.score_curves import score_curves
from isoflop.validation.tracking import crossings, track
from isoflop.validation.unimodal import monotone_fit

MIDDLES = {"quiz": 2.0, "exam": 3.0, "proof": 3.5, "riddle": 4.0}
STEPS = np.round(np.logspace(0, 5, 26))


def table(noise=0.0, *, models=6, seed=0, errors=True):
    """Sizes whose tasks rise at 10^2 to 10^4 steps, later in larger models; a coin that never does."""
    rng = np.random.default_rng(seed)
    rows = {"run": [], "N": [], "step": []}
    for m in range(models):
        for step in STEPS:
            rows["run"].append(f"m{m}")
            rows["N"].append(1e8 * 2**m)
            rows["step"].append(step)
            for task, middle in MIDDLES.items():
                score = 0.25 + (0.4 + 0.05 * m) / (1 + np.exp(-6 * (np.log10(step) - middle - 0.05 * m)))
                rows.setdefault(task, []).append(score + noise * rng.normal())
            rows.setdefault("coin", []).append(0.5 + noise * rng.normal())
    if errors:
        rows |= {f"{task}_stderr": [max(noise, 1e-6)] * len(rows["run"]) for task in (*MIDDLES, "coin")}
    return Runs.from_columns(rows)


TASKS = (*MIDDLES, "coin")


def test_without_noise_onsets_are_where_half_of_the_gain_is():
    found = track(score_curves(table(1e-9), tasks=TASKS))
    for task, middle in MIDDLES.items():
        for m in range(6):
            one = found.onset(f"m{m}", task)
            assert one.rises and np.log10(one.x.value) == pytest.approx(middle + 0.05 * m, abs=0.02)
    assert [each.rank.value for each in found.agreements] == pytest.approx([1.0] * 5)
    assert {each.model for each in found.agreements} == {f"m{m}" for m in range(5)} and found.reference == "m5"
    assert found.early == 5e4 and found.end == 1e5
    later = track(score_curves(table(1e-9), tasks=TASKS), share=0.9)
    assert later.onset("m0", "quiz").x.value > found.onset("m0", "quiz").x.value


def test_a_task_that_never_rises_is_called_rising_in_no_more_than_one_table_in_twenty():
    noisy = [track(score_curves(table(0.02, models=1, seed=seed), tasks=TASKS)) for seed in range(20)]
    assert sum(each.onset("m0", "coin").rises for each in noisy) <= 3
    assert all(each.onset("m0", "riddle").rises for each in noisy)
    inside = sum(each.onset("m0", "exam").x.low < 1e3 < each.onset("m0", "exam").x.high for each in noisy)
    assert inside >= 15  # of twenty intervals of 90 %
    assert "no-rise" in {finding.code for finding in noisy[0].findings}


def test_final_scores_follow_from_early_ones_of_the_other_models():
    found = track(score_curves(table(0.002), tasks=TASKS), early=1e4)
    (riddle,) = (each for each in found.foretold if each.task == "riddle")
    assert riddle.models == 6 and riddle.error < 0.05 < 0.15 < riddle.baseline
    assert riddle.by in MIDDLES and riddle.by != "riddle"
    cut = table(0.002).where("run != 'm5' or step <= 1e4")
    going = track(score_curves(cut, tasks=TASKS), early=1e4)
    told = {each.task: each for each in going.unfinished}
    assert {each.model for each in going.unfinished} == {"m5"}
    assert told["riddle"].score.low < 0.25 + 0.65 / (1 + np.exp(-6 * (5 - 4.25))) < told["riddle"].score.high


def test_long_and_wide_tables_tell_the_same():
    wide = table(0.01)
    columns = {"run": [], "N": [], "step": [], "task": [], "acc": [], "se": []}
    for task in TASKS:
        columns["run"] += wide.text("run")
        columns["N"] += wide["N"].tolist()
        columns["step"] += wide["step"].tolist()
        columns["task"] += [task] * len(wide)
        columns["acc"] += wide[task].tolist()
        columns["se"] += wide[f"{task}_stderr"].tolist()
    long = Runs.from_columns(columns)
    one = track(score_curves(wide, tasks=TASKS))
    two = track(score_curves(long, tasks=TASKS, task_column="task", score="acc", error="se"))
    assert [each.x for each in one.onsets if each.rises] == [each.x for each in two.onsets if each.rises]
    assert one.foretold == two.foretold
    by_name = score_curves(long, task_column="task", score="acc")
    assert by_name.tasks == tuple(sorted(TASKS)) and by_name.errors is None
    assert "no-score-errors" in {each.code for each in track(by_name).findings}
    repeated = Runs.from_columns({key: [*values, values[3]] for key, values in columns.items()})
    assert score_curves(repeated, task_column="task", score="acc").scores == pytest.approx(by_name.scores)
    columns["acc"].append(0.9)
    twice = Runs.from_columns({k: v if k == "acc" else [*v, v[3]] for k, v in columns.items()})
    with pytest.raises(DataError, match=r"'quiz' of 'm0' is told twice at step = 4, as .* and 0\.9 \(row 781\)"):
        score_curves(twice, task_column="task", score="acc")


def test_what_cannot_be_tracked_is_refused_in_a_sentence():
    runs = table()
    with pytest.raises(IsoflopError, match="scores are needed: --task COLUMN"):
        score_curves(runs)
    with pytest.raises(IsoflopError, match="needs both --task-column and --score"):
        score_curves(runs, task_column="run")
    with pytest.raises(DataError, match="has no 'essay'; there are m0, m1"):
        score_curves(runs, tasks=["essay"], task_column="run", score="quiz")
    with pytest.raises(DataError, match="at 4 or more checkpoints of step"):
        score_curves(runs.where("step < 4"), tasks=TASKS)
    curves = score_curves(runs, tasks=TASKS)
    with pytest.raises(IsoflopError, match="share of the gain between 0 and 1, not 1"):
        track(curves, share=1.0)
    with pytest.raises(IsoflopError, match="'essay' is no task; there are quiz"):
        track(curves, chance={"essay": 0.2})
    with pytest.raises(IsoflopError, match="before the last of most models, 100000, not 200000"):
        track(curves, early=2e5)


def test_crossings_are_those_of_isotonic_regression():
    rng = np.random.default_rng(0)
    place = np.linspace(0, 5, 12)
    for y in rng.normal(size=(50, 12)) + np.linspace(0, 2, 12):
        fitted = monotone_fit(y, np.ones(12), rising=True)
        level = 0.5 * y[-3:].mean()
        first = int(np.argmax(fitted >= level))
        if fitted[-1] < level or first == 0:
            continue
        part = (level - fitted[first - 1]) / (fitted[first] - fitted[first - 1])
        there = place[first - 1] + part * (place[first] - place[first - 1])
        assert crossings(y[None], place, 0.0, 0.5)[0] == pytest.approx(there)


@pytest.fixture(scope="module")
def pythia(tables):
    runs = read_runs(
        tables / "pythia-evals" / "pythia_v1_evals_long.parquet",
        where="shots == 'zero-shot' and metric == 'acc'",
    )
    tasks = ["lambada_openai", "piqa", "sciq", "arc_easy", "arc_challenge", "winogrande", "logiqa", "wsc"]
    curves = score_curves(runs, tasks=tasks, task_column="task", score="value", error="stderr", model="model", x="step")
    return track(curves)


def test_pythias_final_scores_lie_in_their_intervals(pythia):
    told = pythia.foretold
    assert {each.task for each in told} >= {"lambada_openai", "piqa", "sciq", "arc_easy", "arc_challenge", "winogrande"}
    assert all(each.models == 16 for each in told)
    coverage = sum(each.covered for each in told) / sum(each.models for each in told)
    assert 0.83 <= coverage <= 0.97  # at a level of 90 %
    # staying as they are misses twice as far
    assert np.mean([each.error for each in told]) < 0.6 * np.mean([each.baseline for each in told])


def test_pythias_sciq_rises_before_piqa_and_that_before_winogrande(pythia):
    for model in ("2.8b", "6.9b", "12b"):
        sciq, piqa, winogrande = (pythia.onset(model, task).x for task in ("sciq", "piqa", "winogrande"))
        assert sciq.high < piqa.low < piqa.high < winogrande.low
    assert not any(pythia.onset(model, "logiqa").rises for model in ("70m", "160m"))
    assert pythia.reference == "12b-deduped"
