"""The script as a file: written whole or not at all, and never over the user's own changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ttdirect.script.compose import compose
from ttdirect.script.file import (
    decode,
    difference,
    explain,
    read,
    resolve,
    write,
    write_new,
)
from ttdirect.script.seal import is_as_rendered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ttdirect.script.render import ScriptSettings


@dataclass(frozen=True)
class Created:
    """There was no file; now there is."""

    path: Path


@dataclass(frozen=True)
class Unchanged:
    """The file already held this very text."""

    path: Path


@dataclass(frozen=True)
class Refreshed:
    """The file held an earlier rendering that nobody had changed; now it holds this one."""

    path: Path


@dataclass(frozen=True)
class Replaced:
    """The file held something of the user's, which is now in `backup`."""

    path: Path
    backup: Path


@dataclass(frozen=True)
class FileChanged:
    """Refused: the file holds something of the user's and was left as it is.

    `diff` is a unified diff from the user's text to the new one.
    """

    path: Path
    diff: str


Outcome: TypeAlias = Created | Unchanged | Refreshed | Replaced | FileChanged

ScriptState: TypeAlias = Literal["absent", "as rendered", "changed"]


def create(
    path: Path,
    settings: ScriptSettings,
    *,
    overwrite: bool = False,
    recipes: Sequence[str] = (),
) -> Outcome:
    """Write the script to `path`, executable, creating the folders above it.

    `recipes` are added to it. It is the user's own then, as if they had added them afterwards. A
    file that the user changed is left alone unless `overwrite` is set, and then kept beside
    the new one as `<name>.bak` (`.bak1` and so on: an older backup is never overwritten). A
    symbolic link is followed.

    Raises:
        ScriptFileError: If the file cannot be read or written; nothing was changed then.
        RecipeRefusedError: If a recipe does not go into this script.
    """
    return put(path, compose(settings, recipes), overwrite=overwrite)


def put(path: Path, text: str, *, overwrite: bool = False, executable: bool = True) -> Outcome:
    """Write a text that ends in its seal with the same care as `create`.

    Raises:
        ScriptFileError: If the file cannot be read or written; nothing was changed then.
    """
    path = resolve(path)
    theirs = read(path)
    if theirs is None:
        write(path, text, executable=executable)
        return Created(path)
    if theirs == text.encode("utf-8"):
        return Unchanged(path)
    if overwrite and not _is_as_rendered(theirs):
        backup = _back_up(path, theirs)
        write(path, text, executable=executable)
        return Replaced(path, backup)
    their_text = decode(path, theirs)
    if not is_as_rendered(their_text):
        return FileChanged(path, difference(path, their_text, text))
    write(path, text, executable=executable)
    return Refreshed(path)


def compare(path: Path, settings: ScriptSettings, recipes: Sequence[str] = ()) -> str:
    """Return a unified diff from the file to a new script: empty when they are the same.

    Raises:
        ScriptFileError: If there is a file that cannot be read as text.
        RecipeRefusedError: As for `create`.
    """
    path = resolve(path)
    theirs = read(path)
    text = "" if theirs is None else decode(path, theirs)
    return difference(path, text, compose(settings, recipes))


def script_state(path: Path) -> ScriptState:
    """Return whether a script is at `path` and whether the user has changed it.

    Raises:
        ScriptFileError: If there is a file that cannot be read.
    """
    theirs = read(resolve(path))
    if theirs is None:
        return "absent"
    return "as rendered" if _is_as_rendered(theirs) else "changed"


def _is_as_rendered(content: bytes) -> bool:
    try:
        return is_as_rendered(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _back_up(path: Path, content: bytes) -> Path:
    for name in _backup_names(path.name):
        backup = path.with_name(name)
        try:
            # As private as the original from its first moment on.
            write_new(backup, content, mode=path.stat().st_mode & 0o777)
        except FileExistsError:
            continue
        except OSError as error:
            raise explain(error, backup, "written") from error
        return backup
    raise AssertionError("the names of backups never end")


def _backup_names(name: str) -> Iterator[str]:
    yield f"{name}.bak"
    number = 1
    while True:
        yield f"{name}.bak{number}"
        number += 1
