"""One server's address: requests to it, and what goes wrong on the way in the user's words.

This module imports `requests`, which takes time; import it only when a request is due.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ProtocolError

from ttdirect.cli.errors import CommandError, UsageError
from ttdirect.cli.json_values import json_object, object_in, text_in
from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 10
# Between two bytes of a stream. The server sends comments while it has nothing to say.
_SILENCE_SECONDS = 120
_URL_EXAMPLE = "give an address like http://127.0.0.1:8080"


class RefusedError(CommandError):
    """The server answered with the HTTP status `status` instead of an answer."""

    def __init__(self, what: str, *, fix: str, status: int) -> None:
        super().__init__(what, fix=fix)
        self.status = status


class BusyError(RefusedError):
    """The server cannot take the request now; it may in `retry_after` seconds."""

    def __init__(self, what: str, *, status: int, retry_after: int) -> None:
        super().__init__(what, fix=f"try again in {retry_after} s", status=status)
        self.retry_after = retry_after


class Connection:
    """Requests to the server at `url`, with `api_key` if it wants one. Not for several threads."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self.url = normalised(url)
        self._session = requests.Session()
        # A proxy from the environment cannot reach this computer's own loopback.
        self._session.trust_env = not is_loopback(self.url)
        # Without its environment, a session would not know of certificates that sign themselves.
        self._session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        if api_key:
            # As `auth` and not as a header, which ~/.netrc would override.
            self._session.auth = _Bearer(api_key)

    def close(self) -> None:
        """Close the connections that are kept open between requests."""
        self._session.close()

    def get(self, url: str) -> requests.Response:
        """Return what the server answers, whichever status it has.

        Raises:
            CommandError: If nothing answers there.
        """
        try:
            return self._session.get(
                url, timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS), allow_redirects=False
            )
        except requests.RequestException as error:
            raise self._explain(error) from error

    @contextlib.contextmanager
    def stream(self, url: str, body: Mapping[str, Any]) -> Generator[Iterator[bytes]]:
        """Post `body` as JSON and hand out the bytes of the event stream as they come.

        Leaving the context early closes the connection, which frees the server's slot.

        Raises:
            BusyError: If the server is loading, full or shutting down.
            CommandError: If it refuses, falls silent, or answers with something else.
        """
        try:
            with self._session.post(
                url,
                json=body,
                stream=True,
                timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS),
                allow_redirects=False,
            ) as response:
                if response.status_code != 200:
                    raise refusal(response)
                if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                    raise self.stranger()
                # Chunks are handed on as they come. Without them, asking for more than a byte
                # would wait until that much is there.
                chunk_size = None if response.raw.chunked else 1
                yield response.iter_content(chunk_size)
        except requests.RequestException as error:
            raise self._explain(error) from error

    def stranger(self) -> CommandError:
        """Return the error for something that answers and is no server of ours or OpenAI's kind."""
        return CommandError(
            f"what answers on {self.url} is not a TT Direct API server",
            fix="give the server's address with --url (with /v1 for another OpenAI-compatible "
            "server), or start one with: ttdirect serve --port 8081",
        )

    def _explain(self, error: requests.RequestException) -> CommandError:
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return cut_short()
        if isinstance(error, requests.exceptions.InvalidURL):
            return UsageError(f"{self.url} is no address of a server", fix=_URL_EXAMPLE)
        if isinstance(error, requests.exceptions.SSLError):
            return CommandError(
                f"the secure connection to {self.url} failed",
                fix="check the certificate, or the address given with --url",
            )
        if isinstance(error, requests.exceptions.ReadTimeout) or "Read timed out" in str(error):
            return CommandError(
                f"{self.url} accepted the request and then stayed silent",
                fix="look at the server's terminal, and start the server again if it hangs",
            )
        if error.args and isinstance(error.args[0], ProtocolError):
            return CommandError(
                f"what listens on {self.url} hung up without an answer",
                fix="look at the server's terminal, or give another address with --url",
            )
        return CommandError(f"no server answers on {self.url}", fix=start_hint(self.url))


def start_hint(url: str) -> str:
    """Return what to do when no server answers there."""
    if not is_loopback(url):
        return "check the address, and that the server runs on that computer"
    port = urlsplit(url).port or 80
    return "start one with: ttdirect serve" + ("" if port == 8080 else f" --port {port}")


def cut_short() -> CommandError:
    """Return the error for an answer whose end is missing."""
    return CommandError(
        "the connection ended before the answer was complete",
        fix="look at the server's terminal, then ask again",
    )


def refusal(response: requests.Response) -> RefusedError:
    """Return the error that an answer other than 200 stands for."""
    status = response.status_code
    said = error_sentence(json_object(response.content))
    sentence = said or f"the server answered with status {status}"
    match status:
        case 401:
            fix = "put the server's API key into TTDIRECT_API_KEY (see --api-key-env)"
        case 429 | 503:
            seconds = response.headers.get("Retry-After", "")
            retry_after = int(seconds) if seconds.isascii() and seconds.isdigit() else 1
            return BusyError(sentence, status=status, retry_after=retry_after)
        case 404:
            fix = "check the address given with --url"
        case 400 | 413:
            fix = "ttdirect chat --help shows every option"
        case _:
            fix = "look at the server's terminal, then ask again"
    return RefusedError(sentence, fix=fix, status=status)


def error_sentence(report: Mapping[str, Any]) -> str:
    """Return what an error says, in our shape or OpenAI's; empty if it is neither."""
    return neutralise(text_in(report, "error") or text_in(object_in(report, "error"), "message"))


class _Bearer(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._key}"
        return r


def normalised(url: str) -> str:
    """Return a server's address with its scheme and without a slash at the end.

    Raises:
        UsageError: If it is no address.
    """
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"{url} is no address of a server", fix=_URL_EXAMPLE)
    return url.rstrip("/")


def is_loopback(url: str) -> bool:
    """Return whether the address leads to this computer."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
