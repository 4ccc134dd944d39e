"""The API key: who needs one, and which addresses may do without."""

import pytest
from flask import Flask

from ttdirect import server
from ttdirect.server import protection

NEEDS_KEY = "This server needs an API key: send the header Authorization: Bearer <key>."


@pytest.fixture
def client(monkeypatch):
    """A server with the key "s3cret"."""
    return client_of(monkeypatch, "s3cret")


def client_of(monkeypatch, key):
    monkeypatch.setenv("TTDIRECT_API_KEY", key)
    app = Flask("keys")
    server.protect(app)
    app.add_url_rule("/health", "health", lambda: {"status": "healthy"})
    app.add_url_rule("/chat", "chat", lambda: {"response": "hi"}, methods=["POST"])
    return app.test_client()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer s3cre",
        "Bearer s3cretx",
        "Bearer S3CRET",
        "Basic s3cret",
        "s3cret",
        "Bearers3cret",
        "Bearer gr\u00fc\u00df",
        "Bearer \xff\xfe",
        "Bearer s3cret, Bearer s3cret",
    ],
)
def test_without_the_right_key_a_request_gets_401(client, header):
    headers = {} if header is None else {"Authorization": header}
    response = client.post("/chat", headers=headers)
    assert response.status_code == 401
    assert response.json == {"error": NEEDS_KEY}
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert "s3cret" not in response.text


@pytest.mark.parametrize("header", ["Bearer s3cret", "bearer s3cret", "BEARER   s3cret "])
def test_with_the_right_key_a_request_is_answered(client, header):
    assert client.post("/chat", headers={"Authorization": header}).status_code == 200


def test_health_needs_no_key(client):
    assert client.get("/health").status_code == 200


def test_an_unknown_route_needs_the_key_too(client):
    """So nobody can explore a protected server."""
    assert client.get("/nope").status_code == 401
    assert client.post("/chat/../health").status_code == 401


def test_a_browser_may_ask_whether_it_may_ask(client):
    """It sends no key with OPTIONS, and without an answer it sends nothing else (CORS)."""
    assert client.options("/chat").status_code == 200


def test_a_key_may_hold_any_characters(monkeypatch):
    client = client_of(monkeypatch, "schl\u00fcssel \u2603")
    header = "Bearer " + "schl\u00fcssel \u2603".encode().decode("latin-1")  # bytes, WSGI's way
    assert client.post("/chat", headers={"Authorization": header}).status_code == 200


def test_a_key_read_from_a_file_may_end_in_a_newline(monkeypatch):
    client = client_of(monkeypatch, " s3cret\n")
    assert client.post("/chat", headers={"Authorization": "Bearer s3cret"}).status_code == 200
    assert client.post("/chat").status_code == 401


@pytest.mark.parametrize("key", ["", "  ", "\n"])
def test_an_empty_key_is_no_key(monkeypatch, key):
    assert client_of(monkeypatch, key).post("/chat").status_code == 200
    assert not protection.may_listen_on("0.0.0.0")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1", "[::1]"])
def test_only_this_machine_reaches_loopback(host):
    assert server.is_loopback(host)
    assert protection.may_listen_on(host)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.0.7", "example.com", "127.0.0.1.example.com", "*"]
)
def test_beyond_loopback_it_takes_a_key_or_an_explicit_word(monkeypatch, host):
    assert not server.is_loopback(host)
    assert not protection.may_listen_on(host)
    monkeypatch.setenv("TTDIRECT_NO_API_KEY", "0")
    assert not protection.may_listen_on(host)
    monkeypatch.setenv("TTDIRECT_NO_API_KEY", "1")
    assert protection.may_listen_on(host)
    monkeypatch.delenv("TTDIRECT_NO_API_KEY")
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    assert protection.may_listen_on(host)
