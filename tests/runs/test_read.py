"""Reading tables: every spelling, unit and format that runs come in, and one clear sentence for what cannot be read."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from tests.work import an_end

from isoflop import check, read_runs
from isoflop.errors import DataError, FormulaError
from isoflop.runs.columns import read_header
from isoflop.units import parse_quantity

TABLES = Path(os.environ.get("ISOFLOP_DATASETS") or Path(__file__).parents[3] / "shared" / "data")
FILES = sorted(path for path in TABLES.rglob("*") if path.suffix in {".csv", ".gz", ".parquet"})

PLAIN = "N,D,loss\n1e8,1e9,3.0\n2e8,2e9,2.9\n"


@pytest.fixture
def table(tmp_path):
    """Write a file: table(text or bytes, name) → its path."""

    def write(content, name="runs.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def refused(source, **how):
    """The sentence with which a source is refused: one line, not long, and without a parser's innards."""
    with pytest.raises((DataError, FormulaError)) as raised:
        runs = read_runs(source, **how)
        _ = runs["N"], runs["D"], runs["loss"]
    sentence = str(raised.value)
    assert "\n" not in sentence and len(sentence) < 400
    assert "Traceback" not in sentence and "Error(" not in sentence
    return sentence


def assert_plain(runs):
    assert runs["N"].tolist() == [1e8, 2e8] and runs["D"].tolist() == [1e9, 2e9]
    assert runs["loss"].tolist() == [3.0, 2.9] and runs["C"].tolist() == [6e17, 2.4e18]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (PLAIN, "runs.csv"),
        (PLAIN, "RUNS.CSV"),
        (PLAIN, "runs.txt"),
        ("\ufeff" + PLAIN, "runs.csv"),
        (PLAIN.replace("\n", "\r\n"), "runs.csv"),
        (PLAIN.rstrip("\n"), "runs.csv"),
        ("\n\n" + PLAIN, "runs.csv"),
        (PLAIN + "\n\n", "runs.csv"),
        (PLAIN.replace(",", ";"), "runs.csv"),
        (PLAIN.replace(",", ";").replace(".", ","), "runs.csv"),
        (PLAIN.replace(",", "|"), "runs.csv"),
        (PLAIN.replace(",", "\t"), "runs.tsv"),
        (PLAIN.replace(",", "\t"), "runs.csv"),
        (PLAIN, "runs.tsv"),
        (PLAIN.replace(",", " , "), "runs.csv"),
        ('"N","D","loss"\n"1e8","1e9","3.0"\n"2e8","2e9","2.9"\n', "runs.csv"),
        ('N,D,loss\n"100,000,000","1,000,000,000",3.0\n200M,2B,2.9\n', "runs.csv"),
        ("N,D,loss\n0.1B,1B,3\n200 m,2e9,2.90\n", "runs.csv"),
        ('N;D;"loss (nats, on the, held, out, text)"\n1e8;1e9;3.0\n2e8;2e9;2.9\n', "runs.csv"),
        (gzip.compress(PLAIN.encode(), mtime=0), "runs.csv.gz"),
        (gzip.compress(PLAIN.encode(), mtime=0), "runs.csv"),
        (gzip.compress(PLAIN.replace(",", ";").encode(), mtime=0), "runs.csv.gz"),
        (gzip.compress(PLAIN.replace(",", "\t").encode(), mtime=0), "runs.tsv.gz"),
        ('{"N":1e8,"D":1e9,"loss":3.0}\n\n{"N":2e8,"D":2e9,"loss":2.9}\n', "runs.jsonl"),
        ('{"N":"100M","D":1e9,"loss":3.0}\n{"N":2e8,"D":"2B","loss":2.9}\n', "runs.ndjson"),
        (gzip.compress(b'{"N":1e8,"D":1e9,"loss":3.0}\n{"N":2e8,"D":2e9,"loss":2.9}\n', mtime=0), "runs.jsonl.gz"),
        ('{"N":1e8,"D":1e9,"loss":3.0}\n{"N":2e8,"D":2e9,"loss":2.9,"lr":NaN}\n', "runs.jsonl"),
    ],
)
def test_the_same_two_runs_come_out_of_every_way_to_write_them(table, content, name):
    header = "loss (nats, on the, held, out, text)"
    explicit = {"loss": header} if isinstance(content, str) and header in content else {}
    assert_plain(read_runs(table(content, name), columns=explicit))


def frame():
    return pl.DataFrame({"N": [1e8, 2e8], "D": [1e9, 2e9], "loss": [3.0, 2.9]})


@pytest.mark.parametrize(
    "source",
    [
        frame(),
        frame().to_pandas(),
        frame().to_arrow(),
        frame().with_columns(pl.col("N").cast(pl.UInt64), pl.col("D").cast(pl.Decimal(20, 2))),
        frame().with_columns(pl.col("N").cast(pl.Int64).cast(pl.String).cast(pl.Categorical)),
        pd.DataFrame({"N": ["100M", 2e8], "D": [1e9, 2_000_000_000], "loss": ["3.0", 2.9]}),
        pd.DataFrame({"N": pd.array([10**8, 2 * 10**8], dtype="Int64"), "D": [1e9, 2e9], "loss": [3.0, 2.9]}),
        pd.DataFrame({"N": [1e8, 2e8], "D": [1e9, 2e9], "loss": [3.0, 2.9]}, index=["x", "y"]),
        pa.table({"N": pa.array(["1e8", "2e8"]), "D": [10**9, 2 * 10**9], "loss": [3.0, 2.9]}),
    ],
    ids=["polars", "pandas", "arrow", "integers", "categories", "objects", "nullable", "index", "arrow-text"],
)
def test_the_same_two_runs_come_out_of_every_frame(source):
    assert_plain(read_runs(source))


def test_parquet(tmp_path):
    frame().write_parquet(tmp_path / "runs.parquet")
    assert_plain(read_runs(tmp_path / "runs.parquet"))
    assert_plain(read_runs(str(tmp_path / "runs.parquet")))


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_name_with_brackets_or_stars_is_a_name_and_no_pattern(tmp_path, ending):
    folder = tmp_path / "sweep[1]"
    folder.mkdir()
    frame = pl.DataFrame({"N": [1e8, 2e8], "D": [1e9, 2e9], "loss": [3.0, 2.5]})
    write = {"csv": frame.write_csv, "parquet": frame.write_parquet, "jsonl": frame.write_ndjson}[ending]
    for name in (f"runs[1]*.{ending}", f"runs?.{ending}"):
        with (folder / name).open("wb") as file:
            write(file)
        assert len(read_runs(folder / name)) == 2


def test_the_digest_belongs_to_the_numbers_and_not_to_the_file(table, tmp_path):
    frame().write_parquet(tmp_path / "runs.parquet")
    digests = {read_runs(source).digest for source in (table(PLAIN), tmp_path / "runs.parquet", frame().to_pandas())}
    assert len(digests) == 1
    assert read_runs(table(PLAIN.replace("3.0", "3.1"))).digest not in digests


def test_missing_values_of_every_spelling_are_nan():
    cells = ["", "na", "NaN", "n/a", "NULL", "None", "-", None, " nan "]
    runs = read_runs(pl.DataFrame({"N": cells, "D": ["1"] * len(cells), "loss": ["2"] * len(cells)}).with_row_index())
    assert np.isnan(runs["N"]).all()
    mixed = read_runs(pd.DataFrame({"N": [1e8, None], "D": [1e9, pd.NA], "loss": ["3", float("nan")]}))
    assert [np.isnan(mixed[name]).tolist() for name in ("N", "D", "loss")] == [[False, True]] * 3
    assert np.isnan(read_runs(pl.DataFrame({"N": [1.0], "D": [1.0], "loss": [None]}))["loss"]).all()


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("", "runs.csv", "runs.csv is empty; give a table"),
        ("N,D,loss\n", "runs.csv", "runs.csv holds no rows; give a table"),
        ("N,D,loss", "runs.csv", "runs.csv holds no rows"),
        ("\n \n\n", "runs.csv", "runs.csv holds"),
        ("N,D,loss\n,,\n\n,,\n", "runs.csv", "runs.csv holds only empty rows"),
        (bytes(range(256)) * 40, "runs.csv", "it holds binary data, not text"),
        (b"\x80\x91\xfe" * 2000, "runs.csv", "it holds binary data, not text"),
        (gzip.compress(bytes(range(256)) * 40, mtime=0), "runs.csv.gz", "it holds binary data, not text"),
        (gzip.compress(PLAIN.encode() * 500, mtime=0)[:60], "runs.csv.gz", "cannot be read as CSV"),
        (b"\x80\x91\xfe" * 2000, "runs.csv.gz", "it holds binary data, not text"),
        (PLAIN.encode("utf-16"), "runs.csv", "it is text in UTF-16, and only UTF-8 is read"),
        (PLAIN.replace("\n", "\r"), "runs.csv", "its lines end in bare carriage returns"),
        ("N,D,loss\n1e8,1e9,3\n1e8,1e9,3,7\n", "runs.csv", "row 2 has 4 cells and the header 3"),
        ("N,D,loss\n1e8,1e9,3\n\n1e8,1,000,3\n", "runs.csv", "row 3 has 4 cells and the header 3"),
        ("my runs\nN,D,loss\n1e8,1e9,3\n", "runs.csv", "row 1 has 3 cells and the header 1"),
        ('N,D,loss\n"1e8,1e9,3\n2e8,1e9,3\n', "runs.csv", "runs.csv cannot be read as CSV"),
        ('{"N":1e8}\n{"N":2e8,', "runs.jsonl", "line 2 is no JSON object"),
        ('[{"N":1e8}]\n', "runs.jsonl", "line 1 is no JSON object"),
        ("5\n", "runs.jsonl", "line 1 is no JSON object"),
        ("[" * 100_000, "runs.jsonl", "line 1 nests more than 64 levels deep"),
        (b"\xff\xfe\x80" * 50, "runs.jsonl", "line 1 is no JSON object"),
        ("{}\n{}\n", "runs.jsonl", "holds no rows"),
        (b"\xff\xfe\x80" * 50, "runs.parquet", "runs.parquet cannot be read as PARQUET"),
        (PLAIN, "runs.xlsx", "a spreadsheet is not read; save its sheet as CSV"),
        (PLAIN, "runs.pkl", "a pickle can run code when it is opened, so it is not read"),
        (PLAIN, "runs.docx", "no ending that isoflop reads; use one of .csv, .tsv"),
        (PLAIN, "runs.csv.xz", "no ending that isoflop reads"),
        (PLAIN, "runs", "no ending that isoflop reads"),
        (PLAIN, ".gz", "no ending that isoflop reads"),
        (json.dumps({"a": [1], "b": [1, 2]}), "runs.json", "it holds no table; write an array of records"),
    ],
)
def test_files_that_are_no_tables(table, content, name, says):
    assert says in refused(table(content, name))


def test_a_cut_parquet_file(tmp_path):
    path = tmp_path / "runs.parquet"
    frame().write_parquet(path)
    whole = path.read_bytes()
    for at in (10, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:at])
        assert "cannot be read as PARQUET" in refused(path)


def test_paths_that_lead_nowhere(tmp_path):
    assert f"there is no file {str(tmp_path / 'gone.csv')!r}; check the path" in refused(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder; name a CSV" in refused(tmp_path / "folder.csv")
    assert "is an address on the web; download the table" in refused("https://example.org/runs.csv")
    assert "cannot be opened (File name too long)" in refused("x" * 5000 + ".csv")
    assert "there is no file" in refused("a\0b.csv")
    assert "is not UTF-8; rename the file" in refused("\udcff.csv")


@pytest.mark.parametrize(
    "source", [None, 5, {"N": [1]}, [1, 2], np.zeros((2, 3)), b"N,D", frame()["N"], frame().lazy()]
)
def test_values_that_are_no_tables(source):
    assert "is no table of runs; give a path or a pandas, Polars or Arrow table" in refused(source)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (pd.DataFrame(), "the DataFrame holds no rows"),
        (pl.DataFrame({"N": []}), "the Polars frame holds no rows"),
        (pd.DataFrame([[1, 2, 3]], columns=["N", "N", "loss"]), "two columns of the DataFrame have the same name"),
        (
            pd.DataFrame([[1.0, 2.0, 3.0]]),
            "the DataFrame has no column for N (model parameters); the other columns are",
        ),
        (pd.DataFrame({"N": [object()], "D": [1], "loss": [1]}), "holds text where numbers are needed"),
        (pl.DataFrame({"N": [1.0], "D": [1.0], "loss": [[1.0, 2.0]]}), "column 'loss' of the Polars frame holds text"),
        (pl.DataFrame({"N": [{"a": 1}], "D": [1.0], "loss": [1.0]}), "no column for N (model parameters); the nearest"),
        (pl.DataFrame({"N": [1.0], "D": [1.0], "loss": pl.Series([1]).cast(pl.Date)}), "'1970-01-02' (row 1)"),
    ],
)
def test_frames_that_hold_something_else(source, says):
    assert says in refused(source)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["oops", "1"], "column 'N' of runs.csv holds text where numbers are needed: 'oops' (row 1)"),
        (["1", "70Bx"], "'70Bx' (row 2)"),
        (["1", "70 zillion"], "'70 zillion' (row 2)"),
        (["1", "$5"], "'$5' (row 2)"),
        (["1", "5%"], "'5%' (row 2)"),
        (["1", "0x10"], "'0x10' (row 2)"),
        (["1", "1.000.000"], "'1.000.000' (row 2)"),
        (["1", '"3,01"'], "'3,01' (row 2)"),  # 3.01 and not 301
        (["1", '"1,00,000"'], "'1,00,000' (row 2)"),
        (["1", "2×109"], "'2×109' (row 2)"),  # 2e9 whose exponent was lost, or 218
        (["oops"] * 9, "(rows 1, 2, 3, 4, 5 and 4 more)"),
        (["1", "", "x"], "'x' (row 3)"),
    ],
)
def test_text_among_numbers_is_named_by_its_row(table, cells, says):
    rows = "".join(f"{cell},1e9,3\n" for cell in cells)
    assert says in refused(table(f"N,D,loss\n{rows}"))


def test_rows_of_text_can_be_selected_away(table):
    path = table("N,D,loss\n1e8,1e9,3\nunknown,1e9,3\n2e8,2e9,2\n")
    assert 'drop the rows with --where "finite(N)"' in refused(path)
    runs = read_runs(path, where="finite(N)")
    assert runs["N"].tolist() == [1e8, 2e8] and runs.rows.tolist() == [1, 3]


def test_rows_are_counted_from_one_below_the_header_through_every_selection(table):
    runs = read_runs(table("N,D,loss\n1,1,1\n\n3,1,1\n4,1,1\n"))
    assert runs.rows.tolist() == [1, 3, 4]
    assert runs.where("N > 1").rows.tolist() == [3, 4]
    assert runs.take(np.array([True, False, True])).rows.tolist() == [1, 4]


@pytest.mark.parametrize(
    ("headers", "symbols"),
    [
        ("N,D,C,loss", "N D C loss"),
        ("n,d,c,L", "N D C loss"),
        ("n_params,n_tokens,train_flops,val_loss", "N D C loss"),
        ("Model Size,Training Tokens,Training FLOP,loss", "N D C loss"),
        ("MODEL_SIZE,TOKENS,FLOPS,LOSS", "N D C loss"),
        ("params,tokens,compute,Validation Loss", "N D C loss"),
        ("num params,Tokens Seen,total_flops,eval/loss", "N D C loss"),
        ("param_count,token_num,Budget,final-loss", "N D C loss"),
        (" Parameters , Num Tokens ,FLOPs,cross entropy", "N D C loss"),
        ("run_id,Model Family,seed,step", "run family seed step"),
        ("depth,accuracy,name", ""),
    ],
)
def test_common_headers_map_by_themselves(headers, symbols):
    names = headers.split(",")
    wanted = symbols.split()
    usual = {"N": [1e8, 2e8], "D": [1e9, 2e9], "C": [1e18, 2e18], "loss": [3.25, 3.0]}
    values = dict(zip(names, (usual.get(symbol, [1.0, 2.0]) for symbol in [*wanted, *names]), strict=False))
    mapped = read_runs(pl.DataFrame(values)).columns
    assert [mapped[symbol].header for symbol in wanted] == names[: len(wanted)]
    assert set(mapped) == set(wanted)


@pytest.mark.parametrize(
    ("header", "symbol", "scale"),
    [
        ("Model Size (B)", "N", 1e9),
        ("Model Size (in billions)", "N", 1e9),
        ("params [M]", "N", 1e6),
        ("N (millions)", "N", 1e6),
        ("size_M", "N", 1e6),
        ("N_B", "N", 1e9),
        ("tokens_B", "D", 1e9),
        ("Pretraining Data Size (T)", "D", 1e12),
        ("Tokens (thousands)", "D", 1e3),
        ("D (tokens)", "D", 1),
        ("FLOPs (1E21)", "C", 1e21),
        ("FLOPs (1e+18)", "C", 1e18),
        ("FLOPs (E18)", "C", 1e18),
        ("FLOPs (x1e18)", "C", 1e18),
        ("FLOPs (10^18)", "C", 1e18),
        ("Compute (FLOPs)", "C", 1),
    ],
)
def test_a_scale_in_a_header_multiplies_and_is_told(header, symbol, scale):
    runs = read_runs(pl.DataFrame({header: [2.0, 7.0], "loss": [3.0, 2.5]}))
    assert runs[symbol].tolist() == [2 * scale, 7 * scale]
    told = [finding for finding in runs.findings if finding.code == "header-scale"]
    assert [f"times {scale:g}" in finding.message for finding in told] == [True] * (scale != 1)


@pytest.mark.parametrize("header", ["compute (GPU-days)", "N (GB)", "size (cm)", "tokens (words)"])
def test_a_unit_that_nobody_knows_is_not_guessed_at(header):
    assert not read_runs(pl.DataFrame({header: [2.0, 7.0]})).columns


def test_a_header_of_any_length_is_read_at_once():
    for text in (
        "(" * 50_000,
        "(" + " " * 50_000 + "x",
        "(in " * 20_000,
        " " * 50_000 + ")",
        "loss (" + "b" * 50_000 + ")",
    ):
        with an_end():
            read_header(text)


def test_only_counts_have_a_scale():
    made = {"N": [1.0, 2.0], "D": [1.0, 2.0], "loss_A": [3.0, 2.0], "loss_B": [3.5, 2.5], "family_B": ["x", "y"]}
    runs = read_runs(pl.DataFrame(made))  # loss_B is model B's loss, not a loss in billions
    assert "loss" not in runs.columns and "family" not in runs.columns
    named = read_runs(pl.DataFrame(made), columns={"loss": "loss_B"})
    assert named["loss"].tolist() == [3.5, 2.5] and not named.findings


@pytest.mark.parametrize(
    ("header", "unit"),
    [
        ("ppl", "perplexity"),
        ("Perplexity", "perplexity"),
        ("val_ppl", "perplexity"),
        ("wikitext ppl", "perplexity"),
        ("lambada_openai/perplexity", "perplexity"),
        ("PPL (C4)", "perplexity"),
        ("loss (ppl)", "perplexity"),
        ("log_perplexity", None),
        ("log ppl", None),
        ("logppl", None),
        ("bpb", "bits/byte"),
        ("pile_bpb", "bits/byte"),
        ("Bits per Byte", "bits/byte"),
        ("loss (bits/byte)", "bits/byte"),
        ("loss (bits)", "bits/token"),
        ("loss [nats]", "nats/token"),
        ("loss", None),
        ("apple_loss", None),
    ],
)
def test_a_header_says_the_unit_of_its_loss(header, unit):
    assert read_header(header).unit == unit


def test_perplexity_becomes_nats_by_header_by_option_and_by_explicit_mapping():
    values = [20.0, 12.5]
    ways = (
        read_runs(pl.DataFrame({"N": [1.0, 2.0], "D": [1.0, 2.0], "ppl": values})),
        read_runs(pl.DataFrame({"N": [1.0, 2.0], "D": [1.0, 2.0], "loss": values}), units={"loss": "perplexity"}),
        read_runs(pl.DataFrame({"N": [1.0, 2.0], "D": [1.0, 2.0], "val_ppl": values}), columns={"loss": "val_ppl"}),
    )
    for runs in ways:
        assert runs["loss"] == pytest.approx(np.log(values), rel=1e-15) and runs.loss_unit == "nats/token"
        assert "perplexity-to-nats" in [finding.code for finding in runs.findings]
    kept = read_runs(pl.DataFrame({"N": [1.0], "D": [1.0], "ppl": [3.0]}), units={"loss": "nats/token"})
    assert kept["loss"].tolist() == [3.0] and not kept.findings


def test_perplexity_of_zero_or_less_is_no_loss_and_no_crash():
    runs = read_runs(pl.DataFrame({"N": [1.0] * 3, "D": [1.0] * 3, "ppl": [0.0, -1.0, None]}))
    assert not np.isfinite(runs["loss"]).any()
    assert "bad-values" in [finding.code for finding in check(runs)]


def test_an_explicit_mapping_wins(table):
    path = table("N,D,loss,width,test\n1,2,3,4,5\n10,20,30,40,50\n")
    runs = read_runs(path, columns={"N": "width", "loss": "test", "depth": "D"})
    assert runs["N"].tolist() == [4, 40] and runs["loss"].tolist() == [5, 50] and runs["depth"].tolist() == [2, 20]
    assert "N" in runs.columns and runs.columns["N"].header == "width"
    assert read_runs(path, columns={"params": "width"})["N"].tolist() == [4, 40]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"N": "widht"}, "runs.csv has no column 'widht'; the nearest column is 'width'."),
        ({"N": "zzz"}, "has no column 'zzz'; the other columns are 'N', 'D', 'loss', 'width'."),
        ({"row": "N"}, "a column cannot be named 'row'"),
        ({"a b": "N"}, "a column cannot be named 'a b'"),
        ({"N": "width", "params": "D"}, "N was named twice, 'width' and 'D'; choose one"),
    ],
)
def test_mappings_that_lead_nowhere(table, columns, says):
    assert says in refused(table("N,D,loss,width\n1,2,3,4\n"), columns=columns)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ("n_parms,tokens,loss", "no column for N (model parameters); the nearest column is 'n_parms'. Name it with"),
        ("my model size,tokens,loss", "--column N='my model size'."),
        ("N,tokns,loss", "no column for D (training tokens); the nearest column is 'tokns'. Name it with --column D="),
        ("N,D,los", "no column for the loss; the nearest column is 'los'. Name it with --column loss='los'."),
        ("N,D,accuracy", "no column for the loss; the other column is 'accuracy'. Name it with --column loss=HEADER."),
        (
            "a,b,c,e,f,g,h",
            "no column for N (model parameters); the other columns are 'a', 'b', 'c', 'e', 'f', 'g', 'h'.",
        ),
        ("N;D,loss", "no column for N"),
        ("N D loss", "no column for N (model parameters); the other column is 'N D loss'."),
        ("D,loss", "no column for N (model parameters), and no column is left that could be it; add one."),
        ("num_characters,Non_vocab_parameters,loss", "the nearest column is 'Non_vocab_parameters'. Name it with"),
        ("num_characters,D,loss", "no column for N (model parameters); the other column is 'num_characters'."),
        (
            "N,total,loss",
            "no column for D (training tokens); the other column is 'total'. Name it with --column D=HEADER.",
        ),
        ("N,D,Lossu", "no column for the loss; the nearest column is 'Lossu'. Name it with --column loss='Lossu'."),
    ],
)
def test_a_missing_column_is_told_with_the_nearest_that_are_free(table, headers, says):
    """Headers that already stand for something are not offered: N is not to be read from the tokens."""
    count = headers.count(",") + 1
    assert says in refused(table(headers + "\n" + ",".join(["1"] * count) + "\n"))


def test_a_header_that_stands_there_twice_is_told(table):
    runs = read_runs(table("N,D,loss,loss\n1,2,3,4\n"))
    rivals = [finding for finding in runs.findings if finding.code == "column-rivals"]
    assert runs["loss"].tolist() == [3.0] and len(rivals) == 1 and "fits as well" in rivals[0].message


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (
            {"units": {"loss": "furlongs"}},
            "unit loss='furlongs' is not known; write loss= one of nats/token, bits/token",
        ),
        ({"units": {"N": "nats/token"}}, "unit N='nats/token' is not known"),
        ({"conventions": {"N": "some"}}, "convention N='some' is not known; write N= one of total, non-embedding"),
        ({"conventions": {"D": "total"}}, "convention D='total' is not known"),
        ({"where": "N > 1e20"}, "no run of runs.csv satisfies 'N > 1e20'; loosen the selection"),
        ({"where": "nope > 1"}, "the selection names 'nope', which is no column"),
        ({"where": ""}, "the selection is empty"),
    ],
)
def test_options_that_mean_nothing(table, how, says):
    assert says in refused(table(PLAIN), **how)


def test_selections_know_headers_of_the_file_canonical_names_and_derived_columns(table):
    path = table("Model Size (B),Tokens,val_ppl\n1,1e9,20\n7,2e9,10\n")
    for where, rows in (
        ("`Model Size (B)` > 5", [2]),  # the file's own number
        ("N > 5B", [2]),
        ("params > 5", [1, 2]),
        ("Tokens < 2e9", [1]),
        ("tokens < 2B", [1]),
        ("C > 1e19", [2]),  # derived: 6ND
        ("flops <= 1e19", [1]),
        ("val_ppl > 15", [1]),
        ("loss < 2.5", [2]),
    ):
        assert read_runs(path, columns={"loss": "val_ppl"}, where=where).rows.tolist() == rows, where
    runs = read_runs(path, columns={"loss": "val_ppl"})
    assert runs.where("Tokens < 2e9").rows.tolist() == [1] and runs.where("flops > 1e19").rows.tolist() == [2]
    with pytest.raises(FormulaError, match="which is no column"):
        runs.where("`Model Size (B)` > 5")  # once read, only the whole count is left


def test_tokens_from_flops_only_where_they_are_absent():
    runs = read_runs(pl.DataFrame({"N": [1e8], "C": [6e18], "loss": [3.0]}))
    assert runs["D"].tolist() == [1e10] and [finding.code for finding in runs.findings] == ["tokens-from-flops"]
    given = read_runs(pl.DataFrame({"N": [1e8], "C": [6e18], "D": [7.0], "loss": [3.0]}))
    assert given["D"].tolist() == [7.0] and not given.findings
    country = read_runs(pl.DataFrame({"N": [1e8], "D": [1e9], "C": ["France"], "loss": [3.0]}))
    assert country.text("C") == ["France"] and "C" not in country.columns


def test_a_decimal_comma_is_told_and_doubted_where_it_could_separate_thousands(table):
    sure = read_runs(table("N;D;loss\n1e8;1e9;3,25\n2e8;2e9;2,125\n"))
    assert sure["loss"].tolist() == [3.25, 2.125]
    assert [(finding.code, finding.level) for finding in sure.findings] == [("decimal-comma", "note")]
    unsure = read_runs(table("N;D;loss\n1e8;1e9;3,250\n"))
    assert [(finding.code, finding.level) for finding in unsure.findings] == [("decimal-comma", "warning")]
    thousands = read_runs(table("N;D;loss\n1,000,000;2,000;3.5\n2,000,000;3,000;3.5\n"))
    assert thousands["N"].tolist() == [1e6, 2e6]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("70e9", 7e10),
        ("70B", 7e10),
        ("70b", 7e10),
        ("70 B", 7e10),
        ("1.4T", 1.4e12),
        (".5M", 5e5),
        ("3G", 3e9),
        ("12k", 1.2e4),
        ("1e3K", 1e6),
        ("1,000", 1e3),
        ("12,345,678.5", 12_345_678.5),
        ("1_000", 1e3),
        ("-2.5e-3", -2.5e-3),
        ("+7", 7.0),
    ],
)
def test_numbers_as_people_write_them(text, value):
    assert parse_quantity(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "B", "70Bx", "3,01", "70,5B", "1,00", "12,34,567", "nan", "inf", "0x1", "1e", "1 2"]
)
def test_what_is_no_number(text):
    with pytest.raises(ValueError, match="is not a number such as 70e9, 70B or 1.4T"):
        parse_quantity(text)


@pytest.mark.skipif(not FILES, reason=f"no public run tables at {TABLES.name}; set ISOFLOP_DATASETS to their folder")
def test_there_are_public_tables():
    assert len(FILES) > 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_public_table_loads_or_says_what_is_missing(path):
    try:
        runs = read_runs(path)
    except DataError:
        assert "holds text where numbers are needed" in refused(path)
        return
    assert len(runs) > 0 and len(runs.run_codes()) == len(runs)
    for symbol in ("N", "D", "loss"):
        if symbol in runs:
            assert len(runs[symbol]) == len(runs)
        else:
            says = refused(path)
            assert f"{path.name} has no column for" in says or "holds text such as" in says
    for finding in check(runs):
        assert finding.message and finding.remedy and finding.level in {"note", "warning", "error"}


def test_scales_of_a_public_table_agree_with_its_flops(tables):
    runs = read_runs(tables / "observational-scaling" / "base_llm_benchmark_eval.csv")
    known = np.isfinite(runs["C"])
    assert runs["C"][known] == pytest.approx(6 * runs["N"][known] * runs["D"][known], rel=1e-12)
    assert runs["N"][runs.text("Model").index("meta-llama/Llama-2-70b-hf")] == 70e9


def test_perplexity_of_a_public_table_is_read_as_nats(tables):
    runs = read_runs(tables / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv")
    raw = pl.read_csv(tables / "hitchhiker-colpret" / "opt_perplexity_trajectories.csv")
    assert runs["loss"] == pytest.approx(np.log(raw["ppl"].to_numpy()), rel=1e-12)


def test_a_parquet_file_that_makes_polars_panic_is_told():
    damaged = Path(__file__).parent.parent / "app" / "tables" / "panics.parquet"
    with pytest.raises(DataError, match="panics.parquet cannot be read as PARQUET: its bytes are damaged"):
        read_runs(damaged)


def test_a_column_answers_to_the_header_it_was_read_from(tmp_path):
    (tmp_path / "runs.csv").write_text("Model Size,tokens,budget,loss\n1e8,1e9,6e17,3.0\n2e8,2e9,2.4e18,2.8\n")
    runs = read_runs(tmp_path / "runs.csv", columns={"C": "budget"})
    assert runs["budget"].tolist() == runs["C"].tolist() == [6e17, 2.4e18]
    assert runs["Model Size"].tolist() == [1e8, 2e8]
