"""SIGTERM, Ctrl+C, a closed terminal: running answers are finished, the device is closed, 0."""

import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from processes import ONE_REQUEST, fake_gunicorn, fake_server
from ttdirect.engine import State
from waiting import wait_until

STREAMS = 8


def to_the_server(server, signal_number):
    """As `kill` and process managers do."""
    os.kill(server.process.pid, signal_number)


def to_the_terminal(server, signal_number):
    """As a terminal does: every process in it gets the signal."""
    os.killpg(server.process.pid, signal_number)


def read_stream(server, number):
    response = requests.post(
        f"{server.url}/chat/stream",
        json={"prompt": f"repeat 60 {number}", "max_tokens": 60},
        headers=ONE_REQUEST,
        timeout=120,
    )
    events = [line for line in response.text.split("\n\n") if line.startswith("data: ")]
    return [json.loads(event.removeprefix("data: ")) for event in events]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("send", "signal_number"),
    [
        (to_the_server, signal.SIGTERM),
        (to_the_terminal, signal.SIGINT),
        (to_the_terminal, signal.SIGHUP),
    ],
    ids=["kill", "ctrl-c", "closed-terminal"],
)
def test_running_streams_are_finished(tmp_path, send, signal_number):
    hold = tmp_path / "hold"
    card = {"hold_while": str(hold), "step_seconds": 0.01}
    with fake_server(tmp_path, card=card) as server, ThreadPoolExecutor(STREAMS) as pool:
        server.wait_ready()
        streams = [pool.submit(read_stream, server, number) for number in range(STREAMS)]
        server.wait_health(running=STREAMS)
        hold.touch()
        send(server, signal_number)
        server.wait_for_line(f"Stopping: {STREAMS} answers are being finished")
        report = server.wait_health(status="draining")
        assert report["running"] == STREAMS
        refused = server.chat("too late")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
        hold.unlink()

        for number, stream in enumerate(streams):
            *pieces, last = stream.result()
            assert "".join(piece["text"] for piece in pieces) == str(number) * 60
            assert last["finish_reason"] == "length"
        assert server.wait_exit() == 0
        assert "fake card closed" in server.output
        assert "Traceback" not in server.output
        wait_until(server.is_gone)
        with socket.create_server(("127.0.0.1", server.port)):
            pass


@pytest.mark.slow
def test_a_second_ctrl_c_ends_at_once(tmp_path):
    hold = tmp_path / "hold"
    with fake_server(tmp_path, card={"hold_while": str(hold)}) as server:
        server.wait_ready()
        hold.touch()
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(server.chat, "never answered")
            server.wait_health(running=1)
            to_the_terminal(server, signal.SIGINT)
            server.wait_health(status="draining")
            begun = time.monotonic()
            to_the_terminal(server, signal.SIGINT)
            server.wait_exit()
            assert time.monotonic() - begun < 10  # the drain time is 25 s, and the step hangs
            with pytest.raises(requests.ConnectionError):
                call.result()
        wait_until(server.is_gone)


@pytest.mark.slow
def test_a_second_ctrl_c_cuts_answers_off_and_closes_the_device(tmp_path):
    with (
        fake_server(tmp_path, card={"step_seconds": 0.05}) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        server.wait_ready()
        call = pool.submit(server.chat, "repeat 1900 b", max_tokens=1900)
        server.wait_health(running=1)
        to_the_terminal(server, signal.SIGINT)
        server.wait_health(status="draining")
        to_the_terminal(server, signal.SIGINT)
        assert call.result().json()["finish_reason"] == "abort"
        assert server.wait_exit() == 0
        assert server.output.count("fake card closed") == 1
        assert "still open" not in server.output


@pytest.mark.slow
def test_a_second_ctrl_c_while_a_model_is_loaded_says_why_the_device_stays_open(tmp_path):
    hold = tmp_path / "hold"
    hold.touch()
    with fake_server(tmp_path, card={"load_hold_while": str(hold)}) as server:
        server.wait_for_line("loading fake-1b")
        to_the_terminal(server, signal.SIGINT)
        server.wait_for_line("A second Ctrl.C does not wait; then the board may need `tt-smi -r`")
        to_the_terminal(server, signal.SIGINT)
        assert server.wait_exit() == 0
        assert "only the model's own thread may close it, and that is busy" in server.output
        assert "fake card closed" not in server.output
        wait_until(server.is_gone)


@pytest.mark.slow
def test_ctrl_c_under_gunicorns_own_command_closes_the_device(tmp_path):
    """gunicorn takes it for a quick end: answers are cut off, and its worker gets it, too."""
    card = {"step_seconds": 0.05}
    with (
        fake_gunicorn(tmp_path, "-w1", "--threads=104", card=card) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        server.wait_ready()
        call = pool.submit(server.chat, "repeat 1900 b", max_tokens=1900)
        server.wait_health(running=1)
        to_the_terminal(server, signal.SIGINT)
        assert call.result().json()["finish_reason"] == "abort"
        assert server.wait_exit() == 0
        assert server.output.count("fake card closed") == 1
        assert "Traceback" not in server.output


def test_when_the_drain_time_is_over_answers_are_cut_off_and_say_so(start_lesson):
    lesson = start_lesson()
    lesson.gate.shut()
    wait = lesson.in_background(lesson.chat, lambda: lesson.stream("as a stream"))
    wait_until(lambda: lesson.health().json["running"] == 1)
    lesson.gate.let_pass(6)
    lesson.engine.drain(0.0)
    lesson.gate.open()
    chat, stream = wait()
    assert chat.json["finish_reason"] == "abort"
    assert "You said: hello".startswith(chat.json["response"])
    assert '"finish_reason": "abort"' in stream.text
    wait_until(lambda: lesson.engine.state is State.STOPPED)
