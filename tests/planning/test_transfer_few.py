"""The loss on a new data set from a sweep on another and one to four runs: what is known beforehand and what is not."""

import itertools
import math

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, huber, law
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.transfer_few import PRIOR_SPREAD, transfer_from_few

N, D = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.5, 5), np.logspace(10, 11.5, 4)))
SWEEP = 1.5 + 60 / N**0.25 + 90 / D**0.25


def drawn(loss, n=N, d=D, form="chinchilla", draws=40):
    runs = Runs.from_columns({"N": n, "D": d, "loss": loss})
    return bootstrap(fit(law(form), runs, objective=huber(1e-3)), draws=draws, restarted=0)


def few(rows, loss):
    rows = np.atleast_1d(rows)
    return Runs.from_columns({"N": N[rows], "D": D[rows], "loss": np.asarray(loss)[rows]})


@pytest.fixture(scope="module")
def source():
    rng = np.random.default_rng(0)
    return drawn(SWEEP * np.exp(0.003 * rng.standard_normal(20)))


def test_one_run_keeps_the_prior_and_the_interval_grows_with_distance(source):
    new = 1.3 * SWEEP
    near, far = (transfer_from_few(source, few(10, new), measured=scale * SWEEP[10]) for scale in (0.98, 0.8))
    assert near.gamma.value == 1.0 and near.gamma.high - 1 == pytest.approx(1.645 * PRIOR_SPREAD, rel=1e-3)
    assert near.loss.value == pytest.approx(1.3 * 0.98 * SWEEP[10], rel=0.01)
    width = math.log(far.loss.high / far.loss.low)
    assert width == pytest.approx(2 * 1.645 * PRIOR_SPREAD * math.log(1 / 0.8), rel=0.05)
    assert math.log(near.loss.high / near.loss.low) < width / 4 and far.runs == 1 and far.x == near.x


def test_further_runs_draw_the_power_to_theirs(source):
    new = 0.9 * SWEEP**1.3
    found = transfer_from_few(source, few([0, 7, 13, 18], new), measured=0.9 * SWEEP.min())
    truth = 0.9 * (0.9 * SWEEP.min()) ** 1.3
    assert 1.2 < found.gamma.value < 1.35 and found.loss.low < truth < found.loss.high
    assert found.loss.value == pytest.approx(truth, rel=0.02)


def test_the_law_of_a_stands_in_for_a_loss_that_was_not_measured(source):
    one = few(10, 1.3 * SWEEP)
    at = {"N": 1e10, "D": 1e12}
    loss = 1.5 + 60 / at["N"] ** 0.25 + 90 / at["D"] ** 0.25
    by_law, measured = transfer_from_few(source, one, at=at), transfer_from_few(source, one, measured=loss)
    assert by_law.measured is None and by_law.asked == pytest.approx(loss, rel=0.03)
    assert by_law.loss.high - by_law.loss.low > measured.loss.high - measured.loss.low
    elsewhere = Runs.from_columns({"N": [5e8], "D": [5e10], "loss": [2.0]})  # no run of A is there
    assert transfer_from_few(source, elsewhere, measured=2.0).x[0] == pytest.approx(
        1.5 + 60 / 5e8**0.25 + 90 / 5e10**0.25, rel=0.01
    )


def test_what_cannot_be_told_is_refused_in_a_sentence(source):
    with pytest.raises(IsoflopError, match="'B' has 1 run, which give no line .* --at N=7B --at D=1T"):
        transfer_from_few(source, few(10, SWEEP))
    with pytest.raises(DataError, match="'B' has 5 runs; a transfer from few runs takes 1 to 4"):
        transfer_from_few(source, few(np.arange(5), SWEEP), measured=2.0)
    far = transfer_from_few(source, few(0, SWEEP), measured=0.5 * SWEEP[0])
    assert "transfer-extrapolated" in {each.code for each in far.findings}


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "least"), [("c4_original", 0.82), ("rpj", 0.88)])
def test_intervals_hold_on_tables_on_which_the_prior_was_not_measured(tables, corpus, least):
    table = pl.read_csv(tables / "overtraining-gadre" / "runs_with_downstream_colpret.csv")
    table = table.filter(pl.col("dataset_name") == corpus)
    names = [each for each in table.columns if each.startswith("loss_") and "upper" not in each and "lower" not in each]
    known = table.select("N", "D", *names).drop_nulls()
    n, d = known["N"].to_numpy().astype(float), known["D"].to_numpy().astype(float)
    losses = {name: known[name].to_numpy() for name in names}
    laws = {name: drawn(loss, n, d, "E + (A/N^(alpha/beta) + B/D)^beta", draws=20) for name, loss in losses.items()}
    inside, misses, still = [], [], []
    for a, b in itertools.permutations(losses, 2):
        order = np.argsort(-losses[b])
        middle = order[(len(order) - 1) // 2]
        one = Runs.from_columns({"N": n[[middle]], "D": d[[middle]], "loss": losses[b][[middle]]})
        for row in order[int(0.9 * len(order)) :]:
            found = transfer_from_few(laws[a], one, measured=float(losses[a][row])).loss
            inside.append(found.low <= losses[b][row] <= found.high)
            misses.append(abs(math.log(found.value / losses[b][row])))
            still.append(math.log(losses[b][middle] / losses[b][row]))
    assert np.mean(inside) >= least and np.mean(misses) < np.mean(still) / 2
