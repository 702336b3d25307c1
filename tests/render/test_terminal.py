"""Answers in the terminal: no digit that the interval does not support, every finding told, 80 columns."""

import io
import re
from dataclasses import replace

import pytest

from isoflop import bootstrap, fit, fix, law
from isoflop.answers import Answer, Column, Quantity, Table
from isoflop.findings import Finding
from isoflop.questions.base.context import Context
from isoflop.questions.base.question import ask, word
from isoflop.questions.check import Check
from isoflop.questions.fit import Fit
from isoflop.questions.forecast import Forecast
from isoflop.questions.plan import Plan
from isoflop.render.screen import Screen
from isoflop.render.terminal import show
from isoflop.uncertainty.bootstrap import without_draws
from isoflop.units import format_by_interval, format_quantity, parse_quantity


def printed(answer, width=100, **how):
    buffer = io.StringIO()
    show(answer, Screen(buffer, width=width), **how)
    return buffer.getvalue()


def of_fit(result):
    return word(Fit(), result, Context(given=without_draws(result), from_result=True))


def test_a_fit_is_told_with_its_interval_and_findings(known_runs):
    ensemble = bootstrap(fit(fix(law("chinchilla"), {"E": 1.8}), known_runs(0.01, sizes=2)), draws=50)
    text = printed(ask(Fit(), Context(given=ensemble)), verbose=True)
    equation = r"loss = [\d.]+/N\^0\.\d+ \+ \d+/D\^0\.\d+ \+ 1\.8\n"
    assert re.match(equation, text), "the equation with numbers stands first"
    assert "loss = A/N^alpha + B/D^beta + 1.8, fitted to 10 runs." in text
    assert "fixed" in text and "90% CI" in text and "has only 2 distinct values" in text
    assert "huber:0.001" in text and "seed 0" in " ".join(text.split())


def test_values_without_draws_keep_their_digits_and_one_that_overflowed_is_shown_as_such(known_runs):
    found = fit(law("chinchilla"), known_runs())
    text = printed(of_fit(found))
    assert re.search(r"^ +A +482\.01 ", text, re.M) and re.search(r"^ +alpha +0\.3478 ", text, re.M)
    lost = replace(found, params={**found.params, "A": float("inf")})
    assert re.search(r"^ +A +> 1e\+?308", printed(of_fit(lost)), re.M)


def test_a_constant_that_was_searched_is_not_called_fixed(known_runs):
    found = fit(fix(law("chinchilla"), {"E": 1.8}), known_runs(0.01))
    assert of_fit(found).table("held").rows[-1][-1] == "fixed"
    searched = replace(found, search=replace(found.search, constants=("E",)))
    assert of_fit(searched).table("held").rows[-1][-1].startswith("found by search")


def test_a_forecast_is_told_in_one_sentence(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)
    text = printed(ask(Forecast(at=("N=7e10", "D=1.4e12")), Context(given=ensemble)))
    assert "chinchilla at N = 70B, D = 1.4T" in text and re.search(r"Expected loss: [\d.]+ nats/token \(90% PI ", text)


def test_a_check_tells_the_range_of_each_column(known_runs):
    text = printed(ask(Check(), Context(given_runs=known_runs(0.01))))
    assert "30 runs in 30 rows; 1 error or warning." in text and "31.6M" in text and "10B" in text


def test_names_from_a_file_stay_text(known_runs):
    runs = replace(known_runs(0.01), source="[bold]x[/bold] [red]")
    assert "[bold]x[/bold] [red]" in printed(ask(Check(), Context(given_runs=runs)))


def test_findings_take_one_line_each_and_are_counted(known_runs):
    findings = tuple(
        Finding("few-runs", level, "m" * 200, "r" * 50) for level in ("error", "warning", "warning", "note")
    )
    told = Answer("check", "t", "h", findings=findings)
    short = printed(told, width=80).splitlines()
    assert all(len(line) <= 80 for line in short) and len(short) == 2 + 4 + 1
    assert short[-1].startswith("1 error, 2 warnings, 1 note")
    assert "r" * 50 in printed(told, width=80, verbose=True).replace("\n", "")


def test_nothing_is_wider_than_the_terminal_and_no_number_is_cut(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)
    answer = ask(Plan(budget=1e23), Context(given=ensemble))
    lines = printed(answer, width=80).splitlines()
    assert max(map(len, lines)) <= 80
    wide = Table("w", tuple(Column(f"c{i}") for i in range(30)), (tuple(1.2345 * i for i in range(30)),))
    text = printed(Answer("check", "t", "h", tables=(wide,)), width=80)
    assert "further columns: " in text and "…" not in text.splitlines()[3]
    assert "c29" in printed(Answer("check", "t", "h", tables=(wide,)), width=80, all_rows=True).replace("\n", "")


def test_ten_rows_are_shown_and_the_rest_counted():
    table = Table("t", (Column("n", kind="integer"),), tuple((i,) for i in range(25)))
    told = Answer("check", "t", "h", tables=(table,))
    assert "… 15 more rows (--all)" in printed(told) and "more rows" not in printed(told, all_rows=True)


def test_a_quantity_without_interval_has_no_ends():
    told = Answer("plan", "t", "About {N}; {N:bare}.", quantities=(Quantity("N", 7e10, "count", 1e10, 2e11, 0.9),))
    assert "About about 70B (90% CI 10B–200B); 70B." in printed(told)


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (0.34731051, 0.3207, 0.3689, "0.347"),
        (477.8258, 285.2, 743.6, "480"),
        (2143.417, 1042.0, 5810.0, "2100"),
        (1.817218, 1.769, 1.871, "1.817"),
        (8.87226e12, 8.0e12, 1.0e13, "8.9e+12"),
        (1.5, 1.5, 1.5, "1.5"),
        (421.3, 1.13, 32011.0, "420"),
        (1.13, 1.13, 32011.0, "1.1"),
        (32011.0, 1.13, 32011.0, "32000"),
        (3.4e-8, 2e-11, 0.01, "3.4e-08"),
    ],
)
def test_digits_end_where_the_interval_ends(value, low, high, shown):
    assert format_by_interval(value, low, high) == shown


@pytest.mark.parametrize(
    ("text", "value"),
    [("70e9", 7e10), ("70B", 7e10), ("1.4T", 1.4e12), ("1,000", 1000.0), ("3_000K", 3e6), ("-2", -2.0), (".5M", 5e5)],
)
def test_quantities_are_read_as_people_write_them(text, value):
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "B", "7 0", "1e", "0x10", "inf", "nan", "70 billion", "7B7"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is not a number such as 70e9, 70B or 1.4T"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("value", "text"), [(7e10, "70B"), (1.4e12, "1.4T"), (1e8, "100M"), (999, "999"), (5.76e23, "5.76e+23"), (0.0, "0")]
)
def test_quantities_are_shown_as_people_write_them(value, text):
    assert format_quantity(value) == text
    assert format_quantity(1e8, digits=2) == "100M"
