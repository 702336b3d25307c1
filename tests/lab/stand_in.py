"""A text in place of one that is not ours to ship."""

from pathlib import Path


def stand_in(folder: Path) -> Path:
    """A folder of a hundred files, 4.5 MB in all: as much as the text of english-depth4 has."""
    folder.mkdir(parents=True)
    for part in range(100):
        (folder / f"{part}.txt").write_bytes(bytes([part]) * 45_000)
    return folder
