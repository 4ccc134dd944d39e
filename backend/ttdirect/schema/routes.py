"""The server's routes, and the JSON Schema of what each of them takes.

The schemas of `/v1` come from the pydantic models that check the requests; `openai.json` is their
copy for those who must not wait for pydantic. `scripts/write_request_schemas.py` writes it, and a
test compares it.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from ttdirect.schema.chat import CHAT_FIELDS, chat_request_schema

Schema = dict[str, Any]

ROUTES: dict[str, str] = {
    "/": "GET",
    "/health": "GET",
    "/livez": "GET",
    "/metrics": "GET",
    "/openapi.json": "GET",
    "/chat": "POST",
    "/chat/stream": "POST",
    "/v1/models": "GET",
    "/v1/chat/completions": "POST",
    "/v1/completions": "POST",
    "/tokenize": "POST",
    "/detokenize": "POST",
}
"""The method of each route of ours."""

OPENAI_COMPONENTS = {
    "/v1/chat/completions": "OpenAIChatRequest",
    "/v1/completions": "OpenAICompletionRequest",
    "/detokenize": "OpenAIDetokenizeRequest",
}
"""The schema of each route for OpenAI's clients; `/tokenize` takes either of two, and has none."""

_WHAT = {
    "model": "The model's name; the server has one, so it may be left out.",
    "messages": "The conversation so far, oldest first.",
    "role": "Who says it: system, developer, user, assistant or tool.",
    "content": "What is said.",
    "prompt": "The text to continue: a string, several, or token ids.",
    "n": "How many answers.",
    "stream": "Whether the answer comes piece by piece, as server-sent events.",
    "stream_options": "What a stream tells beside the answer.",
    "min_p": "Keep tokens with at least this share of the likeliest one's probability.",
    "presence_penalty": "Above 0: less of what the answer has said at all.",
    "frequency_penalty": "Above 0: less of what the answer says often.",
    "repetition_penalty": "Above 1: less of what prompt and answer have said.",
    "logit_bias": "Token ids with what to add to their logits.",
    "stop_token_ids": "Tokens that end the answer.",
    "min_tokens": "The shortest answer, in tokens.",
    "ignore_eos": "Whether to go on behind the end token.",
    "response_format": "What the answer has to look like: text or JSON.",
    "structured_outputs": "A JSON schema, regular expression, choice or grammar for the answer.",
    "tools": "Functions that the model may call.",
    "tool_choice": "Whether it may, must, or which one.",
    "parallel_tool_calls": "Whether it may call several at once.",
    "max_completion_tokens": "The longest answer, in tokens.",
    "logprobs": "Whether to tell how likely the tokens were.",
    "top_logprobs": "How many likely tokens to tell with each.",
    "echo": "Whether the prompt stands before the answer.",
    "best_of": "How many answers to choose the best from.",
    "tokens": "The token ids.",
} | {field.name: field.what for field in CHAT_FIELDS if field.name != "prompt"}


@functools.cache
def request_schema(path: str) -> Schema | None:
    """What a route takes, or None where it takes no body that we could describe."""
    if path in ("/chat", "/chat/stream"):
        return chat_request_schema()
    component = OPENAI_COMPONENTS.get(path)
    return None if component is None else _openai()["components"][component]


def unsupported_fields(path: str) -> dict[str, list[Any]]:
    """Fields that OpenAI knows and this server refuses, each with the values that it lets pass."""
    component = OPENAI_COMPONENTS.get(path, "")
    return _openai()["unsupported"].get(component, {}) if component else {}


def resolved(schema: Schema) -> Schema:
    """A schema, or what it refers to."""
    reference = schema.get("$ref", "")
    if not reference:
        return schema
    return _openai()["components"][reference.rpartition("/")[2]]


def describe(name: str, schema: Schema) -> str:
    """What a field is for, in a sentence; empty where nobody has said."""
    return str(schema.get("description") or _WHAT.get(name, ""))


@functools.cache
def _openai() -> dict[str, Any]:
    text = resources.files("ttdirect.schema").joinpath("openai.json").read_text(encoding="utf-8")
    return json.loads(text)
