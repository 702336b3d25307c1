"""Every finding that the package raises is in the catalogue, with its levels and its remedy's options; and no other."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import isoflop
from isoflop.findings import LEVELS, Finding, catalogue, ordered

SOURCE = Path(isoflop.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
QUESTION = re.compile(r"(?<![\w./-])isoflop [a-z]+")
ANY = "\0"  # stands for what is known only when the package runs
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(SOURCE.rglob("*.py"))}


def texts(node):
    """What an expression can be: every constant that it can choose, with ANY for each part computed at run time."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=body, orelse=other):
            return texts(body) | texts(other)
        case ast.JoinedStr(values=parts):
            return {"".join(part.value if isinstance(part, ast.Constant) else ANY for part in parts)}
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            return {one + two for one in texts(left) for two in texts(right)}
    return {ANY}


def callers(function):
    """What each call of a function of the package gives for its parameters, by name."""
    order = [each.arg for each in function.args.args]
    for tree in TREES.values():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") == function.name:
                yield dict(zip(order, call.args, strict=False)) | {each.arg: each.value for each in call.keywords}


def constructions():
    """(place, codes, levels, remedies) of every ``Finding(...)`` in the package, but for those restored from a file."""
    for path, tree in TREES.items():
        functions = [each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef)]
        for call in ast.walk(tree):
            if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Finding"):
                continue
            given = dict(zip(("code", "level", "message", "remedy"), call.args, strict=False))
            given |= {each.arg: each.value for each in call.keywords}
            tables = {
                target.id: each.value
                for each in tree.body
                if isinstance(each, ast.Assign | ast.AnnAssign) and isinstance(each.value, ast.Dict)
                for target in (each.targets if isinstance(each, ast.Assign) else [each.target])
            }
            code = given.get("code")
            if code is None or (isinstance(code, ast.Subscript) and code.value.id not in tables):
                continue  # restored from what was written, or a data set's own, which is tested below
            around = [each for each in functions if each.lineno <= call.lineno <= each.end_lineno]
            inner = max(around, key=lambda each: each.lineno, default=None)
            handed = inner is not None and getattr(code, "id", "") in [each.arg for each in inner.args.args]
            for outer in callers(inner) if handed else [{}]:  # a function that is given the code: one for each call
                told = [choices(given[part], inner, outer, tables) for part in ("code", "level", "remedy")]
                yield f"{path.relative_to(SOURCE)}:{call.lineno}", *told


def choices(node, function, outer, tables):
    """What an argument of ``Finding`` can be: its constants, those of a table, of a name, or of the caller."""
    if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in tables:
        return set().union(*map(texts, tables[node.value.id].values))
    if not isinstance(node, ast.Name) or function is None:
        return texts(node)
    if node.id in outer:
        return texts(outer[node.id])
    assigned = [
        each.value
        for each in ast.walk(function)
        if isinstance(each, ast.Assign) and any(getattr(one, "id", "") == node.id for one in each.targets)
    ]
    return set().union(*map(texts, assigned)) if assigned else {ANY}


def of_data_sets():
    """(place, code, level, remedy) of every remark on a public table."""

    def walk(value):
        if isinstance(value, dict):
            if {"code", "level", "remedy"} <= set(value):
                yield value
            for each in value.values():
                yield from walk(each)
        elif isinstance(value, list):
            for each in value:
                yield from walk(each)

    for path in sorted((SOURCE / "runs" / "datasets" / "sources").glob("*.toml")):
        for each in walk(tomllib.loads(path.read_text(encoding="utf-8"))):
            yield path.name, each["code"], each["level"], each["remedy"]


def entries_of(code):
    """The entry of a code, if there is one; a code that is put together at run time has none."""
    return [catalogue()[code]] if code in catalogue() else []


FOUND = list(constructions())


def test_every_code_is_in_the_catalogue_at_a_level_that_it_lists():
    """A new finding: raise it, and add its entry to findings/catalogue.toml. Nothing else."""
    assert len(FOUND) > 100
    missing = [(place, code) for place, codes, *_ in FOUND for code in codes if code == ANY or not entries_of(code)]
    assert not missing, "add these to findings/catalogue.toml"
    wrong = [
        (place, code, level)
        for place, codes, levels, _ in FOUND
        for code in codes
        for each in entries_of(code)
        for level in levels
        if level not in each.levels
    ]
    assert not wrong, "levels that the catalogue does not list"
    assert {code for _, code, *_ in of_data_sets()} <= set(catalogue())
    assert not [each for each in of_data_sets() if each[2] not in catalogue()[each[1]].levels]


def test_no_entry_is_without_a_finding_and_no_level_without_a_use():
    raised: dict[str, set[str]] = {}
    for _, codes, levels, _ in FOUND:
        for code in codes:
            for each in entries_of(code):
                raised.setdefault(each.code, set()).update(levels)
    for _, code, level, _ in of_data_sets():
        raised.setdefault(code, set()).add(level)
    assert sorted(set(catalogue()) - set(raised)) == []
    unused = {code: set(each.levels) - raised[code] for code, each in catalogue().items()}
    assert {code: levels for code, levels in unused.items() if levels} == {}


def test_a_remedy_names_only_options_and_questions_of_its_entry():
    """So that the catalogue's remedy is the action, and a finding's own adds the values of its case."""
    known = {
        code: set(OPTION.findall(each.remedy)) | set(QUESTION.findall(each.remedy))
        for code, each in catalogue().items()
    }
    apart = []
    for place, codes, _, remedies in FOUND:
        named = {word for text in remedies for word in (*OPTION.findall(text), *QUESTION.findall(text))}
        for code in codes:
            allowed = set().union(*(known[each.code] for each in entries_of(code)))
            apart += [(place, code, word) for word in named if word not in allowed]
    for place, code, _, text in of_data_sets():
        apart += [(place, code, word) for word in OPTION.findall(text) if word not in known[code]]
    assert not apart


def test_entries_are_sentences():
    for each in catalogue().values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", each.code)
        for text in (each.meaning, each.remedy):
            assert text[0].isupper() or text[0].isdigit(), each.code
            assert text.endswith(".") and "\n" not in text, each.code
        assert each.levels == tuple(level for level in LEVELS if level in each.levels)


def test_findings_are_ordered_by_what_they_do_to_the_answer():
    given = [
        Finding("tokens-from-flops", "note", "a", ""),
        Finding("unheard-of", "warning", "b", ""),
        Finding("far-extrapolation", "warning", "c", ""),
        Finding("few-sizes", "warning", "d", ""),
        Finding("few-sizes", "warning", "e", ""),
        Finding("bad-values", "error", "f", ""),
    ]
    assert [each.message for each in ordered(given)] == ["f", "c", "d", "e", "b", "a"]
    assert ordered(reversed(given))[:2] == ordered(given)[:2]


def test_the_catalogue_cannot_be_changed():
    with pytest.raises(TypeError):
        catalogue()["tie"] = None
