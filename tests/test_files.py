"""Files that are whole or absent."""

import pytest

from isoflop.files import write_whole


def test_a_place_that_cannot_be_written_is_named_as_it_was_asked_for(tmp_path):
    wanted = tmp_path / "no such folder" / "fit.json"
    with pytest.raises(FileNotFoundError) as caught:
        write_whole(wanted, b"{}")
    assert caught.value.filename == str(wanted)
    write_whole(tmp_path / "fit.json", b"{}")
    assert [file.name for file in tmp_path.iterdir()] == ["fit.json"]
