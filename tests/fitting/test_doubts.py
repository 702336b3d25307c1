"""What a fit says of itself must be true of it."""

import numpy as np
import pytest
from tests.laws.cases import runs_of

from isoflop import bootstrap, fit, fix, huber, law, squares
from isoflop.errors import IsoflopError
from isoflop.runs import Runs
from isoflop.uncertainty.bootstrap import without_draws


def codes(findings):
    return {finding.code for finding in findings}


def says(findings, code):
    return next(finding.message for finding in findings if finding.code == code)


@pytest.mark.parametrize("label", ["bnsl-2", "bnsl-3"])
def test_an_exact_optimum_is_not_doubted_because_other_starts_wander(label):
    found = fit(law(label), runs_of(label), objective=squares())
    assert found.value < 1e-20 and found.search.reached < 7
    assert not {"multiple-optima", "near-optimum", "structured-residuals"} & codes(found.findings)


def test_a_law_that_misses_every_run_by_far_says_so():
    runs = runs_of("chinchilla", noise=0.01)
    missed = fit(fix(law("chinchilla"), {"E": 100.0}), runs)
    finding = next(each for each in missed.findings if each.code == "large-residuals")
    assert finding.level == "error" and "typically off by" in finding.message
    assert "large-residuals" not in codes(fit(law("chinchilla"), runs).findings)
    flat = Runs.from_columns({"N": np.logspace(6, 9, 30), "loss": np.full(30, 2.5)})
    assert "large-residuals" not in codes(fit(law("power-n-floor"), flat).findings)


def test_noise_without_a_trend_is_a_doubt_and_no_error():
    rng = np.random.default_rng(0)
    runs = Runs.from_columns({"N": np.logspace(6, 9, 40), "loss": np.exp(rng.normal(0, 0.1, 40))})
    finding = next(each for each in fit(law("power-n"), runs).findings if each.code == "large-residuals")
    assert finding.level == "warning"


def test_a_parameter_at_the_end_of_its_interval_is_named_with_that_end():
    runs = runs_of("chinchilla")
    found = fit(law("chinchilla", domains={"E": (0.0, 1.5)}), runs)
    assert says(found.findings, "at-bound") == "E is at the end 1.5 of its domain 0 to 1.5."


def test_an_exponent_that_runs_away_is_an_error_and_no_warning():
    rng = np.random.default_rng(0)
    size = 2.1506e9 * np.exp(rng.choice([0, 1e-5, 2e-5], 80))
    tokens = 10 ** rng.uniform(9, 11, 80)
    loss = 14 * tokens**-0.08 * np.where(size > 2.15061e9, 0.98, 1.0) * np.exp(rng.normal(0, 0.002, 80))
    found = fit(law("chinchilla"), Runs.from_columns({"N": size, "D": tokens, "loss": loss}))
    ensemble = bootstrap(found, draws=40)  # warnings are errors under test
    finite = np.isfinite(found.params["A"])
    assert ("overflow" in codes(found.findings)) != finite and len(ensemble) >= 20
    if not finite:
        assert "A is too large for a number" in says(found.findings, "overflow")


def test_a_fit_carries_what_its_runs_raise():
    runs = runs_of("chinchilla", noise=0.01)
    twice = Runs.from_columns({name: np.append(runs[name], runs[name][:1]) for name in ("N", "D", "loss")})
    assert "duplicate-rows" in codes(fit(law("chinchilla"), twice).findings)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_runs_are_not_resampled(count):
    step = np.tile(np.arange(1.0, 31.0), count)
    runs = Runs.from_columns({"run": np.repeat(["a", "b"][:count], 30), "step": step, "loss": 2 + 3 / np.sqrt(step)})
    found = fit(law("E + A/step^alpha"), runs, objective=huber())
    with pytest.raises(IsoflopError, match=rf"{count} runs? \({30 * count} rows, .* cannot be resampled"):
        bootstrap(found)
    alone = without_draws(found)
    assert len(alone) == 0 and codes(alone.findings) == {"no-interval"}
    assert np.isnan(alone.interval("E").low) and alone.interval("E").value == found.params["E"]


def repeated(loss_of, scatter, seeds=3):
    """Nine sizes with three seeds each, whose log losses differ by ``scatter``."""
    n = np.repeat(np.logspace(6, 9, 9), seeds)
    noise = np.random.default_rng(1).normal(0, scatter, len(n))
    return Runs.from_columns({"N": n, "seed": np.tile(np.arange(seeds), 9), "loss": loss_of(n) * np.exp(noise)})


def test_a_law_that_misses_seeds_by_more_than_they_differ_is_doubted():
    def bent(n):
        return 1.7 + 40 / n**0.2 + 0.02 * np.sin(3 * np.log10(n))

    found = fit(law("power-n-floor"), repeated(bent, 0.0005)).findings
    assert "lack-of-fit" in codes(found)
    assert "27 runs in 9 places" in says(found, "lack-of-fit") and "differ by 0.0" in says(found, "lack-of-fit")


def test_a_law_that_misses_seeds_by_no_more_than_they_differ_is_not():
    def straight(n):
        return 1.7 + 40 / n**0.2

    for scatter in (0.0005, 0.01):
        assert "lack-of-fit" not in codes(fit(law("power-n-floor"), repeated(straight, scatter)).findings)
    # runs of one seed at the same size differ in something that the law does not see: they are no repeats
    runs = repeated(lambda n: straight(n) * (1 + 0.01 * np.sin(3 * np.log10(n))), 0.0005)
    assert "lack-of-fit" in codes(fit(law("power-n-floor"), runs).findings)
    one = runs.with_column("seed", np.zeros(27))
    assert "lack-of-fit" not in codes(fit(law("power-n-floor"), one).findings)


@pytest.mark.parametrize(("apart", "doubted"), [(0.0, False), (0.05, True)])
def test_families_that_lie_apart_under_one_law(apart, doubted):
    rng = np.random.default_rng(4)
    n, d = np.tile(np.logspace(8, 10, 6), 5), np.repeat(np.logspace(9, 12, 5), 6)
    family = np.array(["a", "b"])[rng.permutation(np.arange(30) % 2)]
    loss = (1.8 + 480 / n**0.35 + 2000 / d**0.366) * np.exp(0.003 * rng.standard_normal(30) + apart * (family == "b"))
    found = fit(law("chinchilla"), Runs.from_columns({"N": n, "D": d, "loss": loss, "family": family}))
    assert ("families-pooled" in codes(found.findings)) == doubted
    if doubted:
        assert "'a' is -" in says(found.findings, "families-pooled") and "'b' +" in says(
            found.findings, "families-pooled"
        )


def test_the_families_test_is_kruskal_and_wallis_s():
    from scipy.stats import kruskal

    from isoflop.fitting.doubts import family_findings
    from isoflop.fitting.table import Table

    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b", "c"], 8)
    table = Table({}, np.ones(24), np.arange(24))
    seen = set()
    for shift in np.linspace(0, 6, 30):
        residual = rng.standard_normal(24) + shift * (labels == "c")
        chance = kruskal(*(residual[labels == name] for name in "abc")).pvalue
        found = family_findings(table, residual, labels.tolist(), log_loss=False)
        assert bool(found) == (chance <= 1e-3)
        seen.add(bool(found))
    assert seen == {False, True}


def test_a_parameter_with_the_name_of_a_column_is_doubted_until_it_is_an_input():
    rng = np.random.default_rng(0)
    t, d = (each.ravel() for each in np.meshgrid([8.0, 16, 32, 64, 128], [1e5, 3e5, 1e6, 3e6]))
    loss = (1 + 2 / np.sqrt(t) + 300 / np.sqrt(d)) * np.exp(rng.normal(0, 0.001, len(t)))
    runs = Runs.from_columns({"T": t, "D": d, "loss": loss})
    text = "E + A/T^p + B/D^beta"
    finding = next(each for each in fit(law(text), runs).findings if each.code == "parameter-or-column")
    assert "T is a parameter" in finding.message and "--input T" in finding.remedy
    assert "parameter-or-column" not in codes(fit(law(text, inputs=("T",)), runs).findings)
    constant = Runs.from_columns({"T": np.full(len(t), 8.0), "D": d, "loss": loss})
    assert "parameter-or-column" not in codes(fit(law(text), constant).findings)
