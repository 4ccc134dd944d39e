"""One event of OpenAI's streams, of a chat or a plain completion: what it adds to the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ttdirect.cli.json_values import object_in, objects_in, text_in

if TYPE_CHECKING:
    from collections.abc import Mapping

DONE = "[DONE]"
"""The data of the last event; some servers leave it out."""

_NO_CHOICE: dict[str, Any] = {}  # the event with the usage has none


class Chunk(NamedTuple):
    """What one event says.

    `thought` is what some models write before they answer, by the names of vLLM and others. The
    token counts come with the last event, if the server counts at all.
    """

    text: str
    thought: str
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None


def read_chunk(chunk: Mapping[str, Any]) -> Chunk:
    """Return what one event says; what is missing or of another kind counts as empty."""
    choice = next(iter(objects_in(chunk, "choices")), _NO_CHOICE)
    usage = object_in(chunk, "usage")
    delta = object_in(choice, "delta")
    return Chunk(
        text_in(delta, "content") or text_in(choice, "text"),
        text_in(delta, "reasoning_content") or text_in(delta, "reasoning"),
        text_in(choice, "finish_reason"),
        _count_in(usage, "prompt_tokens"),
        _count_in(usage, "completion_tokens"),
        _count_in(object_in(usage, "prompt_tokens_details"), "cached_tokens"),
    )


def _count_in(usage: Mapping[str, Any], name: str) -> int | None:
    value = usage.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
