import dataclasses

import pytest
from tests.accounting.models import EXPERTS, OPEN

from isoflop.accounting import Shape, compare, exact_flops
from isoflop.errors import SpecError


def codes(comparison):
    return [finding.code for finding in comparison.findings]


def test_the_rows_are_the_conventions_and_6nd_is_the_yardstick():
    shape, total = OPEN["Llama 3 70B"]
    comparison = compare(shape, 15e12)
    assert [row.name for row in comparison.rows] == [
        "6nd",
        "12ld2",
        "kaplan",
        "chinchilla",
        "palm",
        "exact",
        "exact-full",
    ]
    assert comparison.ratio("6nd") == 1
    assert comparison.total("6nd") == 6 * total * 15e12
    assert comparison.ratio("exact") == exact_flops(shape).training / (6 * total)
    assert comparison.row("kaplan").counts == "non-embedding"


def test_a_wide_shallow_context_model_of_the_standard_form_has_nothing_to_doubt():
    plain = Shape(layers=96, width=12288, heads=96, vocabulary=50257, context=2048, tied=True)
    assert codes(compare(plain, 300e9)) == []


def test_a_small_model_is_told_about_its_embeddings_and_its_output_matrix():
    comparison = compare(OPEN["GPT-2"][0], 1e10)
    assert codes(comparison) == ["params-embedding", "flops-12ld2", "flops-kaplan", "flops-chinchilla"]
    embedding, _, kaplan, chinchilla = comparison.findings
    assert "124,439,808" in embedding.message and "85,056,000" in embedding.message
    exact, counted = exact_flops(OPEN["GPT-2"][0]), comparison.row("kaplan").flops
    missing = 1 - counted.forward / exact.forward
    assert (
        f"{missing:.0%} fewer FLOPs than the exact sum (output matrix -{exact.output / exact.forward:.0%})"
        in kaplan.message
    )
    assert f"promises {exact.forward / counted.forward - 1:.0%} more tokens" in kaplan.remedy
    assert "embedding as a product +29%" in chinchilla.message
    assert "multiply its FLOPs by 0.734" in chinchilla.remedy


def test_a_gated_model_is_told_that_kaplans_formula_misses_the_gate():
    finding = next(each for each in compare(OPEN["Llama 3 70B"][0], 1e12).findings if each.code == "flops-kaplan")
    assert "feed-forward -25%" in finding.message
    assert "its non-embedding N is 14% below the exact one" in finding.message


def test_a_long_context_is_told_of_attention_and_of_the_masked_half():
    comparison = compare(dataclasses.replace(OPEN["Llama 3 8B"][0], context=131072), 1e12)
    assert {"flops-6nd", "flops-palm", "flops-exact-full"} <= set(codes(comparison))
    six_n, palm, full = (
        next(each for each in comparison.findings if each.code == f"flops-{name}")
        for name in ("6nd", "palm", "exact-full")
    )
    assert "attention over positions -" in six_n.message
    assert "--count palm" in palm.remedy
    assert "masked half" in full.remedy


def test_experts_are_told_that_compute_and_memory_follow_different_counts():
    comparison = compare(EXPERTS["Mixtral 8x7B"][0], 1e12)
    assert codes(comparison)[0] == "params-active"
    assert "12,879,925,248 of 46,702,792,704" in comparison.findings[0].message
    assert comparison.row("6nd").counts == "active"


def test_reasons_account_for_the_difference():
    # the shares that a finding names, unrounded, add up to the difference that it states
    shape = OPEN["GPT-2"][0]
    exact = exact_flops(shape)
    for row in compare(shape, 1.0).rows:
        parts, judge = row.flops.parts(), exact.parts()
        assert sum(parts[name] - judge[name] for name in parts) == row.flops.forward - exact.forward


@pytest.mark.parametrize("tokens", [0, -1.0, float("nan"), float("inf")])
def test_tokens_are_above_zero(tokens):
    with pytest.raises(SpecError, match="must lie above 0"):
        compare(OPEN["GPT-2"][0], tokens)


def test_an_unknown_count_gets_the_names():
    with pytest.raises(SpecError, match="count '8nd' is unknown; choose one of 6nd, 12ld2, kaplan"):
        compare(OPEN["GPT-2"][0], 1.0).row("8nd")
