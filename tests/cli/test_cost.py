import json
import shlex
import subprocess
import sys

import pytest

from isoflop import cli

LLAMA = shlex.split(
    "--layers 80 --width 8192 --heads 64 --ff 28672 --gated --kv-heads 8 --vocab 128256 --context 8192 --tokens 15T"
)
RENTED = shlex.split("--hardware h100 --devices 1024 --mfu 0.4 --price 2.5")


@pytest.fixture
def run(monkeypatch, capsys):
    """Run ``isoflop cost …`` in this process: (exit code, standard output, standard error)."""
    monkeypatch.setitem(cli._COMMANDS, "cost", ("isoflop.cli.cost", "What a run costs."))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["isoflop", "cost", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_the_conventions_stand_side_by_side_with_hours_and_money(run):
    code, out, err = run(*LLAMA, *RENTED)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].startswith("70.6B parameters (68.5B without embeddings); 15T tokens take 6.74e+24 FLOPs")
    rows = {line.split("  ")[1]: line.split() for line in out.splitlines() if line.startswith("  ") and "e+24" in line}
    assert list(rows) == [
        "6ND",
        "6ND, N = 12 L d²",
        "Kaplan",
        "Chinchilla, app. F",
        "PaLM (for MFU)",
        "exact, causal",
        "exact, full square",
    ]
    # 6 × 70,553,706,496 × 15e12 FLOPs over 1,024 × 989.4e12 × 0.4 a second
    seconds = 6 * 70_553_706_496 * 15e12 / (1024 * 989.4e12 * 0.4)
    assert rows["6ND"][1:] == [
        "70.6B",
        "4.23e+11",
        "6.35e+24",
        "1.000",
        f"{seconds / 3600:,.0f}",
        f"{seconds / 3600 * 1024 * 2.5 / 1e6:.1f}M",
    ]
    assert "feed-forward -25%" in out


def test_json_is_one_object_with_the_numbers_unrounded(run):
    code, out, _ = run(*LLAMA, *RENTED, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["parameters"]["total"] == 70_553_706_496
    assert sum(told["parameters"]["parts"].values()) == 70_553_706_496
    by_name = {each["name"]: each for each in told["conventions"]}
    assert by_name["6nd"]["flops"] == 6 * 70_553_706_496 * 15e12
    assert by_name["exact"]["flops"] == told["cost"]["flops"]
    assert 3 * sum(by_name["exact"]["forward_parts"].values()) == by_name["exact"]["flops_per_token"]
    assert told["cost"]["money"] == pytest.approx(told["cost"]["hours"] * 1024 * 2.5)
    assert told["cost"]["hardware"] == "h100" and told["cost"]["precision"] == "bf16"
    assert [each["code"] for each in told["findings"]] == ["flops-12ld2", "flops-kaplan"]
    assert told["serving"]["decode_flops_per_token"] > told["serving"]["prefill_flops_per_token"]


def test_without_hardware_there_are_no_hours(run):
    code, out, _ = run(*LLAMA)
    assert code == 0
    assert "hours" not in out and "money" not in out
    assert json.loads(run(*LLAMA, "--json")[1])["cost"] is None


def test_hours_follow_the_count_that_is_asked_for(run):
    hours = {
        name: json.loads(run(*LLAMA, *RENTED, "--count", name, "--json")[1])["cost"]["hours"]
        for name in ("6nd", "exact", "palm")
    }
    assert hours["6nd"] < hours["exact"] < hours["palm"]


def test_a_peak_of_ones_own_and_a_model_with_experts(run):
    words = shlex.split(
        "--layers 32 --width 4096 --heads 32 --kv-heads 8 --ff 14336 --gated --vocab 32000 --context 4K"
    )
    words += shlex.split("--experts 8 --active-experts 2 --tokens 1e12 --hardware 400T --devices 64 --json")
    told = json.loads(run(*words)[1])
    assert told["parameters"]["active"] == 12_879_925_248
    assert told["shape"]["context"] == 4000
    assert told["cost"]["peak"] == 4e14
    assert told["cost"]["price"] is None and told["cost"]["money"] is None


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
        ({"layers": "0"}, "layers = 0 must be a whole number of at least 1"),
        ({"width": "-8192"}, "width = -8192 must be a whole number of at least 1"),
        ({"layers": "2.5"}, "'2.5' is not a whole number"),
        ({"layers": "1e400"}, "'1e400' is not a whole number"),
        ({"layers": "1e300"}, "layers = 1e+300 is more than 1e+12"),
        ({"tokens": "1e400"}, "tokens = inf must lie above 0 and at most 1e+24"),
        ({"tokens": "1e300"}, "tokens = 1e+300 must lie above 0 and at most 1e+24"),
        ({"vocab": "many"}, "'many' is not a number such as 0.4, 8192, 70B or 15T"),
        ({"heads": "63", "kv_heads": "7"}, "heads = 63 does not divide width = 8192; divisors near it are"),
        ({"kv_heads": "7"}, "kv_heads = 7 does not divide heads = 64; divisors near it are"),
        ({"tokens": "0"}, "tokens = 0 must lie above 0"),
        ({"tokens": "-1T"}, "tokens = -1e+12 must lie above 0"),
        ({"mfu": "0"}, "mfu = 0 must lie above 0 and at most 1"),
        ({"mfu": "1.5"}, "mfu = 1.5 must lie above 0 and at most 1"),
        ({"mfu": "40%"}, "'40%' is not a number"),
        ({"price": "0"}, "price = 0 must be a finite number above 0"),
        ({"price": "-2"}, "price = -2 must be a finite number above 0"),
        ({"devices": "0"}, "devices = 0 must be a whole number of at least 1"),
        ({"hardware": "h10"}, "hardware 'h10' is unknown; nearest: h100"),
        ({"precision": "fp4"}, "h100 has no peak for 'fp4' in the table; it has bf16"),
        ({"positions": "alibi"}, "positions = 'alibi' is unknown; choose one of rotary, learned, relative"),
        ({"count": "8nd"}, "count '8nd' is unknown; choose one of 6nd, 12ld2, kaplan, chinchilla, palm, exact"),
        ({"experts": "4", "active_experts": "9"}, "active_experts = 9 is more than experts = 4"),
    ],
)
def test_bad_input_is_one_sentence_and_two(run, change, sentence):
    code, out, err = run(*changed(**change))
    assert code == 2
    assert out == ""
    assert sentence in err
    assert len(err.splitlines()) == 1 and err.startswith("Error: ")


@pytest.mark.parametrize(
    ("option", "value"), [("--devices", "8"), ("--mfu", "0.4"), ("--price", "2"), ("--precision", "bf16")]
)
def test_what_belongs_to_hardware_needs_hardware(run, option, value):
    code, _, err = run(*LLAMA, option, value)
    assert code == 2
    assert f"{option} needs --hardware, such as h100" in err


def test_a_missing_shape_is_asked_for(run):
    code, _, err = run("--layers", "2")
    assert code == 2
    assert "Missing option '--width'" in err


def test_counting_as_json_loads_no_numpy():
    code = (
        "import sys; from isoflop.cli.cost import cost; cost.main(sys.argv[1:], standalone_mode=False);"
        "sys.exit('numpy' in sys.modules or 'polars' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *LLAMA, *RENTED, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
