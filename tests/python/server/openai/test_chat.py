"""POST /v1/chat/completions, whole answers."""

import pytest


def text_of(response):
    assert response.status_code == 200, response.text
    return response.json["choices"][0]["message"]["content"]


def error_of(response, status=400):
    assert response.status_code == status, response.text
    assert list(response.json) == ["error"]
    assert list(response.json["error"]) == ["message", "type", "param", "code"]
    return response.json["error"]


def test_an_answer_has_openais_shape(api):
    response = api.chat("What is HTTP?")
    answer = response.json
    assert list(answer) == [
        "id",
        "object",
        "created",
        "model",
        "system_fingerprint",
        "choices",
        "usage",
    ]
    assert answer["id"].startswith("chatcmpl-")
    assert answer["object"] == "chat.completion"
    assert answer["model"] == "fake-1b"
    assert isinstance(answer["created"], int)
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "You said: What is HTTP?",
                "refusal": None,
            },
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    usage = answer["usage"]
    assert usage["completion_tokens"] == len("You said: What is HTTP?")
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] >= 0


def test_a_second_request_tells_what_the_prefix_cache_held(api):
    prompt = "a prompt that is long enough for more than one piece " * 4
    api.chat(prompt)
    details = api.chat(prompt).json["usage"]["prompt_tokens_details"]
    assert 0 < details["cached_tokens"] < api.chat(prompt).json["usage"]["prompt_tokens"]


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_longest_length_ends_an_answer(api, name):
    choice = api.chat("repeat 50 ab", **{name: 7}).json["choices"][0]
    assert choice["message"]["content"] == "abababa"
    assert choice["finish_reason"] == "length"


def test_without_a_length_an_answer_is_as_long_as_the_context(api):
    answer = api.chat("repeat 2000 a").json
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["total_tokens"] == 1024


@pytest.mark.parametrize("stop", ["three", ["never", "three"]])
def test_a_stop_string_is_not_part_of_the_answer(api, stop):
    choice = api.chat("one two three", stop=stop).json["choices"][0]
    assert choice["message"]["content"] == "You said: one two "
    assert choice["finish_reason"] == "stop"


def test_stop_tokens_and_min_tokens(api):
    assert text_of(api.chat("abcabc", stop_token_ids=[ord("c")])) == "You said: ab"
    later = text_of(api.chat("hash me", seed=1, min_tokens=200, max_tokens=220))
    assert len(later.encode()) >= 190


def test_a_seed_repeats_an_answer_and_n_answers_have_the_next_ones(api):
    fields = {"temperature": 1, "seed": 7, "max_tokens": 30}
    several = api.chat("hash seeds", n=3, **fields).json
    texts = [choice["message"]["content"] for choice in several["choices"]]
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2]
    alone = [
        text_of(api.chat("hash seeds", seed=7 + n, max_tokens=30, temperature=1)) for n in range(3)
    ]
    assert texts == alone
    assert len(set(texts)) == 3
    one = api.chat("hash seeds", **fields).json["usage"]["prompt_tokens"]
    assert several["usage"]["prompt_tokens"] == one


def test_without_a_temperature_the_likeliest_token_is_taken_as_on_the_lessons_routes(api):
    asked = {text_of(api.chat("hash and draw", max_tokens=20)) for _ in range(4)}
    drawn = {text_of(api.chat("hash and draw", max_tokens=20, temperature=1)) for _ in range(4)}
    assert asked == {text_of(api.chat("hash and draw", max_tokens=20, temperature=0))}
    assert len(drawn) > 1


def test_bias_forces_and_forbids_tokens(api):
    forced = api.chat("hash", temperature=0, max_tokens=5, logit_bias={str(ord("Q")): 100})
    assert text_of(forced) == "QQQQQ"
    prompt, free = next(
        (prompt, text)
        for prompt in map("hash {}".format, range(100))
        if (text := text_of(api.chat(prompt, temperature=0, max_tokens=1))).isascii()
    )
    forbidden = api.chat(prompt, temperature=0, max_tokens=1, logit_bias={str(ord(free)): -99})
    assert text_of(forbidden) != free


def test_penalties_change_an_answer(api):
    fields = {"temperature": 0, "max_tokens": 6, "logit_bias": {str(ord("Q")): 12}}
    plain = text_of(api.chat("hash", **fields))
    changed = text_of(api.chat("hash", frequency_penalty=2, presence_penalty=2, **fields))
    assert changed.count("Q") < plain.count("Q")


def test_logprobs_of_each_token_and_of_the_likeliest(api):
    fields = {"temperature": 0, "max_tokens": 8, "ignore_eos": True}
    choice = api.chat("hash \u00e9", logprobs=True, top_logprobs=3, **fields)
    content = choice.json["choices"][0]["logprobs"]["content"]
    assert len(content) == 8
    for token in content:
        assert list(token) == ["token", "logprob", "bytes", "top_logprobs"]
        assert token["logprob"] <= 0
        assert len(token["top_logprobs"]) == 3
        assert token["top_logprobs"][0]["logprob"] == token["logprob"]  # greedy
        if token["bytes"] is None:
            assert token["token"] == "\ufffd"
        else:
            assert bytes(token["bytes"]).decode() == token["token"]
    chosen_alone = api.chat("hi", logprobs=True).json["choices"][0]["logprobs"]["content"]
    assert chosen_alone[0]["token"] == "Y"
    assert chosen_alone[0]["top_logprobs"] == []


def test_a_part_of_a_character_has_no_bytes_of_its_own(api):
    content = api.chat("say \u00e9", logprobs=True).json["choices"][0]["logprobs"]["content"]
    assert [token["bytes"] for token in content] == [None, None]


def test_content_may_be_parts_and_roles_are_those_of_the_conversation(api):
    messages = [
        {"role": "developer", "content": "be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "one"},
        {
            "role": "user",
            "content": [{"type": "text", "text": "two"}, {"type": "text", "text": "three"}],
        },
    ]
    response = api.post("chat/completions", messages=messages)
    assert text_of(response) == "You said: two\nthree"
    as_system = [{**messages[0], "role": "system"}, *messages[1:]]
    same = api.post("chat/completions", messages=as_system).json["usage"]["prompt_tokens"]
    assert response.json["usage"]["prompt_tokens"] == same


def test_a_final_message_can_be_continued(api):
    messages = [
        {"role": "user", "content": "say One two three"},
        {"role": "assistant", "content": "One"},
    ]
    response = api.post("chat/completions", messages=messages, continue_final_message=True)
    closed = api.post("chat/completions", messages=messages)
    fewer = len("<|end|><|assistant|>".replace("<|end|>", "E").replace("<|assistant|>", "A"))
    difference = closed.json["usage"]["prompt_tokens"] - response.json["usage"]["prompt_tokens"]
    assert difference == fewer
    both = {"continue_final_message": True, "add_generation_prompt": True}
    error = error_of(api.post("chat/completions", messages=messages, **both))
    assert error["param"] == "continue_final_message"
    last = error_of(api.chat("hi", continue_final_message=True))
    assert "role assistant" in last["message"]


def test_switches_reach_the_chat_template(api):
    plain = api.chat("hi").json["usage"]["prompt_tokens"]
    moody = api.chat("hi", chat_template_kwargs={"mood": "grumpy"}).json["usage"]["prompt_tokens"]
    assert moody == plain + len("grumpy")
    error = error_of(api.chat("hi", chat_template_kwargs={"chat_template": "{{ 7 * 7 }}"}))
    assert error["param"] == "chat_template_kwargs"


def test_null_means_that_an_option_was_not_given(api):
    names = ["n", "temperature", "top_p", "stop", "seed", "tools", "max_tokens", "logit_bias"]
    response = api.chat("hi", **dict.fromkeys([*names, "response_format", "stream", "audio"]))
    assert text_of(response) == "You said: hi"


def test_what_nobody_knows_is_ignored(api):
    assert text_of(api.chat("hi", some_new_field={"a": 1}, user="me", store=False)) == (
        "You said: hi"
    )


@pytest.mark.parametrize("model", ["fake-1b", "my-model", "somebody/fake-1b", None])
def test_every_name_of_the_model_is_good(api, model):
    response = api.chat("hi", model=model)
    assert text_of(response) == "You said: hi"
    assert response.json["model"] == (model or "fake-1b")


def test_an_answer_can_be_a_json_object(api):
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}},
        "required": ["mood"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "mood", "schema": schema}}
    text = text_of(api.chat("hash json", response_format=wanted, temperature=0, max_tokens=60))
    assert text.replace(" ", "").replace("\n", "") in ('{"mood":"good"}', '{"mood":"bad"}')
    anything = api.chat("hash json", response_format={"type": "json_object"}, max_tokens=20)
    assert text_of(anything).lstrip().startswith("{")
    said = api.chat("hash json", structured_outputs={"choice": ["yes", "no"]}, max_tokens=20)
    assert text_of(said) in ("yes", "no")
    plain = api.chat("hi", response_format={"type": "text"})
    assert text_of(plain) == "You said: hi"


def test_a_format_that_cannot_be_is_refused(api):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}}
    error = error_of(api.chat("hi", response_format=wanted))
    assert error["param"] == "response_format"
    missing = error_of(api.chat("hi", response_format={"type": "json_schema"}))
    assert missing["param"] == "response_format.json_schema"
    both = {"response_format": {"type": "json_object"}, "structured_outputs": {"regex": "a"}}
    assert error_of(api.chat("hi", **both))["param"] == "structured_outputs"
    assert error_of(api.chat("hi", structured_outputs={}))["param"] == "structured_outputs"
    regex = error_of(api.chat("hi", structured_outputs={"regex": "("}))
    assert regex["param"] == "structured_outputs.regex"
