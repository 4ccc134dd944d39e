"""How a command says that it did not work, and how that looks on the terminal."""

from __future__ import annotations

import sys

from ttdirect.cli.terminal import paint

DID_NOT_WORK = 1
WRONG_USAGE = 2
INTERRUPTED = 130


class CommandError(Exception):
    """What happened, and what to do about it: the two lines that the user reads."""

    def __init__(self, what: str, *, fix: str, exit_code: int = DID_NOT_WORK) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.exit_code = exit_code


class UsageError(CommandError):
    """The command line itself is wrong."""

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what, fix=fix, exit_code=WRONG_USAGE)


def report(error: CommandError) -> None:
    """Print the error's two lines on stderr."""
    print(paint("error:", "red", sys.stderr), error.what, file=sys.stderr)
    print(paint("fix:", "green", sys.stderr), f"  {error.fix}", file=sys.stderr)
