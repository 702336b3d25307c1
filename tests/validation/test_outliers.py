"""Runs off the surface: found where they were put, with their reasons, and none in clean runs."""

import numpy as np
import pytest

from isoflop import huber, law, read_runs, squares
from isoflop.runs import Runs
from isoflop.validation.check import check, groups
from isoflop.validation.outliers import outliers, surface_findings

CHINCHILLA = law("chinchilla")


def spoil(runs, changes):
    """The runs with the losses of some rows multiplied."""
    loss = runs["loss"].copy()
    for row, factor in changes.items():
        loss[row - 1] *= factor
    return runs.with_column("loss", loss)


def test_the_five_runs_that_the_replication_dropped_are_the_farthest(epoch245):
    seen = outliers(CHINCHILLA, epoch245)
    dropped = set((np.argsort(-epoch245["loss"])[:5] + 1).tolist())
    assert set(seen.rows[:5]) == dropped == {1, 2, 3, 4, 5}
    # three more at the same budget, with fewer tokens than parameters, stand out once those are gone
    assert set(seen.rows) == {1, 2, 3, 4, 5, 6, 11, 12}
    assert all(each.away > 6 for each in seen.found)
    assert any("tokens per parameter" in reason for reason in seen.found[0].reasons)
    (finding,) = (each for each in seen.findings if each.code == "outliers")
    assert '--where "row not in [1, 2, 3, 4, 5, 6, 11, 12]"' in finding.remedy
    assert outliers(CHINCHILLA, epoch245.where("row not in [1, 2, 3, 4, 5, 6, 11, 12]")).found == ()


@pytest.mark.parametrize("objective", [huber(), squares()], ids=["huber", "squares"])
def test_outliers_are_found_where_they_were_put_and_hide_nobody(known_runs, objective):
    changes = {3: 1.2, 4: 1.19, 17: 0.95, 30: 1.4}
    seen = outliers(CHINCHILLA, spoil(known_runs(0.004, sizes=8, durations=6), changes), objective=objective)
    assert set(seen.rows) == set(changes) and seen.rows[0] == 30
    assert {each.row: each.away > 0 for each in seen.found} == {row: factor > 1 for row, factor in changes.items()}
    assert seen.scale == pytest.approx(0.004, rel=0.35)
    assert seen.fit.params["alpha"] == pytest.approx(0.3478, abs=0.02)


def test_clean_runs_have_no_outliers(known_runs):
    assert sum(len(outliers(CHINCHILLA, known_runs(0.005, seed=seed)).found) for seed in range(30)) == 0
    assert outliers(CHINCHILLA, known_runs(0.0)).found == ()  # rounding is no outlier


def test_small_models_that_scatter_more_are_no_outliers():
    """Noise that shrinks as N^-1/2: a scale for all rows calls small models outliers in a sixth of such tables."""
    compute = np.repeat(6e18 * 4.0 ** np.arange(5), 7)
    n = 0.6 * (compute / 6) ** 0.45 * np.tile(np.exp(np.linspace(-1.2, 1.2, 7)), 5)
    d = compute / 6 / n
    curve = CHINCHILLA.value({"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}, {"N": n, "D": d})
    spread = 0.012 * (n / n.min()) ** -0.5
    called, planted = 0, 0
    for seed in range(40):
        loss = curve * np.exp(spread * np.random.default_rng(seed).standard_normal(35))
        called += len(outliers(CHINCHILLA, Runs.from_columns({"N": n, "D": d, "loss": loss})).found) > 0
        loss[24] *= np.exp(14 * spread[24])
        seen = outliers(CHINCHILLA, Runs.from_columns({"N": n, "D": d, "loss": loss}))
        planted += 24 in [each.position for each in seen.found]
    assert called <= 3 and planted >= 36
    seen = outliers(CHINCHILLA, Runs.from_columns({"N": n, "D": d, "loss": curve * np.exp(spread)}))
    assert seen.scales.shape == (35,) and np.all(seen.scales > 0)


def test_a_tenth_of_the_runs_is_not_all_outliers(known_runs):
    seen = outliers(CHINCHILLA, spoil(known_runs(0.003), dict.fromkeys((1, 5, 9, 20, 25), 1.3)))
    assert seen.found == () and [each.code for each in seen.findings] == ["law-misfits"]
    assert "that many are no outliers" in seen.findings[0].message


def test_residuals_are_measured_by_the_spread_of_seeds(known_runs):
    base = known_runs()
    n, d, loss = (np.repeat(base[name], 4) for name in ("N", "D", "loss"))
    rng = np.random.default_rng(2)
    seeds = np.tile(np.arange(4), len(base))

    def runs(bend):
        wiggle = bend * np.sin(3 * np.log(n)) * np.sin(2 * np.log(d))
        scatter = np.exp(rng.normal(0, 0.002, len(n)) + wiggle)
        return Runs.from_columns({"N": n, "D": d, "loss": loss * scatter, "seed": seeds})

    plain, bent = runs(0.0), runs(0.02)
    codes = [each.code for each in surface_findings(outliers(CHINCHILLA, plain), plain)]
    assert codes == ["misses-like-seeds"]
    (finding,) = (
        each for each in surface_findings(outliers(CHINCHILLA, bent), bent) if each.code == "surface-lack-of-fit"
    )
    assert "the law, not noise, limits the fit" in finding.message


def test_rounding_that_makes_up_the_scatter_is_said(known_runs):
    runs = known_runs(0.0005, sizes=8, durations=6)
    coarse = runs.with_column("loss", np.round(runs["loss"], 2))
    assert "rounding-limits" in [each.code for each in surface_findings(outliers(CHINCHILLA, coarse), coarse)]
    assert surface_findings(outliers(CHINCHILLA, runs), runs) == ()


def test_check_joins_table_and_surface(epoch245):
    codes = [finding.code for finding in check(epoch245)]
    assert "outliers" in codes and "few-tokens" in codes and "params-convention" in codes
    assert groups(epoch245) == 1


def test_check_compares_each_group_with_its_own_surface(known_runs):
    a, b = known_runs(0.003, seed=1), known_runs(0.003, seed=2)
    columns = {name: np.concatenate([a[name], b[name]]) for name in ("N", "D")}
    columns["loss"] = np.concatenate([a["loss"], 2 * b["loss"]])
    together = Runs.from_columns({**columns, "family": ["a"] * 30 + ["b"] * 30})
    spoilt = spoil(together, {40: 1.3})
    assert groups(spoilt) == 2
    (finding,) = (each for each in check(spoilt) if each.code == "outliers")
    assert finding.rows == (40,) and finding.message.startswith("1 of 60 rows lies off the surface of chinchilla")
    assert "outliers" not in [each.code for each in check(together)]


def test_check_says_why_there_is_no_surface(known_runs):
    few = known_runs(0.003).where("N < 1e8")
    assert "no-surface" not in [each.code for each in check(few)]  # nobody asked for one
    (finding,) = (
        each for each in check(known_runs(0.003).where("row < 5"), law=CHINCHILLA) if each.code == "no-surface"
    )
    assert "4 runs cannot determine the 5 parameters" in finding.message


def test_the_farthest_runs_are_those_that_others_flagged(tables):
    flagged = read_runs(tables / "isoflop-collection" / "isoflops_transform_with_outlier_flags.csv")
    flagged = flagged.where("source == 'epochai_chinchilla'")
    seen = outliers(CHINCHILLA, flagged)
    marked = dict(zip(flagged.rows.tolist(), flagged.text("reason"), strict=True))
    assert all(marked[row] for row in seen.rows[:5])


def test_check_compares_the_ends_of_runs(known_runs):
    """Checkpoints lie above the surface of finished runs; a table of both is compared by its ends."""
    ends = known_runs(0.003)
    n, d = np.tile(ends["N"], 2), np.concatenate([ends["D"], ends["D"] / 2])
    loss = np.concatenate([ends["loss"], 1.2 * ends["loss"]])
    runs = Runs.from_columns({"N": n, "D": d, "loss": loss, "run": [f"r{row % 30}" for row in range(60)]})
    codes = [each.code for each in check(runs)]
    assert "checkpoints" in codes and "outliers" not in codes and "law-misfits" not in codes


def test_check_says_once_what_several_groups_have_in_common(known_runs):
    tables = [known_runs(0.003, seed=seed) for seed in range(3)]
    columns = {name: np.concatenate([each[name] for each in tables]) for name in ("N", "D", "loss")}
    columns["loss"] = columns["loss"] * np.where(np.arange(90) % 5 == 2, 1.2, 1.0)
    runs = Runs.from_columns({**columns, "family": np.repeat(["a", "b", "c"], 30).tolist()})
    (finding,) = (each for each in check(runs) if each.code == "law-misfits")
    assert finding.message.startswith("family 'a': ") and finding.message.endswith("The same in 2 other groups.")
