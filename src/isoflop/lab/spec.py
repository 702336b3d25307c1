"""A sweep's description: TOML text to one frozen value, every key known, every value possible.

::

    name = "python-bytes"

    [task]
    name = "python-text"          # or "text" with path = "corpus/", or "digits"
    context = 128

    [model]
    family = "transformer"        # or "mlp"
    sizes = [{ width = 32, layers = 3, heads = 2 }, { width = 64, layers = 4, heads = 2 }]

    [train]
    batch = 2048                  # tokens a step
    lr = { at = 0.01, params = 1e5, power = 0.3 }   # 0.01 (N / 1e5)^-0.3; or a number; or { search = [...] }
                                  # with tokens = 1e6, tokens_power = 0.1 also times (D / 1e6)^-0.1
    seeds = [0]

    [schedule]
    kind = "cosine"               # wsd, constant, multistep

    [[design]]
    kind = "grid"
    tokens = [1e6, 3e6]

    [[design]]
    kind = "isoflop"
    budgets = [1e12]

With ``[command]`` in place of task, model, train and schedule, the cells are runs of the user's own program, one for
every combination of the values in ``[command.values]``, or for every one of ``[[command.cells]]``.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from isoflop.documents import DocumentError, parse_toml, read_bounded
from isoflop.errors import SpecError, shown
from isoflop.lab.cell import Evaluation, Optimiser
from isoflop.lab.command_spec import Commands, read_commands
from isoflop.lab.schedules import KINDS, Schedule
from isoflop.lab.shapes import MlpShape, Shape, TransformerShape
from isoflop.lab.tasks import TASKS, TaskSpec
from isoflop.toml_table import MOST, Table, check_number

MOST_BYTES = 1_000_000
MOST_SIZES = 1_000
MOST_DESIGNS = 1_000
MOST_WIDTH = 1_000_000
MOST_LAYERS = 10_000
MOST_TOKENS = 10**12  # of one step, and of one window
MOST_SEED = 2**32 - 1
MOST_POINTS = 100_000
MOST_SECONDS = 1e9
MOST_LABEL = 200
_MOST_BOUGHT = 1e18  # tokens of one training


@dataclass(frozen=True)
class Rate:
    """lr(N, D) = at · (N / params)^-power · (D / tokens)^-tokens_power; with ``search``, the best at each size.

    N counts all parameters. A search trains each size for ``tokens`` tokens with each rate (seed 0 of the list) and
    keeps the rate of the lowest held-out loss; the search is not part of the runs table.
    """

    at: float = 3e-3
    params: float = 1e6
    power: float = 0.0
    search: tuple[float, ...] = ()
    tokens: float | None = None
    tokens_power: float = 0.0

    def rate(self, params: float, tokens: float) -> float:
        """The peak learning rate for ``params`` parameters and ``tokens`` tokens, to three significant digits."""
        rate = self.at * (params / self.params) ** -self.power
        if self.tokens is not None:
            rate *= (tokens / self.tokens) ** -self.tokens_power
        return float(f"{rate:.3g}")


@dataclass(frozen=True)
class Design:
    """Which sizes train on how many tokens with which seeds.

    grid: every size on every number of ``tokens``.
    isoflop: at each of ``budgets`` FLOPs, every size on the tokens that the budget buys, counted by ``count``; sizes
    whose tokens lie outside ``least`` … ``most`` are left out.
    schedule: in place of the sweep's own.
    """

    kind: Literal["grid", "isoflop"]
    tokens: tuple[float, ...] = ()
    budgets: tuple[float, ...] = ()
    sizes: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    count: Literal["6ND", "counted"] = "6ND"
    least: float = 0.0
    most: float = math.inf
    schedule: Schedule | None = None


@dataclass(frozen=True)
class Limits:
    """seconds: how long a cell may run (default: 20 times the estimate, an hour at least); patience: silence."""

    seconds: float | None = None
    patience: float = 300.0


@dataclass(frozen=True)
class SweepSpec:
    """A whole sweep, checked; ``text`` is the file as it was read."""

    name: str
    text: str
    task: TaskSpec = field(default_factory=TaskSpec)
    shapes: tuple[Shape, ...] = ()
    batch: int = 2048
    rate: Rate = field(default_factory=Rate)
    seeds: tuple[int, ...] = (0,)
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Schedule)
    evaluation: Evaluation = field(default_factory=Evaluation)
    designs: tuple[Design, ...] = ()
    commands: Commands | None = None
    limits: Limits = field(default_factory=Limits)


def read_spec(path: str | Path) -> SweepSpec:
    """The description in a file. Raises SpecError with one sentence for whatever is wrong with it."""
    source = Path(path)
    try:
        text = read_bounded(source, most=MOST_BYTES).decode("utf-8")
    except DocumentError as error:
        raise SpecError(f"the sweep {str(source)!r} {error}; give a TOML file of a few lines") from None
    except UnicodeDecodeError:
        raise SpecError(f"the sweep {str(source)!r} cannot be read: not UTF-8 text") from None
    return parse_spec(text, name=source.stem, base=source.parent)


def parse_spec(text: str, *, name: str = "sweep", base: Path | None = None) -> SweepSpec:
    """The description in TOML text; relative paths in it start at ``base``."""
    try:
        tree = parse_toml(text)
    except DocumentError as error:
        says = str(error).removeprefix("is not TOML: ")
        raise SpecError(f"the sweep is not valid TOML: {says}") from None
    top = Table(tree, "the sweep")
    top.allow("name", "task", "model", "train", "schedule", "evaluate", "design", "command", "limits")
    label = _label(top, name)
    limits = _limits(top.table("limits"))
    if "command" in tree:
        clash = sorted({"task", "model", "train", "schedule", "evaluate", "design"} & set(tree))
        if clash:
            raise SpecError(f"[command] stands alone: remove [{clash[0]}], or remove [command] to train in the lab")
        return SweepSpec(label, text, commands=read_commands(top.table("command"), base), limits=limits)
    train = top.table("train")
    train.allow(
        "batch", "lr", "seeds", *(f.name for f in dataclasses.fields(Optimiser) if f.name != "kind"), "optimiser"
    )
    shapes = _shapes(top.table("model"))
    task = _task(top.table("task"), base)
    batch = train.whole("batch", 2048 if task.name != "digits" else 64, high=MOST_TOKENS)
    context = task.context if task.name != "digits" else 1
    if batch % context:
        raise SpecError(
            f"batch = {batch} tokens is not a whole number of windows of context = {context}; "
            f"use {max(1, round(batch / context)) * context}"
        )
    if (task.name == "digits") != isinstance(shapes[0], MlpShape):
        raise SpecError(
            f"the task {task.name!r} does not go with family = {shapes[0].family!r}; text needs "
            f'"transformer", digits need "mlp"'
        )
    return SweepSpec(
        name=label,
        text=text,
        task=task,
        shapes=shapes,
        batch=batch,
        rate=_rate(train.values.get("lr", 3e-3), batch),
        seeds=train.wholes("seeds", (0,), high=MOST_SEED),
        optimiser=_optimiser(train),
        schedule=_schedule(top.table("schedule")),
        evaluation=_evaluation(top.table("evaluate")),
        designs=_designs(tree.get("design", []), shapes, batch),
        limits=limits,
    )


def _task(table: Table, base: Path | None) -> TaskSpec:
    table.allow("name", "context", "path", "limit", "vocabulary")
    name = table.choice("name", "python-text", TASKS)
    path = table.text("path", "") or None
    if path is not None and base is not None:
        path = str((base / path).resolve())
    limit = table.whole("limit", 1) if "limit" in table.values else None
    vocabulary = table.whole("vocabulary", TaskSpec.vocabulary, low=2, high=TaskSpec.vocabulary)
    return TaskSpec(name, table.whole("context", 128, low=2, high=10**9), path, limit, vocabulary)


def _shapes(table: Table) -> tuple[Shape, ...]:
    table.allow("family", "sizes", "ratio", "feed_forward", "tied")
    family = table.choice("family", "transformer", ("transformer", "mlp"))
    sizes = table.values.get("sizes", [])
    if not isinstance(sizes, list) or not sizes or not all(isinstance(size, Mapping) for size in sizes):
        raise SpecError("[model] needs sizes = [{ width = 32, layers = 3, heads = 2 }, …], one or more")
    if len(sizes) > MOST_SIZES:
        raise SpecError(f"[model] lists {len(sizes):,} sizes; at most {MOST_SIZES:,} fit in a sweep")
    shapes: list[Shape] = []
    for number, size in enumerate(sizes, start=1):
        entry = Table(size, f"size {number} of [model]")
        if family == "mlp":
            entry.allow("width", "layers")
            shapes.append(
                MlpShape(entry.whole("width", 64, high=MOST_WIDTH), entry.whole("layers", 2, high=MOST_LAYERS))
            )
            continue
        entry.allow("width", "layers", "heads")
        if "width" not in size:
            raise SpecError(f"size {number} of [model] has no width; write {{ width = 32, layers = 3, heads = 2 }}")
        shapes.append(
            TransformerShape(
                width=entry.whole("width", 32, high=MOST_WIDTH),
                layers=entry.whole("layers", 2, high=MOST_LAYERS),
                heads=entry.whole("heads", 1, high=MOST_WIDTH),
                ratio=table.number("ratio", 4.0, low=0.01, high=1_000),
                feed_forward=table.choice("feed_forward", "plain", ("plain", "gated")),
                tied=table.flag("tied", True),
            )
        )
    names = [shape.name for shape in shapes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise SpecError(f"[model] lists the size {twice} twice; remove one")
    return tuple(shapes)


def _rate(value: object, batch: int) -> Rate:
    if not isinstance(value, Mapping):
        return Rate(at=check_number(value, "lr in [train]", 1e-12, 1e3))
    table = Table(value, "lr of [train]")
    table.allow("at", "params", "power", "search", "tokens", "tokens_power")
    if "search" in value:
        rates = table.numbers("search", low=1e-12, high=1e3)
        if len(rates) < 2 or {"at", "power", "params", "tokens_power"} & set(value):
            raise SpecError(
                "lr.search needs two rates or more and stands without at, params, power and tokens_power; "
                "write lr = { search = [1e-3, 3e-3, 1e-2], tokens = 5e5 }"
            )
        tokens = table.number("tokens", 500 * batch, low=1, high=_MOST_BOUGHT)
        if tokens < batch:
            raise SpecError(f"lr.tokens = {tokens:g} is less than one step of {batch} tokens; give more")
        return Rate(search=rates, tokens=tokens)
    if ("tokens" in value) != ("tokens_power" in value):
        raise SpecError(
            "lr.tokens and lr.tokens_power stand together: the rate is multiplied by (D / tokens)^-tokens_power; "
            "write lr = { at = 3e-3, tokens = 1e6, tokens_power = 0.1 }, or remove both"
        )
    return Rate(
        at=table.number("at", 3e-3, low=1e-12, high=1e3),
        params=table.number("params", 1e6, low=1),
        power=table.number("power", 0.0, low=-2, high=2),
        tokens=table.number("tokens", 1e6, low=1, high=_MOST_BOUGHT) if "tokens" in value else None,
        tokens_power=table.number("tokens_power", 0.0, low=-2, high=2),
    )


def _optimiser(table: Table) -> Optimiser:
    base = Optimiser()
    return Optimiser(
        kind=table.choice("optimiser", base.kind, ("adamw", "sgd")),
        beta1=table.number("beta1", base.beta1, high=0.9999),
        beta2=table.number("beta2", base.beta2, high=0.99999),
        momentum=table.number("momentum", base.momentum, high=0.9999),
        weight_decay=table.number("weight_decay", base.weight_decay),
        clip=table.number("clip", base.clip),
    )


def _schedule(table: Table) -> Schedule:
    table.allow(*(f.name for f in dataclasses.fields(Schedule)))
    base = Schedule()
    milestones = table.numbers("milestones") or base.milestones
    if any(share > 1 for share in milestones):
        raise SpecError(f"milestones = {list(milestones)} in [schedule] are shares of the run, between 0 and 1")
    return Schedule(
        kind=table.choice("kind", base.kind, KINDS),
        warmup=table.number("warmup", base.warmup, high=1),
        final=table.number("final", base.final, high=1),
        decay=table.number("decay", base.decay, high=1),
        milestones=milestones,
        drop=table.number("drop", base.drop, high=1),
    )


def _evaluation(table: Table) -> Evaluation:
    table.allow("points", "first", "windows")
    base = Evaluation()
    return Evaluation(
        points=table.whole("points", base.points, high=MOST_POINTS),
        first=table.number("first", base.first, low=1e-6, high=1),
        windows=table.whole("windows", base.windows, high=10**9),
    )


def _designs(entries: object, shapes: tuple[Shape, ...], batch: int) -> tuple[Design, ...]:
    if not isinstance(entries, list) or not entries:
        raise SpecError('the sweep has no [[design]]; add one with kind = "grid" and tokens, or "isoflop" and budgets')
    if len(entries) > MOST_DESIGNS:
        raise SpecError(f"the sweep has {len(entries):,} designs; at most {MOST_DESIGNS:,} fit in one")
    designs = []
    names = [shape.name for shape in shapes]
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, Mapping):
            raise SpecError(f"design = {shown(entry)} must be a list of tables, each begun with [[design]]")
        table = Table(entry, f"design {number}")
        kind: Literal["grid", "isoflop"] = table.choice("kind", "grid", ("grid", "isoflop"))
        common = ("kind", "sizes", "seeds", "schedule")
        table.allow(*common, *(("tokens",) if kind == "grid" else ("budgets", "count", "least", "most")))
        chosen = table.texts("sizes", tuple(names))
        for size in chosen:
            if size not in names:
                raise SpecError(f"design {number} names the size {shown(size)}; the sizes are {', '.join(names)}")
        needed = "tokens" if kind == "grid" else "budgets"
        amounts = table.numbers(needed, low=1, high=_MOST_BOUGHT if kind == "grid" else MOST)
        if not amounts:
            raise SpecError(f"design {number} ({kind}) needs {needed} = […], one or more")
        if kind == "grid" and min(amounts) < batch:
            raise SpecError(
                f"tokens = {min(amounts):g} in design {number} is less than one step of {batch} tokens; "
                f"give at least {batch} or lower batch"
            )
        designs.append(
            Design(
                kind=kind,
                tokens=amounts if kind == "grid" else (),
                budgets=amounts if kind == "isoflop" else (),
                sizes=chosen,
                seeds=table.wholes("seeds", (), high=MOST_SEED),
                count=table.choice("count", "6ND", ("6ND", "counted")),
                least=table.number("least", 0.0),
                most=table.number("most", math.inf),
                schedule=_schedule(table.table("schedule")) if "schedule" in entry else None,
            )
        )
    return tuple(designs)


def _limits(table: Table) -> Limits:
    table.allow("seconds", "patience")
    seconds = table.number("seconds", 0.0, low=1, high=MOST_SECONDS) if "seconds" in table.values else None
    return Limits(seconds, table.number("patience", Limits.patience, low=1, high=MOST_SECONDS))


def _label(top: Table, name: str) -> str:
    """The sweep's name, which is that of its folder too."""
    label = top.text("name", name)
    if not label.strip() or "\0" in label or len(label.encode()) > MOST_LABEL:
        raise SpecError(f"name = {shown(label)} in the sweep must be a text of 1 to {MOST_LABEL} bytes")
    return label
