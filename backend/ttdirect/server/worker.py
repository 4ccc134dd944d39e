"""gunicorn's threaded worker, made patient with clients and short with those that stall."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import struct
import time
from typing import Any

from gunicorn.http import errors as http_errors
from gunicorn.workers.gthread import ThreadWorker

log = logging.getLogger("ttdirect.requests")

STALLED_SECONDS = 20
"""A client that began a request and sends nothing for so long is not waited for."""

UNREAD_SECONDS = 60
"""A client that takes nothing of its answer for so long is not waited for."""

LINGER_SECONDS = 2.0
"""Time for the last answer of a connection to arrive before the connection is closed."""

_SENTENCES: dict[type[Exception], tuple[str, str]] = {
    http_errors.LimitRequestLine: ("414 URI Too Long", "The address is too long."),
    http_errors.LimitRequestHeaders: (
        "431 Request Header Fields Too Large",
        "The headers are too many or too long.",
    ),
    http_errors.UnsupportedTransferCoding: (
        "501 Not Implemented",
        "The only Transfer-Encoding that this server reads is chunked.",
    ),
}
_MALFORMED = ("400 Bad Request", "The request is not valid HTTP.")


def limit_stalls(listener: socket.socket) -> None:
    """Give a listening socket time limits, which its connections inherit.

    gunicorn reads requests and writes answers without any limit, so a client that stops halfway
    would keep its thread for ever. Connections that send nothing at all stay in the kernel.
    """
    reading, writing = (struct.pack("@ll", s, 0) for s in (STALLED_SECONDS, UNREAD_SECONDS))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, reading)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, writing)
    if hasattr(socket, "TCP_DEFER_ACCEPT"):  # Linux
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, STALLED_SECONDS)


class Worker(ThreadWorker):
    """Closes connections in its threads, and answers malformed HTTP as Flask does the rest."""

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection; False when the connection is to be closed.

        gunicorn waits for the client to close its side too, and it does that in the thread that
        accepts connections: one client that does not close would make all others wait.
        """
        keep = super().handle(conn)
        if keep is False:
            _part(conn.sock)
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Answer a request that is not HTTP, which Flask never gets to see."""
        if not isinstance(exc, http_errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        status, sentence = _SENTENCES.get(type(exc), _MALFORMED)
        log.info("malformed request -> %s  %s", status[:3], sentence)
        body = json.dumps({"error": sentence}) + "\n"
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            client.sendall((head + body).encode())


def _part(connection: socket.socket) -> None:
    """Say that no more will come, and read what the client still sends.

    Closing with unread bytes would reset the connection, and the client could lose its answer.
    """
    until = time.monotonic() + LINGER_SECONDS
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(LINGER_SECONDS)
        while connection.recv(65536) and time.monotonic() < until:
            pass
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
