"""Loss to loss: exact without noise, refusals, and thirty transfers to runs that every law misses."""

import numpy as np
import polars as pl
import pytest

from isoflop import Runs, bootstrap, fit, forecast, huber, law
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.transfer import floor_of, transfer

LOSS = law("chinchilla")
N, D = (each.ravel() for each in np.meshgrid(np.logspace(8, 9.5, 5), np.logspace(10, 11.5, 4)))
ABOVE = 60 / N**0.25 + 90 / D**0.25


def drawn(loss, *, n=N, d=D, draws=40, of=LOSS):
    fitted = fit(of, Runs.from_columns({"N": n, "D": d, "loss": loss}), objective=huber(1e-3))
    return bootstrap(fitted, draws=draws, restarted=0)


def test_without_noise_the_line_is_exact():
    # with kappa = 1 both losses follow Chinchilla's form
    found = transfer(drawn(1.5 + ABOVE), drawn(0.8 + 0.6 * ABOVE), measured=1.8)
    assert found.pairs == 20 and found.error < 1e-6
    assert (found.kappa.value, found.factor.value) == pytest.approx((1.0, 0.6), rel=1e-3)
    assert (found.floor_a.value, found.floor_b.value) == pytest.approx((1.5, 0.8), rel=1e-3)
    assert found.loss.value == pytest.approx(0.8 + 0.6 * 0.3, rel=1e-3)
    assert found.beyond == pytest.approx(1.5 + ABOVE.min() - 1.8) and found.at(1.4) != found.at(1.4)


def test_only_runs_at_equal_inputs_are_paired_and_repeats_averaged():
    some = np.r_[0:12, 3]
    b = 0.8 + 0.6 * ABOVE
    twice = np.r_[b[:12], b[3] + 0.02]
    found = transfer(drawn(1.5 + ABOVE), drawn(twice, n=N[some], d=D[some] * (1 + 1e-13)))
    assert found.pairs == 12 and found.loss is None
    assert found.y[np.isclose(found.x, 1.5 + ABOVE[3])] == pytest.approx(b[3] + 0.01)


def test_nine_new_losses_in_ten_lie_in_their_intervals():
    inside = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one, two = (drawn(loss * np.exp(0.003 * rng.standard_normal(20))) for loss in (1.5 + ABOVE, 0.8 + 0.6 * ABOVE))
        new = np.array([1.5 + 0.9 * ABOVE.min(), 0.8 + 0.6 * 0.9 * ABOVE.min()]) * np.exp(
            0.003 * rng.standard_normal(2)
        )
        found = transfer(one, two, measured=float(new[0]))
        inside += found.loss.low <= new[1] <= found.loss.high
    assert inside >= 15


def test_what_cannot_be_joined_is_refused_in_a_sentence():
    one = drawn(1.5 + ABOVE, draws=20)
    with pytest.raises(DataError, match=r"'A' and 'B' share 0 points of N, D, and a line .* needs 5"):
        transfer(one, drawn(0.8 + ABOVE, n=1.1 * N, draws=20))
    with pytest.raises(IsoflopError, match=r"must lie above its irreducible loss, 1\.5, not at 1\.2"):
        transfer(one, drawn(0.8 + 0.6 * ABOVE, draws=20), measured=1.2)
    with pytest.raises(IsoflopError, match="kaplan has no one free irreducible loss"):
        floor_of(law("kaplan"))
    alone = drawn(0.8 + 60 / N**0.25, of=law("E + A/N^alpha"), draws=20)
    with pytest.raises(IsoflopError, match="have other inputs"):
        transfer(one, alone)


VALIDATION = {
    "fineweb-edu-100b": "fineweb_edu_100b",
    "smollm-corpus": "smollm",
    "fineweb-100b": "fineweb_100b",
    "slimpajama-chunk1": "slimpajama",
    "proof-pile-2": "proof_pile_2",
    "starcoder": "starcoder",
}


def test_thirty_transfers_hit_what_six_laws_miss(tables):
    folder = tables / "loss-to-loss"
    sweep, large = pl.read_csv(folder / "sweep.csv"), pl.read_csv(folder / "extrapolation.csv")
    form = law("E + (A/N^(alpha/beta) + B/D)^beta")
    ensembles, measured = {}, {}
    for corpus, name in VALIDATION.items():
        column = f"eval/{name}_val/CrossEntropyLoss"
        own = sweep.filter((pl.col("data") == corpus) & pl.col(column).is_not_null())
        ensembles[corpus] = drawn(
            own[column].to_numpy(), n=own["params"].to_numpy(), d=own["tokens"].to_numpy(), draws=100, of=form
        )
        measured[corpus] = large.filter(pl.col("data") == corpus)[column].item()
    errors, covered = [], 0
    for one in VALIDATION:
        for two in VALIDATION:
            if one != two:
                found = transfer(ensembles[one], ensembles[two], measured=measured[one], names=(one, two))
                errors.append(found.loss.value / measured[two] - 1)
                covered += found.loss.low <= measured[two] <= found.loss.high
                if (one, two) == ("fineweb-100b", "starcoder"):  # printed by the authors
                    assert found.kappa.value == pytest.approx(1.0904140724708045, rel=1e-4)
                    assert found.factor.value == pytest.approx(0.6230307900469053, rel=1e-4)
    assert np.abs(errors).mean() == pytest.approx(0.0092, abs=5e-5)
    assert np.abs(errors).max() < 0.021 and covered >= 27
    at = {"N": 3309980160.0, "D": 50352769083.264435}
    off = [forecast(each, at).law_loss.value / measured[name] - 1 for name, each in ensembles.items()]
    assert min(off) > 0.03 and max(off) < 0.05
