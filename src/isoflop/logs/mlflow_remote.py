"""MLflow over the network: ``mlflow:http://host:port`` (all experiments) or ``mlflow:http://host:port#experiment``."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from isoflop.errors import MissingExtraError
from isoflop.logs.curves import Curves
from isoflop.logs.hashed_file import Digest
from isoflop.logs.logged import LogError, LoggedRun, Unread
from isoflop.logs.mlflow import STATUS
from isoflop.logs.reader import Candidate, Found, Options, Reader
from isoflop.logs.run_builder import logged_run
from isoflop.logs.settings_text import typed

ADDRESS: Final = "mlflow:"
_PAGE: Final = 1_000
_LARGEST: Final = 1.7976931348623157e308  # how SQL stores write infinity


def _read(found: Found, options: Options) -> Iterator[LoggedRun | Unread]:
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise MissingExtraError("a remote MLflow server needs mlflow-skinny: pip install 'isoflop[mlflow]'") from None
    address, _, wanted = found.address.removeprefix(ADDRESS).partition("#")
    try:
        client = MlflowClient(tracking_uri=address)
        experiments = [entry for entry in client.search_experiments() if not wanted or entry.name == wanted]
    except MlflowException as error:
        raise LogError(f"the MLflow server does not answer ({_first_line(error)}); check its address") from None
    if not experiments:
        raise LogError(f"the MLflow server has no experiment {wanted!r}; check its name")
    for experiment in experiments:
        token: str | None = None
        while token != "":
            page = client.search_runs([experiment.experiment_id], max_results=_PAGE, page_token=token)
            for run in page:
                source = f"mlflow:{experiment.name}/{run.info.run_id}"
                try:
                    yield _run(client, run, experiment.name, source)
                except MlflowException as error:
                    yield Unread(source, f"{source} broke off ({_first_line(error)}); import again")
            token = page.token or ""


def _run(client: Any, run: Any, experiment: str, source: str) -> LoggedRun:  # noqa: ANN401  (MLflow's own types)
    curves, digest = Curves(), Digest()
    for key in sorted(run.data.metrics):
        for point in client.get_metric_history(run.info.run_id, key):
            value = math.copysign(math.inf, point.value) if abs(point.value) >= _LARGEST else point.value
            curves.add(key, point.step, value)
            curves.add_wall(point.step, point.timestamp / 1000)
            digest.update(f"{key}\0{value!r}\0{point.step}\n".encode())
    tags = {f"tag.{key}": typed(value) for key, value in run.data.tags.items() if not key.startswith("mlflow.")}
    params = {key: typed(value) for key, value in run.data.params.items()}
    return logged_run(
        name=run.info.run_name or run.info.run_id[:8],
        format="mlflow-remote",
        source=source,
        curves=curves,
        digest=digest.update(repr(sorted(params.items())).encode()).hexdigest(),
        status=STATUS.get(str(run.info.status), "unknown"),
        config={"experiment": experiment, **params, **tags},
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _claims(candidate: Candidate) -> str | None:
    return None


READER: Final = Reader(
    "mlflow-remote", "mlflow:http://… over the network", claims=_claims, read=_read, addresses=(ADDRESS,)
)
