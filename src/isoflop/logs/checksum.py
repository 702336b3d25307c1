"""CRC-32C (Castagnoli) of many short records at once, masked as event files write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL: Final = 0x82F63B78  # reflected


def _table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


_TABLE: Final = _table()
_WORDS: Final[list[int]] = _TABLE.tolist()


def masked(data: bytes) -> int:
    """The masked checksum of a few bytes: ((c >> 15) | (c << 17)) + 0xa282ead8, modulo 2³²."""
    state = 0xFFFFFFFF
    for byte in data:
        state = _WORDS[(state ^ byte) & 0xFF] ^ (state >> 8)
    state ^= 0xFFFFFFFF
    return (((state >> 15) | (state << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def masked_many(records: Sequence[bytes]) -> NDArray[np.uint32]:
    """The masked checksum of each record, (records,): one pass over the bytes for all records of a length."""
    lengths = np.array([len(record) for record in records])
    result = np.empty(len(records), dtype=np.uint32)
    for length in np.unique(lengths):
        at = np.flatnonzero(lengths == length)
        columns = np.frombuffer(b"".join([records[i] for i in at.tolist()]), np.uint8).reshape(len(at), length).T
        state = np.full(len(at), 0xFFFFFFFF, dtype=np.uint32)
        for column in np.ascontiguousarray(columns):
            state = _TABLE[(state ^ column) & 0xFF] ^ (state >> 8)
        state = ~state
        result[at] = ((state >> 15) | (state << 17)) + np.uint32(0xA282EAD8)
    return result
