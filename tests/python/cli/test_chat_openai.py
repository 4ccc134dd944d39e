"""`ttdirect chat` with OpenAI's routes: ours or another server's, with its history."""

import builtins
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from cli.fake_server import HEAD, Answer, chunk, completion, event, refusal
from ttdirect.cli.main import main

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def other(server, capsys):
    """Run the chat against a server that is none of ours; returns exit code, stdout and stderr."""
    server.healths, server.models = [], ["m"]
    server.answers = [Answer(completion("Hel", "lo", prompt_tokens=9, completion_tokens=3))]

    def run(*arguments):
        code = main(["chat", "--url", f"{server.url}/v1", *arguments])
        output = capsys.readouterr()
        return code, output.out, output.err

    return run


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


def said(server, number=-1):
    """The conversation of one request, as pairs of role and text."""
    return [(m["role"], m["content"]) for m in server.requests[number][0]["messages"]]


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


# A conversation


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


# The history of what was typed

readline = pytest.importorskip("readline")


@pytest.fixture
def typed_into_history(typed, monkeypatch):
    """As `typed`, and the lines are where readline puts them."""

    def type_in(*lines):
        typed(*lines)
        answer = builtins.input

        def remember(prompt=""):
            line = answer(prompt)
            readline.add_history(line)
            return line

        monkeypatch.setattr(builtins, "input", remember)

    yield type_in
    readline.clear_history()


def test_prompts_are_there_again_in_the_next_session(other, typed_into_history, plain_environment):
    typed_into_history("one")
    other()
    file = plain_environment / ".local/state/ttdirect/chat_history"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines()[-1] == "one"
    file.chmod(0o644)
    typed_into_history("two")
    other()
    assert file.read_text().splitlines()[-2:] == ["one", "two"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_costs_only_the_history(
    other, typed_into_history, tmp_path, monkeypatch
):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    typed_into_history("one")
    assert other()[:2] == (0, "Hello\n")
