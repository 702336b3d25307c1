"""Each picture shows what its result holds, named, with units, and with room for every label."""

import numpy as np
import pytest
from tests.plots.room import crowded

from isoflop import Runs, allocate, bootstrap, fit, fix, forecast, law, profile, squares
from isoflop.errors import DataError, IsoflopError
from isoflop.laws.optimum import optimum
from isoflop.planning.answer import answer as answer_of
from isoflop.planning.methods import compare_methods
from isoflop.planning.parabolas import parabolas
from isoflop.planning.published import published
from isoflop.plots import (
    design,
    fit_against_measured,
    flat_band,
    forecast_fan,
    isoflop_curves,
    loss_against_compute,
    loss_contours,
    methods_compared,
    new_axes,
    parameter_draws,
    profile_likelihood,
    residuals,
    training_curves,
)
from isoflop.plots.fan import path_to
from isoflop.plots.residuals import left_over, medians
from isoflop.units import format_quantity


def labeled(axes, label):
    """The one artist with this label."""
    found = [each for each in axes.get_children() if str(each.get_label()) == label]
    assert len(found) == 1, [str(each.get_label()) for each in axes.get_children()]
    return found[0]


def isoflop_runs(budgets=(1e18, 1e19, 1e20)):
    p = {"E": 1.7, "A": 400.0, "B": 1000.0, "alpha": 0.34, "beta": 0.3}
    chinchilla = law("chinchilla")
    n, d, c, loss = [], [], [], []
    for budget in budgets:
        best = float(optimum(chinchilla, {k: np.array([v]) for k, v in p.items()}, budget).n[0])
        for factor in (0.25, 0.5, 1, 2, 4):
            n.append(best * factor)
            d.append(budget / (6 * n[-1]))
            c.append(budget)
            loss.append(float(chinchilla.value(p, {"N": n[-1], "D": d[-1]})))
    noise = np.random.default_rng(0).normal(0, 1e-3, len(n))
    return Runs.from_columns({"N": n, "D": d, "C": c, "loss": np.array(loss) * np.exp(noise)})


DRAWN = {
    "envelope": lambda e, axes: loss_against_compute(e, axes),
    "match": lambda e, axes: fit_against_measured(e.fit, axes),
    "residuals of N": lambda e, axes: residuals(e.fit, axes, against="N"),
    "residuals of C": lambda e, axes: residuals(e.fit, axes, against="C"),
    "residuals in order": lambda e, axes: residuals(e.fit, axes, against="order"),
    "contours": lambda e, axes: loss_contours(e, axes),
    "design": lambda e, axes: design(e.fit.runs, axes),
    "draws": lambda e, axes: parameter_draws(e, axes),
    "fan": lambda e, axes: forecast_fan(forecast(e, {"N": 1e11, "D": 1e13}), e, axes),
    "plan": lambda e, axes: flat_band(allocate(e, budget=1e22), e, axes),
    "methods": lambda e, axes: methods_compared(compare_methods(e, e.fit.runs, budget=1e22), axes),
}


@pytest.mark.parametrize("size", [(7.2, 4.2), (4.0, 3.0)])
@pytest.mark.parametrize("which", ["known", "ugly"])
@pytest.mark.parametrize("picture", DRAWN)
def test_no_label_touches_another_or_leaves_the_page(picture, which, size, request):
    axes = new_axes(size=size, dark=size[0] < 5)
    ensemble = request.getfixturevalue(which)
    assert DRAWN[picture](ensemble, axes) is axes
    assert crowded(axes) == []
    assert axes.get_xlabel() and (axes.get_ylabel() or picture == "methods")


def test_measured_stands_against_fitted(known, axes):
    fit_against_measured(known.fit, axes)
    runs = known.fit.runs
    shown = np.asarray(next(each for each in axes.collections if len(each.get_offsets()) == len(runs)).get_offsets())
    assert shown[:, 1] == pytest.approx(runs["loss"])
    assert shown[:, 0] == pytest.approx(known.fit.predict({"N": runs["N"], "D": runs["D"]}))
    assert axes.get_xlabel() == "fitted loss (nats/token)"


def test_residuals_are_per_cent_of_the_law(known, axes):
    residuals(known.fit, axes, against="C")
    runs = known.fit.runs
    shown = np.asarray(axes.collections[0].get_offsets())
    assert shown[:, 0] == pytest.approx(6 * runs["N"] * runs["D"])
    fitted = known.fit.predict({"N": runs["N"], "D": runs["D"]})
    assert shown[:, 1] == pytest.approx(100 * (runs["loss"] / fitted - 1))
    with pytest.raises(IsoflopError, match="can be drawn against N, D, C, order, not 'width'"):
        residuals(known.fit, axes, against="width")


def test_medians_keep_equal_sizes_together():
    x = np.repeat([1.0, 1.001, 2.0, 4.0], 10)
    y = np.concatenate([np.full(10, 1.0), np.full(10, 3.0), np.full(10, 5.0), np.full(10, 7.0)])
    at, middle = medians(x, y)
    assert len(at) == 3 and middle.tolist() == [2.0, 5.0, 7.0]


def test_far_runs_are_counted_at_the_edge(known_runs, axes):
    runs = known_runs(0.003)
    bent = runs.with_column("loss", np.where(np.arange(30) == 4, runs["loss"] * 1.5, runs["loss"]))
    fitted = fit(law("chinchilla"), bent)
    residuals(fitted, axes, against="N")
    assert axes.get_title(loc="right") == "1 beyond the edge (triangles)"
    assert axes.get_ylim()[1] < 40 < left_over(fitted, against="N").rest.max()


def test_the_path_over_the_contours_is_the_closed_form(known, axes):
    loss_contours(known, axes)
    line = labeled(axes, "compute-optimal")
    d, n = (np.asarray(each) for each in line.get_data())
    p = known.fit.params
    scale = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    assert n == pytest.approx(scale * (n * d) ** (p["beta"] / (p["alpha"] + p["beta"])), rel=1e-6)
    band = labeled(axes, "90% interval").get_xy()
    assert len(band) == 2 * len(n) + 1


def test_contours_are_named_by_their_own_value(known, axes):
    loss_contours(known, axes)
    names = [each for each in axes.texts if each.get_text().replace(".", "").isdigit()]
    assert len(names) >= 3
    for each in names:
        d, n = each.get_position()
        assert float(known.fit.predict({"N": n, "D": d})) == pytest.approx(float(each.get_text()), rel=2e-3)


def test_a_plan_shows_its_band_its_interval_and_the_tokens_along_the_top(known, axes):
    plan = allocate(known, budget=1e22)
    flat_band(plan, known, axes)
    band = labeled(axes, "within 0.2% of the best")
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx(plan.band.n)
    bar = labeled(axes, "90% interval of N*")
    assert tuple(bar.get_xdata()) == pytest.approx((plan.n.low, plan.n.high))
    best = labeled(axes, "best size N*")
    assert (best.get_xdata()[0], best.get_ydata()[0]) == pytest.approx((plan.n.value, plan.loss.value))
    axes.get_figure().draw_without_rendering()
    top = axes.child_axes[0]
    assert sorted(top.get_xlim()) == pytest.approx(sorted(1e22 / (6 * each) for each in axes.get_xlim()))
    best_d = 1e22 / (6 * plan.n.value)
    assert top.transData.transform((best_d, 0))[0] == pytest.approx(axes.transData.transform((plan.n.value, 1))[0])


def test_the_recommended_model_is_marked_where_it_is_another(known, axes):
    found = answer_of(known, budget=1e22, served=1e13)
    flat_band(found.plan, known, axes, recommended=found.recommended)
    size, loss = found.recommended.n.value, found.recommended.loss.value
    tokens = format_quantity(found.recommended.d.value)
    point = labeled(axes, f"recommended (inference-aware), {tokens} tokens")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (size, loss) and size < found.plan.n.value
    assert axes.get_xlim()[0] < size < axes.get_xlim()[1] and crowded(axes) == []


def test_a_plan_from_constants_has_a_curve_and_no_intervals(axes):
    ensemble = published("chinchilla:epoch")
    flat_band(allocate(ensemble, budget=5.76e23), ensemble, axes)
    assert [each.get_text() for each in axes.get_legend().get_texts()] == ["within 0.2% of the best", "best size N*"]
    assert crowded(axes) == []


@pytest.mark.parametrize("at", [{"N": 1e-300, "D": 1.0}, {"N": 1e-200, "D": 1e-200}, {"N": 1e300, "D": 1e300}])
def test_a_line_that_leaves_what_numbers_hold_is_refused(known, at):
    with pytest.raises(IsoflopError, match="leaves what numbers hold"):
        path_to(known.fit, at)


def test_the_fan_goes_straight_to_the_point_and_shades_what_lies_beyond(known, axes):
    at = {"N": 1e12, "D": 1e13}
    answer = forecast(known, at)
    path = path_to(known.fit, at)
    ratio = np.log(path.inputs["N"])
    assert np.diff(ratio) == pytest.approx(np.full(len(ratio) - 1, np.diff(ratio)[0]))
    near = int(np.abs(np.log(path.x / path.asked)).argmin())
    assert path.reach[near] == pytest.approx(answer.reach_decades, abs=0.05)
    forecast_fan(answer, known, axes)
    point = labeled(axes, "90% prediction interval")
    assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx((6 * 1e25, answer.loss.value))
    # the axis is one of compute, so the distance says of which inputs it is
    words = " and ".join(f"{name} {answer.reach[name]:.1f}" for name in ("N", "D"))
    assert [each.get_text() for each in axes.texts] == [f"{words} decades beyond the runs"]
    shaded = [each for each in axes.patches if each.get_width() > 0]
    assert len(shaded) == int(np.ceil(path.reach.max()))


def test_inside_the_runs_nothing_is_shaded(known, axes):
    answer = forecast(known, {"N": 3e8, "D": 2e10})
    forecast_fan(answer, known, axes)
    assert not axes.patches and not axes.texts


@pytest.mark.parametrize("form", ["power-n-floor", "chinchilla:epoch"])
def test_fans_of_one_input_and_of_constants(known_runs, axes, form):
    if ":" in form:
        ensemble, at = published(form), {"N": 7e10, "D": 1.4e12}
    else:
        ensemble, at = bootstrap(fit(law(form), known_runs(0.01)), draws=40), {"N": 1e12}
    forecast_fan(forecast(ensemble, at), ensemble, axes)
    assert axes.get_xlabel() == ("training compute C = 6ND (FLOPs)" if ":" in form else "parameters N")
    assert crowded(axes) == []


def test_isoflop_curves_have_their_minima(axes):
    found = parabolas(isoflop_runs())
    isoflop_curves(found, axes)
    minima = labeled(axes, "minimum of the parabola")
    assert minima.get_xdata() == pytest.approx([each.n_best for each in found.profiles])
    assert minima.get_ydata() == pytest.approx([each.loss_best for each in found.profiles])
    bars = next(each for each in axes.collections if "interval" in str(each.get_label())).get_segments()
    assert np.array(bars)[:, :, 0] == pytest.approx(
        np.array([(each.low, each.high) for each in (profile.minimum() for profile in found.profiles)])
    )
    assert next(each for each in axes.lines if "∝" in str(each.get_label())).get_xdata() == pytest.approx(
        [found.n_at(each.budget).value for each in found.profiles]
    )
    drawn = axes.lines[0]
    at = int(np.asarray(drawn.get_ydata()).argmin())
    assert drawn.get_xdata()[at] == pytest.approx(found.profiles[0].n_best, rel=0.03)
    assert crowded(axes) == []


def test_methods_without_an_answer_are_named(known, axes):
    answer = compare_methods(known, known.fit.runs, budget=1e22)
    methods_compared(answer, axes)
    assert len(axes.texts) == len(answer.methods) and "no answer" in axes.texts[1].get_text()
    assert axes.texts[2].get_text().startswith("parametric fit: a = 0.")
    assert axes.get_xlabel() == "compute-optimal parameters N* at 10²² FLOPs"


def test_draws_trade_along_a_straight_ridge(known, axes):
    parameter_draws(known, axes, x="A", y="alpha")
    points = np.asarray(next(each for each in axes.collections if len(each.get_offsets()) == len(known)).get_offsets())
    assert points[:, 0] == pytest.approx(known.evaluate("A")) and points[:, 1] == pytest.approx(known.evaluate("alpha"))
    ridge = next(each for each in axes.lines if "ridge" in str(each.get_label()))
    assert float(str(ridge.get_label()).split()[-1]) > 0.95
    (x0, x1), (y0, y1) = np.log(ridge.get_xdata()), ridge.get_ydata()
    n = known.fit.runs["N"]
    # along the ridge A/N^alpha stays at one size, near the smallest runs, whose losses it decides
    assert np.log(n.min() / 3) < (x1 - x0) / (y1 - y0) < np.log(n.max())
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale(), axes.get_yscale()) == ("A", "α", "log", "linear")


def test_draws_that_are_not_there_are_refused(axes):
    with pytest.raises(IsoflopError, match="comes without draws"):
        parameter_draws(published("chinchilla:epoch"), axes)


def test_a_profile_crosses_its_threshold_at_the_interval(known_runs, axes):
    found = profile(fit(fix(law("chinchilla"), {"E": 1.8172}), known_runs(0.01), objective=squares()), params=["alpha"])
    profile_likelihood(found, axes, param="alpha")
    smooth = axes.lines[0]
    at = np.interp(
        [found.intervals["alpha"].low, found.intervals["alpha"].high], smooth.get_xdata(), smooth.get_ydata()
    )
    assert at == pytest.approx([found.threshold] * 2, rel=0.02)
    with pytest.raises(IsoflopError, match="'beta' was not profiled; there are alpha"):
        profile_likelihood(found, axes, param="beta")


def test_curves_are_told_apart_by_their_schedule(axes):
    step = np.tile(np.arange(1, 5001), 3)
    runs = Runs.from_columns(
        {
            "step": step,
            "loss": 2 + 10 / np.sqrt(step),
            "run": np.repeat(["a", "b", "c"], 5000),
            "schedule": np.repeat(["cosine", "$wsd", "cosine"], 5000),
        }
    )
    training_curves(runs, axes)
    assert [each.get_text() for each in axes.get_legend().get_texts()] == ["cosine", r"\$wsd"]
    assert len(axes.lines) == 3
    colors = [each.get_color() for each in axes.lines]
    assert colors[0] == colors[2] != colors[1]
    x, y = axes.lines[0].get_data()
    assert len(x) <= 2000 and np.mean(x) == pytest.approx(2500.5, rel=1e-3) and y[0] < 12
    assert crowded(axes) == []
    with pytest.raises(DataError, match="no run of .* has two points"):
        training_curves(Runs.from_columns({"step": [1], "loss": [2.0], "schedule": ["x"]}), new_axes())


def test_twelve_schedules_are_told_apart_and_further_ones_share_a_name(axes):
    kinds = [f"s{number}" for number in range(15)]
    runs = Runs.from_columns(
        {
            "step": np.tile([1.0, 10.0], 15),
            "loss": np.tile([4.0, 3.0], 15) + np.repeat(np.arange(15), 2) / 10,
            "run": np.repeat(kinds, 2),
            "schedule": np.repeat(kinds, 2),
        }
    )
    training_curves(runs, axes)
    drawn = [(each.get_color(), str(each._dash_pattern)) for each in axes.lines]
    assert len(set(drawn[:12])) == 12 and len(set(drawn[12:])) == 1
    assert [each.get_text() for each in axes.get_legend().get_texts()] == [*kinds[:12], "3 others"]
    assert crowded(axes) == []


def test_a_table_that_no_logarithm_shows_is_drawn_without_those_rows(axes):
    runs = Runs.from_columns({"N": [1e6, 0, 1e8], "D": [1e9, 1e9, np.nan], "loss": [3.0, 2.0, 2.5]})
    design(runs, axes)
    assert len(axes.collections[0].get_offsets()) == 1
    with pytest.raises(IsoflopError, match="has no inputs with a loss to draw"):
        design(Runs.from_columns({"width": [1.0], "loss": [2.0]}), new_axes())


def test_many_points_become_pixels_in_a_vector_file(axes):
    rng = np.random.default_rng(0)
    n, d = rng.uniform(1e6, 1e9, 100_000), rng.uniform(1e8, 1e11, 100_000)
    design(Runs.from_columns({"N": n, "D": d, "loss": 2 + 400 / n**0.3}), axes)
    assert axes.collections[0].get_rasterized()


def test_inputs_that_may_be_zero_are_drawn_evenly(axes):
    s1 = np.tile(np.linspace(1, 20, 12), 3)
    s2 = np.repeat([0.0, 0.4, 0.8], 12)
    loss = 2 + 1.5 / s1**0.5 - 0.2 * s2
    runs = Runs.from_columns({"S1": s1, "S2": s2, "loss": loss * np.exp(np.random.default_rng(0).normal(0, 1e-3, 36))})
    fitted = fit(law("annealing"), runs)
    residuals(fitted, axes, against="S2")
    assert axes.get_xscale() == "linear"
    fit_against_measured(fitted, new_axes())
    ensemble = bootstrap(fitted, draws=40)
    other = new_axes()
    forecast_fan(forecast(ensemble, {"S1": 40.0, "S2": 0.9}), ensemble, other)
    assert crowded(other) == []
