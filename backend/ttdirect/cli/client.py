"""A server that answers: by the lesson's route, or by OpenAI's. Answers come as a stream."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from ttdirect.cli.connection import cut_short, error_sentence
from ttdirect.cli.errors import CommandError
from ttdirect.cli.events import read_events
from ttdirect.cli.json_values import json_object, number_in, text_in
from ttdirect.cli.openai_chunks import DONE, read_chunk

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from ttdirect.cli.connection import Connection


class Message(TypedDict):
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


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


class LessonServer:
    """A server of ours without OpenAI's routes: it is asked by `POST /chat/stream`."""

    takes_history = False
    """Whether more than the last message counts."""

    def __init__(self, connection: Connection, root: str, model: str) -> None:
        self.model = model
        self._connection = connection
        self._url = f"{root}/chat/stream"

    def ask(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Generator[Event]:
        """Ask the last message and yield the answer's pieces as they come, then its figures.

        Closing the iterator closes the connection, which frees the server's slot.

        Raises:
            BusyError: If the server is loading, full or shutting down.
            CommandError: If it refuses, fails, or goes away before the answer is complete.
        """
        body = {"prompt": messages[-1]["content"], **options}
        if messages[0]["role"] == "system":
            body["system"] = messages[0]["content"]
        with self._connection.stream(self._url, body) as chunks:
            for data in _events(chunks):
                event = json_object(data)
                _raise_error(event)
                if "tokens_generated" in event:
                    yield Figures(
                        tokens_generated=int(number_in(event, "tokens_generated")),
                        time_seconds=number_in(event, "time_seconds"),
                        tokens_per_second=number_in(event, "tokens_per_second"),
                        ttft_seconds=number_in(event, "ttft_seconds"),
                        queue_seconds=number_in(event, "queue_seconds"),
                        finish_reason=text_in(event, "finish_reason"),
                    )
                    return
                yield Piece(text_in(event, "text"))
        raise cut_short()


class OpenAIServer:
    """A server with OpenAI's routes under `base`, ours or another: `POST chat/completions`."""

    takes_history = True

    def __init__(self, connection: Connection, base: str, model: str) -> None:
        self.model = model
        self._connection = connection
        self.base = base

    def ask(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Generator[Event]:
        """Ask with the whole conversation; otherwise as `LessonServer.ask`.

        The times are this client's own, because OpenAI's stream tells none.

        Raises:
            BusyError: If the server is loading, full or shutting down.
            CommandError: If it refuses, fails, or goes away before the answer is complete.
        """
        body = {
            "model": self.model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **options,
        }
        begun = time.perf_counter()
        ttft_seconds = 0.0
        pieces, tokens, finish_reason = 0, None, ""
        with self._connection.stream(f"{self.base}/chat/completions", body) as chunks:
            for data in _events(chunks):
                if data == DONE:
                    break
                chunk = json_object(data)
                _raise_error(chunk)
                said = read_chunk(chunk)
                tokens = tokens if said.completion_tokens is None else said.completion_tokens
                finish_reason = said.finish_reason or finish_reason
                if said.text:
                    ttft_seconds = ttft_seconds or time.perf_counter() - begun
                    pieces += 1
                    yield Piece(said.text)
        if not finish_reason:
            raise cut_short()
        seconds = time.perf_counter() - begun
        tokens = pieces if tokens is None else tokens
        yield Figures(
            tokens_generated=tokens,
            time_seconds=seconds,
            tokens_per_second=tokens / seconds if seconds else 0.0,
            ttft_seconds=ttft_seconds,
            queue_seconds=0.0,
            finish_reason=finish_reason,
        )


def _events(chunks: Iterable[bytes]) -> Iterator[str]:
    try:
        yield from read_events(chunks)
    except UnicodeDecodeError as error:
        raise CommandError("the server sent an event that is not UTF-8", fix="ask again") from error


def _raise_error(event: Mapping[str, Any]) -> None:
    if "error" in event:
        raise CommandError(
            error_sentence(event) or "the server failed without saying why",
            fix="ask again; the server's terminal may say more",
        )
