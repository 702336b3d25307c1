"""Mutations of files and words. All take a random.Random, so that hypothesis can drive and shrink them."""

import io
import json
import re

import polars as pl

NUMBERS = (
    "0", "-1", "1e300", "-1e300", "1e-300", "1e308", "5e-324", "inf", "-inf", "nan", "0.1", "1", "2", "7e10",
    "9" * 400, "9" * 5_000, "1e400", "9007199254740993", "1_000", "0x10", "1,5", "70B", "true",
)  # fmt: skip
TEXTS = (
    "", " ", "x", "N", "loss", "null", "None", "^x$", "*", "^.*$", "'", '"', "`", "\t", "é", "α", "\u202e", "\x1b[31m",
    "../../etc/passwd", "/dev/zero", "/dev/null", "a" * 300, "b" * 5_000, "{x}", "%s", "$(id)", "<script>x</script>",
    "=1+1", "N=", "=5", "N=1e300", "N=70B,8B", "D:20%", "E + A/N^alpha", "E + A/(N-N)^alpha", "((((", "A^" * 50 + "A",
    "exp(" * 59 + "N" + ")" * 59, "root(L, L - A/N^alpha*L, 0)", "log(0)*N*A", "N^1e300*A", "family", "chinchilla",
    "kaplan", "loss < 3", "loss == 'x'", "N > 1 and",
    "w " * 1_000, "it's " * 200 + '"', "N=" + "7B " * 300,
    "not not N", "2020-01-01", "1e3:1e5", "positive", "-", "--", "🙂",
)  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 2.5, 1e300, -1e300, 10**39, 2**63, "x", "", "inf", "nan", [], {}, [None], [[]],
    {"x": 1},
    "y" * 1_000, [1, "a"], [0] * 50, "E + A/N^alpha", [1e300, 1e-300], 1e-320,
)  # fmt: skip


def deep(rng):
    """Brackets within brackets."""
    depth = rng.choice([30, 60, 5_000])
    return "[" * depth + "]" * depth


def tree(content, rng):
    """A plain value with one to three places changed, taken away, doubled or swapped."""
    content = json.loads(json.dumps(content))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        spots = list(places(content))
        if not spots:
            return rng.choice(VALUES)
        holder, key = rng.choice(spots)
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice([*holder, "unknown", "", "é"])] = holder[key]
            case 2:
                other, place = rng.choice(spots)
                if place in other if isinstance(other, dict) else place < len(other):
                    holder[key] = json.loads(json.dumps(other[place]))
            case _:
                holder[key] = json.loads(json.dumps(rng.choice(VALUES)))
    return content


def places(content):
    """Every (holder, key), of long lists the first three."""
    items = (
        content.items() if isinstance(content, dict) else enumerate(content[:3]) if isinstance(content, list) else ()
    )
    for key, value in list(items):
        yield content, key
        yield from places(value)


def blob(data, rng):
    """Bytes that are cut, flipped, doubled, swapped or put before others."""
    if not data:
        return b"\xff"
    at = rng.randrange(len(data))
    match rng.randrange(6):
        case 0:
            return data[:at]
        case 1:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 2:
            return data[:at] + data[min(len(data), at + rng.randrange(1, 64)) :]
        case 3:
            return data + data[at:]
        case 4:
            return rng.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\x00", b"PAR1", b"\x1f\x8b", b"\n\n"]) + data
    return data[:at] + rng.choice([b"\x00", b"\r", b'"', b",", b"\xf0\x9f", b"[" * 3_000]) + data[at:]


def header(data, rng):
    """An array whose header, a text before its numbers, has another number, type or name at one place."""
    words = list(re.finditer(rb"[-\w.<>|]+", data[: data.find(b"}", 10)]))
    spot = rng.choice(words)
    other = rng.choice(
        [b"-1", b"0", b"9" * 400, b"1e9", b"True", b"|O", b"<f2", b"F16", b"BF16", b"x", b"(" * 900, b"[1]", b"7" * 13]
    )
    return data[: spot.start()] + other + data[spot.end() :]


def text(data, rng):
    """A log with lines lost, doubled or swapped, and words and numbers of it replaced; or changed as bytes."""
    if rng.random() < 0.3:
        return blob(data, rng)
    rows = data.decode("utf-8", "replace").split("\n")
    for _ in range(rng.choice([1, 1, 2, 4])):
        row, other = rng.randrange(len(rows)), rng.randrange(len(rows))
        found = list(re.finditer(r"[\w.+-]+", rows[row]))
        match rng.randrange(6):
            case 0 if len(rows) > 1:
                del rows[row]
            case 1:
                rows[row:row] = [rows[other]] * rng.choice([1, 30])
            case 2:
                rows[row], rows[other] = rows[other], rows[row]
            case _ if found:
                spot = rng.choice(found)
                rows[row] = rows[row][: spot.start()] + rng.choice([*NUMBERS, *TEXTS]) + rows[row][spot.end() :]
    return "\n".join(rows).encode("utf-8", "replace")


def parquet(data, rng):
    """A Parquet file whose rows, columns, types or record are others; its metadata stay unless they are changed."""
    frame, record = pl.read_parquet(io.BytesIO(data)), pl.read_parquet_metadata(io.BytesIO(data))
    record.pop("ARROW:schema", None)
    name = rng.choice(frame.columns)
    column = pl.col(re.escape(name).join("^$")) if re.search(r"\W", name) else pl.col(name)
    match rng.randrange(8):
        case 0:
            frame = frame.drop(name)
        case 1:
            frame = frame.with_columns(pl.lit(rng.choice([None, 0, -1, 1e300, "x", True, float("nan")])).alias(name))
        case 2:
            kind = rng.choice([pl.String, pl.Float32, pl.Int8, pl.Boolean, pl.Categorical, pl.Datetime, pl.Binary])
            try:
                frame = frame.with_columns(column.cast(kind, strict=False))
            except pl.exceptions.PolarsError:  # no such cast
                frame = frame.with_columns(pl.lit(None, dtype=kind).alias(name))
        case 3:
            frame = frame.head(rng.choice([0, 1, 2]))
        case 4:
            frame = pl.concat([frame, frame.head(rng.choice([1, frame.height]))])
        case 5:
            frame = frame.rename({name: rng.choice(["x", "loss_", "^x$", "*", "a" * 300])})
        case 6:
            frame = frame.with_columns(pl.col(name).implode().over(pl.lit(1)).alias(name))
        case _ if "isoflop" in record:
            changed = json.dumps(tree(json.loads(record["isoflop"]), rng))
            record["isoflop"] = changed if rng.random() < 0.8 else changed[: len(changed) // 2]
    held = io.BytesIO()
    frame.write_parquet(held, metadata=record)
    return held.getvalue()


def lines(data, rng, separator=","):
    """A table as text with cells, headers and rows changed."""
    rows = [row.split(separator) for row in data.decode("utf-8", "replace").rstrip("\n").split("\n")]
    for _ in range(rng.choice([1, 1, 2, 4])):
        row = rng.choice([0, rng.randrange(len(rows))])
        column = rng.randrange(max(1, len(rows[row])))
        cell = rng.choice([*NUMBERS, *TEXTS])
        match rng.randrange(8):
            case 0:
                rows[row][column : column + 1] = []
            case 1:
                rows = [[*each[:column], cell, *each[column + 1 :]] for each in rows]
            case 2:
                rows = rows[: max(1, row)]
            case 3:
                rows = [[*each, cell if place else rng.choice(TEXTS)] for place, each in enumerate(rows)]
            case 4:
                rows = [rows[0], *([rows[min(row + 1, len(rows) - 1)]] * rng.choice([1, 5, 30]))]
            case 5 if len(rows[row]) > column:
                rows[row][column] = '"' + cell
            case _ if len(rows[row]) > column:
                rows[row][column] = cell
    return "\n".join(separator.join(each) for each in rows).encode("utf-8", "replace") + b"\n"


def toml(data, rng):
    """A description with a value, a key or a table changed."""
    rows = data.decode().split("\n")
    for _ in range(rng.choice([1, 1, 2])):
        row = rng.randrange(len(rows))
        key, equals, _ = rows[row].partition("=")
        value = rng.choice(
            [*NUMBERS, "{}", "[]", "[1, 'a']", "true", "1979-05-27", '"x"', "'", "{N = 1e300}", "[inf]", "[[1]]",
             deep(rng),
             json.dumps(rng.choice(TEXTS)), f"[{rng.choice(NUMBERS)}]"]
        )  # fmt: skip
        match rng.randrange(5):
            case 0:
                rows[row] = ""
            case 1:
                rows.insert(row, rows[rng.randrange(len(rows))])
            case _ if equals:
                rows[row] = f"{key}= {value}"
    return "\n".join(rows).encode("utf-8", "replace")
