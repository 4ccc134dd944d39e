"""Warming up a card in two phases: first compile everything, then record traces.

Once a trace is recorded, memory that is allocated later may lie in what the trace writes to, and
"Cannot load new binaries during trace capture" ends a recording that meets a new program. So every
length of prompt, and the decode, run untraced first (vllm-tt-plugin `warmup_model`, tt-metal commit
5043de3df5), and then once more with traces. tt-metal's own methods know what a model needs; eras 0
and A have none, and get a prompt of each length and one decode. All of it reads and writes block 0.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from ttdirect.engine.card_settings import Trace
from ttdirect.engine.device_sampling import neutral
from ttdirect.engine.eras import known, names_of

if TYPE_CHECKING:
    from ttdirect.engine.adapter import AdaptedGenerator
    from ttdirect.engine.lifecycle import Shapes

SHORTEST = 128
"""Prompts are padded to at least so many tokens in every era (tt-metal `tt/common.py`)."""


def warm_up(adapted: AdaptedGenerator, kv_cache: Any, shapes: Shapes) -> None:
    """Compile and record what requests will need.

    Args:
        adapted: the Generator.
        kv_cache: list with one cache for each data-parallel model.
        shapes: of the calls that will come.

    Raises:
        Exception: what `shapes.pause` raises, called before each part.
    """
    generator = adapted.generator
    if adapted.samples_on_device:
        # Each combination of penalties and log-probabilities would be a trace of its own; we ask
        # for none of them (tt-metal 2026, `models/common/warmup/warmup_utils.py`).
        os.environ.setdefault("TT_LEAN_DECODE_WARMUP", "1")
    _warm_prefill(adapted, kv_cache, shapes, traces=False)
    if shapes.unit is not None and adapted.can_trace_prompts:
        _continue_prompts(adapted, kv_cache, shapes, shapes.unit)
    _warm_decode(adapted, kv_cache, shapes, traces=False)
    if adapted.settings.trace is not Trace.OFF:
        if adapted.traces_prompts:
            generator.already_warmed_up_prefill = False  # else the second time returns at once
            _warm_prefill(adapted, kv_cache, shapes, traces=True)
        _warm_decode(adapted, kv_cache, shapes, traces=True)
    if hasattr(generator, "prev_page_table"):
        generator.prev_page_table = None  # else the first request's table could look unchanged


def _warm_prefill(
    adapted: AdaptedGenerator, kv_cache: Any, shapes: Shapes, *, traces: bool
) -> None:
    method = _method(adapted.generator, "warmup_model_prefill")
    if method is not None:
        shapes.pause()
        method(**_arguments(adapted, method, kv_cache, shapes, traces=traces))
        return
    for length in prompt_lengths(adapted, shapes):
        for slot in _first_slots(adapted, shapes):
            shapes.pause()
            adapted.prefill_for_warm_up(length, 0, slot, shapes.columns, kv_cache, traces=traces)


def _continue_prompts(
    adapted: AdaptedGenerator, kv_cache: Any, shapes: Shapes, cached: int
) -> None:
    """Go on behind a cached beginning: other programs than a prompt's first part needs."""
    for length in prompt_lengths(adapted, shapes):
        # The rest of the longest one is shorter than its padded length, and padded to it.
        whole = min(cached + length, shapes.max_seq_len)
        if whole > cached:
            for slot in _first_slots(adapted, shapes):
                shapes.pause()
                adapted.prefill_for_warm_up(
                    whole, cached, slot, shapes.columns, kv_cache, traces=False
                )


def _warm_decode(adapted: AdaptedGenerator, kv_cache: Any, shapes: Shapes, *, traces: bool) -> None:
    shapes.pause()
    method = _method(adapted.generator, "warmup_model_decode")
    if method is not None:
        method(**_arguments(adapted, method, kv_cache, shapes, traces=traces))
        return
    sampling = [neutral(shapes.rows)] if adapted.samples_on_device else []
    for chooses in (None, *sampling):
        adapted.decode_for_warm_up(shapes.rows, shapes.columns, kv_cache, chooses, traces=traces)


def prompt_lengths(adapted: AdaptedGenerator, shapes: Shapes) -> list[int]:
    """The padded lengths of prompts that will come, the shortest first.

    The last is the first that the model does not take in one pass (its `max_prefill_chunk_size`,
    which depends on model and board): longer ones run the same programs more often.
    """
    most = shapes.piece
    passes = [getattr(args, "max_prefill_chunk_size", most) for args in adapted.model_args]
    lengths = [adapted.padded_length(SHORTEST)]
    while lengths[-1] < most and lengths[-1] <= min(passes, default=most):
        lengths.append(adapted.padded_length(lengths[-1] + 1))
    return [min(length, shapes.max_seq_len) for length in lengths]


def _arguments(
    adapted: AdaptedGenerator, method: Any, kv_cache: Any, shapes: Shapes, *, traces: bool
) -> dict[str, Any]:
    arguments = {
        "kv_cache": kv_cache,
        "enable_trace": traces,
        "max_batch_size": shapes.rows,
        "num_blocks": shapes.columns,
        "can_sample_on_device": adapted.samples_on_device,
        # Until spring 2026 it was asked the other way round; both mean top-k beside greedy.
        "non_greedy_decoding_on_device": adapted.samples_on_device,
        "greedy_only": False,
    }
    return known(arguments, names_of(method))


def _method(generator: Any, name: str) -> Any:
    """A warm-up method, if there is one whose arguments have the names that we know."""
    method = getattr(generator, name, None)
    return method if method is not None and "kv_cache" in names_of(method) else None


def _first_slots(adapted: AdaptedGenerator, shapes: Shapes) -> range:
    """The first row of each data-parallel model: each compiles and records for itself."""
    return range(0, shapes.rows, shapes.rows // adapted.data_parallel)
