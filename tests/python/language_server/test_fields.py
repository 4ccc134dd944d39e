"""Request examples are judged as the server judges the requests."""

import json

import pytest
from flask import Flask, request
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ttdirect.schema.routes import ROUTES, request_schema, unsupported_fields
from ttdirect.server import CHAT_FIELDS, ApiError, chat_fields
from ttdirect.server.openai.schema import ChatRequest, refuse_unsupported
from ttdirect.server.validation import checked

APP = Flask(__name__)
START = "tt-api-server-direct.py\n\n```http\nPOST http://127.0.0.1:8080{}\n\n"


def document(path, body):
    return START.format(path) + body + "\n```\n"


def is_refused(body):
    with APP.test_request_context(
        "/chat", method="POST", data=body, content_type="application/json"
    ):
        try:
            chat_fields(request)
        except ApiError:
            return True
    return False


NAMES = st.sampled_from([it.name for it in CHAT_FIELDS] + ["max_token", "Prompt", "x"])
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 5000)
    | st.floats(-1, 3, allow_nan=False)
    | st.sampled_from(["", " ", "Hi", "64", 1e6, 2**70])
    | st.lists(st.sampled_from(["a", "", 1]), max_size=18)
    | st.dictionaries(st.just("a"), st.integers(), max_size=1)
)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # `found` keeps nothing
)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_a_chat_request_is_found_wrong_if_and_only_if_the_server_refuses_it(found, fields):
    body = json.dumps(fields)
    codes = {code for code, _ in found(document("/chat", body), "markdown")}
    assert codes <= {"TT014", "TT015", "TT016"}
    assert bool(codes) == is_refused(body)


OPENAI = [
    {"messages": [{"role": "user", "content": "Hi"}]},
    {"messages": [{"role": "user", "content": "Hi"}], "model": None, "stop": "x", "n": 2},
    {"messages": [{"role": "user", "content": "Hi"}], "temperature": 3},
    {"messages": [{"role": "bot", "content": "Hi"}]},
    {"messages": [{"content": "Hi"}]},
    {"messages": []},
    {"messages": "Hi"},
    {"messages": ["Hi"]},
    {"max_tokens": 3},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "stream": "yes"},
    {"messages": [{"role": "user", "content": "Hi"}], "response_format": {"type": "json_object"}},
    {"messages": [{"role": "user", "content": "Hi"}], "store": True},
    {"messages": [{"role": "user", "content": "Hi"}], "store": False, "user": "me"},
    {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1.5},
    {"messages": [{"role": "user", "content": "Hi"}], "top_p": 0},
    {"messages": [{"role": "user", "content": "Hi"}], "logit_bias": {"5": 1}},
]


@pytest.mark.parametrize("fields", OPENAI, ids=json.dumps)
def test_a_conversation_is_found_wrong_if_and_only_if_the_server_refuses_it(found, fields):
    try:
        refuse_unsupported(ChatRequest, fields)
        checked(ChatRequest, fields)
        is_wrong = False
    except ApiError:
        is_wrong = True
    codes = found(document("/v1/chat/completions", json.dumps(fields)), "markdown")
    assert bool(codes) == is_wrong, codes


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"prompt": "a", "max_token": 3}', [("TT014", '"max_token"')]),
        ('{"promt": "a"}', [("TT014", '"promt"')]),
        ('{"prompt": "a", "temperature": "hot"}', [("TT015", '"hot"')]),
        ('{"prompt": 5, "top_k": true}', [("TT015", "5"), ("TT015", "true")]),
        ('{"max_tokens": 3}', [("TT016", "{")]),
        ('{"prompt": "a", "max_tokens": 9999, }', [("TT015", "9999")]),
    ],
)
def test_where_a_mistake_is(found, body, expected):
    assert found(document("/chat", body), "markdown") == expected


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ('{"prompt": "a", "max_token": 3}', '{"prompt": "a", "max_tokens": 3}'),
        ('{"prompt": "a", "max_tokens": 9999}', '{"prompt": "a", "max_tokens": 2048}'),
        ('{"prompt": "a", "max_tokens": "64"}', '{"prompt": "a", "max_tokens": 64}'),
        ('{"prompt": "a", "temperature": -1}', '{"prompt": "a", "temperature": 0.0}'),
    ],
)
def test_fixes_of_fields(mended, body, result):
    assert mended(document("/chat", body), "markdown") == document("/chat", result)


def test_an_unknown_field_of_openai_is_only_worth_a_word_if_it_is_a_typo(found):
    start = '{"messages": [{"role": "user", "content": "a"}], '
    path = "/v1/chat/completions"
    assert found(document(path, start + '"metadata": {}}'), "markdown") == []
    assert found(document(path, start + '"temprature": 0}'), "markdown") == [
        ("TT014", '"temprature"')
    ]


def test_python_bodies_are_checked_too(found):
    text = (
        "# for tt-api-server-direct.py\nimport requests\n"
        "requests.post('http://127.0.0.1:8080/chat', json={'prompt': name, 'max_token': 3})\n"
    )
    assert found(text) == [("TT014", "'max_token'")]


def test_every_route_with_a_body_has_a_schema():
    posts = {path for path, method in ROUTES.items() if method == "POST"}
    assert {path for path in posts if request_schema(path) is None} == {"/tokenize"}
    assert "store" in unsupported_fields("/v1/chat/completions")
    assert unsupported_fields("/chat") == {}
