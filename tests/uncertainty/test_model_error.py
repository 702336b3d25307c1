"""Model error: kriging against one Gaussian vector, mixtures against sampling, and what intervals hold."""

import numpy as np
import pytest
from scipy import stats

from isoflop import bootstrap, fit, forecast, law, load_fit, save_fit
from isoflop.errors import IsoflopError, SavedError
from isoflop.planning import forecasts
from isoflop.uncertainty.discrepancy import discrepancy
from isoflop.uncertainty.kriging import PRIOR_SD, Rows, condition, matern
from isoflop.uncertainty.mixture import Mixture
from isoflop.uncertainty.predictive import predictive
from isoflop.uncertainty.prior import Hypothesis, Prior, read_prior, save_prior, shipped_prior

CHINCHILLA = law("chinchilla")


@pytest.fixture
def ensemble(known_runs):
    return bootstrap(fit(CHINCHILLA, known_runs(0.01)), draws=100)


def gaussian(rows, *, noise_share, size, length, jacobian, place):
    """Mean and covariance of J·β + δ at other points given the rows, from one joint Gaussian vector; log evidence."""
    both = np.vstack([rows.place, place])
    j = np.vstack([rows.jacobian, jacobian])
    cov = PRIOR_SD**2 * j @ j.T + size**2 * matern(both, both, length)
    n = len(rows.residual)
    measured = cov[:n, :n] + np.diag(noise_share**2 * rows.noise)
    if rows.run is not None:
        measured = measured + rows.run_variance * (rows.run[:, None] == rows.run[None])
    gain = np.linalg.solve(measured, cov[:n, n:]).T
    mean = gain @ rows.residual
    evidence = stats.multivariate_normal(np.zeros(n), measured).logpdf(rows.residual)
    return mean, cov[n:, n:] - gain @ cov[:n, n:], evidence


def design(*, runs, seed=0, count=40):
    rng = np.random.default_rng(seed)
    return Rows(
        residual=rng.normal(0, 0.01, count),
        jacobian=rng.normal(0, 1, (count, 3)),
        place=rng.uniform(-1, 1, (count, 2)),
        noise=rng.uniform(0.5, 2, count) * 1e-4,
        run=np.repeat(np.arange(count // 4), 4) if runs else None,
        run_variance=5e-5 if runs else 0.0,
    )


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("size", [0.0, 0.03])
def test_kriging_is_the_conditional_of_a_joint_gaussian(runs, size):
    rows = design(runs=runs)
    rng = np.random.default_rng(1)
    jacobian, place = rng.normal(0, 1, (5, 3)), rng.uniform(-2, 2, (5, 2))
    known = condition(rows, noise_share=0.7, size=size, length=1.5)
    mean, variance, cov = known.at(jacobian, place)
    expected = gaussian(rows, noise_share=0.7, size=size, length=1.5, jacobian=jacobian, place=place)
    assert mean == pytest.approx(expected[0], rel=1e-6, abs=1e-9)
    assert cov == pytest.approx(expected[1], rel=1e-5, abs=1e-9)
    assert variance == pytest.approx(np.diag(expected[1]), rel=1e-5, abs=1e-9)
    alone = known.at(jacobian, place, joint=False)
    assert alone[0] == pytest.approx(mean, rel=1e-9) and alone[1] == pytest.approx(variance, rel=1e-7)


def test_evidence_of_two_hypotheses_differs_as_their_densities_do():
    rows = design(runs=True)
    nothing = np.zeros((1, 3)), np.zeros((1, 2))
    settings = ({"size": 0.0, "length": 1.0}, {"size": 0.03, "length": 2.0})
    ours = [condition(rows, noise_share=1.0, **each).evidence for each in settings]
    dense = [gaussian(rows, noise_share=1.0, jacobian=nothing[0], place=nothing[1], **each)[2] for each in settings]
    assert ours[0] - ours[1] == pytest.approx(dense[0] - dense[1], rel=1e-6)


def test_many_rows_through_inducing_points_are_close_to_all_of_them(monkeypatch):
    rows = design(runs=False, count=300)
    at = np.zeros((4, 3)), np.random.default_rng(2).uniform(-1, 1, (4, 2))
    whole = condition(rows, noise_share=1.0, size=0.03, length=2.0).at(*at)
    monkeypatch.setattr("isoflop.uncertainty.kriging.DENSE_ROWS", 100)
    few = condition(rows, noise_share=1.0, size=0.03, length=2.0).at(*at)
    spread = np.sqrt(whole[1])
    assert np.abs(few[0] - whole[0]).max() < 0.2 * spread.min()
    assert np.sqrt(few[1]) == pytest.approx(spread, rel=0.2)


def test_quantiles_and_draws_of_a_mixture_agree():
    mixture = Mixture(
        weights=np.array([0.3, 0.7]),
        mean=np.array([[0.0, 1.0], [0.5, -1.0]]),
        variance=np.array([[1.0, 0.25], [0.04, 1.0]]),
        cov=np.array([[[1.0, 0.4], [0.4, 0.25]], [[0.04, 0.0], [0.0, 1.0]]]),
        own=np.full((2, 2), 0.01),
        freedom=6.0,
    )
    drawn = mixture.sample(200_000, seed=1)
    for probability in (0.05, 0.5, 0.95):
        assert mixture.quantile(probability) == pytest.approx(np.quantile(drawn, probability, axis=0), abs=0.02)
        assert mixture.cdf(mixture.quantile(probability)) == pytest.approx(probability, abs=1e-9)
    assert mixture.covariance() == pytest.approx(np.cov(drawn.T), abs=0.03)
    x = np.linspace(-40, 40, 400_001)
    density = np.exp([mixture.log_density(np.array([each, 0.0]))[0] for each in x[::100]])
    assert np.trapezoid(density, x[::100]) == pytest.approx(1, abs=1e-3)


def test_both_promises_stand_beside_each_other(ensemble):
    near, far = forecasts(ensemble, [{"N": 1e9, "D": 5e10}, {"N": 1e12, "D": 1e14}])
    for each in (near, far):
        assert each.loss.low < each.expected.low < each.expected.high < each.loss.high
        assert each.law_loss.value == each.law_expected.value
    wide = [each.loss.high - each.loss.low for each in (near, far)]
    by_law = [each.law_loss.high - each.law_loss.low for each in (near, far)]
    assert wide[1] > 2 * wide[0] and wide[1] > 2 * by_law[1]
    assert far.model_error_share == pytest.approx(1 - by_law[1] / wide[1])


def test_points_share_their_model_error(ensemble):
    said = predictive(ensemble, {"N": np.array([1e12, 1.1e12]), "D": 1e14})
    covariance = said.covariance(scatter=False)
    assert covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) > 0.95
    drawn = np.log(said.sample(4000, scatter=False))
    assert np.std(drawn[:, 0] - drawn[:, 1]) < 0.3 * np.std(drawn[:, 0])


def test_residuals_that_bend_move_the_forecast_their_way(known_runs):
    runs = known_runs(0.001)
    bent = runs.with_column("loss", runs["loss"] * np.exp(0.02 * (np.log10(runs["N"]) - 8.5) ** 2))
    ensemble = bootstrap(fit(law("E + A/N^alpha + B/D^alpha"), bent), draws=60)
    corner = {"N": float(runs["N"].max()), "D": float(runs["D"].max())}
    truth = float(bent["loss"][(runs["N"] == corner["N"]) & (runs["D"] == corner["D"])][0])
    said = forecast(ensemble, corner)
    assert abs(said.loss.value - truth) < abs(said.law_loss.value - truth)
    assert said.loss.low < truth < said.loss.high


def test_a_saved_fit_has_the_same_model_error(ensemble, tmp_path):
    save_fit(ensemble, tmp_path / "fit.json")
    at = {"N": 1e11, "D": 1e13}
    here, there = forecast(ensemble, at), forecast(load_fit(tmp_path / "fit.json"), at)
    assert (there.loss.low, there.loss.high) == pytest.approx((here.loss.low, here.loss.high), rel=1e-9)


def test_five_runs_one_size_and_equal_losses_give_wide_finite_intervals(known_runs):
    runs = known_runs(0.005)
    few = runs.take(np.arange(len(runs)) % 7 == 0)
    level = runs.with_column("loss", np.full(len(runs), 2.5))
    size = runs.take(runs["N"] == runs["N"].min())
    for table, formula in ((few, "power-n"), (level, "chinchilla"), (size, "power-d")):
        ensemble = bootstrap(fit(law(formula), table), draws=30)
        highest = {name: 1e6 * high for name, (_, high) in ensemble.estimate.data.ranges.items()}  # six decades out
        said = forecast(ensemble, highest)
        assert np.isfinite([said.loss.low, said.loss.value, said.loss.high]).all()
        assert said.loss.low < said.loss.value < said.loss.high
        # wide: nothing in such runs tells how far a law is off six decades out
        assert said.loss.high > 1.1 * said.loss.low
        assert "far-extrapolation" in {each.code for each in said.findings}


def test_threads_change_nothing(known_runs):
    from threadpoolctl import threadpool_limits

    fitted, at = fit(CHINCHILLA, known_runs(0.01)), {"N": np.array([1e11]), "D": np.array([1e13])}
    ends = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            fresh = fit(CHINCHILLA, fitted.runs)
            ends.append(discrepancy(fresh).at(at).quantile(0.95)[0])
    assert ends[0] == ends[1]


def test_laws_of_one_forecast_share_runs(known_runs):
    one, other = fit(CHINCHILLA, known_runs(0.01)), fit(law("kaplan"), known_runs(0.01, seed=1))
    with pytest.raises(IsoflopError, match="was fitted to other runs"):
        discrepancy(one, others=[other])
    both = discrepancy(one, others=[fit(law("kaplan"), one.runs)])
    assert both.weights.sum() == pytest.approx(1) and both.weights[0].sum() > both.weights[1].sum()


def test_a_prior_is_written_and_read_and_its_faults_named(tmp_path):
    path = tmp_path / "prior.toml"
    save_prior(shipped_prior(), path)
    assert read_prior(path) == shipped_prior()
    text = path.read_text()
    for old, new, says in (
        ("power = 0.2", "power = 2", "power between 0 and 1"),
        ("size = 0.256", "size = 1e200", "a number above 1000"),
        ("length = 4.0", "length = 1e-300", "whose length or noise_share is 0"),
        ("freedom = 6.0", "freedom = 1.0", "freedom above 2"),
        ("weight = 0.3", "weight = -0.3", "negative or not finite"),
        ("length = 1.0", "length = 0.0", "whose length or noise_share is 0"),
        ("power = 0.2\n", "", "lacks or garbles"),
        ('schema = "', 'schema = "x', "this release reads"),
        ("power", "power =", "is not TOML"),
    ):
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(SavedError) as refused:
            read_prior(path)
        assert says in str(refused.value) and "\n" not in str(refused.value), (new, refused.value)


@pytest.mark.slow
def test_the_default_interval_holds_what_its_own_prior_draws(known_runs):
    """Truths are the law times a process of the prior: nine in ten, where the law's own interval holds fewer."""
    guess = Hypothesis(1.0, 0.03, 2.0, 1.0)
    prior = Prior((guess,), power=0.2, freedom=6.0, farthest=1.7, date="", source="")
    plain = known_runs()
    at = {"N": 10 * plain["N"].max(), "D": 10 * plain["D"].max()}
    held = by_law = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        place = np.log10(np.column_stack([np.append(plain["N"], at["N"]), np.append(plain["D"], at["D"])]))
        root = np.linalg.cholesky(guess.size**2 * matern(place, place, guess.length) + 1e-9 * np.eye(len(place)))
        off = root @ rng.standard_normal(len(place))
        noise = rng.normal(0, 0.003, len(place))
        runs = plain.with_column("loss", plain["loss"] * np.exp((off + noise)[:-1]))
        truth = float(CHINCHILLA.value(TRUTH, at)) * np.exp(off[-1] + noise[-1])
        said = forecast(bootstrap(fit(CHINCHILLA, runs), draws=100, seed=seed), at, prior=prior)
        held += said.loss.low <= truth <= said.loss.high
        by_law += said.law_loss.low <= truth <= said.law_loss.high
    assert 50 <= held <= 60 and by_law < held


TRUTH = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
