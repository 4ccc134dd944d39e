"""Warming up: compile first, record afterwards, and write into block 0 alone."""

import os
from dataclasses import replace

import pytest
import torch

from engine.era_stubs import recorder
from era_signatures import Era0, EraA, EraB, EraC
from ttdirect.engine import adapt
from ttdirect.engine.card_settings import CardSettings, Trace
from ttdirect.engine.lifecycle import Shapes
from ttdirect.engine.warm_up import prompt_lengths

SHAPES = Shapes(rows=4, columns=8, piece=4000, max_seq_len=4096)


def warmed_up(era, settings=None, shapes=SHAPES, **options):
    generator = recorder(era, **options)
    adapted = adapt(generator, settings or CardSettings())
    adapted.warm_up([[]], shapes)
    return adapted


def described(call):
    """A call in short: what it was, and whether it was traced."""
    traced = getattr(call, "enable_trace", False)
    if hasattr(call, "prompt_lens"):
        return ("prefill", call.prompt_lens[0], traced)
    kind = "decode" if call.sampling_params is None else "sampled"
    return (kind, call.start_pos.tolist(), traced)


@pytest.mark.parametrize("parts", [0, 1, 3, 5])
def test_between_two_parts_the_server_can_be_stopped(parts):
    """A part takes up to minutes on a card, and only the thread that warms up can close it."""
    pauses = iter(range(parts))
    shapes = replace(SHAPES, pause=lambda: next(pauses))
    generator = recorder(EraA)
    with pytest.raises(StopIteration):
        adapt(generator, CardSettings()).warm_up([[]], shapes)
    assert len(generator.calls) == parts


class TestWithoutMethods:
    @pytest.mark.parametrize("era", [Era0, EraA])
    def test_each_length_of_prompt_then_one_step_untraced_and_one_traced(self, era):
        calls = [described(call) for call in warmed_up(era).generator.calls]
        lengths = [128, 1024, 2048, 4096]
        first = [("prefill", length, False) for length in lengths]
        step = ("decode", [0, -1, -1, -1])
        again = [] if era in {Era0, EraA} else first
        assert calls == [*first, (*step, False), *again, (*step, True)]

    def test_all_of_it_in_block_0_and_the_page_table_is_forgotten(self):
        generator = warmed_up(EraA).generator
        for call in generator.calls:
            assert call.page_table.shape[1] == 8
            assert not call.page_table.any()
            assert not call.tokens.any()
        assert generator.prev_page_table is None

    def test_era_b_records_prompts_and_both_kinds_of_steps(self):
        settings = CardSettings(samples_on_device=True)
        calls = [described(call) for call in warmed_up(EraB, settings).generator.calls]
        traced = [call[0] for call in calls if call[2]]
        assert traced == [*["prefill"] * 4, "decode", "sampled"]
        assert [call[2] for call in calls] == sorted(call[2] for call in calls)

    def test_each_data_parallel_model_compiles_for_itself(self):
        shapes = Shapes(4, 8, 128, 128, models=2)
        calls = warmed_up(EraA, shapes=shapes, models=2).generator.calls
        slots = [call.empty_slots for call in calls if hasattr(call, "prompt_lens")]
        assert slots == [[0], [2]]
        steps = [call.start_pos.tolist() for call in calls if not hasattr(call, "prompt_lens")]
        assert steps == [[0, -1, 0, -1]] * 2

    @pytest.mark.parametrize("models", [1, 4])
    def test_another_number_of_models_than_the_engine_knows_is_refused(self, models):
        """A request's row would be one model's, and its blocks those of another one."""
        shapes = Shapes(4, 8, 128, 128, models=models)
        with pytest.raises(ValueError, match=r"has 2 models .* give Engine data_parallel=2"):
            warmed_up(EraA, shapes=shapes, models=2)

    def test_untraced_by_wish_nothing_is_recorded(self):
        calls = warmed_up(EraB, CardSettings(Trace.OFF)).generator.calls
        assert not any(call.enable_trace for call in calls)


class WithMethods(EraC):
    """Era C with the methods of the newest `models/common/warmup/warmup_utils.py`."""

    already_warmed_up_prefill = False

    def warmup_model_prefill(self, kv_cache, enable_trace, can_sample_on_device, greedy_only=False):
        skipped, self.already_warmed_up_prefill = self.already_warmed_up_prefill, True
        self.calls.append(("prefill", enable_trace, can_sample_on_device, greedy_only, skipped))

    def warmup_model_decode(
        self,
        kv_cache,
        enable_trace,
        max_batch_size,
        num_blocks,
        can_sample_on_device,
        read_from_device=True,
        greedy_only=False,
        include_host_sampling=True,
    ):
        assert (max_batch_size, num_blocks) == (4, 8)
        assert read_from_device
        assert include_host_sampling
        self.calls.append(("decode", enable_trace, can_sample_on_device, greedy_only))


class WithOlderMethods(WithMethods):
    """As they were before: non-greedy sampling had to be asked for, by a required argument."""

    def warmup_model_decode(
        self,
        kv_cache,
        enable_trace,
        max_batch_size,
        num_blocks,
        can_sample_on_device,
        non_greedy_decoding_on_device,
    ):
        assert non_greedy_decoding_on_device == can_sample_on_device
        super().warmup_model_decode(
            kv_cache, enable_trace, max_batch_size, num_blocks, can_sample_on_device
        )


@pytest.mark.parametrize("era", [WithMethods, WithOlderMethods])
class TestTwoPhases:
    def test_everything_untraced_first_then_traced(self, era):
        first, second, *traced = warmed_up(era).generator.calls
        assert first == ("prefill", False, False, False, False)
        assert second == ("decode", False, False, False)
        assert traced == [("prefill", True, False, False, False), ("decode", True, False, False)]

    def test_every_length_behind_a_cached_beginning_untraced(self, era):
        shapes = Shapes(4, 8, piece=1024, max_seq_len=1024, unit=256)
        first, *resumed, _, _, _ = warmed_up(era, shapes=shapes).generator.calls
        assert first[0] == "prefill"
        # Behind 256 tokens 768 are left, which are padded to 1024.
        assert [(it.start_pos, it.prompt_lens) for it in resumed] == [
            ([256], [384]),
            ([256], [1024]),
        ]
        assert {(it.enable_trace, it.warmup_prefill) for it in resumed} == {(False, False)}

    def test_with_device_sampling_both_ways_of_choosing_are_recorded(self, era, monkeypatch):
        monkeypatch.setenv("TT_LEAN_DECODE_WARMUP", "")
        monkeypatch.delenv("TT_LEAN_DECODE_WARMUP")
        calls = warmed_up(era, CardSettings(samples_on_device=True)).generator.calls
        assert calls[-1] == ("decode", True, True, False)
        assert os.environ["TT_LEAN_DECODE_WARMUP"] == "1", "a trace for each kind of penalty"

    def test_only_decode_is_recorded_where_that_was_chosen(self, era):
        calls = warmed_up(era, CardSettings(Trace.DECODE)).generator.calls
        assert [call[:2] for call in calls if isinstance(call, tuple)] == [
            ("prefill", False),
            ("decode", False),
            ("decode", True),
        ]

    def test_prompts_are_traced_from_then_on_and_not_before(self, era):
        """Before any trace, the first traced prompt would prepare the decode from its own table."""
        for settings, expected in ((None, True), (CardSettings(Trace.DECODE), False)):
            adapted = adapt(recorder(era), settings or CardSettings())
            assert self.traced(adapted) is False
            adapted.warm_up([[]], SHAPES)
            assert self.traced(adapted) is expected

    def test_prompts_are_never_traced_without_the_models_own_say(self, era):
        adapted = warmed_up(era, can_trace=False)
        assert self.traced(adapted) is False

    def test_what_stands_behind_a_cached_beginning_is_never_traced(self, era):
        """Its trace would be recorded in a request, beside live ones that write over its inputs."""
        adapted = warmed_up(era)
        assert self.traced(adapted, start_pos=[0]) is True
        assert self.traced(adapted, start_pos=[2]) is False

    @staticmethod
    def traced(adapted, start_pos=None):
        adapted.prefill_forward_text(
            torch.zeros((1, 3), dtype=torch.int64),
            page_table=torch.zeros((1, 8), dtype=torch.int32),
            kv_cache=[[]],
            prompt_lens=[3],
            empty_slots=[0],
            start_pos=start_pos,
        )
        call = adapted.generator.calls[-1]
        assert call.warmup_prefill is False
        return call.enable_trace


class TestLengths:
    def lengths(self, era, shapes, **limits):
        adapted = adapt(recorder(era), CardSettings())
        for args in adapted.model_args:
            vars(args).update(limits)
        return prompt_lengths(adapted, shapes)

    def test_they_end_with_the_longest_prompt(self):
        assert self.lengths(EraA, Shapes(4, 8, 900, 1024)) == [128, 1024]

    def test_or_with_the_first_that_takes_two_passes(self):
        shapes = Shapes(4, 8, 16_000, 16_384)
        assert self.lengths(EraA, shapes, max_prefill_chunk_size=2048) == [128, 1024, 2048, 4096]

    def test_very_long_ones_are_no_exception(self):
        """One that was left out would be compiled beside live traces."""
        shapes = Shapes(4, 8, 131_071, 131_072)
        lengths = self.lengths(EraA, shapes, max_prefill_chunk_size=131_072)
        assert lengths == [128, *(1024 << n for n in range(8))]

    def test_where_prompts_come_in_pieces_they_end_with_the_piece(self):
        assert self.lengths(EraC, Shapes(4, 8, 1024, 4096, unit=256)) == [128, 1024]

    def test_a_small_context_is_not_exceeded(self):
        assert self.lengths(EraA, Shapes(4, 8, 127, 128)) == [128]
