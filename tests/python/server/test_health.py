"""`/health` says what the server is doing, with the same keys in every state."""

import pytest

from processes import fake_server, free_port
from ttdirect.engine import State
from waiting import wait_until

KEYS = [
    "status",
    "model",
    "model_loaded",
    "note",
    "phase",
    "progress",
    "elapsed_seconds",
    "device",
    "memory",
    "running",
    "queued",
    "max_batch_size",
    "max_seq_len",
    "version",
]


def test_a_ready_server_is_healthy(lesson):
    response = lesson.health()
    assert response.status_code == 200
    report = response.json
    assert list(report) == KEYS
    assert report["status"] == "healthy"
    assert report["model"] == "fake-1b"
    assert report["model_loaded"] is True
    assert report["note"] == "Model is loaded in memory for fast inference"
    assert report["device"] == "fake card"
    assert (report["phase"], report["progress"]) == ("ready", 1.0)
    assert (report["running"], report["queued"]) == (0, 0)
    assert (report["max_batch_size"], report["max_seq_len"]) == (32, 2048)


def test_a_loading_server_says_which_phase_it_is_in(start_lesson, tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    lesson = start_lesson({"load_hold_while": str(hold)}, start=False)
    try:
        lesson.engine.start()
        wait_until(lambda: lesson.health().json["phase"] == "loading fake-1b")
        response = lesson.health()
        assert response.status_code == 503
        report = response.json
        assert list(report) == KEYS
        assert report["status"] == "loading"
        assert report["model_loaded"] is False
        assert report["note"] == "Loading fake-1b."
        assert report["progress"] == 0.05

        for refused in (lesson.chat(), lesson.stream()):
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "2"
            assert refused.json == {"error": "The model is still loading. Try again in 2 s."}
    finally:
        hold.unlink()
    wait_until(lambda: lesson.health().status_code == 200, "readiness")


def test_a_draining_server_says_so_and_refuses(start_lesson):
    lesson = start_lesson()
    lesson.gate.shut()
    wait = lesson.in_background(lesson.chat)
    lesson.gate.wait_until_held()
    lesson.engine.drain(30.0)
    response = lesson.health()
    assert response.status_code == 503
    assert list(response.json) == KEYS
    assert response.json["status"] == response.json["phase"] == "draining"
    assert response.json["running"] == 1
    refused = lesson.chat("too late")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "30"
    assert refused.json == {"error": "The server is shutting down."}
    lesson.gate.open()
    (answer,) = wait()
    assert answer.json["response"] == "You said: hello"
    assert lesson.engine.join(30)
    assert lesson.health().status_code == 503
    assert lesson.health().json["status"] == "draining"


def test_a_failed_server_says_why_in_one_line(start_lesson):
    """tt-metal's errors are many lines of backtrace with the paths of the machine."""
    lesson = start_lesson({"fail_at_step": 2, "failures": 3})
    assert [lesson.chat().status_code for _ in range(3)] == [500] * 3
    wait_until(lambda: lesson.engine.state is State.FAILED)
    response = lesson.health()
    assert response.status_code == 503
    assert list(response.json) == KEYS
    assert response.json["status"] == "failed"
    refused = lesson.chat()
    assert refused.status_code == 503
    for text in (response.json["note"], refused.json["error"]):
        assert text.startswith("The model failed while it computed")
        assert "\n" not in text
        assert "backtrace" not in text
        assert "/home/somebody" not in text


def test_health_counts_who_runs_and_who_waits(start_lesson):
    lesson = start_lesson(MAX_BATCH_SIZE="2")
    lesson.gate.shut()
    wait = lesson.in_background(*[lesson.chat] * 5)
    wait_until(lambda: sum(map(lesson.health().json.get, ("running", "queued"))) == 5)
    lesson.gate.open()
    assert all(response.status_code == 200 for response in wait())


@pytest.mark.slow
def test_a_server_answers_while_it_loads_and_can_be_stopped_then(tmp_path):
    """The socket is open from the first moment, so nobody is left with a refused connection.

    A card is closed before the process ends, however long the part of loading takes.
    """
    port = free_port()
    hold = tmp_path / "hold"
    hold.touch()
    with fake_server(tmp_path, card={"load_hold_while": str(hold)}, port=port) as server:
        server.wait_for_line("loading fake-1b")
        server.url = f"http://127.0.0.1:{port}"
        report = server.wait_health(phase="loading fake-1b")
        assert list(report) == KEYS
        assert (report["status"], report["model_loaded"]) == ("loading", False)
        refused = server.chat("hello")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")

        server.terminate()
        server.wait_for_line("The device is closed as soon as this part of loading is done")
        assert server.wait_health(status="draining")["model_loaded"] is False
        assert "fake card closed" not in server.output
        hold.unlink()
        assert server.wait_exit() == 0
        assert server.output.count("fake card closed") == 1
        assert "warming up" not in server.output
        assert "Server ready" not in server.output
        assert "Traceback" not in server.output
        assert "error" not in server.output
