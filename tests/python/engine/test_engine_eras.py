"""The engine serves the same texts over the Generator of every tt-metal era."""

import pytest
import torch

from fakes import FakeGenerator, running_engine, text_of
from ttdirect.engine.adapter import HOST_SAMPLING_COMMANDS

MAX_SEQ_LEN, SLOTS, BLOCK = 256, 4, 8


class Era:
    """A Generator with the methods of its time over a `FakeGenerator`."""

    def __init__(self):
        self.fake = FakeGenerator(SLOTS, BLOCK, 129, max_seq_len=MAX_SEQ_LEN)
        self.kv_cache = self.fake.kv_cache


class EraA(Era):
    """Late 2025: plain logits; a page table compared with a kept reference; a vision trap."""

    last_table = None

    def prefill_forward_text(
        self, tokens, page_table=None, kv_cache=None, prompt_lens=None, empty_slots=None
    ):
        return self.fake.prefill_forward_text(
            tokens, page_table, kv_cache, prompt_lens, empty_slots, warmup_prefill=False
        )

    def decode_forward_text(
        self,
        tokens,
        start_pos,
        page_table=None,
        kv_cache=None,
        enable_trace=True,
        read_from_device=True,
        sampling_params=None,
    ):
        assert enable_trace
        assert read_from_device
        assert sampling_params is None
        assert page_table is not self.last_table, "a change in place would not be noticed"
        self.last_table = page_table
        return self.fake.decode_forward_text(tokens, start_pos, page_table, kv_cache)

    def decode_forward(self, position_id, tokens, prefill_cross_attention_masks):
        raise AssertionError("this is the decode of the vision models")


class EraC(Era):
    """2026: results are tuples, decode has a new name, prefill hides its names."""

    def prefill_forward_text(self, *args, **kwargs):
        return self._prefill_forward_text_impl(*args, **kwargs)

    def _prefill_forward_text_impl(
        self,
        tokens,
        page_table=None,
        kv_cache=None,
        prompt_lens=None,
        empty_slots=None,
        enable_trace=True,
        model_id_warmup=None,
        sampling_params=None,
        start_pos=None,
        return_hidden_states=False,
        warmup_prefill=True,
        **kwargs,
    ):
        assert not kwargs, "unknown names go on to the model"
        logits = self.fake.prefill_forward_text(
            tokens, page_table, kv_cache, prompt_lens, empty_slots, warmup_prefill=warmup_prefill
        )
        return logits, torch.ones(1)

    def decode_forward(
        self,
        tokens,
        start_pos,
        page_table=None,
        kv_cache=None,
        enable_trace=True,
        read_from_device=True,
        sampling_params=None,
        reset_batch=False,
        slot_remap=None,
        **kwargs,
    ):
        assert not kwargs, "the commands of the next era would be swallowed in silence"
        logits = self.fake.decode_forward_text(tokens, start_pos, page_table, kv_cache)
        return logits, torch.ones(SLOTS)


class EraD(EraC):
    """From the decode contract on: four required commands, two of which exclude each other."""

    decode_input_update_contract = 1

    def decode_forward(
        self,
        tokens,
        start_pos,
        page_table=None,
        kv_cache=None,
        enable_trace=True,
        read_from_device=True,
        sampling_params=None,
        slot_remap=None,
        defer_device_sampling=False,
        *,
        reload_inputs,
        reload_page_table,
        reload_sampling_params,
        reset_sampling_state,
    ):
        commands = {name: v for name, v in locals().items() if name in HOST_SAMPLING_COMMANDS}
        assert commands == {
            "reload_inputs": True,
            "reload_page_table": False,
            "reload_sampling_params": False,
            "reset_sampling_state": False,
        }
        logits = self.fake.decode_forward_text(tokens, start_pos, page_table, kv_cache)
        return logits, torch.ones(SLOTS)


@pytest.mark.parametrize("era", [EraA, EraC, EraD])
def test_the_texts_are_those_of_every_other_era(era, alone):
    questions = [
        (f"question {n}", {"temperature": n % 2, "seed": n, "stop": ("e",) if n % 3 else ()})
        for n in range(12)
    ]
    with running_engine(
        generator=era(), max_batch_size=SLOTS, max_seq_len=MAX_SEQ_LEN, block_size=BLOCK
    ) as engine:
        asked = [engine.ask(prompt, **options) for prompt, options in questions]
        texts = [(text_of(c), c.figures.finish_reason) for c in asked]
    assert texts == [alone(prompt, **options) for prompt, options in questions]
