"""Whether prefill may go on behind a beginning of a prompt that the cache holds.

Prefill takes `start_pos` from tt-metal PR 33883 on. Whether a class of models works with it, the
class says (`model_capabilities["supports_prefix_caching"]`); the Generator itself never asks. In
2026 the base class, whose objects the script makes, came to say False, and means that nobody has
said anything: a subclass's own dict replaces it, and True would be claimed for every subclass that
declares nothing (tt-metal `tt/generator.py`). The classes for vLLM of Llama, Qwen and Mistral say
True, and hand prompts to the base class as they are (`tt/generator_vllm.py`). So these families go
on behind cached beginnings here as they do there; Phi has no such class, and is read whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.engine.eras import Interface

FAMILIES = frozenset({"llama", "qwen2", "qwen3", "mistral"})
"""What their config.json calls them (`ModelArgs.model_type`)."""


def continues_prompts(
    interface: Interface, generator: Any, model_args: Sequence[Any], owners_word: bool | None
) -> bool:
    """Return whether prefill can leave out what the cache holds.

    Args:
        interface: of the Generator; nobody's word counts where prefill takes no `start_pos`.
        generator: its class may know.
        model_args: tt-metal's ModelArgs of each model.
        owners_word: what the owner of the card says, if anything.
    """
    if "start_pos" not in interface.prefill_names:
        return False
    if owners_word is not None:
        return owners_word
    capabilities: Any = getattr(generator, "model_capabilities", None)
    if not capabilities or capabilities.get("supports_prefix_caching", True):
        return True
    return bool(model_args) and all(_is_known(args) for args in model_args)


def _is_known(args: Any) -> bool:
    reads_pictures = getattr(args, "is_multimodal", False)  # those classes say False
    return getattr(args, "model_type", None) in FAMILIES and not reads_pictures
