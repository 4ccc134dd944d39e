"""The engine over the CPU's Generator, in the shapes of tt-metal's eras, with a real model."""

import pytest

from checkpoints import build_model, save_model
from engine_on_cpu import engine_on_cpu
from engine_on_fakes import text_of
from generator_flavours import GeneratorA, GeneratorC, GeneratorD

QUESTIONS = [
    (f"the {animal}", {"temperature": n % 2, "seed": n, "max_tokens": 5 + n, "stop": ("qu",)})
    for n, animal in enumerate(("fox", "dog", "quick brown fox", "lazy dog", "", "fox and dog"))
]


@pytest.mark.slow
def test_the_texts_are_the_same_in_every_era_alone_and_together(tmp_path):
    checkpoint = save_model(build_model("llama"), tmp_path)
    with engine_on_cpu(GeneratorA, checkpoint, max_seq_len=128) as engine:
        alone = [text_of(engine.ask(prompt, **options)) for prompt, options in QUESTIONS]
    assert len(set(alone)) > 3
    for flavour in (GeneratorA, GeneratorC, GeneratorD):
        with engine_on_cpu(flavour, checkpoint, max_seq_len=128) as engine:
            together = [engine.ask(prompt, **options) for prompt, options in QUESTIONS]
            assert [text_of(completion) for completion in together] == alone
