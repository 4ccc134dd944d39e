"""A step that raises, a model that fails, a step that does not end."""

import logging
import re

import pytest

from engine_on_fakes import (
    ENDLESS,
    Answered,
    ask_many,
    gave_device_back_once,
    generator_of,
    is_idle,
    running_engine,
    text_of,
)
from fake_generator import Gate
from ttdirect.engine import FinishReason, NotReadyError, State, StepFailedError
from ttdirect.engine.host import HEALTHY_NOTE
from waiting import wait_until

LUCK = "the model is out of luck"

TT_FATAL = """TT_FATAL @ /project/tt_metal/impl/device/device.cpp:12: is_alive
info:
no answer
backtrace:
 --- /home/somebody/libtt.so(+0x1)"""


def failing_engine(fail_at_step, **options):
    gate = Gate(shut=True)
    return running_engine(
        max_batch_size=2,
        gate=gate,
        answers=lambda _: ENDLESS,
        fail_at_step=fail_at_step,
        **options,
    )


def failed(answer):
    """Whether a request ended because its step raised, and was told so."""
    answer.wait()
    return (
        isinstance(answer.error, StepFailedError)
        and answer.completion.figures.finish_reason is FinishReason.ERROR
    )


class TestStepFails:
    """A step that raises ends the requests that were in it, and nobody else."""

    def test_a_prompt_that_cannot_be_read_ends_alone(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(2) as engine:
            answers = ask_many(engine, 3, max_tokens=20)
            generator_of(engine).gate.open()
            assert sorted(map(failed, answers)) == [False, False, True]
            assert {answer.text for answer in answers if not answer.error} == {ENDLESS[:20]}
            assert engine.state is State.READY

    def test_all_who_were_answered_in_the_step_end_and_those_who_wait_are_served(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(3) as engine:
            first = ask_many(engine, 2, max_tokens=20)
            generator_of(engine).gate.let_pass(2)
            second = ask_many(engine, 2, max_tokens=20)
            generator_of(engine).gate.open()
            assert all(map(failed, first))
            assert [answer.wait().text for answer in second] == [ENDLESS[:20]] * 2

    def test_health_says_so_and_stays_healthy(self, caplog):
        with failing_engine(1) as engine:
            (answer,) = ask_many(engine, 1)
            generator_of(engine).gate.open()
            assert failed(answer)
            health = engine.health()
            assert health.state is State.READY
            assert re.fullmatch(
                rf"{HEALTHY_NOTE}\. A step failed \d+ s ago: RuntimeError: {re.escape(LUCK)}",
                health.note,
            )
            assert engine.stats.failed_steps == 1
        assert "a step failed; its 1 requests end" in caplog.text

    def test_what_the_cache_held_is_not_trusted_any_more(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(7, prefill_chunk=8) as engine:
            question = "a question of more than one piece"
            generator_of(engine).gate.open()
            text_of(engine.ask(question, max_tokens=1))
            repeated = engine.ask(question, max_tokens=1)
            text_of(repeated)
            assert repeated.figures.cached_tokens > 0
            assert failed(Answered(engine.ask("another", max_tokens=9)))
            repeated = engine.ask(question, max_tokens=1)
            text_of(repeated)
            assert repeated.figures.cached_tokens == 0

    def test_all_blocks_and_slots_are_back(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(3) as engine:
            answers = ask_many(engine, 4)
            generator_of(engine).gate.open()
            for answer in answers:
                answer.wait()
            wait_until(lambda: is_idle(engine))

    def test_a_failure_while_draining_still_ends_in_order(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(2) as engine:
            (answer,) = ask_many(engine, 1)
            generator_of(engine).gate.wait_until_held()
            engine.drain(60.0)
            generator_of(engine).gate.open()
            assert failed(answer)
            assert engine.join(30)
            assert engine.state is State.STOPPED
            assert gave_device_back_once(engine)

    def test_a_choice_that_cannot_be_made_ends_its_request_alone(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(99) as engine:
            poor, lucky = ask_many(engine, 2, temperature=1.0, seed=1, max_tokens=9)
            poor.completion._sequence.sampler.choose = lambda _: 1 / 0
            generator_of(engine).gate.open()
            assert failed(poor)
            assert lucky.wait().error is None


class TestModelFails:
    """A model that raises in three steps in a row, or in a way that no request can cause."""

    @pytest.mark.parametrize("step", [1, 2, 5])
    @pytest.mark.parametrize("failure", [RuntimeError(LUCK), SystemExit(LUCK)])
    def test_everybody_is_woken_and_told(self, step, failure, caplog):
        # An exception that is no `Exception` used to leave all of them waiting for ever.
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(step, failures=3, failure=failure) as engine:
            told = []
            engine.on_failed = told.append
            answers = ask_many(engine, 5)
            generator_of(engine).gate.open()
            assert all(map(failed, answers))
            assert engine.join(30)
            assert told == [failure]
            assert engine.was_ready
            health = engine.health()
            assert (health.state, health.running, health.queued) == (State.FAILED, 0, 0)
            assert health.note == f"The model failed while it computed: {LUCK}"
            assert gave_device_back_once(engine)

    def test_later_questions_are_refused_with_the_reason(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(1, failures=3) as engine:
            answers = ask_many(engine, 3)
            generator_of(engine).gate.open()
            assert all(map(failed, answers))
            with pytest.raises(NotReadyError, match="out of luck") as caught:
                engine.ask("go on")
            assert caught.value.retry_after is None

    def test_failures_with_successes_between_them_do_not_add_up(self, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(1, failures=2) as engine:
            answers = ask_many(engine, 2, max_tokens=3)
            generator_of(engine).gate.open()
            assert all(map(failed, answers))
            for _ in range(3):
                assert text_of(engine.ask("go on", max_tokens=3)) == ENDLESS[:3]
                generator_of(engine).fail_at_step = len(generator_of(engine).calls) + 1
                generator_of(engine).failures = 1
                assert failed(Answered(engine.ask("go on", max_tokens=3)))
            assert engine.state is State.READY


class TestDeviceFails:
    """An error of ttnn in one step: the device counts as lost, so nothing more is asked of it."""

    @pytest.mark.parametrize("step", [1, 2, 5])
    def test_the_engine_fails_at_once_and_says_why(self, step, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        with failing_engine(step, failure=RuntimeError(TT_FATAL)) as engine:
            answers = ask_many(engine, 5)
            generator_of(engine).gate.open()
            assert all(map(failed, answers))
            assert engine.join(30)
            assert len(generator_of(engine).calls) == step  # and no other step after it
            health = engine.health()
            assert (health.state, health.running, health.queued) == (State.FAILED, 0, 0)
            assert health.note == (
                "The model failed while it computed: The device failed: no answer"
            )
            with pytest.raises(NotReadyError, match="The device failed: no answer"):
                engine.ask("go on")
            assert gave_device_back_once(engine)


class TestStuckStep:
    def test_health_says_so_until_the_step_ends(self):
        gate = Gate(shut=True)
        with running_engine(gate=gate, step_timeout_seconds=0.0) as engine:
            answer = Answered(engine.ask("hello", max_tokens=1))
            gate.wait_until_held()
            health = engine.health()
            assert health.state is State.FAILED
            assert health.step_seconds > 0.0
            assert health.note.startswith("The model is stuck: a step has been going on for 0 s.")
            gate.open()
            assert answer.wait().error is None
            wait_until(lambda: engine.health().state is State.READY)
            assert engine.health().step_seconds == 0.0

    def test_it_says_how_long_steps_have_taken_before(self):
        gate = Gate()
        with running_engine(gate=gate, step_seconds=0.1) as engine:
            text_of(engine.ask("hello", max_tokens=1))
            gate.shut()
            engine.step_timeout_seconds = 0.0
            answer = engine.ask("hello", max_tokens=1)
            gate.wait_until_held()
            assert re.fullmatch(
                r"The model is stuck: a step has been going on for \d+ s; "
                r"the longest before it took 0\.\d s\.",
                engine.stuck_note,
            )
            gate.open()
            text_of(answer)

    def test_who_asks_meanwhile_is_told_at_once(self):
        gate = Gate(shut=True)
        with running_engine(gate=gate, step_timeout_seconds=0.0) as engine:
            first = Answered(engine.ask("hello", max_tokens=1))
            gate.wait_until_held()
            with pytest.raises(NotReadyError, match="The model is stuck: a step") as caught:
                engine.ask("hello")
            assert caught.value.retry_after == 30
            gate.open()
            assert first.wait().error is None

    @pytest.mark.parametrize("ends", ["as if nothing had been", "with an error"])
    def test_one_that_was_given_up_is_of_no_account_when_it_ends_after_all(self, ends, caplog):
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        fail_at = 2 if ends == "with an error" else 99
        with failing_engine(fail_at) as engine:
            told = []
            engine.on_failed = told.append
            gate = generator_of(engine).gate
            answers = ask_many(engine, 2, max_tokens=9)
            gate.let_pass(1)
            never = RuntimeError("a step that never ends")
            engine.give_up(never)
            assert all(map(failed, answers))
            assert engine.health().note == f"The model failed while it computed: {never}"
            with pytest.raises(NotReadyError, match="never ends"):
                engine.ask("hello")
            gate.open()
            assert engine.join(30)
            assert engine.state is State.FAILED
            assert told == [never]
            assert gave_device_back_once(engine)
