"""Areas under learning-rate schedules against sums taken step by step, and the columns that laws prepare from them."""

import numpy as np
import polars as pl
import pytest

from isoflop import fit, fix, law, squares
from isoflop.errors import DataError
from isoflop.fitting.table import prepared_runs
from isoflop.runs import Runs
from isoflop.runs.prepare import prepare
from isoflop.runs.schedule import annealing_area, rate_area

STEPS = np.arange(1.0, 1501.0)
COSINE = 3e-4 * (0.55 + 0.45 * np.cos(np.pi * STEPS / 1500))
WAVES = 2e-4 + 1e-4 * np.cos(STEPS / 90)  # rises again: the annealing area falls below zero
ONE = np.zeros(1500, dtype=np.int64)


def by_the_step(rate, decay):
    """S₁ and S₂ as their definition says."""
    area, annealing, memory, rows = 0.0, 0.0, 0.0, []
    for step, each in enumerate(rate):
        memory = decay * memory + (rate[step - 1] - each if step else 0.0)
        area, annealing = area + each, annealing + memory
        rows.append((area, annealing))
    return np.array(rows).T


@pytest.mark.parametrize("decay", [0.0, 0.6, 0.9, 0.999, 0.99999])
@pytest.mark.parametrize("rate", [COSINE, WAVES], ids=["cosine", "waves"])
def test_areas_are_the_sums_of_their_definition(rate, decay):
    area, annealing = by_the_step(rate, decay)
    order = np.random.default_rng(0).permutation(1500)  # rows may come in any order
    assert rate_area(STEPS[order], rate[order], ONE) == pytest.approx(area[order], rel=1e-13)
    found = annealing_area(STEPS[order], rate[order], ONE, decay=decay)
    assert found == pytest.approx(annealing[order], rel=1e-8, abs=1e-14)


def test_rows_that_lie_apart_give_the_areas_of_an_even_change_between_them():
    kept = np.unique(np.concatenate([[0], np.random.default_rng(1).choice(1500, 40)]))
    between = np.interp(STEPS, STEPS[kept], COSINE[kept])[: kept[-1] + 1]
    area, annealing = by_the_step(between, 0.99)
    rows = STEPS[kept], COSINE[kept], ONE[kept]
    assert rate_area(*rows) == pytest.approx(area[kept], rel=1e-13)
    assert annealing_area(*rows, decay=0.99) == pytest.approx(annealing[kept], rel=1e-9)


def test_runs_do_not_mix():
    both = [np.concatenate(pair) for pair in ((STEPS, STEPS), (COSINE, WAVES), (ONE, ONE + 1))]
    shuffled = [each[np.random.default_rng(2).permutation(3000)] for each in both]
    for area in (rate_area, lambda *rows: annealing_area(*rows, decay=0.999)):
        alone = np.concatenate([area(STEPS, COSINE, ONE), area(STEPS, WAVES, ONE)])
        assert np.array_equal(area(*both), alone)
        assert np.array_equal(area(*shuffled), alone[np.random.default_rng(2).permutation(3000)])


def test_a_rate_that_ends_at_zero_saves_as_much_as_one_that_ends_just_above():
    known = {"A": 0.5, "alpha": 0.5, "B": 360.0, "C": 2.0, "beta": 0.6, "gamma": 0.6}

    def forecast(end):
        rate = np.append(np.linspace(3e-4, 0, 100)[:-1], end)
        runs = Runs.from_columns({"run": ["one"] * 100, "step": STEPS[:100], "lr": rate, "loss": np.full(100, 3.0)})
        return fit(fix(law("multi-power"), known), runs, objective=squares(space="raw")).predict(runs)

    assert np.isfinite(forecast(0.0)).all()
    assert forecast(0.0) == pytest.approx(forecast(1e-12), rel=1e-6)


def test_a_warm_up_counts_as_the_rate_at_its_top():
    warm = np.concatenate([np.linspace(3e-6, 3e-4, 100), np.full(200, 3e-4), np.linspace(3e-4, 0, 100)])
    steps = np.arange(1.0, 401.0)
    held = np.concatenate([np.full(100, 3e-4), warm[100:]])
    runs = np.zeros(400, dtype=np.int64)
    assert np.array_equal(rate_area(steps, warm, runs), rate_area(steps, held, runs))
    assert np.array_equal(annealing_area(steps, warm, runs, decay=0.99), annealing_area(steps, held, runs, decay=0.99))
    # a table that begins at step 100 says no more and no less, and its real warm-up has half the area
    late = slice(99, None)
    assert rate_area(steps[late], warm[late], runs[late]) == pytest.approx(
        rate_area(steps, warm, runs)[late], rel=1e-12
    )
    half = rate_area(steps[late], warm[late], runs[late], before="linear")
    assert half[0] == pytest.approx(rate_area(steps, warm, runs, before="nothing")[99], rel=0.02)


@pytest.mark.parametrize(
    ("step", "rate", "says"),
    [
        ([1, 2, 3], [1e-4, -1e-4, 0], "1 of 3 rows have a learning rate below zero .first: step 2, rate -0.0001"),
        ([1, 2, 2], [1e-4, 1e-4, 0], "step 2 occurs twice in one run"),
        ([1, 2, np.nan], [1e-4, 1e-4, 0], "no finite step or learning rate"),
        ([-1, 2, 3], [1e-4, 1e-4, 0], "a step below zero"),
    ],
)
def test_what_no_schedule_can_hold_is_refused(step, rate, says):
    runs = Runs.from_columns({"step": np.array(step, float), "lr": rate, "loss": [3.0, 2.0, 1.0], "run": ["a"] * 3})
    with pytest.raises(DataError, match=says):
        fit(law("annealing"), runs)


def test_a_column_that_the_table_has_is_kept_and_one_without_source_is_asked_for():
    runs = Runs.from_columns({"D": [8e9, 8e9], "epochs": [2.0, 4.0], "loss": [3.0, 2.9]})
    assert prepare(runs, "U", rule="unique-tokens", settings={})["U"].tolist() == [4e9, 2e9]
    assert prepare(runs, "D", rule="epochs", settings={}) is runs
    with pytest.raises(DataError, match="no column 'S1', nor 'step' and 'lr' to compute it from"):
        prepare(runs, "S1", rule="rate-area", settings={})
    with pytest.raises(DataError, match=r"lies in \[0, 1\), not 1.5"):
        fit(fix(law("annealing"), {"lambda": 1.5}), curves().with_column("S1", curves()["step"]))


def curves(decay=0.99, noise=0.0):
    """Checkpoints of a constant, a cosine and a two-stage run of 1,500 steps, every 25 steps, by the law itself."""
    step = np.tile(np.arange(50.0, 1501.0, 25.0), 3)
    count = len(step) // 3
    lr = np.concatenate([np.full(count, 3e-4), COSINE[49::25], np.where(step[:count] < 1000, 3e-4, 6e-5)])
    run = np.repeat(["constant", "cosine", "two-stage"], count)
    runs = Runs.from_columns({"run": run, "step": step, "lr": lr})
    exact = fix(law("annealing"), {"lambda": decay})
    ready = prepared_runs(exact, runs)
    loss = exact.value({"L_0": 2.6, "A": 0.3, "alpha": 0.5, "C": 6.0}, {name: ready[name] for name in ("S1", "S2")})
    return runs.with_column("loss", loss * np.exp(np.random.default_rng(0).normal(0, 1, len(loss)) * noise))


def test_the_decay_is_found_with_everything_else():
    found = fit(law("annealing"), curves(), objective=squares())
    assert found.law.fixed["lambda"] == pytest.approx(0.99, abs=2e-5)
    assert found.params == pytest.approx({"L_0": 2.6, "A": 0.3, "alpha": 0.5, "C": 6.0}, rel=0.01)
    assert [finding.code for finding in found.findings if finding.code == "searched-constant"]
    assert found.search.constants == ("lambda",)
    assert found.law.searched == () and "S2" not in found.runs  # the table itself stays as it was read
    given = fit(fix(law("annealing"), {"lambda": 0.99}), curves(), objective=squares())
    assert given.params == pytest.approx({"L_0": 2.6, "A": 0.3, "alpha": 0.5, "C": 6.0}, rel=1e-6)


def test_a_decay_that_the_runs_do_not_show_is_said():
    constant = curves().where("run == 'constant'")
    doubts = [finding for finding in fit(law("annealing"), constant).findings if finding.level == "warning"]
    assert any(finding.code == "at-bound" and finding.message.startswith("C is") for finding in doubts)
    assert any(finding.code == "searched-constant" and "0 % and 0 % larger" in finding.message for finding in doubts)


def test_rows_dropped_at_the_beginning_are_noticed():
    exact = fix(law("annealing"), {"lambda": 0.99})
    late = [each for each in fit(exact, curves().where("step > 800")).findings if each.code == "late-start"]
    assert "3 of 3 runs begin after 30% of their steps (one at step 825 of 1500): S1 and S2" in late[0].message
    assert not [each for each in fit(exact, curves()).findings if each.code == "late-start"]


@pytest.fixture(scope="module")
def published_curves(tables):
    return pl.read_csv(tables / "multipower-lr" / "loss_curves.csv")


@pytest.mark.parametrize(
    ("size", "off", "at_the_end"), [(25, 0.005, 0.008), (100, 0.0045, 0.009), (400, 0.0045, 0.026)]
)
def test_a_schedule_that_was_held_out_is_foretold(published_curves, size, off, at_the_end):
    of = published_curves.filter(pl.col("size_M") == size)

    def runs(*schedules):
        kept = of.filter(pl.col("schedule").is_in(schedules))
        return Runs.from_columns(
            {"run": kept["schedule"], "step": kept["step"].cast(float), "lr": kept["lr"], "loss": kept["loss"]}
        )

    found = fit(law("annealing"), runs("constant_24000", "cosine_24000"))
    for schedule in ("wsd_20000_24000", "wsdld_20000_24000"):
        held = prepared_runs(found.law, runs(schedule))
        error = np.abs(found.predict({name: held[name] for name in ("S1", "S2")}) - held["loss"])
        assert error.mean() < off and error[-1] < at_the_end
