"""The log as JSON: a line is an object, and a line that cannot be written hurts nobody."""

import errno
import io
import json
import logging
import sys
from contextvars import Context

import pytest
from flask import Flask

from engine_on_fakes import running_engine, text_of
from processes import fake_server
from ttdirect.server import add_streaming, protect
from ttdirect.server.environment import SettingError
from ttdirect.server.request_log import log_handler

LOGGER = logging.getLogger("ttdirect.requests")


@pytest.fixture
def log():
    """A function that puts a handler on ttdirect's loggers for the time of the test."""
    logger = logging.getLogger("ttdirect")
    before, handlers = logger.level, []

    def add(stream, log_format="json"):
        handlers.append(log_handler(stream, log_format))
        logger.addHandler(handlers[-1])
        logger.setLevel(logging.INFO)

    yield add
    logger.setLevel(before)
    for handler in handlers:
        logger.removeHandler(handler)


@pytest.fixture
def lines(log):
    """A function: the objects that were logged so far."""
    stream = io.StringIO()
    log(stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def events(lines, name):
    return [line for line in lines() if line.get("event") == name]


def test_an_answer_is_told_in_values(lines):
    with running_engine(answers={"hello": "Hi!"}) as engine:
        answer = engine.ask("hello", max_tokens=9)
        text_of(answer)
    (asks,), (gets,) = events(lines, "asks"), events(lines, "gets")
    assert (asks["request"], asks["prompt_tokens"], asks["max_tokens"]) == (answer.number, 9, 9)
    figures = answer.figures
    assert (
        gets
        | {
            "level": "info",
            "logger": "ttdirect.requests",
            "request": answer.number,
            "prompt_tokens": 9,
            "cached_tokens": 0,
            "tokens_generated": 3,
            "finish_reason": "stop",
            "time_seconds": round(figures.time_seconds, 3),
            "ttft_seconds": round(figures.ttft_seconds, 3),
            "queue_seconds": round(figures.queue_seconds, 3),
        }
        == gets
    )
    assert gets["message"].startswith(f"#{answer.number} gets  3 tokens in ")
    assert gets["time"][10] == "T"
    assert gets["time"].endswith("Z")


@pytest.fixture
def named_app():
    """An app that streams and whose requests have ids."""
    with running_engine(answers={"hello": "Hi!"}) as engine:
        app = Flask("test")
        protect(app)
        add_streaming(app, engine)

        yield app


def test_both_lines_of_a_stream_have_the_requests_id(named_app, lines):
    """Its second line is written when Flask has left the request."""
    named_app.test_client().post(
        "/chat/stream", json={"prompt": "hello"}, headers={"X-Request-Id": "req-7"}
    ).get_data()
    assert [line["request_id"] for line in lines() if "request" in line] == ["req-7", "req-7"]


def test_a_refusal_has_its_status_and_the_requests_id(named_app, lines):
    named_app.test_client().post(
        "/chat/stream", json={"prompt": ""}, headers={"X-Request-Id": "req-7"}
    )
    (line,) = events(lines, "refused")
    assert (line["status"], line["request_id"]) == (400, "req-7")
    assert line["asked"] == "POST /chat/stream"
    assert line["error"] == "The field 'prompt' is empty."


def test_an_exception_and_odd_text_stay_on_their_line(lines):
    error = RuntimeError("first\nsecond \u2028 \x1b[2J")
    Context().run(LOGGER.error, "it\nbroke", exc_info=error)  # nobody asks
    (line,) = lines()
    assert line["message"] == "it\nbroke"
    assert line["level"] == "error"
    assert "RuntimeError: first\nsecond" in line["exception"]


class FullDisk(io.StringIO):
    def write(self, _text):
        raise OSError(errno.ENOSPC, "No space left on device")


def a_closed_stream():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize("make", [FullDisk, a_closed_stream])
def test_a_log_that_cannot_be_written_hurts_nobody(log, named_app, monkeypatch, make, log_format):
    stream = make()
    log(stream, log_format)
    monkeypatch.setattr(sys, "stderr", stream)  # where logging would complain
    client = named_app.test_client()
    answer = client.post("/chat/stream", json={"prompt": "hello"})
    assert answer.status_code == 200
    assert '"response": "Hi!"' in answer.text
    assert client.post("/chat/stream", json={}).status_code == 400


def test_another_format_is_refused():
    with pytest.raises(SettingError, match="TTDIRECT_LOG_FORMAT must be text or json, not 'xml'"):
        log_handler(sys.stderr, "xml")


@pytest.mark.slow
def test_a_server_logs_json_when_told_to(tmp_path):
    with fake_server(tmp_path, env={"TTDIRECT_LOG_FORMAT": "json"}) as server:
        server.url = server.wait_for_line(r'"Server ready on (http://[^"]+)"')[1]
        assert server.chat("hello").status_code == 200
        server.wait_for_line(r'"event": "gets"')
        assert all(json.loads(line)["logger"] for line in server.lines if line)


@pytest.mark.slow
def test_a_server_does_not_start_with_a_format_that_is_none(tmp_path):
    with fake_server(tmp_path, env={"TTDIRECT_LOG_FORMAT": "xml"}) as server:
        assert server.wait_exit() == 3
        assert "error: TTDIRECT_LOG_FORMAT must be text or json, not 'xml'." in server.output
        assert "fix:   set TTDIRECT_LOG_FORMAT=json" in server.output
