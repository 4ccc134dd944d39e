"""The JSON that the lesson's routes take and give, as JSON Schema for the OpenAPI description."""

from __future__ import annotations

from typing import Any

from ttdirect.engine import FinishReason, State
from ttdirect.schema.chat import chat_request_schema

Schema = dict[str, Any]

_COUNT: Schema = {"type": "integer", "minimum": 0}
_SECONDS: Schema = {"type": "number", "minimum": 0, "description": "Seconds."}
_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": ["string", "null"]}
_SENTENCE: Schema = {"type": "string", "minLength": 1, "description": "One clear sentence."}


def closed(**properties: Schema) -> Schema:
    """An object with exactly these properties."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


def reference(name: str) -> Schema:
    """A reference to one of `COMPONENTS`."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_content(schema: Schema) -> Schema:
    """The content of a body that is JSON."""
    return {"application/json": {"schema": schema}}


def events_content(*events: Schema) -> Schema:
    """The content of a stream of server-sent events: the schema is that of one event.

    Args:
        events: what its `data` may be: JSON of one of these schemas, or a constant text.
    """
    data = [
        {"type": "string", "contentMediaType": "application/json", "contentSchema": event}
        if "const" not in event
        else event
        for event in events
    ]
    event = {"type": "object", "required": ["data"], "properties": {"data": {"anyOf": data}}}
    return {"text/event-stream": {"schema": event}}


def error_response(what: str, *, openai: bool = False) -> Schema:
    """A response that is an error: the lesson's, or one in OpenAI's shape."""
    schema = reference("OpenAIError" if openai else "Error")
    return {"description": what, "content": json_content(schema)}


_FIGURES = {
    "tokens_generated": _COUNT,
    "time_seconds": _SECONDS,
    "tokens_per_second": {"type": "number", "minimum": 0},
    "ttft_seconds": _SECONDS,
    "queue_seconds": _SECONDS,
    "finish_reason": {
        "enum": [FinishReason.STOP.value, FinishReason.LENGTH.value, FinishReason.ABORT.value]
    },
}
_STATES = ("healthy", State.LOADING.value, State.DRAINING.value, State.FAILED.value)

COMPONENTS: dict[str, Schema] = {
    "ChatRequest": chat_request_schema(),
    "ChatAnswer": closed(prompt=_TEXT, response=_TEXT, **_FIGURES),
    "ChatPiece": closed(text=_TEXT),
    "Summary": closed(
        status={"enum": list(_STATES)},
        note=_TEXT,
        model=_NAME,
        version=_TEXT,
        needs_key={"type": "boolean"},
        routes={"type": "array", "items": _TEXT},
    ),
    "Error": closed(error=_SENTENCE),
    "OpenAIError": closed(error=closed(message=_SENTENCE, type=_TEXT, param=_NAME, code=_NAME)),
    "Health": closed(
        status={"enum": list(_STATES)},
        model=_NAME,
        model_loaded={"type": "boolean"},
        note=_TEXT,
        phase=_TEXT,
        progress={"type": "number", "minimum": 0, "maximum": 1},
        elapsed_seconds=_SECONDS,
        device=_NAME,
        memory={
            "anyOf": [closed(weights_bytes=_COUNT, kv_cache_bytes=_COUNT), {"type": "null"}],
            "description": "What the model holds in the device's memory; null while it loads, and "
            "on a Tenstorrent card, which does not tell.",
        },
        running=_COUNT,
        queued=_COUNT,
        max_batch_size={"type": "integer", "minimum": 1},
        max_seq_len={"type": "integer", "minimum": 128},
        version=_TEXT,
    ),
    "Liveness": closed(
        status={"enum": ["alive", "dead"]},
        note=_SENTENCE,
        state={"enum": [state.value for state in State]},
        step_seconds=_SECONDS,
    ),
}
