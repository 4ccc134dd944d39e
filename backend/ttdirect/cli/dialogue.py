"""A conversation: what was said, how the model should behave, and how it is written to a file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ttdirect.cli.errors import CommandError
from ttdirect.cli.json_values import json_object, object_in, objects_in, text_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ttdirect.cli.client import Message


def number(text: str) -> float:
    """Return the number that `text` holds.

    Raises:
        ValueError: If it holds none, or one that JSON cannot hold.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


OPTIONS: dict[str, Callable[[str], Any]] = {
    "max_tokens": int,
    "temperature": number,
    "top_p": number,
    "top_k": int,
    "seed": int,
    "stop": lambda text: [text],
}
"""The request's fields that a user can set, and how each is read. The limits are the server's."""


@dataclass(frozen=True)
class Turn:
    """A question and what came of its answer."""

    prompt: str
    answer: str


@dataclass
class Dialogue:
    """The state of one conversation. `options` holds what was set; the rest is the server's."""

    system: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    turns: list[Turn] = field(default_factory=list[Turn])


def messages(system: str | None, turns: Sequence[Turn], prompt: str) -> list[Message]:
    """Return the conversation up to and with `prompt`, in the order in which it is sent."""
    said: list[Message] = [{"role": "system", "content": system}] if system else []
    for turn in turns:
        said.append({"role": "user", "content": turn.prompt})
        said.append({"role": "assistant", "content": turn.answer})
    said.append({"role": "user", "content": prompt})
    return said


def save(dialogue: Dialogue, path: Path) -> None:
    """Write the conversation as JSON; an earlier saved one is replaced, nothing else is.

    Raises:
        CommandError: If the file is there and holds something else, or cannot be written.
    """
    try:
        if path.exists() and "messages" not in json_object(path.read_bytes()):
            raise CommandError(
                f"{path} is there already and holds no conversation",
                fix="choose another name: /save FILE",
            )
        # The last message is the question that `messages` expects and that nobody has asked.
        said = messages(dialogue.system, dialogue.turns, "")[:-1]
        text = json.dumps({"options": dialogue.options, "messages": said}, indent=2)
        path.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror}", fix="choose another name: /save FILE"
        ) from error


def load(path: Path) -> Dialogue:
    """Return the conversation that `save` wrote.

    Raises:
        CommandError: If the file cannot be read or holds no conversation.
    """
    try:
        saved = json_object(path.read_bytes())
    except OSError as error:
        raise CommandError(
            f"{path} cannot be read: {error.strerror}", fix="check the name: /load FILE"
        ) from error
    said = [
        (text_in(entry, "role"), text_in(entry, "content"))
        for entry in objects_in(saved, "messages")
    ]
    system = said.pop(0)[1] if said and said[0][0] == "system" else None
    pairs = list(zip(said[::2], said[1::2], strict=False))
    options = {name: v for name, v in object_in(saved, "options").items() if name in OPTIONS}
    dialogue = Dialogue(system, options, [Turn(asked[1], told[1]) for asked, told in pairs])
    roles = ["user", "assistant"] * len(pairs)
    if "messages" not in saved or [role for role, _ in said] != roles:
        raise CommandError(
            f"{path} holds no conversation", fix="name a file that /save has written: /load FILE"
        )
    return dialogue
