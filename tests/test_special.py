"""SciPy's special functions under their own names, imported when one is used."""

import subprocess
import sys

import pytest
from scipy.special import stdtrit

from isoflop.special import special


def test_a_function_is_scipys_own_and_an_unknown_one_is_refused():
    assert special.stdtrit is stdtrit
    with pytest.raises(AttributeError, match="no_such"):
        special.no_such  # noqa: B018


def test_to_import_the_names_imports_no_scipy():
    asked = "print('scipy' in sys.modules)"
    code = f"import sys; from isoflop.special import special; {asked}; special.ndtr; {asked}"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["False", "True"]
