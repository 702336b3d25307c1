"""What a column of a run table can be: its symbol, its word, and how headers spell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from isoflop.runs.headers import word_set

NUMBER: Final = "number"
TEXT: Final = "text"


@dataclass(frozen=True)
class Rule:
    """Headers that are spelled out of words: one of ``heads``, all of ``needs``, and else only words of ``around``.

    ``total_training_tokens`` has the head ``tokens`` and two words around it; ``tokens_per_step`` has a word too many.
    """

    heads: frozenset[str]
    around: frozenset[str]
    needs: tuple[frozenset[str], ...] = ()


@dataclass(frozen=True)
class Meaning:
    """A canonical column: its symbol in formulas, its word, what it counts, and header spellings, best first.

    spellings: compared without case, spaces and punctuation. weak: those of them that often mean something else, which
    are taken only where the numbers agree. rule: further headers, by their words. least: the smallest number that the
    largest of a column can be, where a spelling is weak or followed a rule.
    """

    symbol: str
    word: str
    counts: str
    spellings: tuple[str, ...]
    kind: str = NUMBER
    weak: tuple[str, ...] = ()
    rule: Rule | None = None
    least: float = 0.0


_NUMBER_OF = word_set("n num number no of count cnt total the in overall")
_TRAINING = word_set("train training trained pretrain pretraining pretrained model final full lm so far used")
_PARAMS = word_set("param params parameter parameters")
_EXACT = word_set("exact precise real actual true")
_TOKENS = word_set("token tokens toks tok")
_OPERATIONS = word_set("flop flops flos compute macs")
_LOSSES = word_set("loss nll ce xent bpb ppl perplexity entropy")
_WITHOUT = word_set("non no without wo excluding excl ex nonembedding nonembed nonemb noemb")
_EMBEDDING = word_set("embedding embeddings embed emb")
_ANY_PARAMS = _NUMBER_OF | _TRAINING | _EXACT | _PARAMS | word_set("trainable all dense net network")

MEANINGS: Final[tuple[Meaning, ...]] = (
    Meaning(
        "N",
        "params",
        "model parameters",
        (
            "N", "params", "n_params", "num_params", "parameters", "n_parameters", "param_count", "params_total",
            "total_params", "N_total", "model_size", "model_params", "n_weights", "num_weights", "size", "n",
        ),
        weak=("n_weights", "num_weights", "size", "n"),
        rule=Rule(_PARAMS, _ANY_PARAMS),
        least=1e3,
    ),
    Meaning(
        "N_nonembed",
        "nonembedding_params",
        "parameters without embeddings",
        (
            "N_nonembed", "params_nonembed", "params_no_embed", "non_embedding_params", "params_non_embedding",
            "n_params_non_embedding",
        ),
        rule=Rule(
            _PARAMS | word_set("n"),
            _ANY_PARAMS | _EMBEDDING | _WITHOUT,
            (_WITHOUT,
             _EMBEDDING | word_set("nonembedding nonembed nonemb noemb")),
        ),
        least=1e3,
    ),
    Meaning(
        "N_active",
        "active_params",
        "active parameters",
        ("N_active", "active_params", "activated_params", "N_act"),
        rule=Rule(
            _PARAMS | word_set("n"),
            _ANY_PARAMS | word_set("active activated per token"),
            (word_set("active activated"),),
        ),
        least=1e3,
    ),
    Meaning(
        "D",
        "tokens",
        "training tokens",
        (
            "D", "tokens", "n_tokens", "num_tokens", "train_tokens", "training_tokens", "total_tokens", "tokens_seen",
            "token_num", "num_token", "throughput/total_tokens", "pretraining_data_size", "tokens_trained",
            "seen_examples", "samples_seen", "n_tok", "d",
        ),
        weak=("d",),
        rule=Rule(
            _TOKENS | word_set("samples examples images sequences"),
            _NUMBER_OF | _TRAINING | _TOKENS
            | word_set("seen consumed processed cumulative cum budget dataset corpus data"),
        ),
        least=1e4,
    ),
    Meaning(
        "U",
        "unique_tokens",
        "unique training tokens",
        ("U", "unique_tokens", "unique", "n_unique_tokens", "tokens_per_epoch"),
        weak=("U", "unique"),
        rule=Rule(_TOKENS, _NUMBER_OF | _TRAINING | word_set("unique data"), (word_set("unique"),)),
        least=1e3,
    ),
    Meaning("epochs", "epochs", "passes over the unique tokens", ("epochs", "n_epochs", "num_epochs", "epoch")),
    Meaning(
        "C",
        "flops",
        "training FLOPs",
        (
            "C", "flops", "training_flop", "training_flops", "train_flops", "flop", "total_flops", "total_flos",
            "C_total", "compute", "compute_budget", "budget", "c",
        ),
        weak=("C_total", "compute", "compute_budget", "budget", "c"),
        rule=Rule(
            _OPERATIONS,
            _NUMBER_OF | _TRAINING | _OPERATIONS | word_set("budget cost iso estimated est approx cumulative cum"),
        ),
        least=1e13,
    ),
    Meaning(
        "loss",
        "loss",
        "loss",
        (
            "loss", "final_loss", "test_loss", "val_loss", "validation_loss", "eval_loss", "L", "log_perplexity",
            "nll", "cross_entropy", "val/loss", "eval/loss", "train_loss", "bpb", "bits_per_byte", "ppl", "perplexity",
            "log_ppl", "nats_per_token", "bits_per_token",
        ),
        weak=("L",),
        rule=Rule(
            _LOSSES,
            _LOSSES | _NUMBER_OF | _TRAINING | _TOKENS | word_set(
                "val valid validation test eval evaluation dev held out heldout holdout last end best min minimum "
                "lowest language modeling modelling mean avg average cross nats bits per byte value"
            ),
        ),
    ),
    Meaning("run", "run", "the run a row belongs to", ("run", "run_id", "run_name", "runid", "run_file"), TEXT),
    Meaning(
        "family",
        "family",
        "models that differ only in size and tokens",
        ("family", "model_family", "scaled_family", "model_type"),
        TEXT,
    ),
    Meaning("seed", "seed", "random seed", ("seed", "random_seed"), TEXT),
    Meaning(
        "step",
        "step",
        "optimizer step",
        (
            "step", "steps", "n_steps", "iteration", "global_step", "_step", "current_step", "current_steps", "iter",
            "iters", "iterations", "trainer/global_step", "training_step", "optimizer_step", "num_steps", "update",
            "updates", "num_updates", "checkpoint_step", "ckpt_step", "global_steps", "training_steps", "train_steps",
            "checkpoint", "ckpt", "revision",
        ),
        weak=("update", "updates", "checkpoint", "ckpt", "revision"),
    ),
    Meaning(
        "lr",
        "lr",
        "peak learning rate",
        (
            "lr", "learning_rate", "learning_rate_peak", "max_lr", "peak_lr", "lr_peak", "lr_max", "base_lr",
            "peak_learning_rate", "max_learning_rate", "base_learning_rate",
        ),
    ),
    Meaning(
        "batch",
        "batch",
        "tokens a step",
        (
            "batch_tokens", "batch_size_in_tokens", "batch_size_tokens", "global_batch_size_tokens",
            "global_batch_tokens", "tokens_per_step", "tokens_per_batch", "batch",
        ),
    ),
    Meaning("schedule", "schedule", "learning-rate schedule", ("schedule", "lr_schedule", "scheduler"), TEXT),
    Meaning("P", "streams", "parallel streams", ("P", "streams", "parallel_size", "parallel_streams"), weak=("P",)),
    Meaning("N_encoder", "encoder_params", "encoder parameters", ("N_encoder", "encoder_params", "params_encoder")),
    Meaning("N_decoder", "decoder_params", "decoder parameters", ("N_decoder", "decoder_params", "params_decoder")),
    Meaning("N_nonvocab", "nonvocab_params", "non-vocabulary parameters", ("N_nonvocab", "non_vocab_parameters")),
    Meaning("N_vocab", "vocab_params", "vocabulary parameters", ("N_vocab", "vocab_params", "vocab_parameters")),
    Meaning("D_store", "datastore_tokens", "tokens in a datastore", ("D_store", "datastore_tokens", "datastore_size")),
    Meaning("experts", "experts", "experts in each routed layer", ("experts", "n_experts", "num_experts")),
    Meaning("bits", "bits", "bits a parameter", ("bits", "bits_per_param", "bits_per_parameter")),
    Meaning("width", "width", "width of the model", ("width", "d_model", "hidden_size")),
    Meaning("patch", "patch", "side of a patch", ("patch", "patch_size")),
)  # fmt: skip

BY_SYMBOL: Final[dict[str, Meaning]] = {meaning.symbol: meaning for meaning in MEANINGS}
COUNTED: Final = frozenset({"N", "N_nonembed", "N_active", "D", "U", "C", "batch"})  # what a header's scale can be of
SAMPLES: Final = frozenset({"samples", "examples", "images", "sequences"})  # what D may count instead of tokens
SEEN: Final = frozenset({"seen", "trained", "train", "training", "processed", "consumed"})
