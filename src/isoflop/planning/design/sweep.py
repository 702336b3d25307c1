"""A lab's sweep as candidates, and the sweep that trains the chosen ones."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from isoflop.errors import IsoflopError
from isoflop.lab.design import cells_of, sizes_of
from isoflop.lab.spec import SweepSpec, parse_spec, read_spec
from isoflop.planning.design.candidates import MOST, Candidates

SIZE = "size"


def sweep_candidates(path: str | Path) -> Candidates:
    """The cells of a sweep, one for each size and duration: N all parameters, D tokens, C the counted FLOPs.

    Raises IsoflopError for a sweep of the user's own program, whose values have no meaning here.
    """
    spec = read_spec(path)
    if spec.commands is not None:
        raise IsoflopError(
            f"{Path(path).name} runs a program of your own, whose values are no N and D here; give --candidates as a "
            "table or a grid, and write the batch to a .csv"
        )
    sizes = {each.shape.name: each for each in sizes_of(spec)}
    cells = sorted({(sizes[each.shape.name].params, each.shape.name, each.tokens) for each in cells_of(spec)})
    if len(cells) > MOST:
        raise IsoflopError(f"{Path(path).name} has {len(cells):,} cells, and at most {MOST:,} are compared; list fewer")
    cost = np.array([sizes[name].flops * tokens for _, name, tokens in cells])
    frame = pl.DataFrame(
        {
            "N": [float(params) for params, _, _ in cells],
            "D": [float(tokens) for _, _, tokens in cells],
            "C": cost,
            SIZE: [name for _, name, _ in cells],
        }
    )
    return Candidates(frame, cost, "counted FLOPs", Path(path).name)


def sweep_of(path: str | Path, candidates: Candidates, rows: Sequence[int]) -> str:
    """The sweep's text with designs of the chosen cells in place of its own; runs of one cell differ in their seed."""
    spec = read_spec(path)
    times: dict[tuple[str, float], int] = defaultdict(int)
    for row in rows:
        times[str(candidates.frame[SIZE][row]), float(candidates.frame["D"][row])] += 1
    lines: list[str] = [_without_designs(spec).rstrip(), ""]
    tokens_of: dict[tuple[str, int], list[float]] = defaultdict(list)
    for (size, duration), count in sorted(times.items()):
        tokens_of[size, count].append(duration)
    for (size, count), tokens in tokens_of.items():
        lines += ["[[design]]", 'kind = "grid"', f'sizes = ["{size}"]']
        lines += [f"tokens = [{', '.join(f'{each:.0f}' for each in tokens)}]"]
        lines += [f"seeds = {list(range(count))}"] if count > 1 else []
        lines += [""]
    text = "\n".join(lines)
    parse_spec(text, name=spec.name, base=Path(path).parent)  # what is written can be read
    return text


def _without_designs(spec: SweepSpec) -> str:
    kept: list[str] = []
    inside = False
    for line in spec.text.splitlines():
        if re.match(r"\s*\[", line):
            inside = re.match(r"\s*\[\[\s*design\s*\]\]", line) is not None
            while inside and kept and kept[-1].lstrip().startswith("#"):
                kept.pop()  # what was said of the old design
        if not inside:
            kept.append(line)
    return "\n".join(kept)
