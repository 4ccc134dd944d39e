"""Rate limits: counted per key or per address, told with a time to come back."""

import sys

import pytest
from flask import Flask

from ttdirect import server

TOLD = "This client asked more often than the 2/minute it may."


@pytest.fixture(autouse=True)
def _two_a_minute(monkeypatch):
    monkeypatch.setenv("TTDIRECT_RATE_LIMIT", "2/minute")


def client():
    app = Flask("limits")
    server.protect(app)
    for route in ("/health", "/livez", "/metrics", "/v1/models"):
        app.add_url_rule(route, route, dict)
    app.add_url_rule("/chat", "chat", dict, methods=["POST"])
    return app.test_client()


def post(asking, address="10.0.0.1", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return asking.post("/chat", headers=headers, environ_overrides={"REMOTE_ADDR": address})


def statuses(*answers):
    return [answer.status_code for answer in answers]


def test_one_more_than_the_limit_is_told_when_to_come_back():
    asking = client()
    assert statuses(*(post(asking) for _ in range(3))) == [200, 200, 429]
    answer = post(asking)
    assert answer.json == {"error": TOLD}
    assert 55 <= int(answer.headers["Retry-After"]) <= 61


def test_all_routes_count_together():
    asking = client()
    asked = [asking.get("/v1/models", environ_overrides={"REMOTE_ADDR": "10.0.0.1"})]
    assert statuses(*asked, post(asking), post(asking)) == [200, 200, 429]


def test_each_address_has_its_own_count():
    asking = client()
    assert statuses(*(post(asking) for _ in range(3)))[-1] == 429
    assert post(asking, "10.0.0.2").status_code == 200


def test_an_ipv6_subscriber_is_one_client():
    asking = client()
    assert statuses(*(post(asking, f"2001:db8::{n}") for n in range(1, 4)))[-1] == 429
    assert post(asking, "2001:db8:0:1::1").status_code == 200


def test_each_key_has_its_own_count_wherever_it_is_used(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "one,two")
    asking = client()
    with_one = [post(asking, f"10.0.0.{n}", X_Api_Key="one") for n in range(3)]
    assert statuses(*with_one) == [200, 200, 429]
    assert post(asking, X_Api_Key="two").status_code == 200


def test_requests_without_a_key_do_not_use_up_anybodys(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "one")
    asking = client()
    assert statuses(*(post(asking) for _ in range(5))) == [401] * 5
    assert post(asking, X_Api_Key="one").status_code == 200


@pytest.mark.parametrize("route", ["/health", "/livez", "/metrics"])
def test_probes_are_never_limited(route):
    asking = client()
    assert {asking.get(route).status_code for _ in range(10)} == {200}


def test_questions_of_browsers_are_not_counted():
    asking = client()
    assert {asking.options("/chat").status_code for _ in range(5)} == {200}
    assert post(asking, "127.0.0.1").status_code == 200


def test_nobody_can_choose_an_address_without_a_trusted_proxy():
    asking = client()
    answers = [post(asking, X_Forwarded_For=f"1.2.3.{n}") for n in range(3)]
    assert statuses(*answers) == [200, 200, 429]


def test_a_trusted_proxy_says_who_asks(monkeypatch):
    monkeypatch.setenv("TTDIRECT_TRUSTED_PROXIES", "1")
    asking = client()
    answers = [post(asking, X_Forwarded_For=f"1.2.3.{n}") for n in range(3)]
    assert statuses(*answers) == [200, 200, 200]
    forged = [post(asking, X_Forwarded_For=f"{n}.0.0.0, 5.6.7.8") for n in range(3)]
    assert statuses(*forged) == [200, 200, 429]


@pytest.mark.parametrize("limit", ["often", "60", "60/fortnight", "-1/minute"])
def test_what_is_no_limit_ends_the_start(monkeypatch, capsys, limit):
    monkeypatch.setenv("TTDIRECT_RATE_LIMIT", limit)
    with pytest.raises(SystemExit):
        client()
    what, fix = capsys.readouterr().err.splitlines()
    assert what == "error: TTDIRECT_RATE_LIMIT is not a rate limit."
    assert '"60/minute"' in fix


@pytest.mark.parametrize("storage", ["nonsense", "floppy://a", "redis://user:s3cret@127.0.0.1:1"])
def test_a_storage_that_cannot_be_used_ends_the_start(monkeypatch, capsys, storage):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.setenv("TTDIRECT_RATE_LIMIT_STORAGE", storage)
    with pytest.raises(SystemExit):
        client()
    told = capsys.readouterr().err
    assert "TTDIRECT_RATE_LIMIT_STORAGE names no storage" in told
    assert "s3cret" not in told


def test_a_storage_that_fails_does_not_stop_the_answers_nor_the_limit(monkeypatch):
    asking = client()

    def fail(*_, **__):
        raise ConnectionError

    (limiter,) = asking.application.extensions["limiter"]
    monkeypatch.setattr(limiter._limiter, "hit", fail)
    assert statuses(*(post(asking) for _ in range(3))) == [200, 200, 429]


def test_without_flask_limiter_the_start_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "flask_limiter", None)
    with pytest.raises(SystemExit):
        client()
    what, fix = capsys.readouterr().err.splitlines()
    assert "needs the package flask-limiter" in what
    assert fix == "fix:   pip install flask-limiter"


def test_without_a_limit_flask_limiter_is_not_needed(monkeypatch):
    monkeypatch.delenv("TTDIRECT_RATE_LIMIT")
    monkeypatch.setitem(sys.modules, "flask_limiter", None)
    asking = client()
    assert {post(asking).status_code for _ in range(20)} == {200}
