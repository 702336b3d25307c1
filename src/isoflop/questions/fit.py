"""The question of a law: its parameters on these runs, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from isoflop.answers import Answer, Column, Picture, Quantity, Table, of_interval
from isoflop.answers.wording import number, plural
from isoflop.errors import IsoflopError
from isoflop.files import check_place
from isoflop.findings import Finding
from isoflop.questions.base.columns import columns_table
from isoflop.questions.base.context import Context
from isoflop.questions.base.drawing import drawing
from isoflop.questions.base.equation import equation, is_term, param_intervals, written
from isoflop.questions.base.kinds import Count, Flag, Text, Texts, Words
from isoflop.questions.base.option import option
from isoflop.questions.base.panel import (
    FittedPanel,
    Grouping,
    as_fitted_panel,
    fit_groups,
    panel_answer,
    panel_findings,
)
from isoflop.questions.base.question import Group, InReport, Question, Subject
from isoflop.questions.base.specs import PriorSpec
from isoflop.units import training_flops

if TYPE_CHECKING:
    from isoflop.fitting import Estimate
    from isoflop.fitting import Fit as FitResult
    from isoflop.uncertainty import Ensemble, Interval
    from isoflop.uncertainty.prior import Prior


@dataclass(frozen=True)
class Fit(Question):
    """A law fitted to runs: parameters with bootstrap intervals.

    Without RUNS the bundled example runs are fitted. The search begins at many screened starts; the bootstrap resamples
    runs, so that checkpoints of one run stay together.

    With --by each group of the table has parameters of its own, but for those that all share (--share) and those that
    are drawn to a common mean (--pool); --only fits some of the groups, and --group names selections as groups.

    isoflop fit runs.csv --law chinchilla --save fit.json
    isoflop fit runs.csv --law "E + A/N^alpha + B/D^beta" --fix E=1.69
    isoflop fit runs.csv --law chinchilla --by family --share alpha,beta
    isoflop fit runs.csv --law chinchilla --by family --share "all but E" --pool E
    """

    name: ClassVar[str] = "fit"
    examples: ClassVar[tuple[str, ...]] = ("isoflop fit runs.csv --law chinchilla",)
    group: ClassVar[Group] = "Fit"
    order: ClassVar[int] = 10
    subject: ClassVar[Subject] = "fit"
    in_report: ClassVar[InReport] = "always"
    results: ClassVar[tuple[str, ...]] = (
        "isoflop.uncertainty.ensemble:Ensemble",
        "isoflop.fitting.result:Fit",
        "isoflop.fitting.estimate:Estimate",
        "isoflop.questions.base.panel:FittedPanel",
        "isoflop.fitting.panel:PanelFit",
        "isoflop.uncertainty.panel:PanelDraws",
        "isoflop.uncertainty.sharing:SharingTest",
    )

    prior: str | None = option(
        Text("FAMILIES"),
        help="For one run of a new family: a table of other families, or a data set, as a hierarchical prior; or a "
        "file of isoflop calibrate, the prior of the model error in what is forecast from this fit.",
    )
    curves: bool = option(Flag(), False, help="Fit to the whole curves of a store (isoflop import).")
    thin: int | None = option(Count("ROWS", low=2), help="Rows kept of each curve, in logarithmic steps.")
    by: str | None = option(
        Text("COLUMN"), help="Column that names groups with parameters of their own; several between commas."
    )
    only: tuple[str, ...] = option(
        Texts("GROUP"), (), help="Group that is fitted, as a value of --by; repeatable; all by default."
    )
    named: Mapping[str, str] = option(
        Words("NAME=EXPR"), {}, flag="group", help="Group of selected rows, instead of --by; repeatable."
    )
    share: str | None = option(
        Text("NAMES"), help='Parameters that all groups share: alpha,beta, "all", or "all but E"; none by default.'
    )
    pool: str | None = option(
        Text("NAMES"), help="Parameters drawn to a mean over groups, as far as groups are alike; written as --share."
    )
    save: str | None = option(
        Text("FIT.json"), help="Write the fit and its draws; with --by one file a group.", command_line_only=True
    )

    def check(self) -> None:
        """A place that cannot hold the fit is refused before it is made."""
        if self.save is not None:
            check_place(self.save, "--save")
        if self.named and (self.by is not None or self.only):
            other = "--by" if self.by is not None else "--only"
            raise IsoflopError(f"--group names groups by selections and {other} by a column; leave one of them out")
        asked = (("--share", self.share), ("--pool", self.pool), ("--only", self.only or None))
        given = next((option for option, value in asked if value is not None), None)
        if not self._grouped and given is not None:
            raise IsoflopError(f"{given} is for groups; name the column that tells them apart (--by COLUMN)")
        if self._grouped and (self.curves or self.thin is not None or self.prior is not None):
            by = "--group" if self.named else "--by"
            given = "--prior" if self.prior is not None else "--curves" if self.curves else "--thin"
            raise IsoflopError(f"{by} fits the groups of a table, and takes no {given}; leave one of them out")
        if self._families is not None and (self.curves or self.thin is not None):
            raise IsoflopError("--prior is for one run of a table, not for --curves; leave one of them out")

    def compute(self, context: Context) -> Ensemble | FittedPanel:
        """The fit with its draws; written to ``save`` where that is given."""
        if context.fit_spec.resample_by is not None and (self._grouped or self._families is not None):
            instead = "the fit of groups resamples runs within them" if self._grouped else "--prior resamples nothing"
            raise IsoflopError(f"{instead}; leave --resample-by out")
        if self._grouped:
            chosen = Grouping(self.by, self.only, self.named)
            return fit_groups(context, chosen, share=self.share, pool=self.pool, save=self.save)
        # read first, so that a file that is none is refused before minutes of draws
        named = None if self._families is not None else self.prior
        prior = PriorSpec(named, folder=context.runs_spec.folder).read() or context.prior
        if self.curves or self.thin is not None:
            ensemble = fit_to_curves(context, thin=self.thin)
        elif self._families is not None:
            ensemble = _with_prior(context, self._families)
        else:
            ensemble = context.ensemble
        if prior is not None and prior != ensemble.prior:
            ensemble = replace(ensemble, prior=prior)
        if self.save is not None:
            from isoflop.uncertainty.saved import save_fit

            save_fit(ensemble, self.save)
        return ensemble

    def findings(self, result: Ensemble | FitResult | FittedPanel, context: Context) -> tuple[Finding, ...]:
        """Those of the runs belong to a fit of the table, not to one of its curves."""
        panel = as_fitted_panel(result)
        if panel is not None:
            return (*context.run_findings, *panel_findings(panel))
        assert not isinstance(result, FittedPanel)
        from isoflop.runs.mapping_findings import without_loss_rivals
        from isoflop.uncertainty.ensemble import tail_findings

        drawn = as_ensemble(result)
        own = (*drawn.estimate.findings, *drawn.findings, *tail_findings(drawn, level=context.level))
        found = own if self.curves or self.thin is not None else (*context.run_findings, *own)
        return without_loss_rivals(found, (drawn.estimate.law.response,))

    def answer(self, result: Ensemble | FitResult | FittedPanel, context: Context) -> Answer:
        """The equation with its numbers, and a row for each parameter; of groups a row each."""
        panel = as_fitted_panel(result)
        if panel is not None:
            return panel_answer(panel, context)
        assert not isinstance(result, FittedPanel)
        from isoflop.fitting import Fit as Fitted

        ensemble, level = as_ensemble(result), context.level
        fit = ensemble.estimate
        search = fit.search if isinstance(fit, Fitted) else None
        again = f", {ensemble.restarted} of them searched again from all starts" if ensemble.restarted else ""
        intervals = param_intervals(ensemble, level=level)
        if len(ensemble):
            drawn = f"{ensemble.method}, {len(ensemble)} draws, seed {ensemble.seed}{again}"
        else:
            known = any(each.low == each.low for each in intervals.values())
            drawn = "sandwich covariance over runs, no draws" if known else "none"
        fixed = tuple(
            (name, value, "found by search, then held" if search and name in search.constants else "fixed")
            for name, value in fit.law.fixed.items()
        ) + tuple((name, f"= {formula}", "tied") for name, formula in fit.law.tied.items())
        return Answer(
            question=self.name,
            title=f"{fit.law.name} on {fit.data.source}",
            headline=_headline(fit),
            equation=equation(ensemble, level=level),
            quantities=(
                *(_param(ensemble, each.name, each.meaning, intervals[each.name]) for each in fit.law.params),
                Quantity("runs", fit.data.n_runs, "integer"),
                Quantity("rows", fit.data.n_rows, "integer"),
                *((Quantity("objective", fit.value, note=fit.objective.name),) if isinstance(fit, Fitted) else ()),
            ),
            tables=(
                *((Table("held", (Column("parameter"), Column("value"), Column("how", "")), fixed),) if fixed else ()),
                *_columns(fit),
            ),
            method=f"{_how(fit)}intervals: {drawn}{self._saved(ensemble)}",
            pictures=_pictures(ensemble, level),
            provenance={"law": fit.law.name, "formula": fit.law.formula, "starts": search.starts if search else 0},
        )

    def fit_of(self, result: Ensemble | FitResult | FittedPanel, context: Context) -> Ensemble | None:
        """The fit itself, which may be one of curves or one with a prior; a panel is none."""
        return None if isinstance(result, FittedPanel) or as_fitted_panel(result) else as_ensemble(result)

    def prior_of(self, fit: Ensemble | None, context: Context) -> Prior | None:
        """That of the fit; a fit of groups forecasts nothing."""
        return None if self._grouped else super().prior_of(fit, context)

    @property
    def _grouped(self) -> bool:
        """Whether groups are fitted."""
        return self.by is not None or bool(self.named)

    @property
    def _families(self) -> str | None:
        """The table of other families, where the prior is one."""
        from isoflop.uncertainty.prior import is_prior

        return None if self.prior is None or is_prior(self.prior) else self.prior

    def _saved(self, ensemble: Ensemble) -> str:
        if self.save is None:
            return ""
        if ensemble.estimate.law.list_inputs:  # no point can be asked of it
            return f"; saved to {self.save}"
        asked = " ".join(f"--at {name}=…" for name in ensemble.estimate.law.input_names)
        return f"; saved to {self.save}, for isoflop forecast {self.save} {asked}"


def _headline(fit: Estimate) -> str:
    """The law, and the runs that it was fitted to, if any."""
    law = f"{fit.law.response} = {written(fit.law)}, "
    if not fit.data.n_runs:
        return f"{law}with constants that were stated, not fitted."
    rows = f" in {{rows}} {plural(fit.data.n_rows, 'row')}" if fit.data.n_rows != fit.data.n_runs else ""
    return f"{law}fitted to {{runs}} {plural(fit.data.n_runs, 'run')}{rows}."


def _how(estimate: Estimate) -> str:
    """The objective and its search; an estimate that is no fit has neither."""
    from isoflop.fitting import Fit as Fitted

    if not isinstance(estimate, Fitted):
        return ""
    search = estimate.search
    return f"objective {estimate.objective.name}, reached from {search.reached} of {search.starts} starts; "


def _columns(fit: Estimate) -> tuple[Table, ...]:
    """From which columns of the table the law's inputs and its response were read."""
    if fit.runs is None:
        return ()
    from isoflop.runs.prepare import RULES

    sources = (name for how in fit.law.prepared.values() for name in RULES[how.rule].needs)
    return (columns_table(fit.runs, of={*fit.law.input_names, fit.law.response, *sources}),)


def as_ensemble(result: Ensemble | FitResult) -> Ensemble:
    """A fit that has not been drawn yet is an ensemble without draws."""
    import numpy as np

    from isoflop.uncertainty import Ensemble

    if isinstance(result, Ensemble):
        return result
    return Ensemble(result, np.empty((0, len(result.law.params))), method="no draws yet", seed=0)


def _param(ensemble: Ensemble, name: str, meaning: str, known: Interval) -> Quantity:
    """A parameter with its interval; a floor, which is a term by itself, has the unit of the response.

    One whose interval reaches its bound at zero has an upper limit at the level instead: ``E < 0.02 (90%)``.
    """
    from isoflop.uncertainty.ensemble import upper_limit

    estimate = ensemble.estimate
    value = estimate.params[name]
    if math.isinf(value):  # the draws of an overflowed parameter are no interval of it
        return Quantity(name, math.copysign(1e308, value), note=meaning, limit="lower" if value > 0 else "upper")
    alone = is_term(estimate.law.expression, name)
    unit = estimate.data.loss_unit if alone else ""
    limit = upper_limit(ensemble, name, level=known.level) if alone and len(ensemble) else None
    if limit is not None:
        return Quantity(name, limit, level=known.level, unit=unit, note=meaning, limit="upper")
    return of_interval(name, known, note=meaning, unit=unit)


def _pictures(ensemble: Ensemble, level: float) -> tuple[Picture, ...]:
    """The runs with the law: against compute where the law is one of N and D, else fitted against measured."""
    fit = ensemble.estimate
    if fit.runs is None:
        return ()
    word = fit.law.response.replace("_", " ")
    match = Picture(
        "fit-against-measured",
        drawing("fit_against_measured", fit),
        f"Measured against fitted {word} of {len(fit.runs)} runs, along the diagonal on which both are equal.",
        claim=_close(fit, word),
    )
    if set(fit.law.input_names) != {"N", "D"}:
        return (match,)
    compute = training_flops(fit.runs["N"], fit.runs["D"])
    against = Picture(
        "loss-against-compute",
        drawing("loss_against_compute", ensemble, level=level),
        f"{word[:1].upper() + word[1:]} against training compute of {len(fit.runs)} runs from {compute.min():.3g} to "
        f"{compute.max():.3g} FLOPs, the fitted curve of each size, and the compute-optimal envelope with its "
        f"{100 * level:g}% band, two decades beyond the runs.",
        claim=f"The fitted law: {equation(ensemble, level=level)}",
    )
    return (against, match)


def _close(fit: Estimate, word: str) -> str:
    """How close the law comes to the runs, in one sentence."""
    import numpy as np

    from isoflop.fitting.table import law_inputs, prepared_runs

    runs = prepared_runs(fit.law, fit.require_runs())
    off = np.abs(runs[fit.law.response] / fit.predict(law_inputs(fit.law, runs)) - 1)
    within = number(float(np.median(off)), "share", digits=2)
    return (
        f"{fit.law.name} comes within {within} of the {word} of half of {len(runs)} rows; the farthest lies "
        f"{number(float(off.max()), 'share', digits=2)} off"
    )


def fit_to_curves(context: Context, *, thin: int | None) -> Ensemble:
    """The law on all rows of a store's curves; what was cut, thinned and chosen is among the findings."""
    from dataclasses import replace

    from isoflop.fitting.stream import fit_curves
    from isoflop.runs.curves import open_curves
    from isoflop.uncertainty import bootstrap
    from isoflop.uncertainty.bootstrap import too_few_runs, without_draws
    from isoflop.uncertainty.one_step import one_step_bootstrap

    spec, reading = context.fit_spec, context.runs_spec
    if reading.source is None:
        raise IsoflopError("--curves needs a store; make one with isoflop import SOURCE -o RUNS/")
    opened = open_curves(reading.folder / reading.source, where=reading.where, thin=thin)
    with context.progress(100, "reading") as advance:
        done = 0

        def told(doing: str, share: float) -> None:
            nonlocal done
            now = max(done, round(100 * share))
            advance(now - done)
            done = now

        found = fit_curves(
            context.law_spec.build(()),
            opened,
            objective=context.objective,
            starts=spec.starts,
            seed=spec.seed,
            jobs=spec.jobs,
            progress=told,
        )
    whole = replace(found, fit=replace(found.fit, findings=(*opened.findings, *found.fit.findings)))
    if too_few_runs(whole.fit) is not None:
        return without_draws(whole.fit)
    if whole.fit.runs is None:
        if spec.resample_by not in (None, "run"):
            raise IsoflopError("--resample-by needs all rows in memory; thin the curves (--thin), or leave it out")
        return one_step_bootstrap(whole, draws=spec.draws, seed=spec.seed)
    with context.progress(spec.draws, "bootstrap") as advance:
        return bootstrap(whole.fit, draws=spec.draws, seed=spec.seed, resample_by=spec.resample_by, progress=advance)


def _with_prior(context: Context, families: str) -> Ensemble:
    """The law of one run's family, with what other families say is usual as a hierarchical prior."""
    from isoflop.questions.base.specs import RunsSpec
    from isoflop.validation.borrow import family_prior, fit_with_prior

    others = RunsSpec(source=families).read()
    spec = context.fit_spec
    return fit_with_prior(family_prior(context.law, others), context.runs, draws=spec.draws, seed=spec.seed)
