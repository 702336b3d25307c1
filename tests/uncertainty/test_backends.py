"""Heavy estimation over joblib's backends: whoever computes the chunks, the draws are the same bytes."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import joblib
import numpy as np
import pytest

from isoflop import Ensemble, Fit, bootstrap, fit, law

DRAWS = 600  # three chunks, the last one short
HUNDREDS = [250, 250, 100]


@pytest.fixture(scope="module")
def found() -> Fit:
    """A fit to 30 noisy runs of a known law."""
    from isoflop import Runs

    n, d = (axis.ravel() for axis in np.meshgrid(np.logspace(7.5, 10, 6), np.logspace(9, 11.5, 5)))
    truth = {"E": 1.8172, "A": 482.01, "B": 2085.43, "alpha": 0.3478, "beta": 0.3658}
    scatter = np.random.default_rng(0).normal(0, 0.01, n.size)
    loss = law("chinchilla").value(truth, {"N": n, "D": d}) * np.exp(scatter)
    return fit(law("chinchilla"), Runs.from_columns({"N": n, "D": d, "loss": loss}))


@pytest.fixture(scope="module")
def serial(found: Fit) -> Ensemble:
    return bootstrap(found, draws=DRAWS, seed=11, restarted=0)


def same(found: Fit, serial: Ensemble, backend: AbstractContextManager[object]) -> None:
    """Bootstrap in two processes of that backend, and compare with the draws of this one."""
    heard: list[int] = []
    with backend:
        ensemble = bootstrap(found, draws=DRAWS, seed=11, restarted=0, jobs=2, progress=heard.append)
    assert ensemble.params.tobytes() == serial.params.tobytes()
    assert (ensemble.failed, ensemble.unsettled) == (serial.failed, serial.unsettled)
    assert ensemble.findings == serial.findings
    assert heard == HUNDREDS


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_joblib_s_own(found: Fit, serial: Ensemble, backend: str) -> None:
    same(found, serial, joblib.parallel_config(backend=backend))


@pytest.fixture
def dask_client() -> Iterator[object]:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed: pip install 'isoflop[dask]'")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
def test_dask(found: Fit, serial: Ensemble, dask_client: object) -> None:
    same(found, serial, joblib.parallel_config(backend="dask"))


@pytest.fixture
def ray_cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="ray is not installed: pip install 'isoflop[ray]'")
    from ray.util.joblib import register_ray

    ray.init(
        address="local",
        num_cpus=2,
        object_store_memory=100 * 2**20,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    register_ray()
    yield
    ray.shutdown()


@pytest.mark.slow
def test_ray(found: Fit, serial: Ensemble, ray_cluster: None) -> None:
    same(found, serial, joblib.parallel_config(backend="ray"))
