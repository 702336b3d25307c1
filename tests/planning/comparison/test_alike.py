"""Groups that deviate from their laws alike have the same model error; others have their own."""

import numpy as np

import isoflop
from isoflop.planning.comparison import compare_groups, groups_by
from isoflop.planning.comparison.alike import in_common


def two_groups(rng, *, alike, noise=0.001):
    """Power laws with a floor whose log loss waves along compute, in step or by a quarter of a wave apart."""
    compute = np.geomspace(1e18, 1e22, 14)
    parts = []
    for number, floor in enumerate((1.8, 1.75)):
        phase = 0.0 if alike or not number else np.pi / 2
        wave = 0.01 * np.sin(2 * np.pi * np.log10(compute / 1e18) / 3 + phase)
        parts.append((floor + 1.2 * (compute / 1e18) ** -0.2) * np.exp(wave + noise * rng.standard_normal(14)))
    columns = {"C": np.tile(compute, 2), "loss": np.concatenate(parts), "recipe": ["a"] * 14 + ["b"] * 14}
    return groups_by(isoflop.Runs.from_columns(columns), "recipe")[0]


def test_model_error_is_common_where_residuals_are_alike():
    """In step, the gap is known better than out of step, where it is as wide as two errors; both hold the truth."""
    beyond, truth = 0.01 * np.sin(2 * np.pi * 5 / 3), {}
    truth[True] = -0.05 * np.exp(beyond)
    wave = 0.01 * np.sin(2 * np.pi * 5 / 3 + np.pi / 2)
    truth[False] = (1.75 + 0.12) * np.exp(wave) - (1.8 + 0.12) * np.exp(beyond)
    width, held = {True: [], False: []}, {True: 0, False: 0}
    for alike in (True, False):
        for seed in range(6):
            groups = two_groups(np.random.default_rng(seed), alike=alike)
            found = compare_groups(groups, draws=100, at={"C": [1e23]}, seed=seed)
            error = found.gaps[0].with_error
            width[alike].append(error.high - error.low)
            held[alike] += error.low <= truth[alike] <= error.high
            share = in_common(found.curves.joint)
            assert share.min() > 0.6 if alike else share.max() < 0.5
    assert np.median(width[True]) < 0.7 * np.median(width[False])
    assert held[True] >= 5
    assert held[False] >= 5


def test_independent_draws_have_independent_model_error():
    groups = two_groups(np.random.default_rng(1), alike=True)
    found = compare_groups(groups, draws=40, paired=False, at={"C": [1e23]})
    assert not in_common(found.curves.joint).any()


def test_the_error_of_each_group_keeps_its_distribution():
    """Pairing moves which draws belong together, not what a group's own draws are."""
    groups = two_groups(np.random.default_rng(2), alike=True)
    wide = {
        paired: compare_groups(groups, draws=400, paired=paired, at={"C": [1e23]}).scales[0].best_with_error
        for paired in (True, False)
    }
    assert wide[True][1] > wide[False][1]
    assert sum(wide[True]) == 1.0
