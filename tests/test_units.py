"""Numbers as people read them."""

import pytest

from isoflop.units import format_quantity


@pytest.mark.parametrize(
    ("value", "digits", "says"),
    [
        (382.3, 2, "382"),
        (382.3, 3, "382"),
        (-382.3, 2, "-382"),
        (38.23, 2, "38"),
        (5.6, 1, "6"),
        (999.7, 2, "1K"),
        (999.95e6, 3, "1B"),
        (382.3e9, 2, "382B"),
        (0.0123, 2, "0.012"),
        (2.5e15, 2, "2.5e+15"),
    ],
)
def test_a_quantity_has_no_power_of_ten_below_a_thousand(value, digits, says):
    assert format_quantity(value, digits=digits) == says
