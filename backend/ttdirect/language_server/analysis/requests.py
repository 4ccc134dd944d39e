"""HTTP requests that a text shows: curl commands, Python calls, `http` blocks, JSON bodies."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ttdirect.language_server.analysis.expressions import UNKNOWN
from ttdirect.language_server.analysis.json_values import JsonValue, of_python, read_json
from ttdirect.language_server.analysis.source import Source, Span

if TYPE_CHECKING:
    from ttdirect.language_server.analysis.expressions import Expression
    from ttdirect.language_server.analysis.python import Call, PythonFacts
    from ttdirect.language_server.analysis.shell import Command, Word

LOOPBACK = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "::1", "[::1]"})  # noqa: S104

_URL = re.compile(
    r"(?P<scheme>https?://)?(?P<host>\[[0-9a-fA-F:]+\]|[\w.-]+)(?::(?P<port>\d{1,5}))?"
    r"(?P<path>/[^\s?#\"']*)?(?:[?#].*)?$"
)
_PATH_AT_END = re.compile(r"(/[\w./-]*)[\"']*$")
_METHODS = frozenset({"get", "post", "put", "delete", "patch"})
_HTTP_LINE = re.compile(r"(?P<method>GET|POST|PUT|DELETE|PATCH)[ \t]+(?P<url>\S+)[^\r\n]*")
_JOINED = re.compile(r"-[fgiIkLNOsSv]+([XHdmouAw])")
"""Flags with an option that takes a value, in one word: `-sX POST`."""
_DATA = frozenset({"-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--json"})
_WITH_VALUE = (
    frozenset(
        {"-X", "--request", "-H", "--header", "-u", "--user", "-o", "--output", "-m", "--max-time"}
        | {
            "-A",
            "--user-agent",
            "-w",
            "--write-out",
            "--connect-timeout",
            "-F",
            "--form",
            "--retry",
        }
    )
    | _DATA
)


@dataclass(frozen=True, slots=True)
class Url:
    """An address, as far as the text tells it.

    Args:
        text: as it stands.
        host: the host, or None.
        port: the port, or None.
        path: such as "/chat"; "" where it is not known.
        port_span: where the port stands.
    """

    text: str
    host: str | None
    port: int | None
    path: str
    port_span: Span | None = None

    @property
    def may_be_ours(self) -> bool:
        """Whether it may lead to a server on this computer."""
        return self.host is None or self.host in LOOPBACK


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Args:
        method: such as "POST".
        url: where it goes.
        span: the whole command, call or block.
        language: what it is written in.
        headers: names and values.
        body: its JSON, or None.
        body_span: where the body may be written, for completion.
        is_whole: whether the parser made sense of all of it.
    """

    method: str
    url: Url
    span: Span
    language: Literal["curl", "python", "http", "json"]
    headers: tuple[tuple[str, str], ...] = ()
    body: JsonValue | None = None
    body_span: Span | None = None
    is_whole: bool = True


def url_of(text: str, start: int | None = None) -> Url:
    """The parts of an address.

    Args:
        text: the address.
        start: where it stands in the document; None if not character by character.
    """
    match = _URL.match(text)
    if match is None or (match["scheme"] is None and match["port"] is None):
        end = _PATH_AT_END.search(text)
        return Url(text, None, None, end[1] if end and "://" not in end[1] else "")
    port = int(match["port"]) if match["port"] else None
    span = None
    if port is not None and start is not None:
        span = Span(start + match.start("port"), start + match.end("port"))
    return Url(text, match["host"], port, match["path"] or "/", span)


@dataclass
class _Curl:
    """What the words of a curl command say."""

    method: str = ""
    address: Word | None = None
    data: Word | None = None
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def take(self, name: str, value: Word) -> None:
        """Take in an option with a value."""
        if name in ("-X", "--request"):
            self.method = value.text
        elif name in ("-H", "--header"):
            header, _, content = value.text.partition(":")
            self.headers.append((header.strip(), content.strip()))
        elif name in _DATA:
            self.data = value
            if name == "--json":
                self.headers.append(("Content-Type", "application/json"))


def _read_curl(command: Command) -> _Curl:
    said = _Curl()
    words = iter(command.words[1:])
    for word in words:
        name = word.text.partition("=")[0]
        joined = _JOINED.fullmatch(word.text)
        if word.text in _WITH_VALUE or joined:
            value = next(words, None)
            if value is not None:
                said.take(f"-{joined[1]}" if joined else word.text, value)
        elif name in _WITH_VALUE and name.startswith("--"):
            value = command.option(name)
            if value is not None:
                said.take(name, value)
        elif re.fullmatch(r"-X[A-Z]+", word.text):
            said.method = word.text[2:]
        elif not word.text.startswith("-"):
            said.address = said.address or word
    return said


def request_of_curl(command: Command, source: Source) -> Request | None:
    """The request of a curl command, or None if it is none."""
    if not command.words or command.words[0].text.rpartition("/")[2] != "curl":
        return None
    said = _read_curl(command)
    address, data = said.address, said.data
    if address is None:
        return None
    url = url_of(address.text, None if address.inner is None else source.outer(address.inner))
    body, body_span = (None, None) if data is None else _body_of(data, source)
    return Request(
        said.method or ("GET" if data is None else "POST"),
        url,
        command.span,
        "curl",
        tuple(said.headers),
        body,
        body_span,
        command.is_whole,
    )


def _body_of(word: Word, source: Source) -> tuple[JsonValue | None, Span | None]:
    if word.inner is None or not word.text.lstrip().startswith(("{", "[")):
        return None, None
    part = part_of(source, word.inner, word.inner + len(word.text))
    return read_json(part), Span(
        source.outer(word.inner), source.outer(word.inner + len(word.text))
    )


def part_of(source: Source, start: int, end: int) -> Source:
    """A stretch of a text as a text of its own, which knows where it stands in the document."""
    text = source.text[start:end]
    places, offset = [(0, source.outer(start))], 0
    for line in text.split("\n")[:-1]:
        offset += len(line) + 1
        places.append((offset, source.outer(start + offset)))
    return Source(text, places)


def requests_of_python(facts: PythonFacts) -> list[Request]:
    """The requests that a Python text makes with `requests`, httpx, or a client of Flask."""
    found = (_request_of_call(call, facts) for call in facts.calls if call.name in _METHODS)
    return [request for request in found if request is not None]


def _request_of_call(call: Call, facts: PythonFacts) -> Request | None:
    address = call.argument(0, "url")
    if address is None or address.node.type not in ("string", "identifier", "binary_operator"):
        return None
    if call.function is None and any(it.span == call.span for it in facts.routes):
        return None  # the decorator of a route: @app.post("/chat")
    body = _python_body(call)
    is_client = any(
        symbol.startswith(("requests.", "httpx.")) or "test_client()" in symbol
        for symbol in call.callee.symbols
    )
    if not is_client and body is None:
        return None
    value = address.value
    is_literal = address.node.type == "string" and value is not UNKNOWN
    start = address.span.start + 1 if is_literal else None
    url = url_of(value if isinstance(value, str) else address.text, start)
    return Request(
        call.name.upper(),
        url,
        call.span,
        "python",
        _headers_of(call),
        None if body is None else of_python(body),
        None if body is None else body.span,
        is_whole=not call.node.has_error,
    )


def _headers_of(call: Call) -> tuple[tuple[str, str], ...]:
    headers = call.keywords.get("headers")
    if headers is None:
        return ()
    pairs = ((it.key, it.value) for it in of_python(headers).members)
    return tuple((key, str(value.as_python())) for key, value in pairs if value is not None)


def _python_body(call: Call) -> Expression | None:
    body = call.keywords.get("json")
    if body is not None and body.node.type == "identifier":
        bound = [it.node for it in body.scope.lookup(body.text)]
        node = bound[0] if len(bound) == 1 else None
        return None if node is None else type(body)(node, body.scope, body.names)
    return body


def requests_of_http(source: Source) -> list[Request]:
    """The requests of an `http` text: a line with method and address, headers, and a body."""
    starts = list(_HTTP_LINE.finditer(source.text))
    found: list[Request] = []
    for position, match in enumerate(starts):
        end = starts[position + 1].start() if position + 1 < len(starts) else len(source.text)
        separator = source.text.find("###", match.end(), end)
        end = separator if separator >= 0 else end
        head, gap, _ = source.text[match.end() : end].partition("\n\n")
        lines = [line.partition(":") for line in head.splitlines() if ":" in line]
        begin = match.end() + len(head) + len(gap)
        body = read_json(part_of(source, begin, end)) if gap else None
        found.append(
            Request(
                match["method"],
                url_of(match["url"], source.outer(match.start("url"))),
                Span(source.outer(match.start()), source.outer(end)),
                "http",
                tuple((name.strip(), value.strip()) for name, _, value in lines),
                body,
                Span(source.outer(begin), source.outer(end)) if gap else None,
            )
        )
    return found


def request_of_json(source: Source) -> Request | None:
    """A JSON text as the body of the request that it is plainly meant for, else None."""
    body = read_json(source)
    members = () if body is None else body.members
    keys = {it.key for it in members}
    if "prompt" in keys and not keys & {"response", "text", "choices", "model"}:
        path = "/chat"
    elif "messages" in keys and "choices" not in keys:
        path = "/v1/chat/completions"
    else:
        return None
    span = Span(source.outer(0), source.outer(len(source.text)))
    return Request("POST", Url(path, None, None, path), span, "json", (), body, span)
