"""Mixtures by transport: the gradient of the divergence, the minimum within caps, and the check by a third size."""

import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.selection.transported import Samples, geometry, plan_transport

DRAWS = np.random.default_rng(0)
CENTERS = np.array([[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
SOURCES = [Samples(each + DRAWS.normal(size=(40, 2))) for each in CENTERS]
TARGET = Samples(np.concatenate([CENTERS[k] + DRAWS.normal(size=(20, 2)) for k in (0, 0, 1)]))
SPACE = geometry(SOURCES, TARGET)
GRID = np.array([(i / 4, j / 4, 1 - (i + j) / 4) for i in range(5) for j in range(5 - i)])


def _runs(*, sizes=(100.0, 400.0, 1600.0), curve=0.0):
    """A loss linear in transport and in ln D, or curved by ``curve``."""
    far, _ = SPACE.transport(GRID)
    rows = {"a": [], "b": [], "c": [], "D": [], "loss": []}
    for size in sizes:
        for p, ot in zip(GRID, far, strict=True):
            step = np.log(size / 100)
            rows["a"].append(p[0])
            rows["b"].append(p[1])
            rows["c"].append(p[2])
            rows["D"].append(size)
            rows["loss"].append(2 + 0.2 * ot - (0.1 - 0.01 * ot) * step + curve * step**2)
    return Runs.from_columns(rows)


def test_the_gradient_is_that_of_the_divergence():
    p, step = np.array([0.5, 0.3, 0.2]), 1e-4
    _, slopes = SPACE.transport(p)
    for one, other in ((0, 1), (1, 2)):
        moved = np.zeros(3)
        moved[one], moved[other] = step, -step
        ahead, behind = SPACE.transport(p + moved)[0][0], SPACE.transport(p - moved)[0][0]
        assert slopes[0, one] - slopes[0, other] == pytest.approx((ahead - behind) / (2 * step), rel=0.02)


def test_the_mixture_nearest_to_the_target_is_found_and_projected():
    found = plan_transport(_runs(), SPACE, at=6400, draws=20)
    assert found.features.startswith("transport") and found.check == pytest.approx(0, abs=1e-9)
    finer = np.array([(i / 20, j / 20, 1 - (i + j) / 20) for i in range(21) for j in range(21 - i)])
    nearest = SPACE.transport(finer)[0].min()
    assert found.transport <= nearest + 1e-3 and found.shares[0] == pytest.approx(2 / 3, abs=0.1)
    step = np.log(64)
    assert found.loss.value == pytest.approx(
        2 + 0.2 * found.transport - (0.1 - 0.01 * found.transport) * step, abs=0.02
    )
    assert {each.code for each in found.findings} == set()


def test_caps_are_kept():
    found = plan_transport(_runs(), SPACE, at=6400, domains=["a", "b", "c"], caps=[0.3, 1.0, 0.2], draws=20)
    assert found.shares[0] <= 0.3 + 1e-9 and found.shares[2] <= 0.2 + 1e-9 and sum(found.shares) == pytest.approx(1)


def test_a_curve_in_the_logarithm_of_the_size_is_reported():
    codes = {each.code for each in plan_transport(_runs(curve=0.1), SPACE, at=6400, draws=20).findings}
    assert "projection-curved" in codes
    two = plan_transport(_runs(sizes=(100.0, 400.0)), SPACE, at=6400, draws=20)
    assert np.isnan(two.check) and "projection-unchecked" in {each.code for each in two.findings}
    steep = plan_transport(_runs(), SPACE, at=1e14, draws=20)
    assert ("projection-negative", "error") in {(each.code, each.level) for each in steep.findings}


def test_classes_that_differ_are_farther_apart():
    labels = np.zeros(40, dtype=int)
    plain = [Samples(each.points, labels + k) for k, each in enumerate(SOURCES)]
    target = Samples(TARGET.points, np.repeat([0, 0, 1], 20))
    with_classes = geometry(plain, target, label_weight=5.0)
    assert with_classes.transport([[0, 0, 1.0]])[0] > SPACE.transport([[0, 0, 1.0]])[0] + 4
    with pytest.raises(DataError, match="give all or none"):
        geometry(plain, TARGET)


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        (_runs(sizes=(100.0,)), {}, "has one size, D = 100"),
        (_runs(), {"at": 1600}, "must lie above the largest measured, 1.6K"),
        (_runs(), {"caps": [0.1, 0.1, 0.1]}, "add up to 0.3 leave no mixture"),
        (_runs().take(np.arange(45) % 15 < 8), {}, "8 mixtures were trained at every size"),
    ],
)
def test_bad_tables_and_options_are_refused(runs, options, message):
    with pytest.raises((DataError, IsoflopError), match=message):
        plan_transport(runs, SPACE, **{"at": 6400, "draws": 20, **options})


def test_samples_that_no_distance_can_tell_apart_are_refused():
    wide = Samples(np.ones((40, 3)))
    with pytest.raises(DataError, match="samples have 2, 3 dimensions"):
        geometry([SOURCES[0], wide], TARGET)
    with pytest.raises(DataError, match="whose squared distances no number holds"):
        geometry([SOURCES[0], Samples(1e200 * SOURCES[1].points)], TARGET)
    same = geometry([Samples(np.ones((40, 2)))] * 3, Samples(np.ones((40, 2))))
    assert plan_transport(_runs(), same, at=6400, draws=20).correlation == 0


def test_a_loss_that_is_the_same_everywhere_is_refused():
    runs = _runs()
    with pytest.raises(DataError, match="is 0.5 in every mixture of one size"):
        plan_transport(runs.with_column("loss", np.full(len(runs), 0.5)), SPACE, at=6400)


def test_sources_and_shares_must_agree():
    with pytest.raises(DataError, match="need as many sources"):
        plan_transport(_runs(), geometry(SOURCES[:2], TARGET), at=6400)
