"""The routes under /v1, and vLLM's /tokenize and /detokenize."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel

import ttdirect
from ttdirect.server.body import read_json_object
from ttdirect.server.openai.chat import answer_chat
from ttdirect.server.openai.completions import answer_completion
from ttdirect.server.openai.models import Models
from ttdirect.server.openai.schema import (
    ChatRequest,
    CompletionRequest,
    DetokenizeRequest,
    refuse_unsupported,
)
from ttdirect.server.openai.tokenize import kind_of, text_of, tokens_of
from ttdirect.server.validation import checked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ttdirect.engine import Engine

_Body = TypeVar("_Body", bound=BaseModel)


def add_openai(app: Flask, engine: Engine, aliases: Sequence[str] = ()) -> None:
    """Add OpenAI's API, so that its clients work with `base_url=".../v1"`.

    `GET /v1/models`, `GET /v1/models/<id>`, `POST /v1/chat/completions` and
    `POST /v1/completions`, the last two streamed where the client asks for it. With them come
    vLLM's `POST /tokenize` and `POST /detokenize`, which never wait for the model.

    Args:
        app: protected by `server.protect`, which gives errors their shape.
        engine: answers.
        aliases: names of the model beside its own that clients may use.
    """
    models = Models(engine, aliases, created=int(time.time()))

    def head(asked: str | None) -> dict[str, Any]:
        return {
            "created": int(time.time()),
            "model": models.chosen(asked),
            "system_fingerprint": f"ttdirect-{ttdirect.__version__}",
        }

    def list_models() -> Response:
        return jsonify(object="list", data=models.described())

    def describe_model(name: str) -> Response:
        chosen = models.chosen(name)
        own, *others = models.described()
        known = {each["id"]: each for each in (own, *others)}
        return jsonify(known.get(chosen, {**own, "id": chosen}))

    def read(schema: type[_Body], needs: str) -> _Body:
        return _checked(schema, read_json_object(request, needs=needs))

    def chat_completions() -> Response:
        body = read(ChatRequest, needs="messages")
        return _response(answer_chat(engine, body, head(body.model)))

    def completions() -> Response:
        body = read(CompletionRequest, needs="prompt")
        return _response(answer_completion(engine, body, head(body.model)))

    def tokenize() -> Response:
        sent = read_json_object(request, needs="prompt")
        body = _checked(kind_of(sent), sent)
        models.chosen(body.model)
        return jsonify(tokens_of(engine, body))

    def detokenize() -> Response:
        body = read(DetokenizeRequest, needs="tokens")
        models.chosen(body.model)
        return jsonify(text_of(engine, body))

    app.add_url_rule("/v1/models", view_func=list_models)
    # A name from Hugging Face has a slash in it.
    app.add_url_rule("/v1/models/<path:name>", view_func=describe_model)
    app.add_url_rule("/v1/chat/completions", view_func=chat_completions, methods=["POST"])
    app.add_url_rule("/v1/completions", view_func=completions, methods=["POST"])
    app.add_url_rule("/tokenize", view_func=tokenize, methods=["POST"])
    app.add_url_rule("/detokenize", view_func=detokenize, methods=["POST"])


def _checked(schema: type[_Body], sent: dict[str, Any]) -> _Body:
    body = checked(schema, sent)
    refuse_unsupported(schema, sent)
    return body


def _response(answer: dict[str, Any] | Response) -> Response:
    return answer if isinstance(answer, Response) else jsonify(answer)
