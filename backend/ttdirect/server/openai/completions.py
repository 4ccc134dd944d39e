"""POST /v1/completions: texts continued as they stand, without a chat template."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ttdirect.engine import PromptRefusedError
from ttdirect.server.errors import ApiError, as_api_error
from ttdirect.server.openai.answers import (
    Prompt,
    ask_all,
    finish_reason_of,
    pieces_of,
    usage_of,
    wait_for_all,
)
from ttdirect.server.openai.logprobs import TextLogprobs, mean_logprob
from ttdirect.server.openai.options import options_for
from ttdirect.server.openai.stream import ChunkEvents
from ttdirect.server.openai.structure import grammar_for
from ttdirect.server.streaming import event_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flask import Response

    from ttdirect.engine import Completion, Engine, Token
    from ttdirect.engine.text import TextCodec
    from ttdirect.server.openai.schema import CompletionRequest
    from ttdirect.server.openai.stream import Choice


def answer_completion(
    engine: Engine, body: CompletionRequest, head: dict[str, Any]
) -> Response | dict[str, Any]:
    """Continue one or several texts.

    Args:
        engine: ready.
        body: the checked request.
        head: what every answer to this request begins with: created, model.

    Returns:
        A stream of chunks, or the whole answer's JSON.

    Raises:
        ApiError: 400 for what cannot be done.
        EngineError, ClientLeftError: the answer did not come about.
    """
    copies = _copies(body)
    top_logprobs = body.logprobs
    if copies > body.n and top_logprobs is None:
        top_logprobs = 0  # for choosing the best
    options = options_for(
        engine,
        body,
        max_tokens=body.max_tokens,
        top_logprobs=top_logprobs,
        grammar=grammar_for(engine, body),
    )
    prompts = [_prompt(engine.codec, given) for given in body.prompt]
    answers = ask_all(engine, prompts, options, copies)
    head = {"id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", **head}
    if body.stream:
        writers = [_writer(engine, body, prompts[at // copies]) for at in range(len(answers))]
        events = ChunkEvents(
            head,
            answers,
            writers,
            copies=copies,
            prompt_tokens=sum(len(prompt.ids) for prompt in prompts),
            wanted=body.stream_options,
        )
        return event_stream(pieces_of(answers), events, answers)
    wait_for_all(answers)
    chosen = [
        _writer(engine, body, prompt).whole(answer)
        for number, prompt in enumerate(prompts)
        for answer in _best(answers[number * copies : (number + 1) * copies], body.n)
    ]
    return {
        **head,
        "choices": [{"index": number, **choice} for number, choice in enumerate(chosen)],
        "usage": usage_of(answers, copies),
    }


def _copies(body: CompletionRequest) -> int:
    if body.echo and body.logprobs is not None:
        sentence = "'echo' together with 'logprobs' is not supported: prompts have no logprobs."
        raise ApiError(400, sentence, param="echo")
    if body.best_of is None:
        return body.n
    if body.best_of < body.n:
        raise ApiError(400, "'best_of' must not be below 'n'.", param="best_of")
    if body.stream and body.best_of > body.n:
        sentence = "'best_of' above 'n' cannot be streamed: the best is known at the end."
        raise ApiError(400, sentence, param="best_of")
    return body.best_of


def _prompt(codec: TextCodec, given: str | list[int]) -> Prompt:
    if isinstance(given, list):
        return Prompt(given, f"{len(given)} token ids", "prompt")
    try:
        return Prompt(codec.encode(given), given, "prompt")
    except PromptRefusedError as error:
        raise ApiError(400, str(as_api_error(error)), param="prompt") from error


def _best(answers: Sequence[Completion], count: int) -> Sequence[Completion]:
    """The answers that the model was surest of; in their own order where all are wanted."""
    if count == len(answers):
        return answers
    return sorted(answers, key=lambda answer: mean_logprob(answer.tokens), reverse=True)[:count]


def _writer(engine: Engine, body: CompletionRequest, prompt: Prompt) -> _TextWriter:
    codec = engine.codec
    echo = codec.decode(prompt.ids) if body.echo else ""
    return _TextWriter(echo, None if body.logprobs is None else TextLogprobs(codec, body.logprobs))


class _TextWriter:
    """Writes one answer as text, whole or piece by piece.

    Args:
        echo: the prompt's text, if that is wanted in front.
        logprobs: writes log-probabilities, or None for none.
    """

    def __init__(self, echo: str, logprobs: TextLogprobs | None) -> None:
        self._echo = echo
        self._logprobs = logprobs

    def whole(self, answer: Completion) -> Choice:
        told = self._told(answer.tokens)
        return _text(self._echo + answer.text, told, finish_reason_of(answer))

    def begin(self) -> Iterator[Choice]:
        if self._echo:
            yield _text(self._echo)

    def write(self, text: str, tokens: Sequence[Token]) -> Iterator[Choice]:
        yield _text(text, self._told(tokens))

    def end(self, tokens: Sequence[Token], answer: Completion) -> Iterator[Choice]:
        yield _text("", self._told(tokens) if tokens else None, finish_reason_of(answer))

    def _told(self, tokens: Sequence[Token]) -> dict[str, Any] | None:
        return None if self._logprobs is None else self._logprobs.of(tokens)


def _text(text: str, logprobs: dict[str, Any] | None = None, reason: str | None = None) -> Choice:
    return {"text": text, "logprobs": logprobs, "finish_reason": reason}
