"""API keys: where they come from, and whose key came with a request."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, request

from ttdirect.server.environment import SettingError, is_on, text
from ttdirect.server.errors import ApiError
from ttdirect.server.request_id import asking

log = logging.getLogger("ttdirect.server")

KEY_VARIABLE = "TTDIRECT_API_KEY"
KEY_FILE_VARIABLE = "TTDIRECT_API_KEY_FILE"
OPEN_METRICS_VARIABLE = "TTDIRECT_OPEN_METRICS"

PROBES = frozenset({"/health", "/livez"})
"""Probes of a load balancer carry no key."""

PAGE = "/"
"""A browser that opens a page cannot send a header; the page asks for the key itself."""

_NAMED = re.compile(r"([A-Za-z0-9._-]+):(.*\S.*)")


@dataclass(frozen=True)
class Key:
    """One key, kept as its digest so that no dump or message can show it."""

    name: str
    digest: bytes


class Keys:
    """The keys that open this server: those of the environment, and those of a file.

    The file is read again when it changes, so a key can be added or withdrawn while the server
    runs. A file that is gone or empty by then lets nobody in.

    Args:
        fixed: keys that stay for the life of the process.
        file: one key a line, as `key` or `name:key`; `#` begins a comment line.

    Raises:
        SettingError: the file cannot be read or has no key in it.
    """

    def __init__(self, fixed: list[Key], file: Path | None = None) -> None:
        self._fixed = fixed
        self._file = file
        self._seen: tuple[tuple[int, int, int] | None, list[Key]] = (None, [])
        if file is not None:
            self._read_at_start(file)

    @classmethod
    def from_environment(cls) -> Keys | None:
        """The keys that the owner set; None for a server without keys.

        Raises:
            SettingError: as the class.
        """
        if not keys_are_set():
            return None
        # Commas or lines separate several keys; files of secrets tend to end in a newline.
        entries = (entry.strip() for entry in re.split(r"[,\n]", text(KEY_VARIABLE)))
        fixed = [_key(entry, number) for number, entry in enumerate(filter(None, entries), 1)]
        file = text(KEY_FILE_VARIABLE)
        return cls(fixed, Path(file) if file else None)

    def owner_of(self, given: bytes) -> str | None:
        """The name of the key that was given; None if it is none of ours.

        All keys are compared in constant time, so that the time tells nothing about any of them.
        """
        digest = hashlib.sha256(given).digest()
        owner = None
        for key in (*self._fixed, *self._of_file()):
            if hmac.compare_digest(key.digest, digest):
                owner = key.name
        return owner

    def _read_at_start(self, file: Path) -> None:
        fix = f"put one key a line into it, or unset {KEY_FILE_VARIABLE}"
        try:
            mode = file.stat().st_mode
            keys = self._of_file(strict=True)
        except OSError as error:
            what = f"{KEY_FILE_VARIABLE} names a file that cannot be read: {error.strerror}."
            raise SettingError(what, fix) from error
        if not keys:
            raise SettingError(f"{KEY_FILE_VARIABLE} names a file with no key in it.", fix)
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            print(
                f"note:  other users of this machine may read the file of API keys; "
                f"chmod 600 {file} makes it yours alone",
                file=sys.stderr,
            )

    def _of_file(self, *, strict: bool = False) -> list[Key]:
        """The keys of the file as it is now."""
        if self._file is None:
            return []
        before, keys = self._seen
        try:
            info = self._file.stat()
            now = (info.st_mtime_ns, info.st_size, info.st_ino)
            if now == before:
                return keys
            keys = _parse(self._file.read_bytes())
        except OSError:
            if strict:
                raise
            now, keys = (0, 0, 0), []
        if before is not None and now != before:
            log.info("The file of API keys changed: %d keys are valid now", len(keys))
        self._seen = (now, keys)
        return keys


def keys_are_set() -> bool:
    """Whether the owner asked for keys."""
    return bool(text(KEY_VARIABLE).strip(", \n") or text(KEY_FILE_VARIABLE))


def require_keys(app: Flask, keys: Keys) -> None:
    """Let only requests with a key through, except for probes, the page, and OPTIONS."""
    open_routes = PROBES | ({"/metrics"} if is_on(OPEN_METRICS_VARIABLE) else set[str]())

    def check_key() -> None:
        # Browsers send no key with the question whether they may ask (OPTIONS).
        if request.method == "OPTIONS" or request.path in open_routes:
            return
        if request.path == PAGE and request.method in ("GET", "HEAD"):
            return
        for given in _given_keys():
            owner = keys.owner_of(given)
            if owner is not None:
                now = asking()
                if now is not None:
                    now.owner = owner
                return
        raise ApiError(
            401, "This server needs an API key: send the header Authorization: Bearer <key>."
        )

    app.before_request(check_key)


def key_owner() -> str | None:
    """The name of the key that this request came with; None without one."""
    now = asking()
    return None if now is None else now.owner


def _given_keys() -> list[bytes]:
    """What the request offers, as bytes: WSGI's text is Latin-1 whatever the client meant."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    offers = [
        bearer if scheme.lower() == "bearer" else "",
        request.headers.get("X-Api-Key", ""),
    ]
    return [offer.strip().encode("latin-1", errors="replace") for offer in offers if offer.strip()]


def _parse(content: bytes) -> list[Key]:
    lines = [line.strip() for line in content.decode(errors="surrogateescape").splitlines()]
    entries = [line for line in lines if line and not line.startswith("#")]
    keys: list[Key] = []
    for number, entry in enumerate(entries, 1):
        named = _NAMED.fullmatch(entry)
        keys.append(
            Key(named[1], _digest(named[2].strip())) if named else _key(entry, number, "file key")
        )
    return keys


def _key(secret: str, number: int, kind: str = "key") -> Key:
    return Key(f"{kind} {number}", _digest(secret))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(os.fsencode(secret)).digest()
