"""The JSON of the routes for OpenAI's clients, as JSON Schema for the OpenAPI description.

What they take comes from the models that check it. What they give may have more fields than stand
here: OpenAI adds some now and then, and its clients ignore those that they do not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.server.openai.schema import (
    ChatRequest,
    CompletionRequest,
    DetokenizeRequest,
    TokenizeChatRequest,
    TokenizeTextRequest,
)
from ttdirect.server.operations.schemas import Schema, reference

if TYPE_CHECKING:
    from pydantic import BaseModel

_COUNT: Schema = {"type": "integer", "minimum": 0}
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_TOKENS: Schema = {"type": "array", "items": _COUNT}
_LOGPROBS: Schema = {"type": ["object", "null"]}
_FINISH_REASON: Schema = {"enum": ["stop", "length", "tool_calls", "abort"]}
_UNFINISHED: Schema = {"enum": [*_FINISH_REASON["enum"], None]}


def openai_components() -> dict[str, Schema]:
    """The schemas that the operations for OpenAI's clients refer to, by name."""
    return {
        **_models_of(
            OpenAIChatRequest=ChatRequest,
            OpenAICompletionRequest=CompletionRequest,
            OpenAITokenizeTextRequest=TokenizeTextRequest,
            OpenAITokenizeChatRequest=TokenizeChatRequest,
            OpenAIDetokenizeRequest=DetokenizeRequest,
        ),
        "OpenAITokenizeRequest": {
            "oneOf": [
                reference("OpenAITokenizeTextRequest"),
                reference("OpenAITokenizeChatRequest"),
            ]
        },
        "OpenAITokens": _object(count=_COUNT, max_model_len=_COUNT, tokens=_TOKENS),
        "OpenAITokensText": _object(prompt=_TEXT),
        "OpenAIModel": _object(id=_TEXT, object={"const": "model"}, created=_COUNT, owned_by=_TEXT),
        "OpenAIModels": _object(
            object={"const": "list"}, data={"type": "array", "items": reference("OpenAIModel")}
        ),
        "OpenAIUsage": _object(prompt_tokens=_COUNT, completion_tokens=_COUNT, total_tokens=_COUNT),
        "OpenAIChatAnswer": _answer(
            "chat.completion",
            reference("OpenAIUsage"),
            message=_object(role={"const": "assistant"}, content=_TEXT_OR_NULL),
            finish_reason=_FINISH_REASON,
        ),
        "OpenAIChatChunk": _answer(
            "chat.completion.chunk", None, delta={"type": "object"}, finish_reason=_UNFINISHED
        ),
        "OpenAICompletion": _answer(
            "text_completion", reference("OpenAIUsage"), text=_TEXT, finish_reason=_FINISH_REASON
        ),
        "OpenAICompletionChunk": _answer(
            "text_completion", None, text=_TEXT, finish_reason=_UNFINISHED
        ),
    }


def _models_of(**models: type[BaseModel]) -> dict[str, Schema]:
    """Pydantic's schemas of requests, and of the parts that they share."""
    schemas: dict[str, Schema] = {}
    for name, model in models.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/OpenAI{model}")
        parts: dict[str, Schema] = schema.pop("$defs", {})
        schemas.update({f"OpenAI{part}": content for part, content in parts.items()})
        schemas[name] = schema
    return schemas


def _answer(kind: str, usage: Schema | None, **choice: Any) -> Schema:
    """A whole answer, or a chunk of one where `usage` is None: that is in the last chunk only."""
    fields: dict[str, Schema] = {
        "id": _TEXT,
        "object": {"const": kind},
        "created": _COUNT,
        "model": _TEXT,
        "choices": {"type": "array", "items": _object(index=_COUNT, **choice)},
    }
    if usage is not None:
        fields["usage"] = usage
    schema = _object(**fields)
    schema["properties"]["choices"]["items"]["properties"]["logprobs"] = _LOGPROBS
    return schema


def _object(**properties: Schema) -> Schema:
    """An object with at least these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}
