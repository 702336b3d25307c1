"""The fit of groups as an answer: what is shared once, a row for each group, and whether the groups do share it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.answer import literal
from isoflop.answers.wording import plural, worded
from isoflop.errors import IsoflopError, shown
from isoflop.findings import Finding
from isoflop.patterns import pattern
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.equation import written
from isoflop.questions.base.panel_held_out import held_out, held_out_table

if TYPE_CHECKING:
    from isoflop.fitting.panel import PanelFit
    from isoflop.laws import Law
    from isoflop.runs import Runs
    from isoflop.uncertainty.panel import PanelDraws
    from isoflop.uncertainty.sharing import SharingTest
    from isoflop.validation.sharing_held_out import HeldOutSharing

_MOST_DRAWN = 300_000  # draws times groups: some seconds
_FEWEST_DRAWS = 200
TEST_DRAWS = 199  # tables that a test of sharing simulates, or as many as the draws where these are fewer
_UNSEEN = "another-group"  # in the name of its file
_BUT = pattern(r"all[\s_-]*but\b[\s:=_-]*(.*)", re.DOTALL)
_NAMES = pattern(r"[,\s]+")


@dataclass(frozen=True)
class FittedPanel:
    """A panel, its draws, the test of what it shares and its held-out error; each of them may be missing."""

    panel: PanelFit
    draws: PanelDraws | None = None
    test: SharingTest | None = None
    held: HeldOutSharing | None = None
    saved: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Grouping:
    """Which groups are fitted: values of columns (between commas), some of them alone, or named selections."""

    by: str | None
    only: tuple[str, ...] = ()
    named: Mapping[str, str] = field(default_factory=dict)

    def of(self, runs: Runs) -> tuple[Runs, tuple[str, ...]]:
        """The rows of these groups, and the columns that tell them apart."""
        from isoflop.runs.grouping import NAMED, in_named_groups, only_groups

        if self.named:
            return in_named_groups(runs, self.named), (NAMED,)
        columns = tuple(name.strip() for name in (self.by or "").split(",") if name.strip())
        return only_groups(runs, columns, self.only), columns


def parameters_named(law: Law, text: str | None, option: str) -> tuple[str, ...]:
    """The parameters that an option names: ``alpha,beta``, ``all``, ``none``, or ``all but E,A``.

    Raises IsoflopError for a name that is no free parameter of the law.
    """
    words = (text or "none").strip()
    but = _BUT.fullmatch(words)
    if words in ("none", "all"):
        return law.param_names if words == "all" else ()
    names = [name for name in _NAMES.split((but[1] if but else words).strip()) if name]
    if but and not names:
        raise IsoflopError(f'{option} {shown(words)} names no parameter; write it as one text: {option} "all but E"')
    for name in names:
        if name not in law.param_names:
            raise IsoflopError(
                f"{option} {shown(name)} is no free parameter of {law.name}; there are {', '.join(law.param_names)}, "
                f'and "all", "none" and "all but {law.param_names[0]}"'
            )
    return tuple(name for name in law.param_names if (name not in names) == (but is not None))


def fit_groups(
    context: Context, chosen: Grouping, *, share: str | None, pool: str | None, save: str | None
) -> FittedPanel:
    """The law fitted to the groups of the context's runs, drawn, and its sharing tested."""
    from isoflop.fitting.panel import fit_panel
    from isoflop.uncertainty.panel import bootstrap_panel
    from isoflop.uncertainty.sharing import FEWEST_LEFT, affordable, freedom_left, sharing_test

    if context.saved is not None or context.given is not None:
        raise IsoflopError("--by fits the groups of a table, and a saved fit was given; give the table with --law")
    spec, law = context.fit_spec, context.law
    runs, columns = chosen.of(context.runs)
    panel = fit_panel(
        law,
        runs,
        by=columns,
        share=parameters_named(law, share, "--share"),
        pool=parameters_named(law, pool, "--pool"),
        objective=context.objective,
        starts=spec.starts,
        seed=spec.seed,
    )
    count = min(spec.draws, max(_FEWEST_DRAWS, _MOST_DRAWN // len(panel.groups)))
    with context.progress(count, "bootstrap") as advance:
        draws = bootstrap_panel(panel, draws=count, seed=spec.seed, jobs=spec.jobs, progress=advance)
    test, told = None, []
    if count < spec.draws:
        told.append(_fewer_draws(panel, count, spec.draws))
    if panel.share and len(panel.groups) > 1:
        if freedom_left(panel) < FEWEST_LEFT:
            told.append(_not_tested(panel))
        else:
            tables, each = affordable(panel, max(19, min(TEST_DRAWS, spec.draws)))
            test = sharing_test(panel, draws=tables, seed=spec.seed, parameters=each)
            if not each:
                told.append(_together_alone(panel))
    held = held_out(panel, draws=spec.draws, level=context.level, seed=spec.seed)
    return FittedPanel(panel, draws, test, held, _save(draws, save), tuple(told))


def _fewer_draws(panel: PanelFit, count: int, asked: int) -> Finding:
    return Finding(
        "fewer-draws",
        "note",
        f"{len(panel.groups):,} groups were drawn {count} times instead of {asked:,}, to end in seconds.",
        "Fit fewer groups (--where), or ask bootstrap_panel for more draws in Python.",
    )


def _not_tested(panel: PanelFit) -> Finding:
    return Finding(
        "sharing-not-tested",
        "warning",
        f"whether groups share {_listed(panel.share)} was not tested: groups of {max(panel.n_rows)} rows or fewer are "
        f"fitted exactly when {len(panel.law.param_names)} parameters are each group's own, so nothing shows what "
        "chance does.",
        "Give groups more runs, name a column of larger groups (--by), or fix parameters (--fix).",
    )


def _together_alone(panel: PanelFit) -> Finding:
    return Finding(
        "sharing-not-tested",
        "note",
        f"shared parameters were tested together and not one at a time, since {len(panel.groups):,} groups would take "
        "minutes.",
        "Share one parameter at a time (--share), or fit fewer groups (--where).",
    )


def as_fitted_panel(result: object) -> FittedPanel | None:
    """A panel, its draws or its test as one; None for any other result."""
    from isoflop.fitting import Estimate
    from isoflop.uncertainty import Ensemble

    if isinstance(result, Estimate | Ensemble):  # known without importing what panels need
        return None
    from isoflop.fitting.panel import PanelFit
    from isoflop.uncertainty.panel import PanelDraws
    from isoflop.uncertainty.sharing import SharingTest

    match result:
        case FittedPanel():
            return result
        case PanelFit():
            return FittedPanel(result)
        case PanelDraws():
            return FittedPanel(result.panel, result)
        case SharingTest():
            return FittedPanel(result.panel, None, result)
    return None


def panel_findings(fitted: FittedPanel) -> tuple[Finding, ...]:
    """What is to be known of the fit, its draws and what it shares."""
    drawn = () if fitted.draws is None else fitted.draws.findings
    return (*(() if fitted.test is None else fitted.test.findings), *fitted.panel.findings, *drawn, *fitted.findings)


def panel_answer(fitted: FittedPanel, context: Context) -> Answer:
    """What is shared as quantities, a row for each group, and the test of sharing."""
    panel, test = fitted.panel, fitted.test
    column = ", ".join(panel.by)
    runs, rows = sum(panel.n_runs), sum(panel.n_rows)
    has = [
        f"{_listed(names)} {word}"
        for names, word in ((panel.share, "shared"), (panel.pool, "pooled"), (_own(panel), "own"))
        if names
    ]
    headline = (
        f"{panel.law.response} = {written(panel.law)}, fitted to {{groups}} {plural(len(panel.groups), 'group')} of "
        f"{literal(column)} in {{runs}} {plural(runs, 'run')}: {', '.join(has)}."
    )
    if test is not None:
        verdict = "rejected" if test.rejected else "not rejected"
        headline += f" Equality of the shared parameters is {verdict} (p = {{sharing_p:bare}})."
    quantities = [_quantity(fitted, name, None, context.level) for name in panel.share]
    quantities += [
        Quantity("groups", len(panel.groups), "integer"),
        Quantity("runs", runs, "integer"),
        Quantity("rows", rows, "integer"),
        Quantity("objective", panel.value, note=panel.objective.name),
    ]
    if test is not None:
        note = f"that the groups share {_listed(panel.share)}; {test.method.replace('-', ' ')}"
        quantities.append(Quantity("sharing_p", test.p_value, label="p-value of sharing", note=note))
    return Answer(
        question="fit",
        title=f"{panel.law.name} on {panel.runs.source} by {column}",
        headline=headline,
        equation=_equation(fitted, context.level),
        quantities=tuple(quantities),
        tables=tuple(
            each
            for each in (
                _groups(fitted, context.level),
                _pooled(panel),
                _unseen(fitted, context.level),
                _sharing(test),
                held_out_table(fitted.held, panel.law.response),
            )
            if each is not None
        ),
        method=_method(fitted),
        pictures=(_picture(panel),),
        provenance={
            "source": panel.runs.source,
            "digest": panel.runs.digest,
            "runs": runs,
            "rows": rows,
            "law": panel.law.name,
            "formula": panel.law.formula,
            "objective": panel.objective.name,
            "by": list(panel.by),
            "share": list(panel.share),
            "pool": list(panel.pool),
            "draws": 0 if fitted.draws is None else len(fitted.draws),
            "seed": panel.search.seed,
            "level": context.level,
        },
    )


def _picture(panel: PanelFit) -> Picture:
    """A small panel for each group, at most twelve."""
    from isoflop.plots.panels import groups_drawn

    count = len(groups_drawn(panel))
    of = f"{count} of {len(panel.groups)}" if count < len(panel.groups) else f"{count}"
    what = "its runs with the fitted law" if len(panel.law.input_names) == 1 else "measured against fitted runs"
    shared = f"; {_listed(panel.share)} shared" if panel.share else ""
    return Picture(
        "panels",
        drawing("fitted_panels", panel),
        f"{plural(count, 'Panel')} of {of} groups of {literal(', '.join(panel.by))}: {what} in each{shared}.",
        (7.2, 1.0 + 1.5 * -(-count // 4)),
    )


def _own(panel: PanelFit) -> tuple[str, ...]:
    return tuple(name for name in panel.own if name not in panel.pool)


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _quantity(fitted: FittedPanel, name: str, group: str | None, level: float) -> Quantity:
    """A parameter with its interval, of a group or of all."""
    panel = fitted.panel
    at = panel.law.param_names.index(name)
    value = float(panel.params[0 if group is None else panel.position(group), at])
    expression = panel.law.expression
    alone = expression.op == "add" and any(term.op == "name" and term.label == name for term in expression.args)
    unit = panel.runs.loss_unit if alone and panel.law.response == "loss" else ""
    if fitted.draws is None:
        return Quantity(name, value, unit=unit)
    return of_interval(name, fitted.draws.interval(name, group, level=level), unit=unit)


def _equation(fitted: FittedPanel, level: float) -> str:
    """The formula with the shared parameters' values in it; own ones keep their names."""
    panel = fitted.panel
    values = {}
    for name in panel.share:
        told = _quantity(fitted, name, None, level)
        values[name] = worded(told) or f"{told.value:.4g}"

    def put(found: re.Match[str]) -> str:
        value = values.get(found[0], found[0])
        return f"({value})" if value.startswith("-") else value

    return f"{panel.law.response} = {re.sub(r'[A-Za-z_][A-Za-z0-9_]*', put, written(panel.law))}"


def _groups(fitted: FittedPanel, level: float) -> Table:
    """A row for each group: its size and its own parameters."""
    panel = fitted.panel
    checkpoints = panel.n_rows != panel.n_runs
    columns = [Column("group", ", ".join(panel.by)), Column("runs", kind="integer")]
    columns += [Column("rows", kind="integer")] if checkpoints else []
    columns += [Column(name, f"{name}, pooled" if name in panel.pool else name) for name in panel.own]
    columns += [Column(name, detail=True) for name in panel.share]
    rows = []
    for place, group in enumerate(panel.groups):
        sizes = (panel.n_runs[place], panel.n_rows[place]) if checkpoints else (panel.n_runs[place],)
        own = [_quantity(fitted, name, group, level) for name in panel.own]
        shared = [panel.shared[name] for name in panel.share]
        rows.append((group, *sizes, *own, *shared))
    note = f"{_listed(panel.share)} as above in every group." if panel.share else ""
    return Table("groups", tuple(columns), tuple(rows), title=f"Groups of {', '.join(panel.by)}", note=note)


def _pooled(panel: PanelFit) -> Table | None:
    """Mean and scale of each pooled coordinate over groups."""
    if panel.pooling is None:
        return None
    domains = {each.name: each.domain for each in panel.law.params}
    rows = []
    for name, mean, scale in zip(panel.pool, panel.pooling.mean, panel.pooling.scale, strict=True):
        what = "logarithm" if domains[name] == "positive" else "logit" if domains[name] != "real" else "value"
        rows.append((name, what, float(mean), float(scale)))
    columns = (Column("parameter"), Column("coordinate"), Column("mean"), Column("scale", "standard deviation"))
    note = "Amplitudes at the middle of the inputs."
    return Table("pooled", columns, tuple(rows), title="Distribution of pooled parameters over groups", note=note)


def _unseen(fitted: FittedPanel, level: float) -> Table | None:
    """The own parameters of a group that is not in the table."""
    if fitted.draws is None or fitted.draws.between is None or not fitted.panel.own:
        return None
    unseen = fitted.draws.unseen()
    rows = [(name, of_interval(name, unseen.interval(name, level=level))) for name in fitted.panel.own]
    return Table("unseen", (Column("parameter"), Column("value")), tuple(rows), title="Own parameters of another group")


def _sharing(test: SharingTest | None) -> Table | None:
    """The p-value of each shared parameter, and the groups in which it differs."""
    if test is None or not test.each:
        return None
    rows = []
    for one in test.each:
        low = one.p_value < test.level
        groups = ", ".join(test.differing(one.name)) or "none by itself"
        rows.append((one.name, one.p_value, groups if low else None))
    columns = (Column("parameter"), Column("p_value", "p-value"), Column("groups", "groups that differ"))
    note = "Each parameter own in every group, the others still shared."
    if test.own:
        left = [name for name in test.panel.share if name not in test.own]
        verb = "differs" if len(test.own) == 1 else "differ"
        note += f" One after the other, the most different first: {_listed(test.own)} {verb}"
        note += f"; {_listed(tuple(left))} may be shared." if left else "."
    return Table("sharing", columns, tuple(rows), title="Test of what is shared", note=note)


def _method(fitted: FittedPanel) -> str:
    panel, test = fitted.panel, fitted.test
    told = [
        f"objective {panel.objective.name}, one solve for all groups, reached from {panel.search.reached} of "
        f"{panel.search.starts} {'candidates' if panel.share else 'starts or more in every group'}"
    ]
    if fitted.draws is not None:
        told.append(f"intervals: {fitted.draws.method}, {len(fitted.draws)} draws, seed {fitted.draws.seed}")
    if test is not None:
        how = test.method.replace("-", " ")
        simulated = f" of {test.draws} simulated tables" if test.method == "bootstrap" else ""
        told.append(f"test of sharing: {how}{simulated}, level {test.level:g}")
    if fitted.saved:
        first, more = fitted.saved[0], len(fitted.saved) - 1
        last = " and one of another group" if _UNSEEN in fitted.saved[-1] else ""
        told.append(f"saved to {first}" + (f" and {more} more, one a group{last}" if more else ""))
    return "; ".join(told)


def _save(draws: PanelDraws, place: str | None) -> tuple[str, ...]:
    """A saved fit for each group, beside each other: FIT-GROUP.json; and of a group that is not in the table."""
    if place is None:
        return ()
    from isoflop.uncertainty.saved import save_fit

    path, taken, written = Path(place), {_UNSEEN}, []
    for group in draws.panel.groups:
        word = re.sub(r"[^\w.-]+", "-", group).strip("-.")[:80] or "group"
        while word.lower() in taken:
            word += "-2"
        taken.add(word.lower())
        own = path.with_name(f"{path.stem}-{word}{path.suffix}")
        save_fit(draws.group(group), str(own))
        written.append(str(own))
    if draws.between is not None and draws.panel.own:
        other = path.with_name(f"{path.stem}-{_UNSEEN}{path.suffix}")
        save_fit(draws.unseen(), str(other))
        written.append(str(other))
    return tuple(written)
