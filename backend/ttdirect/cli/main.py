"""The entry point of the command `ttdirect`."""

from __future__ import annotations

import argparse
import io
import os
import sys
from typing import TYPE_CHECKING

import ttdirect
from ttdirect.cli import (
    add,
    bench,
    chat,
    check,
    create,
    deploy,
    doctor,
    download,
    hardware,
    language_server,
    mcp,
    models,
    serve,
)
from ttdirect.cli.errors import INTERRUPTED, WRONG_USAGE, CommandError, report
from ttdirect.cli.parser import CommandParser, Commands

if TYPE_CHECKING:
    from collections.abc import Sequence

# Nothing that takes time is imported above: `--help` and `--version` answer at once.

_EPILOG = """\
start here:
  ttdirect doctor    check this computer
  ttdirect create    write the server script
  ttdirect add       add a recipe to it, such as authentication
  ttdirect check     find mistakes in it
  ttdirect serve     start a server without a script of your own
  ttdirect chat      talk to it
  ttdirect bench     measure how fast it answers
  ttdirect deploy    put the script into production
  ttdirect hardware  show the Tenstorrent boards
  ttdirect models    see which models fit this computer
  ttdirect download  get one of them from the hub
  ttdirect mcp       let agents use a server

exit codes: 0 it worked, 1 it did not, 2 wrong usage, 130 Ctrl+C
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 ok, 1 failed, 2 wrong usage, 130 Ctrl+C."""
    for stream in (sys.stdout, sys.stderr):
        # A path or an answer may hold characters that the terminal's encoding lacks.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        # Here and not at exit, where a reader that has gone could no longer be handled.
        print(end="", flush=True)
    except CommandError as error:
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has what it wanted (`| head`). The interpreter flushes stdout once more at
        # exit, which must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _run(arguments: list[str]) -> int:
    parser = CommandParser(
        prog="ttdirect",
        description="An HTTP API around a language model, on Tenstorrent's Generator API or on "
        "the CPU.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ttdirect {ttdirect.__version__}")
    commands = Commands(parser)
    for module in (create, add, serve, chat, bench, deploy):
        module.add_parser(commands)
    for module in (check, doctor, hardware, models, download, mcp, language_server):
        module.add_parser(commands)

    # argparse would list the choices; the word that was meant is more help.
    if arguments and not arguments[0].startswith("-"):
        commands.find(arguments[0])
    try:
        options, extras = parser.parse_known_args(arguments)
    except SystemExit:  # argparse has printed the help or the version
        return 0
    if options.command is None:
        if extras:
            parser.refuse(extras[0])
        parser.print_help(sys.stderr)
        return WRONG_USAGE
    command = commands.find(options.command)
    if extras and not command.passes_extras:
        command.refuse(extras[0])
    options.extras = extras
    return options.run(options)
