"""The question of a model's size and price: parameters, FLOPs, hours and money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Cell, Column, Quantity, Table, identifier, literal
from isoflop.answers.wording import number, plural
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.hardware import Hardware, cost_table
from isoflop.questions.base.kinds import Choice, Count, Flag, Number, Text
from isoflop.questions.base.option import option
from isoflop.questions.base.question import Group, Question, Subject

if TYPE_CHECKING:
    from isoflop.accounting import Comparison, Shape
    from isoflop.accounting import Cost as Bill

POSITIVE = Count(low=1)


@dataclass(frozen=True)
class Costed:
    """A shape under every counting convention, and its bills by the convention's name where hardware was given."""

    comparison: Comparison
    chosen: str
    bills: Mapping[str, Bill] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Cost(Hardware, Question):
    """Parameters and training FLOPs of a transformer by every convention, with hours and money.

    isoflop cost --layers 80 --width 8192 --heads 64 --kv-heads 8 --ff 28672 --gated --vocab 128256 --context 8192 --tokens 15T --hardware h100 --devices 1024 --mfu 0.4 --price 2.5
    """  # noqa: E501 - an example is one line

    name: ClassVar[str] = "cost"
    examples: ClassVar[tuple[str, ...]] = (
        "isoflop cost --layers 32 --width 4096 --heads 32 --vocab 128000 --context 4096 --tokens 1T",
    )
    group: ClassVar[Group] = "Ask"
    order: ClassVar[int] = 90
    subject: ClassVar[Subject] = "nothing"
    has_pictures: ClassVar[bool] = False
    results: ClassVar[tuple[str, ...]] = ("isoflop.questions.cost:Costed",)

    layers: int = option(POSITIVE, 0, required=True, help="Layers.")
    width: int = option(POSITIVE, 0, required=True, help="Width of the residual stream.")
    heads: int = option(POSITIVE, 0, required=True, help="Query heads.")
    kv_heads: int | None = option(POSITIVE, help="Key and value heads; as many as query heads where not given.")
    key_size: int | None = option(POSITIVE, help="Size of one head; width / heads where not given.")
    feed_forward: int | None = option(POSITIVE, flag="ff", help="Feed-forward width; 4 × width where not given.")
    gated: bool = option(Flag(), False, off="plain", help="Feed-forward with a gate (three matrices).")
    vocabulary: int = option(POSITIVE, 0, flag="vocab", required=True, help="Vocabulary.")
    context: int = option(POSITIVE, 0, required=True, help="Tokens of a training sequence.")
    tied: bool = option(Flag(), False, off="untied", help="Output matrix is the embedding table.")
    experts: int = option(POSITIVE, 1, help="Routed experts per layer.")
    active_experts: int = option(POSITIVE, 1, help="Routed experts per token.")
    shared_experts: int = option(Count(low=0), 0, help="Experts that every token passes.")
    dense_layers: int = option(Count(low=0), 0, help="Layers without experts.")
    dense_feed_forward: int | None = option(POSITIVE, flag="dense-ff", help="Feed-forward width of those layers.")
    positions: str = option(Choice("KIND", ("rotary", "learned", "relative")), "rotary", help="Position encoding.")
    norm: str = option(Choice("KIND", ("rms", "layer", "none")), "rms", help="Normalization.")
    layer_norms: int = option(Count(low=0), 2, help="Norms in a layer.")
    query_key_norm: str = option(
        Choice("KIND", ("none", "head", "full")), "none", flag="qk-norm", help="Norm of queries."
    )
    biases: str = option(Choice("KIND", ("none", "qkv", "all")), "none", help="Biases.")
    tokens: float = option(Number("15T", low=0.0, open=True), 0.0, required=True, help="Training tokens.")
    counted_by: str = option(Text("NAME"), "exact", flag="count", help="Convention from which hours are taken.")

    def check(self) -> None:
        """Hardware details need hardware."""
        self.require_hardware()

    def shape(self) -> Shape:
        """The model."""
        from isoflop.accounting import Shape

        return Shape(**{each.name: getattr(self, each.name) for each in fields(Shape)})

    def compute(self, context: Context) -> Costed:
        """Every convention, each priced where hardware is named."""
        from isoflop.accounting import compare, doubts

        comparison = compare(self.shape(), self.tokens)
        chosen = comparison.row(self.counted_by).name
        if self.hardware is None:
            return Costed(comparison, chosen, findings=comparison.findings)
        bills = {row.name: self.bill(comparison.total(row.name)) for row in comparison.rows}
        return Costed(comparison, chosen, bills, (*comparison.findings, *doubts(bills[chosen], comparison.parameters)))

    def answer(self, result: Costed, context: Context) -> Answer:
        """The counts, the FLOPs, the bill."""
        from isoflop.accounting import decode_flops, prefill_flops

        comparison, bill = result.comparison, result.bills.get(result.chosen)
        shape, counted = comparison.shape, comparison.parameters
        words = "{total} parameters ({non_embedding} non-embedding"
        words += ", {active} active); " if counted.idle else "); "
        words += "{D} tokens take {flops} FLOPs"
        quantities = [
            Quantity("total", counted.total, "count", unit="parameters"),
            Quantity("non_embedding", counted.non_embedding, "count", label="non-embedding", unit="parameters"),
            Quantity("active", counted.active, "count", unit="parameters per token"),
            Quantity("D", comparison.tokens, "count", unit="tokens"),
            Quantity("flops", comparison.total(result.chosen), "flops", label="training FLOPs", note=result.chosen),
            Quantity(
                "prefill", prefill_flops(shape, prompt=shape.context) / shape.context, "flops",
                label="inference FLOPs per prompt token", note=f"prompt of {number(shape.context, 'integer')} tokens",
            ),
            Quantity(
                "decode", decode_flops(shape, position=shape.context), "flops", label="inference FLOPs per new token",
                note=f"after {number(shape.context, 'integer')} tokens",
            ),
        ]  # fmt: skip
        if bill is not None:
            words += (
                f": {{hours}} on {{devices}} × {literal(bill.hardware.name)} at {{mfu}} of its {bill.precision} peak"
            )
            quantities += [
                Quantity("devices", bill.devices, "integer"),
                Quantity("mfu", bill.mfu, "share", label="MFU"),
                Quantity("hours", bill.hours, "hours", label="time"),
                Quantity("device_hours", bill.device_hours, "count", label="device-hours"),
            ]
            if bill.money is not None:
                words += ", for {money}"
                quantities.append(Quantity("money", bill.money, "money", label="cost"))
        return Answer(
            question=self.name,
            title=_title(shape),
            headline=words + ".",
            quantities=tuple(quantities),
            tables=(
                _conventions(result),
                *_parts(comparison),
                _shape(shape),
                *(() if bill is None else (cost_table(bill),)),
            ),
            findings=result.findings,
            method=_method(shape, bill),
            provenance={"hardware": None if bill is None else bill.hardware.source},
        )


def _title(shape: Shape) -> str:
    layers, width = number(shape.layers, "integer"), number(shape.width, "integer")
    return f"{layers} {plural(shape.layers, 'layer')} of width {width}"


def _conventions(result: Costed) -> Table:
    comparison, bills = result.comparison, result.bills
    money = any(each.money is not None for each in bills.values())
    rows: list[tuple[Cell, ...]] = []
    for row in comparison.rows:
        cells: list[Cell] = [
            row.label,
            row.name,
            row.counts,
            float(row.parameters),
            float(row.flops.training),
            float(comparison.total(row.name)),
            float(comparison.ratio(row.name)),
        ]
        if bills:
            cells.append(bills[row.name].hours)
        if money:
            cells.append(bills[row.name].money)
        rows.append(tuple(cells))
    return Table(
        "conventions",
        (
            Column("convention"),
            Column("name", "--count"),
            Column("counts", "N counts", detail=True),
            Column("N", kind="count"),
            Column("flops_per_token", "FLOPs/token", "flops"),
            Column("flops", "FLOPs", "flops"),
            Column("ratio", "/ 6ND"),
            *((Column("hours", "time", "hours"),) if bills else ()),
            *((Column("money", "cost", "money"),) if money else ()),
        ),
        tuple(rows),
        title="Conventions",
    )


def _parts(comparison: Comparison) -> tuple[Table, ...]:
    parameters = Table(
        "parameters",
        (Column("part"), Column("N", "parameters", "integer")),
        tuple((name, int(count)) for name, count in comparison.parameters.parts().items()),
        title="Parameters by part",
        detail=True,
    )
    flops = Table(
        "forward",
        (Column("part"), *(Column(identifier(row.name), row.name, "flops") for row in comparison.rows)),
        tuple(
            (part, *(_part(row.flops.parts(), part) for row in comparison.rows))
            for part in dict.fromkeys(part for row in comparison.rows for part in row.flops.parts())
        ),
        title="Forward FLOPs per token by part",
        detail=True,
    )
    return parameters, flops


def _shape(shape: Shape) -> Table:
    rows = tuple((name.replace("_", " "), value) for name, value in asdict(shape).items())
    return Table("shape", (Column("setting"), Column("value", kind="integer")), rows, title="Shape", detail=True)


def _part(parts: Mapping[str, float], name: str) -> float | None:
    return float(parts[name]) if name in parts else None


def _method(shape: Shape, bill: Bill | None) -> str:
    words = (
        f"{'tied' if shape.tied else 'untied'} output matrix, {shape.positions} positions, {shape.norm} norms, biases: "
        f"{shape.biases}"
    )
    if bill is None:
        return words
    return (
        f"{words}; peak {number(bill.hardware.peak[bill.precision], 'flops', digits=4)} FLOP/s: {bill.hardware.source}"
    )
