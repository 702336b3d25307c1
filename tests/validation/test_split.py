import numpy as np
import pytest

from isoflop import Runs
from isoflop.errors import DataError, IsoflopError
from isoflop.validation.split import HoldOut, hold_out, split


def grid(sizes=(1e7, 2e7, 4e7, 8e7, 16e7), tokens=(1e9, 4e9), family=None):
    n, d = (each.ravel() for each in np.meshgrid(sizes, tokens, indexing="ij"))
    columns = {"N": n, "D": d, "loss": 2 + 50 / n**0.3 + 90 / d**0.3}
    return Runs.from_columns(columns if family is None else {**columns, "family": family(n, d)})


def held(windows, runs, by="N"):
    return [sorted(set(runs[by][window.held].tolist())) for window in windows]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("N", HoldOut("N", "largest", 1.0)),
        ("params/4", HoldOut("N", "factor", 4.0)),
        ("flops:20%", HoldOut("C", "share", 0.2)),
        (" tokens : 0.25 ", HoldOut("D", "share", 0.25)),
        ("width", HoldOut("width", "largest", 1.0)),
    ],
)
def test_hold_outs_are_read(text, expected):
    assert hold_out(text) == expected
    assert hold_out(expected.says) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("N/1", "above 1, not 1"),
        ("N/x", "'x' is no number"),
        ("N:150%", "between 0 and 100%, not 150%"),
        ("", "not ''"),
        ("N/2/3", "'2/3' is no number"),
    ],
)
def test_bad_hold_outs_are_refused(text, says):
    with pytest.raises(IsoflopError, match=says):
        hold_out(text)


def test_windows_go_downwards_and_share_no_run():
    runs = grid()
    windows, refused = split(runs, hold_out("N"), windows=9)
    assert held(windows, runs) == [[16e7], [8e7]]  # a third would leave two sizes
    for window in windows:
        assert runs["N"][window.train].max() < runs["N"][window.held].min()
        assert not (window.train & window.held).any()
    assert [finding.code for finding in refused] == ["window-too-small"]
    assert "leaves 2 distinct values of N" in refused[0].message


def test_a_factor_and_a_share_take_whole_sizes():
    runs = grid()
    assert held(split(runs, hold_out("N/2.5"))[0], runs) == [[8e7, 16e7]]
    assert held(split(runs, hold_out("N:20%"))[0], runs) == [[16e7]]  # two of ten runs
    assert held(split(runs, hold_out("N:21%"))[0], runs) == [[8e7, 16e7]]  # three are wanted, and sizes stay whole


def test_a_run_is_never_fitted_and_scored():
    # checkpoints of runs to 4, 8, 16, 32 and 64 billion tokens: the longest is held out with all its early checkpoints
    ends = np.array([4e9, 8e9, 16e9, 32e9, 64e9])
    tokens = np.concatenate([end * np.array([0.25, 0.5, 1.0]) for end in ends])
    runs = Runs.from_columns(
        {"N": np.full(15, 1e8), "D": tokens, "loss": 9 / tokens**0.05, "run": np.repeat(list("abcde"), 3)}
    )
    (window,), _ = split(runs, hold_out("D"))
    assert set(np.array(runs.text("run"))[window.train]) == set("abcd")
    assert runs["D"][window.held].tolist() == [
        64e9
    ]  # its checkpoints at 16 and 32 billion are like runs that were fitted


def test_families_have_windows_of_their_own():
    runs = grid(family=lambda n, d: np.where(d > 2e9, "long", "short"))
    windows, _ = split(runs, hold_out("N"), per_family=True)
    assert [window.family for window in windows] == ["long", "short"]
    for window in windows:
        families = np.array(runs.text("family"))
        assert set(families[window.train]) == set(families[window.held]) == {window.family}


def test_what_leaves_too_little_is_refused_in_a_sentence():
    runs = grid(sizes=(1e7, 2e7, 4e7))
    with pytest.raises(DataError, match=r"holding out N \(2 runs\) leaves 2 distinct values of N .* hold out less"):
        split(runs, hold_out("N"))
    with pytest.raises(DataError, match="leaves 8 to fit, where 9 are needed"):
        split(grid(), hold_out("N"), fewest=9)
    with pytest.raises(DataError, match=r"one family only \('a'\)"):
        split(grid(family=lambda n, d: np.full(n.shape, "a")), hold_out("N"), per_family=True)
    with pytest.raises(DataError, match="no column for the family"):
        split(grid(), hold_out("N"), per_family=True)
    with pytest.raises(DataError, match="no column 'color'"):
        split(grid(), hold_out("color"))
