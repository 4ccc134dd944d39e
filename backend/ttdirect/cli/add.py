"""`ttdirect add`: put a recipe into the user's own script, or take it out again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ttdirect.cli.create import DEFAULT_PATH, expand
from ttdirect.cli.errors import DID_NOT_WORK, CommandError, UsageError
from ttdirect.cli.recipe_names import recipe_id
from ttdirect.script import file
from ttdirect.script.file import ScriptFileError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ttdirect.cli.parser import Commands
    from ttdirect.script.recipes import Edits, Refusal


def add_parser(commands: Commands) -> None:
    """Add the subcommand `add`."""
    parser = commands.add(
        "add",
        summary="add a recipe to your script, such as authentication",
        description="Add a recipe to your script, or take it out again.\n"
        "Only lines are added, where a person would put them; all others stay as they are.",
        examples=(
            "ttdirect add --list",
            "ttdirect add authentication",
            "ttdirect add rate-limiting ./server.py --diff",
            "ttdirect add request-logging --remove",
        ),
    )
    parser.add_argument(
        "recipe", nargs="?", metavar="RECIPE", help="what to add; --list shows the names"
    )
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help=f"your script (default: {DEFAULT_PATH})"
    )
    parser.add_argument(
        "--remove",
        action="store_true",
        help="take the recipe out again, which works while its lines are as they were added",
    )
    parser.add_argument(
        "--diff",
        action="store_true",
        help="print what would change and write nothing; the exit code is 0 for no difference, 1 "
        "for one",
    )
    parser.add_argument(
        "--list",
        action="store_true",
        help="show all recipes and, for a script that exists, what would become of each in it",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Change the script, or show what would change, and return the exit code.

    Raises:
        CommandError: If the file cannot be read or written, or the recipe does not go into it.
    """
    if options.list:
        return _list(options)
    if options.recipe is None:
        raise UsageError("no recipe was named", fix="ttdirect add --list shows them all")
    try:
        return _change(options)
    except ScriptFileError as error:
        raise CommandError(str(error), fix=error.fix) from error


def _change(options: argparse.Namespace) -> int:
    from ttdirect.script.recipes import Refusal, apply, edits, removal  # noqa: PLC0415

    name = recipe_id(options.recipe)
    path = _path(options.file)
    before = _read(path)
    changes = removal(name, before) if options.remove else edits(name, before)
    if isinstance(changes, Refusal):
        return _refused(options, changes, path)
    after = apply(before, changes)
    if options.diff:
        added = "without" if options.remove else "with"
        print(file.difference(path, before, after, name=f"{added} {name}"), end="")
        return DID_NOT_WORK
    file.write(path, after, executable=False)
    print(f"{'Took out' if options.remove else 'Added'} {name}.", file=sys.stderr)
    _tell_more(changes)
    print(path)
    return 0


def _tell_more(changes: Edits) -> None:
    if changes.pip:
        print(f"Next, install what it needs: pip install {changes.pip}", file=sys.stderr)
    if changes.note:
        print(changes.note, file=sys.stderr)


def _refused(options: argparse.Namespace, refusal: Refusal, path: Path) -> int:
    if refusal.is_there:
        print(refusal.reason, file=sys.stderr)
        return 0
    name = options.recipe
    done, fix = f"'{name}' was not added to {path}", f"ttdirect create --output PATH --with {name}"
    fix = f"change that by hand, or begin with a new script: {fix}"
    if options.remove:
        done, fix = f"'{name}' was not taken out of {path}", "take its lines out by hand"
    line = refusal.line
    where = f" (line {line})" if line and str(line) not in refusal.reason else ""
    raise CommandError(f"{done}{where}: {refusal.reason}", fix=fix)


def _list(options: argparse.Namespace) -> int:
    """Print a line for each recipe. The file is the first argument where no recipe is named."""
    from ttdirect.script.recipes import RECIPES, Edits, edits  # noqa: PLC0415

    if options.file is not None or options.remove or options.diff:
        raise UsageError("--list takes a file and nothing else", fix="ttdirect add --list FILE")
    path = _path(options.recipe)
    try:
        content = file.read(file.resolve(path))
        source = None if content is None else file.decode(path, content)
    except ScriptFileError as error:
        raise CommandError(str(error), fix=error.fix) from error
    if source is None and options.recipe is not None:
        raise _absent(path)
    width = max(len(recipe.id) for recipe in RECIPES)
    for recipe in RECIPES:
        print(f"{recipe.id:<{width}}  {recipe.title}. {recipe.summary}")
        if source is not None:
            found = edits(recipe.id, source)
            state = "Can be added." if isinstance(found, Edits) else found.reason
            print(f"{'':<{width}}  {state}")
    return 0


def _path(given: str | None) -> Path:
    return expand(given or DEFAULT_PATH, "name a full path")


def _read(path: Path) -> str:
    content = file.read(file.resolve(path))
    if content is None:
        raise _absent(path)
    return file.decode(path, content)


def _absent(path: Path) -> CommandError:
    return CommandError(f"there is no file {path}", fix="ttdirect create writes a script")
