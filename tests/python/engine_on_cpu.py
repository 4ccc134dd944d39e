"""The real engine over the CPU's Generator, or a double of it, with a real checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ttdirect import generator as ttnn
from ttdirect.engine import Engine, LoadedModel, State, adapt
from ttdirect.engine.card_settings import CardSettings
from waiting import PATIENCE_SECONDS, wait_until

SLOTS, BLOCK = 4, 32


@contextmanager
def engine_on_cpu(
    generator_class: Callable[[list, list, Any], Any],
    checkpoint: Path,
    *,
    max_seq_len: int,
    settings: CardSettings | None = None,
    slots: int = SLOTS,
    models: int = 1,
    **options: Any,
) -> Iterator[Engine]:
    """An engine that is ready, over a Generator of this class; always stopped at the end.

    It has blocks enough for every slot, and computes as the user's script has it. Its Generator is
    in `engine.model.decode.generator`.

    Args:
        generator_class: the Generator.
        checkpoint: the model's folder.
        max_seq_len: tokens of prompt and answer together.
        settings: how a card would be driven; as it comes unless given.
        slots: rows of each model.
        models: data-parallel models.
        options: those of `Engine`.
    """
    blocks = 1 + slots * max_seq_len // BLOCK

    def initialize(_phase: Any) -> LoadedModel:
        mesh_device = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
        loaded = [
            ttnn.create_tt_model(
                mesh_device,
                instruct=True,
                max_batch_size=slots,
                optimizations=lambda args: ttnn.DecodersPrecision.performance(
                    args.n_layers, args.model_name
                ),
                max_seq_len=max_seq_len,
                paged_attention_config=ttnn.PagedAttentionConfig(
                    block_size=BLOCK, max_num_blocks=blocks
                ),
                dtype=ttnn.bfloat8_b,
            )
            for _ in range(models)
        ]
        model_args = loaded[0][0]
        kv_caches = [kv_cache for _, _, kv_cache, _ in loaded]
        generator = adapt(
            generator_class([it[1] for it in loaded], [it[0] for it in loaded], mesh_device),
            settings or CardSettings(),
        )

        def prefill(tokens: Any, size: int, table: Any, slot: int, cached: int = 0) -> Any:
            return generator.prefill_forward_text(
                tokens,
                page_table=table,
                kv_cache=kv_caches,
                prompt_lens=[size],
                empty_slots=[slot],
                start_pos=[cached],
            )

        def decode(tokens: Any, positions: Any, table: Any, sampling: Any = None) -> Any:
            return generator.decode_forward_text(
                tokens, positions, page_table=table, kv_cache=kv_caches, sampling=sampling
            )

        decode.generator = generator.generator
        return LoadedModel(
            prefill=prefill,
            decode=decode,
            tokenizer=model_args.tokenizer,
            name=model_args.model_name,
            device="CPU",
            vocab_size=model_args.vocab_size,
            close=lambda: ttnn.close_mesh_device(mesh_device),
            continues_prompts=generator.continues_prompts,
            verifies_drafts=generator.verifies_drafts,
            memory=generator.memory,
            samples_on_device=generator.samples_on_device,
            padded_length=generator.padded_length,
            longest_pass=generator.longest_pass,
            warm_up=lambda shapes: generator.warm_up(kv_caches, shapes),
        )

    engine = Engine(
        initialize,
        max_batch_size=slots * models,
        max_seq_len=max_seq_len,
        block_size=BLOCK,
        num_blocks=blocks,
        data_parallel=models,
        **options,
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
