"""The models that tt_transformers serves: what they need, and on which systems they run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ttdirect.hardware.boards import Preset

# bfloat8_b: 1088 bytes for 1024 numbers. The scripts load weights and KV cache in it.
_BFLOAT8_B = 1088 / 1024
_BFLOAT16 = 2


@dataclass(frozen=True)
class ModelShape:
    """The numbers of a model's config.json that decide how much memory it takes.

    Args:
        layers: transformer blocks.
        hidden: width between them.
        intermediate: width of the feed-forward network.
        heads: query heads.
        kv_heads: key and value heads.
        head_dim: width of a head.
        vocabulary: tokens.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int

    @property
    def weights_bytes(self) -> int:
        """Memory of the weights on all chips together, in bytes.

        Matrices in bfloat8_b, which is the most that the scripts' "performance" setting takes, and
        the embedding in bfloat16. The output layer is its own matrix even where the checkpoint
        ties the two.
        """
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        feed_forward = 3 * self.hidden * self.intermediate
        table = self.hidden * self.vocabulary
        matrices = self.layers * (attention + feed_forward) + table
        return round(matrices * _BFLOAT8_B) + table * _BFLOAT16

    @property
    def kv_bytes_per_token(self) -> int:
        """Memory of one token in the KV cache, in bytes: 69,632 for Llama-3.1-8B."""
        return round(self.layers * 2 * self.kv_heads * self.head_dim * _BFLOAT8_B)

    def bytes_with(self, tokens: int) -> int:
        """Return the memory of the weights and of `tokens` in the KV cache, in bytes."""
        return self.weights_bytes + tokens * self.kv_bytes_per_token

    def splits_over(self, columns: int) -> bool:
        """Return whether the heads can be shared out to so many columns of chips.

        ModelArgs asserts `n_heads % cols == 0` and `n_kv_heads % cols == 0`.
        """
        return self.heads % columns == 0 and self.kv_heads % columns == 0


@dataclass(frozen=True)
class Model:
    """One model that tt-metal says something about.

    Args:
        name: as tt-metal's tables write it.
        hub_name: a checkpoint of it that follows instructions.
        shape: of the checkpoint.
        verified: MESH_DEVICE names of systems that tt_transformers' README or PERF.md lists for it.
        configured: others that model_config.py or the CI targets name, which is less of a promise.
        needs_account: whether the hub gives it only to those who ask for it.
        smallest_mesh: chips that it needs whatever the memory.
    """

    name: str
    hub_name: str
    shape: ModelShape
    verified: tuple[str, ...]
    configured: tuple[str, ...] = ()
    needs_account: bool = False
    smallest_mesh: int = 1

    def kv_token_limit(self, preset: Preset) -> int:
        """Return how many tokens of all requests together tt-metal's own classes allow.

        32,768 for Llama-3.1-8B on an N150 and 131,072 elsewhere (VLLMGEN, `get_max_tokens_all_
        users`). tt-inference-server lists a context of 65,536 for the N150 by now.
        """
        return 32_768 if self.name == "Llama-3.1-8B" and preset.name == "N150" else 131_072


# Systems: README @ eb477d25 (a LoudBox or QuietBox is a T3K) and PERF.md @ 4654d36f for `verified`;
# model_config.py @ 418c0e85 and model_targets.yaml @ d5a37f8f for `configured`. Shapes: the
# checkpoints' own config.json.
MODELS: tuple[Model, ...] = (
    Model(
        "Llama-3.2-1B",
        "meta-llama/Llama-3.2-1B-Instruct",
        ModelShape(16, 2048, 8192, 32, 8, 64, 128_256),
        verified=("N150", "N300", "T3K"),
        configured=("TG",),
        needs_account=True,
    ),
    Model(
        "SmolLM2-1.7B",
        "HuggingFaceTB/SmolLM2-1.7B-Instruct",
        ModelShape(24, 2048, 8192, 32, 32, 64, 49_152),
        verified=("N150", "P100", "P150"),
    ),
    Model(
        "Llama-3.2-3B",
        "meta-llama/Llama-3.2-3B-Instruct",
        ModelShape(28, 3072, 8192, 24, 8, 128, 128_256),
        verified=("N150", "N300", "T3K"),
        needs_account=True,
    ),
    Model(
        "Phi-3-mini",
        "microsoft/Phi-3-mini-128k-instruct",
        ModelShape(32, 3072, 8192, 32, 32, 96, 32_064),
        verified=("N150", "N300"),
    ),
    Model(
        "Mistral-7B",
        "mistralai/Mistral-7B-Instruct-v0.3",
        ModelShape(32, 4096, 14_336, 32, 8, 128, 32_768),
        verified=("N150", "N300", "T3K"),
        needs_account=True,
    ),
    Model(
        "Qwen2.5-7B",
        "Qwen/Qwen2.5-7B-Instruct",
        ModelShape(28, 3584, 18_944, 28, 4, 128, 152_064),
        verified=("N300",),
        # "AssertionError unless 2 or 4 devices".
        smallest_mesh=2,
    ),
    Model(
        "Llama-3.1-8B",
        "meta-llama/Llama-3.1-8B-Instruct",
        ModelShape(32, 4096, 14_336, 32, 8, 128, 128_256),
        verified=("N150", "N300", "T3K", "P100", "P150"),
        configured=("TG", "P300", "P150x4", "P150x8", "P300x2"),
        needs_account=True,
    ),
    Model(
        "Qwen3-8B",
        "Qwen/Qwen3-8B",
        ModelShape(36, 4096, 12_288, 32, 8, 128, 151_936),
        verified=(),
        configured=("N150", "N300", "P150", "P300", "P150x4"),
    ),
    Model(
        "Qwen2.5-32B",
        "Qwen/Qwen2.5-Coder-32B-Instruct",
        ModelShape(64, 5120, 27_648, 40, 8, 128, 152_064),
        verified=(),
        configured=("T3K",),
    ),
    Model(
        "Qwen3-32B",
        "Qwen/Qwen3-32B",
        ModelShape(64, 5120, 25_600, 64, 8, 128, 151_936),
        verified=("T3K",),
        configured=("P150x4", "P300x2"),
    ),
    Model(
        "Llama-3.1-70B",
        "meta-llama/Llama-3.1-70B-Instruct",
        ModelShape(80, 8192, 28_672, 64, 8, 128, 128_256),
        verified=("T3K",),
        needs_account=True,
    ),
    Model(
        "Qwen2.5-72B",
        "Qwen/Qwen2.5-72B-Instruct",
        ModelShape(80, 8192, 29_568, 64, 8, 128, 152_064),
        verified=("T3K",),
    ),
)

# What stands behind a model's name without making it another model.
_VARIANT = re.compile(r"(-(instruct|chat|it|hf|\d+k|v\d[\w.]*|\d{4}))*")
_SAME = {
    "meta-llama-3.1-8b": "llama-3.1-8b",
    "meta-llama-3.1-70b": "llama-3.1-70b",
    "llama-3.3-70b": "llama-3.1-70b",
    "qwen2.5-coder-7b": "qwen2.5-7b",
    "qwen2.5-coder-32b": "qwen2.5-32b",
}


def find_model(name: str) -> Model | None:
    """Return the model that a name on the hub, a folder or a server means, None for others."""
    last = name.rstrip("/").rpartition("/")[2].lower()
    for base, model in _known_names():
        if last.startswith(base) and _VARIANT.fullmatch(last[len(base) :]):
            return model
    return None


def _known_names() -> list[tuple[str, Model]]:
    own = {model.name.lower(): model for model in MODELS}
    return [*own.items(), *((name, own[same]) for name, same in _SAME.items())]


def shape_from_config(config: Mapping[str, Any]) -> ModelShape | None:
    """Return the shape that a checkpoint's config.json tells, None if it lacks a number."""
    try:
        heads = _count(config["num_attention_heads"])
        hidden = _count(config["hidden_size"])
        return ModelShape(
            layers=_count(config["num_hidden_layers"]),
            hidden=hidden,
            intermediate=_count(config["intermediate_size"]),
            heads=heads,
            kv_heads=_count(config.get("num_key_value_heads") or heads),
            head_dim=_count(config.get("head_dim") or hidden // heads),
            vocabulary=_count(config["vocab_size"]),
        )
    except (KeyError, TypeError):
        return None


def _count(value: Any) -> int:
    if not isinstance(value, int) or value <= 0:
        raise TypeError(f"{value!r} is no count")
    return value


def recommend(preset: Preset, tokens: int, *, without_account: bool = False) -> Model | None:
    """Return the largest model for a system that fits with `tokens` in the KV cache.

    What tt-metal's README verifies goes before what model_config.py merely has settings for.
    """
    for systems in ("verified", "configured"):
        fitting = [
            model
            for model in MODELS
            if preset.name in getattr(model, systems)
            and model.shape.bytes_with(tokens) <= preset.dram_bytes
            and not (without_account and model.needs_account)
        ]
        if fitting:
            return max(fitting, key=lambda model: model.shape.weights_bytes)
    return None
