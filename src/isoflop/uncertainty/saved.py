"""A fit and its draws as a JSON file: enough to forecast from and to check what it came from, without the runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from isoflop.documents import DocumentError, parse_json, read_bounded
from isoflop.errors import DataError, FitError, FormulaError, SavedError, shown
from isoflop.files import write_whole
from isoflop.findings import Finding
from isoflop.fitting import Estimate, Fit, objective
from isoflop.fitting.estimate import DataSummary, FittedRows
from isoflop.fitting.result import Search
from isoflop.laws import Input, Law, Param, Prepared
from isoflop.laws.expression import names
from isoflop.laws.formula import parse
from isoflop.laws.training_flops import TrainingFlops
from isoflop.runs import Runs
from isoflop.schema import SchemaError
from isoflop.uncertainty.ensemble import Ensemble
from isoflop.uncertainty.prior import content_of, prior_of, shipped_prior
from isoflop.uncertainty.saved_schema import MOST_BYTES, checked

SCHEMA = "isoflop.fit/2"


def save_fit(fit: Estimate | Ensemble, path: str | Path) -> None:
    """Write a fit or another estimate, with its draws where it has some, to a JSON file, whole or not at all.

    The file holds the law, the objective, parameters, draws, findings, seeds, versions, the digest of the runs, their
    ranges, and inputs and residuals of up to 3,000 rows, by which the law's error is judged; no other column. A prior
    of the model error that is not the shipped one is kept with it.

    Parameters
    ----------
    fit :
        What :func:`isoflop.fit` or :func:`isoflop.bootstrap` gave.
    path :
        The file, which is replaced where it exists.

    Examples
    --------
    >>> import isoflop
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> drawn = isoflop.bootstrap(fitted, draws=40)
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.json"
    >>> _ = isoflop.save_fit(drawn, path)
    >>> isoflop.load_fit(path).estimate.params == drawn.estimate.params
    True
    """
    ensemble = fit if isinstance(fit, Ensemble) else None
    fitted = fit.estimate if isinstance(fit, Ensemble) else fit
    law = fitted.law
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "versions": {name: version(name) for name in ("isoflop", "numpy")},
        "law": {
            "name": law.name,
            "formula": law.formula,
            "inputs": [{"name": each.name, "meaning": each.meaning, "domain": each.domain} for each in law.inputs],
            "prepared": {
                column: {"rule": how.rule, "settings": dict(how.settings)} for column, how in law.prepared.items()
            },
            "params": [{"name": each.name, "domain": each.domain, "meaning": each.meaning} for each in law.params],
            "fixed": dict(law.fixed),
            "tied": dict(law.tied),
            "reference": law.reference,
            "response": law.response,
        },
        **_estimated(fitted),
        "findings": [finding.as_dict() for finding in fitted.findings],
        "ensemble": None
        if ensemble is None
        else {
            "method": ensemble.method,
            "seed": ensemble.seed,
            "resampled_by": ensemble.resampled_by,
            "failed": ensemble.failed,
            "unsettled": ensemble.unsettled,
            "restarted": ensemble.restarted,
            "improved": ensemble.improved,
            "findings": [finding.as_dict() for finding in ensemble.findings],
            "draws": {name: _told(draws.tolist()) for name, draws in ensemble.draws.items()},
        },
    }
    if ensemble is not None and ensemble.prior != shipped_prior():
        content["prior"] = content_of(ensemble.prior)
    if ensemble is not None and ensemble.departures:
        content["departures"] = [_estimated(each) for each in ensemble.departures]
    content["seal"] = seal(content)
    write_whole(Path(path), json.dumps(content, indent=1, allow_nan=False).encode())


def _estimated(fitted: Estimate) -> dict[str, Any]:
    """Parameters, how they were fitted, and what is known of the runs."""
    data = fitted.data
    return {
        "params": dict(zip(fitted.params, _told(fitted.params.values()), strict=True)),
        "fit": _how_fitted(fitted) if isinstance(fitted, Fit) else None,
        "data": {
            "source": data.source,
            "digest": data.digest,
            "n_rows": data.n_rows,
            "n_runs": data.n_runs,
            "loss_unit": data.loss_unit,
            "param_convention": data.param_convention,
            "ranges": {name: list(ends) for name, ends in data.ranges.items()},
            "residuals": _told(data.residuals),
            "rows": _saved_rows(data.rows),
            "space": data.space,
            "flops": [data.flops.per, data.flops.n_power, data.flops.d_power],
            "headers": dict(data.headers),
        },
    }


def _how_fitted(fitted: Fit) -> dict[str, Any]:
    """What a fit has beyond an estimate."""
    return {
        "objective": fitted.objective.name,
        "value": fitted.value,
        "scale": fitted.scale,
        "theta": _told(fitted.theta.tolist()),
        "centers": dict(fitted.centers),
        "search": {
            "starts": fitted.search.starts,
            "reached": fitted.search.reached,
            "seed": fitted.search.seed,
            "constants": list(fitted.search.constants),
            "engine": fitted.search.engine,
        },
    }


def load_fit(path: str | Path, *, runs: Runs | None = None) -> Ensemble:
    """Read a fit and its draws back.

    Parameters
    ----------
    path :
        A file that :func:`isoflop.save_fit` wrote.
    runs :
        The table it was fitted to, where it is to be bootstrapped or profiled again; its digest must match.

    Returns
    -------
    Ensemble
        The draws; ``estimate`` is the fit.

    Raises
    ------
    SavedError
        The file is absent, damaged, foreign or of another schema, or the runs are others.

    Examples
    --------
    >>> import isoflop, pathlib, tempfile
    >>> runs = isoflop.datasets.load("python-bytes")
    >>> fitted = isoflop.fit(isoflop.law("chinchilla"), runs)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "fit.json"
    >>> isoflop.save_fit(fitted, path)
    >>> isoflop.load_fit(path, runs=runs).fit.params == fitted.params
    True
    """
    path = Path(path)
    try:
        content = parse_json(read_bounded(path, most=MOST_BYTES))
    except DocumentError as error:
        if str(error).startswith("cannot be read"):
            raise SavedError(f"{str(path)!r} {error}; give a file written by --save") from None
        raise SavedError(f"{path.name} {error}; save the fit again (isoflop fit … --save)") from None
    if not isinstance(content, dict) or not str(content.get("schema", "")).startswith("isoflop.fit/"):
        raise SavedError(f"{path.name} is JSON, but no fit of isoflop; give a file written by isoflop fit … --save")
    if content["schema"] != SCHEMA:
        raise SavedError(f"{path.name} has schema {shown(content['schema'])}, this release reads {SCHEMA!r}; fit again")
    kept = content.pop("seal", None)
    if kept is None or kept != seal(content):
        reason = "no 'seal'" if kept is None else "its seal does not match its content"
        raise SavedError(f"{path.name} is damaged ({reason}); save the fit again (isoflop fit … --save)")
    try:
        return _read(checked(content), path.name, runs)
    except (SchemaError, FormulaError, FitError, DataError) as error:
        raise SavedError(f"{path.name} is damaged ({error}); save the fit again (isoflop fit … --save)") from None


def seal(content: Mapping[str, Any]) -> str:
    """SHA-256 of the content, whatever its spacing and the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _read(content: Mapping[str, Any], name: str, runs: Runs | None) -> Ensemble:
    data, saved = content["data"], content["ensemble"]
    prior = prior_of(content["prior"], f"the prior of {name}") if "prior" in content else shipped_prior()
    if runs is not None and runs.digest != data["digest"]:
        raise SavedError(f"{name} was fitted to other runs ({data['source']}); the digests differ")
    law = _law(content["law"])
    fitted = _estimate(content, law, findings=_findings(content["findings"]), runs=runs)
    others = (_estimate(each, law) for each in content.get("departures", ()))
    departures = tuple(each for each in others if isinstance(each, Fit))
    if saved is None:
        return Ensemble(fitted, np.empty((0, len(fitted.law.params))), method="none", seed=0, prior=prior)
    columns = [np.asarray(saved["draws"][each], dtype=np.float64) for each in fitted.law.param_names]
    return Ensemble(
        estimate=fitted,
        params=np.stack(columns, axis=1),
        method=saved["method"],
        seed=int(saved["seed"]),
        failed=int(saved["failed"]),
        unsettled=int(saved["unsettled"]),
        restarted=int(saved["restarted"]),
        improved=int(saved["improved"]),
        findings=_findings(saved["findings"]),
        prior=prior,
        resampled_by=saved.get("resampled_by", ""),
        departures=departures,
    )


def _estimate(
    content: Mapping[str, Any], law: Law, *, findings: tuple[Finding, ...] = (), runs: Runs | None = None
) -> Estimate:
    data, how = content["data"], content["fit"]
    estimate = Estimate(
        law=law,
        params={name: float(value) for name, value in content["params"].items()},
        data=DataSummary(
            source=data["source"],
            digest=data["digest"],
            n_rows=data["n_rows"],
            n_runs=data["n_runs"],
            loss_unit=data["loss_unit"],
            param_convention=data["param_convention"],
            ranges={key: (low, high) for key, (low, high) in data["ranges"].items()},
            residuals=tuple(float(each) for each in data["residuals"]),
            rows=_fitted_rows(data.get("rows")),
            space=data["space"],
            flops=TrainingFlops(*data.get("flops", ())),
            headers=data.get("headers", {}),
        ),
        findings=findings,
        runs=runs,
    )
    return estimate if how is None else _fit(estimate, how)


def _law(saved: Mapping[str, Any]) -> Law:
    expression = parse(saved["formula"])
    params, inputs = ([each["name"] for each in saved[kind]] for kind in ("params", "inputs"))
    foreign = [each for each in names(expression) if each not in (*params, *inputs)]
    if foreign:
        raise FormulaError(
            f"the law's formula has {shown(foreign[0])}, which is neither a parameter nor an input of it"
        )
    return Law(
        name=saved["name"],
        expression=expression,
        inputs=tuple(Input(each["name"], each["meaning"], each["domain"]) for each in saved["inputs"]),
        prepared={column: Prepared(how["rule"], how["settings"]) for column, how in saved["prepared"].items()},
        params=tuple(Param(each["name"], _domain(each["domain"]), each["meaning"]) for each in saved["params"]),
        reference=saved["reference"],
        response=saved["response"],
        fixed=saved["fixed"],
        tied=saved["tied"],
    )


def _fit(estimate: Estimate, how: Mapping[str, Any]) -> Fit:
    search = how["search"]
    return Fit(
        **{each.name: getattr(estimate, each.name) for each in fields(estimate)},
        objective=objective(how["objective"]),
        value=how["value"],
        scale=how["scale"],
        theta=np.asarray(how["theta"], dtype=np.float64),
        centers=how["centers"],
        search=Search(
            *(search["starts"], search["reached"], search["seed"]),
            constants=tuple(search["constants"]),
            engine=search["engine"],
        ),
    )


def _told(values: Iterable[float]) -> list[float | str]:
    """The numbers as JSON holds them: one that overflowed, as a draw along an open valley may, as the word ``inf``."""
    return [value if math.isfinite(value) else str(value) for value in values]


def _saved_rows(rows: FittedRows | None) -> dict[str, Any] | None:
    if rows is None:
        return None
    return {
        "inputs": {name: _told(np.asarray(values).tolist()) for name, values in rows.inputs.items()},
        "residual": _told(rows.residual.tolist()),
        "run": rows.run.tolist(),
        "weights": None if rows.weights is None else _told(rows.weights.tolist()),
        **({"known": {name: list(each) for name, each in rows.known.items()}} if rows.known else {}),
    }


def _fitted_rows(saved: Mapping[str, Any] | None) -> FittedRows | None:
    """Inputs and residuals of the rows; files of older versions have none."""
    if saved is None:
        return None
    return FittedRows(
        {name: np.asarray(values, dtype=np.float64) for name, values in saved["inputs"].items()},
        np.asarray(saved["residual"], dtype=np.float64),
        np.asarray(saved["run"], dtype=np.int64),
        None if saved["weights"] is None else np.asarray(saved["weights"], dtype=np.float64),
        {name: (mean, sd) for name, (mean, sd) in saved.get("known", {}).items()},
    )


def _findings(saved: list[dict[str, Any]]) -> tuple[Finding, ...]:
    return tuple(
        Finding(each["code"], each["level"], each["message"], each["remedy"], tuple(each["rows"])) for each in saved
    )


def _domain(saved: str | list[float]) -> str | tuple[float, float]:
    return saved if isinstance(saved, str) else (saved[0], saved[1])
