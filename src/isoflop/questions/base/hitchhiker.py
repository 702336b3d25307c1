"""The Hitchhiker's protocol as an answer: many laws of many families, and what each choice does to their error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import number
from isoflop.errors import IsoflopError, shown
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.kinds import Number

if TYPE_CHECKING:
    import polars as pl

    from isoflop.laws import Law
    from isoflop.questions.base.context import Context
    from isoflop.validation.choices import Comparison
    from isoflop.validation.hitchhiker import Hitchhiker


@dataclass(frozen=True)
class HitchhikerStudy:
    """The trials, the comparison of each choice, and errors by models and share of training."""

    study: Hitchhiker
    comparisons: tuple[Comparison, ...]
    grid: pl.DataFrame


def hitchhiker_result(law: Law, context: Context, *, cut: str, jobs: int = 1) -> HitchhikerStudy:
    """Perform the protocol on the context's runs."""
    from isoflop.validation.hitchhiker import hitchhiker

    runs, spec = context.runs, context.fit_spec
    families = len(set(runs.text("family"))) if "family" in runs else 1
    with context.progress(families, "families") as advance:
        study = hitchhiker(
            law, runs, objective=context.objective, cut=_cut(cut), seed=spec.seed, jobs=jobs, progress=advance
        )
    return _compared(study, context.level, spec.seed)


def _compared(study: Hitchhiker, level: float, seed: int) -> HitchhikerStudy:
    from isoflop.validation.choices import compare_choices
    from isoflop.validation.hitchhiker import error_grid

    return HitchhikerStudy(study, tuple(compare_choices(study, level=level, seed=seed)), error_grid(study))


def hitchhiker_answer(question: str, result: HitchhikerStudy | Hitchhiker, level: float) -> Answer:
    """What each choice did to the error, and how much training keeps it within 5, 10 and 15 %."""
    import numpy as np

    from isoflop.validation.hitchhiker import iso_error

    found = result if isinstance(result, HitchhikerStudy) else _compared(result, level, 0)
    study, trials = found.study, found.study.trials
    iso = iso_error(found.grid)
    typical = float(np.nanmedian(trials["are"].to_numpy()))
    comparisons = Table(
        "comparisons",
        (
            Column("choice"),
            Column("against"),
            Column("ratio", "error ratio"),
            Column("helped", "pairs with a smaller error", "integer"),
            Column("pairs", kind="integer"),
            Column("families", kind="integer"),
            Column("collections", "sources", "integer"),
            Column("verdict"),
        ),
        tuple(
            (
                each.choice,
                each.against,
                of_interval("ratio", each.ratio),
                each.helped,
                each.pairs,
                each.families,
                each.collections,
                each.verdict,
            )
            for each in found.comparisons
        ),
        title="Choices compared",
    )
    words = []
    for models in sorted(set(iso["models"])):
        kept = {row["error"]: row["share"] for row in iso.filter(iso["models"] == models).iter_rows(named=True)}
        shares = ", ".join(
            f"{number(error, 'share')}: {number(share, 'share') if share else '–'}" for error, share in kept.items()
        )
        words.append(f"{models} models {shares}")
    return Answer(
        question=question,
        title=f"Hitchhiker's protocol, {study.law}",
        headline="{trials} fits of {families} families; the median error on the largest model is {typical}.",
        quantities=(
            Quantity("trials", trials.height, "integer"),
            Quantity("families", trials["family"].n_unique(), "integer"),
            Quantity("typical", typical, "share", label="median error on the largest model"),
        ),
        tables=(
            comparisons,
            _frame("iso_error", iso, "Share of training that keeps the median error"),
            _frame("grid", found.grid, "Median error by models and share of training", detail=True),
            _frame("baselines", study.baselines, "Baselines", detail=True),
            _frame("floors", study.floors, "Spread of repeated runs", detail=True),
            _frame("trials", trials, "Fits", detail=True),
            Table(
                "skipped",
                (Column("family"), Column("reason")),
                tuple((family, why) for family, why in study.skipped),
                title="Families left out",
                detail=True,
            ),
        ),
        findings=study.findings,
        method=(
            f"objective {study.objective}; error: mean of |L − L̂|/L over the last 30% of the largest model's training; "
            "error ratio: geometric mean over families and their sources"
        ),
        pictures=(
            Picture(
                "families",
                drawing("errors_by_share", found.grid),
                f"Median error on the largest model by number of models and share of training: {'; '.join(words)}.",
                (7.2, 1.6 + 0.36 * found.grid["models"].n_unique()),
            ),
        ),
    )


def _frame(name: str, frame: pl.DataFrame, title: str, *, detail: bool = False) -> Table:
    def plain(value: Any) -> Any:  # noqa: ANN401 - a cell of any type
        return ", ".join(map(str, value)) if isinstance(value, list) else value

    return Table(
        name,
        tuple(Column(each) for each in frame.columns),
        tuple(tuple(plain(cell) for cell in row) for row in frame.iter_rows()),
        title=title,
        detail=detail,
    )


def _cut(text: str) -> float:
    """A share below 1 for ``10%``, tokens for ``10B``."""
    if text.endswith("%"):
        share = Number().convert(text.removesuffix("%"), "--cut") / 100
        if not 0 < share < 1:
            raise IsoflopError(f"--cut takes a share between 0% and 100%, or tokens such as 10B, not {shown(text)}")
        return share
    tokens = Number().convert(text, "--cut")
    if tokens < 1:
        raise IsoflopError(f"--cut takes tokens such as 10B, or a share such as 10%, not {shown(text)}")
    return tokens
