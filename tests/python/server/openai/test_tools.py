"""Tools: what the model is told, the calls in its text, and calls that are required."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byte_tokenizer import ByteTokenizer
from ttdirect.server.openai.tools import Call, CallReader, ToolPlan

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    },
}
TOOLS = [WEATHER, CLOCK]
OSLO = '{"name": "weather", "arguments": {"city": "Oslo"}}'
LLAMA = '{"name": "weather", "parameters": {"city": "Oslo"}}'
NOON = '{"name": "clock", "arguments": {}}'
HERMES = f"<tool_call>\n{OSLO}\n</tool_call>"


def calls_in(choice):
    calls = choice["message"].get("tool_calls", [])
    assert all(call["type"] == "function" and len(call["id"]) == 9 for call in calls)
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def ask(api, said, **fields):
    response = api.chat(f"say {said}", tools=TOOLS, **fields)
    assert response.status_code == 200, response.text
    return response.json["choices"][0]


@pytest.mark.parametrize(
    ("said", "content", "calls"),
    [
        (HERMES, None, [("weather", {"city": "Oslo"})]),
        (f"\n{HERMES}\n", None, [("weather", {"city": "Oslo"})]),
        (
            f"Let me see. {HERMES}\n<tool_call>{NOON}</tool_call>",
            "Let me see. ",
            [("weather", {"city": "Oslo"}), ("clock", {})],
        ),
        (
            '{"name": "weather", "arguments": {"half": "\\ud800", "word": "\u00e9"}}',
            None,
            [("weather", {"half": "\ud800", "word": "\u00e9"})],
        ),
        (f"<tool_call>{OSLO}", None, [("weather", {"city": "Oslo"})]),
        (LLAMA, None, [("weather", {"city": "Oslo"})]),
        (f"<|python_tag|>{LLAMA}", None, [("weather", {"city": "Oslo"})]),
        (
            f"[TOOL_CALLS] [{OSLO}, {NOON}]",
            None,
            [("weather", {"city": "Oslo"}), ("clock", {})],
        ),
        (f"[{OSLO}]", None, [("weather", {"city": "Oslo"})]),
        (
            '<tool_call>{"name": "weather", "arguments": {"city": "</tool_call>"}}</tool_call>',
            None,
            [("weather", {"city": "</tool_call>"})],
        ),
    ],
)
def test_calls_are_read_from_the_usual_formats(api, said, content, calls):
    choice = ask(api, said)
    assert calls_in(choice) == calls
    assert choice["message"]["content"] == content
    assert choice["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    "said",
    [
        "Hello.",
        '{"name": "unknown", "arguments": {}}',
        '{"city": "Oslo"}',
        "[1, 2, 3]",
        "{not json",
        '<tool_call>{"name": "weather"}</tool_call>',
        "<tool_call>nonsense</tool_call> and more",
        "a < b, <tool",
        '{"name": "weather", "arguments": "Oslo"}',
        "<|python_tag|>print(1)",
        "<|pyth",
        "  spaces  ",
    ],
)
def test_what_is_no_call_is_text(api, said):
    choice = ask(api, said)
    assert "tool_calls" not in choice["message"]
    assert choice["message"]["content"] == said
    assert choice["finish_reason"] == "stop"


def test_a_call_that_was_cut_is_text_and_says_length(api):
    choice = ask(api, HERMES, max_tokens=30)
    assert choice["message"]["content"] == HERMES[:30]
    assert choice["finish_reason"] == "length"


def test_without_tools_nothing_is_read(api):
    assert api.chat(f"say {HERMES}").json["choices"][0]["message"]["content"] == HERMES
    choice = ask(api, HERMES, tool_choice="none")
    assert choice["message"]["content"] == HERMES


def test_one_call_where_parallel_calls_are_not_wanted(api):
    said = f"{HERMES}<tool_call>{NOON}</tool_call>"
    assert calls_in(ask(api, said, parallel_tool_calls=False)) == [("weather", {"city": "Oslo"})]


def test_the_model_is_told_about_the_tools(api):
    plain = api.chat("hi").json["usage"]["prompt_tokens"]
    told = api.chat("hi", tools=TOOLS).json["usage"]["prompt_tokens"]
    assert told == plain + len(json.dumps(TOOLS))
    untold = api.chat("hi", tools=TOOLS, tool_choice="none").json["usage"]["prompt_tokens"]
    assert untold == plain


def test_a_required_call_comes_whatever_the_model_would_say(api):
    fields = {"tools": TOOLS, "temperature": 0, "max_tokens": 300}
    choice = api.chat("hash", tool_choice="required", parallel_tool_calls=False, **fields)
    assert len(calls_in(choice.json["choices"][0])) == 1
    named = {"type": "function", "function": {"name": "weather"}}
    for seed in range(3):
        response = api.chat("hash", tool_choice=named, seed=seed, **(fields | {"temperature": 1}))
        choice = response.json["choices"][0]
        [(name, arguments)] = calls_in(choice)
        assert name == "weather"
        assert arguments["city"] in ("Oslo", "Rome")
        assert choice["finish_reason"] == "tool_calls"


def test_a_call_and_its_answer_go_back_into_the_conversation(api):
    call = {
        "id": "abc123def",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
    }
    messages = [
        {"role": "user", "content": "how is Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "abc123def", "content": "rain"},
    ]
    response = api.post("chat/completions", messages=messages, tools=TOOLS)
    assert response.status_code == 200
    call["function"]["arguments"] = "[1]"
    response = api.post("chat/completions", messages=messages, tools=TOOLS)
    assert response.json["error"]["param"] == "messages[1].tool_calls[0].function.arguments"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": "sometimes"}, "tool_choice"),
        (
            {"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "x"}}},
            "tool_choice",
        ),
        ({"tools": [{"type": "custom"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "x", "parameters": {"type": "?"}}}
                ],
                "tool_choice": "required",
            },
            "tools",
        ),
    ],
)
def test_tools_that_cannot_be_are_refused_by_name(api, fields, param):
    response = api.chat("hi", **fields)
    assert response.status_code == 400, response.text
    assert response.json["error"]["param"] == param


def test_a_model_that_knows_no_tools_says_so(start_api):
    with start_api(tokenizer=ByteTokenizer()) as api:
        response = api.chat("hi", tools=TOOLS)
    assert response.status_code == 400
    assert response.json["error"]["param"] == "tools"
    assert "knows no tools" in response.json["error"]["message"]


def test_calls_are_streamed(api, chunks_of):
    said = f"Let me see. {HERMES}\n<tool_call>{NOON}</tool_call>"
    chunks = chunks_of(api.chat(f"say {said}", tools=TOOLS, stream=True))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(delta.get("content") or "" for delta in deltas) == "Let me see. "
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert [call["index"] for call in calls] == [0, 1]
    assert [call["function"]["name"] for call in calls] == ["weather", "clock"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"city": "Oslo"}
    assert len({call["id"] for call in calls}) == 2
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


PARTS = st.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        OSLO,
        NOON,
        LLAMA,
        "\n",
        " ",
        "text",
        "<",
        "[",
        "]",
        "{",
        "<|python_tag|>",
        "[TOOL_CALLS]",
        "",
    ]
)


def told(pieces):
    """Text and calls as a client sees them, adjacent pieces of text joined."""
    reader = CallReader(ToolPlan([], frozenset({"weather", "clock"}), several=True, schema=None))
    parts = [part for piece in pieces for part in reader.feed(piece)] + list(reader.flush())
    seen = []
    for part in parts:
        if isinstance(part, Call):
            seen.append((part.name, part.arguments))
        elif seen and isinstance(seen[-1], str):
            seen[-1] += part
        elif part:
            seen.append(part)
    return seen


@given(st.lists(PARTS, max_size=8), st.randoms(use_true_random=False))
def test_it_does_not_matter_in_what_pieces_an_answer_comes(parts, chance):
    text = "".join(parts)
    cuts = sorted(chance.randint(0, len(text)) for _ in range(chance.randint(0, 12)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert told(pieces) == told([text]) == told(list(text))
