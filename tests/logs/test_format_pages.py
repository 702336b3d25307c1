"""Every page on a format shows a log that is read as the page says."""

import re
from pathlib import Path

import pytest

from isoflop.logs.importing import import_logs

PAGES = Path(__file__).parents[2] / "docs" / "formats"
NAMES = sorted(page.stem for page in PAGES.glob("*.md") if page.stem != "index")
# What the store has of each page's excerpt.
SAYS = {
    "megatron-lm": {"N": 71_475_200, "D": 102_400 * 2048, "loss": 9.15, "loss_metric": "val_loss"},
    "gpt-neox": {"N": 70_426_624, "batch": 1024 * 2048, "loss": 8.05},
    "nanogpt": {"N": 10.65e6, "D": 250 * 16_384, "loss": 2.07},
    "nemo": {"loss": 6.25, "loss_metric": "val_loss", "steps": 300},
    "plain": {"loss": 6.125, "steps": 300, "lr": 0.0003, "D": 157_286_400},
    "nanochat": {"N": 286_261_706, "D": 2205 * 524_288, "loss": 0.8642, "loss_unit": "bits/byte"},
    "litgpt": {"N": 124_439_808, "steps": 610_150, "loss": 2.861},
    "modded-nanogpt": {"loss": 3.2781, "lr": None, "status": "finished"},
    "olmo": {"D": 4_194_304_000, "loss": 3.3},
    "composer": {"D": 382_730_240, "loss": 10.25, "steps": 366},
    "torchtitan": {"N": 8_030_261_248, "loss": 6.8562, "steps": 50},
    "fairseq": {"loss": 8.2, "loss_unit": "bits/token", "steps": 3000},
    "llm-c": {"loss": 6.4321, "lr": 0.000214, "steps": 250},
    "huggingface-trainer": {"loss": 3.2, "status": "finished", "C": 6.2e15},
    "hf-console": {"loss": 1.7152, "steps": 35},
    "wandb": {"N": 70_426_624, "loss": 3.41, "steps": 10_000, "status": "finished"},
    "tensorboard": {"loss": 3.7, "steps": 200},
    "lm-eval": {"run": "model-1b@1000", "arc_easy/acc": 0.31, "D": 3e9, "loss": None},
    "json-lines": {"loss": 6.1, "steps": 3},
}


def test_every_page_is_tested() -> None:
    assert set(NAMES) == set(SAYS)
    assert len(NAMES) >= 15
    index = (PAGES / "index.md").read_text()
    assert all(f"({name}.md)" in index for name in NAMES)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_the_excerpt_is_read_as_the_page_says(tmp_path: Path, name: str) -> None:
    text = (PAGES / f"{name}.md").read_text()
    file, excerpt = re.search(r"## Form\n\n`([^`]+)`\n\n```\w+\n(.*?)\n```", text, re.DOTALL).groups()
    (tmp_path / file).write_text(excerpt + "\n")
    row = import_logs([tmp_path / file], tmp_path / "store").store.runs.row(0, named=True)
    assert {key: row[key] for key in SAYS[name]} == SAYS[name]
    for heading in ("## What is read", "## What to give when it is not there"):
        assert heading in text
