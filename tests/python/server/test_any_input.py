"""Whatever a client sends, on any route and with any method: a proper answer, never a 500."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

ROUTES = ["/health", "/chat", "/chat/stream", "/", "/nope", "//chat", "/chat/", "/%00", "/static/x"]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"]
TOKEN = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20)
LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
KNOWN = st.sampled_from(
    [
        *("Accept", "Accept-Encoding", "Authorization", "Connection", "Content-Encoding"),
        *("Content-Length", "Content-Type", "Cookie", "Expect", "Forwarded", "Host", "If-Match"),
        *("If-None-Match", "Origin", "Range", "Referer", "TE", "Transfer-Encoding", "Upgrade"),
        *("X-Forwarded-For", "X-Forwarded-Host", "X-HTTP-Method-Override"),
    ]
)
SENTENCE = re.compile(r"[A-Z'][^\n]{5,400}[.?]", re.DOTALL)


def is_a_proper_answer(response, method):
    """JSON of the contract, or one of the answers that HTTP itself defines without a body."""
    assert response.status_code < 500, response.text
    if response.status_code == 308 or method in ("HEAD", "OPTIONS"):
        return
    if response.mimetype == "text/event-stream" or response.status_code == 200:
        return
    assert response.mimetype == "application/json", response.text
    assert list(response.json) == ["error"]
    assert SENTENCE.fullmatch(response.json["error"]), response.json["error"]


@given(
    path=st.sampled_from(ROUTES) | st.text(max_size=30).map(lambda text: "/" + text),
    method=st.sampled_from(METHODS) | TOKEN.map(str.upper),
    headers=st.dictionaries(KNOWN | TOKEN, LATIN, max_size=5),
    data=st.binary(max_size=60) | st.just(b'{"prompt": "hi", "max_tokens": 2}'),
)
@example("/chat", "POST", {"Host": "a b\xff:x"}, b"")
@example("/chat", "POST", {"Host": "[::1"}, b"")
@example("/chat", "POST", {"Host": "x" * 300}, b"")
@example("/chat", "POST", {"Host": "\xff" * 70}, b"")
@example("/chat", "POST", {"Content-Type": "application/json; charset=\xff"}, b"{}")
@example("/chat", "POST", {"Content-Length": "-5"}, b"{}")
@example("/chat", "POST", {"Content-Length": "9" * 30}, b"{}")
@example("/chat", "POST", {"Content-Length": "nonsense"}, b"{}")
@example("/chat", "POST", {"Authorization": "Bearer \xff"}, b"{}")
@example("/\udc80", "GET", {}, b"")
@example("/health", "GET", {"Range": "bytes=0-", "If-None-Match": "*"}, b"")
def test_any_request_gets_a_proper_answer(lesson, path, method, headers, data):
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.encode("utf-8", "surrogateescape").decode("latin-1")
        if path.isascii() or "\udc80" in path
        else path.encode("utf-8", "replace").decode("latin-1"),
        "CONTENT_LENGTH": str(len(data)),
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    response = lesson.client.open(environ_overrides=environ, data=data)
    is_a_proper_answer(response, method)


@pytest.mark.parametrize("path", ["/nope", "/chat/", "/health/x", "/%2e%2e/etc/passwd", "/\u2603"])
def test_an_unknown_route_lists_the_routes(lesson, path):
    response = lesson.client.get(path)
    assert response.status_code == 404
    assert response.json["error"] == (
        "There is no such route here. This server answers: GET /, GET /health, GET /livez, "
        "GET /metrics, GET /openapi.json, GET /v1/models, GET /v1/models/<path:name>, "
        "POST /chat, POST /chat/stream, POST /detokenize, POST /tokenize, "
        "POST /v1/chat/completions, POST /v1/completions."
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/chat", "POST"),
        ("HEAD", "/chat", "POST"),
        ("PUT", "/chat/stream", "POST"),
        ("POST", "/health", "GET"),
        ("TRACE", "/health", "GET"),
        ("X" * 500, "/health", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(lesson, method, path, allowed):
    response = lesson.client.open(path, method=method)
    assert response.status_code == 405
    assert allowed in response.headers["Allow"]
    if method != "HEAD":
        assert response.json == {"error": f"This route answers {allowed}, not {method[:20]}."}


def test_head_and_options_of_a_route_work(lesson):
    assert lesson.client.head("/health").status_code == 200
    response = lesson.client.options("/chat")
    assert response.status_code == 200
    assert set(response.allow) == {"POST", "OPTIONS"}


def test_a_double_slash_does_no_harm(lesson):
    environ = {"PATH_INFO": "//chat"}
    response = lesson.client.post(environ_overrides=environ, json={"prompt": "hi"})
    assert response.json["response"] == "You said: hi"


def test_an_error_in_the_users_own_code_tells_the_terminal_and_not_the_client(start_lesson, caplog):
    lesson = start_lesson()

    @lesson.app.get("/broken")
    def broken():
        raise RuntimeError("the secret of /home/somebody")

    response = lesson.client.get("/broken")
    assert response.status_code == 500
    assert response.json == {"error": "Something went wrong inside the server; its log says what."}
    assert "the secret of /home/somebody" in caplog.text
