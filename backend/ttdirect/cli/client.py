"""The server as `ttdirect chat` sees it: its health, and answers as a stream.

This module imports `requests`, which takes time; import it only when a request is due.
"""

from __future__ import annotations

import ipaddress
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import ProtocolError

from ttdirect.cli.errors import CommandError, UsageError
from ttdirect.cli.events import read_events
from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

_CONNECT_SECONDS = 5
_HEALTH_SECONDS = 10
# Between two bytes of a stream. The server sends comments while it has nothing to say.
_SILENCE_SECONDS = 120


@dataclass(frozen=True)
class Health:
    """What `/health` says."""

    status: Literal["healthy", "loading", "draining", "stopped", "failed"]
    model: str
    device: str
    note: str
    phase: str
    progress: float


@dataclass(frozen=True)
class Piece:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True)
class Figures:
    """What a complete answer cost."""

    tokens_generated: int
    time_seconds: float
    tokens_per_second: float
    ttft_seconds: float
    queue_seconds: float
    finish_reason: str


Event: TypeAlias = Piece | Figures


class BusyError(CommandError):
    """The server cannot take the request now; it may in `retry_after` seconds."""

    def __init__(self, what: str, *, retry_after: int) -> None:
        super().__init__(what, fix=f"try again in {retry_after} s")
        self.retry_after = retry_after


class ServerClient:
    """The server at `url`, asked with `api_key` if it wants one."""

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self.url = _normalise(url)
        self._session = requests.Session()
        # A proxy from the environment cannot reach this computer's own loopback.
        self._session.trust_env = not _is_loopback(self.url)
        if api_key:
            # As `auth` and not as a header, which ~/.netrc would override.
            self._session.auth = _Bearer(api_key)

    def close(self) -> None:
        """Close the connections that are kept open between requests."""
        self._session.close()

    def health(self) -> Health:
        """Return the state of the server, whichever it is in.

        Raises:
            CommandError: If nothing answers there, or something else than our server.
        """
        try:
            response = self._session.get(
                f"{self.url}/health",
                timeout=(_CONNECT_SECONDS, _HEALTH_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise self._explain(error) from error
        if response.status_code == 401:
            raise _refusal(response)
        report = _json_object(response.content)
        if "model_loaded" not in report or report.get("status") not in _STATUSES:
            raise self._not_ours()
        return Health(
            status=report["status"],
            model=_text(report, "model"),
            device=_text(report, "device"),
            note=_text(report, "note"),
            phase=_text(report, "phase"),
            progress=_number(report, "progress"),
        )

    def stream(self, fields: Mapping[str, Any]) -> Generator[Event]:
        """Ask and yield the answer's pieces as they come, at the end its figures.

        Closing the iterator closes the connection, which frees the server's slot.

        Raises:
            BusyError: If the server is loading, full or shutting down.
            CommandError: If it refuses, fails, or goes away before the answer is complete.
        """
        try:
            with self._session.post(
                f"{self.url}/chat/stream",
                json=fields,
                stream=True,
                timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS),
                allow_redirects=False,
            ) as response:
                if response.status_code != 200:
                    raise _refusal(response)
                if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                    raise self._not_ours()
                # Chunks are handed on as they come. Without them, asking for more than a byte
                # would wait until that much is there.
                chunk_size = None if response.raw.chunked else 1
                yield from _read_answer(response.iter_content(chunk_size))
        except requests.RequestException as error:
            raise self._explain(error) from error

    def _explain(self, error: requests.RequestException) -> CommandError:
        if isinstance(error, requests.exceptions.ChunkedEncodingError):
            return _cut_short()
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
        return CommandError(f"no server answers on {self.url}", fix=self._start_hint())

    def _not_ours(self) -> CommandError:
        return CommandError(
            f"what answers on {self.url} is not a TT Direct API server",
            fix="give the server's address with --url, or start one with: "
            "ttdirect serve --port 8081",
        )

    def _start_hint(self) -> str:
        if not _is_loopback(self.url):
            return "check the address, and that the server runs on that computer"
        port = urlsplit(self.url).port or 80
        return "start one with: ttdirect serve" + ("" if port == 8080 else f" --port {port}")


class _Bearer(AuthBase):
    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        r.headers["Authorization"] = f"Bearer {self._key}"
        return r


_STATUSES = ("healthy", "loading", "draining", "stopped", "failed")
_URL_EXAMPLE = "give an address like http://127.0.0.1:8080"


def _normalise(url: str) -> str:
    url = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"{url} is no address of a server", fix=_URL_EXAMPLE)
    return url.rstrip("/")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_answer(chunks: Iterator[bytes]) -> Generator[Event]:
    try:
        for data in read_events(chunks):
            event = _json_object(data)
            if "error" in event:
                raise CommandError(
                    neutralise(_text(event, "error")),
                    fix="ask again; the server's terminal may say more",
                )
            if "tokens_generated" in event:
                yield Figures(
                    tokens_generated=int(_number(event, "tokens_generated")),
                    time_seconds=_number(event, "time_seconds"),
                    tokens_per_second=_number(event, "tokens_per_second"),
                    ttft_seconds=_number(event, "ttft_seconds"),
                    queue_seconds=_number(event, "queue_seconds"),
                    finish_reason=_text(event, "finish_reason"),
                )
                return
            yield Piece(_text(event, "text"))
    except UnicodeDecodeError as error:
        raise CommandError("the server sent an event that is not UTF-8", fix="ask again") from error
    raise _cut_short()


def _cut_short() -> CommandError:
    return CommandError(
        "the connection ended before the answer was complete",
        fix="look at the server's terminal, then ask again",
    )


def _refusal(response: requests.Response) -> CommandError:
    """Return the error that an answer other than 200 stands for."""
    said = neutralise(_text(_json_object(response.content), "error"))
    sentence = said or f"the server answered with status {response.status_code}"
    match response.status_code:
        case 401:
            return CommandError(
                sentence, fix="put the server's API key into TTDIRECT_API_KEY (see --api-key-env)"
            )
        case 429 | 503:
            seconds = response.headers.get("Retry-After", "")
            return BusyError(
                sentence, retry_after=int(seconds) if seconds.isascii() and seconds.isdigit() else 1
            )
        case 404:
            return CommandError(sentence, fix="check the address given with --url")
        case 400 | 413:
            return CommandError(sentence, fix="ttdirect chat --help shows every option")
        case _:
            return CommandError(sentence, fix="look at the server's terminal, then ask again")


def _json_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object that `text` holds, or an empty one if it holds something else."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _number(fields: Mapping[str, Any], name: str) -> float:
    value = fields.get(name)
    return value if isinstance(value, (int, float)) and math.isfinite(value) else 0.0
