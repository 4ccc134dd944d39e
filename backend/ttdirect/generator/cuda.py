"""Models on an NVIDIA GPU, through PyTorch: does one fit, how is it loaded, and CUDA graphs.

The decoder itself is `graphed`, which knows tensors and no GPU.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from ttdirect.generator import families
from ttdirect.generator.attention import TILE
from ttdirect.generator.errors import NotEnoughMemoryError
from ttdirect.generator.graphed import GraphedTransformer
from ttdirect.generator.kv_cache import allocate_kv_cache, kv_cache_bytes
from ttdirect.generator.linear import Linear, stack
from ttdirect.generator.precision import (
    EMULATED_BF16,
    EXACT,
    NATIVE_BF16,
    IntegerPrecision,
)
from ttdirect.generator.segments import segment_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from ttdirect.generator.config import ModelSpec
    from ttdirect.generator.decoders import Limits
    from ttdirect.generator.graphed import Capture, Step
    from ttdirect.generator.kv_cache import KVCache
    from ttdirect.generator.precision import FloatPrecision, Precision
    from ttdirect.generator.transformer import Weights

WARM_UPS = 3
"""Runs before a capture, in which libraries choose their kernels and take their memory."""

_AMPERE = (8, 0)
"""The first compute capability with bfloat16 products; older GPUs multiply in float32."""
_LIBRARY_BYTES = 256 << 20
"""What PyTorch and cuBLAS keep for themselves."""
_GIB = 1 << 30


def gpu_precision(wanted: Precision) -> FloatPrecision:
    """Return how this GPU computes what a precision means on a CPU: bfloat16, or float32 if asked.

    Integer weights are for CPUs, so bfloat16 stands in for them, and the name says so.
    """
    if wanted is EXACT:
        return EXACT
    because = (
        f", because int{wanted.bits} is for CPUs" if isinstance(wanted, IntegerPrecision) else ""
    )
    if torch.cuda.get_device_capability() >= _AMPERE:
        return replace(NATIVE_BF16, name=f"bfloat16{because}")
    return replace(EMULATED_BF16, name=f"bfloat16 weights computed in float32{because}")


def check_gpu_memory(
    spec: ModelSpec, precision: FloatPrecision, limits: Limits, device: torch.device
) -> None:
    """Refuse a model that would not fit: weights, KV cache, and what a step needs.

    Raises:
        NotEnoughMemoryError: with the numbers, and what can be done about it.
    """
    tables = 1 if spec.tied_embeddings else 2
    parameters = spec.n_layers * spec.layer_parameters + tables * spec.embedding_parameters
    weights = parameters * precision.compute.itemsize
    shape = (spec.n_layers, spec.n_kv_heads, spec.head_dim, precision.cache)
    cache = kv_cache_bytes(limits.pool, *shape)
    working = working_bytes(spec, precision, limits)
    needed = weights + cache + working
    free, total = torch.cuda.mem_get_info(device)
    if needed <= free:
        return
    raise NotEnoughMemoryError(
        f"The model needs {needed / _GIB:.1f} GiB on the GPU ({weights / _GIB:.1f} weights, "
        f"{cache / _GIB:.1f} KV cache, {working / _GIB:.1f} to compute), and {free / _GIB:.1f} of "
        f"its {total / _GIB:.1f} GiB are free.",
        "End what else uses the GPU, lower max_num_blocks (the KV cache) or max_batch_size, choose "
        "a smaller model, or use the CPU: --device cpu, or TTDIRECT_DEVICE=cpu.",
    )


def working_bytes(spec: ModelSpec, precision: FloatPrecision, limits: Limits) -> int:
    """Return an upper estimate of what prefill and decode need beside weights and cache."""
    ends = segment_ends(limits.max_seq_len, limits.pool.block_size)
    widest = (ends[-1] - (ends[-2] if len(ends) > 1 else 0)) * limits.pool.block_size
    # A segment's keys and values, as they are in the cache and in float32.
    head = spec.n_kv_heads * spec.head_dim * (precision.cache.itemsize + 4)
    attention = 2 * limits.max_batch_size * widest * head
    logits = 2 * len(ends) * limits.max_batch_size * spec.vocab_size * 4
    prompt = TILE * 4 * (8 * spec.mlp_size + 2 * spec.n_heads * limits.max_seq_len)
    return attention + logits + prompt + _LIBRARY_BYTES


def load_on_gpu(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: Precision,
    limits: Limits,
    *,
    device: torch.device,
    progress: Callable[[str, float], None],
) -> tuple[GraphedTransformer, KVCache, FloatPrecision, int]:
    """Load a model of one of the families onto a GPU and capture its decode step.

    The arguments are those of `decoders.load_decoder`.

    Returns:
        The model, its cache, the precision that it has there, and the bytes of its matrices.

    Raises:
        NotEnoughMemoryError: weights and cache would not fit on the GPU.
        NotACheckpointError: a tensor is missing, or does not have the shape that the config gives.
    """
    floats = gpu_precision(precision)
    check_gpu_memory(spec, floats, limits, device)
    model, kv_cache, weight_bytes = load_graphed(
        spec, tensors, floats, limits, device=device, capture=GraphCapture(), progress=progress
    )
    progress("capturing CUDA graphs", 1.0)
    model.capture(kv_cache)
    return model, kv_cache, floats, weight_bytes


def load_graphed(
    spec: ModelSpec,
    tensors: Mapping[str, Tensor],
    precision: FloatPrecision,
    limits: Limits,
    *,
    device: torch.device,
    capture: Capture,
    progress: Callable[[str, float], None],
) -> tuple[GraphedTransformer, KVCache, int]:
    """Load a model onto `device`, to be captured by `capture`; also return its matrices' bytes."""

    def linear(parts: Sequence[Tensor], bias: Tensor | None) -> Linear:
        return Linear(stack(parts, precision, device), bias, precision)

    tables: list[Tensor] = []

    def table(stored: Tensor) -> Tensor:
        tables.append(stack([stored], precision, device))
        return tables[0]

    def head(parts: Sequence[Tensor], bias: Tensor | None) -> Linear:
        # Tied, the head's weight is the embedding table: no second copy of it on the device.
        return Linear(tables[0], bias, precision) if spec.tied_embeddings else linear(parts, bias)

    loaded = families.load_weights(
        spec,
        tensors,
        precision.rounding,
        make_linear=linear,
        make_head=head,
        make_table=table,
        progress=progress,
    )
    weights = _move_vectors(loaded, device)
    model = GraphedTransformer(spec, weights, limits, capture)
    shape = (spec.n_layers, spec.n_kv_heads, spec.head_dim, precision.cache)
    kv_cache = allocate_kv_cache(limits.pool, *shape, device=device)
    own_table = 0 if spec.tied_embeddings else weights.embedding.nbytes
    return model, kv_cache, weights.matrix_bytes + own_table


def _move_vectors(weights: Weights[Linear], device: torch.device) -> Weights[Linear]:
    layers = tuple(
        replace(
            layer,
            attention_norm=layer.attention_norm.to(device),
            mlp_norm=layer.mlp_norm.to(device),
            qk_norm=None if layer.qk_norm is None else layer.qk_norm.to(device),
        )
        for layer in weights.layers
    )
    return replace(weights, layers=layers, final_norm=weights.final_norm.to(device))


class GraphCapture:
    """Captures steps as CUDA graphs, which share their working memory.

    They may, because only one of them runs at a time and its result is read before the next one.
    """

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step) -> Step:
        """Run `step` a few times, record it, and return what replays it."""
        stream = torch.cuda.Stream()  # as PyTorch's notes on CUDA graphs ask: warm up on another
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            logits = step()

        def replay() -> Tensor:
            graph.replay()
            return logits

        return replay
