"""Prompts and answers on the terminal: one answer, or one after the other."""

from __future__ import annotations

import contextlib
import importlib
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ttdirect.cli.client import BusyError, Figures, Piece
from ttdirect.cli.errors import INTERRUPTED, CommandError, report
from ttdirect.cli.terminal import neutralise, paint

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ttdirect.cli.client import Event, ServerClient

# How long a prompt waits for a place in the queue before the user hears that there is none.
_BUSY_SECONDS = 60

_HELP = """\
Type a prompt and press Enter. Each prompt stands alone: the server remembers nothing.
  /help    show this
  /quit    leave, as Ctrl+D does
Ctrl+C stops an answer; twice at the prompt, it leaves."""


@dataclass(frozen=True)
class Manner:
    """How prompts are asked and answers shown.

    `fields` go along with each prompt, `wait` allows to wait for a busy server, `timings` shows
    what an answer took.
    """

    fields: Mapping[str, Any]
    wait: bool
    timings: bool


def answer(client: ServerClient, prompt: str, manner: Manner) -> None:
    """Ask, and print the answer on stdout as it comes.

    Raises:
        CommandError: If there is no complete answer; what came of it has been printed.
    """
    patience_ends = time.monotonic() + (_BUSY_SECONDS if manner.wait else 0)
    fields = {"prompt": prompt, **manner.fields}
    figures = None
    while figures is None:
        figures = _attempt(client, fields, patience_ends)
    if manner.timings:
        _say(_describe(figures))


def converse(client: ServerClient, manner: Manner) -> int:
    """Ask the user for prompts and answer them until they leave; return the exit code."""
    # Gives input() line editing and a history, where Python was built with it.
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")

    _say("/help tells what you can type; Ctrl+D leaves.")
    interrupted = False
    while True:
        try:
            prompt = _ask().strip()
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
        if prompt == "/quit":
            return 0
        if prompt == "/help":
            print(_HELP, file=sys.stderr)
        elif prompt:
            _answer_or_explain(client, prompt, manner)


def _answer_or_explain(client: ServerClient, prompt: str, manner: Manner) -> None:
    """Answer one prompt of many: what goes wrong with it does not end the conversation."""
    try:
        answer(client, prompt, manner)
    except CommandError as error:
        report(error)
    except KeyboardInterrupt:
        _say("Stopped.")


def _attempt(
    client: ServerClient, fields: Mapping[str, Any], patience_ends: float
) -> Figures | None:
    """Print one answer and return its figures, or wait as a busy server asks and return None."""
    try:
        return _print_answer(client.stream(fields))
    except BusyError as busy:
        if time.monotonic() + busy.retry_after > patience_ends:
            raise
        _say(f"{busy.what} Asking again in {busy.retry_after} s.")
        time.sleep(busy.retry_after)
        return None


def _ask() -> str:
    if sys.stdout.isatty():
        return input("> ")
    # Answers go to a file or a pipe, where the prompt does not belong.
    print("> ", end="", flush=True, file=sys.stderr)
    return input()


def _print_answer(events: Generator[Event]) -> Figures:
    terminal = sys.stdout.isatty()
    last = "\n"
    try:
        with contextlib.closing(events):
            for event in events:
                match event:
                    case Piece(text):
                        last = text or last  # first, as Ctrl+C may come while it is printed
                        print(neutralise(text) if terminal else text, end="", flush=True)
                    case Figures():
                        return event
        raise AssertionError("a stream ends with figures or an error")
    finally:
        if not last.endswith("\n"):
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
