"""`/openapi.json` describes exactly the routes that an app has."""

import pytest
from flask import Flask
from openapi_spec_validator import OpenAPIV31SpecValidator

from engine_on_fakes import make_engine
from operations_app import app_of
from ttdirect.server.openai import add_openai
from ttdirect.server.operations.openapi import add_openapi


def described(app):
    response = app.test_client().get("/openapi.json")
    assert response.status_code == 200
    OpenAPIV31SpecValidator(response.json).validate()
    return response.json


def test_it_is_valid_and_has_every_route_of_the_app():
    paths = described(app_of(make_engine()))["paths"]
    assert {path: sorted(methods) for path, methods in paths.items()} == {
        "/": ["get"],
        "/chat/stream": ["post"],
        "/health": ["get"],
        "/livez": ["get"],
        "/metrics": ["get"],
        "/openapi.json": ["get"],
    }


def test_the_openai_routes_are_described_where_they_are():
    engine = make_engine()
    app = app_of(engine)
    add_openai(app, engine)
    document = described(app)
    chat = document["paths"]["/v1/chat/completions"]["post"]
    asked = chat["requestBody"]["content"]["application/json"]["schema"]
    schema = document["components"]["schemas"][asked["$ref"].rpartition("/")[2]]
    assert "messages" in schema["required"]
    assert {"temperature", "stop", "logit_bias"} <= schema["properties"].keys()
    events = chat["responses"]["200"]["content"]["text/event-stream"]["schema"]
    assert {"const": "[DONE]"} in events["properties"]["data"]["anyOf"]
    under_v1 = [operations for path, operations in document["paths"].items() if "/v1/" in path]
    for operations in under_v1:
        for operation in operations.values():
            assert "200" in operation["responses"]


def test_a_route_of_the_user_has_the_words_of_its_function():
    app = Flask("test")
    add_openapi(app)

    @app.get("/books/<int:number>/<path:rest>")
    def book(number, rest):
        """One of the books.

        More about it.
        """

    operation = described(app)["paths"]["/books/{number}/{rest}"]["get"]
    assert operation["summary"] == "One of the books."
    assert [parameter["name"] for parameter in operation["parameters"]] == ["number", "rest"]


@pytest.mark.parametrize("key", ["", "secret"])
def test_a_key_is_described_where_it_is_needed(monkeypatch, key):
    monkeypatch.setenv("TTDIRECT_API_KEY", key)
    app = app_of(make_engine())
    client = app.test_client()
    document = client.get("/openapi.json", headers={"Authorization": "Bearer secret"}).json
    OpenAPIV31SpecValidator(document).validate()
    asking = document["paths"]["/chat/stream"]["post"]
    assert asking.get("security") == ([{"bearer": []}] if key else None)
    assert ("401" in asking["responses"]) == bool(key)
    for open_path in ("/", "/health", "/livez"):
        assert "security" not in document["paths"][open_path]["get"]
