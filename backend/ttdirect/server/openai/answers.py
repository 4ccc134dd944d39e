"""Several answers at once: asking for them, waiting, merging, and what they cost together."""

from __future__ import annotations

import contextvars
import queue
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.engine import PromptTooLongError, printable
from ttdirect.server.errors import ApiError
from ttdirect.server.openai.options import copy_of
from ttdirect.server.waiting import cancel_all, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ttdirect.engine import Completion, Engine, Options, Token


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt in tokens.

    Args:
        ids: its tokens.
        text: what stands for it in the log, and in front of the answer where that is asked for.
        param: the field that it came in.
    """

    ids: list[int]
    text: str
    param: str


@dataclass(frozen=True, slots=True)
class Piece:
    """What one of several answers has got now.

    Args:
        choice: the answer's number.
        text: its text since the last piece, "" at the end.
        tokens: its tokens since the last piece.
        is_last: whether the answer is complete.
    """

    choice: int
    text: str
    tokens: list[Token]
    is_last: bool = False


def ask_all(
    engine: Engine, prompts: Sequence[Prompt], options: Options, copies: int
) -> list[Completion]:
    """Put `copies` requests for each prompt in the queue, all of them or none.

    Raises:
        ApiError: 400 for a prompt that the model cannot read or that does not fit.
        QueueFullError, NotReadyError: as for `Engine.complete`.
    """
    wanted, limit = len(prompts) * copies, engine.max_batch_size + engine.max_queued
    if wanted > limit:
        raise ApiError(
            400,
            f"This request asks for {wanted} answers; this server gives at most {limit} at once.",
            param=prompts[0].param if len(prompts) > limit else "n",
        )
    answers: list[Completion] = []
    try:
        for prompt in prompts:
            for number in range(copies):
                answers.append(_ask(engine, prompt, copy_of(options, number)))  # noqa: PERF401
    except Exception:
        cancel_all(answers)
        raise
    return answers


def wait_for_all(answers: Sequence[Completion]) -> None:
    """Wait until all answers are complete; give all slots back if that is not to be.

    Raises:
        ClientLeftError: the client hung up first.
        EngineError: an answer did not come about.
    """
    try:
        for answer in answers:
            wait_for(answer)
    finally:
        cancel_all(answers)


def pieces_of(answers: Sequence[Completion]) -> Iterator[Piece | None]:
    """The pieces of all answers as they come; None when nothing came for a moment.

    Raises:
        EngineError: an answer did not come about.
    """
    if len(answers) == 1:
        yield from _read(0, answers[0])
        return
    ready: queue.SimpleQueue[Piece | Exception | None] = queue.SimpleQueue()
    for number, answer in enumerate(answers):
        # Each answer has a queue of its own, and nobody can wait for two at once.
        here = contextvars.copy_context()
        work = (_pump, number, answer, ready)
        threading.Thread(target=here.run, args=work, name="answer", daemon=True).start()
    left = len(answers)
    while left:
        piece = ready.get()
        if isinstance(piece, Exception):
            raise piece
        if piece is not None and piece.is_last:
            left -= 1
        yield piece


def usage_of(answers: Sequence[Completion], copies: int) -> dict[str, Any]:
    """What complete answers cost; the prompt of several copies counts once."""
    figures = [answer.figures for answer in answers if answer.figures is not None]
    firsts = figures[::copies]
    cached = sum(each.cached_tokens for each in firsts)
    return {
        **usage(
            sum(each.prompt_tokens for each in firsts),
            sum(each.tokens_generated for each in figures),
        ),
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    """The object `usage` as far as it is known while the answers come, in tokens."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def finish_reason_of(answer: Completion) -> str:
    """Why a complete answer ended, in OpenAI's words and, for an aborted one, vLLM's."""
    return answer.figures.finish_reason.value if answer.figures is not None else "abort"


def _ask(engine: Engine, prompt: Prompt, options: Options) -> Completion:
    try:
        return engine.complete(prompt.ids, options, label=prompt.text)
    except PromptTooLongError as error:
        raise ApiError(
            400, str(error), param=prompt.param, code="context_length_exceeded"
        ) from error
    except ValueError as error:
        sentence = f"'{prompt.param}' cannot be read: {printable(str(error))}."
        raise ApiError(400, sentence, param=prompt.param) from error


def _read(number: int, answer: Completion) -> Iterator[Piece | None]:
    told = 0
    for text in answer.pieces():
        if not text:
            yield None
            continue
        tokens = answer.tokens[told:]
        told += len(tokens)
        yield Piece(number, text, tokens)
    yield Piece(number, "", answer.tokens[told:], is_last=True)


def _pump(
    number: int, answer: Completion, ready: queue.SimpleQueue[Piece | Exception | None]
) -> None:
    try:
        for piece in _read(number, answer):
            ready.put(piece)
    except Exception as error:  # noqa: BLE001 - whoever reads the queue raises it again
        ready.put(error)
