"""Renews what the README shows of a public data set: ``ISOFLOP_DATASETS=FOLDER python -m docs_build.readme``.

The output below each command of a ``console`` block is printed anew, and the picture is drawn anew.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from docs_build import runner
from docs_build.blocks import BLOCK, Block, commands, head

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "epoch_chinchilla.png"
DRAWN_BY = 'isoflop fit epoch-chinchilla --law chinchilla --where "loss < 3.44" --picture picture.png'


def renewed(text: str, datasets: Path) -> str:
    """The README with what its commands print now. datasets: the folder of public run tables."""

    def shown(found: re.Match[str]) -> str:
        if found["kind"] != "console":
            return found[0]
        told = ""
        for line in commands(Block("console", "", found["code"])):
            code, output = runner.run(line, datasets=datasets)
            if code:
                raise RuntimeError(f"{line!r} ended with {code}: {output}")
            told += f"$ {line}\n" + head(output, found["about"].strip())
        return f"```console{found['about']}\n{told}```"

    with runner.folder():
        return BLOCK.sub(shown, text)


def draw(datasets: Path) -> None:
    """Draw the README's picture by the product's own command."""
    with runner.folder():
        code, output = runner.run(DRAWN_BY, datasets=datasets)
        if code:
            raise RuntimeError(f"{DRAWN_BY!r} ended with {code}: {output}")
        shutil.copy("picture.png", PICTURE)


if __name__ == "__main__":
    tables = Path(os.environ["ISOFLOP_DATASETS"]).resolve()
    README.write_text(renewed(README.read_text(encoding="utf-8"), tables), encoding="utf-8")
    draw(tables)
