"""Web pages of other sites: which may ask, and which may read."""

import pytest
from flask import Flask

from ttdirect import server

SITE = "https://app.example.com"
LOOPBACK = {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8080"}
OPEN = {"SERVER_NAME": "0.0.0.0", "SERVER_PORT": "8080"}
PREFLIGHT = {
    "Origin": SITE,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization, content-type, x-stainless-lang",
}


def client():
    app = Flask("cors")
    server.protect(app)
    app.add_url_rule("/health", "health", dict)
    app.add_url_rule("/chat", "chat", dict, methods=["POST"])
    return app.test_client()


def post(asking, on=LOOPBACK, **headers):
    headers = {"Host": "localhost:8080"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return asking.post("/chat", headers=headers, environ_overrides=on)


def test_cors_is_off_by_default():
    answer = client().options("/chat", headers=PREFLIGHT)
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert "Origin" not in answer.vary


def test_a_listed_site_may_ask_and_read(monkeypatch):
    monkeypatch.setenv("TTDIRECT_CORS_ORIGINS", f"https://other.example.com, {SITE}")
    asking = client()
    told = asking.options("/chat", headers=PREFLIGHT)
    assert told.status_code == 200
    assert told.headers["Access-Control-Allow-Origin"] == SITE
    assert "POST" in told.headers["Access-Control-Allow-Methods"]
    assert (
        told.headers["Access-Control-Allow-Headers"]
        == (PREFLIGHT["Access-Control-Request-Headers"])
    )
    answer = post(asking, Origin=SITE)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == SITE
    assert answer.headers["Access-Control-Expose-Headers"] == "X-Request-Id, Retry-After"
    assert "Origin" in answer.vary
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_listed_site_may_read_refusals_too(monkeypatch):
    monkeypatch.setenv("TTDIRECT_CORS_ORIGINS", SITE)
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    asking = client()
    assert asking.options("/chat", headers=PREFLIGHT).status_code == 200
    answer = post(asking, Origin=SITE)
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == SITE


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.com.evil.example",
        "https://evil.example/app.example.com",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://APP.example.com",
        "https://appxexample.com",
        "null",
        "",
    ],
)
def test_origins_are_compared_exactly(monkeypatch, origin):
    monkeypatch.setenv("TTDIRECT_CORS_ORIGINS", SITE)
    answer = post(client(), Origin=origin)
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.vary


def test_every_site_may_be_allowed_but_never_with_credentials(monkeypatch):
    monkeypatch.setenv("TTDIRECT_CORS_ORIGINS", "*")
    answer = post(client(), Origin="https://anybody.example")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origins",
    ["app.example.com", "https://app.example.com/", "https://*.example.com", "https:// a"],
)
def test_what_is_no_origin_ends_the_start(monkeypatch, capsys, origins):
    monkeypatch.setenv("TTDIRECT_CORS_ORIGINS", origins)
    with pytest.raises(SystemExit):
        client()
    assert "TTDIRECT_CORS_ORIGINS" in capsys.readouterr().err


@pytest.mark.parametrize("on", [LOOPBACK, OPEN])
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:3000"])
def test_without_a_key_a_page_of_another_site_is_refused(on, origin):
    answer = post(client(), on, Origin=origin)
    assert answer.status_code == 403
    assert "TTDIRECT_CORS_ORIGINS" in answer.json["error"]


@pytest.mark.parametrize("origin", ["http://localhost:8080", "https://LOCALHOST:8080"])
def test_the_servers_own_page_may_ask(origin):
    assert post(client(), Origin=origin).status_code == 200


def test_with_a_key_the_key_decides(monkeypatch):
    """A page does not know it, and a proxy may have changed the Host header."""
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    asking = client()
    key = {"Authorization": "Bearer s3cret"}
    assert post(asking, Origin="https://llm.example.com", **key).status_code == 200
    assert post(asking, Host="llm.example.com", **key).status_code == 200
    assert post(asking, Origin="https://llm.example.com").status_code == 401


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "LocalHost", "127.0.0.1:9", "127.1.2.3", "[::1]:8080"]
)
def test_on_loopback_this_machines_names_are_answered(host):
    assert post(client(), Host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "192.168.0.7",
        "",
        "127.0.0.1.x",
    ],
)
def test_on_loopback_without_a_key_other_names_are_refused(host):
    """A page whose name points here (DNS rebinding) is of the same site for its browser."""
    answer = post(client(), Host=host, Origin=f"http://{host}")
    assert answer.status_code == 421
    assert "TTDIRECT_ALLOWED_HOSTS" in answer.json["error"]


def test_probes_are_answered_under_any_name():
    asking = client()
    headers = {"Host": "10.0.0.7:8080"}
    assert asking.get("/health", headers=headers, environ_overrides=LOOPBACK).status_code == 200


def test_names_can_be_added(monkeypatch):
    monkeypatch.setenv("TTDIRECT_ALLOWED_HOSTS", "LLM.example.com, [fd00::7]")
    asking = client()
    for host in ("llm.example.com", "llm.example.com:443", "[fd00::7]:80", "localhost"):
        assert post(asking, Host=host).status_code == 200
    assert post(asking, Host="evil.example").status_code == 421


def test_a_list_of_names_holds_on_every_address(monkeypatch):
    monkeypatch.setenv("TTDIRECT_ALLOWED_HOSTS", "llm.example.com")
    assert post(client(), OPEN, Host="evil.example").status_code == 421
    monkeypatch.setenv("TTDIRECT_API_KEY", "s3cret")
    key = {"Authorization": "Bearer s3cret"}
    assert post(client(), OPEN, Host="evil.example", **key).status_code == 421
    assert post(client(), OPEN, Host="llm.example.com", **key).status_code == 200


def test_an_open_server_answers_to_every_name():
    assert post(client(), OPEN, Host="lab-box:8080").status_code == 200


@pytest.mark.parametrize("hosts", ["https://llm.example.com", "llm.example.com:443", "a b"])
def test_what_is_no_host_ends_the_start(monkeypatch, capsys, hosts):
    monkeypatch.setenv("TTDIRECT_ALLOWED_HOSTS", hosts)
    with pytest.raises(SystemExit):
        client()
    assert "TTDIRECT_ALLOWED_HOSTS" in capsys.readouterr().err
