"""Headers of tables: their words, scales and groups, and what they must not be taken for."""

import numpy as np
import pytest

from isoflop import Runs, check, fit, law, read_runs
from isoflop.errors import DataError
from isoflop.runs.columns import likely, match_headers
from isoflop.runs.headers import read_header

N, D = np.geomspace(1e8, 1e10, 12), np.geomspace(2e9, 3e11, 12)
LOSS = 1.7 + 400 / N**0.34 + 600 / D**0.3


def runs_of(table, **how) -> Runs:
    import polars as pl

    return read_runs(pl.DataFrame(table), **how)


@pytest.mark.parametrize(
    ("header", "symbol", "scale"),
    [
        ("N, M", "N", 1e6),
        ("params_in_millions", "N", 1e6),
        ("Parameters (millions)", "N", 1e6),
        ("mparams", "N", 1e6),
        ("kilo_params", "N", 1e3),
        ("M params", "N", 1e6),
        ("params_mega", "N", 1e6),
        ("model_size_B", "N", 1e9),
        ("tokens_in_billions", "D", 1e9),
        ("billions of tokens", "D", 1e9),
        ("Gtokens", "D", 1e9),
        ("B tokens", "D", 1e9),
        ("tokens / 1e9", "D", 1e9),
        ("GFLOPs", "C", 1e9),
        ("training_TFLOPs", "C", 1e12),
        ("Peta FLOPs", "C", 1e15),
        ("petaflops", "C", 1e15),
        ("EFLOPs", "C", 1e18),
        ("compute (ZFLOPs)", "C", 1e21),
        ("FLOPs (1e21)", "C", 1e21),
        ("PF-days", "C", 8.64e19),
        ("petaflop/s-days", "C", 8.64e19),
        ("compute_pf_days", "C", 8.64e19),
        ("GMACs", "C", 2e9),
        ("total G MACs", "C", 2e9),
        ("TRAINING TOKENS", "D", 1.0),
        ("tokens_trained", "D", 1.0),
        ("cumulative_tokens", "D", 1.0),
        ("numTrainTokens", "D", 1.0),
        ("samples_seen", "D", 1.0),
        ("n_parameters_total", "N", 1.0),
        ("compute_budget", "C", 1.0),
        ("val_bpb", "loss", 1.0),
        ("lm_loss", "loss", 1.0),
        ("final-val-loss", "loss", 1.0),
        ("heldOutLoss", "loss", 1.0),
        ("config.n_params", "N", 1.0),
        ("config/model/params", "N", 1.0),
        ("params.tokens_B", "D", 1e9),
        ("train_tokens_G", "D", 1e9),
        ("tokens_bn", "D", 1e9),
        ("params_mil", "N", 1e6),
        ("params_x1e6", "N", 1e6),
        ("params/M", "N", 1e6),
        ("size_b", "N", 1e9),
        ("flops_1e18", "C", 1e18),
        ("flops (Z)", "C", 1e21),
        ("dataset_tokens", "D", 1.0),
        ("params_wo_emb", "N_nonembed", 1.0),
        ("lm loss value", "loss", 1.0),
        ("base_lr", "lr", 1.0),
        ("metrics.val_loss", "loss", 1.0),
        ("hparams/learning_rate", "lr", 1.0),
    ],
)
def test_a_header_is_read_by_its_words_and_its_scale(header, symbol, scale):
    matches = match_headers([header])
    assert list(matches) == [symbol] and matches[symbol].header.scale == pytest.approx(scale)


@pytest.mark.parametrize(
    "header",
    [
        "tokens_per_second", "tokens_per_step_max", "vocab_size", "batch_size", "loss_weight", "train_loss_weight",
        "flops_per_second", "flops_per_token", "params_per_layer", "acc", "top1", "context", "time (m)", "minutes",
        "max_tokens", "eval_tokens_ratio", "aux_loss_coef", "l", "sample_rate", "config.name", "config.loss_scale",
    ],
)  # fmt: skip
def test_a_header_that_counts_something_else_is_not_taken(header):
    assert not {"N", "D", "C", "loss"} & set(match_headers([header]))


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            {"L": [12.0, 24, 36], "d": [512.0, 768, 999], "N": N[:3], "D": D[:3], "loss": LOSS[:3]},
            {"N": "N", "D": "D"},
        ),
        ({"L": LOSS, "n": N, "d": D}, {"loss": "L", "N": "n", "D": "d"}),
        ({"L": np.arange(6.0, 18), "d": np.arange(1.0, 13) * 64, "n": N, "tokens": D}, {"N": "n", "D": "tokens"}),
        ({"size": np.arange(12.0), "params": N, "D": D, "loss": LOSS}, {"N": "params"}),
        ({"budget": np.arange(1.0, 13), "N": N, "D": D, "loss": LOSS}, {"C": ""}),
        ({"compute": 6 * N * D, "N": N, "loss": LOSS}, {"C": "compute", "D": ""}),
    ],
)
def test_one_letter_and_vague_headers_are_taken_where_the_numbers_agree(columns, expected):
    runs = runs_of(columns)
    assert {symbol: runs.columns[symbol].header for symbol in expected} == expected
    assert ("loss" in runs.columns) == ("loss" in columns or expected.get("loss") is not None)


def test_a_scale_multiplies_named_columns_and_a_unit_takes_its_place():
    table = {"size, M": N / 1e6, "seen (B)": D / 1e9, "loss": LOSS}
    named = runs_of(table, columns={"N": "size, M", "D": "seen (B)"})
    assert named["N"] == pytest.approx(N) and named["D"] == pytest.approx(D)
    whole = runs_of({"params (M)": N, "tokens": D, "loss": LOSS}, units={"N": "1"})
    assert whole["N"] == pytest.approx(N)
    said = runs_of({"params": N / 1e6, "compute": 6 * N * D / 8.64e19, "loss": LOSS}, units={"N": "M", "C": "PF-days"})
    assert said["N"] == pytest.approx(N) and said["C"] == pytest.approx(6 * N * D) and said["D"] == pytest.approx(D)
    with pytest.raises(DataError, match="write a scale, as N=millions"):
        runs_of(table, columns={"N": "size, M"}, units={"N": "parsecs"})


@pytest.mark.parametrize(
    ("table", "code", "level"),
    [
        ({"N": N / 1e9, "D": D, "loss": LOSS}, "looks-like-logarithms", "error"),
        ({"N": N / 1e6, "D": D / 1e6, "loss": LOSS}, "implausible-counts", "warning"),
        ({"N": N, "D": N / 1e6, "loss": LOSS}, "implausible-counts", "warning"),
        ({"N": N, "D": D / 1e9, "loss": LOSS}, "implausible-counts", "error"),
        ({"acc": N, "tokens_per_second": D, "loss_weight": LOSS}, "nothing-to-fit", "error"),
        ({"hidden": N, "val_score": LOSS, "D": D}, "no-loss", "warning"),
        ({"hidden": N, "loss": LOSS}, "no-inputs", "warning"),
    ],
)
def test_counts_that_cannot_be_and_missing_columns_are_told(table, code, level):
    found = [finding for finding in check(runs_of(table)) if finding.code == code]
    assert found and {finding.level for finding in found} == {level}


@pytest.mark.parametrize(
    ("symbol", "headers", "never"),
    [
        ("D", ["train_loss", "val_loss", "samples_so_far", "n_tokens_x"], {"train_loss", "val_loss"}),
        ("N_vocab", ["vocab_size", "params_head"], {"vocab_size"}),
        ("N", ["num_layers", "total_tokens", "weights_count"], {"num_layers", "total_tokens"}),
        ("loss", ["acc", "top1_acc", "n_params", "validation_ce_x"], {"acc", "top1_acc", "n_params"}),
        ("D", ["tokens_per_sec", "acc", "C"], {"acc", "C"}),
    ],
)
def test_what_means_something_else_is_never_proposed(symbol, headers, never):
    assert not never & set(likely(symbol, headers))


def test_a_known_header_whose_cells_are_text_is_an_error_with_a_cell():
    with pytest.raises(DataError, match="holds text where numbers are needed: 'n/k 3'"):
        runs_of({"N": N, "tokens": ["n/k 3"] * 12, "loss": LOSS})["D"]


@pytest.mark.parametrize(
    ("table", "level", "says"),
    [
        ({"N": N, "tokens": ["short", "long"] * 6, "loss": LOSS}, "error", "'tokens' holds text such as 'short'"),
        ({"N": N, "D": D, "val_loss": ["see log"] * 12}, "error", "'val_loss' holds text such as 'see log'"),
        ({"N": N, "D": D, "budget": ["$3 a run"] * 12, "loss": LOSS}, "warning", "'budget' holds text such as"),
    ],
)
def test_a_known_header_of_words_is_told_with_a_cell(table, level, says):
    runs = runs_of(table)
    (found,) = [finding for finding in runs.findings if finding.code == "text-column"]
    assert found.level == level and says in found.message
    assert not [each for each in runs_of(table, derive={"C": "N", "D": "N", "loss": "N"}).findings if each == found]


def test_a_law_says_which_column_of_words_it_lacks():
    runs = runs_of({"N": N, "tokens": ["short", "long"] * 6, "loss": LOSS})
    with pytest.raises(DataError, match=r"no numbers for D .*: column 'tokens' holds text such as 'short'"):
        fit(law("chinchilla"), runs)


def test_flops_tell_the_tokens_of_a_sample():
    runs = runs_of({"params": N, "samples_seen": D / 512, "flops": 6 * N * D, "loss": LOSS})
    codes = {finding.code: finding for finding in check(runs)}
    assert "flops-not-6nd" not in codes and "512 tokens a sample" in codes["flops-per-sample"].message
    assert codes["flops-per-sample"].remedy == 'Give the tokens: --derive "D = samples_seen * 512".'


def test_columns_that_fall_together_are_offered_as_runs():
    step = np.arange(100.0, 1100.0, 100.0)
    table = {"step": step} | {name: 2 + at + 300 / step for at, name in enumerate(("small", "base", "large"), 1)}
    (found,) = [finding for finding in check(runs_of(table)) if finding.code == "columns-may-be-runs"]
    assert "'small', 'base', 'large' fall along step" in found.message and found.level == "warning"
    named = runs_of({name if name == "step" else f"{name} - loss": values for name, values in table.items()})
    assert sorted(set(named.text("run"))) == ["base", "large", "small"]
    own = {"step": step, "train": 2 + 300 / step, "val": 2.1 + 300 / step, "grad_norm": 1 + 10 / step}
    assert "columns-may-be-runs" not in {finding.code for finding in check(runs_of(own))}


@pytest.mark.parametrize("missing", ["N", "D"])
def test_no_size_and_no_tokens_are_warnings_that_name_what_is_left(missing):
    table = {"N": N, "D": D, "loss": LOSS, "mystery": N + 1}
    del table[missing]
    code = {"N": "no-size", "D": "no-tokens"}[missing]
    (found,) = [finding for finding in check(runs_of(table)) if finding.code == code]
    assert found.level == "warning" and "'mystery'" in found.message
    alone = [finding for finding in check(runs_of({"flops": N * D, "loss": LOSS})) if finding.code == "no-size"]
    assert [finding.level for finding in alone] == ["note"]  # a law of the FLOPs alone needs no size


@pytest.mark.parametrize(
    ("columns", "formula"),
    [
        ({"train_steps": 1000.0, "global_batch_size": 512.0, "seq len": 2048.0},
         "train_steps * global_batch_size * `seq len`"),
        ({"num_steps": 1000.0, "tokens_per_step": 1e6}, "num_steps * tokens_per_step"),
        ({"unique_tokens": 1e9, "epochs": 4.0}, "unique_tokens * epochs"),
        ({"tokens per param": 20.0}, "N * `tokens per param`"),
    ],
)  # fmt: skip
def test_tokens_that_follow_from_other_columns_are_told_as_a_formula_that_works(columns, formula):
    table = {"N": N, "loss": LOSS} | {name: np.arange(1.0, 13) * value for name, value in columns.items()}
    (found,) = [finding for finding in check(runs_of(table)) if finding.code == "no-tokens"]
    assert f'--derive "D = {formula}"' in found.remedy
    derived = runs_of(table, derive={"D": formula})
    expected = np.prod([np.arange(1.0, 13) * value for value in columns.values()], axis=0)
    expected = expected * (N if "per param" in formula else 1)
    assert derived["D"] == pytest.approx(expected)


def test_sizes_in_the_names_of_models_are_a_formula_that_works():
    names = ["llama-70m", "llama-160m", "llama-1.4b"] * 4
    (found,) = [each for each in check(runs_of({"model": names, "D": D, "loss": LOSS})) if each.code == "no-size"]
    assert found.level == "warning" and "sizes stand in the names of 'model', as 'llama-1.4b'" in found.message
    formula = found.remedy.split('--derive "N = ')[1].removesuffix('".')
    assert (
        runs_of({"model": names, "D": D, "loss": LOSS}, derive={"N": formula})["N"].tolist() == [7e7, 1.6e8, 1.4e9] * 4
    )


def test_samples_become_tokens_by_the_context_of_the_table():
    runs = runs_of({"params": N, "sequences_seen": D / 2048, "block_size": [2048.0] * 12, "loss": LOSS})
    (found,) = [finding for finding in runs.findings if finding.code == "counts-samples"]
    assert '--derive "D = sequences_seen * block_size"' in found.remedy


def test_what_stands_behind_a_plus_minus_in_a_header_is_no_name():
    runs = runs_of({"N": N, "D": D, "val loss ± std": [f"{each:.3f} ± 0.004" for each in LOSS]})
    assert runs.columns["loss"].header == "val loss ± std" and runs["loss_error"].tolist() == [0.004] * 12


@pytest.mark.parametrize(
    ("headers", "chosen", "rivals"),
    [
        (("train_loss", "val_loss_c4", "val_loss_books"), "val_loss_c4", ("val_loss_books",)),
        (("eval/pile/CrossEntropyLoss", "train/CrossEntropyLoss"), "eval/pile/CrossEntropyLoss", ()),
        (("c4_loss", "train_loss"), "c4_loss", ()),
        (("fineweb_ppl",), "fineweb_ppl", ()),
        (("eval_code_loss", "val_loss"), "val_loss", ()),
        (("loss_own_python", "loss_pile", "pile_loss_step", "aux_loss"), "loss_pile", ("loss_own_python",)),
        (("pile_loss", "held_out_arxiv_nll"), "held_out_arxiv_nll", ()),
        (("train_loss", "lambada_ppl", "val_loss_std", "val_router_z_loss", "mmlu_val_bpb"), "train_loss", ()),
    ],
)
def test_losses_on_named_data_come_before_those_of_training_and_rival_each_other(headers, chosen, rivals):
    assert match_headers(headers)["loss"].header.text == chosen
    runs = runs_of({"N": N, "D": D} | {name: LOSS + at / 10 for at, name in enumerate(headers)})
    said = [finding.message for finding in runs.findings if finding.code == "column-rivals"]
    assert len(said) == bool(rivals) and all(f"{each!r}" in said[0] for each in rivals)


def test_columns_named_by_the_user_keep_what_their_headers_make_of_them():
    table = {"N": N, "D": D, "loss": LOSS, "Wall time": ["1:00:00", "0:30:00"] * 6, "Data set": ["web", "code"] * 6}
    runs = runs_of(table, columns={"wall": "Wall time", "corpus": "Data set"})
    assert runs["wall"].tolist() == [3600.0, 1800.0] * 6 and runs.text("corpus") == ["web", "code"] * 6


def test_a_text_column_stays_text_where_its_word_is_quoted():
    table = {"N": N, "D": D, "loss": LOSS, "version": ["1", "2", "10"] * 4}
    assert len(runs_of(table, where="version == '1'")) == 4 == len(runs_of(table, where="version == 10"))
    assert len(runs_of(table, where="version in ['1', '10']")) == 8


def test_bounds_of_headers_keep_their_own_words():
    assert read_header("tokens (approx)").scale == 1.0 and read_header("Model Size (B)").scale == 1e9
    assert read_header("T" * 100_000).scale == 1.0
