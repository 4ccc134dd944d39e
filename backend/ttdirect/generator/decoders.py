"""From a checkpoint's tensors to the decoder that computes its precision fastest on this CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from ttdirect.generator import families, threads
from ttdirect.generator.kv_cache import KVCache, allocate_kv_cache, kv_cache_bytes
from ttdirect.generator.linear import Linear
from ttdirect.generator.memory import check_memory
from ttdirect.generator.precision import Precision, without_library
from ttdirect.generator.quantised import QuantisedLinear, QuantisedTransformer, can_compute
from ttdirect.generator.transformer import Transformer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from ttdirect.generator.config import ModelSpec
    from ttdirect.generator.kv_cache import PagedAttentionConfig

    Progress = Callable[[str, float], None]

HEAD_BITS = 8
"""The head chooses the token, and often is the embedding table too: 4 bits would be felt there."""


@dataclass(frozen=True)
class Limits:
    """What a model is loaded for: rows of a decode step, tokens of a text, size of the cache."""

    max_batch_size: int
    max_seq_len: int
    pool: PagedAttentionConfig


@dataclass(frozen=True)
class LoadedDecoder:
    """A model with its cache; `weight_bytes` is what its matrices hold."""

    model: Transformer | QuantisedTransformer
    kv_cache: KVCache
    precision: Precision
    weight_bytes: int


def load_decoder(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: Precision,
    limits: Limits,
    progress: Progress,
) -> LoadedDecoder:
    """Load a model of one of the families.

    Args:
        spec: from `parse_config`.
        tensors: the checkpoint's, by name.
        precision: from `choose_precision`.
        limits: what to load it for.
        progress: called with a phase and a fraction 0..1.

    Raises:
        NotEnoughMemoryError: weights and cache would not fit.
        NotACheckpointError: a tensor is missing, or does not have the shape that the config gives.
    """
    if precision.bits and can_compute(spec):
        return _load_integers(spec, tensors, precision, limits, progress)
    if precision.bits:
        precision = without_library(precision)
    return _load_floats(spec, tensors, precision, limits, progress)


def _load_integers(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: Precision,
    limits: Limits,
    progress: Progress,
) -> LoadedDecoder:
    bits = precision.bits or HEAD_BITS
    shape = (spec.n_layers, spec.n_kv_heads, spec.head_dim, precision.cache)
    table = 0 if spec.tied_embeddings else spec.embedding_parameters * precision.rounding.itemsize
    layers = spec.n_layers * spec.layer_parameters * bits // 8
    weight_bytes = layers + spec.embedding_parameters * HEAD_BITS // 8 + table
    largest = spec.embedding_parameters * precision.compute.itemsize
    check_memory(weight_bytes, kv_cache_bytes(limits.pool, *shape), largest)
    weights = families.load_weights(
        spec,
        tensors,
        precision,
        make_linear=lambda weight, bias: QuantisedLinear.of(weight, bias, bits),
        make_head=lambda weight, bias: QuantisedLinear.of(weight, bias, HEAD_BITS),
        progress=progress,
    )
    weight_bytes = weights.matrix_bytes + table
    model = QuantisedTransformer(
        spec,
        weights,
        limits.max_seq_len,
        limits.pool.block_size,
        threads.choose_threads(2 * weight_bytes, torch.get_num_threads()),
    )
    kv_cache = allocate_kv_cache(limits.pool, *shape)
    return LoadedDecoder(model, kv_cache, precision, weight_bytes)


def _load_floats(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: Precision,
    limits: Limits,
    progress: Progress,
) -> LoadedDecoder:
    shape = (spec.n_layers, spec.n_kv_heads, spec.head_dim, precision.cache)
    size = precision.compute.itemsize
    layers = spec.n_layers * spec.layer_parameters * size
    head = spec.embedding_parameters * size
    table = spec.embedding_parameters * precision.rounding.itemsize
    check_memory(layers + head + table, kv_cache_bytes(limits.pool, *shape), head)

    def linear(weight: Tensor, bias: Tensor | None) -> Linear:
        return Linear(weight, bias, precision)

    weights = families.load_weights(
        spec, tensors, precision, make_linear=linear, make_head=linear, progress=progress
    )
    weight_bytes = weights.matrix_bytes + table
    torch.set_num_threads(threads.choose_threads(weight_bytes, torch.get_num_threads()))
    progress("measuring the CPU", 1.0)
    model = Transformer(spec, weights, limits.max_batch_size, limits.max_seq_len)
    kv_cache = allocate_kv_cache(limits.pool, *shape)
    return LoadedDecoder(model, kv_cache, precision, weight_bytes)
