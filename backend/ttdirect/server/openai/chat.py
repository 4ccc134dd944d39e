"""POST /v1/chat/completions: answers to a conversation."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from ttdirect.server.errors import ApiError
from ttdirect.server.openai.answers import (
    ask_all,
    finish_reason_of,
    pieces_of,
    usage_of,
    wait_for_all,
)
from ttdirect.server.openai.logprobs import chat_logprobs
from ttdirect.server.openai.messages import chat_prompt
from ttdirect.server.openai.options import options_for
from ttdirect.server.openai.stream import ChunkEvents
from ttdirect.server.openai.structure import compiled, grammar_for
from ttdirect.server.openai.tools import Call, CallReader, plan_tools
from ttdirect.server.streaming import event_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flask import Response

    from ttdirect.engine import Completion, Engine, Token
    from ttdirect.server.openai.schema import ChatRequest
    from ttdirect.server.openai.stream import Choice
    from ttdirect.server.openai.tools import ToolPlan


def answer_chat(
    engine: Engine, body: ChatRequest, head: dict[str, Any]
) -> Response | dict[str, Any]:
    """Answer a conversation.

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
    if body.top_logprobs and not body.logprobs:
        raise ApiError(400, "'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
    plan = plan_tools(body, engine.codec)
    # The text of calls is JSON that is read here; the format is for what a person gets.
    grammar = (
        compiled(engine, "json_schema", plan.schema, "tools")
        if plan is not None and plan.schema is not None
        else grammar_for(engine, body)
    )
    given = body.max_completion_tokens
    options = options_for(
        engine,
        body,
        max_tokens=body.max_tokens if given is None else given,
        top_logprobs=body.top_logprobs if body.logprobs else None,
        grammar=grammar,
    )
    prompt = chat_prompt(engine.codec, body, plan)
    answers = ask_all(engine, [prompt], options, body.n)
    writers = [_ChatWriter(engine, body, plan) for _ in answers]
    name = f"chatcmpl-{secrets.token_hex(12)}"
    if body.stream:
        chunk = {"id": name, "object": "chat.completion.chunk", **head}
        events = ChunkEvents(
            chunk,
            answers,
            writers,
            copies=body.n,
            prompt_tokens=len(prompt.ids),
            wanted=body.stream_options,
        )
        return event_stream(pieces_of(answers), events, answers)
    wait_for_all(answers)
    return {
        "id": name,
        "object": "chat.completion",
        **head,
        "choices": [
            {"index": number, **writer.whole(answer)}
            for number, (writer, answer) in enumerate(zip(writers, answers, strict=True))
        ],
        "usage": usage_of(answers, body.n),
    }


class _ChatWriter:
    """Writes one answer as a message, whole or piece by piece."""

    def __init__(self, engine: Engine, body: ChatRequest, plan: ToolPlan | None) -> None:
        self._codec = engine.codec
        self._top = body.top_logprobs if body.logprobs else None
        self._reader = CallReader(plan)
        self._untold: list[Token] = []  # tokens whose logprobs wait for a piece that is shown

    def whole(self, answer: Completion) -> Choice:
        parts = [*self._reader.feed(answer.text), *self._reader.flush()]
        text = "".join(part for part in parts if isinstance(part, str))
        calls = self._reader.calls
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text or (None if calls else ""),
            "refusal": None,
        }
        if calls:
            message["tool_calls"] = [call.as_json() for call in calls]
        return {
            "message": message,
            "logprobs": self._logprobs(answer.tokens),
            "finish_reason": self._finish_reason(answer),
        }

    def begin(self) -> Iterator[Choice]:
        yield _delta({"role": "assistant", "content": ""})

    def write(self, text: str, tokens: Sequence[Token]) -> Iterator[Choice]:
        self._untold.extend(tokens)
        yield from self._deltas(self._reader.feed(text))

    def end(self, tokens: Sequence[Token], answer: Completion) -> Iterator[Choice]:
        self._untold.extend(tokens)
        yield from self._deltas(self._reader.flush())
        last = _delta({}, self._told() if self._untold else None)
        yield {**last, "finish_reason": self._finish_reason(answer)}

    def _deltas(self, parts: Iterable[str | Call]) -> Iterator[Choice]:
        for part in parts:
            if isinstance(part, Call):
                number = len(self._reader.calls) - 1
                delta = {"tool_calls": [{"index": number, **part.as_json()}]}
            else:
                delta = {"content": part}
            yield _delta(delta, self._told())

    def _told(self) -> dict[str, Any] | None:
        told, self._untold = self._untold, []
        return self._logprobs(told)

    def _logprobs(self, tokens: Sequence[Token]) -> dict[str, Any] | None:
        return None if self._top is None else chat_logprobs(self._codec, tokens, self._top)

    def _finish_reason(self, answer: Completion) -> str:
        reason = finish_reason_of(answer)
        return "tool_calls" if reason == "stop" and self._reader.calls else reason


def _delta(delta: dict[str, Any], logprobs: dict[str, Any] | None = None) -> Choice:
    return {"delta": delta, "logprobs": logprobs, "finish_reason": None}
