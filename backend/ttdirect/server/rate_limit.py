"""Rate limits: how often one client may ask."""

from __future__ import annotations

import ipaddress
import math
import time
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from ttdirect.server.environment import SettingError, text
from ttdirect.server.errors import ApiError
from ttdirect.server.keys import PROBES, key_owner

if TYPE_CHECKING:
    from flask_limiter import RateLimitExceeded

LIMIT_VARIABLE = "TTDIRECT_RATE_LIMIT"
STORAGE_VARIABLE = "TTDIRECT_RATE_LIMIT_STORAGE"

NEVER_LIMITED = PROBES | {"/metrics"}


def limit_rates(app: Flask) -> None:
    """Limit the requests of each key, or of each address where there are no keys.

    TTDIRECT_RATE_LIMIT has flask-limiter's syntax, such as "60/minute" or "5/second;1000/day".
    The counts live in this process, which is right because one model has one process; several
    servers share theirs through TTDIRECT_RATE_LIMIT_STORAGE, such as "redis://host:6379".

    To be called after the check of keys, so that a client is known when it is counted.

    Raises:
        SettingError: the limit or the storage cannot be meant, or flask-limiter is missing.
    """
    limit = text(LIMIT_VARIABLE)
    if not limit:
        return
    try:
        from flask_limiter import Limiter, RateLimitExceeded  # noqa: PLC0415 - optional
        from limits import parse_many  # noqa: PLC0415
        from limits.errors import ConfigurationError  # noqa: PLC0415
    except ImportError as error:
        raise SettingError(
            f"{LIMIT_VARIABLE} needs the package flask-limiter, which this Python does not have.",
            "pip install flask-limiter",
        ) from error
    try:
        parse_many(limit)
    except ValueError as error:
        fix = f'write a number and a time, for example {LIMIT_VARIABLE}="60/minute"'
        raise SettingError(f"{LIMIT_VARIABLE} is not a rate limit.", fix) from error
    try:
        limiter = Limiter(
            _client,
            application_limits=[limit],
            strategy="moving-window",  # a window that begins anew would let twice as many pass
            storage_uri=text(STORAGE_VARIABLE) or "memory://",
            in_memory_fallback_enabled=True,  # better a limit of our own than no answer
            key_prefix="ttdirect",
        )
        limiter.init_app(app)
    except (ConfigurationError, ValueError) as error:
        raise SettingError(
            f"{STORAGE_VARIABLE} names no storage that can be used here.",
            'set it to "redis://host:6379" and pip install redis, or unset it',
        ) from error
    limiter.request_filter(_is_free)

    def answer(_error: RateLimitExceeded) -> Response:
        breached = limiter.current_limit
        seconds = 1 if breached is None else math.ceil(breached.reset_at - time.time())
        told = ApiError(
            429,
            f"This client asked more often than the {limit.replace(';', ' and ')} it may.",
            max(seconds, 1),
        )
        return app.make_response(app.handle_user_exception(told))

    app.register_error_handler(RateLimitExceeded, answer)


def _is_free() -> bool:
    return request.path in NEVER_LIMITED or request.method == "OPTIONS"


def _client() -> str:
    """Whom to count: the owner of the key, else the address."""
    owner = key_owner()
    if owner is not None:
        return f"key:{owner}"
    address = request.remote_addr or "local"  # a unix socket has no addresses
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 6:  # one subscriber has a whole /64 of addresses to choose from
        return str(ipaddress.ip_network((known, 64), strict=False))
    return address
