"""The check of the server's port."""

from __future__ import annotations

import errno
import socket

from ttdirect.cli.checks.check import Check
from ttdirect.cli.checks.local_server import HOST, ask_health
from ttdirect.cli.terminal import neutralise


def check_port(port: int) -> Check:
    """Check that `port` of this computer is free or that our server is the one that has it."""
    another = 8081 if port == 8080 else 8080
    fix = f"ttdirect serve --port {another}"
    problem = _try_to_listen(port)
    if problem is None:
        return Check("port", "ok", f"{port} is free")
    if problem != errno.EADDRINUSE:
        return Check("port", "fail", f"{port} may not be used by you", fix)
    report = ask_health(port)
    if not report:
        return Check("port", "fail", f"{port} is taken by another program", fix)
    status, model = (neutralise(str(report.get(name))) for name in ("status", "model"))
    if status == "failed":
        reason = neutralise(str(report.get("note")))
        message = f"{port} is taken by a TT Direct API server that failed: {reason}"
        return Check("port", "fail", message, "stop it with Ctrl+C in its terminal")
    return Check("port", "ok", f"a TT Direct API server runs on {port}: {status}, model {model}")


def _try_to_listen(port: int) -> int | None:
    """Return the error number that listening on `port` fails with, None if it works."""
    with socket.socket() as listener:
        # As servers do: connections of a server that has just ended do not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError as error:
            return error.errno
    return None
