"""`ttdirect chat` with OpenAI's routes, ours or another server's: one question, and whom to ask."""

import json
import os
import sys
from pathlib import Path

import pytest

from cli.fake_server import HEAD, Answer, chunk, completion, event, said
from ttdirect.cli.main import main

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def piped(monkeypatch):
    """Send these bytes to standard input through a pipe."""
    opened = []

    def send(content):
        read, write = os.pipe()
        os.write(write, content)
        os.close(write)
        opened.append(os.fdopen(read, encoding="utf-8"))
        monkeypatch.setattr(sys, "stdin", opened[-1])

    yield send
    for stream in opened:
        stream.close()


# One question


def test_our_own_server_is_asked_by_openai_s_route_when_it_has_one(chat, server):
    server.models = ["fake-1b", "an-alias"]
    server.answers = [Answer(completion("Hel", "lo"))]
    assert chat("hi") == (0, "Hello\n", HEAD.format(server.url))
    assert server.paths == ["/v1/chat/completions"]


def test_the_request_is_openai_s(other, server):
    options = ["--system", "Be brief.", "--temperature", "0.5", "--seed", "7", "--stop", "END"]
    assert other(*options, "hi")[:2] == (0, "Hello\n")
    assert server.requests[0][0] == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hi"},
        ],
        "temperature": 0.5,
        "seed": 7,
        "stop": ["END"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_json_holds_the_answer_and_what_it_took(other):
    code, out, _ = other("--json", "hi")
    report = json.loads(out)
    assert code == 0
    assert (report["model"], report["response"]) == ("m", "Hello")
    assert (report["tokens_generated"], report["finish_reason"]) == (3, "stop")
    assert 0 < report["ttft_seconds"] <= report["time_seconds"]


def test_json_is_not_for_a_conversation(other, typed):
    typed("hi")
    code, out, err = other("--json")
    assert (code, out) == (2, "")
    assert "--json is for one answer" in err


def test_without_usage_pieces_are_counted(other, server):
    server.answers = [Answer(completion("a", "b", finish_reason="length"))]
    err = other("--timings", "hi")[2]
    assert "2 tokens in" in err
    assert "cut off at the token limit" in err


def test_what_is_piped_stands_before_the_prompt(other, server, piped):
    piped("Grüße\nzwei\n".encode())
    other("Sum", "this", "up.")
    assert said(server) == [("user", "Grüße\nzwei\n\nSum this up.")]


def test_an_empty_pipe_changes_nothing(other, server, piped):
    piped(b"")
    other("hi")
    assert said(server) == [("user", "hi")]


def test_the_null_device_changes_nothing(other, server, monkeypatch):
    with Path(os.devnull).open() as null:
        monkeypatch.setattr(sys, "stdin", null)
        other("hi")
    assert said(server) == [("user", "hi")]


# Which server and model


@pytest.mark.parametrize(
    ("models", "what"),
    [
        (["a", "b"], "the server has several models: a, b"),
        (
            [str(n) for n in range(10)],
            "the server has several models: 0, 1, 2, 3, 4, 5, 6, 7 and 2",
        ),
        ([], "the server names no model"),
    ],
)
def test_a_model_has_to_be_chosen_among_several(other, server, models, what):
    server.models = models
    code, _, err = other("hi")
    assert code == 2
    assert what in err
    assert "fix:   choose one with --model NAME" in err
    assert other("--model", "b", "hi")[0] == 0
    assert server.requests[-1][0]["model"] == "b"


def test_an_address_without_v1_finds_the_routes_too(other, server, capsys):
    assert main(["chat", "--url", server.url, "hi"]) == 0
    assert server.paths == ["/v1/chat/completions"]


def test_another_server_that_loads_is_waited_for(other, server, quick):
    server.model_reports = [(503, {"error": {"message": "Loading model"}})] * 2
    code, out, err = other("hi")
    assert (code, out) == (0, "Hello\n")
    assert err.startswith("The server is loading: Loading model\n")
    assert quick == [0.5, 0.5]


def test_without_waiting_it_is_an_error(other, server):
    server.model_reports = [(503, {"error": {"message": "Loading model"}})]
    code, _, err = other("--no-wait", "hi")
    assert code == 1
    assert "error: Loading model" in err


def test_a_refusal_in_openai_s_shape_is_told_in_its_words(other, server):
    body = json.dumps({"error": {"message": "Too long.", "type": "x"}}).encode()
    server.answers = [Answer([body], status=400, content_type="application/json")]
    code, out, err = other("hi")
    assert (code, out) == (1, "")
    assert "error: Too long.\n" in err


@pytest.mark.parametrize(
    ("chunks", "what"),
    [
        ([chunk("Once"), event(error={"message": "The device failed."})], "The device failed."),
        ([chunk("Once")], "the connection ended before the answer was complete"),
        ([chunk("Once"), b"data: [DONE]\n\n"], "the connection ended before"),
        ([chunk("Once"), event(error=None)], "the server failed without saying why"),
    ],
)
def test_an_answer_that_breaks_off_is_told_after_its_text(other, server, chunks, what):
    server.answers = [Answer(chunks)]
    code, out, err = other("hi")
    assert (code, out) == (1, "Once\n")
    assert f"error: {what}" in err


def test_chunks_of_any_shape_do_not_break_the_answer(other, server):
    odd = [event(choices=None), event(choices=[None]), event(choices=[{"delta": None}]), event()]
    server.answers = [Answer([*odd, *completion("Hello", prompt_tokens="x")])]
    assert other("hi")[:2] == (0, "Hello\n")


def test_the_openai_key_goes_only_where_the_user_said(server, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", "general")
    monkeypatch.setattr("ttdirect.cli.server_options.DEFAULT_URL", server.url)
    assert main(["chat", "hi"]) == 0
    assert "Authorization" not in server.requests[-1][1]
    assert main(["chat", "--url", server.url, "hi"]) == 0
    assert server.requests[-1][1]["Authorization"] == "Bearer general"
