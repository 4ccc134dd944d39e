"""`ttdirect language-server`: help in editors with the script and the lesson's Markdown."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

from ttdirect.cli.errors import CommandError

if TYPE_CHECKING:
    import argparse

    from ttdirect.cli.parser import Commands

PACKAGES = frozenset(
    {"pygls", "lsprotocol", "cattrs", "attrs", "attr", "markdown_it", "tree_sitter"}
    | {"tree_sitter_python", "tree_sitter_bash", "tree_sitter_json"}
)
_FIX = "pip install 'ttdirect[language-server]'"


def add_parser(commands: Commands) -> None:
    """Add the subcommand `language-server`."""
    parser = commands.add(
        "language-server",
        summary="help editors with the script",
        description="Serve the Language Server Protocol on standard input and output, for editors\n"
        "that start this command: findings with fixes, hovers, completion and lenses for the\n"
        "server script and for Markdown that shows requests to it.",
        examples=("ttdirect language-server --stdio",),
    )
    parser.add_argument(
        "--stdio",
        action="store_true",
        help="speak on standard input and output: the only way there is, and what editors say",
    )
    # vscode-languageclient adds it, so that a server can end with its editor.
    parser.add_argument("--clientProcessId", help="ignored: the server ends with its input")
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Serve until the editor ends it; the exit code is 0.

    Raises:
        CommandError: If a package for it is missing.
    """
    gc.disable()  # what is imported stays: looking through it again and again takes time
    try:
        from ttdirect.language_server.lsp.server import serve_stdio  # noqa: PLC0415 - optional
    except ImportError as error:
        raise missing_package(error) from error
    if sys.stdin.isatty():
        print("This command is for programs: an editor starts it. Ctrl+C ends it.", file=sys.stderr)
    serve_stdio()
    return 0


def missing_package(error: ImportError) -> Exception:
    """What to raise for a failed import: the command's error, or the one that it was."""
    name = (error.name or "").partition(".")[0]
    if name not in PACKAGES:
        return error
    return CommandError(f"this command needs the package {name}, which this Python lacks", fix=_FIX)
