"""What counts as a whole request before a thread takes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttdirect.server.arrival import HEAD_BYTES, LOOKED_AT, Arrival, arrival_of

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
POST = b"POST /chat HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"prompt": "hi"}'


def with_length(length, body):
    return POST + b"content-LENGTH:  %d \r\n\r\n" % length + body


def chunked(body):
    return POST + b"Transfer-Encoding: chunked\r\n\r\n" + body


@pytest.mark.parametrize(
    "data",
    [
        GET + b"\r\n",
        b"\r\n\r\n" + GET + b"\r\n",
        GET.replace(b"\r\n", b"\n") + b"\n",
        GET + b"\r\n" + GET,  # the next request is already coming
        with_length(len(BODY), BODY),
        with_length(len(BODY), BODY + GET),
        with_length(0, b""),
        chunked(b"0\r\n\r\n"),
        chunked(b"10\r\n" + BODY + b"\r\n0\r\n\r\n"),
        b"nonsense\r\n\r\n",
        POST + b"Content-Length: five\r\n\r\n",
        POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        POST + b"Transfer-Encoding: br\r\n\r\n",
    ],
)
def test_whole(data):
    assert arrival_of(data) is Arrival.WHOLE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"G",
        GET,
        GET + b"\r",
        with_length(len(BODY), b""),
        with_length(len(BODY), BODY[:-1]),
        with_length(5, b"\r\n\r\n"),
        chunked(b""),
        chunked(b"10\r\n" + BODY),
        GET + b"X: " + b"x" * (HEAD_BYTES - len(GET) - 3),
    ],
)
def test_part(data):
    assert arrival_of(data) is Arrival.PART


@pytest.mark.parametrize(
    "data",
    [
        POST + b"Expect: 100-continue\r\nContent-Length: 16\r\n\r\n",
        with_length(LOOKED_AT, b""),
        with_length(10**17, b""),
        with_length(10**6, b"x" * LOOKED_AT)[:LOOKED_AT],
        chunked(b"x" * LOOKED_AT)[:LOOKED_AT],
        GET + b"X: " + b"x" * HEAD_BYTES,
    ],
)
def test_large(data):
    assert arrival_of(data) is Arrival.LARGE


@given(st.binary(max_size=200) | st.text("GET: \r\nContent-Length5", max_size=80).map(str.encode))
def test_any_bytes_have_an_answer(data):
    assert arrival_of(data) in Arrival


@given(st.integers(0, len(with_length(16, BODY)) - 1))
def test_a_request_is_part_until_its_last_byte(cut):
    assert arrival_of(with_length(16, BODY)[:cut]) is Arrival.PART
