"""Points to ask: names like headers, lists, tables, and what is no point."""

import pytest

from isoflop import law
from isoflop.errors import DataError, IsoflopError
from isoflop.planning.points import points_in, points_of

CHINCHILLA, SHAPED = law("chinchilla"), law("muennighoff")


@pytest.mark.parametrize(
    ("words", "point"),
    [
        (("N=70B", "D=1.4T"), {"N": 70e9, "D": 1.4e12}),
        (("params=70B", "tokens=1.4T"), {"N": 70e9, "D": 1.4e12}),
        (("Model Size (B)=70", "train_tokens=1.4e12"), {"N": 70e9, "D": 1.4e12}),
        (("n_params=70,000,000,000", "tokens_B=1,400"), {"N": 70e9, "D": 1.4e12}),
        (("N=70B", "N=70B", "D=1.4T"), {"N": 70e9, "D": 1.4e12}),
    ],
)
def test_names_stand_for_inputs_as_headers_do(words, point):
    assert points_of(words, CHINCHILLA) == (pytest.approx(point),)


def test_lists_are_combined_in_their_order():
    points = points_of(("N=1B,3B", "D=100B, 200B ,1T"), CHINCHILLA)
    assert [(each["N"], each["D"]) for each in points] == [
        (1e9, 1e11),
        (1e9, 2e11),
        (1e9, 1e12),
        (3e9, 1e11),
        (3e9, 2e11),
        (3e9, 1e12),
    ]
    assert len(points_of(("N=1B", "D=10B", "unique_tokens=1e9,2e9,5e9"), SHAPED)) == 3


def test_a_table_is_asked_row_by_row(tmp_path):
    path = tmp_path / "ask.csv"
    path.write_text("name,Model Size (B),train_tokens\nsmall,7,2T\nlarge,70,15T\n")
    assert points_in(path, CHINCHILLA) == ({"N": 7e9, "D": 2e12}, {"N": 70e9, "D": 15e12})
    with pytest.raises(DataError, match="has no column for U"):
        points_in(path, SHAPED)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("N=70,5B",), "'70,5B' is not a number"),
        (("N=1,000,2000",), "1,000 in '1,000,2000' may be one number or two; write 1000, or 1e0,000e0"),
        (("N=1B,x",), "'1B,x' is not a number"),
        (("N=1B,",), "'1B,' is not a number"),
        (("N=1B", "params=2B"), "--at N and --at params are both N"),
        (("N=1B", "N=2B"), "--at N is given twice, '1B' and '2B'; choose one"),
        (("N",), "--at takes NAME=VALUE, not 'N'"),
    ],
)
def test_what_is_no_point_is_refused(words, says):
    with pytest.raises(IsoflopError, match=says):
        points_of(words, CHINCHILLA)


def test_too_many_points_are_refused():
    many = ",".join(f"{each}e6" for each in range(1, 200))
    with pytest.raises(IsoflopError, match="makes 39,601 points"):
        points_of((f"N={many}", f"D={many}"), CHINCHILLA)
