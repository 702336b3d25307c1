"""Cards: no digit that the interval does not support, and every doubt told."""

import io
from dataclasses import replace

import pytest
from isoflop.report.cards.check import check_card
from isoflop.report.cards.fit import fit_card
from isoflop.report.cards.forecast import forecast_card
from isoflop.report.terminal import show
from rich.console import Console

from isoflop import bootstrap, check, fit, fix, forecast, law
from isoflop.uncertainty.bootstrap import without_draws
from isoflop.units import format_by_interval, format_quantity, parse_quantity


def printed(card, width=100):
    buffer = io.StringIO()
    show(card, Console(file=buffer, width=width))
    return buffer.getvalue()


def test_a_fit_is_told_with_its_interval_and_doubts(known_runs):
    ensemble = bootstrap(fit(fix(law("chinchilla"), {"E": 1.8}), known_runs(0.01, sizes=2)), draws=50)
    text = printed(fit_card(ensemble, level=0.9, findings=ensemble.fit.findings))
    assert "L = A/N^alpha + B/D^beta + 1.8, fitted to 10 runs." in text
    assert "fixed" in text and "0.95 quantile" in text and "has only 2 distinct values" in text
    assert "huber:0.001" in text and "seed 0" in text


def test_values_without_draws_keep_their_digits_and_one_that_overflowed_is_shown_as_such(known_runs):
    found = fit(law("chinchilla"), known_runs())
    rows = {row[0]: row for row in fit_card(without_draws(found), level=0.9, findings=()).rows}
    assert rows["A"][1:4] == ("482.01", "", "") and rows["alpha"][1] == "0.3478"
    lost = replace(found, params={**found.params, "A": float("inf")})
    rows = {row[0]: row for row in fit_card(without_draws(lost), level=0.9, findings=()).rows}
    assert rows["A"][1:4] == ("> 1e308", "", "")


def test_a_constant_that_was_searched_is_not_called_fixed(known_runs):
    found = fit(fix(law("chinchilla"), {"E": 1.8}), known_runs(0.01))
    assert fit_card(without_draws(found), level=0.9, findings=()).rows[-1][-1] == "fixed"
    searched = replace(found, search=replace(found.search, constants=("E",)))
    assert fit_card(without_draws(searched), level=0.9, findings=()).rows[-1][-1].startswith("searched")


def test_a_forecast_is_told_in_one_sentence(known_runs):
    ensemble = bootstrap(fit(law("chinchilla"), known_runs(0.01)), draws=50)
    text = printed(forecast_card(forecast(ensemble, {"N": 7e10, "D": 1.4e12}), ensemble))
    assert "chinchilla at N = 70B, D = 1.4T" in text and "Expect a loss of" in text
    assert "90% intervals over 50 draws" in text


def test_a_check_tells_the_range_of_each_column(known_runs):
    runs = known_runs(0.01)
    text = printed(check_card(runs, check(runs)))
    assert "30 runs; 1 to doubt." in text and "31.6M" in text and "10B" in text


def test_names_from_a_file_stay_text(known_runs):
    from dataclasses import replace

    runs = replace(known_runs(0.01), source="[bold]x[/bold] [red]")
    assert "[bold]x[/bold] [red]" in printed(check_card(runs, check(runs)))


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
