"""What can be done above a line: start, stop, send, copy, show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.language_server.assist.sending import Target, sendable, written_as
from ttdirect.language_server.rules.words import SERVE, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.language_server.analysis.document import Document
    from ttdirect.language_server.analysis.python import PythonFacts
    from ttdirect.language_server.analysis.requests import Request
    from ttdirect.language_server.analysis.source import Span

START = "tenstorrent.startApiServerDirect"
STOP = "tenstorrent.stopApiServerDirect"
RESULTS = "tenstorrent.showResults"
SEND_ROUTE = "tenstorrent.sendRoute"
TEST_CHAT = "tenstorrent.testApiBasicDirect"
TEST_HEALTH = "tenstorrent.testApiHealthDirect"
SEND = "tenstorrent.sendRequest"
COPY = "tenstorrent.copyText"

_WORDS: dict[Target, str] = {"curl": "curl", "python": "Python", "javascript": "JavaScript"}
_OWN: dict[str, Target] = {"curl": "curl", "python": "python"}


@dataclass(frozen=True)
class Lens:
    """One lens.

    Args:
        span: the line that it stands above.
        title: what it says.
        command: the editor's command.
        arguments: what the command gets, as JSON.
    """

    span: Span
    title: str
    command: str
    arguments: tuple[Any, ...] = ()


def lenses(document: Document, base: str) -> list[Lens]:
    """The lenses of a document, from top to bottom.

    Args:
        document: a script, or Markdown.
        base: the address of the user's server.
    """
    facts = document.python
    found = list(_of_script(facts)) if facts is not None else []
    for request in document.requests:
        if request.url.may_be_ours and request.is_whole and document.is_ours:
            found += _of_request(request, base)
    return sorted(found, key=lambda lens: lens.span.start)


def _of_script(facts: PythonFacts) -> Iterator[Lens]:
    starts = [*facts.calls_of(*SERVE), *runs_of(facts)]
    if not starts or not facts.routes:
        return
    main = facts.functions.get(".main")
    place = starts[0].span if main is None else main.span
    yield Lens(place, "$(play) Start", START)
    yield Lens(place, "$(debug-stop) Stop", STOP)
    yield Lens(place, "$(graph) Results", RESULTS)
    for route in facts.routes:
        if "<" in route.path:
            continue
        if route.path == "/health":
            yield Lens(route.span, "$(pulse) Ask /health", TEST_HEALTH)
        elif route.path == "/chat":
            yield Lens(route.span, "$(send) Send a test request", TEST_CHAT)
            yield Lens(route.span, "$(graph) Results", RESULTS)
        elif route.methods:
            wanted = {"method": route.methods[0], "path": route.path}
            yield Lens(route.span, "$(send) Send a test request", SEND_ROUTE, (wanted,))


def _of_request(request: Request, base: str) -> Iterator[Lens]:
    wanted = sendable(request, base)
    if wanted is None:
        return
    yield Lens(request.span, "$(send) Send", SEND, (wanted,))
    for target, word in _WORDS.items():
        if _OWN.get(request.language) != target:
            yield Lens(request.span, f"Copy as {word}", COPY, (written_as(target, wanted),))
