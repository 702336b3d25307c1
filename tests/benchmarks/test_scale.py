"""The figures of scale: what they measure is what they name."""

import subprocess
import sys

import numpy as np
import pytest
from benchmarks.scale import jackknife, processor_seconds

from isoflop import fit, law
from isoflop.fitting.fit import problem


def test_a_jackknife_is_the_fit_without_each_run(known_runs):
    runs = known_runs(0.005)
    found = fit(law("chinchilla"), runs)
    left_out = jackknife(found)
    for gone in (0, 17, len(runs) - 1):
        alone = fit(law("chinchilla"), runs.take(np.arange(len(runs)) != gone))
        ready = problem(law("chinchilla"), runs, objective=found.objective)
        assert ready.params(left_out[gone][None])[0] == pytest.approx(list(alone.params.values()), rel=1e-5)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processor_time_of_a_child_that_ends_counts():
    busy = "import time\nwhile time.process_time() < 0.5:\n    pass"
    taken = processor_seconds(lambda: subprocess.run([sys.executable, "-c", busy], check=True))
    assert 0.2 < taken < 1.5
