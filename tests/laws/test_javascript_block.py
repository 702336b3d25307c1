"""The block of JavaScript that the page evaluates: the law and its slopes, each common part once."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from isoflop import catalogue, law
from isoflop.laws.derivative import gradient
from isoflop.laws.evaluate import array_value
from isoflop.laws.expression import name
from isoflop.laws.javascript import javascript_block


def test_common_parts_are_computed_once():
    block, (value, slope) = javascript_block(
        [law("A/N^alpha").expression, name("A")], {"A": "a", "N": "n", "alpha": "e"}
    )
    assert slope == "a" and value.startswith("t")
    again, _ = javascript_block(
        [law("A/N^alpha + B*N^(-alpha)").expression], dict.fromkeys(("A", "B", "N", "alpha"), "q")
    )
    assert block.count("Math.pow") == again.count("Math.pow") == 1


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, which runs JavaScript outside a browser")
def test_value_and_slopes_are_those_of_python():
    rng = np.random.default_rng(0)
    scripts, expected = [], []
    for each in catalogue().values():
        at = {param.name: rng.uniform(0.3, 0.9) for param in each.params}
        at |= {given.name: rng.uniform(2.0, 9.0) for given in each.inputs}
        wanted = (each.expression, *gradient(each.expression, tuple(name(given.name) for given in each.inputs)))
        block, results = javascript_block(wanted, {label: f"({value!r})" for label, value in at.items()})
        scripts.append(f"(() => {{ {block} return [{', '.join(results)}]; }})()")
        expected.append([float(array_value(expression, at)) for expression in wanted])
    source = f"console.log(JSON.stringify([{', '.join(scripts)}]))"
    ran = subprocess.run(["node", "-"], input=source, capture_output=True, text=True, check=True, timeout=60)
    for got, want in zip(json.loads(ran.stdout), expected, strict=True):
        finite = np.isfinite(want)
        # of inputs and parameters near one, what cancels is rounding of that size
        np.testing.assert_allclose(np.array(got, dtype=float)[finite], np.array(want)[finite], rtol=1e-12, atol=1e-16)
