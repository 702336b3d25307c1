"""The words that a user reads are those of statistics and of scaling laws, in American spelling."""

import ast
import re
from pathlib import Path

import pytest

import isoflop
from isoflop.laws import catalogue
from isoflop.questions import questions

SOURCE = Path(isoflop.__file__).parent
# what a reader would have to translate → the field's term
FORBIDDEN = {
    r"\bARE\b": "mean relative error (MRE)",
    r"\bsa(id|ys)\b": "message, or a literal verb",
    r"\basked\b": "given, requested",
    r"\bfar-reach\b": "far-extrapolation",
    r"\bstarts-disagree\b": "multiple-optima",
    r"\bmisfit\b": "structured-residuals",
    r"\bbeyond-seeds\b": "lack-of-fit",
    r"\bfew-tail-draws\b": "few-draws",
    r"\bdoubts?\b": "warning",
    r"\bflat band\b": "near-optimal range",
    r"\bwast(e|ed|eful)\b": "compute penalty",
    r"\bserved\b": "inference tokens",
    r"\bworth\b": "marginal value",
    r"\bfresh\b": "effective or unique tokens",
    r"\brecount(ed)?\b": "parameter-count comparison",
    r"\bborrow(s|ed|ing)?\b": "hierarchical prior",
    r"\b(in|of) the box\b": "bundled",
    r"\bcreep(s|ing)?\b|\bvalleys?\b": "not converged: nearly flat objective",
    r"\bbends?\b": "another form",
    r"\bnew run\b": "prediction interval",
    r"\bpush(es|ed)?\b": "evaluate",
    r"\bheld \d": "coverage",
    r"\b\w*(colour|neighbour|behaviour|favour)\w*\b": "American spelling",
    r"\b(optimis|minimis|maximis|normalis|summaris|organis|recognis|digitis|generalis)\w+\b": "American spelling",
}


def _texts(tree):
    """Strings in code that are sentences or finding codes; docstrings and single words of programs are left out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented) and _has_doc(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Finding" and node.args:
            code = node.args[0]
            if isinstance(code, ast.Constant):
                yield code.lineno, code.value
        if isinstance(node, ast.JoinedStr):  # with a number where a value stands
            yield node.lineno, "".join(each.value if isinstance(each, ast.Constant) else "0" for each in node.values)
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if " " in text.strip() and id(node) not in docstrings:
            yield node.lineno, text


def _has_doc(node):
    return bool(node.body) and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)


def _faults(text):
    return [f"{found[0]!r} (use: {use})" for word, use in FORBIDDEN.items() for found in re.finditer(word, text)]


def test_the_list_finds_what_it_forbids():
    assert _faults("the law bends out there, as it said") and not _faults("90 % CI of the mean relative error")


def test_messages_labels_and_errors_use_the_terms():
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        for line, text in _texts(ast.parse(path.read_text(encoding="utf-8"))):
            found += [f"{path.relative_to(SOURCE)}:{line}: {each} in {text[:80]!r}" for each in _faults(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", list(questions()))
def test_help_and_options_use_the_terms(name):
    question = questions()[name]
    texts = [question.__doc__ or "", *(each.help for each in question.options())]
    assert not [each for text in texts for each in _faults(text)]


def test_the_catalogue_of_laws_uses_the_terms():
    for law in catalogue().values():
        texts = [law.notes, *(each.meaning for each in (*law.inputs, *law.params))]
        assert not [f"{law.name}: {each}" for text in texts for each in _faults(text)]


@pytest.mark.parametrize("page", sorted((SOURCE / "app" / "web").glob("*.html")), ids=lambda page: page.name)
def test_the_page_uses_the_terms(page):
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not _faults(text)
