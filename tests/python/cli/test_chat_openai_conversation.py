"""A conversation over OpenAI's routes: what is sent along, and the commands that change it."""

import signal
import sys
import threading

import pytest

from cli.fake_server import Answer, chunk, completion, refusal, said

pytestmark = pytest.mark.usefixtures("quick")


def test_what_was_said_is_sent_along(other, server, typed):
    typed("one", "two")
    assert other("--system", "Be brief.")[:2] == (0, "Hello\nHello\n")
    assert said(server) == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "Hello"),
        ("user", "two"),
    ]


def test_a_failed_answer_leaves_no_trace_and_half_a_one_does(other, server, typed):
    server.answers = [
        refusal(400, "no"),
        Answer([chunk("Once")], cut=True),
        Answer(completion("Hello")),
    ]
    typed("one", "two", "go on")
    other()
    assert said(server) == [("user", "two"), ("assistant", "Once"), ("user", "go on")]


def test_ctrl_c_closes_the_connection_and_keeps_the_half(other, server, typed, monkeypatch):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    closed = threading.Event()

    def go_on_until_nobody_reads(number):
        if number >= 2:
            closed.wait(0.01)

    endless = Answer([chunk("Once"), *[chunk(" more")] * 5000], before=go_on_until_nobody_reads)
    server.answers = [endless, Answer(completion("Hello"))]
    server.handle_error = lambda request, address: closed.set()
    typed("a story", "go on")
    write = sys.stdout.write

    def press(text):
        result = write(text)
        if text == "Once":
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(sys.stdout, "write", press)
    assert other()[0] == 0
    assert closed.wait(10), "the server could go on writing"
    assert said(server) == [("user", "a story"), ("assistant", "Once"), ("user", "go on")]


def test_several_lines_stand_between_three_quotes(other, server, typed):
    typed('"""def f():', "    return 1", '"""', '"""one line"""', '"""', "two", 'lines"""')
    other()
    asked = [text for role, text in said(server) if role == "user"]
    assert asked == ["def f():\n    return 1", "one line", "two\nlines"]


def test_clear_forgets_and_keeps_the_settings(other, server, typed):
    typed("/system Be brief.", "one", "/clear", "two")
    other()
    assert said(server) == [("system", "Be brief."), ("user", "two")]


def test_system_without_a_text_takes_it_back(other, server, typed):
    typed("/system", "one")
    other("--system", "Be brief.")
    assert said(server) == [("user", "one")]


def test_set_changes_what_is_asked_for(other, server, typed):
    typed("/set temperature 0.5", "/set stop THE END", "/set seed", "one")
    err = other("--seed", "3")[2]
    body = server.requests[-1][0]
    assert (body["temperature"], body["stop"]) == (0.5, ["THE END"])
    assert "seed" not in body
    assert "temperature: 0.5\n" in err
    assert "top_p: as the server has it\n" in err


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("/set temprature 1", "there is no setting 'temprature'; did you mean 'temperature'?"),
        ("/set temperature warm", "temperature cannot be 'warm'"),
        ("/set temperature nan", "temperature cannot be 'nan'"),
        ("/set max_tokens 1.5", "max_tokens cannot be '1.5'"),
        ("/hepl", "there is no command '/hepl'; did you mean '/help'?"),
        ("/clear all", "/clear stands alone"),
        ("/regenerate", "nothing was asked yet"),
        ("/save", "/save needs a file"),
        ("/load /no/such/file", "/no/such/file cannot be read: No such file or directory"),
        ("/save /no/such/file", "/no/such/file cannot be written: No such file or directory"),
    ],
)
def test_a_command_that_cannot_be_done_is_explained_and_asks_nobody(
    other, server, typed, line, what
):
    typed(line)
    code, _, err = other()
    assert code == 0
    assert f"error: {what}" in err
    assert server.requests == []


def test_a_path_is_no_command(other, server, typed):
    typed("/etc/passwd holds what?")
    other()
    assert said(server) == [("user", "/etc/passwd holds what?")]


def test_regenerate_replaces_the_last_answer(other, server, typed):
    server.answers = [Answer(completion(text)) for text in ("A", "B", "C", "D")]
    typed("one", "two", "/regenerate", "three")
    assert other()[1] == "A\nB\nC\nD\n"
    assert said(server, 2) == [("user", "one"), ("assistant", "A"), ("user", "two")]
    assert said(server, 3)[-2:] == [("assistant", "C"), ("user", "three")]


def test_a_regeneration_that_fails_keeps_the_answer_before(other, server, typed):
    server.answers = [Answer(completion("A")), refusal(500, "no"), Answer(completion("C"))]
    typed("one", "/regenerate", "two")
    other()
    assert said(server) == [("user", "one"), ("assistant", "A"), ("user", "two")]


def test_a_saved_conversation_goes_on_where_it_was(other, server, typed, tmp_path):
    file = tmp_path / "talk.json"
    typed("/system Be brief.", "/set top_p 0.5", "one", f"/save {file}", f"/save {file}")
    assert "error" not in other()[2]
    typed(f"/load {file}", "two")
    assert "Loaded: 1 questions" in other()[2]
    assert said(server) == [
        ("system", "Be brief."),
        ("user", "one"),
        ("assistant", "Hello"),
        ("user", "two"),
    ]
    assert server.requests[-1][0]["top_p"] == 0.5


def test_saving_replaces_no_file_of_another_kind(other, typed, tmp_path):
    file = tmp_path / "thesis.txt"
    file.write_text("years of work")
    typed("one", f"/save {file}")
    assert "is there already and holds no conversation" in other()[2]
    assert file.read_text() == "years of work"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"\xff", b"{}", b'{"messages": [{"role": "user", "content": "x"}]}'],
)
def test_what_is_no_conversation_is_not_loaded(other, server, typed, tmp_path, content):
    file = tmp_path / "talk.json"
    file.write_bytes(content)
    typed("one", f"/load {file}", "two")
    assert f"error: {file} holds no conversation" in other()[2]
    assert said(server)[0] == ("user", "one")


@pytest.mark.parametrize("word", ["/bye", "/quit"])
def test_leaving(other, server, typed, word):
    typed(word, "never asked")
    assert other()[0] == 0
    assert server.requests == []
