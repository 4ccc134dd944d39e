"""Everything a client can do wrong under /v1: a status, one sentence, and the field's name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fake_generator import Gate
from openai_on_fakes import make_api
from ttdirect.engine import Options
from ttdirect.server.openai import ChatRequest, CompletionRequest
from waiting import wait_until

TOO_LONG = "x" * 2000


def error_of(response):
    error = response.json["error"]
    assert list(response.json) == ["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert 0 < len(error["message"]) < 400
    assert "\n" not in error["message"]
    return error


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"temperature": "hot"}, "'temperature' must be a number from 0 to 2, not \"hot\"."),
        ({"temperature": True}, "'temperature' must be a number from 0 to 2, not true."),
        ({"temperature": 2.1}, "'temperature' must be a number from 0 to 2, not 2.1."),
        ({"top_p": 0}, "'top_p' must be a number above 0 and at most 1, not 0."),
        ({"n": 0}, "'n' must be a whole number from 1 to 16, not 0."),
        ({"n": 1.5}, "'n' must be a whole number from 1 to 16, not 1.5."),
        (
            {"seed": 2**63},
            f"'seed' must be a whole number of at most 64 bits, not {2**63}.",
        ),
        ({"stream": "yes"}, "'stream' must be true or false, not \"yes\"."),
        (
            {"stop": ["a"] * 17},
            (
                "'stop' must be a string or a list of up to 16 strings, none of them empty, "
                "not a list."
            ),
        ),
        ({"model": 5}, "'model' must be a string, not 5."),
        ({"messages": []}, "'messages' must be a list of at least 1, not a list."),
        ({"messages": "hi"}, "'messages' must be a list, not \"hi\"."),
        ({"messages": ["hi"]}, "'messages[0]' must be an object, not \"hi\"."),
        ({"messages": None}, "The field 'messages' is missing."),
        ({"messages": [{"role": "user"}]}, "The field 'messages[0].content' is missing."),
        ({"messages": [{"content": "hi"}]}, "The field 'messages[0].role' is missing."),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            (
                "'messages[0].content' must be text alone, for this model sees no pictures and "
                "hears no sound, not a list."
            ),
        ),
        (
            {"messages": [{"role": "user", "content": "half \ud800"}]},
            "The prompt holds half of a surrogate pair, which is no character.",
        ),
        ({"logit_bias": {"300": 1}}, "The token ids of 'logit_bias' must be from 0 to 260."),
        (
            {"logit_bias": {"a": 1}},
            (
                "'logit_bias' must be an object of token ids with numbers from -100 to 100, "
                "not an object."
            ),
        ),
        ({"top_logprobs": 2}, "'top_logprobs' needs 'logprobs': true."),
        ({"min_tokens": 9, "max_tokens": 8}, "'min_tokens' must not be above 'max_tokens'."),
        ({"audio": {"voice": "x"}}, "This server does not support 'audio'."),
        ({"modalities": ["text", "audio"]}, "This server does not support 'modalities'."),
        ({"store": True}, "This server does not support 'store'."),
        ({"web_search_options": {}}, "This server does not support 'web_search_options'."),
        ({"prediction": {"type": "content"}}, "This server does not support 'prediction'."),
    ],
)
def test_a_mistake_is_one_sentence_about_one_field(api, fields, sentence):
    response = api.post(
        "chat/completions", **({"messages": [{"role": "user", "content": "hi"}]} | fields)
    )
    assert response.status_code == 400, response.text
    error = error_of(response)
    assert error["message"] == sentence
    assert error["type"] == "invalid_request_error"
    assert error["param"].partition("[")[0] in fields


@pytest.mark.parametrize("fields", [{"temperature": float("nan")}, {"top_p": float("inf")}])
def test_nan_and_infinity_are_no_json(api, fields):
    response = api.chat("hi", **fields)
    assert response.status_code == 400
    assert "valid JSON" in error_of(response)["message"]


def test_a_list_body_names_the_field_that_is_needed(api):
    for path, field in (("chat/completions", "messages"), ("completions", "prompt")):
        response = api.client.post(f"/v1/{path}", json=[1])
        assert response.status_code == 400
        assert f"'{field}'" in error_of(response)["message"]


def test_another_model_is_not_found(api):
    for response in (api.chat("hi", model="gpt-9"), api.client.get("/v1/models/gpt-9")):
        assert response.status_code == 404
        error = error_of(response)
        assert (error["type"], error["code"]) == ("not_found_error", "model_not_found")
        assert error["param"] == "model"
        assert "fake-1b" in error["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_does_not_fit_tells_the_numbers(api, stream):
    response = api.chat(TOO_LONG, stream=stream)
    assert response.status_code == 400
    error = error_of(response)
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    assert "2004" in error["message"]
    assert "1023" in error["message"]


def test_routes_and_methods_that_do_not_exist(api):
    missing = api.client.get("/v1/embeddings")
    assert (missing.status_code, error_of(missing)["type"]) == (404, "not_found_error")
    wrong = api.client.get("/v1/completions")
    assert (wrong.status_code, error_of(wrong)["type"]) == (405, "invalid_request_error")
    assert "POST" in wrong.headers["Allow"]
    elsewhere = api.client.get("/nothing")
    assert isinstance(elsewhere.json["error"], str)


def test_without_the_key_openais_clients_learn_why(start_api, monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    with start_api() as api:
        response = api.chat("hi")
    assert response.status_code == 401
    error = error_of(response)
    assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_a_full_queue_is_503_with_a_time_and_takes_nothing(start_api):
    gate = Gate(shut=True)
    with start_api(gate=gate, max_batch_size=1, max_queued=2) as api:
        body = {"prompt": "hi", "stream": True, "n": 3}
        held = [api.engine.complete([1], Options(max_tokens=1), label="held") for _ in range(2)]
        wait_until(lambda: api.engine.health().running == 1)
        response = api.client.post("/v1/completions", json=body)
        assert response.status_code == 503
        error = error_of(response)
        assert (error["type"], error["code"]) == ("overloaded", "queue_full")
        assert int(response.headers["Retry-After"]) > 0
        for answer in held:
            answer.cancel()
        gate.open()
        wait_until(lambda: api.engine.health().running + api.engine.health().queued == 0)


def test_while_the_model_loads_everything_is_503():
    app, _ = make_api()
    client = app.test_client()
    for response in (
        client.get("/v1/models"),
        client.post("/v1/completions", json={"prompt": "hi"}),
        client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": "h"}]}),
    ):
        assert response.status_code == 503
        assert error_of(response)["code"] == "not_ready"
        assert response.headers["Retry-After"] == "2"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = st.sampled_from(sorted({*ChatRequest.model_fields, *CompletionRequest.model_fields}))


@settings(max_examples=150)
@given(fields=st.dictionaries(NAMES, ANY_JSON, max_size=4), is_chat=st.booleans())
def test_no_input_is_a_500(api, fields, is_chat):
    basis = {"messages": [{"role": "user", "content": "hi"}]} if is_chat else {"prompt": "hi"}
    path = "chat/completions" if is_chat else "completions"
    response = api.post(path, **(basis | {"max_tokens": 2} | fields))
    assert response.status_code in (200, 400, 404), response.text
    if response.status_code != 200:
        error_of(response)
