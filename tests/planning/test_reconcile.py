"""Kaplan against Chinchilla: the exact exponent, published slopes, Porian's steps, and a table counted both ways."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize_scalar

from isoflop import Runs, bootstrap, fit, law, read_runs
from isoflop.accounting.embeddings import OMEGA, all_params, omega_of, without_embeddings
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.counting import by_group, count_both_ways
from isoflop.planning.minima import minima
from isoflop.planning.published import published
from isoflop.planning.reconcile import KAPLAN, budget_at, convert_counts, local_exponent

PRINTED = published("chinchilla:hoffmann").estimate.params


@pytest.mark.parametrize(
    ("key", "slope", "loss", "small", "large", "peak"),
    [
        ("hoffmann", 0.744, -0.0649, 0.712, 0.452, 0.988),
        ("hoffmann-tex", 0.748, None, None, None, None),
        ("epoch", 0.786, -0.0690, 0.759, 0.513, 0.981),
    ],
)
def test_over_kaplans_sizes_published_constants_give_the_carded_slopes(key, slope, loss, small, large, peak):
    found = convert_counts(published(f"chinchilla:{key}"))
    assert found.sizes == KAPLAN and found.omega == 47_491
    assert found.slope.value == pytest.approx(slope, abs=6e-4)
    for value, expected, digits in (
        (found.loss_slope.value, loss, 6e-5),
        (found.small.value, small, 6e-4),
        (found.large.value, large, 6e-4),
        (found.peak.value, peak, 6e-4),
    ):
        assert expected is None or value == pytest.approx(expected, abs=digits)


@pytest.mark.parametrize(
    ("n", "g"), [(1e4, 0.731), (1e6, 0.963), (1e7, 0.829), (1e8, 0.555), (1e9, 0.475), (1e10, 0.457)]
)
def test_the_exponent_rises_to_a_peak_and_falls_again(n, g):
    assert local_exponent(np.array(n), PRINTED["alpha"], PRINTED["beta"], OMEGA) == pytest.approx(g, abs=6e-4)


def test_the_peak_is_where_it_was_found():
    found = convert_counts(published("chinchilla:hoffmann"))
    assert found.peak_at.value == pytest.approx(1.97e6, rel=0.02)
    n, g, *_ = found.curve
    assert n[0] <= 790 and n[-1] >= 1.58e9 and g.max() <= found.peak.value + 1e-12


@pytest.mark.parametrize("n", [3e3, 1e6, 5e8, 2e11])
def test_the_closed_form_is_the_minimum_and_g_its_slope(n):
    """C(N) against direct minimization along the budget, g against differences of it."""
    p = PRINTED
    powers = (p["A"], p["alpha"], p["B"], p["beta"])
    budget = float(budget_at(np.array(n), powers, OMEGA))

    def loss(log_n):
        size = np.exp(log_n)
        return p["A"] * all_params(size, OMEGA) ** -p["alpha"] + p["B"] * (budget / 6 / size) ** -p["beta"]

    found = minimize_scalar(loss, bounds=(np.log(n) - 3, np.log(n) + 3), method="bounded", options={"xatol": 1e-10})
    assert np.exp(found.x) == pytest.approx(n, rel=1e-4)
    above, below = (float(budget_at(np.array(n * factor), powers, OMEGA)) for factor in (1.0001, 1 / 1.0001))
    numeric = 2 * np.log(1.0001) / np.log(above / below)
    assert local_exponent(np.array(n), p["alpha"], p["beta"], OMEGA) == pytest.approx(numeric, rel=1e-6)


def test_both_counts_lead_to_each_other():
    n = np.geomspace(1e3, 1e12, 30)
    assert without_embeddings(all_params(n, OMEGA), OMEGA) == pytest.approx(n, rel=1e-10)
    assert omega_of(n, all_params(n, 12_345.0)) == pytest.approx(12_345.0)


def test_a_fit_gives_every_number_an_interval(make_known_runs):
    found = convert_counts(bootstrap(fit(law("chinchilla"), make_known_runs(0.005)), draws=100))
    for each in (found.slope, found.small, found.large, found.peak, found.loss_slope):
        assert each.low < each.value < each.high
    assert found.large.low < 0.5126 < found.large.high


@pytest.fixture(scope="module")
def porian(tables):
    return tables / "porian-isoflop"


STEPS = [0.8353, 0.7065, 0.6020, 0.5715, 0.4969]
WAY = ["hparams", "warmup", "decay", "param_count", "val"]
FROM_KAPLAN = "dataset == 'rw' and param_count != 'attention' and not (hparams == 'tuned' and param_count == 'kaplan')"


def test_porians_steps_from_the_runs(porian):
    steps = by_group(read_runs(porian / "isoflop_points.csv", where=FROM_KAPLAN), WAY)
    found = [step.exponent_a.value for step in steps]
    # splines without their noise model and weights: within a hundredth of what is published
    assert found == pytest.approx(STEPS, abs=0.0085)
    assert found == pytest.approx([0.8337, 0.7145, 0.6059, 0.5721, 0.4968], abs=1e-4)
    for step, published_value in zip(steps, STEPS, strict=True):
        wide = 2 * (step.exponent_a.high - step.exponent_a.low) / 2
        assert abs(step.exponent_a.value - published_value) < wide
    assert [step.change is None for step in steps] == [True, False, False, False, False]
    assert [step.changed for step in steps[1:]] == [
        ("param_count", "val"),
        ("warmup",),
        ("decay",),
        ("hparams", "decay"),
    ]


def test_porians_steps_from_their_minima_and_weights_are_the_published_ones(porian):
    pairs = read_runs(porian / "optimal_pairs.csv", where=f"finite(n) and {FROM_KAPLAN}")
    steps = by_group(pairs, WAY, spread="n_star_std")
    assert [step.exponent_a.value for step in steps] == pytest.approx(STEPS, abs=6e-5)
    quoted = pl.read_csv(porian / "published_bootstrap_ci_n_exponent.csv").filter(pl.col("fit") == "bootstrap_weighted")
    for step in steps:
        row = quoted.filter(
            (pl.col("dataset") == "rw") & pl.all_horizontal(pl.col(k) == v for k, v in step.labels.items())
        )
        low, high = row["q025"][0], row["q975"][0]
        assert step.exponent_a.low < high and low < step.exponent_a.high


def valley(reach=3.0, exponent=0.5):
    """IsoFLOP runs whose valley is steeper on one side, with N* ∝ C^exponent."""
    rows = []
    for budget in (1e18, 3e18, 1e19, 3e19, 1e20):
        best = 2e8 * (budget / 1e18) ** exponent
        x = np.linspace(-np.log(reach), np.log(reach), 15)
        rows.append(np.column_stack([best * np.exp(x), np.full(15, budget), 3 + 0.05 * (np.exp(x) - x - 1)]))
    n, c, loss = np.concatenate(rows).T
    return Runs.from_columns({"N": n, "D": c / (6 * n), "C": c, "loss": loss})


def test_minima_are_found_where_a_parabola_is_moved():
    found = minima(valley(exponent=0.55))
    assert found.exponent_a.value == pytest.approx(0.55, abs=1e-6)
    assert found.n_best == pytest.approx(2e8 * (found.budgets / 1e18) ** 0.55, rel=0.01)
    assert found.findings == ()


def test_a_minimum_at_the_end_is_left_out_and_said():
    runs = valley()
    lowest = runs["C"] == runs["C"].min()
    found = minima(runs.take(~lowest | (runs["N"] > 2.2e8)))
    assert [each.code for each in found.findings] == ["not-bracketed"] and "1e+18" in found.findings[0].message
    assert len(found.budgets) == 4


def test_too_few_budgets_are_refused():
    runs = valley()
    with pytest.raises(IsoflopError, match="has 2 budgets whose least loss lies between"):
        minima(runs.take(runs["C"] < 5e18))
    with pytest.raises(IsoflopError, match="weighs rows that are minima"):
        minima(runs.with_column("spread", np.ones(len(runs))), spread="spread")


def counted_runs(noise=0.001):
    """Runs of Epoch's law in all parameters, with both counts in the table, small enough for embeddings to matter."""
    truth = published("chinchilla:epoch").estimate.params
    rng = np.random.default_rng(0)
    without, d = (each.ravel() for each in np.meshgrid(np.geomspace(3e5, 3e9, 12), np.geomspace(3e8, 3e11, 5)))
    n = all_params(without, OMEGA)
    loss = law("chinchilla").value(truth, {"N": n, "D": d}) * np.exp(rng.normal(0, noise, n.size))
    return Runs.from_columns({"N": n, "N_nonembed": without, "D": d, "loss": loss})


def test_a_table_with_both_counts_gives_both_exponents():
    runs = counted_runs()
    answer = count_both_ways(runs, draws=100)
    assert answer.omega == pytest.approx(OMEGA) and answer.omega_source == "fitted to the two counts"
    total, without, recounted, isoflop = (way.exponent_a for way in answer.ways)
    assert total.value == pytest.approx(0.5126, abs=0.02) and total.low < 0.5126 < total.high
    truth = convert_counts(published("chinchilla:epoch"), sizes=(3e5, 3e9)).slope.value
    assert recounted.value == pytest.approx(truth, abs=0.02)
    assert without.value > total.value + 0.05 and isoflop is None
    assert {"count-decides", "params-embedding"} <= {each.code for each in answer.findings}


def test_one_count_and_omega_give_the_other():
    runs = counted_runs()
    both = count_both_ways(runs, draws=40)
    alone = Runs.from_columns({"N": runs["N"], "D": runs["D"], "loss": runs["loss"]})
    from_total = count_both_ways(alone, omega=OMEGA, draws=40)
    small = Runs.from_columns(
        {"N": runs["N_nonembed"], "D": runs["D"], "loss": runs["loss"]}, conventions={"N": "non-embedding"}
    )
    from_small = count_both_ways(small, omega=OMEGA, draws=40)
    for at in range(3):
        expected = both.ways[at].exponent_a.value
        assert from_total.ways[at].exponent_a.value == pytest.approx(expected, abs=1e-6)
        assert from_small.ways[at].exponent_a.value == pytest.approx(expected, abs=1e-6)
    assumed = count_both_ways(alone, draws=40)
    assert assumed.omega_source.startswith("assumed")
    unknown = [name for name, each in (("both", both), ("total", assumed), ("small", from_small)) if says_unknown(each)]
    assert unknown == ["total"]


def says_unknown(answer):
    return "params-convention-unknown" in {each.code for each in answer.findings}


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        ({"omega": 0.0}, "omega must be a positive number"),
        ({"sizes": (0.0, 1e9)}, "a model size must be a positive number"),
        ({"sizes": (1e9, 1e6)}, "from the smaller to the larger"),
    ],
)
def test_what_cannot_be_counted_again_is_refused(ask, says):
    with pytest.raises(IsoflopError, match=says):
        convert_counts(published("chinchilla:epoch"), **ask)


def test_another_form_of_law_is_refused():
    with pytest.raises(IsoflopError, match="needs a law of the form"):
        convert_counts(published("kaplan:kaplan"))


def test_bad_tables_are_refused():
    runs = counted_runs()
    with pytest.raises(DataError, match="are the same"):
        count_both_ways(runs.with_column("N_nonembed", runs["N"]))
    with pytest.raises(DataError, match="form 60 groups"):
        by_group(runs.with_column("name", [f"r{i}" for i in range(len(runs))]), ["name"])
    with pytest.raises(DataError, match="has no column 'warmup'"):
        by_group(runs, ["warmup"])
