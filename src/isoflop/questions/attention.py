"""The question of attention at other lengths than in training: how its entropy drifts, and what holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table, of_interval
from isoflop.errors import IsoflopError
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.kinds import Count, Number, Text, Texts
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject
from isoflop.questions.base.specs import LevelSpec

if TYPE_CHECKING:
    from isoflop.probing.attention import AttentionAt, AttentionDrift

_FACTORS = {"plain": "1/sqrt(d)", "log": "the factor sqrt(log_T N / d)", "normal": "the factor of normal logits"}


@dataclass(frozen=True)
class Attention(Question):
    """Entropy of attention at other numbers of tokens than in training, and the factor on logits that holds it.

    ARRAYS are files (.npz, .safetensors), or a folder of them, one for each number of tokens: queries (..., rows, d)
    that see every key, and keys (..., tokens, d); the axes in front are heads and windows. The entropy of attention
    grows with log N and blurs what a head looks at; two factors are measured that are to hold it.

    isoflop attention n512.npz n1024.npz n4096.npz --trained 512
    """

    name: ClassVar[str] = "attention"
    examples: ClassVar[tuple[str, ...]] = ("isoflop attention attention32.npz attention128.npz --trained 32",)
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 81
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.probing.attention:AttentionDrift",)
    in_study: ClassVar[bool] = False
    on_page: ClassVar[bool] = False

    arrays: tuple[str, ...] = option(
        Texts("ARRAYS"), (), positional=True, required=True, help="Files of queries and keys, or a folder of them."
    )
    trained: int | None = option(Count(low=2), help="Tokens at training, of which there is a file; the fewest.")
    queries: str | None = option(Text("NAME"), help="Array of queries; queries, query or q by default.")
    keys: str | None = option(Text("NAME"), help="Array of keys; keys, key or k by default.")
    tolerance: float = option(
        Number(low=0.0, high=1.0, open=True),
        0.1,
        help="Relative error that is allowed, on normal logits.",
    )
    seed: int = option(Count(high=2**32 - 1), 0, help="Seed of heads and queries that are measured.")

    @classmethod
    def groups(cls) -> tuple[type, ...]:
        """The level alone."""
        return (LevelSpec,)

    def check(self) -> None:
        """Files are needed."""
        if not self.arrays:
            raise IsoflopError("no file of queries and keys was given; name .npz or .safetensors files, one a length")

    def compute(self, context: Context) -> AttentionDrift:
        """Read, then measure."""
        from isoflop.probing.attention import attention_drift

        self.check()
        return attention_drift(
            self.arrays,
            trained=self.trained,
            queries=self.queries,
            keys=self.keys,
            tolerance=self.tolerance,
            level=context.level,
            seed=self.seed,
        )

    def answer(self, result: AttentionDrift, context: Context) -> Answer:
        """The drift at the length farthest from training, and what each factor leaves of it."""
        far = _farthest(result)
        factors = [name for name in ("log", "normal") if name in far.drift]
        best = min(factors, key=lambda name: abs(far.drift[name].value))
        less = abs(far.drift[best].value) < abs(far.drift["plain"].value)
        tail = f"with {_FACTORS[best]} by {{held}}" if less else "and neither factor holds it"
        return Answer(
            question=self.name,
            title=f"attention over {result.lengths[0].tokens:,} to {result.lengths[-1].tokens:,} tokens"[:200],
            headline=(
                f"From {result.trained:,} to {far.tokens:,} tokens the entropy of attention moves by {{drift}}, {tail}."
            ),
            quantities=(
                of_interval("drift", far.drift["plain"], unit="nats", label="drift of the entropy"),
                of_interval("held", far.drift[best], unit="nats", label=f"drift with {_FACTORS[best]}"),
                Quantity("heads", far.heads, "integer", label="heads and windows"),
            ),
            tables=(_lengths(result),),
            findings=_findings(result),
            method="entropy of softmax(factor times q.k), mean over queries; interval over heads and windows",
            provenance={"trained": result.trained, "level": result.level, "seed": self.seed},
        )


def _farthest(result: AttentionDrift) -> AttentionAt:
    others = [each for each in result.lengths if each.tokens != result.trained]
    return max(others, key=lambda each: max(each.tokens / result.trained, result.trained / each.tokens))


def _lengths(result: AttentionDrift) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for each in result.lengths:
        drifts = [
            of_interval(name, each.drift[name]) if name in each.drift and each.tokens != result.trained
            else None
            for name in _FACTORS
        ]  # fmt: skip
        rows.append((each.tokens, *drifts, of_interval("entropy", each.entropy), each.share, each.variance, each.error))
    return Table(
        "lengths",
        (
            Column("tokens", kind="integer"),
            Column("plain", "drift"),
            Column("log", "log factor"),
            Column("normal", "normal factor"),
            Column("entropy"),
            Column("share", "share of log N", detail=True),
            Column("variance", "logit variance", detail=True),
            Column("error", "error on normal logits", "change", detail=True),
        ),
        tuple(rows),
        title="Entropy by tokens, in nats",
        note="Log factor: sqrt(log_T N / d), T tokens at training. Normal factor: the one that normal logits need.",
    )


def _findings(result: AttentionDrift) -> tuple[Finding, ...]:
    found: list[Finding] = []
    far = _farthest(result)
    base = next(each for each in result.lengths if each.tokens == result.trained)
    wrong = max((base, far), key=lambda each: abs(each.error))
    if abs(wrong.error) > result.tolerance:
        found.append(
            Finding(
                "logits-too-sharp", "warning",
                f"The entropy of normal logits misses by {_percent(wrong.error)} at a logit variance of "
                f"{wrong.variance:.3g} over {wrong.tokens:,} tokens.",
                "Do not rely on the factor of normal logits: attention this sharp is not described by its variance.",
            )
        )  # fmt: skip
    if far.without:
        found.append(
            Finding(
                "no-holding-factor", "note",
                f"{far.without:,} of {far.heads:,} heads and windows have no factor that would hold their entropy.",
                "Their attention is nearly even; they are left as they are.",
            )
        )  # fmt: skip
    return tuple(found)


def _percent(error: float) -> str:
    return f"{error:+.0%}" if abs(error) < 1 else "more than itself"
