"""Which server a command asks, and with which key.

The key comes from the environment alone, because others can read a command line.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ttdirect.cli.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.parser import CommandParser

DEFAULT_URL = "http://127.0.0.1:8080"

OURS = "TTDIRECT_API_KEY"
"""The variable that the server, too, reads its keys from."""


def add_server_options(parser: CommandParser) -> None:
    """Add `--url`, `--model` and `--api-key-env`: which server is asked, and how."""
    parser.add_argument(
        "--url",
        help="the server's address; with /v1 at its end any OpenAI-compatible server's "
        f"(default: {DEFAULT_URL})",
    )
    parser.add_argument(
        "--model", metavar="NAME", help="which of the server's models (default: its only one)"
    )
    parser.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="the environment variable that holds the server's API key (default: "
        "TTDIRECT_API_KEY; with --url also OPENAI_API_KEY)",
    )


def api_key(options: argparse.Namespace) -> str | None:
    """Return the key that the options of `add_server_options` lead to, None without one.

    Raises:
        UsageError: If the variable that was named is not set, or holds what cannot be a key.
    """
    # A key for somebody else's service goes only where the user said to go.
    others = ("OPENAI_API_KEY",) if options.url else ()
    return read_key(options.api_key_env, *others)


def read_key(named: str | None, *others: str) -> str | None:
    """Return the API key that the environment holds, None without one.

    TTDIRECT_API_KEY may hold several, separated by commas or lines, as it does for the server: any
    of them opens it, so the first is taken. TTDIRECT_API_KEY_FILE may name a file of them.

    Args:
        named: the variable that the user named.
        others: where to look beside TTDIRECT_API_KEY if none was named.

    Raises:
        UsageError: If the variable that was named is not set, or holds what cannot be a key.
    """
    for name in (named,) if named else (OURS, *others):
        key = _first_of_ours() if name == OURS else os.environ.get(name, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise UsageError(
                f"{name} holds characters that an API key cannot have", fix=f"export {name}=..."
            )
        if key:
            return key
    if named:
        raise UsageError(
            f"the environment variable {named} holds no API key", fix=f"export {named}=..."
        )
    return None


def _first_of_ours() -> str:
    """Return the first of the server's keys, empty without one."""
    entries = (entry.strip() for entry in re.split(r"[,\n]", os.environ.get(OURS, "")))
    file = os.environ.get("TTDIRECT_API_KEY_FILE")
    return next(filter(None, entries), "") or (_first_of_file(Path(file)) if file else "")


def _first_of_file(file: Path) -> str:
    """Return the first key of a file with one a line, as `key` or `name:key`."""
    try:
        lines = file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return ""  # The server says what is wrong with it.
    entries = (line.strip() for line in lines)
    first = next((entry for entry in entries if entry and not entry.startswith("#")), "")
    return re.sub(r"^[A-Za-z0-9._-]+:(?=.*\S)", "", first).strip()
