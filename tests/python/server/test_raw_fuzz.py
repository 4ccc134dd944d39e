"""Random bytes, and requests with random damage: whatever comes, the next request is served."""

import re
import socket
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fuzzing
from processes import PATIENCE_SECONDS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 120 * fuzzing.MINUTES)]

HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"
CHAT = b'{"prompt": "hi", "max_tokens": 2, "stop": ["x"], "seed": 1}'
MESSAGES = b'{"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2, "stream": true}'
ASKING = {
    b"/chat": CHAT,
    b"/chat/stream": CHAT,
    b"/v1/completions": CHAT,
    b"/v1/chat/completions": MESSAGES,
}
TELLING = (
    b"/",
    b"/health",
    b"/livez",
    b"/metrics",
    b"/openapi.json",
    b"/v1/models",
    b"/v1/models/x",
)
TOOLS = [
    *(b"\r\n", b"\n", b"\r\n\r\n", b"\0", b" ", b":", b"\xff", b"%", b"%0d%0a", b"{", b'"', b"\\u"),
    *(b"HTTP/1.1", b"HTTP/2.0", b"HTTP/0.9", b"POST ", b"GET ", b"CONNECT ", b"OPTIONS * ", b"../"),
    *(b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Content-Length: 99999999999999\r\n"),
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    *(b"Expect: 100-continue\r\n", b"Connection: upgrade\r\n", b"Upgrade: h2c\r\n", b"A" * 9000),
    *(b"Content-Encoding: gzip\r\n", b"Content-Type: text/plain; charset=\xff\r\n", b"Host: [\r\n"),
    *(b"Origin: http://\xff\r\n", b"Authorization: Bearer \r\n", b"X-Request-Id: \x7f\r\n"),
]
NOT_OUR_FAULT = {501, 505}
"""Not implemented, and a version of HTTP that is not spoken here."""


def posted(path, body):
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path, HEAD, len(body), body)


def in_chunks(path, body):
    head = b"POST %b HTTP/1.1\r\n%bTransfer-Encoding: chunked\r\n\r\n" % (path, HEAD)
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


WELL_FORMED = [
    *(posted(path, body) for path, body in ASKING.items()),
    *(in_chunks(path, body) for path, body in ASKING.items()),
    *(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, HEAD) for path in TELLING),
]


@st.composite
def damaged(draw):
    """A request with a few pieces cut out, doubled, or put in."""
    request = draw(st.sampled_from(WELL_FORMED))
    for _ in range(draw(st.integers(1, 4))):
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(request))] * 2)))
        end = min(end, start + draw(st.integers(0, 30)))
        put_in = draw(st.sampled_from(TOOLS) | st.binary(max_size=8) | st.just(request[start:end]))
        request = request[:start] + put_in + request[draw(st.sampled_from([start, end])) :]
    return request


def sent_to(server, data):
    """All that the server answers; the client's side is closed, so that nobody waits for more."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_SECONDS) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while piece := client.recv(65536):
                received += piece
        except ConnectionError:  # it had enough before all was sent
            pass
    return received


@pytest.mark.parametrize(
    "requests",
    [damaged(), st.binary(max_size=200), st.lists(damaged(), min_size=2, max_size=4).map(b"".join)],
    ids=["damaged", "random", "several"],
)
def test_whatever_bytes_come_the_next_request_is_served(server, requests):
    workers, statuses = server.workers, Counter()

    @fuzzing.tries(150)
    @given(data=requests)
    @example(data=b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    def check(data):
        answers = sent_to(server, data)
        told = [int(status) for status in re.findall(rb"(?m)^HTTP/1\.\d (\d+) ", answers)]
        assert told or not answers, answers
        assert all(status < 500 or status in NOT_OUR_FAULT for status in told), answers
        statuses.update(told)
        assert server.health()["status"] == "healthy"

    fuzzing.search(check, parts=3)
    print(dict(statuses))
    assert {200, 400} <= statuses.keys()  # the example, and what is no HTTP
    server.wait_health(running=0, queued=0)
    assert server.workers == workers
    assert "Traceback" not in server.output
