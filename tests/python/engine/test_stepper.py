"""The tensors are those that the Generator API wants, to the letter."""

import pytest
import torch

from engine_on_fakes import fake_initialize_model
from fake_generator import FakeGenerator
from ttdirect.engine import LoadedModel, Request, SamplingParams, Token
from ttdirect.engine.device_sampling import neutral
from ttdirect.engine.lifecycle import Shapes
from ttdirect.engine.pieces import Pieces
from ttdirect.engine.scheduler import Decode, Prefill
from ttdirect.engine.sequence import Sequence
from ttdirect.engine.stepper import Stepper

SLOTS, CONTEXT, BLOCK = 4, 256, 8
WIDTH = CONTEXT // BLOCK


class Recorder:
    """A model that notes what it is called with, and likes the token 3 best after padding's 6."""

    def __init__(self, shape=(1, 1, 8)):
        self.calls = []
        self.shape = shape
        self.model = LoadedModel(
            prefill=self.prefill,
            decode=self.decode,
            tokenizer=None,
            name="recorder",
            device="none",
            vocab_size=6,
            close=lambda: None,
        )

    def prefill(self, *arguments, **behind):
        self.calls.append(("prefill", *arguments, *behind.items()))
        return self.logits(self.shape)

    def decode(self, *arguments):
        self.calls.append(("decode", *arguments))
        return self.logits((SLOTS, 1, 8))

    @staticmethod
    def logits(shape):
        logits = torch.zeros(shape)
        logits[..., 3] = 1.0
        logits[..., 6] = 9.0
        return logits


def a_stepper(recorder):
    return Stepper(recorder.model, SLOTS, CONTEXT, BLOCK)


def running(slot, prompt, blocks, tokens=()):
    sequence = Sequence(Request(tuple(prompt), max_tokens=50))
    sequence.slot, sequence.blocks = slot, blocks
    sequence.tokens = [Token(token) for token in tokens]
    return sequence


def whole(sequence):
    return Prefill(sequence, 0, len(sequence.request.prompt_ids))


def ids_of(chosen):
    """The ids of a step that gave each sequence one token."""
    return [token.id for (token,) in chosen]


class TestPrefill:
    def test_only_the_blocks_that_the_prompt_fills_are_in_the_table(self):
        recorder = Recorder()
        sequence = running(2, range(10, 21), blocks=[9, 4, 7, 5])
        assert ids_of(a_stepper(recorder).step(whole(sequence))) == [3]
        ((_, tokens, length, table, slot),) = recorder.calls
        assert tokens.dtype == torch.int64
        assert tokens.tolist() == [list(range(10, 21))]
        assert (length, slot) == (11, 2)
        assert table.dtype == torch.int32
        assert table.tolist() == [[9, 4] + [0] * (WIDTH - 2)]

    def test_a_prompt_that_ends_with_a_block_takes_no_other(self):
        recorder = Recorder()
        sequence = running(0, range(1, 17), blocks=[9, 4, 7])
        a_stepper(recorder).step(whole(sequence))
        assert recorder.calls[0][3][0, :3].tolist() == [9, 4, 0]

    @pytest.mark.parametrize("shape", [(1, 1, 8), (1, 8), (8,)])
    def test_the_logits_may_have_any_shape_with_one_row(self, shape):
        sequence = running(0, [1], blocks=[9])
        assert ids_of(a_stepper(Recorder(shape)).step(whole(sequence))) == [3]


class TestPartsOfAPrompt:
    def test_a_part_goes_on_behind_what_is_cached_and_gives_no_token(self):
        recorder = Recorder()
        sequence = running(0, range(1, 31), blocks=[9, 4, 7, 5])
        assert a_stepper(recorder).step(Prefill(sequence, 8, 24)) == []
        ((_, tokens, length, table, _, behind),) = recorder.calls
        # The whole prompt so far and its whole table: the model skips what is cached.
        assert (tokens.tolist(), length) == ([list(range(1, 25))], 24)
        assert table[0, :4].tolist() == [9, 4, 7, 0]
        assert behind == ("cached", 8)

    def test_the_last_part_gives_the_first_token(self):
        recorder = Recorder()
        sequence = running(0, range(1, 31), blocks=[9, 4, 7, 5])
        assert ids_of(a_stepper(recorder).step(Prefill(sequence, 24, 30))) == [3]

    def test_a_whole_prompt_asks_nothing_that_older_scripts_do_not_know(self):
        recorder = Recorder()
        a_stepper(recorder).step(whole(running(0, [1], blocks=[9])))
        assert len(recorder.calls[0]) == 5


class TestDecode:
    def test_idle_rows_are_token_0_position_minus_1_and_a_table_of_zeros(self):
        recorder = Recorder()
        sequences = (
            running(3, range(1, 10), blocks=[5, 6], tokens=[40]),
            running(1, [1, 2], blocks=[8], tokens=[41, 42, 43]),
        )
        assert ids_of(a_stepper(recorder).step(Decode(sequences))) == [3, 3]
        ((_, tokens, positions, table),) = recorder.calls
        assert (tokens.dtype, positions.dtype, table.dtype) == (
            torch.int64,
            torch.int32,
            torch.int32,
        )
        assert tokens.tolist() == [[0], [43], [0], [40]]
        assert positions.tolist() == [-1, 4, -1, 9]
        rest = [0] * (WIDTH - 2)
        assert table.tolist() == [[0, 0, *rest], [8, 0, *rest], [0, 0, *rest], [5, 6, *rest]]

    def test_each_step_has_a_table_of_its_own(self):
        # tt-metal of 2025 keeps a reference to the last table and compares.
        recorder, sequence = Recorder(), running(0, [1], blocks=[5], tokens=[4])
        stepper = a_stepper(recorder)
        stepper.step(Decode((sequence,)))
        stepper.step(Decode((sequence,)))
        first, second = (call[3] for call in recorder.calls)
        assert first.data_ptr() != second.data_ptr()

    def test_the_tokens_come_in_the_order_of_the_batch_not_of_the_rows(self):
        class ByRow(Recorder):
            def decode(self, *_):
                return torch.eye(SLOTS, 8).unsqueeze(1)  # row n likes token n

        sequences = tuple(running(slot, [1], [5 + slot], tokens=[4]) for slot in (2, 0, 3))
        assert ids_of(a_stepper(ByRow()).step(Decode(sequences))) == [2, 0, 3]

    def test_columns_behind_the_vocabulary_are_never_chosen_by_chance_either(self):
        sequence = Sequence(Request((1,), 9, SamplingParams(2.0, seed=1)))
        sequence.slot, sequence.blocks, sequence.tokens = 0, [5], [Token(4)]
        stepper = a_stepper(Recorder())
        drawn = {stepper.step(Decode((sequence,)))[0][0].id for _ in range(100)}
        assert drawn == set(range(6))


class OnDevice(Recorder):
    """A model whose device can choose: the token 2 in every row but for those in `odd`."""

    def __init__(self, odd=()):
        super().__init__()
        self.odd = dict(odd)
        values = {name: getattr(self.model, name) for name in self.model.__slots__}
        self.model = LoadedModel(**{**values, "samples_on_device": True})

    def decode(self, *arguments, sampling=None):
        self.calls.append(("decode", sampling))
        if sampling is None:
            return self.logits((SLOTS, 1, 8))
        return torch.tensor([self.odd.get(row, 2) for row in range(SLOTS)])


class TestDeviceSampling:
    def test_the_tokens_are_the_devices_in_the_order_of_the_batch(self):
        recorder = OnDevice(odd={3: 5})
        sequences = tuple(running(slot, [1], [5 + slot], tokens=[4]) for slot in (3, 0))
        assert ids_of(a_stepper(recorder).step(Decode(sequences))) == [5, 2]
        ((_, sampling),) = recorder.calls
        assert sampling == neutral(SLOTS)

    def test_one_request_that_needs_the_host_takes_the_step_there(self):
        recorder = OnDevice()
        seeded = Sequence(Request((1,), 9, SamplingParams(1.0, seed=1)))
        seeded.slot, seeded.blocks, seeded.tokens = 1, [9], [Token(4)]
        greedy = running(0, [1], blocks=[5], tokens=[4])
        chosen = a_stepper(recorder).step(Decode((greedy, seeded)))
        assert chosen[0][0].id == 3
        assert recorder.calls == [("decode", None)]

    def test_who_was_decoded_by_the_host_stays_there(self):
        """The device may still hold somebody else's token for its row (tt-metal of 2026)."""
        recorder = OnDevice()
        stepper = a_stepper(recorder)
        seeded = Sequence(Request((1,), 9, SamplingParams(1.0, seed=1)))
        seeded.slot, seeded.blocks, seeded.tokens = 1, [9], [Token(4)]
        greedy = running(0, [1], blocks=[5], tokens=[4])
        stepper.step(Decode((greedy, seeded)))
        stepper.step(Decode((greedy,)))
        stepper.step(Decode((running(1, [1], blocks=[9], tokens=[4]),)))
        assert [sampling for _, sampling in recorder.calls] == [None, None, neutral(SLOTS)]

    def test_a_token_that_the_tokenizer_does_not_know_ends_one_request_alone(self):
        sequences = tuple(running(slot, [1], [5 + slot], tokens=[4]) for slot in (0, 1))
        lost, fine = a_stepper(OnDevice(odd={0: 7})).step(Decode(sequences))
        assert isinstance(lost[0], ValueError)
        assert fine[0].id == 2


class TestWarmUp:
    def test_it_prefills_and_decodes_once_in_the_scratch_block(self):
        recorder = Recorder()
        a_stepper(recorder).warm_up(None, CONTEXT - 1, lambda: None)
        (_, tokens, length, prefill_table, slot), (_, _, positions, decode_table) = recorder.calls
        assert (tokens.shape, length, slot) == ((1, 128), 128, 0)
        assert positions.tolist() == [0, -1, -1, -1]
        assert prefill_table.tolist() == [[0] * WIDTH]
        assert decode_table.tolist() == [[0] * WIDTH] * SLOTS

    def test_a_generator_that_knows_the_rules_has_no_complaint(self):
        generator = FakeGenerator(SLOTS, BLOCK, 33, max_seq_len=CONTEXT)
        model = fake_initialize_model(generator=generator)(lambda *_: None)
        Stepper(model, SLOTS, CONTEXT, BLOCK).warm_up(None, CONTEXT - 1, lambda: None)
        assert generator.warm_ups == ["prefill", "decode"]

    def test_a_model_that_warms_up_by_itself_is_told_the_shapes(self):
        recorder, told = Recorder(), []
        values = {name: getattr(recorder.model, name) for name in recorder.model.__slots__}
        recorder.model = LoadedModel(**{**values, "warm_up": told.append})
        a_stepper(recorder).warm_up(Pieces(32, 8), 200, lambda: None)
        assert told == [Shapes(SLOTS, WIDTH, 32, CONTEXT, unit=8)]
        assert recorder.calls == []
