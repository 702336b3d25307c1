"""How tokens follow from other columns of a table: steps times sequences times context, passes over unique tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from isoflop.runs.headers import plain

_CONTEXT: Final = frozenset(
    plain(name)
    for name in (
        "context", "context_length", "ctx_len", "n_ctx", "seq_len", "seq_length", "sequence_length", "sequence_len",
        "block_size", "max_seq_len", "tokens_per_sample", "tokens_per_sequence",
    )
)  # fmt: skip
_SEQUENCES: Final = frozenset(
    plain(name)
    for name in (
        "batch", "batch_size", "global_batch_size", "total_batch_size", "train_batch_size", "effective_batch_size",
        "global_bs", "gbs", "bs", "sequences_per_step", "samples_per_step",
    )
)  # fmt: skip


_RATIO: Final = frozenset(
    plain(name)
    for name in ("tokens_per_param", "tokens_per_parameter", "tokens_per_params", "token_param_ratio", "tpp", "D/N")
)


def tokens_formula(headers: Iterable[str], *, of: dict[str, str]) -> str | None:
    """The formula of D in the table's own headers, where it has what one needs.

    of: for ``step``, ``batch``, ``U``, ``epochs``, ``N`` and ``samples``, as far as they were read, the header.
    """
    there = list(headers)
    context, sequences = _first(there, _CONTEXT), _first(there, _SEQUENCES)
    if "samples" in of:
        return None if context is None else _product(of["samples"], context)
    if "U" in of and "epochs" in of:
        return _product(of["U"], of["epochs"])
    if "N" in of and (ratio := _first(there, _RATIO)) is not None:
        return _product(of["N"], ratio)
    if "step" not in of:
        return None
    if sequences is not None and context is not None:
        return _product(of["step"], sequences, context)
    return _product(of["step"], of["batch"]) if "batch" in of else None


def _first(headers: Iterable[str], names: frozenset[str]) -> str | None:
    return next((header for header in headers if plain(header) in names), None)


def _product(*headers: str) -> str:
    return " * ".join(header if header.isidentifier() else f"`{header}`" for header in headers)
