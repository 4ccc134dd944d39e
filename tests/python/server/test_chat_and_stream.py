"""`/chat` gives the whole answer, `/chat/stream` the same answer piece by piece."""

import json
import re
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from ttdirect.server import streaming
from waiting import wait_until

FIGURES = [
    "tokens_generated",
    "time_seconds",
    "tokens_per_second",
    "ttft_seconds",
    "queue_seconds",
    "finish_reason",
]


def events_of(response):
    """The data of the events of a stream, checked to be made as the standard wants it."""
    assert response.status_code == 200, response.text
    assert response.text.endswith("\n\n")
    blocks = response.text.removesuffix("\n\n").split("\n\n")
    events = []
    for block in blocks:
        assert re.fullmatch(r"(data|): [^\n\r]*", block), block
        if block.startswith("data: "):
            events.append(json.loads(block.removeprefix("data: ")))
    return events


def test_an_answer_holds_the_prompt_the_text_and_what_it_cost(lesson):
    response = lesson.chat("What is HTTP?")
    assert response.status_code == 200
    assert response.content_type == "application/json"
    answer = response.json
    assert list(answer) == ["prompt", "response", *FIGURES]
    assert answer["prompt"] == "What is HTTP?"
    assert answer["response"] == "You said: What is HTTP?"
    assert answer["tokens_generated"] == len("You said: What is HTTP?")
    assert answer["finish_reason"] == "stop"
    assert 0 <= answer["queue_seconds"] <= answer["ttft_seconds"] <= answer["time_seconds"]
    assert answer["tokens_per_second"] > 0


def test_max_tokens_ends_an_answer_and_says_so(lesson):
    answer = lesson.chat("repeat 50 ab", max_tokens=7).json
    assert (answer["response"], answer["tokens_generated"]) == ("abababa", 7)
    assert answer["finish_reason"] == "length"


def test_without_max_tokens_an_answer_has_at_most_128(lesson):
    assert lesson.chat("repeat 500 a").json["tokens_generated"] == 128


def test_a_stop_string_ends_an_answer_and_is_not_part_of_it(lesson):
    answer = lesson.chat("one two three", stop=["never", " three"]).json
    assert answer["response"] == "You said: one two"
    assert answer["finish_reason"] == "stop"


def test_null_means_that_an_option_was_not_given(lesson):
    options = dict.fromkeys(["max_tokens", "temperature", "system", "top_p", "seed", "stop"])
    assert lesson.chat("hi", **options).json["response"] == "You said: hi"


def test_a_stream_is_pieces_and_then_the_figures(lesson):
    response = lesson.stream("What is HTTP?")
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    *pieces, last = events_of(response)
    assert all(list(piece) == ["text"] for piece in pieces)
    assert all(piece["text"] for piece in pieces)
    assert list(last) == ["prompt", "response", *FIGURES]
    assert "".join(piece["text"] for piece in pieces) == last["response"]
    assert last["response"] == "You said: What is HTTP?"


def test_a_stream_shows_the_characters_themselves(lesson):
    response = lesson.stream("gr\u00fc\u00df dich \U0001f600")
    assert "\U0001f600" in response.text
    assert events_of(response)[-1]["response"] == "You said: gr\u00fc\u00df dich \U0001f600"


def test_no_character_of_an_answer_can_break_an_event_in_two(lesson):
    """Some clients end a line at any of these, as Python's `splitlines` does."""
    prompt = "a\r\nb\x0b\x0cc\x1cd\x85e\u2028f\u2029g"
    response = lesson.stream(prompt)
    lines = response.text.splitlines()
    assert all(line == "" or line.startswith(("data: ", ": ")) for line in lines)
    assert events_of(response)[-1]["response"] == f"You said: {prompt}"


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=40)
@given(
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    fields=st.fixed_dictionaries(
        {"max_tokens": st.integers(1, 40), "seed": st.integers(0, 2**63 - 1)},
        optional={
            "temperature": st.floats(0, 2),
            "top_p": st.floats(0.1, 1),
            "top_k": st.integers(0, 50),
            "system": TEXT,
            "stop": st.sampled_from(["e", " ", "an", "\u00e9"]) | st.lists(TEXT, min_size=1),
        },
    ),
)
def test_chat_and_stream_give_the_same_text(lesson, prompt, fields):
    fields["stop"] = fields.get("stop", ["e"])[:16]
    whole = lesson.chat("hash" + prompt, **fields).json
    *pieces, last = events_of(lesson.stream("hash" + prompt, **fields))
    assert "".join(piece["text"] for piece in pieces) == whole["response"] == last["response"]
    for figure in ("tokens_generated", "finish_reason"):
        assert last[figure] == whole[figure]


def test_a_stream_that_waits_long_says_that_it_is_alive(start_lesson, monkeypatch):
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.3)
    lesson = start_lesson()
    lesson.gate.shut()
    response = lesson.client.post("/chat/stream", json={"prompt": "hi"}, buffered=False)
    parts = response.iter_encoded()
    assert next(parts) == b": the answer follows piece by piece\n\n"
    assert next(parts) == b": ping\n\n"
    assert next(parts) == b": ping\n\n"
    lesson.gate.open()
    rest = b"".join(parts).decode()
    assert rest.endswith("\n\n")
    assert '"response": "You said: hi"' in rest


def test_a_prompt_that_does_not_fit_gets_a_status_and_no_stream(lesson):
    response = lesson.stream("x" * 3000)
    assert response.status_code == 400
    assert response.content_type == "application/json"


def test_a_stream_that_never_gets_its_turn_gets_a_status(start_lesson):
    lesson = start_lesson(MAX_BATCH_SIZE="1")
    lesson.gate.shut()
    wait = lesson.in_background(lambda: lesson.chat("first"), lambda: lesson.stream("second"))
    wait_until(lambda: (lesson.health().json["running"], lesson.health().json["queued"]) == (1, 1))
    lesson.engine.drain(30.0)
    lesson.gate.open()
    statuses = sorted((response.status_code, response.mimetype) for response in wait())
    assert statuses == [(200, statuses[0][1]), (503, "application/json")]


def test_an_answer_that_takes_too_long_gets_504(start_lesson):
    lesson = start_lesson(REQUEST_TIMEOUT="0.2")
    lesson.gate.shut()
    wait = lesson.in_background(lesson.chat, lesson.stream)
    scheduler = lesson.engine._loop.scheduler
    wait_until(lambda: len(scheduler.running) + len(scheduler.waiting) == 2)
    time.sleep(0.3)  # the time limit, and a little more
    lesson.gate.open()
    for response in wait():
        assert response.status_code == 504
        assert response.json == {"error": "The answer was not complete within 0.2 s."}


def test_an_error_after_the_start_of_a_stream_is_its_last_event(start_lesson):
    lesson = start_lesson({"fail_at_step": 4})
    *pieces, last = events_of(lesson.stream("hello"))
    assert "".join(piece["text"] for piece in pieces) == "You"
    assert last == {"error": "The model failed while it computed this answer."}


def test_an_error_before_the_first_piece_of_a_stream_is_a_status(start_lesson):
    lesson = start_lesson({"fail_at_step": 1})
    response = lesson.stream("hello")
    assert response.status_code == 500
    assert response.json == {"error": "The model failed while it computed this answer."}


def test_a_stream_that_nobody_reads_gives_its_slot_back(lesson):
    response = lesson.client.post("/chat/stream", json={"prompt": "hi"}, buffered=False)
    response.close()
    wait_until(lambda: lesson.health().json["running"] == 0, "a free slot")
