"""A script's file: read whole, written whole or not at all, its errors told in two sentences."""

from __future__ import annotations

import difflib
import errno
import io
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class ScriptFileError(Exception):
    """The script's file cannot be read or written.

    `fix` is a sentence that says what to do about it.
    """

    def __init__(self, message: str, *, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def resolve(path: Path) -> Path:
    """Return the file that a path leads to, links followed.

    Raises:
        ScriptFileError: If the links lead nowhere.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise ScriptFileError(
            f"{path} is a symbolic link that leads nowhere", fix="choose another path"
        ) from error


def read(path: Path) -> bytes | None:
    """Return what is in a file; None if there is no such file.

    Raises:
        ScriptFileError: If it cannot be read.
    """
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
        raise explain(error, path, "read") from error


def decode(path: Path, content: bytes) -> str:
    """Return a file's text with its own line ends.

    Raises:
        ScriptFileError: If it is no UTF-8.
    """
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScriptFileError(
            f"{path} is not UTF-8 text, so it is not a script of ours",
            fix="choose another path, or have the file replaced and kept as a backup",
        ) from error


def write(path: Path, text: str, *, executable: bool = True) -> None:
    """Write through a temporary file, so that a crash leaves the old file or the new one.

    Args:
        path: where to; folders above it are created.
        text: with the line ends that the file shall have.
        executable: whether who may read the file may run it, too; else an existing file keeps
            its mode, and a new one cannot be run.

    Raises:
        ScriptFileError: If it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            # Created with its mode because the umask then applies, without asking for it.
            write_new(temporary, text.encode("utf-8"), mode=0o755 if executable else 0o644)
            if path.exists():
                mode = path.stat().st_mode & 0o7777
                temporary.chmod(mode | (mode & 0o444) >> 2 if executable else mode)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise explain(error, path, "written") from error


def write_new(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that must not exist, and wait until the disk has it.

    Raises:
        OSError: As `os.open` and writing do; no part of the file is left then.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)  # half a file helps nobody
        raise


def difference(path: Path, theirs: str, ours: str, *, name: str = "a new script") -> str:
    """Return a unified diff from the text in a file to another one, `name`; empty if equal."""
    # Not `splitlines`: for a diff, a form feed ends no line.
    before, after = (list(io.StringIO(text, newline="\n")) for text in (theirs, ours))
    lines = difflib.unified_diff(before, after, fromfile=str(path), tofile=name)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )


def explain(error: OSError, path: Path, done: str) -> ScriptFileError:
    """Return what an error means to the user; `done` is "read" or "written"."""
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
