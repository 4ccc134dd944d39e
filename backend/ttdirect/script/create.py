"""The script as a file: written whole or not at all, and never over the user's own changes."""

from __future__ import annotations

import difflib
import errno
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ttdirect.script.render import render
from ttdirect.script.seal import is_as_rendered

if TYPE_CHECKING:
    from collections.abc import Iterator
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


class ScriptFileError(Exception):
    """The script's file cannot be read or written.

    `fix` is a sentence that says what to do about it.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def create(path: Path, settings: ScriptSettings, *, overwrite: bool = False) -> Outcome:
    """Write the script to `path`, executable, creating the folders above it.

    A file that the user changed is left alone unless `overwrite` is set, and then kept beside
    the new one as `<name>.bak` (`.bak1` and so on: an older backup is never overwritten). A
    symbolic link is followed.

    Raises:
        ScriptFileError: If the file cannot be read or written; nothing was changed then.
    """
    text = render(settings)
    path = _resolve(path)
    theirs = _read(path)
    if theirs is None:
        _write(path, text)
        return Created(path)
    if theirs == text.encode("utf-8"):
        return Unchanged(path)
    if overwrite and not _is_as_rendered(theirs):
        backup = _back_up(path, theirs)
        _write(path, text)
        return Replaced(path, backup)
    their_text = _decode(path, theirs)
    if not is_as_rendered(their_text):
        return FileChanged(path, _diff(path, their_text, text))
    _write(path, text)
    return Refreshed(path)


def compare(path: Path, settings: ScriptSettings) -> str:
    """Return a unified diff from the file to a new rendering: empty when they are the same.

    Raises:
        ScriptFileError: If there is a file that cannot be read as text.
    """
    path = _resolve(path)
    theirs = _read(path)
    return _diff(path, "" if theirs is None else _decode(path, theirs), render(settings))


def script_state(path: Path) -> ScriptState:
    """Return whether a script is at `path` and whether the user has changed it.

    Raises:
        ScriptFileError: If there is a file that cannot be read.
    """
    theirs = _read(_resolve(path))
    if theirs is None:
        return "absent"
    return "as rendered" if _is_as_rendered(theirs) else "changed"


def _is_as_rendered(content: bytes) -> bool:
    try:
        return is_as_rendered(content.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise ScriptFileError(
            f"{path} is a symbolic link that leads nowhere", fix="choose another path"
        ) from error


def _read(path: Path) -> bytes | None:
    try:
        if path.is_dir():
            raise ScriptFileError(
                f"{path} is a folder",
                fix=f"name a file, for example {path / 'tt-api-server-direct.py'}",
            )
        if path.exists() and not path.is_file():
            # Reading a pipe or a device would wait for ever.
            raise ScriptFileError(f"{path} is not a regular file", fix="choose another path")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _explain(error, path, "read") from error


def _decode(path: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScriptFileError(
            f"{path} is not UTF-8 text, so it is not a script of ours",
            fix="choose another path, or have the file replaced and kept as a backup",
        ) from error


def _write(path: Path, text: str) -> None:
    """Write through a temporary file, so that a crash leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Created with 0o755 because the umask then applies, without asking for it.
            _write_new(temporary, text.encode("utf-8"), mode=0o755)
            if path.exists():
                mode = path.stat().st_mode & 0o7777
                temporary.chmod(mode | (mode & 0o444) >> 2)  # who may read it may run it
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _explain(error, path, "written") from error


def _back_up(path: Path, content: bytes) -> Path:
    for name in _backup_names(path.name):
        backup = path.with_name(name)
        try:
            # As private as the original from its first moment on.
            _write_new(backup, content, mode=path.stat().st_mode & 0o777)
        except FileExistsError:
            continue
        except OSError as error:
            raise _explain(error, backup, "written") from error
        return backup
    raise AssertionError("the names of backups never end")


def _backup_names(name: str) -> Iterator[str]:
    yield f"{name}.bak"
    number = 1
    while True:
        yield f"{name}.bak{number}"
        number += 1


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # half a file helps nobody
        raise


def _diff(path: Path, theirs: str, ours: str) -> str:
    lines = difflib.unified_diff(
        theirs.splitlines(keepends=True),
        ours.splitlines(keepends=True),
        fromfile=str(path),
        tofile="a new script",
    )
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def _explain(error: OSError, path: Path, done: str) -> ScriptFileError:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return ScriptFileError(
                f"{path} cannot be {done}: no permission",
                fix="choose a path in a folder of yours, or change the permissions",
            )
        case errno.EROFS:
            return ScriptFileError(
                f"{path} cannot be {done}: the disk is read-only",
                fix="choose a path on another disk",
            )
        case errno.ENOSPC | errno.EDQUOT:
            return ScriptFileError(
                f"{path} cannot be {done}: the disk is full", fix="free some space and try again"
            )
        case errno.ENOTDIR | errno.EEXIST:
            return ScriptFileError(
                f"{path} cannot be {done}: a part of the path above it is a file",
                fix="choose another path",
            )
        case _:
            return ScriptFileError(
                f"{path} cannot be {done}: {error.strerror}", fix="choose another path"
            )
