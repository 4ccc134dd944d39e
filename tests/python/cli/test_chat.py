"""`ttdirect chat`, against a server that plays the contract."""

import builtins
import io
import signal
import socket
import sys
import threading

import pytest

from cli.fake_server import FIGURES, HEALTHY, Answer, event, loading, pieces, refusal
from ttdirect.cli import readiness
from ttdirect.cli.main import main

HEAD = "fake-1b answers on {}\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Waits cost no time, and are written down."""
    waits = []
    monkeypatch.setattr(readiness.time, "sleep", waits.append)
    return waits


@pytest.fixture
def chat(server, capsys):
    """Run the command against the fake server; returns exit code, stdout and stderr."""

    def run(*arguments):
        code = main(["chat", "--url", server.url, *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


@pytest.fixture
def typed(monkeypatch):
    """Let a user at a terminal type these lines; exceptions are the keys that raise them."""

    def type_in(*lines):
        rest = list(lines)

        def answer(prompt=""):
            line = rest.pop(0) if rest else EOFError()
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr(builtins, "input", answer)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)

    return type_in


def give_stdin(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


# One answer


def test_the_answer_is_data_and_the_model_is_named_on_stderr(chat, server):
    assert chat("hi") == (0, "Hello\n", HEAD.format(server.url))
    assert server.requests[0][0] == {"prompt": "hi"}


def test_words_need_no_quotes(chat, server):
    chat("--seed", "1", "what", "is", "it")
    assert server.requests[0][0] == {"prompt": "what is it", "seed": 1}


def test_every_option_is_a_field_of_the_request(chat, server):
    options = {
        "--max-tokens": "5000",
        "--temperature": "0.5",
        "--top-p": "0.9",
        "--top-k": "40",
        "--seed": "7",
        "--system": "Be brief.",
    }
    words = [word for pair in options.items() for word in pair]
    assert chat(*words, "--stop", "END", "--stop", "\n", "hi")[0] == 0
    assert server.requests[0][0] == {
        "prompt": "hi",
        "max_tokens": 5000,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 7,
        "system": "Be brief.",
        "stop": ["END", "\n"],
    }


@pytest.mark.parametrize("value", ["nan", "inf", "warm"])
def test_a_temperature_that_json_cannot_hold_is_wrong_usage(chat, value):
    code, out, err = chat("--temperature", value, "hi")
    assert (code, out) == (2, "")
    assert "argument --temperature" in err


def test_the_prompt_can_come_from_standard_input(chat, server, monkeypatch):
    give_stdin(monkeypatch, "Grüße\nzwei\n".encode())
    assert chat()[1] == "Hello\n"
    assert server.requests[0][0] == {"prompt": "Grüße\nzwei"}


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_standard_input_without_a_prompt_is_wrong_usage(chat, server, monkeypatch, content):
    give_stdin(monkeypatch, content)
    code, out, err = chat()
    assert (code, out) == (2, "")
    assert err.startswith("error: the")
    assert server.requests == []


def test_pieces_are_shown_as_they_come(server, capfd):
    """The last event is held back until the text before it has been seen."""
    hold = threading.Event()
    server.answers = [Answer(pieces("Hel", "lo"), hold=hold)]
    seen = []
    write = sys.stdout.write

    def watch(text):
        seen.append(text)
        if text == "lo":
            hold.set()
        return write(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.stdout, "write", watch)
        assert main(["chat", "--url", server.url, "hi"]) == 0
    assert hold.is_set()
    assert [text for text in seen if text.strip()][:2] == ["Hel", "lo"]


@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "until closed"])
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_characters_may_be_split_across_chunks(chat, server, size, chunked):
    content = b": ping\n\n" + b"".join(pieces("Grüße ", "🙂🏽", " 你好"))
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    server.answers = [Answer(chunks, chunked=chunked)]
    assert chat("hi")[1] == "Grüße 🙂🏽 你好\n"


def test_an_answer_that_ends_its_line_gets_no_second_end(chat, server):
    server.answers = [Answer(pieces("one\n", "two\n"))]
    assert chat("hi")[1] == "one\ntwo\n"


def test_an_empty_answer_prints_nothing(chat, server):
    server.answers = [Answer(pieces(tokens_generated=0))]
    assert chat("hi")[:2] == (0, "")


def test_timings_are_shown_when_asked_for(chat, server):
    server.answers = [Answer(pieces("Hello", queue_seconds=0.25, finish_reason="length"))]
    assert chat("--timings", "hi")[2] == HEAD.format(server.url) + (
        "3 tokens in 0.50 s, 6.0 tokens/s, first after 0.12 s, queued 0.25 s, "
        "cut off at the token limit (--max-tokens)\n"
    )


def test_figures_that_make_no_sense_do_not_spoil_the_answer(chat, server):
    server.answers = [Answer(pieces("Hello", tokens_generated=float("nan"), time_seconds="x"))]
    code, out, err = chat("--timings", "hi")
    assert (code, out) == (0, "Hello\n")
    assert "0 tokens in 0.00 s" in err


def test_timings_are_shown_on_a_terminal(chat, terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    terminal(sys.stderr)
    assert chat("hi")[2].endswith("3 tokens in 0.50 s, 6.0 tokens/s, first after 0.12 s\n")


HOSTILE = "a\x1b]0;title\x07b\x1b[2Jc\x9b1md\re\x7f\tf\ng"


def test_a_terminal_is_not_driven_by_the_model(chat, server, terminal):
    server.answers = [Answer(pieces(HOSTILE))]
    terminal(sys.stdout)
    out = chat("hi")[1]
    assert out == "a␛]0;title␇b␛[2Jc\\x9b1md␍e␡\tf\ng\n"


def test_a_file_gets_the_model_s_text_as_it_is(chat, server):
    server.answers = [Answer(pieces(HOSTILE))]
    assert chat("hi")[1] == HOSTILE + "\n"


def test_a_terminal_is_not_driven_by_the_server(chat, server):
    server.healths = [(200, {**HEALTHY, "model": "x\x1b[2J"})]
    server.answers = [refusal(400, "no\x1b[2J")]
    assert "\x1b" not in chat("hi")[2]


def test_half_a_surrogate_does_not_end_the_answer(server, capfd):
    server.answers = [Answer([b'data: {"text": "a\\ud83d"}\n\n', event(**FIGURES)])]
    with pytest.MonkeyPatch.context() as patch:
        stdout = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        patch.setattr(sys, "stdout", stdout)
        assert main(["chat", "--url", server.url, "hi"]) == 0
        assert stdout.buffer.getvalue() == b"a?\n"


# What goes wrong


def two_lines(err):
    """Return what happened and what to do, from the last two lines."""
    what, fix = err.splitlines()[-2:]
    assert what.startswith("error: ")
    assert fix.startswith("fix:   ")
    return what[7:], fix[7:]


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    monkeypatch.setattr("ttdirect.cli.client._SILENCE_SECONDS", 1)
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


# The API key


def sent_key(server):
    return server.requests[0][1].get("Authorization")


def test_the_api_key_comes_from_the_environment(chat, server, monkeypatch):
    chat("hi")
    assert sent_key(server) is None
    server.requests.clear()
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret\n")
    chat("hi")
    assert sent_key(server) == "Bearer s3cret"
    server.requests.clear()
    monkeypatch.setenv("MY_KEY", "other")
    chat("--api-key-env", "MY_KEY", "hi")
    assert sent_key(server) == "Bearer other"


@pytest.mark.parametrize("key", [None, " ", "schlüssel", "a\nb"])
def test_a_key_that_cannot_be_sent_is_wrong_usage_and_never_shown(chat, monkeypatch, key):
    if key:
        monkeypatch.setenv("MY_KEY", key)
    code, _, err = chat("--api-key-env", "MY_KEY", "hi")
    assert code == 2
    assert "MY_KEY" in err
    assert "schlüssel" not in err


# A conversation


def test_prompts_are_answered_until_the_user_leaves(chat, server, typed):
    typed("hi", "", "  and you ", "/quit")
    code, out, err = chat()
    assert (code, out) == (0, "Hello\nHello\n")
    assert [body["prompt"] for body, _ in server.requests] == ["hi", "and you"]
    assert err.startswith(HEAD.format(server.url) + "/help tells")


def test_ctrl_d_leaves_with_0(chat, typed):
    typed()
    assert chat()[0] == 0


def test_help_lists_what_can_be_typed_and_asks_nobody(chat, server, typed):
    typed("/help")
    err = chat()[2]
    assert "/quit" in err
    assert server.requests == []


def test_an_error_ends_its_answer_and_not_the_conversation(chat, server, typed):
    server.answers = [refusal(400, "The prompt is too long."), Answer(pieces("Hello"))]
    typed("long", "short")
    code, out, err = chat()
    assert (code, out) == (0, "Hello\n")
    assert "error: The prompt is too long." in err


def test_ctrl_c_at_the_prompt_asks_for_a_second_one(chat, typed):
    typed(KeyboardInterrupt(), KeyboardInterrupt(), "never asked")
    code, _, err = chat()
    assert code == 130
    assert err.count("Ctrl+C once more leaves.") == 1


def test_a_prompt_between_two_ctrl_c_starts_the_count_again(chat, typed):
    typed(KeyboardInterrupt(), "hi", KeyboardInterrupt())
    code, out, _ = chat()
    assert (code, out) == (0, "Hello\n")


def interrupt_after(text, monkeypatch):
    """Press Ctrl+C once `text` has been shown."""
    # A shell starts what runs in the background, perhaps these tests, with Ctrl+C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    write = sys.stdout.write

    def watch(shown):
        result = write(shown)
        if shown == text:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(sys.stdout, "write", watch)


def test_ctrl_c_stops_an_answer_and_not_the_conversation(chat, server, typed, monkeypatch):
    server.answers = [Answer(pieces("Once", "never")), Answer(pieces("Hello"))]
    typed("a story", "hi")
    interrupt_after("Once", monkeypatch)
    code, out, err = chat()
    assert (code, out) == (0, "Once\nHello\n")
    assert "Stopped." in err


def test_ctrl_c_during_the_only_answer_is_130(chat, server, monkeypatch):
    server.answers = [Answer(pieces("Once", "never"))]
    interrupt_after("Once", monkeypatch)
    assert chat("hi")[:2] == (130, "Once\n")


def test_the_prompt_sign_stays_out_of_a_file(chat, typed):
    typed("hi")
    _, out, err = chat()
    assert out == "Hello\n"
    assert "> " in err


def test_the_prompt_sign_is_on_the_terminal(chat, server, terminal, monkeypatch):
    asked = []

    def leave(prompt=""):
        asked.append(prompt)
        raise EOFError

    monkeypatch.setattr(builtins, "input", leave)
    terminal(sys.stdin, sys.stdout)
    chat()
    assert asked == ["> "]
