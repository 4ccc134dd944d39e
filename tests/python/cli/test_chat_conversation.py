"""`ttdirect chat` without a question: a conversation, and every way to interrupt it."""

import builtins
import signal
import sys

import pytest

from cli.fake_server import HEAD, Answer, pieces, refusal

ALONE = "It has no /v1 routes, so each prompt stands alone.\n"

pytestmark = pytest.mark.usefixtures("quick")


def test_prompts_are_answered_until_the_user_leaves(chat, server, typed):
    typed("hi", "", "  and you ", "/quit")
    code, out, err = chat()
    assert (code, out) == (0, "Hello\nHello\n")
    assert [body["prompt"] for body, _ in server.requests] == ["hi", "and you"]
    assert err.startswith(HEAD.format(server.url) + ALONE + "/help tells")


def test_ctrl_d_leaves_with_0(chat, typed):
    typed()
    assert chat()[0] == 0


def test_help_lists_what_can_be_typed_and_asks_nobody(chat, server, typed):
    typed("/help")
    err = chat()[2]
    assert "/regenerate" in err
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
