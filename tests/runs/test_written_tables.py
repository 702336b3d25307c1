"""Tables as people write them: JSON in its forms, Markdown, cells with units and errors, a column for each run."""

import gzip
import json

import numpy as np
import polars as pl
import pytest

from isoflop import read_runs
from isoflop.errors import DataError

ROWS = [(1e8, 2e9, 3.5), (3e8, 6e9, 3.1), (1e9, 2e10, 2.75), (3e9, 6e10, 2.5)]
NAMES = ("params", "tokens", "loss")
RECORDS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
MARKDOWN = "# Results\n\nText with a | in it.\n\n| params | tokens | loss |\n|:---|---:|:--:|\n"


def assert_rows(runs):
    assert runs["N"].tolist() == [row[0] for row in ROWS] and runs["D"].tolist() == [row[1] for row in ROWS]
    assert runs["loss"].tolist() == [row[2] for row in ROWS]


def columns(values=list):
    return {name: values(row[at] for row in ROWS) for at, name in enumerate(NAMES)}


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (json.dumps(RECORDS), "a.json"),
        (json.dumps(RECORDS, indent=2), "a.json"),
        (json.dumps({"data": RECORDS}), "a.json"),
        (json.dumps({"runs": RECORDS}), "a.json"),
        (json.dumps(columns()), "a.json"),
        (json.dumps({name: dict(enumerate(values)) for name, values in columns().items()}), "a.json"),
        (json.dumps({"columns": NAMES, "index": [0, 1, 2, 3], "data": ROWS}), "a.json"),
        (json.dumps({f"run {at}": record for at, record in enumerate(RECORDS)}), "a.json"),
        (json.dumps([{"config": {"params": n, "tokens": d}, "metrics": {"loss": v}} for n, d, v in ROWS]), "a.json"),
        ("\n".join(map(json.dumps, RECORDS)), "a.jsonl"),
        ("\n".join(map(json.dumps, RECORDS)), "a.json"),
        (MARKDOWN + "".join(f"| {n:g} | {d:g} | {v} |\n" for n, d, v in ROWS), "a.md"),
        (MARKDOWN + "".join(f"| {n / 1e6:g}M | {d / 1e9:g}B | **{v}** |\n" for n, d, v in ROWS) + "\nEnd.\n", "a.md"),
        (
            "| params | tokens | loss |\n|:-:|-:|-|\n" + "".join(f"| {n:g} | {d:g} | {v} |\n" for n, d, v in ROWS),
            "a.md",
        ),
        ("params | tokens | loss\n---|---|---\n" + "".join(f"{n:g} | {d:g} | {v}\n" for n, d, v in ROWS), "a.md"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_each_form_of_a_table_gives_the_same_runs(tmp_path, content, name, packed):
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    assert_rows(read_runs(path))


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (2e9, "2x10^9"), (2e9, "2×10⁹"), (2e9, "2.0*10**9"), (2e9, "~2B"), (2e9, "≈ 2 billion"), (2e9, "2,000,000,000"),
        (2e9, "2e9"), (2e9, "2B tokens"), (2e9, "2000M"), (2e9, " 2_000_000_000 "), (1.3e12, "1.3 trillion"),
        (1.3e12, "1.3T"), (2e9, "2 bn"), (2e6, "2 000 000"), (2e6, "2'000'000"), (2.0**30, "2^30"), (2e9, "2B*"),
        (2e9, "2B [3]"),
    ],
)  # fmt: skip
def test_counts_are_read_as_people_write_them(tmp_path, count, written):
    path = tmp_path / "a.csv"
    path.write_text(f'N,tokens,loss\n1e8,"{written}",3.0\n2e8,"{written}",2.9\n', encoding="utf-8")
    assert read_runs(path)["D"].tolist() == [count, count]


@pytest.mark.parametrize(
    "written", ["3.01 ± 0.02", "3.01±0.02", "3.01 +- 0.02", "3.01 +/- 0.02", "3.01 (0.02)", "3.01(2)"]
)
def test_an_error_behind_a_number_stands_in_a_column_of_its_own(tmp_path, written):
    path = tmp_path / "a.csv"
    path.write_text(f"N,D,loss\n1e8,2e9,{written}\n2e8,4e9,2.9 ± 0.01\n", encoding="utf-8")
    runs = read_runs(path)
    assert runs["loss"].tolist() == [3.01, 2.9] and runs["loss_error"].tolist() == [0.02, 0.01]


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("[" * 5_000 + "]" * 5_000, "a.json", "deep"),
        ("[1, 2, 3]", "a.json", ""),
        ('{"a": ', "a.json", ""),
        ('[{"N": 1}, 3]', "a.json", ""),
        ("no table at all\n", "a.md", ""),
        ("| a | b |\n|---|---|\n", "a.md", ""),
        ('{"N": %s, "D": 1, "loss": 2}\n' % ("9" * 6_000), "a.jsonl", ""),
        ("\x80\x03}", "a.pkl", "to_csv"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path, content, name, says):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    try:
        runs = read_runs(path)
    except DataError as error:
        assert says in str(error) and "\n" not in str(error) and len(str(error)) < 400
    else:
        assert "9999" in content and np.isinf(runs["N"]).all()


@pytest.mark.parametrize(
    ("written", "flops"),
    [
        ("0.6 EFLOPs", 6e17), ("2 PF-days", 2 * 8.64e19), ("3 PFLOP/s-days", 3 * 8.64e19), ("5e3 TFLOP", 5e15),
        ("2.5 ZFLOPs", 2.5e21), ("4 PMACs", 8e15), ("~1e21 FLOPs", 1e21),
    ],
)  # fmt: skip
@pytest.mark.parametrize("header", ["compute", "train_flops"])
def test_operations_are_read_with_their_unit_in_the_cell(tmp_path, written, flops, header):
    path = tmp_path / "a.csv"
    path.write_text(f"N,{header},loss\n1e8,{written},3.0\n2e8,{written},2.9\n")
    assert read_runs(path)["C"].tolist() == pytest.approx([flops] * 2)


def test_minutes_are_no_millions_and_a_percentage_is_a_share(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("N,D,loss,train_time,acc,note\n1e8,2e9,3,12m,45.2%,7m\n2e8,4e9,2.9,1h 3m,50%,8m\n")
    runs = read_runs(path)
    assert runs["train_time"].tolist() == [720, 3780] and runs["acc"].tolist() == pytest.approx([0.452, 0.5])
    assert runs["note"].tolist() == [7e6, 8e6]  # nothing says that it is a time
    seconds = pl.DataFrame({"N": [1e8, 2e8], "D": [2e9, 4e9], "loss": [3.0, 2.9], "wall_time": ["1:02:03", "2:03"]})
    assert read_runs(seconds)["wall_time"].tolist() == [3723, 123]


STEPS = np.arange(100, 1000, 100)


@pytest.mark.parametrize(
    ("clock", "headers", "sizes"),
    [
        ("step", ("gpt-70M", "gpt-160M"), [70e6, 160e6]),
        ("tokens", ("1.4B model", "2.8B model", "70m"), [1.4e9, 2.8e9, 70e6]),
        ("epoch", ("ViT (86M)", "ViT (307M)"), [86e6, 307e6]),
        ("Step", ("a - val/loss", "b - val/loss"), None),
        ("step", ("small 70M - train/loss", "large 1.4B - train/loss"), [70e6, 1.4e9]),
    ],
)
def test_a_column_for_each_run_is_read_as_runs(clock, headers, sizes):
    scale = 1e6 if clock == "tokens" else 1
    table = pl.DataFrame({clock: STEPS * scale} | {name: 2 + at + 100 / STEPS for at, name in enumerate(headers)})
    runs = read_runs(table)
    assert np.bincount(runs.run_codes()).tolist() == [len(STEPS)] * len(headers)
    assert runs["loss"][: len(STEPS)] == pytest.approx(2 + 100 / STEPS)
    if sizes is not None:
        assert list(dict.fromkeys(runs["N"].tolist())) == sizes


@pytest.mark.parametrize(
    "table",
    [
        {"step": STEPS, "loss": 100.0 / STEPS, "acc_70M": STEPS / 1e3},
        {"step": STEPS, "tokens_70M": STEPS * 1.0, "tokens_160M": STEPS * 2.0},
        {"N": STEPS * 1e6, "D": STEPS * 1e9, "loss": 100.0 / STEPS},
        {"step": STEPS, "mmlu 5-shot 7B": STEPS / 1e3, "mmlu 0-shot 13B": STEPS / 1e3},
    ],
)
def test_other_tables_are_left_as_they_are(table):
    assert len(read_runs(pl.DataFrame(table))) == len(STEPS)
