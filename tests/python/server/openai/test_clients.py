"""OpenAI's own Python client against a real server process."""

import json
import time

import openai
import pytest

from processes import Connection
from waiting import wait_until

pytestmark = pytest.mark.slow

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CALL = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>'
MODEL = "fake-1b"


@pytest.fixture(scope="module")
def client(openai_server):
    with openai.OpenAI(
        base_url=f"{openai_server.url}/v1", api_key="none", max_retries=0, timeout=60
    ) as client:
        yield client


def ask(client, prompt="hello", **fields):
    return client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": prompt}], **fields
    )


def test_models(client):
    models = list(client.models.list())
    assert [model.id for model in models] == [MODEL, "my-model"]
    assert all(model.object == "model" for model in models)
    assert client.models.retrieve("my-model").id == "my-model"
    assert client.models.retrieve("somebody/fake-1b").id == "somebody/fake-1b"


def test_chat(client):
    answer = ask(client)
    assert answer.choices[0].message.content == "You said: hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.completion_tokens == 15
    assert answer.usage.prompt_tokens_details.cached_tokens >= 0
    assert answer._request_id.startswith("req-")


def test_a_stream_with_its_usage(client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 15
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text == "You said: hello"
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_clients_own_stream_helper(client):
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        for _ in stream:
            pass
        assert stream.get_final_completion().choices[0].message.content == "You said: hello"


def test_logprobs(client):
    fields = {"logprobs": True, "top_logprobs": 2, "temperature": 0, "max_tokens": 5}
    content = ask(client, **fields).choices[0].logprobs.content
    assert "".join(token.token for token in content) == "You s"
    assert all(len(token.top_logprobs) == 2 for token in content)
    told = client.completions.create(model=MODEL, prompt="hi", logprobs=1, max_tokens=3)
    assert told.choices[0].logprobs.tokens == ["Y", "o", "u"]


def test_n_seed_stop_and_penalties(client):
    fields = {"seed": 4, "max_tokens": 12, "presence_penalty": 0.5, "frequency_penalty": 0.5}
    several = ask(client, "hash n", n=2, stop=["\u00e9"], **fields)
    again = ask(client, "hash n", n=2, stop=["\u00e9"], **fields)
    assert [c.message.content for c in several.choices] == [
        c.message.content for c in again.choices
    ]
    assert ask(client, "one two", stop="two").choices[0].message.content == "You said: one "


def test_completions(client):
    answer = client.completions.create(model=MODEL, prompt=["say a", "say b"], echo=True, best_of=2)
    assert [choice.text for choice in answer.choices] == ["say aa", "say bb"]
    stream = client.completions.create(model=MODEL, prompt="say streamed", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "streamed"


def test_json_that_fits_a_schema(client):
    schema = WEATHER["function"]["parameters"]
    wanted = {"type": "json_schema", "json_schema": {"name": "w", "schema": schema}}
    answer = ask(client, "hash", response_format=wanted, max_tokens=100)
    assert json.loads(answer.choices[0].message.content)["city"] in ("Oslo", "Rome")


def test_tools(client):
    choice = ask(client, f"say {CALL}", tools=[WEATHER]).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"city": "Oslo"}
    with client.chat.completions.stream(
        model=MODEL, messages=[{"role": "user", "content": f"say {CALL}"}], tools=[WEATHER]
    ) as stream:
        for _ in stream:
            pass
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Oslo"}')
    required = ask(client, "hash", tools=[WEATHER], tool_choice="required", max_tokens=200)
    assert {call.function.name for call in required.choices[0].message.tool_calls} == {"weather"}


@pytest.mark.parametrize("stream", [False, True])
def test_errors_are_the_clients_exceptions(client, stream):
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="gpt-9", prompt="hi", stream=stream)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        ask(client, temperature=3, stream=stream)
    assert wrong.value.param == "temperature"
    assert "from 0 to 2" in wrong.value.message
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, "x" * 5000, stream=stream)
    assert long.value.code == "context_length_exceeded"


def test_a_request_id_of_the_clients_is_kept_and_logged(client, openai_server):
    before = len(openai_server.lines)
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": "hello"}],
        extra_headers={"X-Request-Id": "mine-1"},
    )
    assert raw.headers["x-request-id"] == "mine-1"
    openai_server.wait_for_line(r"asks  .*\[mine-1\]$", after=before)
    openai_server.wait_for_line(r"gets  .*\[mine-1\]$", after=before)


LONG = {"max_tokens": 1900, "temperature": 0}
ROUTES = [
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "repeat 1900 a"}]}),
    ("/v1/completions", {"prompt": "repeat 1900 a", "n": 2}),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("path", "body"), ROUTES)
@pytest.mark.parametrize("leave", [Connection.hang_up, Connection.reset])
def test_a_client_that_leaves_frees_its_slots(openai_server, path, body, stream, leave):
    leaver = Connection(openai_server)
    leaver.post(path, stream=stream, **LONG, **body)
    openai_server.wait_health(running=body.get("n", 1))
    begun = time.monotonic()
    leave(leaver)
    openai_server.wait_health(running=0, queued=0)
    assert time.monotonic() - begun < 5  # the whole answer takes about 10 s


def test_a_client_that_breaks_its_own_stream_off_frees_its_slot(client, openai_server):
    stream = ask(client, "repeat 1900 a", stream=True, **LONG)
    next(iter(stream))
    stream.close()
    wait_until(lambda: openai_server.health()["running"] == 0, "a free slot")
