"""The engine over the CPU's Generator, in the shapes of tt-metal's eras, with a real model."""

import pytest

from checkpoints import build_model, save_model
from engine_on_fakes import text_of
from generator_flavours import GeneratorA, GeneratorC, GeneratorD
from ttdirect import generator as ttnn
from ttdirect.engine import Engine, LoadedModel, State, adapt
from waiting import PATIENCE_SECONDS, wait_until

SLOTS, MAX_SEQ_LEN, BLOCK, BLOCKS = 4, 128, 32, 17
QUESTIONS = [
    (f"the {animal}", {"temperature": n % 2, "seed": n, "max_tokens": 5 + n, "stop": ("qu",)})
    for n, animal in enumerate(("fox", "dog", "quick brown fox", "lazy dog", "", "fox and dog"))
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_model(build_model("llama"), tmp_path_factory.mktemp("llama"))


@pytest.fixture
def serve(checkpoint, monkeypatch):
    """A function that starts an engine over a Generator of the class it is given."""
    monkeypatch.setenv("HF_MODEL", str(checkpoint))
    engines = []

    def start(generator_class):
        def initialize(phase):
            mesh_device = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
            model_args, model, kv_cache, _ = ttnn.create_tt_model(
                mesh_device,
                instruct=True,
                max_batch_size=SLOTS,
                optimizations=lambda args: ttnn.DecodersPrecision.accuracy(
                    args.n_layers, args.model_name
                ),
                max_seq_len=MAX_SEQ_LEN,
                paged_attention_config=ttnn.PagedAttentionConfig(
                    block_size=BLOCK, max_num_blocks=BLOCKS
                ),
                dtype=ttnn.bfloat16,
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
            )

        engine = Engine(
            initialize,
            max_batch_size=SLOTS,
            max_seq_len=MAX_SEQ_LEN,
            block_size=BLOCK,
            num_blocks=BLOCKS,
        )
        engines.append(engine)
        engine.start()
        wait_until(lambda: engine.state is not State.LOADING, "the end of loading")
        assert engine.state is State.READY, engine.health().note
        return engine

    yield start
    for engine in engines:
        engine.drain(0.0)
        assert engine.join(PATIENCE_SECONDS)


@pytest.mark.slow
def test_the_texts_are_the_same_in_every_era_alone_and_together(serve):
    engine = serve(GeneratorA)
    alone = [text_of(engine.ask(prompt, **options)) for prompt, options in QUESTIONS]
    assert len(set(alone)) > 3
    for flavour in (GeneratorA, GeneratorC, GeneratorD):
        engine = serve(flavour)
        together = [engine.ask(prompt, **options) for prompt, options in QUESTIONS]
        assert [text_of(completion) for completion in together] == alone
