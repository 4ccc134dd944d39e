"""The real engine over the CPU's Generator, or a double of it, with a real checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ttdirect import generator as ttnn
from ttdirect.engine import Engine, LoadedModel, State, adapt
from waiting import PATIENCE_SECONDS, wait_until

SLOTS, BLOCK = 4, 32


@contextmanager
def engine_on_cpu(
    generator_class: Callable[[list, list, Any], Any], checkpoint: Path, *, max_seq_len: int
) -> Iterator[Engine]:
    """An engine that is ready, over a Generator of this class; always stopped at the end.

    It has blocks enough for every slot, and computes as the user's script has it.
    """
    blocks = 1 + SLOTS * max_seq_len // BLOCK

    def initialize(_phase: Any) -> LoadedModel:
        mesh_device = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
        model_args, model, kv_cache, _ = ttnn.create_tt_model(
            mesh_device,
            instruct=True,
            max_batch_size=SLOTS,
            optimizations=lambda args: ttnn.DecodersPrecision.performance(
                args.n_layers, args.model_name
            ),
            max_seq_len=max_seq_len,
            paged_attention_config=ttnn.PagedAttentionConfig(
                block_size=BLOCK, max_num_blocks=blocks
            ),
            dtype=ttnn.bfloat8_b,
        )
        generator = adapt(generator_class([model], [model_args], mesh_device))
        return LoadedModel(
            prefill=lambda tokens, size, table, slot: generator.prefill_forward_text(
                tokens,
                page_table=table,
                kv_cache=[kv_cache],
                prompt_lens=[size],
                empty_slots=[slot],
            ),
            decode=lambda tokens, positions, table: generator.decode_forward_text(
                tokens, positions, page_table=table, kv_cache=[kv_cache]
            ),
            tokenizer=model_args.tokenizer,
            name=model_args.model_name,
            device="CPU",
            vocab_size=model_args.vocab_size,
            close=lambda: ttnn.close_mesh_device(mesh_device),
            verifies_drafts=generator.verifies_drafts,
        )

    engine = Engine(
        initialize,
        max_batch_size=SLOTS,
        max_seq_len=max_seq_len,
        block_size=BLOCK,
        num_blocks=blocks,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_MODEL", str(checkpoint))
        engine.start()
        try:
            wait_until(lambda: engine.state is not State.LOADING, "the end of loading")
            assert engine.state is State.READY, engine.health().note
            yield engine
        finally:
            engine.drain(0.0)
            assert engine.join(PATIENCE_SECONDS)
