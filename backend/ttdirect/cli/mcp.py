"""`ttdirect mcp`: let agents use the running server, over the Model Context Protocol."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ttdirect.cli import server_options
from ttdirect.cli.create import DEFAULT_PATH
from ttdirect.cli.errors import CommandError

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.parser import Commands


def add_parser(commands: Commands) -> None:
    """Add the subcommand `mcp`."""
    parser = commands.add(
        "mcp",
        summary="let agents use a running server",
        description="Serve the Model Context Protocol on standard input and output, for editors\n"
        "and agents that start this command: their models can then ask yours, and read the\n"
        "server's state. It only speaks HTTP to the server, so it may run in another Python.",
        examples=(
            "ttdirect mcp",
            "ttdirect mcp --url http://127.0.0.1:8081",
        ),
    )
    parser.add_argument(
        "--url",
        default=server_options.DEFAULT_URL,
        help="the server's address (default: %(default)s)",
    )
    parser.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="the environment variable that holds the server's API key (default: TTDIRECT_API_KEY)",
    )
    parser.add_argument(
        "--script",
        metavar="PATH",
        default=DEFAULT_PATH,
        help="the server's script, for agents to read, where the running server does not name it "
        "itself (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until standard input ends; the exit code is 0.

    Raises:
        CommandError: If the package for the protocol is missing.
        UsageError: If the address or the key cannot be one.
    """
    key = server_options.read_key(options.api_key_env)
    try:
        from ttdirect.cli.mcp_server import serve  # noqa: PLC0415 - optional, and takes a second
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "httpx2", "anyio"):
            raise
        raise CommandError(
            "this command needs the package mcp, version 2.3 or newer, which this Python lacks",
            fix='pip install "mcp>=2.3"',
        ) from error
    if sys.stdin.isatty():
        print(
            "This command is for programs: an editor or an agent starts it. Ctrl+C ends it.",
            file=sys.stderr,
        )
    serve(options.url, key, options.script)
    return 0
