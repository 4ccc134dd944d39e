"""`ttdirect create`: write the server script that the user owns."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ttdirect.cli import settings
from ttdirect.cli.errors import DID_NOT_WORK, CommandError, UsageError
from ttdirect.cli.recipe_names import recipe_ids
from ttdirect.script.compose import RecipeRefusedError
from ttdirect.script.create import (
    Created,
    FileChanged,
    Outcome,
    Refreshed,
    Replaced,
    Unchanged,
    compare,
    create,
)
from ttdirect.script.device import device_nodes
from ttdirect.script.file import ScriptFileError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from ttdirect.cli.parser import Commands
    from ttdirect.cli.tt_metal import TtMetal
    from ttdirect.script.render import ScriptSettings

DEFAULT_PATH = "~/tt-api-server-direct.py"


def add_parser(commands: Commands) -> None:
    """Add the subcommand `create`."""
    parser = commands.add(
        "create",
        summary="write the server script",
        description="Write the server script, which is yours to read and to change.\n"
        "A file that you changed is never overwritten without --force.",
        examples=(
            "ttdirect create",
            "ttdirect create --output ./server.py --port 9000",
            "ttdirect create --device tenstorrent --tt-metal ~/tt-metal",
            "ttdirect create --with authentication,request-logging",
            "ttdirect create --diff",
            "ttdirect create --force",
        ),
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        default=DEFAULT_PATH,
        help=f"where to write it (default: {DEFAULT_PATH})",
    )
    settings.add_options(parser)
    parser.add_argument(
        "--tt-metal",
        metavar="FOLDER",
        help="your clone of tt-metal, for a Tenstorrent device (default: TT_METAL_HOME, then "
        "PYTHONPATH, then ~/tt-metal)",
    )
    parser.add_argument(
        "--with",
        dest="recipes",
        metavar="RECIPES",
        type=recipe_ids,
        default=(),
        help="recipes to add, separated by commas; `ttdirect add --list` shows them",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace a script that you changed, keeping yours beside it as a backup (.bak)",
    )
    parser.add_argument(
        "--diff",
        action="store_true",
        help="print what a new script would change and write nothing; the exit code is 0 for no "
        "difference, 1 for one",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the script, or show the difference, and return the exit code.

    Raises:
        CommandError: If the file cannot be read or written, or holds changes of the user's.
    """
    if options.diff and options.force:
        raise UsageError(
            "--diff writes nothing, so --force has no meaning beside it",
            fix="leave one of them out",
        )
    choice = settings.choose(options)
    path = expand(options.output, "name a full path with --output")
    clone = _find_clone(options, choice)
    try:
        if options.diff:
            difference = compare(path, choice.settings, options.recipes)
            print(difference, end="")
            return DID_NOT_WORK if difference else 0
        outcome = create(path, choice.settings, overwrite=options.force, recipes=options.recipes)
    except ScriptFileError as error:
        raise CommandError(str(error), fix=error.fix) from error
    except RecipeRefusedError as error:
        raise CommandError(str(error), fix="leave it out of --with") from error
    print(_describe(outcome, options), file=sys.stderr)
    print(f"Device: {choice.settings.device}. {choice.device_reason}", file=sys.stderr)
    print(f"Model: {_describe_model(choice.settings)}", file=sys.stderr)
    for line in _describe_clone(clone, choice):
        print(line, file=sys.stderr)
    command = _start_command(outcome.path, choice, clone)
    print(f"Next, start the server: {command}", file=sys.stderr)
    print(outcome.path)
    return 0


def expand(path: str, fix: str) -> Path:
    """Return a path with the home folder in place of a ~.

    Raises:
        CommandError: If it is not known; `fix` says what to do.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:  # no home folder to put in place of the ~
        raise CommandError(f"the home folder in '{path}' is not known", fix=fix) from error


def _describe(outcome: Outcome, options: argparse.Namespace) -> str:
    match outcome:
        case Created():
            return "Created the script."
        case Unchanged():
            return "The script was there already, the same to the letter."
        case Refreshed():
            return "Refreshed the script, which you had not changed."
        case Replaced(backup=backup):
            return f"Replaced the script. Yours is kept in {backup}"
        case FileChanged(path=path):
            default = options.output == DEFAULT_PATH
            command = "ttdirect create" + (
                "" if default else f" --output {shlex.quote(options.output)}"
            )
            command += f" --with {','.join(options.recipes)}" if options.recipes else ""
            raise CommandError(
                f"{path} holds changes of yours, so it was left as it is",
                fix=f"see the difference with: {command} --diff; replace it, keeping a backup, "
                f"with: {command} --force",
            )


def _describe_model(script: ScriptSettings) -> str:
    from_environment = os.environ.get("HF_MODEL")
    if from_environment:
        return f"{from_environment} (as HF_MODEL says, while it is set)"
    if not script.model:
        return "none yet; the server takes it from HF_MODEL"
    ships = "it ships with ttdirect; " if script.model == "demo" else ""
    return f"{script.model} ({ships}HF_MODEL names another)"


def _find_clone(options: argparse.Namespace, choice: settings.Choice) -> TtMetal | None:
    """Return the clone if it matters: also on a card's host whose Python lacks ttnn."""
    card = options.device == "auto" and bool(device_nodes())
    if not (options.tt_metal or choice.settings.device == "tenstorrent" or card):
        return None
    # Imported here because looking at packages takes modules that `--help` does not.
    from ttdirect.cli.tt_metal import find_tt_metal  # noqa: PLC0415

    return find_tt_metal(options.tt_metal)


def _describe_clone(clone: TtMetal | None, choice: settings.Choice) -> Iterator[str]:
    """Yield what was found of tt-metal, and what is still missing in its environment."""
    if clone is None:
        if choice.settings.device == "tenstorrent":
            yield (
                "tt-metal: not found; clone it at the version of your ttnn, and set "
                "TT_METAL_HOME to the clone"
            )
        return
    yield f"tt-metal: {clone.describe()}"
    if clone.python is None or clone.is_active():
        return
    if choice.settings.device == "cpu":
        yield f"A script for the card is created by tt-metal's own Python: {clone.python}"
    if not clone.has_ttdirect():
        yield f"Next, install ttdirect there: {clone.install_command()}"


def _start_command(path: Path, choice: settings.Choice, clone: TtMetal | None) -> str:
    python, variables = _python(), list[str]()
    if clone and choice.settings.device == "tenstorrent":
        variables = clone.variables()
        if clone.python and not clone.is_active():
            python = str(clone.python)
    if not choice.settings.model and not os.environ.get("HF_MODEL"):
        variables.append("HF_MODEL=meta-llama/Llama-3.1-8B-Instruct")
    return " ".join([*variables, shlex.join([python, str(path)])])


def _python() -> str:
    """Return the shortest command that starts this very Python."""
    this = Path(sys.executable)
    for name in ("python", "python3"):
        found = shutil.which(name)
        # In the same folder too: every virtual environment leads to the same file in the end.
        if found and Path(found).parent == this.parent and this.samefile(found):
            return name
    return sys.executable
