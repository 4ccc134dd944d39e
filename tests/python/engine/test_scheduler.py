"""First come, first served; slots that never move; neither phase starves the other."""

from collections import deque

import hypothesis.strategies as st
from hypothesis import given

from ttdirect.engine import Request
from ttdirect.engine.blocks import BlockAllocator
from ttdirect.engine.scheduler import PREFILLS_IN_A_ROW, Scheduler
from ttdirect.engine.sequence import Sequence


def a_scheduler(slots=4, blocks=1000, block_size=8):
    return Scheduler(slots, BlockAllocator(blocks + 1, block_size))


def a_sequence(prompt=5, answer=10):
    return Sequence(Request(tuple(range(1, prompt + 1)), answer))


def arrive(scheduler, count, **lengths):
    sequences = [a_sequence(**lengths) for _ in range(count)]
    scheduler.waiting.extend(sequences)
    return sequences


def phases_of(scheduler, steps):
    return [batch.phase if (batch := scheduler.next_batch()) else "idle" for _ in range(steps)]


class TestSteps:
    def test_with_nobody_there_is_nothing_to_do(self):
        assert a_scheduler().next_batch() is None

    def test_a_prompt_is_read_alone_then_everybody_goes_on_together(self):
        scheduler = a_scheduler()
        first, second = arrive(scheduler, 2)
        assert [scheduler.next_batch().sequences for _ in range(3)] == [
            (first,),
            (second,),
            (first, second),
        ]

    def test_newcomers_do_not_starve_the_running_ones(self):
        scheduler = a_scheduler(slots=32)
        arrive(scheduler, 20)
        assert PREFILLS_IN_A_ROW == 4
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
            assert scheduler.next_batch().sequences == (sequence,)
            scheduler.release(sequence)  # an answer of one token
        assert scheduler.next_batch() is None


class TestSlots:
    def test_a_sequence_keeps_its_slot_while_others_come_and_go(self):
        scheduler = a_scheduler(slots=3)
        first, second, third = arrive(scheduler, 3)
        phases_of(scheduler, 3)
        slots = [s.slot for s in (first, second, third)]
        assert sorted(slots) == [0, 1, 2]
        scheduler.release(second)
        (fourth,) = arrive(scheduler, 1)
        scheduler.next_batch()
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
        assert scheduler.allocator.free_count == scheduler.allocator.capacity


class TestBlocks:
    def test_room_for_the_whole_answer_is_taken_at_admission(self):
        scheduler = a_scheduler(block_size=8)
        (sequence,) = arrive(scheduler, 1, prompt=5, answer=12)
        scheduler.next_batch()
        assert len(sequence.blocks) == 3  # 17 tokens
        assert scheduler.allocator.free_count == scheduler.allocator.capacity - 3

    def test_without_room_a_request_waits_and_takes_no_slot(self):
        scheduler = a_scheduler(blocks=3)
        first, second = arrive(scheduler, 2, prompt=8, answer=8)
        assert phases_of(scheduler, 3) == ["prefill", "decode", "decode"]
        assert second.slot is None
        assert second.blocks == []
        scheduler.release(first)
        assert scheduler.next_batch().sequences == (second,)

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
        scheduler.next_batch()
        scheduler.release(sequence)
        assert (sequence.slot, sequence.blocks, scheduler.running) == (None, [], {})
        assert scheduler.allocator.free_count == scheduler.allocator.capacity


@given(
    slots=st.sampled_from([1, 2, 4]),
    blocks=st.integers(4, 12),
    events=st.lists(
        st.one_of(
            st.tuples(st.integers(1, 16), st.integers(1, 16)),
            st.sampled_from(["step", "step", "step", "leave"]),
        ),
        max_size=80,
    ),
    pick=st.randoms(use_true_random=False),
)
def test_whatever_comes_and_goes_order_slots_and_blocks_hold(slots, blocks, events, pick):
    scheduler = a_scheduler(slots, blocks)
    order: deque[Sequence] = deque()
    slot_of: dict[Sequence, int] = {}
    decodes_due = 0
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
            had_runners = bool(scheduler.running)
            batch = scheduler.next_batch()
            if batch is None:
                assert not present
            elif batch.phase == "prefill":
                (newcomer,) = batch.sequences
                assert newcomer is order.popleft()
                slot_of[newcomer] = newcomer.slot
                decodes_due = decodes_due + 1 if had_runners else 0
                assert decodes_due <= PREFILLS_IN_A_ROW
            else:
                assert set(batch.sequences) == set(slot_of)
                decodes_due = 0
        held = [block for s in scheduler.running.values() for block in s.blocks]
        assert len(set(held)) == len(held) == blocks - scheduler.allocator.free_count
        assert {s: s.slot for s in scheduler.running.values()} == slot_of
        assert len(set(slot_of.values())) == len(slot_of) <= slots
