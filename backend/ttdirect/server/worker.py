"""gunicorn's threaded worker, made patient with clients and short with those that stall."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import logging
import resource
import selectors
import socket
import struct
import termios
import time
from functools import partial
from typing import Any

from gunicorn.http import errors as http_errors
from gunicorn.workers.gthread import ThreadWorker

from ttdirect.server.arrival import LOOKED_AT, Arrival, arrival_of
from ttdirect.server.headers import SAFE_HEADERS

log = logging.getLogger("ttdirect.requests")

STALLED_SECONDS = 20
"""A client that began a request and sends nothing for so long is not waited for."""

ARRIVAL_SECONDS = 30
"""A client whose request takes longer than this to arrive is not waited for."""

UNREAD_SECONDS = 60
"""A client that takes nothing of its answer for so long is not waited for."""

UNREAD_BYTES = 256 * 1024
"""A client that asks again before it has taken its answers but for this much is parted from."""

LINGER_SECONDS = 2.0
"""Time for the last answer of a connection to arrive before the connection is closed."""

LARGE_AT_ONCE = 8
"""Threads that may wait for the rest of large requests; the others stay free for small ones."""

FILES = 4096
"""Open files that are enough for everybody; many systems begin with 1024."""

SPARE_FILES = 64
"""Files that are no connections: libraries, pipes, the listening socket."""

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
_TOO_SLOW = ("408 Request Timeout", f"The request did not arrive within {ARRIVAL_SECONDS} s.")


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
    """Gives a thread to whole requests only, and answers malformed HTTP as Flask does the rest.

    A connection whose request is still coming is parked: its bytes stay in the kernel, and the
    loop that accepts connections watches it. `enqueue_req` is where gunicorn hands a readable
    connection to a thread; all methods but `handle` and `handle_error` run in that loop.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parked: dict[Any, tuple[float, int]] = {}
        """By connection, oldest first: when to give up, and the bytes that had come."""
        self._large: set[Any] = set()
        """Large requests that have a thread."""
        self._limit_connections()

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection to a thread if its request is whole, else park it."""
        until, bytes_before = self._parked.get(conn, (time.monotonic() + ARRIVAL_SECONDS, -1))
        arrival, seen = _look_at(conn)
        nothing_more_comes = seen == bytes_before
        if _unread(conn.sock) > UNREAD_BYTES:  # its next answer could hold a thread for long
            self._give_up(conn)
        elif arrival is Arrival.PART and not nothing_more_comes:
            self._park(conn, until, seen)
        elif arrival is Arrival.WHOLE or len(self._large) < LARGE_AT_ONCE:
            if arrival is not Arrival.WHOLE:
                self._large.add(conn)
            self._parked.pop(conn, None)
            super().enqueue_req(conn)
        else:
            self._parked[conn] = (until, -1)  # watched by nobody: `_start_large` comes for it

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection; False when the connection is to be closed.

        gunicorn waits for the client to close its side too, and it does that in the thread that
        accepts connections: one client that does not close would make all others wait.
        """
        try:
            conn.sock.setblocking(True)
            conn.init()
            conn.parser.unreader.sock = _TimedReader(conn.sock)
            keep = super().handle(conn)
            if keep in (False, (False, conn)):  # the pair is gunicorn 23's
                _part(conn.sock, LINGER_SECONDS if conn in self._large else 0.0)
        except Exception:
            raise
        except BaseException:
            # A library in Rust that panics, sys.exit() in a route: gunicorn would end the worker,
            # and everybody's answers with it.
            log.exception("a request failed in a way that ends programs; its connection is closed")
            _part(conn.sock, 0.0)
            return False
        else:
            return keep
        finally:
            self._large.discard(conn)

    def murder_keepalived(self, *args: Any, **kwargs: Any) -> None:
        """Part from connections that took too long; gunicorn calls this at least every second."""
        now = time.monotonic()
        late = [conn for conn, (until, _) in self._parked.items() if until < now or not self.alive]
        for conn in late:
            self._give_up(conn)
        self._start_large()
        # Whoever waits to be accepted goes before whoever is idle, or still has not asked.
        too_many = self.nr_conns - self.worker_connections + 1
        for conn in list(itertools.islice(self._parked, max(too_many, 0))):
            self._give_up(conn)
            too_many -= 1
        idle = getattr(self, "keepalived_conns", None) or getattr(self, "_keep", ())  # gunicorn 23
        for conn in itertools.islice(idle, max(too_many, 0)):
            conn.timeout = 0.0
        super().murder_keepalived(*args, **kwargs)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Any) -> None:
        """Answer a request that is not HTTP, which Flask never gets to see."""
        if not isinstance(exc, http_errors.ParseException):
            super().handle_error(req, client, addr, exc)
            return
        _refuse(client, *_SENTENCES.get(type(exc), _MALFORMED))

    def _limit_connections(self) -> None:
        """Accept only as many connections as there can be open files."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        if soft != resource.RLIM_INFINITY:
            self.worker_connections = min(self.worker_connections, soft - SPARE_FILES)
        self.max_keepalived = max(self.worker_connections - self.cfg.threads, 0)

    def _park(self, conn: Any, until: float, seen: int) -> None:
        """Watch the connection until more bytes are there than now."""
        self._parked[conn] = (until, seen)
        with contextlib.suppress(OSError):
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, seen + 1)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._look_again, conn))

    def _look_again(self, conn: Any, sock: Any) -> None:
        self.poller.unregister(sock)
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self.enqueue_req(conn)

    def _start_large(self) -> None:
        waiting = [conn for conn, (_, seen) in self._parked.items() if seen < 0]
        for conn in waiting[: LARGE_AT_ONCE - len(self._large)]:
            self.enqueue_req(conn)

    def _give_up(self, conn: Any) -> None:
        """Close a connection whose request did not come, and say why if some of it did."""
        _, seen = self._parked.pop(conn, (0.0, 0))
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        if seen:
            conn.sock.setblocking(False)
            _refuse(conn.sock, *_TOO_SLOW)
            _part(conn.sock, 0.0)
        self.nr_conns -= 1
        conn.close()


class _TimedReader:
    """What gunicorn's parser reads a request from: at the time limit the client is as if gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until = time.monotonic() + ARRIVAL_SECONDS

    def recv(self, size: int) -> bytes:
        if time.monotonic() > self._until:
            return b""
        try:
            return self._connection.recv(size)
        except BlockingIOError:  # nothing came for STALLED_SECONDS
            return b""


def _look_at(conn: Any) -> tuple[Arrival, int]:
    """What has arrived on a connection, and how many bytes; nothing is taken from it."""
    read_ahead = conn.parser.unreader.buf.getvalue() if conn.parser is not None else b""
    try:
        waiting = conn.sock.recv(LOOKED_AT, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        waiting = b""
    except OSError:
        return Arrival.WHOLE, 0  # a thread finds out that the client is gone
    else:
        if not waiting:
            return Arrival.WHOLE, 0  # closed by the client
    return arrival_of(read_ahead + waiting), len(waiting)


def _unread(connection: socket.socket) -> int:
    """Bytes of answers that the client has not taken yet; 0 where the system cannot tell."""
    try:
        return struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0]
    except OSError:
        return 0


def _refuse(connection: socket.socket, status: str, sentence: str) -> None:
    """Answer in Flask's stead."""
    log.info("malformed request -> %s  %s", status[:3], sentence)
    body = json.dumps({"error": sentence}) + "\n"
    safe = "".join(f"{name}: {value}\r\n" for name, value in SAFE_HEADERS.items())
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{safe}Connection: close\r\n\r\n"
    )
    with contextlib.suppress(OSError):
        connection.sendall((head + body).encode())


def _part(connection: socket.socket, seconds: float) -> None:
    """Say that no more will come, and read what the client still sends.

    Closing with unread bytes would reset the connection, and the client could lose its answer.

    Args:
        connection: of which all answers are sent.
        seconds: how long to wait for bytes; 0 takes only those that are there.
    """
    until = time.monotonic() + seconds
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(seconds)
        while connection.recv(65536) and time.monotonic() < until:
            pass
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
