"""What tt-metal's settings allow a model on a system: lengths of prompts and of contexts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ttdirect.hardware.boards import Preset
    from ttdirect.hardware.models import Model

SOURCE = "tt_transformers/tt/model_config.py (housTT/tt-metal @ 418c0e85)"
"""For passes and traces; contexts are what the classes for vLLM allow (`Model.kv_token_limit`)."""

UNKNOWN_PASS = 4
"""A model and system that the settings do not name get so many units of 1024 tokens."""

# `max_prefill_chunk_size` in units of 1024 tokens.
_PASSES: dict[str, dict[str, int]] = {
    "Llama-3.2-1B": {"N150": 128, "N300": 128, "T3K": 128, "TG": 128},
    "Llama-3.2-3B": {"N150": 8},
    "Qwen2.5-7B": {"N150": 4, "N300": 32},
    "Llama-3.1-8B": {"N150": 4, "N300": 64, "T3K": 128, "TG": 128, "P150x4": 128},
    "Qwen3-8B": {"N150": 4, "N300": 64, "P150": 4, "P300": 32, "P150x4": 128},
}

# Padded lengths of prompts that are traced, where they are not the same for all models.
_TO_8192 = (128, 1024, 2048, 4096, 8192)
_TRACED: dict[str, dict[str, tuple[int, ...]]] = {
    "Llama-3.2-3B": {"N150": ()},
    "Llama-3.1-8B": {
        **dict.fromkeys(("N150", "P100"), (128, 1024)),
        **dict.fromkeys(("N300", "T3K", "TG", "P300", "P150x4", "P150x8", "P300x2"), _TO_8192),
    },
}


@dataclass(frozen=True)
class ModelLimits:
    """What tt-metal allows a model on a system.

    Args:
        context: tokens of prompt and answer together, and of all requests in the KV cache.
        one_pass: tokens of a prompt that are read at once; longer ones take several passes.
        traced: padded lengths of prompts that can be traced.
        is_named: whether the settings name the pair; else `one_pass` is what all others get.
    """

    context: int
    one_pass: int
    traced: tuple[int, ...]
    is_named: bool


def limits_for(model: Model, preset: Preset) -> ModelLimits:
    """Return what tt-metal allows a model on a system."""
    passes = _PASSES.get(model.name, {}).get(preset.name)
    usual = (128,) if preset.name == "N150" else (128, 1024)
    return ModelLimits(
        context=model.kv_token_limit(preset),
        one_pass=(passes or UNKNOWN_PASS) * 1024,
        traced=_TRACED.get(model.name, {}).get(preset.name, usual),
        is_named=passes is not None,
    )
