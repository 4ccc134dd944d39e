"""One way to call the Generators of every tt-metal version.

tt-metal's Generator changed its methods several times; which version is at hand is told by the
signatures, never by a version number (two releases can carry the same one). Seen in
`models/tt_transformers/tt/generator.py`:

- up to late 2025: `decode_forward_text`, returns logits; there is also a `decode_forward`, but
  that one is the *vision* decode, so the text one is looked for first;
- 2026: `decode_forward`, returns `(logits, log_probs)`;
- from the decode contract on (tt-metal PR 51646): `decode_forward` with four required commands
  that say which inputs changed. Sampling on the host reloads all inputs at every step.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

HOST_SAMPLING_COMMANDS = {
    "reload_inputs": True,
    "reload_page_table": False,
    "reload_sampling_params": False,
    "reset_sampling_state": False,
}


class UnknownGeneratorError(Exception):
    """The object is no Generator that we know how to drive."""


class AdaptedGenerator:
    """A Generator of any version, with the two methods of the oldest names.

    Both return plain logits and sample nothing on the device.
    """

    def __init__(self, generator: Any) -> None:
        self._prefill, self._prefill_names = _prefill_of(generator)
        self._decode, self._commands = _decode_of(generator)
        self.verifies_drafts = bool(getattr(generator, "verifies_drafts", False))
        """Whether rows of a decode may share a page table; only the CPU's Generator says so."""

    @property
    def continues_prompts(self) -> bool:
        """Whether prefill can leave out a prefix that the cache holds (tt-metal from PR 33883)."""
        return "start_pos" in self._prefill_names

    def prefill_forward_text(
        self,
        tokens: Any,
        *,
        page_table: Any,
        kv_cache: Any,
        prompt_lens: Any,
        empty_slots: Any,
        start_pos: Any = None,
    ) -> Any:
        """Read prompts.

        Args:
            tokens: int64 `[N, L]`, right-padded, whole prompts including what is cached.
            page_table: int32 `[N, W]`, rows in the prompts' order.
            kv_cache: list with one cache for each data-parallel model.
            prompt_lens: N lengths in tokens.
            empty_slots: N destination rows of the decode batch.
            start_pos: N lengths of cached prefixes, in whole blocks.

        Returns:
            float logits `[N, 1, V]` of each prompt's last token.
        """
        arguments = {
            "page_table": page_table,
            "kv_cache": kv_cache,
            "prompt_lens": prompt_lens,
            "empty_slots": empty_slots,
            "start_pos": start_pos,
            # The engine has warmed up; the default would do so again, for minutes.
            "warmup_prefill": False,
        }
        known = {name: v for name, v in arguments.items() if name in self._prefill_names}
        return _first(self._prefill(tokens, **known))

    def decode_forward_text(
        self, tokens: Any, start_pos: Any, *, page_table: Any, kv_cache: Any
    ) -> Any:
        """Advance every row of the batch by one token.

        Args:
            tokens: int64 `[B, 1]`.
            start_pos: int32 `[B]`, -1 for idle rows.
            page_table: int32 `[B, W]`.
            kv_cache: list with one cache for each data-parallel model.

        Returns:
            float logits `[B, 1, V]`; the rows of idle slots mean nothing.
        """
        return _first(
            self._decode(
                tokens, start_pos, page_table=page_table, kv_cache=kv_cache, **self._commands
            )
        )


def adapt(generator: Any) -> AdaptedGenerator:
    """Wrap a Generator of any tt-metal version, or the CPU's.

    Raises:
        UnknownGeneratorError: it has no text decode that we know.
    """
    return AdaptedGenerator(generator)


def _prefill_of(generator: Any) -> tuple[Callable[..., Any], frozenset[str]]:
    # In 2026 the public method takes `*args, **kwargs`; the names stand on the inner one.
    named = getattr(generator, "_prefill_forward_text_impl", None)
    public = getattr(generator, "prefill_forward_text", None)
    if public is None:
        raise UnknownGeneratorError(f"{type(generator).__name__} has no prefill_forward_text.")
    names = frozenset(inspect.signature(named or public).parameters)
    if "page_table" not in names:
        raise UnknownGeneratorError(
            f"{type(generator).__name__}.prefill_forward_text names no page_table."
        )
    return public, names


def _decode_of(generator: Any) -> tuple[Callable[..., Any], dict[str, bool]]:
    for name in ("decode_forward_text", "decode_forward"):
        method = getattr(generator, name, None)
        if method is None:
            continue
        names = inspect.signature(method).parameters
        if "sampling_params" not in names:
            continue
        # By name only: a version with **kwargs would swallow the commands in silence.
        return method, HOST_SAMPLING_COMMANDS if "reload_inputs" in names else {}
    raise UnknownGeneratorError(
        f"{type(generator).__name__} has no text decode that this version knows. "
        "Use a tt-metal release of 2025 or 2026."
    )


def _first(result: Any) -> Any:
    """The logits, whether they come alone or with log-probabilities."""
    return cast("tuple[Any, ...]", result)[0] if isinstance(result, tuple) else result
