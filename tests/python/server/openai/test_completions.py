"""POST /v1/completions: texts continued as they stand."""

import math

import pytest


def choices_of(response):
    assert response.status_code == 200, response.text
    return response.json["choices"]


def test_an_answer_has_openais_shape(api):
    answer = api.complete("hi").json
    assert answer["object"] == "text_completion"
    assert answer["id"].startswith("cmpl-")
    assert answer["choices"] == [
        {"index": 0, "text": "You said: hi", "logprobs": None, "finish_reason": "stop"}
    ]
    assert answer["usage"]["prompt_tokens"] == len("hi") + 1
    assert answer["usage"]["completion_tokens"] == 12


def test_without_a_length_an_answer_has_16_tokens_as_openais(api):
    assert choices_of(api.complete("repeat 50 a"))[0]["text"] == "a" * 16


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("ab", ["You said: ab"]),
        (["ab", "cd"], ["You said: ab", "You said: cd"]),
        ([97, 98], ["You said: ab"]),
        ([[97], [98, 99]], ["You said: a", "You said: bc"]),
        (["ab", [99]], ["You said: ab", "You said: c"]),
    ],
)
def test_prompts_come_as_texts_or_tokens(api, prompt, texts):
    choices = choices_of(api.complete(prompt))
    assert [choice["text"] for choice in choices] == texts
    assert [choice["index"] for choice in choices] == list(range(len(texts)))


def test_choices_of_several_prompts_stand_in_order(api):
    prompts = ["say one", "say two"]
    answer = api.complete(prompts, n=2).json
    assert [choice["text"] for choice in answer["choices"]] == ["one", "one", "two", "two"]
    alone = [api.complete(prompt).json["usage"]["prompt_tokens"] for prompt in prompts]
    assert answer["usage"]["prompt_tokens"] == sum(alone)
    assert answer["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("prompt", ["say more", list(b"say more")])
def test_echo_puts_the_prompt_in_front(api, prompt):
    assert choices_of(api.complete(prompt, echo=True))[0]["text"] == "say moremore"


def test_logprobs_are_lists_of_the_same_length(api):
    fields = {"logprobs": 2, "temperature": 0, "max_tokens": 12, "ignore_eos": True}
    choice = choices_of(api.complete("hash logprobs", **fields))[0]
    told = choice["logprobs"]
    assert list(told) == ["text_offset", "token_logprobs", "tokens", "top_logprobs"]
    assert {len(each) for each in told.values()} == {12}
    for offset, token, logprob, top in zip(
        told["text_offset"],
        told["tokens"],
        told["token_logprobs"],
        told["top_logprobs"],
        strict=True,
    ):
        assert top[token] == logprob <= 0
        assert 1 <= len(top) <= 2  # greedy: the chosen one is among them
        if len(token) == 1 and token != "\ufffd":  # no special token, and a whole character
            assert choice["text"][offset] == token
    alone = choices_of(api.complete("hi", logprobs=0))[0]["logprobs"]
    assert alone["tokens"] == list("You said: hi")
    assert alone["text_offset"] == list(range(12))
    assert [list(top) for top in alone["top_logprobs"]] == [[token] for token in alone["tokens"]]


def test_the_best_of_several_are_those_the_model_is_surest_of(api):
    fields = {"seed": 3, "max_tokens": 20, "logprobs": 0}
    all_of_them = choices_of(api.complete("hash best", n=6, **fields))

    def sureness(choice):
        logprobs = choice["logprobs"]["token_logprobs"]
        return math.fsum(logprobs) / len(logprobs)

    ranked = sorted(all_of_them, key=sureness, reverse=True)
    best = api.complete("hash best", n=2, best_of=6, seed=3, max_tokens=20)
    assert [choice["text"] for choice in choices_of(best)] == [
        choice["text"] for choice in ranked[:2]
    ]
    assert [choice["logprobs"] for choice in choices_of(best)] == [None, None]
    spent = best.json["usage"]["completion_tokens"]
    assert spent == sum(len(choice["logprobs"]["tokens"]) for choice in all_of_them)


def test_end_tokens_can_be_ignored(api):
    choice = choices_of(api.complete("hash end", ignore_eos=True, max_tokens=300))[0]
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"suffix": "end"}, "suffix"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
        ({"prompt": ""}, None),
        ({"prompt": []}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, "a"]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [-1]}, "prompt"),
        ({"prompt": [261]}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "half \ud800"}, "prompt"),
        ({"prompt": ["x"] * 200}, "prompt"),
        ({"prompt": ["x"] * 20, "n": 16}, "n"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(api, fields, param):
    response = api.post("completions", **({"prompt": "hi"} | fields))
    if param is None:  # an empty text is the beginning token alone, which can be continued
        assert response.status_code == 200
        return
    assert response.status_code == 400, response.text
    assert response.json["error"]["param"] == param
    assert len(response.json["error"]["message"]) < 300
