"""Which groups are resampled together: by the correlation of their residuals."""

import numpy as np
import pytest
from scipy import stats

from isoflop import Runs, law
from isoflop.fitting import fit, squares
from isoflop.uncertainty.joint_bootstrap import joint_bootstrap
from isoflop.uncertainty.pairing import clusters, correlation, go_together, student_scales


def fits(common, *, groups=2, runs=12, seed=0, noise=0.004):
    rng = np.random.default_rng(seed)
    compute, found = np.geomspace(1e18, 1e22, runs), []
    shared = rng.standard_normal(runs)
    for share in [common] * groups if np.isscalar(common) else common:
        off = np.sqrt(share) * shared + np.sqrt(1 - share) * rng.standard_normal(runs)
        loss = (1.8 + 1.2 * (compute / 1e18) ** -0.2) * np.exp(noise * off)
        found.append(
            fit(law("E + A/C^alpha"), Runs.from_columns({"C": compute, "loss": loss}), objective=squares(), starts=8)
        )
    return found


def test_the_test_of_a_correlation_is_students():
    rng = np.random.default_rng(1)
    for count in (6, 12, 30):
        x = rng.standard_normal(count)
        for weight in (0.3, 0.6, 1.0):
            y = weight * x + rng.standard_normal(count)
            r = correlation(x, y)
            p = stats.pearsonr(x, y, alternative="greater").pvalue
            assert go_together(r, count, 1) == (p < 0.05)  # one parameter, the mean


def test_too_few_configurations_and_constant_residuals_show_nothing():
    assert not go_together(0.9999, 4, 3) and go_together(0.9999, 5, 3)
    assert correlation(np.zeros(5), np.arange(5.0)) == 0 and not go_together(-0.99, 30, 3)


def test_groups_are_joined_through_others():
    assert clusters(5, [(0, 3), (3, 4)]) == (0, 1, 2, 0, 0)
    assert clusters(4, [(2, 3), (0, 1), (1, 3)]) == (0, 0, 0, 0)
    assert clusters(3, []) == (0, 1, 2)


def test_a_cluster_has_one_factor_with_students_spread():
    scales = student_scales({0: 8, 2: 5}, (0, 0, 2), 20_000, seed=3)
    assert (scales[0] == scales[1]).all() and (scales[2] == 1).all()
    drawn = scales[0] * np.random.default_rng(0).standard_normal(20_000)
    assert np.quantile(drawn, 0.95) == pytest.approx(stats.t(8).ppf(0.95), rel=0.04)


@pytest.mark.parametrize(("common", "paired"), [(0.95, True), (0.0, False)])
def test_noise_in_common_is_paired_and_independent_noise_is_not(common, paired):
    joint = joint_bootstrap(fits(common), draws=20)
    assert joint.paired is paired and joint.shared == {(0, 1): 12}
    assert (joint.correlations[0, 1] > 0.8) is paired
    assert len(np.intersect1d(*joint.units)) == (12 if paired else 0)


def test_asked_for_draws_are_paired_whatever_the_residuals_are():
    made = fits(0.0)
    assert joint_bootstrap(made, draws=20, paired=True).paired
    assert not joint_bootstrap(fits(0.95), draws=20, paired=False).paired


def test_a_group_of_its_own_noise_is_drawn_by_itself():
    joint = joint_bootstrap(fits((0.97, 0.0, 0.97), seed=2), draws=30)
    assert joint.clusters == (0, 1, 0) and joint.together(0, 2) and not joint.together(0, 1)
    assert len(np.intersect1d(joint.units[0], joint.units[2])) == 12
    assert len(np.intersect1d(joint.units[0], joint.units[1])) == 0
