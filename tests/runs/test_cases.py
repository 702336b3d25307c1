"""Tables that users had trouble with, each with the value that it must give (read in place, ISOFLOP_CASES)."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from isoflop import bootstrap, check, fit, law, read_runs
from isoflop.cli import isoflop
from isoflop.laws import fix
from isoflop.planning import allocate
from isoflop.planning.methods import compare_methods
from isoflop.runs.checks import evidence_findings

PLANTED = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 600.0, "beta": 0.30}


def codes(runs):
    return [finding.code for finding in check(runs)]


def found(runs, code):
    (one,) = [finding for finding in check(runs) if finding.code == code]
    return one


def test_rows_of_equal_settings_and_rising_steps_are_checkpoints_of_a_run(cases):
    runs = read_runs(cases / "tables" / "checkpoints_without_run.csv")
    assert len(runs) == 30 and runs.run_codes().tolist() == [code for code in range(5) for _ in range(6)]
    grouped = found(runs, "checkpoints-grouped")
    assert "30 rows are checkpoints of 5 runs" in grouped.message and "current_step" not in grouped.message
    fixed = fix(law("E + A/N^alpha + B/D^beta"), {"E": 1.9, "B": 900.0, "beta": 0.31})
    assert fit(fixed, runs).params["alpha"] == pytest.approx(0.36, abs=0.005)
    each = read_runs(cases / "tables" / "checkpoints_without_run.csv", derive={"run": "row"})
    assert len(set(each.run_codes().tolist())) == 30


@pytest.mark.parametrize("columns", [{}, {"C": "GFLOPs"}])
def test_a_unit_in_the_word_of_a_header_multiplies_named_or_not(cases, columns):
    runs = read_runs(cases / "tables" / "compute_in_gflops.csv", columns=columns)
    assert runs["C"].min() == pytest.approx(1.2e18) and runs["D"].min() == pytest.approx(2e9)
    assert runs["D"].max() == pytest.approx(16e9)
    assert fit(law("chinchilla"), runs).params == pytest.approx(PLANTED, rel=0.02)
    unscaled = read_runs(cases / "tables" / "compute_in_gflops.csv", columns=columns, units={"C": "1"})
    assert "D" not in unscaled and "flops-too-few" in codes(unscaled)


def test_a_json_array_of_records_is_a_table(cases):
    runs = read_runs(cases / "tables" / "json_array.json")
    assert len(runs) == 6 and runs["N"].tolist()[:2] == [5e7, 1.24e8] and runs["C"][0] == 6e18
    assert runs["loss"].tolist() == [7.193, 6.407, 5.903, 6.575, 5.766, 5.618]


def test_a_loss_is_never_proposed_for_tokens_and_samples_are_an_amount_of_data(cases):
    runs = read_runs(cases / "tables" / "nearest_is_train_loss.csv")
    assert runs.columns["D"].header == "samples_seen" and runs.columns["D"].convention == "samples"
    assert runs.columns["loss"].header == "val_loss" and runs["N"].tolist()[0] == 135e6
    assert "C" not in runs.frame.columns
    assert found(runs, "implausible-counts").level == "warning"
    assert "implausible-counts" in [finding.code for finding in evidence_findings(runs)]


def test_a_table_without_loss_size_and_tokens_is_an_error(cases):
    runs = read_runs(cases / "tables" / "no_columns_read.csv")
    finding = found(runs, "nothing-to-fit")
    assert finding.level == "error" and "nothing can be fitted" in finding.message


def test_a_column_for_each_model_is_read_as_its_run(cases):
    runs = read_runs(cases / "tables" / "one_column_a_model.csv")
    assert sorted(set(runs["N"].tolist())) == [53.3e6, 159.6e6, 481.7e6]
    assert np.bincount(runs.run_codes()).tolist() == [7, 7, 7]
    assert runs["loss"].tolist()[:7] == [5.91, 4.62, 3.71, 3.35, 3.16, 3.03, 2.95]
    assert runs["step"].tolist()[:7] == [10, 20, 40, 60, 80, 100, 120]
    assert "column-a-run" in codes(runs)


def test_a_score_named_as_loss_is_told(cases):
    runs = read_runs(cases / "tables" / "score_as_loss.csv", columns={"loss": "acc1"})
    finding = found(runs, "loss-rises")
    assert "'acc1'" in finding.message and "error = 1 - acc1" in finding.remedy
    assert "loss-rises" in [each.code for each in evidence_findings(runs)]
    error = read_runs(cases / "tables" / "score_as_loss.csv", derive={"loss": "1 - acc1"}, units={"loss": "error rate"})
    assert error["loss"][0] == pytest.approx(0.58) and "loss-rises" not in codes(error)


def test_sizes_that_were_not_read_are_not_taken_for_seeds(cases):
    runs = read_runs(cases / "tables" / "sizes_taken_for_seeds.csv")
    assert "seed-spread" not in codes(runs)
    assert sorted(set(runs["N"].tolist())) == [1.04e8, 1.9e8, 4.1e8, 7.5e8] or len(set(runs["N"].tolist())) == 4
    unread = read_runs(runs.to_polars().rename({"N": "depth_and_more"}).drop("C", strict=False))
    assert "seed-spread" not in codes(unread)


def test_counts_written_as_powers_of_ten_are_read(cases):
    runs = read_runs(cases / "tables" / "tokens_as_text.csv")
    assert runs["D"].min() == 2e9 and runs["D"].max() == 16e9 and runs.columns["D"].derived is None
    ratio = runs["C"] / (6 * runs["N"] * runs["D"])
    assert ratio == pytest.approx(np.full(len(runs), 1.6), rel=1e-3)


def test_a_scale_in_header_and_cells_counts_once(cases):
    runs = read_runs(cases / "faults" / "suffix_and_header_scale.csv")
    assert runs["N"].min() == pytest.approx(1e6) and runs["D"].min() == pytest.approx(1e8)
    assert "scale-in-cells" in codes(runs)


def test_a_quoted_decimal_comma_is_no_thousands(cases):
    runs = read_runs(cases / "faults" / "quoted_decimal_comma.csv")
    assert runs["loss"][0] == 7.707 and runs["loss"].max() < 8
    assert [finding.level for finding in runs.findings if finding.code == "decimal-comma"] == ["warning"]


@pytest.mark.parametrize(("name", "header"), [("regex_header", "^x$"), ("regex2", "^.*$"), ("star_header", "*")])
def test_a_header_that_polars_reads_as_a_pattern_is_a_name(cases, name, header):
    values = [1, 2]
    path = cases / "faults" / f"{name}.csv"
    runs = read_runs(path)
    assert len(runs) == 2 and runs[header].tolist() == values and len(runs.headers) == 5
    assert check(runs)
    assert len(read_runs(path, where=f"`{header}` == 2")) == 1 == len(runs.where(f"`{header}` > 1"))
    assert read_runs(path, columns={"width": header})["width"].tolist() == values
    assert read_runs(path, derive={"width": f"2 * `{header}`"})["width"].tolist() == [2, 4]


def test_an_integer_of_hundreds_of_digits_is_a_bad_value(cases):
    runs = read_runs(cases / "faults" / "bigint.jsonl")
    assert np.isinf(runs["N"]).any() and "bad-values" in codes(runs)


def test_a_budget_costs_what_the_table_says_it_costs(cases):
    runs = read_runs(cases / "tables" / "c_is_9nd.csv")
    fitted = bootstrap(fit(law("chinchilla"), runs), draws=40)
    plan = allocate(fitted, budget=1e21)
    assert plan.n.value == pytest.approx(1.61e9, rel=0.01) and plan.d.value == pytest.approx(69.1e9, rel=0.01)
    at = {"N": plan.n.value, "D": plan.d.value}
    assert float(fitted.estimate.predict(at)) == pytest.approx(2.432, abs=0.003)
    assert plan.loss.low < 2.432 < plan.loss.high  # its value allows for the error of the law
    methods = compare_methods(fitted, runs, budget=1e21)
    tokens = [each.value for each in (each.tokens(1e21) for each in methods.methods) if each is not None]
    assert len(tokens) >= 2 and tokens == pytest.approx([69.1e9] * len(tokens), rel=0.03) and methods.agree
    six = read_runs(cases / "tables" / "c_is_9nd.csv", derive={"C": "6*N*D"})
    plain = allocate(bootstrap(fit(law("chinchilla"), six), draws=40), budget=1e21)
    assert plain.n.value * plain.d.value == pytest.approx(1e21 / 6)


def test_noiseless_runs_are_called_so(cases):
    runs = read_runs(cases / "tables" / "noiseless.csv", columns={"C": "compute_budget"})
    fitted = fit(law("chinchilla"), runs)
    assert fitted.params == pytest.approx({"E": 2.69, "A": 1606.4, "B": 3210.7, "alpha": 0.34, "beta": 0.36}, rel=1e-5)
    told = {finding.code for finding in (*fitted.findings, *bootstrap(fitted, draws=40).findings)}
    assert "noiseless" in told and not told & {"misfit", "structured-residuals", "draws-disagree"}


def test_a_header_of_the_table_is_an_input_whatever_its_shape(cases):
    runs = read_runs(cases / "tables" / "name_is_a_column.csv")
    fitted = fit(law("E + A/N_active^a + B/D^b", columns=runs.names), runs)
    assert fitted.law.input_names == ("N_active", "D")
    assert fitted.params["a"] == pytest.approx(0.34, abs=0.01) and fitted.value < 1e-5


def test_an_input_may_be_zero(cases):
    runs = read_runs(cases / "tables" / "zero_share.csv")
    share = law("c_0 + A/N^a + t_1*share", inputs=["share"], domains={"t_1": "real", "share": "real"})
    fitted = fit(share, runs)
    assert fitted.data.n_rows == 8 and fitted.params["t_1"] < 0
    assert "narrow-range" not in {f.code for f in fitted.findings if f.message.startswith("share")}


def test_a_saved_fit_reads_the_headers_of_its_table(cases, tmp_path):
    folder = cases / "tables"
    runs = read_runs(folder / "forecast_points.csv", columns={"P": "parallel_size"})
    assert fit(law("parscale"), runs).data.headers["P"] == "parallel_size"
    saved = tmp_path / "f.json"
    args = ["fit", str(folder / "forecast_points.csv"), "--law", "parscale", "--column", "P=parallel_size"]
    assert CliRunner().invoke(isoflop, [*args, "--draws", "40", "--save", str(saved)]).exit_code == 0
    told = CliRunner().invoke(isoflop, ["forecast", str(saved), "--points", str(folder / "forecast_points_ask.csv")])
    assert told.exit_code == 0 and "at 6 points" in told.output
    assert "1.78" in told.output  # at 4.4B parameters and 8 streams


def test_a_routed_law_is_found_with_the_seed_that_missed_it(cases):
    runs = read_runs(cases / "tables" / "routed_misses_optimum.csv")
    fitted = fit(law("routed"), runs, seed=3)
    assert fitted.value == pytest.approx(0.00019255646, rel=1e-5)
    assert fitted.params["E_start"] == pytest.approx(2.2, abs=0.1) and 1000 < fitted.params["E_max"] < 1400


def test_a_ranking_prints_no_warning_of_a_library(cases, recwarn):
    path = cases / "tables" / "rank_leaks_warning.csv"
    args = ["rank", str(path), "--windows", "3", "--draws", "20", "--law", "chinchilla", "--law", "muennighoff"]
    told = CliRunner().invoke(isoflop, args)
    assert told.exit_code == 0, told.output
    assert not [each for each in recwarn if issubclass(each.category, RuntimeWarning)]


def test_a_column_for_each_model_is_imported_as_runs(cases, tmp_path):
    args = ["import", str(cases / "tables" / "one_column_a_model.csv"), "-o", str(tmp_path / "st")]
    told = CliRunner().invoke(isoflop, [*args, "--tokens-per-step", "34.8M"])
    assert told.exit_code == 0 and "3 runs added" in told.output
    runs = read_runs(tmp_path / "st")
    assert sorted(runs["N"].tolist()) == [53.3e6, 159.6e6, 481.7e6] and sorted(runs["loss"].tolist())[0] == 2.53


def test_every_case_has_its_test(cases):
    """A case that is named nowhere in this file is one whose right value nobody asserts."""
    source = Path(__file__).read_text(encoding="utf-8")
    names = {page.stem for page in (cases / "tables").glob("*.md")} - {"README"}
    assert names and not {name for name in names if f'"{name}' not in source}
