"""One measured request: when its text came, and how many tokens that was."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.cli.connection import cut_short, error_sentence
from ttdirect.cli.errors import CommandError
from ttdirect.cli.events import read_events
from ttdirect.cli.json_values import json_object
from ttdirect.cli.openai_chunks import DONE, read_chunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ttdirect.cli.connection import Connection


@dataclass(frozen=True)
class Sample:
    """One complete answer.

    Args:
        ttft: seconds from the request to the first event with text. The event before it, which
            only names the role, does not count.
        gaps: seconds between one event with text and the next.
        duration: seconds from the request to the last event.
        tokens: of the answer; by the server's count, else one for each event with text.
        counted_by_server: which of the two it is.
        prompt_tokens: by the server's count, None without one.
        cached_tokens: those of them that the server had in its cache, None if it does not say.
    """

    ttft: float
    gaps: list[float]
    duration: float
    tokens: int
    counted_by_server: bool
    prompt_tokens: int | None
    cached_tokens: int | None

    @property
    def events(self) -> int:
        """How many events had text."""
        return len(self.gaps) + 1


def ask(
    connection: Connection,
    url: str,
    body: Mapping[str, Any],
    clock: Callable[[], float],
    stopped: Callable[[], bool],
) -> Sample | None:
    """Post `body`, which asks for a stream, and return what was measured; None if stopped.

    Raises:
        CommandError: If there is no complete answer with at least one text.
    """
    # While bytes come, they are stamped and nothing more: the work is done afterwards, so that
    # many clients in one process do not hold up each other's stamps.
    arrivals: list[tuple[float, bytes]] = []
    begun = clock()
    with connection.stream(url, body) as chunks:
        for chunk in chunks:
            arrivals.append((clock(), chunk))
            if stopped():
                return None
    return _evaluate(begun, arrivals)


def _evaluate(begun: float, arrivals: Sequence[tuple[float, bytes]]) -> Sample:
    stamp = last = begun
    finished = False
    texts: list[float] = []
    prompt_tokens = tokens = cached_tokens = None

    def replay() -> Iterator[bytes]:
        nonlocal stamp
        for stamp, chunk in arrivals:  # noqa: B007 - `stamp` is read below, event by event
            yield chunk

    try:
        for data in read_events(replay()):
            last = stamp
            if data == DONE:
                break
            event = json_object(data)
            if "error" in event:
                raise CommandError(
                    f"error in the stream: {error_sentence(event)}", fix="see the server's log"
                )
            said = read_chunk(event)
            if said.text or said.thought:
                texts.append(stamp)
            finished = finished or bool(said.finish_reason)
            prompt_tokens = said.prompt_tokens or prompt_tokens
            tokens = said.completion_tokens or tokens
            cached_tokens = said.cached_tokens or cached_tokens
    except UnicodeDecodeError as error:
        raise CommandError("an event that is not UTF-8", fix="see the server's log") from error
    if not finished:
        raise cut_short()
    if not texts:
        raise CommandError("an answer without text", fix="ask for more tokens: --max-tokens 64")
    return Sample(
        ttft=texts[0] - begun,
        gaps=[later - earlier for earlier, later in itertools.pairwise(texts)],
        duration=last - begun,
        tokens=tokens or len(texts),
        counted_by_server=tokens is not None,
        prompt_tokens=prompt_tokens,
        cached_tokens=cached_tokens,
    )
