"""schemathesis makes up requests from `/openapi.json`, right ones and wrong ones, for every route.

TTDIRECT_FUZZ_MINUTES=10 makes it search for so long, with other requests each time.
"""

import json
from collections import Counter

import jsonschema
import pytest
import schemathesis
from hypothesis import given
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import fuzzing
from waiting import wait_until

CHECKS = [
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    content_type_conformance,
]
REPORTS = [("GET", path) for path in ("/", "/health", "/livez", "/metrics", "/openapi.json")]
MODELS = [("GET", "/v1/models"), ("GET", "/v1/models/{name}")]
LESSON = [("POST", "/chat"), ("POST", "/chat/stream")]
OPENAI = [
    *(("POST", f"/v1/{route}") for route in ("chat/completions", "completions")),
    *(("POST", path) for path in ("/tokenize", "/detokenize")),
]
WITHOUT_INPUT = [*REPORTS, MODELS[0]]
EVERY_ROUTE = [*REPORTS, *MODELS, *LESSON, *OPENAI]
ASKED = [
    *((*route, GenerationMode.POSITIVE) for route in EVERY_ROUTE),
    *((*route, GenerationMode.NEGATIVE) for route in (*LESSON, *OPENAI)),
]

PARTS = len(ASKED) - len(WITHOUT_INPUT)

pytestmark = pytest.mark.timeout(300 + 120 * fuzzing.MINUTES)


@pytest.fixture(scope="module")
def described(lesson):
    """The app's own description, for schemathesis."""
    return schemathesis.openapi.from_wsgi("/openapi.json", lesson.app)


@pytest.fixture(scope="module")
def check_events(lesson):
    """A function that compares each event of a stream with the description."""
    document = lesson.client.get("/openapi.json").json

    def check(path, response):
        content = document["paths"][path]["post"]["responses"]["200"]["content"]
        event = content["text/event-stream"]["schema"]
        kinds = [kind.get("contentSchema", kind) for kind in event["properties"]["data"]["anyOf"]]
        schema = {"anyOf": kinds, "components": document["components"]}
        events = [part for part in response.text.split("\n\n") if part.startswith("data: ")]
        assert events
        for data in (event.removeprefix("data: ") for event in events):
            told = data if data == "[DONE]" else json.loads(data)
            jsonschema.validate(told, schema)
            assert "error" not in told, told

    return check


def test_no_route_is_left_out(described):
    paths = described.raw_schema["paths"].items()
    described_routes = [(method.upper(), path) for path, methods in paths for method in methods]
    assert sorted(described_routes) == sorted(EVERY_ROUTE)


@pytest.mark.parametrize(("method", "path", "mode"), ASKED)
def test_requests_are_answered_as_described(lesson, described, check_events, method, path, mode):
    statuses = Counter()

    @fuzzing.tries(40)
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def check(case):
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        statuses[response.status_code] += 1
        if response.text.startswith((": ", "data: ")):
            check_events(path, response)

    if (method, path) in WITHOUT_INPUT:
        check()
    else:
        fuzzing.search(check, PARTS)
    print(f"{method} {path} {mode.value}: {dict(statuses)}")
    if (method, path) in OPENAI:  # some fields contradict each other, and null is as good as none
        assert mode == GenerationMode.NEGATIVE or statuses[200]
    elif mode == GenerationMode.NEGATIVE:
        assert all(400 <= status < 500 for status in statuses)
    elif (method, path) != MODELS[1]:
        assert statuses.keys() == {200}
    wait_until(lambda: lesson.engine.health().cache_use == 0, "that all blocks are back")
