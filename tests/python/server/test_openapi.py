"""schemathesis makes up requests from `/openapi.json`, right ones and wrong ones."""

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

from ttdirect.server.operations import add_operations

CASES = 60
ONLY_NEW_REQUESTS = settings(
    settings.get_profile("steady"), max_examples=CASES, phases=[Phase.explicit, Phase.generate]
)

DESCRIBED_CHECKS = [response_schema_conformance, status_code_conformance, content_type_conformance]
REPORTS = ["/", "/health", "/livez", "/metrics", "/openapi.json"]
QUESTIONS = ["/chat", "/chat/stream"]


@pytest.fixture(scope="module")
def described(lesson):
    """The app's own description, for schemathesis."""
    if "openapi" not in lesson.app.view_functions:
        add_operations(lesson.app, lesson.engine)
    return schemathesis.openapi.from_wsgi("/openapi.json", lesson.app)


def answer_to(case):
    """The app's answer, after schemathesis has compared it with the description."""
    response = case.call()
    case.validate_response(response, checks=[not_a_server_error, *DESCRIBED_CHECKS])
    return response


@pytest.mark.parametrize("path", [*REPORTS, *QUESTIONS])
def test_requests_as_described_get_answers_as_described(described, path):
    method = "GET" if path in REPORTS else "POST"

    @ONLY_NEW_REQUESTS
    @given(case=described[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def check(case):
        assert answer_to(case).status_code == 200

    check()


@pytest.mark.parametrize("path", QUESTIONS)
def test_requests_against_the_description_are_refused_as_described(described, path):
    @ONLY_NEW_REQUESTS
    @given(case=described[path]["POST"].as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def check(case):
        assert 400 <= answer_to(case).status_code < 500

    check()
