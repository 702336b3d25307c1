"""Parameters, FLOPs, hours and money of a model: every convention, and what is refused."""

import json
import shlex
import subprocess
import sys

import pytest

from isoflop.accounting import compare, decode_flops, prefill_flops
from isoflop.answers.wording import told
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask
from isoflop.questions.cost import Cost

LLAMA = shlex.split(
    "--layers 80 --width 8192 --heads 64 --ff 28672 --gated --kv-heads 8 --vocab 128256 --context 8192 --tokens 15T"
)
RENTED = shlex.split("--hardware h100 --devices 1024 --mfu 0.4 --price 2.5")
LABELS = [
    "6ND",
    "6ND, N = 12 L d²",
    "Kaplan",
    "Chinchilla, app. F",
    "PaLM (for MFU)",
    "exact, causal",
    "exact, full square",
]
TOTAL = 70_553_706_496


def llama(**changes):
    settings = {
        "layers": 80, "width": 8192, "heads": 64, "feed_forward": 28672, "gated": True, "kv_heads": 8,
        "vocabulary": 128256, "context": 8192, "tokens": 15e12,
    }  # fmt: skip
    return Cost(**settings | changes)


def by_name(answer):
    return {each["name"]: each for each in answer["tables"]["conventions"]["rows"]}


def test_the_conventions_stand_side_by_side_with_hours_and_money(cli):
    code, out, err = cli("cost", *LLAMA, *RENTED, "--all")
    assert (code, err) == (0, "")
    said = " ".join(out.split())
    assert "70.6B parameters (68.5B non-embedding); 15T tokens take 6.74e24 FLOPs: 192 days on 1,024 × h100" in said
    lines = [line.rstrip() for line in out.splitlines()]
    assert [label for label in LABELS if any(line.startswith(f"  {label}  ") for line in lines)] == LABELS
    # 6 × 70,553,706,496 × 15e12 FLOPs over 1,024 × 989.4e12 × 0.4 a second
    seconds = 6 * TOTAL * 15e12 / (1024 * 989.4e12 * 0.4)
    six, money = (line.split() for line in lines if line.startswith("  6ND "))
    assert six == ["6ND", "6nd", "70.6B", "4.23e11", "6.35e24", "1", f"{seconds / 86400:,.3g}", "days"]
    assert money == ["6ND", f"{seconds / 3600 * 1024 * 2.5 / 1e6:.1f}M"]
    assert "feed-forward -25%" in " ".join(cli("cost", *LLAMA, "--verbose")[1].split())
    assert max(map(len, lines)) <= 80


def test_every_convention_is_the_engines_to_the_bit():
    answer = ask(llama(hardware="h100", devices=8, price=2.0), Context())
    found = compare(llama().shape(), 15e12)
    bill = llama(hardware="h100", devices=8, price=2.0).bill
    assert len(answer.table("conventions").rows) == len(found.rows) == 7
    for told_, row in zip(answer.table("conventions").rows, found.rows, strict=True):
        price = bill(found.total(row.name))
        assert told_ == (
            row.label, row.name, row.counts, row.parameters, row.flops.training, found.total(row.name),
            found.ratio(row.name), price.hours, price.money,
        )  # fmt: skip
    assert answer["total"].value == TOTAL == found.parameters.total
    assert answer["flops"].value == found.total("exact") and answer["flops"].note == "exact"
    shape = llama().shape()
    assert answer["prefill"].value == prefill_flops(shape, prompt=8192) / 8192
    assert answer["decode"].value == decode_flops(shape, position=8192) > answer["prefill"].value
    price = bill(found.total("exact"))
    assert (answer["hours"].value, answer["money"].value) == (price.hours, price.money)
    assert (answer["device_hours"].value, answer["devices"].value) == (price.device_hours, 8)


def test_json_is_one_object_with_the_numbers_unrounded(asked):
    answer = asked("cost", *LLAMA, *RENTED)
    quantities, tables = answer["quantities"], answer["tables"]
    assert quantities["total"]["value"] == TOTAL
    assert sum(each["N"] for each in tables["parameters"]["rows"]) == TOTAL
    rows = by_name(answer)
    assert rows["6nd"]["flops"] == 6 * TOTAL * 15e12
    assert rows["exact"]["flops"] == quantities["flops"]["value"]
    assert 3 * sum(each["exact"] or 0 for each in tables["forward"]["rows"]) == rows["exact"]["flops_per_token"]
    assert rows["kaplan"]["counts"] == "non-embedding"
    (priced,) = tables["hardware"]["rows"]
    assert priced["money"] == pytest.approx(priced["hours"] * 1024 * 2.5)
    assert (priced["money"], priced["hours"]) == (quantities["money"]["value"], quantities["hours"]["value"])
    assert (priced["hardware"], priced["precision"], priced["peak"], priced["mfu"]) == ("h100", "bf16", 989.4e12, 0.4)
    assert [each["code"] for each in answer["findings"]] == ["flops-12ld2", "flops-kaplan"]
    assert "white paper" in answer["provenance"]["hardware"]


def test_without_hardware_there_are_no_hours(cli, asked):
    _, out, _ = cli("cost", *LLAMA, "--all")
    assert "hours" not in out and "days" not in out and "cost" not in out
    answer = asked("cost", *LLAMA)
    assert not {"hours", "device_hours", "money", "devices"} & answer["quantities"].keys()
    assert "hardware" not in answer["tables"] and "hours" not in by_name(answer)["6nd"]
    assert answer["provenance"]["hardware"] is None


def test_hours_follow_the_count_that_is_asked_for(asked):
    hours = {
        name: asked("cost", *LLAMA, *RENTED, "--count", name)["quantities"]["hours"]["value"]
        for name in ("6nd", "exact", "palm")
    }
    assert hours["6nd"] < hours["exact"] < hours["palm"]


def test_a_peak_of_ones_own_and_a_model_with_experts(asked):
    words = shlex.split(
        "--layers 32 --width 4096 --heads 32 --kv-heads 8 --ff 14336 --gated --vocab 32000 --context 4K"
    )
    words += shlex.split("--experts 8 --active-experts 2 --tokens 1e12 --hardware 400T --devices 64")
    answer = asked("cost", *words)
    assert answer["quantities"]["active"]["value"] == 12_879_925_248
    assert "active); 1T tokens" in answer["headline"]
    shape = {each["setting"]: each["value"] for each in answer["tables"]["shape"]["rows"]}
    assert (shape["context"], shape["experts"], shape["gated"], shape["norm"]) == (4000, 8, True, "rms")
    (priced,) = answer["tables"]["hardware"]["rows"]
    assert (priced["peak"], priced["price"], priced["money"]) == (4e14, None, None)
    assert "money" not in answer["quantities"]


def test_one_layer_is_told_as_one():
    answer = ask(llama(layers=1, hardware="400T", devices=1), Context())
    assert answer.title == "1 layer of width 8,192"
    assert "on 1 × 400T FLOP/s at 40% of its given peak" in answer.sentence(told)


def changed(**change):
    flags = [*LLAMA, *RENTED]
    for name, value in change.items():
        option = "--" + name.replace("_", "-")
        if option in flags:
            flags[flags.index(option) + 1] = value
        else:
            flags += [option, value]
    return flags


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": "0"}, "--layers is a whole number from 1, not '0'"),
        ({"width": "-8192"}, "--width is a whole number from 1, not '-8192'"),
        ({"layers": "2.5"}, "--layers is a whole number from 1, not '2.5'"),
        ({"layers": "1e400"}, "--layers is a whole number from 1, not '1e400'"),
        ({"layers": "1e15"}, "layers = 1e+15 is more than 1e+12"),
        ({"tokens": "1e400"}, "--tokens is a number above 0, such as 0.5, 70B or 1e24, not '1e400'"),
        ({"tokens": "1e300"}, "tokens = 1e+300 must lie above 0 and at most 1e+24"),
        ({"vocab": "many"}, "--vocab is a whole number from 1, not 'many'"),
        ({"heads": "63", "kv_heads": "7"}, "heads = 63 does not divide width = 8192; divisors near it are"),
        ({"kv_heads": "7"}, "kv_heads = 7 does not divide heads = 64; divisors near it are"),
        ({"tokens": "0"}, "--tokens is a number above 0"),
        ({"tokens": "-1T"}, "--tokens is a number above 0, such as 0.5, 70B or 1e24, not '-1T'"),
        ({"mfu": "0"}, "--mfu is a number above 0"),
        ({"mfu": "1.5"}, "mfu = 1.5 must lie above 0 and at most 1"),
        ({"mfu": "40%"}, "not '40%'"),
        ({"price": "0"}, "price = 0 must be a finite number above 0"),
        ({"price": "-2"}, "--price is a number from 0"),
        ({"devices": "0"}, "--devices is a whole number from 1, not '0'"),
        ({"hardware": "h10"}, "hardware 'h10' is unknown; nearest: h100"),
        ({"precision": "fp4"}, "h100 has no peak for 'fp4' in the table; it has bf16"),
        ({"positions": "alibi"}, "--positions is one of rotary, learned, relative, not 'alibi'"),
        ({"count": "8nd"}, "count '8nd' is unknown; choose one of 6nd, 12ld2, kaplan, chinchilla, palm, exact"),
        ({"experts": "4", "active_experts": "9"}, "active_experts = 9 is more than experts = 4"),
    ],
)
def test_bad_input_is_one_sentence_and_two(refused, change, sentence):
    assert sentence in refused("cost", *changed(**change))


@pytest.mark.parametrize(
    ("option", "value"), [("--devices", "8"), ("--mfu", "0.4"), ("--price", "2"), ("--precision", "bf16")]
)
def test_what_belongs_to_hardware_needs_hardware(refused, option, value):
    assert f"{option} needs --hardware, such as h100" in refused("cost", *LLAMA, option, value)


def test_a_missing_shape_is_asked_for(refused):
    assert refused("cost", "--layers", "2").startswith("--width is needed: width of the residual stream")


def test_counting_as_json_loads_no_numpy():
    code = (
        "import sys; sys.argv = ['isoflop', 'cost', *sys.argv[1:]]; from isoflop.cli import main; main();"
        "sys.exit('numpy' in sys.modules or 'polars' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *LLAMA, *RENTED, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["quantities"]["total"]["value"] == TOTAL
