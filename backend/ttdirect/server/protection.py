"""Who may ask, and how much they may send: everything that stands before a route.

docs/security.md says against whom each measure helps, and lists the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask.json.provider import DefaultJSONProvider
from werkzeug.middleware.proxy_fix import ProxyFix

from ttdirect.server.cors import (
    allow_origins,
    is_loopback,
    refuse_foreign_hosts,
    refuse_foreign_pages,
)
from ttdirect.server.environment import SettingError, count, is_on
from ttdirect.server.errors import register_error_answers
from ttdirect.server.headers import add_safe_headers
from ttdirect.server.keys import KEY_VARIABLE, Keys, keys_are_set, require_keys
from ttdirect.server.rate_limit import limit_rates
from ttdirect.server.request_id import name_requests
from ttdirect.server.terminal import refuse_setting

if TYPE_CHECKING:
    from flask import Flask

__all__ = ["KEY_VARIABLE", "OPEN_VARIABLE", "is_loopback", "may_listen_on", "protect"]

OPEN_VARIABLE = "TTDIRECT_NO_API_KEY"
BODY_VARIABLE = "TTDIRECT_MAX_BODY_KIB"
PROXIES_VARIABLE = "TTDIRECT_TRUSTED_PROXIES"

DEFAULT_BODY_KIB = 1024
MOST_BODY_KIB = 1024 * 1024
MOST_PROXIES = 10


def protect(app: Flask) -> None:
    """Put the app's defaults for production in place, as the environment says.

    - every error is `{"error": "one clear sentence"}`, and under `/v1` in OpenAI's shape;
    - every answer has safe headers and an `X-Request-Id`;
    - a body of more than 1 MiB (TTDIRECT_MAX_BODY_KIB) is refused before it is read;
    - with TTDIRECT_API_KEY or TTDIRECT_API_KEY_FILE, requests need `Authorization: Bearer <key>`;
    - without a key, web pages of other sites are refused unless TTDIRECT_CORS_ORIGINS lists them;
    - with TTDIRECT_RATE_LIMIT, a client that asks too often is told when to come back.

    Raises:
        SystemExit: a setting cannot be meant; two lines in the terminal say which and why.
    """
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # answers in the contract's order: the prompt first
    name_requests(app)
    register_error_answers(app)
    add_safe_headers(app)
    try:
        _protect_by_environment(app)
    except SettingError as error:
        refuse_setting(error)


def _protect_by_environment(app: Flask) -> None:
    """Flask asks in the order of these lines: where from, then who, then how often."""
    body_kib = count(BODY_VARIABLE, DEFAULT_BODY_KIB, MOST_BODY_KIB)
    app.config["MAX_CONTENT_LENGTH"] = body_kib * 1024
    proxies = count(PROXIES_VARIABLE, 0, MOST_PROXIES)
    if proxies:  # each adds the address it saw; more entries than proxies come from the client
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=0, x_host=0)
    keys = Keys.from_environment()
    origins = allow_origins(app)
    refuse_foreign_hosts(app, has_keys=keys is not None)
    if keys is None:
        refuse_foreign_pages(app, origins)
    else:
        require_keys(app, keys)
    limit_rates(app)


def may_listen_on(host: str) -> bool:
    """Whether an address may be opened: beyond loopback only with a key, or when told so."""
    return is_loopback(host) or keys_are_set() or is_on(OPEN_VARIABLE)
