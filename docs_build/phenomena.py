"""``python -m docs_build.phenomena``: renew the examples' table from the results that they wrote.

``python examples/phenomena/NAME.py --out docs/phenomena`` writes NAME.png and NAME.json, with ``--seed 1`` NAME-1.json.
A row of examples/phenomena/README.md whose example has a JSON takes its verdict and time from there; the page of the
documentation shows all results side by side.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
README = ROOT / "examples" / "phenomena" / "README.md"
RESULTS = ROOT / "docs" / "phenomena"


def results(folder: Path = RESULTS) -> dict[str, list[Mapping[str, Any]]]:
    """Name of an example → what it found, a result a seed in their order; quick versions are refused."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        values = json.loads(path.read_text(encoding="utf-8"))
        if values["quick"]:
            raise ValueError(f"{path.name} is of a quick version; run the example without --quick")
        found.setdefault(re.sub(r"-\d+$", "", path.stem), []).append(values)
    return {name: sorted(each, key=lambda one: one["seed"]) for name, each in found.items()}


def missing(found: Mapping[str, list[Mapping[str, Any]]], text: str | None = None) -> list[str]:
    """The examples of the README that have no result."""
    text = README.read_text(encoding="utf-8") if text is None else text
    return [name for name in re.findall(r"`phenomena/(\w+)\.py`", text) if name not in found]


def over_seeds(each: list[Mapping[str, Any]]) -> str:
    """Whether all seeds have the verdict of the first, in words; empty for one seed."""
    if len(each) < 2:
        return ""
    verdicts = [one["verdict"] for one in each]
    if len(set(verdicts)) == 1:
        return f"the same with {len(verdicts)} seeds"
    return f"unstable over seeds: {', '.join(verdicts)}"


def figure(result: Mapping[str, Any]) -> str:
    """The number on which the verdict rests, with its interval."""
    name, value = next(iter(result["numbers"].items()))
    if isinstance(value, list):
        value, low, high, level = value
        if not math.isfinite(value):
            return f"{name}: none found"
        return f"{name} {_short(value)} [{_short(low)}, {_short(high)}], {level:.0%}"
    return f"{name} {_short(value)}"


def _short(value: float) -> str:
    """Three digits, without an exponent of ten up to the millions."""
    return f"{float(f'{value:.3g}'):,.0f}" if 1_000 <= abs(value) < 1e7 else f"{value:.3g}"


def table(found: Mapping[str, list[Mapping[str, Any]]] | None = None) -> str:
    """Phenomenon, claim, verdict, figure and processor seconds of every result, as Markdown."""
    lines = [
        "| phenomenon | claim | verdict | figure | over seeds | processor seconds |",
        "|---|---|---|---|---|---|",
    ]
    for each in (results() if found is None else found).values():
        named, _, claim = each[0]["title"].rstrip(".").partition(": ")
        cells = (named, claim, each[0]["verdict"], figure(each[0]), over_seeds(each) or "one seed")
        lines.append(f"| {' | '.join(cells)} | {each[0]['seconds']:.0f} |")
    return "\n".join(lines)


def renewed(text: str, found: Mapping[str, list[Mapping[str, Any]]]) -> str:
    """The README with time and verdict of every row that has a result."""
    return "\n".join(_renewed(text, found)) + "\n"


def _renewed(text: str, found: Mapping[str, list[Mapping[str, Any]]]) -> Iterator[str]:
    for line in text.splitlines():
        script = re.search(r"`phenomena/(\w+)\.py`", line)
        if not line.startswith("|") or script is None or script[1] not in found:
            yield line
            continue
        each = found[script[1]]
        cells = line.strip("|").split("|")
        words = f" ({over_seeds(each)})" if over_seeds(each) else ""
        said = each[0]["says"].rstrip(".").replace("|", r"\|")
        verdict = f" **{each[0]['verdict']}**{words}: {said} "
        yield "|".join(["", *cells[:3], f" {each[0]['seconds']:.0f} s ", verdict, ""])


def main() -> None:
    """Rewrite the README."""
    README.write_text(renewed(README.read_text(encoding="utf-8"), results()), encoding="utf-8")


if __name__ == "__main__":
    main()
