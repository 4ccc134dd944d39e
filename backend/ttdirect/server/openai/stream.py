"""Streams in OpenAI's shape: chunks, a chunk with the usage if asked for, and `[DONE]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from ttdirect.server.errors import as_api_error, openai_error
from ttdirect.server.openai.answers import usage, usage_of
from ttdirect.server.streaming import event_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.engine import Completion, Token
    from ttdirect.server.openai.answers import Piece
    from ttdirect.server.openai.schema import StreamOptions

Choice = dict[str, Any]
"""One entry of a chunk's `choices`, without its index."""


class ChoiceWriter(Protocol):
    """Writes one answer as choices of chunks."""

    def begin(self) -> Iterator[Choice]:
        """Before the first piece."""
        ...

    def write(self, text: str, tokens: Sequence[Token]) -> Iterator[Choice]:
        """For a piece of the answer."""
        ...

    def end(self, tokens: Sequence[Token], answer: Completion) -> Iterator[Choice]:
        """At the end; `tokens` have no text that could be shown."""
        ...


class ChunkEvents:
    """The events of a stream of one or several answers.

    Args:
        head: what all chunks have in common: id, object, created, model.
        answers: the answers, in the order of their choices.
        writers: one for each.
        copies: answers to each prompt.
        prompt_tokens: tokens of all prompts.
        wanted: what the client wants to know beside.
    """

    def __init__(
        self,
        head: dict[str, Any],
        answers: Sequence[Completion],
        writers: Sequence[ChoiceWriter],
        *,
        copies: int,
        prompt_tokens: int,
        wanted: StreamOptions | None,
    ) -> None:
        self._head = head
        self._answers = answers
        self._writers = writers
        self._copies = copies
        self._prompt_tokens = prompt_tokens
        self._tells_usage = wanted is not None and wanted.include_usage
        self._counts = wanted is not None and wanted.continuous_usage_stats
        self._generated = [0] * len(answers)

    def begin(self) -> Iterator[str]:
        """The chunks before the first piece: each answer's role, or its echo."""
        for number, writer in enumerate(self._writers):
            for choice in writer.begin():
                yield self._chunk(number, choice)

    def piece(self, piece: Piece) -> Iterator[str]:
        """The chunks for a piece of an answer."""
        number, writer = piece.choice, self._writers[piece.choice]
        self._generated[number] += len(piece.tokens)
        choices = (
            writer.end(piece.tokens, self._answers[number])
            if piece.is_last
            else writer.write(piece.text, piece.tokens)
        )
        for choice in choices:
            yield self._chunk(number, choice)

    def end(self) -> Iterator[str]:
        """The usage, if the client wants it, and the mark of a complete stream."""
        if self._tells_usage:
            whole = usage_of(self._answers, self._copies)
            yield event_data({**self._head, "choices": [], "usage": whole})
        yield "[DONE]"

    def failure(self, error: Exception) -> Iterator[str]:
        """The error; clients that wait for the mark get that, too."""
        yield event_data(openai_error(as_api_error(error)))
        yield "[DONE]"

    def _chunk(self, number: int, choice: Choice) -> str:
        chunk = {**self._head, "choices": [{"index": number, **choice}]}
        if self._counts:
            chunk["usage"] = usage(self._prompt_tokens, sum(self._generated))
        elif self._tells_usage:
            chunk["usage"] = None
        return event_data(chunk)
