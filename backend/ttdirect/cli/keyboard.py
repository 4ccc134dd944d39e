"""Prompts typed at the terminal: editing, several lines, and a history across sessions."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator

_HISTORY_LINES = 1000
_FENCE = '"""'


def read_prompt() -> str:
    '''Return the next prompt; one that begins with """ goes on to the line that ends with """.

    Raises:
        EOFError: If the user pressed Ctrl+D.
        KeyboardInterrupt: If the user pressed Ctrl+C.
    '''
    line = _read_line("> ").strip()
    if not line.startswith(_FENCE):
        return line
    lines = [line.removeprefix(_FENCE)]
    while not lines[-1].rstrip().endswith(_FENCE):
        lines.append(_read_line("... "))
    lines[-1] = lines[-1].rstrip().removesuffix(_FENCE)
    return "\n".join(lines).strip()


@contextlib.contextmanager
def line_editing() -> Generator[None]:
    """Give `input` line editing and the history of earlier sessions, and keep it for later ones.

    The history is this user's alone (mode 0600). Where Python has no readline, or the folder
    cannot be written, there is none.
    """
    try:
        readline: Any = importlib.import_module("readline")
    except ImportError:
        yield
        return
    path = _history_path()
    readline.set_history_length(_HISTORY_LINES)
    readline.clear_history()
    with contextlib.suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # There and closed to others before anything is written.
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            path.chmod(0o600)
            readline.write_history_file(path)


def _history_path() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(os.path.expanduser(state)) / "ttdirect" / "chat_history"  # noqa: PTH111 never raises


def _read_line(sign: str) -> str:
    if sys.stdout.isatty():
        return input(sign)
    # Answers go to a file or a pipe, where the sign does not belong.
    print(sign, end="", flush=True, file=sys.stderr)
    return input()
