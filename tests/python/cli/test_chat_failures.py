"""`ttdirect chat` when the server refuses, fails, hangs up, or is not ready yet."""

import socket
import threading

import pytest

from cli.fake_server import FIGURES, HEAD, HEALTHY, Answer, event, loading, pieces, refusal
from ttdirect.cli.main import main

pytestmark = pytest.mark.usefixtures("quick")


def two_lines(err):
    """Return what happened and what to do, from the last two lines."""
    what, fix = err.splitlines()[-2:]
    assert what.startswith("error: ")
    assert fix.startswith("fix:   ")
    return what[7:], fix[7:]


# What goes wrong


def test_no_server_is_told_with_the_command_that_starts_one(capsys, free_port):
    assert main(["chat", "--url", f"127.0.0.1:{free_port}/", "hi"]) == 1
    assert capsys.readouterr().err == (
        f"error: no server answers on http://127.0.0.1:{free_port}\n"
        f"fix:   start one with: ttdirect serve --port {free_port}\n"
    )


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:99999", "http://[::1", "x y:z"])
def test_what_is_no_address_is_wrong_usage(capsys, url):
    assert main(["chat", "--url", url, "hi"]) == 2
    assert two_lines(capsys.readouterr().err)[1] == "give an address like http://127.0.0.1:8080"


def test_a_proxy_is_not_asked_for_this_computer(chat, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert chat("hi")[0] == 0


@pytest.mark.parametrize(
    "report",
    [
        *(b"<html>", b"[]", b"\xff", b"[" * 50_000, {}),
        *({"status": "ok"}, {"model_loaded": True, "status": []}),
    ],
)
def test_a_stranger_on_the_port_is_recognised(chat, server, report):
    server.healths = [(200, report)]
    code, out, err = chat("hi")
    assert (code, out) == (1, "")
    assert two_lines(err)[0] == f"what answers on {server.url} is not a TT Direct API server"


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_a_stranger_that_does_not_speak_http_is_told(capsys, greeting):
    with socket.create_server(("127.0.0.1", 0)) as stranger:

        def greet():
            connection, _ = stranger.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{stranger.getsockname()[1]}"
        assert main(["chat", "--url", url, "hi"]) == 1
        thread.join()
    assert f"error: what listens on {url} hung up without an answer" in capsys.readouterr().err


def test_a_stream_that_is_something_else_is_recognised(chat, server):
    server.answers = [Answer([b"{}"], content_type="application/json")]
    code, _, err = chat("hi")
    assert code == 1
    assert "is not a TT Direct API server" in err


@pytest.mark.parametrize(
    ("answer", "what", "fix"),
    [
        pytest.param(
            refusal(400, "temperature must be from 0.0 to 2.0."),
            "temperature must be from 0.0 to 2.0.",
            "ttdirect chat --help shows every option",
            id="400",
        ),
        pytest.param(
            refusal(401, "This server needs an API key."),
            "This server needs an API key.",
            "put the server's API key into TTDIRECT_API_KEY (see --api-key-env)",
            id="401",
        ),
        pytest.param(
            refusal(504, "The answer took too long."),
            "The answer took too long.",
            "look at the server's terminal, then ask again",
            id="504",
        ),
        pytest.param(
            Answer([b"oops"], status=500, content_type="text/plain"),
            "the server answered with status 500",
            "look at the server's terminal, then ask again",
            id="500 without a sentence",
        ),
    ],
)
def test_a_refusal_is_told_in_the_server_s_words(chat, server, answer, what, fix):
    server.answers = [answer]
    code, out, err = chat("hi")
    assert (code, out) == (1, "")
    assert two_lines(err) == (what, fix)


def test_an_error_in_mid_stream_comes_after_the_text_so_far(chat, server):
    server.answers = [Answer([event(text="Once upon"), event(error="The device failed.")])]
    code, out, err = chat("hi")
    assert (code, out) == (1, "Once upon\n")
    assert two_lines(err)[0] == "The device failed."


@pytest.mark.parametrize("chunked", [True, False])
def test_a_connection_that_is_cut_is_no_complete_answer(chat, server, chunked):
    server.answers = [Answer([event(text="Once")], cut=True, chunked=chunked)]
    code, out, err = chat("hi")
    assert (code, out) == (1, "Once\n")
    assert two_lines(err)[0] == "the connection ended before the answer was complete"


def test_events_that_are_no_text_are_told(chat, server):
    server.answers = [Answer([b"data: \xff\n\n"])]
    assert "not UTF-8" in two_lines(chat("hi")[2])[0]


def test_a_server_that_falls_silent_is_told(chat, server, monkeypatch):
    monkeypatch.setattr("ttdirect.cli.connection._SILENCE_SECONDS", 1)
    hold = threading.Event()
    server.answers = [Answer([event(text="Once"), event(**FIGURES)], hold=hold)]
    code, out, err = chat("hi")
    hold.set()
    assert (code, out) == (1, "Once\n")
    assert "stayed silent" in two_lines(err)[0]


# Waiting


def test_a_loading_server_is_waited_for(chat, server, quick):
    server.healths = [loading("reading weights", 0.25), loading("warm-up", 0.9), (200, HEALTHY)]
    assert chat("hi") == (
        0,
        "Hello\n",
        "The server is loading: reading weights (25%)\n"
        "The server is loading: warm-up (90%)\n" + HEAD.format(server.url),
    )
    assert quick == [0.5, 0.5]


def test_without_waiting_a_loading_server_is_an_error(chat, server):
    server.healths = [loading("reading weights", 0.25)]
    code, _, err = chat("--no-wait", "hi")
    assert code == 1
    assert two_lines(err)[0] == "the server is still loading: reading weights (25%)"


@pytest.mark.parametrize(
    ("status", "what"),
    [
        ("failed", "the server could not load its model: no weights"),
        ("draining", "the server is shutting down"),
        ("stopped", "the server is shutting down"),
    ],
)
def test_a_server_that_will_not_answer_is_not_waited_for(chat, server, status, what):
    server.healths = [(503, {**HEALTHY, "status": status, "note": "no weights"})]
    code, _, err = chat("hi")
    assert code == 1
    assert two_lines(err)[0] == what


def test_a_full_queue_is_waited_for_as_long_as_it_asks(chat, server, quick):
    server.answers = [refusal(503, "The queue is full.", Retry_After="3"), Answer(pieces("Hello"))]
    code, out, err = chat("hi")
    assert (code, out) == (0, "Hello\n")
    assert "The queue is full. Asking again in 3 s." in err
    assert quick == [3]


@pytest.mark.parametrize(
    ("arguments", "seconds"), [(["--no-wait"], "3"), ([], "3600")], ids=["not at all", "so long"]
)
def test_a_full_queue_is_an_error_for_who_will_not_wait(chat, server, quick, arguments, seconds):
    server.answers = [refusal(503, "The queue is full.", Retry_After=seconds)]
    code, _, err = chat(*arguments, "hi")
    assert code == 1
    assert two_lines(err) == ("The queue is full.", f"try again in {seconds} s")
    assert quick == []
