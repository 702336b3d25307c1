"""What a fit knows of itself: residuals, predictions, covariance, information criteria."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, absolute, bootstrap, fit, fix, forecast, huber, law, read_runs, squares, student_t
from isoflop.errors import DataError, FitError


@pytest.fixture(scope="module")
def epoch(epoch240):
    return fit(law("chinchilla"), epoch240)


def test_residuals_are_fitted_minus_measured_in_the_space_of_the_objective(epoch, epoch240):
    curve = law("chinchilla").value(epoch.params, {"N": epoch240["N"], "D": epoch240["D"]})
    assert np.allclose(epoch.fitted_values, curve, rtol=1e-14)
    assert np.allclose(epoch.residuals, np.log(curve) - np.log(epoch240["loss"]), rtol=0, atol=1e-14)
    assert np.allclose(np.sort(epoch.residuals), epoch.data.residuals, rtol=0, atol=1e-9)
    raw = fit(law("chinchilla"), epoch240, objective=squares(space="raw"))
    assert np.isclose(raw.residuals @ raw.residuals, raw.value, rtol=1e-9)


@pytest.mark.parametrize("make", [dict, pl.DataFrame, "pandas", "words", "runs"])
def test_predictions_are_the_same_from_whatever_holds_the_inputs(epoch, epoch240, make):
    n, d = epoch240["N"][:5], epoch240["D"][:5]
    want = law("chinchilla").value(epoch.params, {"N": n, "D": d})
    if make == "pandas":
        pandas = pytest.importorskip("pandas")
        given = pandas.DataFrame({"Model Size": n, "train_tokens": d})
    elif make == "words":
        given = {"params": n.tolist(), "tokens": d.tolist()}
    elif make == "runs":
        given = epoch240.take(np.arange(240) < 5)
    else:
        given = make({"N": n, "D": d})
    assert np.array_equal(epoch.predict(given), want)


def test_a_word_is_a_symbol_wherever_inputs_are_named(epoch):
    drawn = bootstrap(epoch, draws=40)
    words, symbols = {"params": 7e10, "tokens": 1.4e12}, {"N": 7e10, "D": 1.4e12}
    assert forecast(drawn, words).loss == forecast(drawn, symbols).loss
    assert epoch.predict(words) == epoch.predict(symbols)
    power = fit(law("E + A/C^alpha"), epoch.runs.with_column("C", 6 * epoch.runs["N"] * epoch.runs["D"]))
    assert power.predict({"flops": 1e22}) == power.predict({"compute": 1e22}) == power.predict({"C": 1e22})
    with pytest.raises(FitError, match="N and params are both N; give one of them"):
        epoch.predict({"N": 1e9, "params": 1e9, "D": 1e10})
    with pytest.raises(FitError, match=r"needs N \(params\), D \(tokens\); D is missing \(given: params\)"):
        epoch.predict({"params": 1e9})
    with pytest.raises(DataError, match="no column for D"):
        epoch.predict(pl.DataFrame({"N": [1e9]}))


def test_inputs_broadcast_and_draws_give_the_mean_its_interval(epoch):
    drawn = bootstrap(epoch, draws=60)
    grid = epoch.predict({"N": np.array([[1e9], [1e10]]), "D": np.array([1e11, 1e12, 1e13])})
    assert grid.shape == (2, 3)
    frame = drawn.predict({"N": np.array([[1e9], [1e10]]), "D": np.array([1e11, 1e12, 1e13])}, level=0.8)
    assert np.array_equal(frame["value"], grid.ravel())
    one = forecast(drawn, {"N": 1e10, "D": 1e12}, level=0.8).law_expected
    assert np.allclose(frame.row(4), (one.value, one.low, one.high), rtol=1e-12)


def test_the_sandwich_is_that_of_a_linear_regression():
    """White's covariance with n/(n − k), by hand: log A − alpha·log N is a line in log N."""
    rng = np.random.default_rng(1)
    n = np.logspace(6, 10, 40)
    loss = 30 * n**-0.1 * np.exp(rng.normal(0, 0.01 * (1 + np.log(n) / 10), 40))
    found = fit(law("A/N^alpha"), Runs.from_columns({"N": n, "loss": loss}), objective=squares())
    x = np.column_stack([np.ones(40), -np.log(n)])
    beta, *_ = np.linalg.lstsq(x, np.log(loss), rcond=None)
    r = np.log(loss) - x @ beta
    bread = np.linalg.inv(x.T @ x)
    cov = bread @ (x.T * r**2) @ x @ bread * 40 / 38
    a = np.exp(beta[0])
    names = found.law.param_names
    want = np.empty((2, 2))
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            scale = (a if first == "A" else 1) * (a if second == "A" else 1)
            want[i, j] = cov[["A", "alpha"].index(first), ["A", "alpha"].index(second)] * scale
    assert np.allclose(found.covariance, want, rtol=1e-6)


def test_checkpoints_of_one_run_count_once(known_runs):
    """Each run's rows written twice: the same covariance but for the small-sample factor, which counts runs."""
    runs = known_runs(0.01)
    twice = Runs.from_columns(
        {name: np.repeat(runs[name], 2) for name in ("N", "D", "loss")} | {"run": np.repeat(np.arange(30), 2)}
    )
    form = law("chinchilla")
    once, double = (fit(form, each, objective=squares()) for each in (runs, twice))
    assert np.allclose(double.covariance, once.covariance, rtol=1e-4)


@pytest.mark.parametrize("objective", [huber(), squares(), student_t(), absolute()], ids=lambda each: each.word)
def test_sandwich_and_bootstrap_agree_on_a_well_determined_fit(known_runs, objective):
    found = fit(law("chinchilla"), known_runs(0.01, sizes=10, durations=10), objective=objective)
    drawn = bootstrap(found, draws=300, restarted=0)
    for name, error in found.standard_errors.items():
        spread = np.log(drawn.params[:, found.law.param_names.index(name)])
        assert 0.6 < error / found.params[name] / spread.std() < 1.6, name


def test_a_parameter_without_effect_has_no_standard_error():
    """Losses that fall faster and faster leave the floor at zero, where nothing says how sure it is."""
    n = np.logspace(6, 10, 30)
    noise = np.random.default_rng(0).normal(0, 0.01, 30)
    runs = Runs.from_columns({"N": n, "loss": np.exp(2 - 0.01 * np.log(n / 1e6) ** 1.5 + noise)})
    gone = fit(law("E + A/N^alpha"), runs)
    assert gone.params["E"] < 1e-9
    assert np.isnan(gone.standard_errors["E"]) and gone.standard_errors["alpha"] > 0
    assert "E " in str(gone)


def test_the_covariance_of_draws_is_theirs(epoch):
    drawn = bootstrap(epoch, draws=50)
    assert np.allclose(drawn.covariance, np.cov(drawn.params.T), rtol=1e-12)
    assert np.allclose(np.sqrt(np.diag(drawn.covariance)), [drawn.standard_error(n) for n in epoch.law.param_names])


def test_frames_have_a_row_a_parameter_and_draws_their_names(epoch):
    drawn = bootstrap(epoch, draws=50)
    assert epoch.to_frame()["parameter"].to_list() == list(epoch.law.param_names)
    assert np.allclose(epoch.to_frame()["standard_error"], list(epoch.standard_errors.values()))
    frame = drawn.to_frame(level=0.8)
    alpha = drawn.interval("alpha", level=0.8)
    (row,) = frame.filter(pl.col("parameter") == "alpha").select("value", "low", "high", "level").rows()
    assert row == (alpha.value, alpha.low, alpha.high, 0.8)
    assert drawn.to_frame("draws").columns == list(epoch.law.param_names) and len(drawn.to_frame("draws")) == 50


def test_information_criteria_of_squares_are_those_of_the_normal_density(epoch240):
    """ℓ of log-normal responses, summed row by row with SciPy, at σ² = RSS/n."""
    from scipy import stats

    found = fit(law("chinchilla"), epoch240, objective=squares())
    sigma = np.sqrt(np.mean(found.residuals**2))
    each = stats.lognorm.logpdf(epoch240["loss"], s=sigma, scale=found.fitted_values)
    assert np.isclose(found.aic, 2 * 6 - 2 * each.sum(), rtol=1e-9)
    assert np.isclose(found.bic, 6 * np.log(240) - 2 * each.sum(), rtol=1e-9)
    heavy = fit(law("chinchilla"), epoch240, objective=student_t())
    density = stats.t.logpdf(heavy.residuals / heavy.scale, 4) - np.log(heavy.scale) - np.log(epoch240["loss"])
    assert np.isclose(heavy.aic, 2 * 6 - 2 * density.sum(), rtol=1e-8)
    raw = fit(law("chinchilla"), epoch240, objective=squares(space="raw"))
    normal = stats.norm.logpdf(raw.residuals, scale=np.sqrt(np.mean(raw.residuals**2))).sum()
    assert np.isclose(raw.aic, 12 - 2 * normal, rtol=1e-9)


@pytest.mark.parametrize("objective", [huber(), absolute()], ids=lambda each: each.word)
def test_an_objective_that_is_no_likelihood_has_no_criteria_and_says_what_to_use(epoch240, objective):
    found = fit(law("chinchilla"), epoch240, objective=objective)
    for name in ("aic", "bic", "log_likelihood"):
        with pytest.raises(
            FitError, match=r"is not a likelihood, .* fit with student_t\(\) or squares\(\), .* rank\(\)"
        ):
            getattr(found, name)


def test_too_few_runs_have_no_covariance():
    runs = Runs.from_columns({"N": [1e6, 1e7], "loss": [3.0, 2.0]})
    found = fit(law("A/N^alpha"), runs)
    with pytest.raises(FitError, match="2 runs give no covariance of 2 fitted numbers"):
        _ = found.covariance
    assert found.to_frame()["standard_error"].null_count() == 2


def test_what_is_fixed_has_no_row(known_runs):
    found = fit(fix(law("chinchilla"), {"E": 1.8}), known_runs(0.01))
    assert "E" not in found.to_frame()["parameter"].to_list() and found.covariance.shape == (4, 4)


def test_a_file_is_read_where_inputs_are_wanted(epoch, tmp_path):
    path = tmp_path / "plan.csv"
    path.write_text("params,tokens\n1e9,2e10\n7e10,1.4e12\n")
    assert np.array_equal(epoch.predict(path), epoch.predict(read_runs(path)))
