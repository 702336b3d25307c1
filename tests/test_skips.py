"""A clean clone skips no test for a path outside it: what is missing is named by the variable that gives it."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


def reasons():
    """Every reason for which a test is skipped: file, line, and its parts (text, or the code of what is filled in)."""
    for file in sorted(TESTS.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            given = [each.value for each in node.keywords if each.arg == "reason"]
            given += node.args[:1] if node.func.attr == "skip" else []
            for reason in given if node.func.attr in ("skip", "skipif", "importorskip") else []:
                parts = reason.values if isinstance(reason, ast.JoinedStr) else [reason]
                told = [each.value if isinstance(each, ast.Constant) else ast.unparse(each) for each in parts]
                yield pytest.param(told, id=f"{file.relative_to(TESTS)}:{node.lineno}")


@pytest.mark.parametrize("told", list(reasons()))
def test_reasons_name_no_path_and_say_what_to_set(told):
    whole = "".join(told)
    assert not any(word in whole for word in ("shared", "..", "LOCAL", "FOLDER", "ROOT", "{TABLES}"))
    if "public run tables" in whole or "lie beside" in whole:
        assert "ISOFLOP_DATASETS" in whole or "ISOFLOP_CASES" in whole
