"""Questions and answers on the terminal: one answer, or one after the other."""

from __future__ import annotations

import contextlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.cli.client import Figures, Piece
from ttdirect.cli.connection import BusyError
from ttdirect.cli.dialogue import Turn, messages
from ttdirect.cli.errors import INTERRUPTED, CommandError, report
from ttdirect.cli.keyboard import line_editing, read_prompt
from ttdirect.cli.slash import SlashCommands
from ttdirect.cli.terminal import neutralise, paint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from ttdirect.cli.client import Event, LessonServer, Message, OpenAIServer
    from ttdirect.cli.dialogue import Dialogue

# How long a prompt waits for a place in the queue before the user hears that there is none.
_BUSY_SECONDS = 60


@dataclass(frozen=True)
class Manner:
    """How answers are waited for and shown.

    `wait` allows to wait for a busy server, `timings` shows what an answer took.
    """

    wait: bool
    timings: bool


class Asker:
    """Asks one server, prints the answers as they come, and tells what they took."""

    def __init__(self, server: LessonServer | OpenAIServer, manner: Manner) -> None:
        self._server = server
        self._manner = manner

    def answer(
        self,
        question: Sequence[Message],
        options: Mapping[str, Any],
        hear: Callable[[str], object],
        *,
        show: bool = True,
    ) -> Figures:
        """Ask, call `hear` with each piece of the answer, and print it unless told not to.

        Raises:
            CommandError: If there is no complete answer; what came of it has been heard.
        """
        patience_ends = time.monotonic() + (_BUSY_SECONDS if self._manner.wait else 0)
        figures = None
        while figures is None:
            events = self._server.ask(question, options)
            figures = _read_or_wait(events, hear, patience_ends, show=show)
        if self._manner.timings:
            _say(_describe(figures))
        return figures


def converse(asker: Asker, dialogue: Dialogue) -> int:
    """Ask the user for prompts and answer them until they leave; return the exit code."""
    commands = SlashCommands(dialogue)
    _say("/help tells what you can type; Ctrl+D leaves.")
    interrupted = False
    with line_editing():
        while True:
            try:
                prompt = read_prompt()
            except EOFError:
                print(file=sys.stderr)
                return 0
            except KeyboardInterrupt:
                print(file=sys.stderr)
                if interrupted:
                    return INTERRUPTED
                interrupted = True
                _say("Ctrl+C once more leaves.")
                continue
            interrupted = False
            # What goes wrong with one prompt does not end the conversation.
            try:
                if prompt and _take_turn(asker, dialogue, commands, prompt) == "leave":
                    return 0
            except CommandError as error:
                report(error)
            except KeyboardInterrupt:
                _say("Stopped.")


def _take_turn(
    asker: Asker, dialogue: Dialogue, commands: SlashCommands, prompt: str
) -> str | None:
    """Do what the prompt says, or have it answered; return what the command leads to."""
    earlier = dialogue.turns
    following = commands.obey(prompt)
    if following == "ask again":
        prompt, earlier = earlier[-1].prompt, earlier[:-1]
    elif following:
        return following
    heard: list[str] = []
    try:
        asker.answer(messages(dialogue.system, earlier, prompt), dialogue.options, heard.append)
    finally:
        # Half an answer counts too: the user has read it and may say "go on".
        if heard:
            dialogue.turns = [*earlier, Turn(prompt, "".join(heard))]
    return None


def _read_or_wait(
    events: Generator[Event], hear: Callable[[str], object], patience_ends: float, *, show: bool
) -> Figures | None:
    """Return the figures of a complete answer, or wait as a busy server asks and return None."""
    try:
        return _read(events, hear, show=show)
    except BusyError as busy:
        if time.monotonic() + busy.retry_after > patience_ends:
            raise
        _say(f"{busy.what} Asking again in {busy.retry_after} s.")
        time.sleep(busy.retry_after)
        return None


def _read(events: Generator[Event], hear: Callable[[str], object], *, show: bool) -> Figures:
    terminal = sys.stdout.isatty()
    last = "\n"
    try:
        # Closing the events closes the connection, so that the server stops as well.
        with contextlib.closing(events):
            for event in events:
                match event:
                    case Piece(text):
                        last = text or last  # first, as Ctrl+C may come while it is printed
                        if text:
                            hear(text)
                        if show:
                            print(neutralise(text) if terminal else text, end="", flush=True)
                    case Figures():
                        return event
        raise AssertionError("a stream ends with figures or an error")
    finally:
        if show and not last.endswith("\n"):
            print(flush=True)


def _describe(figures: Figures) -> str:
    parts = [
        f"{figures.tokens_generated} tokens in {figures.time_seconds:.2f} s",
        f"{figures.tokens_per_second:.1f} tokens/s",
        f"first after {figures.ttft_seconds:.2f} s",
    ]
    if figures.queue_seconds >= 0.01:
        parts.append(f"queued {figures.queue_seconds:.2f} s")
    if figures.finish_reason == "length":
        parts.append("cut off at the token limit (--max-tokens)")
    return ", ".join(parts)


def _say(text: str) -> None:
    print(paint(text, "dim", sys.stderr), file=sys.stderr)
