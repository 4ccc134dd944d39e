"""One decoder for the Llama, Mistral, Qwen2, Qwen3, Phi3 and SmolLM families.

It works on the rows of a step, `[rows, hidden_size]` in float32: a row is one token, of a prompt or
of a decode batch. What the families do differently stands in `ModelSpec`, not in subclasses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from ttdirect.generator import attention
from ttdirect.generator.kv_cache import scribble, write_tokens
from ttdirect.generator.linear import Linear, pad_rows, row_quantum
from ttdirect.generator.rope import rope_tables, rotate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ttdirect.generator.config import LayerSpec, ModelSpec
    from ttdirect.generator.kv_cache import KVCache

CHUNK = 4 * attention.TILE
"""Prompt tokens computed at a time: enough rows for full speed, few enough to bound the memory."""


class HasBytes(Protocol):
    """Something that holds a matrix: `linear.Linear` or `quantised.QuantisedLinear`."""

    @property
    def nbytes(self) -> int:
        """Bytes of the matrix."""
        ...


AnyLinear = TypeVar("AnyLinear", bound=HasBytes)


@dataclass(frozen=True)
class LayerWeights(Generic[AnyLinear]):
    """One layer; norms are float32, `qk_norm` is `[n_heads + n_kv_heads, head_dim]` or None."""

    attention_norm: Tensor
    qkv: AnyLinear
    qk_norm: Tensor | None
    output: AnyLinear
    mlp_norm: Tensor
    gate_up: AnyLinear
    down: AnyLinear

    @property
    def linears(self) -> tuple[AnyLinear, ...]:
        """The layer's products."""
        return (self.qkv, self.output, self.gate_up, self.down)


@dataclass(frozen=True)
class Weights(Generic[AnyLinear]):
    """A loaded model. `embedding` is `[vocab_size, hidden_size]` in the rounded type."""

    embedding: Tensor
    layers: tuple[LayerWeights[AnyLinear], ...]
    final_norm: Tensor
    head: AnyLinear

    @property
    def matrix_bytes(self) -> int:
        """Bytes of all matrices that a decode step reads."""
        return sum(it.nbytes for layer in self.layers for it in layer.linears) + self.head.nbytes


class Transformer:
    """A loaded model that computes prompts and decode steps on a paged KV cache.

    `max_batch_size` is the number of rows of a full decode step; `row_quantum` (measured here
    unless `quantum` gives it) is the multiple to which rows are padded so that no row's logits
    depend on its neighbours. A prompt is computed in steps of `chunk` tokens.
    """

    verifies_drafts = True
    chunk = CHUNK

    def __init__(
        self,
        spec: ModelSpec,
        weights: Weights[Linear],
        max_batch_size: int,
        max_seq_len: int,
        quantum: int | None = None,
    ) -> None:
        self.spec = spec
        self.own_kv_cache: KVCache | None = None
        self.device = weights.embedding.device
        self._weights = weights
        cos, sin = rope_tables(spec.rope, max_seq_len)
        self._cos, self._sin = cos.to(self.device), sin.to(self.device)
        self._max_seq_len = max_seq_len
        self._scratch: tuple[Tensor, Tensor] | None = None
        self._windows = {layer.window for layer in spec.layers}
        self.row_quantum = quantum or row_quantum(
            (*weights.layers[0].linears, weights.head), max_batch_size
        )

    @torch.inference_mode()
    def prefill(
        self, tokens: Tensor, start: int, table: Tensor, kv_cache: KVCache, *, scribbles: bool
    ) -> Tensor:
        """Compute `tokens[start:]` of one prompt; return the last token's logits, `[vocab_size]`.

        `tokens` is the whole prompt, int64 `[length]`; those before `start` are in the cache
        already. `table` is the request's page table, int64 `[W]`. With `scribbles`, padding lands
        in block 0, as it does on the card.
        """
        hidden = torch.empty(0)
        length = tokens.shape[0]
        while start < length:
            stop = min(length, (start // self.chunk + 1) * self.chunk)
            plans = {
                window: attention.plan_prefill(start, stop, table, kv_cache[0][0], window)
                for window in self._windows
            }
            hidden = self._forward(
                tokens[start:stop],
                torch.arange(start, stop, device=self.device),
                kv_cache,
                {window: plan.written for window, plan in plans.items()},
                self._prefill_attention(plans, kv_cache),
                quantum=self.row_quantum,
            )
            start = stop
        if scribbles:
            scribble(kv_cache, table, length - 1)
        return self._logits(hidden[-1:], self.row_quantum)[0]

    @torch.inference_mode()
    def decode(
        self, tokens: list[int], positions: list[int], tables: Tensor, kv_cache: KVCache
    ) -> Tensor:
        """Compute one token for each row; return logits, float32 `[rows, vocab_size]`.

        Only active rows are passed: `tokens` and `positions` have one entry a row, `tables` is
        int64 `[rows, W]`.
        """
        # Rows of one bucket stand together, so that they attend in one product.
        order = sorted(
            range(len(tokens)), key=lambda row: attention.bucket_length(positions[row] + 1)
        )
        back = torch.tensor(order).argsort()
        at = [positions[row] for row in order]
        tables = tables[order]
        plans = {
            window: attention.plan_decode(at, tables, kv_cache[0][0], window)
            for window in self._windows
        }
        hidden = self._forward(
            torch.tensor([tokens[row] for row in order]),
            torch.tensor(at),
            kv_cache,
            {window: plan.written for window, plan in plans.items()},
            self._decode_attention(plans, kv_cache),
            quantum=self.row_quantum,
        )
        return self._logits(hidden[back], self.row_quantum)

    def _prefill_attention(
        self, plans: dict[int | None, attention.PrefillPlan], kv_cache: KVCache
    ) -> Callable[[int, LayerSpec, Tensor], Tensor]:
        scratch = self._scratch_for(kv_cache)
        return lambda index, layer, queries: attention.attend_prefill(
            queries, kv_cache[index], plans[layer.window], scratch
        )

    def _decode_attention(
        self, plans: dict[int | None, attention.DecodePlan], kv_cache: KVCache
    ) -> Callable[[int, LayerSpec, Tensor], Tensor]:
        scratch = self._scratch_for(kv_cache)
        return lambda index, layer, queries: attention.attend_decode(
            queries, kv_cache[index], plans[layer.window], scratch
        )

    def _scratch_for(self, kv_cache: KVCache) -> tuple[Tensor, Tensor]:
        pool = kv_cache[0][0]
        if self._scratch is None:
            size = attention.scratch_tokens(pool, self._max_seq_len) * self.spec.head_dim
            self._scratch = (
                torch.empty(size, dtype=pool.dtype, device=pool.device),
                torch.empty(size, dtype=pool.dtype, device=pool.device),
            )
        return self._scratch

    def _forward(
        self,
        tokens: Tensor,
        positions: Tensor,
        kv_cache: KVCache,
        written: Mapping[int | None, Tensor],
        attend: Callable[[int, LayerSpec, Tensor], Tensor],
        *,
        quantum: int,
    ) -> Tensor:
        """Return the hidden states after the last layer, `[rows, hidden_size]`, before its norm.

        `written` says for each window where the keys and values go (see `token_rows`), and
        `attend(index, layer, queries)` what the rows see. Products have a multiple of `quantum`
        rows.
        """
        spec = self.spec
        rows = tokens.shape[0]
        hidden = pad_rows(self._weights.embedding[tokens].float(), quantum)
        cos, sin = self._cos[positions][:, None, :], self._sin[positions][:, None, :]
        rotated_heads = spec.n_heads + spec.n_kv_heads
        for index, (layer, weights) in enumerate(
            zip(spec.layers, self._weights.layers, strict=True)
        ):
            normed = self._norm(hidden, weights.attention_norm)
            heads = weights.qkv(normed)[:rows].view(rows, -1, spec.head_dim)
            queries_keys, values = heads[:, :rotated_heads], heads[:, rotated_heads:]
            if weights.qk_norm is not None:
                queries_keys = self._norm(queries_keys) * weights.qk_norm
            if layer.has_rope:
                queries_keys = rotate(queries_keys, cos, sin)
            at = written[layer.window]
            write_tokens(kv_cache[index][0], at, queries_keys[:, spec.n_heads :])
            write_tokens(kv_cache[index][1], at, values)
            attended = attend(index, layer, queries_keys[:, : spec.n_heads])
            hidden = hidden.add_(weights.output(pad_rows(attended, quantum)))
            gate_up = weights.gate_up(self._norm(hidden, weights.mlp_norm))
            hidden = hidden.add_(weights.down(swiglu(gate_up)))
        return hidden[:rows]

    def _norm(self, rows: Tensor, weight: Tensor | None = None) -> Tensor:
        return functional.rms_norm(rows, rows.shape[-1:], weight, self.spec.norm_eps)

    def _logits(self, hidden: Tensor, quantum: int) -> Tensor:
        rows = hidden.shape[0]
        normed = self._norm(hidden, self._weights.final_norm)
        return self._weights.head(pad_rows(normed, quantum))[:rows]


def swiglu(gate_up: Tensor) -> Tensor:
    """Return silu(gate) * up for `[rows, 2 * mlp_size]`.

    Written out because PyTorch's `silu` rounds differently in the scalar code at the end of a
    thread's share than in vector code, and where a share ends depends on the number of rows.
    """
    gate, up = gate_up.chunk(2, dim=-1)
    denominator = gate.neg().exp_().add_(1)
    return (gate * up).div_(denominator)
