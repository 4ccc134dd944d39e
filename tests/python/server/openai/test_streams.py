"""Streams: chunks in OpenAI's shape, and the same answer as without streaming."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_on_fakes import Answered, is_idle
from fake_generator import Gate
from ttdirect.engine import Options, SamplingParams
from ttdirect.server import streaming
from waiting import wait_until


def test_a_chat_stream_is_role_content_end_and_done(api, chunks_of):
    response = api.chat("hi", stream=True)
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    first, *middle, last = chunks_of(response)
    for chunk in (first, *middle, last):
        assert list(chunk) == ["id", "object", "created", "model", "system_fingerprint", "choices"]
        assert chunk["object"] == "chat.completion.chunk"
        assert [choice["index"] for choice in chunk["choices"]] == [0]
    assert len({(c["id"], c["created"], c["model"]) for c in (first, *middle, last)}) == 1
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(list(chunk["choices"][0]["delta"]) == ["content"] for chunk in middle)
    assert "".join(c["choices"][0]["delta"]["content"] for c in middle) == "You said: hi"
    assert last["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "stop",
    }
    assert all(c["choices"][0]["finish_reason"] is None for c in (first, *middle))


def test_the_usage_comes_in_a_chunk_without_choices(api, chunks_of):
    *chunks, last = chunks_of(api.chat("hi", stream=True, stream_options={"include_usage": True}))
    assert last["choices"] == []
    whole = api.chat("hi").json["usage"]
    for count in ("prompt_tokens", "completion_tokens", "total_tokens"):
        assert last["usage"][count] == whole[count]
    assert "cached_tokens" in last["usage"]["prompt_tokens_details"]
    assert all(chunk["usage"] is None for chunk in chunks)


def test_the_usage_can_come_with_every_chunk(api, chunks_of):
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, last = chunks_of(api.chat("hi", stream=True, stream_options=options))
    counts = [chunk["usage"]["completion_tokens"] for chunk in chunks]
    assert counts == sorted(counts)
    assert counts[-1] == last["usage"]["completion_tokens"] == 12
    assert {chunk["usage"]["prompt_tokens"] for chunk in chunks} == {last["usage"]["prompt_tokens"]}


def test_options_of_a_stream_need_a_stream(api):
    response = api.chat("hi", stream_options={"include_usage": True})
    assert response.status_code == 400
    assert response.json["error"]["param"] == "stream_options"


def texts_of(chunks):
    texts, reasons = {}, {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            delta = choice.get("delta", choice)
            piece = delta.get("content", delta.get("text", ""))
            texts[choice["index"]] = texts.get(choice["index"], "") + piece
            if choice["finish_reason"] is not None:
                assert choice["index"] not in reasons, "two ends"
                reasons[choice["index"]] = choice["finish_reason"]
    return [texts[n] for n in sorted(texts)], [reasons[n] for n in sorted(reasons)]


def test_several_answers_are_those_of_the_whole_answer(api, chunks_of):
    fields = {"n": 3, "seed": 5, "max_tokens": 25}
    whole = api.chat("hash several", **fields).json["choices"]
    chunks = chunks_of(api.chat("hash several", stream=True, **fields))
    texts, reasons = texts_of(chunks)
    assert texts == [choice["message"]["content"] for choice in whole]
    assert reasons == [choice["finish_reason"] for choice in whole]


def test_several_answers_come_side_by_side(start_api, monkeypatch):
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.0)
    gate = Gate(shut=True)
    with start_api(gate=gate) as api:
        body = {"prompt": ["say one", "say two"], "stream": True}
        parts = api.client.post("/v1/completions", json=body, buffered=False).iter_encoded()
        gate.let_pass(3)  # two prompts are read, and each answer has got its second token
        seen = b""
        while b'"index": 0' not in seen or b'"index": 1' not in seen:
            seen += next(parts)
        assert b'"finish_reason": "stop"' not in seen
        gate.open()
        assert b"".join(parts).count(b'"finish_reason": "stop"') == 2


def test_a_text_stream_has_texts_and_its_echo(api, chunks_of):
    chunks = chunks_of(api.complete(["say one", "say two"], stream=True, echo=True))
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert texts_of(chunks) == (["say oneone", "say twotwo"], ["stop", "stop"])


@pytest.mark.parametrize("stop", [None, ["e", "an"]])
def test_logprobs_of_a_stream_are_those_of_the_whole_answer(api, chunks_of, stop):
    fields = {"seed": 2, "max_tokens": 40, "stop": stop}
    chat = {"logprobs": True, "top_logprobs": 2, **fields}
    whole = api.chat("hash logprobs", **chat).json["choices"][0]["logprobs"]["content"]
    chunks = chunks_of(api.chat("hash logprobs", stream=True, **chat))
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [token for each in streamed if each for token in each["content"]] == whole
    whole = api.complete("hash logprobs", logprobs=2, **fields).json["choices"][0]["logprobs"]
    chunks = chunks_of(api.complete("hash logprobs", logprobs=2, stream=True, **fields))
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    for name in whole:
        assert [it for each in streamed if each for it in each[name]] == whole[name]


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@settings(max_examples=30)
@given(
    prompt=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    is_chat=st.booleans(),
    mates=st.integers(0, 3),
    fields=st.fixed_dictionaries(
        {"max_tokens": st.integers(1, 40), "seed": st.integers(0, 2**62)},
        optional={
            "temperature": st.floats(0, 2),
            "top_p": st.floats(0.1, 1),
            "n": st.integers(1, 3),
            "stop": st.sampled_from(["e", " ", "an", "\u00e9"]) | st.lists(TEXT, max_size=4),
        },
    ),
)
def test_streamed_and_whole_answers_are_equal(api, chunks_of, prompt, is_chat, mates, fields):
    ask = api.chat if is_chat else api.complete
    whole = ask("hash" + prompt, **fields).json["choices"]
    options = Options(60, SamplingParams(1.0, seed=mates))
    others = [
        Answered(api.engine.complete([1, 2, n + 3], options, label="mate")) for n in range(mates)
    ]
    texts, reasons = texts_of(chunks_of(ask("hash" + prompt, stream=True, **fields)))
    assert texts == [c["message"]["content"] if is_chat else c["text"] for c in whole]
    assert reasons == [choice["finish_reason"] for choice in whole]
    for other in others:
        assert other.wait().error is None


def test_an_error_after_the_start_is_an_event_and_then_the_end(start_api):
    with start_api(fail_at_step=4) as api:
        events = api.chat("hello", stream=True).text.split("\n\n")
    assert events[-2] == "data: [DONE]"
    error = json.loads(events[-3].removeprefix("data: "))
    assert error["error"]["type"] == "server_error"
    assert error["error"]["message"]


def test_a_stream_that_waits_long_says_that_it_is_alive(start_api, monkeypatch):
    monkeypatch.setattr(streaming, "PING_SECONDS", 0.3)
    gate = Gate(shut=True)
    with start_api(gate=gate) as api:
        response = api.client.post(
            "/v1/completions", json={"prompt": "hi", "stream": True, "n": 2}, buffered=False
        )
        parts = response.iter_encoded()
        assert next(parts) == b": the answer follows piece by piece\n\n"
        assert next(parts) == b": ping\n\n"
        gate.open()
        assert b"".join(parts).endswith(b"data: [DONE]\n\n")


def test_a_stream_that_nobody_reads_gives_its_slots_back(start_api):
    with start_api() as api:
        body = {"prompt": "repeat 500 a", "max_tokens": 500, "stream": True, "n": 3}
        api.client.post("/v1/completions", json=body, buffered=False).close()
        wait_until(lambda: is_idle(api.engine), "free slots")
