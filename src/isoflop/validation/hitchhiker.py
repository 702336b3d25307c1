"""The protocol of the Hitchhiker's Guide: how well does a law from small models foretell the end of the largest?

ARE = mean |L − L̂| / L over the target: checkpoints in the last 30 % of the training of a family's largest model. The
law is fitted to other models of the family: how many, which, how much of their training, with or without its
beginning, all checkpoints or the last alone. Choshen, Zhang and Andreas, arXiv:2410.11840.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isoflop.errors import DataError
from isoflop.findings import Finding
from isoflop.fitting import Objective, huber
from isoflop.fitting.fit import Problem, problem
from isoflop.laws import Law, tie
from isoflop.processes import side_by_side
from isoflop.runs import Runs
from isoflop.shown import Shown
from isoflop.validation.progress import share_of_training

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Pick = Literal["nearest", "smallest"]

SHARES = tuple(share / 10 for share in range(1, 11))
_CHECKPOINTS = 40  # of one run at most, evenly by rank: neighbors tell the same
_TARGET = 0.7  # the target begins at this share of the largest model's training
_STARTS = 8


@dataclass(frozen=True)
class Hitchhiker(Shown):
    """Every law that was fitted, and what foretold as well without a law.

    trials: one row a law: collection, family, models (how many), pick (the nearest in size to the target, or the
        smallest), share (of each run's training), cut (its beginning dropped), final (last checkpoints alone), rows,
        scale_up (target's parameters over the largest in the fit), are, bias (mean (L̂ − L)/L).
    baselines: one row a family: ARE of the lowest loss seen, and of the last loss of the most trained model.
    floors: one row a family with repeated runs: how far runs apart that differ in seed alone, (max − min)/min.
    skipped: family → why it has no law.
    """

    law: str
    objective: str
    trials: pl.DataFrame = field(repr=False)
    baselines: pl.DataFrame = field(repr=False)
    floors: pl.DataFrame = field(repr=False)
    skipped: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...] = ()


def hitchhiker(
    law: Law,
    runs: Runs,
    *,
    objective: Objective | None = None,
    shares: Sequence[float] = SHARES,
    cut: float = 0.1,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Hitchhiker:
    """|L̂ − L|/L on a family's largest model, for ``law`` fitted to every choice of its smaller ones.

    From two sizes the exponents of a law with α and β are tied, since two sizes cannot tell the floor from the
    exponent.

    Parameters
    ----------
    law :
        With inputs N and D.
    runs :
        Checkpoints with the columns N, D, loss and run, and family where there are several; ``collection`` where
        families belong together.
    objective :
        Of the fits; Huber with δ = 1e-3 on log loss by default.
    shares :
        Shares of each run's training that the fits see, above 0 and up to 1.
    cut :
        What is dropped at the beginning of a run, as a share of its training below 1, as tokens above.
    seed :
        Of the searches.
    jobs :
        Processes, a family each.
    progress :
        Called with the number of families done.

    Returns
    -------
    Hitchhiker
        A row for every law that was fitted, and the baselines of every family.

    Raises
    ------
    DataError
        No family of three sizes, or no such columns.

    Examples
    --------
    >>> import isoflop, numpy
    >>> from isoflop.validation.hitchhiker import hitchhiker
    >>> n, d = (each.ravel() for each in numpy.meshgrid([1e7, 1e8, 1e9, 1e10], numpy.geomspace(1e8, 1e10, 9)))
    >>> table = {"N": n, "D": d, "loss": 1.7 + 400 / n**0.34 + 1000 / d**0.36, "run": [f"{each:g}" for each in n]}
    >>> found = hitchhiker(isoflop.law("chinchilla"), isoflop.Runs.from_columns(table), shares=[1.0])
    >>> sorted(set(found.trials["models"]))
    [2, 3]

    Source: Choshen, Zhang & Andreas 2024, arXiv:2410.11840.
    """
    objective = huber() if objective is None else objective
    families, skipped = _families(runs)
    if not families:
        why = skipped[0][1] if skipped else "it is empty"
        raise DataError(
            f"{runs.source} has no family to hold a largest model out of: {why}; give checkpoints of three sizes or "
            "more, with the family in a column"
        )
    study = _Study(law, objective, tuple(shares), cut, seed)
    done = []
    for found in side_by_side(study.trials, families, jobs=jobs):
        done.append(found)
        if progress is not None:
            progress(1)
    rows = [row for found in done for row in found]
    if not rows:
        raise DataError(
            f"no choice of models of {runs.source} leaves enough rows for {law.name}; give more checkpoints or sizes"
        )
    return Hitchhiker(
        law=law.name,
        objective=objective.name,
        trials=pl.DataFrame(rows),
        baselines=pl.DataFrame([_baselines(family) for family in families]),
        floors=pl.DataFrame(
            [row for family in families for row in _floor(family)],
            schema={"collection": pl.String, "family": pl.String, "repeats": pl.Int64, "spread": pl.Float64},
        ),
        skipped=tuple(skipped),
        findings=(*runs.findings, *_without_checkpoints(families)),
    )


def _without_checkpoints(families: Sequence[_Family]) -> list[Finding]:
    """Runs of one row each leave nothing to say about shares of training and beginnings."""
    if any(len(family.runs) > int(family.runs.run_codes().max()) + 1 for family in families):
        return []
    return [
        Finding(
            "no-checkpoints",
            "warning",
            "every run has one row, so no share of its training can be left out, and each size counts as a model.",
            "Give checkpoints with their run, or hold out the largest runs: isoflop backtest without --protocol.",
        )
    ]


@dataclass(frozen=True)
class _Family:
    """The rows of one family, the target's apart; ``ends``: whether a row is the last checkpoint of its run."""

    name: str
    collection: str
    runs: Runs
    sizes: Floats
    progress: Floats
    ends: Bools
    target: Bools

    @property
    def train(self) -> Bools:
        """Rows of all models but the largest."""
        return self.runs["N"] < self.sizes[-1]

    @property
    def checkpoints(self) -> bool:
        """Whether its runs have more than a last row."""
        return bool((~self.ends[self.train]).any())


def _families(runs: Runs) -> tuple[list[_Family], list[tuple[str, str]]]:
    labels = np.asarray(runs.text("family") if "family" in runs else [runs.source] * len(runs))
    collections = np.asarray(runs.text("collection") if "collection" in runs else labels)
    codes = runs.run_codes()
    families, skipped = [], []
    for name in sorted(set(labels.tolist())):
        rows = np.flatnonzero(labels == name)
        kept = np.zeros(len(runs), dtype=bool)
        for run in np.unique(codes[rows]):
            kept[_thinned(rows[codes[rows] == run], runs["D"])] = True
        family = _family(name, str(collections[rows[0]]), runs.take(kept))
        if isinstance(family, str):
            skipped.append((name, family))
        else:
            families.append(family)
    return families, skipped


def _family(name: str, collection: str, runs: Runs) -> _Family | str:
    """The family, or why it has none."""
    n, d, loss = runs["N"], runs["D"], runs["loss"]
    good = np.isfinite(n) & np.isfinite(d) & np.isfinite(loss) & (n > 0) & (d > 0) & (loss > 0)
    if not good.all():
        runs = runs.take(good)
        n, d = runs["N"], runs["D"]
    sizes = np.unique(n)
    if len(sizes) < 3:
        return f"{len(sizes)} {'size' if len(sizes) == 1 else 'sizes'}, and three are needed"
    progress = share_of_training(runs)
    largest = n == sizes[-1]
    return _Family(
        name=name,
        collection=collection,
        runs=runs,
        sizes=sizes,
        progress=progress,
        ends=progress == 1,
        target=largest & (d >= _TARGET * d[largest].max()),
    )


def _thinned(rows: NDArray[np.int64], tokens: Floats) -> NDArray[np.int64]:
    """At most ``_CHECKPOINTS`` of a run's rows, evenly by rank, its last among them."""
    ordered = rows[np.argsort(tokens[rows], kind="stable")]
    if len(ordered) <= _CHECKPOINTS:
        return ordered
    return ordered[np.unique(np.linspace(0, len(ordered) - 1, _CHECKPOINTS).round().astype(np.int64))]


@dataclass(frozen=True)
class _Choice:
    models: int
    pick: Pick
    share: float
    cut: bool
    final: bool


@dataclass(frozen=True)
class _Study:
    law: Law
    objective: Objective
    shares: tuple[float, ...]
    cut: float
    seed: int

    def trials(self, family: _Family) -> list[dict[str, object]]:
        """All laws of one family: those of two sizes together, and those of more."""
        choices = [(choice, self._rows(family, choice)) for choice in self._choices(family)]
        few = [each for each in choices if each[0].models == 2]
        more = [each for each in choices if each[0].models > 2]
        tied = tie(self.law, {"beta": "alpha"}) if {"alpha", "beta"} <= set(self.law.param_names) else None
        found = self._fitted(self.law, family, more)
        return found if tied is None else self._fitted(tied, family, few) + found

    def _choices(self, family: _Family) -> list[_Choice]:
        most = len(family.sizes) - 1
        found = []
        for models in range(2, most + 1):
            picks: tuple[Pick, ...] = ("nearest",) if models == most else ("nearest", "smallest")
            for pick in picks:
                if not family.checkpoints:
                    found.append(_Choice(models, pick, 1.0, cut=False, final=False))
                    continue
                found.append(_Choice(models, pick, 1.0, cut=False, final=True))
                found += [
                    _Choice(models, pick, share, cut=cut, final=False) for share in self.shares for cut in (False, True)
                ]
        return found

    def _rows(self, family: _Family, choice: _Choice) -> Bools:
        """Which rows of the family the law is fitted to."""
        sizes = family.sizes[:-1]
        chosen = sizes[-choice.models :] if choice.pick == "nearest" else sizes[: choice.models]
        rows = np.isin(family.runs["N"], chosen)
        if choice.final:
            return rows & family.ends
        rows &= family.progress <= choice.share
        if choice.cut:
            rows &= family.progress > self.cut if self.cut < 1 else family.runs["D"] > self.cut
        return rows

    def _fitted(self, law: Law, family: _Family, choices: list[tuple[_Choice, Bools]]) -> list[dict[str, object]]:
        train = family.train
        enough = [
            (choice, rows)
            for choice, rows in choices
            if rows.sum() > len(law.params) and len(np.unique(family.runs["N"][rows])) == choice.models
        ]
        if not enough:
            return []
        ready = problem(law, family.runs.take(train), objective=self.objective)
        weights = np.array([rows[train] for _, rows in enough], dtype=np.float64)
        params = _optima(ready, weights, seed=self.seed)
        target = family.runs.take(family.target)
        predicted = law.value(
            {name: params[:, each, None] for each, name in enumerate(law.param_names)},
            {"N": target["N"][None], "D": target["D"][None]},
        )
        error = predicted / target["loss"] - 1
        return [
            {
                "collection": family.collection,
                "family": family.name,
                "models": choice.models,
                "pick": choice.pick,
                "share": choice.share,
                "cut": choice.cut,
                "final": choice.final,
                "rows": int(rows.sum()),
                "scale_up": float(family.sizes[-1] / family.runs["N"][rows].max()),
                "are": float(np.abs(error[each]).mean()),
                "bias": float(error[each].mean()),
            }
            for each, (choice, rows) in enumerate(enough)
        ]


def _optima(ready: Problem, weights: Floats, *, seed: int) -> Floats:
    """The best parameters (problems, params) for each row of weights, from several starts each."""
    starts = ready.starts(count=_STARTS, seed=seed)
    found = ready.solve(
        np.tile(starts, (len(weights), 1)), weights=np.repeat(weights, len(starts), axis=0), max_steps=60
    )
    value = np.where(np.isfinite(found.value), found.value, np.inf).reshape(len(weights), len(starts))
    best = np.arange(len(weights)) * len(starts) + value.argmin(axis=1)
    last = ready.solve(found.theta[best], weights=weights, max_steps=600)
    return ready.params(last.theta)


def _baselines(family: _Family) -> dict[str, object]:
    train, target = family.runs.take(family.train), family.runs.take(family.target)["loss"]
    most = int(np.argmax(train["N"] * train["D"]))
    return {
        "collection": family.collection,
        "family": family.name,
        "sizes": len(family.sizes),
        "rows": len(train),
        "best_seen": float(np.abs(train["loss"].min() / target - 1).mean()),
        "most_trained": float(np.abs(train["loss"][most] / target - 1).mean()),
    }


def _floor(family: _Family) -> list[dict[str, object]]:
    """How far apart the ends of runs are that have the same size and tokens."""
    ends = family.runs.take(family.ends).frame.select("N", "D", "loss")
    groups = ends.group_by("N", "D").agg(
        repeats=pl.len(), spread=(pl.col("loss").max() - pl.col("loss").min()) / pl.col("loss").min()
    )
    repeated = groups.filter(pl.col("repeats") > 1)
    if repeated.is_empty():
        return []
    return [
        {
            "collection": family.collection,
            "family": family.name,
            "repeats": int(repeated["repeats"].sum()),
            "spread": float(repeated["spread"].to_numpy().mean()),
        }
    ]


def error_grid(study: Hitchhiker, family: str | None = None) -> pl.DataFrame:
    """Median ARE by number of models (rows) and share of training (columns), the beginning dropped where it was.

    family: one of the study's, or None for the median over all of them. Raises DataError for an unknown one.
    """
    trials = study.trials.filter(~pl.col("final") & (pl.col("pick") == "nearest"))
    if family is not None:
        trials = trials.filter(pl.col("family") == family)
        if trials.is_empty():
            raise DataError(f"there is no family {family!r} with laws in this study")
    best = trials.group_by("family", "models", "share").agg(pl.col("are").sort_by("cut").last())
    return best.group_by("models", "share").agg(are=pl.col("are").median(), families=pl.len()).sort("models", "share")


def iso_error(grid: pl.DataFrame, errors: Sequence[float] = (0.05, 0.10, 0.15)) -> pl.DataFrame:
    """The least share of training with which a number of models stays within an error; null where none does."""
    rows = []
    for models in sorted(set(grid["models"])):
        line = grid.filter(pl.col("models") == models).sort("share")
        for error in errors:
            within = line.filter(pl.col("are") <= error)
            rows.append({"models": models, "error": error, "share": within["share"].min() if within.height else None})
    return pl.DataFrame(rows, schema={"models": pl.Int64, "error": pl.Float64, "share": pl.Float64})
