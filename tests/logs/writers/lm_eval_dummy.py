"""lm-evaluation-harness's dummy model on a task of its own making, without a network."""

import json
import sys
from pathlib import Path

folder = Path(sys.argv[1])
with (folder / "data.jsonl").open("w") as file:
    for number in range(40):
        file.write(json.dumps({"q": f"{number} + 1 =", "choices": [" a", " b"], "gold": number % 2}) + "\n")
(folder / "task.yaml").write_text(
    f"""task: sums
dataset_path: json
dataset_kwargs:
  data_files:
    test: {folder / "data.jsonl"}
test_split: test
output_type: multiple_choice
doc_to_text: q
doc_to_choice: choices
doc_to_target: gold
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"""
)
from lm_eval.__main__ import cli_evaluate

sys.argv = [
    "lm_eval", "--model", "dummy", "--tasks", "sums", "--include_path", str(folder),
    "--output_path", str(folder / "results" / "out.json"), "--seed", "0",
]  # fmt: skip
cli_evaluate()
