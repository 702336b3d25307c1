"""The language of --where: what it keeps, against plain Python; what it refuses, and in which words."""

import math
import operator

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.work import little_work

from isoflop.errors import FormulaError
from isoflop.runs.where import MAX_LENGTH, selection

TABLE = pl.DataFrame(
    {
        "row": [1, 2, 3, 4, 5, 6],
        "N": [1e8, 2e8, None, math.nan, math.inf, -1.0],
        "D": [1e9, 2e9, 3e9, 1.0, 2.0, math.nan],
        "loss": [3.0, 2.9, 2.8, 1.0, 1.0, 1.0],
        "family": ["a", "b", None, "", "a b", "it's"],
        "other": ["a", "x", None, "", "y", "b"],
        "kind": pl.Series(["a", "b", "a", "b", "a", "b"], dtype=pl.Categorical),
        "seed": ["0", "1", "2", "3", "10", "x"],
        "flag": [True, False, None, True, False, True],
        "Model Size": [1, 2, 3, 4, 5, 6],
        "2x": [1.0, 1.0, 1.0, 2.0, 2.0, 2.0],
        "in": [0, 0, 0, 0, 0, 1],
        "# runs": [1, 1, 2, 2, 2, 2],
        "a=b&c": [1, 0, 0, 0, 0, 0],
    }
)


def kept(text, **how):
    return TABLE.filter(selection(text, TABLE.schema, **how))["row"].to_list()


def refused(text):
    with pytest.raises(FormulaError) as raised:
        selection(text, TABLE.schema)
    sentence = str(raised.value)
    assert "\n" not in sentence and len(sentence) < 450
    return sentence


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("N > 1e8", [2, 5]),
        ("N >= 1e8", [1, 2, 5]),
        ("N < 2e8", [1, 6]),
        ("N <= 2e8", [1, 2, 6]),
        ("N == 1e8", [1]),
        ("N != 1e8", [2, 5, 6]),
        ("1e8 <= N", [1, 2, 5]),
        ("70M < N", [1, 2, 5]),
        ("D < N", [5]),
        ("N == N", [1, 2, 5, 6]),
        ("N != N", []),
        ("1e8 < N < 1e12", [2]),
        ("loss < 3 > 1", [2, 3, 4, 5, 6]),
        ("N > 100M", [2, 5]),
        ("N > 100m", [2, 5]),
        ("N > .1B", [2, 5]),
        ("N>1e2M", [2, 5]),
        ("N in [100M, 2e8]", [1, 2]),
        ("N not in [1e8]", [2, 5, 6]),
        ("not N in [1e8]", [2, 3, 4, 5, 6]),
        ("not N > 1e8", [1, 3, 4, 6]),
        ("not (N > 1e8 or loss < 1.5)", [1, 3]),
        ("N > 1e8 and D > 1e9", [2]),
        ("N > 1e8 or D > 2.5e9", [2, 3, 5]),
        ("finite(N)", [1, 2, 6]),
        ("not finite(N)", [3, 4, 5]),
        ("finite(N) and not finite(D)", [6]),
        ("finite(family)", []),
        ("finite(seed)", [1, 2, 3, 4, 5]),
        ("log(N) > 18", [1, 2, 5]),
        ("log(-N) < 1", [6]),
        ("log(-N) > -1e9", [6]),
        ("abs(N) == 1", [6]),
        ("-N < 0", [1, 2, 5]),
        ("N + D > 1e9", [1, 2, 5]),
        ("N*2 - D/2 == -3e8", [1]),
        ("6*N*D <= 6e17", [1]),
        ("loss^2 >= 9", [1]),
        ("loss**2 >= 9", [1]),
        ("1 < 2", [1, 2, 3, 4, 5, 6]),
        ("2 < 1", []),
        ("N < 1e400", [1, 2, 6]),
        ("10^400 > N", [1, 2, 6]),
        ("family == 'a'", [1]),
        ('family == "a"', [1]),
        ("'a' == family", [1]),
        ("family != 'a'", [2, 4, 5, 6]),
        ("family in ['a', 'b']", [1, 2]),
        ("family in ('a',)", [1]),
        ("family not in ['a']", [2, 4, 5, 6]),
        ("family == ''", [4]),
        ("family == 'a b'", [5]),
        ('family == "it\'s"', [6]),
        ("family == 'it\\'s'", [6]),
        ("family == other", [1, 4]),
        ("family != other", [2, 5, 6]),
        ("kind == 'a'", [1, 3, 5]),
        ("kind == family", [1, 2]),
        ("family in [other, 'b']", [1, 2, 4]),
        ("family == '70B'", []),
        ("family == '= & | ! # AND'", []),
        ("seed == '1'", [2]),
        ("seed == 10", [5]),
        ("seed > 2", [4, 5]),
        ("flag", [1, 4, 6]),
        ("not flag", [2, 3, 5]),
        ("flag == True", [1, 4, 6]),
        ("flag == 0", [2, 5]),
        ("flag and N > 0 or family == 'b'", [1, 2]),
        ("params > 1e8", [2, 5]),
        ("tokens >= 2B and loss > 0", [2, 3]),
        ("`Model Size` > 4", [5, 6]),
        ("`2x` == 2 and `in` == 1", [6]),
        ("`# runs` == 1", [1, 2]),
        ("`a=b&c` == 1", [1]),
        ("`N` > 1e8", [2, 5]),
        ("row in [2, 3]", [2, 3]),
        ("  N > 1e8\n", [2, 5]),
        ("(" * 150 + "N > 1e8" + ")" * 150, [2, 5]),
    ],
)
def test_rows_that_are_kept(text, rows):
    """Missing values and NaN satisfy no comparison, whichever side they stand on."""
    assert kept(text) == rows


def test_aliases_are_further_names_of_columns():
    assert kept("n_params > 1e8 and `my tokens` > 1e9", aliases={"n_params": "N", "my tokens": "D"}) == [2]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the selection is empty"),
        (" \n", "the selection is empty"),
        ("N = 1e8", "holds '='; write =="),
        ("family = 'a'", "holds '='; write =="),
        ("N => 1", "holds '=>'; write >="),
        ("N =< 1", "holds '=<'; write <="),
        ("N <> 1", "holds '<>'; write !="),
        ("N ≥ 1", "holds '≥'; write >="),
        ("N > 1 AND D > 1", "holds 'AND'; write and"),
        ("N > 1 OR D > 1", "holds 'OR'; write or"),
        ("NOT N > 1", "holds 'NOT'; write not"),
        ("family IN ('a', 'b')", "holds 'IN'; write in"),
        ("(N > 1) & (D > 1)", "holds '&'; write and"),
        ("N > 1 && D > 1", "holds '&&'; write and"),
        ("(N > 1) | (D > 1)", "holds '|'; write or"),
        ("~(N > 1)", "holds '~'; write not"),
        ("!(N > 1)", "holds '!'; write not"),
        ("N > 1 # and D > 1", "holds '#'; write `…` around a header, and no comment"),
        ("Model Size > 3", "cannot be read"),
        ("family LIKE 'a%'", "cannot be read"),
        ("N BETWEEN 1 AND 2", "holds 'AND'; write and"),
        ("`Model Size > 3", "cannot be read"),
        ("N >", "cannot be read"),
        ("(N > 3", "cannot be read ('(' was never closed)"),
        ("N > 3)", "cannot be read (unmatched ')')"),
        ("family in ['a','b", "cannot be read"),
        ("N > 1; D > 1", "cannot be read"),
        ("N >\n1", "cannot be read"),
        ("N\0> 1", "cannot be read"),
        ("N > \udcff", "it holds bytes that are no text"),
        ("N > 1,000", "uses a comma outside a list"),
        ("N", "uses 'N' where a comparison is needed"),
        ("family", "uses 'family' where a comparison is needed"),
        ("1", "uses '1' where a comparison is needed"),
        ("True", "uses 'True' where a comparison is needed"),
        ("'a'", "where a comparison is needed"),
        ("N > 1 and D", "uses 'D' where a comparison is needed"),
        ("`Model Size` + 1", "uses '`Model Size` + 1' where a comparison is needed"),
        ("N > None", "uses 'None'"),
        ("N is None", "uses 'None'"),
        ("N > 1j", "uses '1j'"),
        ("N % 2 == 0", "uses 'N % 2'"),
        ("N // 2 == 0", "uses 'N // 2'"),
        ("sin(N) > 1", "uses 'sin(N)'"),
        ("log(N, 2) > 1", "uses 'log(N, 2)'"),
        ("finite(N, D)", "uses 'finite(N, D)' where a comparison is needed"),
        ("finite(x=N)", "holds '='; write =="),
        ("N[0] > 1", "uses 'N[0]'"),
        ("N.real > 1", "uses 'N.real'"),
        ("N.__class__ > 1", "uses 'N.__class__'"),
        ("().__class__", "where a comparison is needed"),
        ("__import__('os').system('true') > 1", "uses \"__import__('os').system('true')\""),
        ("__import__('os')", "where a comparison is needed"),
        ("finite(__import__)", "names '__import__', which is no column"),
        ("eval('1') > 1", "uses \"eval('1')\""),
        ("[x for x in N]", "where a comparison is needed"),
        ("lambda: 1", "where a comparison is needed"),
        ("(x := 3) > 1", "holds '='; write =="),
        ("N > 1 if 1 else 2", "where a comparison is needed"),
        ("f'{N}' == family", "uses \"f'{N}'\""),
        ("family == b'a'", "uses \"b'a'\""),
        ("N in []", "uses 'in' with an empty list"),
        ("family in 'a'", "where a list is needed, such as family in ['a', 'b']"),
        ("N in range(3)", "uses 'in' with 'range(3)' where a list is needed"),
        ("N in {1: 2}", "where a list is needed"),
        ("family > 'a'", "uses text in an ordering"),
        ("family < other", "uses text in an ordering"),
        ("family + 'a' == 'ab'", "uses \"family + 'a'\" beside text"),
        ("log('a') > 1", "uses \"'a'\""),
        ("N < N < N < N < N < N", "uses a chain of 5 comparisons"),
        ("N > " + "9" * 400, "uses a number beyond 1e308"),
        ("N > 0x" + "f" * 1_900, "uses a number beyond 1e308"),
        ("family == a", "names 'a', which is no column"),
        ("family == pythia", "the columns are row, N, D, loss, family, other, kind, seed (text needs quotes)"),
        ("famly == 'a'", "names 'famly', which is no column; the nearest are family"),
        ("`Model  Size` > 1", "names 'Model  Size', which is no column; the nearest are Model Size"),
        ("C > 1", "names 'C', which is no column"),
        ("_quoted_0 > 1", "names '_quoted_0', which is no column"),
        ("_quoted_7.x > 1", "uses '_quoted_7.x'"),
        ("x" * 1_900 + " > 1", "which is no column"),
        ("N > 1 or " * 250 + "N > 1", "the selection has 2,255 characters; the limit is 2,000"),
        ("N" * 1_000_000, "the selection has 1,000,000 characters"),
        ("not " * 400 + "N > 1", "nests more than 40 levels deep"),
        ("-" * 900 + "N > 1", "nests more than 40 levels deep"),
        ("N" + " + N" * 450 + " > 1", "nests more than 40 levels deep"),
        ("N" + "^N" * 900 + " > 1", "nests more than 40 levels deep"),
        ("N in " + "-" * 1_900 + "1", "nests more than 40 levels deep"),
        ("(" * 300 + "N > 1" + ")" * 300, "cannot be read (too many nested parentheses)"),
    ],
)
def test_what_is_not_in_the_language_is_refused_by_its_reason(text, says):
    with little_work():
        assert says in refused(text)


def test_long_selections_inside_the_limits_are_quick():
    for text in ("N>1 and " * 240 + "N>1", "N>1 or " * 240 + "N>1", f"N in [{','.join(['1'] * 900)}]"):
        assert len(text) <= MAX_LENGTH
        with little_work():
            kept(text)


def examples(count):
    """The same examples at every run, timed by the tests themselves."""
    return settings(max_examples=count, deadline=None, database=None, derandomize=True)


PIECES = st.sampled_from(
    [
        *"ND<>=!+-*/^()[],.'\"`~&|#:;\\{}@%$?0123456789 \n\0\t\udcffé≥",
        *(" N ", " loss ", " family ", " and ", " or ", " not ", " in ", " is ", " if ", " else ", " for ", "lambda "),
        *(
            "==",
            "!=",
            "<=",
            ">=",
            "'a'",
            '"b"',
            "`Model Size`",
            "`",
            "1e8",
            "70B",
            "1e400",
            "0x1f",
            "1j",
            "True",
            "None",
        ),
        *(
            "log(",
            "abs(",
            "finite(",
            "__import__",
            "f'",
            "b'",
            "('",
            "-" * 40,
            "(" * 30,
            ")" * 30,
            "_quoted_0",
            "[1,2]",
        ),
    ]
)


@examples(400)
@given(st.lists(PIECES, max_size=20).map("".join))
def test_no_text_made_of_pieces_does_anything_but_select_or_be_refused(text):
    check_any(text)


@examples(300)
@given(st.text(max_size=50))
def test_no_text_does_anything_but_select_or_be_refused(text):
    check_any(text)


def check_any(text):
    with little_work():
        try:
            keep = selection(text, TABLE.schema)
        except FormulaError as raised:
            assert "\n" not in str(raised) and len(str(raised)) < 450
        else:
            assert TABLE.select(keep).to_series().dtype == pl.Boolean


# Selections that are right by construction, beside what plain Python says of a row.
ROWS = TABLE.to_dicts()
SIGNS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne}


def compared(sign, left, right):
    def holds(row):
        a, b = left[1](row), right[1](row)
        there = all(value is not None and value == value for value in (a, b))
        return there and SIGNS[sign](a, b)

    return f"{left[0]} {sign} {right[0]}", holds


NUMBERS = st.one_of(
    st.sampled_from(["N", "D", "loss", "Model Size"]).map(lambda name: (f"`{name}`", lambda row: row[name])),
    st.sampled_from([("1", 1), ("100M", 1e8), ("2e9", 2e9), ("2.9", 2.9), ("-1", -1)]).map(
        lambda pair: (pair[0], lambda row: pair[1])
    ),
)
WORDS = st.one_of(
    st.sampled_from(["family", "other"]).map(lambda name: (name, lambda row: row[name])),
    st.sampled_from(["a", "b", "", "it's"]).map(lambda word: (repr(word), lambda row: word)),
)
LEAVES = st.one_of(
    st.builds(compared, st.sampled_from(list(SIGNS)), NUMBERS, NUMBERS),
    st.builds(compared, st.sampled_from(["==", "!="]), WORDS, WORDS),
)


def joined(children):
    return st.one_of(
        st.builds(lambda a, b: (f"({a[0]}) and ({b[0]})", lambda row: a[1](row) and b[1](row)), children, children),
        st.builds(lambda a, b: (f"({a[0]}) or ({b[0]})", lambda row: a[1](row) or b[1](row)), children, children),
        st.builds(lambda a: (f"not ({a[0]})", lambda row: not a[1](row)), children),
    )


@examples(100)
@given(st.recursive(LEAVES, joined, max_leaves=6))
def test_a_selection_keeps_what_python_would(pair):
    text, holds = pair
    assert kept(text) == [row["row"] for row in ROWS if holds(row)]


def test_a_column_under_two_names_is_offered_once():
    with pytest.raises(FormulaError, match=r"the nearest are step \("):
        selection("stepp > 1", {"step": pl.Float64(), "loss": pl.Float64()}, aliases={"step": "step"})
