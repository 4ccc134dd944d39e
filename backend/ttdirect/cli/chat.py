"""`ttdirect chat`: talk to a running server from the terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import sys
from typing import TYPE_CHECKING

from ttdirect.cli import server_options
from ttdirect.cli.dialogue import OPTIONS, Dialogue, messages, number
from ttdirect.cli.errors import UsageError
from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.parser import Commands


def add_parser(commands: Commands) -> None:
    """Add the subcommand `chat`."""
    parser = commands.add(
        "chat",
        summary="talk to a running server",
        description="Send prompts to a running server and show the answers as they are written.\n"
        "Without a prompt, one is read from standard input, or a conversation begins. With both,\n"
        "what standard input holds stands before the prompt.",
        examples=(
            'ttdirect chat "What is machine learning?"',
            "ttdirect chat",
            'cat notes.txt | ttdirect chat --max-tokens 512 "Sum this up." > summary.txt',
            'ttdirect chat --temperature 0.8 --seed 7 --stop "END" "Tell me a story"',
            "ttdirect chat --url http://127.0.0.1:11434/v1 --model llama3.2",
        ),
    )
    parser.add_argument("prompt", nargs="*", help="what to ask")
    server_options.add_server_options(parser)
    parser.add_argument("--system", metavar="TEXT", help="how the model should behave")
    parser.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="the most tokens an answer may have (default: as the server has it)",
    )
    parser.add_argument(
        "--temperature",
        type=number,
        metavar="T",
        help="0.0 for the likeliest answer, more for variety (default: as the server has it)",
    )
    parser.add_argument(
        "--top-p",
        type=number,
        metavar="P",
        help="choose among the likeliest tokens that hold this share of the probability",
    )
    parser.add_argument(
        "--top-k", type=int, metavar="K", help="choose among the K likeliest tokens"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="the same seed gives the same answer again"
    )
    parser.add_argument(
        "--stop",
        action="append",
        metavar="TEXT",
        help="end the answer before this text; may be given more than once",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the one answer as a JSON object, with what it took",
    )
    parser.add_argument(
        "--timings",
        action="store_true",
        help="show what each answer took, on stderr, also when that is no terminal",
    )
    parser.add_argument(
        "--no-wait",
        action="store_true",
        help="do not wait while the server loads its model or is busy",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer one prompt, or one after the other on a terminal, and return the exit code.

    Raises:
        CommandError: If no server answers, or it cannot answer a prompt given up front.
    """
    # Imported here because they bring requests, which would slow down `--help`.
    from ttdirect.cli.connection import Connection  # noqa: PLC0415
    from ttdirect.cli.conversation import Asker, Manner, converse  # noqa: PLC0415
    from ttdirect.cli.discovery import open_server  # noqa: PLC0415

    interactive = not options.prompt and sys.stdin.isatty()
    if interactive and options.json:
        raise UsageError(
            "--json is for one answer, not for a conversation",
            fix='give a prompt: ttdirect chat --json "What is a token?"',
        )
    prompt = "" if interactive else _read_prompt(options.prompt)
    dialogue = Dialogue(options.system, _request_fields(options))
    wait = not options.no_wait
    key = server_options.api_key(options)
    url = options.url or server_options.DEFAULT_URL
    with contextlib.closing(Connection(url, api_key=key)) as connection:
        server = open_server(connection, model=options.model, wait=wait)
        print(f"{neutralise(server.model)} answers on {connection.url}", file=sys.stderr)
        asker = Asker(server, Manner(wait, timings=options.timings or sys.stderr.isatty()))
        if interactive:
            if not server.takes_history:
                print("It has no /v1 routes, so each prompt stands alone.", file=sys.stderr)
            return converse(asker, dialogue)
        question, heard = messages(dialogue.system, [], prompt), list[str]()
        figures = asker.answer(question, dialogue.options, heard.append, show=not options.json)
        if options.json:
            report = {"model": server.model, "response": "".join(heard)}
            print(json.dumps(report | dataclasses.asdict(figures), indent=2))
    return 0


def _request_fields(options: argparse.Namespace) -> dict[str, object]:
    """Return the request's fields; what was not given is left to the server.

    The limits are the server's too: its user may have changed them.
    """
    given = {name: getattr(options, name) for name in OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def _read_prompt(words: list[str]) -> str:
    """Return what to ask: standard input if something was sent there, then the words."""
    try:
        prompt = " ".join(words)
        prompt.encode("utf-8")
        if not words or _something_is_piped():
            sent = sys.stdin.buffer.read().decode("utf-8").strip("\r\n")
            prompt = "\n\n".join(part for part in (sent, prompt) if part.strip())
    except UnicodeError as error:
        raise UsageError(
            "the prompt is not UTF-8 text", fix="convert it first, with iconv"
        ) from error
    if not prompt.strip():
        raise UsageError("there is no prompt", fix='give one: ttdirect chat "What is a token?"')
    return prompt


def _something_is_piped() -> bool:
    """Return whether standard input is a pipe or a file, which come to an end.

    What else is no terminal, such as the null device or a socket of a program that started us,
    was not meant for the prompt.
    """
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):  # closed, or none at all
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
