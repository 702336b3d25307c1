"""Settings of a run under the names that trainers give them, found whatever their nesting and spelling."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

import numpy as np

from isoflop.logs.logged import Setting
from isoflop.runs.columns import agrees, counts_samples, match_headers, plain, read_header
from isoflop.runs.headers import Header
from isoflop.runs.meanings import Meaning
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
        "number_of_parameters",
        "parameter counts.total",
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
        "total_number_of_training_tokens",
        "number_of_training_tokens",
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
        "tokens_per_iteration",
        "tokens per iteration will be",
        "total_batch_size",  # nanochat, build-nanogpt and llm.c count it in tokens
        "total desired batch size",
    ),
    # sequences in all, whatever the number of devices
    "sequences": (
        "global_batch_size",
        "global_train_batch_size",
        "train_batch_size_global",
        "effective_batch_size",
        "total train batch size (w. parallel, distributed & accumulation)",
    ),
    # sequences on one device in one pass
    "device_sequences": (
        "per_device_train_batch_size",
        "device_batch_size",
        "device_train_microbatch_size",
        "micro_batch_size",
        "local_batch_size",
        "train_micro_batch_size_per_gpu",
        "instantaneous batch size per device",
        "batch_size",
        "train_batch_size",
    ),
    "accumulation": ("gradient_accumulation_steps", "grad_accum_steps", "accumulate_grad_batches", "grad_accum"),
    "replicas": ("data_parallel_size", "data_parallel_world_size", "dp_world_size", "ddp_world_size"),
    "devices": ("world_size", "num_devices", "n_gpus", "num_gpus"),
    "tensor": ("tensor_model_parallel_size", "model_parallel_size", "tensor_parallel_size", "tp_size", "tp"),
    "pipeline": ("pipeline_model_parallel_size", "pipe_parallel_size", "pipeline_parallel_size", "pp_size", "pp"),
    "sequence": ("context_parallel_size", "cp_size"),
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
        "model_max_length",
        "cutoff_len",
    ),
    # the longest sequence that a model can take; training may use shorter ones
    "longest_context": ("n_positions", "max_position_embeddings"),
    "steps": (
        "max_steps",
        "max_iters",
        "train_iters",
        "num_steps",
        "total_steps",
        "num_iterations",
        "max_duration",
        "total optimization steps",
        "total_num_steps",
        "total_training_steps",
    ),
    "steps_done": (
        "global_step",
        "train/global_step",
        "trainer/global_step",
        "_step",
        "step",
        "steps",
        "iter",
        "iterations",
        "steps_done",
    ),
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
    "tied": (
        "tie_word_embeddings",
        "weight_tying",
        "tie_embeddings",
        "tie_embedding",
        "tied_embeddings",
        "tie_weights",
        "share_embeddings_and_output_weights",
        "share_embeddings",
        "tied",
    ),
    "untied": (
        "no_weight_tying",
        "untie_embeddings_and_output_weights",
        "untie_embeddings",
        "untied_embeddings",
        "untied",
    ),
    "positions": ("pos_emb", "position_embedding_type", "positional_embedding", "position_embeddings"),
    "norm": ("normalization", "norm_type"),
    "bias": ("bias", "include_bias", "add_bias_linear"),
}

_PLAIN: Final = {name: tuple((each, plain(each)) for each in spellings) for name, spellings in SPELLINGS.items()}
_RULED: Final = frozenset({"N", "N_nonembed", "D", "U", "C"})  # counts whose names follow rules beyond the spellings
_COUNTED: Final = re.compile(r"(?i)param|tok|flop|flos")
_COUNTS: Final = frozenset({"N", "N_nonembed", "D", "U", "C", "batch"})  # what a scale in a name can be of


class Settings:
    """The settings of one run, looked up by what they mean."""

    def __init__(self, settings: Mapping[str, Setting]) -> None:
        self._settings = settings
        # of several settings that end alike the least nested is meant: `lr` rather than `scheduler.args.lr`
        self._by_end: dict[str, str] = {}
        self._scale: dict[str, float] = {}
        for key in sorted(settings, key=lambda key: key.count(".") + key.count("/")):
            end = end_of(key)
            self._by_end.setdefault(plain(end), key)
            header = read_header(end)  # `size_M` is a size in millions
            if header.scale != 1:
                self._by_end.setdefault(plain(header.bare), key)
                self._scale[key] = header.scale
        for key in settings:
            self._by_end.setdefault(plain(key), key)

    def key(self, meaning: str) -> str | None:
        """The setting that has this meaning, by its full name."""
        for spelling, bare in _PLAIN[meaning]:
            own = self._by_end.get(bare)
            if own is None:
                continue
            # n is no N, and c no C
            scaled = own in self._scale and plain(end_of(own)) != bare
            if len(spelling) > 1 or end_of(own) == spelling:
                if scaled and meaning not in _COUNTS:
                    continue
                return own
        return self._by_rule(meaning)

    def _by_rule(self, meaning: str) -> str | None:
        """The setting whose name a table of runs would read as this count, and whose value can be one."""
        if meaning not in _RULED:
            return None
        named: dict[str, str] = {}
        for key in self._settings:
            end = end_of(key)
            if _COUNTED.search(end) and as_number(self._settings[key]) is not None:
                named.setdefault(end, key)

        def fits(each: Meaning, header: Header, sure: bool) -> bool:
            value = as_number(self._settings[named[header.text]]) or 0.0
            samples = each.symbol == "D" and counts_samples(header)
            return not samples and agrees(each, np.array([value * header.scale]))

        match = match_headers(list(named), fits=fits).get(meaning)
        return None if match is None else named[match.header.text]

    def plain_key(self, spelling: str) -> str | None:
        """The setting that ends in this spelling, by its full name."""
        return self._by_end.get(plain(spelling))

    def plain_number(self, spelling: str) -> tuple[float, str] | None:
        """A positive number under one spelling, and the setting's name."""
        key = self.plain_key(spelling)
        value = None if key is None else as_number(self._settings[key])
        return None if key is None or value is None or value <= 0 else (value, key)

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
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        return value if isinstance(value, bool) else None

    def tied(self) -> bool | None:
        """Whether input and output embedding are one table, however the log says it."""
        said, denied = self.flag("tied"), self.flag("untied")
        return said if said is not None else None if denied is None else not denied


def end_of(key: str) -> str:
    """The last part of a nested name: ``num_parameters`` of ``model/num_parameters``."""
    return key.replace("/", ".").rsplit(".", 1)[-1]


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
