"""`ttdirect chat` with one question, against a server that plays the contract."""

import io
import sys
import threading

import pytest

from cli.fake_server import FIGURES, HEAD, HEALTHY, Answer, event, pieces, refusal
from ttdirect.cli.main import main

pytestmark = pytest.mark.usefixtures("quick")


def give_stdin(monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


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
