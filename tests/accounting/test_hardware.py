import re

import pytest

from isoflop.accounting import ACCELERATORS, accelerator
from isoflop.errors import SpecError


@pytest.mark.parametrize("each", ACCELERATORS, ids=lambda each: each.name)
def test_every_accelerator_names_its_source_and_halves_as_precision_doubles(each):
    assert len(each.source) > 20
    assert each.memory >= 16e9
    if {"bf16", "fp8"} <= set(each.peak):
        assert each.peak["fp8"] == pytest.approx(2 * each.peak["bf16"], rel=0.03)
    if {"bf16", "tf32"} <= set(each.peak):
        assert each.peak["tf32"] == pytest.approx(each.peak["bf16"] / 2, rel=0.03)
    assert 1e13 < next(iter(each.peak.values())) < 1e16


def test_names_are_unique_and_no_peak_is_that_with_sparsity():
    assert len({each.name for each in ACCELERATORS}) == len(ACCELERATORS)
    # NVIDIA's sheets print 624 and 1,979 TFLOP/s with sparsity for these
    assert accelerator("a100").peak["bf16"] == 312e12
    assert accelerator("h100").peak["bf16"] == 989.4e12


@pytest.mark.parametrize(("written", "name"), [("H100", "h100"), ("RTX 4090", "rtx-4090"), ("TPU_v5e", "tpu-v5e")])
def test_names_are_read_as_people_write_them(written, name):
    assert accelerator(written).name == name


def test_a_peak_of_ones_own_is_a_number():
    own = accelerator("400T")
    assert own.peak == {"given": 4e14}
    assert own.memory == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("h10", "hardware 'h10' is unknown; nearest: h100"),
        ("tpu-v7", "nearest: tpu-v"),
        ("abacus", "known: v100, a100"),
        ("100", "hardware '100' is unknown"),
        ("-400T", "hardware '-400T' is unknown"),
    ],
)
def test_another_name_gets_the_nearest(name, sentence):
    with pytest.raises(SpecError, match=re.escape(sentence)):
        accelerator(name)
