"""A training program of one's own, as a sweep sees it: options in, one line of JSON out.

It fits random features to a smooth function by ridge regression and reports the error as its loss.
"""

from __future__ import annotations

import argparse
import json

import numpy as np

parser = argparse.ArgumentParser()
parser.add_argument("--width", type=int, required=True)
parser.add_argument("--tokens", type=int, required=True)
parser.add_argument("--seed", type=int, default=0)
given = parser.parse_args()

draw = np.random.default_rng(given.seed)
frequencies = draw.normal(size=given.width) * 3
phases = draw.uniform(0, 2 * np.pi, size=given.width)


def features(x):
    """cos(ωx + φ), shape (points, width)."""
    return np.cos(np.outer(x, frequencies) + phases)


def target(x):
    """What is to be learnt."""
    return np.abs(np.sin(4 * x))


x = draw.uniform(-1, 1, size=given.tokens)
design = features(x)
weights = np.linalg.solve(design.T @ design + 1e-6 * np.eye(given.width), design.T @ target(x))
test = np.linspace(-1, 1, 2001)
loss = float(np.mean((features(test) @ weights - target(test)) ** 2))

print("trained")
print(json.dumps({"loss": loss, "params": given.width}))
