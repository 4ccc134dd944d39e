"""Loading, draining, failing: nobody waits for ever, and the device is given back once."""

import logging
import threading
import weakref
from dataclasses import replace
from types import SimpleNamespace

import pytest

from engine_on_fakes import (
    ENDLESS,
    PHASES,
    ask_many,
    fake_initialize_model,
    gave_device_back_once,
    generator_of,
    loader_of,
    make_engine,
    running_engine,
    stop_engine,
    text_of,
)
from fake_generator import FakeGenerator, Gate
from ttdirect.engine import (
    Engine,
    FinishReason,
    NotReadyError,
    Request,
    State,
)
from ttdirect.engine.host import HEALTHY_NOTE
from waiting import wait_until

LUCK = "the model is out of luck"


@pytest.fixture
def loading():
    """An engine that is held before each phase of loading, and that gate."""
    gate = Gate(shut=True)
    engine = make_engine(load_gate=gate)
    engine.start()
    gate.wait_until_held()
    yield SimpleNamespace(engine=engine, gate=gate)
    stop_engine(engine)


class TestLoading:
    def test_health_tells_the_phases_as_they_come(self, loading):
        notes = [loading.engine.health().note]
        for _ in PHASES[1:]:
            loading.gate.let_pass()
            notes.append(loading.engine.health().note)
        assert notes == ["Starting.", "Opening the device.", "Loading the weights."]
        health = loading.engine.health()
        assert (health.state, health.phase) == (State.LOADING, "loading the weights")
        assert (health.progress, health.model, health.device) == (0.3, None, None)

    def test_a_question_is_refused_and_told_when_to_come_back(self, loading):
        with pytest.raises(NotReadyError, match="still loading") as caught:
            loading.engine.ask("hello")
        assert caught.value.retry_after == 2
        with pytest.raises(NotReadyError):
            loading.engine.submit(Request((1,), 1))

    def test_an_engine_that_was_not_started_is_loading(self):
        engine = make_engine()
        assert engine.state is State.LOADING
        assert engine.join()
        with pytest.raises(NotReadyError):
            engine.ask("hello")

    def test_ready_is_told_once_when_requests_are_taken(self):
        engine, told = make_engine(answers={"hello": "Hi"}), []
        engine.on_ready = lambda: told.append((engine.state, engine.was_ready))
        assert not engine.was_ready
        engine.start()
        wait_until(lambda: told, "readiness")
        assert told == [(State.READY, True)]
        assert engine.health().note == HEALTHY_NOTE
        assert text_of(engine.ask("hello")) == "Hi"
        stop_engine(engine)

    def test_a_real_load_takes_its_time(self):
        engine = make_engine(load_seconds=0.01)
        engine.start()
        wait_until(lambda: engine.state is State.READY, "readiness")
        stop_engine(engine)

    def test_the_model_is_warm_before_it_is_ready(self):
        with running_engine() as engine:
            assert generator_of(engine).warm_ups == ["prefill", "decode"]


class TestLoadingFails:
    @pytest.mark.parametrize("error", [RuntimeError("no chips"), SystemExit("no chips")])
    def test_health_says_why_and_questions_are_refused_with_the_reason(self, error):
        engine, told = make_engine(fail_with=error), []
        engine.on_failed = told.append
        engine.start()
        assert engine.join(30)
        assert told == [error]
        assert not engine.was_ready
        health = engine.health()
        assert health.state is State.FAILED
        assert health.note == "The model could not be loaded: no chips"
        assert health.phase == "failed"
        with pytest.raises(NotReadyError, match="could not be loaded: no chips") as caught:
            engine.ask("hello")
        assert caught.value.retry_after is None
        assert loader_of(engine).closes == []  # nothing to give back

    def test_a_failure_in_the_warm_up_gives_the_device_back(self):
        engine, told = make_engine(fail_at_step=0), []
        engine.on_failed = told.append
        engine.start()
        assert engine.join(30)
        assert [str(error) for error in told] == [LUCK]
        assert engine.state is State.FAILED
        assert not engine.was_ready
        assert gave_device_back_once(engine)

    def test_a_drain_afterwards_changes_nothing(self):
        engine = make_engine(fail_with=RuntimeError("no chips"))
        engine.start()
        assert engine.join(30)
        engine.drain(1.0)
        assert engine.state is State.FAILED


class TestStoppingWhileLoading:
    def test_loading_ends_at_the_next_phase(self, loading):
        loading.gate.let_pass()
        loading.engine.on_ready = lambda: pytest.fail("it was told to stop")
        loading.engine.drain(10.0)
        assert loading.engine.state is State.DRAINING
        loading.gate.open()
        assert loading.engine.join(30)
        assert loading.engine.state is State.STOPPED
        assert loading.engine.health().note == "The server was stopped while it loaded."
        assert loader_of(loading.engine).closes == []

    def test_a_model_that_is_there_already_is_given_back(self):
        loader = fake_initialize_model()

        def load_and_be_stopped(phase):
            model = loader(phase)
            engine.drain(10.0)
            return model

        engine = Engine(load_and_be_stopped)
        engine.start()
        assert engine.join(30)
        assert engine.state is State.STOPPED
        assert loader.closes == loader.loads
        assert loader.generator.warm_ups == []

    def test_an_engine_told_to_stop_while_it_warms_up_is_never_ready(self):
        class StopsTheEngine(FakeGenerator):
            def decode_forward_text(self, *arguments, sampling_params=None, **options):
                engine.drain(10.0)
                return super().decode_forward_text(*arguments, **options)

        engine = make_engine(generator=StopsTheEngine())
        told = []
        engine.on_ready = lambda: told.append("ready")
        engine.on_failed = told.append
        engine.start()
        assert engine.join(30)
        assert engine.state is State.STOPPED
        assert told == []
        assert gave_device_back_once(engine)

    def test_an_engine_told_to_stop_before_it_starts_does_not_load(self):
        engine = make_engine()
        engine.drain(10.0)
        engine.start()
        assert engine.join(30)
        assert engine.state is State.STOPPED
        assert generator_of(engine).warm_ups == []


class TestDraining:
    def test_running_answers_are_finished_and_waiting_ones_told(self, held):
        running = ask_many(held.engine, 2, max_tokens=30, stream=True)
        held.gate.let_pass(2)
        waiting = ask_many(held.engine, 3)
        held.engine.drain(60.0)
        for answer in waiting:
            error = answer.wait().error
            assert isinstance(error, NotReadyError)
            assert error.retry_after == 30
        assert held.engine.state is State.DRAINING
        assert held.engine.health().note == "The server is shutting down."
        held.gate.open()
        assert [answer.wait().text for answer in running] == [ENDLESS[:30]] * 2
        assert held.engine.join(30)
        assert held.engine.state is State.STOPPED
        assert held.engine.health().note == "The server has stopped."
        assert gave_device_back_once(held.engine)

    def test_who_is_told_to_wait_for_a_slot_is_not_counted_any_more(self, held):
        for _ in range(5):
            held.engine.ask("go on")
        held.gate.let_pass(2)
        held.engine.drain(60.0)
        assert (held.engine.health().running, held.engine.health().queued) == (2, 0)
        held.engine.drain(0.0)

    def test_new_questions_are_refused(self, held):
        held.engine.ask("go on")
        held.gate.wait_until_held()
        held.engine.drain(60.0)
        with pytest.raises(NotReadyError, match="shutting down") as caught:
            held.engine.ask("go on")
        assert caught.value.retry_after == 30
        held.engine.drain(0.0)

    def test_after_the_time_the_rest_is_aborted_with_what_came(self, held):
        answers = ask_many(held.engine, 2, stream=True)
        held.gate.let_pass(5)
        held.engine.drain(0.0)
        held.gate.open()
        for answer in answers:
            assert answer.wait().error is None
            assert answer.completion.figures.finish_reason is FinishReason.ABORT
            assert ENDLESS.startswith(answer.text)
            assert 2 <= len(answer.text) <= 6
        assert held.engine.join(30)
        assert held.engine.state is State.STOPPED
        assert gave_device_back_once(held.engine)

    def test_a_second_drain_can_shorten_the_first(self, held):
        (answer,) = ask_many(held.engine, 1)
        held.gate.wait_until_held()
        held.engine.drain(3600.0)
        held.engine.drain(0.0)
        held.gate.open()
        assert answer.wait().completion.figures.finish_reason is FinishReason.ABORT
        assert held.engine.join(30)

    def test_an_idle_engine_stops_at_once(self):
        with running_engine() as engine:
            engine.drain(3600.0)
            assert engine.join(30)
            assert engine.state is State.STOPPED
        assert gave_device_back_once(engine)

    def test_a_stopped_engine_says_so_and_stays_stopped(self):
        with running_engine() as engine:
            engine.drain(0.0)
            assert engine.join(30)
            engine.drain(1.0)
            assert engine.state is State.STOPPED
            with pytest.raises(NotReadyError, match="has stopped") as caught:
                engine.ask("hello")
            assert caught.value.retry_after is None
            assert engine.health().model is None

    def test_joining_tells_whether_the_time_was_enough(self, held):
        held.engine.ask("go on")
        held.gate.wait_until_held()
        held.engine.drain(0.0)
        assert not held.engine.join(0.001)
        held.gate.open()
        assert held.engine.join(30)

    def test_a_cancel_while_draining_ends_it_early(self, held):
        (answer,) = ask_many(held.engine, 1)
        held.gate.let_pass(2)
        held.engine.drain(3600.0)
        answer.completion.cancel()
        held.gate.open()
        assert held.engine.join(30)

    def test_drains_and_questions_from_many_threads_leave_nobody_waiting(self):
        for _ in range(10):
            with running_engine(max_batch_size=2, answers=lambda _: ENDLESS) as engine:
                start, endings = threading.Barrier(9), []

                def ask(engine=engine, start=start, endings=endings):
                    start.wait()
                    try:
                        for _ in range(5):
                            endings.append(len(text_of(engine.ask("go on", max_tokens=5))))
                    except NotReadyError:
                        endings.append("refused")

                def drain(engine=engine, start=start):
                    start.wait()
                    engine.drain(30.0)

                threads = [threading.Thread(target=ask) for _ in range(8)]
                threads.append(threading.Thread(target=drain))
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(30)
                    assert not thread.is_alive(), "a request hangs"
                assert engine.join(30)
                assert set(endings) <= {5, "refused"}


class TestGivingBack:
    def test_the_generator_is_dropped_before_the_device_is_closed(self):
        # Its end releases traces on the device, which fails once the device is closed.
        left_at_the_end = []

        def initialize(phase):
            generator = FakeGenerator(max_batch_size=1, num_blocks=9, max_seq_len=128)
            known = weakref.ref(generator)
            model = fake_initialize_model(generator=generator)(phase)
            return replace(model, close=lambda: left_at_the_end.append(known()))

        engine = Engine(initialize, max_batch_size=1, max_seq_len=128, block_size=8, num_blocks=9)
        engine.start()
        wait_until(lambda: engine.state is State.READY, "readiness")
        ask_many(engine, 1, max_tokens=5)[0].wait()
        engine.drain(30.0)
        assert engine.join(30)
        assert left_at_the_end == [None]

    @pytest.mark.parametrize("failure", ["loading", "warm-up", "step"])
    def test_so_it_is_when_something_fails(self, failure, caplog):
        """What was raised knows the frames it came through, and they know the Generator."""
        caplog.set_level(logging.CRITICAL, logger="ttdirect.engine")
        left_at_the_end = []

        def initialize(phase):
            fail_at = {"loading": None, "warm-up": 0, "step": 1}[failure]
            generator = FakeGenerator(
                max_batch_size=1,
                num_blocks=9,
                max_seq_len=128,
                fail_at_step=fail_at,
                failure=RuntimeError("TT_FATAL @ device.cpp:1: dram\ninfo:\nlost"),
            )
            known = weakref.ref(generator)
            phase.at_end(lambda: left_at_the_end.append(known()))
            if failure == "loading":
                raise RuntimeError("TT_THROW @ device.cpp:1: tt::exception\ninfo:\nlost")
            model = fake_initialize_model(generator=generator)(phase)
            return replace(model, close=lambda: None)  # its own knows the Generator

        engine = Engine(initialize, max_batch_size=1, max_seq_len=128, block_size=8, num_blocks=9)
        told = []
        engine.on_failed = told.append
        engine.start()
        if failure == "step":
            wait_until(lambda: engine.state is State.READY, "readiness")
            ask_many(engine, 1, max_tokens=5)[0].wait()
        assert engine.join(30)
        assert engine.state is State.FAILED
        assert len(told) == 1  # the error itself is still there
        assert left_at_the_end == [None]

    def test_all_that_was_opened_is_closed_on_the_engines_thread_the_last_one_first(self):
        closed = []

        def initialize(phase):
            for name in ("mesh", "submesh"):
                phase.at_end(lambda name=name: closed.append((name, threading.get_ident())))
            loader = fake_initialize_model()
            return replace(loader(phase), close=lambda: closed.append(("model", 0)))

        engine = Engine(initialize, max_batch_size=4, max_seq_len=256, block_size=8, num_blocks=129)
        engine.start()
        wait_until(lambda: engine.state is State.READY, "readiness")
        thread = engine._thread.ident
        engine.drain(30.0)
        assert engine.join(30)
        assert closed == [("model", 0), ("submesh", thread), ("mesh", thread)]


class TestGivingBackFails:
    def test_it_is_logged_and_the_engine_has_stopped_all_the_same(self, caplog):
        with running_engine(close_fails_with=RuntimeError("the device is lost")) as engine:
            engine.drain(0.0)
            assert engine.join(30)
            assert engine.state is State.STOPPED
        assert "the device could not be given back" in caplog.text
        assert "the device is lost" in caplog.text
