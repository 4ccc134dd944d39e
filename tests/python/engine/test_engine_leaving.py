"""Requests that end before their answer does: deadlines, and users who leave."""

import time

import pytest

from engine_on_fakes import (
    ENDLESS,
    ending_of,
    generator_of,
    is_idle,
    running_engine,
    text_of,
)
from fake_generator import Gate
from ttdirect.engine import DeadlineError, FinishReason, Request
from waiting import wait_until


class TestDeadlines:
    def test_who_waits_too_long_is_told_and_the_running_one_goes_on(self, held):
        running = [held.ask("go on", max_tokens=5) for _ in range(2)]
        late = held.engine.submit(Request((1, 2), max_tokens=5, timeout_seconds=0.0))
        held.gate.open()
        assert ending_of(late) is FinishReason.DEADLINE
        assert late.admitted_at is None
        assert [text_of(completion) for completion in running] == [ENDLESS[:5]] * 2

    def test_who_runs_too_long_is_told_and_gives_everything_back(self):
        gate = Gate(shut=True)
        with running_engine(gate=gate, timeout_seconds=0.05, answers=lambda _: ENDLESS) as engine:
            completion = engine.ask("go on")
            gate.wait_until_held()
            deadline = completion._sequence.deadline
            wait_until(lambda: time.monotonic() > deadline)
            gate.open()
            with pytest.raises(DeadlineError, match=r"not complete within 0.05 s"):
                text_of(completion)
            assert completion.figures.finish_reason is FinishReason.DEADLINE
            wait_until(lambda: is_idle(engine))

    def test_without_a_limit_nobody_is_hurried(self):
        with running_engine(timeout_seconds=None, answers={"hello": "Hi"}) as engine:
            assert text_of(engine.ask("hello")) == "Hi"


class TestCancelling:
    def test_it_happens_at_the_end_of_the_step(self, held):
        stays, leaves = held.ask("go on", max_tokens=9), held.ask("go on")
        held.gate.let_pass(3)
        leaves.cancel()
        assert held.engine.health().running == 2
        held.gate.let_pass(1)
        assert held.engine.health().running == 1
        held.gate.open()
        assert text_of(stays) == ENDLESS[:9]
        assert generator_of(held.engine).calls[-1].slots == (stays_slot(held.engine),)

    def test_who_stops_reading_a_stream_frees_the_slot(self, held):
        held.gate.open()
        pieces = held.ask("go on", stream=True, max_tokens=200).pieces()
        assert next(pieces) == "t"
        pieces.close()
        wait_until(lambda: is_idle(held.engine))

    def test_cancelling_when_all_is_over_leaves_nothing_behind(self, held):
        held.gate.open()
        completion = held.ask("go on", max_tokens=3)
        text_of(completion)
        for _ in range(3):
            held.engine.cancel(completion._sequence)
        wait_until(lambda: is_idle(held.engine))
        assert text_of(held.ask("go on", max_tokens=3)) == ENDLESS[:3]

    def test_cancelling_after_the_engine_has_stopped_leaves_nothing_behind(self):
        with running_engine(answers={"hello": "Hi"}) as engine:
            completion = engine.ask("hello")
            text_of(completion)
        engine.cancel(completion._sequence)
        assert not engine._loop._cancelled

    def test_a_thousand_cancels_in_all_states_of_a_request_lose_no_block(self):
        with running_engine(max_batch_size=2, max_queued=1000) as engine:
            asked = [engine.ask(f"question {n}", max_tokens=1 + n % 5) for n in range(300)]
            for number, completion in enumerate(asked):
                if number % 3:
                    completion.cancel()
                else:
                    text_of(completion)
                    completion.cancel()
            wait_until(lambda: is_idle(engine))


def stays_slot(engine):
    """The slot of the first request of an engine: slots are given out from 0."""
    return generator_of(engine).calls[0].slots[0]
