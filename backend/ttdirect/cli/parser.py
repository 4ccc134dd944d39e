"""Argument parsing that answers wrong usage in the project's two lines."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import TYPE_CHECKING, NoReturn

from ttdirect.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class CommandParser(argparse.ArgumentParser):
    """A parser that raises `UsageError` instead of printing and exiting."""

    passes_extras = False
    """Whether the command takes arguments that this parser does not know, as `options.extras`."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            UsageError: Always.
        """
        raise UsageError(message, fix=f"{self.prog} --help shows every option")

    def refuse(self, unknown: str) -> NoReturn:
        """Refuse an argument that this command does not take, naming one like it.

        Raises:
            UsageError: Always.
        """
        if not unknown.startswith("-"):
            self.error(f"unexpected argument '{unknown}'")
        option = unknown.partition("=")[0]
        own_options = set(re.findall(r"--[a-z-]+", self.format_usage()))
        raise UsageError(
            f"'{self.prog}' has no option '{option}'{did_you_mean(option, own_options)}",
            fix=f"{self.prog} --help shows every option",
        )


class Commands:
    """The subcommands of one parser."""

    def __init__(self, parser: CommandParser) -> None:
        self._subparsers = parser.add_subparsers(
            dest="command", metavar="COMMAND", title="commands", parser_class=CommandParser
        )
        self._parsers: dict[str, CommandParser] = {}

    def add(
        self, name: str, *, summary: str, description: str, examples: Sequence[str]
    ) -> CommandParser:
        """Return the parser of a new subcommand, its help ending in `examples`."""
        parser = self._subparsers.add_parser(
            name,
            help=summary,
            description=description,
            epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._parsers[name] = parser
        return parser

    def find(self, name: str) -> CommandParser:
        """Return the parser of the subcommand `name`.

        Raises:
            UsageError: If there is no such subcommand.
        """
        if name not in self._parsers:
            raise UsageError(
                f"there is no command '{name}'{did_you_mean(name, self._parsers)}",
                fix=f"choose from: {', '.join(self._parsers)}",
            )
        return self._parsers[name]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean ...?" for the known word most like `word`, empty without one."""
    matches = difflib.get_close_matches(word, sorted(known), n=1)
    return f"; did you mean '{matches[0]}'?" if matches else ""


def port(text: str) -> int:
    """Return the TCP port that an argument names.

    Raises:
        argparse.ArgumentTypeError: If it is not a whole number from 1 to 65535.
    """
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"a port is a whole number from 1 to 65535, not '{text}'")
