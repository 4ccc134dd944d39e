"""What an answer has to look like: OpenAI's `response_format` and vLLM's `structured_outputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ttdirect.engine import GrammarError
from ttdirect.server.errors import ApiError, for_clients

if TYPE_CHECKING:
    from ttdirect.engine import Engine
    from ttdirect.engine.grammar import Grammar, GrammarKind
    from ttdirect.server.openai.schema import ChatRequest, CompletionRequest

_KINDS: dict[str, GrammarKind] = {
    "json": "json_schema",
    "json_object": "json_object",
    "regex": "regex",
    "choice": "choice",
    "grammar": "grammar",
}
"""The keys of `structured_outputs` and what the engine calls them."""


def grammar_for(engine: Engine, body: ChatRequest | CompletionRequest) -> Grammar | None:
    """The grammar that a request asks for, or None.

    Raises:
        ApiError: 400 for a description that cannot be compiled, or for two at once.
    """
    wanted = body.response_format
    is_formatted = wanted is not None and wanted.type != "text"
    if body.structured_outputs is not None:
        if is_formatted:
            raise ApiError(
                400,
                "Send 'response_format' or 'structured_outputs', not both.",
                param="structured_outputs",
            )
        return _structured(engine, body.structured_outputs)
    if wanted is None or not is_formatted:
        return None
    if wanted.type == "json_object":
        return compiled(engine, "json_object", None, "response_format")
    if wanted.json_schema is None:
        raise ApiError(
            400,
            "The field 'response_format.json_schema' is missing.",
            param="response_format.json_schema",
        )
    return compiled(engine, "json_schema", wanted.json_schema.content, "response_format")


def compiled(engine: Engine, kind: GrammarKind, spec: Any, param: str) -> Grammar:
    """A grammar from its description.

    Raises:
        ApiError: 400, naming `param`, for one that the engine cannot compile.
    """
    try:
        return engine.compile_grammar(kind, spec)
    except GrammarError as error:
        raise ApiError(400, for_clients(str(error)), param=param) from error


def _structured(engine: Engine, wanted: dict[str, Any]) -> Grammar:
    given = {key: it for key, it in wanted.items() if it is not None and it is not False}
    key = next(iter(given), "")
    if len(given) != 1 or key not in _KINDS:
        raise ApiError(
            400,
            f"'structured_outputs' must be an object with one of: {', '.join(_KINDS)}.",
            param="structured_outputs",
        )
    spec = None if key == "json_object" else given[key]
    return compiled(engine, _KINDS[key], spec, f"structured_outputs.{key}")
