"""`ttdirect serve`: run the script that `create` would write, without leaving a file."""

from __future__ import annotations

import functools
import linecache
import os
import sys
import traceback
import types
from typing import TYPE_CHECKING

from ttdirect.cli import settings
from ttdirect.cli.errors import CommandError
from ttdirect.script.render import render

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from ttdirect.cli.parser import CommandParser, Commands

# What tracebacks show for the script; the angle brackets tell tools that it is no file.
_FILENAME = "<ttdirect serve>"


def add_parser(commands: Commands) -> None:
    """Add the subcommand `serve`."""
    parser = commands.add(
        "serve",
        summary="start a server without a script of your own",
        description="Start the server that `ttdirect create` would write, without writing it.\n"
        "Further options of the script are passed on to it. Ctrl+C stops the server.",
        examples=(
            "ttdirect serve",
            "ttdirect serve --port 9000",
            "ttdirect serve --model ~/models/Llama-3.2-1B-Instruct",
            "HF_MODEL=meta-llama/Llama-3.1-8B-Instruct ttdirect serve --device tenstorrent",
        ),
    )
    settings.add_options(parser)
    parser.passes_extras = True
    parser.set_defaults(run=functools.partial(run, parser=parser))


def run(options: argparse.Namespace, *, parser: CommandParser) -> int:
    """Run the server until it is stopped and return its exit code.

    Raises:
        UsageError: If an option is neither ours nor the script's.
        CommandError: If the script ends with an error that it did not foresee.
    """
    choice = settings.choose(options, fallback_model=os.environ.get("HF_MODEL"))
    text = render(choice.settings)
    for extra in options.extras:
        if extra.startswith("-") and f'"{extra.partition("=")[0]}"' not in text:
            parser.refuse(extra)
    if options.model:
        # The script lets HF_MODEL win over its own line; here, what was typed wins.
        os.environ["HF_MODEL"] = choice.settings.model
    print(f"Device: {choice.settings.device}. {choice.device_reason}", file=sys.stderr)
    return _run_script(
        text,
        ["--port", str(choice.settings.port), "--host", choice.settings.host, *options.extras],
    )


def _run_script(text: str, arguments: Sequence[str]) -> int:
    """Run `text` as the main program and return its exit code."""
    # So that tracebacks show the script's lines. No modification time: never looked up on disk.
    linecache.cache[_FILENAME] = (len(text), None, text.splitlines(keepends=True), _FILENAME)
    module = types.ModuleType("__main__")
    module.__file__ = _FILENAME
    own_main, own_arguments = sys.modules["__main__"], sys.argv
    sys.modules["__main__"], sys.argv = module, ["ttdirect serve", *arguments]
    try:
        exec(compile(text, _FILENAME, "exec"), module.__dict__)  # noqa: S102 our own template
    except SystemExit as stop:
        return _exit_code(stop)
    except Exception as error:
        frames = error.__traceback__ and error.__traceback__.tb_next  # the script's, not ours
        traceback.print_exception(type(error), error, frames)
        raise CommandError(
            "the server ended with an error that it did not expect",
            fix="read the lines above, and check this computer with: ttdirect doctor",
        ) from error
    finally:
        sys.modules["__main__"], sys.argv = own_main, own_arguments
    return 0


def _exit_code(stop: SystemExit) -> int:
    """Return the exit code that Python itself would end with."""
    if stop.code is None:
        return 0
    if isinstance(stop.code, int):
        return stop.code
    print(stop.code, file=sys.stderr)
    return 1
