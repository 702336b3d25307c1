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
    table = fit_table(law("gadre-error"), runs, log_loss=True)
    assert np.array_equal(table.loss, error) and np.array_equal(table.inputs["loss"], loss)
    assert fit(law("gadre-error"), runs, objective=squares()).params == pytest.approx(
        {"epsilon": 0.86, "k": 2.2, "gamma": 0.7}, rel=1e-8
    )


def test_the_column_that_a_law_predicts_must_be_there():
    with pytest.raises(DataError, match="no column 'error'"):
        fit(law("gadre-error"), Runs.from_columns({"loss": [2.0, 3.0, 4.0]}))
