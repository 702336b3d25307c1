"""Plain values as TOML."""

from __future__ import annotations

from collections.abc import Mapping


def table_lines(name: str, values: Mapping[str, object], *, several: bool = False) -> list[str]:
    """A table as lines, after an empty one; several: one of an array of tables."""
    head = f"[[{name}]]" if several else f"[{name}]"
    return ["", head, *(f"{_key(key)} = {value_text(value)}" for key, value in values.items())]


def value_text(value: object) -> str:
    """A value: Boolean, text, number, list, or mapping inline."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return _quoted(value)
        case Mapping():
            return "{ " + ", ".join(f"{_key(key)} = {value_text(each)}" for key, each in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(value_text(each) for each in value) + "]"
    return repr(value)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else _quoted(key)


def _quoted(text: str) -> str:
    """A basic string: quotes, backslashes and what is no printable character are escaped."""
    plain = "".join(
        f"\\u{ord(each):04x}" if ord(each) < 32 or ord(each) == 127 else each.replace("\\", "\\\\").replace('"', '\\"')
        for each in text
    )
    return f'"{plain}"'
