"""The decoder on integer weights: the same model as `transformer`, computed by the C library.

Every row of a step has its own position and page table, and a row's numbers are the same whatever
other rows there are: a prompt in pieces, a decode step, and drafts give the same bits.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from ttdirect.generator.kv_cache import scribble
from ttdirect.generator.native import library
from ttdirect.generator.rope import rope_tables

if TYPE_CHECKING:
    from ttdirect.generator.config import LayerSpec, ModelSpec
    from ttdirect.generator.kv_cache import KVCache
    from ttdirect.generator.quantise import QuantisedMatrix
    from ttdirect.generator.transformer import LayerWeights, Weights


@dataclass(frozen=True)
class QuantisedLinear:
    """A product's weight and its bias, float32 with as many values as the matrix has rows."""

    matrix: QuantisedMatrix
    bias: Tensor | None

    @classmethod
    def of(cls, matrix: QuantisedMatrix, bias: Tensor | None) -> QuantisedLinear:
        """Join a matrix and its bias, which may lack the rows that are padding."""
        if bias is not None:
            bias = functional.pad(bias.float(), (0, matrix.rows - bias.shape[0]))
        return cls(matrix, bias)

    @property
    def nbytes(self) -> int:
        """Bytes of the matrix."""
        return self.matrix.nbytes

    def described(self) -> library.CLinear:
        """Return the structure that stands for this in C; it points into these tensors."""
        matrix = self.matrix
        return library.CLinear(
            weights=library.address(matrix.integers),
            scales=library.address(matrix.scales),
            bias=library.address(self.bias),
            rows=matrix.rows,
            columns=matrix.columns,
            bits=matrix.bits,
        )


def can_compute(spec: ModelSpec) -> bool:
    """Whether the library is there and knows heads and MLPs of this model's sizes."""
    sizes = (spec.head_dim, spec.mlp_size)
    return library.load() is not None and not any(size % library.LANES for size in sizes)


class QuantisedTransformer:
    """A loaded model that computes prompts and decode steps on a paged KV cache in bfloat16.

    Args:
        spec: the model's sizes; `can_compute(spec)` must hold.
        weights: from `families.load_weights`; the embedding table is dropped if it is tied.
        max_seq_len: the longest text in tokens.
        block_size: tokens in a block of the KV cache.
        threads: how many compute.
    """

    row_quantum = 1
    verifies_drafts = True

    def __init__(
        self,
        spec: ModelSpec,
        weights: Weights[QuantisedLinear],
        max_seq_len: int,
        block_size: int,
        threads: int,
    ) -> None:
        self.spec = spec
        self.own_kv_cache: KVCache | None = None
        self._vocab_rows = weights.head.matrix.rows
        self._kept: list[Tensor | QuantisedLinear] = []
        """What the structures point into."""
        self._layers = (library.CLayer * spec.n_layers)(
            *(self._layer(*it) for it in zip(spec.layers, weights.layers, strict=True))
        )
        cos, sin = rope_tables(spec.rope, max_seq_len)
        head = self._linear(weights.head)
        model = library.CModel(
            layers=self._layers,
            head=head,
            embedding=head if spec.tied_embeddings else self._table(weights.embedding),
            final_norm=self._vector(weights.final_norm),
            cosines=self._keep(cos.contiguous()),
            sines=self._keep(sin.contiguous()),
            n_layers=spec.n_layers,
            hidden_size=spec.hidden_size,
            mlp_size=spec.mlp_size,
            n_heads=spec.n_heads,
            n_kv_heads=spec.n_kv_heads,
            head_dim=spec.head_dim,
            rotary_dim=spec.rope.rotary_dim,
            block_size=block_size,
            max_tokens=max_seq_len,
            norm_eps=spec.norm_eps,
        )
        self._crew = library.Crew(model, threads)
        self._pools: tuple[KVCache, ctypes.Array[ctypes.c_void_p], ctypes.Array[ctypes.c_void_p]]
        self._pools = ([], (ctypes.c_void_p * 0)(), (ctypes.c_void_p * 0)())

    def prefill(
        self, tokens: Tensor, start: int, table: Tensor, kv_cache: KVCache, *, scribbles: bool
    ) -> Tensor:
        """As `Transformer.prefill`."""
        length, tables = tokens.shape[0], table.int()
        logits = torch.empty(0)
        for begin in range(start, length, library.MAX_ROWS):
            end = min(begin + library.MAX_ROWS, length)
            logits = self._run(
                tokens[begin:end].int(),
                torch.arange(begin, end, dtype=torch.int32),
                tables,
                kv_cache,
                wanted=1 if end == length else 0,
            )
        if scribbles:
            scribble(kv_cache, table, length - 1)
        return logits[0]

    def decode(
        self, tokens: list[int], positions: list[int], tables: Tensor, kv_cache: KVCache
    ) -> Tensor:
        """As `Transformer.decode`."""
        return self._run(
            torch.tensor(tokens, dtype=torch.int32),
            torch.tensor(positions, dtype=torch.int32),
            tables.int(),
            kv_cache,
            wanted=len(tokens),
        )

    def _run(
        self, tokens: Tensor, positions: Tensor, tables: Tensor, kv_cache: KVCache, wanted: int
    ) -> Tensor:
        """Compute a step; return the logits of its last `wanted` rows."""
        rows, logits = tokens.shape[0], torch.empty(wanted, self._vocab_rows)
        tables = tables.contiguous()
        keys, values = self._pools_of(kv_cache)
        self._crew.run(
            library.CStep(
                tokens=library.address(tokens),
                positions=library.address(positions),
                tables=library.address(tables),
                table_stride=tables.shape[1] if tables.dim() == 2 else 0,
                keys=ctypes.cast(keys, ctypes.c_void_p),
                values=ctypes.cast(values, ctypes.c_void_p),
                logits=library.address(logits),
                rows=rows,
                first_logits=rows - wanted,
            )
        )
        return logits[:, : self.spec.vocab_size]

    def _pools_of(
        self, kv_cache: KVCache
    ) -> tuple[ctypes.Array[ctypes.c_void_p], ctypes.Array[ctypes.c_void_p]]:
        known, keys, values = self._pools
        if known is not kv_cache:
            pointers = ctypes.c_void_p * len(kv_cache)
            keys = pointers(*(layer[0].data_ptr() for layer in kv_cache))
            values = pointers(*(layer[1].data_ptr() for layer in kv_cache))
            self._pools = (kv_cache, keys, values)
        return keys, values

    def _layer(self, layer: LayerSpec, weights: LayerWeights[QuantisedLinear]) -> library.CLayer:
        qk_norm = weights.qk_norm
        return library.CLayer(
            qkv=self._linear(weights.qkv),
            output=self._linear(weights.output),
            gate_up=self._linear(weights.gate_up),
            down=self._linear(weights.down),
            attention_norm=self._vector(weights.attention_norm),
            mlp_norm=self._vector(weights.mlp_norm),
            qk_norm=None if qk_norm is None else self._keep(qk_norm.contiguous()),
            window=layer.window or 0,
            has_rope=layer.has_rope,
        )

    def _linear(self, linear: QuantisedLinear) -> library.CLinear:
        self._kept.append(linear)
        return linear.described()

    def _table(self, table: Tensor) -> library.CLinear:
        padded = functional.pad(table, (0, -table.shape[1] % library.GROUP))
        rows, columns = padded.shape
        return library.CLinear(weights=self._keep(padded), rows=rows, columns=columns, bits=16)

    def _vector(self, values: Tensor) -> int:
        """Return the address of a norm's weight, padded as the rows that it multiplies are."""
        return self._keep(functional.pad(values.float(), (0, -values.shape[0] % library.GROUP)))

    def _keep(self, tensor: Tensor) -> int:
        tensor = tensor.contiguous()
        self._kept.append(tensor)
        return tensor.data_ptr()
