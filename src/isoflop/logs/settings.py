"""Settings of a run under the names that trainers give them, found whatever their nesting and spelling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from isoflop.logs.logged import Setting
from isoflop.runs.columns import plain, read_header
from isoflop.units import parse_quantity

SPELLINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "N": (
        "n_params",
        "num_params",
        "num_parameters",
        "n_parameters",
        "total_params",
        "params_total",
        "total_parameters",
        "model_params",
        "param_count",
        "params",
        "parameters",
        "model_size",
        "size",
        "N",
    ),
    "N_nonembed": (
        "non_embedding_params",
        "n_params_non_embedding",
        "params_non_embedding",
        "num_non_embedding_params",
        "num_scaling_params",
        "N_nonembed",
    ),
    "D": (
        "total_tokens",
        "train_tokens",
        "num_train_tokens",
        "training_tokens",
        "tokens_seen",
        "n_tokens",
        "num_tokens",
        "tokens",
        "max_tokens",
        "D",
    ),
    "U": ("unique_tokens", "dataset_tokens", "n_unique_tokens", "U"),
    "C": ("total_flos", "total_flops", "train_flops", "training_flops", "training_flop", "flops", "C"),
    "batch": (
        "tokens_per_step",
        "tokens_per_iter",
        "tokens_per_batch",
        "batch_tokens",
        "batch_size_in_tokens",
        "batch_size_tokens",
        "global_batch_size_tokens",
        "total_batch_size_tokens",
        "global_batch_tokens",
    ),
    # sequences in all, whatever the number of devices
    "sequences": ("global_batch_size", "global_train_batch_size", "train_batch_size_global"),
    # sequences on one device in one pass
    "device_sequences": (
        "per_device_train_batch_size",
        "device_batch_size",
        "device_train_microbatch_size",
        "micro_batch_size",
        "local_batch_size",
        "batch_size",
        "train_batch_size",
    ),
    "accumulation": ("gradient_accumulation_steps", "grad_accum_steps", "accumulate_grad_batches", "grad_accum"),
    "devices": ("world_size", "num_devices", "n_gpus", "ddp_world_size", "data_parallel_size"),
    "context": (
        "context_length",
        "seq_length",
        "seq_len",
        "sequence_length",
        "sequence_len",
        "max_seq_len",
        "max_seq_length",
        "max_sequence_length",
        "block_size",
        "context",
        "n_ctx",
        "n_positions",
        "max_position_embeddings",
    ),
    "steps": ("max_steps", "max_iters", "train_iters", "num_steps", "total_steps", "num_iterations", "max_duration"),
    "warmup": ("warmup_steps", "warmup_iters", "lr_warmup_steps", "lr_warmup_iters", "num_warmup_steps", "warmup"),
    "lr": ("learning_rate", "lr", "max_lr", "peak_lr", "base_lr"),
    "schedule": ("lr_scheduler_type", "lr_decay_style", "lr_schedule", "lr_scheduler", "scheduler", "schedule"),
    "seed": ("seed", "random_seed", "data_seed"),
    "family": ("family", "model_family", "model_type", "architecture"),
    "layers": ("n_layers", "n_layer", "num_layers", "num_hidden_layers", "layers", "depth"),
    "width": ("d_model", "n_embd", "hidden_size", "width", "n_embed", "model_dim", "dim"),
    "heads": ("n_heads", "n_head", "num_heads", "num_attention_heads", "heads"),
    "kv_heads": ("n_kv_heads", "n_kv_head", "num_key_value_heads", "num_query_groups"),
    "vocabulary": ("vocab_size", "padded_vocab_size", "n_vocab", "vocabulary"),
    "feed_forward": ("intermediate_size", "ffn_hidden_size", "d_ff", "mlp_hidden_size", "n_inner"),
    "activation": ("hidden_act", "activation", "activation_function", "activation_type"),
    "tied": ("tie_word_embeddings", "weight_tying", "tie_embeddings", "tied"),
    "bias": ("bias", "include_bias", "add_bias_linear"),
}

_COUNTS: Final = frozenset({"N", "N_nonembed", "D", "U", "C", "batch"})  # what a scale in a name can be of


class Settings:
    """The settings of one run, looked up by what they mean."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._settings = settings
        # of several settings that end alike the least nested is meant: `lr` rather than `scheduler.args.lr`
        self._by_end: dict[str, str] = {}
        self._scale: dict[str, float] = {}
        for key in sorted(settings, key=lambda key: key.count(".")):
            end = key.rsplit(".", 1)[-1]
            self._by_end.setdefault(plain(end), key)
            header = read_header(end)  # `size_M` is a size in millions
            if header.scale != 1:
                self._by_end.setdefault(plain(header.bare), key)
                self._scale[key] = header.scale

    def key(self, meaning: str) -> str | None:
        """The setting that has this meaning, by its full name."""
        for spelling in SPELLINGS[meaning]:
            own = self._by_end.get(plain(spelling))
            # n is no N, and c no C
            scaled = own in self._scale and plain(own.rsplit(".", 1)[-1]) != plain(spelling)
            if own is not None and (len(spelling) > 1 or own.rsplit(".", 1)[-1] == spelling):
                if scaled and meaning not in _COUNTS:
                    continue
                return own
        return None

    def named(self, name: str) -> Setting | None:
        """A setting by its own name."""
        return self._settings.get(name)

    def number(self, meaning: str) -> tuple[float, str] | None:
        """A positive number with this meaning, and the setting's name; numbers may be written 125M."""
        key = self.key(meaning)
        value = None if key is None else as_number(self._settings[key])
        if key is None or value is None or value <= 0:
            return None
        return (value * self._scale.get(key, 1.0) if meaning in _COUNTS else value), key

    def whole(self, meaning: str) -> int | None:
        """A positive whole number with this meaning."""
        found = self.number(meaning)
        return int(found[0]) if found is not None and found[0] == int(found[0]) else None

    def text(self, meaning: str) -> str | None:
        """A text or number with this meaning, as text."""
        key = self.key(meaning)
        return None if key is None or isinstance(self._settings[key], bool) else str(self._settings[key])

    def flag(self, meaning: str) -> bool | None:
        """A yes or no with this meaning."""
        key = self.key(meaning)
        value = None if key is None else self._settings[key]
        return value if isinstance(value, bool) else None


def as_number(value: Setting | None) -> float | None:
    """A finite number, also one that is written 125M; None for anything else."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = parse_quantity(value)
        except ValueError:
            return None
    return float(value) if math.isfinite(value) else None
