"""What is doubted in a table before anything is fitted: bad values, copies, units, FLOPs, conventions, design."""

import numpy as np
import polars as pl
import pytest

from isoflop import check, fit, law, read_runs
from isoflop.errors import DataError
from isoflop.runs import Runs
from isoflop.runs.checks.design import fewer_values


def grid(**more):
    """Nine sound runs: three sizes and three durations over a decade each, C = 6ND, total parameters."""
    n, d = (each.ravel() for each in np.meshgrid([1e8, 4e8, 2e9], [1e10, 4e10, 2e11]))
    columns = {"N": n, "D": d, "C": 6 * n * d, "loss": np.linspace(3.5, 2.5, 9), **more}
    return Runs.from_columns(columns, conventions={"N": "total"})


def codes(runs):
    return [finding.code for finding in check(runs)]


def found(runs, code):
    (one,) = [finding for finding in check(runs) if finding.code == code]
    return one


def replaced(name, position, value):
    column = grid()[name].copy()
    column[position] = value
    return grid().with_column(name, column)


def test_sound_runs_raise_nothing_but_their_number():
    assert codes(grid()) == ["few-runs"]
    n, d = (each.ravel() for each in np.meshgrid([1e8, 4e8, 2e9, 6e9], [1e10, 4e10, 2e11]))
    twelve = Runs.from_columns({"N": n, "D": d, "loss": np.linspace(3.5, 2.5, 12)}, conventions={"N": "total"})
    assert check(twelve) == ()


def test_eight_runs_are_few():
    assert found(grid().take(np.arange(9) < 8), "few-runs").message.startswith("8 runs: a law of N and D")


@pytest.mark.parametrize(
    ("name", "value", "says", "keep"),
    [
        ("N", 0.0, "1 of 9 rows has N ≤ 0 (row 3)", "N > 0"),
        ("D", -1.0, "1 of 9 rows has D ≤ 0 (row 3)", "D > 0"),
        ("loss", np.nan, "1 of 9 rows has no finite loss (row 3)", "finite(loss)"),
        ("loss", np.inf, "1 of 9 rows has no finite loss (row 3)", "finite(loss)"),
        ("loss", -2.0, "1 of 9 rows has loss ≤ 0 (row 3)", "loss > 0"),
        ("C", np.nan, "1 of 9 rows has no finite C (row 3)", "finite(C)"),
    ],
)
def test_bad_values_are_errors_with_their_rows_and_a_selection_that_mends(name, value, says, keep):
    bad = replaced(name, 2, value)
    finding = found(bad, "bad-values")
    assert finding.level == "error" and finding.message.startswith(says) and finding.rows == (3,)
    assert f'--where "{keep}"' in finding.remedy
    mended = bad.where(keep)
    assert len(mended) == 8 and "bad-values" not in codes(mended)


def test_many_bad_rows_are_counted_and_the_first_five_named():
    runs = grid().with_column("loss", np.where(np.arange(9) < 7, np.nan, 3.0))
    assert "7 of 9 rows have no finite loss (rows 1, 2, 3, 4, 5 and 2 more)" in found(runs, "bad-values").message


def test_the_most_serious_comes_first():
    levels = [finding.level for finding in check(replaced("loss", 0, -1.0).take(np.arange(9) < 3))]
    assert levels == sorted(levels, key=["error", "warning", "note"].index) and {"error", "warning"} <= set(levels)


def test_copies_are_doubted_unless_a_seed_tells_them_apart():
    twice = read_runs(pl.concat([grid().to_polars(), grid().to_polars()[:2]]), conventions={"N": "total"})
    copies = found(twice, "duplicate-rows")
    assert copies.level == "warning" and copies.rows == (1, 2, 10, 11)
    assert copies.message.startswith("4 rows occur more than once (rows 1, 2, 10, 11)")
    seeded = twice.with_column("seed", [str(number) for number in range(11)])
    assert "duplicate-rows" not in codes(seeded)


@pytest.mark.parametrize(
    ("losses", "unit", "doubted"),
    [
        (np.linspace(3.5, 2.5, 9), "nats/token", False),
        (np.linspace(9.0, 2.5, 9), "nats/token", False),
        (np.linspace(40.0, 9.0, 9), "nats/token", True),
        (np.linspace(12.0, 6.5, 9), "nats/token", True),  # the perplexity of good models
        ([*np.linspace(3.0, 2.0, 8).tolist(), 55.0], "nats/token", True),
        (np.linspace(17.0, 4.0, 9), "bits/token", True),
        (np.linspace(9.0, 4.0, 9), "bits/token", False),
        (np.linspace(40.0, 9.0, 9), "error rate", False),
    ],
)
def test_losses_beyond_a_uniform_guess_look_like_perplexity(losses, unit, doubted):
    n, d = grid()["N"], grid()["D"]
    runs = Runs.from_columns({"N": n, "D": d, "loss": losses}, units={"loss": unit}, conventions={"N": "total"})
    assert ("looks-like-perplexity" in codes(runs)) == doubted
    if doubted:
        doubt = found(runs, "looks-like-perplexity")
        assert "this looks like perplexity" in doubt.message and "--unit loss=perplexity" in doubt.remedy


def test_values_that_differ_only_far_down_a_table_are_counted():
    same = np.full(5_000, 3.0)
    assert fewer_values(same, 2, decimals=6)
    late = same.copy()
    late[-1] = 4.0
    assert not fewer_values(late, 2, decimals=6)
    assert fewer_values(late, 3, decimals=6)


def test_perplexity_that_was_said_is_not_doubted():
    frame = grid().to_polars().with_columns(pl.Series("loss", np.linspace(40.0, 9.0, 9)))
    assert "looks-like-perplexity" in codes(read_runs(frame))
    assert "looks-like-perplexity" not in codes(read_runs(frame, units={"loss": "perplexity"}))


def test_flops_that_are_not_6nd_are_doubted_with_their_ratio():
    runs = grid(C=6 * grid()["N"] * grid()["D"] * 3)
    doubt = found(runs, "flops-not-6nd")
    assert "in 9 of 9 rows" in doubt.message and "median C/6ND 3" in doubt.message
    assert "flops-not-6nd" not in codes(grid(C=6 * grid()["N"] * grid()["D"] * 1.5))
    derived = read_runs(pl.DataFrame({"N": [1e8, 2e8], "C": [1e18, 2e19], "loss": [3.0, 2.9]}))
    assert "flops-not-6nd" not in codes(derived)


def test_a_count_of_parameters_without_its_convention_is_noted():
    frame = grid().to_polars()
    assert found(read_runs(frame), "params-convention").level == "note"
    assert "params-convention" not in codes(read_runs(frame, conventions={"N": "non-embedding"}))
    assert "params-convention" not in codes(read_runs(frame.rename({"N": "total_params"})))
    assert "params-convention" not in codes(read_runs(frame.rename({"N": "params (non-embedding)"})))


def test_designs_that_cannot_test_a_power_law_are_doubted():
    assert "N (model parameters) has only 2 distinct values" in found(grid().where("N < 1e9"), "few-sizes").message
    assert "D (training tokens) has only 1 distinct value;" in found(grid().where("D < 2e10"), "few-sizes").message
    narrow = found(grid().with_column("N", np.tile([1e8, 2e8, 4e8], 3)).with_column("C", np.ones(9)), "narrow-range")
    assert "N (model parameters) spans 0.60 decades, a factor of 4" in narrow.message
    ray = Runs.from_columns({"N": [1e8, 1e9, 1e10], "D": [2e9, 2e10, 2e11], "loss": [3.0, 2.5, 2.0]})
    assert "N and D move together (correlation of logarithms 1.000)" in found(ray, "collinear").message


@pytest.mark.parametrize(
    "columns",
    [
        {"loss": [1.0]},
        {"N": [1.0], "D": [1.0], "loss": [1.0]},
        {"N": [np.nan], "D": [np.inf], "loss": [np.nan]},
        {"N": [0.0, 0.0], "D": [0.0, 0.0], "C": [0.0, 0.0], "loss": [0.0, 0.0]},
        {"N": [1e308, 1e-308], "D": [1e308, 1e-308], "loss": [1e308, 1e-308]},
        {"x": [1.0, 2.0]},
    ],
    ids=lambda columns: ",".join(columns),
)
def test_no_table_is_too_strange_to_be_checked(columns):
    for finding in check(Runs.from_columns(columns)):
        assert finding.message and finding.remedy


def test_findings_are_plain_values_for_scripts():
    plain = found(replaced("loss", 2, -2.0), "bad-values").as_dict()
    assert list(plain) == ["code", "level", "message", "remedy", "rows"] and plain["rows"] == [3]


def test_a_table_without_a_loss_or_without_inputs_says_so():
    scores = Runs.from_columns({"N": [1e8, 2e8, 4e8], "D": [1e9, 2e9, 4e9], "quiz": [0.3, 0.4, 0.5]})
    (finding,) = [each for each in check(scores) if each.code == "no-loss"]
    assert "'quiz'" in finding.message and "--column loss=" in finding.remedy
    losses = Runs.from_columns({"loss": [3.0, 2.9, 2.8], "size": [1.0, 2.0, 3.0]})
    assert {each.code for each in check(losses)} >= {"no-inputs"}


def test_flops_that_were_computed_are_not_missing_twice():
    runs = Runs.from_columns({"N": [1e8, np.nan, 4e8], "D": [1e9, 2e9, 4e9], "loss": [3.0, 2.9, 2.8]})
    assert [each.message for each in check(runs) if each.code == "bad-values"] == [
        "1 of 3 rows has no finite N (row 2)."
    ]


def test_values_that_are_bad_in_every_row_are_not_to_be_left_out():
    table = pl.DataFrame({"N": [1e6, 2e6], "D": [1e9, 1e9], "log likelihood": [-3.2, -3.0]})
    runs = read_runs(table, columns={"loss": "log likelihood"})
    assert 'give --derive "loss = -`log likelihood`"' in found(runs, "bad-values").remedy
    mended = read_runs(table, derive={"loss": "-`log likelihood`"})
    assert "bad-values" not in codes(mended)
    zeros = grid().with_column("D", np.zeros(9))
    remedy = found(zeros, "bad-values").remedy
    assert "--where" not in remedy and "--column D=HEADER" in remedy
    with pytest.raises(DataError, match="--column D=HEADER"):
        fit(law("chinchilla"), zeros)
