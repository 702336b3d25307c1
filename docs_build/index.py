"""Renews the index of questions, ``src/isoflop/questions/index.json``: ``python -m docs_build.index``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from isoflop.questions import INDEX, Entry, declared


def index() -> str:
    """The index as its file holds it: for each module what it declares, a line each."""
    names = sorted(each.stem for each in Path(INDEX).parent.glob("*.py") if each.stem != "__init__")
    lines = [f"{json.dumps(name)}: {json.dumps([_told(each) for each in declared(name)])}" for name in names]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _told(entry: Entry) -> dict[str, Any]:
    return {name: value for name, value in entry._asdict().items() if name != "module"}


if __name__ == "__main__":
    Path(INDEX).write_text(index(), encoding="utf-8")
