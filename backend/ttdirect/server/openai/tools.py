"""Tools: what the model is told about them, and which calls its text holds.

Models write calls in their own ways. The usual ones are read, whichever model is served:

- Hermes and Qwen: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`, among text;
- Llama 3: `{"name": ..., "parameters": {...}}`, with or without `<|python_tag|>` in front;
- Mistral: `[TOOL_CALLS] [{"name": ..., "arguments": {...}}]`.

JSON that is no call of a tool that was offered is text like any other.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ttdirect.engine import printable
from ttdirect.server.body import cut
from ttdirect.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ttdirect.engine.text import TextCodec
    from ttdirect.server.openai.schema import Conversation, Tool

OPEN, CLOSE = "<tool_call>", "</tool_call>"
PYTHON_TAG, MISTRAL_TAG = "<|python_tag|>", "[TOOL_CALLS]"
"""These stand in front of an answer that is calls and nothing else."""


def _new_id() -> str:
    return secrets.token_hex(5)[:9]  # Mistral's chat templates want nine letters and digits


@dataclass(frozen=True, slots=True)
class Call:
    """A call that the model made.

    Args:
        name: the function's.
        arguments: JSON of an object.
        id: what the tool's answer refers to.
    """

    name: str
    arguments: str
    id: str = field(default_factory=_new_id)

    def as_json(self) -> dict[str, Any]:
        """The call in OpenAI's shape."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class ToolPlan:
    """How a request's tools are used.

    Args:
        offered: what the chat template gets.
        names: of the functions that may be called.
        several: whether one answer may hold several calls.
        schema: a JSON schema that the answer has to fit, where calls are required.
    """

    offered: list[dict[str, Any]]
    names: frozenset[str]
    several: bool
    schema: dict[str, Any] | None


def plan_tools(body: Conversation, codec: TextCodec) -> ToolPlan | None:
    """How the tools of a request are used; None where the model must not call any.

    Raises:
        ApiError: 400 for a model that knows no tools, or a choice that is not offered.
    """
    choice = body.tool_choice
    if not body.tools:
        if choice not in ("auto", "none"):
            raise ApiError(400, "'tool_choice' needs 'tools' to choose from.", param="tool_choice")
        return None
    if choice == "none":
        return None
    if "tools" not in (codec.chat_template or ""):
        raise ApiError(
            400,
            "This model's chat template knows no tools: leave 'tools' out, or serve a model that "
            "was trained to call them.",
            param="tools",
        )
    chosen = body.tools
    if not isinstance(choice, str):
        name = choice["function"]["name"]
        chosen = [tool for tool in body.tools if tool.function.name == name]
        if not chosen:
            raise ApiError(
                400,
                f"'tool_choice' names '{cut(printable(name))}', which is not among 'tools'.",
                param="tool_choice",
            )
    is_named = not isinstance(choice, str)
    several = body.parallel_tool_calls and not is_named
    return ToolPlan(
        offered=[tool.model_dump(exclude_unset=True) for tool in body.tools],
        names=frozenset(tool.function.name for tool in chosen),
        several=several,
        schema=None if choice == "auto" else _schema_of_calls(chosen, several),
    )


def _schema_of_calls(tools: list[Tool], several: bool) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    calls: list[dict[str, Any]] = []
    for tool in tools:
        arguments: dict[str, Any] = dict(tool.function.parameters or {"type": "object"})
        own = arguments.pop("$defs", None)
        if isinstance(own, dict):  # "#/$defs/..." points to the root of the whole schema
            definitions.update(cast("dict[str, Any]", own))
        properties = {"name": {"const": tool.function.name}, "arguments": arguments}
        calls.append(
            {
                "type": "object",
                "properties": properties,
                "required": list(properties),
                "additionalProperties": False,
            }
        )
    call = calls[0] if len(calls) == 1 else {"anyOf": calls}
    schema = {"type": "array", "items": call, "minItems": 1} if several else call
    return schema | ({"$defs": definitions} if definitions else {})


class CallReader:
    """Tells calls from text while the answer comes; the same for any pieces of it.

    Args:
        plan: which calls there can be; None where all is text.
    """

    def __init__(self, plan: ToolPlan | None) -> None:
        self.calls: list[Call] = []
        self._plan = plan
        self._held = ""
        self._is_begun = False  # whether it is clear which kind of answer this is
        self._is_whole = False  # the answer is nothing but calls, or nothing but text
        self._inside = False  # between OPEN and CLOSE
        self._at_gap = True  # only spaces since the beginning or the last call

    def feed(self, text: str) -> Iterator[str | Call]:
        """The text and the calls that are certain now, in order."""
        if self._plan is None:
            yield text
            return
        self._held += text
        if not self._is_begun:
            beginning = self._held.lstrip()
            self._is_whole = beginning.startswith(("{", "[", PYTHON_TAG))
            # A part of a tag, or nothing at all, may become either kind.
            self._is_begun = self._is_whole or not PYTHON_TAG.startswith(beginning)
        if self._is_begun and not self._is_whole:
            yield from self._read(is_end=False)

    def flush(self) -> Iterator[str | Call]:
        """What was held back, at the end of the answer."""
        if self._plan is None:
            return
        if self._is_whole:
            yield from self._whole()
        else:
            yield from self._read(is_end=True)

    def _whole(self) -> Iterator[str | Call]:
        text = self._held.strip()
        for tag in (PYTHON_TAG, MISTRAL_TAG):
            text = text.removeprefix(tag).lstrip()
        found = self._calls_in(text)
        if found:
            yield from self._take(found)
        else:
            yield self._held

    def _read(self, *, is_end: bool) -> Iterator[str | Call]:
        while True:
            if self._inside:
                if not (yield from self._read_call(is_end=is_end)):
                    return
                continue
            before, mark, rest = self._held.partition(OPEN)
            if not mark:
                keep = 0 if is_end else _overlap(self._held, OPEN)
                cut_at = len(self._held) - keep
                text, self._held = self._held[:cut_at], self._held[cut_at:]
                yield from self._text(text, is_end=is_end)
                return
            self._held, self._inside = rest, True
            if before.strip() or not self._at_gap:
                yield from self._text(before, is_end=False)

    def _read_call(self, *, is_end: bool) -> Iterator[str | Call]:
        """Read what stands behind OPEN; returns whether there is more to read behind it."""
        at = self._held.find(CLOSE)
        while at >= 0:
            # The arguments of a call may hold CLOSE, too: the first that gives JSON is the end.
            if found := self._calls_in(self._held[:at]):
                self._held, self._inside, self._at_gap = self._held[at + len(CLOSE) :], False, True
                yield from self._take(found)
                return True
            at = self._held.find(CLOSE, at + 1)
        if not is_end:
            return False
        held, self._held, self._inside = self._held, "", False
        if found := self._calls_in(held):  # the end token came in the place of CLOSE
            yield from self._take(found)
        else:
            yield from self._text(OPEN + held, is_end=True)
        return False

    def _text(self, text: str, *, is_end: bool) -> Iterator[str]:
        """Show text; spaces wait until it is clear that no call follows them."""
        if self._at_gap and not text.strip():
            if is_end and text and not self.calls:
                yield text
            elif not is_end:
                self._held = text + self._held
            return
        self._at_gap = False
        if text:
            yield text

    def _take(self, found: list[Call]) -> Iterator[Call]:
        several = self._plan is not None and self._plan.several
        for call in found if several else found[: 0 if self.calls else 1]:
            self.calls.append(call)
            yield call

    def _calls_in(self, text: str) -> list[Call]:
        """The calls that a text consists of; none if it holds anything else."""
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            return []
        values = cast("list[Any]", parsed) if isinstance(parsed, list) else [parsed]
        calls = [self._call(value) for value in values]
        return [call for call in calls if call is not None] if all(calls) else []

    def _call(self, value: Any) -> Call | None:
        fields = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        name, arguments = fields.get("name"), fields.get("arguments", fields.get("parameters"))
        if self._plan is None or name not in self._plan.names or not isinstance(arguments, dict):
            return None
        return Call(str(name), _as_json(arguments))


def _as_json(arguments: Any) -> str:
    text = json.dumps(arguments, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # the model wrote half of a surrogate pair as an escape
        return json.dumps(arguments)
    return text


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of the text that could grow into `mark`."""
    longest = min(len(mark) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if text.endswith(mark[:n])), 0)
