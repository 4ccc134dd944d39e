"""First come, first served; slots that never move; neither phase starves the other."""

from collections import deque

import hypothesis.strategies as st
import pytest
from hypothesis import given

from ttdirect.engine import Request, Token
from ttdirect.engine.blocks import block_digests
from ttdirect.engine.groups import Groups
from ttdirect.engine.pieces import Pieces
from ttdirect.engine.scheduler import LEAST_PREFILL, Decode, Prefill, Scheduler
from ttdirect.engine.sequence import Sequence

BLOCK = 8


def a_scheduler(slots=4, blocks=1000, *, chunk=128, unit=None, can_continue=False):
    scheduler = Scheduler(Groups(slots, blocks + 1, BLOCK), chunk)
    scheduler.pieces = Pieces(chunk, unit or chunk) if can_continue else None
    return scheduler


def a_sequence(prompt=5, answer=10):
    """A request of a prompt (its tokens, or how many there shall be) and an answer's length."""
    ids = tuple(range(1, prompt + 1)) if isinstance(prompt, int) else tuple(prompt)
    return Sequence(Request(ids, answer), block_digests(ids, BLOCK))


def arrive(scheduler, count, **lengths):
    sequences = [a_sequence(**lengths) for _ in range(count)]
    scheduler.waiting.extend(sequences)
    return sequences


def run(scheduler):
    """Ask for a step and do it: the prompt is read, or each answer is one token longer."""
    step = scheduler.next_step()
    if isinstance(step, Prefill):
        scheduler.note_read(step)
    for sequence in step.sequences if step else ():
        if sequence.is_read:
            sequence.tokens.append(Token(9))
    return step


def phases_of(scheduler, steps):
    kinds = {Prefill: "prefill", Decode: "decode", type(None): "idle"}
    return [kinds[type(run(scheduler))] for _ in range(steps)]


class TestSteps:
    def test_with_nobody_there_is_nothing_to_do(self):
        assert a_scheduler().next_step() is None

    def test_a_prompt_is_read_alone_then_everybody_goes_on_together(self):
        scheduler = a_scheduler()
        first, second = arrive(scheduler, 2)
        assert [run(scheduler).sequences for _ in range(3)] == [
            (first,),
            (second,),
            (first, second),
        ]

    def test_newcomers_do_not_starve_the_running_ones(self):
        scheduler = a_scheduler(slots=32)
        arrive(scheduler, 20)
        assert scheduler.turn == 4 * LEAST_PREFILL
        assert phases_of(scheduler, 12) == (["prefill"] * 4 + ["decode"]) * 2 + ["prefill"] * 2

    def test_the_running_ones_do_not_starve_newcomers(self):
        scheduler = a_scheduler()
        arrive(scheduler, 1)
        phases_of(scheduler, 5)
        arrive(scheduler, 1)
        assert phases_of(scheduler, 2) == ["prefill", "decode"]

    def test_prompts_follow_each_other_when_nobody_else_runs(self):
        scheduler = a_scheduler(slots=1)
        sequences = arrive(scheduler, 9)
        for sequence in sequences:
            assert run(scheduler).sequences == (sequence,)
            scheduler.release(sequence)  # an answer of one token
        assert scheduler.next_step() is None


class TestSlots:
    def test_a_sequence_keeps_its_slot_while_others_come_and_go(self):
        scheduler = a_scheduler(slots=4)
        first, second, third = arrive(scheduler, 3)
        phases_of(scheduler, 3)
        slots = [s.slot for s in (first, second, third)]
        assert sorted(slots) == [0, 1, 2]
        scheduler.release(second)
        (fourth,) = arrive(scheduler, 1)
        run(scheduler)
        assert [s.slot for s in (first, fourth, third)] == slots

    def test_one_more_than_there_are_slots_waits(self):
        scheduler = a_scheduler(slots=2)
        *_, last = arrive(scheduler, 3)
        phases_of(scheduler, 6)
        assert list(scheduler.waiting) == [last]

    def test_who_leaves_the_queue_has_taken_nothing(self):
        scheduler = a_scheduler()
        first, second = arrive(scheduler, 2)
        scheduler.release(first)
        assert list(scheduler.waiting) == [second]
        assert scheduler.groups.use == 0.0


class TestBlocks:
    def test_room_for_the_whole_answer_is_taken_at_admission(self):
        scheduler = a_scheduler()
        (sequence,) = arrive(scheduler, 1, prompt=5, answer=12)
        run(scheduler)
        assert len(sequence.blocks) == 3  # 17 tokens
        assert scheduler.groups.free_blocks == scheduler.groups.blocks_each - 3

    def test_without_room_a_request_waits_and_takes_no_slot(self):
        scheduler = a_scheduler(blocks=3)
        first, second = arrive(scheduler, 2, prompt=8, answer=8)
        assert phases_of(scheduler, 3) == ["prefill", "decode", "decode"]
        assert second.slot is None
        assert second.blocks == []
        scheduler.release(first)
        assert run(scheduler).sequences == (second,)

    def test_a_small_request_does_not_overtake_a_large_one(self):
        scheduler = a_scheduler(blocks=3)
        arrive(scheduler, 1, prompt=8, answer=8)
        (large,) = arrive(scheduler, 1, prompt=8, answer=16)
        (small,) = arrive(scheduler, 1, prompt=1, answer=1)
        phases_of(scheduler, 5)
        assert list(scheduler.waiting) == [large, small]

    def test_released_blocks_and_slot_are_forgotten_by_the_sequence(self):
        scheduler = a_scheduler()
        (sequence,) = arrive(scheduler, 1)
        run(scheduler)
        scheduler.release(sequence)
        assert (sequence.slot, sequence.blocks, scheduler.running) == (None, [], {})
        assert scheduler.groups.use == 0.0


class TestLongPrompts:
    def test_they_are_read_in_pieces_with_a_turn_for_the_others_after_each(self):
        scheduler = a_scheduler(chunk=256, can_continue=True)
        (short,) = arrive(scheduler, 1)
        run(scheduler)
        (long,) = arrive(scheduler, 1, prompt=600)
        steps = [run(scheduler) for _ in range(7)]
        assert [(step.start, step.end) for step in steps[:5:2]] == [
            (0, 256),
            (256, 512),
            (512, 600),
        ]
        assert [step.sequences for step in steps[1:4:2]] == [(short,)] * 2
        assert steps[5].sequences == steps[6].sequences == (short, long)

    def test_alone_they_are_read_without_a_pause(self):
        scheduler = a_scheduler(chunk=256, can_continue=True)
        arrive(scheduler, 1, prompt=600)
        assert phases_of(scheduler, 4) == ["prefill"] * 3 + ["decode"]

    def test_one_is_read_to_its_end_before_the_next_one_begins(self):
        scheduler = a_scheduler(chunk=256, can_continue=True)
        first, second = arrive(scheduler, 2, prompt=300)
        assert [run(scheduler).sequences for _ in range(2)] == [(first,), (first,)]
        assert second.slot is None

    def test_a_model_that_cannot_go_on_reads_them_at_once(self):
        scheduler = a_scheduler(chunk=256)
        arrive(scheduler, 1, prompt=600)
        step = run(scheduler)
        assert (step.start, step.end) == (0, 600)

    def test_who_leaves_in_the_middle_makes_room_for_the_next(self):
        scheduler = a_scheduler(chunk=256, can_continue=True)
        first, second = arrive(scheduler, 2, prompt=600)
        run(scheduler)
        scheduler.release(first)
        step = run(scheduler)
        assert step.sequence is second
        # What the first one has read is not read again.
        assert (step.start, second.cached_tokens) == (256, 256)

    @pytest.mark.parametrize("chunk", [0, 12])
    def test_a_piece_is_a_whole_number_of_blocks(self, chunk):
        with pytest.raises(ValueError, match="a multiple of the block size 8"):
            a_scheduler(chunk=chunk)


class TestKnownBeginnings:
    def answered(self, scheduler, prompt, answer=10):
        """A request that ran to the end of its answer."""
        (sequence,) = arrive(scheduler, 1, prompt=prompt, answer=answer)
        while len(sequence.tokens) < answer:
            run(scheduler)
        scheduler.release(sequence)
        return sequence

    def test_a_prompt_is_read_from_where_it_differs(self):
        scheduler = a_scheduler(chunk=16, can_continue=True)
        self.answered(scheduler, range(100, 160))
        (sequence,) = arrive(scheduler, 1, prompt=[*range(100, 156), 7, 7, 7])
        step = run(scheduler)
        # Seven blocks of 8 are the same, which is three pieces of 16.
        assert (step.start, step.end, sequence.cached_tokens) == (48, 59, 48)

    def test_the_same_prompt_leaves_its_last_piece_to_compute(self):
        scheduler = a_scheduler(chunk=16, can_continue=True)
        self.answered(scheduler, range(100, 132))
        arrive(scheduler, 1, prompt=range(100, 132))
        step = run(scheduler)
        assert (step.start, step.end) == (16, 32)

    def test_what_decode_has_written_is_read_again(self):
        # Its numbers can differ in the last bit from those that prefill writes.
        scheduler = a_scheduler(chunk=16, can_continue=True)
        self.answered(scheduler, range(100, 120), answer=21)  # tokens of 9
        arrive(scheduler, 1, prompt=[*range(100, 120), *[9] * 21, 5])
        assert run(scheduler).start == 16

    def test_they_are_known_while_the_first_one_still_runs(self):
        scheduler = a_scheduler(chunk=16, can_continue=True)
        first, second = arrive(scheduler, 2, prompt=range(100, 120))
        while second.slot is None:
            run(scheduler)
        assert first.slot is not None
        assert second.cached_tokens == 16
        assert first.blocks[:2] == second.blocks[:2]
        assert not set(first.blocks[2:]) & set(second.blocks[2:])

    def test_a_beginning_that_is_shorter_than_a_piece_is_used_in_whole_units(self):
        scheduler = a_scheduler(chunk=64, unit=16, can_continue=True)
        self.answered(scheduler, range(100, 140))
        arrive(scheduler, 1, prompt=[*range(100, 139), *range(1, 60)])
        # 39 tokens are the same: two units of 16, and the piece ends where it would have ended.
        assert [(step.start, step.end) for step in (run(scheduler), run(scheduler))] == [
            (32, 64),
            (64, 98),
        ]

    def test_a_model_that_cannot_go_on_never_shares(self):
        scheduler = a_scheduler()
        self.answered(scheduler, range(100, 130))
        arrive(scheduler, 1, prompt=range(100, 130))
        assert run(scheduler).start == 0

    def test_blocks_of_a_step_that_failed_are_not_trusted(self):
        scheduler = a_scheduler(chunk=16, can_continue=True)
        arrive(scheduler, 1, prompt=range(100, 130))
        failed = scheduler.next_step()
        scheduler.release(failed.sequence)
        arrive(scheduler, 1, prompt=range(100, 130))
        assert run(scheduler).start == 0


@given(
    slots=st.sampled_from([1, 2, 4]),
    blocks=st.integers(4, 12),
    chunk=st.sampled_from([8, 16, 256]),
    can_continue=st.booleans(),
    events=st.lists(
        st.one_of(
            st.tuples(st.integers(1, 16), st.integers(1, 16)),
            st.sampled_from(["step", "step", "step", "leave"]),
        ),
        max_size=80,
    ),
    pick=st.randoms(use_true_random=False),
)
def test_whatever_comes_and_goes_order_slots_and_blocks_hold(
    slots, blocks, chunk, can_continue, events, pick
):
    scheduler = a_scheduler(slots, blocks, chunk=chunk, can_continue=can_continue)
    order: deque[Sequence] = deque()
    slot_of: dict[Sequence, int] = {}
    read_in_a_row = 0
    for event in events:
        present = [*scheduler.running.values(), *scheduler.waiting]
        if isinstance(event, tuple):
            order.extend(arrive(scheduler, 1, prompt=event[0], answer=event[1]))
        elif event == "leave" and present:
            leaver = pick.choice(present)
            if leaver in order:
                order.remove(leaver)
            scheduler.release(leaver)
            slot_of.pop(leaver, None)
        elif event == "step":
            answering = {s for s in scheduler.running.values() if s.is_read}
            step = run(scheduler)
            if step is None:
                assert not present
            elif isinstance(step, Prefill):
                if step.sequence not in slot_of:
                    assert step.sequence is order.popleft()
                    slot_of[step.sequence] = step.sequence.slot
                assert not answering or read_in_a_row < chunk
                read_in_a_row += max(step.end - step.start, LEAST_PREFILL)
            else:
                assert set(step.sequences) == answering
                read_in_a_row = 0
            for sequence in [s for s in slot_of if len(s.tokens) == s.request.max_tokens]:
                scheduler.release(sequence)
                del slot_of[sequence]
        held = [set(s.blocks) for s in scheduler.running.values()]
        assert len(set().union(*held)) == blocks - scheduler.groups.free_blocks
        # What is shared is what prompts have in common; nobody writes into it.
        own = [set(s.blocks[s.cached_tokens // BLOCK :]) for s in scheduler.running.values()]
        assert all(not mine & other for i, mine in enumerate(own) for other in own[:i])
        assert {s: s.slot for s in scheduler.running.values()} == slot_of
        assert len(set(slot_of.values())) == len(slot_of) <= slots
