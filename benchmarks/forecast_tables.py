"""The public run tables on which forecasts are tested, each with the law that suits it; see each folder's SOURCE.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from isoflop import Runs, law
from isoflop.validation.forecast_trials import ForecastTable

_GPT3 = {"small": 125e6, "medium": 350e6, "large": 760e6, "xl": 1.3e9, "2.7b": 2.7e9, "6.7b": 6.7e9, "13b": 13e9,
         "175b": 175e9}  # fmt: skip
_POINTS = 40  # rows kept of a long curve, evenly in log D


def read_tables(folder: Path, only: Sequence[str] = ()) -> list[ForecastTable]:
    """Every table whose files are in the folder; only: names of data sets."""
    found: list[ForecastTable] = []
    for name, read in READERS.items():
        if only and name not in only:
            continue
        try:
            found += read(folder)
        except FileNotFoundError:
            continue
    return found


def isoflop_tables(folder: Path, only: Sequence[str] = ()) -> list[ForecastTable]:
    """Tables of separate runs in N and D; not curves of checkpoints, and no runs that repeat their tokens."""
    return [
        each
        for each in read_tables(folder, only)
        if each.law.name == "chinchilla" and "run" not in each.runs and {"N", "D"} <= set(each.runs.frame.columns)
    ]


def _table(dataset: str, name: str, frame: pl.DataFrame, law_name: str = "chinchilla", by: str = "C") -> ForecastTable:
    """The rows with finite positive numbers, as runs."""
    numbers = [each for each in frame.columns if each != "run"]
    frame = frame.with_columns(pl.col(numbers).cast(pl.Float64)).drop_nulls()
    frame = frame.filter(pl.all_horizontal(pl.col(each).is_finite() & (pl.col(each) > 0) for each in numbers))
    runs = Runs.from_columns({each: frame[each].to_numpy() for each in frame.columns}, source=f"{dataset}/{name}")
    return ForecastTable(dataset, name, runs, law(law_name), by)


def _read(path: Path) -> pl.DataFrame:
    if not path.exists():
        raise FileNotFoundError(path)
    return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema_length=None)


def _chinchilla(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "epoch-chinchilla" / "svg_extracted_data.csv").sort("loss").head(240)
    frame = frame.select(N="Model Size", C="Training FLOP", loss="loss")
    yield _table("chinchilla", "figure 4", frame.with_columns(D=pl.col("C") / 6 / pl.col("N")))
    others = _read(folder / "isoflop-collection" / "isoflops_extract.csv").filter(pl.col("source") == "ml_scalefit")
    yield _table("chinchilla", "ml-scalefit", others.select(N="params", D="tokens", C="budget", loss="loss"))


def _llama3(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "isoflop-collection" / "isoflops_extract.csv")
    for each in sorted(set(frame.filter(pl.col("source") == "llama_3")["condition"].to_list())):
        if "raw" in each:
            own = frame.filter((pl.col("source") == "llama_3") & (pl.col("condition") == each))
            yield _table("llama3", each, own.select(N="params", D="tokens", C="budget", loss="loss"))


def _porian(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "porian-isoflop" / "isoflop_points.csv").filter(pl.col("source_table") != "summary_df_att")
    keys = ["dataset", "hparams", "warmup", "decay", "param_count", "val"]
    for key, own in sorted(frame.group_by(keys), key=lambda each: str(each[0])):
        yield _table("porian", " ".join(map(str, key)), own.select(N="n", D="tokens", C="flops", loss="loss"))


def _datablations(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "datablations" / "parametric_fit_runs_paper182.csv")
    yield _table("datablations", "182 runs", frame.select("N", "D", "U", "loss"), "muennighoff")
    once = frame.filter(pl.col("D") <= 1.001 * pl.col("U"))
    yield _table("datablations", "without repeats", once.select("N", "D", "loss"))


def _gadre(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "overtraining-gadre" / "runs_with_downstream_colpret.csv")
    for key in sorted(set(frame["dataset_name"].to_list())):
        own = frame.filter(pl.col("dataset_name") == key)
        for loss in ("loss_openlm", "loss_c4_val"):
            yield _table("gadre", f"{key} {loss}", own.select("N", "D", loss=loss))


def _olmo(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "olmo-ladder" / "ladder_final_checkpoints.csv")
    for loss in ("val/c4_en_ce", "val/pile_ce", "val/wikitext_103_ce", "val/dolma_common-crawl_ce"):
        yield _table("olmo-ladder", loss, frame.select("N", D="throughput/total_tokens", loss=loss))


def _steplaw(folder: Path) -> Iterator[ForecastTable]:
    dense = _read(folder / "steplaw" / "dense_lr_bs_loss.csv").group_by("N", "D").agg(loss=pl.col("smooth loss").min())
    yield _table("steplaw", "dense", dense)
    sparse = _read(folder / "steplaw" / "moe_lr_bs_loss.csv").group_by("Na", "D").agg(loss=pl.col("smooth loss").min())
    yield _table("steplaw", "moe", sparse.rename({"Na": "N"}))


def _revisiting(dataset: str, file: str) -> Callable[[Path], Iterator[ForecastTable]]:
    def read(folder: Path) -> Iterator[ForecastTable]:
        frame = _read(folder / "revisiting-benchmark" / file).with_columns(pl.col("Model").cast(pl.String))
        for key, own in sorted(frame.group_by("Domain", "Task", "Model"), key=lambda each: str(each[0])):
            curve = _thinned(own.select(D="Seen Examples", loss="Loss").sort("D"), "D")
            yield _table(dataset, " ".join(map(str, key)), curve, "power-d-floor", by="D")

    return read


def _thinned(curve: pl.DataFrame, by: str) -> pl.DataFrame:
    if len(curve) <= _POINTS:
        return curve
    place = np.log(curve[by].cast(pl.Float64).to_numpy())
    rows = np.searchsorted(place, np.linspace(place[0], place[-1], _POINTS)).clip(0, len(curve) - 1)
    return curve[np.unique(rows)]


def _clip(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "clip-mammut-comparison" / "ade20k_and_train_results.parquet")
    for key in ("clip", "mammut"):
        own = frame.filter(pl.col("namespace") == key)
        for score in ("acc1", "miou"):
            best = own.drop_nulls([score, "gflops"]).group_by("model", "samples_seen").agg(
                N=pl.col("model_mparams").first() * 1e6, C=pl.col("gflops").first() * 1e9, loss=1 - pl.col(score).max()
            )  # fmt: skip
            yield _table("clip-mammut", f"{key} {score}", best.select("N", "C", "loss", D="samples_seen"))


def _pythia(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "pythia-evals" / "lambada_by_checkpoint.csv").filter(pl.col("step") >= 3000)
    for deduped in (False, True):
        own = frame.filter(pl.col("model").str.contains("deduped") == deduped)
        own = own.filter(~pl.col("model").str.contains("bs|BS"))
        yield _table(
            "pythia",
            "deduped" if deduped else "standard",
            own.select(run="model", N="params_total", D="tokens", loss=pl.col("ppl").log()),
        )


def _gpt3(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "hitchhiker-colpret" / "gpt3_curves_extracted_from_figure.csv.gz")
    for loss in ("train_loss", "val_loss"):
        pieces = []
        for (model,), own in frame.group_by("model"):
            curve = own.select(
                D=pl.col("step").cast(pl.Float64) * 1e9, loss=pl.col(loss).cast(pl.Float64, strict=False)
            )
            curve = curve.drop_nulls().filter(pl.col("D") > 1e9).group_by("D").agg(pl.col("loss").mean()).sort("D")
            if len(curve):
                size = pl.lit(_GPT3[str(model).lower()]).alias("N")
                pieces.append(_thinned(curve, "D").select(pl.lit(str(model)).alias("run"), size, "D", "loss"))
        yield _table("gpt3", loss, pl.concat(pieces))


def _opt(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv")
    size = pl.col("model_size").str.to_lowercase()
    number = size.str.head(-1).cast(pl.Float64) * pl.when(size.str.ends_with("b")).then(1e9).otherwise(1e6)
    yield _table(
        "opt", "ppl", frame.select(run="model_size", N=number, D=10 ** pl.col("num_token"), loss=pl.col("ppl").log())
    )


def _parscale(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "parscale" / "runs.csv")
    for loss in ("loss_stack_v2_python", "loss_pile"):
        yield _table("parscale", loss, frame.select("P", N="params_nonembed", loss=loss), "parscale", by="N")


def _routed(folder: Path) -> Iterator[ForecastTable]:
    parts = [_read(folder / "moe-sparsity" / f"moe_{part}.parquet") for part in ("train", "test")]
    frame = pl.concat(parts).select(N="dense_parameter_count", experts="num_experts", loss="loss_validation")
    yield _table("clark-moe", "routed", frame, "routed", by="N")


def _loss_to_loss(folder: Path) -> Iterator[ForecastTable]:
    frame = _read(folder / "loss-to-loss" / "sweep.csv")
    for key in sorted(set(frame["data"].to_list())):
        own = frame.filter(pl.col("data") == key)
        yield _table(
            "loss-to-loss", key, own.select(N="params", D="tokens", loss="eval/fineweb_100b_val/CrossEntropyLoss")
        )


READERS: dict[str, Callable[[Path], Iterator[ForecastTable]]] = {
    "chinchilla": _chinchilla,
    "llama3": _llama3,
    "porian": _porian,
    "datablations": _datablations,
    "gadre": _gadre,
    "olmo-ladder": _olmo,
    "steplaw": _steplaw,
    "clip-mammut": _clip,
    "pythia": _pythia,
    "gpt3": _gpt3,
    "opt": _opt,
    "parscale": _parscale,
    "clark-moe": _routed,
    "loss-to-loss": _loss_to_loss,
    "revisiting-lang": _revisiting("revisiting-lang", "benchmark_lang.csv"),
    "revisiting-vision": _revisiting("revisiting-vision", "benchmark_vision.csv.gz"),
}
