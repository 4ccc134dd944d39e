"""The slower general path: any other causal language model of `transformers`, on the same pages.

Each row is computed alone by the model's own code, with a cache that is gathered from the request's
pages before the call and written back to them after it. So page tables, block 0 and slots mean here
what they mean in `transformer`, and no row can feel its neighbours; it only takes longer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from ttdirect.generator.config import FAMILIES
from ttdirect.generator.errors import UnsupportedModelError
from ttdirect.generator.kv_cache import block_rows, scribble, token_rows, write_tokens

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from ttdirect.generator.kv_cache import KVCache, PagedAttentionConfig
    from ttdirect.generator.precision import FloatPrecision

_States = dict[int, tuple["Tensor", "Tensor"]]
"""By layer: keys and values, each `[1, n_kv_heads, tokens, head_dim]`."""


class GeneralModel:
    """A model of `transformers` behind the calls of `transformer.Transformer`."""

    row_quantum = 1
    verifies_drafts = False  # row after row, so a draft would save nothing

    def __init__(self, model: Any) -> None:
        self.own_kv_cache: KVCache | None = None
        self._model = model
        self.config: Any = model.config.get_text_config()
        self.weight_bytes = sum(it.numel() * it.element_size() for it in model.parameters())
        probe, self._states = self._run(torch.tensor([0, 1, 2]), {})
        self.vocab_size = probe.shape[0]
        self._layers = sorted(self._states)
        self._check_states()

    @property
    def n_layers(self) -> int:
        """The number of layers that keep keys and values."""
        return len(self._layers)

    def allocate_kv_cache(self, pool: PagedAttentionConfig) -> KVCache:
        """Return a pool of zeros for each layer, in the shapes that the model was seen to use."""
        return [
            [
                state.new_zeros(
                    pool.max_num_blocks, state.shape[1], pool.block_size, state.shape[3]
                )
                for state in self._states[layer]
            ]
            for layer in self._layers
        ]

    def kv_token_bytes(self) -> int:
        """Return the bytes that one token takes in the cache."""
        states = [state for layer in self._states.values() for state in layer]
        return sum(it.shape[1] * it.shape[3] * it.element_size() for it in states)

    def prefill(
        self, tokens: Tensor, start: int, table: Tensor, kv_cache: KVCache, *, scribbles: bool
    ) -> Tensor:
        """Compute `tokens[start:]` of a prompt; see `Transformer.prefill`."""
        logits = self._compute(tokens[start:], start, table, kv_cache)
        if scribbles:
            scribble(kv_cache, table, tokens.shape[0] - 1)
        return logits

    def decode(
        self, tokens: list[int], positions: list[int], tables: Tensor, kv_cache: KVCache
    ) -> Tensor:
        """Compute one token for each row, one row after another; see `Transformer.decode`."""
        rows = zip(tokens, positions, tables, strict=True)
        return torch.stack(
            [self._compute(torch.tensor([it]), at, table, kv_cache) for it, at, table in rows]
        )

    @torch.inference_mode()
    def _compute(self, tokens: Tensor, start: int, table: Tensor, kv_cache: KVCache) -> Tensor:
        past: _States = {}
        if start:
            blocks = table[None, : -(-start // kv_cache[0][0].shape[2])]
            for layer, pools in zip(self._layers, kv_cache, strict=True):
                keys, values = (_gather(pool, blocks, start) for pool in pools)
                past[layer] = (keys, values)
        logits, written = self._run(tokens, past)
        at = torch.arange(start, start + tokens.shape[0])
        for layer, pools in zip(self._layers, kv_cache, strict=True):
            for pool, states in zip(pools, written[layer], strict=True):
                block_size = pool.shape[2]
                rows = token_rows(table[at // block_size], at % block_size, pool)
                write_tokens(pool, rows, states[0].transpose(0, 1))
        return logits

    @torch.inference_mode()
    def _run(self, tokens: Tensor, past: _States) -> tuple[Tensor, _States]:
        """Return the last token's logits, float32 `[vocab_size]`, and what the layers cached."""
        cache, written = _recording_cache(past)
        seen = max((keys.shape[2] for keys, _ in past.values()), default=0)
        output = self._model(
            input_ids=tokens[None],
            attention_mask=torch.ones(1, seen + tokens.shape[0], dtype=torch.int64),
            past_key_values=cache,
            use_cache=True,
        )
        return output.logits[0, -1].float(), written

    def _check_states(self) -> None:
        """Refuse a model that remembers more than the keys and values of its tokens.

        Computed in two halves, with nothing carried over but the recorded states, the result must
        be that of the whole.
        """
        tokens = torch.tensor([3, 1, 2, 0, 1])
        whole, _ = self._run(tokens, {})
        _, past = self._run(tokens[:3], {})
        halves, _ = self._run(tokens[3:], past)
        scale = whole.abs().max().clamp(min=1e-6)
        tolerance = 1e-3 if whole.dtype is self._model.dtype else 5e-2
        if not self._layers or (whole - halves).abs().max() > tolerance * scale:
            raise _unsupported(
                self.config.model_type, "it keeps state that pages of keys and values cannot hold"
            )


def load_general_model(folder: Path, precision: FloatPrecision) -> GeneralModel:
    """Load a checkpoint folder through `transformers`.

    Raises:
        UnsupportedModelError: `transformers` has no causal language model for it, or one whose
            memory of a text is more than keys and values.
    """
    import transformers  # noqa: PLC0415  seconds, and rarely needed

    loader: Any = transformers.AutoModelForCausalLM  # its own types are incomplete

    try:
        model: Any = loader.from_pretrained(folder, dtype=precision.compute).eval()
    except (ValueError, KeyError, ImportError, OSError) as error:
        raise _unsupported(folder.name, f"transformers says: {error}") from error
    if getattr(model, "_is_stateful", False):
        raise _unsupported(folder.name, "it keeps state that pages of keys and values cannot hold")
    for parameter in model.parameters():
        parameter.requires_grad_(requires_grad=False)
        parameter.copy_(precision.round(parameter))
    return GeneralModel(model)


def _unsupported(name: str, reason: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"The model {name!r} cannot run here: {reason}.",
        f"Choose a model of one of these families: {', '.join(FAMILIES)} (SmolLM is llama).",
    )


def _gather(pool: Tensor, blocks: Tensor, tokens: int) -> Tensor:
    """Return the tokens in `blocks` `[1, n]`: `[1, n_kv_heads, tokens, head_dim]`."""
    _, n_kv_heads, block_size, head_dim = pool.shape
    rows = pool.view(-1, block_size * head_dim).index_select(0, block_rows(blocks, pool))
    return rows.view(1, n_kv_heads, -1, head_dim)[:, :, :tokens]


def _recording_cache(past: _States) -> tuple[Any, _States]:
    """Return a cache that holds `past`, and a record of what is added to it, by layer.

    Every transformers version calls `update` for each layer; how a cache stores things differs.
    """
    from transformers import DynamicCache  # noqa: PLC0415

    written: _States = {}

    class RecordingCache(DynamicCache):
        def update(  # type: ignore[override]  # the signature differs between versions
            self, key_states: Tensor, value_states: Tensor, layer_idx: int, *rest: Any, **more: Any
        ) -> tuple[Tensor, Tensor]:
            written[layer_idx] = (key_states, value_states)
            parent: Any = super()  # its own types are incomplete
            return parent.update(key_states, value_states, layer_idx, *rest, **more)

    cache: Any = RecordingCache()
    for layer in sorted(past):
        cache.update(*past[layer], layer)
    written.clear()
    return cache, written
