"""``import_logs``: run logs into a store; what is new is added, and nothing else is changed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from isoflop.errors import DataError, IsoflopError
from isoflop.findings import Finding
from isoflop.lock import alone
from isoflop.logs.choose import choose_in
from isoflop.logs.derive import Described, describe
from isoflop.logs.import_findings import copies_findings, gap_findings, told, unclaimed_findings
from isoflop.logs.imported import Imported
from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.read_before import ReadBefore
from isoflop.logs.reader import Found, Options
from isoflop.logs.readers import read_found
from isoflop.logs.rules import Rules
from isoflop.logs.run_table import Told, unmatched_findings
from isoflop.logs.same_training import Trainings
from isoflop.logs.scores import are_scores, join_scores, keep_scores, waiting
from isoflop.logs.sources import Unchanged, runs_of_sources
from isoflop.logs.store import (
    CurveWriter,
    carry_over,
    existing,
    frame_of,
    goes_on,
    remove_empty,
    rules_of,
    small_parts,
    stored_curve,
    sweep_up,
    write_runs,
)
from isoflop.runs.store import CURVE, Store, open_store, store_findings

PATIENCE: Final = 600.0  # seconds to wait for another import into the same store


@dataclass
class _Gathered:
    """The state of an import while logs are read."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    grown: dict[str, dict[str, Any]] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)
    unchanged: int = 0
    copies: list[str] = field(default_factory=list)
    scored: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    results: list[LoggedRun] = field(default_factory=list)
    trainings: Trainings = field(default_factory=Trainings)
    stored: set[str] | None = None  # names that runs of the store have, once one was asked for
    passed: list[str] = field(default_factory=list)  # digests of runs that two loggers wrote


def import_logs(
    sources: Sequence[str | Path],
    folder: str | Path,
    *,
    rules: Rules | None = None,
    format: str | None = None,
    pattern: str | None = None,
    run_table: Told | None = None,
    progress: Callable[[str], None] | None = None,
) -> Imported:
    r"""Read the logs at ``sources`` into the store at ``folder``, which is made where there is none.

    A run that the store has already, to the byte of its log, is passed over. A run of the same name whose curve goes
    on where the stored one ends replaces it; any other run of that name is kept beside it, numbered.

    Parameters
    ----------
    sources :
        Files and folders of logs.
    folder :
        The store.
    rules :
        None takes those of the store, or the usual ones for a new store.
    format, pattern :
        The one format to read, by name, and the pattern of a console log's lines; found out where they are None.
    run_table :
        What a table has of each run (:func:`isoflop.logs.run_table.read_run_table`); kept with the rules, and taken for
        runs that are in the store already too.
    progress :
        Called with the name of each run that was read.

    Returns
    -------
    Imported
        The store, the runs that were added or grown, and findings.

    Raises
    ------
    LogError
        Nothing at all could be read; no store is made then.
    DataError
        ``rules`` differ from those of the store.
    HeldError
        Another import does not end.

    Examples
    --------
    >>> import isoflop, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> text = "run,step,loss\na,100,3.2\na,200,2.9\nb,100,3.1\nb,200,2.7\n"
    >>> _ = (folder / "curves.csv").write_text(text)
    >>> isoflop.import_logs([folder / "curves.csv"], folder / "store").added
    ('a', 'b')
    """
    folder = Path(folder)
    existing(folder)  # refused before anything is read
    left: list[str] = []
    before = ReadBefore(folder, pattern)
    logs = runs_of_sources(sources, format=format, pattern=pattern, folder=folder, unclaimed=left.append, before=before)
    done = _added(logs, folder, rules, run_table, progress, before)
    return replace(done, unclaimed=tuple(left), findings=(*done.findings, *unclaimed_findings(left)))


def add_runs(
    logs: Iterable[LoggedRun | Unread],
    folder: str | Path,
    *,
    rules: Rules | None = None,
    run_table: Told | None = None,
    progress: Callable[[str], None] | None = None,
) -> Imported:
    """Put runs that were read already into a store; see :func:`import_logs`."""
    return _added(logs, Path(folder), rules, run_table, progress, None)


def _added(
    logs: Iterable[LoggedRun | Unread | Unchanged],
    folder: Path,
    rules: Rules | None,
    run_table: Told | None,
    progress: Callable[[str], None] | None,
    before: ReadBefore | None,
) -> Imported:
    folder_was_there = folder.exists()
    reading = iter(logs)
    first = list(itertools.islice(reading, 1))  # where nothing is found, that is said before anything is made
    existing(folder)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with alone(folder, patience=PATIENCE):
            store = existing(folder)
            own = _agreed(store, rules)
            own = replace(own, by_run={**own.by_run, **(run_table or {})})
            done = _import(itertools.chain(first, reading), folder, store, own, progress, before)
            if before is not None:
                before.save()
            if run_table and store is not None:  # it may say something of runs that were here before
                done = replace(done, store=choose_in(folder, own)[0])
            found = unmatched_findings(run_table or {}, done.store.runs["run"].to_list())
            return replace(done, findings=(*done.findings, *found))
    except IsoflopError:
        if not folder_was_there:
            remove_empty(folder)
        raise


def _new(
    found: Found, options: Options, before: ReadBefore, stored: set[str]
) -> Iterator[LoggedRun | Unread | Unchanged]:
    """The runs of one log, unless the same bytes gave runs that are all there still."""
    key = before.key(found)
    known = before.runs(key, stored)
    if known is not None:
        yield Unchanged(known)
        return
    digests, whole = [], True
    for each in read_found(found, options):
        if isinstance(each, Unread):
            whole = False
        else:
            digests.append(each.digest)
        yield each
    if whole:
        before.note(key, digests)


def choose_again(folder: str | Path, rules: Rules | None = None, *, run_table: Told | None = None) -> Imported:
    """Derive every row of a store anew from its curves, by other rules (None: its own); the curves stay as they are.

    run_table: what a table says of each run, beside what the store was told before.
    """
    folder = Path(folder)
    with alone(open_store(folder).folder, patience=PATIENCE):
        store = existing(folder)
        own = rules_of(store) if store is not None else Rules()
        chosen = own if rules is None else replace(rules, by_run=own.by_run)
        chosen = replace(chosen, by_run={**chosen.by_run, **(run_table or {})})
        written, findings = choose_in(folder, chosen)
    names = written.runs["run"].to_list()
    found = (*told(findings), *unmatched_findings(run_table or {}, names), *gap_findings(written))
    return Imported(written, unchanged=len(names), findings=found)


def _agreed(store: Store | None, rules: Rules | None) -> Rules:
    """The rules of the store, or those of a new one."""
    if store is None:
        return rules or Rules()
    own = rules_of(store)
    if rules is not None and replace(rules, by_run=own.by_run) != own:
        raise DataError(
            f"the store {store.folder.name} was made by other rules ({own.says}); import by those, or choose all of "
            f"its losses again first: isoflop import -o {store.folder} with the new rules and no SOURCE"
        )
    return own


def _import(
    logs: Iterator[LoggedRun | Unread | Unchanged],
    folder: Path,
    store: Store | None,
    rules: Rules,
    progress: Callable[[str], None] | None,
    before: ReadBefore | None,
) -> Imported:
    sweep_up(folder, store)
    writer = CurveWriter(folder)
    gathered = _Gathered(digests=set() if store is None else set(store.runs["digest"].drop_nulls().to_list()))
    for each in logs:
        if isinstance(each, Unread):
            gathered.unread.append(each)
            continue
        if isinstance(each, Unchanged):
            gathered.unchanged += each.runs
            continue
        _take(each, gathered, store, rules, writer)
        if progress is not None:
            progress(each.name)
    if store is None and not gathered.rows and not gathered.results:
        _refuse_nothing(gathered)
    if before is not None:
        for digest in gathered.passed:
            before.passed(digest)
    runs = _merged(folder, store, gathered, writer, rules)
    if runs is not None:
        write_runs(folder, runs, rules)
    written = open_store(folder)
    return Imported(
        store=written,
        added=tuple(gathered.rows),
        grown=tuple(gathered.grown),
        scored=tuple(gathered.scored),
        unchanged=gathered.unchanged,
        left_out=tuple(gathered.left_out),
        unread=tuple(gathered.unread),
        findings=(
            *told(gathered.findings),
            *copies_findings(gathered.copies),
            *gathered.trainings.findings(),
            *gap_findings(written),
            *store_findings(written),
        ),
    )


def _refuse_nothing(gathered: _Gathered) -> None:
    if gathered.left_out:
        raise LogError(
            f"none of {len(gathered.left_out)} runs finished, and the rules leave such runs out; use --unfinished keep"
        )
    reasons = "; ".join(each.says for each in gathered.unread[:3]) or "they hold no run"
    more = f" (and {len(gathered.unread) - 3} more)" if len(gathered.unread) > 3 else ""
    raise LogError(f"no run could be read: {reasons}{more}")


def _take(logged: LoggedRun, gathered: _Gathered, store: Store | None, rules: Rules, writer: CurveWriter) -> None:
    """One run: passed over, added, or put in the place of its shorter self."""
    if gathered.trainings.seen(logged):
        gathered.passed.append(logged.digest)
        return
    if logged.digest in gathered.digests:
        known = any(row["digest"] == logged.digest for row in (*gathered.rows.values(), *gathered.grown.values()))
        if known:
            gathered.copies.append(logged.name)
        else:
            gathered.unchanged += 1
        return
    if are_scores(logged):
        gathered.results.append(logged)
        gathered.digests.add(logged.digest)
        return
    described = describe(logged, rules)
    if rules.unfinished == "drop" and described.row["status"] in ("running", "crashed"):
        gathered.left_out.append(logged.name)
        return
    gathered.digests.add(logged.digest)
    gathered.findings += described.findings
    shorter = None if store is None else _shorter_self(described, store, gathered)
    run = shorter or _free_name(str(described.row["run"]), gathered, store)
    row, curve = {**described.row, "run": run}, described.curve
    if store is not None and shorter is not None:
        before = store.runs.row(by_predicate=pl.col("run") == run, named=True)
        if before[CURVE]:
            row, curve = keep_scores(row, curve, before, stored_curve(store.folder, run, before[CURVE]))
    (gathered.grown if shorter else gathered.rows)[run] = row
    writer.add(run, curve)


def _shorter_self(described: Described, store: Store, gathered: _Gathered) -> str | None:
    """The stored run that this one goes on from: of its name and format, with every stored value found again."""
    name = described.row["run"]
    same = pl.col("run").str.replace(r" \(\d+\)$", "") == name
    candidates = store.runs.filter(
        (same | (pl.col("run") == name))
        & (pl.col("format") == described.row["format"])
        & (pl.col("source") == described.row["source"])
    )
    for row in candidates.iter_rows(named=True):
        if row["run"] in gathered.grown or row["rows"] > described.curve.height:
            continue
        if not row["rows"] or goes_on(described.curve, store, row):
            return str(row["run"])
    return None


def _free_name(name: str, gathered: _Gathered, store: Store | None) -> str:
    """The name, numbered where another run has it."""
    if gathered.stored is None:
        stored = [] if store is None else list(store.runs.iter_rows(named=True))
        gathered.stored = {row["run"] for row in stored} - {row["run"] for row in waiting(stored)}

    of_store = gathered.stored

    def taken(each: str) -> bool:
        return each in gathered.rows or each in gathered.grown or each in of_store

    if not taken(name):
        return name
    number = next(number for number in itertools.count(2) if not taken(f"{name} ({number})"))
    gathered.findings.append(
        Finding(
            "one-name",
            "warning",
            f"two different runs are called {name!r}; the later one is {f'{name} ({number})'!r} here.",
            "Give every training its own name, or tell them apart with --where.",
        )
    )
    return f"{name} ({number})"


def _merged(
    folder: Path, store: Store | None, gathered: _Gathered, writer: CurveWriter, rules: Rules
) -> pl.DataFrame | None:
    """The new table of runs, None where nothing changed: old rows in their places, new ones behind them."""
    old = [] if store is None else list(store.runs.iter_rows(named=True))
    apart = waiting(old)
    rows = {row["run"]: row for row in old if row not in apart} | gathered.grown | gathered.rows
    if store is not None and (gathered.grown or gathered.rows):
        touched = {row[CURVE] for row in old if row["run"] in gathered.grown and row[CURVE]} | set(small_parts(store))
        for part in sorted(touched):
            carry_over(folder, part, writer, without=gathered.grown)
    _settle(rows, writer)
    joined = join_scores(
        rows,
        apart,
        gathered.results,
        curve_of=lambda row: stored_curve(folder, row["run"], row[CURVE]),
        rules=rules,
    )
    gathered.findings += joined.findings
    gathered.scored = list(joined.scored)
    gathered.rows |= {run: row for run, row in joined.rows.items() if run not in rows and row not in apart}
    for part in sorted({rows[run][CURVE] for run in joined.curves}):
        carry_over(folder, part, writer, without=joined.curves)
    for run, curve in joined.curves.items():
        writer.add(run, curve)
    _settle(joined.rows, writer)
    changed = joined.changed or joined.curves or gathered.grown or gathered.rows
    return frame_of(list(joined.rows.values())) if changed else None


def _settle(rows: dict[str, dict[str, Any]], writer: CurveWriter) -> None:
    """Write the curves that are held, and note in each row the file that holds its curve."""
    writer.flush()
    for run, place in writer.places.items():
        rows[run] = {**rows[run], CURVE: place}
