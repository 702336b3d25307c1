"""The registry of public run tables, against a local mirror where there is one, and against published numbers."""

import gzip
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isoflop.errors import DataError
from isoflop.runs import Runs, datasets

LOCAL = Path(os.environ.get("ISOFLOP_DATASETS") or Path(__file__).parents[2] / "../shared/data")
needs_mirror = pytest.mark.skipif(
    not LOCAL.is_dir(), reason="no mirror of the public run tables; set ISOFLOP_DATASETS to its folder"
)

ALL = datasets.datasets()
FILES = [file for dataset in ALL for file in dataset.files]
TABLES = [(dataset, table) for dataset in ALL for table in dataset.tables]


@pytest.fixture
def mirror(monkeypatch):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(LOCAL))


@pytest.fixture
def nothing_here(monkeypatch, tmp_path):
    monkeypatch.delenv("ISOFLOP_DATASETS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))


def test_every_data_set_says_where_it_comes_from():
    assert len(ALL) == 17
    for dataset in ALL:
        assert dataset.title and dataset.laws
        assert re.search(r"arXiv:\d{4}\.\d{5}|github\.com/|/", dataset.citation), dataset.name
        assert len({table.name for table in dataset.tables}) == len(dataset.tables)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.label)
def test_every_file_has_a_pinned_commit_a_licence_and_a_digest(file):
    assert re.fullmatch(r"[0-9a-f]{40}", file.source.commit)
    assert file.source.licence
    assert "/" not in file.copy.name
    for copy in (file.copy, file.mirrored or file.copy):
        assert re.fullmatch(r"[0-9a-f]{64}", copy.sha256)
        assert 0 < copy.bytes < 4 * 2**20
    if file.derived is None:
        assert file.address == f"{file.source.repository}/{file.source.commit}/{file.path}"
        assert "*" not in file.path
    else:
        assert file.address is None and file.mirrored is None


@pytest.mark.parametrize(("dataset", "table"), TABLES, ids=[f"{d.name}/{t.name}" for d, t in TABLES])
def test_every_table_names_its_traps_with_a_mend(dataset, table):
    assert table.findings
    for finding in table.findings:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", finding.code)
        assert finding.level in ("note", "warning", "error")
        assert finding.remedy.endswith(".") and finding.message.endswith(".")


def test_what_was_derived_is_not_offered_for_download():
    offered = {file.label for file in FILES if file.derived is None}
    assert offered == {
        "datablations/datablations_code_losses.csv",
        "datablations/datablations_losses.csv",
        "epoch-chinchilla/kyo_takano_subset_234.csv",
        "epoch-chinchilla/svg_extracted_data.csv",
        "hitchhiker-colpret/IBM_MoE.csv",
        "hitchhiker-colpret/olmo_v1_checkpoints.csv",
        "hitchhiker-colpret/opt_bigbench_checkpoints.csv",
        "hitchhiker-colpret/opt_perplexity_trajectories.csv",
        "observational-scaling/base_llm_benchmark_eval.csv",
        "observational-scaling/base_llm_benchmark_eval_sub_10b.csv",
        "revisiting-benchmark/benchmark_lang.csv",
        "revisiting-benchmark/benchmark_vision.csv",
        "steplaw/dense_lr_bs_loss.csv",
        "steplaw/moe_lr_bs_loss.csv",
    }


@needs_mirror
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.label)
def test_the_mirror_holds_the_registered_bytes(file):
    held = file.mirrored or file.copy
    body = (LOCAL / file.dataset / held.name).read_bytes()
    assert (len(body), hashlib.sha256(body).hexdigest()) == (held.bytes, held.sha256)


@needs_mirror
@pytest.mark.parametrize("file", [file for file in FILES if file.mirrored], ids=lambda file: file.label)
def test_other_bytes_in_the_mirror_are_the_same_table(file):
    """The original's digest comes out once compression and line ends are undone: no value differs."""
    body = (LOCAL / file.dataset / file.mirrored.name).read_bytes()
    text = gzip.decompress(body) if file.mirrored.name.endswith(".gz") else body
    bare = text.removesuffix(b"\n")
    digests = {hashlib.sha256(way).hexdigest() for way in (text, bare, bare.replace(b"\n", b"\r\n"))}
    assert file.copy.sha256 in digests


@needs_mirror
@pytest.mark.parametrize(("dataset", "table"), TABLES, ids=[f"{d.name}/{t.name}" for d, t in TABLES])
def test_every_table_loads_with_the_registered_rows(mirror, dataset, table):
    runs = datasets.load(f"{dataset.name}/{table.name}")
    assert isinstance(runs, Runs)
    assert len(runs) == table.rows
    assert set(table.columns) <= set(runs.columns) | set(runs.headers)
    known = runs.findings[-len(table.findings) :]
    assert tuple(replace(each, rows=()) for each in known) == table.findings
    assert {each.code for each in known if each.rows} == {*table.about}
    assert runs.source.startswith(dataset.full_name(table) + " (")
    if "loss" in table.columns:
        assert np.isfinite(runs["loss"]).all()


@needs_mirror
def test_chinchilla_gives_the_published_objective(mirror):
    """Besiroglu et al.'s grid optimum on the 240 points: 0.00101827404 (their saved notebook)."""
    runs = datasets.load("epoch-chinchilla", where="loss < 3.44")
    assert len(runs) == 240
    a, b, e, alpha, beta = 6.16901447, 7.66984732, 0.59728462, 0.34729653, 0.36715695
    predicted = np.exp(a) / runs["N"] ** alpha + np.exp(b) / runs["D"] ** beta + np.exp(e)
    residual = np.abs(np.log(predicted) - np.log(runs["loss"]))
    delta = 1e-3
    huber = np.where(residual <= delta, residual**2 / 2, delta * (residual - delta / 2))
    assert huber.sum() == pytest.approx(0.00101827404, rel=1e-8)
    assert runs.columns["N"].convention == "total"


@needs_mirror
@pytest.mark.parametrize(
    ("table", "constants", "published"),
    [
        ("stack", (0.69121, 0.011307, 0.18936, 0.39346), 0.99783),
        ("pile", (1.28859, 0.19752, 0.19628, 0.33444), 0.99868),
    ],
)
def test_parscale_gives_the_published_fit(mirror, table, constants, published):
    runs = datasets.load(f"parscale/{table}")
    E, A, alpha, k = constants
    predicted = E + (A * 1e9 / (runs["N"] * (1 + k * np.log(runs["P"])))) ** alpha
    loss = runs["loss"]
    r2 = 1 - ((loss - predicted) ** 2).sum() / ((loss - loss.mean()) ** 2).sum()
    assert r2 == pytest.approx(published, abs=2e-5)
    assert runs.columns["N"].convention == "non-embedding"


@needs_mirror
def test_datablations_gives_the_published_fit(mirror):
    """R² of the data-constrained law on the 182 runs: 0.77220460850 (Muennighoff et al.'s saved notebook)."""
    a, b, e, alpha = 6.255414, 7.3049974, 0.6254804, 0.3526596
    params_star, tokens_star = 5.309743, 15.387756
    runs = datasets.load("datablations")
    unique = np.minimum(runs["U"], runs["D"])
    ratio = (alpha * np.exp(a) / (alpha * np.exp(b))) ** (1 / (2 * alpha))
    best = np.minimum(unique * ratio**2, runs["N"])  # parameters that the unique tokens can feed

    def saturating(base, total, star):
        return base + base * star * (1 - np.exp(-(total / base - 1) / star))

    params, tokens = saturating(best, runs["N"], params_star), saturating(unique, runs["D"], tokens_star)
    predicted = np.exp(a) / params**alpha + np.exp(b) / tokens**alpha + np.exp(e)
    loss = runs["loss"]
    r2 = 1 - ((loss - predicted) ** 2).sum() / ((loss - loss.mean()) ** 2).sum()
    assert r2 == pytest.approx(0.7722046084968408, rel=1e-9)


@needs_mirror
def test_a_perplexity_column_becomes_nats(mirror):
    runs = datasets.load("hitchhiker-colpret/opt")
    raw = pl.read_csv(LOCAL / "hitchhiker-colpret/opt_perplexity_trajectories.csv")
    np.testing.assert_allclose(runs["loss"], np.log(raw["ppl"].to_numpy()), rtol=1e-14)
    assert runs.loss_unit == "nats/token"
    assert 2 < runs["loss"].min() < 3
    assert {"perplexity-to-nats", "perplexity-column"} <= {finding.code for finding in runs.findings}


@needs_mirror
def test_base_ten_logarithms_become_counts(mirror):
    runs = datasets.load("hitchhiker-colpret")
    np.testing.assert_allclose(runs["C"], 6 * runs["N"] * runs["D"], rtol=1e-9)
    assert set(runs["N"]) == {125e6, 1.3e9, 6.7e9, 13e9, 30e9, 175e9}


@needs_mirror
def test_the_wrong_flops_of_datablations_are_not_used(mirror):
    raw = pl.read_csv(LOCAL / "datablations/loss_curves_colpret.csv.gz")
    one = raw.filter(pl.col("model_args") == raw["model_args"][0])
    assert (np.diff(one["flops"].to_numpy()) < 0).all()  # the trap: FLOPs that fall as tokens rise
    runs = datasets.load("datablations/curves")
    np.testing.assert_allclose(runs["C"], 6 * runs["N"] * runs["D"])
    assert "flops" not in runs.frame.columns
    assert len(set(runs.run_codes())) == 48


@needs_mirror
def test_batches_are_tokens_and_params_leave_out_embeddings(mirror):
    runs = datasets.load("steplaw")
    steps = runs["step"]
    np.testing.assert_allclose(runs["batch"] * steps, runs["D"], rtol=3e-3)
    counted = runs["numl"] * (4 * runs["h"] ** 2 + 3 * runs["h"] * runs["ffnh"])
    np.testing.assert_array_equal(runs["N"], counted)


@needs_mirror
def test_two_sources_of_one_data_set_agree(mirror):
    wide, long = datasets.load("overtraining-gadre"), datasets.load("overtraining-gadre/c4")
    by_run = {run: row for row, run in enumerate(long.text("run"))}
    order = [by_run[run] for run in wide.text("run")]
    for name in ("N", "D", "loss"):
        np.testing.assert_allclose(wide[name], long[name][order], rtol=1e-9)
    assert (long["N_nonembed"] < long["N"]).all()


@needs_mirror
@pytest.mark.parametrize(
    ("name", "curves"),
    [
        ("revisiting-benchmark", 72),
        ("multipower-lr", 27),
        ("data-mixing-laws", 276),
        ("nanogpt-seed-noise/curves", 1515),
        ("olmo-ladder/checkpoints", 30),
        ("pythia-evals", 19),
    ],
)
def test_curves_are_resampled_by_run(mirror, name, curves):
    assert len(set(datasets.load(name).run_codes())) == curves


@needs_mirror
def test_scales_in_headers_and_in_the_registry(mirror):
    assert set(datasets.load("multipower-lr")["N"]) == {25e6, 100e6, 400e6}
    assert datasets.load("observational-scaling")["D"][0] == 2e12
    assert datasets.load("hitchhiker-colpret/gpt3")["D"].max() == pytest.approx(300e9, rel=1e-3)
    ladder = datasets.load("olmo-ladder")
    ratio = ladder["C"] / (6 * ladder["N"] * ladder["D"])
    assert (ratio > 1.2).all() and (ratio < 1.7).all()


@needs_mirror
def test_a_further_selection(mirror):
    runs = datasets.load("overtraining-gadre", where="family == 'rpj'")
    assert len(runs) == 35
    assert runs.source.endswith("where family == 'rpj'")


def test_unknown_names_get_the_nearest():
    with pytest.raises(DataError, match=r"no data set 'chinchilla'; the nearest are .*epoch-chinchilla"):
        datasets.load("chinchilla")
    with pytest.raises(DataError, match=r"no data set 'datablation'; the nearest are datablations"):
        datasets.get("datablation")
    with pytest.raises(DataError, match=r"no data set ''"):
        datasets.find("")
    with pytest.raises(DataError, match=r"'datablations' has no table 'paper2'; it has datablations/paper,"):
        datasets.load("datablations/paper2")


def test_a_table_that_is_not_here_says_how_to_get_it(nothing_here):
    with pytest.raises(DataError, match=r"'epoch-chinchilla' is not on .*: isoflop datasets --get epoch-chinchilla$"):
        datasets.load("epoch-chinchilla")
    with pytest.raises(DataError, match=r"isoflop datasets --get datablations/curves$"):
        datasets.load("datablations/curves")


def test_a_derived_table_says_that_only_a_mirror_has_it(nothing_here):
    with pytest.raises(DataError, match=r"'datablations' cannot be downloaded: .*notebook.*ISOFLOP_DATASETS"):
        datasets.load("datablations")


def test_a_mirror_that_is_no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"ISOFLOP_DATASETS='.*absent' is not a folder"):
        datasets.load("epoch-chinchilla")


def test_a_mirror_without_the_file(monkeypatch, tmp_path):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tmp_path))
    with pytest.raises(DataError, match=r"mirror .* has no epoch-chinchilla/svg_extracted_data.csv; add the file"):
        datasets.load("epoch-chinchilla")
    with pytest.raises(DataError, match=r"datablations_losses.csv or loss_curves_colpret.csv.gz"):
        datasets.load("datablations/curves")


def test_a_mirror_with_another_file_under_the_name(monkeypatch, tmp_path):
    monkeypatch.setenv("ISOFLOP_DATASETS", str(tmp_path))
    (tmp_path / "epoch-chinchilla").mkdir()
    (tmp_path / "epoch-chinchilla/svg_extracted_data.csv").write_text("N,C,loss\n1,2,3\n")
    with pytest.raises(DataError, match=r"has SHA-256 [0-9a-f]{64}, but epoch-chinchilla/svg.* has 193478df4e90"):
        datasets.load("epoch-chinchilla")


@pytest.fixture
def box(monkeypatch, tmp_path):
    folder = tmp_path / "tiny-sweep"
    folder.mkdir()
    pl.DataFrame({"N": [1e5, 2e5], "D": [1e6, 2e6], "loss": [3.0, 2.5], "run": ["a", "b"]}).write_parquet(
        folder / "runs.parquet"
    )
    pl.DataFrame({"step": [1, 2, 3], "loss": [5.0, 4.0, 3.0], "run": ["a", "a", "a"]}).write_parquet(
        folder / "curves.parquet"
    )
    (folder / "about.toml").write_text('title = "A tiny sweep"\nlicence = "PSF-2.0"\nlaws = ["L(N, D)"]\n')
    (tmp_path / "not-a-data-set").mkdir()
    monkeypatch.setattr("isoflop.runs.datasets.box.box_folder", lambda: tmp_path)
    return folder


def test_runs_in_the_box(box, nothing_here):
    (found,) = datasets.boxes()
    assert (found.name, found.title, found.licence, found.tables) == (
        "tiny-sweep", "A tiny sweep", "PSF-2.0", ("runs", "curves"),
    )  # fmt: skip
    runs = datasets.load("tiny-sweep")
    assert runs["loss"].tolist() == [3.0, 2.5]
    assert (runs.columns["N"].convention, runs.loss_unit, runs.source) == ("total", "nats/token", "tiny-sweep")
    curves = datasets.load("tiny-sweep/curves", where="step > 1")
    assert len(curves) == 2 and len(set(curves.run_codes())) == 1
    with pytest.raises(DataError, match=r"no table 'curve'; it has tiny-sweep, tiny-sweep/curves"):
        datasets.load("tiny-sweep/curve")
    with pytest.raises(DataError, match=r"the nearest are .*tiny-sweep"):
        datasets.load("tiny-sweeps")


def test_a_package_without_a_box(monkeypatch, tmp_path):
    monkeypatch.setattr("isoflop.runs.datasets.box.box_folder", lambda: tmp_path / "data")
    assert datasets.boxes() == ()


def test_a_selection_takes_the_findings_of_the_rows_that_it_leaves_out(mirror):
    runs = datasets.load("epoch-chinchilla")
    about = next(each for each in runs.findings if each.code == "published-subset")
    assert len(about.rows) == 5 and (runs["loss"][np.array(about.rows) - 1] >= 3.44).all()
    for kept in (runs.where("loss < 3.44"), runs.take(runs["loss"] < 3.44)):
        codes = {each.code for each in kept.findings}
        assert "published-subset" not in codes and {"digitized", "tokens-from-flops"} <= codes
    some = runs.where("loss < 4")  # one of the five is still there
    assert "published-subset" in {each.code for each in some.findings}


@pytest.mark.parametrize(
    ("name", "said", "column", "is_now"),
    [
        ("overtraining-gadre", {"columns": {"loss": "loss_c4_val"}}, "loss", "loss_c4_val"),
        ("epoch-chinchilla", {"columns": {"params": "Model Size"}}, "N", "Model Size"),
        (
            "epoch-chinchilla",
            {"columns": {"loss": "twice"}, "derive": {"twice": "2*y/`Model Size`"}},
            "loss",
            None,
        ),
    ],
)
def test_what_a_reader_says_of_a_data_set_wins_over_the_registry(mirror, name, said, column, is_now):
    runs, plain = datasets.load(name, **said), datasets.load(name)
    assert len(runs) == len(plain) and runs.source == plain.source
    if is_now is not None:
        assert runs.columns[column].header == is_now
    for other in ("N", "D"):
        assert np.array_equal(runs[other], plain[other])  # whole counts stay whole counts


def test_a_column_that_a_data_set_has_not_is_named_with_the_data_set(mirror):
    with pytest.raises(DataError, match="epoch-chinchilla has no column 'foo'"):
        datasets.load("epoch-chinchilla", columns={"loss": "foo"})
    with pytest.raises(DataError, match="joined from many tables"):
        datasets.load("checkpoint-families", units={"loss": "nats/token"})


def test_a_unit_alone_changes_no_other_column(mirror):
    plain, told = datasets.load("epoch-chinchilla"), datasets.load("epoch-chinchilla", units={"loss": "bits/token"})
    assert told.loss_unit == "bits/token" and plain.loss_unit == "nats/token"
    assert np.array_equal(told["N"], plain["N"]) and told.columns["N"] == plain.columns["N"]
