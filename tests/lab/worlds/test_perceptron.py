import numpy as np
import pytest

from isoflop.errors import DataError, SpecError
from isoflop.lab.worlds import largest_margin, perceptron

# Errors of the published table, d = 100 and the oracle's margin: load, share kept, hard, easy, random.
PUBLISHED = [
    (1, 0.5, 0.409, 0.247, 0.331),
    (4, 0.5, 0.130, 0.114, 0.193),
    (8, 0.5, 0.059, 0.069, 0.115),
    (16, 0.25, 0.032, 0.052, 0.113),
]


@pytest.fixture(scope="module")
def world():
    return perceptron()


def error(runs, load, keep, rule):
    rows = (runs["load"] == load) & (runs["keep"] == keep) & (np.array(runs.text("family")) == rule)
    return runs["loss"][rows]


@pytest.mark.parametrize(("load", "keep", "hard", "easy", "random"), PUBLISHED)
def test_published_table(world, load, keep, hard, easy, random):
    runs, _ = world
    for rule, published in (("hard", hard), ("easy", easy), ("random", random)):
        found = error(runs, load, keep, rule)
        # eight repetitions here and there: three standard errors of the difference, of about .01 at small loads
        noise = 3 * np.sqrt(2) * found.std(ddof=1) / np.sqrt(len(found))
        assert found.mean() == pytest.approx(published, abs=noise)


def test_hard_examples_win_only_where_examples_abound(world):
    runs, _ = world
    gain = [(error(runs, load, 0.5, "easy") - error(runs, load, 0.5, "hard")) for load in (1, 2, 4, 8, 16)]
    assert [g.mean() > 0 for g in gain] == [False, False, False, True, True]  # crosses between loads 4 and 8
    assert all((error(runs, load, 0.5, "easy") < error(runs, load, 0.5, "random")).all() for load in (1, 2, 4, 8, 16))


def test_the_hardest_examples_are_the_support_vectors(world):
    # a student of largest margin sees no difference once the kept half holds every support vector
    runs, _ = world
    assert error(runs, 16, 0.5, "hard") == pytest.approx(error(runs, 16, 1.0, "hard"), abs=1e-9)
    assert (error(runs, 4, 0.5, "hard") > error(runs, 4, 1.0, "hard")).all()


def test_random_examples_follow_the_inverse_law():
    runs, truth = perceptron(loads=(4, 8, 16, 32), keeps=(1.0,), rules=("random",), repetitions=6)
    found = np.polyfit(np.log(runs["D"]), np.log(runs["loss"]), 1)[0]
    assert found == pytest.approx(-truth.random_exponent, abs=0.08)


def test_error_is_the_angle_to_the_teacher():
    # two dimensions, where the direction of largest margin bisects the two outermost examples
    signed = np.array([[np.cos(a), np.sin(a)] for a in (-0.3, 0.1, 0.9)])
    assert np.arctan2(*largest_margin(signed)[::-1]) == pytest.approx(0.3)


def test_solver_against_scikit_learn():
    svm = pytest.importorskip("sklearn.svm")
    rng = np.random.default_rng(0)
    examples = rng.standard_normal((150, 20))
    labels = np.sign(examples @ rng.standard_normal(20))
    direction = largest_margin(examples * labels[:, None])
    # scikit-learn's kernel machine has an intercept; mirrored examples make it zero
    machine = svm.SVC(kernel="linear", C=1e8, tol=1e-8)
    machine.fit(np.vstack([examples, -examples]), np.concatenate([labels, -labels]))
    other = machine.coef_[0] / np.linalg.norm(machine.coef_[0])
    assert direction == pytest.approx(other, abs=1e-5)


def test_a_poor_probe_spoils_hard_pruning():
    sharp, _ = perceptron(loads=(16,), keeps=(0.25,), rules=("hard",), repetitions=4)
    blunt, _ = perceptron(loads=(16,), keeps=(0.25,), rules=("hard",), repetitions=4, probe_angle=30)
    assert (blunt["loss"] > 1.5 * sharp["loss"]).all()


def test_examples_that_no_direction_separates_are_refused():
    with pytest.raises(DataError, match="no direction through the origin separates these 2 examples"):
        largest_margin(np.array([[1.0, 0.0], [-1.0, 0.0]]))


def test_unknown_rules_are_refused():
    with pytest.raises(SpecError, match="rules are hard, easy and random"):
        perceptron(rules=("hardest",))
