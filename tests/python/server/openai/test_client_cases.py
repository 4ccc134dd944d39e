"""What people ask of the chat API, through every Python client, whole and streamed."""

import json
import sys
from dataclasses import dataclass, field

import pytest

from openai_clients import CLIENTS
from openai_on_fakes import SHOW
from processes import TESTS, running

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
CLOCK = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
OSLO = '<tool_call>{"name": "weather", "arguments": {"city": "Oslo"}}</tool_call>'
NOON = '<tool_call>{"name": "clock", "arguments": {}}</tool_call>'
CITY = {
    "type": "object",
    "properties": {"city": {"const": "Oslo"}},
    "required": ["city"],
    "additionalProperties": False,
}
NO_END = {"257": -100}
"""A bias against the fake model's end token."""


@pytest.fixture(scope="module")
def quick_server(tmp_path_factory):
    """A server process whose steps take no longer than they must."""
    command = [sys.executable, str(TESTS / "openai_on_fakes.py")]
    with running(command, tmp_path_factory.mktemp("openai")) as process:
        yield process.wait_ready()


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda kind: kind.__name__)
def client(request, quick_server):
    return request.param(quick_server.url)


@pytest.fixture(params=["ask", "stream"])
def ask(request, client):
    """Both ways to get an answer: `ask(messages, **fields)`."""
    return getattr(client, request.param)


def user(content):
    return {"role": "user", "content": content}


def prompt_of(*turns, tools=""):
    """What the fake's chat template makes of turns: roles and texts."""
    text = "".join(f"<|{role}|>{content}<|end|>" for role, content in turns)
    return f"<|begin|>{tools}{text}<|assistant|>"


@dataclass(frozen=True)
class Case:
    """A request, and the answer that the fake model gives to it."""

    name: str
    messages: list
    text: str
    fields: dict = field(default_factory=dict)
    finish_reason: str = "stop"
    calls: tuple = ()


CASES = [
    Case("a question", [user("hello")], "You said: hello"),
    Case(
        "a system message",
        [{"role": "system", "content": "Be brief."}, user(SHOW)],
        prompt_of(("system", "Be brief."), ("user", SHOW)),
    ),
    Case(
        "a developer message, which is a system message to this model",
        [{"role": "developer", "content": "Be kind."}, user(SHOW)],
        prompt_of(("system", "Be kind."), ("user", SHOW)),
    ),
    Case(
        "an earlier answer",
        [user("Hi"), {"role": "assistant", "content": "Hello!"}, user(SHOW)],
        prompt_of(("user", "Hi"), ("assistant", "Hello!"), ("user", SHOW)),
    ),
    Case(
        "content in parts",
        [user([{"type": "text", "text": "Please"}, {"type": "text", "text": SHOW}])],
        prompt_of(("user", f"Please\n{SHOW}")),
    ),
    Case("characters beyond ASCII", [user("say Grüße, 世界 😀")], "Grüße, 世界 😀"),
    Case("a stop text", [user("say one two three")], "one ", {"stop": "two"}),
    Case("several stop texts", [user("say one two")], "one", {"stop": ["x", " "]}),
    Case("a short max_tokens", [user("say long")], "lo", {"max_tokens": 2}, "length"),
    Case(
        "a short max_completion_tokens",
        [user("say long")],
        "lon",
        {"max_completion_tokens": 3},
        "length",
    ),
    Case(
        "a bias towards the letter A",
        [user("hash")],
        "AAAA",
        {"logit_bias": {"65": 100}, "max_tokens": 4},
        "length",
    ),
    Case(
        "a call of a tool",
        [user(f"say {OSLO}")],
        "",
        {"tools": [WEATHER]},
        "tool_calls",
        (("weather", {"city": "Oslo"}),),
    ),
    Case(
        "two calls behind a text",
        [user(f"say Well. {OSLO}{NOON}")],
        "Well. ",
        {"tools": [WEATHER, CLOCK]},
        "tool_calls",
        (("weather", {"city": "Oslo"}), ("clock", {})),
    ),
    Case(
        "a tool that must not be called",
        [user(f"say {NOON}")],
        NOON,
        {"tools": [CLOCK], "tool_choice": "none"},
    ),
    Case(
        "a tool that has to be called",
        [user("hash")],
        "",
        {"tools": [CLOCK], "tool_choice": "required", "parallel_tool_calls": False},
        "tool_calls",
        (("clock", {}),),
    ),
    Case(
        "the answer of a tool",
        [
            user(SHOW),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "abc123def",
                        "type": "function",
                        "function": {"name": "clock", "arguments": '{"zone": "UTC"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "abc123def", "content": "noon"},
        ],
        prompt_of(
            ("user", SHOW),
            ("assistant", '{"name": "clock", "arguments": {"zone": "UTC"}}'),
            ("tool", "noon"),
            tools=json.dumps([CLOCK]),
        ),
        {"tools": [CLOCK]},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_answer_is_the_same_through_every_client(ask, case):
    answer = ask(case.messages, **case.fields)
    assert answer.text == case.text
    assert answer.finish_reason == case.finish_reason
    assert answer.calls == list(case.calls)


def test_the_usage_counts_the_tokens(ask):
    prompt = prompt_of(("user", "say abc")).replace("<|user|>", "^").replace("<|end|>", "$")
    prompt = prompt.replace("<|begin|>", "^").replace("<|assistant|>", "$")
    assert ask([user("say abc")]).tokens == (len(prompt), len("abc"))


def test_a_named_tool_is_called(ask):
    wanted = {"type": "function", "function": {"name": "weather"}}
    fields = {"tools": [CLOCK, WEATHER], "tool_choice": wanted}
    [(name, arguments)] = ask([user("hash")], **fields).calls
    assert name == "weather"
    assert arguments in ({"city": "Oslo"}, {"city": "Rome"})


def test_json_fits_its_schema(ask):
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}
    assert json.loads(ask([user("hash")], response_format=wanted).text) == {"city": "Oslo"}


def test_any_json_object(ask):
    wanted = {"type": "json_object"}
    assert json.loads(ask([user('say {"a": 1}')], response_format=wanted).text) == {"a": 1}


def test_the_seed_decides_between_answers(ask):
    fields = {"temperature": 1, "max_tokens": 8, "logit_bias": NO_END}
    first, again, other = (ask([user("hash seed")], seed=seed, **fields).text for seed in (4, 4, 5))
    assert first == again != other


@pytest.mark.parametrize("penalty", ["presence_penalty", "frequency_penalty"])
def test_a_penalty_makes_a_model_repeat_itself_less(ask, penalty):
    fields = {"logit_bias": {"65": 4, "66": 4, "67": 4, **NO_END}, "max_tokens": 16}
    plain, fined = (ask([user("hash")], **{penalty: value}, **fields).text for value in (0, 2))
    assert len(set(fined)) > len(set(plain))


def test_several_answers_to_one_question(client):
    fields = {"seed": 1, "temperature": 1, "max_tokens": 8, "logit_bias": NO_END}
    answer = client.ask([user("hash several")], n=3, **fields)
    assert answer.texts[0] == client.ask([user("hash several")], **fields).text
    assert len(set(answer.texts)) == 3
