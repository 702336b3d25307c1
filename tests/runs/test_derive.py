"""Columns that are computed from others, and one row of each setting."""

import numpy as np
import polars as pl
import pytest

from isoflop import check, fit, law, read_runs
from isoflop.errors import DataError, FormulaError
from isoflop.runs import Runs

STEPS = pl.DataFrame(
    {
        "n_body": [8e6, 8e7, 8e8, 8e6, 8e7, 8e8],
        "n_head": [2e6, 2e7, 2e8, 2e6, 2e7, 2e8],
        "steps": [1000, 1000, 1000, 4000, 4000, 4000],
        "batch_size": [512] * 6,
        "context": [1024] * 6,
        "acc": [0.30, 0.40, 0.50, 0.34, 0.45, 0.56],
        "ppl": [30.0, 20.0, 14.0, 24.0, 16.0, 11.0],
        "tokens (B)": [0.5] * 6,
    }
)


def test_sizes_and_tokens_are_computed_and_told():
    runs = read_runs(STEPS, derive={"N": "n_body + n_head", "D": "steps * batch_size * context"})
    assert runs["N"].tolist()[:3] == [1e7, 1e8, 1e9] and runs["D"][3] == 4000 * 512 * 1024
    assert runs["C"] == pytest.approx(6 * runs["N"] * runs["D"])
    assert runs.columns["D"].derived == "steps * batch_size * context" and runs.columns["D"].header == ""


def test_a_derived_column_may_name_another_and_be_selected_and_predicted():
    derive = {"error": "1 - acc", "N": "n_body + n_head", "D": "steps * batch_size * context", "M": "D / N"}
    runs = read_runs(STEPS, derive=derive, where="M < 100 and error < 0.65")
    assert runs["M"] == pytest.approx(runs["D"] / runs["N"]) and (runs["error"] < 0.65).all() and len(runs) == 4
    whole = read_runs(STEPS, derive=derive)
    fitted = fit(law("error = A/N^a + B/D^b"), whole)
    assert fitted.law.response == "error" and fitted.data.loss_unit == "error"
    assert np.abs(fitted.predict({"N": whole["N"], "D": whole["D"]}) / whole["error"] - 1).max() < 0.05


def test_words_become_numbers_by_comparison_and_missing_words_stay_missing():
    table = STEPS.with_columns(optimizer=pl.Series(["adam", "muon", "adam", None, "muon", "sgd"]))
    runs = read_runs(table, derive={"muon": "optimizer == 'muon'", "code": "1*(optimizer != 'adam') + 10*(acc > 0.4)"})
    assert runs["muon"].tolist() == pytest.approx([0, 1, 0, float("nan"), 1, 0], nan_ok=True)
    assert runs["code"][[0, 1, 2, 4]].tolist() == [0, 1, 10, 11]
    with pytest.raises(DataError, match=r"compute a number from them: --derive \"is_optimizer = optimizer == 'adam'\""):
        runs["optimizer"]


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("`tokens (B)` * 1e9", 5e8),
        ("2^10 * steps", 1024e3),
        ("max(steps, 2000)", 2000.0),
        ("min(steps, batch_size)", 512.0),
        ("sqrt(steps) + exp(0) - log(1)", 1000**0.5 + 1),
        ("-(steps - 2_000)", 1000.0),
        ("row * 1", 1.0),
        ("70M * 1", 70e6),
        ("steps*2^10/-2", -512e3),
        ("-2^2 * row", -4.0),
        ("steps == 1000", 1.0),
        ("3 * (acc > 0.3) + 1", 1.0),
        ("not (steps >= 2000 or ppl < 5)", 1.0),
        ("steps in [1000, 3000] and ppl == 30", 1.0),
    ],
)
def test_the_arithmetic_of_a_derived_column(formula, value):
    assert read_runs(STEPS, derive={"width": formula})["width"][0] == pytest.approx(value)


def test_a_name_of_the_table_itself_means_the_column_of_the_file():
    runs = read_runs(STEPS.with_columns(N=pl.col("n_body")), derive={"N": "N * 2", "loss": "log(ppl)"})
    assert runs["N"][0] == 16e6 and runs["loss"] == pytest.approx(np.log(STEPS["ppl"].to_numpy()))
    assert runs.loss_unit == "nats/token"


def test_a_scale_of_the_header_counts_in_formulas_by_symbol_and_not_by_header():
    runs = read_runs(STEPS, derive={"by_symbol": "D / 1e6", "by_header": "`tokens (B)`"})
    assert runs["by_symbol"][0] == 500 and runs["by_header"][0] == 0.5


@pytest.mark.parametrize(
    ("derive", "says"),
    [
        ({"D": "steps * batches"}, "batches"),
        ({"D": "steps *"}, "D"),
        ({"D": "__import__('os')"}, ""),
        ({"D": "steps.real"}, ""),
        ({"D": "steps = 3"}, "="),
        ({"D": "steps // 3"}, "//"),
        ({"D": "steps % 3"}, "%"),
        ({"a": "b + 1", "b": "a + 1"}, "name each other in a ring"),
        ({"D": "steps / 0"}, ""),
        ({"D": "log(0 * steps)"}, "no finite number"),
        ({"row": "steps"}, "cannot be named"),
        ({"2x": "steps"}, "cannot be named"),
        ({"D": "(" * 300 + "steps" + ")" * 300}, ""),
        ({"D": "+".join(["steps"] * 5_000)}, ""),
        ({f"x{at}": "steps" for at in range(60)}, "at most 50"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_a_sentence(derive, says):
    with pytest.raises((DataError, FormulaError)) as refused:
        read_runs(STEPS, derive=derive)
    sentence = str(refused.value).splitlines()[0]
    assert says in sentence and len(sentence) < 400


def test_text_in_a_formula_is_refused_with_its_cell_and_copied_by_name():
    table = STEPS.with_columns(kind=pl.Series(["a", "b"] * 3))
    with pytest.raises(DataError, match="'kind' .* holds text"):
        read_runs(table, derive={"D": "kind * 2"})
    assert read_runs(table, derive={"family": "kind"}).text("family") == ["a", "b"] * 3


SWEEP = pl.DataFrame(
    [
        {"N": n, "D": d, "lr": lr, "tag": tag, "loss": 2 + 1e8 / n + 1e9 / d + 0.1 * np.log(lr / 1e-3) ** 2}
        for n in (1e8, 1e9) for d in (1e9, 1e10) for lr, tag in ((3e-4, "low"), (1e-3, "mid"), (3e-3, "high"))
    ]
)  # fmt: skip


@pytest.mark.parametrize("per", [("N", "D"), ("N", "D", "C")])
def test_the_best_row_of_each_setting_is_kept(per):
    best = read_runs(SWEEP, best="loss", per=per)
    assert len(best) == 4 and best["lr"].tolist() == [1e-3] * 4
    assert "4 of 12 rows are left" in next(each for each in best.findings if each.code == "best-rows").message


def test_rows_near_the_best_the_highest_and_the_whole_table():
    assert len(read_runs(SWEEP, best="loss", per=("N", "D"), within=0.5)) == 12
    assert len(read_runs(SWEEP, best="loss", per=("N", "D"), within=0.04)) < 12
    assert read_runs(SWEEP, best="-lr", per=("N",)).text("tag") == ["high", "high"]
    assert len(read_runs(SWEEP, best="loss")) == 1 and len(read_runs(SWEEP, best="loss", per=("tag",))) == 3


def test_sizes_alike_to_six_digits_are_one_setting():
    close = SWEEP.with_columns(N=pl.col("N") * (1 + 1e-9 * pl.col("lr")))
    assert len(read_runs(close, best="loss", per=("N", "D"))) == 4


def test_the_frontier_has_no_row_that_costs_more_and_is_no_better():
    front = read_runs(SWEEP, frontier="C")
    order = np.argsort(front["C"], kind="stable")
    assert (np.diff(front["loss"][order]) < 0).all() and (np.diff(front["C"][order]) > 0).all()
    every = read_runs(SWEEP)
    for cost, loss in zip(every["C"], every["loss"], strict=True):
        assert (front["loss"][front["C"] <= cost] <= loss).any()


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"best": "los"}, "los"),
        ({"best": "loss", "per": ("nothing",)}, "nothing"),
        ({"per": ("N",)}, "best"),
        ({"best": "loss", "within": 2.0}, "0.0025"),
        ({"frontier": "cost"}, "cost"),
    ],
)
def test_reductions_of_columns_that_are_not_there_are_refused(how, says):
    with pytest.raises(DataError, match=says):
        read_runs(SWEEP, **how)


def test_rows_without_a_value_are_no_best_row():
    holes = SWEEP.with_columns(loss=pl.when(pl.col("tag") == "mid").then(None).otherwise(pl.col("loss")))
    best = read_runs(holes, best="loss", per=("N", "D"))
    assert len(best) == 4 and np.isfinite(best["loss"]).all() and "mid" not in best.text("tag")
    with pytest.raises(DataError, match="no finite value"):
        read_runs(SWEEP.with_columns(loss=pl.lit(None, dtype=pl.Float64)), best="loss")


def test_a_sweep_fits_its_law_of_the_best_rates():
    """lr* = A·N^a·D^b from the best row of each size and duration."""
    rates = np.geomspace(1e-4, 1e-1, 61)
    table = pl.DataFrame(
        [
            {"N": n, "D": d, "lr": lr, "loss": 2 + 0.05 * np.log(lr / (2.0 * n**-0.4 * d**0.05)) ** 2}
            for n in (1e7, 1e8, 1e9) for d in (1e9, 1e10, 1e11) for lr in rates
        ]
    )  # fmt: skip
    runs = read_runs(table, best="loss", per=("N", "D"))
    assert isinstance(runs, Runs) and len(runs) == 9
    found = fit(law("lr = A*N^a*D^b"), runs).params
    assert found["a"] == pytest.approx(-0.4, abs=0.03) and found["b"] == pytest.approx(0.05, abs=0.03)
    assert "loss-rises" not in {finding.code for finding in check(runs)}


def test_a_symbol_may_be_read_from_a_derived_column():
    table = pl.DataFrame({"N": [1e6, 2e6, 4e6], "D": [1e9, 1e9, 2e9], "score": [-3.2, -3.0, -2.8]})
    runs = read_runs(table, derive={"nll": "-score"}, columns={"loss": "nll"})
    assert runs["loss"].tolist() == runs["nll"].tolist() == [3.2, 3.0, 2.8]
    same = read_runs(table, derive={"loss": "-score"}, columns={"loss": "loss"})
    assert same["loss"].tolist() == [3.2, 3.0, 2.8]
