"""schemathesis makes up requests from a description of the routes, right ones and wrong ones."""

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

FIGURES = {
    "tokens_generated": {"type": "integer", "minimum": 0},
    "time_seconds": {"type": "number", "minimum": 0},
    "tokens_per_second": {"type": "number", "minimum": 0},
    "ttft_seconds": {"type": "number", "minimum": 0},
    "queue_seconds": {"type": "number", "minimum": 0},
    "finish_reason": {"enum": ["stop", "length"]},
}
OPTIONAL = {
    "max_tokens": {"type": ["integer", "null"], "minimum": 1, "maximum": 2048},
    "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
    "system": {"type": ["string", "null"]},
    "top_p": {"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 1},
    "top_k": {"type": ["integer", "null"], "minimum": 0, "maximum": 1_000_000},
    "seed": {"type": ["integer", "null"], "minimum": -(2**63), "maximum": 2**63 - 1},
    "stop": {
        "anyOf": [
            {"type": ["string", "null"], "minLength": 1},
            {
                "type": "array",
                "minItems": 1,
                "maxItems": 16,
                "items": {"type": "string", "minLength": 1},
            },
        ]
    },
}
REQUEST = {
    "type": "object",
    "required": ["prompt"],
    "properties": {
        "prompt": {"type": "string", "pattern": "[^ \\t\\r\\n]"},
        **OPTIONAL,
    },
    "additionalProperties": False,
}


def closed_object(properties):
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


ANSWER = closed_object({"prompt": {"type": "string"}, "response": {"type": "string"}, **FIGURES})
ERROR = closed_object({"error": {"type": "string", "minLength": 1, "maxLength": 400}})
HEALTH = closed_object(
    {
        "status": {"enum": ["healthy", "loading", "draining", "failed"]},
        "model": {"type": ["string", "null"]},
        "model_loaded": {"type": "boolean"},
        "note": {"type": "string"},
        "phase": {"type": "string"},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "elapsed_seconds": {"type": "number", "minimum": 0},
        "device": {"type": ["string", "null"]},
        "running": {"type": "integer", "minimum": 0},
        "queued": {"type": "integer", "minimum": 0},
        "max_batch_size": {"type": "integer", "minimum": 1},
        "max_seq_len": {"type": "integer", "minimum": 128},
        "version": {"type": "string"},
    }
)


def as_json(schema):
    return {"description": "", "content": {"application/json": {"schema": schema}}}


def asking(answer):
    errors = {str(status): as_json(ERROR) for status in (400, 405, 413, 415)}
    return {
        "post": {
            "requestBody": {"required": True, **as_json(REQUEST)},
            "responses": {"200": answer, **errors},
        }
    }


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "TT Direct API", "version": "1"},
    "paths": {
        "/health": {
            "get": {"responses": {"200": as_json(HEALTH), "405": as_json(ERROR)}},
        },
        "/chat": asking(as_json(ANSWER)),
        "/chat/stream": asking({"description": "", "content": {"text/event-stream": {}}}),
    },
}

CASES = 60
ONLY_NEW_REQUESTS = settings(
    settings.get_profile("server"), max_examples=CASES, phases=[Phase.explicit, Phase.generate]
)

DESCRIBED_CHECKS = [response_schema_conformance, status_code_conformance, content_type_conformance]
DESCRIBED = schemathesis.openapi.from_dict(OPENAPI)
ROUTES = [("/health", "GET"), ("/chat", "POST"), ("/chat/stream", "POST")]


def requests_to(lesson, path, method, mode):
    DESCRIBED.app = lesson.app
    return DESCRIBED[path][method].as_strategy(generation_mode=mode)


def answer_to(case):
    """The app's answer, after schemathesis has compared it with the description."""
    response = case.call()
    case.validate_response(response, checks=[not_a_server_error, *DESCRIBED_CHECKS])
    return response


@pytest.mark.parametrize(("path", "method"), ROUTES)
def test_requests_as_described_get_answers_as_described(lesson, path, method):
    @ONLY_NEW_REQUESTS
    @given(case=requests_to(lesson, path, method, GenerationMode.POSITIVE))
    def check(case):
        assert answer_to(case).status_code == 200

    check()


@pytest.mark.parametrize(("path", "method"), ROUTES[1:])
def test_requests_against_the_description_are_refused_as_described(lesson, path, method):
    @ONLY_NEW_REQUESTS
    @given(case=requests_to(lesson, path, method, GenerationMode.NEGATIVE))
    def check(case):
        assert 400 <= answer_to(case).status_code < 500

    check()
