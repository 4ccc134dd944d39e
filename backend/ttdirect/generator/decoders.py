"""From a checkpoint's tensors to the decoder that computes its precision fastest here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import torch

from ttdirect.generator import families, threads
from ttdirect.generator.cuda import load_on_gpu
from ttdirect.generator.kv_cache import KVCache, allocate_kv_cache, kv_cache_bytes
from ttdirect.generator.linear import Linear, stack
from ttdirect.generator.memory import check_memory
from ttdirect.generator.native.library import GROUP
from ttdirect.generator.packing import Packer
from ttdirect.generator.precision import IntegerPrecision, without_library
from ttdirect.generator.quantised import QuantisedLinear, QuantisedTransformer, can_compute
from ttdirect.generator.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from ttdirect.generator.config import ModelSpec
    from ttdirect.generator.kv_cache import PagedAttentionConfig
    from ttdirect.generator.precision import FloatPrecision, Precision

    Progress = Callable[[str, float], None]

HEAD_BITS = 8
"""The head chooses the token, and often is the embedding table too: 4 bits would be felt there."""

Decoder: TypeAlias = Transformer | QuantisedTransformer


@dataclass(frozen=True)
class Limits:
    """What a model is loaded for: rows of a decode step, tokens of a text, size of the cache."""

    max_batch_size: int
    max_seq_len: int
    pool: PagedAttentionConfig


@dataclass(frozen=True)
class LoadedDecoder:
    """A model with its cache; `weight_bytes` is what its matrices hold."""

    model: Decoder
    kv_cache: KVCache
    precision: Precision
    weight_bytes: int


def load_decoder(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: Precision,
    limits: Limits,
    *,
    progress: Progress,
    device: torch.device,
) -> LoadedDecoder:
    """Load a model of one of the families.

    The KV cache is filled with zeros at once, so that a server which says that it is ready has its
    memory, and the first long answer does not wait for it.

    Args:
        spec: from `parse_config`.
        tensors: the checkpoint's, by name.
        precision: from `choose_precision`.
        limits: what to load it for.
        progress: called with a phase and a fraction 0..1.
        device: the CPU or a GPU.

    Raises:
        NotEnoughMemoryError: weights and cache would not fit.
        NotACheckpointError: a tensor is missing, or does not have the shape that the config gives.
    """
    if device.type == "cuda":
        return LoadedDecoder(
            *load_on_gpu(spec, tensors, precision, limits, device=device, progress=progress)
        )
    if isinstance(precision, IntegerPrecision) and not can_compute(spec):
        precision = without_library(precision)
    shape = (spec.n_layers, spec.n_kv_heads, spec.head_dim, precision.cache)
    if isinstance(precision, IntegerPrecision):
        matrices, table = _integer_bytes(spec, precision)
        check_memory(matrices + table, kv_cache_bytes(limits.pool, *shape))
        model, matrices = _load_integers(
            spec, tensors, precision, limits, expected_bytes=matrices, progress=progress
        )
    else:
        matrices, table, head = _float_bytes(spec, precision)
        check_memory(matrices + table, kv_cache_bytes(limits.pool, *shape), repacked_bytes=head)
        model, matrices = _load_floats(spec, tensors, precision, limits, progress)
    kv_cache = allocate_kv_cache(limits.pool, *shape)
    return LoadedDecoder(model, kv_cache, precision, matrices + table)


def _integer_bytes(spec: ModelSpec, precision: IntegerPrecision) -> tuple[int, int]:
    """Return the bytes of the matrices, and of an embedding table that is not the head."""
    scale_bits = 16 / GROUP
    layers = spec.n_layers * spec.layer_parameters * (precision.bits + scale_bits)
    head = spec.embedding_parameters * (HEAD_BITS + scale_bits)
    table = 0 if spec.tied_embeddings else spec.embedding_parameters * precision.rounding.itemsize
    return round(layers + head) // 8, table


def _load_integers(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: IntegerPrecision,
    limits: Limits,
    *,
    expected_bytes: int,
    progress: Progress,
) -> tuple[QuantisedTransformer, int]:
    """Return the model and the bytes of its matrices."""
    packer = Packer.of(spec, tensors, (precision.bits, HEAD_BITS), expected_bytes)

    def make(bits: int) -> Callable[[Sequence[Tensor], Tensor | None], QuantisedLinear]:
        def linear(parts: Sequence[Tensor], bias: Tensor | None) -> QuantisedLinear:
            rounded = (part.to(precision.rounding) for part in parts)
            return QuantisedLinear.of(packer.pack(rounded, bits), bias)

        return linear

    weights = families.load_weights(
        spec,
        tensors,
        precision.rounding,
        make_linear=make(precision.bits),
        make_head=make(HEAD_BITS),
        make_table=lambda stored: stored.to(precision.rounding, copy=not spec.tied_embeddings),
        progress=progress,
    )
    count = threads.choose_threads(2 * weights.matrix_bytes, torch.get_num_threads())
    model = QuantisedTransformer(
        spec, weights, limits.max_seq_len, limits.pool.block_size, threads=count
    )
    packer.keep_later()
    return model, weights.matrix_bytes


def _float_bytes(spec: ModelSpec, precision: FloatPrecision) -> tuple[int, int, int]:
    """Return the bytes of the matrices, of the embedding table, and of the largest matrix.

    The table is there beside a head of the same values: packed for products, that has another
    order.
    """
    head = spec.embedding_parameters * precision.compute.itemsize
    layers = spec.n_layers * spec.layer_parameters * precision.compute.itemsize
    return layers + head, spec.embedding_parameters * precision.rounding.itemsize, head


def _load_floats(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: FloatPrecision,
    limits: Limits,
    progress: Progress,
) -> tuple[Transformer, int]:
    """Return the model and the bytes of its matrices."""

    def linear(parts: Sequence[Tensor], bias: Tensor | None) -> Linear:
        return Linear(stack(parts, precision), bias, precision)

    weights = families.load_weights(
        spec,
        tensors,
        precision.rounding,
        make_linear=linear,
        make_head=linear,
        make_table=lambda stored: stored.to(precision.rounding, copy=True),
        progress=progress,
    )
    available = torch.get_num_threads()
    torch.set_num_threads(threads.choose_threads(weights.matrix_bytes, available))
    progress("measuring the CPU", 1.0)
    model = Transformer(spec, weights, limits.max_batch_size, limits.max_seq_len)
    return model, weights.matrix_bytes
