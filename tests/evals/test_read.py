"""Which of several files are evaluations, and how they are named."""

import pytest

from isoflop.errors import DataError
from isoflop.evals import read_items


def test_a_folder_of_several_tables_is_named_even_where_it_is_the_current_one(tmp_path, monkeypatch):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("model,task,score,n\nsmall,quiz,0.4,100\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"^{tmp_path.name} has 2 tables"):
        read_items(["."])
