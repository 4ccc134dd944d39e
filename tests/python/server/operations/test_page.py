"""The page at `/`: works offline, runs nothing but its own script, and opens without a key."""

import base64
import hashlib
import re

import pytest

from engine_on_fakes import make_engine
from operations_app import app_of
from ttdirect.server import CHAT_FIELDS

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def client():
    return app_of(make_engine()).test_client()


def policy_of(response):
    rules = (rule.split(" ", 1) for rule in response.headers["Content-Security-Policy"].split("; "))
    return dict(rules)


def test_a_browser_gets_the_page(client):
    response = client.get("/", headers=BROWSER)
    assert response.status_code == 200
    assert response.mimetype == "text/html"
    assert "Accept" in response.vary
    assert "<title>TT Direct API</title>" in response.text
    assert client.get("/").mimetype == "text/html"  # curl accepts anything
    assert client.head("/").status_code == 200


@pytest.mark.parametrize("tag", ["script", "style"])
def test_the_policy_allows_exactly_its_own_script_and_style(client, tag):
    response = client.get("/", headers=BROWSER)
    (content,) = re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", response.text)
    assert len(content) > 1000
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    policy = policy_of(response)
    assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == "'self'"


def test_the_page_needs_nothing_from_elsewhere(client):
    text = client.get("/", headers=BROWSER).text
    assert not re.search(r"https?:|[\"'(]//|@import|\bsrc=", text)
    assert re.findall(r'<link rel="(\w+)" href="([^"]*)"', text) == [("icon", "data:,")]
    # The policy would block these, and the page would break in silence.
    assert not re.search(r'<[^>]+ (style|on\w+)="', text)


def test_every_part_that_the_script_looks_for_is_there(client):
    text = client.get("/", headers=BROWSER).text
    wanted = set(re.findall(r'(?:byId|setText)\("([\w-]+)"', text))
    there = re.findall(r'\bid="([\w-]+)"', text)
    assert len(wanted) > 15
    assert wanted <= set(there)
    assert len(there) == len(set(there))


def test_every_field_of_the_page_is_one_of_chat(client):
    text = client.get("/", headers=BROWSER).text
    names = set(re.findall(r'<input name="(\w+)"', text))
    assert names == {field.name for field in CHAT_FIELDS} - {"prompt"}


def test_those_that_accept_json_get_a_summary(client):
    response = client.get("/", headers={"Accept": "application/json"})
    assert response.status_code == 200
    assert response.json["status"] == "loading"
    assert response.json["needs_key"] is False
    assert "POST /chat/stream" in response.json["routes"]


def test_with_a_key_the_page_opens_and_asks_for_it(monkeypatch):
    monkeypatch.setenv("TTDIRECT_API_KEY", "secret")
    client = app_of(make_engine()).test_client()
    assert client.get("/", headers=BROWSER).status_code == 200
    assert client.get("/", headers={"Accept": "application/json"}).json["needs_key"] is True
    assert client.get("/livez").status_code == 200
    assert client.get("/openapi.json").status_code == 401


def test_other_paths_and_methods_are_refused_as_before(client):
    missing = client.get("/page.js", headers=BROWSER)
    assert missing.status_code == 404
    assert missing.json["error"].startswith("There is no such route here. This server answers: ")
    wrong = client.post("/", json={})
    assert wrong.status_code == 405
    assert wrong.json == {"error": "This route answers GET, not POST."}
