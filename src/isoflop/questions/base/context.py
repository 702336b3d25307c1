"""``Context``: what all questions of one table share. Runs are read, a law fitted and drawn, at most once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from isoflop.errors import IsoflopError
from isoflop.findings import Finding, ordered
from isoflop.questions.base.specs import FitSpec, LawSpec, LevelSpec, PriorSpec, RunsSpec
from isoflop.version import VERSION

if TYPE_CHECKING:
    from isoflop.fitting import Fit, Objective
    from isoflop.laws import Law
    from isoflop.runs import Runs
    from isoflop.uncertainty import Ensemble
    from isoflop.uncertainty.prior import Prior

T = TypeVar("T")
Advance = Callable[[int], None]
Progress = Callable[[int, str], AbstractContextManager[Advance]]

DEFAULT_LAW = "chinchilla"
# Findings about tokens of language models, which say nothing of a table whose D counts examples of any kind.
OF_TOKENS = ("implausible-counts", "looks-like-bytes")


def silent(total: int, doing: str) -> AbstractContextManager[Advance]:
    """No progress is shown."""
    return nullcontext(lambda done: None)


@dataclass(frozen=True)
class Context:
    """Runs, law, fit and draws, made when they are asked for and kept.

    runs_spec, law_spec, fit_spec, level_spec, prior_spec: the shared options. saved: a saved fit, or published
    constants as LAW:KEY, in place of runs and a law. given, given_runs: an ensemble or runs that are at hand already (a
    notebook's, a page's). from_result: whether a result is worded without what it was made from. progress: opens a
    progress bar for a number of steps. force: whether a fit with an error-level finding may still be planned from.
    """

    runs_spec: RunsSpec = field(default_factory=RunsSpec)
    law_spec: LawSpec = field(default_factory=LawSpec)
    fit_spec: FitSpec = field(default_factory=FitSpec)
    level_spec: LevelSpec = field(default_factory=LevelSpec)
    prior_spec: PriorSpec = field(default_factory=PriorSpec)
    saved: str | None = None
    given: Ensemble | None = None
    given_runs: Runs | None = None
    force: bool = False
    from_result: bool = False
    progress: Progress = field(default=silent, compare=False)
    _kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gives, made the first time this key is asked for."""
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    @property
    def level(self) -> float:
        """Level of the intervals."""
        return self.level_spec.level

    @cached_property
    def prior(self) -> Prior | None:
        """The prior that is asked for; else that of the ensemble at hand, or None for the shipped one."""
        if self._asked_prior is None and (self.given is not None or self.saved is not None):
            return self.ensemble.prior
        return self._asked_prior

    @cached_property
    def _asked_prior(self) -> Prior | None:
        return self.prior_spec.read()

    @property
    def has_runs(self) -> bool:
        """Whether there is a table; a saved fit may come without its runs."""
        if self.given_runs is not None:
            return True
        if self.from_result and self.given is None:
            return False
        if self.given is not None or self.saved is not None:
            return self.ensemble.estimate.runs is not None
        return True

    @property
    def has_fit(self) -> bool:
        """Whether there is a fit, or what one is made from."""
        return self.given is not None or not self.from_result

    @cached_property
    def runs(self) -> Runs:
        """The table; raises IsoflopError for a saved fit without its runs."""
        if self.given_runs is not None:
            return self.given_runs
        if self.given is not None or self.saved is not None:
            return self.ensemble.estimate.require_runs()
        return self.runs_spec.read()

    @cached_property
    def law(self) -> Law:
        """The law with its restrictions."""
        if self.given is not None or self.saved is not None:
            return self.ensemble.estimate.law
        return self.law_spec.build(self.runs.names, default=DEFAULT_LAW)

    @cached_property
    def objective(self) -> Objective:
        """What is minimized."""
        from isoflop.fitting import objective

        if self.given is not None or self.saved is not None:
            return self.ensemble.fit.objective
        return objective(self.fit_spec.objective)

    @cached_property
    def fitted(self) -> Fit:
        """The law fitted to the runs."""
        if self.given is not None or self.saved is not None:
            return self.ensemble.fit
        from isoflop.fitting import fit

        spec = self.fit_spec
        return fit(self.law, self.runs, objective=self.objective, starts=spec.starts, seed=spec.seed)

    @cached_property
    def ensemble(self) -> Ensemble:
        """The fit with its draws, and the prior that is asked for."""
        asked = self._asked_prior  # a file that is none is refused before minutes of draws
        return self._drawn() if asked is None else replace(self._drawn(), prior=asked)

    def _drawn(self) -> Ensemble:
        if self.given is not None:
            return self.given
        if self.saved is not None:
            return open_saved(self.saved)
        from isoflop.uncertainty import bootstrap
        from isoflop.uncertainty.bootstrap import too_few_runs, without_draws

        fitted, spec = self.fitted, self.fit_spec
        if too_few_runs(fitted) is not None:
            return without_draws(fitted)
        with self.progress(spec.draws, "bootstrap") as advance:
            return bootstrap(
                fitted,
                draws=spec.draws,
                seed=spec.seed,
                jobs=spec.jobs,
                resample_by=spec.resample_by,
                progress=advance,
            )

    @cached_property
    def run_findings(self) -> tuple[Finding, ...]:
        """What would mislead any answer from these runs."""
        from isoflop.runs.checks import evidence_findings

        if not self.has_runs:
            return ()
        return (*self.runs.findings, *evidence_findings(self.runs))

    @cached_property
    def fit_findings(self) -> tuple[Finding, ...]:
        """Those of the runs, the fit and its draws: whoever shows an answer from a fit shows these too."""
        from isoflop.runs.mapping_findings import without_loss_rivals
        from isoflop.uncertainty.ensemble import tail_findings

        drawn = self.ensemble
        found = (*self.run_findings, *drawn.estimate.findings, *drawn.findings, *tail_findings(drawn, level=self.level))
        return distinct(without_loss_rivals(found, (drawn.estimate.law.response,)))

    @cached_property
    def budget(self) -> float:
        """The training compute that is asked where none is given; see :mod:`isoflop.uncertainty.extrapolation`."""
        from isoflop.uncertainty.extrapolation import usual_budget

        return usual_budget(self.runs)

    def provenance(self, *, runs: bool, fit: Ensemble | None) -> dict[str, Any]:
        """What an answer rests on, as plain values: a fit with its draws, or runs alone."""
        told: dict[str, Any] = {"isoflop": VERSION}
        if fit is not None:
            from isoflop.fitting import Fit

            drawn, made, data = fit, fit.estimate, fit.estimate.data
            told |= {
                "source": data.source,
                "digest": data.digest or None,
                "runs": data.n_runs,
                "rows": data.n_rows,
                "law": made.law.name,
                "formula": made.law.formula,
                "objective": made.objective.name if isinstance(made, Fit) else None,
                "draws": len(drawn),
                "draws_by": drawn.method,
                "resampled_by": drawn.resampled_by or None,
                "seed": drawn.seed,
                "level": self.level,
            }
        elif runs:
            table = self.runs
            told |= {
                "source": table.source,
                "digest": table.digest,
                "runs": int(table.run_codes().max()) + 1 if len(table) else 0,
                "rows": len(table),
            }
        return told


def distinct(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding once, ordered by what it does to the answer."""
    return ordered({(each.code, each.message): each for each in findings}.values())


_TABLES = (".csv", ".tsv", ".jsonl")


def open_saved(text: str) -> Ensemble:
    """A saved fit by its path, or published constants as LAW:KEY, such as chinchilla:epoch."""
    from pathlib import Path

    from isoflop.laws import catalogue
    from isoflop.planning.published import published
    from isoflop.uncertainty.saved import load_fit

    path = Path(text)
    if path.is_file() and path.suffix.lower() in _TABLES:
        raise IsoflopError(f"{text!r} is a table, not a fit; make one: isoflop fit {text} --law LAW --save fit.json")
    if not path.exists() and (":" in text or text in catalogue()):  # a law without a key is told which there are
        return published(text)
    return load_fit(text)


def is_saved_fit(text: str) -> bool:
    """Whether the text names a saved fit or published constants, rather than a table.

    What ends in .json is no table, so that a fit which is cut short or absent is spoken of as a fit; a law's name
    without a key is told which keys there are.
    """
    from pathlib import Path

    path = Path(text)
    if path.suffix.lower() == ".json":
        return not path.is_dir()
    if path.is_file():
        with path.open("rb") as file:
            return b'"isoflop.fit/' in file.read(4096)
    if path.exists():
        return False
    from isoflop.laws import catalogue
    from isoflop.planning.published import is_stated_formula
    from isoflop.runs.datasets import is_data_set

    return is_stated_formula(text) or (text.partition(":")[0] in catalogue() and not is_data_set(text))
