"""Patterns that wait: compiled at the first use, then as ``re.compile`` gives them."""

import re

from isoflop.patterns import pattern


def test_a_pattern_is_compiled_when_it_is_used(monkeypatch):
    compiled = []
    real = re.compile
    monkeypatch.setattr(re, "compile", lambda text, flags=0: compiled.append(text) or real(text, flags))
    waiting = pattern(r"(a+)b", re.IGNORECASE)
    assert not compiled
    assert waiting.fullmatch("AAb")[1] == "AA" and waiting.sub("-", "xabx") == "x-x"
    assert waiting.pattern == r"(a+)b" and compiled == [r"(a+)b"] * 3
    waiting.sub("-", "xabx")
    assert len(compiled) == 3, "a method that was used before is kept"
