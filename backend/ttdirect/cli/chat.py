"""`ttdirect chat`: talk to a running server from the terminal."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import sys
from typing import TYPE_CHECKING, Any

from ttdirect.cli.errors import UsageError
from ttdirect.cli.terminal import neutralise

if TYPE_CHECKING:
    from ttdirect.cli.parser import Commands


def add_parser(commands: Commands) -> None:
    """Add the subcommand `chat`."""
    parser = commands.add(
        "chat",
        summary="talk to a running server",
        description="Send prompts to a running server and show the answers as they are written.\n"
        "Without a prompt, one is read from standard input, or asked for on the terminal.",
        examples=(
            'ttdirect chat "What is machine learning?"',
            "ttdirect chat",
            "cat question.txt | ttdirect chat --max-tokens 512 > answer.txt",
            'ttdirect chat --temperature 0.8 --seed 7 --stop "END" "Tell me a story"',
        ),
    )
    parser.add_argument("prompt", nargs="*", help="what to ask")
    parser.add_argument(
        "--url",
        default="http://127.0.0.1:8080",
        help="the server's address (default: http://127.0.0.1:8080)",
    )
    parser.add_argument(
        "--max-tokens",
        type=int,
        metavar="N",
        help="the most tokens an answer may have (the server's default: 128)",
    )
    parser.add_argument(
        "--temperature",
        type=_finite,
        metavar="T",
        help="0.0 for the likeliest answer, more for variety (the server's default: 0.0)",
    )
    parser.add_argument(
        "--top-p",
        type=_finite,
        metavar="P",
        help="choose among the likeliest tokens that hold this share of the probability",
    )
    parser.add_argument(
        "--top-k", type=int, metavar="K", help="choose among the K likeliest tokens"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="the same seed gives the same answer again"
    )
    parser.add_argument("--system", metavar="TEXT", help="how the model should behave")
    parser.add_argument(
        "--stop",
        action="append",
        metavar="TEXT",
        help="end the answer before this text; may be given more than once",
    )
    parser.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="the environment variable that holds the server's API key "
        "(default: TTDIRECT_API_KEY, if it is set)",
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
    from ttdirect.cli.client import ServerClient  # noqa: PLC0415
    from ttdirect.cli.conversation import Manner, answer, converse  # noqa: PLC0415
    from ttdirect.cli.readiness import wait_until_ready  # noqa: PLC0415

    interactive = not options.prompt and sys.stdin.isatty()
    prompt = "" if interactive else _read_prompt(options.prompt)
    manner = Manner(
        fields=_fields(options),
        wait=not options.no_wait,
        timings=options.timings or sys.stderr.isatty(),
    )
    client = ServerClient(options.url, api_key=_api_key(options.api_key_env))
    with contextlib.closing(client):
        health = wait_until_ready(client, wait=manner.wait)
        print(f"{neutralise(health.model)} answers on {client.url}", file=sys.stderr)
        if interactive:
            return converse(client, manner)
        answer(client, prompt, manner)
    return 0


def _fields(options: argparse.Namespace) -> dict[str, Any]:
    """Return the request's fields; what was not given is left to the server.

    The limits are the server's too: its user may have changed them.
    """
    names = ("max_tokens", "temperature", "top_p", "top_k", "seed", "system", "stop")
    given = {name: getattr(options, name) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"a finite number is needed, not '{text}'")
    return number


def _read_prompt(words: list[str]) -> str:
    try:
        if words:
            prompt = " ".join(words)
            prompt.encode("utf-8")
        else:
            prompt = sys.stdin.buffer.read().decode("utf-8").rstrip("\r\n")
    except UnicodeError as error:
        raise UsageError(
            "the prompt is not UTF-8 text", fix="convert it first, with iconv"
        ) from error
    if not prompt.strip():
        raise UsageError("there is no prompt", fix='give one: ttdirect chat "What is a token?"')
    return prompt


def _api_key(variable: str | None) -> str | None:
    name = variable or "TTDIRECT_API_KEY"
    key = os.environ.get(name, "").strip()
    if variable and not key:
        raise UsageError(
            f"the environment variable {name} holds no API key", fix=f"export {name}=..."
        )
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"{name} holds characters that an API key cannot have", fix=f"export {name}=..."
        )
    return key or None
