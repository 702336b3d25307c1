"""Whole tables whose numbers have an odd structure: few sizes, ties, one ratio or budget, odd scales, flat losses."""

import numpy as np
import polars as pl


def table(rng):
    """A table of runs: inputs from a few or many values, a loss of one of several shapes, and columns that go along."""
    noise = np.random.default_rng(rng.randrange(2**32))
    count = rng.choice([1, 2, 3, 4, 5, 6, 8, 12, 20, 40])
    scale = 10 ** rng.choice([0, 0, 0, -6, 6, 30])

    def values(low, high):
        kinds = rng.choice([1, 2, 3, 5, count, count])
        few = 10 ** noise.uniform(low, high, kinds)
        if rng.random() < 0.5:
            few = np.logspace(low, high, kinds)
        return few[noise.integers(0, kinds, count)] * scale

    n, d = values(6, 9), values(8, 11)
    match rng.randrange(8):
        case 0:
            d = 20 * n  # one ratio
        case 1:
            n = n.round(-6) + 1e6
        case 2:
            d = 1e20 / n  # one budget
        case 3:
            d = np.repeat([1e19, 1e20, 1e21], count)[:count] / n / 6
    loss = 1.8 + 400 / n**0.34 + 2000 / d**0.36
    match rng.randrange(10):
        case 0:
            loss = np.full(count, 2.5)
        case 1:
            loss = loss[::-1].copy()
        case 2:
            loss = np.round(loss, rng.choice([0, 1, 2]))
        case 3:
            loss = 1 + (n / n.max()) ** 2
        case 4:
            loss = loss * 10 ** rng.choice([-200, -9, 9, 200])
        case 5:
            loss[rng.randrange(count)] = rng.choice([1e-300, 1e300, 1e6, 30.0])
        case 6:
            loss = 2 + 1e-13 * noise.normal(size=count)
        case _:
            loss = loss * np.exp(noise.normal(0, rng.choice([1e-9, 0.003, 0.3]), count))
    columns = {"N": n, "D": d, "loss": loss}
    more = {
        "lr": values(-4, -2), "batch": values(4, 6), "step": np.arange(count) * rng.choice([1, 100]),
        "U": d / rng.choice([1, 4, 1e6]), "epochs": values(0, 1), "family": [rng.choice("ab") for _ in range(count)],
        "run": [f"r{place // rng.choice([1, 3, 50])}" for place in range(count)],
        "seed": noise.integers(0, 3, count), "acc": np.clip(np.exp(-loss / 3), 0, 1), "C": 6 * n * d,
    }  # fmt: skip
    for name in rng.sample(sorted(more), rng.choice([0, 1, 2, 4])):
        columns[name] = more[name]
    if rng.random() < 0.2:
        del columns[rng.choice(["N", "D"])]
    return pl.DataFrame(columns)
