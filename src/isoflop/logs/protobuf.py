"""Protocol-buffer messages as their numbered fields, without schema or generated classes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_SHIFTS = range(0, 70, 7)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: a varint as an int, everything else as its bytes (4, 8 or the given length).

    Raises ValueError where the bytes are no message.
    """
    at, end = 0, len(data)
    while at < end:
        tag, at = varint(data, at)
        kind = tag & 7
        if kind == 0:
            value, at = varint(data, at)
            yield tag >> 3, value
            continue
        if kind == 2:
            size, at = varint(data, at)
        elif kind == 1:
            size = 8
        elif kind == 5:
            size = 4
        else:
            raise ValueError(f"a field of the unknown kind {kind}")
        if at + size > end:
            raise ValueError("a field that is longer than its message")
        yield tag >> 3, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at a byte, and the byte behind it."""
    value = 0
    for shift in _SHIFTS:
        if at >= len(data):
            raise ValueError("a number that does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise ValueError("a number of more than ten bytes")


def signed(value: int | bytes) -> int:
    """A varint as int64, which is how negative numbers are written."""
    number = whole(value)
    return number - 2**64 if number >= 2**63 else number


def zigzag(value: int | bytes) -> int:
    """A varint as sint64."""
    number = whole(value)
    return (number >> 1) ^ -(number & 1)


def whole(value: int | bytes) -> int:
    """A varint field; raises ValueError if it is bytes."""
    if isinstance(value, bytes):
        raise ValueError("bytes where a number belongs")
    return value


def raw(value: int | bytes) -> bytes:
    """A field of bytes; raises ValueError if it is a varint."""
    if isinstance(value, int):
        raise ValueError("a number where bytes belong")
    return value


def text(value: int | bytes) -> str:
    """A text field."""
    return raw(value).decode("utf-8", errors="replace")


def double(value: int | bytes) -> float:
    """A field of eight bytes as a number."""
    return struct.unpack("<d", raw(value))[0]


def single(value: int | bytes) -> float:
    """A field of four bytes as a number."""
    return struct.unpack("<f", raw(value))[0]
