"""HTTP as it should not be written: the right status and one sentence, never a 500."""

import http.client
import json

import pytest

from processes import Connection

pytestmark = pytest.mark.slow

JSON = "Content-Type: application/json\r\n"
NOT_HTTP = "The request is not valid HTTP."
BROKEN_BODY = "The body is not as its headers announce it."
NO_ROUTE = "There is no such route here."
TOO_LARGE = "The body is too large: at most 1024 KiB are read."


def chunked(body, more=""):
    head = f"POST /chat HTTP/1.1\r\nHost: localhost\r\n{JSON}Transfer-Encoding: chunked\r\n"
    return f"{head}{more}\r\n{body}"


def with_length(length, body=""):
    return f"POST /chat HTTP/1.1\r\nHost: localhost\r\n{JSON}Content-Length: {length}\r\n\r\n{body}"


def get(path="/health", headers="Host: localhost\r\n", version="HTTP/1.1"):
    return f"GET {path} {version}\r\n{headers}\r\n"


@pytest.mark.parametrize(
    ("request_text", "status", "sentence"),
    [
        ("nonsense\r\n\r\n", 400, NOT_HTTP),
        ("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, NOT_HTTP),  # a browser that speaks TLS
        ("GET\r\n\r\n", 400, NOT_HTTP),
        ("get /health HTTP/1.1\r\n\r\n", 400, NOT_HTTP),
        (get(version="HTTP/9.9"), 400, NOT_HTTP),
        (get(version="HTCPCP/1.0"), 400, NOT_HTTP),
        (get(headers="Host x\r\n"), 400, NOT_HTTP),
        (get(headers="Bad Name: x\r\n"), 400, NOT_HTTP),
        (get(headers="Name: a\x00b\r\n"), 400, NOT_HTTP),
        (get(headers=": empty\r\n"), 400, NOT_HTTP),
        (with_length("-5"), 400, NOT_HTTP),
        (with_length("five"), 400, NOT_HTTP),
        (with_length("1\r\nContent-Length: 2"), 400, NOT_HTTP),
        (get("/" + "x" * 5000), 414, "The address is too long."),
        (get(headers="X: " + "x" * 9000 + "\r\n"), 431, "The headers are too many or too long."),
        (get(headers="X: y\r\n" * 200), 431, "The headers are too many or too long."),
        (
            "POST /chat HTTP/1.1\r\nTransfer-Encoding: br\r\n\r\n",
            501,
            "The only Transfer-Encoding that this server reads is chunked.",
        ),
        (chunked("zz\r\n{}\r\n0\r\n\r\n"), 400, BROKEN_BODY),
        (chunked("-1\r\n{}\r\n0\r\n\r\n"), 400, BROKEN_BODY),
        (chunked("2\r\n{}xx0\r\n\r\n"), 400, BROKEN_BODY),
        (chunked("2\r\n{}\r\n0\r\nBad Trailer\r\n\r\n"), 400, BROKEN_BODY),
        (chunked("2\r\n{}\r\n0\r\n\r\n"), 400, "The field 'prompt' is missing."),
        (with_length(0), 400, "The body is not valid JSON: Expecting value, line 1 column 1."),
        (
            f"POST /chat HTTP/1.1\r\nHost: localhost\r\n{JSON}\r\n",
            400,
            "The body is not valid JSON: Expecting value, line 1 column 1.",
        ),
        (with_length(10 * 1024 * 1024), 413, TOO_LARGE),
        (with_length("9" * 30), 413, TOO_LARGE),
        (
            "TRACE /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
            405,
            "This route answers GET, not TRACE.",
        ),
        ("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NO_ROUTE),
        ("GET /%00%0d%0aX-Forged:%20y HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NO_ROUTE),
        ("GET /%ff%fe/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NO_ROUTE),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, NO_ROUTE),
    ],
)
def test_malformed_requests_get_a_status_and_a_sentence(server, request_text, status, sentence):
    before = len(server.lines)
    with Connection(server, request_text.encode("latin-1")) as client:
        told, answer = client.answer()
    assert list(answer) == ["error"]
    assert (told, answer["error"][: len(sentence)]) == (status, sentence)
    line = server.wait_for_line(rf"-> {status}  ", after=before).string
    assert "forged" not in line.lower() or "?" in line


@pytest.mark.parametrize(
    "request_text",
    [
        get(version="HTTP/1.0", headers=""),
        get("http://elsewhere.example/health"),
        get("//health"),
        get("/health?a=b&%ff"),
        get(headers="Host: \r\n"),
        get(headers="Host: a b:c\r\n"),
        get(headers="Expect: 100-continue\r\n"),
        get(headers="SCRIPT_NAME: /elsewhere\r\nPATH_INFO: /chat\r\n"),
        get(headers="X-Forwarded-Proto: https\r\nX-Forwarded-For: 1.2.3.4, junk\r\n"),
        get(
            headers="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"
        ),
        get(headers="Authorization: Bearer \xff\xfe\r\nCookie: \xe9=1\r\n"),
    ],
)
def test_odd_but_harmless_requests_are_answered(server, request_text):
    with Connection(server, request_text.encode("latin-1")) as client:
        status, answer = client.answer()
    assert (status, answer["status"]) == (200, "healthy")


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
@pytest.mark.parametrize("encoding", ["length", "chunked"])
def test_the_refusal_of_a_large_body_arrives(server, connection, encoding):
    """A server that closes while the client still sends resets the connection, answer and all."""
    megabyte = b"x" * 1024 * 1024
    head = f"POST /chat HTTP/1.1\r\nHost: localhost\r\n{JSON}Connection: {connection}\r\n"
    with Connection(server) as client:
        if encoding == "length":
            client.send(head + f"Content-Length: {10 * len(megabyte)}\r\n\r\n")
            for _ in range(10):
                client.send(megabyte)
        else:
            client.send(head + "Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(10):
                client.send(b"%x\r\n%b\r\n" % (len(megabyte), megabyte))
            client.send("0\r\n\r\n")
        assert client.answer() == (413, {"error": TOO_LARGE})


def test_a_client_that_asks_before_it_sends_is_answered(server):
    body = json.dumps({"prompt": "hi"})
    head = f"POST /chat HTTP/1.1\r\nHost: localhost\r\n{JSON}Expect: 100-continue\r\n"
    with Connection(server, head + f"Content-Length: {len(body)}\r\n\r\n") as client:
        assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.send(body)
        assert client.answer()[1]["response"] == "You said: hi"


def test_a_request_in_single_bytes_is_a_request(server):
    body = json.dumps({"prompt": "hi"})
    with Connection(server) as client:
        for character in with_length(len(body), body):
            client.send(character)
        assert client.answer()[1]["response"] == "You said: hi"


def test_an_echoed_name_adds_no_header(server):
    with Connection(server) as client:
        client.post("/chat", **{"prompt": "hi", "a\r\nX-Forged: yes\r\n\r\n": 1})
        response = http.client.HTTPResponse(client.socket)
        response.begin()
        assert response.status == 400
        assert response.headers["X-Forged"] is None
        assert json.loads(response.read())["error"].isprintable()


@pytest.mark.parametrize("request_text", [get(), get("/nope"), "nonsense\r\n\r\n"])
def test_every_answer_has_safe_headers_and_tells_no_version(server, request_text):
    with Connection(server, request_text) as client:
        response = http.client.HTTPResponse(client)
        response.begin()
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers.get("Server", "gunicorn") == "gunicorn"
        response.read()
