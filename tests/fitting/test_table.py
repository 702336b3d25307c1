"""What a fit takes from its runs."""

import numpy as np
import pytest

from isoflop import fit, law, squares
from isoflop.errors import DataError
from isoflop.fitting.table import fit_table
from isoflop.runs import Runs


def test_a_law_of_something_else_than_the_loss_is_fitted_to_its_own_column():
    loss = np.linspace(2.2, 5.0, 12)
    error = 0.86 - 2.2 * np.exp(-0.7 * loss)
    runs = Runs.from_columns({"loss": loss, "error": error})
    table = fit_table(law("gadre-error"), runs, space="log")
    assert np.array_equal(table.loss, error) and np.array_equal(table.inputs["loss"], loss)
    assert fit(law("gadre-error"), runs, objective=squares()).params == pytest.approx(
        {"epsilon": 0.86, "k": 2.2, "gamma": 0.7}, rel=1e-8
    )


def test_the_column_that_a_law_predicts_must_be_there():
    with pytest.raises(DataError, match="no column 'error'"):
        fit(law("gadre-error"), Runs.from_columns({"loss": [2.0, 3.0, 4.0]}))


def test_shares_of_a_mixture_may_be_zero():
    each = law("data-mixture-3")
    shares = np.random.default_rng(0).dirichlet([0.6] * 3, 40)
    shares[:12] = np.eye(3)[np.arange(12) % 3]  # models that were trained on one domain alone
    columns = {f"r_{domain + 1}": shares[:, domain] for domain in range(3)}
    truth = {"c": 1.6, "k": 0.8, "t_1": -1.6, "t_2": 0.7}
    runs = Runs.from_columns({**columns, "loss": each.value(truth, columns)})
    found = fit(each, runs, objective=squares())
    assert found.params == pytest.approx(truth, rel=1e-6)
    with pytest.raises(DataError, match='r_1 < 0 .row 1.; drop them with --where "r_1 >= 0"'):
        fit(each, runs.with_column("r_1", np.where(np.arange(40) == 0, -0.1, columns["r_1"])))


def test_an_input_that_is_zero_everywhere_is_no_overflow():
    found = fit(
        law("annealing"),
        Runs.from_columns({"S1": np.linspace(1, 9, 12), "S2": np.zeros(12), "loss": 3 + 1 / np.linspace(1, 9, 12)}),
    )
    assert found.params["L_0"] == pytest.approx(3, rel=1e-6)
    assert any(finding.code == "at-bound" and finding.message.startswith("C ") for finding in found.findings)
