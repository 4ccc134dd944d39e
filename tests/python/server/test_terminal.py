"""The server's terminal: a line for each request and a line for its result."""

import logging
import re

import pytest

from processes import Connection
from ttdirect.generator.errors import ModelNotFoundError, NotACheckpointError
from ttdirect.server.terminal import Failure, explain, tell_failure


@pytest.fixture
def lines(caplog):
    """What the terminal would show, a message for each line."""
    caplog.set_level(logging.INFO, "ttdirect")
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_request_and_its_answer_are_a_line_each(lesson, lines):
    assert lesson.chat("What is HTTP?", max_tokens=60).status_code == 200
    asks, gets = lines()
    number = re.fullmatch(r'#(\d+) asks  "What is HTTP\?"  \(17 tokens, up to 60 more\)', asks)[1]
    assert re.fullmatch(
        rf"#{number} gets  23 tokens in \d+\.\d\d s, \d+\.\d tokens/s, "
        r"first after \d+\.\d\d s \(stop\)",
        gets,
    )


def test_a_stream_is_shown_like_any_other_request(lesson, lines):
    assert lesson.stream("hello").text
    asks, gets = lines()
    assert '"hello"' in asks
    assert "15 tokens in" in gets


def test_a_long_prompt_is_cut_to_its_beginning(lesson, lines):
    lesson.chat("word " * 200, max_tokens=1)
    assert '"' + ("word " * 200)[:57] + '..."' in lines()[0]
    assert len(lines()[0]) < 120


@pytest.mark.parametrize("prompt", ["a\n12:00:00  forged\r\nb", "a\x1b[2Jb\x07c\x9b31md\u202ee"])
def test_a_prompt_cannot_forge_lines_nor_command_the_terminal(lesson, lines, prompt):
    lesson.chat(prompt, max_tokens=1)
    assert all(line.isprintable() for line in lines())


def test_a_refused_request_is_a_line_with_its_reason(lesson, lines):
    lesson.chat("hi", max_tokens=True)
    assert lines() == [
        "POST /chat -> 400  'max_tokens' must be a whole number from 1 to 2048, not true."
    ]


def test_what_a_client_sends_cannot_forge_lines_either(lesson, lines):
    forged = "x\n12:00:00  #7 asks\x1b[2J\u202e"
    lesson.client.post("/chat", json={"prompt": "hi", forged: 1})
    lesson.client.post("/chat", data="{}", content_type="text/\x1b[2J")
    lesson.client.get("/%0A12:00:00%20forged%1b[2J" + "y" * 500)
    lesson.client.open("/chat", method="BREW\x1b" + "z" * 500)
    assert len(lines()) == 4
    assert all(line.isprintable() and len(line) < 400 for line in lines())


def test_a_failure_is_what_happened_and_what_to_do(capsys):
    tell_failure(Failure("port-taken", "The port is taken.", "choose another"))
    assert capsys.readouterr().err == "error: The port is taken.\nfix:   choose another\n"


def test_an_error_made_for_users_brings_its_own_fix():
    class GatedError(Exception):
        fix = "log in: hf auth login"

    gated = explain(GatedError("It is gated.\nmore"))
    assert gated == Failure("gated", "It is gated.", GatedError.fix)


def test_other_errors_get_a_fix_by_their_type():
    memory = explain(MemoryError())
    assert (memory.code, memory.what) == ("memory", "MemoryError")
    assert "smaller model" in memory.fix
    assert explain(ModelNotFoundError("x", "y")).code == "model-not-found"
    assert explain(NotACheckpointError("x", "y")).code == "not-a-checkpoint"
    assert explain(RuntimeError("x")).fix == "ttdirect doctor shows what is missing"


@pytest.mark.slow
def test_the_real_terminal_shows_times_in_front(server):
    before = len(server.lines)
    server.chat("hello there")
    with Connection(server) as client:
        client.post("/chat")
        assert client.answer()[0] == 400
    clock = r"^\d\d:\d\d:\d\d  "
    server.wait_for_line(clock + r'#\d+ asks  "hello there"  \(15 tokens', after=before)
    server.wait_for_line(clock + r"#\d+ gets  21 tokens in .* tokens/s", after=before)
    server.wait_for_line(clock + r"POST /chat -> 400  The field 'prompt' is missing", after=before)
