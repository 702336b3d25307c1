"""The question of how hard each training example is, and which a share keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table
from isoflop.errors import IsoflopError
from isoflop.files import check_place
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Choice, Count, Number, Text, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.probing.hardness import Hardness as Scored

_SHOWN = 20  # examples in the table of the hardest
_MEANINGS = {
    "margin": "margin: best wrong less right logit",
    "el2n": "el2n: length of p - onehot(y)",
    "forgetting": "forgetting: right, then wrong",
    "prototype": "prototype: distance to the nearest of {clusters} k-means centers",
}
_LOST = 0.5  # of its share before pruning, below which a class is reported


@dataclass(frozen=True)
class Hardness(Question):
    """Hardness of training examples: margin, EL2N, forgetting events and distance to a prototype.

    ARRAYS is one file (.npz, .npy, .parquet, .safetensors) with logits, probabilities, correct (checkpoints by
    examples) or embedding, whichever were recorded, and labels. All scores are larger for harder examples. With --keep
    a share is kept, the hardest or the easiest by one score; --rows writes scores and what is kept.

    isoflop hardness scores.npz
    isoflop hardness scores.npz --keep 0.5 --which easy --by el2n --rows hardness.csv
    """

    name: ClassVar[str] = "hardness"
    examples: ClassVar[tuple[str, ...]] = ("isoflop hardness examples.npz --keep 0.5",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 26
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.probing.hardness:Hardness",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    arrays: str = option(Text("ARRAYS"), "", positional=True, required=True, help="File of arrays.")
    names: Mapping[str, str] = option(
        Words("SCORE=ARRAY"),
        {},
        flag="score",
        help="Array of margin, el2n, forgetting or prototype; repeatable.",
    )
    labels: str | None = option(Text("NAME"), help="Array of class labels; labels, y or targets by default.")
    clusters: int = option(Count(low=1, high=10_000), 10, help="Prototypes, by k-means.")
    keep: float = option(Number(low=0.0, high=1.0), 1.0, help="Share of examples that is kept; 1 for all.")
    which: str = option(Choice("hard|easy", ("hard", "easy")), "hard", help="Whether the hardest or easiest are kept.")
    by: str | None = option(Text("SCORE"), help="Score that decides what is kept; the first found by default.")
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of the prototypes.")
    rows: str | None = option(Text("FILE.csv"), help="Write a table with a row an example.", command_line_only=True)

    def check(self) -> None:
        """A table needs a place and an ending; a share is above 0."""
        if self.keep <= 0:
            raise IsoflopError(f"--keep is a share above 0 and up to 1, not {self.keep:g}")
        if self.rows is not None:
            check_place(self.rows, "--rows")
            if not self.rows.lower().endswith((".csv", ".parquet")):
                raise IsoflopError(f"--rows writes .csv or .parquet, not {self.rows[-40:]!r}")

    def compute(self, context: Context) -> Scored:
        """Read, then score."""
        from isoflop.probing.hardness import score_hardness
        from isoflop.probing.read import read_arrays

        self.check()
        return score_hardness(
            read_arrays(self.arrays),
            names=self.names,
            labels=self.labels,
            clusters=self.clusters,
            keep=self.keep,
            which=self.which,
            by=self.by,
            seed=self.seed,
        )

    def answer(self, result: Scored, context: Context) -> Answer:
        """How many are scored and kept, whether scores agree, and what is left of each class."""
        examples = len(next(iter(result.scores.values())))
        names = ", ".join(result.scores)
        if self.rows is not None:
            _write(result, self.rows)
        quantities = [Quantity("examples", examples, "integer")]
        headline = f"{{examples}} examples are scored by {names}."
        if result.kept is not None:
            quantities.append(Quantity("kept", len(result.kept), "integer", label="examples kept"))
            headline = f"{{kept}} of {{examples}} examples are kept: the {result.which}est by {result.by}.".replace(
                "easyest", "easiest"
            )
        return Answer(
            question=self.name,
            title=f"hardness of the examples in {self.arrays}"[:200],
            headline=headline,
            quantities=tuple(quantities),
            tables=(_agreement(result), _classes(result), _hardest(result)),
            findings=_findings(result),
            method="; ".join(_MEANINGS[each].format(clusters=self.clusters) for each in result.scores),
            provenance={"seed": self.seed},
        )


def _agreement(result: Scored) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple((*pair, value) for pair, value in result.correlations.items())
    return Table(
        "agreement",
        (Column("score"), Column("other"), Column("correlation", "rank correlation")),
        rows,
        title="Agreement of the scores",
        detail=not rows,
    )


def _classes(result: Scored) -> Table:
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (str(code), whole, left, left / whole) for code, whole, left in result.classes if whole
    )
    return Table(
        "classes",
        (
            Column("class"),
            Column("examples", kind="integer"),
            Column("kept", kind="integer"),
            Column("share", "share kept", "share"),
        ),
        rows,
        title="What is left of each class",
        detail=not rows or len(rows) > _SHOWN,
    )


def _hardest(result: Scored) -> Table:
    order = (-result.scores[result.by]).argsort(kind="stable")[:_SHOWN]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (int(row), *(float(each[row]) for each in result.scores.values())) for row in order
    )
    return Table(
        "hardest",
        (Column("example", kind="integer"), *(Column(name) for name in result.scores)),
        rows,
        title="Hardest examples",
        note="Among these are mislabeled examples, where there are any: look before keeping them.",
        detail=True,
    )


def _findings(result: Scored) -> tuple[Finding, ...]:
    lost = [code for code, whole, left in result.classes if whole and left / whole < _LOST * result.share]
    if not lost:
        return ()
    return (
        Finding(
            "class-pruned", "warning",
            f"{len(lost)} of {len(result.classes)} classes keep less than half of their share: "
            f"{', '.join(map(str, lost[:8]))}.",
            "Keep more (--keep), take another score (--by), or prune each class by itself.",
        ),
    )  # fmt: skip


def _write(result: Scored, path: str) -> None:
    from io import BytesIO
    from pathlib import Path

    import numpy as np
    import polars as pl

    from isoflop.files import write_whole

    count = len(next(iter(result.scores.values())))
    kept = np.ones(count, dtype=bool) if result.kept is None else np.isin(np.arange(count), result.kept)
    frame = pl.DataFrame({"example": np.arange(count), **result.scores, "kept": kept})
    data = BytesIO()
    if path.lower().endswith(".csv"):
        frame.write_csv(data)
    else:
        frame.write_parquet(data)
    write_whole(Path(path), data.getvalue())
