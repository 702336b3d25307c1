import pytest

from isoflop.errors import SpecError
from isoflop.lab.design import programs_of
from isoflop.lab.spec import parse_spec, read_spec

GOOD = """
name = "tiny"
[task]
context = 32
[model]
sizes = [{ width = 8, layers = 1, heads = 1 }, { width = 16, layers = 1, heads = 2 }]
[train]
batch = 256
lr = { at = 0.02, params = 1e4, power = 0.5 }
[schedule]
kind = "cosine"
[evaluate]
points = 3
windows = 64
[[design]]
kind = "grid"
tokens = ["5k", 2e4]
"""


def test_a_description_is_read_whole():
    spec = parse_spec(GOOD)
    assert spec.name == "tiny"
    assert [shape.name for shape in spec.shapes] == ["8x1", "16x1"]
    assert spec.designs[0].tokens == (5000.0, 20000.0)
    assert spec.rate.rate(1e4, 5000) == 0.02
    assert spec.rate.rate(4e4, 20000) == 0.01
    assert (spec.batch, spec.evaluation.points, spec.schedule.kind) == (256, 3, "cosine")


def test_a_rate_may_fall_with_the_tokens():
    text = GOOD.replace("power = 0.5 }", "power = 0.5, tokens = 1e6, tokens_power = 0.25 }")
    rate = parse_spec(text).rate
    assert rate.rate(1e4, 1e6) == 0.02
    assert rate.rate(4e4, 16e6) == 0.005  # halved by four times the parameters, and again by sixteen times the tokens


def test_a_text_of_fewer_byte_values_has_a_smaller_embedding():
    from isoflop.lab.design import sizes_of

    few = parse_spec(GOOD.replace("context = 32", "context = 32\nvocabulary = 100"))
    for less, usual in zip(sizes_of(few), sizes_of(parse_spec(GOOD)), strict=True):
        assert usual.params - less.params == 156 * usual.shape.width


BAD = {
    "unknown top key": ('name = "tiny"', 'nam = "tiny"', "unknown key 'nam' in the sweep; did you mean 'name'?"),
    "unknown key": ("batch = 256", "bacth = 256", r"unknown key 'bacth' in \[train\]; did you mean 'batch'\?"),
    "nothing near": ("points = 3", "zzz = 3", r"unknown key 'zzz' in \[evaluate\]; it has points, first, windows"),
    "heads": ("heads = 2", "heads = 3", "heads = 3 does not divide width = 16"),
    "odd": ("width = 16, layers = 1, heads = 2", "width = 6, layers = 1, heads = 2", "width / heads = 3 is odd"),
    "no width": ("width = 16, ", "", "size 2 of .model. has no width"),
    "twice": ("width = 16", "width = 8", "lists the size 8x1 twice"),
    "schedule": ('"cosine"', '"cosin"', "did you mean 'cosine'"),
    "batch": ("batch = 256", "batch = 100", "not a whole number of windows of context = 32; use 96"),
    "text": ("batch = 256", 'batch = "many"', "batch in .train.: 'many' is not a number"),
    "fraction": ("batch = 256", "batch = 256.5", "must be a whole number"),
    "negative": ("at = 0.02", "at = -0.02", "below 1e-12"),
    "too few tokens": ('"5k"', "100", "tokens = 100 in design 1 is less than one step of 256 tokens"),
    "no tokens": ('tokens = ["5k", 2e4]', "", "design 1 .grid. needs tokens"),
    "wrong size": ("tokens =", 'sizes = ["9x9"]\ntokens =', "names the size '9x9'; the sizes are 8x1, 16x1"),
    "design kind": ('"grid"', '"grib"', "did you mean 'grid'"),
    "no design": ("[[design]]", "[desing]", "unknown key 'desing'"),
    "not TOML": ("context = 32", "context = ", "not valid TOML"),
    "task": ("context = 32", 'name = "txt"', "did you mean 'text'"),
    "digits need mlp": ("context = 32", 'name = "digits"', "does not go with family"),
    "search and rule": (
        "at = 0.02,",
        "search = [0.1, 0.2], at = 0.02,",
        "lr.search needs two rates or more and stands",
    ),
    "half a rule of tokens": ("at = 0.02,", "at = 0.02, tokens = 1e6,", "lr.tokens and lr.tokens_power stand together"),
    "vocabulary": ("context = 32", "context = 32\nvocabulary = 300", r"vocabulary in \[task\] is 300, outside 2"),
    "table": ('name = "tiny"', "limits = 3", "limits = 3 must be a table"),
}


@pytest.mark.parametrize(("old", "new", "sentence"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_one_sentence(old, new, sentence):
    assert old in GOOD
    with pytest.raises(SpecError, match=sentence) as raised:
        parse_spec(GOOD.replace(old, new, 1))
    assert "\n" not in str(raised.value)


def test_a_file_that_is_absent_or_no_text(tmp_path):
    with pytest.raises(
        SpecError, match=r"the sweep .*nowhere.toml' cannot be read \(No such file or directory\); give"
    ):
        read_spec(tmp_path / "nowhere.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="not UTF-8 text"):
        read_spec(tmp_path / "bytes.toml")


COMMAND = """
[command]
run = "python train.py --width {width} --tokens {tokens} --out {cell}"
[command.values]
width = [8, 16]
tokens = [1000]
"""


def test_a_users_program_is_read(tmp_path):
    (tmp_path / "sweep.toml").write_text(COMMAND)
    spec = read_spec(tmp_path / "sweep.toml")
    assert spec.commands is not None
    assert spec.commands.values == (("width", (8, 16)), ("tokens", (1000,)))
    assert spec.commands.folder == str(tmp_path)
    assert spec.name == "sweep"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("tokens = [1000]", "", "asks for {tokens}, which .command.values. does not list"),
        ("width = [8, 16]", "width = [8, 16]\nlr = [1]", "lists 'lr', which the command does not use"),
        ("{width}", "{width", "unbalanced braces"),
        ("{width}", "{width.x}", "not a plain name"),
        ("width = [8, 16]", "width = [8, 16]\ncell = [1]", "lists 'cell', which stands for something else"),
        ("[8, 16]", "[]", "must be a list of numbers or texts"),
        ("run =", "rum =", "did you mean 'run'"),
        ("[command]", "[train]\nbatch = 1\n[command]", ".command. stands alone: remove .train."),
    ],
)
def test_what_is_wrong_with_a_command_is_one_sentence(old, new, sentence):
    with pytest.raises(SpecError, match=sentence):
        parse_spec(COMMAND.replace(old, new, 1))


def test_a_design_that_is_no_table_is_one_sentence():
    text = GOOD.partition("[[design]]")[0].replace('name = "tiny"', "design = [1]")
    with pytest.raises(SpecError, match="design = 1 must be a list of tables"):
        parse_spec(text)


CELLS = """
[command]
run = "train {width} {tokens}"
[[command.cells]]
width = 8
tokens = 1000
[[command.cells]]
tokens = 500
width = 16
"""


def test_cells_of_a_command_are_listed_one_by_one():
    spec = parse_spec(CELLS)
    assert [each.values for each in programs_of(spec)] == [
        (("width", 8), ("tokens", 1000)), (("width", 16), ("tokens", 500)),
    ]  # fmt: skip
    product = CELLS.split("[[")[0] + "[command.values]\nwidth = [8, 16]\ntokens = [1000]"
    assert {each.key for each in programs_of(spec)} & {each.key for each in programs_of(parse_spec(product))}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("tokens = 500\n", "", "cell 2 of ..command.cells.. gives width, and cell 1 width, tokens; give tokens in all"),
        ("tokens = 500\nwidth = 16", "width = 8\ntokens = 1000", "lists width = 8, tokens = 1000 twice"),
        ("tokens = 500", "tokens = nan", "tokens = .*nan.* in cell 2"),
        ("{tokens}", "{lr}", "asks for {lr}, which ..command.cells.. does not list; add lr = its value"),
        ("[[command.cells]]\nwidth = 8", "[command.values]\nwidth = 8\n[[command.cells]]\nwidth = 8", "remove one of"),
    ],
)
def test_what_is_wrong_with_a_cell_is_one_sentence(old, new, sentence):
    with pytest.raises(SpecError, match=sentence):
        parse_spec(CELLS.replace(old, new, 1))
