"""What each route of ours does, takes and answers, for the OpenAPI description."""

from __future__ import annotations

from ttdirect.server.operations.schemas import (
    Schema,
    error_response,
    events_content,
    json_content,
    reference,
)

_MISTAKES = {
    "400": "A field is missing or wrong, or the body is no JSON; the sentence names it.",
    "403": "A web page of another site asked, and the server does not list that site.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not sent as JSON.",
    "421": "The Host header names another server.",
    "429": "This client asks too often; Retry-After says when to come back.",
    "500": "The model or the server failed; the server's log says why.",
    "503": "The model is loading, the queue is full, or the server is shutting down.",
    "504": "The answer was not complete within the server's time limit.",
}
_NO_MODEL = "There is no such model here."
_WRONG_METHOD = "The route does not answer this method."
_RETRY_AFTER: Schema = {
    "description": "Seconds after which another try makes sense.",
    "schema": {"type": "integer", "minimum": 0},
}


def described_operations() -> dict[tuple[str, str], Schema]:
    """OpenAPI operations by method and path, whether or not the app at hand has them."""
    return {
        ("GET", "/"): _page(),
        ("GET", "/health"): _report("Whether the model is ready.", "Health", "Not ready; why."),
        ("GET", "/livez"): _report(
            "Whether the process is alive.", "Liveness", "The process needs a restart."
        ),
        ("GET", "/metrics"): _metrics(),
        ("GET", "/openapi.json"): _get(
            "This description.",
            {"description": "OpenAPI 3.1.", "content": json_content({"type": "object"})},
        ),
        ("POST", "/chat"): _asking(
            "Ask the model and get the whole answer.",
            reference("ChatRequest"),
            {"description": "The answer.", "content": json_content(reference("ChatAnswer"))},
        ),
        ("POST", "/chat/stream"): _asking(
            "Ask the model and get the answer piece by piece.",
            reference("ChatRequest"),
            {
                "description": "Pieces of text, then one event with the whole answer. An error "
                "after the start is an event, too.",
                "content": events_content(
                    reference("ChatPiece"), reference("ChatAnswer"), reference("Error")
                ),
            },
        ),
    }


def openai_operations() -> dict[tuple[str, str], Schema]:
    """The operations for OpenAI's clients; their schemas are in `openai_schemas`."""
    return {
        ("GET", "/v1/models"): _about_models("The names of the model.", "OpenAIModels"),
        ("GET", "/v1/models/{name}"): {
            **_about_models("One name of the model.", "OpenAIModel"),
            "parameters": [
                {"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
        },
        ("POST", "/v1/chat/completions"): _asking_openai(
            "Continue a conversation.", "OpenAIChatRequest", "OpenAIChatAnswer", "OpenAIChatChunk"
        ),
        ("POST", "/v1/completions"): _asking_openai(
            "Continue a text.",
            "OpenAICompletionRequest",
            "OpenAICompletion",
            "OpenAICompletionChunk",
        ),
        ("POST", "/tokenize"): _counting(
            "The tokens of a text or of a conversation.", "OpenAITokenizeRequest", "OpenAITokens"
        ),
        ("POST", "/detokenize"): _counting(
            "The text of tokens.", "OpenAIDetokenizeRequest", "OpenAITokensText"
        ),
    }


def _about_models(summary: str, name: str) -> Schema:
    content = json_content(reference(name))
    operation = _get(summary, {"description": summary, "content": content}, openai=True)
    operation["responses"]["404"] = error_response(_NO_MODEL, openai=True)
    operation["responses"]["503"] = error_response(_MISTAKES["503"], openai=True)
    return operation


def _asking_openai(summary: str, request: str, answer: str, chunk: str) -> Schema:
    chunks = events_content(reference(chunk), reference("OpenAIError"), {"const": "[DONE]"})
    response = {
        "description": "The answer, or with `stream` its chunks and a last `[DONE]`.",
        "content": {**json_content(reference(answer)), **chunks},
    }
    operation = _asking(summary, reference(request), response, openai=True)
    operation["responses"]["404"] = error_response(_NO_MODEL, openai=True)
    return operation


def _counting(summary: str, request: str, answer: str) -> Schema:
    response = {"description": summary, "content": json_content(reference(answer))}
    operation = _asking(summary, reference(request), response, openai=True)
    operation["responses"]["404"] = error_response(_NO_MODEL, openai=True)
    return operation


def _asking(summary: str, request: Schema, answer: Schema, *, openai: bool = False) -> Schema:
    """A POST that asks the model.

    Args:
        summary: what it does.
        request: the schema of its body.
        answer: the response when all is well.
        openai: whether its errors have OpenAI's shape.
    """
    responses = {status: error_response(what, openai=openai) for status, what in _MISTAKES.items()}
    for status in ("429", "503"):
        responses[status]["headers"] = {"Retry-After": _RETRY_AFTER}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": json_content(request)},
        "responses": {
            "200": answer,
            **responses,
            "405": error_response(_WRONG_METHOD, openai=openai),
        },
    }


def _get(summary: str, answer: Schema, *, openai: bool = False) -> Schema:
    wrong_method = error_response(_WRONG_METHOD, openai=openai)
    return {"summary": summary, "responses": {"200": answer, "405": wrong_method}}


def _report(summary: str, name: str, why_not: str) -> Schema:
    content = json_content(reference(name))
    operation = _get(summary, {"description": "All is well.", "content": content})
    operation["responses"]["503"] = {"description": why_not, "content": content}
    return operation


def _metrics() -> Schema:
    content: Schema = {"text/plain": {"schema": {"type": "string"}}}
    return _get(
        "Counters, gauges and histograms for Prometheus.",
        {"description": "Prometheus' text format.", "content": content},
    )


def _page() -> Schema:
    content = {"text/html": {"schema": {"type": "string"}}, **json_content(reference("Summary"))}
    return _get(
        "A page to try the server in a browser, or what it would show as JSON.",
        {"description": "HTML, or JSON for those that accept it.", "content": content},
    )
