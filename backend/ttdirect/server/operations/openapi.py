"""GET /openapi.json: the routes that this app has, as OpenAPI 3.1."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify

import ttdirect
from ttdirect.server.environment import is_on
from ttdirect.server.errors import speaks_openai
from ttdirect.server.keys import OPEN_METRICS_VARIABLE, PAGE, PROBES, keys_are_set
from ttdirect.server.operations.described import described_operations, openai_operations
from ttdirect.server.operations.schemas import COMPONENTS, Schema, error_response

if TYPE_CHECKING:
    from werkzeug.routing import Rule

_DESCRIPTION = (
    "A language model behind an HTTP API, many requests at a time. Errors of /chat are one "
    "sentence; those under /v1, and of /tokenize and /detokenize, have OpenAI's shape."
)
_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "The server's TTDIRECT_API_KEY. Without one, no key is asked for.",
}
_UNTOLD = {"HEAD", "OPTIONS"}
"""Methods that Flask adds to every route."""

_ARGUMENT = re.compile(r"<(?:[^<>:]*:)?(\w+)>")


def add_openapi(app: Flask) -> None:
    """Add `GET /openapi.json`, which describes the routes that are there when it is asked."""

    def openapi() -> Response:
        """This description of all routes."""
        return jsonify(description(app))

    app.add_url_rule("/openapi.json", view_func=openapi)


def description(app: Flask) -> Schema:
    """The OpenAPI 3.1 document of an app.

    Routes of ours are described in full; those that a user added have the first line of their
    function's docstring.
    """
    known, schemas = described_operations(), COMPONENTS
    if any(rule.rule.startswith("/v1/") for rule in app.url_map.iter_rules()):
        # Its models need pydantic, which an app without these routes does without.
        from ttdirect.server.operations.openai_schemas import openai_components  # noqa: PLC0415

        known, schemas = known | openai_operations(), schemas | openai_components()
    paths: dict[str, Schema] = {}
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if rule.endpoint == "static":
            continue
        path = _ARGUMENT.sub(r"{\1}", rule.rule)
        operations = paths.setdefault(path, {})
        for method in sorted((rule.methods or set()) - _UNTOLD):
            operation = known.get((method, path)) or _of_user(app, rule)
            operations[method.lower()] = _secured(operation, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TT Direct API",
            "version": ttdirect.__version__,
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"bearer": _BEARER}},
    }


def _of_user(app: Flask, rule: Rule) -> Schema:
    documented = inspect.getdoc(app.view_functions[rule.endpoint]) or rule.endpoint
    operation: Schema = {
        "summary": documented.partition("\n")[0],
        "responses": {"default": {"description": "Whatever the route answers."}},
    }
    arguments = _ARGUMENT.findall(rule.rule)
    if arguments:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in arguments
        ]
    return operation


def _secured(operation: Schema, path: str) -> Schema:
    """The operation with what the server asks for now: a key, or none."""
    is_open = path in PROBES or path == PAGE
    is_open |= path == "/metrics" and is_on(OPEN_METRICS_VARIABLE)
    if is_open or not keys_are_set():
        return operation
    refusal = error_response("The key is missing or wrong.", openai=speaks_openai(path))
    responses: dict[str, Any] = {**operation["responses"], "401": refusal}
    return {**operation, "responses": responses, "security": [{"bearer": []}]}
