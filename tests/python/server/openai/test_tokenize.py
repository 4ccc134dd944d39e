"""POST /tokenize and /detokenize: vLLM's shapes, and the very tokens that a prompt has."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_generator import Gate
from openai_on_fakes import make_api
from ttdirect.engine import Options
from waiting import wait_until

BEGIN = 256  # what ByteTokenizer puts in front of a text
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def tokenize(api, **body):
    return api.client.post("/tokenize", json=body)


def detokenize(api, **body):
    return api.client.post("/detokenize", json=body)


def test_a_text_is_told_in_tokens(api):
    response = tokenize(api, prompt="hi")
    assert response.status_code == 200
    assert response.json == {"count": 3, "max_model_len": 1024, "tokens": [BEGIN, *b"hi"]}


def test_special_tokens_are_left_out_where_that_is_asked_for(api):
    assert tokenize(api, prompt="hi", add_special_tokens=False).json["tokens"] == list(b"hi")


@pytest.mark.parametrize(
    "extras",
    [
        {},
        {"tools": [TOOL]},
        {"tools": [TOOL], "tool_choice": "none"},
        {"add_generation_prompt": False},
        {"chat_template_kwargs": {"mood": "cheerful"}},
    ],
)
def test_a_conversation_has_the_tokens_that_its_answer_is_charged_for(api, extras):
    body = {"messages": [{"role": "user", "content": "hi"}], **extras}
    counted = tokenize(api, **body).json
    answered = api.post("chat/completions", **body, max_tokens=1).json
    assert counted["count"] == len(counted["tokens"]) == answered["usage"]["prompt_tokens"]


def test_a_text_is_charged_as_it_is_counted(api):
    counted = tokenize(api, prompt="hello there").json["count"]
    assert counted == api.complete("hello there").json["usage"]["prompt_tokens"]


def test_tools_are_part_of_the_count(api):
    messages = [{"role": "user", "content": "hi"}]
    alone = tokenize(api, messages=messages).json["count"]
    assert tokenize(api, messages=messages, tools=[TOOL]).json["count"] > alone


def test_what_is_too_long_for_the_model_is_counted(api):
    answer = tokenize(api, prompt="x" * 5000).json
    assert answer["count"] == 5001 > answer["max_model_len"]


def test_special_tokens_are_written_out_in_the_text(api):
    assert detokenize(api, tokens=[BEGIN, *b"hi"]).json == {"prompt": "<|begin|>hi"}


@settings(max_examples=50)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_text_comes_back_as_it_was(api, text):
    tokens = tokenize(api, prompt=text, add_special_tokens=False).json["tokens"]
    assert detokenize(api, tokens=tokens).json == {"prompt": text}


def test_half_a_character_is_no_error(api):
    assert detokenize(api, tokens=list("é".encode())[:1]).json == {"prompt": "\ufffd"}


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
def test_the_models_names_are_good_and_no_others(api, path):
    body = {"prompt": "hi", "tokens": [1]}
    assert api.client.post(path, json={**body, "model": "my-model"}).status_code == 200
    response = api.client.post(path, json={**body, "model": "gpt-9"})
    assert response.status_code == 404
    assert response.json["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("/tokenize", {}, "The field 'prompt' is missing, or 'messages' in its place."),
        (
            "/tokenize",
            {"prompt": "hi", "messages": []},
            "Give either 'prompt' or 'messages', not both.",
        ),
        ("/tokenize", {"prompt": ["hi"]}, "'prompt' must be a string, not a list."),
        ("/tokenize", {"messages": []}, "'messages' must be a list of at least 1, not a list."),
        (
            "/tokenize",
            {"prompt": "half \ud800"},
            "The prompt holds half of a surrogate pair, which is no character.",
        ),
        (
            "/tokenize",
            {"prompt": "hi", "return_token_strs": True},
            "This server does not support 'return_token_strs'.",
        ),
        ("/detokenize", {}, "The field 'tokens' is missing."),
        ("/detokenize", {"tokens": [-1]}, "'tokens' must be a list of token ids, not a list."),
        ("/detokenize", {"tokens": [261]}, "The token ids of 'tokens' must be from 0 to 260."),
    ],
)
def test_a_mistake_is_one_sentence_in_openais_shape(api, path, body, sentence):
    response = api.client.post(path, json=body)
    assert response.status_code == 400
    error = response.json["error"]
    assert error["message"] == sentence
    assert error["type"] == "invalid_request_error"
    assert list(error) == ["message", "type", "param", "code"]


def test_tools_need_a_model_that_knows_them(start_api):
    with start_api() as api:
        api.engine.codec._tokenizer.chat_template = "one turn after another"
        response = tokenize(api, messages=[{"role": "user", "content": "hi"}], tools=[TOOL])
    assert response.status_code == 400
    assert "knows no tools" in response.json["error"]["message"]


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
def test_other_methods_and_missing_keys_are_told_in_openais_shape(start_api, monkeypatch, path):
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    with start_api() as api:
        key = {"Authorization": "Bearer s3cret"}
        wrong = api.client.get(path, headers=key)
        refused = api.client.post(path, json={"prompt": "hi", "tokens": [1]})
        taken = api.client.post(path, json={"prompt": "hi", "tokens": [1]}, headers=key)
    assert (wrong.status_code, wrong.json["error"]["type"]) == (405, "invalid_request_error")
    assert (refused.status_code, refused.json["error"]["code"]) == (401, "invalid_api_key")
    assert taken.status_code == 200


def test_it_does_not_wait_for_the_model(start_api):
    gate = Gate(shut=True)
    with start_api(gate=gate) as api:
        held = api.engine.complete([1], Options(max_tokens=1), label="held")
        wait_until(lambda: api.engine.health().running == 1)
        assert tokenize(api, prompt="hi").status_code == 200
        assert detokenize(api, tokens=[1]).status_code == 200
        held.cancel()
        gate.open()
        wait_until(lambda: api.engine.health().running == 0)


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
def test_while_the_model_loads_it_says_so(path):
    app, _ = make_api()
    response = app.test_client().post(path, json={"prompt": "hi", "tokens": [1]})
    assert response.status_code == 503
    assert response.json["error"]["code"] == "not_ready"
    assert response.headers["Retry-After"]
