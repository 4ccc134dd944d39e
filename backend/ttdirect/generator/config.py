"""From a checkpoint's `config.json` to a `ModelSpec`: everything the decoder needs, parsed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.generator.errors import UnsupportedModelError
from ttdirect.generator.rope import KINDS, RopeSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "phi3", "smollm3")
"""`model_type` values with a decoder of our own; SmolLM and SmolLM2 checkpoints are `llama`."""


@dataclass(frozen=True)
class LayerSpec:
    """How one layer attends: `window` counts the visible tokens, itself included; None is all."""

    window: int | None
    has_rope: bool


@dataclass(frozen=True)
class ModelSpec:
    """A decoder-only model: sizes, and the few ways in which the supported families differ."""

    family: str
    vocab_size: int
    hidden_size: int
    mlp_size: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    norm_eps: float
    max_context_len: int
    tied_embeddings: bool
    rope: RopeSpec
    layers: tuple[LayerSpec, ...]
    has_qkv_bias: bool = False
    has_output_bias: bool = False
    has_mlp_bias: bool = False
    has_qk_norm: bool = False
    is_fused: bool = False
    """Whether the checkpoint stores QKV and gate-up as one tensor each (Phi3)."""

    @property
    def n_layers(self) -> int:
        """The number of decoder layers."""
        return len(self.layers)

    @property
    def qkv_size(self) -> int:
        """Rows of the fused query, key and value projection."""
        return (self.n_heads + 2 * self.n_kv_heads) * self.head_dim

    @property
    def embedding_parameters(self) -> int:
        """Values in one embedding table (the output projection has as many)."""
        return self.vocab_size * self.hidden_size

    @property
    def layer_parameters(self) -> int:
        """Values in one decoder layer's matrices; norms and biases are too small to count."""
        attention = self.qkv_size + self.n_heads * self.head_dim
        return self.hidden_size * (attention + 3 * self.mlp_size)


def parse_config(config: Mapping[str, Any], num_layers: int | None = None) -> ModelSpec:
    """Parse a config of one of `FAMILIES`, keeping only the first `num_layers` layers if given.

    Defaults for absent keys are those of the family's configuration class in `transformers`.

    Raises:
        UnsupportedModelError: the config asks for something that this decoder does not compute.
    """
    family = str(config.get("model_type"))
    _refuse_unsupported(config)
    hidden_size, n_heads = _integer(config, "hidden_size"), _integer(config, "num_attention_heads")
    head_dim = config.get("head_dim") or (128 if family == "qwen3" else hidden_size // n_heads)
    max_context = config.get("max_position_embeddings") or 2048
    layers = _parse_layers(config, family, _integer(config, "num_hidden_layers"))
    attention_bias = bool(config.get("attention_bias", False))
    mlp_bias = bool(config.get("mlp_bias", False))
    return ModelSpec(
        family=family,
        vocab_size=_integer(config, "vocab_size"),
        hidden_size=hidden_size,
        mlp_size=_integer(config, "intermediate_size"),
        n_heads=n_heads,
        n_kv_heads=config.get("num_key_value_heads") or (8 if family == "mistral" else n_heads),
        head_dim=head_dim,
        norm_eps=config.get("rms_norm_eps", 1e-5 if family == "phi3" else 1e-6),
        max_context_len=max_context,
        tied_embeddings=bool(config.get("tie_word_embeddings", family == "smollm3")),
        rope=_parse_rope(config, family, head_dim, max_context),
        layers=layers[:num_layers],
        has_qkv_bias=family == "qwen2" or (attention_bias and family != "mistral"),
        has_output_bias=attention_bias and family in {"llama", "qwen3", "smollm3"},
        has_mlp_bias=mlp_bias and family in {"llama", "smollm3"},
        has_qk_norm=family == "qwen3",
        is_fused=family == "phi3",
    )


def _integer(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or value <= 0:
        raise UnsupportedModelError(
            f"config.json has no usable {key!r} (found {value!r}).",
            "Download the checkpoint again, or choose another model.",
        )
    return value


def _refuse_unsupported(config: Mapping[str, Any]) -> None:
    if config.get("quantization_config"):
        raise UnsupportedModelError(
            "The checkpoint is quantised, and this engine reads plain bf16, fp16 or fp32 weights.",
            "Choose the unquantised version of the model.",
        )
    activation = config.get("hidden_act", "silu")
    if activation not in {"silu", "swish"}:
        raise UnsupportedModelError(
            f"The model's activation is {activation!r}; this family's decoder computes 'silu'.",
            "Choose another model.",
        )


def _parse_layers(config: Mapping[str, Any], family: str, count: int) -> tuple[LayerSpec, ...]:
    window: int | None = config.get(
        "sliding_window", 4096 if family in {"mistral", "qwen2", "qwen3"} else None
    )
    rope = [True] * count
    if family == "llama" or (
        family in {"qwen2", "qwen3", "smollm3"} and not config.get("use_sliding_window", False)
    ):
        window = None
    if family == "smollm3":
        interval = config.get("no_rope_layer_interval", 4)
        listed = config.get("no_rope_layers") or [(i + 1) % interval != 0 for i in range(count)]
        rope = [bool(value) for value in listed]
    types: list[str] | None = config.get("layer_types")
    if family in {"mistral", "phi3"}:
        slides = [True] * count
    elif types:
        slides = [kind == "sliding_attention" for kind in types]
    elif family == "smollm3":
        slides = [not has_rope for has_rope in rope]
    else:
        first = config.get("max_window_layers", 28)
        slides = [index >= first for index in range(count)]
    return tuple(
        LayerSpec(window=window if slides[index] else None, has_rope=rope[index])
        for index in range(count)
    )


def _parse_rope(
    config: Mapping[str, Any], family: str, head_dim: int, max_context: int
) -> RopeSpec:
    """Read RoPE settings in the old layout (`rope_theta`, `rope_scaling`) and the new one."""
    found: dict[str, Any] = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = found.get("rope_type") or found.get("type") or "default"
    if family == "phi3" and kind in {"su", "yarn"}:
        kind = "longrope"  # earlier names of the same scaling in Phi-3 checkpoints
    if kind not in KINDS or any(isinstance(value, dict) for value in found.values()):
        raise UnsupportedModelError(
            f"The model's RoPE scaling ({kind!r}) is not one of: {', '.join(KINDS)}.",
            "Choose another model.",
        )
    partial = found.get("partial_rotary_factor") or config.get("partial_rotary_factor") or 1.0
    original = (
        config.get("original_max_position_embeddings")
        or found.get("original_max_position_embeddings")
        or (4096 if family == "phi3" else max_context)
    )
    theta = found.get("rope_theta") or config.get("rope_theta")
    return RopeSpec(
        kind=kind,
        theta=float(theta or (2_000_000.0 if family == "smollm3" else 10_000.0)),
        rotary_dim=int(head_dim * (partial if family == "phi3" else 1.0)),
        max_context=max_context,
        original_context=original,
        factor=found.get("factor") or max_context / original,
        attention_factor=found.get("attention_factor"),
        low_freq_factor=found.get("low_freq_factor", 1.0),
        high_freq_factor=found.get("high_freq_factor", 4.0),
        beta_fast=found.get("beta_fast") or 32.0,
        beta_slow=found.get("beta_slow") or 1.0,
        mscale=found.get("mscale"),
        mscale_all_dim=found.get("mscale_all_dim"),
        truncate=found.get("truncate", True),
        short_factor=tuple(found.get("short_factor", ())),
    )
