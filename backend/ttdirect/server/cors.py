"""Web pages: which sites may use this server from their visitors' browsers.

Without a key, whoever can connect may ask. A page of any site runs in a browser that can connect,
so the browser's word on where the page comes from, which a page cannot forge, has to decide.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from flask import Flask, Response, request

from ttdirect.server.environment import SettingError, names
from ttdirect.server.errors import ApiError
from ttdirect.server.keys import PROBES

ORIGINS_VARIABLE = "TTDIRECT_CORS_ORIGINS"
HOSTS_VARIABLE = "TTDIRECT_ALLOWED_HOSTS"

EXPOSED = "X-Request-Id, Retry-After"
"""Headers of ours that a page's script may read."""

PREFLIGHT_SECONDS = 600
"""How long a browser may remember the answer to its question."""

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#,*]+")
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])")


def allow_origins(app: Flask) -> frozenset[str]:
    """Tell browsers that pages of the listed sites may read the answers (CORS).

    Credentials are never allowed: this server knows no cookies.

    Returns:
        The origins of TTDIRECT_CORS_ORIGINS; "*" stands for every site.

    Raises:
        SettingError: an entry is no origin.
    """
    origins = frozenset(names(ORIGINS_VARIABLE))
    if not origins:
        return origins
    if not all(origin == "*" or _ORIGIN.fullmatch(origin) for origin in origins):
        raise SettingError(
            f"{ORIGINS_VARIABLE} holds something that is no origin.",
            "write each as a browser does, without a path: https://app.example.com",
        )

    def answer_browser(response: Response) -> Response:
        response.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if not origin or not origins & {origin, "*"}:
            return response
        headers = response.headers
        headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else origin
        headers["Access-Control-Expose-Headers"] = EXPOSED
        if request.method == "OPTIONS":
            headers["Access-Control-Allow-Methods"] = "GET, POST"
            asked = request.headers.get("Access-Control-Request-Headers", "")
            headers["Access-Control-Allow-Headers"] = asked  # OpenAI's client sends many of its own
            headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    app.after_request(answer_browser)
    return origins


def refuse_foreign_pages(app: Flask, origins: frozenset[str]) -> None:
    """On a server without a key, refuse what a page of another site sends.

    A page needs no permission to send a POST, only to read the answer; the Origin header gives
    it away. A page that points its own name at this machine (DNS rebinding) looks like the same
    site to the browser; the name in the Host header gives it away.
    """

    def check_origin() -> None:
        origin = request.headers.get("Origin")
        if origin is None or request.method in ("GET", "HEAD", "OPTIONS"):
            return  # not a browser, or nothing that a page may read or that costs anything
        site = _site_of(origin)
        if origins & {origin, "*"} or (site and site == request.host.lower()):
            return
        raise ApiError(
            403,
            "A web page of another site asked; its origin has to be listed in "
            f"{ORIGINS_VARIABLE} on the server.",
        )

    app.before_request(check_origin)


def refuse_foreign_hosts(app: Flask, *, has_keys: bool) -> None:
    """Refuse requests that name another host than this server's.

    With TTDIRECT_ALLOWED_HOSTS only the names in it and this machine's own are answered. Without
    it, a server without a key that listens on loopback answers to this machine's own names only.
    Probes are answered under any name.

    Raises:
        SettingError: an entry is no host name.
    """
    allowed = frozenset(name.lower() for name in names(HOSTS_VARIABLE))
    if not all(_HOST.fullmatch(name) for name in allowed):
        raise SettingError(
            f"{HOSTS_VARIABLE} holds something that is no host name.",
            "write names without scheme and port, separated by commas: llm.example.com",
        )

    def check_host() -> None:
        only_local = not has_keys and is_loopback(request.environ.get("SERVER_NAME", ""))
        if not (allowed or only_local) or request.path in PROBES:
            return
        host = request.headers.get("Host")
        if host is None:
            return  # no browser leaves it out
        name = _without_port(host)
        if name in allowed or is_loopback(name):
            return
        raise ApiError(
            421,
            "This server does not go by the name in the Host header; names other than localhost "
            f"have to be listed in {HOSTS_VARIABLE} on the server.",
        )

    app.before_request(check_host)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _site_of(origin: str) -> str:
    """The host and the port of an origin; empty for the origin "null" and for nonsense."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _without_port(host: str) -> str:
    return re.sub(r":\d*$", "", host.strip()).lower()
