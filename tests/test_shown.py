"""Results print themselves as a summary, are one line in a list, and draw themselves on a figure."""

import subprocess
import sys

import polars as pl
import pytest

import isoflop
from isoflop import allocate, bootstrap, fit, forecast, law
from isoflop.errors import IsoflopError


@pytest.fixture(scope="module")
def fitted(epoch240):
    return fit(law("chinchilla"), epoch240)


@pytest.fixture(scope="module")
def drawn(fitted):
    return bootstrap(fitted, draws=100)


@pytest.mark.parametrize("name", ["fitted", "drawn"])
def test_a_fit_prints_its_equation_its_estimates_and_how_it_was_made(name, request):
    result = request.getfixturevalue(name)
    lines = str(result).splitlines()
    assert lines[0].startswith("loss = 1.8") and "/N^0.3" in lines[0]
    text = "\n".join(lines)
    assert "90% CI" in text and "nats/token" in text and "fitted to 240 runs" in text
    assert "huber:0.001" in text and "objective" in text
    assert [each for each in lines if each.startswith(("warning", "note"))], "the findings are printed"
    for param in result.estimate.law.params if name == "drawn" else result.law.params:
        (row,) = [each for each in lines if each.split()[:1] == [param.name]]
        assert "–" in row, row


def test_no_line_of_a_printed_result_is_longer_than_a_terminal(fitted, drawn):
    for result in (fitted, drawn, fitted.runs, forecast(drawn, {"N": 7e10, "D": 1.4e12}), allocate(drawn, budget=1e23)):
        assert max(map(len, str(result).splitlines())) <= 80, str(result)


def test_a_repr_is_one_short_line(fitted, drawn):
    results = [fitted, drawn, fitted.runs, forecast(drawn, {"N": 7e10, "D": 1.4e12}), allocate(drawn, budget=1e23)]
    for result in (*results, fitted.law, drawn.summary()):
        assert "\n" not in repr(result) and len(repr(result)) <= 220 and "Expr(" not in repr(result)
    assert "chinchilla: E=1.8" in repr(fitted) and repr(fitted) in repr(drawn) and "100 draws" in repr(drawn)


def test_a_summary_is_the_answer_that_every_front_end_shows(drawn):
    summary = drawn.summary()
    assert summary.to_dict()["quantities"]["alpha"]["value"] == drawn.estimate.params["alpha"]
    assert str(summary) == str(drawn)
    frame = forecast(drawn, {"N": 7e10, "D": 1.4e12}).to_frame()
    assert isinstance(frame, pl.DataFrame) and "loss" in frame["name"].to_list()


def test_a_result_draws_itself_and_names_its_pictures(fitted, drawn):
    for result in (fitted, drawn, allocate(drawn, budget=1e23), drawn.summary()):
        (axes, *_) = result.plot().axes
        assert axes.has_data()
    other = drawn.plot("fit-against-measured")
    assert other.axes[0].get_xlabel() != drawn.plot().axes[0].get_xlabel()
    with pytest.raises(
        IsoflopError, match="there is no picture 'x' of it; there are loss-against-compute, fit-against"
    ):
        drawn.plot("x")


def test_matplotlib_is_loaded_only_when_something_is_drawn(tmp_path):
    code = (
        "import isoflop, sys; r = isoflop.Runs.from_columns({'N': [1e6, 1e7, 1e8], 'D': [1e9, 1e9, 1e9], "
        "'loss': [3., 2., 1.8]}); f = isoflop.fit(isoflop.law('E + A/N^alpha'), r); f.residuals; f.predict(r); "
        "print('matplotlib' in sys.modules); f.plot(); print('matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_the_public_names_are_one_short_list():
    assert list(isoflop.__all__) == sorted(isoflop.__all__) and dir(isoflop) == isoflop.__all__
    assert len(isoflop.__all__) <= 40
    for name in isoflop.__all__:
        assert getattr(isoflop, name) is not None
    assert isoflop.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = isoflop.nothing
