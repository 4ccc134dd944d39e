"""Who may ask, and how much they may send."""

from __future__ import annotations

import hmac
import ipaddress
import os

from flask import Flask, request
from flask.json.provider import DefaultJSONProvider

from ttdirect.server.errors import ApiError, register_error_answers

MAX_BODY_BYTES = 1024 * 1024
KEY_VARIABLE = "TTDIRECT_API_KEY"
OPEN_VARIABLE = "TTDIRECT_NO_API_KEY"
OPEN_ROUTES = frozenset({"/health"})
"""Probes of a load balancer carry no key."""


def protect(app: Flask) -> None:
    """Put the app's defaults for production in place.

    - every error is `{"error": "one clear sentence"}`;
    - a body of more than 1 MiB is refused before it is read;
    - with TTDIRECT_API_KEY set, requests need `Authorization: Bearer <key>`.
    """
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # answers in the contract's order: the prompt first
    app.before_request(_check_key)
    register_error_answers(app)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def may_listen_on(host: str) -> bool:
    """Whether an address may be opened: beyond loopback only with a key, or when told so."""
    told_so = os.environ.get(OPEN_VARIABLE, "").lower() in ("1", "true", "yes")
    return is_loopback(host) or bool(_key()) or told_so


def _key() -> bytes:
    """The key that requests need; empty for none. Files of secrets tend to end in a newline."""
    return os.fsencode(os.environ.get(KEY_VARIABLE, "").strip())


def _check_key() -> None:
    key = _key()
    # Browsers send no key with the question whether they may ask (OPTIONS).
    if not key or request.path in OPEN_ROUTES or request.method == "OPTIONS":
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    # Bytes, because compare_digest refuses text that is not ASCII; WSGI's text is Latin-1.
    sent = given.strip().encode("latin-1", errors="replace")
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent, key):
        raise ApiError(
            401, "This server needs an API key: send the header Authorization: Bearer <key>."
        )
