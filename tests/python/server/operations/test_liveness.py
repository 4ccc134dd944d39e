"""`/livez` says whether a restart would help, and the watchdog says so in the log."""

import logging
import threading

import pytest

from engine_on_fakes import make_engine, running_engine, stop_engine, text_of
from fake_generator import Gate
from operations_app import app_of
from ttdirect.device import is_lost, open_card
from ttdirect.engine import State, StepFailedError
from ttdirect.server.watchdog import watch_steps
from waiting import wait_until


def livez(engine):
    return app_of(engine).test_client().get("/livez")


def test_a_server_at_work_is_alive():
    with running_engine() as engine:
        response = livez(engine)
    assert response.status_code == 200
    assert response.json == {
        "status": "alive",
        "note": "The process works.",
        "state": "ready",
        "step_seconds": 0.0,
    }


def test_it_is_alive_before_during_and_after_its_work():
    gate = Gate(shut=True)
    engine = make_engine(load_gate=gate)
    assert livez(engine).status_code == 200
    engine.start()
    gate.wait_until_held()
    assert (livez(engine).status_code, livez(engine).json["state"]) == (200, "loading")
    stop_engine(engine)
    assert (livez(engine).status_code, livez(engine).json["state"]) == (200, "stopped")


def test_a_step_that_takes_too_long_is_a_reason_to_restart():
    gate = Gate(shut=True)
    with running_engine(gate=gate, step_timeout_seconds=0.05) as engine:
        answer = engine.ask("hello")
        wait_until(lambda: livez(engine).status_code == 503)
        report = livez(engine).json
        assert report["status"] == "dead"
        assert report["note"].startswith("The model is stuck: a step has been going on for")
        assert report["step_seconds"] >= 0.0
        gate.open()
        text_of(answer)
        wait_until(lambda: livez(engine).status_code == 200)


def test_a_step_that_takes_its_time_is_none():
    gate = Gate(shut=True)
    with running_engine(gate=gate, step_timeout_seconds=60.0) as engine:
        engine.ask("hello")
        gate.wait_until_held()
        wait_until(lambda: livez(engine).json["step_seconds"] > 0)
        assert livez(engine).status_code == 200


def test_a_failed_engine_is_dead():
    engine = make_engine(fail_with=RuntimeError("out of luck in /home/somebody/model"))
    engine.start()
    assert engine.join(30)
    response = livez(engine)
    assert (response.status_code, response.json["state"]) == (503, "failed")
    assert response.json["note"] == "The model could not be loaded: out of luck in model"


def test_a_thread_that_ended_unasked_is_noticed():
    engine = make_engine()
    engine._thread = threading.Thread(target=lambda: None)
    engine._thread.start()
    engine._thread.join()
    assert engine.state is State.LOADING
    response = livez(engine)
    assert response.status_code == 503
    assert "thread has ended" in response.json["note"]


class TestWatchdog:
    def test_it_says_once_that_a_step_is_stuck_and_once_that_it_goes_on(self, caplog):
        gate = Gate(shut=True)

        def lines():
            return [r.getMessage() for r in caplog.records if r.name == "ttdirect.server"]

        with (
            caplog.at_level(logging.ERROR, "ttdirect"),
            running_engine(gate=gate, step_timeout_seconds=0.2) as engine,
        ):
            watchdog = watch_steps(engine, check_seconds=0.001)
            answer = engine.ask("hello")
            wait_until(lines)
            wait_until(lambda: engine.health().step_seconds > 0.5)
            (stuck,) = lines()
            assert stuck.startswith("The model is stuck: a step has been going on for")
            gate.open()
            text_of(answer)
            wait_until(lambda: len(lines()) == 2)
            assert lines()[1].startswith("The model goes on: the step was stuck for")
        watchdog.join(30)
        assert not watchdog.is_alive()

    @pytest.mark.parametrize("on_a_card", [True, False])
    def test_it_gives_up_on_a_step_that_does_not_end(self, on_a_card, caplog):
        """On a card the device is lost then; on a CPU another process may fare better."""
        caplog.set_level(logging.CRITICAL, "ttdirect")
        gate, told = Gate(shut=True), []
        open_card.note(is_open=on_a_card)
        try:
            with running_engine(gate=gate, step_timeout_seconds=0.0, fail_at_step=99) as engine:
                engine.on_failed = told.append
                watchdog = watch_steps(engine, check_seconds=0.001, give_up_seconds=0.0)
                answer = engine.ask("hello")
                with pytest.raises(StepFailedError):
                    text_of(answer)
                watchdog.join(30)
                assert not watchdog.is_alive()
        finally:
            open_card.note(is_open=False)
        (error,) = told
        assert str(error).startswith("A step of the model has been going on for 0 s")
        assert is_lost(error) is on_a_card

    def test_it_says_nothing_about_steps_that_go_well(self, caplog):
        with (
            caplog.at_level(logging.WARNING, "ttdirect"),
            running_engine(answers={"hello": "Hi!"}) as engine,
        ):
            watchdog = watch_steps(engine, check_seconds=0.001)
            text_of(engine.ask("hello"))
        watchdog.join(30)
        assert not watchdog.is_alive()
        assert not caplog.records
