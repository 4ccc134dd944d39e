"""The engine serves the same texts over the Generator of every tt-metal era."""

import pytest

from engine.era_stubs import Stub0, StubA, StubB, StubC, StubD, StubLateB
from engine_on_fakes import running_engine, text_of
from fake_generator import FakeGenerator

MAX_SEQ_LEN, SLOTS, BLOCK = 256, 4, 8


@pytest.mark.parametrize("stub", [Stub0, StubA, StubB, StubLateB, StubC, StubD])
def test_the_texts_are_those_of_every_other_era(stub, alone):
    questions = [
        (f"question {n}", {"temperature": n % 2, "seed": n, "stop": ("e",) if n % 3 else ()})
        for n in range(12)
    ]
    generator = stub(FakeGenerator(SLOTS, BLOCK, 129, max_seq_len=MAX_SEQ_LEN))
    with running_engine(
        generator=generator, max_batch_size=SLOTS, max_seq_len=MAX_SEQ_LEN, block_size=BLOCK
    ) as engine:
        asked = [engine.ask(prompt, **options) for prompt, options in questions]
        texts = [(text_of(c), c.figures.finish_reason) for c in asked]
    assert texts == [alone(prompt, **options) for prompt, options in questions]
